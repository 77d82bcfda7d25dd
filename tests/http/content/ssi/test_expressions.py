"""Expressions of if and elif: what they mean, what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content.ssi.errors import DirectiveError
from apps.http.content.ssi.expressions import parse_expression
from apps.http.content.ssi.patterns import search
from apps.http.content.ssi.substitution import substitute


class Variables:
    """The `Scope` of an expression: variables, and what was matched."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.asked: list[str] = []

    def text(self, written: str) -> str:
        self.asked.append(written)
        return substitute(written, self.values.get, 1000)

    def matches(self, pattern: str, text: str) -> bool:
        return search(pattern, text, 512) is not None


def holds(expression: str, **values: str) -> bool:
    return parse_expression(expression, 32).holds(Variables(values))


@pytest.mark.parametrize(
    "expression",
    [
        "$a",
        "$a = x",
        "$a == x",
        "$a != y",
        "'x' = \"x\"",
        "!$none",
        "! $a = y",
        "!!$a",
        "$a && $b",
        "$none || $b",
        "($none || $a) && $b",
        "$a = x && $b = y",
        "$none && $none || $a",
        "$a || $none && $none",
        "a b = 'a b'",
        "a   b = 'a b'",
        "$a$b = xy",
        "'' = $none",
        "a&b = 'a&b'",
        "a|b = 'a|b'",
        "hello! = 'hello!'",
        r"'it\'s' = " + '"it\'s"',
        r"'\$a' = '\$a' && '\$a' != $a",
    ],
)
def test_holds(expression: str) -> None:
    assert holds(expression, a="x", b="y")


@pytest.mark.parametrize(
    "expression",
    [
        "$none",
        "''",
        "$a = y",
        "$a != x",
        "!$a",
        "$a && $none",
        "$none || $none",
        "!($a && $b)",
        "$a = X",
        "$none && ($a || $a)",
    ],
)
def test_does_not_hold(expression: str) -> None:
    assert not holds(expression, a="x", b="y")


@pytest.mark.parametrize(
    ("left", "order", "right"),
    [
        ("9", "<", "10"),
        ("-1", "<", "0"),
        ("10", ">=", "10"),
        ("007", "<=", "7"),
        ("7", ">=", "007"),
        ("b", ">", "a"),
        ("a10", "<", "a9"),
        ("9.5", ">", "10"),
        ("", "<", "a"),
        ("9" * 30, ">", "1" + "0" * 40),
        ("٣", ">", "10"),
    ],
)
def test_whole_numbers_are_ordered_as_numbers_all_else_as_text(
    left: str, order: str, right: str
) -> None:
    assert holds(f"$left {order} $right", left=left, right=right)
    opposite = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}[order]
    assert not holds(f"$left {opposite} $right", left=left, right=right)


def test_equality_is_of_characters() -> None:
    assert holds("007 != 7")


def test_a_value_cannot_change_the_expression() -> None:
    assert not holds("$user = root", user="x' || '' = '")
    assert not holds("$user = root", user="root || 1")
    assert holds("$user = 'a && b'", user="a && b")


def test_a_value_cannot_be_a_regular_expression() -> None:
    assert not holds("$a = $b", a="x", b="/./")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$a = /^b.d$/", True),
        ("$a = /x/", False),
        ("$a != /x/", True),
        ("$a = /(?i)BAD/", True),
        ("a/b = /a\\/b/", True),
        ("$a = '/bad/'", False),
        ("$a = /b/ && $a = /d/", True),
        (r"'a$' = /\$/", True),
    ],
)
def test_regular_expressions_match_anywhere(expression: str, expected: bool) -> None:
    assert holds(expression, a="bad") is expected


def test_variables_are_not_put_into_regular_expressions() -> None:
    assert not holds("$a = /^$b/", a="x", b="x")


@pytest.mark.parametrize(
    ("expression", "asked"),
    [("$a || $b", ["$a"]), ("$none && $b", ["$none"]), ("$a && $b", ["$a", "$b"])],
)
def test_nothing_is_asked_that_cannot_matter(expression: str, asked: list[str]) -> None:
    variables = Variables({"a": "x", "b": "y"})
    parse_expression(expression, 32).holds(variables)
    assert variables.asked == asked


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", "&&", "$a &&", "|| $a", "($a", "$a)", "()", "!", "= x", "$a =", "$a = = x"),
        *("'a", "$a = /x", "$a = y = z", "$a < /x/ /y/ =", '"', "$a < < b", "$a !", "$a (b)"),
        "a !b",
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(DirectiveError, match=r"in the expression, found"):
        parse_expression(expression, 32)


@pytest.mark.parametrize(
    "pattern", ["(", "a{2,1}", r"(a)\1", "(?=a)", "(?:x{1000}){1000}", "(?:[^a]){999}", "\ud800"]
)
def test_what_is_no_regular_expression_is_refused(pattern: str) -> None:
    with pytest.raises(DirectiveError, match=r"regular expression"):
        holds(f"$a = /{pattern}/", a="x")


def test_a_long_regular_expression_is_refused() -> None:
    with pytest.raises(DirectiveError, match=r"pattern_chars_max = 512"):
        holds(f"$a = /{'x' * 513}/")


def test_a_text_that_is_no_unicode_is_searched_all_the_same() -> None:
    assert search("^a.b$", "a\udc80b", 512) == ("a?b",)


def test_groups_without_part_in_the_match_are_empty() -> None:
    assert search("(x)|(y)", "y", 512) == ("y", "", "y")


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(a*)*(a*)*b", "(?:a?){200}b", "([a-z]+)*1"]
)
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    started = process_time()
    assert search(pattern, "a" * 8192, 512) is None
    # Backtracking would take longer than the universe has; linear time is some milliseconds.
    assert process_time() - started < 10


def test_parentheses_are_bounded() -> None:
    assert parse_expression("(" * 32 + "a" + ")" * 32, 32)
    with pytest.raises(DirectiveError, match=r"expression_depth_max = 32"):
        parse_expression("(" * 33 + "a" + ")" * 33, 32)


def test_parentheses_side_by_side_are_not() -> None:
    assert holds(" && ".join(["(a)"] * 100))


@pytest.mark.parametrize(
    "expression", ["!" * 8001 + "$none", "a && " * 1600 + "a", "a|| " * 1600 + "a"]
)
def test_long_expressions_need_no_depth(expression: str) -> None:
    assert holds(expression)


@given(
    st.lists(
        st.sampled_from(
            ["(", ")", "!", "&&", "||", "=", "!=", "<", ">=", "/", "a", "$a", "'", '"', " "]
        ),
        max_size=30,
    ).map("".join)
)
def test_anything_is_decided_or_refused(expression: str) -> None:
    with suppress(DirectiveError):
        assert holds(expression, a="1") in (True, False)
