"""Series: calls, posts and results with plain values, which leave together as one row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.peers.system import (
    LinkedBell,
    add_node,
    assert_rest,
    bell,
    chain,
    ended,
    join,
    links,
    peering,
    seen,
    stranger,
)
from vista.kernel.access import AccessControlList
from vista.kernel.kernel import creator_id
from vista.testing import SimulatedNode, World
from vista.wire.frames import CALLS, NOBODY, POST, POSTS, REPLIES
from vista.wire.plain import SMALL_MAX, WIDTH_MAX

HOST, GUEST = b"h" * 32, b"g" * 32


class GuardedBell(vista.Object):
    """One that has threads wait, answers for messages it does not know, and lets some in."""

    def create(self) -> None:
        self.heard: list[Any] = []

    def hear(self, item: Any) -> int:
        self.heard.append(item)
        return len(self.heard)

    @vista.preemptable
    def count(self, item: int) -> int:
        return len(self.heard) + item

    @vista.exclusive
    def keep(self, seconds: float) -> None:
        vista.sleep(seconds)

    def hear_three(self, *items: Any) -> None:
        self.heard += items

    def list_heard(self) -> list[Any]:
        return self.heard


class SeriesRelay(vista.Object):
    """Calls somebody else."""

    def create(self, target: Any) -> None:
        self.target = target

    def relay(self, number: int) -> Any:
        return self.target.hear(number)

    @vista.exclusive
    def relay_kept(self, number: int) -> Any:
        return self.target.relay(number)

    def aim(self, target: Any) -> None:
        self.target = target

    def hear(self, number: int) -> int:
        return number


def rows_of(node: SimulatedNode) -> list[int]:
    """The kinds of the rows of a node's open batch."""
    (link,) = links(node)
    return [row[0] for row in link.outgoing._rows]


def rows_of_posts(node: SimulatedNode, far: vista.Ref, items: Iterable[Any]) -> list[int]:
    """Have a bell hear things by posts of one turn; return the kinds of the rows they fill."""

    def send() -> list[int]:
        for item in items:
            far.hear.post(item)
        return rows_of(node)

    kinds: list[int] = node.call(send)
    return kinds


def warm(far: vista.Ref) -> None:
    """Have the node know that the way to an object is its own link."""
    far.list_heard()


