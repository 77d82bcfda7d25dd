"""Groups that are changed in storms: members come and leave while nodes fail and one may lie."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import vista
from apps.solidstate.errors import SolidStateError
from apps.solidstate.objects.mail import pool_service, service_name
from tests.conftest import share_of
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool
from tests.solidstate.objects.strategists import draw_liar
from tests.solidstate.objects.test_storms import (
    CALM_SECONDS,
    INFINITE,
    OPERATIONS,
    SETTLE_SECONDS,
    STORM_SECONDS,
    Aftermath,
    Caller,
    assert_survived,
    faults_of,
    history_of,
)
from tests.solidstate.registers import CheckedRegister
from vista.testing import World, run_seed

LEAVE = (1, 2)
TRIES = 60


def change(pool: Pool, founders: int) -> list[str]:
    """Replace one server after the other; what fails in the storm is asked for again."""
    done: list[str] = []
    for later, leaves in enumerate(LEAVE):
        who, node = str(leaves), f"server-{founders + later}"
        for _ in range(TRIES):
            try:
                with vista.timeout(10.0):
                    administrator = vista.service(pool_service(POOL)).get_administrator(POOL)
                    done.append(administrator.replace(who, node)["words"])
                break
            except (SolidStateError, vista.CallError):
                vista.sleep(1.0)
    return done


def await_all(pool: Pool) -> None:
    """Wait until the founder reaches all machines: then the first four are the replicas."""
    name = pool_service(POOL)
    for _ in range(TRIES):
        rows = pool.front.call(vista.services)
        if sum(row.name == name for row in rows) == len(pool.names):
            return
        pool.world.pass_time(1.0)
    raise AssertionError(rows)


def remaining(founders: int) -> list[int]:
    """The members in the end of a group of so many founders."""
    return [number for number in range(founders + len(LEAVE)) if number not in LEAVE]


def storm(world: World, mode: str, founders: int) -> tuple[Aftermath, list[Any]]:
    """One run at a group of a mode and so many founders, of whom two are replaced.

    Returns what it left, and for each correct member of the group of the day whether it runs, its
    epoch and the members it knows. Raises when an answer is not given.
    """
    dice = Random(world.seed)
    # The one that lies stays a member, so it is the same f throughout.
    liar = 0 if dice.random() < 0.5 else None
    # Those of the simulator know the messages of one mode.
    lying = draw_liar(dice) if mode == "byzantine" else LyingPoolMember
    pool = Pool(world, founders + len(LEAVE), {} if liar is None else {"server-0": lying})
    await_all(pool)
    pool.found(POOL, 1, CheckedRegister.__name__, "store", mode=mode)
    callers = [Caller(world, f"c{number}", dice.randrange(2**32)) for number in range(2)]
    world.storm(STORM_SECONDS, faults_of(dice, liar is not None, founders))
    started = [pool.front.spawn(caller.work, pool.front) for caller in callers]
    changed = pool.front.spawn(change, pool, founders)
    world.pass_time(STORM_SECONDS)
    world.calm()
    world.drive(
        lambda: changed.done() and all(one.done() for one in started), CALM_SECONDS * OPERATIONS
    )
    assert len(changed.result()) == len(LEAVE)
    world.pass_time(SETTLE_SECONDS)
    assert all(one.end < INFINITE for caller in callers for one in caller.history)
    history = history_of(pool, callers)
    groups, held = [], []
    for number in remaining(founders):
        if number != liar:
            name = service_name(POOL, number)
            told = pool.front.call(lambda name=name: vista.service(name).get_status())
            groups.append((told["runs"], told["epoch"], told["members"]))
            held.append(
                pool.front.call(lambda name=name: vista.service(name).get_variables("store"))
            )
    return Aftermath(history, held), groups


SEEDS = 2
REPLAY = (
    "pytest tests/solidstate/objects/test_members_storms.py -k {mode} --seeds-from {{seed}} "
    "--seeds 1"
)


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize(("mode", "founders"), [("byzantine", 4), ("minbft", 3)])
def test_members_come_and_leave_in_storms(
    seeds: range, mode: str, founders: int, part: int, quiet: None
) -> None:
    def scenario(world: World) -> None:
        after, groups = storm(world, mode, founders)
        assert_survived(after)
        assert groups == [(True, 2, remaining(founders))] * len(groups)

    for seed in share_of(seeds, SEEDS, part, 2):
        run_seed(scenario, seed, REPLAY.format(mode=mode))
