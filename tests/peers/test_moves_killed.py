"""Hand-overs whose thread is killed in the midst: the object lives in one place all the same."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, chain, peering, seen
from tests.peers.test_moves_doubt import (
    Departure,
    _is_handing_over,
    check_one_place,
    check_rest,
    every_instant,
    part,
)
from vista.peering.handovers import TOKEN_BYTES_MAX
from vista.testing import SimulatedNode, World

SEED = 4


def kill_all(node: SimulatedNode) -> int:
    """Kill every thread of a node, as somebody does who takes all of `vista.threads`."""

    def kill() -> int:
        rows = [row for row in vista.threads() if row.state == "waiting"]
        for row in rows:
            vista.kill(row.id)
        return len(rows)

    count: int = node.call(kill)
    return count


def node_of(world: World, name: str) -> SimulatedNode:
    """The node of a name."""
    (node,) = (node for node in world.nodes if node.name == name)
    return node


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_whoever_is_killed_at_the_old_home_the_object_is_in_one_place(names: str) -> None:
    killed = []

    def strike(world: World) -> Any:
        killed.append(kill_all(node_of(world, "a")))
        return lambda: None

    assert set(every_instant(names, strike, check_one_place)) <= {"a", "b"}
    assert sum(killed) > 12


def test_who_is_killed_while_nothing_passes_leaves_no_second_object() -> None:
    def strike(world: World) -> Any:
        heal = part(world)
        kill_all(node_of(world, "a"))
        return heal

    assert set(every_instant("ab", strike, check_one_place)) == {"a", "b"}


def test_a_hand_over_whose_thread_is_killed_again_and_again_asks_until_it_knows() -> None:
    with World(SEED, conditions=PROMPT) as world:
        departure = Departure(world, "ab")
        a, b = departure.nodes
        world.drive(lambda: _is_handing_over(a), 1.0)
        for _ in range(5):
            kill_all(a)
        world.pass_time(20.0)
        assert departure.homes() == [b]
        assert departure.doubters() == []
        check_rest([a, b])


def test_a_node_that_stops_in_the_midst_of_a_hand_over_ends_in_time() -> None:
    with World(SEED, conditions=PROMPT) as world:
        departure = Departure(world, "ab")
        a, _ = departure.nodes
        world.drive(lambda: _is_handing_over(a), 1.0)
        part(world)
        began = world.time
        a.stop()
        # Who went on to ask would hold it up for another second.
        limits = a.kernel.limits
        assert world.time - began < limits.farewell_seconds + limits.drain_seconds + 0.5


@pytest.mark.parametrize(
    "token", [bytes(TOKEN_BYTES_MAX + 1), "a text", 17], ids=["long", "text", "number"]
)
@pytest.mark.parametrize("message", ["prepare_object", "take_object", "took_object"])
def test_a_token_that_is_too_long_or_none_is_refused(message: str, token: Any) -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        there, run = seen(a, b.call(vista.here)), peering(b).session_config.epoch

        def send() -> Any:
            data = vista.encode_object(vista.create(vista.Object))
            id = vista.Id.make(a.kernel.table.node, 7)
            package: tuple[Any, ...] = (data, None, [], [], token)
            arguments = {
                "prepare_object": package,
                "take_object": (*package, run),
                "took_object": (id, token, run),
            }
            return vista.send(there, message, *arguments[message])

        with pytest.raises(vista.BadValueError, match=r"the token of a move has 64 bytes at most"):
            a.call(send)
        handovers = peering(b).moves.handovers
        assert (handovers.prepared, handovers.taken, handovers.refused) == ({}, {}, {})
