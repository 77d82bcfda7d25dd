"""Places of nodes in the drawing: the same for the same nodes, apart from each other."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.browser.places import SPACING, place


def star(count: int) -> tuple[list[str], list[tuple[str, str]]]:
    """A hub with so many nodes around it."""
    around = [f"n{number}" for number in range(count)]
    return ["hub", *around], [("hub", node) for node in around]


def test_a_single_node_stands_in_the_middle() -> None:
    places = place(["hub"], [])
    assert (places.at, places.rings) == ({"hub": (0.0, 0.0)}, ())


def test_neighbours_of_the_middle_stand_on_the_first_ring() -> None:
    places = place(*star(4))
    assert places.at["hub"] == (0.0, 0.0)
    assert places.rings == (SPACING,)
    assert len(set(places.at.values())) == 5


def test_each_hop_is_a_ring_further_out() -> None:
    places = place(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("c", "d")])
    distances = [math.hypot(*places.at[node]) for node in "abcd"]
    assert distances == sorted(distances)
    assert len(places.rings) == 3


@pytest.mark.parametrize("count", [2, 9, 30, 63])
def test_nodes_around_the_middle_do_not_touch(count: int) -> None:
    places = place(*star(count))
    nearest = min(math.dist(one, other) for one, other in combinations(places.at.values(), 2))
    assert nearest > 0.8 * SPACING


def test_what_no_link_leads_to_is_placed_as_well() -> None:
    places = place(["a", "b", "lost"], [("a", "b")])
    assert len(set(places.at.values())) == 3


def test_links_to_unknown_nodes_and_to_itself_are_passed_over() -> None:
    assert place(["a", "b"], [("a", "x"), ("b", "b"), ("a", "b")]) == place(
        ["a", "b"], [("a", "b")]
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.randoms())
def test_the_order_of_the_links_changes_nothing(links, random) -> None:  # type: ignore[no-untyped-def]
    nodes = [f"n{number}" for number in range(10)]
    pairs = [(f"n{one}", f"n{other}") for one, other in links]
    mixed = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(mixed)
    made = place(nodes, pairs)
    assert made == place(nodes, mixed)
    assert set(made.at) == set(nodes)


def test_two_nodes_stand_side_by_side() -> None:
    (x, y), (_, other) = place(["a", "b"], [("a", "b")]).at.values()
    assert (x, y, other) == (0.0, 0.0, 0.0)
