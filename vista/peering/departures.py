"""Objects that leave this node: how one is handed over, also when a link breaks or a node falls.

The old home prepares the new one, commits, and then lets go of the object; see
`vista.peering.moves`. Two rules. As long as the old home does not know whether its commit arrived,
nobody reaches the object there. And what is kept in a store is marked there before the commit as
about to leave, so that a later run of this node does not restore it before it knows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from vista.errors import BadValueError, CallError, ObjectDeleted, PeerLost, VistaError
from vista.ids import Id
from vista.kernel import encoding, monitor
from vista.kernel.futures import Future
from vista.kernel.inspection import own_thread_id
from vista.kernel.keeping import Departure
from vista.kernel.kernel import creator_id
from vista.kernel.refs import Ref, point
from vista.kernel.table import DEPARTING, GONE, Absent, Record
from vista.kernel.upgrade import quiesce

if TYPE_CHECKING:
    from vista.peering.moves import Moves
    from vista.peering.peering import Peering

_LOOK_AGAIN_SECONDS = 1.0

_CREATORS_MAX: Final = 64
"""Nodes whose ObjectCreators are kept: objects go to few nodes at a time."""

_IN_DOUBT: Final = (
    "has %s moved to %s? %s (%s). Until that is known nobody gets into it here; if that node is "
    "gone for good, vista.kill(%r) lets it stay"
)

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
        self._creators: dict[bytes, Ref] = {}

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
        if record is kernel.program or record.key == creator_id(self._peering.node):
            raise BadValueError(f"{record} stands for its node and stays there")
        if self._peering.link_to(node) is None:
            raise self._peering.unreachable(node)
        quiesce(kernel, record, seconds, "move_to")
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

    def _hand_over(self, record: Record, id: Id, creator: Ref) -> None:
        guard = record.guard
        acl = None if guard is None else guard.acl
        watchers = [] if guard is None else list(guard.watchers)
        keeper = None if guard is None else guard.keeper
        self._moves.departing[id] = []
        self._tokens += 1
        token = self._run + self._tokens.to_bytes(8, "big")
        departure = Departure(creator._id.node, token, b"")
        kept: Future | None = None
        try:
            data = encoding.encode_record(record)
            run = creator.prepare_object(data, acl, list(record.services), watchers, token)
            departure = departure._replace(run=run)
            if keeper is not None:
                # Else it would be restored here should this node fall before its store forgets it.
                keeper.leave(record, departure)
            try:
                creator.commit_object(id, token)
            except VistaError as doubt:
                if not self._ask(id, departure, doubt):
                    raise
            kept = self._depart(record, id, departure.node)
        except BaseException:
            if keeper is not None:
                keeper.stay(record)
            waiting, record.queue = record.queue or (), monitor.new_queue()
            self._moves.let_in(record, waiting)
            raise
        finally:
            self._end_when_kept(id, departure, kept)
            for origin, number in self._moves.departing.pop(id):
                self._moves.take_fence(origin, number, id)

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
        if self._peering.link_to(departure.node) is not None:
            creator = self._creator_of(departure.node)
            self._kernel.post_quietly(creator, "discard_object", id, departure.token)

    def _ask(self, id: Id, departure: Departure, doubt: VistaError) -> bool:
        """Find out whether a commit arrived, as long as that takes."""
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
                else:
                    return arrived
        finally:
            self.doubts.pop(id, None)

    def settle(self, id: Id, departure: Departure) -> bool:
        """Return whether an object left that this node was about to hand over when it fell."""
        fallen = PeerLost("this node fell")
        arrived = self._ask(id, departure, fallen)
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


def _hand_on(ended: Future, over: Future) -> None:
    error = ended.exception()
    if error is None:
        over.resolve(None)
    else:
        over.fail(error)
