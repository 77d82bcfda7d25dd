"""The tree where it belongs: kept by four servers, of which one falls or lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import ConflictError
from apps.solidstate.files.client import FileClient
from apps.solidstate.files.tree import PIECE_BYTES, ReplicatedFiles
from tests.solidstate.objects.pool import POOL, Pool, make_world

LARGE = bytes(range(256)) * (PIECE_BYTES // 256) * 3 + b"end"


class FileAsker(vista.Object):
    """Somebody who asks again as soon as he is answered."""

    def ask(self, times: int) -> None:
        client = FileClient("files", 1)
        client.run([("usage",)] * times)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with make_world(4) as world:
        made = Pool(world)
        made.found(POOL, 1, "ReplicatedFiles", "files", cls=ReplicatedFiles)
        yield made


def held(pool: Pool, number: int) -> Any:
    """What a replica holds."""

    def look() -> Any:
        return vista.service(f"SolidState/{POOL}/{number}").get_variables("files")

    return pool.front.call(look)


def test_a_tree_outlives_a_server_in_the_middle_of_its_copy(pool: Pool) -> None:
    files = {f"/d/{number}": bytes([number]) * number for number in range(60)}

    def begin() -> None:
        client = FileClient("files")
        client.run([("make_directory", "/d")])
        client.write_files(dict(list(files.items())[:30]))

    def go_on() -> dict[str, bytes]:
        client = FileClient("files")
        client.write_files(dict(list(files.items())[30:]))
        client.write_file("/d/large", LARGE)
        paths = [path for path, _, _ in client.walk("/d")]
        return dict(zip(paths, client.read_files(paths), strict=True))

    pool.front.call(begin)
    pool.world.crash("server-0")
    assert pool.front.call(go_on) == {**files, "/d/large": LARGE}


def test_those_who_were_answered_together_ask_together(pool: Pool) -> None:
    def executed() -> int:
        found: int = pool.status("server-1")["executed"]
        return found

    def ask() -> None:
        users = [vista.create(FileAsker) for _ in range(8)]
        vista.gather(*[user.ask.future(10) for user in users])

    before = executed()
    pool.front.call(ask)
    assert executed() - before <= 15


def test_errors_come_as_what_they_are(pool: Pool) -> None:
    def ask(*call: Any) -> Any:
        return pool.front.call(lambda: FileClient("files").run([call]))

    with pytest.raises(FileNotFoundError, match=r"^/none: there is no 'none'$"):
        ask("read", "/none")
    with pytest.raises(IsADirectoryError, match=r"^/ends is a directory$"):
        ask("make_directory", "/ends")
        ask("write", "/ends", b"")
    ask("write", "/ends/f", b"1")
    with pytest.raises(ConflictError, match=r"^/ends/f was written meanwhile"):
        ask("read", "/ends/f", 0, 10, 0)


def test_two_machines_make_one_file_and_all_replicas_hold_the_same(pool: Pool) -> None:
    def write(data: bytes) -> None:
        FileClient("files").write_file("/race", data)

    pool.front.call(write, LARGE)
    pool.node("server-1").call(write, LARGE[::-1])
    found = pool.node("server-2").call(lambda: FileClient("files").read_file("/race"))
    assert found == LARGE[::-1]
    pool.world.pass_time(5.0)
    states = [held(pool, number) for number in (1, 2, 3)]
    assert states[0] == states[1] == states[2]
    assert states[0]["used"] > len(LARGE)
