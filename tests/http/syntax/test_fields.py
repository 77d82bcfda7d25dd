"""Fields: RFC 9110, section 5, and the lists, parameters and weights built on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.http.errors import AnswerError, FieldSyntaxError
from apps.http.syntax.fields import (
    Fields,
    FieldsBuilder,
    Weighted,
    canonical_name,
    parse_parameters,
    split_list,
)

TWO_LINES = Fields([("Accept", "text/html"), ("Host", "a"), ("accept", "text/plain")])


def test_5_1_names_do_not_tell_upper_from_lower_case() -> None:
    assert Fields([("Content-TYPE", "a/b")]).get("content-type") == "a/b"
    assert "CONTENT-type" in Fields([("Content-Type", "a/b")])


def test_5_2_several_lines_of_a_name_are_one_list() -> None:
    assert TWO_LINES.get("Accept") == "text/html, text/plain"
    assert TWO_LINES.elements("Accept") == ("text/html", "text/plain")


def test_9113_8_2_3_several_lines_of_cookies_are_one_with_semicolons() -> None:
    fields = Fields([("Cookie", "a=1, 2"), ("Accept", "x"), ("Cookie", "b=3"), ("Accept", "y")])
    assert (fields.get("cookie"), fields.get("accept")) == ("a=1, 2; b=3", "x, y")
    assert fields.get_all("cookie") == ("a=1, 2", "b=3")


def test_5_3_lines_keep_their_order() -> None:
    assert TWO_LINES.get_all("ACCEPT") == ("text/html", "text/plain")
    assert [name for name, _ in TWO_LINES.items()] == ["Accept", "Host", "Accept"]


def test_a_name_without_a_line_gives_nothing() -> None:
    assert TWO_LINES.get("Range") is None
    assert TWO_LINES.get_all("Range") == ()
    assert TWO_LINES.elements("Range") == ()
    assert "Range" not in TWO_LINES


def test_5_5_blanks_around_a_value_are_not_part_of_it() -> None:
    assert Fields([("A", " \tb c\t ")]).get("a") == "b c"


@pytest.mark.parametrize(
    "value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\x0bb", "\x1f", "snow \u2603"]
)
def test_5_5_a_value_that_would_end_the_line_or_has_controls_is_refused(value: str) -> None:
    with pytest.raises(AnswerError, match="the value of field A has a character"):
        Fields([("A", value)])


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "\xe4", "a\0", "a(b)", '"a"'])
def test_5_6_2_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(AnswerError, match="is no token"):
        Fields([(name, "b")])


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(AnswerError, match="must be text, not int"):
        Fields([("Age", 5)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("content-type", "Content-Type"),
        ("ETAG", "ETag"),
        ("www-authenticate", "WWW-Authenticate"),
        ("te", "TE"),
        ("sec-websocket-key", "Sec-WebSocket-Key"),
        ("x-own-field", "X-Own-Field"),
    ],
)
def test_names_are_given_out_in_their_usual_spelling(name: str, spelt: str) -> None:
    assert canonical_name(name) == spelt
    assert list(Fields([(name, "1")]).items()) == [(spelt, "1")]


def test_fields_are_equal_when_their_lines_are() -> None:
    assert Fields([("A", "1")]) == Fields([("a", "1 ")])
    assert hash(Fields([("A", "1")])) == hash(Fields([("a", "1 ")]))
    assert Fields([("A", "1"), ("B", "2")]) != Fields([("B", "2"), ("A", "1")])
    assert Fields() != 5


def test_fields_show_what_makes_them() -> None:
    assert repr(Fields([("etag", '"1"')])) == """Fields([('ETag', '"1"')])"""
    assert len(TWO_LINES) == 3


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("a, b", ("a", "b")),
        ("a,b\t,  c", ("a", "b", "c")),
        (", a,, ,b,", ("a", "b")),
        ("", ()),
        (",", ()),
        ('"a,b", c', ('"a,b"', "c")),
        (r'"a\",b", c', (r'"a\",b"', "c")),
        ('a="x,y";b, "c"', ('a="x,y";b', '"c"')),
        ('W/"1", "2,3"', ('W/"1"', '"2,3"')),
        ('"", a', ('""', "a")),
    ],
)
def test_5_6_1_lists(value: str, elements: tuple[str, ...]) -> None:
    assert split_list(value) == elements


@pytest.mark.parametrize("value", ['"a', 'a, "b', r'"a\"', '"a\x01"', 'a"b'])
def test_5_6_4_a_quoted_string_without_an_end_is_refused(value: str) -> None:
    with pytest.raises(FieldSyntaxError, match="quoted string in a list"):
        split_list(value)


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        ("text/html", "text/html", {}),
        ("Text/HTML;Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ("a/b ; c=d ;e=f", "a/b", {"c": "d", "e": "f"}),
        ('a/b; c="d; e=f"', "a/b", {"c": "d; e=f"}),
        (r'a/b; c="d\"\\e"', "a/b", {"c": 'd"\\e'}),
        ("a/b;", "a/b", {}),
        ("a/b;;c=d; ", "a/b", {"c": "d"}),
        ('a/b; c=""', "a/b", {"c": ""}),
    ],
)
def test_5_6_6_parameters(value: str, main: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (main, parameters)


@pytest.mark.parametrize(
    "value", ["a/b; c", "a/b; c=", "a/b; c = d", 'a/b; c="d', "a/b; =d", "a/b; c=d e", "a;b=\xe4"]
)
def test_5_6_6_a_malformed_parameter_is_refused(value: str) -> None:
    with pytest.raises(FieldSyntaxError, match="must be name=value"):
        parse_parameters(value)


def test_a_parameter_that_stands_twice_is_refused() -> None:
    with pytest.raises(FieldSyntaxError, match="boundary stands twice"):
        parse_parameters("multipart/form-data; boundary=a; Boundary=b")


def test_12_4_2_quality_values() -> None:
    fields = Fields([("Accept", "text/html;level=1;Q=0.5, */*;q=0"), ("Accept", "a/b")])
    assert fields.weighted("Accept") == (
        Weighted("text/html", {"level": "1"}, 0.5),
        Weighted("*/*", {}, 0.0),
        Weighted("a/b", {}, 1.0),
    )


@pytest.mark.parametrize("quality", ["2", "1.1", "-1", "0.1234", "a", "1.001", ".5", "1e0"])
def test_12_4_2_a_quality_value_beyond_its_grammar_is_refused(quality: str) -> None:
    with pytest.raises(FieldSyntaxError):
        Fields([("Accept", f"a/b;q={quality}, c")]).weighted("Accept")


@pytest.mark.parametrize("quality", ["0", "1", "0.", "1.", "0.123", "1.000", "0.5"])
def test_12_4_2_a_quality_value_has_up_to_three_decimals(quality: str) -> None:
    assert Fields([("TE", f"a;q={quality}")]).weighted("TE")[0].quality == float(quality)


def test_a_builder_adds_sets_and_removes() -> None:
    builder = FieldsBuilder(TWO_LINES)
    builder.remove("HOST")
    builder.set("accept", "a/b")
    builder.add("Vary", "Accept")
    builder.add("Vary", "Cookie")
    assert list(builder.build().items()) == [
        ("Accept", "a/b"),
        ("Vary", "Accept"),
        ("Vary", "Cookie"),
    ]


@pytest.mark.parametrize("method", ["add", "set"])
def test_a_builder_takes_nothing_that_cannot_be_written(method: str) -> None:
    builder = FieldsBuilder()
    with pytest.raises(AnswerError):
        getattr(builder, method)("Location", "/a\r\nSet-Cookie: b")
    assert len(builder.build()) == 0


def read_weights(value: str) -> tuple[Weighted, ...]:
    """The elements of a field with this value."""
    return Fields([("A", value)]).weighted("A")


def is_element(text: str) -> bool:
    """Whether something is one element of a list: commas and quotes stand in its quotes only."""
    return bool(re.fullmatch(r'(?:[^",]|"(?:[^"\\]|\\.)*")+', text)) and text == text.strip(" \t")


TOKEN_IN_LOWER_CASE = re.compile(r"[-!#$%&'*+.^_`|~0-9a-z]+")
SOUND: dict[Callable[[str], Any], Callable[[Any], bool]] = {
    split_list: lambda found: all(map(is_element, found)),
    parse_parameters: lambda found: all(TOKEN_IN_LOWER_CASE.fullmatch(name) for name in found[1]),
    read_weights: lambda found: all(0 <= each.quality <= 1 for each in found),
}
"""What holds for whatever is read."""


@pytest.mark.parametrize("read", SOUND)
@given(value=st.text(st.characters(max_codepoint=255)) | st.text('aB;q=," \t\\015.\0\xe4'))
@example(value='"a, b" , c')
@example(value="a;B=c")
@example(value='a;"=b')
@example(value="a;q=5")
def test_any_value_is_read_or_refused(read: Callable[[str], Any], value: str) -> None:
    try:
        found = read(value)
    except (FieldSyntaxError, AnswerError):  # the latter for what no field can hold
        return
    assert SOUND[read](found)


@given(st.lists(st.from_regex(r'[a-z]+(?:="[a-z,;\\]*")?', fullmatch=True)))
def test_a_list_that_is_joined_comes_apart_again(elements: list[str]) -> None:
    try:
        found = split_list(" , ".join(elements))
    except FieldSyntaxError:
        assert any("\\" in element for element in elements)
        return
    if not any("\\" in element for element in elements):
        assert found == tuple(elements)
