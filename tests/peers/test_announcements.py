"""Announced services: what appears and vanishes where, what is told, and what is kept of it."""

from __future__ import annotations

import pytest

from tests.peers.routing_graph import (
    SERVICES,
    Graph,
    chain,
    error_of,
    full_mesh,
    identity,
    ring,
    run_of,
    service,
)
from vista.errors import LocalProtocolError
from vista.ids import Id
from vista.peering.announcements import Announcements, Appeared, Publish, Vanished, Withdraw
from vista.peering.routing import Heard, LinkDown, LinkUp, Lost, Reached, Tell, Tick
from vista.peering.words import AnnouncementBounds, Word

A, B, C = (identity(number) for number in range(1, 4))
RUN, RERUN = run_of(1), run_of(2)
ONE, TWO = service(1, 1), service(1, 2)


def have(link: int, node: bytes, version: int, epoch: bytes = RUN) -> Heard:
    """The peer of a link says which list it holds."""
    return Heard(link, [Word.HAVE.value, [[node, epoch, version]]])


def part(
    link: int, node: bytes, version: int, names: dict[str, Id], index: int = 0, last: bool = True
) -> Heard:
    """The peer of a link sends a part of a list."""
    services = [[name, bytes(id)] for name, id in names.items()]
    return Heard(link, [Word.PART.value, node, RUN, version, index, last, services])


def change(link: int, node: bytes, version: int, name: str, id: Id | None) -> Heard:
    """The peer of a link tells of one change."""
    item = [name, None if id is None else bytes(id)]
    return Heard(link, [Word.CHANGE.value, node, RUN, version, [item]])


def want(link: int, node: bytes) -> Tell:
    """The list of a node is asked for over a link."""
    return Tell(link, [Word.WANT.value, node, RUN])


def made_with(*peers: bytes, bounds: AnnouncementBounds | None = None) -> Announcements:
    """The announcements of A, with links 1, 2 and so on to peers that are reached."""
    made = Announcements(A, RUN, bounds)
    for link, peer in enumerate(peers, 1):
        made.handle(LinkUp(link, peer, RUN), 0.0)
        made.handle(Reached(peer, RUN, link, 1), 0.0)
    return made


def provided(graph: Graph, number: int) -> list[str]:
    """The names of services of other nodes that a node knows."""
    return sorted(name for name, _ in graph.nodes[number].provided)


# --- in graphs -------------------------------------------------------------------------------


def test_a_service_appears_everywhere_and_vanishes_everywhere() -> None:
    graph = Graph(4, chain(4))
    graph.publish(0, "Clock", service(0, 1))
    graph.calm()
    graph.check_rest()
    assert provided(graph, 3) == ["Clock"]
    graph.withdraw(0, "Clock")
    graph.calm()
    assert [provided(graph, number) for number in range(4)] == [[], [], [], []]


def test_what_was_published_before_the_link_is_known_after_it() -> None:
    graph = Graph(2)
    graph.publish(0, "Clock", service(0, 1))
    graph.link(0, 1)
    graph.calm()
    assert provided(graph, 1) == ["Clock"]


def test_a_lost_node_takes_its_services_and_brings_them_back() -> None:
    graph = Graph(3, chain(3))
    graph.publish(2, "Clock", service(2, 1))
    graph.calm()
    (name,) = graph.links_of(2)
    graph.cut(name)
    graph.calm()
    assert provided(graph, 0) == []
    graph.link(1, 2)
    graph.calm()
    assert provided(graph, 0) == ["Clock"]


def test_nothing_of_an_earlier_run_remains() -> None:
    graph = Graph(3, ring(3))
    for serial in range(5):
        graph.publish(0, f"Old{serial}", service(0, serial))
    graph.calm()
    graph.stop(0)
    graph.start(0)
    graph.publish(0, "Fresh", service(0, 9))
    graph.link(0, 1)
    graph.calm()
    assert provided(graph, 2) == ["Fresh"]


def test_ten_thousand_services_come_in_bounded_messages() -> None:
    graph = Graph(3)
    graph.link(0, 1)
    graph.link(1, 2)
    for serial in range(10_000):
        graph.nodes[0].announcements.handle(Publish(f"Service/{serial}", service(0, serial)), 0.0)
    graph.calm()
    assert len(graph.nodes[2].provided) == 10_000
    # Two links, each: who has it, who wants it, 40 parts; and what was had said back once.
    assert graph.messages[SERVICES] <= 2 * (1 + 1 + 40) + 2


def test_a_change_costs_each_link_two_messages_at_most() -> None:
    graph = Graph(8, full_mesh(8))
    graph.publish(0, "Clock", service(0, 1))
    graph.calm()
    messages, octets = graph.messages[SERVICES], graph.octets[SERVICES]
    graph.publish(0, "Calendar", service(0, 2))
    graph.calm()
    assert graph.messages[SERVICES] - messages <= 2 * len(graph.links)
    assert graph.octets[SERVICES] - octets <= 2 * len(graph.links) * 64


