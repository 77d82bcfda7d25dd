"""Answers: RFC 9112, sections 4, 6, 7 and 9, and RFC 9110, sections 6, 8.6, 9.3.2 and 15."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from httptools import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import AnswerError, OutOfTurnError
from apps.http.syntax.answers import REASONS, AnswerWriter, DateCache
from apps.http.syntax.fields import Fields, canonical_name
from tests.http.syntax.reading import read_head, request

NOW = 784_111_777.9
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
PLAIN = [("Content-Type", "text/plain")]


def writer(lines: bytes = b"", first: bytes = b"GET / HTTP/1.1") -> AnswerWriter:
    """A writer that has begun with a request."""
    fresh = AnswerWriter(DateCache())
    fresh.begin(read_head(request(lines, first=first)))
    return fresh


def head(
    status: int = 200, fields: Any = (), *, first: bytes = b"GET / HTTP/1.1", **more: Any
) -> bytes:
    """The head of an answer, its Date left out."""
    found = writer(first=first).head(status, fields, NOW, **more)
    assert found.count(DATE) == 1
    return found.replace(DATE, b"")


def refuse(status: int, fields: Any = (), *, first: bytes = b"GET / HTTP/1.1", **more: Any) -> str:
    """Why an answer cannot be sent; another one can be, in its place."""
    fresh = writer(first=first)
    with pytest.raises(AnswerError) as caught:
        fresh.head(status, fields, NOW, **more)
    assert fresh.whole(500, [], b"", NOW).startswith(b"HTTP/1.1 500 ")
    return str(caught.value)


HEAD = b"HEAD / HTTP/1.1"
OLD = b"GET / HTTP/1.0"


def test_an_answer_at_hand_is_written_whole() -> None:
    fields = [*PLAIN, ("X-own", " a ")]
    assert writer().whole(200, fields, b"hello", NOW) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Own: a\r\nContent-Length: 5\r\n"
        + DATE
        + b"\r\nhello"
    )


def test_fields_may_come_as_fields() -> None:
    assert head(fields=Fields(PLAIN), length=0) == head(fields=PLAIN, length=0)


def test_6_3_a_length_that_is_known_is_told() -> None:
    assert head(length=7) == b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    assert head(fields=[("content-LENGTH", "7")]) == head(length=7)
    assert head(fields=[("Content-Length", "7")], length=7) == head(length=7)


def test_7_1_a_length_that_is_not_known_goes_in_chunks() -> None:
    fresh = writer()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in fresh.head(200, PLAIN, NOW)
    assert b"".join(fresh.data(b"hello, world!!!!")) == b"10\r\nhello, world!!!!\r\n"
    assert fresh.data(b"") == ()
    assert fresh.end() == b"0\r\n\r\n"
    assert fresh.keep_alive


def test_6_1_http_1_0_gets_no_chunks_but_the_end_of_the_connection() -> None:
    fresh = writer(b"Connection: keep-alive\r\n", OLD)
    found = fresh.head(200, PLAIN, NOW)
    assert b"Transfer-Encoding" not in found
    assert b"\r\nConnection: close\r\n" in found
    assert not fresh.keep_alive
    assert fresh.data(b"hello") == (b"hello",)
    assert fresh.end([("A", "b")]) == b""


@pytest.mark.parametrize("first", [OLD, b"GET / HTTP/1.1", b"GET / HTTP/1.7"])
def test_9110_2_5_the_version_is_the_one_of_the_server(first: bytes) -> None:
    assert head(first=first, length=0).startswith(b"HTTP/1.1 200 OK\r\n")


def test_9110_9_3_2_head_gets_the_head_of_get_without_the_body() -> None:
    whole = writer().whole(200, PLAIN, b"hello", NOW)
    assert writer(first=HEAD).whole(200, PLAIN, b"hello", NOW) == whole.removesuffix(b"hello")


def test_9110_9_3_2_the_length_of_a_page_may_answer_head_without_the_page() -> None:
    fields = [("Content-Length", "700")]
    assert b"Content-Length: 700\r\n" in writer(first=HEAD).whole(200, fields, b"", NOW)


def test_9110_9_3_2_a_body_written_for_head_is_not_sent() -> None:
    for length in (None, 3):
        fresh = writer(first=HEAD)
        assert b"Transfer-Encoding" not in fresh.head(200, PLAIN, NOW, length=length)
        assert fresh.data(b"hello") == ()
        assert fresh.end() == b""
        assert fresh.keep_alive


def test_9110_15_4_5_304_has_no_body_and_tells_a_length_only_when_asked_to() -> None:
    assert head(304, [("ETag", '"a"')]) == b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
    assert b"Content-Length: 5\r\n" in head(304, length=5)
    assert writer().whole(304, [], b"", NOW).count(b"Content-Length") == 0


@pytest.mark.parametrize("first", [HEAD, OLD, b"GET / HTTP/1.1"])
def test_9110_8_6_204_has_neither_body_nor_length(first: bytes) -> None:
    fresh = writer(b"Connection: keep-alive\r\n", first)
    found = fresh.whole(204, [], b"", NOW)
    assert b"Content-Length" not in found
    assert b"Transfer-Encoding" not in found
    assert fresh.keep_alive
    assert "an answer 204 has no body" in refuse(204, length=5)


def test_9110_15_3_6_205_has_no_body() -> None:
    assert head(205) == b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"
    assert "an answer 205 has no body" in refuse(205, length=5)


def test_6_1_2xx_to_connect_has_no_framing() -> None:
    assert head(200, first=b"CONNECT a:80 HTTP/1.1") == b"HTTP/1.1 200 OK\r\n\r\n"
    assert b"Content-Length: 3\r\n" in head(
        405, [("Allow", "GET")], length=3, first=b"CONNECT a:80 HTTP/1.1"
    )


@pytest.mark.parametrize(
    ("lines", "first", "option", "kept"),
    [
        (b"", b"GET / HTTP/1.1", None, True),
        (b"Connection: close\r\n", b"GET / HTTP/1.1", b"close", False),
        (b"", OLD, b"close", False),
        (b"Connection: keep-alive\r\n", OLD, b"keep-alive", True),
    ],
)
def test_9_3_the_answer_says_whether_the_connection_persists(
    lines: bytes, first: bytes, option: bytes | None, kept: bool
) -> None:
    fresh = writer(lines, first)
    found = fresh.whole(200, [], b"", NOW)
    assert fresh.keep_alive is kept
    assert found.count(b"Connection: ") == (option is not None)
    assert option is None or b"\r\nConnection: " + option + b"\r\n" in found


@pytest.mark.parametrize(
    ("fields", "close"),
    [([], True), ([("Connection", "close")], False), ([("connection", "a, Close")], False)],
)
def test_9_6_an_author_may_end_the_connection(fields: Any, close: bool) -> None:
    fresh = writer()
    found = fresh.whole(200, fields, b"", NOW, close=close)
    assert b"close\r\n" in found
    assert found.count(b"Connection: ") == 1
    assert not fresh.keep_alive


def test_an_author_cannot_keep_a_connection_that_ends() -> None:
    fresh = writer(first=OLD)
    assert b"\r\nConnection: close\r\n" in fresh.whole(
        200, [("Connection", "keep-alive")], b"", NOW
    )
    assert not fresh.keep_alive


def test_a_rejected_request_gets_an_answer_that_closes() -> None:
    fresh = AnswerWriter(DateCache())
    fresh.begin(None)
    assert b"\r\nConnection: close\r\n" in fresh.whole(400, PLAIN, b"no", NOW)
    assert not fresh.keep_alive
    with pytest.raises(OutOfTurnError, match="after the last one"):
        fresh.begin(None)


def test_9110_6_6_1_a_date_is_formatted_once_a_second() -> None:
    dates = DateCache()
    assert dates.line(NOW).encode() == DATE
    assert dates.line(NOW - 0.9) is dates.line(NOW)
    assert dates.line(NOW + 0.1) == "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


def test_9110_6_6_1_a_date_of_the_author_is_kept() -> None:
    found = writer().head(200, [("date", "Sun, 06 Nov 1994 08:00:00 GMT")], NOW, length=0)
    assert found.count(b"Date: ") == 1
    assert b"Date: Sun, 06 Nov 1994 08:00:00 GMT\r\n" in found


@pytest.mark.parametrize("status", sorted(REASONS))
def test_9110_15_each_registered_status_has_its_phrase(status: int) -> None:
    needed = [("Allow", "GET"), ("WWW-Authenticate", "Basic"), ("Upgrade", "h2c")]
    start = f"HTTP/1.1 {status} {REASONS[status]}\r\n".encode()
    if status < 200 and status != 101:
        assert writer().inform(status).startswith(start)
    else:
        switch = writer(b"Connection: upgrade\r\nUpgrade: h2c\r\n")
        assert switch.head(status, needed, NOW).startswith(start)


@pytest.mark.parametrize("status", [0, 99, 600, 1000, -1])
def test_9110_15_a_status_has_three_digits_up_to_599(status: int) -> None:
    with pytest.raises(AnswerError, match="status"):
        writer().head(status, [], NOW)
    with pytest.raises(AnswerError, match="status"):
        writer().inform(status)


def test_9112_4_a_phrase_may_be_told_or_empty() -> None:
    assert head(299, length=0).startswith(b"HTTP/1.1 299 \r\n")
    assert head(200, length=0, reason="Fine").startswith(b"HTTP/1.1 200 Fine\r\n")
    assert "has a character" in refuse(200, reason="Fine\r\nA: b")


@pytest.mark.parametrize(
    ("status", "name"), [(401, "WWW-Authenticate"), (405, "Allow"), (426, "Upgrade")]
)
def test_9110_15_5_some_statuses_must_have_a_field(status: int, name: str) -> None:
    assert refuse(status, length=0) == f"an answer {status} needs a field {name}"
    assert head(status, [(name.upper(), "a")], length=0)


BAD = [
    "a\r\nb",
    "a\nb",
    "a\rb",
    "a\0b",
    "\x7f",
    "\x01",
    "a\r\n",
    "\r\n\r\n<html>",
    "\u2603",
    "\u010a",
]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", ["Location", "ETag", "X-Own", "Set-Cookie", "Connection", "Date"])
def test_9112_11_1_an_answer_that_would_be_split_is_not_sent(name: str, value: str) -> None:
    if name == "X-Own" and value == "a\r\n":
        value = "\r\n"
    text = refuse(200, [("Vary", "a"), (name, value)], length=0)
    assert f"the value of field {name} has a character" in text


@pytest.mark.parametrize("name", ["", "A:", "A B", "A\r\nB", "\xe4", "Location\r\n", "A\0"])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    assert "is no token" in refuse(200, [(name, "b")], length=0)


@pytest.mark.parametrize("name", ["Age", "X-Own"])
@pytest.mark.parametrize("value", [5, None, b"a"])
def test_a_value_that_is_no_text_is_refused(name: str, value: Any) -> None:
    assert f"the value of field {name} must be text" in refuse(200, [(name, value)], length=0)


@pytest.mark.parametrize("name", ["Transfer-Encoding", "keep-alive"])
def test_the_framing_is_the_servers(name: str) -> None:
    assert "is the server's to set" in refuse(200, [(name, "chunked")], length=0)


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "a", "1, 1", "9" * 20, "\xb2"])
def test_9110_8_6_a_length_is_a_number(value: str) -> None:
    assert "must be a number of bytes" in refuse(200, [("Content-Length", value)])


def test_9110_8_6_lengths_that_do_not_agree_are_refused() -> None:
    assert "Content-Length 4 for a body of 5" in refuse(200, [("Content-Length", "4")], length=5)
    two = [("Content-Length", "4"), ("content-length", "4")]
    assert "stands more than once" in refuse(200, two)


def test_more_bytes_than_the_length_are_not_sent_and_end_the_connection() -> None:
    fresh = writer()
    fresh.head(200, [], NOW, length=5)
    assert fresh.data(b"hell") == (b"hell",)
    with pytest.raises(AnswerError, match="1 bytes more than its length"):
        fresh.data(b"lo")
    assert not fresh.keep_alive
    for method in (fresh.end, lambda: fresh.data(b"o"), lambda: fresh.begin(None)):
        with pytest.raises(OutOfTurnError):
            method()


def test_fewer_bytes_than_the_length_end_the_connection() -> None:
    fresh = writer()
    fresh.head(200, [], NOW, length=5)
    fresh.data(memoryview(b"hell"))
    with pytest.raises(AnswerError, match="lacks 1 bytes"):
        fresh.end()
    assert not fresh.keep_alive


def test_a_body_where_there_is_none_ends_the_connection() -> None:
    fresh = writer()
    fresh.head(204, [], NOW)
    assert fresh.data(b"") == ()
    with pytest.raises(AnswerError, match="a body for an answer that has none"):
        fresh.data(b"a")
    assert not fresh.keep_alive


def test_an_answer_that_cannot_be_completed_is_abandoned() -> None:
    fresh = writer()
    fresh.head(200, [], NOW)
    fresh.abandon()
    assert not fresh.keep_alive
    with pytest.raises(OutOfTurnError):
        fresh.end()


def test_7_1_2_trailers_follow_the_last_chunk() -> None:
    fresh = writer()
    fresh.head(200, [], NOW)
    assert fresh.end([("digest", "abc")]) == b"0\r\nDigest: abc\r\n\r\n"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Set-Cookie", "Host"])
def test_9110_6_5_1_what_decides_about_the_message_is_no_trailer(name: str) -> None:
    fresh = writer()
    fresh.head(200, [], NOW)
    with pytest.raises(AnswerError, match="cannot be a trailer"):
        fresh.end([(name, "1")])
    assert not fresh.keep_alive


@pytest.mark.parametrize("pair", [("A", "b\r\nC: d"), ("A:", "b")])
def test_a_trailer_that_would_split_the_answer_is_not_sent(pair: tuple[str, str]) -> None:
    fresh = writer()
    fresh.head(200, [], NOW)
    with pytest.raises(AnswerError):
        fresh.end([pair])


def test_9110_15_2_1_100_goes_before_the_answer() -> None:
    fresh = writer()
    assert fresh.inform(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (
        fresh.inform(103, [("Link", "</a>")]) == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )
    assert fresh.whole(200, [], b"", NOW).startswith(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(OutOfTurnError):
        fresh.inform(100)


@pytest.mark.parametrize("status", [100, 102, 103])
def test_9110_15_2_http_1_0_gets_no_1xx(status: int) -> None:
    assert writer(b"Connection: keep-alive\r\n", OLD).inform(status) == b""


@pytest.mark.parametrize("status", [101, 200, 99])
def test_only_1xx_goes_before_the_answer(status: int) -> None:
    with pytest.raises(AnswerError, match="none that goes before"):
        writer().inform(status)
    assert "inform" in refuse(100)


def test_9110_8_6_1xx_has_no_length() -> None:
    with pytest.raises(AnswerError, match="no Content-Length"):
        writer().inform(103, [("Content-Length", "0")])


SWITCH = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


def test_9110_7_8_101_names_the_protocol_and_has_no_framing() -> None:
    fresh = writer(SWITCH)
    assert fresh.head(101, [("Upgrade", "websocket")], NOW).replace(DATE, b"") == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    )
    with pytest.raises(AnswerError, match="names the protocol"):
        writer(SWITCH).head(101, [], NOW)


@pytest.mark.parametrize(("lines", "first"), [(b"", b"GET / HTTP/1.1"), (SWITCH, OLD)])
def test_9110_7_8_nobody_gets_a_protocol_he_did_not_ask_for(lines: bytes, first: bytes) -> None:
    with pytest.raises(AnswerError, match="asked for no other protocol"):
        writer(lines, first).head(101, [("Upgrade", "websocket")], NOW)


def test_9110_7_8_whoever_names_protocols_says_so_in_connection() -> None:
    assert b"\r\nConnection: upgrade\r\n" in head(426, [("Upgrade", "h2c")], length=0)


def test_calls_out_of_turn_are_refused() -> None:
    fresh = AnswerWriter(DateCache())
    for method in (
        fresh.end,
        lambda: fresh.data(b""),
        lambda: fresh.head(200, [], NOW),
        lambda: fresh.inform(100),
    ):
        with pytest.raises(OutOfTurnError):
            method()
    fresh.begin(None)
    with pytest.raises(OutOfTurnError):
        fresh.begin(None)
    fresh.head(200, [], NOW, length=5)
    for again in (lambda: fresh.head(200, [], NOW), lambda: fresh.begin(None)):
        with pytest.raises(OutOfTurnError):
            again()


def test_answers_follow_one_another() -> None:
    fresh = AnswerWriter(DateCache())
    for first in (b"GET / HTTP/1.1", HEAD, b"POST / HTTP/1.1"):
        fresh.begin(read_head(request(first=first)))
        assert b"hello" in fresh.whole(200, [], b"hello", NOW) or first is HEAD


def test_a_thousand_answers_leave_nothing_behind() -> None:
    fresh = AnswerWriter(DateCache())
    asked = read_head(request())
    tracemalloc.start()
    try:
        for _ in range(1000):
            fresh.begin(asked)
            fresh.whole(200, PLAIN, b"hello", NOW)
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()


class _Client:
    """What another implementation reads."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line."""
        self.fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """The end."""
        self.complete = True


NAMES = st.sampled_from(["Vary", "Content-Type", "ETag", "X-Own", "x-other", "Set-Cookie", "Link"])
VALUES = st.text(st.characters(max_codepoint=255)) | st.from_regex("[ -~]*", fullmatch=True)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=6), st.lists(st.binary(), max_size=4), st.booleans()
)
def test_what_is_written_is_what_another_implementation_reads(
    fields: list[tuple[str, str]], pieces: list[bytes], known: bool
) -> None:
    fresh = writer()
    length = sum(map(len, pieces)) if known else None
    try:
        data = fresh.head(200, fields, NOW, length=length)
    except AnswerError:
        assert any(
            set(value) - set("\t" + "".join(map(chr, [*range(32, 127), *range(128, 256)])))
            for _, value in fields
        )
        return
    for piece in pieces:
        data += b"".join(fresh.data(piece))
    data += fresh.end()
    client = _Client()
    HttpResponseParser(client).feed_data(data)
    assert client.complete
    assert client.body == b"".join(pieces)
    given_fields = [(canonical_name(name), value.strip(" \t")) for name, value in fields]
    assert client.fields[: len(fields)] == given_fields
    assert len(client.fields) == len(fields) + 2
