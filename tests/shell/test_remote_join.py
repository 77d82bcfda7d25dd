"""How a prompt joins its peer, and what it says while it waits."""

from __future__ import annotations

import pytest

import vista
from tests.shell.remote_world import RemoteTally, kin, link, listen
from vista.shell.guide import BANNER_LINES_MAX, banner
from vista.shell.joining import join, object_at
from vista.shell.remote import with_trouble
from vista.testing import World

KEY = "a" * 52


def connections(node: vista.Node) -> list[str]:
    """The ConnectToPeer objects of a node."""
    rows = node.call(vista.objects)
    return [row.class_name for row in rows if row.class_name == "Standard.ConnectToPeer"]


def test_a_prompt_gets_the_creator_of_its_peer_and_says_nothing() -> None:
    told: list[str] = []
    with World(1) as world:
        hub, node = kin(world, "hub"), kin(world, "prompt")
        peer = join(node, listen(hub), None, told.append)
        assert peer.get_name() == "hub"
        assert told == []
        assert connections(node) == ["Standard.ConnectToPeer"]


@pytest.mark.parametrize("seed", range(20))
def test_services_of_the_peer_are_known_as_soon_as_it_is_joined(seed: int) -> None:
    with World(seed) as world:
        hub, node = kin(world, "hub"), kin(world, "prompt")
        url = listen(hub)
        hub.call(lambda: vista.register_service("Tallies/hub", vista.create(RemoteTally)))
        join(node, url, None, lambda line: None)
        assert node.call(vista.services)[-1].name == "Tallies/hub"


def test_a_peer_that_is_late_is_waited_for() -> None:
    with World(1) as world:
        hub, node = kin(world, "hub"), kin(world, "prompt")
        url = hub.call(lambda: vista.create("AcceptPeerConnections", "ipc:hub").get_url())
        world.crash("hub")

        def come_back(line: str) -> None:
            if "hub" in world.crashed:
                again = world.restart("hub")
                again.kernel.settings["secret_key"] = b"k" * 32
                again.spawn(vista.create, "AcceptPeerConnections", "ipc:hub")

        assert join(node, url, None, come_back).get_name() == "hub"


def test_what_the_peer_keeps_silent_about_is_told_once_and_the_wait_has_its_bound() -> None:
    told: list[str] = []
    with World(1) as world:
        node = kin(world, "prompt")
        with pytest.raises(vista.CallTimeout, match=r"^no link to tcp://"):
            join(node, f"tcp://{KEY}@127.0.0.1:1", 20.0, told.append)
        assert 20.0 <= world.time < 25.0
        assert len(told) == len(set(told))
        assert all(line.startswith(f"waiting for the peer at tcp://{KEY}@") for line in told)
        assert all(line.endswith("; Ctrl-C ends it") for line in told)


def test_a_prompt_that_gives_up_leaves_no_connection() -> None:
    with World(1) as world:
        node = kin(world, "prompt")
        with pytest.raises(vista.CallTimeout):
            join(node, f"tcp://{KEY}@127.0.0.1:1", 2.0, lambda line: None)
        assert connections(node) == []


def test_a_url_that_cannot_be_is_refused_at_once() -> None:
    with World(1) as world:
        node = kin(world, "prompt")
        with pytest.raises(vista.errors.PeerAddressError, match=r"the port is missing"):
            join(node, f"tcp://{KEY}@harbour", None, lambda line: None)


def test_an_object_is_found_by_its_id_or_by_the_name_the_peer_knows() -> None:
    with World(1) as world:
        hub, node = kin(world, "hub"), kin(world, "prompt")
        peer = link(node, listen(hub))
        with node:
            assert object_at(peer, "ObjectCreator") == peer
            assert object_at(peer, str(vista.id_of(peer)).upper()) == peer


def test_the_loss_of_a_peer_is_told_with_the_reason_of_the_links_end() -> None:
    with World(1) as world:
        hub, node = kin(world, "hub"), kin(world, "prompt")
        url = listen(hub)
        with node:
            connection = vista.create("ConnectToPeer", url)
            peer = connection.wait()
            # The hub ends the link, as it does when this side breaks the protocol.
            hub.call(lambda: hub.kernel.elsewhere.close())
            world.pass_time(1.0)
            with pytest.raises(vista.PeerLost) as caught:
                peer.get_name()
            told = str(with_trouble(caught.value, connection))
            assert told.startswith(str(caught.value))
            assert "; the link ended: " in told


def test_the_banner_of_a_linked_prompt_has_its_lines() -> None:
    text = banner("1.0", "prompt", "a.rc", "hub at ipc:hub")
    assert text.splitlines()[:2] == [
        "vista 1.0, node prompt, a.rc is running",
        "  linked with hub at ipc:hub: peer is its ObjectCreator, objects(at=peer)",
    ]
    assert len(text.splitlines()) <= BANNER_LINES_MAX
