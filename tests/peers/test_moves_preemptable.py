"""Messages that take no turn in an object, while it moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from tests.peers.system import chain, ended, peering, seen
from tests.peers.test_moves import SLOW, at_rest, creator
from vista.errors import NotAValueError
from vista.kernel.table import DEPARTING
from vista.limits import Limits
from vista.testing import SimulatedNode, World


class Tally(vista.Object):
    """Counts without taking a turn."""

    def create(self) -> None:
        self.count = 0

    @vista.preemptable
    def add(self) -> int:
        self.count += 1
        return self.count

    @vista.preemptable
    def add_late(self) -> int:
        vista.sleep(1.0)
        return self.add()

    def keep_a_lock(self) -> None:
        self.lock = iter([])


@pytest.fixture
def nodes() -> Iterator[list[SimulatedNode]]:
    """Three kin nodes in a row."""
    with World(3) as world:
        yield chain(world, "abc")


def add_while_it_moves(
    world: World, nodes: list[SimulatedNode], way: str, sender: SimulatedNode
) -> list[Any]:
    """Send to a tally that moves from a to b at every moment of that; return what it answered."""
    a, b, _ = nodes
    tally = a.call(vista.create, Tally)
    move_seconds, calls = 0.0, [a.spawn(lambda: vista.move(tally, creator(b)))]
    add = {
        "call": lambda: seen(sender, tally).add(),
        "future": lambda: seen(sender, tally).add.future().result(),
        "post": lambda: seen(sender, tally).add.post(),
    }[way]
    while not calls[0].done() and move_seconds < 5.0:
        calls.append(sender.spawn(add))
        world.pass_time(0.01)
        move_seconds += 0.01
    answers = ended(world, calls)[1:]
    assert len(answers) > 10
    world.pass_time(5.0)
    assert b.call(lambda: seen(b, tally).add()) == len(answers) + 1
    at_rest(world, nodes)
    return answers


@pytest.mark.parametrize("way", ["call", "future", "post"])
@pytest.mark.parametrize("sender", [0, 1, 2])
def test_messages_that_take_no_turn_are_not_lost_with_what_moved(way: str, sender: int) -> None:
    with World(7, conditions=SLOW) as world:
        nodes = chain(world, "abc")
        answers = add_while_it_moves(world, nodes, way, nodes[sender])
        if way != "post":
            assert sorted(answers) == list(range(1, len(answers) + 1))


@pytest.mark.parametrize("step", range(5, 25))
def test_a_single_call_in_the_midst_of_a_move_is_not_lost_with_what_moved(step: int) -> None:
    with World(7, conditions=SLOW) as world:
        nodes = a, b, _ = chain(world, "abc")
        tally = a.call(vista.create, Tally)
        moving = a.spawn(lambda: vista.move(tally, creator(b)))
        world.pass_time(0.01 * step)
        assert ended(world, [a.spawn(lambda: tally.add()), moving])[0] == 1
        assert b.call(lambda: seen(b, tally).add()) == 2
        at_rest(world, nodes)


def test_a_message_that_takes_no_turn_and_was_ready_before_the_move_goes_along(
    nodes: list[SimulatedNode],
) -> None:
    a, b, _ = nodes
    tally = a.call(vista.create, Tally)

    def move_and_add() -> list[int]:
        moving = tally.move_to.future(vista.ref_of(creator(b)))
        adding = [tally.add_late.future() for _ in range(3)]
        moving.result()
        return sorted(future.result() for future in adding)

    assert a.call(move_and_add) == [1, 2, 3]
    assert a.call(lambda: tally.add()) == 4


def test_who_waits_for_an_object_that_then_stays_gets_in(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    tally = a.call(vista.create, Tally)
    a.call(lambda: tally.keep_a_lock())

    def move_and_add() -> list[int]:
        moving = tally.move_to.future(vista.ref_of(creator(b)))
        vista.sleep(0.0)
        adding = [tally.add.future() for _ in range(3)]
        with pytest.raises(NotAValueError):
            moving.result()
        return [future.result() for future in adding]

    assert a.call(move_and_add) == [1, 2, 3]
    assert a.call(lambda: tally.add()) == 4


def test_what_waits_for_an_object_that_moves_is_bounded() -> None:
    with World(7, conditions=SLOW) as world:
        a, b = chain(world, "ab", limits=Limits(mailbox_messages_max=30))
        tally = a.call(vista.create, Tally)
        a.spawn(lambda: vista.move(tally, creator(b)))
        world.pass_time(0.05)

        def flood() -> int:
            for number in range(100):
                try:
                    tally.add.post()
                except vista.Overloaded:
                    return number
                vista.sleep(0.0)
            return 100

        assert a.call(flood) == 30


def test_one_that_waited_for_a_move_is_not_overtaken_when_the_object_is_let_go(
    nodes: list[SimulatedNode],
) -> None:
    a = nodes[0]
    tally = a.call(vista.create, Tally)

    def let_go_and_add() -> int:
        record = a.kernel.record_of(tally)
        record.state = DEPARTING
        tally.add.post()
        waiting, record.queue = record.queue, None
        peering(a).moves.let_in(record, waiting)
        return int(tally.add())

    assert a.call(let_go_and_add) == 2
