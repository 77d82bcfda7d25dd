"""One process of a measured group: ``python -m benchmarks.solidstate_node NAME FOLDER URL...``.

A member of the pool, linked with the nodes that listen at the URLs; it prints its own. Lines of
JSON on the standard input tell it what to do, and it answers each with a line.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import vista
from apps.solidstate.objects import proxy
from apps.solidstate.objects.mail import pool_service, service_name
from benchmarks import solidstate_cart
from benchmarks.measure import expect
from vista import Limits, Node

POOL = "measured"
WAIT_SECONDS = 60.0
LIMITS = Limits(slow_method_seconds=60.0, loss_seconds=60.0, identity_conflict_seconds=90.0)
MODULES = ("apps.solidstate.objects.creating", "apps.solidstate.objects.member")


class Part:
    """What a process does when it is told to; each method runs on the node."""

    deeds = ("meet", "bundle", "found", "come", "fill", "batches", "work")
    """The methods that it may be told by name."""

    def __init__(self) -> None:
        self._cart: Any = None
        self._crowd: Any = None

    def join(self, folder: str, urls: list[str]) -> str:
        """Become a member of the pool; return where this node listens."""
        vista.create("PeerRegistry")
        vista.create("AnnounceServices")
        url: str = vista.create("AcceptPeerConnections", "ipc").get_url()
        for one in urls:
            vista.create("ConnectToPeer", one)
        vista.create("ReplicaPoolMember", POOL, folder)
        return url

    def meet(self, members: int) -> int:
        """Wait until so many members of the pool are known here; return how many are."""
        found: set[vista.Id] = set()
        give_up = time.monotonic() + WAIT_SECONDS
        while len(found) < members and time.monotonic() < give_up:
            vista.sleep(0.01)
            name = pool_service(POOL)
            found = {row.object for row in vista.services() if row.name == name}
        return len(found)

    def bundle(self, operations: int) -> int:
        """Have the proxies that are made from here on take so many calls together; return that."""
        proxy.BUNDLE_OPERATIONS_MAX = operations
        return operations

    def found(self, mode: str, faults: int, reads: str) -> str:
        """Found the group, with a cart; return the name of the cart's service."""
        made = vista.create("CreateReplicasOnServers")
        cart = made.initialize(POOL, faults, "MeasuredCart", "cart", mode=mode, reads=reads)
        self._take(cart)
        return "cart"

    def come(self) -> str:
        """Have the cart that another member made; return the name of its service."""
        members = [row.object for row in vista.services() if row.name == pool_service(POOL)]
        here = vista.id_of(vista.here()).node
        own = next(vista.ref_of(id) for id in members if id.node == here)
        self._take(own.get_proxy(POOL).get_state_variable("cart"))
        return "cart"

    def _take(self, cart: vista.Ref) -> None:
        self._cart = cart
        self._crowd = vista.create(solidstate_cart.Crowd, cart)

    def fill(self, chunks: int) -> int:
        """Make the cart's state larger by so many pieces; return how many it has."""
        filled: int = self._cart.fill(chunks)
        return filled

    def batches(self) -> int:
        """Return how many batches a replica has executed."""
        name = service_name(POOL, 0)
        executed: int = vista.service(name).get_status()["executed"]
        return executed

    def work(self, users: int, requests: int, payload: int, asks: str) -> Any:
        """Have users of this node make requests; return the figures."""
        return self._crowd.work(users, requests, payload, asks)


def main(part: Part, name: str, folder: str, urls: list[str]) -> None:
    """Be a member until the standard input ends."""
    for module in MODULES:
        __import__(module)
    with Node(name, limits=LIMITS) as node:
        _say(node.call(part.join, folder, urls))
        for line in sys.stdin:
            deed, *words = json.loads(line)
            expect(deed in part.deeds, True)
            _say(node.call(getattr(part, deed), *words))


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(Part(), sys.argv[1], sys.argv[2], sys.argv[3:])
