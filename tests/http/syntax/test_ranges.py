"""Ranges: RFC 9110, section 14, and If-Range of section 13.1.5."""

from __future__ import annotations

import email
import email.policy
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import AnswerError
from apps.http.syntax.dates import format_date
from apps.http.syntax.etags import EntityTag
from apps.http.syntax.fields import Fields
from apps.http.syntax.ranges import (
    GAP_BYTES,
    UNSATISFIABLE,
    WHOLE,
    ByteRange,
    MultipartRanges,
    Ranges,
    Selection,
    content_range,
    parse_range,
    select_ranges,
    unsatisfied_content_range,
)

NOW = 1_800_000_000
CHANGED = NOW - 1000
TAG = EntityTag("v1")
SIZE = 10_000
RANGES_MAX = 8
NINES = "9" * 5000


def parsed(value: str, size: int = SIZE) -> list[tuple[int, int]] | Selection:
    """What a Range selects, as pairs."""
    return pairs_of(parse_range(value, size, RANGES_MAX))


def pairs_of(ranges: Ranges) -> list[tuple[int, int]] | Selection:
    """Parts as pairs of their first and last byte."""
    if isinstance(ranges, Selection):
        return ranges
    return [(part.first, part.last) for part in ranges]


def selected(
    *fields: tuple[str, str],
    method: str = "GET",
    etag: EntityTag | None = TAG,
    last_modified: int | None = CHANGED,
) -> list[tuple[int, int]] | Selection:
    """What a request with these fields gets of 10,000 bytes."""
    ranges = select_ranges(method, Fields(fields), SIZE, etag, last_modified, NOW, RANGES_MAX)
    return pairs_of(ranges)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-999", [(500, 999)]),
        ("bytes=-500", [(9500, 9999)]),
        ("bytes=9500-", [(9500, 9999)]),
        ("bytes=0-0,-1", [(0, 0), (9999, 9999)]),
        ("bytes= 0-0, 4500-5499, -1000", [(0, 0), (4500, 5499), (9000, 9999)]),
        ("bytes=500-600,601-999", [(500, 999)]),
        ("bytes=500-700,601-999", [(500, 999)]),
    ],
)
def test_14_1_2_the_examples_of_the_rfc(value: str, parts: list[tuple[int, int]]) -> None:
    assert parsed(value) == parts


def test_14_1_range_units_do_not_tell_upper_from_lower_case() -> None:
    assert parsed("Bytes=0-0") == [(0, 0)]


@pytest.mark.parametrize("value", ["seconds=0-9", "none=0-1", "bytes-x=0-0"])
def test_14_2_an_unknown_unit_is_ignored(value: str) -> None:
    assert parsed(value) is WHOLE


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes =0-1",
        "bytes=0",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-1;2-3",
        "bytes=0 - 1",
        "bytes=0-1,x",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=\u0661-2",
        "0-1",
    ],
)
def test_14_2_a_malformed_range_is_ignored(value: str) -> None:
    assert parsed(value) is WHOLE


@pytest.mark.parametrize("value", ["bytes=2-1", "bytes=0-9,2-1", f"bytes={NINES}-1"])
def test_14_1_1_a_last_byte_before_the_first_makes_the_range_invalid(value: str) -> None:
    assert parsed(value) is WHOLE


@pytest.mark.parametrize("value", ["bytes=0-10000", "bytes=0-", f"bytes=0-{NINES}", "bytes=-10001"])
def test_14_1_2_a_part_ends_where_the_representation_does(value: str) -> None:
    assert parsed(value) == [(0, 9999)]


@pytest.mark.parametrize(
    "value", ["bytes=10000-", f"bytes={NINES}-", "bytes=-0", "bytes=-0,10000-"]
)
def test_14_1_2_parts_past_the_end_are_unsatisfiable(value: str) -> None:
    assert parsed(value) is UNSATISFIABLE


def test_14_1_2_one_satisfiable_part_is_enough() -> None:
    assert parsed("bytes=10000-,-0,3-4") == [(3, 4)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("bytes=0-", UNSATISFIABLE), ("bytes=-0", UNSATISFIABLE), ("bytes=-5", WHOLE)],
)
def test_14_1_2_of_nothing_only_a_suffix_is_satisfiable(value: str, expected: Selection) -> None:
    assert parsed(value, size=0) is expected


@pytest.mark.parametrize(
    "value",
    ["bytes=00-01", f"bytes={'0' * 30}-{'0' * 30}1", "bytes=0-1,", "bytes=,, 0-1", "bytes=\t0-1 "],
)
def test_leading_zeros_and_empty_elements_do_no_harm(value: str) -> None:
    assert parsed(value) == [(0, 1)]


