"""Calls over links: what is under way to objects of other nodes, and from them to objects here.

Three rules. A call has a number here and ends once: by its answer, by its bound, or by the loss of
what led to the other node. An answer counts only when it comes from the node that was called. The
chain of calls that wait for one another goes along, so that one which comes back to a node finds
there the frame that waits, and with it what its chain keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from vista.errors import (
    AccessDenied,
    CallError,
    NoSuchMethod,
    Overloaded,
    PeerLost,
    RemoteFailure,
    RemoteProtocolError,
    ThreadKilled,
    VistaError,
)
from vista.ids import NODE_BYTES, Id
from vista.kernel import deadlock
from vista.kernel.current import METHOD, PARENT, RECORD, Context, Frame, current
from vista.kernel.futures import Future, wait_parked
from vista.kernel.invoke import run_of
from vista.kernel.methods import MethodEntry, message_name
from vista.kernel.refs import Ref, keep_call
from vista.values import copy_exception
from vista.wire.frames import (
    CALL,
    CALL_HEAD,
    CANCEL,
    CHAIN_LINK_BYTES,
    FAILURE,
    NOBODY,
    NUMBER_MAX,
    POST,
    POST_HEAD,
    REPLY,
    Part,
)

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel
    from vista.peers.peering import Peering

CHAIN: Final = 4
"""Index in the frame of a caller elsewhere: the chain of calls that wait, as in a CALL."""


def _run_nothing(instance: Any) -> None:
    raise AssertionError("the frame of a caller elsewhere is never run")


CALLER: Final = MethodEntry("call", _run_nothing, _run_nothing, "Standard.Caller")
"""The method of frames that stand for callers on other nodes."""
CALLER.preemptable = True


class Caller:
    """What stands as record in the frame of a caller elsewhere: nothing but its Ref is known."""

    __slots__ = ("kernel", "key")

    idle: Final = None
    state: Final = None
    successor: Final = None

    def __init__(self, kernel: Kernel, key: bytes) -> None:
        self.kernel = kernel
        self.key = key

    @property
    def entry(self) -> ClassEntry:
        """The class of code outside: that of the caller is not known here."""
        return self.kernel.program.entry

    @property
    def ref(self) -> Ref:
        """The caller's Ref, made when somebody asks who called."""
        return self.kernel.ref(Id(self.key))


class RemoteFuture(Future):
    """A call in flight to an object of another node. ``frame`` is the one that waits for it."""

    __slots__ = ("calls", "frame", "node", "number", "target")

    def __init__(
        self, calls: Calls, number: int, node: bytes, target: Id, name: str, frame: Any
    ) -> None:
        # What `Future` does, written out: it is done a hundred thousand times a second.
        kernel = calls.kernel
        self.kernel = kernel
        self.record = None
        self.name = name
        self.created = kernel.now
        self.worker = None
        self._done = False
        self._value = self._error = self._waiters = None
        self.calls = calls
        self.number = number
        self.node = node
        self.target = target
        self.frame = frame

    @property
    def words(self) -> str:
        """What was called, as ``increment of 4r7q2v9kzm1x8c5t-1f``."""
        return f"{self.name} of {self.target}"

    def _end(self) -> None:
        self.calls.pending.pop(self.number, None)
        self.frame = None
        self._done = True
        if self._waiters is not None:
            super()._end()

    def abandon(self, error: CallError | None = None) -> None:
        """End the call for its caller, and have the other node cancel its thread."""
        if self._done:
            return
        killed = ThreadKilled(f"{self.words} was cancelled: its caller gave up")
        self.fail(killed if error is None else error)
        self.calls.cancel(self)


class Served(Future):
    """A call from another node that runs here; its end is sent back.

    ``origin`` is the caller's node and ``number`` that of the call there.
    """

    __slots__ = ("calls", "number", "origin")

    def __init__(self, calls: Calls, origin: bytes, number: int, record: Any, name: str) -> None:
        # What `Future` does, written out: it is done a hundred thousand times a second.
        kernel = calls.kernel
        self.kernel = kernel
        self.record = record
        self.name = name
        self.created = kernel.now
        self.worker = None
        self._done = False
        self._value = self._error = self._waiters = None
        self.calls = calls
        self.origin = origin
        self.number = number

    def _end(self) -> None:
        self._done = True
        self.worker = None
        if self._waiters is not None:
            super()._end()
        if self.calls.served.pop((self.origin, self.number), None) is self:
            self.calls.answer(self)


