"""Simulated nodes that find one another by AutomaticIPCMesh: one link for each two of them."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.conftest import world_seed
from tests.peers.system import PROMPT, add_node, links, peering, stranger
from vista.errors import BadValueError, PeerAddressError
from vista.ids import node_text
from vista.peering.curve import public_key_of
from vista.peering.datagrams import GROUP, GROUP_IPV6, Group
from vista.peering.trust import PEERS_FILE, authorize_peer, parse_rights
from vista.peering.urls import key_text
from vista.testing import Conditions, SimulatedNode, World, run_seeds

TCP = "tcp:127.0.0.1:0"
LOSSY = Conditions(delay_seconds=0.01, tail_chance=0.2, tail_seconds=0.1)
"""A network on which each fifth datagram is lost."""


def take_part(node: SimulatedNode, *words: Any) -> vista.Ref:
    """Have a node take part in a mesh."""
    made: vista.Ref = node.call(lambda: vista.create("AutomaticIPCMesh", *(words or (TCP,))))
    return made


def members(world: World, names: str, *words: Any) -> list[SimulatedNode]:
    """Kin nodes that take part in a mesh."""
    made = [add_node(world, name) for name in names]
    for node in made:
        take_part(node, *words)
    return made


def linked(node: SimulatedNode) -> list[bytes]:
    """The nodes to which a node has a link that messages cross, one for each link."""
    return sorted(link.node for link in links(node) if link.is_established)


def identities(nodes: Iterable[SimulatedNode]) -> list[bytes]:
    """The identities of nodes, in their order."""
    return sorted(node.kernel.table.node for node in nodes)


def is_full(nodes: Sequence[SimulatedNode]) -> bool:
    """Whether each node has exactly one link to each other one, and none besides."""
    return all(
        linked(node) == identities(other for other in nodes if other is not node) for node in nodes
    )


def assert_full(world: World, nodes: Sequence[SimulatedNode], seconds: float = 120.0) -> None:
    """The nodes become a full mesh in time, and stay one."""
    world.drive(lambda: is_full(nodes), seconds)
    world.pass_time(60.0)
    world.drive(lambda: is_full(nodes), 60.0)
    assert sum(len(linked(node)) for node in nodes) == len(nodes) * (len(nodes) - 1)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world on whose network both ends learn of a loss."""
    with World(world_seed(request), conditions=PROMPT) as made:
        yield made


# --- a mesh comes to be --------------------------------------------------------------------


@pytest.mark.parametrize("place", range(5))
def test_eight_nodes_become_a_full_mesh_with_one_link_for_each_two(
    request: pytest.FixtureRequest, place: int
) -> None:
    with World(world_seed(request)) as world:
        assert_full(world, members(world, "abcdefgh"))


@pytest.mark.parametrize("place", range(5))
def test_a_mesh_comes_to_be_though_datagrams_are_lost(
    request: pytest.FixtureRequest, place: int
) -> None:
    with World(world_seed(request), conditions=LOSSY) as world:
        assert_full(world, members(world, "abcde"))


def test_a_mesh_is_there_within_seconds(world: World) -> None:
    nodes = members(world, "abcd")
    began = world.time
    world.drive(lambda: is_full(nodes), 60.0)
    assert world.time - began < 3.0


def test_nodes_come_one_after_another(world: World) -> None:
    nodes: list[SimulatedNode] = []
    for name in "abcd":
        nodes += members(world, name)
        world.drive(lambda nodes=nodes: is_full(nodes), 10.0)
        assert [len(linked(node)) for node in nodes] == [len(nodes) - 1] * len(nodes)


def test_sockets_make_a_mesh_as_well(world: World) -> None:
    nodes = [add_node(world, name) for name in "abc"]
    for node in nodes:
        take_part(node, f"ipc:{node.name}")
    assert_full(world, nodes)


def test_nodes_that_listen_everywhere_make_a_mesh(world: World) -> None:
    assert_full(world, members(world, "abc", "0.0.0.0"))


def test_objects_of_all_nodes_are_reached(world: World) -> None:
    nodes = members(world, "abc")
    world.drive(lambda: is_full(nodes), 60.0)
    for one, other in combinations(nodes, 2):
        creator = one.call(
            lambda other=other: vista.ref_of(vista.Id.make(other.kernel.table.node, 0))
        )
        assert one.call(creator.get_name) == other.name


