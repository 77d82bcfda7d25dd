"""Moves of stored objects where a node has several stores, or opens them after its links."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vista
from tests.peers.system import (
    PROMPT,
    bell,
    drive_until_linked,
    ended,
    peering,
    running,
    seen,
    start,
)
from tests.persistence.simulated import Shelf, SimulatedIdentity, make_store
from vista.errors import ObjectBusy, StoreError
from vista.kernel.kernel import creator_id
from vista.limits import Limits
from vista.peering.early import EarlyCopies
from vista.standard.persistence import PersistentObject
from vista.testing import SimulatedNode, World

SEED = 4
ADDRESS = "ipc:/stores/a"
STORES = ("/ObjectPager", "/Attic")
LATE_SECONDS = 10.0


class StoredWanderer(PersistentObject):
    """Somebody who is stored wherever it lives, in one of its node's stores."""

    def create(self, store: str) -> None:
        self.store = store
        self.numbers: list[int] = []
        self.keep()

    def keep(self, flags: int = 0) -> None:
        self.initialize(self.store, flags, durable=True)

    def list_numbers(self) -> list[int]:
        return self.numbers

    def rest(self) -> None:
        vista.sleep(1_000.0)

    def take(self, number: int) -> int:
        self.numbers.append(number)
        return number


class Voyage:
    """Nodes a and b with two stores each, which later runs of one of them open after its links."""

    def __init__(self, world: World, late: str) -> None:
        self.world = world
        self.late = late
        self.shelves = {(name, store): Shelf() for name in "ab" for store in STORES}
        self.runs: list[str] = []
        a = world.node("a", settings=self._settings("a"), boot=self._boot)
        b = world.node("b", settings=self._settings("b"), boot=self._boot)
        self.identities = {node.name: node.kernel.table.node for node in (a, b)}
        drive_until_linked(world)

    def _settings(self, name: str) -> dict[str, Any]:
        return {
            "make_store": lambda words, service: make_store(self.shelves[name, service]),
            "identity": SimulatedIdentity(name),
            "secret_key": b"k" * 32,
        }

    def _boot(self, node: SimulatedNode) -> None:
        self.runs.append(node.name)
        is_late = node.name == self.late and self.runs.count(node.name) > 1
        if not is_late:
            self._open(STORES)
        if node.name == "a":
            vista.create("AcceptPeerConnections", ADDRESS)
        else:
            vista.create("ConnectToPeer", ADDRESS)
        if is_late:
            # One of them is open while the other is not.
            for store in STORES:
                vista.sleep(LATE_SECONDS)
                self._open([store])

    def _open(self, stores: Any) -> None:
        for store in stores:
            vista.create("PersistenceService", store)

    def node(self, name: str) -> SimulatedNode:
        return running(self.world, name)

    def make(self, store: str) -> vista.Ref:
        """Make an object at node a that is kept in one of the stores."""
        made: vista.Ref = self.node("a").call(lambda: vista.create(StoredWanderer, store))
        return made

    def set_out(self, ref: vista.Ref) -> Any:
        """Let an object move to b, until it is stored there and a has not heard of it.

        Returns the partition that keeps a from hearing.
        """
        a = self.node("a")
        a.spawn(lambda: vista.move(ref, creator_id(self.identities["b"])))
        pending = peering(a).calls.pending
        self.world.drive(lambda: "commit_object" in {one.name for one in pending.values()}, 10.0)
        partition = self.world.network.partition("b", "a", one_way=True)
        b = self.node("b")
        self.world.drive(lambda: ref._id in b.kernel.table.records, 10.0)
        # What may still come from its old home comes first.
        self.world.drive(lambda: not peering(b).moves.fences, 60.0)
        b.call(lambda: seen(b, ref).keep())
        return partition

    def fall(self, name: str) -> None:
        """Let the machine of a node fall and come back."""
        self.world.crash(name)
        for (owner, _), shelf in self.shelves.items():
            if owner == name:
                shelf.user = None
                shelf.fall(0)
        self.world.restart(name)

    def homes(self, ref: vista.Ref) -> list[str]:
        """The nodes that have an object."""
        nodes = [node for node in self.world.nodes if not node.stopped]
        return [node.name for node in nodes if ref._id in node.kernel.table.records]

    def rows(self, ref: vista.Ref) -> list[tuple[str, str]]:
        """Where an object is stored."""
        return [key for key, shelf in self.shelves.items() if ref._id in shelf.rows]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "vista.kernel")


