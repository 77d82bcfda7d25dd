"""Heads that are known by their bytes mean what they meant when they were read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import OutOfTurnError, RequestRejected
from apps.http.syntax.heads import (
    KNOWN_BLOCKS_MAX,
    KNOWN_BYTES_MAX,
    KNOWN_HEADS_MAX,
    KNOWN_PARTS_MAX,
    HeadParser,
    KnownHeads,
)
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import (
    CLOSED,
    KEPT_OF,
    NEED_DATA,
    BodyEnd,
    RequestEvent,
    RequestHead,
    RequestReader,
)
from tests.http.syntax.reading import chunked, of_length, request, take

PLAIN = request()
FIRST_LINES = (
    b"HEAD /a%20b?x=1 HTTP/1.1", b"GET /other?x=1 HTTP/1.1", b"GET /%2e%2e/a/./b HTTP/1.1",
    b"GET /a%2fb HTTP/1.1", b'GET /a"b HTTP/1.1', b"GET /a[b]^ HTTP/1.1", b"GET * HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"GET http://b.example/ HTTP/1.1", b"CONNECT b.example:443 HTTP/1.1",
    b"POST /a HTTP/1.1", b"GET /later HTTP/1.2", b"GET /two HTTP/2.0", b"GET /old HTTP/1.0",
)  # fmt: skip

REQUESTS = (
    PLAIN,
    *[request(first=line) for line in FIRST_LINES],
    request(b"Connection: close\r\n"),
    request(b"Cookie: a=b\r\n"),
    request(b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
    request(b"Bad Name: x\r\n"),
    b"\r\n" + PLAIN,
    PLAIN.replace(b"\r\n", b"\n"),
    of_length(b"3", b"abc"),
    of_length(b"0"),
    chunked(b"1\r\nx\r\n0\r\n\r\n"),
)


def parsed(data: bytes) -> RequestHead:
    """What a head asks for."""
    return HeadParser(HttpLimits()).parse(data)


def known_with(*heads: bytes) -> KnownHeads:
    """Heads that came before."""
    known = KnownHeads()
    for data in heads:
        known.keep(data, parsed(data))
    return known


def events(pieces: list[bytes], known: KnownHeads | None) -> list[RequestEvent]:
    """What bytes in pieces mean."""
    reader = RequestReader(HttpLimits(), known)
    found = []
    for piece in pieces:
        reader.receive(piece)
        found += take(reader)
    reader.receive(b"")
    return found + take(reader)


@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=5),
    joined=st.booleans(),
    cuts=st.lists(st.integers(1, 200), max_size=3),
)
def test_the_events_are_the_same_with_known_heads_and_without(
    requests: list[bytes], joined: bool, cuts: list[int]
) -> None:
    pieces = [b"".join(requests)] if joined else list(requests)
    for cut in cuts:
        pieces = [part for piece in pieces for part in (piece[:cut], piece[cut:]) if part]
    known = KnownHeads()
    fresh = events(pieces, None)
    assert events(pieces, known) == fresh
    assert events(pieces, known) == fresh  # by this time all are known


def test_a_head_that_is_known_is_not_read_again() -> None:
    known = known_with(PLAIN)
    other = parsed(request(first=b"GET /other HTTP/1.1"))
    known.keep(PLAIN, other)
    assert events([PLAIN], known)[0] == other


def test_each_request_has_a_head_of_its_own() -> None:
    known = known_with(PLAIN)
    first, second = known.get(PLAIN), known.get(PLAIN)
    assert first == second and first is not second and type(first) is RequestHead


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "Cookie"])
def test_a_head_with_a_secret_in_it_is_not_kept(name: str) -> None:
    data = request(f"{name}: Basic c2VjcmV0\r\n".encode())
    assert known_with(data).get(data) is None


def test_a_large_head_is_not_kept() -> None:
    data = request(b"X: " + b"x" * KNOWN_BYTES_MAX + b"\r\n")
    assert known_with(data).get(data) is None


@pytest.mark.parametrize(
    "data",
    [
        request(b"".join(b"x%d:\r\n" % number for number in range(KNOWN_PARTS_MAX))),
        request(first=b"GET " + b"/xy" * KNOWN_PARTS_MAX + b" HTTP/1.1"),
    ],
    ids=["fields", "names"],
)
def test_a_small_head_that_takes_much_memory_is_not_kept(data: bytes) -> None:
    assert len(data) <= KNOWN_BYTES_MAX
    assert known_with(data).get(data) is None


def test_how_many_heads_are_kept_is_bounded() -> None:
    heads = [request(first=b"GET /%d HTTP/1.1" % n) for n in range(3 * KNOWN_HEADS_MAX)]
    known = known_with(*heads)
    kept = sum(known.get(data) is not None for data in heads)
    assert KNOWN_HEADS_MAX <= kept <= 2 * KNOWN_HEADS_MAX


def test_a_head_that_is_asked_for_stays_while_others_go() -> None:
    known = known_with(PLAIN)
    for number in range(3 * KNOWN_HEADS_MAX):
        data = request(first=b"GET /%d HTTP/1.1" % number)
        known.keep(data, parsed(data))
        assert known.get(PLAIN) is not None


def asked_for(count: int, known: KnownHeads) -> list[bytes]:
    """So many requests of one connection, each for another address."""
    heads = [request(first=b"GET /%d HTTP/1.1" % number) for number in range(count)]
    events(heads, known)
    return heads


def test_of_the_heads_that_a_connection_sends_once_few_are_kept() -> None:
    known = KnownHeads()
    kept = [known.get(data) is not None for data in asked_for(3 * KEPT_OF, known)]
    assert kept == ([True] + [False] * (KEPT_OF - 1)) * 3


def test_each_of_a_few_heads_that_come_again_and_again_is_known_soon() -> None:
    known = KnownHeads()
    heads = asked_for(KEPT_OF, known)
    events(heads * KEPT_OF * 3, known)
    assert all(known.get(data) is not None for data in heads)


# --- the field lines alone --------------------------------------------------------------------


def read_after(data: bytes, first: bytes, limits: HttpLimits | None = None) -> RequestHead:
    """What a request line means behind a head with the same field lines, which are known.

    They are known to be those of another host, so that it is seen who has read them.
    """
    limits, known = limits or HttpLimits(), KnownHeads()
    method, block = data.split(b" ")[0], data.partition(b"\r\n")[2]
    other = HeadParser(limits).parse(data.replace(b"a.example", b"other.example"))
    known.keep_block(method, block, other)
    return HeadParser(limits, known).parse(first + b"\r\n" + block)


def test_field_lines_that_are_known_are_not_read_again_for_another_target() -> None:
    head = read_after(PLAIN, b"GET /b/%41?c HTTP/1.1")
    assert head.target.host == "other.example"
    assert (head.target.path, head.target.query) == (("b", "A"), "c")


@pytest.mark.parametrize(
    "first",
    [
        b"HEAD / HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET / HTTP/1.9",
        b"GET /a[b] HTTP/1.1",
        b"DELETE / HTTP/1.1",
    ],
)
def test_the_whole_head_is_read_where_more_than_a_plain_target_differs(first: bytes) -> None:
    assert read_after(PLAIN, first).target.host == "a.example"


@pytest.mark.parametrize(
    "data",
    [
        request(first=b"POST / HTTP/1.1"),
        request(first=b"GET http://a.example/ HTTP/1.1"),
        request(first=b"GET / HTTP/1.0"),
        request(b"Connection: close\r\n"),
        request(b"Connection: Upgrade\r\nUpgrade: x\r\n"),
        request(b"Content-Length: 0\r\n"),
        request(b"Cookie: a=b\r\n"),
        request(b"X: " + b"x" * KNOWN_BYTES_MAX + b"\r\n"),
        request(b"".join(b"x%d:\r\n" % number for number in range(KNOWN_PARTS_MAX))),
    ],
    ids=["post", "absolute", "1.0", "close", "upgrade", "body", "secret", "large", "parts"],
)
def test_field_lines_are_not_kept_where_they_may_mean_another_thing(data: bytes) -> None:
    first = data.partition(b"\r\n")[0]
    assert read_after(data, first).target.host == "a.example"


def test_how_many_blocks_of_field_lines_are_kept_is_bounded() -> None:
    known = KnownHeads()
    blocks = [request(b"X: %d\r\n" % n) for n in range(3 * KNOWN_BLOCKS_MAX)]
    for data in blocks:
        known.keep_block(b"GET", data, parsed(data))
        assert known.alike(b"GET", blocks[0]) is not None  # what is asked for stays
    kept = sum(known.alike(b"GET", data) is not None for data in blocks)
    assert KNOWN_BLOCKS_MAX <= kept <= 2 * KNOWN_BLOCKS_MAX


def test_a_target_that_is_too_long_is_refused_behind_known_field_lines() -> None:
    with pytest.raises(RequestRejected) as caught:
        read_after(PLAIN, b"GET /%b HTTP/1.1" % (b"a" * 300), HttpLimits(target_bytes_max=256))
    assert caught.value.status == 414


def test_the_end_of_a_request_without_body_can_be_skipped() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(PLAIN + PLAIN)
    reader.next_event()
    reader.skip_end()
    assert type(reader.next_event()) is RequestHead
    assert type(reader.next_event()) is BodyEnd
    assert reader.next_event() is NEED_DATA


def test_the_last_request_is_the_last_where_its_end_is_skipped() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(request(b"Connection: close\r\n") + PLAIN)
    reader.next_event()
    reader.skip_end()
    assert reader.next_event() is CLOSED


@pytest.mark.parametrize("data", [b"", of_length(b"3", b"abc"), chunked(b"0\r\n\r\n")])
def test_no_end_is_skipped_that_is_not_next(data: bytes) -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(data or PLAIN)
    if data:
        reader.next_event()
    with pytest.raises(OutOfTurnError, match=r"skip_end\(\) after"):
        reader.skip_end()
