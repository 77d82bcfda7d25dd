"""The tree of files: what each call does, what it refuses, and what it holds at most."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vista
from apps.solidstate.errors import ConflictError, StateTooLargeError
from apps.solidstate.files.paths import DEPTH_MAX, NAME_BYTES_MAX, PATH_CHARACTERS_MAX
from apps.solidstate.files.tree import (
    ENTRY_BYTES,
    FILE_BYTES_MAX,
    LISTED_MAX,
    PIECE_BYTES,
    SPACE_BYTES_MAX,
    ReplicatedFiles,
)
from apps.solidstate.objects.classes import ReplicatedClass
from apps.solidstate.objects.replicated import is_read_only
from apps.solidstate.objects.service import VARIABLE_BYTES_MAX
from tests.solidstate.services.executed import Executed


@pytest.fixture
def files() -> Executed:
    return Executed(ReplicatedFiles)


def used(files: Executed) -> int:
    found: int = files.call("usage")["bytes"]
    return found


def test_who_looks_changes_nothing() -> None:
    looking = [
        name
        for name in ReplicatedClass(ReplicatedFiles).methods
        if is_read_only(getattr(ReplicatedFiles, name))
    ]
    assert sorted(looking) == ["exists", "list", "read", "stat", "usage"]


# --- directories ---------------------------------------------------------------------------


def test_a_directory_is_made_listed_and_removed(files: Executed) -> None:
    files.call("make_directory", "/letters")
    files.call("make_directory", "/letters/may")
    assert files.call("list") == [["letters", "directory", 1]]
    assert files.call("stat", "/letters/may") == {"kind": "directory", "size": 0, "changed": 1000.0}
    files.call("remove", "/letters/may")
    files.call("remove", "/letters")
    assert files.call("list") == []
    assert used(files) == 0


def test_the_directories_around_one_are_made_with_it(files: Executed) -> None:
    files.call("make_directory", "/a/b/c", True)
    files.call("make_directory", "/a/b/c", True)
    files.call("make_directory", "/", True)
    assert files.call("stat", "/a/b/c")["kind"] == "directory"
    assert files.call("usage")["directories"] == 4


@pytest.mark.parametrize(
    ("path", "parents", "error", "words"),
    [
        ("/a", False, FileExistsError, r"^/a is there already$"),
        ("/", False, FileExistsError, r"^/ is there already$"),
        ("/b/c", False, FileNotFoundError, r"^/b/c: there is no 'b'$"),
        ("/f/c", True, NotADirectoryError, r"^/f/c: 'f' is a file$"),
        ("/f", True, NotADirectoryError, r"^/f: 'f' is a file$"),
    ],
)
def test_a_directory_that_cannot_be_made_is_refused(
    files: Executed, path: str, parents: bool, error: type[Exception], words: str
) -> None:
    files.call("make_directory", "/a")
    files.call("write", "/f", b"1")
    before = files.call("usage")
    with pytest.raises(error, match=words):
        files.call("make_directory", path, parents)
    assert files.call("usage") == before


def test_a_directory_that_is_not_empty_stays(files: Executed) -> None:
    files.call("make_directory", "/a")
    files.call("write", "/a/f", b"1")
    with pytest.raises(vista.BadValueError, match=r"^/a is not empty: it has 1 entries$"):
        files.call("remove", "/a")
    assert files.call("read", "/a/f") == b"1"


def test_a_long_directory_is_listed_in_portions(files: Executed) -> None:
    files.looks = False
    names = [f"{number:04}" for number in range(LISTED_MAX + 1)]
    for name in reversed(names):
        files.call("write", f"/{name}", b"")
    found = files.call("list")
    assert [row[0] for row in found] == names[:LISTED_MAX]
    assert files.call("list", "/", "", 2 * LISTED_MAX) == found
    assert files.call("list", "/", found[-1][0]) == [[names[-1], "file", 0]]
    assert files.call("list", "/", "", 2) == [["0000", "file", 0], ["0001", "file", 0]]


def test_the_longest_names_fit_into_an_answer(files: Executed) -> None:
    files.looks = False
    for number in range(LISTED_MAX):
        files.call("write", "/" + f"{number:03}".ljust(NAME_BYTES_MAX, "x"), b"")
    assert len(files.call("list")) == LISTED_MAX


# --- files ---------------------------------------------------------------------------------


def test_a_file_is_written_read_and_removed(files: Executed) -> None:
    assert files.call("write", "/may", b"Dear Ann,") == 9
    files.time = 2_000.0
    assert files.call("write", "/may", "Dear Bob\u20ac") == 11
    assert files.call("read", "/may") == b"Dear Bob\xe2\x82\xac"
    told = files.call("stat", "/may")
    told.pop("version")
    assert told == {"kind": "file", "size": 11, "changed": 2000.0}
    assert files.call("exists", "/may") is True
    files.call("remove", "/may")
    assert files.call("exists", "/may") is False
    assert used(files) == 0


def test_a_large_file_is_written_and_read_in_pieces(files: Executed) -> None:
    data = bytes(range(256)) * (PIECE_BYTES // 256) * 3
    for at in reversed(range(0, len(data), PIECE_BYTES)):
        assert files.call("write", "/large", data[at : at + PIECE_BYTES], at) == len(data)
    found = b"".join(files.call("read", "/large", at) for at in range(0, len(data), PIECE_BYTES))
    assert found == data
    assert files.call("read", "/large", PIECE_BYTES - 3, 6) == data[PIECE_BYTES - 3 :][:6]
    assert files.call("read", "/large", len(data) + 5) == b""


def test_what_lies_between_the_end_and_what_is_written_is_zeros(files: Executed) -> None:
    files.call("write", "/f", b"abc")
    assert files.call("write", "/f", b"xyz", 2 * PIECE_BYTES + 5) == 2 * PIECE_BYTES + 8
    assert files.call("read", "/f") == b"abc".ljust(PIECE_BYTES, b"\0")
    assert files.call("read", "/f", PIECE_BYTES, 4) == bytes(4)
    assert files.call("read", "/f", 2 * PIECE_BYTES) == bytes(5) + b"xyz"


def test_what_is_written_into_a_file_leaves_what_lies_around_it(files: Executed) -> None:
    before = bytes(range(256)) * (PIECE_BYTES // 256) + b"the end"
    files.call("write", "/f", before[:PIECE_BYTES])
    files.call("write", "/f", before[PIECE_BYTES:], PIECE_BYTES)
    for at, data in ((5, b"few"), (PIECE_BYTES - 2, b"more")):
        size = files.call("write", "/f", data, at)
        before = before[:at] + data + before[at + len(data) :]
        assert size == len(before)
    assert files.call("read", "/f") + files.call("read", "/f", PIECE_BYTES) == before


def test_a_file_that_was_written_meanwhile_is_a_conflict(files: Executed) -> None:
    files.call("write", "/f", b"one")
    version = files.call("stat", "/f")["version"]
    assert files.call("read", "/f", 0, 10, version) == b"one"
    files.call("write", "/f", b"two")
    with pytest.raises(ConflictError, match=r"^/f was written meanwhile"):
        files.call("read", "/f", 0, 10, version)


def test_another_file_in_the_place_of_one_is_a_conflict(files: Executed) -> None:
    files.call("write", "/f", b"one")
    version = files.call("stat", "/f")["version"]
    files.call("write", "/beside", b"two")
    files.call("rename", "/beside", "/f")
    with pytest.raises(ConflictError, match=r"^/f was written meanwhile"):
        files.call("read", "/f", 0, 10, version)


def test_a_file_that_was_removed_and_made_again_is_a_conflict(files: Executed) -> None:
    files.call("write", "/f", b"one")
    version = files.call("stat", "/f")["version"]
    files.call("remove", "/f")
    files.call("write", "/f", b"two")
    with pytest.raises(ConflictError, match=r"^/f was written meanwhile"):
        files.call("read", "/f", 0, 10, version)


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("read", ["/none"], FileNotFoundError),
        ("read", ["/d"], IsADirectoryError),
        ("read", ["/f/x"], NotADirectoryError),
        ("stat", ["/d/none"], FileNotFoundError),
        ("list", ["/f"], NotADirectoryError),
        ("list", ["/none"], FileNotFoundError),
        ("write", ["/d", b""], IsADirectoryError),
        ("write", ["/none/f", b""], FileNotFoundError),
        ("remove", ["/none"], FileNotFoundError),
        ("remove", ["/"], vista.BadValueError),
        ("write", ["/", b""], vista.BadValueError),
        ("write", ["/f", bytes(PIECE_BYTES + 1)], vista.BadValueError),
        ("write", ["/f", 5], vista.BadValueError),
        ("write", ["/f", b"x", -1], vista.BadValueError),
        ("write", ["/f", b"x", True], vista.BadValueError),
        ("write", ["/f", b"x", FILE_BYTES_MAX], vista.BadValueError),
        ("read", ["/f", "x"], vista.BadValueError),
        ("list", ["/", 5], vista.BadValueError),
    ],
)
def test_what_cannot_be_done_is_refused(
    files: Executed, method: str, args: list[Any], error: type[Exception]
) -> None:
    files.call("make_directory", "/d")
    files.call("write", "/f", b"1")
    before = vista.encode_value(vars(files.service))
    with pytest.raises(error):
        files.call(method, *args)
    assert vista.encode_value(vars(files.service)) == before


# --- renaming ------------------------------------------------------------------------------


def test_a_directory_takes_along_what_is_in_it(files: Executed) -> None:
    files.call("make_directory", "/a/b", True)
    files.call("write", "/a/b/f", b"1")
    files.call("rename", "/a", "/c")
    assert files.call("read", "/c/b/f") == b"1"
    assert files.call("list") == [["c", "directory", 1]]


def test_a_file_takes_the_place_of_another_one(files: Executed) -> None:
    files.call("write", "/new", b"two")
    files.call("write", "/f", b"one")
    files.call("rename", "/new", "/f")
    assert files.call("read", "/f") == b"two"
    assert files.call("usage")["files"] == 1
    files.call("rename", "/f", "/f")
    files.call("remove", "/f")
    assert used(files) == 0


def test_a_path_that_only_begins_alike_is_another_one(files: Executed) -> None:
    files.call("make_directory", "/a")
    files.call("rename", "/a", "/ab")
    files.call("rename", "/ab", "/ab/")
    assert files.call("list") == [["ab", "directory", 0]]


def test_both_directories_of_a_rename_are_changed(files: Executed) -> None:
    for path in ("/a", "/b", "/a/f"):
        files.call("make_directory", path)
    files.time = 2_000.0
    files.call("rename", "/a/f", "/b/f")
    assert [files.call("stat", path)["changed"] for path in ("/a", "/b")] == [2000.0, 2000.0]
    assert files.call("stat", "/b/f")["changed"] == 1000.0


@pytest.mark.parametrize(
    ("path", "new_path", "error"),
    [
        ("/a", "/a/b/c", vista.BadValueError),
        ("/a", "/f", FileExistsError),
        ("/f", "/a", FileExistsError),
        ("/a/b", "/e", FileExistsError),
        ("/none", "/x", FileNotFoundError),
        ("/f", "/none/x", FileNotFoundError),
        ("/f", "/", vista.BadValueError),
    ],
)
def test_what_cannot_be_renamed_stays(
    files: Executed, path: str, new_path: str, error: type[Exception]
) -> None:
    files.call("make_directory", "/a/b", True)
    files.call("make_directory", "/e")
    files.call("write", "/f", b"1")
    before = vista.encode_value(vars(files.service))
    with pytest.raises(error):
        files.call("rename", path, new_path)
    assert vista.encode_value(vars(files.service)) == before


# --- bounds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        5,
        "relative",
        "",
        "/a/../b",
        "/.",
        "/a\0b",
        "/\ud800",
        "/" + "x" * (NAME_BYTES_MAX + 1),
        "/" + "\u20ac" * 86,
        "/x" * (DEPTH_MAX + 1),
        "/" * (PATH_CHARACTERS_MAX + 1),
    ],
    ids=[
        "number", "relative", "empty", "above", "here", "zero", "half", "long", "long in bytes",
        "deep", "slashes",
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(files: Executed, path: object) -> None:
    with pytest.raises(vista.BadValueError):
        files.call("make_directory", path, True)
    assert used(files) == 0


def test_a_path_of_the_most_names_is_one(files: Executed) -> None:
    files.call("make_directory", "/x" * DEPTH_MAX, True)
    assert files.call("stat", "//x///x/")["size"] == 1


def test_a_tree_that_is_full_refuses_and_holds_what_it_has(
    files: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.files.tree.SPACE_BYTES_MAX", 1_000)
    files.call("write", "/f", bytes(700))
    before = vista.encode_value(vars(files.service))
    for method, *args in (
        ("write", "/f", bytes(900)),
        ("write", "/g", bytes(100)),
        ("write", "/f", bytes(200), 700),
        ("make_directory", "/a/b", True),
        ("rename", "/f", "/" + "x" * 200),
    ):
        with pytest.raises(StateTooLargeError, match=r"remove some files$"):
            files.call(method, *args)
    assert vista.encode_value(vars(files.service)) == before
    files.call("write", "/f", bytes(10))
    files.call("write", "/g", bytes(100))


def test_names_count_in_bytes(files: Executed) -> None:
    files.call("write", "/\u20ac", b"")
    files.call("make_directory", "/\u20ac\u20ac")
    assert used(files) == 3 + 6 + 2 * ENTRY_BYTES
    files.call("write", "/x", b"")
    files.call("rename", "/\u20ac", "/x")
    files.call("rename", "/x", "/\u20ac")
    assert used(files) == 3 + 6 + 2 * ENTRY_BYTES
    files.call("remove", "/\u20ac")
    files.call("remove", "/\u20ac\u20ac")
    assert used(files) == 0


def test_names_that_only_look_alike_are_two(files: Executed) -> None:
    files.call("write", "/\u00e9", b"one")
    files.call("write", "/e\u0301", b"two")
    assert [row[0] for row in files.call("list")] == ["e\u0301", "\u00e9"]


def test_names_have_a_bound(files: Executed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.solidstate.files.tree.ENTRIES_MAX", 3)
    files.call("make_directory", "/a")
    files.call("write", "/f", b"")
    with pytest.raises(StateTooLargeError, match=r"^a tree has 3 names at most: remove some$"):
        files.call("write", "/g", b"")
    files.call("write", "/f", b"1")


def test_what_a_tree_counts_is_no_less_than_its_state_has(files: Executed) -> None:
    files.looks = False
    for number in range(500):
        files.call("write", f"/{number}", b"1", (number % 200) * PIECE_BYTES)
        files.call("make_directory", f"/d{number}")
    for place in range(200):
        files.call("write", "/holes", b"1", place * PIECE_BYTES)
    assert len(vista.encode_value(vars(files.service))) < used(files) * 1.1
    assert SPACE_BYTES_MAX * 1.1 < VARIABLE_BYTES_MAX


# --- beside a model ------------------------------------------------------------------------

PATHS = st.sampled_from(["/a", "/b", "/a/c", "/a/d", "/b/c"])
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=9), st.none() | st.integers(0, 12)),
    st.tuples(st.just("make_directory"), PATHS),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
)


def above(path: str) -> str:
    return path.rpartition("/")[0]


class Model:
    """A tree as paths to contents, None for a directory."""

    def __init__(self) -> None:
        self.tree: dict[str, bytes | None] = {"": None}

    def lies_well(self, path: str) -> bool:
        return self.tree.get(above(path), b"") is None

    def below(self, path: str) -> list[str]:
        return [one for one in self.tree if one.startswith(path + "/")]

    def write(self, path: str, data: bytes, at: int | None) -> bool:
        old = self.tree.get(path, b"")
        if not self.lies_well(path) or old is None:
            return False
        start = at or 0
        padded = b"" if at is None else old
        self.tree[path] = padded[:start].ljust(start, b"\0") + data + padded[start + len(data) :]
        if at is not None and not data:
            self.tree[path] = old.ljust(start, b"\0")
        return True

    def make_directory(self, path: str) -> bool:
        if not self.lies_well(path) or path in self.tree:
            return False
        self.tree[path] = None
        return True

    def remove(self, path: str) -> bool:
        if path not in self.tree or self.below(path):
            return False
        del self.tree[path]
        return True

    def rename(self, path: str, new_path: str) -> bool:
        if path not in self.tree or (new_path + "/").startswith(path + "/"):
            return path in self.tree and path == new_path
        if not self.lies_well(new_path):
            return False
        if new_path in self.tree and None in (self.tree[path], self.tree[new_path]):
            return False
        for one in [path, *self.below(path)]:
            self.tree[new_path + one[len(path) :]] = self.tree.pop(one)
        return True


def shown(files: Executed, path: str = "") -> dict[str, bytes | None]:
    """The tree as a model has it, looked at from outside."""
    found: dict[str, bytes | None] = {path: None}
    for name, kind, _ in files.call("list", path or "/"):
        one = f"{path}/{name}"
        found |= shown(files, one) if kind == "directory" else {one: files.call("read", one)}
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_a_tree_is_what_paths_and_contents_are(steps: list[tuple[Any, ...]]) -> None:
    files, model = Executed(ReplicatedFiles), Model()
    files.looks = False
    for method, *args in steps:
        done = getattr(model, method)(*args)
        before = vista.encode_value(vars(files.service))
        try:
            files.call(method, *args)
        except (OSError, vista.BadValueError):
            assert not done
            assert vista.encode_value(vars(files.service)) == before
        else:
            assert done
    assert shown(files) == model.tree
    for one in sorted(model.tree, key=len, reverse=True)[:-1]:
        files.call("remove", one)
    assert used(files) == 0
    assert not files.service.contents  # type: ignore[attr-defined]
