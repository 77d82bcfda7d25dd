"""What is answered on a short way is what the long way answers, but for the order of its fields."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vista
from apps.http.content.resources import Request, Response, prepare
from apps.http.objects.connection import AT_ONCE_BYTES, FEED, IDLE, WRITE, Connection
from apps.http.objects.entries import ACCEPTS_CHARACTERS_MAX, CHECK_SECONDS, READY_MAX, Entry
from apps.http.objects.found import Guarded
from apps.http.objects.profile import terms_of
from tests.http.objects.pages import HttpEchoPage
from tests.http.objects.served import Site, get, read_until, served

NO_CONDITION = "If-Match: *"
"""A condition that every file meets: such a request goes the whole way."""

NOON = 784_123_200
"""Seconds since 1970."""

PLAIN = "Accept-Encoding: identity"
GZIP = "Accept-Encoding: gzip"


class HttpClosingGuard(vista.Object):
    """Lets nobody in."""

    def create(self) -> None:
        pass

    def admit_request(self, request: Request, method: str) -> Response:
        return Response("no", 401, (("WWW-Authenticate", "Basic"),))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with files of each kind and a page."""
    root = tmp_path_factory.mktemp("fast")
    (root / "small.txt").write_text("small")
    (root / "text.html").write_text("<p>text</p>" * 500)
    (root / "picture.png").write_bytes(bytes(range(256)) * 20)
    (root / "large.bin").write_bytes(b"x" * 300_000)
    (root / "beside.css").write_text("a { color: red }" * 10)
    (root / "beside.css.gz").write_bytes(b"not looked into")
    (root / "page.shtml").write_text('<!--#echo var="QUERY_STRING" -->')
    for path in root.iterdir():
        os.utime(path, (NOON, NOON))  # old enough for an entity tag that stays
    with served(root) as made:
        made.directory.register_object("/page", vista.create(HttpEchoPage))
        yield made


def exchange(site: Site, requests: list[bytes]) -> list[bytes]:
    """The answers to requests on one connection, each sent when the one before was answered."""
    answers = []
    with site.connect() as client:
        for request in requests:
            client.sendall(request)
            head = read_until(client, b"\r\n\r\n")
            head, _, body = head.partition(b"\r\n\r\n")
            size = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            left = 0 if size is None or request.startswith(b"HEAD") else int(size[1])
            while len(body) < left:
                body += client.recv(65536)
            first, *fields = re.sub(rb"\r\nDate: [^\r]*", b"", head).split(b"\r\n")
            answers.append(b"\r\n".join([first, *sorted(fields), b"", body]))
    return answers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    paths=st.lists(
        st.sampled_from(
            ["/small.txt", "/text.html", "/picture.png", "/large.bin", "/beside.css", "/page.shtml"]
        ),
        min_size=1,
        max_size=3,
    ),
    accepts=st.sampled_from(["", "identity", "gzip", "gzip, br, zstd", "*;q=0", "nonsense;q=x"]),
    method=st.sampled_from(["GET", "GET", "HEAD"]),
    version=st.sampled_from(["1.1", "1.0"]),
    times=st.integers(1, 4),
)
def test_a_file_that_is_asked_for_again_is_answered_as_on_the_whole_way(
    files: Site, paths: list[str], accepts: str, method: str, version: str, times: int
) -> None:
    fields = [f"Accept-Encoding: {accepts}"] if accepts else []
    if version == "1.0":
        fields.append("Connection: keep-alive")

    def asked(*more: str) -> list[bytes]:
        requests = [get(path, "localhost", *fields, *more, version=version) for path in paths]
        return [method.encode() + request[3:] for request in requests] * times

    assert exchange(files, asked()) == exchange(files, asked(NO_CONDITION))