def test_two_runs_of_a_seed_are_equal() -> None:
    def scenario(world: World) -> None:
        nodes = members(world, "abc")
        world.drive(lambda: is_full(nodes), 120.0)
        world.crash("b")
        world.pass_time(60.0)

    assert len(set(run_seeds(scenario, range(3)).values())) == 3


# --- faults --------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [10.0, 200.0])
def test_a_mesh_that_was_parted_is_whole_again_when_it_heals(world: World, seconds: float) -> None:
    nodes = members(world, "abcdef")
    world.drive(lambda: is_full(nodes), 60.0)
    partition = world.network.partition("abc", "def")
    world.pass_time(seconds)
    if seconds > 100.0:
        assert is_full(nodes[:3])
        assert is_full(nodes[3:])
    partition.heal()
    assert_full(world, nodes)


def test_a_mesh_grows_together_that_began_in_two_parts(world: World) -> None:
    nodes = [add_node(world, name) for name in "abcdef"]
    partition = world.network.partition("abc", "def")
    for node in nodes:
        take_part(node)
    world.pass_time(60.0)
    assert is_full(nodes[:3])
    partition.heal()
    assert_full(world, nodes)


def test_who_hears_nobody_is_connected_to_by_those_who_hear_him(world: World) -> None:
    nodes = [add_node(world, name) for name in "ab"]
    deaf, heard = sorted(nodes, key=lambda node: node.kernel.table.node)
    take_part(deaf)
    peering(deaf)
    (member,) = world.network.members
    member.receive = lambda data, source: None
    take_part(heard)
    assert_full(world, nodes)


def start(node: SimulatedNode) -> None:
    """Take part as the first thing a node does."""
    vista.create("AutomaticIPCMesh", TCP)


def test_a_node_that_crashed_and_returns_is_found_again(world: World) -> None:
    add_node(world, "a", boot=start)
    for name in "bcd":
        add_node(world, name, boot=start)
    world.drive(lambda: _are_up(world) and is_full(world.nodes), 60.0)
    world.crash("a")
    world.drive(lambda: is_full(world.nodes), 60.0)
    world.restart("a")
    world.drive(lambda: _are_up(world), 60.0)
    assert_full(world, world.nodes)


def _are_up(world: World) -> bool:
    return all(node.kernel.elsewhere is not None for node in world.nodes)


def start_at_4500(node: SimulatedNode) -> None:
    """Take part at a port that is the same in each run."""
    vista.create("AutomaticIPCMesh", "tcp:127.0.0.1:4500")


def leave_and_return(world: World, away_seconds: float) -> None:
    """Have a node crash when it is in the mesh, and start again at the same port."""
    add_node(world, "a", boot=start_at_4500)
    world.drive(lambda: _are_up(world) and is_full(world.nodes), 60.0)
    world.crash("a")
    world.pass_time(away_seconds)
    world.restart("a")


@pytest.mark.parametrize("place", range(8))
def test_a_node_that_returns_at_the_same_address_keeps_its_link_when_its_last_run_is_forgotten(
    world: World, place: int
) -> None:
    others = members(world, "bcd")
    leave_and_return(world, 1.0)
    world.drive(lambda: _are_up(world) and is_full(world.nodes), 60.0)
    numbers = [_established(node) for node in others]
    world.pass_time(100.0)
    assert [_established(node) for node in others] == numbers


@pytest.mark.parametrize("place", range(4))
def test_a_node_that_returns_is_linked_in_the_midst_of_a_pause_between_attempts(
    world: World, place: int
) -> None:
    members(world, "bcde")
    leave_and_return(world, 16.0)
    world.pass_time(3.0)
    assert [len(linked(node)) for node in world.nodes] == [4] * 5


def _established(node: SimulatedNode) -> list[int]:
    return sorted(link.number for link in links(node) if link.is_established)


def test_a_node_that_is_forgotten_is_no_longer_tried(world: World) -> None:
    nodes = members(world, "ab")
    world.drive(lambda: is_full(nodes), 60.0)
    tries, lost = sorted(nodes, key=lambda node: node.kernel.table.node)
    world.crash(lost.name)
    world.pass_time(5.0)
    assert len(links(tries)) == 1
    world.pass_time(60.0)
    # There may be a pause between two attempts, but none of a minute.
    for _ in range(60):
        assert links(tries) == []
        world.pass_time(1.0)


