"""Objects that show a galaxy: told some at a time, and what is newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.starship.objects.things import Exhibits, Starship
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from tests.peers.system import add_node
from tests.starship.rules.galaxy import galaxy, thing
from vista import Limits
from vista.testing import World

SHIPS = ("Bounty", "Lexington", "Merlin")
START: State = galaxy(
    *(
        thing(name, at=(500_000 * number, 500_000), speed=30, want_speed=30)
        for number, name in enumerate(SHIPS, 1)
    )
)
FIRST = advance(START)
SECOND = advance(FIRST)


class Stand:
    """The ships of a galaxy as objects of a node."""

    def __init__(self, world: World, kind: type[Starship] = Starship, **options: Any) -> None:
        self.world = world
        self.node = add_node(world, "home", **options)
        self.things = Exhibits()
        for number, name in enumerate(SHIPS, 1):
            text = Encoder().thing(START.objects[name])
            made = self.node.call(vista.create, kind, number, name, text)
            self.things.put(number, made)

    def show(self, state: State) -> None:
        """Say what is to be shown."""
        self.things.show(state, Encoder().thing, {})

    def go_on(self, most: int) -> None:
        """Have some objects show it."""
        self.node.call(self.things.go_on, most)
        self.world.pass_time(0.1)

    def steps(self) -> list[int]:
        """Of which step each object shows the place."""
        found = []
        for number, name in enumerate(SHIPS, 1):
            place = self.node.call(self.things.refs[number].get_state)["nav"]["y"]
            found.append([s.objects[name].nav.y for s in (START, FIRST, SECOND)].index(place))
        return found


@pytest.fixture
def stand() -> Iterator[Stand]:
    with World(3) as world:
        yield Stand(world)


def test_objects_are_told_some_at_a_time(stand: Stand) -> None:
    stand.show(FIRST)
    assert stand.steps() == [0, 0, 0]
    stand.go_on(2)
    assert stand.steps() == [1, 1, 0]
    assert stand.things.has_more
    stand.go_on(2)
    assert stand.steps() == [1, 1, 1]
    assert not stand.things.has_more


def test_who_waits_for_one_step_when_the_next_comes_shows_the_next_before_others(
    stand: Stand,
) -> None:
    stand.show(FIRST)
    stand.go_on(1)
    stand.show(SECOND)
    stand.go_on(2)
    assert stand.steps() == [1, 2, 2]
    stand.go_on(1)
    assert stand.steps() == [2, 2, 2]


def test_objects_that_are_given_up_are_told_nothing(stand: Stand) -> None:
    stand.show(FIRST)
    assert len(stand.things.clear()) == len(SHIPS)
    assert not stand.things.has_more


FEW = Limits(mailbox_messages_max=1_000)


class FullStarship(Starship, namespace="StarShip"):
    """A starship whose mailbox is full when objects are told what they show."""

    things = Exhibits()

    def crowd(self) -> None:
        """Leave no place for another message, and have all objects told."""
        me = vista.self_ref(self)
        with pytest.raises(vista.Overloaded):
            for _ in range(FEW.mailbox_messages_max + 1):
                me.get_number.post()
        self.things.go_on(len(SHIPS))


def test_an_object_with_a_full_mailbox_holds_up_no_other_and_is_told_after_the_next_step() -> None:
    with World(3) as world:
        stand = Stand(world, FullStarship, limits=FEW)
        stand.show(FIRST)
        FullStarship.things = stand.things
        stand.node.call(stand.things.refs[1].crowd)
        world.pass_time(0.1)
        assert stand.steps() == [0, 1, 1]
        stand.show(FIRST)
        stand.go_on(len(SHIPS))
        assert stand.steps() == [1, 1, 1]
