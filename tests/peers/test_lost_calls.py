"""Calls that were lost, or their answers, without a word of it: they end soon all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import vista
from tests.peers.roamers import roamer_at
from tests.peers.system import (
    PROMPT,
    assert_rest,
    bell,
    chain,
    ended,
    join,
    links,
    peering,
    seen,
    start,
)
from tests.peers.test_moves_fences import leave
from vista.ids import Id
from vista.kernel.refs import Ref
from vista.limits import Limits
from vista.peering.voids import COUNT_BITS, START_BYTES, Voids, first_number
from vista.testing import Conditions, SimulatedNode, World
from vista.wire.frames import HEAD, NOBODY, POST


@pytest.fixture
def world() -> Iterator[World]:
    with World(5, conditions=PROMPT) as made:
        yield made


def forget_calls(far: SimulatedNode, near: SimulatedNode) -> None:
    """As if one node had lost the other and reached it again, and the word of that were lost."""
    peering(far).calls.lose(near.kernel.table.node, "it was lost")


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_a_call_that_nobody_serves_any_longer_ends_soon(world: World, names: str) -> None:
    nodes = chain(world, names)
    a, far = nodes[0], nodes[-1]
    ring = seen(a, bell(far)).ring.future(50.0)
    world.pass_time(0.1)
    forget_calls(far, a)
    (error,) = ended(world, [ring], 1.0)
    assert isinstance(error, vista.PeerLost)
    assert "was lost on a way that broke" in str(error)
    assert_rest(*nodes)


def test_a_call_that_was_lost_late_ends_before_its_age_has_doubled_again(world: World) -> None:
    a, b = chain(world, "ab")
    ring = seen(a, bell(b)).ring.future(50.0)
    world.pass_time(10.0)
    forget_calls(b, a)
    (error,) = ended(world, [ring], 10.0)
    assert isinstance(error, vista.PeerLost)


def test_a_call_that_is_served_goes_on_however_long_it_takes(world: World) -> None:
    a, b, c = chain(world, "abc")
    calls = [seen(a, bell(c)).ring.future(50.0) for _ in range(3)]
    assert ended(world, calls) == ["rung"] * 3
    assert_rest(a, b, c)


def test_a_call_is_asked_after_when_a_relay_says_that_what_it_passed_on_is_lost(
    world: World,
) -> None:
    a, b, c = chain(world, "abc")
    # The way in use does not lead by b any longer.
    join(a, c)
    ring = seen(a, bell(c)).ring.future(50.0)
    world.pass_time(6.0)
    forget_calls(c, a)
    peering(b).ways._say(a.kernel.table.node, "lost", c.kernel.table.node)
    (error,) = ended(world, [ring], 1.0)
    assert isinstance(error, vista.PeerLost)


def test_a_call_is_asked_after_when_the_way_to_its_node_has_changed(world: World) -> None:
    a, b, c = chain(world, "abc")
    ring = seen(a, bell(c)).ring.future(50.0)
    world.pass_time(6.0)
    forget_calls(c, a)
    join(a, c)
    (error,) = ended(world, [ring], 1.0)
    assert isinstance(error, vista.PeerLost)
    assert_rest(a, b, c)


def test_a_call_that_is_held_while_its_object_moves_is_not_taken_for_lost(world: World) -> None:
    a, b, c = chain(world, "abc")
    roamer = roamer_at(b)
    world.network.slow("b", "c", 2000.0)
    leave(world, c, b, roamer)
    # The fence is answered when b knows where the object is, what is asked of b at once.
    peering(a).moves.take_moved(b.kernel.table.node, roamer._id, c.kernel.table.node)
    writing = start(a, lambda: seen(a, roamer).write(1))
    world.pass_time(1.2)
    assert roamer._id in peering(a).moves.fences
    assert not writing.done()
    assert ended(world, [writing], 20.0) == [1]


class Librarian:
    """A pager that brings an object when it is told to."""

    store = ""

    def __init__(self, node: SimulatedNode, id: Id) -> None:
        self._node = node
        self._wanted: list[Callable[[BaseException | None], None]] = []
        # As if it had been here and was stored.
        self.record = node.kernel.table.records.pop(id)

    def __contains__(self, id: bytes) -> bool:
        return id == self.record.key and id not in self._node.kernel.table.records

    def bring(self, id: Id, then: Callable[[BaseException | None], None]) -> None:
        self._wanted.append(then)

    def bind(self, ref: Ref, name: str) -> object:
        raise AssertionError("nobody of this node wants it")

    def forward(self, message: object) -> None:
        raise AssertionError("nothing was on its way")

    def deliver(self) -> None:
        self._node.kernel.table.records[self.record.key] = self.record
        for then in self._wanted:
            then(None)


def stored_bell(node: SimulatedNode) -> tuple[vista.Ref, Librarian]:
    """An object that is to be brought before anybody reaches it."""
    own = bell(node)
    librarian = Librarian(node, own._id)
    node.kernel.pagers.append(librarian)
    return own, librarian


def test_a_call_that_waits_for_its_object_to_be_brought_is_not_taken_for_lost(
    world: World,
) -> None:
    a, b = chain(world, "ab")
    own, librarian = stored_bell(b)
    echo = seen(a, own).echo.future(7)
    world.pass_time(20.0)
    assert not echo.done()
    librarian.deliver()
    assert ended(world, [echo], 1.0) == [7]
    assert_rest(a, b)


def test_a_call_whose_caller_gave_up_does_not_run_when_its_object_has_been_brought(
    world: World,
) -> None:
    a, b = chain(world, "ab")
    own, librarian = stored_bell(b)
    seen(a, own).hear.future("given up").cancel()
    seen(a, own).hear.future("wanted")
    world.pass_time(1.0)
    librarian.deliver()
    world.pass_time(1.0)
    assert own.list_heard() == ["wanted"]
    assert_rest(a, b)


# --- the numbers of another run ---------------------------------------------------------------


def run_number(run: int, count: int) -> int:
    return (run << COUNT_BITS) + count


def test_messages_of_a_run_that_counts_lower_are_admitted() -> None:
    voids = Voids(10)
    assert voids.admits(b"n", run_number(9, 100))
    assert voids.admits(b"n", run_number(3, 5))
    assert not voids.admits(b"n", run_number(3, 4))


def test_late_messages_of_an_earlier_run_change_nothing_for_the_next_one() -> None:
    voids = Voids(10)
    numbers = [(9, 100), (3, 5), (9, 101), (3, 6), (9, 100), (3, 5)]
    found = [voids.admits(b"n", run_number(*number)) for number in numbers]
    assert found == [True, True, True, True, False, False]


def test_what_one_run_gave_up_is_not_given_up_by_another() -> None:
    voids = Voids(10)
    voids.note(b"n", run_number(9, 100))
    assert voids.admits(b"n", run_number(3, 5))
    assert not voids.admits(b"n", run_number(9, 100))
    assert voids.covers(b"n", run_number(9, 100))
    assert not voids.covers(b"n", run_number(3, 6))


def test_the_last_message_is_that_of_the_run_that_is_asked_for() -> None:
    voids = Voids(10)
    epochs = [bytes([run]) + bytes(7) for run in (1, 2, 3)]
    numbers = [first_number(epoch, b"\1" * START_BYTES) + 1 for epoch in epochs]
    for number in numbers[:2]:
        assert voids.admits(b"n", number)
    assert [voids.last_of(b"n", epoch) for epoch in epochs] == [*numbers[:2], None]


def test_a_number_of_an_earlier_run_was_not_sent_after_what_this_one_gave_up() -> None:
    voids = Voids(10)
    voids.give_up(b"n", run_number(3, 5))
    assert voids.is_later(b"n", run_number(3, 6))
    assert not voids.is_later(b"n", run_number(3, 5))
    assert not voids.is_later(b"n", run_number(9, 100))


def test_no_more_nodes_and_runs_are_remembered_than_the_bound_says() -> None:
    voids = Voids(10)
    for number in range(100):
        origin = number.to_bytes(2, "big")
        for run in range(20):
            voids.admits(origin, run_number(run, 1))
        voids.note(origin, run_number(30, 1))
        voids.give_up(origin, 1)
    tables = (voids._seen, voids._void, voids._other, voids._given_up)
    assert [len(table) for table in tables] == [10] * 4


def test_a_node_that_was_started_again_is_heard_by_one_that_was_not_told_so(world: World) -> None:
    a, b = chain(world, "ab")
    own = bell(b)
    parts = b.kernel.codec.encode_arguments(("item",), {})
    relayed = b"n" * 10
    for number in (run_number(9, 100), run_number(3, 5)):
        row = [POST, HEAD.unpack(HEAD.pack(number, 0, own._id, NOBODY)), "hear", "", parts]
        peering(b).calls.take_post(relayed, row, "operator")
    world.pass_time(0.1)
    assert own.list_heard() == ["item", "item"]
    assert_rest(a, b)


# --- links that carry little ------------------------------------------------------------------


def narrow_link(world: World) -> tuple[SimulatedNode, SimulatedNode]:
    """Two nodes; what the first sends takes long, and two messages of it are on the way at most."""
    wires = world.network.wire("a", "b"), world.network.wire("b", "a")
    for wire, seconds in zip(wires, (0.3, 0.0005), strict=True):
        wire.conditions = Conditions(delay_seconds=seconds, queue_messages_max=2)
    # The conditions on a link are those of the wire for who accepts it.
    b, a = chain(world, "ba")
    return a, b


def pour(own: vista.Ref, count: int) -> None:
    """Send posts, each of which calls for a word that it was worked off."""
    for number in range(count):
        own.hear.post(number)
        vista.sleep(0.03)


def test_a_link_that_carries_little_carries_messages_and_not_only_words_about_others() -> None:
    with World(7, conditions=PROMPT) as world:
        a, b = narrow_link(world)
        own, far = bell(a), bell(b)
        pouring = b.spawn(lambda: pour(seen(b, own), 1_000))
        world.pass_time(5.0)
        calls = [start(a, lambda: seen(a, far).echo(1)) for _ in range(20)]
        assert ended(world, calls, 5.0) == [1] * 20
        assert not pouring.done()


@pytest.mark.parametrize("back", [0, 900])
def test_a_link_that_carries_little_says_what_was_worked_off(back: int) -> None:
    with World(7, conditions=PROMPT) as world:
        a, b = narrow_link(world)
        own, far = bell(a), bell(b)
        (link,) = links(b)
        pouring = [b.spawn(lambda: pour(seen(b, own), 1_000))]
        pouring.append(a.spawn(lambda: pour(seen(a, far), back)))
        ended(world, pouring)
        world.pass_time(10.0)
        assert links(b) == [link]
        assert len(own.list_heard()) == 1_000
        assert len(far.list_heard()) == back
        assert link.session.window == b.kernel.limits.link_window_bytes


def test_what_a_batch_says_was_worked_off_is_followed_by_no_less() -> None:
    with World(7, conditions=PROMPT) as world:
        a, b = narrow_link(world)
        own = bell(a)
        (link,) = links(b)
        partition = world.network.partition("a", "b", one_way=True)
        b.call(lambda: pour(seen(b, own), 10))
        # Its answer waits behind no word, and says more than those that wait already.
        echo = seen(b, own).echo.future(7)
        world.pass_time(1.0)
        partition.heal()
        assert ended(world, [echo], 5.0) == [7]
        world.pass_time(5.0)
        assert links(b) == [link]


def give_up_in_silence(near: SimulatedNode) -> None:
    """End the calls of a node as if the word of it had been lost with a way, and the next word."""
    calls = peering(near).calls
    for future in list(calls.pending.values()):
        future.fail(vista.PeerLost("its way broke"))


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_a_thread_is_cancelled_whose_caller_gave_up_without_a_word(
    world: World, names: str
) -> None:
    nodes = chain(world, names)
    a, far = nodes[0], nodes[-1]
    heard = bell(far)
    seen(a, heard).ring.future(1000.0)
    world.pass_time(1.0)
    give_up_in_silence(a)
    assert len(peering(far).calls.served) == 1
    world.pass_time(2 * far.kernel.limits.loss_seconds)
    assert far.call(heard.list_ended) == ["KillThread"]
    assert_rest(*nodes)


def test_a_thread_that_is_waited_for_is_asked_after_ever_less_often(world: World) -> None:
    a, b = chain(world, "ab")
    asked: list[float] = []
    ways = peering(a).ways
    disown = ways.strays.disown

    def note(origin: bytes, numbers: list[int]) -> None:
        asked.append(world.time)
        disown(origin, numbers)

    ways.strays.disown = note  # type: ignore[method-assign]
    far = seen(a, bell(b))
    begun = world.time
    with_bound = a.spawn(lambda: _patient(far, 400.0))
    world.pass_time(390.0)
    assert len(asked) == 6
    assert all(later - begun >= 8.0 * 2**at for at, later in enumerate(asked))
    assert ended(world, [with_bound], 30.0) == ["rung"]


def test_an_answer_to_a_question_about_calls_is_sent_for_each_that_is_not_waited_for(
    world: World,
) -> None:
    a, b = chain(world, "ab")
    waiting = seen(a, bell(b)).ring.future(50.0)
    world.pass_time(0.6)
    (mine,) = peering(a).calls.pending
    before = links(a)[0].messages_sent
    peering(b).ways._say(a.kernel.table.node, "served", [mine, mine + 1, "no number"])
    world.pass_time(0.2)
    assert links(a)[0].messages_sent == before + 1
    assert ended(world, [waiting]) == ["rung"]


def test_numbers_that_no_call_has_are_not_sent_back(world: World) -> None:
    # A message with one of them cannot be packed, and all that is to leave with it.
    a, b = chain(world, "ab")
    before = links(a)[0].messages_sent
    peering(b).ways._say(a.kernel.table.node, "served", [10**30, 2**64, -1])
    world.pass_time(0.2)
    assert links(a)[0].messages_sent == before


def test_no_more_calls_are_disowned_at_a_time_than_anybody_asks_after(world: World) -> None:
    a, b = chain(world, "ab", limits=Limits(ring_probes_max=2))
    before = links(a)[0].messages_sent
    peering(b).ways._say(a.kernel.table.node, "served", list(range(1, 6)))
    world.pass_time(0.2)
    assert links(a)[0].messages_sent == before + 2


def test_calls_that_are_waited_for_do_not_keep_others_from_being_asked_after(world: World) -> None:
    a, b = chain(world, "ab", limits=Limits(ring_probes_max=1))
    heard = bell(b)
    waiting = seen(a, bell(b)).ring.future(100.0)
    # Its age doubles in other moments then. A node that is asked nothing knows no later time.
    world.pass_time(20.0)
    b.call(vista.here)
    before = set(peering(a).calls.pending)
    seen(a, heard).ring.future(1000.0)
    world.pass_time(0.5)
    (number,) = set(peering(a).calls.pending) - before
    peering(a).calls.pending[number].fail(vista.PeerLost("its way broke"))
    world.pass_time(2 * b.kernel.limits.loss_seconds)
    assert b.call(heard.list_ended) == ["KillThread"]
    assert ended(world, [waiting], 100.0) == ["rung"]


def _patient(ref: Ref, seconds: float) -> str:
    with vista.timeout(2 * seconds):
        heard: str = ref.ring(seconds)
    return heard
