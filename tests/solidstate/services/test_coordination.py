"""Locks, elections, barriers and queues: one space, several programs, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import vista
from apps.solidstate.errors import ExpiredError
from apps.solidstate.services.coordination import (
    Barrier,
    CoordinationSession,
    Election,
    Lock,
    Queue,
)
from apps.solidstate.services.tuple_space import TupleSpace
from vista.testing import SimulatedNode, World


class ClockedSpace(TupleSpace):
    """A space that no group keeps: its time is that of its world."""

    @property
    def agreed_time(self) -> float:
        return asyncio.get_running_loop().time()


class ContestedSpace(ClockedSpace):
    """A space in which another one is faster with the first eight items."""

    def create(self) -> None:
        super().create()
        self.lost = 8

    def inp(self, template: Sequence[Any]) -> Any:
        if self.lost:
            self.lost -= 1
            return None
        return super().inp(template)


class ForgetfulSpace(ClockedSpace):
    """A space whose first answer to one of its methods is lost on its way."""

    def create(self, loses: str) -> None:  # type: ignore[override]
        super().create()
        self.loses = loses

    def out(self, fields: Sequence[Any], session: str = "") -> int:
        number = super().out(fields, session)
        self._lose("out")
        return number

    def inp(self, template: Sequence[Any]) -> Any:
        found = super().inp(template)
        self._lose("inp")
        return found

    def withdraw(self, number: int, session: str) -> bool:
        found = super().withdraw(number, session)
        self._lose("inp")
        return found

    def _lose(self, method: str) -> None:
        if self.loses == method:
            self.loses = ""
            raise vista.CallTimeout(f"{method} was not answered in time")


class CoordinationWorker(vista.Object):
    """A program that takes part; what it did is in the list of a `CoordinationDiary`."""

    def create(self, space: vista.Ref, diary: vista.Ref, name: str, lease: float = 10.0) -> None:
        self.diary, self.name = diary, name
        self.session = vista.create(CoordinationSession, space, lease)

    def hold(self, seconds: float, timeout: float | None = None) -> int:
        lock = Lock(self.session, "printer")
        token = lock.acquire(timeout)
        self.diary.note(f"{self.name} has it" if token else f"{self.name} gave up")
        if token:
            vista.sleep(seconds)
            self.diary.note(f"{self.name} lets go")
            lock.release()
        return token

    def lead(self, seconds: float) -> None:
        election = Election(self.session, "chief")
        election.stand(self.name)
        election.wait_until_leader()
        self.diary.note(f"{election.leader()} leads")
        vista.sleep(seconds)
        election.resign()

    def meet(self, parties: int, timeout: float | None = None) -> bool:
        opened = Barrier(self.session, "start", parties).wait(timeout)
        self.diary.note(f"{self.name} {'goes on' if opened else 'is late'}")
        return opened

    def consume(self, count: int) -> list[Any]:
        queue = Queue(self.session, "jobs")
        return [queue.get(timeout=60.0) for _ in range(count)]

    def produce(self, items: list[Any]) -> None:
        queue = Queue(self.session, "jobs")
        for item in items:
            queue.put(item)

    def get_session(self) -> vista.Ref:
        return self.session


class CoordinationDiary(vista.Object):
    """What happened, in its order."""

    def create(self) -> None:
        self.rows: list[str] = []

    def note(self, row: str) -> None:
        self.rows.append(row)

    def read(self) -> list[str]:
        return self.rows


class Stage:
    """A node with a space, a diary and workers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.node: SimulatedNode = world.node()
        self.space = self.node.call(vista.create, ClockedSpace)
        self.diary = self.node.call(vista.create, CoordinationDiary)

    def worker(self, name: str, lease: float = 10.0) -> vista.Ref:
        """A program with a session of its own."""
        made: vista.Ref = self.node.call(
            vista.create, CoordinationWorker, self.space, self.diary, name, lease
        )
        return made

    def said(self) -> list[str]:
        """What the diary has."""
        rows: list[str] = self.diary.read()
        return rows


@pytest.fixture
def stage() -> Iterator[Stage]:
    with World(11) as world:
        yield Stage(world)


def test_a_lock_goes_from_one_to_the_next_in_their_order(stage: Stage) -> None:
    calls = []
    for name in ("ann", "bob", "carl"):
        calls.append(stage.worker(name).hold.future(3.0))
        stage.world.pass_time(0.5)
    tokens = [call.result() for call in calls]
    assert stage.said() == [
        f"{name} {what}" for name in ("ann", "bob", "carl") for what in ("has it", "lets go")
    ]
    assert tokens == sorted(set(tokens))


