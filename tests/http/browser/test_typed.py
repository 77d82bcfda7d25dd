"""Arguments that a person types: values only, read and never run, in bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vista
from apps.http.browser.bounds import ARGUMENTS_CHARACTERS_MAX
from apps.http.browser.typed import Mistyped, read_arguments

SHIP = vista.Id.parse("4r7q2v9kzm1x8c5t-1f")


@pytest.mark.parametrize(
    ("text", "given", "named"),
    [
        ("", [], {}),
        ("  \n ", [], {}),
        ("5", [5], {}),
        ("-5, 2.5, 1e3", [-5, 2.5, 1000.0], {}),
        ("'a', b'b', None, True", ["a", b"b", None, True], {}),
        ("[1, (2,), {3: {4}}]", [[1, (2,), {3: {4}}]], {}),
        ("1, by=2, name='x'", [1], {"by": 2, "name": "x"}),
        ("1,\n  2,  # the second\n", [1, 2], {}),
        ('Id("4r7q2v9kzm1x8c5t-1f")', [SHIP], {}),
        ('[ref("4R7Q2V9KZM1X8C5T-1F")], to=Id("4r7q2v9kzm1x8c5t-1f")', [[SHIP]], {"to": SHIP}),
        ('"Id(1)"', ["Id(1)"], {}),
    ],
)
def test_literals_are_read(text: str, given: list[Any], named: dict[str, Any]) -> None:
    assert read_arguments(text) == (given, named)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "print(1)",
        "__import__('os').system('true')",
        "1) + message(2",
        "1)(2",
        "1), message(2",
        "1); message(2",
        "lambda: 1",
        "[x for x in (1,)]",
        "x for x in (1,)",
        "*[1, 2]",
        "**{'a': 1}",
        "a=1, a=2",
        "f'{1}'",
        "1 if True else 2",
        "9 ** 9 ** 9",
        "(x := 1)",
        "Id(1)",
        "Id('nothing')",
        "Id('4r7q2v9kzm1x8c5t-1f', 2)",
        "Id",
        "[1",
        "'open",
        "1 2",
        "\0",
        "{[]: 1}",
        "9" * 5000,
        "-" * 10_000 + "1",
        "[" * 60 + "]" * 60,
        "(" * 5000,
        "1," * ARGUMENTS_CHARACTERS_MAX,
    ],
    ids=lambda text: text[:30] if len(text) < 100 else f"{text[:3]}... {len(text)}",
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(Mistyped) as refused:
        read_arguments(text)
    assert 10 < len(str(refused.value)) < 300


def test_the_line_of_a_mistake_is_told() -> None:
    with pytest.raises(Mistyped, match=r"^Line 2 is no Python value"):
        read_arguments("1,\n2 3,\n4")


@given(st.text(max_size=200))
def test_any_text_gives_values_or_words(text: str) -> None:
    try:
        read_arguments(text)
    except Mistyped as refused:
        assert str(refused)


NUMBERS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | NUMBERS | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


@given(st.lists(VALUES, max_size=4))
def test_what_python_writes_is_read_back(values: list[Any]) -> None:
    assert read_arguments(", ".join(map(repr, values))) == (values, {})


@pytest.mark.parametrize("text", ["1" + "+1" * 2_000, "-" * 2_000 + "1", "x" + ".a" * 2_000])
def test_what_is_nested_without_brackets_is_refused_in_words_too(text: str) -> None:
    with pytest.raises(Mistyped):
        read_arguments(text)
