"""The mesh of a node: the nodes among which objects may be spread, and whose turn it is.

Who links the nodes of a mesh (`vista.standard.placing.ProcessMesh`, `AutomaticIPCMesh`) adds and
removes them here; links of other kinds make no mesh. A node that several have added stays until all
of them have removed it. The turn goes round all nodes, this one included, in the order in which
they joined; one that cannot be reached when its turn comes is passed over and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

MeshWatcher = Callable[[bytes, bool], None]
"""Called with (node, True) when a node has joined, and (node, False) when it has left."""


class Mesh:
    """The nodes of the mesh of node ``own`` (10 bytes each), which is the first of them."""

    def __init__(self, own: bytes) -> None:
        self.own = own
        self.watchers: list[MeshWatcher] = []
        self._added: dict[bytes, int] = {own: 1}
        self._turns: list[bytes] = [own]

    @property
    def nodes(self) -> list[bytes]:
        """The nodes in the order in which they joined, this one first."""
        return list(self._added)

    @property
    def others(self) -> list[bytes]:
        """The nodes but this one, in the order in which they joined."""
        return [node for node in self._added if node != self.own]

    def add(self, node: bytes) -> None:
        """Take a node in; each time it is added counts."""
        known = self._added.get(node, 0)
        self._added[node] = known + 1
        if not known:
            self._turns.append(node)
            self._tell(node, True)

    def remove(self, node: bytes) -> None:
        """Undo one `add`; after the last one the node has left. One that is unknown is no matter.

        This node itself stays.
        """
        known = self._added.get(node, 0)
        if known > 1:
            self._added[node] = known - 1
        elif known and node != self.own:
            del self._added[node]
            self._turns.remove(node)
            self._tell(node, False)

    def next(self, is_reachable: Callable[[bytes], bool]) -> bytes:
        """Return the node whose turn it is; after that it is the last one's turn again.

        ``is_reachable(node)`` is asked of the others. With none of them it is this node.
        """
        for place, node in enumerate(self._turns):
            if node == self.own or is_reachable(node):
                del self._turns[place]
                self._turns.append(node)
                return node
        raise AssertionError("this node is among its mesh")

    def _tell(self, node: bytes, joined: bool) -> None:
        for watcher in list(self.watchers):
            watcher(node, joined)
