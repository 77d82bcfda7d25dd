"""Messages that were given up with their way and come late do not come behind later ones."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.roamers import roamer_at
from tests.peers.system import PROMPT, chain, ended, meet, peering, seen
from tests.peers.test_moves import at_rest, creator, move
from vista.peering.waiting import SETTLERS_MIN, Fence, GivenUp, Posted, Settled
from vista.testing import SimulatedNode, World


def lose(world: World, near: SimulatedNode, far: SimulatedNode, one: str, other: str) -> None:
    """Break the connection of two nodes, until a node has lost another one."""
    world.network.lose(one, other)
    world.drive(lambda: creator(far).node not in peering(near).nodes(), 10.0)
    assert creator(far).node not in peering(near).nodes()


def write(node: SimulatedNode, ref: vista.Ref, number: int, seconds: float = 100.0) -> Any:
    def tell() -> Any:
        with vista.timeout(seconds):
            return seen(node, ref).write(number)

    return node.spawn(tell)


def test_one_that_waits_where_its_sender_lost_its_node_is_not_overtaken(world: World) -> None:
    nodes = s, r, x = chain(world, "srx")
    stray = roamer_at(x)
    move(x, stray, r)
    world.network.wire("s", "r").slow(3000.0)
    first = write(s, stray, 1)
    world.pass_time(0.1)
    lose(world, s, x, "r", "x")
    assert isinstance(ended(world, [first])[0], vista.PeerLost)
    second = write(s, stray, 2)
    world.drive(lambda: stray._id in peering(s).moves.fences, 1.0)
    meet(s, [x])
    # What was sent first gets to the object by two slow links more, what is sent since by none.
    world.network.wire("s", "r").slow(1.0)
    world.network.slow("r", "x", 1000.0)
    assert ended(world, [second]) == [2]
    world.pass_time(5.0)
    assert s.call(lambda: seen(s, stray).read()) == [1, 2]
    world.network.heal()
    at_rest(world, nodes)


def parted(world: World, seconds: float = 100.0) -> tuple[list[SimulatedNode], vista.Ref]:
    """Nodes h, s, r, x; s has sent 1 to an object that it believes at x, where it is not yet.

    The object is at h, and s has lost r and x. The caller has waited for ``seconds`` at most.
    """
    nodes = _, s, _, x, stray = gone_from_x(world)
    first = write(s, stray, 1, seconds)
    part(world, s, x)
    assert isinstance(ended(world, [first])[0], vista.CallError)
    return list(nodes[:-1]), stray


def gone_from_x(world: World) -> tuple[Any, ...]:
    """Nodes h, s, r, x and an object that went from x to h, which s has not heard."""
    nodes = h, _, _, x = chain(world, "hsrx")
    stray = roamer_at(x)
    move(x, stray, h)
    world.network.wire("r", "x").slow(5000.0)
    return *nodes, stray


def part(world: World, s: SimulatedNode, x: SimulatedNode) -> None:
    """Have s lose r, and x with it, to which what s sent is on its way."""
    world.pass_time(0.2)
    world.network.refuse("r")
    lose(world, s, x, "s", "r")


POSTS = {
    "in a series": lambda ref: ref.write.post(1),
    "by the codec": lambda ref: ref.write.post(number=1),
}


@pytest.mark.parametrize("how", POSTS)
def test_a_post_that_comes_late_is_taken_before_what_is_sent_since(world: World, how: str) -> None:
    *nodes, stray = gone_from_x(world)
    _, s, _, x = nodes
    s.call(lambda: POSTS[how](seen(s, stray)))
    part(world, s, x)
    assert_taken_first(world, nodes, stray)


def test_of_posts_to_more_objects_than_are_remembered_those_that_come_late_go_first() -> None:
    with World(3, conditions=PROMPT) as world:
        *nodes, stray = gone_from_x(world)
        _, s, _, x = nodes
        posted = peering(s).moves.posted
        for serial in range(s.kernel.limits.moves_remembered_max):
            posted.note(vista.Id.make(creator(x).node, 1_000 + serial), creator(x).node, s.hub.now)
        s.call(lambda: seen(s, stray).write.post(1))
        part(world, s, x)
        assert_taken_first(world, nodes, stray)


def test_a_post_of_long_ago_is_waited_for_no_more(world: World) -> None:
    h, s, x = chain(world, "hsx")
    stray = roamer_at(x)
    s.call(lambda: seen(s, stray).write.post(1))
    world.pass_time(4 * s.kernel.limits.loss_seconds)
    move(x, stray, h)
    lose(world, s, x, "s", "x")
    assert ended(world, [write(s, stray, 2)], 0.1) == [2]


@pytest.mark.parametrize("made", ["copied", "imported"])
@pytest.mark.parametrize("given_up", ["a post", "a call"])
def test_a_copy_that_is_found_takes_at_once_what_is_sent(
    world: World, given_up: str, made: str
) -> None:
    h, s, x = chain(world, "hsx")
    stray = roamer_at(x)
    if made == "copied":
        x.call(lambda: vista.copy(stray, creator(h)))
    else:
        h.call(vista.import_object, stray.encode_object())
    # Nobody passes on to it what was for the original, so there is no order to be kept.
    world.network.slow("s", "x", 1000.0)
    if given_up == "a post":
        s.call(lambda: seen(s, stray).write.post(1))
    else:
        write(s, stray, 1)
    world.network.refuse("x")
    lose(world, s, x, "s", "x")
    assert ended(world, [write(s, stray, 2)], 1.0) == [1]
    assert h.call(lambda: seen(h, stray).read()) == [2]


def test_what_moved_here_is_no_copy_and_what_went_is_forgotten_in_time() -> None:
    records: dict[bytes, object] = {b"%d" % number: number for number in range(SETTLERS_MIN)}
    settled = Settled(records)
    for key in records:
        settled.add(key)
    assert all(key in settled for key in records)
    records.clear()
    for number in range(SETTLERS_MIN):
        records[b"later %d" % number] = number
        settled.add(b"later %d" % number)
    settled.add(b"last")
    assert not any(b"%d" % number in settled for number in range(SETTLERS_MIN))
    assert all(key in settled for key in [*records, b"last"])


def test_posts_are_remembered_for_a_time_and_of_so_many_objects() -> None:
    posted = Posted(2, 10.0)
    for number, node in enumerate((b"node", b"other", b"node", b"other", b"node")):
        posted.note(b"%d" % number, node, 1.0)
    posted.note(b"0", b"node", 1.0)
    assert posted.to(b"node", 2.0) == [b"0", b"node"]
    assert posted.to(b"other", 2.0) == [b"1", b"other"]
    posted.note(b"6", b"node", 12.0)
    assert posted.to(b"node", 20.0) == [b"0", b"node", b"6"]
    assert posted.to(b"other", 20.0) == [b"1", b"other"]
    assert posted.to(b"node", 22.5) == [b"6"]
    assert posted.to(b"node", 60.0) == []


def assert_taken_first(world: World, nodes: list[SimulatedNode], stray: vista.Ref) -> None:
    """The object takes what was sent when it was parted before what s sends until x is back."""
    _, s, _, x = nodes
    second = write(s, stray, 2)
    world.pass_time(0.5)
    world.network.refuse("r", False)
    meet(s, [x])
    world.pass_time(10.0)
    assert ended(world, [second]) == [2]
    assert s.call(lambda: seen(s, stray).read()) == [1, 2]
    at_rest(world, nodes)


@pytest.mark.parametrize("seconds", [100.0, 0.1])
def test_an_object_that_is_found_elsewhere_takes_it_first(world: World, seconds: float) -> None:
    nodes, stray = parted(world, seconds)
    assert_taken_first(world, nodes, stray)


def test_one_of_more_objects_than_are_remembered_takes_it_first(world: World) -> None:
    nodes, stray = parted(world)
    _, s, _, x = nodes
    given_up, far = peering(s).moves.given_up, creator(x).node
    for serial in range(s.kernel.limits.moves_remembered_max):
        given_up.note(vista.Id.make(far, 1_000 + serial), far, s.kernel.hub.time())
    assert_taken_first(world, nodes, stray)


def test_an_object_that_comes_to_the_sender_takes_it_first(world: World) -> None:
    nodes, stray = parted(world)
    h, s, _, _ = nodes
    move(h, seen(h, stray), s)
    assert_taken_first(world, nodes, stray)


def test_when_its_node_stays_away_what_was_sent_since_waits_no_longer_than_it_may_take(
    world: World,
) -> None:
    nodes, stray = parted(world)
    _, s, _, x = nodes
    second = write(s, stray, 2)
    world.crash("x")
    late_seconds = 2 * s.kernel.limits.loss_seconds
    world.pass_time(late_seconds - 1.0)
    assert not second.done()
    assert ended(world, [second], 1.5) == [1]
    world.network.heal()
    at_rest(world, [node for node in nodes if node is not x])


def test_who_gave_nothing_up_does_not_wait(world: World) -> None:
    h, s, x = chain(world, "hsx")
    stray = roamer_at(x)
    move(x, stray, h)
    lose(world, s, x, "s", "x")
    assert ended(world, [write(s, stray, 1)], 0.1) == [1]


def test_what_was_given_up_at_one_node_is_not_waited_for_at_another(world: World) -> None:
    h, s, x = chain(world, "hsx")
    stray = roamer_at(x)
    move(x, stray, h)
    moves = peering(s).moves
    moves.given_up.note(stray._id, creator(h).node, s.kernel.hub.time())
    lose(world, s, x, "s", "x")
    moves.send_fence(Fence(stray._id, creator(x).node, creator(h).node))
    assert moves.fences == {}


def test_what_was_given_up_is_remembered_for_a_time_and_of_so_many_objects() -> None:
    given_up = GivenUp(2, 10.0)
    given_up.note(b"o", b"node", 1.0)
    assert given_up.of(b"o", b"", 10.5) == (b"node", 11.0)
    given_up.note(b"p", b"node", 2.0)
    given_up.note(b"o", b"other", 3.0)
    given_up.note(b"q", b"node", 4.0)
    assert [given_up.of(id, b"", 5.0)[0] for id in (b"o", b"p", b"q")] == [b"other", b"", b"node"]
    assert [given_up.of(id, b"", 13.5)[0] for id in (b"o", b"q")] == [b"", b"node"]
    assert given_up.of(b"q", b"", 14.0) == (b"", 14.0)


def test_of_more_objects_their_nodes_are_remembered_for_that_time() -> None:
    given_up = GivenUp(2, 10.0)
    for number, node in enumerate((b"node", b"other", b"node", b"node", b"node")):
        given_up.note(b"%d" % number, node, float(number))
    assert given_up.of(b"0", b"node", 5.0) == (b"node", 12.0)
    assert given_up.of(b"any", b"other", 5.0) == (b"other", 11.0)
    assert given_up.of(b"any", b"third", 5.0) == (b"", 5.0)
    assert given_up.of(b"4", b"other", 5.0) == (b"node", 14.0)
    assert given_up.of(b"any", b"other", 11.0) == (b"", 11.0)
    assert given_up.of(b"any", b"node", 12.0) == (b"", 12.0)
    for number in range(10):
        given_up.note(b"more %d" % number, b"node %d" % number, 13.0)
    assert len(given_up._nodes) == 2


def test_posts_in_series_are_noted_in_each_turn(world: World) -> None:
    s, r, _x = chain(world, "srx")
    strays = [roamer_at(r), roamer_at(r)]
    mine = [seen(s, one) for one in strays]

    def tell() -> None:
        for number in range(4):
            mine[number % 2].write.post(number)

    for _ in range(2):
        began = s.hub.now
        peering(s).moves.posted._turn(began + 100.0)
        peering(s).moves.posted._turn(began)
        s.call(tell)
        assert peering(s).moves.posted.to(creator(r).node, s.hub.now) == [one._id for one in strays]
        world.pass_time(1.0)
    assert s.call(lambda: seen(s, strays[0]).read()) == [0, 2, 0, 2]