class RemoteMethod:
    """A method of an object elsewhere, as ``ref.method`` gives it.

    Calling it sends the message and waits for the result; `post` sends it one way; `future` returns
    a `Future` of the result. The Ref keeps it for its next use.
    """

    __slots__ = ("_calls", "_id", "_method")

    def __init__(self, calls: Calls, id: Id, method: str) -> None:
        self._calls = calls
        self._id = id
        self._method = method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kernel = self._calls.kernel
        worker: Any = current()
        if worker.kernel is not kernel:
            return kernel.from_outside(worker, self.__call__, args, kwargs)
        here = self._here()
        if here is not None:
            return here(*args, **kwargs)
        self._calls.await_room(worker, self._id)
        future = self._calls.start(worker, self._id, self._method, args, kwargs)
        if not future._done:
            late = wait_parked(worker, future)
            if late is not None:
                raise late
        if future._error is not None:
            raise future._error
        return future._value

    def post(self, *args: Any, **kwargs: Any) -> None:
        """Send the message one way; see `vista.post`."""
        kernel = self._calls.kernel
        worker = current()
        if not _may_send(worker, kernel):
            kernel.from_outside(worker, self.post, args, kwargs)
            return
        here = self._here()
        if here is not None:
            here.post(*args, **kwargs)
        else:
            self._calls.post(worker, self._id, self._method, args, kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Future:
        """Send the message and return a `Future` of its result at once; see `vista.future`."""
        kernel = self._calls.kernel
        worker = current()
        if not _may_send(worker, kernel):
            made: Future = kernel.from_outside(worker, self.future, args, kwargs)
            return made
        here = self._here()
        if here is not None:
            made = here.future(*args, **kwargs)
            return made
        pending = self._calls.start(worker, self._id, self._method, args, kwargs)
        if worker.kernel is not kernel:
            pending.created = kernel.hub.time()
        return pending

    def _here(self) -> Any:
        """Return the method of the object itself if it has come to this node."""
        kernel = self._calls.kernel
        record = kernel.table.records.get(self._id)
        return None if record is None else kernel.method_of(kernel.ref_to(record), self._method)

    @property
    def __name__(self) -> str:
        return self._method

    def __repr__(self) -> str:
        return f"<{self._method} of {self._id}>"


def _may_send(context: Context, kernel: Kernel) -> bool:
    return context.kernel is kernel or (context.home is kernel and kernel.on_loop())


class Calls:
    """The calls of one node to and from others.

    ``pending`` are those of this node that wait for an answer, by number; ``served`` those of
    others that run here, by (node, number).
    """

    def __init__(self, peering: Peering) -> None:
        self.kernel = peering.kernel
        self.pending: dict[int, RemoteFuture] = {}
        self.served: dict[tuple[bytes, int], Served] = {}
        self._peering = peering
        self._number = 0
        self._codec = peering.kernel.codec
        self._chain_bytes_max = peering.kernel.limits.remote_calls_max * CHAIN_LINK_BYTES

    # --- to other nodes --------------------------------------------------------------------

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object elsewhere."""
        message = message_name(name)
        longest = self.kernel.limits.name_characters_max
        if not message.isidentifier() or len(message) > longest:
            raise NoSuchMethod(f"{name!r:.60} is no message: a name of up to {longest} characters")
        call = RemoteMethod(self, ref._id, message)
        keep_call(ref, name, call)
        return call

    def start(
        self, context: Context, id: Id, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> RemoteFuture:
        """Send a call and return its future; one that cannot be sent has ended already.

        Raises `NotAValueError` for the arguments and `Overloaded` for a chain without end.
        """
        parts = self._codec.encode_arguments(args, kwargs)
        chain = self._chain_of(context.frame)
        number = self._number = (self._number + 1) & NUMBER_MAX
        node = self._peering.node_of(id)
        future = RemoteFuture(self, number, node, id, method, context.frame)
        self.pending[number] = future
        head = CALL_HEAD.pack(number, len(parts) - 1, id, _sender(context, self.kernel))
        user = context.user or self.kernel.user
        try:
            self._peering.send(node, (CALL, head, method, user, chain, parts[0]), parts[1:], user)
        except CallError as error:
            future.fail(error)
        return future

    def post(
        self, context: Context, id: Id, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Send a post; one that cannot be sent is counted and logged, but `Overloaded` raised."""
        parts = self._codec.encode_arguments(args, kwargs)
        head = POST_HEAD.pack(len(parts) - 1, id, _sender(context, self.kernel))
        user = context.user or self.kernel.user
        row = (POST, head, method, user, parts[0])
        try:
            self._peering.send(self._peering.node_of(id), row, parts[1:], user)
        except Overloaded:
            raise
        except CallError as error:
            self.kernel.note_lost_post(str(error))

    def await_room(self, worker: Any, id: Id) -> None:
        """Park while what leads to an object is congested, as long as a call of now might last."""
        link = self._peering.link_to(self._peering.node_of(id))
        if link is not None and link.is_congested:
            link.await_room(worker, worker.deadline(worker.frame, self.kernel.hub.time()))

    def cancel(self, future: RemoteFuture) -> None:
        """Tell the other node that nobody waits for a call any longer."""
        try:
            self._peering.send(future.node, (CANCEL, future.number), (), self.kernel.user)
        except CallError:
            # Then the other node has lost this one, and cancels by itself.
            return

    def _chain_of(self, frame: Frame | None) -> bytes:
        """Return the chain of calls that wait for what ``frame`` sends.

        Raises `Overloaded` when it is too long.
        """
        while frame is not None and frame[METHOD] is not CALLER:
            frame = frame[PARENT]
        if frame is None:
            return b""
        chain: bytes = frame[CHAIN]
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
        try:
            value = self._codec.decode_parts(parts)
        except RemoteProtocolError as error:
            future.fail(RemoteFailure(f"{future.words}: the answer cannot be read: {error}"))
            return
        if kind == REPLY:
            future.resolve(value)
        elif isinstance(value, Exception):
            future.fail(value)
        else:
            future.fail(RemoteFailure(f"{future.words} failed with no exception: {value!r:.60}"))

    def lose(self, node: bytes, reason: str) -> None:
        """End what waits for a node that is lost, and cancel what runs here for it."""
        for future in [one for one in self.pending.values() if one.node == node]:
            future.fail(PeerLost(f"{future.words}: {reason}"))
        for served in [one for key, one in self.served.items() if key[0] == node]:
            served.abandon()

    # --- from other nodes ------------------------------------------------------------------

    def serve(self, origin: bytes, row: Sequence[Any], user: str) -> None:
        """Run a CALL of node ``origin`` in the name of ``user``."""
        _, (number, _, target, sender), name, _, chain, parts = row
        kernel = self.kernel
        record = kernel.table.records.get(target)
        served = Served(self, origin, number, record, name)
        if self.served.setdefault((origin, number), served) is not served:
            return
        try:
            found, method, args, kwargs = self._find(record, target, name, parts)
            parent = self._caller(sender, chain, origin + number.to_bytes(8, "big"))
            if parent[PARENT] is not None and not method.preemptable:
                deadlock.refuse_own(parent, found, method.name)
            run = run_of(found, method)
            kernel.invoker.deliver(
                (found, method, parent, kernel.now, args, kwargs, served, user, run)
            )
        except VistaError as error:
            served.fail(error)

    def take_post(self, row: Sequence[Any], user: str) -> None:
        """Run a POST in the name of ``user``; one that cannot be is counted and logged."""
        _, (_, target, _), name, _, parts = row
        kernel = self.kernel
        try:
            record = kernel.table.records.get(target)
            found, method, args, kwargs = self._find(record, target, name, parts)
            run = run_of(found, method)
            kernel.invoker.deliver((found, method, None, kernel.now, args, kwargs, None, user, run))
        except VistaError as error:
            kernel.note_lost_post(str(error))

    def _find(
        self, record: Any, target: bytes, name: str, parts: Sequence[Part]
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
        args, kwargs = self._codec.decode_arguments(parts)
        return record, method, args, kwargs

    def _caller(self, sender: bytes, chain: bytes, call: bytes) -> Frame:
        """Return the frame that stands for the caller elsewhere.

        Outside of it stands the frame of this node that waits for the chain, if one does.
        """
        kernel = self.kernel
        caller = kernel.program if sender == NOBODY else Caller(kernel, sender)
        waiting = self._waiting_in(chain) if chain else None
        return (caller, CALLER, waiting, kernel.now, chain + call)

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
        error = served._error
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
        self.kernel.counters.access_denied += 1
        if row[0] == CALL:
            served = Served(self, origin, row[1][0], None, row[2])
            self.served[origin, served.number] = served
            served.fail(error)
        else:
            self.kernel.note_lost_post(str(error))


def _sender(context: Context, kernel: Kernel) -> bytes:
    frame = context.frame
    if frame is None or frame[RECORD] is kernel.program:
        return NOBODY
    key: bytes = frame[RECORD].key
    return key
