"""Changing a group that runs: who is in it, who leads, and starting anew one at a time."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError, SolidStateError
from apps.solidstate.objects.backup import Backup
from apps.solidstate.objects.charter import read_charter
from apps.solidstate.objects.identity import CHARTER_FILE, MEMBERSHIP_FILE
from apps.solidstate.objects.mail import pool_service, service_name
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.operating import carry_out, fetch, find_administrator
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.status import read_words
from tests.solidstate.objects.pool import (
    POOL,
    TIN,
    Pool,
    SimulatedClientProxy,
    SimulatedPlace,
    SimulatedPoolMember,
    SimulatedReplicaServer,
    make_world,
)
from vista.testing import World

SETTLE_SECONDS = 7.0
FOLDER = folder_of(POOL)


class ThiefPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that calls itself what the administrator is called."""

    def offer(self, group: str) -> dict[str, Any]:
        charter = read_charter(TIN.files["front"][f"{FOLDER}/{CHARTER_FILE}"].decode())
        return {**super().offer(group), "client": next(iter(charter.administrators))}


class TwinPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that says it is another one: as it does, so may that one."""

    def offer(self, group: str) -> dict[str, Any]:
        told = super().offer(group)
        return {**told, "node": "twin-of-1" if told["charter"] else "server-2", "live": 1}


class BabblingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that answers with what is no answer."""

    def offer(self, group: str) -> Any:
        return [group]


class PoolParrot(SimulatedPoolMember, namespace="SolidState"):
    """A machine that keeps what the administrator says to it, and does not heed it at first."""

    def join(self, *args: Any) -> None:
        if "heard" in vars(self):
            super().join(*args)
        self.heard = args

    def get_heard(self) -> tuple[Any, ...]:
        return self.heard


class BoastingServer(SimulatedReplicaServer, namespace="SolidState"):
    """A replica that says it is far ahead, and has no backup."""

    def get_status(self) -> dict[str, Any]:
        told = super().get_status()
        return {**told, "executed": 10**12} if told["runs"] else told

    def make_backup(self, least: int, challenge: bytes, signature: bytes) -> Any:
        return "much"


class BoastingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of a replica that boasts."""

    server_class = BoastingServer


class CrampedPlace(SimulatedPlace):
    """A folder that takes nothing of who is in the group, for some time."""

    full: ClassVar[bool] = False

    def write(self, path: str, data: bytes) -> None:
        if self.full and path.endswith(f"/{MEMBERSHIP_FILE}"):
            raise OSError(errno.ENOSPC, "no space left")
        super().write(path, data)


class CrampedProxy(SimulatedClientProxy, namespace="SolidState"):
    """A proxy with such a folder."""

    def _make_place(self, directory: str) -> AnyPlace:
        return CrampedPlace(vista.here().get_name())


class CrampedPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of such a proxy."""

    proxy_class = CrampedProxy


class ClasslessPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that takes no class from anybody."""

    def has_class(self, class_name: list[Any]) -> bool:
        return False


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(11) as made:
        yield made


@pytest.fixture
def pool(world: World) -> Pool:
    """Five servers; server-0 to server-3 become replicas."""
    return Pool(world, servers=5)


@pytest.fixture(scope="module")
def standing() -> Iterator[Pool]:
    """A pool with a group, for tests that leave its members as they are."""
    with make_world(12) as world:
        pool = Pool(world, servers=6)
        founded(pool)
        yield pool


def founded(pool: Pool, mode: str = "byzantine", faults: int = 1) -> vista.Ref:
    """Found the group while the last servers are not there yet, and return its cart."""
    return pool.found(POOL, faults, "PoolCart", "cart", mode=mode)


def administer(pool: Pool, what: str, *args: Any, **kwargs: Any) -> Any:
    """Send a message to the administrator of the group, from the founder's node."""

    def ask() -> Any:
        administrator = vista.service(pool_service(POOL)).get_administrator(POOL)
        return vista.send(administrator, what, *args, **kwargs)

    return pool.front.call(ask)


def held(pool: Pool, name: str, number: int) -> Any:
    """What a server's own replica holds of the cart."""
    service = service_name(POOL, number)
    return pool.node(name).call(lambda: vista.service(service).get_variables("cart"))["items"]


