"""Canonical bytes: the same value gives the same bytes, in any process."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from tests.hash_seeds import printed_under
from tests.values.samples import Pair
from tests.values.strategies import values
from tests.wire.checks import make_codec
from vista.values import copy_value

CODEC = make_codec()
PROGRAM = """
from tests.values.samples import Colour, Pair, Position
from tests.wire.checks import make_codec
names = {f"name{number}" for number in range(50)}
value = [names, frozenset(names), {Pair(name, frozenset(names)) for name in names},
         {"b": 1, "a": (names, Colour.RED)}, Position(names, ValueError(names)),
         frozenset({frozenset({name, (name, None)}) for name in names})]
print(make_codec().encode_canonical(value).hex())
"""


def test_canonical_bytes_do_not_depend_on_the_hash_seed() -> None:
    outputs = [printed_under(seed, "-c", PROGRAM) for seed in ("1", "2")]
    assert len(outputs[0]) > 1000
    assert outputs[0] == outputs[1]


@given(values())
def test_a_copy_has_the_canonical_bytes_of_its_original(value: Any) -> None:
    assert CODEC.encode_canonical(copy_value(value)) == CODEC.encode_canonical(value)


@given(values())
def test_what_canonical_bytes_give_has_the_same_canonical_bytes(value: Any) -> None:
    data = CODEC.encode_canonical(value)
    assert CODEC.encode_canonical(CODEC.decode(data)) == data


def test_sets_filled_in_another_order_have_the_same_bytes() -> None:
    numbers = [number * 1024 for number in range(20)]
    one, other = set(numbers), set().union(*({number} for number in reversed(numbers)))
    assert list(one) != list(other)
    assert CODEC.encode_canonical(one) == CODEC.encode_canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([1], (1,)),
        ({1}, frozenset({1})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Decimal("1.0"), Decimal("1.00")),
        (Pair(1, 2), Pair(2, 1)),
        ("a", b"a"),
    ],
    ids=repr,
)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    assert CODEC.encode_canonical(one) != CODEC.encode_canonical(other)


def test_a_text_in_the_order_of_a_set_is_not_part_of_an_exceptions_canonical_bytes() -> None:
    one, other = ({0, 1024}, {1024, 0})
    assert str(ValueError(one)) != str(ValueError(other))
    assert CODEC.encode_canonical(ValueError(one)) == CODEC.encode_canonical(ValueError(other))


def test_where_an_exception_was_raised_is_not_part_of_its_canonical_bytes() -> None:
    with pytest.raises(ValueError) as caught:
        raise ValueError("bad")
    assert CODEC.encode_canonical(caught.value) == CODEC.encode_canonical(ValueError("bad"))


def test_sets_in_sets_are_sorted_once_each() -> None:
    value: Any = frozenset({0})
    for number in range(90):
        value = frozenset({value, number})
    assert CODEC.decode(CODEC.encode_canonical(value)) == value
