"""The store in PostgreSQL, with a server of our own that lives as long as these tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vista
from vista.errors import StoreError
from vista.persistence.store import Batch, Known, Row
from vista.standard.persistence import PersistentObject

psycopg = pytest.importorskip("psycopg")

from vista.persistence.postgres import SCHEMA, PostgresStore  # noqa: E402  after the skip

SECONDS_MAX = 60


def _programs() -> Path | None:
    """Where Debian puts the server, the newest one; None when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Cluster:
    """A server in a directory of its own, run by a normal user, reached by a socket there."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self.programs = programs
        self.directory = directory
        # The server refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(directory, self.user)
        self.url = f"postgresql://{self.user}@/postgres?host={directory}"

    def run(self, program: str, *words: str) -> None:
        """Run a program of the server to its end."""
        user = self.user if os.geteuid() == 0 else None
        subprocess.run(
            [self.programs / program, *words],
            user=user,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
            check=True,
        )

    def start(self) -> None:
        """Start the server and wait until it lets in clients."""
        options = f"-k {self.directory} -c listen_addresses="
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop the server, and everybody's connection."""
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-m", "immediate", "stop")

    @property
    def data(self) -> str:
        """The directory of the data."""
        return str(self.directory / "data")


@contextmanager
def _cluster(programs: Path) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="vista-pg-", ignore_cleanup_errors=True) as directory:
        made = Cluster(programs, Path(directory))
        made.run("initdb", "-D", made.data, "-A", "trust", "-U", made.user, "--no-sync")
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One server for all tests of this module."""
    programs = _programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server on this machine")
    with _cluster(programs) as made:
        yield made


@pytest.fixture
def store(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[PostgresStore]:
    """An open store under the name of the test."""
    made = PostgresStore(cluster.url, request.node.name)
    made.open()
    yield made
    made.close()


class Chronicle(PersistentObject):
    """Keeps lines."""

    def create(self) -> None:
        """Begin empty."""
        self.lines: list[str] = []
        vista.register_service("Chronicle", self)
        self.initialize(flags=1, durable=True)

    def write(self, line: str) -> list[str]:
        """Add a line and return all."""
        self.lines.append(line)
        return self.lines


def row(key: bytes, data: bytes = b"data") -> Row:
    """A row of an object."""
    return Row(key, 1, True, ("Hafen ü",), b"\x00acl", data)


def test_what_was_committed_is_read_back_whole(store: PostgresStore) -> None:
    kept = row(b"k" * 16, bytes(range(256)))
    store.commit(Batch((kept, row(b"a")), (), True))
    assert store.read(kept.key) == kept
    assert store.known() == [Known(b"a", 1, ("Hafen ü",)), Known(kept.key, 1, ("Hafen ü",))]


def test_a_store_that_was_closed_can_be_opened_at_once(cluster: Cluster) -> None:
    for number in range(20):
        made = PostgresStore(cluster.url, "handed on")
        made.open()
        assert [known.key for known in made.known()] == [bytes([key]) for key in range(number)]
        made.commit(Batch((row(bytes([number])),), (), True))
        made.close()


def test_of_several_rows_those_that_are_there_are_read(store: PostgresStore) -> None:
    store.commit(Batch(tuple(row(bytes([number]), b"1") for number in range(100)), (), True))
    found = store.read_rows([b"\x05", b"\xff", b"\x03"])
    assert found == [row(b"\x03", b"1"), row(b"\x05", b"1")]
    assert store.read_rows([]) == []


def test_a_batch_removes_and_writes_in_the_place_of_earlier_rows(store: PostgresStore) -> None:
    store.commit(Batch((row(b"a", b"1"), row(b"b", b"1")), (), True))
    store.commit(Batch((row(b"b", b"2"),), (b"a", b"unknown"), False))
    assert store.read(b"a") is None
    assert store.read(b"b") == row(b"b", b"2")


def test_a_row_that_is_refused_takes_its_batch_along(store: PostgresStore) -> None:
    store.commit(Batch((row(b"a", b"1"),), (), True))
    with pytest.raises(StoreError, match=r"null value in column"):
        bad = row(b"b", None)  # type: ignore[arg-type]
        store.commit(Batch((row(b"a", b"2"), bad), (), True))
    assert store.read(b"a") == row(b"a", b"1")


def test_stores_of_one_database_are_apart(store: PostgresStore, cluster: Cluster) -> None:
    store.commit(Batch((row(b"a"),), (), True))
    other = PostgresStore(f"{cluster.url}#another", "unused")
    other.open()
    assert other.known() == []
    other.close()


def test_a_store_in_use_is_refused(store: PostgresStore, cluster: Cluster) -> None:
    with pytest.raises(StoreError, match=r"is in use by another process"):
        PostgresStore(cluster.url, store.name).open()


def test_a_newer_format_is_refused_with_words(store: PostgresStore, cluster: Cluster) -> None:
    store.close()
    with psycopg.connect(cluster.url) as connection:
        connection.execute("UPDATE vista_stores SET format = 2 WHERE name = %s", (store.name,))
    with pytest.raises(StoreError, match=rf"has format 2, and this vista knows {SCHEMA}"):
        store.open()


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://ann:secret@/vista?host={tmp_path}"
    with pytest.raises(StoreError, match=r"postgresql:///vista#n: ") as caught:
        PostgresStore(url, "n").open()
    assert "secret" not in str(caught.value)


def test_a_server_that_comes_back_is_used_again(store: PostgresStore, cluster: Cluster) -> None:
    store.commit(Batch((row(b"a", b"1"),), (), True))
    cluster.stop()
    with pytest.raises(StoreError):
        store.commit(Batch((row(b"a", b"2"),), (), True))
    with pytest.raises(StoreError):
        store.read(b"a")
    cluster.start()
    assert store.read(b"a") == row(b"a", b"1")
    store.commit(Batch((row(b"a", b"3"),), (), True))
    assert store.read(b"a") == row(b"a", b"3")


def test_a_node_keeps_its_objects_there(cluster: Cluster, tmp_path: Path) -> None:
    store = f"{cluster.url}#node"
    with vista.Node(state_directory=tmp_path):
        vista.create("PersistenceService", store=store)
        assert vista.create(Chronicle).write("first") == ["first"]
    with vista.Node(state_directory=tmp_path):
        vista.create("PersistenceService", store=store)
        assert vista.send("Chronicle", "write", "second") == ["first", "second"]
