"""Which server the next client gets, by the tables alone."""

from __future__ import annotations

import math

import pytest

import vista
from apps.http.objects.forward_servers import (
    LOOK_SECONDS,
    PAUSE_SECONDS_MAX,
    PAUSE_SECONDS_MIN,
    SERVERS_MAX,
    Servers,
)


@pytest.fixture
def servers() -> Servers:
    """Three servers."""
    made = Servers()
    for address in ("a", "b", "c"):
        made.add(address)
    return made


def chosen(servers: Servers) -> str:
    server = servers.choose()
    assert server is not None
    servers.take(server)
    return server.address


def test_equal_ones_take_turns(servers: Servers) -> None:
    assert [chosen(servers) for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_the_one_with_the_fewest_comes_first(servers: Servers) -> None:
    for _ in range(6):
        chosen(servers)
    b = servers.add("b")
    servers.leave(b)
    assert chosen(servers) == "b"


def test_one_that_failed_gets_none_until_it_is_well(servers: Servers) -> None:
    a = servers.add("a")
    assert servers.failed(a, "refused", 0.0)
    assert not servers.failed(a, "refused", 0.0)
    assert {chosen(servers) for _ in range(4)} == {"b", "c"}
    assert servers.well(a, 1.0)
    assert chosen(servers) == "a"


def test_looks_come_at_growing_distances(servers: Servers) -> None:
    a = servers.add("a")
    pauses = []
    for _ in range(40):
        servers.failed(a, "refused", 0.0)
        pauses.append(a.look_at)
    assert pauses[:3] == [PAUSE_SECONDS_MIN, 2 * PAUSE_SECONDS_MIN, 4 * PAUSE_SECONDS_MIN]
    assert pauses[-1] == PAUSE_SECONDS_MAX
    servers.well(a, 10.0)
    assert a.look_at == 10.0 + LOOK_SECONDS
    servers.failed(a, "refused", 0.0)
    assert a.look_at == PAUSE_SECONDS_MIN


def test_one_is_looked_at_once_at_a_time(servers: Servers) -> None:
    assert [one.address for one in servers.due(0.0)] == ["a", "b", "c"]
    assert servers.due(100.0) == []
    assert servers.next_deadline() == math.inf
    servers.well(servers.add("b"), 100.0)
    assert servers.next_deadline() == 100.0 + LOOK_SECONDS


def test_where_all_are_out_one_that_was_silent_is_better_than_none(servers: Servers) -> None:
    for one in servers.rows():
        servers.failed(one, "refused", 0.0)
    assert servers.choose() is None
    servers.failed(servers.add("b"), "says nothing", 0.0, silent=True)
    assert chosen(servers) == "b"


def test_one_that_is_accused_gets_none_though_all_others_are_out(servers: Servers) -> None:
    servers.add("a").accusation = "it lies"
    for address in ("b", "c"):
        servers.failed(servers.add(address), "refused", 0.0)
    assert servers.choose() is None
    assert [one.state for one in servers.rows()] == ["out: it lies", "out: refused", "out: refused"]


def test_those_that_were_tried_are_passed_over(servers: Servers) -> None:
    a, b, c = servers.rows()
    assert servers.choose([a]) is b
    assert servers.choose([a, b, c]) is None


def test_a_server_that_is_there_is_not_added_twice(servers: Servers) -> None:
    assert servers.add("a", "first") is servers.get("a")
    assert [one.name for one in servers.rows()] == ["first", "b", "c"]
    assert len(servers) == 3
    assert servers.remove("a") is not None
    assert servers.remove("a") is None


def test_there_is_an_end_to_servers() -> None:
    made = Servers()
    for number in range(SERVERS_MAX):
        made.add(str(number))
    with pytest.raises(vista.Overloaded, match=r"1000 servers at most"):
        made.add("one more")
