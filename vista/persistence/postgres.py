"""The store in a PostgreSQL database, for nodes whose machines come and go.

Three rules. One database holds the stores of many nodes, each under its name. An advisory lock of
the session gives a store to one process at a time, and ends with its connection. A connection that
was lost is opened again by whoever needs it; a batch whose outcome it took along counts as failed
and is written again, which does no harm.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urldefrag, urlsplit

import psycopg

from vista.errors import StoreError
from vista.persistence.store import Batch, Known, Row

SCHEMA: Final = 1
"""Version of the tables, kept beside the name of each store; a newer one is refused."""

_CONNECT_SECONDS: Final = 10

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS vista_stores (name text PRIMARY KEY, format integer NOT NULL);
CREATE TABLE IF NOT EXISTS vista_objects (
    store text NOT NULL,
    id bytea NOT NULL,
    flags integer NOT NULL,
    durable boolean NOT NULL,
    services text NOT NULL,
    acl bytea NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (store, id)
);
"""

_PUT: Final = """
INSERT INTO vista_objects VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (store, id) DO UPDATE SET
    flags = excluded.flags, durable = excluded.durable, services = excluded.services,
    acl = excluded.acl, data = excluded.data
"""

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('vista store ' || %s, 0))"

_ALL_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('vista tables', 0))"


class PostgresStore:
    """Rows in the database at ``url``, whose fragment is the name of the store.

    ``postgresql://keeper@db.example/vista#harbour``; without a fragment it is ``name``. See
    `vista.persistence.store.Store`.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url, fragment = urldefrag(url)
        self.name = fragment or name
        # No password: this is for logs.
        parts = urlsplit(self._url)
        self.words = f"postgresql://{parts.hostname or ''}{parts.path}#{self.name}"
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._is_open = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Connect, take the store for this process, and make what is missing."""
        with self._lock, self._reported():
            self._connect()
            self._is_open = True

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = psycopg.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="vista"
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        locked = connection.execute(_LOCK, (self.name,)).fetchone()
        if locked is None or not locked[0]:
            raise StoreError(
                f"{self.words} is in use by another process; give each node a store of its own"
            )
        with connection.transaction():
            # Two sessions that make the same table at once would fail.
            connection.execute(_ALL_LOCK)
            connection.execute(_TABLES)
            connection.execute(
                "INSERT INTO vista_stores VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self.name, SCHEMA),
            )
        found = connection.execute(
            "SELECT format FROM vista_stores WHERE name = %s", (self.name,)
        ).fetchone()
        version = None if found is None else found[0]
        if version != SCHEMA:
            raise StoreError(
                f"{self.words} has format {version}, and this vista knows {SCHEMA}: it was written "
                "by a newer one; use that"
            )

    def known(self) -> list[Known]:
        """Return what there is, in the order of the Ids."""
        with self._used() as connection:
            rows = connection.execute(
                "SELECT id, flags, services FROM vista_objects WHERE store = %s ORDER BY id",
                (self.name,),
            ).fetchall()
        return [Known(bytes(key), flags, tuple(json.loads(names))) for key, flags, names in rows]

    def read(self, key: bytes) -> Row | None:
        """Return one row, None when there is none."""
        with self._used() as connection:
            found = connection.execute(
                "SELECT id, flags, durable, services, acl, data FROM vista_objects"
                " WHERE store = %s AND id = %s",
                (self.name, key),
            ).fetchone()
        return None if found is None else _row(found)

    def read_rows(self, keys: Sequence[bytes]) -> list[Row]:
        """Return those of some rows that there are, in the order of the Ids."""
        with self._used() as connection:
            found = connection.execute(
                "SELECT id, flags, durable, services, acl, data FROM vista_objects"
                " WHERE store = %s AND id = ANY(%s) ORDER BY id",
                (self.name, list(keys)),
            ).fetchall()
        return [_row(row) for row in found]

    def commit(self, batch: Batch) -> None:
        """Do all of a batch in one transaction, or raise `StoreError`."""
        rows = [
            (
                self.name,
                row.key,
                row.flags,
                row.durable,
                json.dumps(row.services),
                row.acl,
                row.data,
            )
            for row in batch.rows
        ]
        removed = [(self.name, key) for key in batch.removed]
        with self._used() as connection, connection.transaction():
            if not batch.durable:
                connection.execute("SET LOCAL synchronous_commit = off")
            cursor = connection.cursor()
            cursor.executemany("DELETE FROM vista_objects WHERE store = %s AND id = %s", removed)
            cursor.executemany(_PUT, rows)

    def close(self) -> None:
        """Let the store go."""
        with self._lock:
            self._is_open = False
            connection, self._connection = self._connection, None
            if connection is not None and not connection.closed:
                # Else the next process finds it taken until the server has seen this one go.
                with suppress(psycopg.Error):
                    connection.execute("SELECT pg_advisory_unlock_all()")
                connection.close()

    @contextmanager
    def _used(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with self._lock, self._reported():
            if not self._is_open:
                raise StoreError(f"{self.words} is closed")
            connection = self._connection
            if connection is None or connection.closed:
                connection = self._connect()
            yield connection

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of the database as `StoreError`."""
        try:
            yield
        except psycopg.Error as error:
            words = " ".join(str(error).split())
            raise StoreError(f"{self.words}: {words or type(error).__name__}") from error


def _row(found: tuple[Any, ...]) -> Row:
    id, flags, durable, names, acl, data = found
    return Row(bytes(id), flags, durable, tuple(json.loads(names)), bytes(acl), bytes(data))
