"""The services where they belong: kept by four servers, one of which falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import ConflictError
from apps.solidstate.services.coordination import CoordinationSession, Election, Lock, Queue
from apps.solidstate.services.store import ReplicatedStore, StoreMapping
from apps.solidstate.services.transactions import Transaction, TransactionalStore, transact
from apps.solidstate.services.tuple_space import TupleSpace
from tests.solidstate.objects.pool import POOL, Pool, make_world
from vista.testing import World


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(4) as made:
        yield made


@pytest.fixture
def pool(world: World) -> Pool:
    return Pool(world)


def at_once(pool: Pool, work: Callable[[], Any]) -> list[Any]:
    """Do something on two machines at the same moment; return what comes of it."""
    started = [node.spawn(work) for node in (pool.front, pool.node("server-1"))]
    return [one.result() for one in started]


def test_of_two_programs_that_look_and_change_one_is_first(pool: Pool) -> None:
    pool.found(POOL, 1, "ReplicatedStore", "prices", cls=ReplicatedStore)
    pool.world.pass_time(5.0)

    def lead() -> str:
        name = vista.here().get_name()
        return str(StoreMapping(vista.service("prices")).setdefault("leader", name))

    first, second = at_once(pool, lead)
    assert first == second
    taken = at_once(pool, lambda: StoreMapping(vista.service("prices")).pop("leader", "none"))
    assert sorted(taken) == sorted([first, "none"])


class LockUser(vista.Object):
    """A program on one machine that takes a lock of the space there."""

    def create(self) -> None:
        self.session = vista.create(CoordinationSession, "space", 5.0)
        self.lock = Lock(self.session, "printer")

    def acquire(self, timeout: float) -> int:
        return self.lock.acquire(timeout)

    def release(self) -> bool:
        return self.lock.release()


def test_a_mapping_outlives_a_server(pool: Pool) -> None:
    pool.found(POOL, 1, "ReplicatedStore", "prices", cls=ReplicatedStore)

    def put(key: str, value: int) -> None:
        StoreMapping(vista.service("prices"))[key] = value

    pool.front.call(put, "tea", 4)
    pool.world.crash("server-1")
    pool.front.call(put, "milk", 2)
    found = pool.front.call(lambda: dict(StoreMapping(vista.service("prices"))))
    assert found == {"milk": 2, "tea": 4}


def test_a_lock_passes_to_another_machine_when_that_of_its_holder_falls(pool: Pool) -> None:
    pool.found(POOL, 1, "TupleSpace", "space", cls=TupleSpace)
    pool.world.pass_time(5.0)
    holder = pool.node("server-1").call(vista.create, LockUser)
    first = pool.node("server-1").call(holder.acquire, 5.0)
    waiter = pool.front.call(vista.create, LockUser)
    waiting = waiter.acquire.future(25.0)
    pool.world.pass_time(4.0)
    assert not waiting.done()
    pool.world.crash("server-1")
    assert waiting.result() > first > 0


class Candidate(vista.Object):
    """A program on one machine that wants to be the chief."""

    def create(self) -> None:
        self.session = vista.create(CoordinationSession, "space", 5.0)
        self.election = Election(self.session, "chief")
        self.election.stand(vista.here().get_name())

    def lead(self, timeout: float) -> bool:
        return self.election.wait_until_leader(timeout)

    def leader(self) -> str | None:
        return self.election.leader()


def test_another_candidate_leads_when_the_machine_of_the_leader_falls(pool: Pool) -> None:
    pool.found(POOL, 1, "TupleSpace", "space", cls=TupleSpace)
    pool.world.pass_time(5.0)
    first = pool.node("server-1").call(vista.create, Candidate)
    assert pool.node("server-1").call(first.lead, 5.0)
    second = pool.front.call(vista.create, Candidate)
    assert pool.front.call(second.leader) == "server-1"
    waiting = second.lead.future(25.0)
    pool.world.pass_time(4.0)
    assert not waiting.done()
    pool.world.crash("server-1")
    assert waiting.result()
    assert pool.front.call(second.leader) == "front"


def test_items_of_a_queue_reach_a_taker_on_another_machine(pool: Pool) -> None:
    pool.found(POOL, 1, "TupleSpace", "space", cls=TupleSpace)
    pool.world.pass_time(5.0)
    taker = pool.node("server-2")
    session = taker.call(vista.create, CoordinationSession, "space")
    queue = taker.call(lambda: Queue(session, "jobs"))

    def put() -> None:
        Queue(vista.create(CoordinationSession, "space"), "jobs").put("paint")

    pool.front.call(put)
    assert taker.call(queue.get, 10.0) == "paint"


def test_transactions_conflict_as_one_copy_would(pool: Pool) -> None:
    pool.found(POOL, 1, "TransactionalStore", "accounts", cls=TransactionalStore)

    def pay(amount: int) -> int:
        def work(accounts: Transaction) -> int:
            accounts["ann"] = accounts.get("ann", 100) - amount
            left: int = accounts["ann"]
            return left

        return transact(vista.service("accounts"), work)

    def race() -> None:
        with Transaction(vista.service("accounts")) as accounts:
            accounts["ann"] = accounts["ann"] - 1
            pay(10)

    assert pool.front.call(pay, 5) == 95
    with pytest.raises(ConflictError, match=r"meanwhile: ann;"):
        pool.front.call(race)
    assert pool.front.call(pay, 0) == 85
