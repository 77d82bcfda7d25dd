"""Bodies of requests, of a length and in chunks: RFC 9112, sections 6 and 7."""

from __future__ import annotations

import pytest

from apps.http.syntax.fields import Fields
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import (
    CHUNKED,
    CLOSED,
    NO_BODY,
    BodyData,
    BodyEnd,
    Rejected,
    RequestEvent,
    RequestReader,
)
from tests.http.syntax.reading import (
    CHUNKS,
    POST,
    chunked,
    of_length,
    read,
    read_head,
    read_pieces,
    rejected,
    request,
    single,
    status_of,
    take,
)

END = BodyEnd(Fields())
TIGHT = HttpLimits(
    body_bytes_max=10,
    trailers_max=2,
    trailer_bytes_max=30,
    chunk_extension_bytes_max=8,
    chunk_extensions_bytes_max=16,
)


def body_events(data: bytes, limits: HttpLimits | None = None) -> list[RequestEvent]:
    """The events after the head, the same whole and one byte at a time."""
    events = read(data, limits)
    assert read_pieces(single(data), limits) == events
    return events[1:]


def test_6_3_a_request_without_either_field_has_no_body() -> None:
    assert read_head(request(first=POST)).body is NO_BODY
    assert body_events(request(first=POST)) == [END]


def test_6_3_a_body_of_a_length() -> None:
    data = of_length(b"5", b"hello")
    assert read_head(data).body == 5
    assert body_events(data) == [BodyData(b"hello"), END]


@pytest.mark.parametrize("length", [b"0", b"000", pytest.param(b"0" * 5000, id="5000 zeros")])
def test_a_body_of_no_bytes_is_announced_but_empty(length: bytes) -> None:
    assert read_head(of_length(length)).body == 0
    assert body_events(of_length(length)) == [END]


def test_8_6_leading_zeros_are_digits() -> None:
    assert body_events(of_length(b"005", b"hello")) == [BodyData(b"hello"), END]


@pytest.mark.parametrize(
    "length",
    [
        b"",
        b"+5",
        b"-5",
        b"5 5",
        b"5,5",
        b"5, 5",
        b"0x5",
        b"5a",
        b"5.0",
        b"1_0",
        b'"5"',
        b"\xb2",
        b"\xb25",
        b"5;a",
        b"five",
        b"1e3",
        b"5\t5",
        b",5",
        b"5,",
    ],
)
def test_9110_8_6_a_malformed_length_gets_400(length: bytes) -> None:
    assert status_of(of_length(length, b"hello")) == 400


@pytest.mark.parametrize("second", [b"5", b"6", b"0"])
def test_6_3_a_repeated_length_gets_400_even_where_it_agrees(second: bytes) -> None:
    lines = b"Content-Length: 5\r\nA: b\r\ncontent-length: " + second + b"\r\n"
    refusal = rejected(request(lines, first=POST, body=b"hello!"))
    assert refusal == Rejected(400, "the field Content-Length stands more than once")


@pytest.mark.parametrize(
    "lines",
    [CHUNKS + b"Content-Length: 5\r\n", b"content-length: 5\r\nTRANSFER-ENCODING: chunked\r\n"],
)
def test_6_1_length_and_chunked_together_get_400(lines: bytes) -> None:
    refusal = rejected(chunked(b"0\r\n\r\n", lines))
    assert refusal.status == 400
    assert "Content-Length and Transfer-Encoding stand together" in refusal.explain


