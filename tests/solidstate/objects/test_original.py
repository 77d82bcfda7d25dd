"""The objects of the original by their names, and what they are told that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.objects.mail import service_name
from tests.solidstate.objects.pool import POOL, Pool, SimulatedCreateReplicas, make_world


@pytest.fixture
def pool() -> Iterator[Pool]:
    with make_world(3) as world:
        yield Pool(world)


def request(pool: Pool, proxy: vista.Ref, name: str = "front") -> Any:
    """Have a proxy ask for a thing as the paper does."""
    return pool.node(name).call(
        lambda: proxy.issue_request("processRequest", [{"item": "tea"}], "cart")
    )


def test_what_creates_replicas_does_so_when_it_is_told_and_tells_what_it_made(pool: Pool) -> None:
    maker = pool.front.call(lambda: vista.create(SimulatedCreateReplicas))
    asked = ("get_state_variable", "get_proxy", "get_replicas")
    assert [pool.call(maker, name) for name in asked] == [None, None, []]
    made = pool.call(maker, "initialize", POOL, 1, "PoolCart", "cart", ["ann"])
    assert pool.call(maker, "get_state_variable") == made
    assert pool.call(maker, "get_proxy") == pool.front.call(vista.service, POOL)
    assert pool.call(made, "process_request", {"item": "tea"}) == "ann: 1"
    replicas = pool.call(maker, "get_replicas")
    assert [pool.call(one, "get_status")["id"] for one in replicas] == [0, 1, 2, 3]
    assert [pool.call(one, "get_current_view_id") for one in replicas] == [0, 0, 0, 0]
    named = [pool.front.call(vista.service, service_name(POOL, number)) for number in range(4)]
    assert replicas == named


def test_a_proxy_is_had_by_the_name_of_its_group_on_each_node(pool: Pool) -> None:
    pool.found()
    for name in pool.names:
        node = pool.node(name)
        proxy = node.call(vista.service, POOL)
        assert node.call(lambda found=proxy: vista.id_of(found).node) == node.kernel.table.node
        assert node.call(proxy.get_status)["group"] == POOL
    assert [request(pool, pool.proxy(name), name) for name in ("front", "server-1")] == [
        "nobody: 1", "nobody: 2",
    ]  # fmt: skip


def test_a_proxy_is_told_where_replicas_are_its_name_and_the_number_of_its_next_request(
    pool: Pool,
) -> None:
    pool.found()
    proxy = pool.proxy("front")
    replicas = [pool.front.call(vista.service, service_name(POOL, 0)), None, None, None]
    pool.call(proxy, "initialize", replicas, "till", 7)
    till = pool.front.call(vista.service, "till")
    assert till == proxy
    assert request(pool, till) == "nobody: 1"
    assert pool.call(proxy, "set_next_request_id", 7) == 7
    assert request(pool, till) == "nobody: 1"


@pytest.mark.parametrize("faults", ["x", None, -1, 1.5, float("nan"), True, 10**30])
def test_a_wait_limit_that_is_no_number_of_faults_is_refused_and_nobody_waits_for_it(
    pool: Pool, faults: Any
) -> None:
    cart = pool.found()
    with pytest.raises(vista.BadValueError, match=r"^faults_to_initially_tolerate is a whole num"):
        pool.call(pool.proxy("front"), "raise_wait_limit", faults)
    assert pool.call(cart, "add", "tea") == 1


@pytest.mark.parametrize("number", ["x", None, -1, 1.5, True, 2**63])
def test_numbers_of_requests_that_are_none_are_refused_and_change_nothing(
    pool: Pool, number: Any
) -> None:
    pool.found()
    proxy = pool.proxy("front")
    with pytest.raises(vista.BadValueError, match=r"^a request's number is a whole number from 0"):
        pool.call(proxy, "set_next_request_id", number)
    if number is not None:
        with pytest.raises(vista.BadValueError, match=r"^a request's number is a whole number"):
            pool.call(proxy, "initialize", [], "till", number)
        with pytest.raises(vista.NoSuchService):
            pool.front.call(lambda: vista.service("till"))
    assert [request(pool, proxy) for _ in range(2)] == ["nobody: 1", "nobody: 2"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("add", "tea", "cart"), r"^arguments are given as a list, not 'tea'$"),
        (("add", {"tea": 1}, "cart"), r"^arguments are given as a list, not \{'tea': 1\}$"),
        (("add", 5, "cart"), r"^arguments are given as a list, not 5$"),
        ((5, [], "cart"), r"^a method is called by a text, not 5$"),
        (("add", ["tea"], 5), r"^a state variable is called by a text, not 5$"),
        (("add", ["tea"], "cart", 5), r"^a request's key is a text, not 5$"),
    ],
    ids=["text", "dict", "number", "method", "variable", "key"],
)
def test_requests_that_are_none_say_what_is_wrong(pool: Pool, asked: Any, words: str) -> None:
    cart = pool.found()
    with pytest.raises(vista.BadValueError, match=words):
        pool.call(pool.proxy("front"), "issue_request", *asked)
    assert pool.call(cart, "list_items") == {}


@pytest.mark.parametrize("replicas", ["abc", 5, None])
def test_replicas_that_are_no_list_are_refused(pool: Pool, replicas: Any) -> None:
    pool.found()
    server = pool.front.call(vista.service, service_name(POOL, 0))
    for asked in (pool.proxy("front"), server):
        with pytest.raises(vista.BadValueError, match=r"^replicas are given as a list, not "):
            pool.call(asked, "note_replica_oids", replicas)


def test_a_variable_whose_name_is_no_text_has_no_object_that_stands_for_it(pool: Pool) -> None:
    pool.found()
    with pytest.raises(vista.BadValueError, match=r"^a state variable is called by a text, not 5"):
        pool.call(pool.proxy("front"), "get_state_variable", 5)
