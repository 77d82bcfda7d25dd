"""The store in a file: SQLite in WAL mode, which survives the fall of its process at any instant.

Two rules. The file is locked from `SqliteStore.open` to `SqliteStore.close`: two processes that
wrote the same objects would undo each other's work. A durable batch is committed with
``synchronous = FULL``, so that it outlives the machine's fall too; any other with ``NORMAL``, which
outlives that of the process.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vista.errors import StoreError
from vista.persistence.store import Batch, Known, Row

SCHEMA: Final = 1
"""Version of the tables, kept as ``user_version``; a newer one is refused."""

_MARK: Final = 0x76737461
"""``application_id`` of such a file: the letters vsta."""

_PAGE_BYTES: Final = 4096

_TABLE: Final = """
CREATE TABLE objects (
    id BLOB PRIMARY KEY,
    flags INTEGER NOT NULL,
    durable INTEGER NOT NULL,
    services TEXT NOT NULL,
    acl BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT
"""

_PUT: Final = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)"


class SqliteStore:
    """Rows in one SQLite file at ``path``, which may grow to ``bytes_max``.

    Its methods may be called from any kernel thread, one after the other. See
    `vista.persistence.store.Store`.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        self.path = path
        self.words = str(path)
        self._bytes_max = bytes_max
        self._connection: sqlite3.Connection | None = None
        # A read for an object that is wanted may come while a batch is written.
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the file for this process, check it, and make what is missing."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        with self._lock, self._reported():
            connection = sqlite3.connect(
                self.path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = WAL")
        # In this mode the lock that a transaction takes is kept.
        connection.execute("BEGIN EXCLUSIVE")
        try:
            self._check(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA max_page_count = {max(1, self._bytes_max // _PAGE_BYTES)}")

    def _check(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and mark != _MARK:
            raise StoreError(f"{self.path} is an SQLite file of something else")
        if version > SCHEMA:
            raise StoreError(
                f"{self.path} has format {version}, and this vista knows {SCHEMA}: it was written "
                "by a newer one; use that"
            )
        if not tables:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {_MARK}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            return
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(f"{self.path} is damaged: {found}; put a copy of it back")

    def known(self) -> list[Known]:
        """Return what there is, in the order of the Ids."""
        with self._used() as connection:
            rows = connection.execute("SELECT id, flags, services FROM objects ORDER BY id")
            return [Known(key, flags, _names(text)) for key, flags, text in rows]

    def read(self, key: bytes) -> Row | None:
        """Return one row, None when there is none."""
        with self._used() as connection:
            found = connection.execute("SELECT * FROM objects WHERE id = ?", (key,)).fetchone()
        return None if found is None else _row(found)

    def read_rows(self, keys: Sequence[bytes]) -> list[Row]:
        """Return those of some rows that there are, in the order of the Ids."""
        marks = ", ".join("?" * len(keys))
        with self._used() as connection:
            found = connection.execute(
                f"SELECT * FROM objects WHERE id IN ({marks}) ORDER BY id",
                tuple(keys),
            )
            return [_row(row) for row in found]

    def commit(self, batch: Batch) -> None:
        """Do all of a batch in one transaction, or nothing and raise `StoreError`."""
        rows = [
            (row.key, row.flags, row.durable, json.dumps(row.services), row.acl, row.data)
            for row in batch.rows
        ]
        with self._used() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if batch.durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("DELETE FROM objects WHERE id = ?", _each(batch.removed))
                connection.executemany(_PUT, rows)
                connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with self._reported():
                    connection.close()

    @contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._reported():
            if self._connection is None:
                raise StoreError(f"{self.path} is closed")
            yield self._connection

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of SQLite as `StoreError`."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreError(
                    f"{self.path} is in use by another process: stop that one, or give each node "
                    "a store of its own (vista --state DIRECTORY)"
                ) from error
            raise StoreError(f"{self.path}: {error}") from error


def _row(found: tuple[Any, ...]) -> Row:
    key, flags, durable, services, acl, data = found
    return Row(key, flags, bool(durable), _names(services), acl, data)


def _names(text: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(text))
    except ValueError as error:
        raise StoreError(f"damaged: {text!r:.60} is no list of service names") from error


def _each(keys: tuple[bytes, ...]) -> list[tuple[bytes]]:
    return [(key,) for key in keys]
