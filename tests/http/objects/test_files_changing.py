"""Files that are replaced, truncated, renamed and deleted while they are asked for again and again.

An answer is a state that its file had, never parts of two, and has the length that it tells.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase

import pytest

import vista
from apps.http.content.disk import OpenFile
from apps.http.objects.entries import CHECK_SECONDS
from tests.http.objects.counts import Counts
from tests.http.objects.served import Answer, Site, get, read_until, served

FILES = 20
ROUNDS_MAX = 2_000
STATES = 6
"""What is to be seen of the files at least before the test ends."""
WHOLE, CUT = 3_000, 700


@contextmanager
def changing(tree: Path) -> Iterator[None]:
    """Have the files changed by a thread of the system, in every way, for as long as this lasts."""
    end = threading.Event()

    def change() -> None:
        for letter in ascii_lowercase * 1_000:
            for number in range(FILES):
                path = tree / f"{number}.bin"
                (tree / "new").write_bytes(letter.encode() * WHOLE)
                (tree / "new").rename(path)
                os.truncate(path, CUT)
                path.rename(tree / "away")
                (tree / "away").rename(path)
                if number % 4 == 0:
                    path.unlink()
                if end.is_set():
                    return

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def asked(client: socket.socket, path: str) -> Answer:
    """The answer to one request of several on a connection."""
    client.sendall(get(path))
    data = read_until(client, b"\r\n\r\n")
    answer = Answer(data)
    while len(answer.body) < int(answer.fields["content-length"]):
        answer.body += client.recv(65536)
    return answer


def is_a_state(answer: Answer) -> bool:
    """Whether this is what a file was at some moment."""
    if answer.status == 200:
        return answer.body in (answer.body[:1] * WHOLE, answer.body[:1] * CUT)
    # There is no file at the moment, or another one at each look.
    return answer.status in (404, 503)


def await_last(site: Site, tree: Path) -> None:
    """Wait until every file is sent as it is, which takes as long as one is taken on trust."""
    for number in range(FILES):
        (tree / f"{number}.bin").write_bytes(b"!")
    left = set(range(FILES))
    for _ in range(30 * 20):
        left = {number for number in left if site.get(f"/{number}.bin").body != b"!"}
        if not left:
            return
        vista.sleep(CHECK_SECONDS / 20)
    raise AssertionError(f"{left} are sent as they were")


@pytest.fixture
def cut_short(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Have files of these sizes lose their end between the look at them and the reading."""
    sizes: set[int] = set()
    read_ready = OpenFile.read_ready

    def cut_first(file: OpenFile, start: int, count: int) -> bytes | None:
        if file.size in sizes:
            os.truncate(f"/proc/self/fd/{file.fileno()}", CUT)
        return read_ready(file, start, count)

    monkeypatch.setattr(OpenFile, "read_ready", cut_first)
    return sizes


@pytest.mark.parametrize("field", ["", "Accept-Encoding: gzip"])
def test_a_file_cut_short_while_it_is_first_read_is_asked_for_again(
    field: str, site: Site, tree: Path, cut_short: set[int]
) -> None:
    (tree / "cut.txt").write_bytes(b"a" * WHOLE)
    cut_short.add(WHOLE)
    answer = site.get("/cut.txt", field)
    assert (answer.status, answer.fields["retry-after"]) == (503, "1")
    assert site.get("/cut.txt").body == b"a" * CUT


def test_a_kept_file_cut_short_while_it_is_read_anew_is_asked_for_again(
    site: Site, tree: Path, cut_short: set[int]
) -> None:
    for _ in range(3):
        site.get("/a.txt")
    assert site.directory.get_paths() == ["/a.txt"]
    (tree / "a.txt").write_bytes(b"b" * WHOLE)
    cut_short.add(WHOLE)
    vista.sleep(CHECK_SECONDS)
    assert site.get("/a.txt").status == 503
    assert site.get("/a.txt").body == b"b" * CUT


def test_a_packed_form_cut_short_while_it_is_read_leaves_the_plain_file(
    site: Site, tree: Path, cut_short: set[int]
) -> None:
    (tree / "a.txt.gz").write_bytes(b"z" * WHOLE)
    cut_short.add(WHOLE)
    answer = site.get("/a.txt", "Accept-Encoding: gzip")
    assert (answer.status, answer.body) == (200, b"abcdefghij")


def test_each_answer_is_a_state_of_its_file_and_the_last_one_stays(tree: Path) -> None:
    with served(tree) as site:
        for number in range(FILES):
            (tree / f"{number}.bin").write_bytes(b"a" * WHOLE)
        for path in ("/0.bin", "/0.bin", "/nothing"):  # what is loaded once is loaded
            site.get(path)
        counts = Counts(site.node)
        with site.connect() as client, changing(tree):
            states: set[bytes] = set()
            for _ in range(ROUNDS_MAX):
                answers = [asked(client, f"/{number}.bin") for number in range(FILES)]
                assert [answer for answer in answers if not is_a_state(answer)] == []
                states.update(answer.body for answer in answers if answer.status == 200)
                if len(states) >= STATES:
                    break
        assert len(states) >= STATES
        await_last(site, tree)
        site.directory.delete_obsolete(0, 1_000_000)  # all of them go
        assert counts.left() == {}