@pytest.mark.parametrize("place", range(4))
def test_a_mesh_is_whole_after_a_storm(request: pytest.FixtureRequest, place: int) -> None:
    with World(world_seed(request)) as world:
        for name in "abcde":
            add_node(world, name, boot=start)
        world.pass_time(5.0)
        world.storm(60.0)
        world.pass_time(60.0)
        world.calm()
        world.drive(lambda: _are_up(world), 60.0)
        assert_full(world, world.nodes, 300.0)


# --- who is let in -------------------------------------------------------------------------


def test_nodes_of_other_domains_are_ignored(world: World) -> None:
    ones = members(world, "abc", TCP, "one")
    others = members(world, "def", TCP, "other")
    assert_full(world, ones)
    assert_full(world, others)


def test_nodes_of_other_groups_are_not_heard(world: World) -> None:
    ones = members(world, "ab", TCP, "vista", 5.0, "239.1.1.1:8673")
    others = members(world, "cd", TCP, "vista", 5.0, "239.1.1.2:8673")
    assert_full(world, ones)
    assert_full(world, others)


def lines(caplog: pytest.LogCaptureFixture, key: bytes) -> list[str]:
    """What was logged about a public key."""
    return [text for text in caplog.messages if key_text(public_key_of(key)) in text]


def test_a_node_with_an_unknown_key_is_not_linked(world: World, tmp_path: Path) -> None:
    nodes = members(world, "ab")
    other = stranger(world, tmp_path, "other", b"o" * 32, {})
    take_part(other)
    assert_full(world, nodes)
    assert linked(other) == []


