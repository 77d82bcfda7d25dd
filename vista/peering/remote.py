"""What calls between nodes are made of: their futures, their frames, and methods of far objects.

A call to another node is a `RemoteFuture` here and a `Served` there; the frame of its caller is one
whose record is a `Caller`. `vista.peering.calls` keeps the tables of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vista.errors import (
    CallError,
    PeerLost,
    ThreadKilled,
)
from vista.ids import NODE_BYTES, Id
from vista.kernel import monitor
from vista.kernel.current import PARENT, Context, Frame, current
from vista.kernel.futures import Future, wait_parked
from vista.kernel.hot import ABSENT
from vista.kernel.methods import MethodEntry
from vista.kernel.refs import Ref
from vista.wire.plain import is_plain

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel
    from vista.peering.calls import Calls

_SMALL: Final = 2**63
"""What an integer is compared with before `is_plain` is asked."""

_CALL: Final = 4
"""Index in the frame of a caller elsewhere: what has the chain of calls that wait."""


def _run_nothing(instance: Any) -> None:
    raise AssertionError("the frame of a caller elsewhere is never run")


CALLER: Final = MethodEntry("call", _run_nothing, _run_nothing, "Standard.Caller")
"""The method of frames that stand for callers on other nodes."""
CALLER.preemptable = True


class Caller:
    """What stands as record in the frame of a caller elsewhere: nothing but its Ref is known."""

    __slots__ = ("kernel", "key")

    chain: Final = b""
    """Nobody waits for a post."""
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

    __slots__ = ("calls", "frame", "node", "number", "parked", "parking", "target")

    # Who runs it is on another node.
    record = None
    worker = None

    def __init__(
        self, calls: Calls, number: int, node: bytes, target: Id, name: str, frame: Any
    ) -> None:
        # `vista.peering.hot` sets the same.
        self.kernel = kernel = calls.kernel
        self.name = name
        self.created = kernel.now
        self._done = False
        self._value = self._error = self._waiters = None
        self.calls = calls
        self.number = number
        self.node = node
        self.target = target
        self.frame = frame
        self.parked: Any = None
        self.parking = 0

    @property
    def words(self) -> str:
        """What was called, as ``increment of 4r7q2v9kzm1x8c5t-1f``."""
        return f"{self.name} of {self.target}"

    def _end(self) -> None:
        self.calls.pending.pop(self.number, None)
        self.frame = None
        self._done = True
        if self.parked is not None:
            self.parked.wake(self.parking)
        if self._waiters is not None:
            self._tell()

    def wait(self, worker: Any) -> None:
        """Park a vista thread until the call ends, as `wait_parked` does, with less to set up.

        The bound on the call is seen to by `Calls`, for all calls by one timer. A ring of waits
        cannot be found from here: who runs the call is on another node.
        """
        if worker.scopes:
            late = wait_parked(worker, self)
            if late is not None:
                raise late
            return
        self.parking = worker.parking + 1
        self.parked = worker
        try:
            outer = worker.frame[PARENT]
            if outer is not None and outer[PARENT] is not None:
                monitor.refuse_endless(worker.frame, self.kernel.limits.chain_calls_max)
            self.calls.expiry.watch(self)
            worker.park(self.waited_for, wants=(self,))
        except BaseException:
            self.parked = None
            self.abandon()
            raise

    def abandon(self, error: CallError | None = None) -> None:
        """End the call for its caller, and have the other node cancel its thread."""
        if self._done:
            return
        killed = ThreadKilled(f"{self.words} was cancelled: its caller gave up")
        self.fail(killed if error is None else error)
        self.calls.cancel(self)

    def suspect(self) -> None:
        """Have a ring looked for that this call may be part of."""
        self.calls.rings.suspect(self)


class Served(Future):
    """A call from another node that runs here; its end is sent back.

    ``origin`` is the caller's node and ``number`` that of the call there; ``passed`` is the call by
    which it was passed on to where its object is. In the frame of the caller it stands as record,
    as a `Caller` does: ``key`` is that of the object that called.
    """

    __slots__ = ("before", "calls", "key", "number", "origin", "passed")

    idle: Final = None
    state: Final = None
    successor: Final = None

    def __init__(
        self,
        calls: Calls,
        origin: bytes,
        number: int,
        record: Any,
        name: str,
        key: bytes,
        before: bytes = b"",
    ) -> None:
        # `vista.peering.hot` sets the same.
        self.kernel = kernel = calls.kernel
        self.record = record
        self.name = name
        self.created = kernel.now
        self.worker = None
        self._done = False
        self._value = self._error = self._waiters = None
        self.calls = calls
        self.origin = origin
        self.number = number
        self.key = key
        self.before = before
        self.passed: RemoteFuture | None = None

    @property
    def chain(self) -> bytes:
        """The chain of calls that wait for what runs here, this one at its end."""
        return self.before + self.origin + self.number.to_bytes(8, "big")

    @property
    def entry(self) -> ClassEntry:
        """The class of code outside: that of the caller is not known here."""
        return self.kernel.program.entry

    @property
    def ref(self) -> Ref:
        """The caller's Ref, made when somebody asks who called."""
        return self.kernel.ref(Id(self.key))

    @property
    def told_error(self) -> BaseException | None:
        """What the caller is told that the call failed with, None when it did not.

        A thread that is killed as the node stops is one with its node to the caller: whether this
        reaches it before the link ends must not make a difference.
        """
        error = self._error
        if isinstance(error, ThreadKilled) and self.kernel.threads.ending:
            return PeerLost(f"{self.words}: {error}")
        return error

    def resolve(self, value: Any) -> None:
        """End the call with a result; does nothing when it has ended."""
        if self._done:
            return
        self._value = value
        self._done = True
        self.worker = None
        if self._waiters is not None:
            self._tell()
        calls = self.calls
        origin, number = self.origin, self.number
        if calls.served.pop((origin, number), None) is not self:
            return
        link = calls.near.get(origin)
        if (
            link is None
            or not ((type(value) is int and -_SMALL < value < _SMALL) or is_plain(value))
            or not link.outgoing.append_reply(number, value)
        ):
            calls.answer(self)

    def _end(self) -> None:
        self._done = True
        self.worker = None
        if self._waiters is not None:
            self._tell()
        if self.calls.served.pop((self.origin, self.number), None) is self:
            self.calls.answer(self)


