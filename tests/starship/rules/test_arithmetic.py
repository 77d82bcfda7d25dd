"""The arithmetic: directions, distances and random numbers (design, section 3)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules import arithmetic
from apps.starship.rules.arithmetic import angdiff, bearing, dist, rng
from vista import InternalError

_FAR = st.integers(-4_000_000, 4_000_000)


@given(_FAR, _FAR)
def test_bearing_is_the_nearest_tenth_of_a_degree(dx: int, dy: int) -> None:
    found = bearing(dx, dy)
    exact = math.degrees(math.atan2(dx, dy)) * 10 % 3_600
    gap = abs(found - exact) % 3_600
    assert 0 <= found < 3_600
    assert (dx, dy) == (0, 0) or min(gap, 3_600 - gap) <= 0.501


@given(_FAR, _FAR)
def test_the_way_back_has_the_opposite_bearing(dx: int, dy: int) -> None:
    if (dx, dy) != (0, 0):
        assert abs(angdiff(bearing(dx, dy), bearing(-dx, -dy))) in (1_799, 1_800)


@given(_FAR, _FAR)
def test_distance_is_rounded_down(dx: int, dy: int) -> None:
    found = dist(dx, dy)
    assert found * found <= dx * dx + dy * dy < (found + 1) ** 2


@given(st.integers(0, 3_599), st.integers(0, 3_599))
def test_turning_by_the_difference_arrives(to: int, start: int) -> None:
    turn = angdiff(to, start)
    assert -1_800 <= turn <= 1_799
    assert (start + turn) % 3_600 == to


@given(st.integers(), st.integers(0), st.text("ABab-_09", max_size=8))
def test_a_random_number_depends_on_all_its_keys(seed: int, step: int, key: str) -> None:
    found = rng(seed, step, key)
    assert 0 <= found < 2**64
    assert found == rng(seed, step, key)
    assert found != rng(seed, step + 1, key)
    assert found != rng(seed + 1, step, key)
    assert found != rng(seed, step, key + "x")


def test_a_machine_that_makes_other_sines_does_not_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "SINE_TABLE_SHA256", "0" * 64)
    with pytest.raises(InternalError, match=r"the sine table of this machine is [0-9a-f]{64}"):
        arithmetic._make_sines()
