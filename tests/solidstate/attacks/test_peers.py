"""Peers with the right to call, at machines that say for whom they do something.

What they must not reach: groups that are founded at their word, requests in another machine's name,
a class that stops all replicas, threads and places that grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.errors import RefusedOperationError
from apps.solidstate.objects.charter import Charter
from apps.solidstate.objects.identity import CHARTER_FILE
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import folder_of
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from tests.peers.system import KIN, join, stranger
from tests.solidstate.attacks.hostile import act, server_of
from tests.solidstate.objects.pool import POOL, TIN, Pool, SimulatedPoolMember, make_world, use

FOLDER = folder_of(POOL)


def pinned_text(node: str) -> str:
    """The charter that a machine has pinned."""
    return TIN.files[node][f"{FOLDER}/{CHARTER_FILE}"].decode()


class ClosedPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine that does what only its own user and page visitors ask for."""

    def create(self, pool: str, directory: str = "solidstate-data", users: str = "*") -> None:
        super().create(pool, directory, "guest, visitor-*")


@pytest.fixture(scope="module")
def closed() -> Iterator[Pool]:
    """A pool whose machines say who may use them, with a group."""
    with make_world(42) as world:
        pool = Pool(world, 4, dict.fromkeys(("front", "server-0"), ClosedPoolMember))
        pool.found()
        yield pool


def as_user(pool: Pool, user: str, function: Any) -> Any:
    return pool.front.call(function, user=user)


REFUSED = r" for .* and users that match 'guest, visitor-\*', and not for server-2: the line"


