"""Anything may come on a connection, cut anywhere: valid answers, a clean close, nothing left.

What is to be answered is taken from a reader of requests that got the same bytes in one piece.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import termios
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.profile import read_profile, terms_of
from apps.http.syntax.requests import (
    CHUNKED,
    CLOSED,
    NEED_DATA,
    BodyEnd,
    Rejected,
    RequestHead,
    RequestReader,
)
from tests.http.objects.counts import Counts
from tests.http.objects.pages import HttpEchoPage, HttpStreamingPage
from tests.http.objects.served import SECONDS_MAX, get, read_all, read_until

LOOKS_MAX = 2000
EXAMPLES = 100
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TARGETS = ["/echo", "/echo?x=%20", "/a.txt", "/stream", "/nothing", "/%2e%2e/%00", "http://a/echo"]
FIELDS = [
    "Connection: close", "Connection: keep-alive", "Expect: 100-continue", "Range: bytes=2-4,6-",
    "If-None-Match: *", "Accept-Encoding: gzip, br;q=0", "Upgrade: websocket", "X-Word: caf\xe9",
    "Host: b", "Transfer-Encoding: gzip", "Content-Length: 3", "Cookie: a=b; c",
]  # fmt: skip


class Place(NamedTuple):
    """A site, its node, and where it listens."""

    node: vista.Node
    path: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("fuzz")
    tree = directory / "site"
    tree.mkdir()
    (tree / "a.txt").write_text("abcdefghij")
    with vista.Node("fuzz") as node:
        vista.create(HTTPdaemon, "-", f"unix:{directory}/socket", "localhost")
        pages = vista.service("URLdirectory:localhost")
        pages.register_object("/echo", vista.create(HttpEchoPage))
        pages.register_object("/stream", vista.create(HttpStreamingPage))
        vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/", None, str(tree))
        made = Place(node, directory / "socket")
        for _ in range(2):  # what is asked for again has its object
            assert b" 200 " in talk(made, [get("/a.txt")])
        yield made


# --- what clients send ---------------------------------------------------------------------


def chunked(pieces: list[bytes]) -> bytes:
    """A chunked body."""
    chunks = (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return b"".join(chunks) + b"0\r\n\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, most often a good one."""
    method = draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS", "BREW"]))
    target = draw(st.sampled_from(TARGETS))
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0", "2.0"]))
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost"]
    lines += draw(st.lists(st.sampled_from(FIELDS), max_size=2))
    body = b""
    kind = draw(st.sampled_from(["none", "none", "length", "chunks"]))
    if kind == "length":
        body = draw(st.binary(max_size=40))
        lines.append(f"Content-Length: {len(body)}")
    elif kind == "chunks":
        body = chunked(draw(st.lists(st.binary(max_size=20), max_size=3)))
        lines.append("Transfer-Encoding: chunked")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


POSITIONS = st.integers(min_value=0, max_value=2000)
CHANGES = st.tuples(POSITIONS, st.integers(min_value=0, max_value=9), st.binary(max_size=4))


@st.composite
def talks(draw: st.DrawFn) -> list[bytes]:
    """What one client sends, in pieces: requests, some bytes of which may be others."""
    data = b"".join(draw(st.lists(requests(), max_size=4)))
    for position, taken, put in draw(st.lists(CHANGES, max_size=2)):
        position %= len(data) + 1
        data = data[:position] + put + data[position + taken :]
    data += draw(st.sampled_from([b"", b"", b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]))
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in draw(st.lists(POSITIONS)))})
    return [data[first:last] for first, last in pairwise(edges)]


# --- what is to come of it -----------------------------------------------------------------


class Due(NamedTuple):
    """The methods of the requests that are answered, and the status of the last answer if any.

    Those of ``early``, methods by place, may be refused before their body, whose length nobody
    knows: the client expects to be told whether it is wanted. Such a refusal is the last answer.
    ``parting`` is set where the client says that a request is its last one: nobody reads what it
    sends after it, so the system may reset the connection. ``begun`` is the method of a request
    that was refused within its body, GET if there is none.
    """

    methods: list[str]
    refused: int | None
    early: dict[int, str]
    parting: bool
    begun: str


def due(data: bytes) -> Due:
    """What is to be answered to a client that sends this and no more."""
    reader = RequestReader(terms_of(read_profile("-").limits()).limits)
    for piece in filter(None, [data]):
        reader.receive(piece)
    reader.receive(b"")
    methods: list[str] = []
    early: dict[int, str] = {}
    method, parting = "", False
    while (event := reader.next_event()) not in (CLOSED, NEED_DATA):
        if isinstance(event, Rejected):
            return Due(methods, event.status, early, parting, method or "GET")
        if isinstance(event, RequestHead):
            method = event.method
            parting = parting or not event.keep_alive or event.version == (1, 0)
            if event.expects_continue and event.body is CHUNKED:
                early[len(methods)] = method
        elif isinstance(event, BodyEnd):
            methods.append(method)
            method = ""
    return Due(methods, None, early, parting, "GET")


