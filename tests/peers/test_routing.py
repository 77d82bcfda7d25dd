"""Routing: which route is taken, what is told of it, and what is told to nobody."""

from __future__ import annotations

import pytest

from tests.peers.routing_graph import Graph, chain, error_of, identity, ring, run_of
from vista.errors import LocalProtocolError
from vista.peering.paths import Route, RoutingBounds
from vista.peering.routing import (
    Conflict,
    Heard,
    LinkDown,
    LinkUp,
    LinkYields,
    Lost,
    Reached,
    Rerouted,
    Routing,
    Tell,
    Tick,
)

A, B, C, D, E = (identity(number) for number in range(1, 6))
RUN, RERUN = run_of(1), run_of(2)
FAR = identity(99)


def word(*path: bytes, epoch: bytes = RUN) -> list[bytes]:
    """A path as it is announced."""
    return [epoch, b"".join(path)]


def announce(link: int, *words: list[bytes]) -> Heard:
    """The peer of a link announces paths."""
    return Heard(link, [list(words), []])


def withdraw(link: int, *nodes: bytes) -> Heard:
    """The peer of a link withdraws nodes."""
    return Heard(link, [[], list(nodes)])


def routing_with(*peers: bytes, bounds: RoutingBounds | None = None) -> Routing:
    """The routing of A, with links 1, 2 and so on to peers that have spoken."""
    routing = Routing(A, bounds)
    for link, peer in enumerate(peers, 1):
        routing.handle(LinkUp(link, peer, RUN), 0.0)
        routing.handle(announce(link), 0.0)
    return routing


def told(effects: list[object]) -> dict[int, object]:
    """What is told, by link."""
    return {effect.link: effect.message for effect in effects if isinstance(effect, Tell)}


# --- the route that is taken -----------------------------------------------------------------


def test_the_peer_at_a_link_is_reached_at_once() -> None:
    routing = Routing(A)
    effects = routing.handle(LinkUp(1, B, RUN), 0.0)
    assert effects == [Reached(B, RUN, 1, 1), Tell(1, [[], []])]
    assert routing.route_to(B) == 1


def test_the_end_of_the_only_link_loses_all_that_was_behind_it() -> None:
    routing = routing_with(B)
    routing.handle(announce(1, word(C), word(C, D)), 0.0)
    assert routing.handle(LinkDown(1), 0.0) == [Lost(B), Lost(C), Lost(D)]
    assert routing.table() == []
    assert routing.route_to(D) is None


def test_the_table_shows_each_way() -> None:
    routing = routing_with(B)
    routing.handle(announce(1, word(C, D, epoch=RERUN)), 0.0)
    assert routing.table() == [Route(B, RUN, 1, 1, (B,)), Route(D, RERUN, 3, 1, (B, C, D))]
    assert [routing.hops_to(node) for node in (A, B, D, E)] == [0, 1, 3, None]


def test_fewer_hops_win() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(D, FAR)), 0.0)
    assert Rerouted(FAR, 2, 2) in routing.handle(announce(2, word(FAR)), 0.0)


@pytest.mark.parametrize("peers", [(B, C), (C, B)])
def test_of_equal_ways_that_by_the_smaller_neighbour_is_taken(peers: tuple[bytes, bytes]) -> None:
    routing = routing_with(*peers)
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(announce(2, word(FAR)), 0.0)
    assert routing.route_to(FAR) == 1 + peers.index(B)


def test_of_two_links_to_a_neighbour_the_younger_is_taken() -> None:
    routing = routing_with(B, B)
    assert routing.route_to(B) == 2


def test_the_older_link_stands_in_for_the_younger_without_a_loss() -> None:
    routing = routing_with(B, B)
    for link in (1, 2):
        routing.handle(announce(link, word(FAR)), 0.0)
    assert routing.handle(LinkDown(2), 0.0) == [Rerouted(B, 1, 1), Rerouted(FAR, 1, 2)]