def test_nodes_without_services_say_nothing_of_them() -> None:
    graph = Graph(4, full_mesh(4))
    graph.calm()
    assert graph.messages[SERVICES] == 0


def test_links_that_come_back_move_no_list_that_is_known() -> None:
    graph = Graph(3, ring(3))
    graph.publish(0, "Clock", service(0, 1))
    graph.calm()
    before = graph.octets[SERVICES]
    graph.cut(graph.links_of(0)[0])
    graph.calm()
    graph.link(0, 1)
    graph.calm()
    assert graph.octets[SERVICES] - before < 100


def test_without_transit_each_end_knows_the_services_of_the_other() -> None:
    graph = Graph(3)
    graph.link(0, 1)
    graph.link(1, 2, transit=(False, False))
    for number in range(3):
        graph.publish(number, f"Of{number}", service(number, 1))
    graph.calm()
    assert [provided(graph, number) for number in range(3)] == [["Of1"], ["Of0", "Of2"], ["Of1"]]


# --- asking ----------------------------------------------------------------------------------


def test_all_providers_come_in_the_order_of_their_identities() -> None:
    made = made_with(C, B)
    made.handle(Publish("Clock", ONE), 0.0)
    for link, node, id in ((1, C, service(3, 1)), (2, B, service(2, 1))):
        made.handle(have(link, node, 1), 0.0)
        made.handle(part(link, node, 1, {"Clock": id}), 0.0)
    expected = [(A, ONE), (B, service(2, 1)), (C, service(3, 1))]
    assert made.providers("Clock") == expected
    assert made.names() == ["Clock"]


def test_the_nearest_provider_comes_first_and_of_equals_the_smaller() -> None:
    made = made_with(B, C)
    made.handle(Publish("Clock", ONE), 0.0)
    for link, node in ((1, B), (2, C)):
        made.handle(have(link, node, 1), 0.0)
        made.handle(part(link, node, 1, {"Clock": TWO}), 0.0)
    assert made.nearest("Clock", {A: 3, B: 2, C: 1}.get) == [(C, TWO), (B, TWO), (A, ONE)]
    assert made.nearest("Clock", {B: 2, C: 2}.get) == [(B, TWO), (C, TWO)]
    assert made.nearest("Nothing", {A: 0}.get) == []


# --- lists and changes -----------------------------------------------------------------------


def test_a_list_is_asked_for_once() -> None:
    made = made_with(B, C)
    assert made.handle(have(1, B, 3), 0.0) == [want(1, B)]
    assert made.handle(have(2, B, 3), 0.0) == []


def test_a_list_of_a_node_that_is_not_reached_waits_until_it_is() -> None:
    made = made_with(B)
    assert made.handle(have(1, C, 1), 0.0) == []
    assert made.handle(Reached(C, RUN, 1, 2), 0.0) == [want(1, C)]


def test_a_list_of_another_run_is_not_asked_for() -> None:
    made = made_with(B)
    assert made.handle(have(1, B, 9, epoch=RERUN), 0.0) == []


def test_the_list_of_an_earlier_run_goes_when_the_later_is_reached() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    effects = made.handle(Reached(B, RERUN, 1, 1), 0.0)
    assert effects[0] == Vanished("Clock", B, ONE)


def test_an_earlier_version_never_takes_the_place_of_a_later_one() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 5), 0.0)
    made.handle(part(1, B, 5, {"Clock": ONE}), 0.0)
    assert made.handle(have(2, B, 4), 0.0) == []
    assert made.handle(change(2, B, 5, "Clock", None), 0.0) == []
    assert made.providers("Clock") == [(B, ONE)]


def test_a_change_of_the_version_that_is_held_is_applied_and_passed_on() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    assert made.handle(change(1, B, 2, "Clock", TWO), 0.0) == [
        Vanished("Clock", B, ONE),
        Appeared("Clock", B, TWO),
        Tell(2, [Word.CHANGE.value, B, RUN, 2, [["Clock", TWO]]]),
    ]


def test_who_missed_a_change_asks_for_the_whole_list() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    assert made.handle(change(1, B, 3, "Calendar", TWO), 0.0) == [want(1, B)]
    assert made.handle(part(1, B, 3, {"Calendar": TWO}), 0.0)[:2] == [
        Vanished("Clock", B, ONE),
        Appeared("Calendar", B, TWO),
    ]


def test_a_list_counts_when_its_last_part_is_there() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1), 0.0)
    assert made.handle(part(1, B, 1, {"Clock": ONE}, last=False), 0.0) == []
    assert made.handle(part(1, B, 1, {"Calendar": TWO}, index=1), 0.0) == [
        Appeared("Clock", B, ONE),
        Appeared("Calendar", B, TWO),
    ]


