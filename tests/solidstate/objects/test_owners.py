"""Folders that were exchanged: a machine and a replica start with what is their own only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from apps.solidstate.objects.member import NODE_FILE
from apps.solidstate.objects.places import folder_of
from apps.solidstate.objects.server import OWNER_FILE
from tests.solidstate.objects.pool import POOL, TIN, Pool, SimulatedPoolMember, make_world

OWNER = f"{folder_of(POOL)}/{OWNER_FILE}"


@pytest.fixture
def pool() -> Iterator[Pool]:
    with make_world(5) as world:
        yield Pool(world)


def test_a_machine_with_the_folder_of_another_node_is_refused(pool: Pool) -> None:
    TIN.files["server-1"][NODE_FILE] = TIN.files["server-0"][NODE_FILE]
    node = pool.node("server-1")
    with pytest.raises(vista.BadValueError, match=r"is that of node 'server-0', and .* remove the"):
        node.call(lambda: vista.create(SimulatedPoolMember, POOL))


def test_a_machine_that_has_another_name_goes_on_without_the_mark(pool: Pool) -> None:
    cart = pool.found()
    pool.world.crash("server-1")
    own = TIN.files["server-1"].pop(NODE_FILE)
    pool.world.restart("server-1")
    pool.world.pass_time(5.0)
    assert pool.status("server-1")["runs"] and pool.call(cart, "add", "tea") == 1
    assert TIN.files["server-1"][NODE_FILE] == own == b"server-1"


def test_a_replica_with_the_log_of_another_one_does_not_start_until_it_has_its_own(
    pool: Pool,
) -> None:
    cart = pool.found()
    pool.call(cart, "add", "tea")
    own = TIN.files["server-1"][OWNER]
    pool.world.crash("server-1")
    TIN.files["server-1"][OWNER] = TIN.files["server-0"][OWNER]
    pool.world.restart("server-1")
    pool.world.pass_time(5.0)
    told = pool.status("server-1")
    assert not told["runs"] and "is that of another replica: bring back its own" in told["ails"]
    assert pool.call(cart, "add", "tea") == 2
    TIN.files["server-1"][OWNER] = own
    pool.world.pass_time(5.0)
    assert pool.status("server-1")["runs"]


def test_a_replica_without_the_mark_of_its_owner_gets_it(pool: Pool) -> None:
    pool.found()
    own = TIN.files["server-1"].pop(OWNER)
    pool.world.crash("server-1")
    pool.world.restart("server-1")
    pool.world.pass_time(5.0)
    assert pool.status("server-1")["runs"] and TIN.files["server-1"][OWNER] == own