def test_who_waits_long_enough_gives_up_and_is_in_nobodys_way(stage: Stage) -> None:
    first = stage.worker("ann").hold.future(30.0)
    stage.world.pass_time(0.5)
    late = stage.worker("bob").hold.future(1.0, 12.0)
    stage.world.pass_time(0.5)
    third = stage.worker("carl").hold.future(1.0)
    assert late.result() == 0
    assert (first.result() > 0, third.result() > 0) == (True, True)
    assert stage.said()[1] == "bob gave up"
    assert stage.space.count_watches() == 0


def test_who_waits_is_woken_and_does_not_have_to_look(stage: Stage) -> None:
    stage.worker("ann").hold.post(3.0)
    stage.world.pass_time(0.5)
    waiting = stage.worker("bob").hold.future(0.0)
    stage.world.pass_time(3.0)
    assert waiting.done()


def test_a_lock_comes_free_when_its_holder_ends(stage: Stage) -> None:
    ann = stage.worker("ann")
    held = ann.hold.future(1_000.0)
    stage.world.pass_time(1.0)
    waiting = stage.worker("bob").hold.future(1.0)
    stage.world.pass_time(20.0)
    assert stage.said() == ["ann has it"]
    stage.node.call(vista.delete, ann.get_session())
    assert waiting.result() > 0
    assert stage.said() == ["ann has it", "bob has it", "bob lets go"]
    assert not held.done()


def test_a_lock_comes_free_when_the_lease_of_its_holder_runs_out(stage: Stage) -> None:
    session = stage.space.open_session(8.0)
    stage.space.out(("lock", "printer", "gone"), session)
    waiting = stage.worker("bob").hold.future(1.0)
    stage.world.pass_time(7.0)
    assert not waiting.done()
    stage.world.pass_time(8.0)
    assert waiting.result() > 0


def test_a_session_is_kept_alive_by_itself(stage: Stage) -> None:
    stage.worker("ann", 3.0).hold.post(100.0)
    stage.world.pass_time(60.0)
    other = stage.worker("bob").hold.future(1.0, 5.0)
    assert other.result() == 0
    stage.world.pass_time(60.0)
    assert stage.said() == ["ann has it", "bob gave up", "ann lets go"]


def test_who_waits_in_a_session_that_ends_is_told(stage: Stage) -> None:
    stage.worker("ann").hold.future(1_000.0)
    stage.world.pass_time(1.0)
    bob = stage.worker("bob")
    waiting = bob.hold.future(1.0)
    stage.world.pass_time(1.0)
    stage.space.close_session(bob.get_session().get_session())
    with pytest.raises(ExpiredError, match=r"is over|is gone"):
        waiting.result()


def test_the_time_of_a_wait_is_that_of_all_who_come_before(stage: Stage) -> None:
    calls = []
    for name in ("ann", "bob", "carl", "dan"):
        calls.append(stage.worker(name).hold.future(6.0))
        stage.world.pass_time(0.1)
    late = stage.worker("eve").hold.future(1.0, 15.0)
    stage.world.pass_time(16.0)
    assert (late.done(), calls[2].done()) == (True, False)
    assert late.result() == 0


def test_a_lock_whose_release_failed_can_be_released_again(stage: Stage) -> None:
    lock = Lock(stage.worker("ann").get_session(), "printer")
    lock.acquire()
    space = lock._line._space
    lock._line._space = stage.node.call(vista.create, CoordinationDiary)
    with pytest.raises(vista.CallError, match=r"withdraw"):
        lock.release()
    lock._line._space = space
    assert lock.release() is True
    assert stage.space.count_all() == 0


def test_a_lock_of_a_session_that_was_deleted_is_no_longer_held(stage: Stage) -> None:
    session = stage.worker("ann").get_session()
    lock = Lock(session, "printer")
    lock.acquire()
    stage.node.call(vista.delete, session)
    assert lock.release() is False


def test_candidates_may_say_the_same(stage: Stage) -> None:
    one = Election(stage.worker("ann").get_session(), "chief")
    other = Election(stage.worker("bob").get_session(), "chief")
    one.stand("here")
    other.stand("here")
    assert one.resign() is True
    assert other.wait_until_leader(0.0) is True
    assert other.leader() == "here"


