"""The world of a test of links, and the place of one of transparency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import world_seed
from tests.peers.places import PLACES, Place
from tests.peers.system import PROMPT, chain
from vista.limits import Limits
from vista.testing import SimulatedNode, World

PlaceMaker = Callable[..., Place]


@pytest.fixture
def world() -> Iterator[World]:
    """A world on whose network both ends learn of a loss at once."""
    with World(3, conditions=PROMPT) as made:
        yield made


@pytest.fixture
def pair(world: World) -> list[SimulatedNode]:
    """Two kin nodes that are linked, and tell each other nothing of routes any more."""
    made = chain(world, "ab")
    world.pass_time(5.0)
    return made


@pytest.fixture(params=[f"{place}, seed {seed}" for place in PLACES for seed in (0, 1)])
def make_place(request: pytest.FixtureRequest) -> Iterator[PlaceMaker]:
    """Make the place of a test, whose nodes have the limits that are named.

    A test runs at each place with two seeds. The functions of `vista` use the near node. At the end
    every node must be at rest.
    """
    name, _, _ = request.param.partition(",")
    with ExitStack() as stack:

        def make(**limits: Any) -> Place:
            world = stack.enter_context(World(world_seed(request)))
            place = Place(world, PLACES[name], Limits(**limits) if limits else None)
            stack.enter_context(place.near)
            stack.callback(place.check_rest)
            return place

        yield make


@pytest.fixture
def place(make_place: PlaceMaker) -> Place:
    """A place with the limits that its seed draws."""
    return make_place()
