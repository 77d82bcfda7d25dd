"""Groups in storms whose reads are not ordered: from a seed, as `test_storms`.

Values come again, so that a state that was passed can be told from one that is there by nothing but
its version; and one method says that it reads and changes something. ``--seeds 2000`` runs 100.
"""

from __future__ import annotations

from random import Random

import pytest

from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import read_only
from tests.conftest import share_of
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool
from tests.solidstate.objects.strategists import draw_liar
from tests.solidstate.objects.test_storms import (
    Aftermath,
    Caller,
    assert_survived,
    faults_of,
    held_by,
    history_of,
    work_in_a_storm,
)
from tests.solidstate.registers import CheckedRegister
from vista.testing import World, run_seed

pytestmark = pytest.mark.usefixtures("quiet")


class ReadStormStore(CheckedRegister):
    """A register with a method that is declared to read and notes who asked."""

    def create(self) -> None:
        super().create()
        self.seen: list[str] = []

    @read_only
    def get_noting(self, key: str) -> str | None:
        self.seen.append(key)
        return self.content.get(key)


class ReadingCaller(Caller):
    """Somebody who mostly reads, and writes what was there before."""

    operations = 12
    pauses = (0.0, 0.0, 0.1, 1.0)

    def _method_of(self, kind: str) -> str:
        return self._dice.choice((kind, kind, "get_noting")) if kind == "get" else kind

    def _draw(self) -> tuple[str, ...]:
        kind = self._dice.choice(("get", "get", "get", "put", "put", "remove"))
        key = self._dice.choice("aab")
        return (kind, key, self._dice.choice("xy")) if kind == "put" else (kind, key)


def storm(world: World) -> Aftermath:
    """One run; raises when something was not answered."""
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
    work_in_a_storm(pool, callers, homes, faults_of(dice, liar is not None, servers))
    return Aftermath(history_of(pool, callers), held_by(pool, liar, servers))


PARTS = 5
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 10
REPLAY = "pytest tests/solidstate/objects/test_reads_storms.py --seeds-from {seed} --seeds 1"


@pytest.mark.parametrize("part", range(PARTS))
def test_histories_with_unordered_reads_are_linearizable(seeds: range, part: int) -> None:
    for seed in share_of(seeds, SEEDS, part, PARTS):
        run_seed(lambda world: assert_survived(storm(world)), seed, REPLAY)