def test_alike_posts_of_a_turn_leave_as_one_row(pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    assert rows_of_posts(a, far, range(5)) == [POSTS]
    assert far.list_heard() == [0, 1, 2, 3, 4]


def test_calls_of_many_threads_leave_as_one_row_and_so_do_their_results(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    before = [links(node)[0].session.batches_sent for node in pair]
    calls = [a.spawn(far.echo, number) for number in range(50)]
    assert ended(world, calls) == list(range(50))
    assert [links(node)[0].session.batches_sent for node in pair] == [one + 1 for one in before]
    assert_rest(a, b)


def test_each_call_of_a_series_gets_its_own_error(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    calls = [a.spawn(far.echo, 1), a.spawn(far.echo), a.spawn(far.echo, 2)]
    first, wrong, last = ended(world, calls)
    assert (first, type(wrong), last) == (1, TypeError, 2)


def test_what_is_between_two_series_keeps_its_place(pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    items = [1, 2, [3], 4, "five" * SMALL_MAX, 6, 7]
    assert rows_of_posts(a, far, items) == [POSTS, POST, POSTS, POST, POSTS]
    assert far.list_heard() == items


def test_messages_to_several_objects_and_methods_keep_their_order(
    pair: list[SimulatedNode],
) -> None:
    a, b = pair
    bells = [seen(a, b.call(vista.create, GuardedBell)) for _ in range(2)]
    for far in bells:
        warm(far)

    def send() -> None:
        for number in range(6):
            bells[number % 2].hear.post(number)
            bells[number % 2].hear_three.post(number, None, 0.5)

    a.call(send)
    assert bells[0].list_heard() == [0, 0, None, 0.5, 2, 2, None, 0.5, 4, 4, None, 0.5]
    assert bells[1].list_heard() == [1, 1, None, 0.5, 3, 3, None, 0.5, 5, 5, None, 0.5]


PLAIN = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    -0.0,
    "a" * SMALL_MAX,
    "",
    bytes(SMALL_MAX),
]
NOT_PLAIN = [2**64, -(2**63) - 1, "a" * (SMALL_MAX + 1), "\xe9", bytes(SMALL_MAX + 1), [1], (1,)]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_plain_value_comes_back_from_a_series_as_it_was(
    pair: list[SimulatedNode], value: Any
) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    assert rows_of_posts(a, far, [value]) == [POSTS]
    (back,) = far.list_heard()
    assert (repr(back), repr(far.echo(value))) == (repr(value), repr(value))


@pytest.mark.parametrize("value", NOT_PLAIN, ids=lambda value: repr(value)[:20])
def test_any_other_value_takes_the_codec(pair: list[SimulatedNode], value: Any) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    assert rows_of_posts(a, far, [value]) == [POST]
    assert far.list_heard() == [value]
    assert far.echo(value) == value


def test_more_arguments_than_a_series_takes_arrive_all_the_same(pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, b.call(vista.create, GuardedBell))
    many = list(range(WIDTH_MAX + 1))
    far.hear_three(*many)
    far.hear_three.post(*many[:WIDTH_MAX])
    far.hear_three.post()
    assert far.list_heard() == [*many, *many[:WIDTH_MAX]]


def test_a_series_to_a_preemptable_method_is_answered_while_its_object_is_kept(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    far = seen(a, b.call(vista.create, GuardedBell))
    warm(far)
    keeping = a.spawn(far.keep, 30.0)
    world.pass_time(1.0)
    calls = [a.spawn(far.count, number) for number in range(4)]
    assert ended(world, calls, 5.0) == [0, 1, 2, 3]
    assert not keeping.done()
    ended(world, [keeping])


def test_a_call_that_others_wait_for_takes_their_chain_along(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    outer = a.call(vista.create, SeriesRelay, None)
    inner = b.call(vista.create, SeriesRelay, seen(b, outer))
    outer.aim(seen(a, inner))
    warm_up = seen(a, inner).hear(1), b.call(seen(b, outer).hear, 1)
    before = world.hub.now
    with pytest.raises(vista.DeadlockError):
        outer.relay_kept(2)
    # Without the chain a probe would have found it, half a second later.
    assert (warm_up, world.hub.now - before < 0.4) == ((1, 1), True)


def test_a_series_to_an_object_with_an_access_list_is_judged_call_by_call(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    own = b.call(vista.create, GuardedBell)
    far = seen(a, own)
    warm(far)
    own.set_acl(AccessControlList.of(f"allow {a.kernel.user} echo", "allow anna *", "deny * *"))
    users = ("anna", "eve", "anna")
    calls = [a.kernel.spawn(lambda: far.hear(1), user) for user in users]
    found = ended(world, calls)
    assert [type(one) for one in found] == [int, vista.AccessDenied, int]


def test_a_series_to_an_object_that_is_gone_fails_call_by_call(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    own = bell(b)
    far = seen(a, own)
    warm(far)
    b.call(vista.delete, own)
    found = ended(world, [a.spawn(far.echo, number) for number in range(3)])
    assert [type(one) for one in found] == [vista.ObjectDeleted] * 3


def test_a_series_to_an_object_that_went_on_is_passed_on(world: World) -> None:
    a, b, c = chain(world, "abc")
    own = bell(b)
    far = seen(a, own)
    warm(far)
    b.call(vista.move, own, b.kernel.ref(creator_id(c.kernel.table.node)))
    calls = [a.spawn(far.echo, number) for number in range(5)]

    def post() -> None:
        for number in range(5):
            far.hear.post(number)

    a.call(post)
    assert ended(world, calls) == list(range(5))
    assert far.list_heard() == list(range(5))


def test_a_series_fills_a_mailbox_and_no_more(world: World) -> None:
    a = add_node(world, "a")
    b = add_node(world, "b", limits=vista.Limits(mailbox_messages_max=4))
    join(a, b)
    far = seen(a, bell(b))
    warm(far)
    found = ended(world, [a.spawn(far.echo, number) for number in range(12)])
    ran = [one for one in found if type(one) is int]
    assert ran == list(range(len(ran)))
    assert 4 <= len(ran) < 12
    assert {type(one) for one in found[len(ran) :]} == {vista.Overloaded}


def test_a_series_is_ended_by_the_loss_of_its_link(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, bell(b))
    warm(far)
    calls = [a.spawn(far.ring, 60) for _ in range(3)]
    world.pass_time(1.0)
    b.crash()
    assert {type(one) for one in ended(world, calls)} == {vista.PeerLost}


def test_a_link_that_has_ended_takes_nothing_into_a_series(pair: list[SimulatedNode]) -> None:
    (link,) = links(pair[0])
    assert link.outgoing.append_reply(7, 1)
    link.close("that is all")
    assert not link.outgoing.append_reply(8, 2)


# --- from outside --------------------------------------------------------------------------


def numbers_after(node: SimulatedNode, count: int) -> list[int]:
    """The next numbers of a node's messages."""
    calls = peering(node).calls
    first = calls.last_number + 1
    calls.last_number += count
    return list(range(first, first + count))


def test_a_series_that_comes_again_is_not_run_again(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    own = bell(b)
    numbers = numbers_after(a, 3)
    row = (POSTS, own._id, "hear", "", numbers, [NOBODY] * 3, [1, 2, 3])
    for _ in range(2):
        links(a)[0].append(row, ())
        world.pass_time(1.0)
    # The last one may be a new message of the same number as far as anybody can tell.
    assert own.list_heard()[:3] == [1, 2, 3]
    assert 1 not in own.list_heard()[3:]


def test_results_that_nobody_awaits_change_nothing(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    far = seen(a, bell(b))
    links(b)[0].append((REPLIES, [5, 6, 7], [1, 2, 3]), ())
    world.pass_time(1.0)
    assert far.echo(1) == 1
    assert_rest(a, b)


def test_results_of_a_node_that_was_not_called_end_nothing(world: World) -> None:
    a, b = chain(world, "ab")
    other = add_node(world, "c")
    join(other, a)
    world.pass_time(5.0)
    far = seen(a, bell(b))
    warm(far)
    call = a.spawn(far.ring, 20)
    world.pass_time(1.0)
    (number,) = peering(a).calls.pending
    (link,) = links(other)
    link.append((REPLIES, [number], ["forged"]), ())
    assert ended(world, [call]) == ["rung"]


@pytest.mark.parametrize("value", ["text", 300, None, 1.5, b"bytes"])
def test_a_series_of_words_that_no_peering_says_ends_the_link(
    world: World, pair: list[SimulatedNode], value: Any
) -> None:
    a, b = pair
    (link,) = links(b)
    row = (POSTS, NOBODY, "fenced", "", numbers_after(a, 1), [NOBODY], [value, value])
    links(a)[0].append(row, ())
    world.pass_time(1.0)
    assert link.ended is not None
    assert "protocol error: a peering was told" in link.ended


def guest_of(world: World, directory: Path, line: str) -> tuple[SimulatedNode, SimulatedNode]:
    """A host, and a guest with another key that has ``USER RIGHTS`` there."""
    host = stranger(world, directory, "host", HOST, {GUEST: line})
    guest = stranger(world, directory, "guest", GUEST, {})
    join(guest, host)
    return host, guest


def test_a_series_of_a_guest_acts_as_the_user_of_its_line(world: World, tmp_path: Path) -> None:
    host, guest = guest_of(world, tmp_path, "anna call")
    own = host.call(vista.create, WhoBell)
    numbers = numbers_after(guest, 2)
    row = (POSTS, own._id, "note", host.kernel.user, numbers, [NOBODY] * 2, list[int]())
    links(guest)[0].append(row, ())
    world.pass_time(1.0)
    assert own.list_users() == ["anna", "anna"]


def test_a_series_of_a_guest_without_the_right_to_call_is_refused(
    world: World, tmp_path: Path
) -> None:
    host, guest = guest_of(world, tmp_path, "anna create")
    own = bell(host)
    calls = peering(guest).calls
    future = calls.expect(host.kernel.table.node, "echo")
    row = (CALLS, own._id, "echo", "", [future.number], [NOBODY], [1])
    links(guest)[0].append(row, ())
    (error,) = ended(world, [future])
    assert isinstance(error, vista.AccessDenied)


@pytest.mark.parametrize("kind", [CALLS, POSTS])
def test_a_series_does_not_go_round_the_right_to_create(
    world: World, tmp_path: Path, kind: int
) -> None:
    host, guest = guest_of(world, tmp_path, "anna call")
    creator, numbers = creator_id(host.kernel.table.node), numbers_after(guest, 1)
    row = (kind, creator, "create_object", "", numbers, [NOBODY], ["LinkedBell"])
    links(guest)[0].append(row, ())
    world.pass_time(1.0)
    names = {record.entry.name for record in host.kernel.table.records.values()}
    assert "LinkedBell" not in names


class WhoBell(LinkedBell):
    """Notes in whose name it is sent to."""

    def note(self) -> None:
        self.heard.append(vista.current_user())

    def list_users(self) -> list[str]:
        return list(self.heard)