@pytest.mark.parametrize("count", [RANGES_MAX, RANGES_MAX + 1])
def test_14_2_more_parts_than_the_bound_get_the_whole(count: int) -> None:
    value = "bytes=" + ",".join(f"{1000 * part}-{1000 * part}" for part in range(count))
    parts = parsed(value)
    assert (parts is WHOLE) is (count > RANGES_MAX)


def test_15_3_7_2_parts_nearer_than_the_head_of_a_part_are_joined() -> None:
    assert parsed(f"bytes=0-9,{9 + GAP_BYTES}-99") == [(0, 99)]
    assert parsed(f"bytes=0-9,{10 + GAP_BYTES}-99") == [(0, 9), (90, 99)]


def test_15_3_7_2_the_order_asked_for_is_kept() -> None:
    assert parsed("bytes=9000-9001,0-1,5000-5001") == [(9000, 9001), (0, 1), (5000, 5001)]


def test_a_joined_part_stands_where_its_earliest_stood() -> None:
    assert parsed("bytes=5001-5002,0-1,5000-5000") == [(5000, 5002), (0, 1)]
    assert parsed("bytes=5000-5000,0-1,5001-5002") == [(5000, 5002), (0, 1)]


SPECS = st.one_of(
    st.builds("{}-{}".format, st.integers(0, 300), st.integers(0, 300)),
    st.builds("{}-".format, st.integers(0, 300)),
    st.builds("-{}".format, st.integers(0, 300)),
    st.text("0123456789-, \t", max_size=6),
)


@given(st.lists(SPECS, max_size=10), st.integers(0, 250))
def test_parts_are_apart_within_the_representation_and_hold_what_was_asked(
    specs: list[str], size: int
) -> None:
    ranges = parse_range("bytes=" + ",".join(specs), size, 100)
    if isinstance(ranges, Selection):
        return
    parts = sorted(ranges, key=lambda part: part.first)
    assert all(0 <= part.first <= part.last < size for part in parts)
    gaps = [after.first - before.last for before, after in pairwise(parts)]
    assert all(gap > GAP_BYTES for gap in gaps)
    asked = set()
    for first, last in re.findall(r"([0-9]*)-([0-9]*)", ",".join(specs)):
        if first:
            asked |= set(range(int(first), min(int(last) + 1 if last else size, size)))
        elif last:
            asked |= set(range(max(size - int(last), 0), size))
    assert asked <= {byte for part in parts for byte in range(part.first, part.last + 1)}


@given(st.text())
def test_any_text_selects_something(value: str) -> None:
    assert parse_range(value, SIZE, RANGES_MAX)


def test_a_request_without_range_gets_the_whole() -> None:
    assert selected() is WHOLE


def test_a_get_with_a_range_gets_it() -> None:
    assert selected(("Range", "bytes=0-9")) == [(0, 9)]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "BREW"])
def test_14_2_a_range_on_another_method_than_get_is_ignored(method: str) -> None:
    assert selected(("Range", "bytes=0-9"), method=method) is WHOLE
    assert selected(("Range", "bytes=10000-"), method=method) is WHOLE


def test_14_2_two_range_lines_are_ignored() -> None:
    assert selected(("Range", "bytes=0-9"), ("Range", "bytes=20-29")) is WHOLE


AT = format_date(CHANGED)


@pytest.mark.parametrize("value", ['"v1"', AT])
def test_13_1_5_if_range_that_holds_gives_the_range(value: str) -> None:
    assert selected(("Range", "bytes=0-9"), ("If-Range", value)) == [(0, 9)]


@pytest.mark.parametrize(
    "value",
    [
        '"v2"',
        'W/"v1"',
        '"v1", "v2"',
        "*",
        "",
        "v1",
        format_date(CHANGED - 1),
        format_date(CHANGED + 1),
    ],
)
def test_13_1_5_if_range_that_does_not_hold_gives_the_whole(value: str) -> None:
    assert selected(("Range", "bytes=0-9"), ("If-Range", value)) is WHOLE


def test_13_1_5_if_range_needs_a_strong_tag_here_too() -> None:
    weak = EntityTag("v1", weak=True)
    assert selected(("Range", "bytes=0-9"), ("If-Range", 'W/"v1"'), etag=weak) is WHOLE
    assert selected(("Range", "bytes=0-9"), ("If-Range", '"v1"'), etag=weak) is WHOLE


