"""Which nodes there were: a message for one that is lost fails otherwise than one for nobody."""

from __future__ import annotations


class Met:
    """The identities of nodes that are or were reached, ``nodes_max`` of them at most.

    Beyond that those are forgotten of which nothing was heard for the longest time: no message
    tells anybody how long ago a node was lost, and peers that come and go are without number.
    """

    def __init__(self, nodes_max: int) -> None:
        self._nodes: dict[bytes, None] = {}
        self._nodes_max = nodes_max

    def note(self, node: bytes) -> None:
        """Remember a node that was reached or lost."""
        self._nodes.pop(node, None)
        self._nodes[node] = None
        if len(self._nodes) > self._nodes_max:
            del self._nodes[next(iter(self._nodes))]

    def __contains__(self, node: bytes) -> bool:
        return node in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)