def test_a_way_round_stands_in_for_a_lost_link() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(announce(2, word(B), word(B, FAR)), 0.0)
    effects = routing.handle(LinkDown(1), 0.0)
    assert [effect for effect in effects if not isinstance(effect, Tell)] == [
        Rerouted(B, 2, 2),
        Rerouted(FAR, 2, 3),
    ]


def test_a_path_through_this_node_is_never_taken() -> None:
    routing = routing_with(B)
    assert routing.handle(announce(1, word(A, FAR)), 0.0) == []


def test_a_path_through_this_node_takes_the_place_of_the_one_before() -> None:
    routing = routing_with(B)
    routing.handle(announce(1, word(FAR)), 0.0)
    assert routing.handle(announce(1, word(A, FAR)), 0.0) == [Lost(FAR)]


def test_a_path_through_another_neighbour_is_not_used() -> None:
    routing = routing_with(B, C)
    assert routing.handle(announce(1, word(C, FAR)), 0.0) == []


def test_a_path_through_a_neighbour_is_used_when_that_is_lost() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(C), word(C, FAR)), 0.0)
    effects = routing.handle(LinkDown(2), 0.0)
    assert Reached(FAR, RUN, 1, 3) in effects


def test_a_path_longer_than_the_bound_is_refused() -> None:
    routing = routing_with(B, bounds=RoutingBounds(hops_max=3))
    routing.handle(announce(1, word(C, D)), 0.0)
    error = error_of(routing.handle(announce(1, word(C, D, E)), 0.0))
    assert "30 bytes" in str(error)


# --- what is told ----------------------------------------------------------------------------


def test_a_neighbour_is_not_told_a_path_through_itself() -> None:
    routing = routing_with(B, C)
    effects = routing.handle(announce(1, word(D), word(D, FAR)), 0.0)
    assert told(effects) == {2: [[word(B, D), word(B, D, FAR)], []]}


def test_one_event_gives_each_link_one_message() -> None:
    routing = routing_with(B, C, D)
    routing.handle(announce(1, word(E), word(FAR)), 0.0)
    effects = routing.handle(LinkDown(1), 0.0)
    assert [effect for effect in effects if isinstance(effect, Tell)] == [
        Tell(link, [[], [B, E, FAR]]) for link in (2, 3)
    ]


def test_a_long_message_is_split() -> None:
    bounds = RoutingBounds(told_nodes_max=2)
    routing = routing_with(B, C, D, bounds=bounds)
    effects = routing.handle(LinkUp(4, E, RUN), 0.0)
    assert [effect.message for effect in effects if isinstance(effect, Tell)] == [
        [[word(B), word(C)], []],
        [[word(D)], []],
    ]


def test_a_withdrawal_is_told_at_once() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    assert told(routing.handle(withdraw(1, FAR), 0.0)) == {2: [[], [FAR]]}


def test_a_better_path_is_told_at_once() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(D, FAR)), 0.0)
    assert told(routing.handle(announce(1, word(FAR)), 0.0)) == {2: [[word(B, FAR)], []]}


def test_a_worse_path_is_told_when_it_has_stood_for_a_moment() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    assert routing.handle(announce(1, word(D, FAR)), 1.0) == [Rerouted(FAR, 1, 3)]
    assert routing.next_deadline() == 1.05
    assert routing.handle(Tick(), 1.05) == [Tell(2, [[word(B, D, FAR)], []])]
    assert routing.next_deadline() is None


def test_a_node_lost_and_reached_again_is_told_at_once() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(announce(1, word(D, FAR)), 0.0)
    routing.handle(withdraw(1, FAR), 0.01)
    effects = routing.handle(announce(1, word(D, FAR)), 0.02)
    assert told(effects) == {2: [[word(B, D, FAR)], []]}


