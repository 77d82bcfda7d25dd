"""A client with valid keys that says to replicas what it likes, in a group of four.

What it must not reach: anything in another client's name, anything done twice, others kept waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.objects.mail import CLIENT_MESSAGES_MAX
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.encoding import NUMBER_MAX, encode
from apps.solidstate.pbft.messages import FetchHandovers, FetchStanding, Request, Status
from tests.solidstate.attacks.hostile import HostilePoolMember, act
from tests.solidstate.objects.pool import POOL, Pool, PoolBell, make_world

ALL = [0, 1, 2, 3]


class DeafBell(PoolBell):
    """A receiver that does not answer."""

    def hear(self, word: str, key: str) -> None:
        vista.sleep(10_000.0)


class ClosedBell(PoolBell):
    """A receiver that answers no such message."""

    def hear(self, word: str, key: str) -> None:
        raise vista.NoSuchMethod("it has none")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """A group; the clients of two machines are somebody else's, and their replicas are not."""
    with make_world(51) as world:
        evil = dict.fromkeys(("server-2", "server-3"), HostilePoolMember)
        made = Pool(world, members=evil)
        made.found()
        yield made


@pytest.fixture
def evil(pool: Pool) -> vista.Ref:
    """Its client."""
    return pool.proxy("server-3")


def count(pool: Pool, name: str) -> int:
    found: int = pool.call(pool.front.call(vista.service, "cart"), "list_items").get(name, 0)
    return found


def assert_goes_on(pool: Pool, thing: str) -> None:
    before = count(pool, thing)
    cart = pool.front.call(vista.service, "cart")
    assert pool.call(cart, "add", thing) == before + 1


def call_of(thing: str) -> list[Any]:
    return ["call", "cart", "add", [thing], {}, None]


def evil_act(pool: Pool, evil: vista.Ref, method: str, *args: Any) -> Any:
    """Have the client do something on its own machine."""
    return pool.node("server-3").call(lambda: vista.send(evil, method, *args))


# --- names and numbers ---------------------------------------------------------------------


def test_a_request_in_the_name_of_another_client_is_not_executed(
    pool: Pool, evil: vista.Ref
) -> None:
    victim = pool.front.call(pool.proxy("front").get_status)["client"]
    request = evil_act(pool, evil, "sign_request", victim, NUMBER_MAX, call_of("stolen"))
    evil_act(pool, evil, "say", ALL, [request])
    assert_goes_on(pool, "salt")
    assert count(pool, "stolen") == 0


def test_a_number_of_the_far_future_shuts_out_its_own_client_alone(
    pool: Pool, evil: vista.Ref
) -> None:
    name = evil_act(pool, evil, "get_status")["client"]
    request = evil_act(pool, evil, "sign_request", name, 2**62, call_of("future"))
    evil_act(pool, evil, "say", ALL, [request])
    pool.world.pass_time(2.0)
    assert count(pool, "future") == 1
    assert_goes_on(pool, "soap")


def test_a_request_that_comes_again_is_executed_once(pool: Pool, evil: vista.Ref) -> None:
    name = evil_act(pool, evil, "get_status")["client"]
    request = evil_act(pool, evil, "sign_request", name, 2**62 + 1, call_of("twice"))
    for _ in range(5):
        evil_act(pool, evil, "say", ALL, [request] * 20)
        pool.world.pass_time(0.5)
    assert count(pool, "twice") == 1
    assert_goes_on(pool, "soap")


def test_of_two_requests_under_one_number_one_is_executed_everywhere(
    pool: Pool, evil: vista.Ref
) -> None:
    name = evil_act(pool, evil, "get_status")["client"]
    for half, thing in ((ALL[:2], "heads"), (ALL[2:], "tails")):
        request = evil_act(pool, evil, "sign_request", name, 2**62 + 2, call_of(thing))
        evil_act(pool, evil, "say", half, [request])
    pool.world.pass_time(5.0)
    assert count(pool, "heads") + count(pool, "tails") == 1
    assert_goes_on(pool, "pepper")
    pool.world.pass_time(1.0)
    assert all(pool.status(f"server-{one}")["counts"].get("diverged", 0) == 0 for one in range(4))


def test_a_request_whose_seal_is_right_for_some_replicas_alone_is_valid_for_all_or_none(
    pool: Pool, evil: vista.Ref
) -> None:
    name = evil_act(pool, evil, "get_status")["client"]
    right = evil_act(pool, evil, "sign_request", name, 2**62 + 3, call_of("half"))
    evil_act(pool, evil, "say", [1], [right])
    evil_act(pool, evil, "say", [0, 2, 3], [right], False)
    pool.world.pass_time(5.0)
    assert count(pool, "half") == 1
    forged = Request(name, 2**62 + 4, pack([vista.encode_value(call_of("unsigned"))]), False, 0)
    evil_act(pool, evil, "say", ALL, [encode(forged)])
    assert_goes_on(pool, "oil")
    assert count(pool, "unsigned") == 0