def test_13_1_5_if_range_comes_before_the_range_is_judged() -> None:
    assert selected(("Range", "bytes=10000-"), ("If-Range", '"v2"')) is WHOLE
    assert selected(("Range", "bytes=10000-"), ("If-Range", '"v1"')) is UNSATISFIABLE


def test_13_1_5_if_range_without_range_is_ignored() -> None:
    assert selected(("If-Range", '"v1"')) is WHOLE


def test_two_if_range_lines_do_not_hold() -> None:
    assert selected(("Range", "bytes=0-9"), *[("If-Range", '"v1"')] * 2) is WHOLE


def test_if_range_without_a_validator_here_does_not_hold() -> None:
    for value in ('"v1"', AT):
        fields = [("Range", "bytes=0-9"), ("If-Range", value)]
        assert selected(*fields, etag=None, last_modified=None) is WHOLE


def test_8_8_2_2_a_date_whose_second_is_not_over_is_a_weak_validator() -> None:
    fields = [("Range", "bytes=0-9"), ("If-Range", format_date(NOW))]
    assert selected(*fields, last_modified=NOW) is WHOLE
    assert selected(*fields, last_modified=NOW - 1) is WHOLE
    fields = [("Range", "bytes=0-9"), ("If-Range", format_date(NOW - 1))]
    assert selected(*fields, last_modified=NOW - 1) == [(0, 9)]


def test_14_4_content_range_names_the_part_and_the_size() -> None:
    assert content_range(ByteRange(42, 1233), 1234) == "bytes 42-1233/1234"


def test_15_5_17_an_unsatisfied_range_is_told_the_size() -> None:
    assert unsatisfied_content_range(47022) == "bytes */47022"


BODY = bytes(range(256)) * 4
PARTS = [ByteRange(500, 999), ByteRange(0, 9), ByteRange(1023, 1023)]


def assembled(body: MultipartRanges) -> bytes:
    """The bytes of an answer with several parts."""
    return b"".join(
        BODY[piece.first : piece.last + 1] if isinstance(piece, ByteRange) else piece
        for piece in body.pieces()
    )


def test_14_6_parts_are_sent_as_the_rfc_shows() -> None:
    body = MultipartRanges(PARTS[1:], len(BODY), "application/pdf", "THIS_STRING_SEPARATES")
    assert assembled(body) == (
        b"--THIS_STRING_SEPARATES\r\n"
        b"Content-Type: application/pdf\r\n"
        b"Content-Range: bytes 0-9/1024\r\n"
        b"\r\n" + BODY[:10] + b"\r\n--THIS_STRING_SEPARATES\r\n"
        b"Content-Type: application/pdf\r\n"
        b"Content-Range: bytes 1023-1023/1024\r\n"
        b"\r\n" + BODY[1023:] + b"\r\n--THIS_STRING_SEPARATES--\r\n"
    )
    assert body.content_type == "multipart/byteranges; boundary=THIS_STRING_SEPARATES"


@pytest.mark.parametrize("content_type", [None, "text/html; charset=utf-8"])
def test_the_length_is_known_beforehand(content_type: str | None) -> None:
    body = MultipartRanges(PARTS, len(BODY), content_type, "b" * 24)
    assert body.length == len(assembled(body))


def test_14_6_another_reader_finds_the_parts() -> None:
    body = MultipartRanges(PARTS, len(BODY), "application/octet-stream", "b" * 24)
    text = f"Content-Type: {body.content_type}\r\n\r\n".encode() + assembled(body)
    message = email.message_from_bytes(text, policy=email.policy.HTTP)
    found = [
        (part["Content-Range"], part.get_payload(decode=True)) for part in message.iter_parts()
    ]
    assert found == [
        (content_range(part, len(BODY)), BODY[part.first : part.last + 1]) for part in PARTS
    ]


@pytest.mark.parametrize("boundary", ["", "a" * 71, "a b", "a\r\nb", 'a"b', "a,b", "ä"])
def test_a_boundary_that_would_not_be_read_back_is_refused(boundary: str) -> None:
    with pytest.raises(AnswerError, match="is no boundary"):
        MultipartRanges(PARTS, len(BODY), None, boundary)


@pytest.mark.parametrize("content_type", ["", "text/html\r\nX: y", "text/html\n", "text/\u20ac"])
def test_a_content_type_that_would_split_the_part_is_refused(content_type: str) -> None:
    with pytest.raises(AnswerError, match="is no content type"):
        MultipartRanges(PARTS, len(BODY), content_type, "boundary")
