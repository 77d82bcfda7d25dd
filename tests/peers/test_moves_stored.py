"""Stored objects that move while a node falls, at every message and commit: one lives at last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, drive_until_linked, ended, links, peering, running, seen
from tests.persistence.simulated import Shelf, settings_of
from vista.errors import BadValueError, CallError, ObjectDeleted, StoreError
from vista.kernel.kernel import creator_id
from vista.kernel.table import DEPARTING
from vista.persistence.store import LEAVING
from vista.standard.persistence import PersistentObject
from vista.testing import SimulatedNode, World

SEED = 4
STEP_SECONDS = 0.0005
ADDRESS = "ipc:/stored/a"


class StoredEmigrant(PersistentObject):
    """Somebody who is stored, and moves with messages after him."""

    def create(self, flags: int = 0) -> None:
        self.numbers: list[int] = []
        self.initialize(flags=flags, durable=True)

    def take(self, number: int) -> int:
        self.numbers.append(number)
        return number

    def read(self) -> list[int]:
        return self.numbers

    def whoever(self) -> str:
        return vista.current_user()


class Passage:
    """A stored object of node a, and node b where it is to go."""

    def __init__(
        self, world: World, flags: int = 0, boot: Callable[[SimulatedNode], None] | None = None
    ) -> None:
        self.world = world
        self.shelf = Shelf()
        boot = boot or _keep_and_listen
        a = world.node("a", settings=settings_of(self.shelf, "a"), boot=boot)
        self.identity = a.kernel.table.node
        settings = {"identity": settings_of(self.shelf, "b")["identity"], "secret_key": b"k" * 32}
        world.node("b", settings=settings, boot=_connect)
        drive_until_linked(world)
        self.emigrant: vista.Ref = self.a.call(lambda: vista.create(StoredEmigrant, flags))
        self.id = self.emigrant._id
        self.told: set[int] = set()
        self.began = world.time

    @property
    def a(self) -> SimulatedNode:
        return running(self.world, "a")

    @property
    def b(self) -> SimulatedNode:
        return running(self.world, "b")

    def set_out(self) -> Any:
        """Begin the move, while both nodes send; return its future."""
        there = creator_id(self.b.kernel.table.node)
        moving = self.a.spawn(lambda: vista.move(self.emigrant, there))
        for number in range(6):
            node = (self.a, self.b)[number % 2]
            node.spawn(self._send, node, number)
        return moving

    def _send(self, node: SimulatedNode, number: int) -> None:
        self.told.add(seen(node, self.emigrant).take(number))

    def marks(self) -> tuple[int, ...]:
        """How many messages were sent and received, and how much was committed."""
        counts = [
            count
            for node in (self.a, self.b)
            for link in links(node)
            for count in (link.messages_sent, link.messages_received)
        ]
        return (*counts, len(self.shelf.commits))

    def wait(self, seconds: float) -> None:
        """Let time pass until ``seconds`` after the beginning."""
        self.world.pass_time(self.began + seconds - self.world.time)

    def fall(self, name: str) -> None:
        """Let the machine of a node fall; what was not durable is lost."""
        self.world.crash(name)
        if name == "a":
            self.shelf.user = None
            self.shelf.fall(0)

    def rise(self, name: str) -> None:
        self.world.restart(name)

    def homes(self) -> list[str]:
        """The nodes that have the object, one that holds it in doubt included."""
        return [
            node.name
            for node in self.world.nodes
            if not node.stopped and self.id in node.kernel.table.records
        ]

    def doubters(self) -> list[str]:
        """The nodes that do not know whether the object left them."""
        return [
            name
            for name in self.homes()
            if running(self.world, name).kernel.table.records[self.id].state is DEPARTING
        ]

    def read(self, node: SimulatedNode) -> list[int]:
        numbers: list[int] = node.call(lambda: seen(node, self.emigrant).read())
        return numbers


def _keep_and_listen(node: SimulatedNode) -> None:
    vista.create("PersistenceService")
    vista.create("AcceptPeerConnections", ADDRESS)


def _connect(node: SimulatedNode) -> None:
    vista.create("ConnectToPeer", ADDRESS)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "vista.kernel")


@pytest.fixture
def passage() -> Iterator[Passage]:
    with World(SEED, conditions=PROMPT) as world:
        yield Passage(world)


@cache
def instants(flags: int) -> tuple[float, ...]:
    """When something is sent, arrives or is committed in a move that nothing disturbs.

    In seconds from its beginning, with the moments between.
    """
    with World(SEED, conditions=PROMPT) as world:
        passage = Passage(world, flags)
        moving = passage.set_out()
        before, found, steps = passage.marks(), [0.0], 0
        while not (moving.done() and not passage.shelf.rows and steps > 100):
            steps += 1
            assert steps < 2000, "it moves in less than a second"
            passage.wait(steps * STEP_SECONDS)
            now = passage.marks()
            if now != before:
                found += [(steps - 1) * STEP_SECONDS, steps * STEP_SECONDS]
            before = now
        passage.wait((steps + 1) * STEP_SECONDS)
        assert passage.homes() == ["b"]
        # Once more when all of it is over, also where looking on took other chances.
        return tuple(sorted({*found, (steps + 100) * STEP_SECONDS}))


Fault = Callable[[Passage], None]


def old_home_falls(passage: Passage) -> None:
    passage.fall("a")
    passage.world.pass_time(3.0)
    passage.rise("a")


def old_home_falls_and_is_parted(passage: Passage) -> None:
    partition = passage.world.network.partition("a", "b")
    passage.fall("a")
    passage.world.pass_time(3.0)
    passage.rise("a")
    passage.world.pass_time(60.0)
    assert len(passage.homes()) <= 1
    partition.heal()


def old_home_falls_twice(passage: Passage) -> None:
    for _ in range(2):
        passage.fall("a")
        passage.world.pass_time(1.0)
        passage.rise("a")
        passage.world.pass_time(0.2)


def network_breaks_and_old_home_falls_in_doubt(passage: Passage) -> None:
    partition = passage.world.network.partition("b", "a", one_way=True)
    passage.world.pass_time(20.0)
    passage.fall("a")
    passage.rise("a")
    passage.world.pass_time(5.0)
    partition.heal()


FALL = "the old home falls"
FAULTS: dict[str, Fault] = {
    FALL: old_home_falls,
    "it is parted from the new one besides": old_home_falls_and_is_parted,
    "it falls twice": old_home_falls_twice,
    "it falls while it is in doubt": network_breaks_and_old_home_falls_in_doubt,
}


def every_instant(fault: Fault, check: Callable[[Passage], None], flags: int = 0) -> None:
    """Disturb a move at each of its instants, and check two minutes later."""
    for at in instants(flags):
        with World(SEED, conditions=PROMPT) as world:
            passage = Passage(world, flags)
            passage.set_out()
            passage.wait(at)
            fault(passage)
            world.pass_time(120.0)
            try:
                check(passage)
            except BaseException as error:
                error.add_note(f"at {at} s")
                raise


def check_rest(nodes: Sequence[SimulatedNode]) -> None:
    for node in nodes:
        moves, calls = peering(node).moves, peering(node).calls
        assert (moves.fences, moves._numbers, moves.arrivals) == ({}, {}, {})
        assert (moves.handovers.prepared, calls.pending, calls.served) == ({}, {}, {})
        assert peering(node).departures.doubts == {}


@pytest.mark.parametrize(("fault", "flags"), [*((name, 0) for name in FAULTS), (FALL, 1)])
def test_a_stored_object_lives_in_one_place_whenever_its_old_home_falls(
    fault: str, flags: int
) -> None:
    places = set()

    def check(passage: Passage) -> None:
        # One of flag 1 comes when it is referenced.
        numbers = [passage.read(node) for node in (passage.a, passage.b)]
        (home,) = passage.homes()
        places.add(home)
        assert passage.doubters() == []
        assert numbers[0] == numbers[1]
        assert len(set(numbers[0])) == len(numbers[0])
        assert passage.told <= set(numbers[0])
        assert set(passage.shelf.rows) == ({passage.id} if home == "a" else set())
        assert not any(row.flags & LEAVING for row in passage.shelf.rows.values())
        passage.world.pass_time(5.0)
        check_rest([passage.a, passage.b])

    every_instant(FAULTS[fault], check, flags)
    assert places == {"a", "b"}


def test_when_both_fall_it_lives_in_one_place_or_fell_with_the_new_home() -> None:
    outcomes = set()

    def fall(passage: Passage) -> None:
        passage.fall("b")
        passage.fall("a")
        passage.world.pass_time(3.0)
        passage.rise("a")
        passage.world.pass_time(3.0)
        passage.rise("b")

    def check(passage: Passage) -> None:
        homes = passage.homes()
        outcomes.add(tuple(homes))
        assert passage.doubters() == []
        assert set(passage.shelf.rows) == ({passage.id} if homes else set())
        check_rest([passage.a, passage.b])

    every_instant(fall, check)
    assert outcomes == {("a",), ()}


# --- while it is not known ---------------------------------------------------------------------


def doubting(passage: Passage) -> Any:
    """Have node a fall when it has committed and not heard of it; return what parts it from b."""
    passage.a.spawn(lambda: vista.move(passage.emigrant, creator_id(passage.b.kernel.table.node)))
    world = passage.world
    world.drive(lambda: passage.id in passage.b.kernel.table.records, 10.0)
    partition = world.network.partition("a", "b")
    passage.fall("a")
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [LEAVING]
    passage.rise("a")
    world.pass_time(5.0)
    assert passage.homes() == ["b"]
    return partition


def test_messages_wait_until_it_is_known_where_a_stored_object_is(passage: Passage) -> None:
    partition = doubting(passage)
    a = passage.a
    taking = [a.spawn(lambda n=n: seen(a, passage.emigrant).take(n)) for n in range(5)]
    a.call(lambda: seen(a, passage.emigrant).take.post(5))
    passage.world.pass_time(5.0)
    assert not any(call.done() for call in taking)
    partition.heal()
    assert ended(passage.world, taking, 40.0) == list(range(5))
    passage.world.pass_time(1.0)
    assert passage.read(passage.b) == list(range(6))
    assert passage.homes() == ["b"]


def test_a_message_that_waited_is_sent_on_as_its_own_user(passage: Passage) -> None:
    partition = doubting(passage)
    a = passage.a
    asking = a.kernel.spawn(lambda: seen(a, passage.emigrant).whoever(), "mary")
    passage.world.pass_time(1.0)
    partition.heal()
    assert ended(passage.world, [asking], 40.0) == ["mary"]


def test_no_more_messages_wait_for_it_than_for_any_object() -> None:
    with World(SEED, conditions=PROMPT) as world:
        passage = Passage(world)
        doubting(passage)
        a = passage.a
        a.kernel.messages_max = 10

        def flood() -> int:
            lost = a.kernel.counters.posts_lost
            for number in range(30):
                seen(a, passage.emigrant).take.post(number)
            return int(a.kernel.counters.posts_lost - lost)

        # The asking thread waits in the same line.
        assert a.call(flood) == 21


def test_whoever_kills_the_thread_that_asks_lets_the_object_stay(
    passage: Passage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.peering")
    doubting(passage)
    passage.fall("b")
    (words,) = [text for text in caplog.messages if "Until that is known" in text]
    assert "this node fell" in words
    thread = words.partition("vista.kill(Id('")[2].partition("'")[0]
    a = passage.a
    a.call(lambda: vista.kill(thread))
    passage.world.pass_time(1.0)
    assert passage.read(a) == []
    assert passage.homes() == ["a"]
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [0]


def test_a_node_that_stops_in_doubt_asks_again_when_it_is_back(passage: Passage) -> None:
    a, b = passage.a, passage.b
    a.spawn(lambda: vista.move(passage.emigrant, creator_id(b.kernel.table.node)))
    world = passage.world
    world.drive(lambda: passage.id in b.kernel.table.records, 10.0)
    partition = world.network.partition("a", "b")
    # The thread that asks is ended by force, as are all that are left.
    passage.a.stop()
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [LEAVING]
    world.restart("a")
    world.pass_time(1.0)
    passage.a.stop()
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [LEAVING]
    world.restart("a")
    partition.heal()
    world.pass_time(60.0)
    assert passage.homes() == ["b"]
    assert passage.shelf.rows == {}


def test_an_object_whose_departure_cannot_be_noted_stays(passage: Passage) -> None:
    a = passage.a
    passage.shelf.full = True
    with pytest.raises(StoreError, match=r"is full"):
        a.call(lambda: vista.move(passage.emigrant, creator_id(passage.b.kernel.table.node)))
    passage.shelf.full = False
    passage.world.pass_time(60.0)
    assert passage.homes() == ["a"]
    assert seen(a, passage.emigrant)._id == passage.id
    assert a.call(lambda: seen(a, passage.emigrant).take(1)) == 1
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [0]
    check_rest([a, passage.b])


def test_a_move_that_fails_leaves_no_mark(passage: Passage) -> None:
    a, b = passage.a, passage.b
    partition = passage.world.network.partition("a", "b")
    moving = a.spawn(lambda: vista.move(passage.emigrant, creator_id(b.kernel.table.node)))
    passage.world.pass_time(60.0)
    partition.heal()
    (error,) = ended(passage.world, [moving], 60.0)
    assert isinstance(error, CallError)
    passage.world.pass_time(5.0)
    assert passage.homes() == ["a"]
    assert [row.flags & LEAVING for row in passage.shelf.rows.values()] == [0]


def test_the_new_home_remembers_the_move_until_the_store_of_the_old_one_has_forgotten_the_object(
    passage: Passage,
) -> None:
    a, b = passage.a, passage.b
    moving = a.spawn(lambda: vista.move(passage.emigrant, creator_id(b.kernel.table.node)))
    passage.world.drive(lambda: passage.id in b.kernel.table.records, 10.0)
    passage.shelf.full = True
    passage.world.pass_time(20.0)
    assert moving.done()
    assert len(peering(b).moves.handovers.taken) == 1
    passage.shelf.full = False
    passage.fall("a")
    passage.rise("a")
    passage.world.pass_time(60.0)
    assert passage.homes() == ["b"]
    assert peering(b).moves.handovers.taken == {}


def test_an_old_home_that_is_linked_before_its_store_is_open_asks_after_an_object_still() -> None:
    runs: list[SimulatedNode] = []

    def boot(node: SimulatedNode) -> None:
        runs.append(node)
        if len(runs) == 1:
            _keep_and_listen(node)
            return
        vista.create("AcceptPeerConnections", ADDRESS)
        # The new home asks meanwhile whether this one knows.
        vista.sleep(5.0)
        vista.create("PersistenceService")

    with World(SEED, conditions=PROMPT) as world:
        passage = Passage(world, boot=boot)
        a, b = passage.a, passage.b
        a.spawn(lambda: vista.move(passage.emigrant, creator_id(b.kernel.table.node)))
        world.drive(lambda: passage.id in b.kernel.table.records, 10.0)
        passage.fall("a")
        passage.rise("a")
        world.pass_time(60.0)
        assert len(runs) == 2
        assert passage.homes() == ["b"]
        assert peering(b).moves.handovers.taken == {}


# --- what waits in a store ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["move", "copy"])
def test_a_replica_does_not_come_where_the_original_waits_in_a_store(how: str) -> None:
    with World(SEED, conditions=PROMPT) as world:
        passage = Passage(world, flags=1)
        b = passage.b
        b.call(lambda: vista.copy(seen(b, passage.emigrant), vista.here()))
        restarted(passage)
        assert passage.homes() == ["b"]
        there = creator_id(passage.identity)
        with pytest.raises(BadValueError, match=r"is here already"):
            b.call(lambda: getattr(vista, how)(seen(b, passage.emigrant), there))
        assert passage.homes() == ["b"]
        assert passage.read(passage.a) == []
        assert sorted(passage.homes()) == ["a", "b"]


# --- objects of an earlier run -----------------------------------------------------------------


def restarted(passage: Passage) -> None:
    """Let node a fall and come back, and both meet again."""
    passage.fall("a")
    passage.rise("a")
    passage.world.pass_time(20.0)
    drive_until_linked(passage.world)


def test_an_object_that_moved_away_in_an_earlier_run_of_its_birth_node_is_found(
    passage: Passage,
) -> None:
    passage.a.call(lambda: vista.move(passage.emigrant, creator_id(passage.b.kernel.table.node)))
    passage.world.pass_time(5.0)
    restarted(passage)
    a = passage.a
    assert passage.id not in peering(a).moves.places
    for number in range(3):
        assert a.call(lambda n=number: seen(a, passage.emigrant).take(n)) == number
    a.call(lambda: seen(a, passage.emigrant).take.post(3))
    passage.world.pass_time(1.0)
    assert passage.read(a) == [0, 1, 2, 3]
    check_rest([a, passage.b])


def test_a_deleted_object_of_an_earlier_run_is_looked_for_once_in_a_while(
    passage: Passage,
) -> None:
    passage.a.call(lambda: vista.delete(passage.emigrant))
    passage.world.pass_time(5.0)
    restarted(passage)
    asked = []
    for _ in range(3):
        before = links(passage.a)[0].messages_sent
        with pytest.raises(ObjectDeleted):
            passage.read(passage.a)
        asked.append(links(passage.a)[0].messages_sent > before)
    assert asked == [True, False, False]
    passage.world.pass_time(passage.a.kernel.limits.loss_seconds + 1.0)
    before = links(passage.a)[0].messages_sent
    with pytest.raises(ObjectDeleted):
        passage.read(passage.b)
    assert links(passage.a)[0].messages_sent > before + 1
    check_rest([passage.a, passage.b])


def test_no_more_is_remembered_of_objects_that_nobody_has_than_the_limit_says(
    passage: Passage,
) -> None:
    searches = peering(passage.a).moves.searches
    passage.a.kernel.limits = vista.Limits(moves_remembered_max=10)
    for serial in range(1, 20):
        searches._note_missed(vista.Id.make(passage.identity, serial))
    assert len(searches._missed) == 10
