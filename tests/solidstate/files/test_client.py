"""Whole files and trees: one node, an ordinary object, and the disk of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.errors import ConflictError
from apps.solidstate.files.client import READ_AGAIN, FileClient
from apps.solidstate.files.tree import FILE_BYTES_MAX, LISTED_MAX, PIECE_BYTES, ReplicatedFiles
from vista.testing import SimulatedNode, World

LARGE = bytes(range(256)) * (PIECE_BYTES // 256) * 2 + b"end"


class SlowFiles(vista.Object):
    """A service whose answers take a second, and that knows how many it owed at a time."""

    def create(self) -> None:
        self.under_way = self.most = self.asked = 0

    def double(self, number: int) -> int:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        vista.sleep(1.0 + number % 3)
        self.under_way -= 1
        if number == 7:
            raise KeyError("seven")
        return 2 * number

    def seen(self) -> tuple[int, int, int]:
        return self.asked, self.most, self.under_way


class RestlessFiles(ReplicatedFiles):
    """A tree in which a file is written after each look at it, for so many times."""

    def create(self) -> None:
        super().create()
        self.restless = 0

    def disturb(self, times: int) -> None:
        self.restless = times

    def stat(self, path: str) -> dict[str, Any]:
        told = super().stat(path)
        if self.restless:
            self.restless -= 1
            self.write(path, b"new", 0)
        return told


class ReplacedFiles(ReplicatedFiles):
    """A tree in which another file takes the place of a large one between two of its pieces."""

    def create(self) -> None:
        super().create()
        self.waiting = [""]

    def replace_soon(self, path: str) -> None:
        self.waiting.append(path)

    def read(self, path: str, at: int = 0, *more: Any) -> bytes:
        if at and self.waiting[-1]:
            self.rename(self.waiting.pop(), path)
        return super().read(path, at, *more)


class LyingFiles(vista.Object):
    """A service that tells of a directory whatever it was given."""

    def create(self, rows: list[Any], size: int = 0) -> None:
        self.rows, self.size, self.asked = rows, size, 0

    def list(self, path: str, after: str = "") -> list[Any]:
        self.asked += 1
        return self.rows

    def stat(self, path: str) -> dict[str, Any]:
        return {"kind": "file", "size": self.size, "version": 1}

    def read(self, path: str, *more: Any) -> bytes:
        self.asked += 1
        return bytes(PIECE_BYTES)

    def seen(self) -> int:
        return self.asked


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatedNode]:
    with World(5) as world:
        yield world.node()


@pytest.fixture
def use(node: SimulatedNode) -> Callable[[Callable[[FileClient], Any]], Any]:
    """Have something done with the client of an empty tree."""
    client = FileClient(node.call(vista.create, RestlessFiles), 3)
    return lambda work: node.call(work, client)


Use = Callable[[Callable[[FileClient], Any]], Any]


def test_some_calls_are_under_way_at_a_time_and_answers_keep_their_order(
    node: SimulatedNode,
) -> None:
    slow = node.call(vista.create, SlowFiles)

    def work() -> tuple[list[Any], float]:
        clock = asyncio.get_running_loop().time
        began = clock()
        found = FileClient(slow, 4).run(("double", number) for number in (0, 1, 2, 3, 4, 5))
        return found, clock() - began

    found, seconds = node.call(work)
    assert found == [0, 2, 4, 6, 8, 10]
    assert slow.seen() == (6, 4, 0)
    assert seconds < 7.0


def test_after_an_error_nothing_more_is_asked_for_and_nothing_is_left_under_way(
    node: SimulatedNode,
) -> None:
    slow = node.call(vista.create, SlowFiles)
    with pytest.raises(KeyError, match=r"seven"):
        node.call(lambda: FileClient(slow, 2).run(("double", number) for number in range(5, 20)))
    asked, _, under_way = slow.seen()
    assert asked <= 5 and under_way == 0


@pytest.mark.parametrize("in_flight", [0, 1_001])
def test_a_number_of_calls_that_cannot_be_is_refused(node: SimulatedNode, in_flight: int) -> None:
    slow = node.call(vista.create, SlowFiles)
    with pytest.raises(vista.BadValueError, match=r"^in_flight is 1 to 1000"):
        FileClient(slow, in_flight)


@pytest.mark.parametrize(
    "data", [b"", b"small", bytes(PIECE_BYTES), bytes(PIECE_BYTES + 1), LARGE],
    ids=["empty", "small", "one piece", "one byte more", "large"],
)  # fmt: skip
def test_a_whole_file_is_written_and_read(use: Use, data: bytes) -> None:
    def work(client: FileClient) -> tuple[bytes, list[Any]]:
        client.write_file("/f", b"before")
        client.write_file("/f", data)
        return client.read_file("/f"), client.list_all()

    found, listed = use(work)
    assert found == data
    assert listed == [["f", "file", len(data)]]


def test_a_large_file_that_cannot_be_put_in_place_leaves_nothing_behind(use: Use) -> None:
    def work(client: FileClient) -> list[Any]:
        client.run([("make_directory", "/d")])
        with pytest.raises(FileExistsError):
            client.write_file("/d", LARGE)
        return client.list_all()

    assert use(work) == [["d", "directory", 0]]


def test_a_file_that_is_written_while_it_is_read_is_read_anew(use: Use) -> None:
    def work(client: FileClient) -> bytes:
        client.write_file("/f", LARGE)
        client.run([("disturb", READ_AGAIN - 1)])
        return client.read_file("/f")

    assert use(work) == b"new" + LARGE[3:]


def test_a_file_that_is_written_all_the_time_is_given_up(use: Use) -> None:
    def work(client: FileClient) -> None:
        client.write_file("/f", LARGE)
        client.run([("disturb", READ_AGAIN)])
        client.read_file("/f")

    with pytest.raises(ConflictError, match=r"^/f was written 8 times while it was read"):
        use(work)


def test_a_large_file_that_another_one_replaces_is_read_anew(node: SimulatedNode) -> None:
    client = FileClient(node.call(vista.create, ReplacedFiles), 1)

    def work() -> bytes:
        client.write_file("/f", LARGE)
        client.write_file("/g", LARGE[::-1])
        client.run([("replace_soon", "/g")])
        return client.read_file("/f")

    assert node.call(work) == LARGE[::-1]


def test_a_slash_at_the_end_means_the_same_for_a_file_of_any_size(use: Use) -> None:
    def work(client: FileClient) -> list[Any]:
        client.write_files({"/small/": b"1", "//large//": LARGE})
        return client.list_all()

    assert use(work) == [["large", "file", len(LARGE)], ["small", "file", 1]]


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(use: Use) -> None:
    def work(client: FileClient) -> list[Any]:
        with pytest.raises(vista.BadValueError, match=r"^/f: a file has 16777216 bytes at most"):
            client.write_file("/f", bytes(FILE_BYTES_MAX + 1))
        return client.list_all()

    assert use(work) == []


def test_a_long_directory_is_gone_through_whole(use: Use) -> None:
    names = [f"{number:04}" for number in range(LISTED_MAX + 1)]

    def work(client: FileClient) -> list[Any]:
        client.run([("make_directory", "/d")])
        client.write_files({f"/d/{name}": b"" for name in names})
        return list(client.walk())

    assert use(work) == [
        ("/d", "directory", LISTED_MAX + 1),
        *((f"/d/{name}", "file", 0) for name in names),
    ]


def test_a_tree_is_copied_in_and_out_and_removed(use: Use, tmp_path: Path) -> None:
    tree = {"a/b/large": LARGE, "a/small": b"1", "top": b"", "a/b/c/deep": b"2"}
    for name, data in tree.items():
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (tmp_path / "in" / "empty").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)

    def work(client: FileClient) -> tuple[int, int, int, list[Any]]:
        into = client.copy_in(tmp_path / "in", "/x/y")
        out = client.copy_out("/x/y", tmp_path / "out")
        found = len(list(client.walk()))
        client.remove_tree("/x")
        return into, out, found, client.list_all()

    assert use(work) == (4, 4, 10, [])
    out = tmp_path / "out"
    files = {str(one.relative_to(out)): one for one in out.rglob("*") if one.is_file()}
    assert {name: file.read_bytes() for name, file in files.items()} == tree
    assert (out / "empty").is_dir()


@pytest.mark.parametrize("name", ["..", "", ".", "a/b", "../x", "/etc", "a\0b", "x" * 256])
def test_a_service_cannot_have_files_written_elsewhere(
    node: SimulatedNode, tmp_path: Path, name: str
) -> None:
    lying = node.call(vista.create, LyingFiles, [[name, "file", 1]])
    with pytest.raises(vista.BadValueError):
        node.call(lambda: FileClient(lying).copy_out("/", tmp_path / "out"))
    assert [one.name for one in tmp_path.rglob("*")] == ["out"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["d", "directory", 1]], r"a path has 64 names at most"),
        ([["f", "file", 0]] * LISTED_MAX, r"^/ does not end after 100000 names$"),
        ([[f"{n}", "directory", 1] for n in range(400)], r"^/ has more than 100000 names$"),
    ],
    ids=["deep", "long", "wide"],
)
def test_a_tree_without_an_end_is_given_up(
    node: SimulatedNode, rows: list[Any], words: str
) -> None:
    lying = node.call(vista.create, LyingFiles, rows)
    with pytest.raises(vista.BadValueError, match=words):
        node.call(lambda: list(FileClient(lying).walk()))


def test_a_file_of_more_bytes_than_one_has_is_not_read(node: SimulatedNode) -> None:
    lying = node.call(vista.create, LyingFiles, [], 10 * FILE_BYTES_MAX)
    with pytest.raises(vista.BadValueError, match=r"^/f is told to have 167772160 bytes"):
        node.call(lambda: FileClient(lying, 1).read_file("/f"))
    assert lying.seen() == 1


def test_the_root_is_not_removed_and_keeps_what_it_has(use: Use) -> None:
    def work(client: FileClient) -> list[Any]:
        client.write_file("/f", b"1")
        with pytest.raises(vista.BadValueError, match=r"^the root stays as it is"):
            client.remove_tree("/")
        return client.list_all()

    assert use(work) == [["f", "file", 1]]


def test_a_link_to_a_file_is_replaced_and_not_written_through(use: Use, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f").symlink_to(tmp_path / "kept")

    def work(client: FileClient) -> None:
        client.write_file("/f", b"1")
        client.copy_out("/", tmp_path / "out")

    use(work)
    assert (tmp_path / "kept").read_bytes() == b"kept"
    assert (tmp_path / "out" / "f").read_bytes() == b"1"
    assert not (tmp_path / "out" / "f").is_symlink()


def test_nothing_is_copied_through_a_link_to_a_directory(use: Use, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d").symlink_to(tmp_path / "kept")

    def work(client: FileClient) -> None:
        client.run([("make_directory", "/d"), ("write", "/d/f", b"1")])
        client.copy_out("/", tmp_path / "out")

    with pytest.raises(NotADirectoryError, match=r"d is a link: nothing is copied through it"):
        use(work)
    assert not list((tmp_path / "kept").iterdir())


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_on_the_disk(
    use: Use, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()

    def work(client: FileClient) -> None:
        client.write_file("/f", b"1")
        client.copy_out("/", tmp_path)

    with pytest.raises(IsADirectoryError):
        use(work)
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_portion_has_as_many_pieces_as_may_be_under_way(use: Use) -> None:
    sizes = [pieces * PIECE_BYTES for pieces in (9, 0, 1, 1, 2, 1, 9, 1)]
    portions = use(lambda client: list(client._portions(range(8), sizes)))
    assert portions == [[0], [1, 2, 3], [4, 5], [6], [7]]


def test_a_file_of_the_machine_that_is_too_large_is_refused(use: Use, tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as opened:
        opened.truncate(2**40)
    with pytest.raises(vista.BadValueError, match=r"^/x/f: a file has 16777216 bytes at most"):
        use(lambda client: client.copy_in(tmp_path, "/x"))


def test_what_is_no_directory_is_not_copied_in(use: Use, tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"is no directory of this machine$"):
        use(lambda client: client.copy_in(tmp_path / "none", "/x"))
