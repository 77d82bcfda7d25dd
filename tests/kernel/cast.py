"""Objects that the tests of the kernel use, and a wait for a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import vista
from vista.kernel.rows import ThreadRow

Found = TypeVar("Found")


class Gate(vista.Object):
    """Keeps whoever asks to pass until somebody opens it."""

    def create(self) -> None:
        """Stand closed."""
        self.event = asyncio.Event()
        self.waiting = 0

    def pass_through(self, result: Any = None) -> Any:
        """Wait until the gate is open and return ``result``."""
        self.waiting += 1
        try:
            vista.wait(self.event.wait())
        finally:
            self.waiting -= 1
        return result

    def open(self) -> None:
        """Let everybody pass."""
        self.event.set()

    @vista.preemptable
    def count(self) -> int:
        """How many wait."""
        return self.waiting


class Counter(vista.Object):
    """Counts."""

    def create(self, start: int = 0) -> None:
        """Begin at ``start``."""
        self.value = start

    def increment(self, by: int = 1) -> int:
        """Add to the value and return it."""
        self.value += by
        return self.value

    def get(self) -> int:
        """Return the value."""
        return self.value


class Journal(vista.Object):
    """Keeps what is written, in order."""

    def create(self) -> None:
        """Be empty."""
        self.entries: list[Any] = []

    def write(self, entry: Any) -> None:
        """Add an entry."""
        self.entries.append(entry)

    @vista.preemptable
    def read(self) -> list[Any]:
        """Return the entries."""
        return self.entries


def until(condition: Callable[[], Found]) -> Found:
    """Let the node run until ``condition()`` is true and return it; fail when it never is."""
    for _ in range(5_000):
        found = condition()
        if found:
            return found
        vista.sleep(0.001)
    raise AssertionError("what the test waits for does not come")


def filled(read: Callable[[], list[Any]], count: int) -> list[Any]:
    """Let the node run until a list that is read has ``count`` entries; return all it has then."""
    until(lambda: len(read()) >= count)
    return read()


def open_together(gates: Sequence[vista.Ref]) -> None:
    """Open gates when somebody waits at each of them."""
    until(lambda: all(gate.count() == 1 for gate in gates))
    for gate in gates:
        gate.open()


def wait_in_line(
    worker: vista.Ref, gate: vista.Ref
) -> tuple[vista.Future, vista.Ref, vista.Future]:
    """Have a thread of an object pass a gate while another one keeps the object.

    Return the call that waits for its object, in ``wait_at``; the gate of the one that keeps it;
    and the call of that one, in ``keep``.
    """
    keeper = vista.create(Gate)
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    keeping = worker.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    gate.open()
    until(lambda: gate.count() == 0)
    vista.sleep(0.005)
    return waiting, keeper, keeping


def row_of(method: str) -> ThreadRow:
    """Return the row of the one live thread that runs ``method``."""
    rows = [row for row in vista.threads() if row.method == method]
    assert len(rows) == 1, f"{len(rows)} threads run {method}"
    return rows[0]


def runs(method: str) -> bool:
    """Return whether a live thread runs ``method``."""
    return any(row.method == method for row in vista.threads())
