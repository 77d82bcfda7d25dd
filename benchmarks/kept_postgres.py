"""What it costs to keep objects in PostgreSQL, beside psycopg used by hand.

The server is Debian's, started for the rows in a directory of their own; where there is none, the
rows are left out.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import vista
from benchmarks.measure import Subject, expect
from benchmarks.objects import Driver, KeptCounter, driven
from benchmarks.pair import CALM
from vista import Node, Ref

SECONDS_MAX = 60.0
STATE = bytes(60)
"""As many bytes as a kept counter takes."""

_TABLE = "CREATE TABLE IF NOT EXISTS raw (id bytea PRIMARY KEY, data bytea NOT NULL)"
_PUT = "INSERT INTO raw VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET data = excluded.data"


def server_programs() -> Path | None:
    """Where the server of Debian's package is, the newest one; None without it or psycopg."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    has_client = importlib.util.find_spec("psycopg") is not None
    return found[-1].parent if found and has_client else None


class Server:
    """A PostgreSQL server in a directory of its own, reached by a socket there."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._made = tempfile.TemporaryDirectory(prefix="vista-pg-", ignore_cleanup_errors=True)
        directory = self._made.name
        # The server refuses to run as root.
        self._is_root = os.geteuid() == 0
        user = "nobody" if self._is_root else pwd.getpwuid(os.geteuid()).pw_name
        if self._is_root:
            shutil.chown(directory, user)
        self._user, self._data = user, f"{directory}/data"
        self.url = f"postgresql://{user}@/postgres?host={directory}"
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", user, "--no-sync")
        options = f"-k {directory} -c listen_addresses="
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-l", f"{directory}/log", "-o", options, "start"
        )

    def close(self) -> None:
        """Stop the server and remove what it wrote."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")
        self._made.cleanup()

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words],
            user=self._user if self._is_root else None,
            cwd=self._made.name,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
            check=True,
        )


class KeepingInPostgres:
    """A server and a node that keeps its objects there; they start when they are needed."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._server: Server | None = None
        self._node: Node | None = None

    def subject(self, function: Callable[[int], float], name: str) -> Subject:
        """Return the subject that runs ``function`` in a vista thread of the node."""
        return driven(self._started, function, name)

    def by_hand(self, count: int) -> float:
        """One row put and committed with psycopg, one after the other."""
        import psycopg

        with psycopg.connect(self._url(), autocommit=True) as connection:
            connection.execute(_TABLE)
            connection.execute("TRUNCATE raw")
            connection.execute(_PUT, (b"first", STATE))
            started = perf_counter()
            for number in range(count):
                connection.execute(_PUT, (number.to_bytes(16, "big"), STATE))
            seconds = perf_counter() - started
            row = connection.execute("SELECT count(*) FROM raw").fetchone()
        expect(row, (count + 1,))
        return seconds / count

    def restore(self, count: int) -> float:
        """The start of a service whose store holds ``count`` objects, by the object."""
        url = f"{self._url()}#restored-{count}"
        with Node("restoring", limits=CALM) as node:
            if node.call(_started_service, url) == 0:
                node.call(_fill, count)
        with Node("restoring", limits=CALM) as node:
            started = perf_counter()
            found = node.call(_started_service, url)
            seconds = perf_counter() - started
        expect(found, count)
        return seconds / count

    def close(self) -> None:
        """Stop node and server."""
        if self._node is not None:
            self._node.stop()
        if self._server is not None:
            self._server.close()

    def _url(self) -> str:
        if self._server is None:
            self._server = Server(self._programs)
        return self._server.url

    def _started(self) -> Ref:
        if self._node is None:
            url = f"{self._url()}#changed"
            self._node = Node("keeping in PostgreSQL", limits=CALM).start()
            self._node.call(_started_service, url)
            self._driver: Ref = self._node.call(vista.create, Driver)
        return self._driver


def _started_service(url: str) -> int:
    """Start a service on the store at a URL; return how many objects it restored."""
    service = vista.create("PersistenceService", "/ObjectPager", url)
    restored: int = service.get_state()["kept"]
    return restored


def _fill(count: int) -> None:
    for _ in range(count):
        vista.create(KeptCounter)
    vista.service("/ObjectPager").flush()
