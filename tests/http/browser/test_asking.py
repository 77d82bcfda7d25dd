"""Asking nodes that do not answer, in a simulated world: nothing waits longer than a page may."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.http.browser import node_pages
from apps.http.browser.asking import ask_node, ask_nodes, ask_object, ask_rows
from apps.http.browser.bounds import ANSWER_SECONDS
from apps.http.browser.frame import Addresses
from apps.http.browser.rates import Rates
from tests.conftest import world_seed
from tests.peers.system import LinkedBell, chain
from vista.testing import Conditions, World


class BrowsedLyingNode(vista.Object):
    """Tells as a node what none tells."""

    def create(self) -> None:
        self.peers: list[Any] = [None, 5]
        rows = {"node": "", "name": "", "hops": 1, "link": "", "user": "", "rights": ()}
        sent = ("messages_sent", "messages_received", "bytes_sent", "bytes_received")
        rows |= dict.fromkeys((*sent, "messages_waiting", "round_trip_seconds"))
        odd = {"hops": "x", "node": 5, "name": None, "rights": (5,), "round_trip_seconds": math.nan}
        for name, value in {**odd, "bytes_sent": 10**400}.items():
            self.peers.append(vista.PeerRow(**{**rows, name: value}))
        self.peers.append(vista.PeerRow(**rows))

    def get_name(self) -> str:
        return "liar"

    def get_statistics(self) -> dict[Any, Any]:
        return {
            "uptime_seconds": math.inf, "objects": 10**400, "threads_live": math.nan, 5: 6,
            "loop_lag_seconds": "x", "messages_ready": 7, "objects_by_class": {"a": "b", 5: 1},
            "methods": {"A.b/0.c": {"timed_calls": "x", "calls": math.nan}, 5: {}, "d": 5},
        }  # fmt: skip

    def describe_peers(self) -> list[Any]:
        return self.peers

    def list_threads(self) -> list[Any]:
        return self.peers


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world in which messages take a hundredth of a second, and nothing gets lost by itself."""
    calm = Conditions(delay_seconds=0.01, late_chance=0.0, half_open_chance=1.0)
    with World(seed=world_seed(request), conditions=calm) as made:
        yield made


def test_every_node_that_is_reached_tells_of_itself(world: World) -> None:
    near, middle, far = chain(world, ["near", "middle", "far"])
    seen = near.call(ask_nodes)
    assert [one.name for one in seen] == ["near", "middle", "far"]
    assert [sum(row.hops == 1 for row in one.peers) for one in seen] == [1, 2, 1]
    assert not any(one.trouble for one in seen)
    assert middle.call(lambda: ask_node(vista.id_of(vista.here()))).name == "middle"
    assert far.call(ask_nodes)[0].name == "far"


def test_a_node_that_is_silent_has_its_trouble_and_holds_nothing_up(world: World) -> None:
    near, _ = chain(world, ["near", "far"])
    world.network.partition(["near"], ["far"])
    before = world.time
    seen = near.call(ask_nodes)
    assert [bool(one.trouble) for one in seen] == [False, True]
    assert "CallTimeout" in seen[1].trouble
    assert world.time - before < 2 * ANSWER_SECONDS


def test_the_page_of_a_silent_node_is_given_up(world: World) -> None:
    near, far = chain(world, ["near", "far"])
    creator = far.call(lambda: vista.id_of(vista.here()))
    bell = far.call(lambda: vista.id_of(vista.create(LinkedBell)))
    world.network.partition(["near"], ["far"])
    with pytest.raises(vista.CallTimeout):
        near.call(lambda: ask_node(creator))
    with pytest.raises(vista.CallTimeout):
        near.call(lambda: ask_object(bell))


def test_what_a_node_tells_that_nothing_can_be_made_of_is_left_out() -> None:
    with vista.Node("looking"):
        liar = vista.id_of(vista.create(BrowsedLyingNode))
        seen = ask_node(liar)
        assert (seen.title, len(seen.peers), seen.figure("messages_ready")) == ("liar", 1, 7)
        addresses, rates = Addresses("/browser"), Rates()
        rates.note(seen.text, seen.figure("uptime_seconds"), seen.figure("threads_started"))
        node_pages.overview(addresses, [seen], rates, 0)
        node_pages.node_page(addresses, seen, "", "")
        node_pages.methods_page(addresses, seen, "p99")
        node_pages.objects_page(addresses, seen, [], "", 0)
        assert ask_rows(liar, "list_threads", vista.ThreadRow) == []
