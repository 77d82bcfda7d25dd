"""Whatever a peer sends about routes and services: it is taken, or rejected, and nothing breaks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.routing_graph import error_of, identity, run_of
from vista.ids import Id
from vista.peering.announcements import Announcements, Publish
from vista.peering.paths import RoutingBounds
from vista.peering.routing import Heard, LinkDown, LinkUp, Reached, Routing, Tell
from vista.peering.words import VERSION_MAX, AnnouncementBounds
from vista.wire.codec import pack_plain, unpack_plain

NODE, PEER, OTHER = (identity(number) for number in range(1, 4))
RUN = run_of(1)
ROUTING_BOUNDS = RoutingBounds(hops_max=4, nodes_max=6, told_nodes_max=4)
SERVICE_BOUNDS = AnnouncementBounds(
    nodes_max=5, names_max=5, names_all_max=12, told_nodes_max=4, part_names_max=4
)

NODES = st.integers(1, 12).map(identity)
RUNS = st.integers(1, 3).map(run_of)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 9), st.text(max_size=3), st.binary(max_size=20)
)
GARBAGE = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
PATHS = st.lists(NODES, max_size=5).map(b"".join)
WORDS = st.tuples(RUNS | st.binary(max_size=9), PATHS | st.binary(max_size=25)).map(list)
ROUTES = st.tuples(st.lists(WORDS | LEAVES, max_size=5), st.lists(NODES | LEAVES, max_size=5)).map(
    list
)
VERSIONS = st.integers(0, 6) | st.sampled_from([VERSION_MAX, VERSION_MAX + 1])
NAMES = st.sampled_from(["Clock", "Calendar", "é", ""]) | st.text(max_size=300)
IDS = st.none() | st.binary(min_size=16, max_size=16) | LEAVES
ITEMS = st.lists(st.tuples(NAMES, IDS).map(list) | LEAVES, max_size=5)
SERVICES = st.one_of(
    st.tuples(st.just(1), st.lists(st.tuples(NODES, RUNS, VERSIONS).map(list), max_size=5)),
    st.tuples(st.just(2), st.lists(NODES | LEAVES, max_size=5)),
    st.tuples(st.just(3), NODES, RUNS),
    st.tuples(st.just(4), NODES, RUNS, VERSIONS, st.integers(-1, 3), st.booleans(), ITEMS),
    st.tuples(st.just(5), NODES, RUNS, VERSIONS, ITEMS),
).map(list)


def check_routing(messages: list[Any], transit: bool = True) -> None:
    """Whatever came, the table is bounded, its paths are none of ours, and all of it goes again."""
    routing = Routing(NODE, ROUTING_BOUNDS)
    routing.handle(LinkUp(1, PEER, RUN, transit), 0.0)
    routing.handle(LinkUp(2, OTHER, RUN), 0.0)
    for message in messages:
        for effect in routing.handle(Heard(1, message), 0.0):
            if isinstance(effect, Tell):
                assert unpack_plain(pack_plain(effect.message)) == effect.message
        table = routing.table()
        assert len(table) <= ROUTING_BOUNDS.nodes_max
        for route in table:
            assert NODE not in route.path
            assert len(set(route.path)) == route.hops <= ROUTING_BOUNDS.hops_max
    routing.handle(LinkDown(1), 0.0)
    assert [route.node for route in routing.table()] == [OTHER]


def check_services(messages: list[Any], transit: bool = True) -> None:
    """Whatever came, what is known is bounded, this node's own word stands, and all goes again."""
    made = Announcements(NODE, RUN, SERVICE_BOUNDS)
    own = Id.make(NODE, 1)
    made.handle(Publish("Clock", own), 0.0)
    made.handle(LinkUp(1, PEER, RUN, transit), 0.0)
    made.handle(LinkUp(2, OTHER, RUN), 0.0)
    for number in range(1, 8):
        if identity(number) != NODE:
            made.handle(Reached(identity(number), RUN, 1, 1), 0.0)
    for message in messages:
        for effect in made.handle(Heard(1, message), 0.0):
            if isinstance(effect, Tell):
                assert unpack_plain(pack_plain(effect.message)) == effect.message
        services = [provider for name in made.names() for provider in made.providers(name)]
        assert len(services) <= SERVICE_BOUNDS.names_all_max
        assert (NODE, own) in made.providers("Clock")
        if not transit:
            assert {node for node, _ in services} <= {NODE, PEER}


@given(st.lists(ROUTES | GARBAGE, max_size=6))
def test_routes_from_a_liar_stay_within_bounds(messages: list[Any]) -> None:
    check_routing(messages)


@given(st.lists(ROUTES | GARBAGE, max_size=6))
def test_routes_over_a_link_without_transit_have_no_effect(messages: list[Any]) -> None:
    check_routing(messages, transit=False)


@given(st.lists(SERVICES | GARBAGE, max_size=10))
def test_services_from_a_liar_stay_within_bounds(messages: list[Any]) -> None:
    check_services(messages)


@given(st.lists(SERVICES | GARBAGE, max_size=10))
def test_services_over_a_link_without_transit_are_those_of_the_peer(messages: list[Any]) -> None:
    check_services(messages, transit=False)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (None, "two arrays"),
        ([[]], "two arrays"),
        ([[], {}], "two arrays"),
        ([[[RUN]], []], "an epoch and a path"),
        ([["x"], []], "an epoch and a path"),
        ([[[b"short", OTHER]], []], "8 bytes, not 5"),
        ([[[RUN, b""]], []], "a path of 0 bytes"),
        ([[[RUN, OTHER + b"x"]], []], "a path of 11 bytes"),
        ([[[RUN, OTHER * 2]], []], "a loop"),
        ([[[RUN, PEER + OTHER]], []], "a loop"),
        ([[], [b"short"]], "10 bytes"),
        ([[[RUN, OTHER]], [OTHER]], "twice"),
        ([[], [PEER]], "withdraws itself"),
        ([[], [identity(number) for number in range(20, 25)]], "more than 4 nodes"),
    ],
)
def test_what_is_wrong_with_routes_is_said(message: Any, words: str) -> None:
    routing = Routing(NODE, ROUTING_BOUNDS)
    routing.handle(LinkUp(1, PEER, RUN), 0.0)
    assert words in str(error_of(routing.handle(Heard(1, message), 0.0)))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (None, "begins with its number"),
        ([True], "begins with its number"),
        ([9, []], "no known form"),
        ([3, PEER], "no known form"),
        ([1, [[PEER, RUN, 0]]], "HAVE with wrong lists"),
        ([1, [[PEER, RUN, VERSION_MAX + 1]]], "HAVE with wrong lists"),
        ([2, [b"short"]], "GONE with wrong nodes"),
        ([3, PEER, b"short"], "WANT with wrong epoch"),
        ([4, PEER, RUN, 1, 0, 1, []], "PART with wrong last"),
        ([4, PEER, RUN, 1, 0, True, [["Clock", None]]], "PART with wrong services"),
        ([5, PEER, RUN, 1, [["", bytes(16)]]], "CHANGE with wrong items"),
        ([5, PEER, RUN, 1, [["Clock", bytes(15)]]], "CHANGE with wrong items"),
    ],
)
def test_what_is_wrong_with_services_is_said(message: Any, words: str) -> None:
    made = Announcements(NODE, RUN)
    made.handle(LinkUp(1, PEER, RUN), 0.0)
    assert words in str(error_of(made.handle(Heard(1, message), 0.0)))
