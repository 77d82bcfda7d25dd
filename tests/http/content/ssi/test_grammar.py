"""What is a directive and what is text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content.ssi.grammar import Directive, Text, parse_page
from apps.http.content.ssi.limits import SsiLimits

PIECES = st.sampled_from(
    ["<!--#", "-->", "echo", "if", "endif", ' var="', '"', "'", "`", "=", " ", "\\", "x", "\n", "é"]
)


def only(source: str) -> Directive:
    (found,) = parse_page(source, SsiLimits())
    assert isinstance(found, Directive)
    return found


def mistake(source: str) -> str:
    found = next(part for part in parse_page(source, SsiLimits()) if isinstance(part, Directive))
    return str(found.mistake)


def test_text_and_directives_come_in_order() -> None:
    parts = list(parse_page("a<!--#endif -->b", SsiLimits()))
    assert parts == [Text("a"), Directive("endif", (), 1), Text("b")]


def test_a_comment_is_text() -> None:
    assert list(parse_page("<!-- #echo -->", SsiLimits())) == [Text("<!-- #echo -->")]


@pytest.mark.parametrize(
    "written",
    ['"a b"', "'a b'", "`a b`", '"a b" ', '\n"a b"\n'],
)
def test_a_value_stands_in_any_quotes(written: str) -> None:
    assert only(f"<!--#echo var={written}-->").get("var") == "a b"


def test_a_value_without_space_needs_no_quotes() -> None:
    assert only("<!--#echo var=NAME-->").get("var") == "NAME"


def test_space_may_stand_before_the_name_and_around_the_equals_sign() -> None:
    assert only("<!--# echo var = NAME -->").get("var") == "NAME"


def test_names_are_read_in_any_case() -> None:
    assert only('<!--#ECHO Var="x" -->') == Directive("echo", (("var", "x"),), 0)


def test_a_backslash_lets_the_quote_be_part_of_the_value() -> None:
    assert only(r'<!--#echo var="say \"no\" \n" -->').get("var") == r'say "no" \n'


def test_the_end_inside_quotes_ends_nothing() -> None:
    assert only('<!--#echo var="a-->b" -->').get("var") == "a-->b"


def test_arguments_of_a_call_keep_their_order() -> None:
    found = only('<!--#call object="o" arg="1" method="m" arg="2" -->')
    assert found.mistake is None
    assert found.get_all("arg") == ("1", "2")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<!--#ecko var="x" -->', 'no directive "ecko"; did you mean echo?'),
        ("<!--#-->", 'no directive ""'),
        ('<!--#exec cmd="ls" -->', 'no directive "exec"'),
        ('<!--#echo val="x" -->', 'echo has no attribute "val"; did you mean var?'),
        ("<!--#echo -->", 'echo needs var="..."'),
        ('<!--#echo var="x" var="y" -->', "echo has the attribute var more than once"),
        ("<!--#include -->", "include needs exactly one of file and virtual"),
        ('<!--#fsize file="a" virtual="b" -->', "fsize needs exactly one of file and virtual"),
        ('<!--#echo var="x"encoding="url" -->', 'expected attribute="value" or -->'),
        ('<!--#echo var="x -->', 'expected attribute="value" or -->'),
        ("<!--#echo var -->", 'expected attribute="value" or -->'),
        ('<!--#echo var="x"', "the directive has no -->"),
    ],
)
def test_a_mistake_is_named(source: str, expected: str) -> None:
    assert expected in mistake(source)


def test_a_mistake_goes_to_the_next_end() -> None:
    parts = list(parse_page('<!--#echo var="x -->rest', SsiLimits()))
    assert parts[1:] == [Text("rest")]


def test_a_mistake_ends_where_browsers_see_its_end() -> None:
    parts = list(parse_page('<!--#echo var="a-->b" ? -->c', SsiLimits()))
    assert parts[1:] == [Text('b" ? -->c')]


def test_what_has_no_end_goes_to_the_end_of_the_source() -> None:
    assert only("<!--#echo and all the rest").mistake is not None


def test_the_name_of_a_mistaken_branch_is_kept() -> None:
    found = only("<!--#if -->")
    assert found.name == "if"
    assert found.mistake is not None


def test_a_directive_longer_than_its_bound_is_a_mistake() -> None:
    limits = SsiLimits(directive_chars_max=30)
    source = f'<!--#echo var="{"x" * 30}" -->rest'
    first, rest = parse_page(source, limits)
    assert isinstance(first, Directive)
    assert "has no -->" in str(first.mistake)
    assert rest == Text("rest")


def test_more_attributes_than_their_bound_are_a_mistake() -> None:
    limits = SsiLimits(attributes_max=3)
    source = '<!--#call object="o" method="m" arg="1" arg="2" -->'
    (found,) = parse_page(source, limits)
    assert isinstance(found, Directive)
    assert "attributes_max = 3" in str(found.mistake)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_source_is_taken_apart_in_order_without_gaps(source: str) -> None:
    position = 0
    for part in parse_page(source, SsiLimits()):
        if isinstance(part, Text):
            position = source.index(part.text, position) + len(part.text)
        else:
            assert source.startswith("<!--#", part.position)
            assert part.position >= position
            position = part.position + len("<!--#")
            assert part.name in ("", "echo", "if", "endif")


@given(st.text())
def test_a_source_without_the_opening_is_one_text(source: str) -> None:
    plain = source.replace("<!--#", "")
    expected = [Text(plain)] if plain and "<!--#" not in plain else []
    if "<!--#" not in plain:
        assert list(parse_page(plain, SsiLimits())) == expected