def test_whose_path_becomes_a_loop_hears_it_at_once() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(announce(2, word(D, FAR)), 0.0)
    # B was told nothing, C the path by B; the way goes by C from here on.
    assert told(routing.handle(withdraw(1, FAR), 0.0)) == {2: [[], [FAR]]}


def test_a_path_as_long_as_the_bound_is_not_told() -> None:
    routing = routing_with(B, C, bounds=RoutingBounds(hops_max=3))
    assert told(routing.handle(announce(1, word(D, FAR)), 0.0)) == {}


# --- links without transit -------------------------------------------------------------------


def test_without_transit_only_the_peer_is_reached() -> None:
    routing = routing_with(B)
    effects = routing.handle(LinkUp(2, C, RUN, transit=False), 0.0)
    assert effects == [Reached(C, RUN, 2, 1)]
    assert routing.handle(announce(2, word(FAR)), 0.0) == []


def test_without_transit_the_peer_is_told_nothing() -> None:
    routing = routing_with(B)
    routing.handle(LinkUp(2, C, RUN, transit=False), 0.0)
    assert 2 not in told(routing.handle(announce(1, word(FAR)), 0.0))


def test_a_peer_is_passed_on_only_after_it_spoke() -> None:
    routing = routing_with(B)
    assert told(routing.handle(LinkUp(2, C, RUN), 0.0)) == {2: [[word(B)], []]}
    assert told(routing.handle(announce(2), 0.0)) == {1: [[word(C)], []]}


def test_a_link_that_carries_is_taken_before_a_younger_one_that_does_not() -> None:
    routing = routing_with(B)
    routing.handle(LinkUp(2, B, RUN, transit=False), 0.0)
    assert routing.route_to(B) == 1


def test_a_node_that_gets_a_link_of_its_own_is_not_withdrawn_before_it_speaks() -> None:
    routing = routing_with(B, C)
    assert told(routing.handle(announce(1, word(FAR)), 0.0)) == {2: [[word(B, FAR)], []]}
    effects = routing.handle(LinkUp(3, FAR, RUN), 0.1)
    assert Rerouted(FAR, 3, 1) in effects
    assert 2 not in told(effects)
    assert told(routing.handle(announce(3), 0.2))[2] == [[word(FAR)], []]


def test_a_node_that_never_speaks_on_its_link_is_withdrawn() -> None:
    routing = routing_with(B, C, bounds=RoutingBounds(speak_seconds=1.0))
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(LinkUp(3, FAR, RUN), 0.1)
    assert routing.next_deadline() == 1.1
    assert told(routing.handle(Tick(), 1.1))[2] == [[], [FAR]]


# --- links that yield ------------------------------------------------------------------------


def test_what_a_yielding_link_leads_to_goes_over_another_one_as_soon_as_that_has_said_so() -> None:
    routing = routing_with(B, B)
    routing.handle(announce(2, word(FAR)), 0.0)
    assert routing.handle(LinkYields(2), 0.0)[:1] == [Rerouted(B, 1, 1)]
    assert (routing.route_to(FAR), routing.leads(2), routing.leads(1)) == (2, True, True)
    assert routing.handle(announce(1, word(FAR)), 0.0)[:1] == [Rerouted(FAR, 1, 2)]
    assert not routing.leads(2)
    assert routing.handle(LinkDown(2), 0.0) == []


def test_a_yielding_link_leads_where_no_other_one_does() -> None:
    routing = routing_with(B)
    routing.handle(LinkYields(1), 0.0)
    assert routing.route_to(B) == 1
    routing.handle(LinkUp(2, B, RUN), 0.0)
    assert routing.route_to(B) == 1
    assert routing.handle(announce(2), 0.0)[:1] == [Rerouted(B, 2, 1)]


def test_a_link_may_yield_from_its_beginning() -> None:
    routing = routing_with(B)
    assert Rerouted(B, 2, 1) not in routing.handle(LinkUp(2, B, RUN, yields=True), 0.0)
    routing.handle(announce(2), 0.0)
    assert (routing.route_to(B), routing.leads(2)) == (1, False)


