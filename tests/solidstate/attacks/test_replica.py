"""A replica with valid keys and the whole protocol at its disposal, within a group of four.

What it must not reach: anything done that no client asked for, done twice, or answered wrongly;
others kept from going on; the group changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import vista
from apps.solidstate.objects.correspondent import LETTERS_MAX
from apps.solidstate.objects.mail import MESSAGES_MAX, pool_service, service_name
from apps.solidstate.operating import find_administrator
from apps.solidstate.pbft.canonical import digest_of, pack
from apps.solidstate.pbft.encoding import NUMBER_MAX, encode
from apps.solidstate.pbft.membership import reconfiguration
from apps.solidstate.pbft.messages import (
    FetchStanding,
    Member,
    Membership,
    Prepare,
    Reply,
    Request,
    Stable,
    Status,
    ViewChange,
)
from tests.solidstate.attacks.hostile import (
    HostilePoolMember,
    act,
    server_of,
)
from tests.solidstate.objects.pool import POOL, Pool, make_world

EVIL, GOOD = 3, (0, 1, 2)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two groups, in which replica 3 is on a machine that somebody else has."""
    with make_world(31) as world:
        made = Pool(world, members={"server-3": HostilePoolMember})
        made.found()
        made.found(POOL, 1, "PoolCart", "other cart", [], "ReplicaClientProxy", "other")
        yield made


@pytest.fixture
def evil(pool: Pool) -> vista.Ref:
    """The replica."""
    return server_of(pool, EVIL)


def cart_of(pool: Pool) -> vista.Ref:
    found: vista.Ref = pool.front.call(vista.service, "cart")
    return found


def count(pool: Pool, name: str) -> int:
    """How many of a thing are in the cart, as the group says."""
    found: int = pool.call(cart_of(pool), "list_items").get(name, 0)
    return found


def refused(pool: Pool, number: int) -> int:
    found: int = pool.status(f"server-{number}")["refused"]
    return found


def assert_goes_on(pool: Pool, thing: str) -> None:
    """The group does what it is asked, once, and all good replicas have it so."""
    before = count(pool, thing)
    assert pool.call(cart_of(pool), "add", thing) == before + 1
    assert count(pool, thing) == before + 1
    pool.world.pass_time(1.0)
    held = [act(pool, server_of(pool, one), "get_variables", "cart")["items"] for one in GOOD]
    assert [items.get(thing, 0) for items in held] == [before + 1] * 3


# --- letters -------------------------------------------------------------------------------


def test_a_letter_under_the_name_of_another_replica_is_refused(pool: Pool, evil: vista.Ref) -> None:
    [letter] = act(pool, evil, "seal", 1, [encode(Status(NUMBER_MAX, True, 0, 0))])
    before = refused(pool, 1)
    for claimed in (0, 2, "front", True, None, 1, 99):
        act(pool, server_of(pool, 1), "take_mail", claimed, letter)
    assert refused(pool, 1) == before + 7
    assert_goes_on(pool, "stamps")


def test_a_letter_of_another_replica_is_worth_nothing_elsewhere(
    pool: Pool, evil: vista.Ref
) -> None:
    assert_goes_on(pool, "paper")
    letter = act(pool, evil, "heard_of", 0)
    before = refused(pool, 1)
    act(pool, server_of(pool, 1), "take_mail", 0, letter)
    assert refused(pool, 1) == before + 1


def test_a_letter_of_one_group_is_worth_nothing_in_another(pool: Pool, evil: vista.Ref) -> None:
    [letter] = act(pool, evil, "seal", 1, [encode(FetchStanding(bytes(32)))])
    other = server_of(pool, 1, "other")
    before = pool.status("server-1", "other")["refused"]
    act(pool, other, "take_mail", EVIL, letter)
    assert pool.status("server-1", "other")["refused"] == before + 1


def test_letters_that_come_again_and_again_do_nothing_again(pool: Pool, evil: vista.Ref) -> None:
    assert_goes_on(pool, "ink")
    for number in GOOD:
        # Of what it heard it can make no letter that another one opens: it says its own anew.
        said = [encode(Status(0, True, 0, 10**6)), encode(FetchStanding(bytes(32)))] * 20
        for _ in range(10):
            act(pool, evil, "say", number, said)
    assert_goes_on(pool, "ink")
    assert pool.status("server-0")["executed"] < 10**6


def test_a_letter_with_messages_without_end_is_refused_and_not_read(
    pool: Pool, evil: vista.Ref
) -> None:
    before = refused(pool, 0)
    act(pool, evil, "say", 0, [encode(FetchStanding(bytes(32)))] * (MESSAGES_MAX + 1))
    assert_goes_on(pool, "glue")
    assert refused(pool, 0) == before + 1


def test_letters_without_end_silence_nobody(pool: Pool, evil: vista.Ref) -> None:
    [letter] = act(pool, evil, "seal", 0, [encode(Status(0, True, 0, 0))])
    target = server_of(pool, 0)

    def flood() -> None:
        for _ in range(2 * LETTERS_MAX):
            target.take_mail.post(EVIL, letter)

    before = pool.status("server-0")["dropped"]
    pool.front.call(flood)
    assert_goes_on(pool, "string")
    assert pool.status("server-0")["dropped"] > before


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xc1", b"\xff" * 100, encode(Status(0, True, 0, 0))[:-1], pack(["status", "x"])],
    ids=["empty", "type", "ones", "cut", "other fields"],
)
def test_sealed_garbage_ends_nobody(pool: Pool, evil: vista.Ref, garbage: bytes) -> None:
    starts = [pool.status(f"server-{one}")["starts"] for one in GOOD]
    for number in GOOD:
        act(pool, evil, "say", number, [garbage])
    assert_goes_on(pool, "chalk")
    assert [pool.status(f"server-{one}")["starts"] for one in GOOD] == starts


