"""What becomes of messages and calls when the way to a node changes, in diamonds and rings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from tests.peers.system import (
    PROMPT,
    add_node,
    assert_rest,
    bell,
    chain,
    ended,
    join,
    links,
    meet,
    peering,
    post_until_full,
    seen,
    start,
)
from vista.testing import SimulatedNode, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(1, conditions=PROMPT) as made:
        yield made


def hops(near: SimulatedNode, far: SimulatedNode) -> int | None:
    """How many links lead from a node to another one."""
    return peering(near).routing.hops_to(far.kernel.table.node)


def pour(node: SimulatedNode, target: vista.Ref, numbers: range) -> None:
    """Have a thread post numbers, some in each turn."""

    def post() -> None:
        for number in numbers:
            target.hear.post(number)
            if number % 10 == 0:
                vista.sleep(0.01)

    node.spawn(post)


def test_messages_on_a_better_way_do_not_overtake_those_on_the_old_one(world: World) -> None:
    a, b, c = chain(world, "abc")
    own = bell(c)
    world.network.slow("b", "c", 1000.0)
    pour(a, seen(a, own), range(300))
    join(a, c)
    assert hops(a, c) == 1
    world.pass_time(20.0)
    assert own.list_heard() == list(range(300))
    assert_rest(a, b, c)


def test_calls_in_flight_go_on_when_a_better_way_is_found(world: World) -> None:
    a, b, c = chain(world, "abc")
    calls = [seen(a, bell(c)).ring.future(3.0) for _ in range(5)]
    world.pass_time(0.5)
    join(a, c)
    assert hops(a, c) == 1
    assert ended(world, calls) == ["rung"] * 5
    assert_rest(a, b, c)


def test_calls_in_flight_go_on_when_who_passes_them_on_finds_a_better_way(world: World) -> None:
    a, b, c, d = chain(world, "abcd")
    calls = [seen(a, bell(d)).ring.future(3.0) for _ in range(5)]
    world.pass_time(0.5)
    join(b, d)
    world.pass_time(0.1)
    assert hops(a, d) == 2
    assert ended(world, calls) == ["rung"] * 5
    assert_rest(a, b, c, d)


def test_who_passes_messages_on_keeps_their_order_too(world: World) -> None:
    a, b, c, d = chain(world, "abcd")
    own = bell(d)
    world.network.slow("c", "d", 1000.0)
    pour(a, seen(a, own), range(300))
    join(b, d)
    world.pass_time(0.1)
    assert (hops(a, d), hops(b, d)) == (2, 1)
    world.pass_time(20.0)
    assert own.list_heard() == list(range(300))
    assert_rest(a, b, c, d)


def test_answers_keep_their_order_with_posts_the_other_way(world: World) -> None:
    a, b, c = chain(world, "abc")
    own = bell(a)
    world.network.slow("b", "a", 1000.0)
    pour(c, seen(c, own), range(200))
    join(a, c)
    world.pass_time(20.0)
    assert own.list_heard() == list(range(200))
    assert_rest(a, b, c)


def linked_past_a_post(
    word: str, world: World, slowness: float
) -> tuple[list[SimulatedNode], vista.Ref, vista.Ref]:
    """Nodes a, b, c in a row, of which a is linked with c while its post is under way from b to c.

    Return with them the bell of c that is to hear it, and that bell as a sends to it.
    """
    nodes = a, _, c = chain(world, "abc")
    own = bell(c)
    far = seen(a, own)
    world.network.slow("b", "c", slowness)
    far.hear.post(word)
    world.pass_time(0.1)
    join(a, c)
    return nodes, own, far


def test_when_the_old_way_is_lost_the_held_messages_go_and_calls_end(world: World) -> None:
    a, b, c = chain(world, "abc")
    own = bell(c)
    far = seen(a, own)
    world.network.slow("b", "c", 1e6)
    ring = far.ring.future(50.0)
    join(a, c)
    assert c.kernel.table.node in peering(a).ways.holds
    far.hear.post("held")
    world.pass_time(0.2)
    assert own.list_heard() == []
    world.network.lose("a", "b")
    assert isinstance(ended(world, [ring], 2.0)[0], vista.PeerLost)
    world.pass_time(0.2)
    assert own.list_heard() == ["held"]
    world.network.slow("b", "c", 1.0)
    # The call itself comes late and runs, though nobody waits for it any longer.
    world.pass_time(60.0)
    assert_rest(a, b, c)


def test_a_post_that_comes_late_over_a_way_that_broke_is_lost(world: World) -> None:
    (a, b, c), own, far = linked_past_a_post("early", world, 4e3)
    far.hear.post("held")
    world.network.lose("a", "b")
    world.pass_time(0.5)
    far.hear.post("later")
    world.pass_time(0.5)
    assert own.list_heard() == ["held", "later"]
    world.pass_time(200.0)
    assert own.list_heard() == ["held", "later"]
    assert c.kernel.counters.posts_lost == 1
    assert_rest(a, b, c)


def test_a_call_that_is_held_is_not_sent_when_it_has_ended(world: World) -> None:
    (_, b, _), own, far = linked_past_a_post("lost", world, 1e6)
    held = far.hear.future("given up")
    world.pass_time(0.1)
    world.network.lose("a", "b")
    assert isinstance(ended(world, [held], 2.0)[0], vista.PeerLost)
    world.pass_time(0.2)
    far.hear("later")
    assert own.list_heard() == ["later"]
    assert peering(b).ways.holds == {}


def test_a_way_in_use_is_held_too_when_it_changes(world: World) -> None:
    a, b, c = chain(world, "abc")
    join(a, c)
    own = bell(c)
    far = seen(a, own)
    world.pass_time(5.0)
    far.hear.post("before")
    # As when something is sent in the midst of a change of routes.
    node, ways = c.kernel.table.node, peering(a).ways
    assert node in peering(a).near
    others = [link.number for link in peering(a).links.values() if link.node != node]
    ways.changed(node, others[0], 1)
    far.hear.post("held")
    assert len(ways.holds[node].rows) == 1
    world.pass_time(5.0)
    assert own.list_heard() == ["before", "held"]
    assert_rest(a, b, c)


def test_what_is_held_is_bounded(world: World) -> None:
    a, b, c = chain(world, "abc", limits=vista.Limits(link_messages_max=30))
    far = seen(a, bell(c))
    world.network.slow("b", "c", 1e6)
    far.hear.post(0)
    world.pass_time(0.1)
    join(a, c)
    assert list(peering(a).ways.holds) == [c.kernel.table.node]
    assert post_until_full(a, far) == 30
    assert peering(b).ways.holds == {}


def test_a_fence_that_nobody_answers_holds_nothing_for_longer_than_a_lost_peer(
    world: World,
) -> None:
    (a, b, _), own, far = linked_past_a_post("stuck", world, 1e6)
    far.hear.post("held")
    began = world.time
    world.drive(lambda: not peering(a).ways.holds, 60.0)
    assert world.time - began <= a.kernel.limits.loss_seconds + 1.0
    world.pass_time(1.0)
    assert own.list_heard() == ["held"]
    assert peering(b).ways.holds == {}


def ring_of(world: World, names: str) -> list[SimulatedNode]:
    """Kin nodes in a ring, which all reach all."""
    made = chain(world, names)
    join(made[-1], made[0])
    world.pass_time(1.0)
    return made


def test_calls_in_flight_end_at_once_when_only_a_longer_way_is_left(world: World) -> None:
    a, b, c = ring_of(world, "abc")
    own = bell(c)
    calls = [seen(a, own).ring.future(1000.0) for _ in range(5)]
    world.pass_time(0.5)
    world.network.refuse("a")
    world.network.refuse("c")
    world.network.lose("a", "c")
    found = ended(world, calls, 2.0)
    assert {type(error) for error in found} == {vista.PeerLost}
    world.pass_time(0.2)
    assert hops(a, c) == 2
    assert seen(a, own).echo(1) == 1
    assert own.list_ended() == ["KillThread"] * 5
    assert_rest(a, b, c)


def diamond(world: World) -> list[SimulatedNode]:
    """Nodes a and d, between which two ways lead: over b and over c."""
    a, b, c, d = (add_node(world, name) for name in "abcd")
    for near, far in ((a, b), (b, d), (a, c), (c, d)):
        join(near, far)
    for node in (a, b, c, d):
        meet(node, [other for other in (a, b, c, d) if other is not node])
    return [a, b, c, d]


@pytest.mark.parametrize("broken", ["b", "c"])
@pytest.mark.parametrize("end", ["a", "d"])
def test_whichever_way_breaks_calls_end_soon_and_tables_are_empty(
    world: World, broken: str, end: str
) -> None:
    nodes = a, _, _, d = diamond(world)
    calls = [seen(a, bell(d)).ring.future(2.0) for _ in range(3)]
    calls += [seen(d, bell(a)).ring.future(2.0) for _ in range(3)]
    world.pass_time(1.99)
    world.network.refuse(broken)
    world.network.refuse(end)
    world.network.lose(broken, end)
    found = ended(world, calls, 5.0)
    assert {type(item) for item in found} <= {str, vista.PeerLost}
    world.pass_time(5.0)
    assert seen(a, bell(d)).echo(1) == 1
    assert_rest(*nodes)


def test_answers_that_may_be_lost_on_a_broken_way_end_their_calls_soon(world: World) -> None:
    nodes = a, b, c, d = diamond(world)
    back = next(
        node
        for node in (b, c)
        if peering(d).link_to(a.kernel.table.node).node == node.kernel.table.node
    )
    far = seen(a, bell(d))
    world.network.slow(back.name, "a", 1000.0)
    calls = [far.echo.future(number) for number in range(5)]
    world.pass_time(0.05)
    assert not any(call.done() for call in calls)
    world.network.refuse(back.name)
    world.network.refuse("d")
    world.network.lose(back.name, "d")
    world.network.lose(back.name, "a")
    found = ended(world, calls, 3.0)
    assert {type(error) for error in found} == {vista.PeerLost}
    world.network.heal()
    world.pass_time(20.0)
    assert_rest(*nodes)


def test_a_node_with_one_link_more_keeps_its_calls_when_that_ends(world: World) -> None:
    a, _, c = ring_of(world, "abc")
    ring = seen(a, bell(c)).ring.future(5.0)
    world.pass_time(0.5)
    world.network.lose("b", "c")
    assert ended(world, [ring]) == ["rung"]
    assert len(links(a)) == 2


@pytest.mark.parametrize("posts", [0, 2])
def test_only_posts_count_as_lost_where_a_node_ended_that_they_were_passed_on_for(
    world: World, posts: int, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = chain(world, "abc")
    far = seen(a, bell(c))
    ringing = start(a, lambda: far.ring(100.0))
    world.pass_time(2.0)
    # The words by which the call is ended come to the relay when the node beyond is gone.
    world.network.slow("a", "b", 1000.0)
    ringing.cancel()
    for _ in range(posts):
        a.call(lambda: far.hear.post(1))
    world.crash("c")
    world.pass_time(60.0)
    assert b.kernel.counters.posts_lost == posts
    # One line for all that was lost with one node.
    assert caplog.text.count("a post was lost") == min(posts, 1)
