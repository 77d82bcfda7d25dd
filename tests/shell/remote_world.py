"""Linked nodes in a simulated world, for tests of what a user sees of other nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import vista
from vista.testing import World
from vista.testing.world import SimulatedNode

SECRET_KEY = b"k" * 32


class RemoteTally(vista.Object):
    """Counts, for peers."""

    def create(self, start: int = 0) -> None:
        self.value = start

    def increment(self, by: int = 1) -> int:
        """Add to the value and return it."""
        self.value += by
        return self.value

    def divide(self, by: int) -> float:
        """Return the value divided."""
        return self.value / by

    def rest(self, seconds: float) -> str:
        """Wait and say so."""
        vista.sleep(seconds)
        return "rested"

    def name_of(self, other: vista.Ref) -> str:
        """Return the Id of another object."""
        return str(vista.id_of(other))

    def echo(self, *values: str) -> list[str]:
        """Return what was given."""
        return list(values)


def kin(world: World, name: str) -> SimulatedNode:
    """Make a node of the same user as the others."""
    node = world.node(name)
    node.kernel.settings["secret_key"] = SECRET_KEY
    return node


def listen(node: SimulatedNode, address: str = "tcp:127.0.0.1:0") -> str:
    """Let peers connect, announce services and return the URL."""

    def begin() -> str:
        vista.create("AnnounceServices", "*")
        return str(vista.create("AcceptPeerConnections", address).get_url())

    return node.call(begin)


def link(node: SimulatedNode, url: str) -> vista.Ref:
    """Link a node with the peer at a URL and return the peer's ObjectCreator."""
    peer: vista.Ref = node.call(lambda: vista.create("ConnectToPeer", url).wait())
    # The peer knows of the link, too, when it answers over it.
    node.call(vista.send, peer, "get_name")
    return peer


@contextmanager
def chain(seed: int = 1) -> Iterator[tuple[World, SimulatedNode, SimulatedNode, vista.Ref]]:
    """A world of three nodes in a row: world, the asking node, the farther one, the one between.

    The middle one is called hub and has the service ``Tallies/hub``, the far one is called far and
    has ``Tallies/far``. The asking one is that of the block.
    """
    with World(seed) as world:
        hub, far, asking = (kin(world, name) for name in ("hub", "far", "asking"))
        url = listen(hub)
        for node, name in ((hub, "Tallies/hub"), (far, "Tallies/far")):
            node.call(lambda name=name: vista.register_service(name, vista.create(RemoteTally)))
        far.call(lambda: vista.create("AnnounceServices", "*"))
        link(far, url)
        peer = link(asking, url)
        asking.call(lambda: vista.wait_for_service("Tallies/far", 10.0))
        with asking:
            yield world, asking, far, peer
