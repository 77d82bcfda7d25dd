"""Paths: what neighbours tell one another about the nodes they reach, and how it is read.

A message about routes is two arrays. The first holds what is announced: an epoch (8 bytes) and a
path, the identities (10 bytes each) of the nodes behind the sender up to the one that is reached.
The second holds the identities of nodes that are withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from vista.errors import RemoteProtocolError
from vista.ids import NODE_BYTES
from vista.limits import Limits

EPOCH_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingBounds:
    """The bounds of routing; units stand at the end of the names."""

    hops_max: int = 16
    """Links on the way to a node. A farther one is not reached."""
    nodes_max: int = 4_096
    """Nodes that are reached, and nodes one link may tell of."""
    told_nodes_max: int = 256
    """Nodes in one message: at most 50 KiB with paths of 16 hops."""
    settle_seconds: float = 0.05
    """How long a worse path stands before it is told."""
    speak_seconds: float = 1.0
    """How long a neighbour reached over a worse path before may be silent on a link of its own."""
    conflict_seconds: float = 30.0
    """How long two runs of one node are seen before they are called a conflict: longer than it
    takes to find the links of the earlier run dead."""


def routing_bounds(limits: Limits) -> RoutingBounds:
    """Return the bounds of routing that a node's limits ask for."""
    return RoutingBounds(
        hops_max=limits.route_hops_max,
        nodes_max=limits.nodes_max,
        told_nodes_max=limits.told_nodes_max,
        settle_seconds=limits.route_settle_seconds,
        speak_seconds=limits.route_speak_seconds,
        conflict_seconds=limits.identity_conflict_seconds,
    )


class Route(NamedTuple):
    """How a node is reached: ``hops`` links, the first of them ``via``.

    ``path`` names the nodes on the way, from the neighbour to the node itself; ``epoch`` is the run
    of the node (8 bytes).
    """

    node: bytes
    epoch: bytes
    hops: int
    via: int
    path: tuple[bytes, ...]


def read_routes(
    message: Any, link: int, peer: bytes, bounds: RoutingBounds
) -> tuple[list[Route], list[bytes]]:
    """The routes that ``peer`` announced over ``link`` and the nodes it withdrew.

    Raises `RemoteProtocolError` for anything else than a message about routes.
    """
    if not (type(message) is list and [type(part) for part in message] == [list, list]):
        raise RemoteProtocolError("routes are two arrays: the announced and the withdrawn")
    if len(message[0]) + len(message[1]) > bounds.told_nodes_max:
        raise RemoteProtocolError(f"more than {bounds.told_nodes_max} nodes in one message")
    announced = [_read_route(word, link, peer, bounds) for word in message[0]]
    withdrawn = [read_node(word) for word in message[1]]
    nodes = {route.node for route in announced}.union(withdrawn)
    if len(nodes) != len(announced) + len(withdrawn):
        raise RemoteProtocolError("routes that name a node twice")
    if peer in nodes:
        raise RemoteProtocolError("a peer that withdraws itself")
    return announced, withdrawn


def _read_route(word: Any, link: int, peer: bytes, bounds: RoutingBounds) -> Route:
    if type(word) is not list or [type(part) for part in word] != [bytes, bytes]:
        raise RemoteProtocolError(f"a route is an epoch and a path, not {type(word).__name__}")
    epoch, joined = word
    if len(epoch) != EPOCH_BYTES:
        raise RemoteProtocolError(f"an epoch has {EPOCH_BYTES} bytes, not {len(epoch)}")
    count, rest = divmod(len(joined), NODE_BYTES)
    if rest or not 1 <= count < bounds.hops_max:
        raise RemoteProtocolError(
            f"a path of {len(joined)} bytes; it has {NODE_BYTES} for each of 1 to "
            f"{bounds.hops_max - 1} nodes"
        )
    behind = (joined[at : at + NODE_BYTES] for at in range(0, len(joined), NODE_BYTES))
    path = (peer, *behind)
    if len(set(path)) != len(path):
        raise RemoteProtocolError("a path that is a loop")
    return Route(path[-1], epoch, len(path), link, path)


def read_node(word: Any) -> bytes:
    """The identity of a node. Raises `RemoteProtocolError` for anything else."""
    if not is_bytes(word, NODE_BYTES):
        raise RemoteProtocolError(f"an identity is {NODE_BYTES} bytes, not {type(word).__name__}")
    node: bytes = word
    return node


def is_bytes(value: Any, length: int) -> bool:
    """Whether the value is bytes of this length."""
    return type(value) is bytes and len(value) == length
