"""What a node tells of its peers: rows of services, of peers, of nodes, and names at the prompt."""

from __future__ import annotations

import signal

import vista
from tests.shell.remote_world import RemoteTally, chain, kin, link, listen
from vista.ids import node_text
from vista.shell.names import NodeNames
from vista.shell.session import Session
from vista.shell.signals import StopSignals, tell_subscribers
from vista.shell.summary import node_rows
from vista.testing import World


def text_of_node(creator: vista.Ref) -> str:
    """The identity of a node as rows have it."""
    return node_text(vista.id_of(creator).node)


def test_services_of_peers_are_listed_with_their_node() -> None:
    with chain() as (_, _, _, peer):
        (row,) = [row for row in vista.services() if row.name == "Tallies/hub"]
        assert (row.object, row.node) == (vista.service("Tallies/hub")._id, text_of_node(peer))


def test_of_a_service_on_several_nodes_the_nearest_stands_first() -> None:
    with chain() as (_, asking, _, _):
        own = asking.call(vista.create, RemoteTally)
        asking.call(vista.register_service, "Tallies/far", own)
        rows = [row for row in vista.services() if row.name == "Tallies/far"]
        assert [row.object == own._id for row in rows] == [True, False]


def test_services_here_and_elsewhere_are_in_one_order() -> None:
    with chain() as (_, asking, _, _):
        asking.call(lambda: vista.register_service("Zones/own", vista.create(RemoteTally)))
        names = [row.name for row in vista.services()]
        assert names == ["ObjectCreator", "Tallies/far", "Tallies/hub", "Zones/own"]


def test_services_of_a_node_without_peers_are_its_own() -> None:
    with World(1) as world, world.node() as node:
        assert [row.node for row in vista.services()] == [text_of_node(node.call(vista.here))]


def test_a_lost_peer_takes_its_services_from_the_list() -> None:
    with chain() as (world, _, _, _):
        world.crash("hub")
        world.pass_time(30.0)
        assert [row.name for row in vista.services()] == ["ObjectCreator"]


def test_peers_are_described_with_the_way_to_them_and_what_their_link_carried() -> None:
    with chain() as (_, _, far, peer):
        near, behind = vista.here().describe_peers()
        assert (near.node, near.name, near.hops) == (text_of_node(peer), "hub", 1)
        assert near.user == "operator"
        assert near.messages_sent > 0
        assert near.bytes_received > 0
        assert (behind.node, behind.name, behind.hops) == (
            node_text(far.kernel.table.node),
            "",
            2,
        )
        assert (behind.link, behind.user, behind.messages_sent) == (near.link, "", None)


def test_a_node_without_links_describes_no_peers() -> None:
    with World(1) as world:
        assert world.node().call(lambda: vista.here().describe_peers()) == []


def test_a_creator_tells_the_name_of_its_node() -> None:
    with chain() as (_, _, _, peer):
        assert peer.get_name() == "hub"


def test_ps_shows_the_peer_first_and_what_it_reaches_but_not_who_asks() -> None:
    with chain() as (_, _, _, peer):
        rows, troubles = node_rows(peer)
        assert [(row.name, row.links) for row in rows] == [("hub", 1), ("far", 1)]
        assert all(row.objects and row.calls and row.uptime_seconds for row in rows)
        assert troubles == []


def test_ps_shows_a_node_that_does_not_answer_without_figures_and_says_why() -> None:
    with chain() as (_, _, far, peer):
        far.network.sever()
        with vista.timeout(2.0):
            rows, troubles = node_rows(peer)
        assert [(row.name, row.objects) for row in rows] == [("hub", rows[0].objects), ("", None)]
        (trouble,) = troubles
        assert trouble.startswith(f"node {node_text(far.kernel.table.node)} does not tell: ")


# --- at the prompt -------------------------------------------------------------------------


def tellers(names: NodeNames) -> int:
    """How many nodes told of a class: all nodes of one process know the same ones."""
    return list(names.classes()).count("Local.RemoteTally")


def test_names_of_services_are_those_of_peers_too() -> None:
    with chain() as (_, asking, _, _):
        assert {"Tallies/hub", "Tallies/far"} <= set(NodeNames(asking).services())


def test_names_of_classes_are_those_of_peers_too() -> None:
    with chain() as (_, asking, _, _):
        assert tellers(NodeNames(asking)) == 3


def test_classes_of_peers_are_asked_again_after_their_time() -> None:
    # Each completion looks at the clock once, and once more when it asked.
    times = [0.0, 0.0, 1.0, 3.0, 3.0]
    with chain() as (world, asking, _, _):
        names = NodeNames(asking, clock=lambda: times.pop(0))
        counted = [tellers(names)]
        world.crash("hub")
        world.pass_time(30.0)
        counted += [tellers(names), tellers(names)]
        assert counted == [3, 3, 1]


def test_a_peer_that_is_silent_does_not_keep_the_other_ones_classes_back() -> None:
    with chain() as (world, asking, _, _):
        world.network.partition(["far"], ["hub", "asking"])
        assert tellers(NodeNames(asking)) == 2


def test_an_object_elsewhere_is_asked_what_it_answers() -> None:
    with chain() as (_, asking, _, _):
        tally = vista.service("Tallies/far")
        session = Session(asking, {"tally": tally}, None)
        assert session.about("tally.increment") == (
            "tally.increment(by: int = 1) -> int\n    Add to the value and return it."
        )


def test_a_lost_object_has_nothing_to_offer_and_nothing_hangs() -> None:
    with chain() as (world, asking, _, _):
        tally = vista.service("Tallies/hub")
        world.crash("hub")
        assert list(NodeNames(asking).methods(tally)) == []


def test_figures_of_another_node_are_asked_for_at_the_prompt() -> None:
    with chain() as (_, asking, _, peer):
        statistics = Session(asking, {}, None).variables["statistics"]
        assert statistics(at=peer)["objects"] != statistics()["objects"]


def test_leaving_a_prompt_does_not_shut_down_the_peers() -> None:
    with World(1) as world:
        hub, asking = kin(world, "hub"), kin(world, "asking")
        hub.call(vista.create, "ShutdownService")
        link(asking, listen(hub))
        asking.call(lambda: vista.wait_for_service("ShutdownService", 10.0))
        tell_subscribers(asking, "the prompt was left")
        world.pass_time(10.0)
        assert not hub.stopped


def test_a_signal_stops_the_node_it_is_sent_to_and_not_the_peer_that_announces_the_service() -> (
    None
):
    with World(1) as world:
        hub, node = kin(world, "hub"), kin(world, "node")
        hub.call(vista.create, "ShutdownService")
        link(node, listen(hub))
        node.call(lambda: vista.wait_for_service("ShutdownService", 10.0))
        StopSignals(node.kernel)._handle(signal.SIGTERM, None)
        world.pass_time(10.0)
        assert (hub.stopped, node.stopped) == (False, True)
