"""Moving objects between nodes, with the messages on their way to them.

The old home prepares the new one, which then has the state but not the object; commits, after which
the object lives there; and passes on, in their order, the messages that waited and those that still
come. Three rules. No message is lost or doubled: one that came to the old home is passed on by it
and answered through it. Order is kept: a node that learns where an object went sends it nothing by
the new way before a `FENCE` it sent by the old one has come back, which follows all its earlier
messages; also the new home lets its own objects wait for that. An object lives in one place: as
long as the old home does not know whether its commit arrived, nobody reaches the object there.

After the original's copying by ``encodeObject`` and ``importObject``; the original did not move.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from vista.errors import (
    BadValueError,
    CallError,
    CallTimeout,
    ObjectDeleted,
    PeerLost,
)
from vista.ids import NODE_BYTES, Id
from vista.kernel import encoding, monitor
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.current import METHOD, PARENT, Context, current
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel, creator_id
from vista.kernel.refs import Ref, point
from vista.kernel.table import GONE, Absent, Record, State
from vista.kernel.upgrade import quiesce
from vista.peering.remote import CALLER, CHAIN
from vista.wire.frames import CHAIN_LINK_BYTES, FENCE, FENCED, MOVED, Part, Row

if TYPE_CHECKING:
    from vista.kernel.timers import Timer
    from vista.peering.peering import Peering

ARRIVED: Final = State("ARRIVED")
"""Of a record: here, but what was sent to its old home must come first."""

DEPARTING: Final = State("DEPARTING")
"""Of a record: on its way to another node, so nobody gets in."""

_LOOK_AGAIN_SECONDS = 1.0
_TELL_AGAIN_SECONDS = 1.0

_log = logging.getLogger("vista.peering")


class _Fence:
    """What waits until a FENCE has come back: messages for one object, as what sends them."""

    __slots__ = ("held", "id", "new", "old", "timer")

    def __init__(self, id: Id, old: bytes, new: bytes) -> None:
        self.id = id
        self.old = old
        self.new = new
        self.held: deque[Callable[[], None]] = deque()
        self.timer: Timer | None = None


class Moves:
    """Where the objects are that are not at their birth node, as one node knows it.

    ``places`` says of objects that are elsewhere where they went; ``fences`` are what waits, by the
    object's Id. ``is_searching`` is True while messages are sent that waited for a search.
    """

    def __init__(self, peering: Peering) -> None:
        self.places: dict[bytes, bytes] = {}
        self.fences: dict[bytes, _Fence] = {}
        self._peering = peering
        self._kernel = peering.kernel
        self._numbers: dict[int, _Fence] = {}
        self._number = 0
        self._prepared: dict[bytes, tuple[bytes, tuple[Any, ...]]] = {}
        self._departing: dict[bytes, list[tuple[bytes, int]]] = {}
        self._arrivals: dict[bytes, deque[Any]] = {}
        self.is_searching = False
        self._told: dict[tuple[bytes, bytes], float] = {}
        peering.watchers.append(self._note_node)

    # --- leaving ---------------------------------------------------------------------------

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
        handing = kernel.spawn(lambda: self._hand_over(record, id, creator), kernel.context_user())
        handing.on_done(lambda ended: _hand_on(ended, over))
        over.result()
        return ref

    def _hand_over(self, record: Record, id: Id, creator: Ref) -> None:
        guard = record.guard
        acl = None if guard is None else guard.acl
        watchers = [] if guard is None else list(guard.watchers)
        self._departing[id] = []
        try:
            data = encoding.encode_record(record)
            creator.prepare_object(data, acl, list(record.services), watchers)
            try:
                creator.commit_object(id)
            except (PeerLost, CallTimeout) as doubt:
                self._resolve(creator, id, doubt)
            self._depart(record, id, creator._id.node)
        except BaseException:
            creator.discard_object.post(id)
            monitor.release(record)
            raise
        finally:
            for origin, number in self._departing.pop(id):
                self.take_fence(origin, number, id)

    def _resolve(self, creator: Ref, id: Id, doubt: CallError) -> None:
        """Find out whether a commit arrived; until then nobody gets into the object.

        Raises ``doubt`` when it did not, so that the object stays.
        """
        _log.warning("%s: is it at %s? %s", id, creator, doubt)
        while True:
            try:
                arrived = creator.has_object(id)
            except (PeerLost, CallTimeout):
                self._kernel.sleep(_LOOK_AGAIN_SECONDS)
                continue
            if arrived:
                return
            raise doubt

    def _depart(self, record: Record, id: Id, node: bytes) -> None:
        """Let go of an object that lives elsewhere from now on."""
        kernel = self._kernel
        self.places[id] = node
        kernel.table.records.pop(record.key, None)
        record.entry.deleted += 1
        kernel.services.forget(record)
        record.state = record.idle = GONE
        if record.guard is not None and record.guard.keeper is not None:
            # Else it would be restored here while it lives there.
            record.guard.keeper.forget(record)
        record.guard = None
        queue, record.queue = record.queue, None
        point(kernel.ref_to(record), Absent(kernel, id))
        for item in queue or ():
            if type(item) is tuple:
                self._peering.calls.forward(item)
            else:
                item.admitted()

    # --- arriving --------------------------------------------------------------------------

    def prepare(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: Sequence[str],
        watchers: Sequence[Any],
        origin: bytes,
    ) -> Id:
        """Take the state of an object that is to come from node ``origin``.

        Raises what `vista.import_object` does, and `ServiceTaken` is found out at the commit.
        """
        entry, id, state = encoding.read_encoding(self._kernel, data)
        if id in self._kernel.table.records:
            raise BadValueError(f"object {id} is here already")
        package = (entry, state, checked_acl(acl), tuple(services), tuple(watchers))
        self._prepared[id] = (origin, package)
        return id

    def discard(self, id: Id) -> None:
        """Forget an object that was prepared."""
        self._prepared.pop(id, None)

    def commit(self, id: Id) -> None:
        """Let a prepared object live here.

        Its own node's messages for it wait until those of its old home have come.
        """
        found = self._prepared.pop(id, None)
        if found is None:
            raise BadValueError(f"object {id} was not prepared to come here")
        _, (entry, state, acl, services, watchers) = found
        kernel = self._kernel
        record = encoding.revive(kernel, entry, id, state)
        if acl is not None:
            kernel.guard_of(record).acl = acl
        if watchers:
            kernel.guard_of(record).watch(record, list(watchers))
        # Where this node's own messages for it went so far.
        before = self.node_of(id)
        self.places.pop(id, None)
        record.state = ARRIVED
        if record.queue is None:
            record.queue = monitor.new_queue()
        self._arrivals[id] = deque()
        for name in services:
            if kernel.services.get_local(name) is None:
                kernel.services.register(name, record)
            else:
                _log.error("service %r of %s is taken here: it has that name no more", name, record)
        fence = self.fences.get(id)
        if fence is None:
            self._send_fence(_Fence(id, before, self._peering.node))
        else:
            # Sent along all the way that messages of this node took, it comes back by here.
            fence.new = self._peering.node

    def arrival(self, id: bytes) -> deque[Any] | None:
        """Return where messages from other nodes wait for an object that has just arrived."""
        return self._arrivals.get(id)

    def _open(self, id: Id) -> None:
        """Let an object that arrived begin: first what came by its old home, then the rest."""
        arrivals = self._arrivals.pop(id, None)
        record = self._kernel.table.records.get(id)
        if record is None or arrivals is None or record.state is not ARRIVED:
            return
        queue = record.queue or deque()
        for message in reversed(arrivals):
            queue.appendleft(message)
        record.queue = queue
        monitor.release(record)

    # --- knowing where ---------------------------------------------------------------------

    def node_of(self, id: Id) -> bytes:
        """Return the node where an object is thought to be."""
        return self.places.get(id) or id.node

    def has_moved(self, id: bytes) -> bool:
        """Whether an object that is not here went elsewhere."""
        return id in self.places

    def tell(self, id: Id, origin: bytes) -> None:
        """Tell a node that sends to an object through this one where the object went."""
        key, now = (id, origin), self._kernel.hub.time()
        link = self._peering.link_to(origin)
        if link is None or not link.is_kin or now < self._told.get(key, now):
            return
        # It may be busy with an earlier move, so it is told again while it sends here.
        self._told[key] = now + _TELL_AGAIN_SECONDS
        self._peering.send(origin, (MOVED, id, self.places[id]), (), self._kernel.user)

    def take_moved(self, origin: bytes, id: Id, node: bytes) -> None:
        """Take note that an object which was thought to be at ``origin`` went to ``node``."""
        if id in self._kernel.table.records or id in self.fences or self.node_of(id) != origin:
            return
        if node != self._peering.node and self._peering.link_to(node) is None:
            return
        self._send_fence(_Fence(id, origin, node))

    def hold(self, id: Id, row: Row, parts: Sequence[Part], user: str) -> bool:
        """Keep a message back while a fence is out for its object; whether it was."""
        fence = self.fences.get(id)
        if fence is None:
            return False
        fence.held.append(lambda: self._peering.calls.resend(id, row, parts, user))
        return True

    # --- searching -------------------------------------------------------------------------

    def search(self, id: Id) -> bool:
        """Ask the peers where an object is whose node cannot be reached; whether anybody is asked.

        Messages for it are held meanwhile; when nobody knows, they fail as they would have.
        """
        asked = [
            self._peering.calls.start(nobody, creator._id, "locate_object", (id,), {})
            for creator in self._peering.creators()
            for nobody in (Context(self._kernel, None, self._kernel.user),)
        ]
        if not asked:
            return False
        search = self.fences[id] = _Fence(id, b"", b"")
        left = len(asked)

        def note(answer: Future) -> None:
            nonlocal left
            left -= 1
            place = None if answer._error is not None else answer._value
            if self.fences.get(id) is not search:
                return
            if isinstance(place, Ref) and self._peering.link_to(place._id.node) is not None:
                self._found(search, place._id.node)
            elif left == 0:
                self._found(search, b"")

        for question in asked:
            question.on_done(note)
        return True

    def _found(self, search: _Fence, node: bytes) -> None:
        """Send what was held to where the object is, or else to where it fails."""
        del self.fences[search.id]
        if node:
            self.places[search.id] = node
        self.is_searching = True
        try:
            for send in search.held:
                send()
        finally:
            self.is_searching = False

    def locate(self, id: Id) -> Ref | None:
        """Return the ObjectCreator of the node where an object is, if this node knows."""
        if id in self._kernel.table.records:
            return self._kernel.ref(creator_id(self._peering.node))
        node = self.places.get(id)
        return None if node is None else self._kernel.ref(creator_id(node))

    # --- fences ----------------------------------------------------------------------------

    def _send_fence(self, fence: _Fence) -> None:
        self.fences[fence.id] = fence
        self._number += 1
        number = self._number
        self._numbers[number] = fence
        kernel = self._kernel
        # Who hears nothing for that long takes a link for lost; what was on its way is, too.
        fence.timer = kernel.timers.call_later(
            kernel.limits.loss_seconds, lambda: self._end_fence(number)
        )
        row = (FENCE, number, fence.id)
        try:
            self._peering.send(fence.old, row, (), self._kernel.user)
        except CallError:
            # The old way is gone, and with it whatever was on it.
            self._end_fence(number)

    def take_fence(self, origin: bytes, number: int, id: Id) -> None:
        """Answer a fence, behind everything its sender sent to the object by this way."""
        if id in self._departing:
            self._departing[id].append((origin, number))
            return
        own = self.fences.get(id)
        if id in self._kernel.table.records:
            # Also one that has just arrived: what came before the fence comes before the rest.
            self._answer_fence(origin, number)
        elif own is not None:
            # Behind what its sender sent here to be passed on.
            own.held.append(lambda: self.take_fence(origin, number, id))
        elif self.has_moved(id):
            # What was passed on before has left already, so the next home is behind it.
            self._pass_fence(origin, number, id)
        else:
            self._answer_fence(origin, number)

    def _answer_fence(self, origin: bytes, number: int) -> None:
        try:
            self._peering.send(origin, (FENCED, number), (), self._kernel.user)
        except CallError as error:
            _log.info("a fence is not answered: %s", error)

    def _pass_fence(self, origin: bytes, number: int, id: Id) -> None:
        onward = self.places[id]
        if onward == origin:
            # It comes from the object's new home: its messages have gone round and are there.
            self._answer_fence(origin, number)
        else:
            hops = self._kernel.limits.route_hops_max
            self._peering.ways.pass_on(onward, origin, hops, (FENCE, number, id), ())

    def take_fenced(self, origin: bytes, number: int) -> None:
        """Go on with what waited for a fence."""
        self._end_fence(number)

    def _end_fence(self, number: int) -> None:
        fence = self._numbers.pop(number, None)
        if fence is None:
            return
        if fence.timer is not None:
            fence.timer.cancel()
        del self.fences[fence.id]
        if fence.new != self._peering.node:
            self.places[fence.id] = fence.new
        for send in fence.held:
            send()
        self._open(fence.id)

    def _note_node(self, node: bytes, via: bytes | None) -> None:
        """End what waits for a node that is lost."""
        if via is not None:
            return
        for number, fence in list(self._numbers.items()):
            if node in (fence.old, fence.new):
                self._end_fence(number)
        for id, (origin, _) in list(self._prepared.items()):
            if origin == node:
                del self._prepared[id]
        for key in [key for key in self._told if key[1] == node]:
            del self._told[key]


def _hand_on(ended: Future, over: Future) -> None:
    error = ended.exception()
    if error is None:
        over.resolve(None)
    else:
        over.fail(error)


def moves_of(kernel: Kernel) -> Moves:
    """Return the moves of a node. Raises `BadValueError` when it has no links."""
    moves = getattr(kernel.elsewhere, "moves", None)
    if not isinstance(moves, Moves):
        raise BadValueError("this node has no links, so nothing moves here")
    return moves


def sender_node(kernel: Kernel) -> bytes:
    """Return the node that sent the call which the calling thread runs; its own for local ones."""
    frame = current().frame
    while frame is not None and frame[METHOD] is not CALLER:
        frame = frame[PARENT]
    if frame is None:
        return kernel.table.node
    chain: bytes = frame[CHAIN]
    return chain[-CHAIN_LINK_BYTES:][:NODE_BYTES]
