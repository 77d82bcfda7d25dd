"""Groups in storms whose reads are not ordered: from a seed, as `test_storms`.

Values come again, so that a state that was passed can be told from one that is there by nothing but
its version; and one method says that it reads and changes something. ``--seeds 2000`` runs 100.
"""

from __future__ import annotations

import logging
from random import Random

import pytest

import vista
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.simulator.linearizability import Operation, linearization
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool
from tests.solidstate.objects.strategists import draw_liar
from tests.solidstate.objects.test_storms import Caller, assert_same, faults_of
from vista.testing import SimulatedNode, World, run_seed

STORM_SECONDS = 6.0
CALM_SECONDS = 150.0
SETTLE_SECONDS = 10.0
OPERATIONS = 12


class ReadStormStore(ReplicatedObject):
    """Values under keys, and a method that is declared to read and notes who asked."""

    def create(self) -> None:
        self.content: dict[str, str] = {}
        self.seen: list[str] = []

    def put(self, key: str, value: str) -> str | None:
        old = self.content.get(key)
        self.content[key] = value
        return old

    def remove(self, key: str) -> str | None:
        return self.content.pop(key, None)

    @read_only
    def get(self, key: str) -> str | None:
        return self.content.get(key)

    @read_only
    def get_noting(self, key: str) -> str | None:
        self.seen.append(key)
        return self.content.get(key)


class ReadingCaller(Caller):
    """Somebody who mostly reads, and writes what was there before."""

    def __init__(self, world: World, name: str, seed: int) -> None:
        super().__init__(world, name, seed)
        self.left = OPERATIONS

    def work(self, node: SimulatedNode) -> None:
        store = vista.service(POOL)
        while self.left:
            self.left -= 1
            kind, *args = call = self._draw()
            place = len(self.history)
            begin = self.world.hub.now
            asked = self._dice.choice((kind, kind, "get_noting")) if kind == "get" else kind
            self.history.append(Operation(self.name, call, None, begin, float("inf")))
            try:
                with vista.timeout(CALM_SECONDS):
                    answer = store.issue_request(asked, args, "store")
            except vista.CallError:
                continue
            self.history[place] = Operation(self.name, call, answer, begin, self.world.hub.now)
            vista.sleep(self._dice.choice((0.0, 0.0, 0.1, 1.0)))

    def _draw(self) -> tuple[str, ...]:
        kind = self._dice.choice(("get", "get", "get", "put", "put", "remove"))
        key = self._dice.choice("aab")
        return (kind, key, self._dice.choice("xy")) if kind == "put" else (kind, key)


def storm(world: World) -> None:
    """One run; raises when something was answered that cannot be, or not answered."""
    dice = Random(world.seed)
    mode, servers = dice.choice((("byzantine", 4), ("byzantine", 4), ("crash", 3)))
    liar = dice.randrange(servers) if mode == "byzantine" and dice.random() < 0.6 else None
    members: dict[str, type[ReplicaPoolMember]] = {}
    if liar is not None:
        members[f"server-{liar}"] = dice.choice((draw_liar(dice), LyingPoolMember))
    pool = Pool(world, servers, members)
    pool.found(POOL, 1, ReadStormStore.__name__, "store", mode=mode, reads="unordered")
    callers = [ReadingCaller(world, f"c{number}", dice.randrange(2**32)) for number in range(3)]
    homes = ["front", "server-0", "server-1"]
    world.storm(STORM_SECONDS, faults_of(dice, liar is not None, servers))
    started = [
        pool.node(home).spawn(caller.work, pool.node(home))
        for caller, home in zip(callers, homes, strict=True)
    ]
    world.pass_time(STORM_SECONDS)
    world.calm()
    world.drive(started[0].done, CALM_SECONDS * OPERATIONS)
    world.pass_time(SETTLE_SECONDS)
    history = [one for caller in callers for one in caller.history]
    begin = world.hub.now
    last = pool.front.call(lambda: vista.service(POOL).issue_request("get", ["a"], "store"))
    history.append(Operation("last", ("get", "a"), last, begin, world.hub.now))
    assert all(one.end < float("inf") for one in callers[0].history)
    assert linearization(history) is not None, history
    assert_same(pool, liar, servers)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nothing be logged: a storm makes thousands of lines."""
    caplog.set_level(logging.CRITICAL, "vista")


PARTS = 5
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 10
REPLAY = "pytest tests/solidstate/objects/test_reads_storms.py --seeds-from {seed} --seeds 1"


@pytest.mark.parametrize("part", range(PARTS))
def test_histories_with_unordered_reads_are_linearizable(seeds: range, part: int) -> None:
    count = max(1, len(seeds) * SEEDS // 200)
    for seed in seeds[:count][part::PARTS]:
        run_seed(storm, seed, REPLAY)
