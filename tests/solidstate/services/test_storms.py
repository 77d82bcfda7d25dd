"""The services through storms, one of whose four servers lies in every other run.

Programs on the front end, which is spared, move money between accounts, look at all of them, take
turns with a lock, and hand items on by a queue.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest

import vista
from apps.solidstate.services.coordination import Barrier, CoordinationSession, Lock, Queue
from apps.solidstate.services.transactions import Transaction, TransactionalStore, transact
from apps.solidstate.services.tuple_space import TupleSpace
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool
from tests.solidstate.objects.test_storms import faults_of
from vista.testing import World, run_seed

pytestmark = pytest.mark.usefixtures("quiet")

SEEDS = 2
STORM_SECONDS = 6.0
CALM_SECONDS = 600.0
PATIENCE = 500.0
"""Seconds that all of a program may take: a server that lies has each call take one."""
ACCOUNTS = "abcd"
START = 100
PROGRAMS = 3
ROUNDS = 4


def through_a_storm(pool: Pool, dice: Random, liar: bool, programs: list[Any]) -> list[Any]:
    """Let programs of the front end work through a storm into a calm; return what they return."""
    pool.world.storm(STORM_SECONDS, faults_of(dice, liar, 4))
    started = [pool.front.spawn(program) for program in programs]
    pool.world.pass_time(STORM_SECONDS)
    pool.world.calm()
    pool.world.drive(lambda: all(one.done() for one in started), CALM_SECONDS)
    return [one.result() for one in started]


def pool_of(world: World, dice: Random) -> tuple[Pool, bool]:
    """Four servers, one of which lies if the seed is odd."""
    liar = world.seed % 2 == 1
    members = {f"server-{dice.randrange(4)}": LyingPoolMember} if liar else {}
    return Pool(world, 4, members), liar  # type: ignore[arg-type]


# --- transactions --------------------------------------------------------------------------


def pay(seed: int) -> int:
    """Move money at random, and count it in the same transactions; return how often it was done."""
    dice = Random(seed)

    def work(accounts: Transaction) -> None:
        giver, taker = dice.sample(ACCOUNTS, 2)
        amount = dice.randint(1, 9)
        accounts[giver] = accounts[giver] - amount
        vista.sleep(dice.choice((0.0, 0.5)))
        accounts[taker] = accounts[taker] + amount
        accounts["paid"] = accounts.get("paid", 0) + 1

    for _ in range(ROUNDS):
        with vista.timeout(PATIENCE):
            transact(vista.service("accounts"), work, attempts=100)
    return ROUNDS


def audit() -> list[int]:
    """Look at one account after the other in a transaction; return what was in all of them."""
    found = []
    for _ in range(ROUNDS):
        with vista.timeout(PATIENCE), Transaction(vista.service("accounts")) as accounts:
            total = 0
            for name in ACCOUNTS:
                total += accounts[name]
                vista.sleep(0.3)
            found.append(total)
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_snapshots_are_whole_and_no_payment_is_lost_or_done_twice(seed: int) -> None:
    def scenario(world: World) -> None:
        dice = Random(world.seed)
        pool, liar = pool_of(world, dice)
        pool.found(POOL, 1, "TransactionalStore", "accounts", cls=TransactionalStore)

        def begin() -> None:
            with Transaction(vista.service("accounts")) as accounts:
                for name in ACCOUNTS:
                    accounts[name] = START

        pool.front.call(begin)
        payers = [lambda number=number: pay(number) for number in range(PROGRAMS)]
        *paid, audited = through_a_storm(pool, dice, liar, [*payers, audit])
        assert audited == [START * len(ACCOUNTS)] * ROUNDS

        def end() -> tuple[int, int]:
            with Transaction(vista.service("accounts")) as accounts:
                return sum(accounts[name] for name in ACCOUNTS), accounts["paid"]

        assert pool.front.call(end) == (START * len(ACCOUNTS), sum(paid))

    run_seed(scenario, seed, "pytest tests/solidstate/services/test_storms.py -k snapshots")


# --- coordination --------------------------------------------------------------------------


class TurnTaker(vista.Object):
    """A program that waits for the others, then takes turns with them, and works from a queue."""

    def create(self) -> None:
        # So long a lease that nobody loses in a storm what he holds.
        self.session = vista.create(CoordinationSession, "space", 120.0)
        self.inside: list[tuple[float, float, int]] = []
        self.taken: list[Any] = []

    def work(self, name: int) -> tuple[list[tuple[float, float, int]], list[Any]]:
        """Do all of it; return when it had the lock, with which tokens, and what it took."""
        lock, queue = Lock(self.session, "printer"), Queue(self.session, "jobs")
        assert Barrier(self.session, "start", PROGRAMS).wait(PATIENCE)
        for round in range(ROUNDS):
            queue.put(f"{name}.{round}")
            token = lock.acquire(PATIENCE)
            since = self.session.read_clock()
            vista.sleep(0.2)
            self.inside.append((since, self.session.read_clock(), token))
            lock.release()
            self.taken.append(queue.get(PATIENCE))
        return self.inside, self.taken


def take_turns(taker: vista.Ref, number: int) -> Any:
    """Have a program do all of it, however long it takes."""
    with vista.timeout(PATIENCE):
        return taker.work(number)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_holds_a_lock_at_a_time_and_each_item_reaches_one_taker(seed: int) -> None:
    def scenario(world: World) -> None:
        dice = Random(world.seed)
        pool, liar = pool_of(world, dice)
        pool.found(POOL, 1, "TupleSpace", "space", cls=TupleSpace)
        takers = [pool.front.call(vista.create, TurnTaker) for _ in range(PROGRAMS)]
        programs = [
            lambda number=number, taker=taker: take_turns(taker, number)
            for number, taker in enumerate(takers)
        ]
        found = through_a_storm(pool, dice, liar, programs)
        turns = sorted(turn for inside, _ in found for turn in inside)
        assert len(turns) == PROGRAMS * ROUNDS
        for (_, end, token), (begin, _, next_token) in pairwise(turns):
            assert end <= begin and token < next_token
        taken = sorted(item for _, items in found for item in items)
        assert taken == [f"{who}.{round}" for who in range(PROGRAMS) for round in range(ROUNDS)]

    run_seed(scenario, seed, "pytest tests/solidstate/services/test_storms.py -k lock")
