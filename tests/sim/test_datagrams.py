"""Datagrams of the simulated network: they reach each member of a group, late, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import world_seed
from vista.peering.datagrams import GROUP
from vista.testing import Conditions, World
from vista.testing.datagrams import SimulatedDatagrams

LOSSY = Conditions(delay_seconds=0.01, tail_chance=0.2, tail_seconds=0.1)
"""A network on which each fifth datagram is lost."""


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose network loses nothing by itself."""
    with World(world_seed(request), conditions=Conditions()) as made:
        yield made


def hearing(world: World, *names: str) -> tuple[list[SimulatedDatagrams], list[list[bytes]]]:
    """The parts of some nodes in a group, and what each of them hears."""
    parts = [world.network.of(name).join(GROUP, "127.0.0.1", 10) for name in names]
    heard: list[list[bytes]] = [[] for _ in parts]
    for part, items in zip(parts, heard, strict=True):
        part.receive = lambda data, source, items=items: items.append(data)  # type: ignore[misc]
    return parts, heard


def test_a_datagram_reaches_every_member_its_sender_among_them(world: World) -> None:
    parts, heard = hearing(world, "a", "b", "c")
    parts[0].send("127.0.0.1", b"hello")
    assert heard == [[], [], []]
    world.pass_time(1.0)
    assert heard == [[b"hello"]] * 3


def test_a_datagram_does_not_cross_a_partition_and_is_not_held(world: World) -> None:
    parts, heard = hearing(world, "a", "b")
    partition = world.network.partition("a", "b", one_way=True)
    parts[0].send("127.0.0.1", b"lost")
    parts[1].send("127.0.0.1", b"heard")
    world.pass_time(1.0)
    partition.heal()
    world.pass_time(1.0)
    assert heard == [[b"lost", b"heard"], [b"heard"]]


def test_datagrams_are_lost_by_the_chance_of_the_wire(request: pytest.FixtureRequest) -> None:
    with World(world_seed(request), conditions=LOSSY) as world:
        parts, heard = hearing(world, "a", "b")
        for _ in range(1000):
            parts[0].send("127.0.0.1", b"hello")
        world.pass_time(5.0)
        assert len(heard[0]) == 1000
        assert 740 < len(heard[1]) < 860


def test_a_long_datagram_is_cut_one_byte_past_the_bound(world: World) -> None:
    parts, heard = hearing(world, "a")
    parts[0].send("127.0.0.1", bytes(100))
    world.pass_time(1.0)
    assert heard == [[bytes(11)]]


def test_a_node_that_crashed_sends_and_hears_nothing(world: World) -> None:
    node = world.node("a")
    (gone, part), heard = hearing(world, "a", "b")
    part.send("127.0.0.1", b"lost")
    world.crash(node.name)
    gone.send("127.0.0.1", b"lost")
    world.pass_time(1.0)
    assert heard == [[], [b"lost"]]