@pytest.mark.parametrize(
    "length", [b"11", b"99999999999999999999999", pytest.param(b"9" * 5000, id="5000 digits")]
)
def test_9110_15_5_14_a_larger_body_than_may_be_gets_413(length: bytes) -> None:
    assert status_of(of_length(length), TIGHT) == 413
    assert status_of(of_length(b"10", b"a" * 10), TIGHT) == 200


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        (b"chunked", 200),
        (b"Chunked", 200),
        (b" chunked ", 200),
        (b"gzip, chunked", 501),
        (b"x, chunked", 501),
        (b"identity, chunked", 501),
        (b"a;b=c, chunked", 501),
        (b"gzip", 400),
        (b"identity", 400),
        (b"chunked, gzip", 400),
        (b"chunked, identity", 400),
        (b"chunked, chunked", 400),
        (b"chunked;a=b", 400),
        (b"xchunked", 400),
        (b"chunkedx", 400),
        (b"chunk", 400),
        (b'"chunked"', 400),
        (b"chunked chunked", 400),
        (b"chunked\tx", 400),
        (b"", 400),
        (b",", 400),
        (b", chunked", 400),
        (b"chunked,", 400),
        (b"gzip,,chunked", 400),
        (b"\x0bchunked", 400),
        (b"chunked\x00", 400),
        (b"\xa0chunked", 400),
        (b"gzip chunked", 400),
        (b"gzip;chunked", 400),
    ],
)
def test_6_1_transfer_codings(coding: bytes, status: int) -> None:
    assert status_of(chunked(b"0\r\n\r\n", b"Transfer-Encoding:" + coding + b"\r\n")) == status


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (b"gzip", b"chunked", 501),
        (b"chunked", b"chunked", 400),
        (b"chunked", b"gzip", 400),
        (b"chunked", b"identity", 400),
        (b"chunked", b"", 400),
        (b"", b"chunked", 400),
        (b"x", b"y", 400),
    ],
)
def test_6_1_transfer_codings_in_two_lines(first: bytes, second: bytes, status: int) -> None:
    lines = b"Transfer-Encoding: %b\r\nTransfer-Encoding: %b\r\n" % (first, second)
    assert status_of(chunked(b"0\r\n\r\n", lines)) == status


def test_6_1_http_1_0_has_no_transfer_encoding() -> None:
    data = request(CHUNKS, first=b"POST / HTTP/1.0", body=b"0\r\n\r\n")
    assert status_of(data) == 400


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
def test_9110_15_5_12_http_1_0_must_tell_the_length_of_what_it_sends(method: bytes) -> None:
    first = method + b" / HTTP/1.0"
    assert status_of(request(first=first, body=b"a body that ends with the connection")) == 411
    assert read_head(request(b"Content-Length: 0\r\n", first=first)).body == 0
    # In HTTP/1.1 it is clear what follows: nothing (RFC 9112, 6.3).
    assert read_head(request(first=method + b" / HTTP/1.1")).body is NO_BODY


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
def test_9110_8_6_http_1_0_tells_no_length_where_nothing_is_expected(method: bytes) -> None:
    assert read_head(request(first=method + b" / HTTP/1.0")).body is NO_BODY


@pytest.mark.parametrize("lines", [CHUNKS, b"Content-Length: 5\r\n", b"Content-Length: 0\r\n"])
def test_9110_9_3_6_a_connect_request_has_no_body(lines: bytes) -> None:
    assert status_of(request(lines, first=b"CONNECT a.example:80 HTTP/1.1")) == 400
    assert read_head(request(first=b"CONNECT a.example:80 HTTP/1.1")).body is NO_BODY


def test_7_1_chunks_are_joined_to_a_body() -> None:
    data = chunked(b"5\r\nhello\r\nA\r\n, chunks..\r\n0\r\n\r\n")
    assert read_head(data).body is CHUNKED
    assert body_events(data) == [BodyData(b"hello, chunks.."), END]


def test_small_chunks_that_are_there_are_taken_together() -> None:
    reader = RequestReader(HttpLimits())
    reader.receive(chunked(b"1\r\nx\r\n" * 1000 + b"400\r\n" + b"y" * 1024 + b"\r\n0\r\n\r\n"))
    pieces = [event.data for event in take(reader) if isinstance(event, BodyData)]
    assert b"".join(pieces) == b"x" * 1000 + b"y" * 1024
    assert len(pieces) == 1


def test_small_chunks_end_where_a_body_has_its_bound() -> None:
    *before, last = read_pieces([chunked(b"1\r\nx\r\n" * 20)], TIGHT)
    assert before[1:-1] == [BodyData(b"x" * TIGHT.body_bytes_max)]
    assert isinstance(before[-1], Rejected) and before[-1].status == 413 and last is CLOSED


@pytest.mark.parametrize("tail", [b"1\r\nxx", b"1\r\nx\n", b"1\nx", b"g\r\n", b"\r\n"])
def test_what_is_wrong_behind_small_chunks_is_told_after_them(tail: bytes) -> None:
    data = chunked(b"1\r\nx\r\n" * 3 + tail)
    at_once = read_pieces([data])
    assert at_once == read_pieces(single(data))
    assert [event.status for event in at_once if isinstance(event, Rejected)] == [400]