def settle(pool: Pool, seconds: float = SETTLE_SECONDS) -> None:
    pool.world.pass_time(seconds)


def kinds(pool: Pool, name: str) -> list[str]:
    """The kinds of what the replica of a server reported."""
    return [report[1] for report in pool.status(name)["reports"]]


# --- coming and leaving --------------------------------------------------------------------


def test_a_machine_takes_the_place_of_another(pool: Pool) -> None:
    cart = founded(pool)
    pool.call(cart, "add", "tea")
    told = administer(pool, "replace", "2", "server-4")
    assert told["words"] == "server-4 as replica 4 took the place of replica 2"
    assert (told["members"], told["tolerates"], told["epoch"]) == ([0, 1, 3, 4], 1, 1)
    settle(pool)
    assert pool.call(cart, "add", "tea") == 2
    pool.world.pass_time(1.0)
    assert held(pool, "server-4", 4) == {"tea": 2}
    # And it counts: without it the group would stand still from here on.
    pool.world.crash("server-0")
    assert pool.call(cart, "add", "tea") == 3


def test_a_machine_that_joined_the_pool_later_becomes_a_replica_and_a_client(world: World) -> None:
    pool = Pool(world)
    pool.call(founded(pool), "add", "tea")
    pool.grow("late")
    administer(pool, "replace", "server-3", "late")
    settle(pool)
    assert held(pool, "late", 4) == {"tea": 1}
    proxy = pool.proxy("late")
    assert pool.node("late").call(proxy.issue_request, "add", ["tea"], "cart") == 2


def test_a_machine_can_become_a_client_alone(world: World) -> None:
    pool = Pool(world)
    pool.call(founded(pool), "add", "tea")
    pool.grow("late")
    told = administer(pool, "add", "late", client_only=True)
    assert (told["words"], told["members"]) == ("late came", [0, 1, 2, 3])
    settle(pool)
    proxy = pool.proxy("late")
    request = ("add", ["tea"], "cart")
    assert pool.node("late").call(proxy.issue_request, *request) == 2


def test_three_servers_more_tolerate_one_fault_more_which_only_the_operator_gives_up(
    world: World,
) -> None:
    pool = Pool(world, servers=7)
    cart = founded(pool)
    for number, tolerated in ((4, 1), (5, 1), (6, 2)):
        assert administer(pool, "add", f"server-{number}")["tolerates"] == tolerated
    settle(pool)
    with pytest.raises(PoolError, match=r"^6 servers tolerate 1 fault, and .* is to tolerate 2: "):
        administer(pool, "remove", "6")
    for name in ("server-1", "server-5"):
        pool.world.crash(name)
    assert pool.call(cart, "add", "tea") == 1
    for name in ("server-1", "server-5"):
        pool.world.restart(name)
    settle(pool)
    assert administer(pool, "remove", "6", faults=1)["tolerates"] == 1


def test_who_was_replaced_while_it_was_down_stops_when_it_is_back(pool: Pool) -> None:
    cart = founded(pool)
    pool.world.crash("server-2")
    administer(pool, "replace", "2", "server-4")
    pool.call(cart, "add", "tea")
    pool.world.restart("server-2")
    settle(pool)
    member = pool.node("server-2").call(vista.service, pool_service(POOL))
    told = pool.node("server-2").call(member.get_status)
    assert (told["servers"], told["proxies"]) == ({}, {})
    # And it is no replica after a restart either.
    pool.world.crash("server-2")
    pool.world.restart("server-2")
    pool.world.pass_time(3.0)
    member = pool.node("server-2").call(vista.service, pool_service(POOL))
    assert pool.node("server-2").call(member.get_status)["servers"] == {}


def test_one_that_left_comes_back_under_another_number(pool: Pool) -> None:
    cart = founded(pool)
    administer(pool, "replace", "2", "server-4")
    settle(pool)
    administer(pool, "replace", "server-3", "server-2")
    settle(pool)
    pool.call(cart, "add", "tea")
    pool.world.pass_time(1.0)
    assert pool.status("server-2")["members"] == [0, 1, 4, 5]
    assert held(pool, "server-2", 5) == {"tea": 1}
    proxy = pool.proxy("server-2")
    assert pool.node("server-2").call(proxy.issue_request, "add", ["tea"], "cart") == 2


