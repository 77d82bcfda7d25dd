"""Groups in storms: whole nodes with links, replicas, proxies and disks, from a seed.

A storm of faults on the network and on the nodes, in half of the runs with a server that lies; then
a calm. Whatever callers were answered can have happened one after the other, everything is answered
in the calm, and the correct servers hold the same in the end. ``--seeds 2000`` runs 300 of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

import vista
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.simulator.linearizability import Operation, linearization
from apps.solidstate.simulator.plan import STRATEGIES
from tests.conftest import share_of
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool
from tests.solidstate.objects.strategists import draw_liar, member_of
from tests.solidstate.registers import CheckedRegister
from vista.testing import Faults, SimulatedNode, World, first_difference, run_seed

pytestmark = pytest.mark.usefixtures("quiet")

STORM_SECONDS = 6.0
CALM_SECONDS = 150.0
OPERATIONS = 6
SETTLE_SECONDS = 10.0
INFINITE = float("inf")


@dataclass(frozen=True)
class Aftermath:
    """What callers were answered in a storm, and what each correct server holds in the end."""

    history: list[Operation]
    held: list[Any]


class Caller:
    """Somebody on a node who calls one method after the other, and notes what was answered."""

    operations = OPERATIONS
    pauses = (0.0, 0.3, 1.5)
    """Seconds between two calls, of which one is drawn."""

    def __init__(self, world: World, name: str, seed: int) -> None:
        self.world = world
        self.name = name
        self.history: list[Operation] = []
        self.left = self.operations
        self._dice = Random(seed)

    def work(self, node: SimulatedNode) -> None:
        """Call until all is done."""
        store = vista.service(POOL)
        while self.left:
            self.left -= 1
            kind, *args = call = self._draw()
            place = len(self.history)
            begin = self.world.hub.now
            method = self._method_of(kind)
            # Who is killed meanwhile never learns of the end.
            self.history.append(Operation(self.name, call, None, begin, INFINITE))
            try:
                with vista.timeout(CALM_SECONDS):
                    answer = store.issue_request(method, args, "store")
            except vista.CallError:
                continue
            done = replace(self.history[place], answer=answer, end=self.world.hub.now)
            self.history[place] = done
            vista.sleep(self._dice.choice(self.pauses))

    def _method_of(self, kind: str) -> str:
        """The method by which something is asked for."""
        return kind

    def _draw(self) -> tuple[str, ...]:
        kind, key = self._dice.choice(("put", "put", "get", "remove")), self._dice.choice("ab")
        if kind == "put":
            return kind, key, f"{self.name}.{self.left}"
        return kind, key


def faults_of(dice: Random, liar: bool, servers: int) -> Faults:
    """What befalls a world; disks that fail only where nobody lies."""
    return Faults(
        losses=dice.choice((0.1, 0.5)),
        partitions=dice.choice((0.0, 0.1)),
        crashes=dice.choice((0.0, 0.2, 0.4)),
        failed_syncs=0.0 if liar else dice.choice((0.0, 0.2)),
        full_disks=0.0 if liar else dice.choice((0.0, 0.1)),
        lasting_seconds=2.0,
        down_seconds=2.0,
        down_max=dice.choice((1, servers)),
        spared=("front",),
    )


def storm(world: World) -> Aftermath:
    """One run; raises when something was not answered."""
    return storm_at(world, "byzantine", 4)


def storm_at(
    world: World, mode: str, servers: int, lying: type[ReplicaPoolMember] | None = None
) -> Aftermath:
    """One run with so many replicas of a mode in which they may lie; one is ``lying`` if given."""
    dice = Random(world.seed)
    liar = dice.randrange(servers) if lying or dice.random() < 0.5 else None
    members: dict[str, type[ReplicaPoolMember]] = {}
    if liar is not None:
        # Those of the simulator know the messages of one mode.
        drawn = draw_liar(dice) if mode == "byzantine" else LyingPoolMember
        members[f"server-{liar}"] = lying or drawn
    pool = Pool(world, servers, members)
    pool.found(POOL, 1, CheckedRegister.__name__, "store", mode=mode)
    callers = [Caller(world, f"c{number}", dice.randrange(2**32)) for number in range(3)]
    homes = ["front", "front", "server-0"]
    work_in_a_storm(pool, callers, homes, faults_of(dice, liar is not None, servers))
    return Aftermath(history_of(pool, callers), held_by(pool, liar, servers))


def work_in_a_storm(
    pool: Pool, callers: Sequence[Caller], homes: Sequence[str], faults: Faults
) -> None:
    """Let callers work on their nodes in a storm, and in the calm after it.

    The front is spared: who works there is answered.
    """
    world = pool.world
    world.storm(STORM_SECONDS, faults)
    started = [
        pool.node(home).spawn(caller.work, pool.node(home))
        for caller, home in zip(callers, homes, strict=True)
    ]
    world.pass_time(STORM_SECONDS)
    world.calm()
    spared = [index for index, home in enumerate(homes) if home == "front"]
    world.drive(
        lambda: all(started[index].done() for index in spared),
        CALM_SECONDS * callers[0].operations,
    )
    world.pass_time(SETTLE_SECONDS)
    assert all(one.end < INFINITE for index in spared for one in callers[index].history)


def history_of(pool: Pool, callers: Sequence[Caller]) -> list[Operation]:
    """What callers were answered, and what is there in the end."""
    history = [one for caller in callers for one in caller.history]
    begin = pool.world.hub.now
    last = pool.front.call(lambda: vista.service(POOL).issue_request("get", ["a"], "store"))
    history.append(Operation("last", ("get", "a"), last, begin, pool.world.hub.now))
    return history


def held_by(pool: Pool, liar: int | None, servers: int) -> list[Any]:
    """What each correct server holds; raises when one does not run."""
    held: list[Any] = []
    for number in range(servers):
        if number != liar:
            node, name = pool.node(f"server-{number}"), service_name(POOL, number)
            status = node.call(lambda name=name: vista.service(name).get_status())
            assert status["runs"], status
            held.append(node.call(lambda name=name: vista.service(name).get_variables("store")))
    return held


def assert_survived(after: Aftermath) -> None:
    """What callers were answered can be, and the correct servers hold the same."""
    assert linearization(after.history) is not None, after.history
    assert after.held == after.held[:1] * len(after.held)


PARTS = 15
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 30
COUNTED_SEEDS = 4
"""Of three servers with trusted counters."""

REPLAY = "pytest tests/solidstate/objects/test_storms.py --seeds-from {seed} --seeds 1"


@pytest.mark.parametrize("part", range(PARTS))
def test_histories_are_linearizable_and_servers_agree_after_storms(seeds: range, part: int) -> None:
    for seed in share_of(seeds, SEEDS, part, PARTS):
        run_seed(lambda world: assert_survived(storm(world)), seed, REPLAY)


@pytest.mark.parametrize("part", range(2))
def test_histories_of_servers_with_counters_are_linearizable_after_storms(
    seeds: range, part: int
) -> None:
    def scenario(world: World) -> None:
        assert_survived(storm_at(world, "minbft", 3))

    for seed in share_of(seeds, COUNTED_SEEDS, part, 2):
        run_seed(scenario, seed, f"{REPLAY} -k counters")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_kind_of_faulty_replica_of_the_simulator_is_survived(
    seeds: range, strategy: str
) -> None:
    def scenario(world: World) -> None:
        assert_survived(storm_at(world, "byzantine", 4, member_of(strategy)))

    for seed in seeds[: max(1, len(seeds) // 200)]:
        run_seed(scenario, seed, REPLAY)


def test_one_seed_is_one_run(seeds: range) -> None:
    one, other = (run_seed(storm, seeds[0], REPLAY) for _ in range(2))
    assert first_difference(one, other) == ""
