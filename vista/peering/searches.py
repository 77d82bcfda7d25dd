"""Looking for objects whose node cannot be reached: every peer is asked once where they are.

Messages for such an object are held meanwhile. Three rules. Only who has the object is heeded: who
has heard of it may have heard less than this node, and two could send to each other. What nobody
knows fails as it would have. And a search ends, also when a peer does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from vista.ids import Id
from vista.kernel.current import Context
from vista.kernel.futures import Future
from vista.kernel.refs import Ref
from vista.peering.waiting import Fence

if TYPE_CHECKING:
    from vista.peering.moves import Moves
    from vista.peering.peering import Peering
    from vista.peering.remote import RemoteFuture


class Searches:
    """The searches of one node. ``is_sending`` while messages are sent that waited for one."""

    def __init__(self, peering: Peering, moves: Moves) -> None:
        self.is_sending = False
        self._peering = peering
        self._kernel = peering.kernel
        self._moves = moves

    def begin(self, id: Id) -> bool:
        """Ask the peers where an object is; whether anybody is asked."""
        kernel, calls = self._kernel, self._peering.calls
        outside = Context(kernel, None, kernel.user)
        asked = [
            calls.start(outside, creator._id, "locate_object", (id,), {})
            for creator in self._peering.creators()
        ]
        if not asked:
            return False
        search = self._moves.fences[id] = Fence(id, b"", b"")
        # An answer can be lost without its node's being lost.
        search.timer = kernel.timers.call_later(
            kernel.limits.loss_seconds, lambda: self._end(search, b"", asked)
        )
        left = len(asked)

        def note(node: bytes, answer: Future) -> None:
            nonlocal left
            left -= 1
            place = None if answer._error is not None else answer._value
            if isinstance(place, Ref) and place._id.node == node:
                self._end(search, node, asked)
            elif left == 0:
                self._end(search, b"", asked)

        for question in asked:
            question.on_done(partial(note, question.node))
        return True

    def _end(self, search: Fence, node: bytes, asked: Sequence[RemoteFuture]) -> None:
        """Send what was held to where the object is, or else to where it fails."""
        moves = self._moves
        search.cancel_timer()
        lasts = moves.fences.get(search.id) is search
        if lasts:
            del moves.fences[search.id]
        for question in asked:
            question.abandon()
        if not lasts:
            return
        if node:
            moves.places[search.id] = node
        self.is_sending = True
        try:
            for send in search.held:
                send()
        finally:
            self.is_sending = False