def test_a_replica_that_was_away_during_changes_comes_back_by_itself(world: World) -> None:
    pool = Pool(world, servers=6)
    cart = founded(pool)
    pool.world.crash("server-1")
    administer(pool, "replace", "2", "server-4")
    settle(pool)
    administer(pool, "replace", "3", "server-5")
    settle(pool)
    pool.call(cart, "add", "tea")
    pool.world.restart("server-1")
    settle(pool)
    told = pool.status("server-1")
    assert (told["epoch"], told["members"], told["voting"]) == (2, [0, 1, 4, 5], True)
    assert held(pool, "server-1", 1) == {"tea": 1}


def test_the_group_comes_back_whole_when_every_machine_was_killed_after_changes(
    world: World,
) -> None:
    pool = Pool(world, servers=5)
    cart = founded(pool, "crash")
    for who, node in (("0", "server-3"), ("1", "server-4")):
        administer(pool, "replace", who, node)
        settle(pool)
    pool.call(cart, "add", "tea")
    for name in pool.names:
        pool.world.crash(name)
    for name in pool.names:
        pool.world.restart(name)
    settle(pool)
    assert pool.call(founded(pool, "crash"), "add", "tea") == 2
    assert administer(pool, "describe_group")["members"] == [2, 3, 4]


def test_clients_find_a_group_of_which_no_founder_is_left(world: World) -> None:
    pool = Pool(world, servers=9)
    cart = founded(pool)
    for number in range(4):
        administer(pool, "replace", str(number), f"server-{number + 4}")
        # All proxies ask the group for something every half minute, and so hear of it.
        pool.world.pass_time(9.0)
        pool.world.crash(f"server-{number}")
    assert pool.call(cart, "add", "tea") == 1
    # One that asked for none of the changes, and starts again.
    pool.world.crash("server-8")
    pool.world.restart("server-8")
    pool.world.pass_time(5.0)
    proxy = pool.proxy("server-8")
    assert pool.node("server-8").call(proxy.issue_request, "add", ["tea"], "cart") == 2


def test_a_client_whose_disk_is_full_while_the_group_changes_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool(world, servers=6, members={"server-5": CrampedPoolMember})
    founded(pool)
    path, proxy = f"{FOLDER}/{MEMBERSHIP_FILE}", pool.proxy("server-5")
    monkeypatch.setattr(CrampedPlace, "full", True)
    administer(pool, "add", "server-4")
    settle(pool)
    node, told = pool.node("server-5"), ("add", ["tea"], "cart")
    assert [node.call(lambda: proxy.issue_request(*told)) for _ in range(3)] == [1, 2, 3]
    assert "is not kept for the next start, which is tried again" in caplog.text
    assert "raised OSError" not in caplog.text
    assert path not in TIN.files["server-5"]
    monkeypatch.setattr(CrampedPlace, "full", False)
    settle(pool, 40.0)
    assert path in TIN.files["server-5"]


def test_a_group_of_crash_only_replicas_is_changed_as_well(world: World) -> None:
    pool = Pool(world, servers=4)
    cart = founded(pool, "crash")
    administer(pool, "replace", "0", "server-3")
    settle(pool)
    pool.world.crash("server-1")
    assert pool.call(cart, "add", "tea") == 1
    assert held(pool, "server-3", 3) == {"tea": 1}


# --- refusals ------------------------------------------------------------------------------


def test_a_change_that_would_tolerate_fewer_faults_is_refused(standing: Pool) -> None:
    words = r"^3 servers tolerate no fault, and group 'carts' is to tolerate 1: add a server first"
    with pytest.raises(PoolError, match=words):
        administer(standing, "remove", "2")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("add", "server-9"), r"^no machine 'server-9' in pool 'carts'; there are front, server-0"),
        (("add", "server-1"), r"^server-1 is replica 1 already$"),
        (("replace", "9", "server-4"), r"has no replica '9'; its replicas are 0, 1, 2, 3\."),
        (("remove", "server-4"), r"has no replica 'server-4'; its replicas are 0, 1, 2, 3\."),
    ],
    ids=["unknown", "twice", "number", "spare"],
)
def test_changes_that_mean_nobody_are_refused(
    standing: Pool, args: tuple[str, ...], words: str
) -> None:
    with pytest.raises(PoolError, match=words):
        administer(standing, *args)


