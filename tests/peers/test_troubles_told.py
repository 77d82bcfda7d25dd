"""What the log says of a peer that cannot be reached."""

from __future__ import annotations

import logging

import pytest

import vista
from tests.shell.remote_world import SECRET_KEY, kin, listen
from vista.peering.connections import TROUBLES_TOLD_MAX, connect
from vista.testing import SimulatedNode, World


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of links that are wanted."""
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if text.startswith("no link to ")]


def kin_again(world: World) -> SimulatedNode:
    """The hub, started again."""
    node = world.restart("hub")
    node.kernel.settings["secret_key"] = SECRET_KEY
    return node


def test_a_peer_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with World(1) as world, caplog.at_level(logging.WARNING, "vista.peering"):
        node = kin(world, "front")
        node.call(vista.create, "ConnectToPeer", "ipc:nobody")
        world.pass_time(600.0)
        (said,) = warnings(caplog)
        assert "nobody: nobody listens there; it is tried again until there is one" in said


def test_who_waits_for_no_node_to_be_started_hears_at_once_that_nobody_listens() -> None:
    with World(1) as world:
        node = kin(world, "front")
        link = node.call(vista.create, "ConnectToPeer", "ipc:nobody")
        before = world.hub.now
        told = r"/nobody: nobody listens there; start the node first, or mend the URL$"
        with pytest.raises(vista.PeerLost, match=told):
            node.call(link.wait, 30.0, False)
        assert world.hub.now - before < 1.0
        assert node.call(link.get_state)["trouble"] == "nobody listens there"


def test_a_link_that_is_kept_waits_for_its_node_to_be_started() -> None:
    with World(1) as world:
        node = kin(world, "front")
        url = listen(kin(world, "hub"), "ipc:hub")
        world.crash("hub")
        link = node.call(vista.create, "ConnectToPeer", url)
        world.pass_time(600.0)
        assert node.call(link.get_state)["trouble"] == "nobody listens there"
        listen(kin_again(world), "ipc:hub")
        assert node.call(link.wait, 300.0).get_name() == "hub"
        state = node.call(link.get_state)
        assert (state["linked"], state["trouble"]) == (True, "")


def test_a_node_that_is_cut_off_is_silent_and_not_absent() -> None:
    with World(1) as world:
        node, hub = kin(world, "front"), kin(world, "hub")
        url = listen(hub, "ipc:hub")
        world.network.partition(["front"], ["hub"])
        link = node.call(vista.create, "ConnectToPeer", url)
        with pytest.raises(
            vista.CallTimeout, match=r"in time: no answer to the hello within 10 s$"
        ):
            node.call(link.wait, 20.0, False)


def test_what_was_told_is_told_again_after_a_link_stood(caplog: pytest.LogCaptureFixture) -> None:
    with World(1) as world, caplog.at_level(logging.WARNING, "vista.peering"):
        hub, node = kin(world, "hub"), kin(world, "front")
        url = listen(hub, "ipc:hub")
        world.crash("hub")
        link = node.call(vista.create, "ConnectToPeer", url)
        world.pass_time(600.0)
        assert len(warnings(caplog)) == 1
        listen(kin_again(world), "ipc:hub")
        node.call(link.wait, 300.0)
        assert len(warnings(caplog)) == 1
        world.crash("hub")
        world.pass_time(600.0)
        first, second = warnings(caplog)
        assert first == second


def test_a_node_that_names_itself_among_others_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with World(1) as world, caplog.at_level(logging.WARNING, "vista.peering"):
        node = kin(world, "hub")
        node.call(vista.create, "ConnectToPeer", listen(node))
        world.pass_time(600.0)
        assert warnings(caplog) == []


def test_troubles_without_end_are_not_all_told() -> None:
    with World(1) as world:
        node = kin(world, "front")
        told: list[str] = []

        def fail() -> None:
            found = connect(node.kernel, "ipc:nobody")
            found.on_trouble = told.append
            for number in range(10):
                found._tell(f"words {number}")
            found.close()

        node.call(fail)
        assert told == [f"words {number}" for number in range(TROUBLES_TOLD_MAX)]
