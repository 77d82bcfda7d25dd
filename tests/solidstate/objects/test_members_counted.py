"""Groups whose members have trusted counters: 2f + 1 servers of which f are faulty in any way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.solidstate.objects.charter import read_charter
from apps.solidstate.objects.identity import CHARTER_FILE
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import Place, folder_of
from apps.solidstate.status import ask, lines
from tests.solidstate.objects.pool import POOL, TIN, Pool, make_world

SERVERS = [f"server-{number}" for number in range(3)]


@pytest.fixture
def pool() -> Iterator[Pool]:
    with make_world(31) as world:
        yield Pool(world, servers=3)


def founded(pool: Pool) -> vista.Ref:
    return pool.found(POOL, 1, "PoolCart", "cart", mode="minbft")


def test_three_servers_tolerate_the_loss_of_one(pool: Pool) -> None:
    cart = founded(pool)
    assert pool.call(cart, "add", "tea") == 1
    pool.world.crash("server-0")
    assert pool.call(cart, "add", "tea") == 2
    pool.world.restart("server-0")
    pool.world.pass_time(10.0)
    pool.world.crash("server-1")
    assert pool.call(cart, "add", "tea") == 3


def test_what_was_answered_is_there_after_all_servers_were_killed(pool: Pool) -> None:
    cart = founded(pool)
    for number in range(3):
        assert pool.call(cart, "add", "tea") == number + 1
        for name in SERVERS:
            pool.world.crash(name)
        for name in SERVERS:
            pool.world.restart(name)
    assert pool.call(cart, "list_items") == {"tea": 3}


def test_the_keys_of_the_counters_stand_in_the_charter(pool: Pool) -> None:
    founded(pool)
    charter = read_charter(TIN.files["front"][f"{folder_of(POOL)}/{CHARTER_FILE}"].decode())
    assert len(set(charter.counters)) == 3
    assert charter == read_charter(charter.text())
    text = charter.text().replace('"minbft"', '"crash"')
    with pytest.raises(vista.BadValueError, match=r"^a charter of 0 trusted counters is expected$"):
        read_charter(text)


def test_whoever_looks_is_told_that_they_are_a_stand_in(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "vista.solidstate"):
        founded(pool)
    assert "processes and no hardware, a stand-in" in caplog.text
    told = pool.front.call(lambda: lines(ask(vista.here())))
    assert told[0].endswith("; its trusted counters are processes, a stand-in for hardware")


def test_a_counter_that_lost_its_count_speaks_for_nobody(pool: Pool) -> None:
    cart = founded(pool)
    pool.world.crash("server-2")
    del TIN.counters["server-2", folder_of(POOL)]
    pool.world.restart("server-2")
    pool.world.pass_time(5.0)
    told = pool.status("server-2")
    assert not told["runs"]
    assert told["ails"].startswith("its trusted counter lost its count, and is another one")
    assert pool.call(cart, "add", "tea") == 1


def test_counters_forget_what_nobody_will_ask_for_again(pool: Pool) -> None:
    cart = founded(pool)
    for _ in range(24):
        pool.call(cart, "add", "tea")
    device = TIN.counters["server-0", folder_of(POOL)]
    assert device.counter >= 24
    assert sum(device.kept(number) is not None for number in range(device.counter + 1)) < 16


def test_another_replica_leads_and_one_starts_anew_as_in_the_other_modes(pool: Pool) -> None:
    cart = founded(pool)
    member = pool.front.call(vista.service, pool_service(POOL))
    administrator = pool.front.call(member.get_administrator, POOL)
    assert pool.front.call(administrator.hand_over)["primary"] == 1
    pool.front.call(administrator.renew, "2")
    assert pool.status("server-2")["starts"] == 2
    assert pool.call(cart, "add", "tea") == 1


def test_a_real_counter_goes_on_where_it_was_when_its_machine_starts_again(
    tmp_path: Path,
) -> None:
    with vista.Node("counting") as node:

        def count(number: int) -> tuple[tuple[int, bytes], bytes]:
            counter = Place(str(tmp_path)).counter("group-x")
            try:
                told = vista.wait(counter.identity())
                return told, vista.wait(counter.certify(number, b"a statement"))
            finally:
                vista.wait(counter.end())

        first, second = node.call(count, 1), node.call(count, 1)
        assert first == second