def test_a_machine_that_does_not_take_the_groups_classes_is_refused(world: World) -> None:
    pool = Pool(world, 3, {"late": ClasslessPoolMember})
    founded(pool, "crash")
    pool.grow("late")
    with pytest.raises(vista.NoSuchClass, match=r"^late lacks class PoolCart, and does not take"):
        administer(pool, "replace", "2", "late")
    assert administer(pool, "describe_group")["members"] == [0, 1, 2]


def test_a_machine_that_has_another_group_pinned_is_refused(world: World) -> None:
    pool = Pool(world)
    founded(pool)
    pool.grow("late")
    text = TIN.files["front"][f"{FOLDER}/{CHARTER_FILE}"]
    other = text.replace(b'"nonce": "', b'"nonce": "0')
    TIN.files["late"][f"{FOLDER}/{CHARTER_FILE}"] = other
    with pytest.raises(PinnedKeyError, match=r"^late has another group pinned under the name"):
        administer(pool, "replace", "2", "late")


def test_a_group_is_changed_on_the_machine_that_founded_it(standing: Pool) -> None:
    member = standing.node("server-0").call(vista.service, pool_service(POOL))
    with pytest.raises(vista.AccessDenied, match=r"^group 'carts' is changed on the machine that"):
        standing.node("server-0").call(member.get_administrator, POOL)


def test_a_machine_has_another_key_for_each_number_it_comes_under(standing: Pool) -> None:
    text, node = administer(standing, "get_charter"), standing.node("server-1")
    member = node.call(vista.service, pool_service(POOL))
    keys = [node.call(member.replica_key, text, number) for number in (4, 5)]
    assert len({*keys, node.call(member.offer, POOL)["replica_key"]}) == 3


def test_a_charter_of_before_there_were_administrators_is_read_and_has_none(standing: Pool) -> None:
    told = json.loads(administer(standing, "get_charter"))
    del told["administrators"], told["machines"], told["reads"]
    charter = read_charter(json.dumps({**told, "format": 1}))
    assert charter.administrators == {}
    assert json.loads(charter.text()) == {**told, "format": 1}
    assert read_charter(charter.text()) == charter


def test_what_no_administrator_signed_makes_nobody_a_replica(world: World) -> None:
    pool = Pool(world)
    founded(pool)
    pool.grow("late")
    text = TIN.files["front"][f"{FOLDER}/{CHARTER_FILE}"].decode()
    member = pool.node("late").call(vista.service, pool_service(POOL))
    row = [7, 7, 9, [[number, b""] for number in range(4)], []]
    for method, args in (
        ("join", (text, 8, row, bytes(64))),
        ("take_membership", (text, row, b"")),
    ):
        with pytest.raises(vista.AccessDenied, match=r"^no administrator of group 'carts' signed"):
            pool.node("late").call(vista.send, member, method, *args)


# --- machines that lie ---------------------------------------------------------------------


def test_what_was_signed_for_one_machine_starts_a_replica_on_no_other(world: World) -> None:
    pool = Pool(world, 3, {"late": PoolParrot})
    cart = founded(pool, "crash")
    pool.grow("late")
    administer(pool, "add", "late")
    late = pool.node("late")
    heard = late.call(late.call(vista.service, pool_service(POOL)).get_heard)
    other = pool.node("server-1").call(lambda: vista.id_of(vista.service(pool_service(POOL))))
    with pytest.raises(vista.AccessDenied, match=r"^no administrator of group 'carts' signed"):
        late.call(vista.send, other, "join", *heard)
    # The machine never heard that it came: asked again, it does, and the other one leaves.
    told = administer(pool, "replace", "1", "late")
    assert told["members"] == [0, 2, 3]
    assert pool.call(cart, "add", "tea") == 1


