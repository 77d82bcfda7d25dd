"""Machines that lie by themselves, in whatever they are asked: each in a world of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import SolidStateError
from apps.solidstate.objects.backup import Backup
from apps.solidstate.operating import fetch, find_administrator
from tests.solidstate.attacks.hostile import (
    AnsweringPoolMember,
    HostilePoolMember,
    PagingPoolMember,
    act,
    server_of,
)
from tests.solidstate.objects.pool import POOL, Pool, make_world
from vista.testing import World

EVIL = 3


class FounderlikePoolMember(HostilePoolMember, namespace="SolidState"):
    """A machine that says it founded every group."""

    def get_status(self) -> dict[str, Any]:
        return {**super().get_status(), "proxies": {POOL: {"founder": True}}}


class BabblingStatusMember(HostilePoolMember, namespace="SolidState"):
    """A machine that tells nothing sensible of itself."""

    def get_status(self) -> Any:
        return {"proxies": [POOL]}


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(32) as made:
        yield made


def test_answers_that_a_replica_forges_many_times_are_one_voice(world: World) -> None:
    pool = Pool(world, members={"server-3": AnsweringPoolMember})
    cart = pool.found()
    assert [pool.call(cart, "add", "tea") for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    told = pool.front.call(pool.proxy("front").get_status)
    assert list(told["disagreed"]) == [EVIL]


def test_a_replica_that_hands_out_another_state_is_passed_over(world: World) -> None:
    pool = Pool(world, members={"server-3": PagingPoolMember})
    cart = pool.found()
    pool.world.crash("server-1")
    for number in range(12):
        assert pool.call(cart, "add", "tea") == number + 1
    pool.world.restart("server-1")
    pool.world.pass_time(20.0)
    assert act(pool, server_of(pool, 1), "get_variables", "cart")["items"] == {"tea": 12}
    # And the group needs it from here on: with a liar it lives by the three others.
    assert pool.call(cart, "add", "tea") == 13

    def ask() -> Backup:
        group, administrator = find_administrator(vista.here(), "")
        return fetch(vista.here(), group, administrator, administrator.make_checkpoint())

    found = pool.front.call(ask)
    items = vista.decode_value(b"".join(found.service_pages[1:]))[-1]["items"]
    assert items == {"tea": 13}


def test_a_machine_that_says_it_founded_the_group_is_not_asked_for_it(world: World) -> None:
    pool = Pool(world, 3, {"server-1": FounderlikePoolMember, "server-2": BabblingStatusMember})
    pool.found(POOL, 1, "PoolCart", "cart", mode="crash")

    def ask(name: str) -> Any:
        return pool.node(name).call(lambda: find_administrator(vista.here(), POOL))

    group, administrator = ask("front")
    assert pool.front.call(administrator.describe_group)["members"] == [0, 1, 2]
    with pytest.raises(SolidStateError, match=r"^2 machines say that they founded group 'carts'"):
        ask("server-0")
    assert group == POOL
