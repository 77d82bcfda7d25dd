"""Objects that leave this node: how one is handed over, also when a link breaks or a node falls.

The old home prepares the new one, commits, and then lets go of the object; see
`vista.peering.moves`. Three rules. As long as the old home does not know whether its commit
arrived, nobody reaches the object there. What is kept in a store is marked there before the commit
as about to leave, so that a later run of this node does not restore it before it knows. And an
object moves on only when the node it came from knows that it came: if this one fell afterwards,
that one would let it live there once more.

To prepare is to find out that the new home is there: one that does not answer to it has not got the
object, and there is no doubt. Who was heard just now need not be asked, and a small object that no
store has goes by one message; it is in doubt for no longer than by a commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from vista.errors import (
    BadValueError,
    CallError,
    ObjectBusy,
    ObjectDeleted,
    PeerLost,
    VistaError,
)
from vista.ids import Id
from vista.kernel import encoding, monitor
from vista.kernel.futures import Future
from vista.kernel.inspection import own_thread_id
from vista.kernel.keeping import Departure, Keeper
from vista.kernel.kernel import creator_id
from vista.kernel.killing import KillThread
from vista.kernel.refs import Ref, point
from vista.kernel.table import DEPARTING, GONE, Absent, Record
from vista.kernel.upgrade import quiesce
from vista.mobility.likeness import likeness_of

if TYPE_CHECKING:
    from vista.peering.moves import Moves
    from vista.peering.peering import Peering

_LOOK_AGAIN_SECONDS = 1.0

_HEARD_SECONDS: Final = 0.05
"""How long a neighbour that was heard counts as there: many round trips, and much less than it
takes to find out that it is lost."""

_ASK_AGAIN_SECONDS: Final = 0.05
"""The pause before the node an object came from is asked again whether it knows that."""

_CREATORS_MAX: Final = 64
"""Nodes whose ObjectCreators are kept: objects go to few nodes at a time."""

_IN_DOUBT: Final = (
    "has %s moved to %s? %s (%s). Until that is known nobody gets into it here; if that node is "
    "gone for good, vista.kill(%r) lets it stay"
)

_UNKNOWN: Final = (
    "object %s came here from %s, which may not know that yet and cannot be asked (%s). It moves "
    "on when that node is back; if it is gone for good, after here().release_object(%r)"
)

_BUSY: Final = (
    "object %s came from %s, which does not know that yet; move it on later, or if it never will, "
    "after here().release_object(%r)"
)

_STORED: Final = b"\x01"
"""The last byte of the token of a move whose object a store of its old home has; else zero."""

_log = logging.getLogger("vista.peering")


class Departures:
    """The objects that leave one node.

    ``doubts`` are the threads that ask whether an object left, by its Id.
    """

    def __init__(self, peering: Peering, moves: Moves) -> None:
        self.doubts: dict[bytes, Id] = {}
        self._peering = peering
        self._kernel = peering.kernel
        self._moves = moves
        # Of this run of the node; a token is one of its moves.
        self._run = peering.session_config.epoch
        self._tokens = 0
        # Of the moves whose end this node does not know, or its store.
        self._open: set[bytes] = set()
        self._short_bytes_max = peering.kernel.limits.large_buffer_bytes
        self._creators: dict[bytes, Ref] = {}
        self._own_creator = creator_id(peering.node)

    def _creator_of(self, node: bytes) -> Ref:
        """Return the ObjectCreator of a node. A Ref that is kept keeps what its methods do."""
        made = self._creators.get(node)
        if made is None:
            if len(self._creators) >= _CREATORS_MAX:
                self._creators.clear()
            made = self._creators[node] = self._kernel.ref(creator_id(node))
        return made

    def move(self, record: Record, creator: Ref, seconds: float) -> Ref:
        """Move an object to the node of ``creator``, as the thread active in it.

        Raises `ObjectBusy` when threads in it do not end within ``seconds``, whatever the other
        node raises, and `PeerLost` when it cannot be reached; then nothing has changed.
        """
        kernel, id = self._kernel, record.id
        ref = kernel.ref_to(record)
        node = creator._id.node
        if node == self._peering.node:
            return ref
        if record is kernel.program or record.key == self._own_creator:
            raise BadValueError(f"{record} stands for its node and stays there")
        if self._peering.link_to(node) is None:
            raise self._peering.unreachable(node)
        due = kernel.hub.time() + seconds
        self._await_known(id, due)
        quiesce(kernel, record, max(0.0, due - kernel.hub.time()), "move_to")
        if record.idle is GONE:
            raise ObjectDeleted(f"{record} was deleted or moved meanwhile")
        record.state = DEPARTING
        if record.queue is None:
            record.queue = monitor.new_queue()
        # In a thread of its own: should this one be ended, it still comes out where the object is.
        over = Future(kernel, None, "move_to")
        there = self._creator_of(node)
        handing = kernel.spawn(lambda: self._hand_over(record, id, there), kernel.context_user())
        handing.on_done(lambda ended: _hand_on(ended, over))
        over.result()
        return ref

    def _await_known(self, id: Id, due: float) -> None:
        """Wait until the node an object came from knows that it did.

        Raises `PeerLost` when that cannot be asked, and `ObjectBusy` when it does not know in time.
        """
        handovers = self._moves.handovers
        while (unknown := handovers.unknown_to(id)) is not None:
            origin, token = unknown
            creator = self._creator_of(origin)
            try:
                leaves = creator.is_leaving(id, token)
            except CallError as error:
                raise PeerLost(_UNKNOWN % (id, creator, error, id)) from None
            if not leaves:
                handovers.forget(id, token)
            elif self._kernel.hub.time() >= due:
                raise ObjectBusy(_BUSY % (id, creator, id))
            else:
                self._kernel.sleep(_ASK_AGAIN_SECONDS)

    def ask_known(self, origin: bytes) -> None:
        """Ask a node that is back whether it knows of the objects that came from it, as a thread.

        What it does not know it will ask about itself.
        """
        handovers, creator = self._moves.handovers, self._creator_of(origin)
        for id, token in handovers.of(origin):
            try:
                if not creator.is_leaving(id, token):
                    handovers.forget(id, token)
            except CallError as error:
                _log.info("%s is asked later what it knows: %s", creator, error)
                return

    def is_leaving(self, id: Id, token: bytes) -> bool:
        """Return whether this node does not know yet how a move ended, or may ask again."""
        pagers, searches = self._kernel.pagers, self._moves.searches
        stores = [pager for pager in pagers if pager is not searches]
        if token in self._open or any(id in store for store in stores):
            return True
        # An earlier run's store may be opened after links are made.
        is_early = not stores or bool(pagers.closed_stores())
        return is_early and not token.startswith(self._run) and token.endswith(_STORED)

    def _run_heard(self, node: bytes) -> bytes | None:
        """Return the run of a neighbour of the same user's that was heard just now, else None."""
        link = self._peering.near.get(node)
        if link is None or link.hello is None:
            return None
        is_there = self._kernel.hub.time() - link.session.heard_at < _HEARD_SECONDS
        return link.hello.epoch if is_there else None

    def _hand_over(self, record: Record, id: Id, creator: Ref) -> None:
        kernel, guard = self._kernel, record.guard
        acl = None if guard is None else guard.acl
        watchers = [] if guard is None else list(guard.watchers)
        keeper = None if guard is None else guard.keeper
        self._moves.departing[id] = []
        self._tokens += 1
        stored = bytes(len(_STORED)) if keeper is None else _STORED
        token = self._run + self._tokens.to_bytes(8, "big") + stored
        departure = Departure(creator._id.node, token, b"")
        kept: Future | None = None
        is_known = True
        self._open.add(token)
        try:
            data = encoding.encode_record(record)
            given = (data, acl, list(record.services), watchers, token)
            cls: type = record.entry.cls
            likeness = likeness_of(cls)
            is_small = keeper is None and len(data) <= self._short_bytes_max
            run = self._run_heard(departure.node) if is_small else None
            is_short = run is not None
            if run is None:
                run = _compared(creator.prepare_object, given, likeness)
            departure = departure._replace(run=run)
            if keeper is not None:
                # Else it would be restored here should this node fall before its store forgets it.
                keeper.leave(record, departure)
            is_known = False
            try:
                if is_short:
                    _compared(creator.take_object, (*given, run), likeness)
                else:
                    creator.commit_object(id, token)
            except (VistaError, KillThread) as doubt:
                is_over = isinstance(doubt, KillThread) and kernel.threads.ending
                if is_over or not self._ask(id, departure, doubt):
                    raise
            is_known = True
            kept = self._depart(record, id, departure.node)
        except BaseException:
            if is_known or not kernel.threads.ending:
                self._stay(record, keeper)
            raise
        finally:
            # Else the next run asks, and the new home must not have forgotten.
            if is_known or not kernel.threads.ending:
                self._end_when_kept(id, departure, kept)
            for origin, number in self._moves.departing.pop(id):
                self._moves.take_fence(origin, number, id)

    def _stay(self, record: Record, keeper: Keeper | None) -> None:
        if keeper is not None:
            keeper.stay(record)
        waiting, record.queue = record.queue or (), monitor.new_queue()
        self._moves.let_in(record, waiting)

    def _end_when_kept(self, id: Id, departure: Departure, kept: Future | None) -> None:
        """Let the new home forget a move, once nothing of the object can come back from a store."""

        def end(ended: Future) -> None:
            if ended.exception() is None:
                self.end(id, departure)

        if kept is None:
            self.end(id, departure)
        else:
            kept.on_done(end)

    def end(self, id: Id, departure: Departure) -> None:
        """Let the new home forget a move: this node knows how it ended and will not ask again."""
        self._open.discard(departure.token)
        if self._peering.link_to(departure.node) is not None:
            creator = self._creator_of(departure.node)
            # Plain arguments need no codec, at neither side.
            self._kernel.post_quietly(creator, "discard_object", bytes(id), departure.token)

    def _ask(self, id: Id, departure: Departure, doubt: BaseException) -> bool:
        """Find out whether a commit arrived, as long as that takes.

        Who kills the thread lets the object stay, but only when he can have read that: before, the
        commit may be on its way, and the object live in two places.
        """
        creator = self._creator_of(departure.node)
        try:
            while True:
                try:
                    # Not whether the object is there: it may have moved on, or be deleted.
                    arrived: bool = creator.took_object(id, departure.token, departure.run)
                except CallError as error:
                    if id not in self.doubts:
                        self.doubts[id] = thread = own_thread_id(self._kernel)
                        _log.warning(_IN_DOUBT, id, creator, doubt, error, thread)
                    self._kernel.sleep(_LOOK_AGAIN_SECONDS)
                except KillThread:
                    if id in self.doubts or self._kernel.threads.ending:
                        raise
                else:
                    return arrived
        finally:
            self.doubts.pop(id, None)

    def settle(self, id: Id, departure: Departure) -> bool:
        """Return whether an object left that this node was about to hand over when it fell."""
        fallen, arrived = PeerLost("this node fell"), False
        self._open.add(departure.token)
        try:
            arrived = self._ask(id, departure, fallen)
        finally:
            if not arrived:
                self._open.discard(departure.token)
        if arrived:
            self._moves.note_place(id, departure.node)
        return arrived

    def _depart(self, record: Record, id: Id, node: bytes) -> Future | None:
        """Let go of an object that lives elsewhere from now on.

        Returns a future that ends when no store has it, None when none had.
        """
        kernel, kept = self._kernel, None
        self._moves.note_place(id, node)
        kernel.table.records.pop(record.key, None)
        record.entry.deleted += 1
        kernel.services.forget(record)
        record.state = record.idle = GONE
        if record.guard is not None and record.guard.keeper is not None:
            kept = record.guard.keeper.depart(record)
        record.guard = None
        queue, record.queue = record.queue, None
        point(kernel.ref_to(record), Absent(kernel, id))
        for item in queue or ():
            if type(item) is tuple:
                self._peering.calls.forward(item)
            else:
                item.admitted()
        return kept


def _compared(ask: Callable[..., Any], given: tuple[Any, ...], likeness: bytes) -> Any:
    """Ask a node for something, with the likeness of a class if it compares those."""
    try:
        return ask(*given, likeness)
    except TypeError:
        # A vista from before likenesses takes an argument less, so nothing was done. What else
        # raises this raises it again.
        return ask(*given)


def _hand_on(ended: Future, over: Future) -> None:
    error = ended.exception()
    if error is None:
        over.resolve(None)
    else:
        over.fail(error)
