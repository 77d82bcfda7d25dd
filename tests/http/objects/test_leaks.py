"""Clients and pages at their worst, in numbers: what there was before is what there is after.

Objects, descriptors, threads and tasks are counted before the clients come and when they are gone.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import vista
from apps.http.content.resources import Request, Response
from tests.http.objects.counts import Counts
from tests.http.objects.pages import HttpEchoPage, HttpFailingPage, HttpSilentPage
from tests.http.objects.served import Answer, Site, at_last, get, read_all, read_until, served

SLOW = 200
FEW = 20

POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


class HttpDyingPage(vista.Object):
    """Is deleted while it answers."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        vista.post(vista.self_ref(self), "delete_yourself")
        vista.sleep(1000)
        return "never"


class HttpRiverPage(vista.Object):
    """Answers with a body that has no end."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        return Response(source=vista.create(HttpRiverSource))


class HttpRiverSource(vista.Object):
    """Gives as much as it is asked for."""

    def create(self) -> None:
        pass

    def read_bytes(self, maximum: int) -> bytes:
        return bytes(maximum)


@contextmanager
def counted(directory: Path, *lines: str) -> Iterator[tuple[Site, Counts]]:
    """A site with these lines in its profile, and what is there before the clients come."""
    tree = directory / "site"
    tree.mkdir()
    (tree / "large").write_bytes(bytes(8_000_000))
    (tree / "a.txt").write_text("abcdefghij")
    profile = directory / "http.profile"
    profile.write_text("\n".join(lines))
    with served(tree, str(profile)) as site:
        site.directory.register_object("/echo", vista.create(HttpEchoPage))
        # What is loaded once is loaded, and what is asked for again has its object.
        for path in ("/a.txt", "/large", "/nothing") * 2:
            site.get(path)
        site.get("/echo", method="POST", body=b"body")
        yield site, Counts(site.node)
        assert site.get("/a.txt").body == b"abcdefghij"


def connected(site: Site, count: int, opened: ExitStack) -> list[socket.socket]:
    """So many clients; ``opened`` closes them."""
    return [opened.enter_context(site.connect()) for _ in range(count)]


def end_of(client: socket.socket) -> bytes:
    """What comes until the server closes, or breaks off."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            data += piece
    return data


def test_files_that_are_asked_for_once_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path) as (site, counts):
        for number in range(FEW):
            name = f"{number}.txt"
            (tmp_path / "site" / name).write_text(name)
            assert site.get(f"/{name}").body == name.encode()
        assert counts.left() == {}


def test_slow_clients_get_408_and_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path, "head_seconds 1") as (site, counts):
        with ExitStack() as opened:
            clients = connected(site, SLOW, opened)
            for byte in get("/a.txt")[:20]:
                for client in clients:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        client.sendall(bytes((byte,)))
            assert all(Answer(end_of(client)).status == 408 for client in clients)
        assert counts.left() == {}


def test_slow_clients_that_go_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path) as (site, counts):
        with ExitStack() as opened:
            for number, client in enumerate(connected(site, SLOW, opened)):
                client.sendall(get("/a.txt")[: 1 + number % 40])
        assert counts.left() == {}


def test_clients_without_a_word_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path, "keep_alive_seconds 0.5") as (site, counts):
        with ExitStack() as opened:
            assert [end_of(client) for client in connected(site, SLOW, opened)] == [b""] * SLOW
        assert counts.left() == {}


@pytest.mark.parametrize("path", ["/large", "/river"])
def test_clients_that_never_read_leave_nothing(tmp_path: Path, path: str) -> None:
    with counted(tmp_path, "write_idle_seconds 0.5") as (site, counts):
        page = vista.create(HttpRiverPage)
        site.directory.register_object("/river", page)
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(get(path))
                read_until(client, b"\r\n\r\n")
            assert at_last(site.daemon.get_connections, 0) == 0
        vista.delete(page)
        assert counts.left() == {}


@pytest.mark.parametrize("path", ["/large", "/river"])
def test_clients_that_go_in_the_middle_of_a_body_leave_nothing(tmp_path: Path, path: str) -> None:
    with counted(tmp_path) as (site, counts):
        page = vista.create(HttpRiverPage)
        site.directory.register_object("/river", page)
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(get(path))
                read_until(client, b"\r\n\r\n")
                assert client.recv(1000)
        vista.delete(page)
        assert counts.left() == {}


def test_bodies_shorter_than_told_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path) as (site, counts):
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(POST + b"Content-Length: 50\r\n\r\nshort")
                client.shutdown(socket.SHUT_WR)
                assert Answer(read_all(client)).status == 400
        assert counts.left() == {}


def test_bodies_longer_than_told_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path) as (site, counts):
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(POST + b"Content-Length: 5\r\n\r\nlonger than that\r\n\r\n")
                data = end_of(client)
                assert data.startswith(b"HTTP/1.1 201 ") and b"HTTP/1.1 400 " in data
        assert counts.left() == {}


@pytest.mark.parametrize("told", [b"Content-Length: 3000000\r\n\r\n",
                                  b"Transfer-Encoding: chunked\r\n\r\n2DC6C0\r\n"])  # fmt: skip
def test_uploads_that_break_off_leave_nothing_in_memory_or_on_disk(
    tmp_path: Path, told: bytes
) -> None:
    files = tmp_path / "uploads"
    files.mkdir()
    with counted(tmp_path, f"uploads {files}", "uploadBytes 100000000") as (site, counts):
        before = sorted(files.rglob("*"))
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(POST + told + bytes(1_500_000))
        assert at_last(site.daemon.get_connections, 0) == 0
        assert sorted(files.rglob("*")) == before
        assert counts.left() == {}


def test_pages_deleted_while_they_answer_are_not_found_and_leave_nothing(
    tmp_path: Path,
) -> None:
    with counted(tmp_path) as (site, counts):
        for _ in range(FEW):
            site.directory.register_object("/dying", vista.create(HttpDyingPage))
            assert site.get("/dying").status == 404
            site.directory.unregister_object("/dying")
        assert counts.left() == {}


@pytest.mark.parametrize("page_class", [HttpSilentPage, HttpFailingPage])
def test_pages_that_never_answer_give_504_and_leave_nothing(
    tmp_path: Path, page_class: type[vista.Object]
) -> None:
    with counted(tmp_path, "request_seconds 0.3") as (site, counts):
        page = vista.create(page_class)
        site.directory.register_object("/never", page)
        with ExitStack() as opened:
            clients = connected(site, FEW, opened)
            for client in clients:
                client.sendall(get("/never?sleep", "localhost", "Connection: close"))
            assert [Answer(read_all(client)).status for client in clients] == [504] * FEW
        vista.delete(page)
        assert counts.left() == {}


def test_clients_that_go_while_their_page_is_made_leave_nothing(tmp_path: Path) -> None:
    with counted(tmp_path, "request_seconds 0.3") as (site, counts):
        page = vista.create(HttpFailingPage)
        site.directory.register_object("/never", page)
        with ExitStack() as opened:
            for client in connected(site, FEW, opened):
                client.sendall(get("/never?sleep") * 3)
        assert at_last(site.daemon.get_connections, 0) == 0
        vista.delete(page)
        assert counts.left() == {}
