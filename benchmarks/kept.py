"""What it costs to keep objects: changes, commits and restores, beside SQLite used by hand."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import vista
from benchmarks.measure import Subject, expect
from benchmarks.objects import Caller, Driver, KeptCounter, driven
from benchmarks.pair import CALM
from vista import Node, Ref, gather

CALLERS = 200
"""Threads that change objects at the same time."""

LOG_OBJECTS = 100
LOG_OBJECT_BYTES = 64 * 1024
"""More than the thousand pages of 4 KiB that SQLite lets its log grow to."""

_TABLE = "CREATE TABLE objects (id BLOB PRIMARY KEY, data BLOB NOT NULL)"
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?)"
_STATE = bytes(60)
"""As many bytes as a kept counter takes."""


class Keeping:
    """A node that keeps its objects in a directory of its own; it starts when it is needed."""

    def __init__(self) -> None:
        self._node: Node | None = None
        self._restored: dict[int, tempfile.TemporaryDirectory[str]] = {}

    def subject(self, function: Callable[[int], float], name: str) -> Subject:
        """Return the subject that runs ``function`` in a vista thread of the node."""
        return driven(self._started, function, name)

    def restore(self, count: int) -> float:
        """The start of a service whose store holds ``count`` objects, by the object."""
        if count not in self._restored:
            self._restored[count] = tempfile.TemporaryDirectory()
            with self._made(self._restored[count]) as node:
                node.call(_fill, count)
        with self._made(self._restored[count]) as node:
            return node.call(_restored, count) / count

    def close(self) -> None:
        """Stop the node and remove what it wrote."""
        if self._node is not None:
            self._node.stop()
            self._directory.cleanup()
        for directory in self._restored.values():
            directory.cleanup()

    def _started(self) -> Ref:
        if self._node is None:
            self._directory = tempfile.TemporaryDirectory()
            self._node = self._made(self._directory).start()
            self._node.call(_write_once_around)
            self._driver: Ref = self._node.call(vista.create, Driver)
        return self._driver

    @staticmethod
    def _made(directory: tempfile.TemporaryDirectory[str]) -> Node:
        return Node("keeping", limits=CALM, state_directory=directory.name)


def change(count: int) -> float:
    """Calls that change an object which is kept, and not waited for."""
    return _changes(count, vista.create(KeptCounter))


def durable_change(count: int) -> float:
    """Calls whose replies wait until the change is on the disk, one after the other."""
    return _changes(count, vista.create(KeptCounter, True))


def _changes(count: int, counter: Ref) -> float:
    counter.increment(0)
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    vista.delete(counter)
    return seconds / count


def durable_in_flight(count: int) -> float:
    """The same from two hundred threads, each of which changes an object of its own."""
    counters = [vista.create(KeptCounter, True) for _ in range(CALLERS)]
    callers = [vista.create(Caller) for _ in range(CALLERS)]
    started = perf_counter()
    gather(
        *[
            caller.call.future(counter, count)
            for caller, counter in zip(callers, counters, strict=True)
        ]
    )
    seconds = perf_counter() - started
    expect([counter.increment(0) for counter in counters], [count] * CALLERS)
    for ref in (*counters, *callers):
        vista.delete(ref)
    return seconds / (count * CALLERS)


def _write_once_around() -> None:
    """Fill the store's log, which SQLite then writes from the start: a log that grows is slower."""
    service = vista.create("PersistenceService")
    for _ in range(LOG_OBJECTS):
        vista.create(KeptCounter, False, bytes(LOG_OBJECT_BYTES))
    service.flush()


def _fill(count: int) -> None:
    service = vista.create("PersistenceService")
    for _ in range(count):
        vista.create(KeptCounter)
    service.flush()


def _restored(count: int) -> float:
    started = perf_counter()
    service = vista.create("PersistenceService")
    seconds = perf_counter() - started
    state = service.get_state()
    expect((state["kept"], state["waiting"]), (count, 0))
    return seconds


def _commits(count: int, synchronous: str) -> float:
    """One row put and committed with Python's sqlite3, in the mode that the store uses."""
    with tempfile.TemporaryDirectory() as directory:
        connection = _opened(Path(directory))
        connection.execute(_PUT, (b"", bytes(LOG_OBJECTS * LOG_OBJECT_BYTES)))
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        started = perf_counter()
        for number in range(count):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_PUT, (number.to_bytes(16, "big"), _STATE))
            connection.execute("COMMIT")
        seconds = perf_counter() - started
        [found] = connection.execute("SELECT count(*) FROM objects").fetchone()
        connection.close()
    expect(found, count + 1)
    return seconds / count


def sqlite_full(count: int) -> float:
    """Commits that are on the disk when they return."""
    return _commits(count, "FULL")


def sqlite_normal(count: int) -> float:
    """Commits that the system writes when it likes."""
    return _commits(count, "NORMAL")


def sqlite_reads(count: int) -> float:
    """Rows read one by one by their keys."""
    with tempfile.TemporaryDirectory() as directory:
        connection = _opened(Path(directory))
        keys = [number.to_bytes(16, "big") for number in range(count)]
        connection.executemany(_PUT, [(key, _STATE) for key in keys])
        started = perf_counter()
        query = "SELECT * FROM objects WHERE id = ?"
        found = [connection.execute(query, (key,)).fetchone() for key in keys]
        seconds = perf_counter() - started
        connection.close()
    expect(found, [(key, _STATE) for key in keys])
    return seconds / count


def _opened(directory: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / "raw.sqlite", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(_TABLE)
    return connection
