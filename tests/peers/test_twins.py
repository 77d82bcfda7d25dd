"""Nodes that connect to each other at the same time: one link is left, and nothing is lost."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.conftest import world_seed
from tests.peers.system import (
    KIN,
    PROMPT,
    add_node,
    assert_rest,
    bell,
    dial,
    links,
    listen,
    peering,
    stranger,
)
from vista.limits import Limits
from vista.testing import Conditions, SimulatedNode, World
from vista.wire.session import State

CALLS = 60
"""How many times one node calls the other, with three posts before each."""


def conditions(dice: random.Random) -> Conditions:
    """A network on which messages of two channels overtake each other."""
    delay = dice.choice((0.0005, 0.01))
    return Conditions(
        delay_seconds=delay,
        jitter_seconds=delay * dice.choice((1.0, 10.0)),
        tail_chance=0.1,
        tail_seconds=dice.choice((0.02, 0.2)),
        late_chance=0.0,
        half_open_chance=0.0,
    )


def talk(node: SimulatedNode, far: bytes, ref: vista.Ref) -> list[Any]:
    """As soon as a node is reached: send it numbers by posts, and call; return the answers."""
    answers = []
    while far not in peering(node).nodes():
        vista.sleep(0.001)
    for number in range(0, 3 * CALLS, 3):
        for place in range(3):
            ref.hear.post((number + place,))
        answers.append(ref.echo(number))
        vista.sleep(0.001)
    return answers


def dial_at(node: SimulatedNode, url: str, seconds: float) -> None:
    """Have a node keep a link to a URL after a while."""

    def body() -> None:
        vista.sleep(seconds)
        vista.create("ConnectToPeer", url)

    node.spawn(body)


def strangers(world: World, directory: Path) -> list[SimulatedNode]:
    """Two nodes of two users who let each other call."""
    keys = b"a" * 32, b"b" * 32
    return [
        stranger(world, directory, "a", keys[0], {keys[1]: "bob call"}),
        stranger(world, directory, "b", keys[1], {keys[0]: "ann call"}),
    ]


@pytest.mark.parametrize("who", ["two", "three", "strangers"])
@pytest.mark.parametrize("place", range(40))
def test_nothing_is_lost_when_nodes_connect_to_each_other_at_once(
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    place: int,
    who: str,
) -> None:
    dice = random.Random(world_seed(request))
    with World(world_seed(request), conditions=conditions(dice)) as world:
        if who == "strangers":
            nodes = strangers(world, tmp_path)
        else:
            nodes = [add_node(world, name, KIN) for name in "abc"[: 2 if who == "two" else 3]]
        urls = {node: listen(node) for node in nodes}
        talks = []
        for node, far in permutations(nodes, 2):
            dial_at(node, urls[far], dice.choice((0.0, 0.001, 0.01)))
            target = bell(far)
            talking = partial(talk, node, far.kernel.table.node, node.kernel.ref(target._id))
            talks.append((far, target, node.spawn(talking)))
        world.drive(lambda: all(future.done() for _, _, future in talks), 120.0)
        world.pass_time(20.0)
        for far, target, future in talks:
            assert future._error is None
            assert future._value == list(range(0, 3 * CALLS, 3))
            assert far.call(target.list_numbers) == list(range(3 * CALLS))
        assert [len(links(node)) for node in nodes] == [len(nodes) - 1] * len(nodes)
        assert [len(peering(node).connections) for node in nodes] == [len(nodes) - 1] * len(nodes)
        assert_rest(*nodes)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def both_dial(world: World) -> list[SimulatedNode]:
    """Two nodes of one user that connect to each other at once."""
    nodes = [add_node(world, name, KIN) for name in "ab"]
    urls = [listen(node) for node in nodes]
    for node, url in zip(nodes, reversed(urls), strict=True):
        dial_at(node, url, 0.0)
    return nodes


def drive_until_one_leaves(world: World, nodes: list[SimulatedNode]) -> None:
    """Let time pass until a node lets one of two links go."""
    world.drive(lambda: any(peering(node).rivals.leaving for node in nodes), 10.0)
    assert any(peering(node).rivals.leaving for node in nodes)


def assert_linked_once(world: World, nodes: list[SimulatedNode]) -> None:
    """The nodes have one link, none is let go, and calls go both ways."""
    world.pass_time(60.0)
    assert [len(links(node)) for node in nodes] == [1, 1]
    assert [peering(node).rivals.leaving for node in nodes] == [{}, {}]
    for node, far in permutations(nodes, 2):
        target = node.kernel.ref(bell(far)._id)
        assert node.call(target.echo, far.name) == far.name
    assert_rest(*nodes)


@pytest.mark.parametrize("place", range(30))
def test_links_that_break_at_any_instant_of_their_beginning_are_followed_by_one(
    request: pytest.FixtureRequest, place: int
) -> None:
    dice = random.Random(world_seed(request))
    with World(world_seed(request), conditions=PROMPT) as world:
        nodes = both_dial(world)
        world.pass_time(dice.uniform(0.0, 0.01))
        world.network.lose("a", "b")
        assert_linked_once(world, nodes)


def test_with_the_link_that_took_its_place_ends_the_one_that_is_let_go() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes = both_dial(world)
        drive_until_one_leaves(world, nodes)
        node = next(node for node in nodes if peering(node).rivals.leaving)
        (leaving,) = peering(node).rivals.leaving
        (other,) = (link for link in links(node) if link is not leaving)
        other.close("the test wants it")
        assert leaving.ended == "the link that took its place has ended"
        assert_linked_once(world, nodes)


def test_a_peer_of_an_older_version_is_told_goodbye() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes = both_dial(world)
        old = peering(nodes[0])
        old.session_config = replace(old.session_config, features=frozenset())
        reasons: list[str] = []
        world.drive(lambda: all(len(links(node)) == 2 for node in nodes), 10.0)
        for link in links(nodes[1]):
            link.on_end.append(reasons.append)
        assert_linked_once(world, nodes)
        assert not any(peering(node).rivals.leaving for node in nodes)
        assert set(reasons) <= {"linked already", "the peer said goodbye: linked already"}


def test_a_link_that_one_side_finishes_for_no_other_one_ends_and_another_is_made() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes = [add_node(world, name, KIN) for name in "ab"]
        made = dial(nodes[0], listen(nodes[1]))
        nodes[0].call(lambda: made.wait(60.0))
        (link,), (far,) = map(links, nodes)
        far.finish("the test wants it")
        world.drive(lambda: link in peering(nodes[0]).rivals.leaving, 1.0)
        assert link.session.state is State.PEER_FINISHED
        world.drive(lambda: link.ended is not None, 20.0)
        assert link.ended == "linked already"
        assert_linked_once(world, nodes)


def test_a_link_that_finishes_brings_first_what_waits_for_room() -> None:
    with World(1, conditions=PROMPT) as world:
        narrow = Limits(link_window_bytes=4_000)
        nodes = [add_node(world, name, KIN, limits=narrow) for name in "ab"]
        made = dial(nodes[0], listen(nodes[1]))
        nodes[0].call(lambda: made.wait(60.0))
        target = bell(nodes[1])
        far = nodes[0].kernel.ref(target._id)
        (link,) = links(nodes[0])

        def flood() -> None:
            for number in range(100):
                far.hear.post((number, bytes(500)))
                vista.sleep(0.00001)
            link.finish("the test wants it")

        nodes[0].call(flood)
        assert link.waiting_messages > 20
        world.drive(lambda: link.ended is not None, 20.0)
        assert nodes[1].call(target.list_numbers) == list(range(100))
        assert_linked_once(world, nodes)
