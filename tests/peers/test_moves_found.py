"""Objects that are found by a search while earlier calls are still on their way by another home."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.roamers import roamer_at
from tests.peers.system import add_node, ended, join, meet, peering, seen
from tests.peers.test_moves import at_rest, creator, move
from vista.peering.waiting import Fence
from vista.testing import SimulatedNode, World

SLOW = 3000.0
"""Times as slow as usual: a message takes 3 to 6 s."""


@pytest.fixture
def nodes(world: World) -> list[SimulatedNode]:
    """Nodes s, h, y, z: all are linked with each other, but for s and y."""
    made = s, h, y, z = [add_node(world, name) for name in "shyz"]
    for near, far in ((s, h), (s, z), (h, y), (h, z), (y, z)):
        join(near, far)
    for node in made:
        meet(node, [other for other in made if other is not node])
    return made


@pytest.fixture
def roamer(nodes: list[SimulatedNode]) -> vista.Ref:
    """An object that was born on h and has moved to y."""
    _, h, y, _ = nodes
    made = roamer_at(h)
    move(h, made, y)
    return made


def write(node: SimulatedNode, ref: vista.Ref, number: int) -> Any:
    return node.spawn(lambda: seen(node, ref).write(number))


def go_on(world: World, roamer: vista.Ref, near: SimulatedNode, far: SimulatedNode) -> None:
    """Move it from one node to another, until that waits for nothing that was sent before."""
    move(near, seen(near, roamer), far)
    world.drive(lambda: not peering(far).moves.fences, 1.0)
    world.pass_time(0.05)


def test_what_a_first_home_still_passes_on_is_not_overtaken_when_the_second_is_lost(
    world: World, nodes: list[SimulatedNode], roamer: vista.Ref
) -> None:
    s, h, y, z = nodes
    world.network.wire("s", "h").slow(SLOW)
    first = write(s, roamer, 1)
    world.pass_time(1.0)
    second = write(s, roamer, 2)
    # Node h tells where the object went when the first one comes by.
    world.drive(lambda: roamer._id in peering(s).moves.fences, 10.0)
    go_on(world, roamer, y, z)
    world.crash("y")
    world.drive(lambda: creator(y).node not in peering(s).nodes(), 5.0)
    assert not second.done()
    third = write(s, roamer, 3)
    assert ended(world, [first, second, third]) == [1, 2, 3]
    assert z.call(lambda: seen(z, roamer).read()) == [1, 2, 3]
    world.network.heal()
    at_rest(world, [s, h, z])


def test_a_fence_is_passed_on_to_where_the_object_is_found_when_the_next_home_is_lost(
    world: World, nodes: list[SimulatedNode], roamer: vista.Ref
) -> None:
    s, h, y, z = nodes
    go_on(world, roamer, y, z)
    world.crash("y")
    world.drive(lambda: creator(y).node not in peering(h).nodes(), 5.0)
    peering(s).moves.send_fence(Fence(roamer._id, creator(h).node, creator(z).node))
    assert ended(world, [write(s, roamer, 1)], 1.0) == [1]
    at_rest(world, [s, h, z])


def test_messages_for_a_home_that_is_lost_before_they_leave_are_looked_for_in_their_order(
    world: World, nodes: list[SimulatedNode], roamer: vista.Ref
) -> None:
    s, h, y, z = nodes
    world.network.wire("s", "h").slow(SLOW)
    peering(s).moves.take_moved(creator(h).node, roamer._id, creator(y).node)
    calls = [write(s, roamer, 1)]
    s.call(lambda: seen(s, roamer).write.post(2))
    calls += [write(s, roamer, number) for number in (3, 4)]
    go_on(world, roamer, y, z)
    world.crash("y")
    assert ended(world, calls) == [1, 3, 4]
    assert z.call(lambda: seen(z, roamer).read()) == [1, 2, 3, 4]
    world.network.heal()
    at_rest(world, [s, h, z])


def test_a_message_for_a_home_that_is_lost_fails_when_nobody_has_the_object(
    world: World, nodes: list[SimulatedNode], roamer: vista.Ref
) -> None:
    s, h, y, z = nodes
    peering(s).moves.take_moved(creator(h).node, roamer._id, creator(y).node)
    call = write(s, roamer, 1)
    world.crash("y")
    (error,) = ended(world, [call], 20.0)
    assert isinstance(error, vista.PeerLost)
    at_rest(world, [s, h, z])
