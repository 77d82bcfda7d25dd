"""Looking for objects whose node cannot be reached: every peer is asked once where they are.

Or which this node made in an earlier run, or long ago, and does not know where they went.

Messages for such an object are held meanwhile. Three rules. Only who has the object is heeded: who
has heard of it may have heard less than this node, and two could send to each other. What nobody
knows fails as it would have. And a search ends, also when a peer does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from vista.errors import Overloaded
from vista.ids import Id
from vista.kernel.current import Context
from vista.kernel.futures import Future
from vista.kernel.kernel import creator_id
from vista.kernel.refs import Ref
from vista.peering.waiting import Fence

if TYPE_CHECKING:
    from vista.peering.moves import Moves
    from vista.peering.peering import Peering
    from vista.peering.remote import RemoteFuture


class Searches:
    """The searches of one node. ``is_sending`` while messages are sent that waited for one."""

    store = ""

    def __init__(self, peering: Peering, moves: Moves) -> None:
        self.is_sending = False
        self._missed: dict[bytes, float] = {}
        self._peering = peering
        self._kernel = peering.kernel
        self._moves = moves
        self._kernel.pagers.append(self)

    # --- of this node, as `vista.kernel.keeping.Pager` --------------------------------------

    def __contains__(self, id: bytes) -> bool:
        """Whether an object was made by this node, and may have gone nobody knows where."""
        kernel, moves = self._kernel, self._moves
        end = kernel.table.serial + 1 if moves.has_forgotten else kernel.table.run_start
        if not id.startswith(self._peering.node) or not 0 < Id(id).serial < end:
            return False
        if moves.has_moved(id) or self._missed.get(id, 0.0) > kernel.hub.time():
            return False
        return not moves.is_kept(id) and bool(self._peering.nodes())

    def bring(self, id: Id, then: Callable[[BaseException | None], None]) -> None:
        """Call ``then(None)`` when it is known where an object went, or that nobody has it."""
        if id not in self._moves.fences and not self.begin(id):
            then(None)
            return
        held = self._moves.fences[id].held
        if len(held) >= self._kernel.messages_max:
            self._kernel.counters.overloads += 1
            then(Overloaded(f"{len(held)} messages wait until object {id} is found"))
            return
        held.append(lambda: then(None))

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object that is to be found first."""
        return self._peering.bind(ref, name)

    def forward(self, message: Any) -> None:
        """Have a message looked for its object that was on its way to it."""
        self._peering.forward(message)

    # --- asking ----------------------------------------------------------------------------

    def _note_missed(self, id: Id) -> None:
        """Let nobody search for an object again for a while that nobody has."""
        limits = self._kernel.limits
        if len(self._missed) >= limits.moves_remembered_max:
            del self._missed[next(iter(self._missed))]
        self._missed[id] = self._kernel.hub.time() + limits.loss_seconds

    def begin_once(self, id: Id) -> bool:
        """Do as `begin`, but not for what has waited for a search and is sent at its end."""
        return not self.is_sending and self.begin(id)

    def begin(self, id: Id) -> bool:
        """Ask the peers where an object is; whether an answer is waited for."""
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
        # Where no link had room for a question, all have failed by here.
        return self._moves.fences.get(id) is search

    def _ask_whether_copy(self, behind: Fence) -> None:
        """Wait no longer if a copy was found: nobody passes on to it what was for the original."""
        kernel, creator = self._kernel, creator_id(behind.new)
        outside = Context(kernel, None, kernel.user)
        asked = self._peering.calls.start(outside, creator, "has_copy", (behind.id,), {})

        def note(answer: Future) -> None:
            if answer._error is None and answer._value is True:
                self._moves.end_fence(behind.number)

        asked.on_done(note)

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
        thought, now = moves.node_of(search.id), self._kernel.hub.time()
        before, _ = moves.given_up.of(search.id, thought, now)
        if node and before not in (b"", node):
            # What was given up there may come late, and be passed on from there.
            behind = Fence(search.id, before, node)
            behind.held = search.held
            moves.send_fence(behind)
            self._ask_whether_copy(behind)
            return
        if node:
            moves.note_place(search.id, node)
        else:
            self._note_missed(search.id)
        self.is_sending = True
        try:
            for send in search.held:
                send()
        finally:
            self.is_sending = False
