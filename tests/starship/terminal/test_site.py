"""The HTTP side: addresses, cookies, and servers that answer anything at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.starship.errors import BadAddress, NoAnswer
from apps.starship.terminal.address import read_address
from apps.starship.terminal.session import Fetch, Post
from apps.starship.terminal.site import (
    Answered,
    Coming,
    Fetched,
    Lost,
    Missing,
    Site,
    Steps,
)
from tests.starship.terminal.answering import Answering, answer
from tests.starship.terminal.example import example

FETCH = Fetch("Lexington", "", "300", False)
ORDER = Post("order", {"ship": "Lexington", "command": "distress", "args": [], "key": "k"})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("localhost:4321", "http://localhost:4321"),
        ("http://localhost:4321/", "http://localhost:4321"),
        ("https://game.example/starshipLogin.html", "https://game.example:443"),
        ("game.example", "http://game.example:80"),
        ("http://[::1]:4321", "http://[::1]:4321"),
    ],
)
def test_an_address_is_where_a_url_leads(url: str, address: str) -> None:
    assert str(read_address(url)) == address


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://game", "http://", "http://h:99999", "http://[::1", "http://a b/", "http://a..b",
        f"http://{'a' * 64}.org", "http://h:0", "http://me:secret@h:4321",
    ],
)  # fmt: skip
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(BadAddress, match=r"URL|blanks"):
        read_address(url)


@contextmanager
def site(
    *answers: bytes, cookies: dict[str, str] | None = None
) -> Iterator[tuple[Site, Answering]]:
    server = Answering(list(answers))
    made = Site(read_address(server.url), cookies)
    try:
        yield made, server
    finally:
        made.close()
        server.close()


def test_a_state_is_asked_for_with_target_and_radius() -> None:
    with site(answer(200, example())) as (made, server):
        assert made.ask(Fetch("Lexington", "Gath", "500", True)) == Fetched(example())
    head = server.requests[0].split(b"\r\n")[0]
    assert head == (
        b"GET /starship/state.json?ship=Lexington&target=Gath&radius=500&mode=scan HTTP/1.1"
    )


def test_an_order_is_sent_as_json() -> None:
    told = {"ok": True, "code": "", "text": "", "left": 2, "step": 9}
    with site(answer(200, told)) as (made, server):
        assert made.ask(ORDER) == Answered(ORDER, told)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /starship/order HTTP/1.1")
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == ORDER.fields


def test_a_refusal_is_an_answer_whatever_its_status() -> None:
    told = {"ok": False, "code": "E_LIMIT", "text": "Only 3 orders per step.", "left": 0}
    with site(answer(409, told)) as (made, _):
        assert made.ask(ORDER) == Answered(ORDER, told)


def test_cookies_are_kept_and_sent_back() -> None:
    first = answer(200, {"ok": True}, "Set-Cookie: starship-captain=abc; Path=/; HttpOnly")
    with site(first, answer(200, {"ok": True})) as (made, server):
        made.ask(ORDER)
        assert made.cookies == {"starship-captain": "abc"}
        made.ask(ORDER)
    assert b"Cookie: starship-captain=abc\r\n" in server.requests[1]


@pytest.mark.parametrize(
    "field",
    [
        'a="x\\015\\012Host: elsewhere"',
        f"a={'x' * 5_000}",
        f"{'a' * 5_000}=x",
        "a=\x1b[2J",
    ],
    ids=["line", "long", "long-name", "escape"],
)
def test_a_cookie_that_no_request_can_have_hurts_nobody(field: str) -> None:
    fields = [f"Set-Cookie: {field}", "Set-Cookie: good=1"]
    with site(answer(200, example(), *fields), answer(200, example())) as (made, server):
        assert made.ask(FETCH) == made.ask(FETCH) == Fetched(example())
    assert b"\r\nCookie: good=1\r\n" in server.requests[1]


def test_a_cookie_that_is_over_is_forgotten() -> None:
    gone = answer(200, example(), "Set-Cookie: a=; Max-Age=0")
    with site(gone, cookies={"a": "1", "b": "2"}) as (made, _server):
        made.ask(FETCH)
    assert made.cookies == {"b": "2"}


def test_a_name_that_no_request_can_have_is_missing() -> None:
    with site(answer(404, {})) as (made, _server):
        assert made.ask(Fetch("\ud800", "", "300", only_scan=False)) == Missing("\ud800")


@pytest.mark.parametrize(
    ("next_in", "seconds"), [(b"4.5", 4.5), (b"1" + b"0" * 400, 1.0), (b"NaN", 1.0), (b"-5", 1.0)]
)
def test_when_a_ship_comes_is_believed_within_bounds(next_in: bytes, seconds: float) -> None:
    with site(answer(202, b'{"coming": true, "next_in": ' + next_in + b"}")) as (made, _server):
        assert made.ask(FETCH) == Coming(seconds)


def test_a_server_cannot_fill_the_memory_with_cookies() -> None:
    many = [f"Set-Cookie: c{n}={n}" for n in range(60)]
    with site(answer(200, {"ok": True}, *many, f"Set-Cookie: c0={'x' * 5_000}")) as (made, _):
        made.ask(ORDER)
    assert len(made.cookies) == 20 and made.cookies["c0"] == "0"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (answer(404, {"ok": False}), Missing("Lexington")),
        (answer(404, b"<html>"), Lost("it answers 404")),
        (answer(202, {"coming": "Lexington", "next_in": 3.5}), Coming(3.5)),
        (answer(503, {"ok": False, "text": "Starting."}), Lost("Starting.")),
        (answer(500, b"oh"), Lost("it answers 500")),
        (answer(200, b"<html>"), Lost("it answers 200")),
        (answer(200, []), Lost("it answers 200")),
        (answer(200, b"[" * 100_000), Lost("it answers 200")),
    ],
    ids=["missing", "no game", "coming", "starting", "broken", "html", "list", "nested"],
)  # fmt: skip
def test_what_comes_instead_of_a_state_is_told(reply: bytes, found: object) -> None:
    with site(reply) as (made, _):
        assert made.ask(FETCH) == found


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"\x00" * 70_000],
    ids=["nothing", "ssh", "cut", "zeros"],
)
def test_what_is_no_http_is_no_answer(reply: bytes) -> None:
    with site(reply) as (made, _):
        assert isinstance(made.ask(FETCH), Lost)


def test_who_asks_too_often_is_told_to_wait() -> None:
    with site(answer(429, b"slow down")) as (made, _):
        found = made.ask(ORDER)
    assert isinstance(found, Answered) and found.answer["text"] == "Not so fast: wait a little."


def test_a_server_that_is_not_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert Site(read_address(f"127.0.0.1:{port}")).ask(FETCH) == Lost("nobody listens there")


def test_a_connection_that_died_meanwhile_is_made_anew() -> None:
    kept = answer(200, {"ok": True}).replace(b"Connection: close\r\n", b"")
    with site(kept, kept) as (made, server):
        assert isinstance(made.ask(ORDER), Answered)  # and the server hangs up
        assert isinstance(made.ask(ORDER), Answered)
    assert len(server.requests) == 2


def test_steps_are_read_as_they_come_and_everything_else_is_passed_over() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    body = b': comment\nretry: 3\n\ndata: {"step":7}\n\n'
    body += b'data: nonsense\ndata: [1]\ndata: {"step":8}\n\n'
    with site(head + body) as (made, server):
        steps = Steps(made)
        found = []
        with pytest.raises(NoAnswer, match=r"the stream ended"):
            for event in steps.read():
                found.append(event)
    assert found == [{"step": 7}, {"step": 8}]
    assert server.requests[0].startswith(b"GET /starship/events?watch=1 HTTP/1.1")


def test_a_stream_that_is_refused_is_no_answer() -> None:
    with site(answer(503, b"full")) as (made, _), pytest.raises(NoAnswer, match=r"503"):
        next(Steps(made).read())