def test_machines_that_lie_come_and_leave_for_nobody_else(world: World) -> None:
    members = {"thief": ThiefPoolMember, "twin": TwinPoolMember, "babbler": BabblingPoolMember}
    pool = Pool(world, 3, members)
    cart = founded(pool, "crash")
    pool.grow("twin", "thief", "babbler")
    with pytest.raises(PoolError, match=r"^2 machines of the pool say that they are 'server-2'"):
        administer(pool, "remove", "server-2")
    with pytest.raises(PoolError, match=r"^server-1 and server-2 say that they are replica 1, and"):
        administer(pool, "remove", "server-1")
    with pytest.raises(PinnedKeyError, match=r"^thief shows key .* for administrator-"):
        administer(pool, "add", "thief", client_only=True)
    assert administer(pool, "describe_group")["members"] == [0, 1, 2]
    assert pool.call(cart, "add", "tea") == 1


def test_a_replica_that_boasts_holds_up_neither_backups_nor_others_that_start_anew(
    world: World,
) -> None:
    pool = Pool(world, 4, {"server-0": BoastingPoolMember})
    pool.call(founded(pool), "add", "tea")
    told = administer(pool, "renew", "1")
    assert told["words"] == "replica 1 started again from its disk"

    def ask() -> Backup:
        group, administrator = find_administrator(vista.here(), "")
        return fetch(vista.here(), group, administrator, administrator.make_checkpoint())

    assert pool.front.call(ask).stable.sequence >= 4


# --- who leads -----------------------------------------------------------------------------


def test_another_replica_leads_and_nobody_was_suspected(standing: Pool) -> None:
    before = standing.status("server-0")["primary"]
    told = administer(standing, "hand_over")
    assert (told["before"], told["primary"]) == (before, (before + 1) % 4)
    chosen = (before + 3) % 4
    assert administer(standing, "hand_over", f"server-{chosen}")["primary"] == chosen
    assert {standing.status(f"server-{number}")["primary"] for number in range(4)} == {chosen}
    assert all("suspect" not in kinds(standing, f"server-{number}") for number in range(4))


def test_nobody_waits_for_a_patience_to_end_while_another_replica_leads(standing: Pool) -> None:
    pool, cart = standing, founded(standing)
    waits: list[float] = []
    over = False

    def work() -> None:
        while not over:
            begin = pool.world.hub.now
            cart.add("tea")
            waits.append(pool.world.hub.now - begin)

    pool.front.spawn(work)
    for _ in range(3):
        administer(pool, "hand_over")
        pool.world.pass_time(0.3)
    over = True
    assert len(waits) > 3
    # The least time a backup waits for a primary before it suspects it is a second.
    assert max(waits) < Config().view_seconds


def test_a_replica_that_does_not_run_is_not_given_the_lead(pool: Pool) -> None:
    founded(pool)
    pool.world.crash("server-1")
    pool.world.pass_time(3.0)
    with pytest.raises(PoolError, match=r"^replica 1 is not well: it cannot lead$"):
        administer(pool, "hand_over", "1")
    assert administer(pool, "hand_over")["primary"] == 2


def test_what_an_operator_gave_up_before_it_was_asked_for_is_not_done(pool: Pool) -> None:
    founded(pool)
    for name in ("server-0", "server-3"):
        pool.world.crash(name)

    def hurried() -> vista.Ref:
        administrator: vista.Ref = vista.service(pool_service(POOL)).get_administrator(POOL)
        with contextlib.suppress(vista.CallTimeout), vista.timeout(1.0):
            administrator.describe_group()
        return administrator

    # The first is under way, and the second waits for its end.
    refs = [pool.front.call(hurried) for _ in range(2)]
    assert pool.front.kernel.record_of(refs[1]).instance._wish == b""
    for name in ("server-0", "server-3"):
        pool.world.restart(name)
    settle(pool, 20.0)
    assert administer(pool, "describe_group")["members"] == [0, 1, 2, 3]


# --- starting anew -------------------------------------------------------------------------