def test_that_a_link_yields_which_has_ended_is_no_matter() -> None:
    routing = routing_with(B)
    assert routing.handle(LinkYields(7), 0.0) == []


# --- nodes that run again, and two of one identity -------------------------------------------


def test_a_node_that_runs_again_is_lost_and_reached() -> None:
    routing = routing_with(B)
    routing.handle(announce(1, word(FAR)), 0.0)
    effects = routing.handle(announce(1, word(FAR, epoch=RERUN)), 0.0)
    assert effects == [Lost(FAR), Reached(FAR, RERUN, 1, 2)]


def test_another_run_by_the_same_path_is_told() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(FAR)), 0.0)
    effects = routing.handle(announce(1, word(FAR, epoch=RERUN)), 0.0)
    assert told(effects) == {2: [[word(B, FAR, epoch=RERUN)], []]}


def test_a_neighbour_that_runs_again_has_left_the_links_of_its_earlier_run() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(2, word(FAR)), 0.0)
    effects = routing.handle(LinkUp(3, C, RERUN), 0.0)
    assert effects[:3] == [Lost(C), Reached(C, RERUN, 3, 1), Lost(FAR)]


def test_the_earlier_run_counts_again_when_the_later_is_lost() -> None:
    routing = routing_with(B)
    routing.handle(announce(1, word(FAR)), 0.0)
    routing.handle(LinkUp(2, B, RERUN), 0.0)
    routing.handle(announce(2), 0.0)
    routing.handle(LinkDown(2), 0.0)
    assert (routing.route_to(B), routing.route_to(FAR)) == (1, 1)


def test_of_two_runs_equally_near_the_one_in_use_stays() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(2, word(FAR)), 0.0)
    assert routing.handle(announce(1, word(FAR, epoch=RERUN)), 0.0) == []


def test_two_runs_that_stay_are_a_conflict_told_once() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(2, word(FAR)), 0.0)
    routing.handle(announce(1, word(FAR, epoch=RERUN)), 10.0)
    assert routing.next_deadline() == 40.0
    epochs, vias = zip(*sorted([(RUN, 2), (RERUN, 1)]), strict=True)
    assert routing.handle(Tick(), 40.0) == [Conflict(FAR, epochs, vias)]
    assert routing.next_deadline() is None
    assert routing.handle(Tick(), 80.0) == []


def test_a_conflict_that_comes_back_is_told_again() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(2, word(FAR)), 0.0)
    routing.handle(announce(1, word(FAR, epoch=RERUN)), 0.0)
    routing.handle(Tick(), 30.0)
    routing.handle(withdraw(1, FAR), 40.0)
    routing.handle(announce(1, word(FAR, epoch=RERUN)), 50.0)
    assert routing.next_deadline() == 80.0
    assert isinstance(routing.handle(Tick(), 80.0)[0], Conflict)


def test_an_earlier_run_that_goes_in_time_is_no_conflict() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(2, word(FAR)), 0.0)
    routing.handle(announce(1, word(FAR, epoch=RERUN)), 10.0)
    routing.handle(withdraw(2, FAR), 20.0)
    assert routing.next_deadline() is None


def test_a_node_between_two_of_one_identity_finds_the_conflict() -> None:
    graph = Graph(3, chain(3))
    graph.start(3, twin_of=0)
    graph.link(2, 3)
    graph.calm()
    assert {conflict.node for conflict in graph.nodes[1].conflicts} == {identity(0)}


def test_a_peer_with_this_nodes_own_identity_is_rejected() -> None:
    routing = Routing(A)
    assert "own identity" in str(error_of(routing.handle(LinkUp(1, A, RERUN), 0.0)))
    assert routing.table() == []


# --- bounds and misuse -----------------------------------------------------------------------