def statuses(answers: bytes, expected: Due) -> tuple[list[int], bool]:
    """Take answers apart to the last byte; return their statuses but those of 100 Continue.

    Also whether the end of the connection ended the last one, so that no other could follow: what
    a client of HTTP/1.0 gets of a page that does not tell its length.
    """
    found: list[int] = []
    cut_off = False
    while answers:
        head, end, answers = answers.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        matched = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]*", first)
        assert matched and end, head
        status = int(matched[1])
        if status == 100:
            continue
        fields = dict(line.lower().split(b": ", 1) for line in lines)
        number = len(found)
        method = expected.methods[number] if number < len(expected.methods) else expected.begun
        if number in expected.early and status >= 400:
            method = expected.early[number]
        found.append(status)
        cut_off = fields.get(b"connection") == b"close"
        answers = behind_body(answers, fields, method, status)
    return found, cut_off and b"content-length" not in fields and status == 200


def behind_body(answers: bytes, fields: dict[bytes, bytes], method: str, status: int) -> bytes:
    """What comes behind the body of an answer (RFC 9112, section 6.3)."""
    if method == "HEAD" or status in (204, 304):
        return answers
    if fields.get(b"transfer-encoding") == b"chunked":
        size = -1
        while size:
            line, _, answers = answers.partition(b"\r\n")
            size = int(line, 16)
            assert answers[size : size + 2] == b"\r\n"
            answers = answers[size + 2 :]
        return answers
    if b"content-length" in fields:
        size = int(fields[b"content-length"])
        assert len(answers) >= size
        return answers[size:]
    assert fields[b"connection"] == b"close"
    return b""


def talk(place: Place, pieces: list[bytes]) -> bytes:
    """Send pieces, each after the one before was read, and return everything that is answered."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS_MAX)
        client.connect(str(place.path))
        try:
            for piece in pieces:
                client.sendall(piece)
                await_read(client)
            client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server had given its last answer, which is still there to be read
        return read_all(client)


def await_read(client: socket.socket) -> None:
    """Wait until the other side has read everything, or reads no more."""
    for _ in range(LOOKS_MAX):
        waiting = fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, bytes(4))
        if not int.from_bytes(waiting, "little"):
            return
        os.sched_yield()


def check(place: Place, pieces: list[bytes]) -> None:
    """Hold what is answered against what is to be."""
    expected = due(b"".join(pieces))
    try:
        answers = talk(place, pieces)
    except ConnectionResetError:
        assert expected.parting
        return
    found, cut_off = statuses(answers, expected)
    if cut_off and len(found) <= len(expected.methods):
        assert all(200 <= status < 500 for status in found)
        return
    early = expected.early.get(len(found) - 1)
    # What OPTIONS gets is known without its body as well.
    if early is not None and (found[-1] >= 400 or (early, found[-1]) == ("OPTIONS", 204)):
        assert all(200 <= status < 500 for status in found)
        return
    if expected.refused is not None:
        assert found[-1] == expected.refused
        found = found[:-1]
    assert len(found) == len(expected.methods)
    assert all(200 <= status < 500 for status in found)


def still_answers(place: Place) -> bool:
    """Whether the next client is served."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS_MAX)
        client.connect(str(place.path))
        client.sendall(get("/a.txt"))
        return read_until(client, b"abcdefghij").startswith(b"HTTP/1.1 200 ")


def assert_nothing_left(place: Place, talk_often: Callable[[], None]) -> None:
    """After clients have talked the next one is served, and no more is there than before."""
    counts = Counts(place.node)
    talk_often()
    assert still_answers(place)
    assert counts.left() == {}


def test_requests_good_and_bad_cut_anywhere_get_the_answers_due_and_leave_nothing(
    place: Place,
) -> None:
    @settings(PATIENT, max_examples=EXAMPLES)
    @given(talks())
    def hold(pieces: list[bytes]) -> None:
        check(place, pieces)

    assert_nothing_left(place, hold)


def test_garbage_is_refused_and_leaves_nothing(place: Place) -> None:
    @settings(PATIENT, max_examples=EXAMPLES // 2)
    @given(st.lists(st.binary(max_size=200), max_size=3))
    def hold(pieces: list[bytes]) -> None:
        check(place, pieces)

    assert_nothing_left(place, hold)


def test_clients_that_go_at_any_byte_leave_nothing(place: Place) -> None:
    data = b"".join((
        get("/a.txt"), get("/stream"),
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        chunked([b"abc", b"defg"]), get("/echo"),
    ))  # fmt: skip
    counts = Counts(place.node)
    for end in range(0, len(data), 3):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS_MAX)
            client.connect(str(place.path))
            client.sendall(data[:end])
    assert still_answers(place)
    assert counts.left() == {}