@pytest.fixture
def voyage_with() -> Iterator[Callable[[str], Voyage]]:
    with World(SEED, conditions=PROMPT) as world:
        yield lambda late: Voyage(world, late)


@pytest.mark.parametrize("seconds", [2.0, LATE_SECONDS + 2.0])
def test_a_new_home_that_opens_its_stores_late_does_not_deny_what_is_in_them(
    voyage_with: Callable[[str], Voyage], seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.peering")
    voyage = voyage_with("b")
    wanderer = voyage.make(STORES[1])
    partition = voyage.set_out(wanderer)
    voyage.fall("b")
    voyage.world.pass_time(seconds)
    partition.heal()
    voyage.world.pass_time(3 * LATE_SECONDS + 60.0)
    assert voyage.homes(wanderer) == ["b"]
    assert voyage.rows(wanderer) == [("b", STORES[1])]
    assert voyage.node("a").call(lambda: seen(voyage.node("a"), wanderer).take(1)) == 1


def test_an_old_home_of_which_one_store_is_open_says_that_the_other_may_ask(
    voyage_with: Callable[[str], Voyage],
) -> None:
    voyage = voyage_with("a")
    wanderer = voyage.make(STORES[1])
    partition = voyage.set_out(wanderer)
    voyage.fall("a")
    partition.heal()
    drive_until_linked(voyage.world)
    # The first store is open by then.
    voyage.world.pass_time(LATE_SECONDS)
    a, b = voyage.node("a"), voyage.node("b")
    with pytest.raises(ObjectBusy, match=r"which does not know that yet"):
        b.call(lambda: vista.move(seen(b, wanderer), creator_id(a.kernel.table.node), 1.0))
    assert len(peering(b).moves.handovers.taken) == 1
    voyage.fall("b")
    voyage.world.pass_time(3 * LATE_SECONDS + 60.0)
    assert voyage.homes(wanderer) == ["b"]
    assert voyage.rows(wanderer) == [("b", STORES[1])]


def test_an_old_home_that_is_stopped_in_doubt_asks_in_its_next_run() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        wanderer = voyage.make(STORES[1])
        a, b = voyage.node("a"), voyage.node("b")
        a.spawn(lambda: vista.move(wanderer, creator_id(voyage.identities["b"])))
        pending = peering(a).calls.pending
        world.drive(lambda: "commit_object" in {one.name for one in pending.values()}, 10.0)
        partition = world.network.partition("b", "a", one_way=True)
        world.drive(lambda: wanderer._id in b.kernel.table.records, 10.0)
        b.spawn(lambda: seen(b, wanderer).keep())
        left = a.kernel.table.records[wanderer._id].instance
        a.call(lambda: vista.post(wanderer, "take", 1))
        # By the way that is open it could tell b to forget.
        a.stop()
        assert left.numbers == []
        for store in STORES:
            voyage.shelves["a", store].user = None
        partition.heal()
        world.restart("a")
        world.pass_time(60.0)
        assert voyage.homes(wanderer) == ["b"]
        assert voyage.rows(wanderer) == [("b", STORES[1])]


def test_a_store_that_is_not_opened_any_more_is_named_to_who_asks() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        b = voyage.node("b")
        b.kernel.pagers._identity.stores.add("/Cellar")
        there = seen(voyage.node("a"), b.call(vista.here))
        absent = vista.Id.make(voyage.identities["a"], 99)
        with pytest.raises(vista.PeerLost, match=r"has not opened /Cellar yet.*file stores"):
            voyage.node("a").call(lambda: there.took_object(absent, b"t" * 17, b"earlier."))


def test_an_object_of_an_earlier_run_does_not_come_before_the_store_that_may_have_it() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "a")
        wanderer = voyage.make(STORES[1])
        # A replica, and as it is not this node's own it may be sent there once more.
        voyage.node("a").call(lambda: vista.copy(wanderer, creator_id(voyage.identities["b"])))
        voyage.fall("a")
        drive_until_linked(voyage.world)
        world.pass_time(1.0)
        a, b = voyage.node("a"), voyage.node("b")
        with pytest.raises(ObjectBusy, match=r"has not opened /Attic, /ObjectPager yet"):
            b.call(lambda: vista.move(seen(b, wanderer), creator_id(a.kernel.table.node)))
        world.pass_time(3 * LATE_SECONDS)
        assert a.call(lambda: seen(a, wanderer).take(1)) == 1
        assert voyage.rows(wanderer) == [("a", STORES[1])]