# --- votes ---------------------------------------------------------------------------------


def test_a_vote_in_the_name_of_another_replica_counts_for_nobody(
    pool: Pool, evil: vista.Ref
) -> None:
    votes = []
    for claimed in GOOD:
        vote = Prepare(0, 10**6, b"d" * 32, claimed)
        votes.append(encode(replace(vote, signature=act(pool, evil, "sign", vote.body))))
    for number in GOOD:
        act(pool, evil, "say", number, votes)
    assert_goes_on(pool, "nails")


def test_one_replica_alone_has_nobody_leave_a_view(pool: Pool, evil: vista.Ref) -> None:
    before = pool.status("server-0")
    for view in (before["view"] + 1, before["view"] + 1_000, NUMBER_MAX):
        change = ViewChange(view, Stable(0, b"r" * 32, ()), (), EVIL)
        change = replace(change, signature=act(pool, evil, "sign", change.body))
        for number in GOOD:
            act(pool, evil, "say", number, [encode(change)])
    assert_goes_on(pool, "screws")
    after = pool.status("server-0")
    # Primaries take turns where the load changes, and that is no view change for it.
    assert after["counts"].get("suspect") == before["counts"].get("suspect")
    assert after["view"] <= before["view"] + 1


def test_a_request_that_a_replica_made_up_is_not_executed(pool: Pool, evil: vista.Ref) -> None:
    client = pool.front.call(pool.proxy("front").get_status)["client"]
    call = pack([vista.encode_value(["call", "cart", "add", ["forged"], {}, None])])
    request = Request(client, NUMBER_MAX, call, False, 0)
    request = replace(request, signature=act(pool, evil, "sign", request.body))
    for number in GOOD:
        act(pool, evil, "say", number, [encode(request)])
    assert_goes_on(pool, "wire")
    assert count(pool, "forged") == 0


# --- answers -------------------------------------------------------------------------------


def test_answers_to_clients_who_did_not_ask_are_not_believed(pool: Pool, evil: vista.Ref) -> None:
    forged = pack([vista.encode_value(["ok", "forged", 0])])
    status = pool.front.call(pool.proxy("front").get_status)
    now = status["requests"]
    for timestamp in (0, 10**6, NUMBER_MAX):
        reply = Reply(0, status["client"], timestamp, True, digest_of(forged), forged)
        for _ in range(4):
            act(pool, evil, "say", status["client"], [encode(reply)])
    pool.world.pass_time(1.0)
    assert pool.front.call(pool.proxy("front").get_status)["requests"] == now
    assert_goes_on(pool, "rope")


# --- the group -----------------------------------------------------------------------------


def test_a_replica_changes_nothing_of_the_group(pool: Pool, evil: vista.Ref) -> None:
    def charter() -> Any:
        return vista.service(pool_service(POOL)).get_administrator(POOL)

    administrator = pool.front.call(charter)
    name = f"administrator-{pool.front.call(pool.proxy('front').get_status)['client'][7:]}"
    before = Membership(0, 0, 4, tuple(Member(number, b"") for number in range(4)))
    wish = reconfiguration(before, {4: b"k" * 32}, [0], {})
    request = Request(name, NUMBER_MAX - 1, wish, False, 0)
    request = replace(request, signature=act(pool, evil, "sign", request.body))
    for number in GOOD:
        act(pool, evil, "say", number, [encode(request)])
    assert_goes_on(pool, "tar")
    told = pool.front.call(administrator.describe_group)
    assert (told["epoch"], told["members"]) == (0, [0, 1, 2, 3])


def test_the_machine_of_a_replica_does_not_become_the_administrator(pool: Pool) -> None:
    member = pool.node("server-3").call(vista.service, pool_service(POOL))
    with pytest.raises(vista.AccessDenied, match=r"^group 'carts' is changed on the machine that"):
        pool.node("server-3").call(member.get_administrator, POOL)


def checkpoint_of(pool: Pool) -> int:
    """Have the group make a checkpoint that all servers have proven; return its batch."""
    found: int = pool.front.call(
        lambda: find_administrator(vista.here(), POOL)[1].make_checkpoint()
    )
    pool.world.pass_time(2.0)
    return found


def test_what_was_signed_for_one_backup_serves_for_no_other(pool: Pool) -> None:
    server, least = server_of(pool, 0), checkpoint_of(pool)

    def make() -> tuple[int, bytes, bytes]:
        _, administrator = find_administrator(vista.here(), POOL)
        challenge = server.draw_challenge()
        signature = administrator.sign_reading(0, least, challenge)
        server.make_backup(least, challenge, signature)
        return least, challenge, signature

    said = pool.front.call(make)
    node = pool.node("server-3")
    with pytest.raises(vista.AccessDenied, match=r"^what was signed is old, or was used"):
        node.call(lambda: vista.service(service_name(POOL, 0)).make_backup(*said))
    with pytest.raises(vista.AccessDenied, match=r"^no administrator of group 'carts' signed that"):
        node.call(lambda: vista.service(service_name(POOL, 1)).make_backup(*said))


def test_who_hears_the_pieces_of_a_backup_cannot_read_them(pool: Pool) -> None:
    server, least = server_of(pool, 0), checkpoint_of(pool)

    def make() -> bytes:
        _, administrator = find_administrator(vista.here(), POOL)
        challenge = server.draw_challenge()
        signature = administrator.sign_reading(0, least, challenge)
        server.make_backup(least, challenge, signature)
        return bytes(server.read_backup(0, signature))

    heard = pool.front.call(make)
    assert b"SolidState backup" not in heard and b"PoolCart" not in heard
