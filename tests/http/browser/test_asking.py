"""Asking nodes that do not answer, in a simulated world: nothing waits longer than a page may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from apps.http.browser.asking import ask_node, ask_nodes, ask_object
from apps.http.browser.bounds import ANSWER_SECONDS
from tests.conftest import world_seed
from tests.peers.system import LinkedBell, chain
from vista.testing import Conditions, World


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world in which messages take a hundredth of a second, and nothing gets lost by itself."""
    calm = Conditions(delay_seconds=0.01, late_chance=0.0, half_open_chance=1.0)
    with World(seed=world_seed(request), conditions=calm) as made:
        yield made


def test_every_node_that_is_reached_tells_of_itself(world: World) -> None:
    near, middle, far = chain(world, ["near", "middle", "far"])
    seen = near.call(ask_nodes)
    assert [one.name for one in seen] == ["near", "middle", "far"]
    assert [sum(row.hops == 1 for row in one.peers) for one in seen] == [1, 2, 1]
    assert not any(one.trouble for one in seen)
    assert middle.call(lambda: ask_node(vista.id_of(vista.here()))).name == "middle"
    assert far.call(ask_nodes)[0].name == "far"


def test_a_node_that_is_silent_has_its_trouble_and_holds_nothing_up(world: World) -> None:
    near, _ = chain(world, ["near", "far"])
    world.network.partition(["near"], ["far"])
    before = world.time
    seen = near.call(ask_nodes)
    assert [bool(one.trouble) for one in seen] == [False, True]
    assert "CallTimeout" in seen[1].trouble
    assert world.time - before < 2 * ANSWER_SECONDS


def test_the_page_of_a_silent_node_is_given_up(world: World) -> None:
    near, far = chain(world, ["near", "far"])
    creator = far.call(lambda: vista.id_of(vista.here()))
    bell = far.call(lambda: vista.id_of(vista.create(LinkedBell)))
    world.network.partition(["near"], ["far"])
    with pytest.raises(vista.CallTimeout):
        near.call(lambda: ask_node(creator))
    with pytest.raises(vista.CallTimeout):
        near.call(lambda: ask_object(bell))