def settled_at_a(voyage: Voyage, flags: int) -> vista.Ref:
    """An object born at b that lives at a, which stores it, and of which b has a replica."""
    a, b = voyage.node("a"), voyage.node("b")
    made: vista.Ref = b.call(lambda: vista.create(StoredWanderer, STORES[1]))
    b.call(lambda: vista.move(made, creator_id(voyage.identities["a"])))
    voyage.world.pass_time(5.0)
    settled = seen(a, made)
    a.call(lambda: settled.keep(flags))
    a.call(lambda: vista.copy(settled, creator_id(voyage.identities["b"])))
    assert voyage.homes(made) == ["a", "b"]
    assert a.call(lambda: settled.take(1)) == 1
    return made


def settled_and_back(world: World, late: str, flags: int = 0) -> tuple[Voyage, vista.Ref]:
    """A voyage whose node a crashed and is back, with what `settled_at_a` makes before that."""
    voyage = Voyage(world, late)
    settled = settled_at_a(voyage, flags)
    voyage.fall("a")
    drive_until_linked(world)
    return voyage, settled


@pytest.mark.parametrize("flags", [0, 1])
def test_a_copy_that_came_before_its_store_was_open_gives_way_to_the_object_that_is_in_it(
    flags: int, caplog: pytest.LogCaptureFixture
) -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage, settled = settled_and_back(world, "a", flags)
        a, b = voyage.node("a"), voyage.node("b")
        b.call(lambda: vista.copy(seen(b, settled), creator_id(voyage.identities["a"])))
        # It is of before 1 was taken.
        a.call(lambda: seen(a, settled).take(7))
        assert a.call(lambda: seen(a, settled).list_numbers()) == [7]
        resting = start(a, lambda: seen(a, settled).rest())
        world.pass_time(1.0)
        caplog.set_level(logging.WARNING, "vista.peering")
        world.pass_time(3 * LATE_SECONDS)
        assert isinstance(ended(world, [resting])[0], vista.ObjectDeleted)
        assert a.call(lambda: seen(a, settled).list_numbers()) == [1]
        assert "gives way to the object" in caplog.text
        assert a.call(lambda: vista.send(STORES[1], "get_failures")) == {}
        # And it goes on being stored.
        a.call(lambda: seen(a, settled).take(2))
        voyage.fall("a")
        world.pass_time(3 * LATE_SECONDS)
        a = voyage.node("a")
        assert a.call(lambda: seen(a, settled).list_numbers()) == [1, 2]


def test_a_replica_that_was_moved_here_before_its_store_was_open_stays_and_the_row_too() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage, settled = settled_and_back(world, "a")
        a, b = voyage.node("a"), voyage.node("b")
        b.call(lambda: vista.move(seen(b, settled), creator_id(voyage.identities["a"])))
        world.pass_time(3 * LATE_SECONDS)
        assert a.call(lambda: seen(a, settled).list_numbers()) == []
        failures = a.call(lambda: vista.send(STORES[1], "get_failures"))
        assert "is here already" in failures[settled._id]
        assert voyage.rows(settled) == [("a", STORES[1])]
        a.call(vista.delete, seen(a, settled))
        assert a.call(lambda: seen(a, settled).list_numbers()) == [1]


def test_what_came_here_in_an_earlier_run_is_no_copy_and_its_replica_is_one() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage, settled = settled_and_back(world, "")
        moves = [peering(voyage.node(name)).moves for name in "ab"]
        assert [one.has_copy(settled._id) for one in moves] == [False, True]


def test_no_more_early_copies_are_remembered_than_the_limit_says() -> None:
    with World(SEED) as world:
        identity = SimulatedIdentity("a")
        identity.stores.add("/Cellar")
        limits = Limits(moves_remembered_max=1)
        node = world.node("a", settings={"identity": identity}, limits=limits)
        kernel = node.kernel
        first, second = (kernel.record_of(bell(node)) for _ in range(2))
        early = EarlyCopies(kernel, {})
        for record in (first, second):
            early.note(record)
        early.withdraw({first.key, second.key}, "/Cellar")
        assert first.key in kernel.table.records
        assert second.key not in kernel.table.records