def test_a_part_out_of_turn_has_no_effect() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}, last=False), 0.0)
    assert made.handle(part(1, B, 1, {"Calendar": TWO}, index=2), 0.0) == []
    assert made.handle(part(1, B, 2, {"Calendar": TWO}, index=1), 0.0) == []


def test_a_list_that_begins_again_counts_once() -> None:
    made = made_with(B, bounds=AnnouncementBounds(names_all_max=2))
    made.handle(have(1, B, 1), 0.0)
    for _ in range(9):
        assert made.handle(part(1, B, 1, {"Clock": ONE}, last=False), 0.0) == []
    assert made.handle(part(1, B, 1, {"Clock": ONE}), 0.0) == [Appeared("Clock", B, ONE)]


def test_a_later_version_that_was_told_meanwhile_is_asked_for_next() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    assert made.handle(have(2, B, 2), 0.0) == []
    assert want(2, B) in made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)


def test_of_changes_that_are_known_in_part_the_rest_is_applied() -> None:
    made = made_with(B)
    made.handle(have(1, B, 5), 0.0)
    made.handle(part(1, B, 5, {"Clock": ONE}), 0.0)
    items = [["Clock", None], ["Calendar", bytes(TWO)]]
    effects = made.handle(Heard(1, [Word.CHANGE.value, B, RUN, 6, items]), 0.0)
    assert effects == [Appeared("Calendar", B, TWO)]


def test_a_list_whose_sender_is_cut_off_is_asked_of_another() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(have(2, B, 1), 0.0)
    assert made.handle(LinkDown(1), 0.0) == [want(2, B)]


def test_a_list_that_its_sender_dropped_is_asked_of_another() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(have(2, B, 1), 0.0)
    assert made.handle(Heard(1, [Word.GONE.value, [B]]), 0.0) == [want(2, B)]


def test_a_list_that_changes_overtook_is_not_taken() -> None:
    made = made_with(B, C, bounds=AnnouncementBounds(names_all_max=4))
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    for version in range(2, 30, 3):
        # 1. The later of two changes comes first by B, and the list is asked for. 2. Both come
        # by C. 3. The list comes, in an earlier version than is held by then.
        assert made.handle(change(1, B, version + 1, "Clock", TWO), 0.0) == [want(1, B)]
        made.handle(change(2, B, version, "Clock", None), 0.0)
        made.handle(change(2, B, version + 1, "Clock", TWO), 0.0)
        made.handle(change(2, B, version + 2, "Clock", ONE), 0.0)
        assert made.handle(part(1, B, version + 1, {"Clock": TWO}), 0.0) == []
        assert made.providers("Clock") == [(B, ONE)]


def test_a_list_that_does_not_come_is_asked_of_another() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(have(2, B, 1), 0.0)
    assert made.next_deadline() == 10.0
    assert made.handle(Tick(), 10.0) == [want(2, B)]


def test_a_list_that_nobody_else_has_is_waited_for() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1), 0.0)
    assert made.handle(Tick(), 10.0) == []
    assert made.handle(part(1, B, 1, {"Clock": ONE}), 15.0) == [Appeared("Clock", B, ONE)]


def test_who_dropped_a_list_is_told_where_to_have_it() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    effects = made.handle(Heard(2, [Word.GONE.value, [B]]), 0.0)
    assert effects == [Tell(2, [Word.HAVE.value, [[B, RUN, 1]]])]


def test_a_lost_node_is_dropped_and_that_is_told() -> None:
    made = made_with(B, C)
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    gone = [Tell(link, [Word.GONE.value, [B]]) for link in (1, 2)]
    assert made.handle(Lost(B), 0.0) == [Vanished("Clock", B, ONE), *gone]
    assert made.providers("Clock") == []


def test_who_says_much_and_gives_little_is_not_asked_again() -> None:
    made = made_with(B)
    made.handle(have(1, B, 1000), 0.0)
    assert want(1, B) not in made.handle(part(1, B, 1, {}), 0.0)


def test_an_invented_version_of_this_nodes_own_list_is_topped() -> None:
    made = made_with(B)
    made.handle(Publish("Clock", ONE), 0.0)
    assert made.handle(have(1, A, 700), 0.0) == [Tell(1, [Word.HAVE.value, [[A, RUN, 701]]])]


def test_an_invention_about_a_node_does_not_outlast_its_next_word() -> None:
    graph = Graph(3, chain(3))
    graph.publish(0, "Clock", service(0, 1))
    graph.calm()
    middle, (link,) = graph.nodes[1], graph.links_of(2)
    epoch = graph.nodes[0].epoch
    invented = [Word.CHANGE.value, identity(0), epoch, 2, [["Clock", None]]]
    graph.announce(middle, Heard(link, invented))
    assert provided(graph, 1) == []
    graph.calm()
    graph.check_rest()


