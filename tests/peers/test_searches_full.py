"""Searches for objects when no link has room for the question where they are."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import bell, chain, limits, peering, seen
from tests.peers.test_moves import at_rest, creator
from vista.errors import Overloaded
from vista.testing import SimulatedNode, World


@pytest.fixture
def pair(world: World) -> list[SimulatedNode]:
    return chain(world, "ab", limits=limits(link_messages_max=50))


def beside_a_full_link(pair: list[SimulatedNode], act: Any) -> Any:
    """Do something in a turn of the first node in which its link takes no message any longer."""
    a, b = pair
    far = seen(a, bell(b))

    def fill_and_act() -> Any:
        with pytest.raises(Overloaded):
            for number in range(1_000):
                far.hear.post(number)
        return act()

    return a.call(fill_and_act)


def test_whoever_waits_for_one_goes_on_at_once(world: World, pair: list[SimulatedNode]) -> None:
    a, _ = pair
    ends: list[Any] = []
    unknown = vista.Id.make(creator(a).node, 10_000)
    beside_a_full_link(pair, lambda: peering(a).moves.searches.bring(unknown, ends.append))
    assert ends == [None]
    at_rest(world, pair)


def test_a_fence_for_one_goes_back(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    moves, gone = peering(a).moves, b"gone away!"
    id = vista.Id.make(gone, 1)
    moves.places[id] = gone
    beside_a_full_link(pair, lambda: moves.take_fence(creator(b).node, 1, id))
    assert id not in moves.fences
    at_rest(world, pair)
