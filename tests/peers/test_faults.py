"""Faults of clocks and peers between simulated nodes: what they may do, and that nothing stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from tests.peers.system import (
    PROMPT,
    assert_rest,
    bell,
    chain,
    ended,
    limits,
    links,
    peering,
    seen,
)
from vista.testing import SimulatedNode, World
from vista.wire.frames import REPLY

HOUR = 3600.0


@pytest.fixture
def world() -> Iterator[World]:
    """A world on whose network both ends learn of a loss at once."""
    with World(1, conditions=PROMPT) as made:
        yield made


class OneShot(vista.Object):
    """Counts how often its timer went off."""

    def create(self) -> None:
        self.times = 0

    def timer_expired(self, timer: Any, data: Any) -> None:
        """Count."""
        self.times += 1

    def count(self) -> int:
        """Return how often."""
        return self.times


# --- clocks ----------------------------------------------------------------------------------


def test_after_the_clock_jumped_by_an_hour_calls_go_on_and_the_link_stands(world: World) -> None:
    a, b = chain(world, "ab")
    own = bell(b)
    (before,) = links(a)
    for number in range(5):
        world.hub.now += HOUR
        assert seen(a, own).echo(number) == number
    world.pass_time(60.0)
    assert links(a) == [before]
    assert_rest(a, b)


def test_calls_in_flight_while_the_clock_jumps_end_once(world: World) -> None:
    a, b = chain(world, "ab")
    calls = [seen(a, bell(b)).ring.future(seconds) for seconds in (1.0, 30.0, 50.0)]
    world.pass_time(0.5)
    world.hub.now += HOUR
    found = ended(world, calls)
    # Each was done or was late when anybody looked again: which, the order of the timers decides.
    assert all(one == "rung" or isinstance(one, vista.CallTimeout) for one in found)
    world.pass_time(60.0)
    assert_rest(a, b)


@pytest.mark.parametrize(("kind", "most"), [("TimerEvent", 1), ("RepeatingTimerEvent", 12)])
def test_timers_that_a_jump_passed_over_do_not_go_off_for_each_time_they_missed(
    world: World, kind: str, most: int
) -> None:
    a = world.node("a")
    shot = a.call(vista.create, OneShot)
    a.call(lambda: vista.create(kind, shot, 1))
    world.hub.now += HOUR
    world.pass_time(10.0)
    assert 1 <= shot.count() <= most


# --- a peer that stops reading ---------------------------------------------------------------


class Deaf:
    """Has a node leave what comes over its only link unread; `read` takes it all at once."""

    def __init__(self, node: SimulatedNode) -> None:
        (self.link,) = links(node)
        self.unread: list[Any] = []
        self._receive = self.link.channel.receive
        self.link.channel.receive = self.unread.append

    def read(self) -> None:
        """Take what was left unread, and all that comes, again."""
        self.link.channel.receive = self._receive
        for parts in self.unread:
            self._receive(parts)


def test_what_waits_for_a_peer_that_stops_reading_is_bounded_and_others_are_served(
    world: World,
) -> None:
    a, b, c = chain(world, "abc", limits=limits(link_messages_max=200, link_window_bytes=20_000))
    other, friend = bell(a), seen(b, bell(c))
    deaf = Deaf(a)
    (link,) = [link for link in links(b) if link.node == a.kernel.table.node]
    heard = 0

    def flood() -> int:
        for number in range(10_000):
            try:
                seen(b, other).hear.post([number, bytes(100)])
            except vista.Overloaded:
                return number
        return 10_000

    for _ in range(20):
        heard += b.call(flood)
        world.pass_time(0.05)
        assert link.waiting_messages <= 200
        assert friend.echo("friend") == "friend"
    assert heard < 1_000
    assert sum(len(bytes(part)) for parts in deaf.unread for part in parts) < 40_000
    deaf.read()
    world.pass_time(5.0)
    assert len(other.list_numbers()) == heard


def test_a_call_to_a_peer_that_stops_reading_ends_in_time(world: World) -> None:
    a, b = chain(world, "ab")
    own = bell(b)
    Deaf(b)
    (call,) = ended(world, [a.spawn(lambda: _bounded(seen(a, own)))])
    assert isinstance(call, vista.CallTimeout | vista.PeerLost)


def _bounded(far: vista.Ref) -> Any:
    with vista.timeout(3.0):
        return far.echo(1)


# --- a peer that answers wrong numbers -------------------------------------------------------


@pytest.mark.parametrize("numbers", [(-1,), (1,), (0, 0), (7, 0)], ids=str)
def test_an_answer_with_a_number_that_nobody_asked_with_answers_nobody(
    world: World, numbers: tuple[int, ...]
) -> None:
    a, b = chain(world, "ab")
    ring = seen(a, bell(b)).ring.future(2.0)
    world.pass_time(0.5)
    (number,) = peering(a).calls.pending
    for offset in numbers:
        answer = b.kernel.codec.encode(f"number {offset}")
        row = (REPLY, number + offset, 0, answer)
        peering(b).send(a.kernel.table.node, row, (), "operator")
    world.pass_time(0.5)
    # The right number is an answer, the first time; what comes after it is for nobody.
    assert ring.done() == (0 in numbers)
    assert ended(world, [ring]) == ["number 0" if 0 in numbers else "rung"]
    world.pass_time(10.0)
    assert_rest(a, b)


def test_a_batch_out_of_its_order_ends_the_link_which_is_opened_again(world: World) -> None:
    a, b = chain(world, "ab")
    own = bell(b)
    (link,) = links(b)
    link.session.batches_sent += 1
    (call,) = ended(world, [a.spawn(lambda: seen(a, own).echo(1))])
    assert isinstance(call, vista.PeerLost)
    assert "was expected" in str(call)
    world.pass_time(30.0)
    assert seen(a, own).echo(2) == 2
    assert_rest(a, b)
