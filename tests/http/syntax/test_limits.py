"""The limits of the HTTP server: every bound is positive, and they fit one another."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from typing import Any

import pytest

from apps.http.errors import BadLimitError
from apps.http.syntax.limits import HttpLimits

NAMES = [field.name for field in fields(HttpLimits)]


def test_the_limits_as_they_come_are_valid() -> None:
    limits = HttpLimits()
    limits.validate()
    assert all(0 < bound < float("inf") for bound in astuple(limits))
    assert limits.unread_bytes_max >= limits.head_bytes_max >= limits.field_bytes_max
    assert limits.head_bytes_max > limits.method_bytes_max + limits.target_bytes_max
    assert limits.chunk_extensions_bytes_max >= limits.chunk_extension_bytes_max


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_limit_is_a_positive_number(name: str, value: Any) -> None:
    with pytest.raises(BadLimitError, match=f"limit {name} must be a positive number"):
        replace(HttpLimits(), **{name: value}).validate()


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("_seconds")])
def test_what_is_counted_is_a_whole_number(name: str) -> None:
    changes: dict[str, Any] = {name: 1000.5}
    with pytest.raises(BadLimitError, match=f"limit {name} must be a whole number"):
        replace(HttpLimits(), **changes).validate()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"head_bytes_max": 8_192}, "head_bytes_max must hold a request line"),
        ({"head_bytes_max": 16_383}, "head_bytes_max must be at least field_bytes_max"),
        ({"unread_bytes_max": 65_535}, "unread_bytes_max must be at least head_bytes_max"),
        ({"chunk_extensions_bytes_max": 255}, "must be at least chunk_extension_bytes_max"),
    ],
)
def test_limits_that_do_not_fit_one_another_are_refused(changes: Any, text: str) -> None:
    with pytest.raises(BadLimitError, match=text):
        replace(HttpLimits(), **changes).validate()


def test_limits_do_not_change() -> None:
    with pytest.raises(AttributeError):
        HttpLimits().body_bytes_max = 5  # type: ignore[misc]