def test_the_leader_is_the_one_that_stands_longest(stage: Stage) -> None:
    calls = []
    for name in ("ann", "bob"):
        calls.append(stage.worker(name).lead.future(5.0))
        stage.world.pass_time(0.5)
    for call in calls:
        call.result()
    assert stage.said() == ["ann leads", "bob leads"]
    watcher = Election(stage.worker("carl").get_session(), "chief")
    assert watcher.leader() is None


def test_a_barrier_opens_when_all_are_there(stage: Stage) -> None:
    calls = [stage.worker(name).meet.future(3) for name in ("ann", "bob")]
    stage.world.pass_time(15.0)
    assert stage.said() == []
    calls.append(stage.worker("carl").meet.future(3))
    assert [call.result() for call in calls] == [True] * 3


def test_who_does_not_wait_for_the_others_does_not_count(stage: Stage) -> None:
    assert stage.worker("ann").meet.future(2, 4.0).result() is False
    assert stage.worker("bob").meet.future(2, 4.0).result() is False
    assert stage.said() == ["ann is late", "bob is late"]


@pytest.mark.parametrize("method", ["out", "inp"])
def test_who_comes_to_a_barrier_again_after_a_lost_answer_counts_once(
    stage: Stage, method: str
) -> None:
    stage.space = stage.node.call(vista.create, ForgetfulSpace, method)
    ann = stage.worker("ann")
    with pytest.raises(vista.CallTimeout, match=r"was not answered in time"):
        ann.meet(2, 1.0)
    assert ann.meet(2, 1.0) is False
    assert stage.space.count_all() == 0


def test_a_barrier_that_opened_is_passed_though_nobody_answers_any_longer(stage: Stage) -> None:
    stage.space = stage.node.call(vista.create, ForgetfulSpace, "inp")
    calls = [stage.worker(name).meet.future(2) for name in ("ann", "bob")]
    assert [call.result() for call in calls] == [True, True]


def test_each_item_of_a_queue_is_taken_once_in_its_order(stage: Stage) -> None:
    takers = [stage.worker(name).consume.future(5) for name in ("ann", "bob")]
    stage.world.pass_time(1.0)
    stage.worker("carl").produce(list(range(10)))
    found = [taker.result() for taker in takers]
    assert sorted(found[0] + found[1]) == list(range(10))
    assert all(items == sorted(items) for items in found)


def test_who_is_woken_for_items_that_others_took_waits_on(stage: Stage) -> None:
    stage.space = stage.node.call(vista.create, ContestedSpace)
    stage.worker("carl").produce(["paint"])
    assert stage.worker("ann").consume(1) == ["paint"]


def test_an_empty_queue_gives_nothing_after_the_time(stage: Stage) -> None:
    queue = Queue(stage.worker("ann").get_session(), "jobs")
    assert queue.get(timeout=0) is None
    assert queue.get(timeout=7.0) is None
    assert stage.space.count_watches() == 0


_MISUSE = r"1 or more parties|a name is a text|not held here|stand first"


@pytest.mark.parametrize(
    "misuse",
    [
        lambda session: Barrier(session, "start", 0),
        lambda session: Barrier(session, "start", "three"),  # type: ignore[arg-type]
        lambda session: Barrier(session, None, 3),  # type: ignore[arg-type]
        lambda session: Lock(session, None),  # type: ignore[arg-type]
        lambda session: Queue(session, None),  # type: ignore[arg-type]
        lambda session: Lock(session, "printer").release(),
        lambda session: Election(session, "chief").wait_until_leader(),
    ],
    ids=["no party", "parties", "barrier", "lock", "queue", "release", "candidate"],
)
def test_misuse_is_an_error(stage: Stage, misuse: Any) -> None:
    session = stage.worker("ann").get_session()
    with pytest.raises(vista.BadValueError, match=_MISUSE):
        misuse(session)
    assert stage.space.count_all() == 0


def test_a_lock_that_is_waited_for_cannot_be_acquired_again(stage: Stage) -> None:
    lock = Lock(stage.worker("ann").get_session(), "printer")
    lock.acquire()
    with pytest.raises(vista.BadValueError, match=r"^printer is waited for, or held, here already"):
        lock.acquire()
    assert lock.release() is True
    with lock as token:
        assert token > 0
    assert stage.space.count_all() == 0
