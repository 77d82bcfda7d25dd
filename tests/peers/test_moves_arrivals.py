"""What objects that have just come to a node take first, and from whom."""

from __future__ import annotations

import pytest

import vista
from tests.peers.roamers import roamer_at
from tests.peers.system import chain, ended, peering, seen
from tests.peers.test_moves import at_rest, creator, move, wanderer_at
from vista.errors import PeerLost
from vista.testing import SimulatedNode, World


@pytest.fixture
def nodes(world: World) -> list[SimulatedNode]:
    """Three kin nodes in a row."""
    return chain(world, "abc")


def send_while_it_comes_back(
    world: World, nodes: list[SimulatedNode], method: str
) -> tuple[vista.Ref, list[object]]:
    """Send to an object that moves from a to b, by way of b; return it and how the calls ended."""
    a, b, c = nodes
    wanderer = roamer_at(b)
    move(b, wanderer, a)
    # So that c is not told, and goes on to send by b what is then passed on to a, and comes back.
    world.network.slow("a", "b", 100.0)
    partition = world.network.partition("b", "c", one_way=True)
    calls = [b.spawn(lambda: vista.move(wanderer, creator(b)))]
    for number in range(60):
        c.call(lambda n=number: vista.post(seen(c, wanderer), method, 2 * n))
        calls += c.call(lambda n=number: [vista.future(seen(c, wanderer), method, 2 * n + 1)])
        world.pass_time(0.02)
    partition.heal()
    ends = ended(world, calls)
    world.pass_time(5.0)
    return wanderer, ends


def test_messages_that_went_by_the_node_it_comes_back_to_are_not_overtaken(
    world: World, nodes: list[SimulatedNode]
) -> None:
    wanderer, ends = send_while_it_comes_back(world, nodes, "write")
    assert not [end for end in ends if isinstance(end, BaseException)]
    assert nodes[1].call(lambda: wanderer.read()) == list(range(120))
    at_rest(world, nodes)


def test_messages_that_take_no_turn_end_when_the_object_has_come(
    world: World, nodes: list[SimulatedNode]
) -> None:
    wanderer, ends = send_while_it_comes_back(world, nodes, "note")
    assert not [end for end in ends if isinstance(end, BaseException)]
    assert nodes[1].call(lambda: wanderer.write(120)) > 0
    at_rest(world, nodes)


def test_an_object_that_comes_while_it_is_searched_for_answers(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, b)
    world.pass_time(1.0)
    # What b knows of its peers is all there is: the birth node is gone, and c has not been told.
    world.crash("a")
    world.drive(lambda: creator(a).node not in peering(c).nodes(), 60.0)
    world.network.slow("b", "c", 20.0)
    moving = b.spawn(lambda: vista.move(seen(b, wanderer), creator(c)))
    id = wanderer._id
    world.drive(lambda: id in peering(c).moves.handovers.prepared, 10.0)
    asked = c.spawn(lambda: seen(c, wanderer).where())
    assert ended(world, [moving, asked])[1] == creator(c)
    at_rest(world, [b, c])


def test_a_search_heeds_only_who_has_the_object(world: World) -> None:
    a, b, c, d = chain(world, "abcd")
    wanderer = wanderer_at(a)
    move(a, wanderer, b)
    move(b, wanderer, c)
    c.call(lambda: vista.delete(seen(c, wanderer)))
    world.pass_time(1.0)
    world.crash("a")
    world.drive(lambda: creator(a).node not in peering(d).nodes(), 60.0)
    # Node b has heard that it is at c, which knows better.
    with pytest.raises(PeerLost):
        d.call(lambda: seen(d, wanderer).where())
    assert wanderer._id not in peering(d).moves.places
