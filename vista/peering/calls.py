"""Calls over links: what is under way to objects of other nodes, and from them to objects here.

Three rules. A call has a number here and ends once: by its answer, by its bound, or by the loss of
what led to the other node. An answer counts only when it comes from the node that was called. The
chain of calls that wait for one another goes along, so that one which comes back to a node finds
there the frame that waits, and with it what its chain keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vista.errors import (
    AccessDenied,
    CallError,
    NoSuchMethod,
    NoSuchObject,
    Overloaded,
    PeerLost,
    RemoteFailure,
    RemoteProtocolError,
    VistaError,
)
from vista.ids import NODE_BYTES, Id
from vista.kernel import deadlock
from vista.kernel.current import METHOD, PARENT, RECORD, Context, Frame, acting
from vista.kernel.futures import Future
from vista.kernel.invoke import run_of
from vista.kernel.methods import MethodEntry, message_name
from vista.kernel.refs import Ref, keep_call
from vista.kernel.table import QUEUED
from vista.peering.expiry import Expiry
from vista.peering.hot import Hot
from vista.peering.remote import CALLER, Caller, RemoteFuture, RemoteMethod, Served, chain_of
from vista.peering.rings import Rings
from vista.peering.voids import START_BYTES, Voids, first_number
from vista.values import copy_exception
from vista.wire.frames import (
    CALL,
    CANCEL,
    CHAIN_LINK_BYTES,
    FAILURE,
    HEAD,
    NOBODY,
    NUMBER_MAX,
    POST,
    REPLY,
    Part,
    Row,
)

if TYPE_CHECKING:
    from vista.kernel.elsewhere import Arguments
    from vista.kernel.invoke import Message
    from vista.peering.peering import Peering


class Calls:
    """The calls of one node to and from others.

    ``pending`` are those of this node that wait for an answer, by number; ``served`` those of
    others that run here, by (node, number). ``last_number`` is that of the latest call or post
    of this node. ``hot`` does what is simple; ``near`` are the links to the nodes next to this one.
    """

    def __init__(self, peering: Peering) -> None:
        self.kernel = peering.kernel
        self.pending: dict[int, RemoteFuture] = {}
        self.served: dict[tuple[bytes, int], Served] = {}
        self._peering = peering
        self.rings = Rings(peering)
        chance = peering.kernel.hub.entropy(START_BYTES)
        self.last_number = first_number(peering.session_config.epoch, chance)
        self.voids = Voids(peering.kernel.limits.nodes_max)
        self._codec = peering.kernel.codec
        self.near = peering.near
        self.expiry = Expiry(peering.kernel, self.pending)
        self.hot = Hot(peering, self)
        self._chain_bytes_max = peering.kernel.limits.remote_calls_max * CHAIN_LINK_BYTES

    # --- to other nodes --------------------------------------------------------------------

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object elsewhere."""
        message = message_name(name)
        longest = self.kernel.limits.name_characters_max
        if not message.isprintable() or len(message) > longest:
            raise NoSuchMethod(
                f"{name!r:.60} is no message: that is up to {longest} printable characters"
            )
        call = RemoteMethod(self, ref._id, message)
        keep_call(ref, name, call)
        return call

    def start(
        self, context: Context, id: Id, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> RemoteFuture:
        """Send a call and return its future; one that cannot be sent has ended already.

        Raises `NotAValueError` for the arguments and `Overloaded` for a chain without end.
        """
        return self._start(context, id, method, self._codec.encode_arguments(args, kwargs))

    def _start(self, context: Context, id: Id, method: str, parts: Sequence[Part]) -> RemoteFuture:
        peering, kernel, frame = self._peering, self.kernel, context.frame
        chain = self.chain_of(frame)
        number = self.last_number = (self.last_number + 1) & NUMBER_MAX
        moves = peering.moves
        node = moves.places.get(id) or id[:NODE_BYTES]
        future = RemoteFuture(self, number, node, id, method, frame)
        self.pending[number] = future
        if not self.rings.is_watching:
            self.rings.watch()
        head = HEAD.pack(number, len(parts) - 1, id, self.sender_of(frame))
        user = context.user or kernel.user
        row = (CALL, head, method, user, chain, parts[0])
        try:
            if moves.fences and moves.hold(id, row, parts[1:], user):
                return future
            peering.send(node, row, parts[1:], user)
        except CallError as error:
            if not self._search(id, error, row, parts[1:], user):
                future.fail(error)
        return future

    def _search(self, id: Id, error: CallError, row: Row, parts: Sequence[Part], user: str) -> bool:
        """Look for an object whose node cannot be reached; whether its message waits for that."""
        if not isinstance(error, PeerLost | NoSuchObject) or id.serial == 0:
            return False
        moves = self._peering.moves
        return moves.searches.begin_once(id) and moves.hold(id, row, parts, user)

    def post(
        self, context: Context, id: Id, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Send a post; one that cannot be sent is counted and logged, but `Overloaded` raised."""
        self._post(context, id, method, self._codec.encode_arguments(args, kwargs))

    def _post(self, context: Context, id: Id, method: str, parts: Sequence[Part]) -> None:
        peering = self._peering
        number = self.last_number = (self.last_number + 1) & NUMBER_MAX
        head = HEAD.pack(number, len(parts) - 1, id, self.sender_of(context.frame))
        user = context.user or self.kernel.user
        row = (POST, head, method, user, parts[0])
        moves = peering.moves
        if moves.fences and moves.hold(id, row, parts[1:], user):
            return
        try:
            peering.send(moves.places.get(id) or id[:NODE_BYTES], row, parts[1:], user)
        except Overloaded:
            raise
        except CallError as error:
            if not self._search(id, error, row, parts[1:], user):
                self.kernel.note_lost_post(str(error))

    def await_room(self, worker: Any, id: Id) -> None:
        """Park while what leads to an object is congested, as long as a call of now might last."""
        peering = self._peering
        node = peering.moves.places.get(id) or id[:NODE_BYTES]
        link = peering.near.get(node) or peering.link_to(node)
        if link is not None and link.is_congested:
            link.await_room(worker, worker.deadline(worker.frame, self.kernel.hub.time()))

    def resend(self, id: Id, row: Row, parts: Sequence[Part], user: str) -> None:
        """Send a message that was held back to where its object is known to be."""
        node = self._peering.node_of(id)
        if id in self.kernel.table.records:
            node = self.kernel.table.node
        future = self.pending.get(HEAD.unpack(row[1])[0]) if row[0] == CALL else None
        if row[0] == CALL and future is None:
            # Its caller gave up meanwhile.
            return
        if future is not None:
            future.node = node
        if row[0] in (CALL, POST):
            row = self.renumbered(row, future)
        try:
            # The one before it may have found nobody there, and wait for a search.
            if not self._peering.moves.hold(id, row, parts, user):
                self._peering.send(node, row, parts, user)
        except CallError as error:
            if self._search(id, error, row, parts, user):
                return
            if future is not None:
                future.fail(error)
            else:
                self.kernel.note_lost_post(str(error))

    def renumbered(self, row: Row, future: RemoteFuture | None = None) -> Row:
        """Count a message as the latest one: its node may know that earlier ones are void."""
        number = self.last_number = (self.last_number + 1) & NUMBER_MAX
        if future is not None:
            before, future.number = future.number, number
            self.pending[number] = self.pending.pop(before)
            self.rings.renumbered(future, before)
        return (row[0], HEAD.pack(number, *HEAD.unpack(row[1])[1:]), *row[2:])

    def forward(self, message: Message) -> None:
        """Pass on a message whose object went elsewhere; its end comes back through here."""
        record, method, parent, _, args, kwargs, future, user, _ = message
        sender = Context(self.kernel, parent, user)
        self.send_on(sender, Id(record.key), method.name, (args, kwargs), future)

    def send_on(
        self, context: Context, id: Id, name: str, given: Arguments, future: Future | None
    ) -> None:
        """Call an object elsewhere for whoever waits for ``future``; with None post to it."""
        try:
            if future is None:
                self.post(context, id, name, *given)
            else:
                _chain(self.start(context, id, name, *given), future)
        except VistaError as error:
            if future is None:
                self.kernel.note_lost_post(str(error))
            else:
                future.fail(error)

    def cancel(self, future: RemoteFuture) -> None:
        """Tell the other node that nobody waits for a call any longer."""
        self._peering.moves.give_up([future])
        with suppress(CallError):  # Else the other node has lost this one, and cancels by itself.
            self._peering.send(future.node, (CANCEL, future.number), (), self.kernel.user)

    def sender_of(self, frame: Frame | None) -> bytes:
        """Return the Id of the object that sends by ``frame``, `NOBODY` when none does."""
        kernel = self.kernel
        if frame is not None and frame[METHOD] is kernel.outside:
            frame = acting(frame)
        if frame is None or frame[RECORD] is kernel.program:
            return NOBODY
        key: bytes = frame[RECORD].key
        return key

    def chain_of(self, frame: Frame | None) -> bytes:
        """Return the chain of calls that wait for what ``frame`` sends.

        Raises `Overloaded` when it is too long.
        """
        while frame is not None and frame[METHOD] is not CALLER:
            frame = frame[PARENT]
        if frame is None:
            return b""
        chain = chain_of(frame)
        if len(chain) >= self._chain_bytes_max:
            count = len(chain) // CHAIN_LINK_BYTES
            raise Overloaded(f"a chain of {count} calls between nodes (limit remote_calls_max)")
        return chain

    # --- answers ---------------------------------------------------------------------------

    def take_answer(self, origin: bytes, row: Sequence[Any]) -> None:
        """End the call that a REPLY or FAILURE of node ``origin`` answers."""
        kind, number, _, parts = row
        future = self.pending.get(number)
        if future is None or future.node != origin:
            # Its caller gave up, or somebody answers calls that he was not sent.
            return
        codec = self._codec
        try:
            value = codec.decode(parts[0]) if len(parts) == 1 else codec.decode_parts(parts)
        except RemoteProtocolError as error:
            future.fail(RemoteFailure(f"{future.words}: the answer cannot be read: {error}"))
            return
        if kind == REPLY:
            future.resolve(value)
        elif isinstance(value, Exception):
            future.fail(value)
        else:
            future.fail(RemoteFailure(f"{future.words} failed with no exception: {value!r:.60}"))

    def lose(self, node: bytes, reason: str, *, answer: bool = False) -> None:
        """End what waits for a node, and cancel what runs here for it.

        With ``answer`` the node can be reached and is told: it may have called after it gave up
        what this is about.
        """
        futures = [one for one in self.pending.values() if one.node == node]
        # A fence last: its end has what is held sent, but for calls that have ended.
        for future in sorted(futures, key=lambda one: one.target == NOBODY):
            future.fail(PeerLost(f"{future.words}: {reason}"))
        for key in [key for key in self.served if key[0] == node]:
            # Taken from the table first where nobody awaits the answer.
            served = self.served.get(key) if answer else self.served.pop(key, None)
            if served is not None:
                served.abandon(PeerLost(f"{served.words}: {reason}"))

    def expect(self, node: bytes, name: str) -> RemoteFuture:
        """Return the future of a call that is about to be sent to a node."""
        number = self.last_number = (self.last_number + 1) & NUMBER_MAX
        future = RemoteFuture(self, number, node, Id(NOBODY), name, None)
        self.pending[number] = future
        return future

    def is_over(self, row: Sequence[Any]) -> bool:
        """Return whether nobody waits any longer for a CALL of this node."""
        return HEAD.unpack(row[1])[0] not in self.pending

    # --- from other nodes ------------------------------------------------------------------

    def serve(self, origin: bytes, row: Sequence[Any], user: str) -> None:
        """Run a CALL of node ``origin`` in the name of ``user``."""
        _, (number, _, target, sender), name, _, chain, _ = row
        in_turn = self.voids.admits(origin, number)
        record = self.kernel.table.records.get(target)
        if record is None and target == NOBODY:
            self._peering.ways.answer_fence(origin, number)
            return
        served = Served(self, origin, number, record, name, sender, chain)
        if self.served.setdefault((origin, number), served) is not served:
            return
        if not in_turn:
            served.fail(PeerLost(f"{served.words}: it came late, over a way that broke"))
        elif record is None and (pager := self.kernel.pager_of(target)) is not None:
            pager.bring(Id(target), lambda error: self._serve_brought(served, row, user, error))
        else:
            self._serve(served, row, user)

    def _serve(self, served: Served, row: Sequence[Any], user: str) -> None:
        _, (_, _, target, sender), name, _, _, parts = row
        kernel, origin, record = self.kernel, served.origin, served.record
        try:
            if record is None and self._peering.moves.has_moved(target):
                self._pass_on(served, origin, row, user)
                return
            found, method, args, kwargs = self._find(record, target, name, parts)
            parent = self._caller(sender, served)
            if parent[PARENT] is not None and not method.preemptable:
                deadlock.refuse_own(parent, found, method.name)
            run = run_of(found, method)
            message = (found, method, parent, kernel.now, args, kwargs, served, user, run)
            if found.state is kernel and run is not None:
                # Idle, and nothing is to be asked of it: see `vista.kernel.table`.
                kernel.threads.make_ready(message)
                found.state = QUEUED
            else:
                self._deliver(target, message, origin)
        except VistaError as error:
            served.fail(error)

    def _serve_brought(
        self, served: Served, row: Sequence[Any], user: str, error: BaseException | None
    ) -> None:
        """Run a CALL whose object was not here and has been brought, or could not be."""
        if error is None:
            served.record = self.kernel.table.records.get(row[1][2])
            self._serve(served, row, user)
        else:
            served.fail(error)

    def _pass_on(self, served: Served, origin: bytes, row: Sequence[Any], user: str) -> None:
        """Call an object in its new home for a node that thought it here."""
        _, (_, _, target, sender), name, _, _, parts = row
        id = Id(target)
        self._peering.moves.tell(id, origin)
        caller = self._caller(sender, served)
        context = Context(self.kernel, caller, user)
        served.passed = self._start(context, id, name, self._sealed(parts))
        _chain(served.passed, served)

    def _sealed(self, parts: Sequence[Any]) -> Sequence[Part]:
        """Return the parts of a payload that goes on; those of a series came open."""
        return self._codec.encode_arguments(parts[0], {}) if type(parts[0]) is tuple else parts

    def _deliver(
        self, target: bytes, message: Message, origin: bytes, sender: Frame | None = None
    ) -> None:
        """Queue a message that came from a node, or have it wait with its object's arrival."""
        arrivals = self._peering.moves.arrival(target)
        if arrivals is not None:
            arrivals.append(message, origin)
        else:
            self.kernel.invoker.deliver(message, sender)

    def _take_brought(
        self, origin: bytes, row: Sequence[Any], user: str, error: BaseException | None
    ) -> None:
        if error is None:
            self.take_post(origin, row, user, brought=True)
        else:
            self.kernel.note_lost_post(str(error))

    def take_post(
        self, origin: bytes, row: Sequence[Any], user: str, *, brought: bool = False
    ) -> None:
        """Run a POST in the name of ``user``; one that cannot be is counted and logged."""
        _, (number, _, target, sender), name, _, parts = row
        kernel = self.kernel
        if target == NOBODY:
            self._peering.ways.take_word(origin, name, self._sealed(parts))
            return
        if not brought and not self.voids.admits(origin, number):
            # It would come after what was sent later.
            kernel.note_lost_post(f"{name!r:.60} came late, over a way that broke")
            return
        record = kernel.table.records.get(target)
        if record is None and (pager := kernel.pager_of(target)) is not None:
            pager.bring(Id(target), lambda error: self._take_brought(origin, row, user, error))
            return
        caller = self._caller(sender, Caller(kernel, sender))
        try:
            if record is None and self._peering.moves.has_moved(target):
                self._peering.moves.tell(Id(target), origin)
                self._post(Context(kernel, caller, user), Id(target), name, self._sealed(parts))
                return
            found, method, args, kwargs = self._find(record, target, name, parts)
            run = run_of(found, method)
            message = (found, method, None, kernel.now, args, kwargs, None, user, run)
            guarded = found.guard is not None
            self._deliver(target, message, origin, caller if guarded else None)
        except VistaError as error:
            kernel.note_lost_post(str(error))

    def _find(
        self, record: Any, target: bytes, name: str, parts: Sequence[Any]
    ) -> tuple[Any, MethodEntry, tuple[Any, ...], dict[str, Any]]:
        if record is None:
            raise self.kernel.absent(self.kernel.ref(Id(target)))
        method = record.entry.methods.get(name)
        if method is None:
            message = message_name(name)
            if message.startswith("_") or not message:
                raise NoSuchMethod(f"{name!r:.60} is no message: one has no leading underscore")
            method = self.kernel.method_for(record, message)
            if method is None:
                raise NoSuchMethod(record.entry.explain(message))
        if type(parts[0]) is tuple:
            # Of a series.
            return record, method, parts[0], {}
        args, kwargs = self._codec.decode_arguments(parts)
        return record, method, args, kwargs

    def _caller(self, sender: bytes, call: Served | Caller) -> Frame:
        """Return the frame that stands for the caller elsewhere.

        Outside of it stands the frame of this node that waits for the chain, if one does.
        """
        kernel = self.kernel
        caller = kernel.program if sender == NOBODY else call
        waiting = self._waiting_in(call.before) if type(call) is Served and call.before else None
        return (caller, CALLER, waiting, kernel.now, call)

    def _waiting_in(self, chain: bytes) -> Frame | None:
        """Return the innermost frame of this node that waits for one of the chain's calls."""
        own = self.kernel.table.node
        for start in range(len(chain) - CHAIN_LINK_BYTES, -1, -CHAIN_LINK_BYTES):
            if chain[start : start + NODE_BYTES] == own:
                number = chain[start + NODE_BYTES : start + CHAIN_LINK_BYTES]
                future = self.pending.get(int.from_bytes(number, "big"))
                return None if future is None else future.frame
        return None

    def answer(self, served: Served) -> None:
        """Send the end of a call back to its node."""
        error = served.told_error
        if error is None:
            kind, value = REPLY, served._value
        else:
            kind, value = FAILURE, error
        try:
            parts = self._codec.encode_parts(value)
        except VistaError as refused:
            kind, parts = FAILURE, self._codec.encode_parts(copy_exception(refused))
        row = (kind, served.number, len(parts) - 1, parts[0])
        try:
            self._peering.send(served.origin, row, parts[1:], self.kernel.user)
        except CallError as unreachable:
            self.kernel.log.info("an answer does not reach its caller: %s", unreachable)

    def take_cancel(self, origin: bytes, number: int) -> None:
        """Cancel a call of node ``origin`` that runs here."""
        served = self.served.pop((origin, number), None)
        if served is not None:
            served.abandon()

    def refuse(self, origin: bytes, row: Sequence[Any], error: AccessDenied) -> None:
        """Answer a CALL that may not run; a POST is counted."""
        self.kernel.note_refusal(str(error))
        if row[0] == CALL:
            served = Served(self, origin, row[1][0], None, row[2], NOBODY)
            self.served[origin, served.number] = served
            served.fail(error)
        else:
            self.kernel.note_lost_post(str(error))


def _chain(passed: Future, future: Future) -> None:
    """End a call as the one by which it was passed on, and that one if its caller gives up."""

    def hand_on(ended: Future) -> None:
        if ended._error is None:
            future.resolve(ended._value)
        else:
            future.fail(ended._error)

    passed.on_done(hand_on)
    future.on_done(lambda _: passed.abandon())
