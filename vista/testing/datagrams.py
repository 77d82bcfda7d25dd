"""Datagrams between simulated nodes: what is sent to a group reaches each member, or does not.

They go the ways that connections go: with the same delays, and not through a partition. Nothing
holds them: they are lost by the chance with which other messages are sent again and so are late,
and they overtake one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vista.testing.wires import call_at

if TYPE_CHECKING:
    from vista.peering.datagrams import Group
    from vista.testing.network import NodeNetwork

_HOST = "127.0.0.1"


class SimulatedDatagrams:
    """The part of one node in a group; a `vista.peering.datagrams.Datagrams`.

    All nodes of a world stand on one machine, so there is one interface, and every datagram comes
    from its address.
    """

    def __init__(self, node: NodeNetwork, group: Group, bytes_max: int) -> None:
        self.receive: Callable[[bytes, str], None] = _ignore
        self._node = node
        self._group = group
        self._bytes_max = bytes_max
        if not node.over:
            node.network.members.append(self)

    @property
    def places(self) -> list[str]:
        """The address of the only interface."""
        return [_HOST]

    def refresh(self) -> bool:
        """Interfaces neither come nor go."""
        return False

    def send(self, place: str, data: bytes) -> None:
        """Send a datagram to all members, the own node among them; each may get it or not."""
        members = self._node.network.members
        if self not in members or place not in self.places:
            return
        for member in members:
            if member._group == self._group:
                self._send_to(member, data)

    def _send_to(self, member: SimulatedDatagrams, data: bytes) -> None:
        hub = self._node.hub
        due = hub.now
        if member is not self:
            wire = self._node.wire_to(member._node)
            lost = wire.conditions.tail_chance and hub.dice.random() < wire.conditions.tail_chance
            if wire.blocks or lost:
                return
            due += wire.delay()
        call_at(hub, due, member._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if self in self._node.network.members:
            self.receive(data[: self._bytes_max + 1], _HOST)

    def has_socket(self, path: str) -> bool:
        """Whether a node listens there."""
        return any(path == listener.address.path for listener in self._node.network.listening)

    def close(self) -> None:
        """Leave the group."""
        members = self._node.network.members
        if self in members:
            members.remove(self)

    @property
    def node(self) -> NodeNetwork:
        """The network of the node whose part it is."""
        return self._node


def _ignore(_: bytes, __: str) -> None:
    """What nobody has set yet."""
