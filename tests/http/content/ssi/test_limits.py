"""The bounds of a page fit each other."""

from __future__ import annotations

from dataclasses import astuple, fields

import pytest

from apps.http.content.ssi.limits import SsiLimits
from apps.http.errors import BadLimitError


def test_the_bounds_given_are_valid() -> None:
    limits = SsiLimits()
    limits.validate()
    assert all(type(bound) is int and bound > 0 for bound in astuple(limits))
    assert limits.output_chars_max >= limits.value_chars_max


@pytest.mark.parametrize("name", [field.name for field in fields(SsiLimits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5"])
def test_a_bound_is_a_positive_whole_number(name: str, value: object) -> None:
    with pytest.raises(BadLimitError, match=rf"limit {name} must be a positive whole number"):
        SsiLimits(**{name: value}).validate()  # type: ignore[arg-type]


def test_a_page_holds_a_value() -> None:
    with pytest.raises(BadLimitError, match=r"output_chars_max must be at least value_chars_max"):
        SsiLimits(output_chars_max=10).validate()