def test_a_node_with_an_unknown_key_is_logged_once_with_what_lets_it_in(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.peering")
    members(world, "a")
    take_part(stranger(world, tmp_path, "other", b"o" * 32, {}))
    world.pass_time(100.0)
    (line,) = lines(caplog, b"o" * 32)
    where = "the mesh vista at 239.255.86.73:8673, tcp://127.0.0.1:"
    assert line.startswith(f"refused a peer: {where}")
    assert f"vista authorize {key_text(public_key_of(b'o' * 32))} USER call,create" in line


def test_nodes_that_authorize_one_another_are_linked(world: World, tmp_path: Path) -> None:
    one = stranger(world, tmp_path, "one", b"1" * 32, {b"2" * 32: "two call"})
    two = stranger(world, tmp_path, "two", b"2" * 32, {b"1" * 32: "one call"})
    take_part(one)
    take_part(two)
    assert_full(world, [one, two])


def test_who_is_authorized_later_is_linked_then(world: World, tmp_path: Path) -> None:
    one = stranger(world, tmp_path, "one", b"1" * 32, {b"2" * 32: "two call"})
    two = stranger(world, tmp_path, "two", b"2" * 32, {})
    take_part(one)
    take_part(two)
    world.pass_time(30.0)
    assert linked(two) == []
    call = parse_rights("call")
    authorize_peer(tmp_path / "two" / PEERS_FILE, public_key_of(b"1" * 32), "one", call)
    assert_full(world, [one, two])


def test_garbage_and_floods_keep_nobody_apart(world: World) -> None:
    attacker = world.network.of("attacker").join(GROUP, "127.0.0.1", 1200)
    dice = random.Random(1)

    def attack(count: int) -> None:
        for _ in range(count):
            attacker.send("127.0.0.1", dice.randbytes(dice.randrange(2000)))

    one = add_node(world, "a")
    mesh = take_part(one)
    attack(1500)
    world.pass_time(2.0)
    nodes = [one, *members(world, "b")]
    attack(100)
    assert_full(world, nodes)
    ignored = mesh.get_state()["ignored"]
    assert ignored["garbage"] + ignored["oversize"] + ignored["flood"] == 1600
    assert ignored["flood"] > 0


# --- what others see of it -----------------------------------------------------------------


def test_linked_nodes_take_part_in_placement(world: World) -> None:
    nodes = members(world, "abc")
    world.drive(lambda: is_full(nodes), 60.0)
    world.pass_time(10.0)
    assert [sorted(peering(node).mesh.nodes) for node in nodes] == [identities(nodes)] * 3


def test_a_node_that_is_lost_takes_part_no_more(world: World) -> None:
    one, other = nodes = members(world, "ab")
    world.drive(lambda: is_full(nodes), 60.0)
    assert peering(one).mesh.others == identities([other])
    world.crash("b")
    world.pass_time(60.0)
    assert peering(one).mesh.others == []


def test_a_node_of_somebody_else_takes_no_part_in_placement(world: World, tmp_path: Path) -> None:
    one = stranger(world, tmp_path, "one", b"1" * 32, {b"2" * 32: "two call"})
    two = stranger(world, tmp_path, "two", b"2" * 32, {b"1" * 32: "one call"})
    take_part(one)
    take_part(two)
    assert_full(world, [one, two])
    assert [peering(node).mesh.others for node in (one, two)] == [[], []]


def test_its_state_tells_who_was_heard_and_who_is_linked(world: World) -> None:
    one, two = add_node(world, "a"), add_node(world, "b")
    mesh, other = take_part(one), take_part(two)
    world.drive(lambda: is_full([one, two]), 60.0)
    world.pass_time(20.0)
    state = mesh.get_state()
    (contact,) = state["contacts"]
    assert state["linked"] == [node_text(two.kernel.table.node)] == [contact["node"]]
    assert contact["urls"] == [other.get_url()] == other.get_state()["urls"]
    assert 0.0 <= contact["heard_seconds_ago"] < 7.0
    assert (state["domain"], state["interval_seconds"], state["ignored"]) == ("vista", 5.0, {})
    assert state["announced"] >= 4
    assert state["heard"] >= 4


def test_who_is_linked_already_is_not_linked_twice(world: World) -> None:
    one, two = add_node(world, "a"), add_node(world, "b")
    url = one.call(lambda: vista.create("AcceptPeerConnections", TCP).get_url())
    kept = two.call(lambda: vista.create("ConnectToPeer", url))
    two.call(lambda: kept.wait(30.0))
    before = [sorted(peering(node).links) for node in (one, two)]
    meshes = [take_part(one), take_part(two)]
    world.pass_time(60.0)
    assert [sorted(peering(node).links) for node in (one, two)] == before
    assert [len(mesh.get_state()["linked"]) for mesh in meshes] == [1, 1]


@pytest.mark.parametrize("place", range(6))
def test_those_who_ask_for_settled_links_are_told_of_no_needless_one(
    world: World, place: int
) -> None:
    nodes = add_node(world, "a"), add_node(world, "b")
    urls = [
        node.call(lambda: vista.create("AcceptPeerConnections", TCP).get_url()) for node in nodes
    ]
    told: list[str | None] = []
    for node in nodes:
        peering(node).rivals.on_settled.append(lambda link: told.append(link.ended))
    for node, url in zip(nodes, reversed(urls), strict=True):
        node.call(lambda url=url: vista.create("ConnectToPeer", url))
    world.pass_time(30.0)
    assert len(told) >= 2
    assert set(told) == {None}


def test_deleting_it_ends_the_links_and_forgets_the_node(world: World) -> None:
    one, two = add_node(world, "a"), add_node(world, "b")
    mesh, other = take_part(one), take_part(two)
    world.drive(lambda: is_full([one, two]), 60.0)
    one.call(lambda: vista.delete(mesh))
    two.call(lambda: vista.delete(other))
    world.pass_time(60.0)
    assert (linked(one), linked(two)) == ([], [])
    assert [peering(node).mesh.others for node in (one, two)] == [[], []]
    assert (world.network.members, world.network.listening) == ([], [])
    assert peering(one).rivals.on_settled == []


@pytest.mark.parametrize("place", range(4))
def test_deleting_it_ends_also_the_links_to_who_returned(world: World, place: int) -> None:
    (one,) = members(world, "b")
    leave_and_return(world, 1.0)
    world.drive(lambda: _are_up(world) and is_full(world.nodes), 60.0)
    (mesh,) = [row.id for row in vista_objects(one) if row.class_name.endswith("IPCMesh")]
    one.call(lambda: vista.delete(mesh))
    world.pass_time(60.0)
    # The one that the other node may have opened is that one's.
    assert [link for link in links(one) if link.initiator] == []


def vista_objects(node: SimulatedNode) -> list[Any]:
    """The objects of a node."""
    rows: list[Any] = node.call(vista.objects)
    return rows


def test_a_mesh_can_be_made_again(world: World) -> None:
    one, two = add_node(world, "a"), add_node(world, "b")
    mesh = take_part(one)
    take_part(two)
    world.drive(lambda: is_full([one, two]), 60.0)
    one.call(lambda: vista.delete(mesh))
    world.pass_time(1.0)
    take_part(one)
    assert_full(world, [one, two])


def test_a_node_may_be_in_two_meshes(world: World) -> None:
    both = add_node(world, "both")
    take_part(both, TCP, "one")
    take_part(both, TCP, "other")
    (one,) = members(world, "a", TCP, "one")
    (other,) = members(world, "b", TCP, "other")
    world.drive(lambda: len(linked(both)) == 2, 60.0)
    world.pass_time(30.0)
    assert [linked(node) for node in (one, other)] == [identities([both])] * 2


def test_a_node_stops_in_good_order_and_the_others_forget_it(world: World) -> None:
    nodes = members(world, "abc")
    world.drive(lambda: is_full(nodes), 60.0)
    nodes[2].stop()
    assert_full(world, nodes[:2])


# --- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        (["ipc:/tmp/elsewhere/a"], PeerAddressError, r"write ipc or ipc:NAME"),
        (["fe80::1%eth0"], PeerAddressError, r"an address of one link"),
        ([TCP, "vista", 5.0, "[ff12::1]:99"], PeerAddressError, r"needs one such as 239\."),
        (["::1", "vista", 5.0, "239.1.1.1:99"], PeerAddressError, r"needs one such as \[ff12::"),
        ([TCP, "vista", 5.0, "ff12::1:99"], PeerAddressError, r"nor of \[ff00::\]/8"),
        ([TCP, "vista", 5.0, "[239.1.1.1]:99"], PeerAddressError, r"nor of \[ff00::\]/8"),
        ([TCP, "vista", 5.0, "[ff12::1%1]:99"], PeerAddressError, r"nor of \[ff00::\]/8"),
        (["4500"], PeerAddressError, r"the scheme is missing before the port"),
        ([TCP, ""], BadValueError, r"a domain is a name"),
        ([4500], BadValueError, r"are texts, none is 4500"),
        ([TCP, "vista", "5"], BadValueError, r"each 0\.1 to 300 seconds, not '5'"),
        ([TCP, "vista", 5.0, 8673], BadValueError, r"are texts, none is 8673"),
        ([TCP, "vista", 0.01], BadValueError, r"each 0\.1 to 300 seconds, not 0\.01"),
        ([TCP, "vista", 5.0, "10.0.0.1:99"], PeerAddressError, r'"10\.0\.0\.1" is not of 224'),
        ([TCP, "vista", 5.0, "239.1.1.1"], PeerAddressError, r"multicast group"),
        ([TCP, "vista", 5.0, "239.1.1.1:0"], PeerAddressError, r"a port lies in 1\.\.65535"),
        ([TCP, "vista", 5.0, "239.1.1.1:999999999"], PeerAddressError, r"a port lies in"),
    ],
    ids=[
        "elsewhere",
        "of a link",
        "group of ipv6",
        "group of ipv4",
        "no brackets",
        "brackets",
        "scope",
        "port",
        "domain",
        "number",
        "text",
        "port alone",
        "interval",
        "group",
        "no port",
        "zero",
        "large",
    ],
)
def test_what_it_cannot_use_is_refused_and_leaves_nothing(
    world: World, words: list[Any], error: type[Exception], match: str
) -> None:
    node = add_node(world, "a")
    with pytest.raises(error, match=match):
        take_part(node, *words)
    assert (world.network.members, world.network.listening) == ([], [])


def test_an_address_that_is_taken_is_refused_and_leaves_nothing(world: World) -> None:
    one, two = add_node(world, "a"), add_node(world, "b")
    take_part(one, "tcp:127.0.0.1:4500")
    with pytest.raises(PeerAddressError, match=r"another node listens there"):
        take_part(two, "tcp:127.0.0.1:4500")
    assert len(world.network.members) == 1


def test_a_group_is_read_as_it_is_written() -> None:
    assert Group.parse(str(GROUP)) == GROUP == Group("239.255.86.73", 8673)
    assert Group.parse(str(GROUP_IPV6)) == GROUP_IPV6 == Group.parse("[FF12:0::5649]:8673")