def test_a_link_that_tells_of_more_nodes_than_may_be_is_rejected_and_nothing_taken() -> None:
    routing = routing_with(B, bounds=RoutingBounds(nodes_max=3))
    routing.handle(announce(1, word(C)), 0.0)
    error = error_of(routing.handle(announce(1, word(D), word(E)), 0.0))
    assert "more than 3 nodes" in str(error)
    assert routing.route_to(D) is None


def test_in_a_full_table_the_link_that_leads_to_most_gives_way() -> None:
    routing = routing_with(B, C, bounds=RoutingBounds(nodes_max=6))
    invented = [identity(number) for number in range(1001, 1005)]
    routing.handle(announce(1, *map(word, invented)), 0.0)
    effects = routing.handle(announce(2, word(FAR)), 0.0)
    assert effects[:2] == [Lost(invented[-1]), Reached(FAR, RUN, 2, 2)]
    assert len(routing.table()) == 6


def test_nodes_without_room_are_reached_when_there_is_some() -> None:
    routing = routing_with(B, C, bounds=RoutingBounds(nodes_max=4))
    routing.handle(announce(1, word(D)), 0.0)
    routing.handle(announce(2, word(E)), 0.0)
    assert routing.handle(announce(2, word(E), word(FAR)), 0.0) == []
    assert Reached(FAR, RUN, 2, 2) in routing.handle(withdraw(1, D), 0.0)


def test_an_invented_path_hides_nothing_that_others_reach() -> None:
    routing = routing_with(B, C)
    routing.handle(announce(1, word(D, FAR)), 0.0)
    routing.handle(announce(2, word(E, D, FAR)), 0.0)
    routing.handle(LinkDown(1), 0.0)
    assert routing.route_to(FAR) == 2


def test_what_comes_after_the_end_of_a_link_has_no_effect() -> None:
    routing = routing_with(B)
    routing.handle(LinkDown(1), 0.0)
    assert routing.handle(announce(1, word(C)), 0.0) == []
    assert routing.handle(LinkDown(1), 0.0) == []


def test_a_link_comes_up_once() -> None:
    routing = routing_with(B)
    with pytest.raises(LocalProtocolError, match=r"link 1 is up already"):
        routing.handle(LinkUp(1, C, RUN), 0.0)


@pytest.mark.parametrize(("peer", "epoch"), [(b"short", RUN), (B, b"short")])
def test_a_peer_has_an_identity_and_an_epoch(peer: bytes, epoch: bytes) -> None:
    with pytest.raises(LocalProtocolError, match=r"10 bytes of identity and 8 of epoch"):
        Routing(A).handle(LinkUp(1, peer, epoch), 0.0)


# --- graphs ----------------------------------------------------------------------------------


def test_a_chain_is_reached_as_far_as_the_bound() -> None:
    graph = Graph(20, chain(20))
    graph.calm()
    graph.check_rest()
    assert max(row.hops for row in graph.nodes[0].routing.table()) == 16


def test_a_ring_that_breaks_is_reached_the_other_way_round() -> None:
    graph = Graph(8, ring(8))
    graph.calm()
    graph.cut(graph.links_of(0)[0])
    graph.calm()
    graph.check_rest()
    assert graph.nodes[0].routing.hops_to(identity(1)) == 7


def test_parts_of_a_graph_that_heal_know_all_of_it() -> None:
    graph = Graph(6, [*chain(3), (3, 4), (4, 5)])
    graph.calm()
    bridge = graph.link(2, 3)
    graph.calm()
    graph.check_rest()
    graph.cut(bridge)
    graph.calm()
    graph.check_rest()


def test_the_end_of_a_node_costs_each_link_of_a_full_mesh_a_few_messages() -> None:
    nodes = 12
    graph = Graph(nodes, [(one, other) for one in range(nodes) for other in range(one)])
    graph.calm()
    before = graph.messages["routes"]
    graph.stop(5)
    graph.calm()
    assert (graph.messages["routes"] - before) / len(graph.links) < 12
