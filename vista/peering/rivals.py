"""Links to one and the same node: which of them counts.

Three rules. Two runs of nodes have one link: who is linked opens none, and of two that were opened
from both sides at once that of the smaller identity stays. A run that comes after another one of
the same node takes its place, as the earlier one may have ended without a word. An earlier run
that comes back has not ended: then two nodes have one identity, and it is refused.

Of two links that were opened at once either side may have sent messages over the one that is not to
stay. It is let go in three steps, and nothing is lost: routes leave it for the other link, which
`Ways` does in order; when none leads over it this side finishes; and it ends when the peer has
finished as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from vista.peering.routing import LinkDown, LinkYields

if TYPE_CHECKING:
    from vista.kernel.timers import Timer
    from vista.peering.links import Link
    from vista.peering.peering import Peering

_NEEDLESS: Final = "linked already"


class Rivals:
    """Judges the links of one peering beside each other.

    Each of ``on_settled`` is called with a link that messages can cross, when others to the same
    node that it makes needless have ended or are let go, and not if it is needless itself.
    ``leaving`` are the links that are let go, each with what ends it when that takes too long.
    """

    def __init__(self, peering: Peering) -> None:
        self.on_settled: list[Callable[[Link], None]] = []
        self.leaving: dict[Link, Timer] = {}
        self._peering = peering
        self._links = peering.links
        self._node = peering.node
        self._outlived: dict[tuple[bytes, bytes], None] = {}
        self._outlived_max = peering.kernel.limits.nodes_max

    def twin_of(self, link: Link) -> Link | None:
        """Return another link that messages cross to the same run of the same node, or None."""
        twins = [other for other in self._others(link) if _run_of(other) == _run_of(link)]
        return min(twins, key=lambda twin: twin in self.leaving, default=None)

    def refusal(self, link: Link) -> str | None:
        """Return why a link that was just introduced is not to be, or None."""
        hello = link.hello
        assert hello is not None, "it is judged when it has said who it is"
        if hello.node == self._node:
            return "this node's identity is its own: two nodes cannot share one"
        if link.initiator and self.twin_of(link) is not None:
            return _NEEDLESS
        if (hello.node, hello.epoch) in self._outlived and self._others(link):
            return "another node runs with this identity: each needs a state directory of its own"
        return None

    def is_needless(self, link: Link) -> bool:
        """Whether a link that messages can cross from now on is not to stay, for another one is."""
        twin = self.twin_of(link)
        return twin is not None and self._needless(link, twin) is link

    def supersede(self, link: Link) -> None:
        """End what a link that messages can cross from now on makes needless, maybe itself."""
        twin = self.twin_of(link)
        for other in self._others(link):
            if other in self.leaving:
                continue
            if other is not twin:
                self._outlive(other)
                other.close("another run of this node took its place")
            elif other.initiator == link.initiator:
                other.close("a younger link takes its place")
            else:
                self._leave(self._needless(link, other))
        if link.ended is None and link not in self.leaving:
            for tell in list(self.on_settled):
                tell(link)

    def let_go(self) -> None:
        """Finish the links that are let go and lead nowhere any longer."""
        peering = self._peering
        for link in list(self.leaving):
            if not link.is_finishing and not peering.routing.leads(link.number):
                link.finish(_NEEDLESS)
                # From now on no route may lead over it again.
                peering.route(LinkDown(link.number))

    def peer_finished(self, link: Link) -> None:
        """Take note that a peer sends nothing any longer over a link: another one is to come.

        The peer may believe it to stand already.
        """
        if link not in self.leaving:
            self._leave(link)

    def ended(self, link: Link) -> None:
        """Take note that a link has ended, before routing does."""
        timer = self.leaving.pop(link, None)
        if timer is not None:
            timer.cancel()
            return
        # What was to go over this link from now on must not find those which it replaced.
        for other in list(self.leaving):
            if _run_of(other) == _run_of(link):
                other.close("the link that took its place has ended")

    def _needless(self, link: Link, twin: Link) -> Link:
        """Return which of two links to one run of a node is not to stay."""
        if link.initiator == twin.initiator:
            return twin
        ours = self._node < link.node
        return twin if link.initiator == ours else link

    def _leave(self, link: Link) -> None:
        if not link.can_finish:
            link.close(_NEEDLESS)
            return
        kernel = self._peering.kernel
        seconds = kernel.limits.loss_seconds
        self.leaving[link] = kernel.timers.call_later(seconds, lambda: link.close(_NEEDLESS))
        self._peering.route(LinkYields(link.number))

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


def _run_of(link: Link) -> tuple[bytes, bytes] | None:
    """Return which run of which node is at the other end of a link, None before it said so."""
    return None if link.hello is None else (link.hello.node, link.hello.epoch)