def test_a_replica_starts_again_from_its_disk_and_what_was_wrong_in_memory_is_gone(
    standing: Pool,
) -> None:
    pool, cart = standing, founded(standing)
    for _ in range(5):
        pool.call(cart, "add", "tea")
    pool.world.pass_time(1.0)
    right = held(pool, "server-1", 1)
    server = pool.front.call(vista.service, service_name(POOL, 2))
    pool.front.call(server.spoil, "cart", {"owner": "thief", "items": {}})
    told = administer(pool, "renew", "server-2")
    assert told["words"] == "replica 2 started again from its disk"
    pool.world.pass_time(1.0)
    assert pool.status("server-2")["starts"] == 2
    assert held(pool, "server-2", 2) == right


def test_the_one_that_leads_hands_over_before_it_starts_anew(standing: Pool) -> None:
    pool, leads = standing, standing.status("server-0")["primary"]
    administer(pool, "renew", str(leads))
    assert pool.status("server-0")["primary"] != leads
    pool.call(founded(pool), "add", "tea")
    assert all("suspect" not in kinds(pool, f"server-{number}") for number in range(4))


def test_none_starts_anew_while_another_one_is_down(pool: Pool) -> None:
    founded(pool)
    pool.world.crash("server-3")
    pool.world.pass_time(3.0)
    with pytest.raises(PoolError, match=r"^replica 3 is not well: while one is missing none is"):
        administer(pool, "renew", "1")
    assert pool.status("server-1")["starts"] == 1


def test_two_do_not_start_anew_at_once(standing: Pool) -> None:
    # A disk on which starting takes a while.
    standing.world.medium("server-1").sync_seconds = 0.5
    first = standing.front.spawn(lambda: administer(standing, "renew", "1"))
    standing.world.pass_time(0.2)
    with pytest.raises(PoolError, match=r"^group 'carts' is being changed, or a replica of"):
        administer(standing, "renew", "2")
    standing.world.drive(first.done, 60.0)


def test_replicas_start_anew_in_turn_on_a_schedule_and_wait_for_one_that_is_down(
    world: World,
) -> None:
    pool = Pool(world, servers=3)
    founded(pool, "crash")
    pool.world.crash("server-2")
    pool.front.call(lambda: vista.create("RecoverReplicas", POOL, 0.01))
    pool.world.pass_time(45.0)
    starts = [pool.status(f"server-{number}")["starts"] for number in range(2)]
    assert starts == [1, 1]
    pool.world.restart("server-2")
    pool.world.pass_time(58.0)
    starts = [pool.status(f"server-{number}")["starts"] for number in range(3)]
    assert starts == [2, 2, 2]


def test_a_node_that_looks_after_groups_stops_at_once(world: World) -> None:
    pool = Pool(world, servers=3)
    founded(pool, "crash")
    pool.front.call(lambda: vista.create("RecoverReplicas", POOL, 0.01))
    pool.world.pass_time(SETTLE_SECONDS)
    for name in ("server-1", "front"):
        began = pool.world.time
        pool.node(name).stop()
        assert pool.world.time - began < 0.2


def test_nobody_else_puts_off_whose_turn_it_is_to_start_anew(world: World) -> None:
    pool = Pool(world, servers=3)
    founded(pool, "crash")
    schedule = pool.front.call(lambda: vista.create("RecoverReplicas", POOL, 0.01))
    made = pool.front.kernel.record_of(schedule).instance
    for _ in range(45):
        pool.front.call(lambda: schedule.timer_expired(made._timer), user="guest")
        pool.world.pass_time(1.0)
    assert pool.status("server-0")["starts"] == 2


def test_a_schedule_is_for_groups_that_were_founded_here(standing: Pool) -> None:
    with pytest.raises(vista.BadValueError, match=r"^no group 'x' was founded on this node$"):
        standing.front.call(lambda: vista.create("RecoverReplicas", "x"))
    with pytest.raises(vista.BadValueError, match=r"^hours are 0\.01 to 8784\.0, not 0\.0$"):
        standing.front.call(lambda: vista.create("RecoverReplicas", POOL, 0.0))


# --- the command ---------------------------------------------------------------------------


def command(pool: Pool, *words: str) -> dict[str, Any]:
    """Carry out ``vista solidstate`` with words, by way of the last server."""
    options = read_words([words[0], "-", *words[1:]])
    told: dict[str, Any] = pool.node("server-3").call(lambda: carry_out(options, vista.here()))
    return told


