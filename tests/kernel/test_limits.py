"""Limits: every bound is positive, and they fit one another."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

import vista
from tests.refusals import refusal
from vista import BadValueError, Limits

NAMES = [field.name for field in fields(Limits)]


def test_the_limits_as_they_come_are_valid() -> None:
    assert refusal(Limits()) == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_limit_is_a_positive_number(name: str, value: Any) -> None:
    with pytest.raises(BadValueError, match=f"limit {name} "):
        replace(Limits(), **{name: value}).validate()


@pytest.mark.parametrize("name", [name for name in NAMES if "_seconds" not in name])
def test_what_is_counted_is_a_whole_number(name: str) -> None:
    with pytest.raises(BadValueError, match=f"limit {name} must be a whole number"):
        replace(Limits(), **{name: 1000.5}).validate()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"chain_calls_max": 63}, "chain_calls_max must be at least nested_calls_max"),
        ({"nested_calls_max": 150}, "nested_calls_max . sends_between_checks must not pass"),
        ({"frame_bytes_max": 1000}, "frame_bytes_max must be at least large_buffer_bytes"),
        ({"mesh_interval_seconds_max": 0.05}, "mesh_interval_seconds_max must be at least the one"),
        ({"met_nodes_max": 4_095}, "met_nodes_max must be at least nodes_max"),
        ({"slow_method_seconds": 0.001}, "slow_method_seconds must be at least turn_seconds"),
    ],
)
def test_limits_that_do_not_fit_one_another_are_refused(changes: Any, text: str) -> None:
    with pytest.raises(BadValueError, match=text):
        replace(Limits(), **changes).validate()


def test_a_node_refuses_limits_that_are_not_valid() -> None:
    with pytest.raises(BadValueError, match="call_seconds"):
        vista.Node(limits=Limits(call_seconds=0))


def test_limits_are_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        Limits(5.0)  # type: ignore[misc]


def test_limits_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Limits().call_seconds = 5.0  # type: ignore[misc]


def test_a_misspelled_limit_is_refused() -> None:
    with pytest.raises(TypeError, match="call_second"):
        Limits(call_second=5)  # type: ignore[call-arg]


def test_every_limit_ends_with_its_unit_or_as_a_bound() -> None:
    endings = ("_seconds", "_max", "_min", "_bytes", "_checks")
    assert [name for name in NAMES if not name.endswith(endings)] == []
