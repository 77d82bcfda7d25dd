"""Groups of every mode that tolerate one fault, two or three, as a line of an rc file says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.objects.charter import FAULTS_MAX, MODES, mode_of
from apps.solidstate.objects.mail import service_name
from apps.solidstate.status import ask, lines
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import POOL, Pool, SimulatedPoolMember, make_world
from vista.testing import World

CHOICES = [(mode, faults) for mode in MODES for faults in range(1, FAULTS_MAX + 1)]
LIARS = [(mode, faults) for mode, faults in CHOICES if mode != "crash"]
LINE = 'SimulatedCreateReplicas {} {} PoolCart cart "" ReplicaClientProxy "" "" {} {}\n'
CALLS = 12
AWAY_CALLS = 40
"""Ten checkpoints of these groups, of which a log holds what lies behind the last four."""
AWAY_SECONDS = 30.0
PATIENCE_SECONDS = 5.0
SETTLE_SECONDS = 20.0


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(41) as made:
        yield made


def servers_of(mode: str, faults: int) -> list[str]:
    """The names of as many servers as a group needs."""
    return [f"server-{number}" for number in range(mode_of(mode).replicas(faults))]


def found(pool: Pool, directory: Path, mode: str, faults: int, reads: str = '""') -> vista.Ref:
    """Run an rc file on the front end that founds a group; return its cart there."""
    rc = directory / "front.rc"
    rc.write_text(LINE.format(POOL, faults, mode, reads), "utf-8")

    def run() -> vista.Ref:
        vista.create("CreateObjects", str(rc)).get_line_total()
        return vista.service("cart")

    made: vista.Ref = pool.front.call(run)
    return made


def add_soon(cart: vista.Ref) -> None:
    """Add something where a group answers in time."""
    with vista.timeout(PATIENCE_SECONDS):
        cart.add("milk")


def held(pool: Pool, names: list[str]) -> list[Any]:
    """What replicas hold of the cart, each of the number of its server."""
    found = []
    for name in names:
        replica = service_name(POOL, int(name.partition("-")[2]))
        found.append(
            pool.node(name).call(
                lambda replica=replica: vista.service(replica).get_variables("cart")
            )
        )
    return found


def heading(pool: Pool) -> str:
    """The first line of ``vista solidstate status``."""
    return pool.front.call(lambda: lines(ask(vista.here())))[0].partition(";")[0]


@pytest.mark.parametrize(("mode", "faults"), CHOICES)
def test_a_group_goes_on_without_as_many_servers_as_its_line_says_and_not_without_one_more(
    world: World, tmp_path: Path, mode: str, faults: int
) -> None:
    names = servers_of(mode, faults)
    pool = Pool(world, len(names))
    cart = found(pool, tmp_path, mode, faults)
    some = "1 fault" if faults == 1 else f"{faults} faults"
    assert heading(pool) == f"group {POOL}: {mode}, tolerates {some}"
    assert pool.call(cart, "add", "tea") == 1
    # The primary and those that would follow it.
    *gone, one_more = names[: faults + 1]
    for name in gone:
        world.crash(name)
    assert pool.call(cart, "add", "tea") == 2
    world.crash(one_more)
    with pytest.raises(vista.CallTimeout):
        pool.front.call(add_soon, cart)
    for name in (*gone, one_more):
        world.restart(name)
    assert pool.call(cart, "list_items") in ({"tea": 2}, {"tea": 2, "milk": 1})


@pytest.mark.parametrize(("mode", "faults"), LIARS)
def test_a_group_answers_rightly_while_as_many_servers_lie_as_its_line_says(
    world: World, tmp_path: Path, mode: str, faults: int
) -> None:
    names = servers_of(mode, faults)
    liars: dict[str, type[SimulatedPoolMember]] = dict.fromkeys(names[:faults], LyingPoolMember)
    pool = Pool(world, len(names), {**liars})
    # Where reads are ordered the least number of equal answers is believed: f + 1.
    cart = found(pool, tmp_path, mode, faults, "ordered")
    counts = list(range(1, CALLS + 1))
    assert [pool.call(cart, "add", "tea") for _ in counts] == counts
    assert pool.call(cart, "list_items") == {"tea": CALLS}
    pool.world.pass_time(SETTLE_SECONDS)
    status = pool.front.call(pool.proxy("front").get_status)
    assert sorted(status["disagreed"]) == list(range(faults))
    good = names[faults:]
    assert held(pool, good) == [{"owner": "nobody", "items": {"tea": CALLS}}] * len(good)


@pytest.mark.parametrize(("mode", "faults"), CHOICES)
def test_a_server_too_few_is_told_with_the_number_that_a_line_takes(
    world: World, tmp_path: Path, mode: str, faults: int
) -> None:
    needed = mode_of(mode).replicas(faults)
    pool = Pool(world, needed - 2)
    words = rf"{needed} servers tolerate {faults} faults?; {needed - 1} are running: start more"
    with pytest.raises(vista.RcError, match=words):
        found(pool, tmp_path, mode, faults)


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_was_away_from_ten_checkpoints_and_one_that_was_wrong_come_back_by_themselves(
    world: World, tmp_path: Path, mode: str
) -> None:
    names = servers_of(mode, 2)
    pool = Pool(world, len(names))
    cart = found(pool, tmp_path, mode, 2)
    wrong = pool.front.call(vista.service, service_name(POOL, 2))
    world.crash("server-1")
    pool.front.call(wrong.spoil, "cart", {"owner": "thief", "items": {}})
    for count in range(1, AWAY_CALLS + 1):
        assert pool.call(cart, "add", "tea") == count
    world.pass_time(AWAY_SECONDS)
    world.restart("server-1")
    world.pass_time(SETTLE_SECONDS)
    told = [pool.status(name) for name in names]
    assert [one["voting"] for one in told] == [True] * len(names)
    assert len({one["executed"] for one in told}) == 1
    assert held(pool, names) == [{"owner": "nobody", "items": {"tea": AWAY_CALLS}}] * len(names)
    assert "transfer" in told[1]["counts"] and "diverged" in told[2]["counts"]
