"""Simulated nodes that are linked, and the objects to whom the tests of links send messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import vista
from vista.limits import Limits
from vista.peering.curve import public_key_of
from vista.peering.links import Link
from vista.peering.peering import Peering
from vista.peering.trust import PEERS_FILE, authorize_peer, parse_rights
from vista.testing import Conditions, SimulatedNode, World

KIN = b"k" * 32
"""The secret key of nodes that are of one user."""

PROMPT = Conditions(late_chance=0.0, half_open_chance=0.0)
"""A network on which both ends learn of a loss within 50 ms."""

DEAF = Conditions(late_chance=0.0, half_open_chance=1.0)
"""A network on which nobody is told of a loss."""


class LinkedBell(vista.Object):
    """Somebody to whom messages are sent over links."""

    def create(self) -> None:
        self.heard: list[Any] = []
        self.ended: list[str] = []

    def hear(self, item: Any) -> None:
        self.heard.append(item)

    def list_heard(self) -> list[Any]:
        return self.heard

    def list_numbers(self) -> list[int]:
        return [item[0] for item in self.heard]

    def echo(self, value: Any) -> Any:
        return value

    def whoever(self) -> str | None:
        return vista.current_user()

    @vista.preemptable
    def ring(self, seconds: float) -> str:
        try:
            vista.sleep(seconds)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("rung")
        return "rung"

    @vista.preemptable
    def list_ended(self) -> list[str]:
        return self.ended

    def blob(self, size: int) -> bytes:
        return bytes(size)

    def peer_registered(self, creator: Any) -> None:
        self.heard.append(("registered", creator))

    def peer_unregistered(self, creator: Any) -> None:
        self.heard.append(("unregistered", creator))


def add_node(world: World, name: str, key: bytes = KIN, **options: Any) -> SimulatedNode:
    """A node with a secret key of 32 bytes."""
    settings = {"secret_key": key, **options.pop("settings", {})}
    return world.node(name, settings=settings, **options)


def stranger(
    world: World, directory: Path, name: str, key: bytes, rights: dict[bytes, str]
) -> SimulatedNode:
    """A node with a key of its own, to which those with other keys have ``USER RIGHTS``."""
    own = directory / name
    own.mkdir(mode=0o700)
    for secret, line in rights.items():
        user, words = line.split()
        authorize_peer(own / PEERS_FILE, public_key_of(secret), user, parse_rights(words))
    return add_node(world, name, key, settings={"config_directory": str(own)}, user=f"of_{name}")


def peering(node: SimulatedNode) -> Peering:
    """The peering of a node that has one."""
    found = node.kernel.elsewhere
    assert isinstance(found, Peering)
    return found


def links(node: SimulatedNode) -> list[Link]:
    """The links of a node."""
    return list(peering(node).links.values())


def listen(node: SimulatedNode, address: str = "tcp:127.0.0.1:0") -> str:
    """Have a node accept peers, and return its URL."""
    url: str = node.call(lambda: vista.create("AcceptPeerConnections", address).get_url())
    return url


def dial(near: SimulatedNode, url: str) -> vista.Ref:
    """Have a node keep a link to a URL; it is not waited for."""
    made: vista.Ref = near.call(lambda: vista.create("ConnectToPeer", url))
    return made


def join(near: SimulatedNode, far: SimulatedNode) -> vista.Ref:
    """Link two nodes and return what keeps the link."""
    made = dial(near, listen(far))
    near.call(lambda: made.wait(60.0))
    return made


def meet(node: SimulatedNode, others: Sequence[SimulatedNode]) -> None:
    """Let time pass until a node reaches others."""
    wanted = {other.kernel.table.node for other in others}
    node.hub.drive(lambda: wanted <= set(peering(node).nodes()), 60.0)
    assert wanted <= set(peering(node).nodes())


def chain(world: World, names: str, **options: Any) -> list[SimulatedNode]:
    """Kin nodes of which each is linked with the next one, and all reach all."""
    made = [add_node(world, name, **options) for name in names]
    for near, far in pairwise(made):
        join(near, far)
    for node in made:
        meet(node, [other for other in made if other is not node])
    return made


def running(world: World, name: str) -> SimulatedNode:
    """The run of a node that has not stopped."""
    (found,) = (node for node in world.nodes if node.name == name and not node.stopped)
    return found


def drive_until_linked(world: World) -> None:
    """Let time pass until each of a world's two nodes reaches the other."""

    def both_reach() -> bool:
        return all(
            node.kernel.elsewhere is not None and len(peering(node).nodes()) == 1
            for node in world.nodes
        )

    world.drive(both_reach, 60.0)


def bell(node: SimulatedNode) -> vista.Ref:
    """An object of a node."""
    made: vista.Ref = node.call(vista.create, LinkedBell)
    return made


def seen(node: SimulatedNode, ref: vista.Ref) -> vista.Ref:
    """The Ref by which a node sends to an object of another one."""
    return node.kernel.ref(ref._id)


def ended(
    world: World, futures: Sequence[Any], seconds: float = 120.0
) -> list[BaseException | Any]:
    """Let time pass until calls have ended, and return their results or errors."""
    world.drive(lambda: all(future.done() for future in futures), seconds)
    return [future._error or future._value for future in futures]


def post_until_full(node: SimulatedNode, far: vista.Ref) -> int:
    """Have a bell hear numbers by posts of one turn; return how many of 100 were not refused."""

    def flood() -> int:
        for number in range(100):
            try:
                far.hear.post(number)
            except vista.Overloaded:
                return number
        return 100

    count: int = node.call(flood)
    return count


def start(node: SimulatedNode, function: Callable[[], Any]) -> Any:
    """Run a function as a thread of a node and return its future; nothing moves yet."""
    return node.spawn(function)


def assert_rest(*nodes: SimulatedNode) -> None:
    """No call is under way between nodes and nothing waits to leave."""
    for node in nodes:
        found = peering(node)
        assert (found.calls.pending, found.calls.served, found.ways.holds) == ({}, {}, {})
        assert [link.waiting_messages for link in links(node)] == [0] * len(links(node))


def limits(**bounds: Any) -> Limits:
    """The usual limits but for some."""
    return Limits(**bounds)
