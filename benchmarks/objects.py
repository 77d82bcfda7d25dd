"""The objects that are measured, and the one whose thread does the measuring."""

from __future__ import annotations

import importlib
from typing import Any

import vista
from vista import Object


class Counter(Object, namespace="Benchmarks"):
    """Counts. Each kind of method does the same work."""

    def create(self, start: int = 0) -> None:
        """Count from ``start``."""
        self.value = start

    def increment(self, by: int = 1) -> int:
        """Add ``by`` and return the sum."""
        self.value += by
        return self.value

    def total(self, numbers: list[int]) -> int:
        """Return the sum of numbers."""
        return sum(numbers)

    @vista.exclusive
    def increment_exclusive(self, by: int = 1) -> int:
        """Add ``by``, keeping the object also while waiting."""
        self.value += by
        return self.value

    @vista.preemptable
    def increment_preemptable(self, by: int = 1) -> int:
        """Add ``by``, beside any other thread."""
        self.value += by
        return self.value

    @vista.native
    def increment_native(self, by: int = 1) -> int:
        """Add ``by`` in a kernel thread."""
        self.value += by
        return self.value

    async def increment_async(self, by: int = 1) -> int:
        """Add ``by`` in a coroutine."""
        self.value += by
        return self.value


class Watcher(Object, namespace="Benchmarks"):
    """Is told of changes and counts them."""

    def create(self) -> None:
        """Count from 0."""
        self.seen = 0

    def object_modified(self, id: vista.Id) -> None:
        """Count one change."""
        self.seen += 1

    def count(self) -> int:
        """Return how many changes it was told of."""
        return self.seen


class Driver(Object, namespace="Benchmarks"):
    """Runs what is measured in a thread of its own, as the methods of an application do."""

    def run(self, module: str, name: str, count: int) -> float:
        """Run one function of a module of this package and return its figure."""
        return run_named(module, name, count)


def run_named(module: str, name: str, count: int) -> float:
    """Run function ``name`` of a module, both named because a message carries no functions."""
    function: Any = getattr(importlib.import_module(module), name)
    figure: float = function(count)
    return figure
