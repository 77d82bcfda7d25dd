"""Commands about a node behind the peer, which is chosen by name or identity."""

from __future__ import annotations

import pytest

import vista
from tests.shell.remote_world import RemoteTally, chain, kin, link
from vista.errors import PeerAddressError
from vista.ids import node_text
from vista.shell.behind import NAMED_MAX, node_at
from vista.shell.remote import QUESTIONS, deliver, read_options
from vista.shell.summary import node_rows
from vista.shell.top import reports
from vista.testing.world import SimulatedNode


def identity(node: SimulatedNode) -> str:
    """The identity of a node as ``vista ps`` shows it."""
    return node_text(node.kernel.table.node)


@pytest.mark.parametrize("name", [*QUESTIONS, "top", "send"])
def test_each_command_about_a_node_takes_at(name: str) -> None:
    assert read_options(name, ["--at", "far", "Lamp", "dim"][: 4 if name == "send" else 2]).at == (
        "far"
    )


def test_without_a_node_the_peer_is_asked() -> None:
    with chain() as (_, _, _, peer):
        assert node_at(peer, None) == peer


def test_a_node_behind_the_peer_is_found_by_the_name_that_ps_shows() -> None:
    with chain() as (_, _, far, peer):
        rows, _ = node_rows(peer)
        (name,) = [row.name for row in rows if row.node == identity(far)]
        assert vista.id_of(node_at(peer, name)).node == far.kernel.table.node


def test_the_peer_itself_is_found_by_its_name() -> None:
    with chain() as (_, _, _, peer):
        assert node_at(peer, "hub") == peer


@pytest.mark.parametrize("characters", [16, 15])
def test_a_node_is_found_by_the_beginning_of_its_identity(characters: int) -> None:
    with chain() as (_, _, far, peer):
        found = node_at(peer, identity(far)[:characters])
        assert vista.id_of(found).node == far.kernel.table.node


def test_objects_are_those_of_the_node_behind() -> None:
    with chain() as (_, _, far, peer):
        rows, _ = QUESTIONS["objects"](node_at(peer, "far"))
        own = far.call(lambda: [row.id for row in vista.objects()])
        assert {row.id for row in rows} == set(own)


def test_a_message_goes_to_the_service_as_the_node_behind_finds_it() -> None:
    with chain() as (_, _, far, peer):
        far.call(lambda: vista.register_service("Hidden", vista.create(RemoteTally, 40)))
        assert deliver(node_at(peer, "far"), "Hidden", "increment", ["2"]) == (42, None)


def test_top_reports_of_the_node_behind() -> None:
    with chain() as (_, _, _, peer):
        (made,) = reports(node_at(peer, "far"), 1.0, 1, 5.0)
        assert made.name == "far"


def test_who_asks_is_no_node_to_be_asked() -> None:
    with chain() as (_, asking, _, peer):
        with pytest.raises(PeerAddressError, match=r"^no node 'asking' is reached; there are "):
            node_at(peer, "asking")
        with pytest.raises(PeerAddressError):
            node_at(peer, identity(asking))


@pytest.mark.parametrize("wanted", ["mars", ""])
def test_an_unknown_node_is_answered_with_those_there_are(wanted: str) -> None:
    with chain() as (_, _, far, peer):
        with pytest.raises(PeerAddressError) as caught:
            node_at(peer, wanted)
        hub = node_text(vista.id_of(peer).node)
        assert str(caught.value) == (
            f"no node {wanted!r} is reached; there are {hub} (hub), {identity(far)} (far)"
        )


def test_of_several_nodes_of_one_name_the_identities_are_told_and_choose() -> None:
    with chain() as (world, _, far, peer):
        other = kin(world, "other")
        other.kernel.name = "far"
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        link(other, url)
        world.pass_time(5.0)
        with pytest.raises(PeerAddressError) as caught:
            node_at(peer, "far")
        assert str(caught.value).startswith(
            "2 nodes are meant by 'far'; say more of the identity of one: "
        )
        assert {identity(far), identity(other)} <= set(str(caught.value).split())
        found = node_at(peer, identity(other))
        assert vista.id_of(found).node == other.kernel.table.node


def test_a_node_that_is_silent_keeps_nobody_from_the_others() -> None:
    with chain() as (_, _, far, peer):
        far.network.sever()
        with vista.timeout(4.0):
            assert node_at(peer, "hub") == peer
            with pytest.raises(PeerAddressError, match=r"\(which does not tell its name\)"):
                node_at(peer, "far")


def test_of_very_many_nodes_some_are_listed() -> None:
    with chain() as (world, _, far, peer):
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        for number in range(NAMED_MAX):
            link(kin(world, f"n{number}"), url)
        world.pass_time(5.0)
        with pytest.raises(PeerAddressError, match=r" and 2 more$"):
            node_at(peer, "mars")
