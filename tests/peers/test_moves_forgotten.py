"""Where objects went, of which a node remembers a bounded number: all are found all the same."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import chain, peering, seen
from tests.peers.test_moves import at_rest, creator, move, wanderer_at
from vista.testing import World


def test_no_more_places_are_remembered_than_the_limit_says_and_all_objects_are_found() -> None:
    with World(3) as world:
        a, b, c = nodes = chain(world, "abc", limits=vista.Limits(moved_objects_max=3))
        wanderers = [wanderer_at(a) for _ in range(8)]
        for wanderer in wanderers:
            move(a, wanderer, b)
        assert len(peering(a).moves.places) == 3
        for node in (a, c):
            for wanderer in wanderers:
                described = node.call(lambda n=node, w=wanderer: seen(n, w).describe())
                assert described["id"] == wanderer._id
            assert len(peering(node).moves.places) <= 3
        gone = wanderer_at(a)
        a.call(vista.delete, gone)
        for node in (a, c):
            with pytest.raises(vista.ObjectDeleted):
                node.call(lambda n=node: seen(n, gone).describe())
        at_rest(world, nodes)


def test_whom_a_node_told_where_objects_went_it_remembers_until_it_may_tell_again() -> None:
    with World(3) as world:
        a, b, c = chain(world, "abc")
        moves, told = peering(a).moves, peering(a).moves._told
        sender, home = creator(b).node, creator(c).node
        for number in range(100):
            id = vista.Id.make(creator(a).node, 1_000 + number)
            moves.places[id] = home
            a.call(lambda id=id: moves.tell(id, sender))
            world.pass_time(0.1)
        assert 0 < len(told) < 20
