"""A node that stops: its names go first, what was sent by them is answered, then it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.peers.system import (
    DEAF,
    LinkedBell,
    chain,
    ended,
    join,
    peering,
    seen,
    start,
    stranger,
)
from vista.errors import NoSuchService
from vista.testing import SimulatedNode, World

HOST = b"h" * 32
GUEST = b"g" * 32
NAME = "Bells/stopping"


@pytest.fixture
def world() -> Iterator[World]:
    with World(2, conditions=DEAF) as world:
        yield world


def provide(world: World, node: SimulatedNode, *others: SimulatedNode) -> vista.Ref:
    """Let a node announce a bell, and wait until others have heard of it."""

    def register() -> vista.Ref:
        made = vista.create(LinkedBell)
        vista.register_service(NAME, made)
        vista.create("AnnounceServices")
        return made

    made: vista.Ref = node.call(register)
    for other in others:
        world.drive(lambda other=other: peering(other).provider(NAME) is not None, 10.0)
    return made


def call_steadily(node: SimulatedNode, count: int, pause: float) -> Any:
    """Call the service by its name, each time in a thread of its own; return their futures."""
    calls = []

    def begin() -> None:
        for number in range(count):
            calls.append(start(node, lambda n=number: vista.send(NAME, "echo", n)))
            vista.sleep(pause)

    node.spawn(begin)
    return calls


@pytest.mark.parametrize("names", ["ab", "axb"])
def test_who_calls_by_its_name_is_answered_until_there_is_no_such_name(
    world: World, names: str
) -> None:
    a, *_, b = chain(world, names)
    provide(world, b, a)
    world.network.slow(names[0], names[1], 50.0)
    calls = call_steadily(a, 400, 0.002)
    world.pass_time(0.3)
    b.stop()
    world.drive(lambda: len(calls) == 400, 10.0)
    found = ended(world, calls)
    answers = [one for one in found if not isinstance(one, BaseException)]
    assert 20 < len(answers) < 400
    assert answers == list(range(len(answers)))
    assert {type(one) for one in found[len(answers) :]} == {NoSuchService}


def test_who_calls_by_a_name_that_others_have_too_gets_an_answer_always(world: World) -> None:
    b, a, c = chain(world, "bac")
    provide(world, b, a)
    provide(world, c, a)
    calls = call_steadily(a, 200, 0.002)
    world.pass_time(0.2)
    found = peering(a).provider(NAME)
    assert found is not None
    {node.kernel.table.node: node for node in (b, c)}[found._id.node].stop()
    world.drive(lambda: len(calls) == 200, 10.0)
    assert ended(world, calls) == list(range(200))


def test_a_call_under_way_gets_its_answer_and_names_are_gone_before_that(world: World) -> None:
    a, b = chain(world, "ab")
    made = provide(world, b, a)
    call = seen(a, made).ring.future(2.0)
    world.pass_time(0.1)
    b._note_stop_request("test")
    world.drive(lambda: peering(a).provider(NAME) is None, 1.0)
    assert not call.done()
    assert ended(world, [call], 3.0) == ["rung"]
    world.drive(lambda: b.stopped, 1.0)


def test_a_name_that_is_registered_while_the_node_stops_is_not_announced(world: World) -> None:
    a, b = chain(world, "ab")
    made = provide(world, b, a)
    seen(a, made).ring.future(3.0)
    world.pass_time(0.1)
    b._note_stop_request("test")
    world.drive(lambda: peering(a).provider(NAME) is None, 1.0)
    b.call(lambda: vista.register_service("Bells/late", made))
    b.call(lambda: vista.create("AnnounceServices"))
    world.pass_time(0.5)
    assert peering(a).provider("Bells/late") is None
    world.drive(lambda: b.stopped, 5.0)


def test_a_peer_that_hears_nothing_holds_a_node_up_no_longer_than_the_bound(world: World) -> None:
    a, b = chain(world, "ab")
    provide(world, b, a)
    world.network.partition("a", "b", one_way=True)
    began = world.time
    b.stop()
    seconds = b.kernel.limits.farewell_seconds
    assert seconds <= world.time - began < seconds + 0.5


def test_a_node_whose_peers_have_heard_stops_at_once(world: World) -> None:
    a, _, b = chain(world, "axb")
    provide(world, b, a)
    began = world.time
    b.stop()
    assert world.time - began < 0.1


@pytest.mark.parametrize(("rights", "is_waited_for"), [("create", False), ("call", True)])
def test_only_a_peer_that_may_call_is_waited_for(
    world: World, tmp_path: Path, rights: str, is_waited_for: bool
) -> None:
    host = stranger(world, tmp_path, "host", HOST, {GUEST: f"anna {rights}"})
    guest = stranger(world, tmp_path, "guest", GUEST, {HOST: "hugo call"})
    join(guest, host)
    world.network.partition(["guest"], ["host"], one_way=True)
    began = world.time
    host.stop()
    assert (world.time - began >= host.kernel.limits.farewell_seconds) == is_waited_for
