"""Links to one and the same node: which of them counts.

Three rules. Two runs of nodes have one link: who is linked opens none, and of two that were opened
from both sides at once that of the smaller identity stays. A run that comes after another one of
the same node takes its place, as the earlier one may have ended without a word. An earlier run
that comes back has not ended: then two nodes have one identity, and it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vista.peering.links import Link
    from vista.peering.peering import Peering


class Rivals:
    """Judges the links of one peering beside each other.

    Each of ``on_settled`` is called with a link that messages can cross, when others to the same
    node that it makes needless have ended, and not if it is needless itself.
    """

    def __init__(self, peering: Peering) -> None:
        self.on_settled: list[Callable[[Link], None]] = []
        self._links = peering.links
        self._node = peering.node
        self._outlived: dict[tuple[bytes, bytes], None] = {}
        self._outlived_max = peering.kernel.limits.nodes_max

    def twin_of(self, link: Link) -> Link | None:
        """Return another link that messages cross to the same run of the same node, or None."""
        epoch = None if link.hello is None else link.hello.epoch
        for other in self._others(link):
            if other.hello is not None and other.hello.epoch == epoch:
                return other
        return None

    def refusal(self, link: Link) -> str | None:
        """Return why a link that was just introduced is not to be, or None."""
        hello = link.hello
        assert hello is not None, "it is judged when it has said who it is"
        if hello.node == self._node:
            return "this node's identity is its own: two nodes cannot share one"
        if link.initiator and self.twin_of(link) is not None:
            return "linked already"
        if (hello.node, hello.epoch) in self._outlived and self._others(link):
            return "another node runs with this identity: each needs a state directory of its own"
        return None

    def supersede(self, link: Link) -> None:
        """End what a link that messages can cross from now on makes needless, maybe itself."""
        twin = self.twin_of(link)
        for other in self._others(link):
            if other is not twin:
                self._outlive(other)
                other.close("another run of this node took its place")
            elif other.initiator == link.initiator:
                other.close("a younger link takes its place")
            else:
                ours = self._node < link.node
                surplus = other if link.initiator == ours else link
                surplus.close("linked already")
        if link.ended is None:
            for tell in list(self.on_settled):
                tell(link)

    def _others(self, link: Link) -> list[Link]:
        """Return the other links to the same node that messages cross."""
        return [
            other
            for other in self._links.values()
            if other is not link and other.node == link.node and other.is_established
        ]

    def _outlive(self, link: Link) -> None:
        """Note the run at the other end of a link as one that another run has followed."""
        assert link.hello is not None, "it was established"
        if len(self._outlived) >= self._outlived_max:
            del self._outlived[next(iter(self._outlived))]
        self._outlived[link.node, link.hello.epoch] = None