@pytest.mark.parametrize("name", ["take_charter", "take_origin", "offer_counter"])
def test_a_user_who_may_not_founds_no_group_here(closed: Pool, name: str) -> None:
    member = closed.front.call(vista.service, pool_service(POOL))
    text = pinned_text("front").replace('"carts"', '"orders"')
    args = {
        "take_charter": (text,), "take_origin": ("orders", 0, b"x"), "offer_counter": ("orders",),
    }  # fmt: skip
    with pytest.raises(vista.AccessDenied, match=rf"^groups are founded here{REFUSED}"):
        as_user(closed, "server-2", lambda: vista.send(member, name, *args[name]))
    assert f"{folder_of('orders')}/{CHARTER_FILE}" not in TIN.files["front"]


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("issue_request", ("add", ["tea"], "cart")),
        ("call_variable", ("cart", "add", ["tea"], {})),
        ("set_next_request_id", (0,)),
        ("raise_wait_limit", (9,)),
        ("initialize", ([], "orders")),
        ("make_state_variable", ("PoolCart", "mine")),
        ("get_state_variable", ("mine",)),
        ("retire_state_variables", ()),
        ("drop_state_variable", ("cart",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_user_who_may_not_asks_by_no_proxy_of_this_machine(
    closed: Pool, method: str, args: tuple[Any, ...]
) -> None:
    proxy = closed.proxy("front")
    before = closed.front.call(proxy.get_status)
    with pytest.raises(vista.AccessDenied):
        as_user(closed, "server-2", lambda: vista.send(proxy, method, *args))
    assert closed.front.call(proxy.get_status) == before


THIEF = b"t" * 32
"""The secret key of a peer that is somebody else's."""


@pytest.mark.parametrize("users", [(), ("thief,guest",)], ids=["by-default", "named"])
def test_a_peer_with_a_key_of_its_own_is_refused_unless_the_line_names_it(
    tmp_path: Path, users: tuple[str, ...]
) -> None:
    with make_world(43) as world:
        use(world)
        machine = stranger(world, tmp_path, "machine", KIN, {THIEF: "thief call"})
        thief = stranger(world, tmp_path, "thief", THIEF, {KIN: "machine call"})
        member = machine.call(lambda: vista.create(SimulatedPoolMember, POOL, "data", *users))
        id = machine.call(vista.id_of, member)
        # A visitor of a page is no peer, whatever is said about peers.
        assert machine.call(member.offer_counter, "orders", user="guest")
        join(thief, machine)
        if users:
            assert thief.call(vista.send, id, "offer_counter", "others")
            return
        for method, args in (("offer_counter", ("others",)), ("take_origin", ("orders", 0, b"x"))):
            with pytest.raises(
                vista.AccessDenied,
                match=r"^groups are founded here for of_machine and visitors, and not for thief, "
                r"who is a peer with a key of its own: ",
            ):
                thief.call(vista.send, id, method, *args)
        with pytest.raises(vista.AccessDenied, match=r"^groups are founded here for of_machine"):
            thief.call(vista.send, id, "take_membership", *made_up(POOL))


def made_up(group: str) -> tuple[str, list[Any], bytes]:
    """A group that somebody made up, signed by its administrator."""
    seeds = [bytes([number]) * 32 for number in range(5)]
    rings = [Ed25519Keyring(b"", seed, {}) for seed in seeds]
    replicas = tuple(ring.public_key for ring in rings[:3])
    clients, root = {"c": rings[3].public_key}, rings[4].public_key
    charter = Charter(
        group, "f" * 32, "crash", 1, replicas, clients, "c", {"root": root}, ("c",) * 3
    )
    row = charter.founders().row
    signer = Ed25519Keyring(charter.digest, seeds[4], {})
    return charter.text(), row, signer.sign(pack(["membership", row]))


def test_a_user_who_may_not_uses_no_variable_of_this_machine_and_visitors_may(
    closed: Pool,
) -> None:
    cart = closed.front.call(vista.service, "cart")
    with pytest.raises(vista.AccessDenied, match=rf"^group 'carts' is asked here{REFUSED}"):
        as_user(closed, "server-2", lambda: cart.add("rum"))
    for count, user in enumerate(("guest", "visitor-7"), 1):
        assert as_user(closed, user, lambda: cart.add("rum")) == count


def test_who_is_not_the_nodes_own_user_stops_no_replica_by_a_class(closed: Pool) -> None:
    # The founder's machine signs for him, and the class is one that the servers need not have.
    proxy = closed.proxy("front")
    with pytest.raises(RefusedOperationError, match=r"is brought into the group by"):
        as_user(closed, "guest", lambda: proxy.make_state_variable("PoolTray", "tray"))
    with pytest.raises(vista.AccessDenied, match=r"^state variables are dropped by "):
        as_user(closed, "guest", lambda: proxy.drop_state_variable("cart"))
    assert closed.call(closed.front.call(vista.service, "cart"), "add", "gin") == 1


def test_messages_that_make_a_machine_look_after_groups_make_no_threads(closed: Pool) -> None:
    member = closed.front.call(vista.service, pool_service(POOL))
    timer = closed.front.kernel.record_of(member).instance._timers[POOL]

    def pester() -> int:
        for group in (POOL, "nobody's"):
            for _ in range(50):
                member.timer_expired.post(timer, group)
                member.timer_expired.post(member, group)
                member.announce.post(group)
        vista.sleep(20.0)
        return busy()

    def busy() -> int:
        timers = [row for row in vista.objects() if row.class_name.endswith("TimerEvent")]
        return len(vista.threads()) + len(timers)

    before = closed.front.call(busy)
    assert closed.front.call(pester) <= before + 2


def test_places_of_replicas_that_are_none_are_not_kept(closed: Pool) -> None:
    member = closed.front.call(vista.service, pool_service(POOL))
    somebody = closed.front.call(vista.here)

    def tell() -> None:
        member.note_replica_oids(POOL, [somebody] * 5_000)

    closed.front.call(tell)
    proxy = closed.front.kernel.record_of(closed.proxy("front"))
    assert len(proxy.instance._mail._addresses) <= 4
    assert closed.call(closed.front.call(vista.service, "cart"), "add", "lime") == 1
    assert act(closed, server_of(closed, 0), "get_status")["runs"]
