"""Changing groups whose members have trusted counters: who comes brings a counter of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError
from apps.solidstate.objects.backup import read_backup
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.counters import OFFERS_MAX, known_device, public_key
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import folder_of
from apps.solidstate.operating import carry_out
from apps.solidstate.pbft.messages import Member
from apps.solidstate.status import read_words
from apps.solidstate.trusted_counter import device_name
from tests.solidstate.objects.pool import (
    POOL,
    TIN,
    Pool,
    SimulatedPlace,
    SimulatedPoolMember,
    make_world,
)
from tests.solidstate.objects.test_operations import administer, founded, held, settle
from vista.testing import World

FOLDER = folder_of(POOL)


class CopyingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that shows the trusted counter of another one."""

    def offer_replica_counter(self, text: str, number: int) -> tuple[int, bytes]:
        return read_charter(text).counters[1]


class CounterlessPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that shows no counter."""

    def offer_replica_counter(self, text: str, number: int) -> Any:
        return [number]


class EndlessPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that shows a counter of an epoch that nobody can write down."""

    def offer_replica_counter(self, text: str, number: int) -> tuple[int, bytes]:
        return 2**70, bytes(32)


class LatePoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that does not come at the first word."""

    def join(self, *args: Any) -> None:
        if "waited" in vars(self):
            super().join(*args)
        self.waited = True


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(37) as made:
        yield made


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Pool, dict[str, Any]]]:
    """A group with counters that server-3 came into, and what its machines keep."""
    with make_world(38) as world:
        pool = counted(world)
        founded(pool, "minbft")
        administer(pool, "add", "server-3")
        yield pool, dict(vars(TIN))


@pytest.fixture
def standing(made: tuple[Pool, dict[str, Any]]) -> Pool:
    """That group, whatever worlds there were since it was made."""
    pool, kept = made
    vars(TIN).update(kept)
    return pool


def counted(world: World, servers: int = 4, **members: type[SimulatedPoolMember]) -> Pool:
    """A pool; server-0 to server-2 become replicas."""
    return Pool(world, servers, {name.replace("_", "-"): one for name, one in members.items()})


def charter_of(pool: Pool) -> Charter:
    return read_charter(administer(pool, "get_charter"))


# --- coming and leaving --------------------------------------------------------------------


def test_a_machine_takes_the_place_of_another_and_counts(world: World) -> None:
    pool = counted(world)
    cart = founded(pool, "minbft")
    pool.call(cart, "add", "tea")
    told = administer(pool, "replace", "2", "server-3")
    assert told["words"] == "server-3 as replica 3 took the place of replica 2"
    assert (told["members"], told["tolerates"], told["epoch"]) == ([0, 1, 3], 1, 1)
    settle(pool)
    assert held(pool, "server-3", 3) == {"tea": 1}
    # Without it the group would stand still from here on.
    world.crash("server-0")
    assert pool.call(cart, "add", "tea") == 2
    member = pool.node("server-2").call(vista.service, pool_service(POOL))
    assert pool.node("server-2").call(member.get_status)["servers"] == {}


def test_two_servers_more_tolerate_one_fault_more_which_only_the_operator_gives_up(
    world: World,
) -> None:
    pool = counted(world, 5)
    cart = founded(pool, "minbft")
    for number, tolerated in ((3, 1), (4, 2)):
        assert administer(pool, "add", f"server-{number}")["tolerates"] == tolerated
    settle(pool)
    with pytest.raises(PoolError, match=r"^4 servers tolerate 1 fault, and .* is to tolerate 2: "):
        administer(pool, "remove", "1")
    for name in ("server-0", "server-3"):
        world.crash(name)
    assert pool.call(cart, "add", "tea") == 1
    for name in ("server-0", "server-3"):
        world.restart(name)
    settle(pool)
    assert administer(pool, "remove", "1", faults=1)["tolerates"] == 1
    assert pool.call(cart, "add", "tea") == 2


def test_who_came_leads_and_starts_anew_and_is_there_after_all_were_killed(world: World) -> None:
    pool = counted(world)
    pool.call(founded(pool, "minbft"), "add", "tea")
    administer(pool, "replace", "0", "server-3")
    settle(pool)
    assert administer(pool, "hand_over", "server-3")["primary"] == 3
    # One that leads hands over before.
    assert administer(pool, "renew", "3")["words"] == "replica 3 started again from its disk"
    for name in pool.names:
        world.crash(name)
    for name in pool.names:
        world.restart(name)
    settle(pool)
    assert pool.call(founded(pool, "minbft"), "add", "tea") == 2
    assert administer(pool, "describe_group")["members"] == [1, 2, 3]
    assert all(pool.status(f"server-{number}")["voting"] for number in (1, 2, 3))


def test_one_that_left_comes_back_with_another_key_and_another_counter(world: World) -> None:
    pool = counted(world)
    cart = founded(pool, "minbft")
    administer(pool, "replace", "2", "server-3")
    settle(pool)
    administer(pool, "replace", "1", "server-2")
    settle(pool)
    assert pool.status("server-2")["members"] == [0, 3, 4]
    assert len(TIN.counters) == 5
    world.crash("server-0")
    assert pool.call(cart, "add", "tea") == 1
    assert held(pool, "server-2", 4) == {"tea": 1}


@pytest.mark.parametrize("seed", range(3, 9))
def test_a_replica_that_was_away_during_changes_comes_back_by_itself(seed: int) -> None:
    # Whom the changes take out may be gone before its answer is: then theirs is needed who come.
    with World(seed) as world:
        pool = counted(world, 5)
        cart = founded(pool, "minbft")
        world.crash("server-1")
        administer(pool, "replace", "2", "server-3")
        settle(pool)
        administer(pool, "replace", "0", "server-4")
        settle(pool)
        pool.call(cart, "add", "tea")
        world.restart("server-1")
        settle(pool)
        told = pool.status("server-1")
        assert (told["epoch"], told["members"], told["voting"]) == (2, [1, 3, 4], True)
        assert held(pool, "server-1", 1) == {"tea": 1}


def test_a_changed_group_is_backed_up_and_another_one_founded_from_it(
    world: World, tmp_path: Path
) -> None:
    pool = counted(world)
    pool.call(founded(pool, "minbft"), "add", "tea")
    administer(pool, "replace", "1", "server-3")
    settle(pool)

    def command(*words: str) -> Any:
        options = read_words([words[0], "ipc:front", *words[1:]])
        return pool.front.call(lambda: carry_out(options, vista.here()))

    file = str(tmp_path / "file")
    command("backup", file)
    found = read_backup((tmp_path / "file").read_bytes())
    assert [member.number for member in found.membership.members] == [0, 2, 3]
    command("restore", file, "--group", "carts-2")
    proxy = pool.proxy("front", "carts-2")
    assert pool.front.call(proxy.issue_request, "list_items", [], "cart") == {"tea": 1}


@pytest.mark.parametrize(
    ("mode", "founder_fails"),
    [("minbft", True), ("crash", False)],
    ids=["founder-fails", "crash"],
)
def test_a_machine_that_came_is_told_though_the_group_waits_for_it(
    world: World, mode: str, founder_fails: bool
) -> None:
    pool = counted(world, 3, late=LatePoolMember)
    founded(pool, mode)
    pool.grow("late")
    administer(pool, "replace", "2", "late")
    # The one that came knows nothing of it, so one more is too many.
    world.crash("server-0")
    if founder_fails:
        world.crash("front")
        world.restart("front")
        world.pass_time(3.0)
    told = administer(pool, "replace", "2", "late")
    assert told["members"] == [0, 1, 3]
    # With the counter that it had shown.
    assert len(TIN.counters) == (4 if mode == "minbft" else 0)
    assert pool.call(founded(pool, mode), "add", "tea") == 1
    # Given once more, it is done already; another machine's place is no matter of it.
    assert administer(pool, "replace", "2", "late")["epoch"] == 1
    with pytest.raises(PoolError, match=r"^late is replica 3 already$"):
        administer(pool, "replace", "1", "late")


# --- counters ------------------------------------------------------------------------------


def test_who_came_and_lost_its_count_speaks_for_nobody_and_is_replaced(world: World) -> None:
    pool = counted(world, 4)
    cart = founded(pool, "minbft")
    administer(pool, "replace", "2", "server-3")
    settle(pool)
    world.crash("server-3")
    del TIN.counters["server-3", f"{FOLDER}-3"]
    world.restart("server-3")
    settle(pool)
    told = pool.status("server-3")
    assert told["ails"].startswith("its trusted counter lost its count, and is another one")
    with pytest.raises(PoolError, match=r"^replica 3 is not well: while one is missing none is"):
        administer(pool, "renew", "0")
    administer(pool, "replace", "3", "server-2")
    settle(pool)
    world.crash("server-0")
    assert pool.call(cart, "add", "tea") == 1


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (CopyingPoolMember, r"^late shows the trusted counter of another replica$"),
        (CounterlessPoolMember, r"^late shows no trusted counter as replica 3$"),
        (EndlessPoolMember, r"^late shows no trusted counter as replica 3$"),
    ],
    ids=["another's", "none", "too-large"],
)
def test_a_machine_without_a_counter_of_its_own_is_refused(
    world: World, cls: type[SimulatedPoolMember], words: str
) -> None:
    pool = counted(world, 3, late=cls)
    founded(pool, "minbft")
    pool.grow("late")
    with pytest.raises(PinnedKeyError, match=words):
        administer(pool, "add", "late")
    assert administer(pool, "describe_group")["members"] == [0, 1, 2]


def test_a_machine_that_comes_is_told_which_counter_the_group_knows_for_it(standing: Pool) -> None:
    charter = charter_of(standing)
    device = TIN.counters["server-3", f"{FOLDER}-3"]
    known = device_name(device.epoch, device.public_key)
    assert known_device(SimulatedPlace("server-3"), charter, 3) == known
    assert known_device(SimulatedPlace("server-3"), charter, 4) is None


def test_counters_that_were_offered_for_nothing_are_bounded(standing: Pool) -> None:
    text = administer(standing, "get_charter")
    member = standing.front.call(vista.service, pool_service(POOL))

    def offer(number: int) -> Any:
        return standing.front.call(member.offer_replica_counter, text, number)

    told = [offer(4 + count) for count in range(OFFERS_MAX)]
    assert len(set(told)) == OFFERS_MAX
    # Shown again it is the same.
    assert offer(4) == told[0]
    counters = len(TIN.counters)
    others = replace(read_charter(text), name="others").text()
    for asked in (
        ("offer_replica_counter", text, 99),
        ("offer_replica_counter", others, 4),
        ("offer_counter", "others"),
    ):
        with pytest.raises(vista.BadValueError, match=r"^16 trusted counters were offered by this"):
            standing.front.call(vista.send, member, *asked)
    assert len(TIN.counters) == counters == 4 + OFFERS_MAX


def test_no_counter_is_offered_to_a_group_that_takes_the_name_of_another(standing: Pool) -> None:
    member = standing.front.call(vista.service, pool_service(POOL))
    forged = replace(read_charter(administer(standing, "get_charter")), nonce="f" * 32).text()
    with pytest.raises(PinnedKeyError, match=r"^another group is pinned under the name 'carts'$"):
        standing.front.call(member.offer_replica_counter, forged, 9)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (3, r"^replica 3 came already: its counter is in use$"),
        (2, r"^replica 2 of group 'carts' comes with no counter$"),
    ],
    ids=["in-use", "a-founder's"],
)
def test_a_counter_that_has_a_replica_is_offered_to_nobody(
    standing: Pool, number: int, words: str
) -> None:
    text = administer(standing, "get_charter")
    node = standing.node("server-3")
    member = node.call(vista.service, pool_service(POOL))
    with pytest.raises(vista.BadValueError, match=words):
        node.call(member.offer_replica_counter, text, number)


def test_a_member_whose_key_names_no_counter_has_no_public_key(standing: Pool) -> None:
    charter = charter_of(standing)
    assert [public_key(charter, Member(3, key)) for key in (b"", b"no key")] == [b"", b""]