def test_an_object_of_this_run_comes_home_while_a_store_is_not_open() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        a, b = voyage.node("a"), voyage.node("b")
        a.kernel.pagers._identity.stores.add("/Cellar")
        wanderer = voyage.make(STORES[0])
        a.call(lambda: vista.move(wanderer, creator_id(voyage.identities["b"])))
        b.call(lambda: vista.move(seen(b, wanderer), creator_id(voyage.identities["a"])))
        assert voyage.homes(wanderer) == ["a"]


def begin_to_leave(voyage: Voyage, wanderer: vista.Ref, message: str) -> Any:
    """Begin to move an object from a to b, until a has sent a message; nothing comes back."""
    a = voyage.node("a")
    moving = a.spawn(lambda: vista.move(wanderer, creator_id(voyage.identities["b"])))
    pending = peering(a).calls.pending
    voyage.world.drive(lambda: message in {one.name for one in pending.values()}, 10.0)
    return moving, voyage.world.network.partition("b", "a", one_way=True)


def close_store(voyage: Voyage) -> None:
    voyage.node("a").call(vista.delete, STORES[0])


def test_a_store_that_is_closed_in_the_midst_of_a_move_asks_what_became_of_it() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        wanderer = voyage.make(STORES[0])
        moving, partition = begin_to_leave(voyage, wanderer, "commit_object")
        close_store(voyage)
        partition.heal()
        world.drive(moving.done, 60.0)
        world.pass_time(30.0)
        # As long as the store may ask, the new home remembers.
        assert len(peering(voyage.node("b")).moves.handovers.taken) == 1
        voyage.node("a").call(vista.create, "PersistenceService", STORES[0])
        world.pass_time(30.0)
        assert voyage.homes(wanderer) == ["b"]
        assert wanderer._id not in voyage.shelves["a", STORES[0]].rows
        assert peering(voyage.node("b")).moves.handovers.taken == {}


@pytest.mark.parametrize("seconds", [0.1, 0.35, 0.6])
def test_a_store_that_is_opened_again_lets_the_run_that_hands_over_ask_first(
    seconds: float,
) -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        wanderer = voyage.make(STORES[0])
        _, partition = begin_to_leave(voyage, wanderer, "commit_object")
        a = voyage.node("a")
        world.drive(lambda: wanderer._id in peering(a).departures.doubts, 60.0)
        close_store(voyage)
        world.pass_time(0.35)
        a.call(vista.create, "PersistenceService", STORES[0])
        # Both ask once in a second, and one of the two is the first when b can be asked.
        world.pass_time(seconds)
        partition.heal()
        world.pass_time(60.0)
        assert voyage.homes(wanderer) == ["b"]
        assert voyage.rows(wanderer) == []


@pytest.mark.parametrize("reopened", [False, True])
def test_an_object_does_not_leave_when_its_store_is_closed_before_it_is_marked_there(
    reopened: bool,
) -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        wanderer = voyage.make(STORES[0])
        moving, partition = begin_to_leave(voyage, wanderer, "prepare_object")
        close_store(voyage)
        a = voyage.node("a")
        if reopened:
            a.call(vista.create, "PersistenceService", STORES[0])
        partition.heal()
        world.drive(moving.done, 60.0)
        assert isinstance(moving.exception(), StoreError)
        assert "open the service of that store again" in str(moving.exception())
        assert voyage.homes(wanderer) == ["a"]
        assert a.call(lambda: wanderer.take(1)) == 1


def test_an_object_whose_store_is_opened_again_is_kept_there_and_moves() -> None:
    with World(SEED, conditions=PROMPT) as world:
        voyage = Voyage(world, "")
        wanderer = voyage.make(STORES[0])
        close_store(voyage)
        a, b = voyage.node("a"), voyage.node("b")
        a.call(lambda: wanderer.take(1))
        a.call(vista.create, "PersistenceService", STORES[0])
        assert a.call(lambda: vista.send(STORES[0], "get_failures")) == {}
        a.call(lambda: wanderer.take(2))
        voyage.fall("a")
        drive_until_linked(voyage.world)
        a = voyage.node("a")
        assert a.call(lambda: seen(a, wanderer).take(3)) == 3
        (row,) = voyage.shelves["a", STORES[0]].rows.values()
        assert row.data == a.call(lambda: seen(a, wanderer).encode_object())
        a.call(lambda: vista.move(seen(a, wanderer), creator_id(voyage.identities["b"])))
        assert voyage.homes(wanderer) == ["b"]
        assert b.call(lambda: seen(b, wanderer).take(4)) == 4