def test_the_command_asks_the_founders_machine_from_any_other(pool: Pool) -> None:
    founded(pool)
    words = [
        command(pool, "handover", "2")["words"],
        command(pool, "recover", "server-1")["words"],
        command(pool, "replace", "0", "server-4")["words"],
    ]
    assert words == [
        "replica 2 leads, after replica 0",
        "replica 1 started again from its disk",
        "server-4 as replica 4 took the place of replica 0",
    ]
    settle(pool)
    assert command(pool, "recover")["replicas"] == ["1", "2", "3", "4"]


def test_the_command_says_when_the_founders_machine_is_not_reached(pool: Pool) -> None:
    words = r"^the machine that founded the group that is meant has to be reached .* are: none$"
    with pytest.raises(SolidStateError, match=words):
        command(pool, "recover")
    founded(pool)
    words = r"^the machine that founded group 'x' has to be reached .* are: carts$"
    with pytest.raises(SolidStateError, match=words):
        command(pool, "recover", "--group", "x")


def test_a_user_of_another_node_changes_nothing(pool: Pool) -> None:
    founded(pool)
    member = pool.front.call(vista.service, pool_service(POOL))
    with pytest.raises(vista.AccessDenied, match=r"^a group is changed by .*, and not by mallory$"):
        pool.front.call(member.get_administrator, POOL, user="mallory")


# --- figures -------------------------------------------------------------------------------


def told_figures(pool: Pool, name: str) -> dict[tuple[str, ...], float]:
    """What a server tells a page of metrics: by name and the values of the labels."""
    service = pool_service(POOL)
    rows = pool.node(name).call(lambda: vista.service(service).get_figures())
    return {
        (figure, *(labels[key] for key in sorted(labels))): value
        for figure, _, _, labels, value in rows
    }


def test_the_figures_of_a_group_are_told_to_pages_of_metrics(pool: Pool) -> None:
    cart = founded(pool)
    for _ in range(5):
        pool.call(cart, "add", "tea")
    pool.world.pass_time(1.0)
    found = told_figures(pool, "server-0")
    assert found["vista_solidstate_leads", POOL, "0"] == 1
    assert found["vista_solidstate_executed", POOL, "0"] >= 6
    assert found["vista_solidstate_behind", POOL, "0"] == 0
    assert found["vista_solidstate_starts", POOL, "0"] == 1
    assert told_figures(pool, "front")["vista_solidstate_proxy_requests", POOL] >= 6
    pool.world.crash("server-0")
    pool.call(cart, "add", "tea")
    found = told_figures(pool, "server-1")
    # Those who suspect first take the others along.
    kind = ("vista_solidstate_reports", POOL, "suspect")
    told = [told_figures(pool, f"server-{number}") for number in (1, 2, 3)]
    assert any((*kind, str(number)) in one for number, one in enumerate(told, 1))
    assert found["vista_solidstate_leads", POOL, "1"] == 1
    assert found["vista_solidstate_view", POOL, "1"] == 1


def test_who_looks_at_a_replica_sees_how_it_is(pool: Pool) -> None:
    cart = founded(pool)
    pool.call(cart, "add", "tea")
    pool.world.pass_time(1.0)
    server = pool.front.call(vista.service, service_name(POOL, 2))
    pool.front.call(server.spoil, "cart", {"owner": "thief", "items": {}})
    for _ in range(12):
        pool.call(cart, "add", "tea")
    pool.world.pass_time(10.0)
    names = pool.front.call(server.describe_instance_variables)
    shown = pool.front.call(lambda: server.extract_instance_variables(outline_characters_max=300))
    assert list(shown) == list(names)
    assert (shown["state"], shown["suspected"], shown["diverged"]) == ("'ok'", "0", "1")
    assert "cart: variable items is " in shown["differences"]
    assert pool.front.call(server.extract_instance_variables, "id", "mode") == {
        "id": 2,
        "mode": "byzantine",
    }
    with pytest.raises(vista.BadValueError, match=r"^no instance variable 'x'; there are ails, "):
        pool.front.call(server.extract_instance_variables, "x")
