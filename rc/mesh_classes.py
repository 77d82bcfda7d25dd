"""The class of rc/mesh.rc: somebody who says whom he meets."""

from __future__ import annotations

from vista import CallError, Object, id_of, peers, self_ref, send


class MeshGreeter(Object):
    """Prints each node that can be reached from then on, and each that is lost.

    rc line: ``MeshGreeter``, after PeerRegistry
    """

    def create(self) -> None:
        """Ask the PeerRegistry to be told."""
        send("PeerRegistry", "add_notify_when_peer_registered", self_ref(self))

    def peer_registered(self, creator) -> None:
        """Print who is there."""
        try:
            name = creator.get_name()
        except CallError:
            return  # Gone before it could say its name.
        print(f"met {name} {_node(creator)}: {len(peers())} in reach", flush=True)

    def peer_unregistered(self, creator) -> None:
        """Print who has gone."""
        print(f"lost {_node(creator)}: {len(peers())} in reach", flush=True)


def _node(creator) -> str:
    return str(id_of(creator)).partition("-")[0]
