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

from vista.ids import Id
from vista.kernel import monitor
from vista.kernel.current import METHOD, PARENT, RECORD, Frame
from vista.kernel.hot import ABSENT, NO_NAMES
from vista.kernel.table import QUEUED
from vista.kernel.threads import PARKED, RELEASING, RUNNING, STAYING, WOKEN
from vista.peering.remote import CALLER, RemoteFuture, Served
from vista.wire.frames import NOBODY, NUMBER_MAX, POSTS
from vista.wire.plain import are_plain, in_rows

if TYPE_CHECKING:
    from vista.peering.calls import Calls
    from vista.peering.peering import Peering
    from vista.peering.remote import RemoteMethod

_SMALL: Final = 2**63
"""What an integer is compared with before `is_plain` is asked."""

_new = object.__new__

_NO_ID: Final = Id(NOBODY)


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

    def call(self, worker: Any, method: RemoteMethod, args: tuple[Any, ...]) -> Any:
        """Send a call, park until it has ended and return its result; `ABSENT` when not simple."""
        id = method.id
        node = self._places.get(id, method.node)
        link = self._near.get(node)
        if link is None or worker.scopes or id in self._fences:
            return ABSENT
        if not (len(args) == 1 and type(args[0]) is int and -_SMALL < args[0] < _SMALL):
            if not are_plain(args):
                return ABSENT
        frame = worker.frame
        sending = worker.sending
        if sending is None or sending[0] is not frame:
            sending = self._sending(worker, frame)
        _, sender, chain, future, _, _, _ = sending
        if chain:
            return ABSENT
        calls = self._calls
        number = calls.last_number = (calls.last_number + 1) & NUMBER_MAX
        if not link.outgoing.append_call(method, worker.user, number, sender, args):
            return ABSENT
        future.name = method.name
        future.created = self._kernel.now
        future._done = False
        future.number = number
        future.node = node
        future.target = id
        future.frame = frame
        future.parking = worker.parking + 1
        try:
            calls.pending[number] = future
            if calls.expiry.timer is None:
                calls.expiry.watch(future)
            if not calls.rings.is_watching:
                calls.rings.watch()
            return self._await(worker, future, sending)
        except BaseException:
            worker.sending = None
            if not future._done:
                future.parked = None
                future.abandon()
            raise

    def _await(self, worker: Any, future: RemoteFuture, sending: tuple[Any, ...]) -> Any:
        """Park until a call has ended and return its result.

        What `Worker.park` does and, where nothing is to be asked of the object that the thread
        leaves, `Worker.settle`.
        """
        threads = self._threads
        _, _, _, _, wants, why, record = sending
        worker.parking += 1
        worker.wants = wants
        worker.why = why
        worker.condition = PARKED
        threads.parked[worker] = None
        if (
            record is not None
            and record.queue is None
            and record.state is worker
            and not worker.owed
        ):
            record.was_left = True
            record.state = record.idle
        else:
            worker.leaving = RELEASING
        try:
            threads.loop_greenlet.switch()
        except BaseException:
            if record is not None and record.state is record.idle and worker.condition is PARKED:
                # Not one frame was left to leave by: the thread is in its object still.
                record.state = worker
            raise
        finally:
            worker.condition = RUNNING
            worker.leaving = STAYING
            worker.wants = ()
            del threads.parked[worker]
        killed = worker._error
        if killed is not None:
            worker._error = None
            raise killed
        if future._error is not None:
            raise future._error
        # The future stays for the next call, which may never come.
        value, future._value = future._value, None
        return value

    def _sending(self, worker: Any, frame: Frame) -> tuple[Any, ...]:
        """Return what is kept for the next call of a frame.

        That is (the frame, who sends, the chain that waits, the future of its simple calls, what
        these want and wait for, the record that it leaves when nothing is to be asked of that).
        The future is made once for all of them: the thread that waits is the only one to hold it,
        and making one takes as long as anything else of a call.
        """
        outer = frame[PARENT]
        if outer is not None and outer[PARENT] is not None:
            monitor.refuse_endless(frame, self._calls_max)
        calls, method = self._calls, frame[METHOD]
        future = RemoteFuture(calls, 0, b"", _NO_ID, "", None)
        future.parked = worker
        is_simple = frame is worker.root and not (method.exclusive or method.preemptable)
        record = frame[RECORD] if is_simple else None
        sending = worker.sending = (
            frame,
            calls.sender_of(frame),
            calls.chain_of(frame),
            future,
            (future,),
            future.waited_for,
            record,
        )
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

    # --- from other nodes ------------------------------------------------------------------

    def take_replies(self, origin: bytes, row: Sequence[Any]) -> None:
        """End the calls that the REPLIES of node ``origin`` answer."""
        pending, kernel, threads = self._calls.pending, self._kernel, self._threads
        ready = threads.ready
        try:
            for number, value in zip(row[1], row[2], strict=True):
                future = pending.get(number)
                # Else its caller gave up, or somebody answers calls that he was not sent.
                if future is None or future.node != origin:
                    continue
                worker = future.parked
                if (
                    worker is not None
                    and worker.condition is PARKED
                    and worker.parking == future.parking
                    and future._waiters is None
                    and not worker.frozen
                ):
                    frame = worker.frame
                    record = frame[RECORD]
                    if record.state is kernel and not frame[METHOD].preemptable:
                        # What `RemoteFuture.resolve` and `Worker.wake` do.
                        del pending[number]
                        future.frame = None
                        future._value = value
                        future._done = True
                        worker.condition = WOKEN
                        record.state = worker
                        ready.append(worker)
                        continue
                future.resolve(value)
        finally:
            # Also when something fails that hears of an end: those before it were woken.
            if ready and not threads.is_awaited and threads.running is None:
                threads.schedule()

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