class HttpFieldsPage(vista.Object):
    """Says what a request has."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        assert type(request) is Request
        return " ".join(f"{name}={value!r}" for name, value in request._asdict().items())


def test_a_request_has_all_its_fields_in_their_places(files: Site) -> None:
    files.directory.register_object("/fields", vista.create(HttpFieldsPage))
    expected = Request(
        "GET", "/fields", "a=b", "host", "localhost", b"", "localhost", "localhost", "127.0.0.1"
    )
    told = files.get("/fields?a=b").body.decode()
    assert told == " ".join(f"{name}={value!r}" for name, value in expected._asdict().items())


@pytest.mark.parametrize("path", ["/page", "/page?a=b", "/missing"])
def test_what_is_no_file_is_answered_the_same_each_time(files: Site, path: str) -> None:
    request = get(path, "localhost", "X-Twice: 1", "X-Twice: 2")
    first, *others = exchange(files, [request] * 4)
    assert others == [first] * 3


def test_an_answer_that_is_ready_counts_as_one(files: Site) -> None:
    found = files.directory.get_cache_figures()["hits"]
    exchange(files, [get("/picture.png")] * 5)
    assert files.directory.get_cache_figures()["hits"] >= found + 4


def ready(site: Site, path: str, *fields: str) -> bool:
    """Whether the directory answers for the object of a file by itself."""
    accepts = fields[0].partition(": ")[2] if fields else ""
    for _ in range(100):  # a machine that pauses may let a second pass in between
        site.talk(*[get(path, "localhost", *fields)] * 3)
        if type(site.directory.find_plain(path, accepts)) is Response:
            return True
    return False


def test_a_file_that_is_asked_for_again_is_answered_by_the_directory(site: Site) -> None:
    assert ready(site, "/a.txt")


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("Range: bytes=2-4", 206),
        ("If-None-Match: *", 304),
        ('If-Match: "another"', 412),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 412),
    ],
)
def test_conditions_and_ranges_count_where_an_answer_is_ready(
    site: Site, field: str, status: int
) -> None:
    assert ready(site, "/a.txt")
    assert site.get("/a.txt", field).status == status


def test_nothing_is_ready_for_a_part_that_a_guard_keeps(site: Site) -> None:
    assert ready(site, "/a.txt")
    site.directory.protect("/a.txt", vista.create(HttpClosingGuard))
    assert type(site.directory.find_plain("/a.txt", "")) is Guarded
    assert site.get("/a.txt").status == 401


def test_a_part_beside_the_guarded_one_is_as_open_as_before(site: Site) -> None:
    site.directory.protect("/docs", vista.create(HttpClosingGuard))
    assert site.get("/a.txt").status == 200 and site.get("/docs/").status == 401


def test_fields_that_the_site_announces_stand_in_every_answer(site: Site) -> None:
    assert ready(site, "/a.txt")
    site.directory.register_new_feature("X-Site: here")
    assert [site.get("/a.txt").fields["x-site"] for _ in range(3)] == ["here"] * 3


def test_an_object_takes_the_place_of_a_file_that_was_ready(site: Site) -> None:
    assert ready(site, "/a.txt")
    site.directory.register_object("/a.txt", vista.create(HttpEchoPage))
    assert site.get("/a.txt").body != b"abcdefghij"


def test_who_asks_for_a_form_is_not_given_the_answer_of_others(site: Site, tree: Path) -> None:
    (tree / "text.html").write_text("<p>text</p>" * 500)
    assert ready(site, "/text.html", PLAIN) and ready(site, "/text.html", GZIP)
    assert site.get("/text.html", GZIP).fields["content-encoding"] == "gzip"
    assert "content-encoding" not in site.get("/text.html", PLAIN).fields


def test_what_is_ready_goes_when_the_file_has_changed(site: Site, tree: Path) -> None:
    assert ready(site, "/a.txt")
    (tree / "a.txt").write_text("another")
    target = site.directory.find("GET", "/a.txt")
    target.check_if_still_valid()  # has it look at the disk
    assert site.directory.find_plain("/a.txt", "") == target
    assert site.get("/a.txt").body == b"another"


def test_what_is_ready_is_good_for_as_long_as_nobody_looks_at_the_disk() -> None:
    entry, answer = Entry(vista.Ref, {"GET": "get_request"}), prepare(Response("x"))  # type: ignore[arg-type]
    entry.keep(None, answer, 100.0)
    assert entry.ready("gzip", 100.0 + CHECK_SECONDS / 2) is answer
    assert entry.ready("gzip", 100.0 + CHECK_SECONDS) is None
    assert entry.ready("gzip", 99.0) is None  # the clock was put back


def test_how_many_answers_are_ready_is_bounded() -> None:
    entry, answer = Entry(vista.Ref, {"GET": "get_request"}), prepare(Response("x"))  # type: ignore[arg-type]
    for number in range(10 * READY_MAX):
        entry.keep(f"x{number}", answer, 100.0)
    kept = sum(entry.ready(f"x{number}", 100.0) is not None for number in range(10 * READY_MAX))
    assert 0 < kept <= READY_MAX


def test_nothing_is_ready_for_fields_that_would_fill_the_memory(site: Site, tree: Path) -> None:
    (tree / "text.html").write_text("<p>text</p>" * 500)
    accepts = "gzip," + "x" * ACCEPTS_CHARACTERS_MAX
    for _ in range(4):
        site.talk(*[get("/text.html", "localhost", f"Accept-Encoding: {accepts}")] * 3)
        assert type(site.directory.find_plain("/text.html", accepts)) is not Response
    assert ready(site, "/text.html", GZIP)


def test_an_answer_of_another_object_is_not_kept(site: Site) -> None:
    site.get("/a.txt")
    other = vista.create(HttpEchoPage)
    site.directory.keep_answer("/a.txt", other, None, prepare(Response("evil")), 1e12)
    assert site.get("/a.txt").body == b"abcdefghij"


# --- what is written at the end of a turn -----------------------------------------------------


class Loose:
    """A connection without an object, over a pair of sockets."""

    def __init__(self) -> None:
        self.served = 0
        self.connection = Connection(terms_of(()), self._serve, self._serve)
        self.other: socket.socket

    def _serve(self) -> None:
        self.served += 1

    async def open(self) -> None:
        ours, self.other = socket.socketpair()
        self.other.settimeout(30)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self.connection, sock=ours)

    async def close(self) -> None:
        if not self.connection.lost:
            self.connection.drop()
        self.other.close()
        while not self.connection.lost:
            await asyncio.sleep(0)


def loose(coroutine: Any) -> None:
    """Run a test with a connection of its own."""

    async def run() -> None:
        made = Loose()
        await made.open()
        try:
            await coroutine(made)
        finally:
            await made.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_what_a_turn_writes_leaves_together_and_in_order() -> None:
    async def check(loose: Loose) -> None:
        loose.connection.write(b"a")
        loose.connection.write(b"b", b"c")
        assert loose.connection.transport.get_write_buffer_size() == 0
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert loose.other.recv(100) == b"abc"

    loose(check)


def ask(loose: Loose, count: int = 1) -> None:
    """Have a client's requests come, and take the first."""
    connection = loose.connection
    connection.data_received(get("/") * count)
    connection.reader.next_event()
    connection.reader.skip_end()
    connection.rest(IDLE)


