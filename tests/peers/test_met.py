"""What a node remembers of nodes that it reached once."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import (
    PROMPT,
    add_node,
    bell,
    join,
    limits,
    listen,
    meet,
    peering,
    seen,
)
from vista.peering.met import Met
from vista.testing import World


def test_a_node_that_was_lost_is_told_from_one_that_never_was() -> None:
    with World(1, conditions=PROMPT) as world:
        near, far = add_node(world, "near"), add_node(world, "far")
        own = bell(far)
        join(near, far)
        world.crash("far")
        world.pass_time(30.0)
        with pytest.raises(vista.PeerLost, match=r"cannot be reached any longer"):
            seen(near, own).echo(1)
        with pytest.raises(vista.NoSuchObject, match=r"no node .* is known"):
            near.kernel.ref(vista.Id.make(b"n" * 10, 7)).echo(1)


def test_nodes_that_come_and_go_are_remembered_up_to_a_bound() -> None:
    with World(1, conditions=PROMPT) as world:
        hub = add_node(world, "hub", limits=limits(nodes_max=3, met_nodes_max=3))
        url = listen(hub)
        bells = []
        for number in range(5):
            name = f"guest-{number}"
            guest = add_node(world, name)
            bells.append(bell(guest))
            guest.call(lambda: vista.create("ConnectToPeer", url).wait(60.0))
            # The hub learns a moment later that the link stands.
            meet(hub, [guest])
            world.crash(name)
            world.pass_time(30.0)
        assert len(peering(hub)._met) == 3
        with pytest.raises(vista.PeerLost):
            seen(hub, bells[-1]).echo(1)
        with pytest.raises(vista.NoSuchObject):
            seen(hub, bells[0]).echo(1)


def test_who_was_heard_of_last_is_forgotten_last() -> None:
    met = Met(2)
    for node in (b"a", b"b", b"a", b"c"):
        met.note(node)
    assert [node in met for node in (b"a", b"b", b"c")] == [True, False, True]
