"""The store in a file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vista.errors import StoreError
from vista.persistence.sqlite import SCHEMA, SqliteStore
from vista.persistence.store import Batch, Known, Row

LARGE = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is to be, in a directory that is not there."""
    return tmp_path / "state" / "objects.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open store."""
    made = SqliteStore(path, LARGE)
    made.open()
    yield made
    made.close()


def row(key: bytes, data: bytes = b"data", services: tuple[str, ...] = ()) -> Row:
    """A row of an object that is restored when referenced."""
    return Row(key, 1, True, services, b"acl", data)


def put(*rows: Row) -> Batch:
    """A durable batch that writes rows."""
    return Batch(rows, (), True)


def test_what_was_committed_is_read_back_whole(store: SqliteStore) -> None:
    kept = Row(b"k" * 16, 2, False, ("Harbour", "Hafen ü"), b"\x00acl", bytes(range(256)))
    store.commit(put(kept))
    assert store.read(kept.key) == kept
    assert store.known() == [Known(kept.key, 2, ("Harbour", "Hafen ü"))]


def test_what_is_not_there_reads_as_nothing(store: SqliteStore) -> None:
    assert store.read(b"k" * 16) is None


def test_of_several_rows_those_that_are_there_are_read(store: SqliteStore) -> None:
    store.commit(put(*(row(bytes([number]), services=("A", "Ü")) for number in range(200))))
    found = store.read_rows([b"\x05", b"\xff", b"\x03"])
    assert found == [row(b"\x03", services=("A", "Ü")), row(b"\x05", services=("A", "Ü"))]
    assert store.read_rows([]) == []


def test_a_later_row_takes_the_place_of_an_earlier_one(store: SqliteStore) -> None:
    store.commit(put(row(b"a", b"1")))
    store.commit(Batch((row(b"a", b"2"),), (), False))
    assert store.read(b"a") == row(b"a", b"2")


def test_a_batch_removes_and_writes(store: SqliteStore) -> None:
    store.commit(put(row(b"a"), row(b"b")))
    store.commit(Batch((row(b"c"),), (b"a", b"unknown"), True))
    assert [known.key for known in store.known()] == [b"b", b"c"]


def test_another_life_finds_what_was_committed(store: SqliteStore, path: Path) -> None:
    store.commit(put(row(b"a")))
    store.close()
    again = SqliteStore(path, LARGE)
    again.open()
    assert again.read(b"a") == row(b"a")
    again.close()


def test_others_cannot_read_the_file(store: SqliteStore, path: Path) -> None:
    store.commit(put(row(b"a")))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_batch_that_does_not_fit_leaves_everything_as_it_was(path: Path) -> None:
    small = SqliteStore(path, 64 * 1024)
    small.open()
    small.commit(put(row(b"a", b"1")))
    with pytest.raises(StoreError, match=r"objects\.sqlite: database or disk is full"):
        small.commit(put(row(b"a", b"2"), row(b"b", bytes(100_000))))
    assert small.read(b"a") == row(b"a", b"1")
    small.commit(put(row(b"c")))
    assert [known.key for known in small.known()] == [b"a", b"c"]
    small.close()


def test_a_row_that_is_refused_takes_its_batch_along(store: SqliteStore) -> None:
    store.commit(put(row(b"a", b"1")))
    with pytest.raises(StoreError, match=r"NOT NULL"):
        store.commit(put(row(b"a", b"2"), row(b"b", None)))  # type: ignore[arg-type]
    assert store.read(b"a") == row(b"a", b"1")
    store.commit(put(row(b"a", b"3")))
    assert store.read(b"a") == row(b"a", b"3")


def test_a_store_in_use_is_refused_in_this_process(store: SqliteStore, path: Path) -> None:
    with pytest.raises(StoreError, match=r"is in use by another process"):
        SqliteStore(path, LARGE).open()
    store.commit(put(row(b"a")))


def test_a_store_in_use_is_refused_in_another_process(store: SqliteStore, path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from vista.persistence.sqlite import SqliteStore\n"
        "SqliteStore(Path(sys.argv[1]), 1 << 30).open()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=30
    )
    assert "is in use by another process" in ended.stderr
    store.commit(put(row(b"a")))


def test_a_newer_format_is_refused_with_words(store: SqliteStore, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    words = f"has format {SCHEMA + 1}, and this vista knows {SCHEMA}: it was written by a newer one"
    with pytest.raises(StoreError, match=words):
        SqliteStore(path, LARGE).open()


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match=r"is an SQLite file of something else"):
        SqliteStore(path, LARGE).open()


def test_a_file_that_is_no_store_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a letter to aunt Emma" * 100)
    with pytest.raises(StoreError, match=r"file is not a database"):
        SqliteStore(path, LARGE).open()
    assert path.read_bytes() == b"a letter to aunt Emma" * 100


def test_a_damaged_file_is_refused(store: SqliteStore, path: Path) -> None:
    store.commit(put(*(row(bytes([number]), bytes(3000)) for number in range(50))))
    store.close()
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        SqliteStore(path, LARGE).open()


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"objects\.sqlite: (File exists|Not a directory)"):
        SqliteStore(tmp_path / "file" / "objects.sqlite", LARGE).open()


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match=r"is closed"):
        store.commit(put(row(b"a")))


def test_durable_batches_are_synced_and_others_left_to_the_system(store: SqliteStore) -> None:
    connection = store._connection
    assert connection is not None
    store.commit(Batch((row(b"a"),), (), False))
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    store.commit(put(row(b"a")))
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
