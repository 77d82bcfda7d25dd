"""Places: where the objects of a test live, seen from the node that the test runs on.

Every test of transparency runs at each of `PLACES` with the same expectations: ``local`` is the
near node itself, ``one hop`` a neighbour of it, ``two hops`` a neighbour's neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vista
from vista.limits import Limits
from vista.peering.calls import Calls
from vista.peering.peering import Peering
from vista.testing import SimulatedNode, World, unrest

PLACES = {"local": 0, "one hop": 1, "two hops": 2}
"""The places by name, and how many links away they are."""

KEY = b"k" * 32
"""The secret key of all nodes of a place: they are kin, and believe one another's users."""


class Place:
    """Nodes in a row from ``near``, where the test runs, to ``far``, where its objects live."""

    def __init__(self, world: World, hops: int, limits: Limits | None) -> None:
        self.world = world
        self.hops = hops
        self.nodes: list[SimulatedNode] = []
        self._limits = limits
        for at in range(hops + 1):
            node = self._add(f"node{at}")
            if at:
                self.link(self.nodes[at - 1], node)
        if hops:
            world.drive(lambda: self._reaches_all(), 60.0)

    def _add(self, name: str) -> SimulatedNode:
        node = self.world.node(name, limits=self._limits)
        node.kernel.settings["secret_key"] = KEY
        self.nodes.append(node)
        return node

    def link(self, one: SimulatedNode, other: SimulatedNode) -> None:
        """Have a node keep a link to another one, and wait for it."""
        url = other.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        one.call(lambda: vista.create("ConnectToPeer", url).wait())

    def _reaches_all(self) -> bool:
        return all(len(self._reached(node)) == self.hops for node in self.nodes)

    def _reached(self, node: SimulatedNode) -> list[vista.Ref]:
        elsewhere = node.kernel.elsewhere
        return [] if elsewhere is None else elsewhere.creators()

    @property
    def near(self) -> SimulatedNode:
        """The node that the test runs on."""
        return self.nodes[0]

    @property
    def far(self) -> SimulatedNode:
        """The node that the test's objects live on."""
        return self.nodes[self.hops]

    @property
    def creator(self) -> vista.Ref:
        """The far node's ObjectCreator, as the near node knows it."""
        return self.near.call(lambda: vista.ref_of(vista.Id.make(self.far.kernel.table.node, 0)))

    def create(self, specifier: Any, *args: Any, **kwargs: Any) -> vista.Ref:
        """Make an object on the far node and return its Ref on the near one."""
        at = self.creator if self.hops else None
        return vista.create(specifier, *args, at=at, **kwargs)

    def run(self, function: Callable[[], Any], *, user: str | None = None) -> Any:
        """Run a function as a thread of the near node."""
        return self.near.call(function, user=user)

    def run_there(self, function: Callable[[], Any], *, user: str | None = None) -> Any:
        """Run a function as a thread of the far node."""
        return self.far.call(function, user=user)

    def third(self) -> vista.Ref:
        """The ObjectCreator of a node that is neither near nor far, or of the only one.

        At one hop it is made: a neighbour of the near node.
        """
        if self.hops == 1 and len(self.nodes) == 2:
            self.link(self.near, self._add("third"))
            self.world.drive(lambda: len(self._reached(self.far)) == 2, 60.0)
        node = self.nodes[self.hops and 3 - self.hops]
        return self.near.call(lambda: vista.ref_of(vista.Id.make(node.kernel.table.node, 0)))

    def check_rest(self) -> None:
        """Fail when a thread, a call under way or an object that is held is left on a node."""
        self.world.drive(lambda: not self._left(), 30.0)

    def _left(self) -> list[str]:
        found = []
        for node in self.nodes:
            found += [words for words in unrest(node.kernel) if not words.startswith("timers")]
            calls = calls_of(node)
            if calls is not None:
                found += [f"{future.words} is awaited" for future in calls.pending.values()]
                found += [f"{served.words} is answered" for served in calls.served.values()]
        return found


def calls_of(node: SimulatedNode) -> Calls | None:
    """Return what a node knows of its calls over links, None when it has never had a link."""
    elsewhere = node.kernel.elsewhere
    return elsewhere.calls if isinstance(elsewhere, Peering) else None
