"""The objects that are measured, and the one whose thread does the measuring."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import vista
from benchmarks.measure import Subject
from vista import Object, PersistentObject, Ref


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

    def size(self, data: bytes) -> int:
        """Return how many bytes were given."""
        return len(data)

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

    def run(self, module: str, name: str, count: int, *given: Any) -> float:
        """Run one function of a module of this package and return its figure."""
        return run_named(module, name, count, *given)


class Caller(Object, namespace="Benchmarks"):
    """One of many whose threads call at the same time."""

    def call(self, counter: Ref, count: int) -> None:
        """Increment a counter so many times, and wait each time."""
        for _ in range(count):
            counter.increment(1)

    def move(self, refs: list[Ref], to: Ref) -> None:
        """Move objects to a node, one after the other."""
        for ref in refs:
            vista.move(ref, to)


def driven(start: Callable[[], Ref], function: Callable[..., float], name: str) -> Subject:
    """Return the subject that runs ``function(count)`` in a thread of a `Driver`.

    ``start`` returns the driver, whose node may start by it: nothing of that is measured.
    """

    def run(count: int) -> float:
        driver = start()
        seconds: float = driver.run(function.__module__, function.__name__, count)
        return seconds

    return Subject(name, run)


def run_named(module: str, name: str, count: int, *given: Any) -> float:
    """Run function ``name`` of a module, both named because a message carries no functions."""
    function: Any = getattr(importlib.import_module(module), name)
    figure: float = function(count, *given)
    return figure


class KeptCounter(PersistentObject, namespace="Benchmarks"):
    """Counts, and outlives the process of its node."""

    def create(self, durable: bool = False, ballast: bytes = b"") -> None:
        """Count from 0; with ``durable`` a reply waits until what it tells is on the disk."""
        self.value, self.ballast = 0, ballast
        self.initialize(durable=durable)

    def increment(self, by: int = 1) -> int:
        """Add ``by`` and return the sum."""
        self.value += by
        return self.value
