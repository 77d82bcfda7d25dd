"""Heads of requests: RFC 9112, sections 2, 3, 5 and 9.3, and RFC 9110, sections 2.5, 7.8 and 10."""

from __future__ import annotations

import re

import pytest

from apps.http.syntax.fields import Fields
from apps.http.syntax.heads import HeadParser, RequestHead
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import CLOSED, NO_BODY, BodyEnd
from apps.http.syntax.targets import Target, TargetForm
from tests.http.syntax.reading import HOST, read, read_head, rejected, request, status_of

SMALL = HttpLimits(
    method_bytes_max=8, target_bytes_max=20, field_bytes_max=40, head_bytes_max=200, fields_max=5
)


def test_a_request_says_what_it_asks_for() -> None:
    lines = b"Accept: a/b\r\nX-Own:c  \r\nEmpty:\r\n"
    assert read(request(lines, first=b"GET /a?b HTTP/1.1")) == [
        RequestHead(
            "GET",
            Target(TargetForm.ORIGIN, ("a",), b"/a", "b", "a.example", None),
            (1, 1),
            Fields([("Host", "a.example"), ("Accept", "a/b"), ("X-Own", "c"), ("Empty", "")]),
            True,
            False,
            NO_BODY,
            None,
        ),
        BodyEnd(Fields()),
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND", "QUERY"])
def test_9110_9_1_registered_methods_are_known(method: str) -> None:
    assert read_head(request(first=f"{method} / HTTP/1.1".encode())).method == method


@pytest.mark.parametrize(
    "method", [b"get", b"Get", b"FOO", b"GETS", b"G", b"DESCRIBE", b"FLUSH", b"!#$%"]
)
def test_9110_9_1_methods_tell_upper_from_lower_case_and_unknown_ones_get_501(
    method: bytes,
) -> None:
    refusal = rejected(request(first=method + b" / HTTP/1.1"))
    assert (refusal.status, refusal.explain) == (501, "no such method is known here")


def test_9112_3_a_method_longer_than_any_gets_501() -> None:
    assert status_of(request(first=b"A" * 33 + b" / HTTP/1.1")) == 501
    assert status_of(b"A" * 20_000) == 501


@pytest.mark.parametrize(
    "first",
    [
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET /\tHTTP/1.1",
        b"GET / x HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET",
        b"GET ",
        b"/ HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"G\x80T / HTTP/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET / HTTP/1.1\r",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{}",
    ],
)
def test_9112_3_a_request_line_is_three_words_with_single_spaces(first: bytes) -> None:
    assert status_of(request(first=first)) == 400


@pytest.mark.parametrize(
    "version",
    [
        b"HTTP/1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP/1.10",
        b"HTTP/11",
        b"http/1.1",
        b"HTTP/a.b",
        b"HTTPS/1.1",
        b"RTSP/1.0",
        b"ICE/1.0",
        b"HTTP/1,1",
        b"HTTP 1.1",
        b"HTTP/-1.1",
        b"HTTP/1.1x",
    ],
)
def test_9112_2_3_a_malformed_version_gets_400(version: bytes) -> None:
    assert status_of(request(first=b"GET / " + version)) == 400


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0", b"HTTP/9.1"])
def test_9110_15_6_6_another_major_version_gets_505(version: bytes) -> None:
    assert status_of(request(first=b"GET / " + version)) == 505


def test_9113_3_4_the_preface_of_http_2_gets_505() -> None:
    assert status_of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505


def test_http_0_9_gets_400_at_the_end_of_its_line() -> None:
    refusal = rejected(b"GET /\r\n")
    assert refusal.status == 400
    assert "HTTP/0.9" in refusal.explain


@pytest.mark.parametrize("minor", [b"1", b"2", b"9"])
def test_9110_2_5_a_later_minor_version_is_taken_for_1_1(minor: bytes) -> None:
    head = read_head(request(b"A: b\r\n", first=b"GET /x HTTP/1." + minor))
    assert head.version == (1, 1)
    assert head.fields.get("A") == "b"
    assert head.keep_alive


def test_9112_2_2_empty_lines_before_a_request_are_skipped() -> None:
    assert status_of(b"\r\n\r\n" + request()) == 200
    assert read(b"\r\n", end=True) == [CLOSED]


def test_9112_2_2_too_many_empty_lines_are_refused() -> None:
    assert status_of(b"\r\n" * 4 + request()) == 200
    assert "too many empty lines" in rejected(b"\r\n" * 5 + request()).explain


@pytest.mark.parametrize("start", [b"\n", b"\r\r\n", b"\r\n\n", b"\rGET", b" \r\n"])
def test_9112_2_2_an_empty_line_is_cr_and_lf(start: bytes) -> None:
    assert status_of(start + request()) == 400


@pytest.mark.parametrize("start", [b"\x16", b"\n", b" ", b"\x80", b"{", b"\0"])
def test_what_cannot_be_a_request_is_refused_at_its_first_byte(start: bytes) -> None:
    assert "does not start with a method" in rejected(start).explain


@pytest.mark.parametrize("place", [14, 15, 20, 33, 34, 35])
def test_9112_2_2_a_bare_line_feed_ends_no_line(place: int) -> None:
    data = request()
    assert data[14:16] == data[33:35] == b"\r\n"
    if data[place : place + 1] == b"\r":
        assert status_of(data[:place] + data[place + 1 :]) == 400
    else:
        assert status_of(data[:place] + b"\n" + data[place:]) == 400


@pytest.mark.parametrize("place", range(len(request()) + 1))
def test_9112_2_2_a_bare_carriage_return_is_refused_everywhere(place: int) -> None:
    data = request()
    spoiled = data[:place] + b"\r" + data[place:]
    if place == len(data):
        assert status_of(spoiled + b"G") == 400
    else:
        assert status_of(spoiled + b"\r\n\r\n") == 400


@pytest.mark.parametrize(
    ("line", "explain"),
    [
        (b"A: b\r\n c\r\n", "is folded"),
        (b"A: b\r\n\tc\r\n", "is folded"),
        (b" A: b\r\n", "is folded, or starts with a space"),
        (b"A : b\r\n", "a space stands between a field name and its colon"),
        (b"A\t: b\r\n", "a space stands between a field name and its colon"),
        (b"A b: c\r\n", "a field name is empty or has a character"),
        (b": b\r\n", "a field name is empty or has a character"),
        (b"A\x80: b\r\n", "a field name is empty or has a character"),
        (b"A\0: b\r\n", "a field name is empty or has a character"),
        (b"(A): b\r\n", "a field name is empty or has a character"),
        (b"A\r\n", "a field line has no colon"),
        (b"A: b\0c\r\n", "a field value has a control character"),
        (b"A: \x7f\r\n", "a field value has a control character"),
        (b"A: b\rc\r\n", "a carriage return stands alone"),
        (b"A: b\r\r\n", "a carriage return stands alone"),
        (b"A: b\n", "ends without a carriage return"),
    ],
)
def test_9112_5_malformed_field_lines_are_refused(line: bytes, explain: str) -> None:
    for lines in (line, b"B: c\r\n" + line + b"D: e\r\n"):
        refusal = rejected(request(lines))
        assert refusal.status == 400
        assert explain in refusal.explain


FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")


@pytest.mark.parametrize("byte", range(256))
def test_5_6_2_a_name_takes_the_bytes_of_a_token_and_no_other(byte: int) -> None:
    sign = bytes([byte])
    good = FIELD_NAME.fullmatch(sign) or sign == b":"
    assert status_of(request(b"A" + sign + b"B: c\r\n")) == (200 if good else 400)


@pytest.mark.parametrize("byte", range(256))
def test_9110_5_5_a_value_takes_the_bytes_of_its_grammar_and_no_other(byte: int) -> None:
    sign = bytes([byte])
    good = byte in b"\t" or 32 <= byte != 127
    data = request(b"A: b" + sign + b"c\r\n")
    assert status_of(data) == (200 if good else 400)
    if good:
        assert read_head(data).fields.get("A") == (b"b" + sign + b"c").decode("latin-1")


@pytest.mark.parametrize("byte", [byte for byte in range(256) if byte not in b" \r\n"])
def test_9112_3_a_target_takes_visible_ascii_and_no_other_byte(byte: int) -> None:
    good = 0x21 <= byte < 0x7F and byte not in b'"#%<>\\`'
    data = request(first=b"GET /a" + bytes([byte]) + b" HTTP/1.1")
    assert status_of(data) == (200 if good else 400)


@pytest.mark.parametrize("value", [b"  b", b"\tb", b"b  ", b"b\t", b"b", b" \t b \t "])
def test_9112_5_1_blanks_around_a_value_are_dropped(value: bytes) -> None:
    assert read_head(request(b"A:" + value + b"\r\nC: d\r\n")).fields.get("A") == "b"
    assert read_head(request(b"A:" + value + b"\r\n")).fields.get("A") == "b"


def test_a_target_at_its_bound_is_taken_and_a_longer_one_gets_414() -> None:
    assert status_of(request(first=b"GET /%b HTTP/1.1" % (b"a" * 19)), SMALL) == 200
    assert status_of(request(first=b"GET /%b HTTP/1.1" % (b"a" * 20)), SMALL) == 414
    assert status_of(request(first=b"GET /%b HTTP/1.1" % (b"a" * 500)), SMALL) == 414
    assert status_of(b"GET /" + b"a" * 500, SMALL) == 414


def test_414_stays_414_where_the_head_is_no_larger_than_a_target_may_be() -> None:
    limits = HttpLimits(target_bytes_max=20, field_bytes_max=40, head_bytes_max=65)
    limits.validate()
    assert status_of(b"GET /" + b"a" * 500, limits) == 414


def test_a_field_line_at_its_bound_is_taken_and_a_longer_one_gets_431() -> None:
    assert status_of(request(b"A:" + b"b" * 38 + b"\r\n"), SMALL) == 200
    assert status_of(request(b"A:" + b"b" * 39 + b"\r\n"), SMALL) == 431
    assert status_of(request(b"A:" + b"b" * 900), SMALL) == 431


def test_a_head_at_its_bound_is_taken_and_a_larger_one_gets_431() -> None:
    start = len(request())
    for size, status in ((200, 200), (201, 431)):
        lines = b"A: %b\r\n" % (b"b" * 37) * 3
        lines += b"A: %b\r\n" % (b"b" * (size - start - len(lines) - 5))
        assert len(request(lines)) == size
        assert status_of(request(lines), SMALL) == status


def test_as_many_fields_as_may_be_are_taken_and_one_more_gets_431() -> None:
    assert status_of(request(b"A: b\r\n" * 4), SMALL) == 200
    refusal = rejected(request(b"A: b\r\n" * 5), SMALL)
    assert (refusal.status, refusal.explain) == (431, "there are more fields than are taken here")
    # A head in which no line can be too long is not looked at line by line.
    assert status_of(request(b"A: b\r\n" * 127)) == 200
    assert status_of(request(b"A: b\r\n" * 128)) == 431


def test_the_first_fault_is_the_one_that_is_told() -> None:
    long_field = b"A: " + b"b" * 20_000 + b"\r\n"
    assert status_of(request(b"A : b\r\n" + long_field)) == 400
    assert status_of(request(long_field + b"A : b\r\n")) == 431
    assert status_of(request(long_field, first=b"GET / HTTP/2.0")) == 505
    assert status_of(request(b"A : b\r\n", first=b"GET /%b HTTP/1.1" % (b"a" * 9000))) == 414


@pytest.mark.parametrize(
    ("first", "lines", "kept"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: CLOSE\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: a, close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: a\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: keep-alive, close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"GET / HTTP/1.1", b"Connection: not-close\r\n", True),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_9112_9_3_whether_the_connection_persists(first: bytes, lines: bytes, kept: bool) -> None:
    data = request(lines, first=first)
    assert read_head(data).keep_alive is kept
    followed = read(data + data)
    assert len(followed) == (4 if kept else 3)
    assert (followed[-1] is CLOSED) is not kept


def test_9110_7_8_an_upgrade_is_offered_by_both_fields_together() -> None:
    both = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    assert read_head(request(both)).upgrade == "websocket"
    assert read_head(request(b"Upgrade: websocket\r\n")).upgrade is None
    assert read_head(request(b"Connection: upgrade\r\n")).upgrade is None


def test_9110_7_8_http_1_0_offers_no_upgrade() -> None:
    both = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    assert read_head(request(both, first=b"GET / HTTP/1.0")).upgrade is None


def test_9110_7_8_an_upgrade_may_be_ignored() -> None:
    both = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    assert status_of(request(both) + request(both) + request()) == 200
    assert len(read(request(both) + request(both) + request())) == 6


EXPECTS = b"Expect: 100-Continue\r\nContent-Length: 5\r\n"


def test_9110_10_1_1_a_client_may_wait_for_100() -> None:
    assert read_head(request(EXPECTS, first=b"PUT / HTTP/1.1")).expects_continue
    chunked = b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"
    assert read_head(request(chunked, first=b"PUT / HTTP/1.1")).expects_continue


def test_9110_10_1_1_http_1_0_waits_for_nothing() -> None:
    assert not read_head(request(EXPECTS, first=b"PUT / HTTP/1.0")).expects_continue


@pytest.mark.parametrize("lines", [b"", b"Content-Length: 0\r\n"])
def test_9110_10_1_1_without_a_body_there_is_nothing_to_wait_for(lines: bytes) -> None:
    assert not read_head(request(b"Expect: 100-continue\r\n" + lines)).expects_continue


def test_9110_15_5_18_another_expectation_gets_417() -> None:
    assert status_of(request(b"Expect: 200-ok\r\n")) == 417
    assert status_of(request(b"Expect: 100-continue, a=b\r\n")) == 417


@pytest.mark.parametrize("name", [b"Connection", b"Expect", b"Transfer-Encoding"])
def test_a_list_that_decides_something_and_is_malformed_gets_400(name: bytes) -> None:
    assert status_of(request(name + b': "a\r\n')) == 400


@pytest.mark.parametrize("lines", [b"", b"Host: a\r\nHost: a\r\n", b"Host:\r\n", b"Host: a b\r\n"])
def test_9112_3_2_host_missing_twice_empty_or_malformed_gets_400(lines: bytes) -> None:
    assert status_of(b"GET / HTTP/1.1\r\n" + lines + b"\r\n") == 400


def test_a_host_that_was_read_for_one_request_says_nothing_about_the_next() -> None:
    bare = b"GET / HTTP/1.1\r\n\r\n"
    assert status_of(request() + bare) == 400
    assert status_of(request() + request(b"Host: a.example\r\n")) == 400
    old = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    heads = [event for event in read(request() + old) if isinstance(event, RequestHead)]
    assert [head.target.host for head in heads] == ["a.example", None]


def test_a_parser_reads_one_head_after_another() -> None:
    parser = HeadParser(HttpLimits())
    for lines in (b"", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"A: b\r\n") * 2:
        assert parser.parse(request(lines)).target.host == "a.example"


def test_names_are_found_in_any_case_and_repeated_lines_are_joined() -> None:
    fields = read_head(request(b"x-A: 1\r\nX-a: 2\r\n")).fields
    assert fields.get("X-A") == "1, 2"
    assert fields.get_all("x-a") == ("1", "2")
    assert HOST == b"Host: a.example\r\n"
