"""Units shared out over servers (design, section 13 and example 12 of section 17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules.partition import Server, first_speed, next_speed, next_standing, share

TWO = (Server("A", 100), Server("B", 50))


def test_12_objects_of_one_cost() -> None:
    costs = {f"o{number}": 4.0 for number in range(1, 7)}
    assert share(costs, TWO) == {"A": ["o1", "o2", "o4", "o5"], "B": ["o3", "o6"]}


def test_12_objects_of_different_costs() -> None:
    found = share({"a": 6, "b": 6, "c": 4, "d": 4, "e": 4, "f": 2}, TWO)
    assert {id: sorted(names) for id, names in found.items()} == {
        "A": ["a", "b", "d", "f"],
        "B": ["c", "e"],
    }


def test_an_idle_server_gets_the_cheapest_object() -> None:
    costs = {"a": 9.0, "b": 5.0, "c": 5.0}
    assert share(costs, [Server("A", 1_000), Server("B", 1)]) == {"A": ["a", "c"], "B": ["b"]}


def test_what_only_one_server_can_do_is_no_work_for_others_to_wait_for() -> None:
    costs = {f"o{number}": 10.0 for number in range(6)}
    found = share(costs, [Server("A", 100, standing=0.2), Server("B", 100)])
    assert {id: len(names) for id, names in found.items()} == {"A": 2, "B": 4}
    assert next_standing(0.0, 0.2) == 0.2
    assert next_standing(0.2, 0.3) == pytest.approx(0.23)


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0.1, 100), max_size=30),
    st.lists(st.floats(0, 1_000), min_size=1, max_size=6),
)
def test_every_object_has_one_server_and_none_idles(
    costs: dict[str, float], speeds: list[float]
) -> None:
    servers = [Server(f"s{number}", speed) for number, speed in enumerate(speeds)]
    found = share(costs, servers)
    assert sorted(name for names in found.values() for name in names) == sorted(costs)
    if len(costs) >= len(servers):
        assert all(found.values())


def test_speeds_follow_what_is_measured() -> None:
    assert next_speed(100, cost=50, busy_seconds=0.25) == 130
    assert next_speed(100, cost=0, busy_seconds=0) == 100
    assert first_speed([100, 40, 60]) == 30
    assert first_speed([]) > 0
