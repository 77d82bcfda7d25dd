"""A ring of nodes in storms: what channels promise holds, and one seed is one run."""

from __future__ import annotations

import pytest

import vista
from tests.sim.conftest import Simulate, assert_same_under_hash_seeds
from tests.sim.exchange import exchange
from vista.testing import Event, Faults, SimulatedNode, World


def test_channels_keep_their_promises_in_a_storm_and_two_runs_of_a_seed_are_equal(
    simulate: Simulate, seeds: range
) -> None:
    digests = simulate(exchange, every=5)
    assert len(set(digests.values())) == len(seeds[::5])


def test_a_seed_gives_the_same_faults_under_any_hash_seed(seeds: range) -> None:
    assert_same_under_hash_seeds("tests.sim.exchange", seeds.start, len(seeds) // 10)


def _faults(world: World) -> list[Event]:
    return [event for event in world.trace.events if event.kind == "fault"]


def test_a_storm_draws_every_kind_of_fault_and_ends_by_itself() -> None:
    faults = Faults(crashes=0.2, full_disks=0.1, read_errors=0.1, failed_syncs=0.1, corruptions=0.1)
    with World(1) as world:
        for name in ("a", "b", "c"):
            world.node(name)
            world.disk(name).write("file", b"text")
        world.storm(200.0, faults)
        world.pass_time(201.0)
        words = " ".join(event.detail for event in _faults(world))
        ended = len(_faults(world))
        world.pass_time(100.0)
        assert len(_faults(world)) == ended
        assert sorted(node.name for node in world.nodes) == ["a", "b", "c"]
    network = ("break", "are parted", "reach no", "times as long", "refuses", "the storm is over")
    node = ("crash", "restart", "disk is full", "cannot read file", "fail a sync", "flipped")
    assert [word for word in network + node if word not in words] == []


def test_the_calm_heals_everything_and_brings_back_who_is_down() -> None:
    faults = Faults(partitions=2.0, slow_phases=2.0, crashes=2.0, down_max=2, lasting_seconds=1e6)
    with World(1) as world:
        for name in ("a", "b", "c"):
            world.node(name)
        world.storm(1000.0, faults)
        world.pass_time(20.0)
        wires = [world.network.wire(one, other) for one in "abc" for other in "abc"]
        assert any(wire.blocks for wire in wires)
        assert world.crashed
        world.calm()
        assert len(world.nodes) == 3
        assert {wire.blocks for wire in wires} == {0}
        assert {wire.slowness for wire in wires} == {1.0}
        known = len(_faults(world))
        world.pass_time(100.0)
        assert len(_faults(world)) == known


def test_a_storm_spares_whom_it_shall_and_ends_no_more_than_it_may() -> None:
    with World(2) as world:
        for name in ("a", "b", "c", "d"):
            world.node(name)
        down: list[int] = []
        world.watch(lambda event: down.append(len(world.crashed)) or "")
        world.storm(100.0, Faults(crashes=3.0, down_max=2, spared=("a",)))
        world.pass_time(100.0)
        crashed = {event.node for event in _faults(world) if event.detail == "crash"}
    assert crashed == {"b", "c", "d"}
    assert max(down) == 2


def test_faults_are_checked() -> None:
    with pytest.raises(vista.BadValueError, match=r"losses of a storm"):
        Faults(losses=-1.0)
    with pytest.raises(vista.BadValueError, match=r"more than 0"):
        Faults(down_seconds=0.0)


def test_a_boot_that_fails_stops_the_world() -> None:
    def boot(_: SimulatedNode) -> None:
        raise ArithmeticError("it was to fail")

    with World(0) as world:
        world.node("a", boot=boot)
        with pytest.raises(ArithmeticError, match=r"it was to fail"):
            world.pass_time(1.0)
