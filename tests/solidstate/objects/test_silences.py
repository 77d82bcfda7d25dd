"""How long nobody is answered while no more servers are faulty than are tolerated.

The servers are level when one fails: none is behind by more batches than may be under way.
"""

from __future__ import annotations

from random import Random

import pytest

import vista
from apps.solidstate.objects.charter import MODES, mode_of
from apps.solidstate.pbft.configuration import Config
from tests.solidstate.objects.pool import POOL, Pool, make_world
from vista.testing import SimulatedNode

TWO_TIMEOUTS = 2 * Config().view_seconds
CALLERS = 3
WORLDS_MAX = 10
"""In some worlds one that is needed has to fetch the state first, which takes its time."""


def call_on(pool: Pool, node: SimulatedNode, ends: list[float]) -> None:
    """Call one time after the other, and note when it was answered."""
    while True:
        vista.service("cart").add("tea")
        ends.append(pool.world.hub.now)
        vista.sleep(0.02)


@pytest.mark.parametrize("mode", ["byzantine", "crash", "minbft"])
@pytest.mark.parametrize("leads", [True, False], ids=["primary", "backup"])
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_service_goes_on_within_two_timeouts(mode: str, leads: bool, how: str) -> None:
    dice = Random(f"{mode} {leads} {how}")
    assert any(goes_on_in_a_world(dice, mode, leads, how) for _ in range(WORLDS_MAX))


def goes_on_in_a_world(dice: Random, mode: str, leads: bool, how: str) -> bool:
    """See that the service goes on; False for a world where one that is needed was behind."""
    with make_world(dice.randrange(1_000)) as world:
        pool = Pool(world, 4 if mode == "byzantine" else 3)
        pool.found(POOL, 1, "PoolCart", "cart", mode=mode)
        ends: list[float] = []
        for _ in range(CALLERS):
            pool.front.spawn(call_on, pool, pool.front, ends)
        world.pass_time(1.0 + dice.random())
        primary = pool.status("server-0")["primary"]
        name = pool.names[1:][primary if leads else primary - 1]
        executed = [pool.status(one)["executed"] for one in pool.names[1:]]
        if max(executed) - min(executed) > Config().batches_under_way_max:
            return False
        began = world.hub.now
        if how == "killed":
            world.crash(name)
        else:
            world.network.partition([name], [other for other in pool.names if other != name])
        world.pass_time(1.5 * TWO_TIMEOUTS)
        found = sorted(end for end in ends if end >= began)
        assert found[-1] > world.hub.now - 0.5
        assert longest(began, found) <= TWO_TIMEOUTS
    return True


@pytest.mark.parametrize("mode", MODES)
def test_each_that_would_lead_next_and_is_gone_as_well_is_waited_for_in_turn(mode: str) -> None:
    with make_world(1) as world:
        pool = Pool(world, mode_of(mode).replicas(2))
        pool.found(POOL, 2, "PoolCart", "cart", mode=mode)
        ends: list[float] = []
        for _ in range(CALLERS):
            pool.front.spawn(call_on, pool, pool.front, ends)
        world.pass_time(1.0)
        began = world.hub.now
        primary = pool.status("server-0")["primary"]
        servers = pool.names[1:]
        for place in (primary, primary + 1):
            world.crash(servers[place % len(servers)])
        world.pass_time(4 * TWO_TIMEOUTS)
        found = sorted(end for end in ends if end >= began)
        assert found[-1] > world.hub.now - 0.5
        # The second one is waited for twice as long as the first.
        assert longest(began, found) <= (1 + 2) * TWO_TIMEOUTS


def longest(began: float, ends: list[float]) -> float:
    """The longest time without an answer."""
    return max(later - earlier for earlier, later in zip([began, *ends], ends, strict=False))