# --- bounds and misuse -----------------------------------------------------------------------


def test_a_node_publishes_no_more_names_than_it_may() -> None:
    made = made_with(bounds=AnnouncementBounds(names_max=1))
    made.handle(Publish("Clock", ONE), 0.0)
    made.handle(Publish("Clock", TWO), 0.0)
    with pytest.raises(LocalProtocolError, match=r"at most 1 services"):
        made.handle(Publish("Calendar", ONE), 0.0)


@pytest.mark.parametrize("name", ["", "x" * 256, "\ud800", 5])
def test_a_name_is_text_of_bounded_length(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"cannot be announced"):
        made_with().handle(Publish(name, ONE), 0.0)


def test_a_list_of_more_names_than_may_be_is_rejected() -> None:
    made = made_with(B, bounds=AnnouncementBounds(names_max=1))
    made.handle(have(1, B, 2), 0.0)
    error = error_of(made.handle(part(1, B, 2, {"Clock": ONE, "Calendar": TWO}), 0.0))
    assert "more names" in str(error)


def test_a_change_that_makes_too_many_names_is_rejected() -> None:
    made = made_with(B, bounds=AnnouncementBounds(names_max=1))
    made.handle(have(1, B, 1), 0.0)
    made.handle(part(1, B, 1, {"Clock": ONE}), 0.0)
    error = error_of(made.handle(change(1, B, 2, "Calendar", TWO), 0.0))
    assert "more names" in str(error)


def test_lost_and_withdrawn_names_make_room() -> None:
    made = made_with(B, bounds=AnnouncementBounds(names_all_max=3))
    for version in range(2, 40, 2):
        made.handle(have(1, B, version), 0.0)
        made.handle(part(1, B, version, {"Clock": ONE}, last=False), 0.0)
        made.handle(part(1, B, version, {"Calendar": TWO}, index=1), 0.0)
        made.handle(change(1, B, version + 1, "Clock", None), 0.0)
        made.handle(Publish("Mine", ONE), 0.0)
        made.handle(Withdraw("Mine"), 0.0)
        assert made.names() == ["Calendar"]
        if version % 3:
            made.handle(Lost(B), 0.0)
            made.handle(Reached(B, RUN, 1, 1), 0.0)
            made.handle(part(1, B, version, {"Clock": ONE}, last=False), 0.0)
            made.handle(Lost(B), 0.0)
            made.handle(Reached(B, RUN, 1, 1), 0.0)
            made.handle(Heard(1, [Word.GONE.value, [B]]), 0.0)


def test_a_link_may_tell_of_a_bounded_number_of_nodes() -> None:
    made = made_with(B, bounds=AnnouncementBounds(nodes_max=1))
    made.handle(have(1, B, 1), 0.0)
    assert "more than 1 nodes" in str(error_of(made.handle(have(1, C, 1), 0.0)))


def test_without_transit_a_peer_is_not_heard_about_others() -> None:
    made = Announcements(A, RUN)
    made.handle(LinkUp(1, B, RUN, transit=False), 0.0)
    made.handle(Reached(C, RUN, 2, 1), 0.0)
    assert made.handle(have(1, C, 1), 0.0) == []
    assert made.handle(change(1, C, 2, "Clock", ONE), 0.0) == []


def test_without_transit_a_peer_is_told_and_given_only_this_nodes_own_list() -> None:
    made = made_with(B)
    made.handle(LinkUp(2, C, RUN, transit=False), 0.0)
    made.handle(have(1, B, 1), 0.0)
    assert made.handle(part(1, B, 1, {"Clock": ONE}), 0.0) == [Appeared("Clock", B, ONE)]
    assert made.handle(Heard(2, [Word.WANT.value, B, RUN]), 0.0) == []
    made.handle(Publish("Mine", ONE), 0.0)
    services = [["Mine", ONE]]
    assert made.handle(Heard(2, [Word.WANT.value, A, RUN]), 0.0) == [
        Tell(2, [Word.PART.value, A, RUN, 1, 0, True, services])
    ]


def test_a_part_that_nobody_asked_for_has_no_effect() -> None:
    assert made_with(B).handle(part(1, B, 1, {"Clock": ONE}), 0.0) == []


def test_what_comes_after_the_end_of_a_link_tells_nothing() -> None:
    made = made_with(B)
    made.handle(LinkDown(1), 0.0)
    assert made.handle(have(1, B, 1), 0.0) == []


def test_a_link_of_announcements_comes_up_once() -> None:
    with pytest.raises(LocalProtocolError, match=r"link 1 is up already"):
        made_with(B).handle(LinkUp(1, C, RUN), 0.0)
