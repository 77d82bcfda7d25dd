"""Content negotiation: RFC 9110, section 12.5."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.syntax.fields import Fields
from apps.http.syntax.negotiation import IDENTITY, choose_encoding, choose_type, merged_vary

OFFERED = ["zstd", "br", "gzip"]


def encoding(*lines: str, offered: list[str] = OFFERED) -> str | None:
    """Which coding a request with these Accept-Encoding lines gets."""
    return choose_encoding(Fields([("Accept-Encoding", line) for line in lines]), offered)


def media_type(*lines: str, offered: list[str]) -> str | None:
    """Which type a request with these Accept lines gets."""
    return choose_type(Fields([("Accept", line) for line in lines]), offered)


def test_12_5_3_who_says_nothing_gets_the_bytes_as_they_are() -> None:
    assert encoding() == IDENTITY


def test_12_5_3_an_empty_field_wants_no_coding() -> None:
    assert encoding("") == IDENTITY


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("compress, gzip", "gzip"),
        ("*", "zstd"),
        ("*, zstd;q=0", "br"),
        ("*;q=0.5, gzip", "gzip"),
        ("deflate", IDENTITY),
        ("gzip;q=0", IDENTITY),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("x-gzip;q=0.5", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=0.5, identity;q=0.6", IDENTITY),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
    ],
)
def test_12_5_3_the_best_of_what_is_accepted(line: str, expected: str) -> None:
    assert encoding(line) == expected


@pytest.mark.parametrize(
    "line", ["identity;q=0", "*;q=0", "identity;q=0, deflate", "*;q=0, deflate"]
)
def test_12_5_3_identity_can_be_refused(line: str) -> None:
    assert encoding(line) is None


def test_12_5_3_identity_named_beside_a_refused_star_is_accepted() -> None:
    assert encoding("identity, *;q=0") == IDENTITY


def test_5_3_two_lines_are_one_list() -> None:
    assert encoding("gzip;q=0.5", "br;q=0.6") == "br"


@pytest.mark.parametrize("line", ["gzip;q=2", "gzip;q=high", "gzip;q=0.1234", 'gzip;x="'])
def test_a_field_that_cannot_be_read_counts_as_not_given(line: str) -> None:
    assert encoding(line) == IDENTITY


def test_identity_in_its_place_goes_before_codings_wanted_equally() -> None:
    assert encoding("identity, gzip", offered=[IDENTITY, "gzip"]) == IDENTITY


RFC_EXAMPLE = (
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, "
    "*/*;q=0.5"
)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (["text/html", "text/plain"], "text/plain"),
        (["text/html", "image/jpeg"], "image/jpeg"),
        (["image/jpeg", "text/plain"], "text/plain"),
        (["text/html"], "text/html"),
    ],
)
def test_12_5_1_the_most_specific_range_counts(offered: list[str], expected: str) -> None:
    assert media_type(RFC_EXAMPLE, offered=offered) == expected


def test_12_5_1_who_says_nothing_gets_the_first() -> None:
    assert media_type(offered=["text/html", "text/plain"]) == "text/html"


def test_12_5_1_nothing_fits() -> None:
    assert media_type("image/png", offered=["text/html"]) is None


def test_12_5_1_a_type_can_be_refused() -> None:
    assert media_type("text/html;q=0, text/*", offered=["text/html", "text/plain"]) == "text/plain"


def test_12_5_1_types_do_not_tell_upper_from_lower_case() -> None:
    assert media_type("Text/HTML", offered=["text/plain", "text/html"]) == "text/html"


@pytest.mark.parametrize("line", ["text/plain;q=x", 'text/plain;a="', ""])
def test_an_accept_that_cannot_be_read_gets_the_first(line: str) -> None:
    assert media_type(line, offered=["text/html", "text/plain"]) == "text/html"


def test_nothing_offered_is_nothing_chosen() -> None:
    assert media_type(offered=[]) is None
    assert media_type("*/*", offered=[]) is None


VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


@given(st.lists(VALUES, max_size=3))
def test_any_fields_choose_something_offered_or_nothing(lines: list[str]) -> None:
    assert encoding(*lines) in [*OFFERED, IDENTITY, None]
    assert media_type(*lines, offered=["text/html", "text/plain"]) in [
        "text/html",
        "text/plain",
        None,
    ]


@pytest.mark.parametrize(
    ("present", "names", "expected"),
    [
        (None, ["Accept-Encoding"], "Accept-Encoding"),
        ("", ["Accept"], "Accept"),
        ("Cookie", ["Accept-Encoding"], "Cookie, Accept-Encoding"),
        ("accept-encoding", ["Accept-Encoding"], "accept-encoding"),
        ("*", ["Accept-Encoding"], "*"),
        ("Cookie", ["*"], "*"),
        ("Cookie,,Accept", [], "Cookie, Accept"),
    ],
)
def test_12_5_5_vary_names_each_field_once(
    present: str | None, names: list[str], expected: str
) -> None:
    assert merged_vary(present, names) == expected
