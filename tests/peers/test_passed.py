"""For whom a node passed messages on: told when the link ends, forgotten when they are lost."""

from __future__ import annotations

import pytest

from tests.peers.system import add_node, bell, ended, join, links, peering, seen
from vista.peering import passed
from vista.peering.passed import PAIRS_KEPT, Passed
from vista.testing import World


def filled(count: int) -> Passed:
    """What a link remembers of one origin and so many nodes."""
    made = Passed()
    for number in range(count):
        made.add(b"origin", b"node %03d" % number)
    return made


def test_lost_nodes_are_looked_for_when_there_are_many_pairs() -> None:
    made = filled(PAIRS_KEPT - 1)
    assert not made.add(b"origin", b"node 000")
    assert made.add(b"origin", b"one more")


def test_what_is_set_aside_is_told_until_the_fence_has_come_back() -> None:
    made = filled(3)
    assert made.set_aside({b"origin", b"node 001"})
    assert len(made.all()) == len(made) == 3
    made.settle(is_heard=True)
    assert made.all() == [(b"origin", b"node 001")]


def test_what_is_set_aside_is_kept_when_the_fence_does_not_come_back() -> None:
    made = filled(3)
    assert made.set_aside({b"origin"})
    made.settle(is_heard=False)
    assert [node for _, node in made.all()] == [b"node 000", b"node 001", b"node 002"]


def test_messages_that_are_passed_on_behind_the_fence_are_remembered() -> None:
    made = filled(2)
    assert made.set_aside({b"origin"})
    assert not made.add(b"origin", b"node 000")
    made.settle(is_heard=True)
    assert made.all() == [(b"origin", b"node 000")]


def test_nothing_is_set_aside_while_all_are_known() -> None:
    made = filled(PAIRS_KEPT)
    assert not made.set_aside({b"origin", *(node for _, node in made.all())})
    assert len(made) == PAIRS_KEPT


def test_a_link_that_stays_does_not_remember_all_nodes_that_came_and_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passed, "PAIRS_KEPT", 4)
    front, hub = add_node(world, "front"), add_node(world, "hub")
    join(front, hub)
    (link,) = links(hub)
    remembered = 0
    for number in range(20):
        far = add_node(world, f"far-{number}")
        join(far, hub)
        world.pass_time(1.0)
        assert ended(world, [seen(front, bell(far)).ring.future(0.1)]) == ["rung"]
        world.crash(far.name)
        world.pass_time(60.0)
        remembered = max(remembered, len(peering(hub).ways._passed[link.number]))
    assert 1 <= remembered <= 8