@pytest.mark.parametrize(
    "size", [b"5", b"05", b"0000000000000005", b"5;a", b"5;a=b", b'5;a="b;\\""']
)
def test_7_1_1_sizes_and_extensions_that_are_good(size: bytes) -> None:
    assert body_events(chunked(size + b"\r\nhello\r\n0\r\n\r\n")) == [BodyData(b"hello"), END]


def test_7_1_1_blanks_around_the_signs_of_an_extension_are_read_over() -> None:
    assert body_events(chunked(b"5 ; a = b ;c\r\nhello\r\n0 ;x\r\n\r\n")) == [
        BodyData(b"hello"),
        END,
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" 5",
        b"5 ",
        b"5\t",
        b"+5",
        b"-5",
        b"0x5",
        b"5_",
        b"5h",
        b"h",
        b"5.",
        b"5,",
        b"\x005",
        b"5;",
        b"5;a=",
        b"5;=b",
        b"5;a b",
        b'5;a="b',
        b"5;a\x00",
        b"5\r",
        b"5;a\rb",
        b"5;;a",
        b"5;a=b=c",
        b"00000000000000005",
        b"10000000000000000",
        b"\xb25",
        b"5;a\xe4",
    ],
)
def test_7_1_a_malformed_size_line_gets_400(line: bytes) -> None:
    assert status_of(chunked(line + b"\r\nhello\r\n0\r\n\r\n")) == 400


@pytest.mark.parametrize("line", [b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n"])
def test_7_1_a_bare_line_feed_ends_no_line_of_a_chunk(line: bytes) -> None:
    assert status_of(chunked(line)) == 400


@pytest.mark.parametrize("tail", [b"x\r\n", b"\rx", b"\n", b"\r\r\n", b"0\r\n\r\n"])
def test_7_1_a_chunk_ends_where_its_size_says(tail: bytes) -> None:
    assert status_of(chunked(b"5\r\nhello" + tail)) == 400


def test_7_1_chunks_that_are_larger_than_a_body_may_be_get_413() -> None:
    assert status_of(chunked(b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"), TIGHT) == 200
    assert status_of(chunked(b"5\r\nhello\r\n6\r\n"), TIGHT) == 413
    assert status_of(chunked(b"ffffffffffffffff\r\n")) == 413


def test_7_1_1_extensions_of_a_chunk_have_a_bound() -> None:
    assert status_of(chunked(b"1;aaaaaaa\r\nx\r\n0\r\n\r\n"), TIGHT) == 200
    assert status_of(chunked(b"1;aaaaaaaa\r\nx\r\n0\r\n\r\n"), TIGHT) == 400
    assert status_of(chunked(b"1;" + b"a" * 1000), TIGHT) == 400


def test_7_1_1_extensions_of_all_chunks_together_have_a_bound() -> None:
    assert status_of(chunked(b"1;aaaaaaa\r\nx\r\n" * 2 + b"0\r\n\r\n"), TIGHT) == 200
    assert status_of(chunked(b"1;aaaaaaa\r\nx\r\n" * 2 + b"0;a\r\n\r\n"), TIGHT) == 400


def test_7_1_2_trailers_come_with_the_end_and_apart_from_the_head() -> None:
    data = chunked(b"1\r\nx\r\n0\r\nDigest: abc \r\nHost: evil\r\n\r\n")
    assert body_events(data) == [
        BodyData(b"x"),
        BodyEnd(Fields([("Digest", "abc"), ("Host", "evil")])),
    ]
    assert read_head(data).fields.get("Host") == "a.example"


@pytest.mark.parametrize(
    "line", [b"A : b", b" A: b", b"A", b": b", b"A: b\0", b"A: b\r", b"A: b\n"]
)
def test_7_1_2_malformed_trailers_get_400(line: bytes) -> None:
    assert status_of(chunked(b"0\r\n" + line + b"\r\n\r\n")) == 400


def test_7_1_2_trailers_have_a_bound_in_number_and_bytes() -> None:
    assert status_of(chunked(b"0\r\n" + b"A: b\r\n" * 2 + b"\r\n"), TIGHT) == 200
    assert status_of(chunked(b"0\r\n" + b"A: b\r\n" * 3 + b"\r\n"), TIGHT) == 431
    assert status_of(chunked(b"0\r\nA: " + b"b" * 23 + b"\r\n\r\n"), TIGHT) == 200
    assert status_of(chunked(b"0\r\nA: " + b"b" * 24 + b"\r\n\r\n"), TIGHT) == 431
    assert status_of(chunked(b"0\r\nA: " + b"b" * 900), TIGHT) == 431