def test_what_only_replicas_say_is_worth_nothing_from_a_client(pool: Pool, evil: vista.Ref) -> None:
    before = pool.status("server-0")["counts"].get("suspect", 0)
    said = [
        encode(Status(NUMBER_MAX, True, 10**6, 10**6)), encode(FetchStanding(bytes(32))),
        encode(FetchHandovers(0)), b"\xc1",
    ]  # fmt: skip
    for _ in range(20):
        evil_act(pool, evil, "say", ALL, said)
    assert_goes_on(pool, "vinegar")
    assert pool.status("server-0")["counts"].get("suspect", 0) == before


def test_a_client_that_says_many_things_in_one_letter_is_not_heard(
    pool: Pool, evil: vista.Ref
) -> None:
    before = pool.status("server-0")["refused"]
    for many in (CLIENT_MESSAGES_MAX, CLIENT_MESSAGES_MAX + 1):
        evil_act(pool, evil, "say_at_once", 0, [encode(FetchHandovers(0))] * many)
    assert_goes_on(pool, "vinegar")
    assert pool.status("server-0")["refused"] == before + 1


# --- operations ----------------------------------------------------------------------------


def test_users_of_a_proxy_whose_bundle_was_too_much_are_all_answered(pool: Pool) -> None:
    cart = pool.front.call(vista.service, "cart")
    pool.call(cart, "add", "x" * 100_000)

    def many() -> list[int]:
        asked = [vista.future(cart, "list_items") for _ in range(40)]
        return [len(one.result()) for one in asked]

    found = pool.front.call(many)
    assert len(found) == 40 and len(set(found)) == 1
    assert_goes_on(pool, "jam")


# --- messages ------------------------------------------------------------------------------


def bell(pool: Pool, cls: type[PoolBell], name: str) -> vista.Ref:
    made: vista.Ref = pool.front.call(lambda: vista.create(cls))
    pool.front.call(vista.register_service, name, made)
    return made


def heard(pool: Pool, made: vista.Ref) -> list[str]:
    return [word for word, _ in pool.front.call(made.list_heard)]


def test_receivers_that_do_not_answer_hold_up_no_others(pool: Pool) -> None:
    bell(pool, DeafBell, "Deaf")
    good = bell(pool, PoolBell, "Good")
    cart = pool.front.call(vista.service, "cart")
    for _ in range(20):
        pool.call(cart, "announce_to", "Deaf", "anybody")
    pool.call(cart, "announce_to", "Good", "sold")
    # Were they tried one after the other, it would wait for three minutes.
    pool.world.pass_time(25.0)
    assert set(heard(pool, good)) == {"sold"}


def test_what_its_receiver_refuses_for_good_is_tried_no_more(pool: Pool) -> None:
    bell(pool, ClosedBell, "Closed")
    proxy = pool.proxy("front")
    pool.front.call(lambda: proxy.create_state_variable("PoolCart", "refused cart"))
    pool.front.call(lambda: proxy.issue_request("announce_to", ["Closed", "x"], "refused cart"))
    pool.world.pass_time(100.0)
    server = pool.front.call(vista.service, f"SolidState/{POOL}/0")
    record = pool.node("server-0").kernel.record_of(
        pool.node("server-0").call(vista.service, f"SolidState/{POOL}/0")
    )
    assert len(record.instance._service.variables["refused cart"].outbox) == 0
    assert act(pool, server, "get_status")["runs"]


def test_a_client_that_says_messages_were_delivered_keeps_them_from_nobody(pool: Pool) -> None:
    # Not the one that has used up its numbers.
    evil, node = pool.proxy("server-2"), pool.node("server-2")
    cart = pool.front.call(vista.service, "cart")
    pool.call(cart, "announce_to", "Later", "sold")
    pool.world.pass_time(1.0)
    founded, rows = node.call(lambda: evil.ask_raw(["outbox", "cart", 0]))
    mine = [row[0] for row in rows if row[1] == "Later"]
    assert mine
    for _ in range(3):
        node.call(lambda: evil.ask_raw(["delivered", "cart", founded, mine, mine]))
    later = bell(pool, PoolBell, "Later")
    pool.world.pass_time(70.0)
    assert set(heard(pool, later)) == {"sold"}
