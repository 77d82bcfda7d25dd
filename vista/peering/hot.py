"""The hot path of messages between nodes: what is simple and frequent, written out.

Calls and posts whose arguments are plain (`vista.wire.plain`), over a link of this node's own to
one with the same key, between objects that nothing is to be asked of. Each function here says no
before anything has happened when a message is not of this kind; then `vista.peering.calls` does it,
in as many functions as there are things to know.

Measured on the 2-core test machine, Python 3.11: a function between costs 50 ns, and a bytecode 7
to 10 among two hundred threads. A call of which each message was packed, checked and looked up by
itself took some 1,200 bytecodes at either end; in series it takes 630 and 410.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from vista.kernel import monitor
from vista.kernel.current import PARENT, Frame
from vista.kernel.hot import NO_NAMES
from vista.kernel.table import QUEUED
from vista.peering.remote import CALLER, RemoteFuture, Served
from vista.wire.frames import NOBODY, NUMBER_MAX, POSTS
from vista.wire.plain import are_plain, in_rows, is_plain

if TYPE_CHECKING:
    from vista.peering.calls import Calls
    from vista.peering.peering import Peering
    from vista.peering.remote import RemoteMethod

_SMALL: Final = 2**63
"""What an integer is compared with before `is_plain` is asked."""

_new = object.__new__


class Hot:
    """The simple messages of one node to others and from them."""

    def __init__(self, peering: Peering, calls: Calls) -> None:
        kernel, moves = peering.kernel, peering.moves
        self._kernel = kernel
        self._calls = calls
        self._near = peering.near
        self._places, self._fences, self._arrivals = moves.places, moves.fences, moves.arrivals
        self._records = kernel.table.records
        self._threads = kernel.threads
        self._program = kernel.program
        self._messages_max = kernel.messages_max
        self._calls_max = kernel.limits.chain_calls_max

    # --- to other nodes --------------------------------------------------------------------

    def call(self, worker: Any, method: RemoteMethod, args: tuple[Any, ...]) -> RemoteFuture | None:
        """Send a call and park until it has ended; None when it is not simple."""
        node = self._places.get(method.id, method.node)
        link = self._near.get(node)
        if link is None or worker.scopes or method.id in self._fences:
            return None
        if not (len(args) == 1 and type(args[0]) is int and -_SMALL < args[0] < _SMALL):
            if not are_plain(args):
                return None
        calls, frame = self._calls, worker.frame
        sending = worker.sending
        if sending is None or sending[0] is not frame:
            sending = self._sending(worker, frame)
        _, sender, chain = sending
        if chain:
            return None
        number = calls.last_number = (calls.last_number + 1) & NUMBER_MAX
        if not link.outgoing.append_call(method, worker.user, number, sender, args):
            return None
        # What `RemoteFuture` does: making one by its class takes twice as long.
        future = _new(RemoteFuture)
        future.kernel = kernel = self._kernel
        future.name = method.name
        future.created = kernel.now
        future._done = False
        future._value = future._error = future._waiters = None
        future.calls = calls
        future.number = number
        future.node = node
        future.target = method.id
        future.frame = frame
        future.parked = worker
        future.parking = worker.parking + 1
        try:
            calls.pending[number] = future
            if calls.expiry.timer is None:
                calls.expiry.watch(future)
            if not calls.rings.is_watching:
                calls.rings.watch()
            worker.park(future.waited_for, wants=(future,))
        except BaseException:
            future.parked = None
            future.abandon()
            raise
        return future

    def _sending(self, worker: Any, frame: Frame) -> tuple[Any, ...]:
        """Return (the frame, who sends, the chain that waits), kept for the next call of it."""
        outer = frame[PARENT]
        if outer is not None and outer[PARENT] is not None:
            monitor.refuse_endless(frame, self._calls_max)
        calls = self._calls
        sending = worker.sending = (frame, calls.sender_of(frame), calls.chain_of(frame))
        return sending

    def post(self, worker: Any, method: RemoteMethod, args: tuple[Any, ...]) -> bool:
        """Send a post; whether it was simple."""
        link = self._near.get(self._places.get(method.id, method.node))
        if link is None or method.id in self._fences:
            return False
        if not (len(args) == 1 and type(args[0]) is int and -_SMALL < args[0] < _SMALL):
            if not are_plain(args):
                return False
        calls, frame = self._calls, worker.frame
        sending = worker.sending
        if sending is None or sending[0] is not frame:
            sending = self._sending(worker, frame)
        number = calls.last_number = (calls.last_number + 1) & NUMBER_MAX
        return link.outgoing.append_post(method, worker.user, number, sending[1], args)

    def answer(self, served: Served, value: Any) -> bool:
        """Send the result of a call back; whether it was simple."""
        link = self._near.get(served.origin)
        if link is None:
            return False
        if not (type(value) is int and -_SMALL < value < _SMALL) and not is_plain(value):
            return False
        return link.outgoing.append_reply(served.number, value)

    # --- from other nodes ------------------------------------------------------------------

    def take_replies(self, origin: bytes, row: Sequence[Any]) -> None:
        """End the calls that the REPLIES of node ``origin`` answer."""
        pending = self._calls.pending
        for number, value in zip(row[1], row[2], strict=True):
            future = pending.get(number)
            # Else its caller gave up, or somebody answers calls that he was not sent.
            if future is not None and future.node == origin:
                future.resolve(value)

    def take_series(self, origin: bytes, row: Sequence[Any], user: str) -> bool:
        """Take the CALLS or POSTS of node ``origin`` in the name of ``user``.

        Returns False, and has done nothing, when they are not simple.
        """
        kind, target, name, _, numbers, senders, values = row
        kernel, record = self._kernel, self._records.get(target)
        if record is None or record.idle is not kernel or target in self._arrivals:
            return False
        method = record.entry.methods.get(name)
        if method is None or method.preemptable:
            return False
        waiting = 0 if record.queue is None else len(record.queue)
        if waiting + len(numbers) > self._messages_max:
            return False
        voids = self._calls.voids
        if (origin, numbers[0]) in self._calls.served or not voids.admits(origin, numbers[0]):
            return False
        voids.admits(origin, numbers[-1])
        run = MethodType(method.run, record.instance)
        rows = in_rows(values, len(numbers))
        if kind == POSTS:
            now = kernel.now
            messages = [
                (record, method, None, now, args, NO_NAMES, None, user, run) for args in rows
            ]
        else:
            messages = self._served(origin, (record, method, user, run), numbers, senders, rows)
        if record.state is kernel:
            record.state = QUEUED
            self._threads.make_ready(messages[0])
            del messages[0]
        if messages:
            if record.queue is None:
                record.queue = monitor.new_queue()
            record.queue += messages
        return True

    def _served(
        self,
        origin: bytes,
        what: tuple[Any, ...],
        numbers: Sequence[int],
        senders: Sequence[bytes],
        rows: Any,
    ) -> list[Any]:
        """Return the messages of CALLS that are served from here on."""
        record, method, user, run = what
        calls, kernel, name = self._calls, self._kernel, method.name
        now = kernel.now
        table, messages = calls.served, []
        for number, sender, args in zip(numbers, senders, rows, strict=True):
            served = table[origin, number] = _new(Served)
            served.kernel = kernel
            served.record = record
            served.name = name
            served.created = now
            served.worker = served.passed = None
            served._done = False
            served._value = served._error = served._waiters = None
            served.calls = calls
            served.origin = origin
            served.number = number
            served.key = sender
            served.before = b""
            caller = self._program if sender == NOBODY else served
            parent = (caller, CALLER, None, now, served)
            message = (record, method, parent, now, args, NO_NAMES, served, user, run)
            messages.append(message)
        return messages
