"""Requests in a row, cut anywhere, and what ends them: RFC 9112, sections 8 and 9.3."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import OutOfTurnError
from apps.http.syntax.fields import Fields
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import (
    CLOSED,
    NEED_DATA,
    BodyData,
    BodyEnd,
    Rejected,
    RequestHead,
    RequestReader,
)
from tests.http.syntax.reading import (
    chunked,
    of_length,
    read,
    read_pieces,
    request,
    single,
    take,
)

END = BodyEnd(Fields())


def test_9_3_2_requests_come_in_their_order() -> None:
    data = (
        request(first=b"GET /1 HTTP/1.1") + chunked(b"1\r\nx\r\n0\r\n\r\n") + of_length(b"1", b"y")
    )
    events = read(data)
    assert read_pieces(single(data)) == events
    assert [type(event) for event in events] == [
        *[RequestHead, BodyEnd],
        *[RequestHead, BodyData, BodyEnd],
        *[RequestHead, BodyData, BodyEnd],
    ]


def test_a_bad_request_leaves_the_good_one_before_it_alone() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(request() + b"BAD\r\n\r\n" + request())
    assert isinstance(reader.next_event(), RequestHead)
    assert reader.next_event() == END
    refusal = reader.next_event()
    assert isinstance(refusal, Rejected)
    assert refusal.status == 400
    assert reader.next_event() is CLOSED


def test_a_request_that_came_in_pieces_says_nothing_about_the_next() -> None:
    long = request(b"A: " + b"b" * 100 + b"\r\n")
    whole = read(long + request() + request())
    assert len(whole) == 6
    for cut in range(1, len(long) + 1):
        assert read_pieces([long[:cut], long[cut:] + request() + request()]) == whole


def test_the_next_request_stays_unparsed_until_it_is_asked_for() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(request() + request())
    reader.next_event()
    assert reader.unread == len(request())
    assert reader.next_event() == END
    assert reader.unread == len(request())


def test_a_reader_says_when_no_more_should_be_received() -> None:
    limits = HttpLimits(head_bytes_max=20_000, unread_bytes_max=20_000)
    reader = RequestReader(limits)
    reader.receive(request())
    reader.receive(b"\r\n" * 9_950)
    assert not reader.full
    reader.receive(b"\r\n" * 50)
    assert reader.full


def test_after_a_refusal_nothing_is_kept() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(b"BAD\r\n\r\n" + request())
    assert isinstance(take(reader)[0], Rejected)
    reader.receive(request() * 100)
    assert reader.unread == 0
    assert reader.next_event() is CLOSED


def test_8_the_end_between_requests_closes() -> None:
    assert read(b"", end=True) == [CLOSED]
    assert read(request() + b"\r\n", end=True)[2:] == [CLOSED]


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        request()[:-1],
        of_length(b"5", b"hell"),
        chunked(b""),
        chunked(b"5\r\nhe"),
        chunked(b"5\r\nhello"),
        chunked(b"5\r\nhello\r\n0\r\n"),
        chunked(b"0\r\nA: b\r\n"),
    ],
)
def test_8_a_request_that_ends_early_is_refused(data: bytes) -> None:
    refusal, closed = read(data, end=True)[-2:]
    assert refusal == Rejected(400, "the request ended before it was whole")
    assert closed is CLOSED


def test_what_came_before_the_end_is_still_read() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(request() + request())
    reader.receive(b"")
    assert len(take(reader)) == 5


def test_nothing_may_come_after_the_end() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(b"")
    with pytest.raises(OutOfTurnError, match="after the end"):
        reader.receive(b"a")


SWITCH = request(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")


def test_an_upgrade_hands_out_what_was_not_read() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(SWITCH + b"\x81\x05hello")
    assert len([reader.next_event(), reader.next_event()]) == 2
    assert reader.upgrade() == b"\x81\x05hello"
    assert reader.next_event() is CLOSED
    reader.receive(b"more")
    assert reader.unread == 0


def test_an_upgrade_waits_for_the_end_of_the_body() -> None:
    for start in (SWITCH, chunked(b""), of_length(b"5", b"he")):
        reader = RequestReader(HttpLimits())
        reader.receive(start)
        assert isinstance(reader.next_event(), RequestHead)
        with pytest.raises(OutOfTurnError, match="before the end of the request's body"):
            reader.upgrade()


def test_a_body_is_given_out_as_it_comes() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(of_length(b"5", b"he"))
    reader.next_event()
    assert reader.next_event() == BodyData(b"he")
    assert reader.next_event() is NEED_DATA
    reader.receive(b"llo")
    assert reader.next_event() == BodyData(b"llo")
    assert reader.next_event() == END


PARTS = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"GET / HTTP/1.3\r\n",
    b"get / HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"CONNECT a:80 HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Host: b:80\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade, keep-alive\r\n",
    b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"A: b\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"hello",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\0",
    b"\xff",
    b"a",
]
STREAMS = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PARTS), max_size=20).map(b"".join),
    st.lists(
        st.sampled_from([request(), SWITCH, chunked(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n")])
        | st.sampled_from([of_length(b"5", b"hello"), chunked(b"z\r\n"), of_length(b"5", b"hell")])
        | st.sampled_from(PARTS),
        max_size=6,
    ).map(b"".join),
)
LITTLE = HttpLimits(
    method_bytes_max=8,
    target_bytes_max=10,
    field_bytes_max=30,
    head_bytes_max=80,
    fields_max=4,
    trailers_max=1,
    body_bytes_max=12,
    unread_bytes_max=80,
)


@given(STREAMS, st.lists(st.integers(0, 400), max_size=6), st.sampled_from([HttpLimits(), LITTLE]))
def test_the_events_do_not_depend_on_the_cuts(
    data: bytes, places: list[int], limits: HttpLimits
) -> None:
    cuts = sorted({0, len(data), *(place for place in places if place < len(data))})
    pieces = [data[start:stop] for start, stop in itertools.pairwise(cuts)]
    whole = read(data, limits, end=True)
    assert read_pieces(pieces, limits, end=True) == whole
    assert read_pieces(single(data), limits, end=True) == whole


@given(STREAMS)
def test_any_bytes_give_events_in_their_order(data: bytes) -> None:
    events = read(data, end=True)
    assert events[-1] is CLOSED
    inside = False
    for event in events[:-1]:
        if isinstance(event, RequestHead):
            assert not inside
        elif isinstance(event, Rejected):
            assert event is events[-2]
            assert event.status in (400, 413, 414, 417, 431, 501, 505)
        else:
            assert inside
        inside = isinstance(event, RequestHead | BodyData)


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=60))
def test_smuggling_a_body_is_never_read_as_a_request(body: bytes, rest: bytes) -> None:
    # What a body holds, even a whole request, stays a body, whichever way it is delimited.
    inner = request() + body
    by_length = of_length(b"%d" % len(inner), inner)
    by_chunks = chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner))
    for data in (by_length, by_chunks):
        events = read(data + rest)
        assert events[1:3] == [BodyData(inner), END]