def chain_of(frame: Frame) -> bytes:
    """Return the chain of calls that wait, up to the one of a caller elsewhere."""
    chain: bytes = frame[_CALL].chain
    return chain


class RemoteMethod:
    """A method of an object elsewhere, as ``ref.method`` gives it.

    Calling it sends the message and waits for the result; `post` sends it one way; `future` returns
    a `Future` of the result. The Ref keeps it for its next use.
    """

    __slots__ = ("_calls", "id", "name", "node", "noted")

    def __init__(self, calls: Calls, id: Id, name: str) -> None:
        self._calls = calls
        self.id = id
        self.name = name
        self.node = bytes(id[:NODE_BYTES])
        self.noted: object = None
        """Which turn of which link knows already that it was posted (`Outgoing.append_post`)."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        calls = self._calls
        kernel = calls.kernel
        worker: Any = current()
        if worker.kernel is not kernel:
            return kernel.from_outside(worker, self.__call__, args, kwargs)
        if self.id in kernel.table.records:
            return self._here()(*args, **kwargs)
        if not kwargs and (value := calls.hot.call(worker, self, args)) is not ABSENT:
            return value
        calls.await_room(worker, self.id)
        future = calls.start(worker, self.id, self.name, args, kwargs)
        if not future._done:
            future.wait(worker)
        if future._error is not None:
            raise future._error
        return future._value

    def post(self, /, *args: Any, **kwargs: Any) -> None:
        """Send the message one way; see `vista.post`."""
        calls = self._calls
        kernel = calls.kernel
        worker = current()
        if worker.kernel is not kernel and not _may_send(worker, kernel):
            kernel.from_outside(worker, self.post, args, kwargs)
        elif self.id in kernel.table.records:
            self._here().post(*args, **kwargs)
        elif kwargs or worker.kernel is not kernel or not calls.hot.post(worker, self, args):
            calls.post(worker, self.id, self.name, args, kwargs)

    def future(self, /, *args: Any, **kwargs: Any) -> Future:
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
        pending = self._calls.start(worker, self.id, self.name, args, kwargs)
        if worker.kernel is not kernel:
            pending.created = kernel.hub.time()
        return pending

    def _here(self) -> Any:
        """Return the method of the object itself if it has come to this node."""
        kernel = self._calls.kernel
        record = kernel.table.records.get(self.id)
        return None if record is None else kernel.method_of(kernel.ref_to(record), self.name)

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{self.name} of {self.id}>"


def _may_send(context: Context, kernel: Kernel) -> bool:
    return context.kernel is kernel or (context.home is kernel and kernel.on_loop())