def test_the_answer_for_a_client_that_asks_alone_leaves_at_once() -> None:
    async def check(loose: Loose) -> None:
        ask(loose)
        ask(loose)
        loose.connection.write(b"a", b"b")
        loose.other.setblocking(False)
        assert loose.other.recv(100) == b"ab"

    loose(check)


def test_while_others_ask_answers_wait_for_the_end_of_the_turn() -> None:
    async def check(loose: Loose) -> None:
        another = Loose()
        await another.open()
        ask(loose)
        ask(loose)
        ask(another)
        ask(another)
        another.connection.drop()
        loose.connection.write(b"a")
        loose.other.setblocking(False)
        with pytest.raises(BlockingIOError):
            loose.other.recv(100)
        ask(loose)
        loose.connection.write(b"b")
        await another.close()
        loose.other.setblocking(True)
        assert loose.other.recv(100) == b"ab"

    loose(check)


def test_the_answers_of_one_client_to_requests_that_came_together_leave_together() -> None:
    async def check(loose: Loose) -> None:
        ask(loose)
        ask(loose, count=2)
        loose.connection.write(b"a")
        loose.other.setblocking(False)
        with pytest.raises(BlockingIOError):
            loose.other.recv(100)
        loose.connection.write(b"b")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert loose.other.recv(100) == b"ab"

    loose(check)


def test_what_is_written_now_follows_what_waits() -> None:
    async def check(loose: Loose) -> None:
        loose.connection.write(b"a")
        loose.connection.write_now(b"b", b"c")
        received = b""
        while len(received) < 3:
            received += loose.other.recv(100)
        assert received == b"abc"

    loose(check)


def test_no_more_waits_for_the_end_of_a_turn_than_its_bound() -> None:
    async def check(loose: Loose) -> None:
        loose.connection.write(b"x" * AT_ONCE_BYTES)
        loose.connection.write(b"y")
        assert len(loose.other.recv(AT_ONCE_BYTES + 1)) > 0

    loose(check)


@pytest.mark.parametrize("how", ["close", "linger", "give_up", "drop"])
def test_what_waits_is_sent_before_the_connection_is_closed(how: str) -> None:
    async def check(loose: Loose) -> None:
        loose.connection.write(b"the end")
        getattr(loose.connection, how)()
        await asyncio.sleep(0)
        assert loose.other.recv(100) == b"the end"

    loose(check)


def test_what_waits_is_not_sent_to_one_that_was_aborted() -> None:
    async def check(loose: Loose) -> None:
        loose.connection.write(b"the end")
        loose.connection.transport.abort()
        while not loose.connection.lost:
            await asyncio.sleep(0)
        assert loose.other.recv(100) == b""

    loose(check)


@pytest.mark.parametrize("size", [1, AT_ONCE_BYTES + 1])
def test_an_answer_to_a_client_that_is_gone_goes_nowhere(size: int) -> None:
    async def check(loose: Loose) -> None:
        loose.other.close()
        while not loose.connection.lost:
            loose.connection.transport.abort()
            await asyncio.sleep(0)
        loose.connection.write(b"head", b"x" * size)
        await asyncio.sleep(0)
        assert loose.connection.transport.get_write_buffer_size() == 0

    loose(check)


def test_what_waits_counts_as_waiting_when_a_client_does_not_read() -> None:
    async def check(loose: Loose) -> None:
        connection = loose.connection
        for _ in range(10_000):
            connection.write_now(b"x" * AT_ONCE_BYTES)
            if connection.write_paused:
                break
        before = connection.transport.get_write_buffer_size()
        connection.write(b"the end")
        connection.rest(WRITE)
        assert connection.transport.get_write_buffer_size() == before + len(b"the end")

    loose(check)


@pytest.mark.parametrize("is_fed", [False, True])
def test_an_idle_connection_hears_of_a_client_that_reads_nothing(is_fed: bool) -> None:
    async def check(loose: Loose) -> None:
        connection = loose.connection
        if is_fed:
            connection.rest(FEED)
        for _ in range(10_000):
            connection.write(b"x" * AT_ONCE_BYTES)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if connection.write_paused:
                break
        assert connection.write_paused
        assert loose.served == (0 if is_fed else 1)

    loose(check)
