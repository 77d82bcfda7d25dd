"""What waits while an object moves, when the ways to where it was change or break meanwhile."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

import vista
from tests.peers.roamers import post_numbers, roamer_at
from tests.peers.system import (
    bell,
    chain,
    ended,
    join,
    limits,
    meet,
    peering,
    seen,
    stranger,
)
from tests.peers.test_moves import at_rest, creator, move
from vista.limits import Limits
from vista.peering.voids import Voids
from vista.peering.waiting import Arrivals, Fence
from vista.testing import SimulatedNode, World
from vista.wire.frames import FENCED, NOBODY, POST


class Silent(vista.Object):
    """A meta object that answers nothing."""

    def forward_method_invocation(self, *args: object) -> None:
        vista.sleep(1e6)


def leave(world: World, near: SimulatedNode, far: SimulatedNode, ref: vista.Ref) -> None:
    """Have an object leave far for near, which has its state and does not know the object yet."""
    far.spawn(lambda: vista.move(seen(far, ref), creator(near)))
    pending = peering(far).calls.pending
    world.drive(lambda: any(call.name == "commit_object" for call in pending.values()), 10.0)


def come(world: World, node: SimulatedNode, ref: vista.Ref) -> None:
    """Let an object arrive, which is not let loose before a fence has come back."""
    id = ref._id
    world.drive(lambda: id in peering(node).moves.arrivals, 10.0)


def test_an_answer_to_an_earlier_fence_does_not_let_an_object_loose_that_came_since(
    world: World,
) -> None:
    nodes = a, b, c = chain(world, "abc")
    roamer = roamer_at(b)
    move(b, roamer, c)
    id = roamer._id
    leave(world, a, c, roamer)
    world.network.slow("a", "b", 1000.0)
    peering(a).moves.take_moved(creator(b).node, id, creator(c).node)
    earlier = peering(a).moves.fences[id].number
    come(world, a, roamer)
    peering(a).moves.take_fenced(creator(c).node, earlier)
    assert id in peering(a).moves.arrivals
    at_rest(world, nodes)


def test_what_was_sent_before_its_node_was_lost_is_not_overtaken_when_that_is_back(
    world: World,
) -> None:
    nodes = a, _, b = chain(world, "amb")
    roamer = roamer_at(b)
    leave(world, a, b, roamer)
    world.network.slow("a", "m", 5000.0)
    post_numbers(a, roamer, range(10))
    come(world, a, roamer)
    post_numbers(a, roamer, range(10, 20))
    told: list[tuple[bytes, bool]] = []
    peering(a).watchers.append(lambda node, via: told.append((node, via is not None)))
    world.network.lose("m", "b")
    # What says that it is back may come in the same batch.
    world.drive(lambda: (creator(b).node, False) in told, 6.0)
    meet(a, [b])
    world.network.slow("a", "m", 1.0)
    world.pass_time(20.0)
    assert a.call(lambda: seen(a, roamer).read()) == list(range(20))
    at_rest(world, nodes)


def test_what_is_under_way_for_longer_than_a_link_may_be_silent_is_not_overtaken(
    world: World,
) -> None:
    nodes = a, _, b = chain(world, "amb")
    roamer = roamer_at(b)
    leave(world, a, b, roamer)
    world.network.slow("a", "m", 4000.0)
    world.network.slow("m", "b", 5000.0)
    post_numbers(a, roamer, range(10))
    come(world, a, roamer)
    post_numbers(a, roamer, range(10, 20))
    world.pass_time(25.0)
    assert a.call(lambda: seen(a, roamer).read()) == list(range(20))
    world.network.slow("a", "m", 1.0)
    world.network.slow("m", "b", 1.0)
    at_rest(world, nodes)


def test_a_fence_that_was_lost_with_its_way_goes_the_next_one(world: World) -> None:
    nodes = a, b, c = chain(world, "abc")
    join(c, a)
    for node in nodes:
        meet(node, [other for other in nodes if other is not node])
    roamer = roamer_at(b)
    leave(world, a, b, roamer)
    world.network.slow("a", "b", 5000.0)
    come(world, a, roamer)
    writing = a.spawn(lambda: seen(a, roamer).write(1))
    world.pass_time(1.0)
    assert not writing.done()
    world.network.refuse("a")
    world.network.refuse("b")
    world.network.lose("a", "b")
    routing = peering(a).routing
    world.drive(lambda: routing.hops_to(creator(b).node) == 2, 8.0)
    assert ended(world, [writing], 2.5) == [1]
    world.network.heal()
    at_rest(world, nodes)


def test_a_fence_goes_again_when_its_node_says_that_the_way_between_them_broke(
    world: World,
) -> None:
    a, b, c = chain(world, "abc")
    roamer = roamer_at(b)
    world.network.wire("a", "b").slow(2000.0)
    peering(a).moves.take_moved(creator(b).node, roamer._id, creator(c).node)
    first = peering(a).moves.fences[roamer._id].number
    peering(b).ways._broke(creator(a).node)
    world.pass_time(0.1)
    assert peering(a).moves.fences[roamer._id].number > first
    world.network.wire("a", "b").slow(1.0)
    at_rest(world, [a, b, c])


def test_what_this_node_believed_elsewhere_comes_before_what_it_sends_since(world: World) -> None:
    nodes = a, b, c = chain(world, "abc")
    join(c, a)
    for node in nodes:
        meet(node, [other for other in nodes if other is not node])
    roamer = roamer_at(b)
    move(b, roamer, c)
    leave(world, a, c, roamer)
    world.network.slow("a", "b", 1000.0)
    post_numbers(a, roamer, range(10))
    come(world, a, roamer)
    # Node b goes by this, and passes on straight to a.
    peering(b).moves.places[roamer._id] = creator(a).node
    post_numbers(a, roamer, range(10, 20))
    world.pass_time(10.0)
    assert a.call(lambda: seen(a, roamer).read()) == list(range(20))
    at_rest(world, nodes)


def test_what_was_sent_from_here_comes_behind_all_that_may_have_gone_by_here(world: World) -> None:
    node, _ = chain(world, "ab")
    record = node.kernel.table.records[roamer_at(node)._id]
    record.queue = deque([("since", *[None] * 8)])
    arrivals = Arrivals(record, b"home", b"before", b"here")
    for origin in (b"other", b"before", b"home", b"other", b"here"):
        arrivals.append((origin, *[None] * 8), origin)
    words = [message[0] for message in arrivals.in_order()]
    assert words == [b"before", b"home", b"here", b"other", b"other", "since"]
    record.queue = None


def test_a_fence_that_was_lost_with_its_node_goes_when_that_is_back(world: World) -> None:
    nodes = a, _, b = chain(world, "amb")
    roamer = roamer_at(b)
    leave(world, a, b, roamer)
    world.network.slow("m", "b", 5000.0)
    come(world, a, roamer)
    writing = a.spawn(lambda: seen(a, roamer).write(1))
    world.pass_time(0.5)
    world.network.slow("m", "b", 1.0)
    world.network.lose("m", "b")
    world.drive(lambda: creator(b).node not in peering(a).nodes(), 4.0)
    meet(a, [b])
    assert ended(world, [writing], 3.0) == [1]
    world.pass_time(30.0)
    for node in nodes:
        moves = peering(node).moves
        # That the move is over may have been lost with the way: the new home remembers it.
        assert (moves.fences, moves._numbers, moves.arrivals) == ({}, {}, {})


def test_what_waits_for_an_object_that_has_come_is_bounded(world: World) -> None:
    b, a, c = chain(world, "bac", limits=Limits(mailbox_messages_max=30))
    roamer = roamer_at(b)
    leave(world, a, b, roamer)
    world.network.slow("a", "b", 5000.0)
    come(world, a, roamer)
    peering(c).moves.places[roamer._id] = creator(a).node
    post_numbers(c, roamer, range(50))
    world.pass_time(0.5)
    assert a.kernel.counters.posts_lost == 20


def test_what_waits_to_be_sent_to_an_object_that_moves_is_bounded(world: World) -> None:
    a, b, c = chain(world, "abc", limits=Limits(mailbox_messages_max=30))
    roamer = roamer_at(b)
    world.network.slow("a", "b", 2000.0)
    peering(a).moves.take_moved(creator(b).node, roamer._id, creator(c).node)

    def flood() -> int:
        for number in range(100):
            try:
                seen(a, roamer).write.post(number)
            except vista.Overloaded:
                return number
        return 100

    assert a.call(flood) == 30
    (refused,) = ended(world, [a.spawn(lambda: seen(a, roamer).write(1))], 1.0)
    assert isinstance(refused, vista.Overloaded)
    world.network.slow("a", "b", 1.0)
    assert a.kernel.counters.overloads == 2
    at_rest(world, [a, b, c])


def test_posts_that_find_no_room_on_the_link_do_not_hold_up_the_move(world: World) -> None:
    bounds = Limits(link_messages_max=30)
    a, b = chain(world, "ab", limits=bounds)
    roamer = roamer_at(a)

    def pour() -> None:
        for number in range(100):
            roamer.write.post(number)

    leave(world, b, a, roamer)
    a.call(pour)
    come(world, b, roamer)
    world.pass_time(5.0)
    numbers = b.call(lambda: seen(b, roamer).read())
    assert numbers == list(range(30))
    assert a.kernel.counters.posts_lost >= 70
    assert roamer._id not in a.kernel.table.records
    assert a.call(lambda: seen(a, roamer).write(100)) == 31


def test_a_search_ends_when_a_peer_does_not_answer(world: World) -> None:
    a, b, c = chain(world, "abc")
    roamer = roamer_at(a)
    c.call(lambda: vista.here().set_meta(vista.create(Silent)))
    world.crash("a")
    world.drive(lambda: creator(a).node not in peering(b).nodes(), 60.0)
    call = b.spawn(lambda: seen(b, roamer).read())
    (error,) = ended(world, [call], b.kernel.limits.loss_seconds + 1.0)
    assert isinstance(error, vista.PeerLost)
    assert (peering(b).moves.fences, peering(b).calls.pending) == ({}, {})


def test_what_comes_after_a_later_message_is_late() -> None:
    voids = Voids(10)
    assert [voids.admits(b"n", number) for number in (5, 7, 6, 7, 8)] == [
        True,
        True,
        False,
        True,
        True,
    ]
    voids.note(b"n", 9)
    assert [voids.admits(b"n", number) for number in (9, 10)] == [False, True]


def test_a_post_that_comes_after_a_later_one_of_its_node_is_lost(world: World) -> None:
    _, b = chain(world, "ab")
    own = bell(b)
    parts = b.kernel.codec.encode_arguments(("item",), {})
    for number, count in ((7, 1), (6, 1), (8, 2)):
        row = [POST, (number, 0, own._id, NOBODY), "hear", "", parts]
        peering(b).calls.take_post(b"far away!!", row, "operator")
        world.pass_time(0.1)
        assert len(own.list_heard()) == count
    assert b.kernel.counters.posts_lost == 1


@pytest.mark.parametrize("sent_since", [True, False])
def test_a_node_that_did_not_lose_one_that_lost_it_gives_its_calls_up(
    world: World, sent_since: bool
) -> None:
    a, b = chain(world, "ab")
    calls = peering(a).calls
    before = calls.last_number
    call = seen(a, bell(b)).ring.future(5.0)
    world.pass_time(0.1)
    # As if b had lost a and reached it again, and the call had come before or after that.
    last = calls.last_number if sent_since else before
    peering(b).ways._say(creator(a).node, "dropped", last)
    world.pass_time(0.1)
    assert call.done() == sent_since
    found = ended(world, [call])[0]
    assert isinstance(found, vista.PeerLost) if sent_since else found == "rung"


def test_so_many_fences_wait_for_an_object_and_no_more(world: World) -> None:
    nodes = a, b = chain(world, "ab", limits=limits(mailbox_messages_max=10))
    moves, id, far = peering(a).moves, roamer_at(b)._id, creator(b).node
    leaving = roamer_at(a)._id

    def crowd() -> list[int]:
        moves.send_fence(Fence(id, far, far))
        moves.departing[leaving] = []
        for number in range(100, 200):
            moves.take_fence(far, number, id)
            moves.take_fence(far, number, leaving)
        return [len(moves.fences[id].held), len(moves.departing.pop(leaving))]

    assert a.call(crowd) == [10, 10]
    at_rest(world, nodes)


def test_a_guest_does_not_answer_a_fence_that_went_to_another_node(
    world: World, tmp_path: Path
) -> None:
    host = stranger(world, tmp_path, "host", b"h" * 32, {b"g" * 32: "anna call"})
    guest = stranger(world, tmp_path, "guest", b"g" * 32, {})
    kin = stranger(world, tmp_path, "kin", b"h" * 32, {})
    join(guest, host)
    join(kin, host)
    meet(host, [guest, kin])
    world.network.slow("host", "kin", 5000.0)
    moves, far = peering(host).moves, creator(kin).node
    fence = Fence(roamer_at(kin)._id, far, far)
    near = creator(guest).node
    own = Fence(roamer_at(guest)._id, near, near)
    host.call(lambda: moves.send_fence(fence))
    for number in range(10):
        peering(guest).send(creator(host).node, (FENCED, number), (), guest.kernel.user)
    world.pass_time(0.5)
    assert fence.id in moves.fences
    host.call(lambda: moves.send_fence(own))
    world.pass_time(0.5)
    assert own.id not in moves.fences
