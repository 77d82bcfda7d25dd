"""Invocation: how a message becomes a running thread.

A call to an idle object runs at once, nested in the caller's greenlet; everything else is queued as
a message and run by a pooled worker. What is frequent is in `vista.kernel.hot`, the rest is here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from vista.errors import NoSuchMethod, ObjectDeleted, Overloaded, ThreadKilled
from vista.kernel import deadlock, monitor
from vista.kernel.current import (
    FUTURE,
    METHOD,
    PARENT,
    RECORD,
    STARTED,
    Context,
    Frame,
    acting,
    current,
)
from vista.kernel.encoding import encode_record
from vista.kernel.futures import Future, wait_parked
from vista.kernel.hot import ATOMS, RefMethod, SpecialMethod
from vista.kernel.keeping import await_kept, reply
from vista.kernel.killing import KillThread
from vista.kernel.methods import MethodEntry
from vista.kernel.refs import Ref
from vista.kernel.table import ARRIVED, DEPARTING, GONE, PASSING, QUEUED, Record
from vista.kernel.threads import Worker
from vista.values import copy_arguments, copy_exception, copy_value

if TYPE_CHECKING:
    from vista.kernel.elsewhere import Elsewhere
    from vista.kernel.kernel import Kernel

_UNTIMED: Final = 16
"""Messages an idle worker takes up between two that are timed."""

_log = logging.getLogger("vista.threads")

Run = Callable[..., Any]
"""A method bound to its instance: calling it costs 40 ns less than passing the instance."""

Message = tuple[Any, ...]
"""(record, method, the sender's frame or None, seconds when sent, arguments, keyword arguments,
future or None, user, bound method or None): see `vista.kernel.current.Frame`."""


class Invoker:
    """Runs the invocations of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.messages_max = kernel.messages_max
        self.left = kernel.limits.sends_between_checks
        self._untimed = _UNTIMED

    def bind(self, record: Record, method: MethodEntry) -> RefMethod:
        """Return what ``ref.method`` gives."""
        made = SpecialMethod if method.preemptable or method.native else RefMethod
        return made(record, method)

    # --- a worker's life -------------------------------------------------------------------

    def first_message(self, worker: Worker) -> Message | None:
        """Return the message with which a worker begins."""
        if self._run_sample(worker):
            return self.next_message(worker, 0)
        return _taken(worker)

    def next_message(self, worker: Worker, count: int) -> Message | None:
        """Wait as an idle worker for a message; None when this worker is to end.

        ``count`` messages were run since the last time, and are counted.
        """
        threads = self.kernel.threads
        self.kernel.counters.messages_queued += count
        while True:
            if worker.owed is not None:
                monitor.settle_owed(worker)
            worker.frame = worker.root = worker.sending = worker.watched = worker.why = None
            if not threads.pool.take(worker):
                return None
            threads.rest(worker)
            if not self._run_sample(worker):
                return _taken(worker)

    def _run_sample(self, worker: Worker) -> bool:
        """Run a worker's message here and time it, when one is due; whether it was.

        Here the clock disturbs nobody. After a message from outside, what it sends is timed: else
        posts of a program or a prompt, which idle workers never begin with, would not be.
        """
        self._untimed -= 1
        if self._untimed > 0 or worker.message is None:
            return False
        message = worker.message
        worker.message = None
        counters, ready = self.kernel.counters, self.kernel.threads.ready
        counters.messages_queued += 1
        if message[RECORD] is self.kernel.program:
            self.run_special(worker, message)
            if not ready or type(ready[0]) is not tuple:
                return True
            message = ready.popleft()
            counters.messages_queued += 1
        self._untimed = _UNTIMED
        started = self.kernel.hub.time()
        self.run_special(worker, message)
        message[METHOD].note_seconds(self.kernel.hub.time() - started)
        return True

    def run_special(self, worker: Worker, message: Message) -> None:
        """Run a message that is not simple: no turn to hold, a guard, or an object that is gone."""
        record, method, _, _, args, kwargs, future, user, _ = message
        if method.preemptable:
            self.kernel.threads.passing.end(record)
        if record.idle is GONE:
            self._deliver_gone(message)
            return
        if method.preemptable:
            if record.state is PASSING:
                monitor.release(record)
            elif record.state is not record.idle and _is_moving(record):
                # It was ready before the move began.
                monitor.line_up(record, message)
                return
        if future is not None:
            if future._done:
                if not method.preemptable:
                    monitor.release(record)
                return
            future.worker = worker
        worker.user = user
        worker.frame = worker.root = message
        if not method.preemptable:
            record.state = worker
        method.calls += 1
        try:
            result = self._guarded(record, method, args, kwargs, message)
        except BaseException as error:
            self.message_failed(worker, message, error)
            return
        if not method.preemptable:
            monitor.finish(record, message)
        elif record.guard is not None:
            record.guard.note_changes(record, message)
            record.guard.thread_ended(record, message)
        if future is not None:
            reply(record, future, result)

    def encoded(self, record: Record) -> bytes | BaseException:
        """Return the encoding of an object, or what its ``encode`` or a variable had against it."""
        try:
            return encode_record(record)
        except Exception as error:
            return copy_exception(error)

    def _guarded(
        self,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: Frame,
    ) -> Any:
        """Check access, then run the method; see to watchers."""
        guard = record.guard
        if guard is None:
            return copy_value(method.run(record.instance, *args, **kwargs), "result")
        guard.check_access(record, method, current().user)
        guard.thread_begins(record, frame)
        return copy_value(method.run(record.instance, *args, **kwargs), "result")

    def message_failed(self, worker: Worker, message: Message, error: BaseException) -> None:
        """End the thread of a message with an error."""
        future = message[FUTURE]
        record, method = message[RECORD], message[METHOD]
        worker.frame = worker.root = None
        worker.scopes = None
        self._end_failed(worker, record, message, not method.preemptable)
        if type(error) is KillThread:
            if future is not None:
                future.fail(error.outcome)
            return
        if future is not None:
            future.fail(copy_exception(error))
        elif not isinstance(error, ThreadKilled):
            self.kernel.counters.posts_failed += 1
            words = f"{record.entry.full_name}.{method.name}"
            _log.error("post of %s to %s raised %r", words, record.id, error, exc_info=error)

    # --- calls that are not simple ---------------------------------------------------------

    def call(
        self, record: Record, method: MethodEntry, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method and wait, whatever the state of object and caller."""
        worker = current()
        if worker.kernel is not self.kernel:
            return self.kernel.from_outside(worker, self.call, (record, method, args, kwargs), {})
        assert isinstance(worker, Worker)
        args, kwargs = copy_arguments(args, kwargs)
        return self.call_copied(worker, record, method, args, kwargs)

    def call_copied(
        self,
        worker: Worker,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call a method with arguments that are the callee's own already."""
        deep = timed = False
        if worker.left <= 0:
            deep = self.check(worker)
            timed = True
        if record.idle is GONE:
            if (elsewhere := self._elsewhere(record)) is not None:
                return elsewhere.call(record.id, method.name, args, kwargs)
            if (pager := self.kernel.pager_of(record.key)) is not None:
                return pager.bind(self.kernel.ref(record.id), method.name)(*args, **kwargs)
            record, method = self._follow(record, method)
        if record.guard is not None:
            method = record.guard.in_charge(method, worker.frame)
        if not method.preemptable:
            deadlock.refuse_own(worker.frame, record, method.name)
        if (
            deep
            or method.native
            or self.kernel.hub.spread()
            or not self._may_nest(worker, record, method)
        ):
            future = Future(self.kernel, record, method.name)
            self.deliver(self.message(worker, record, method, args, kwargs, future))
            if not future._done:
                wait_parked(worker, future)
            return future.result()
        if not timed:
            return self._nested(worker, record, method, args, kwargs)
        started = self.kernel.hub.time()
        result = self._nested(worker, record, method, args, kwargs)
        method.note_seconds(self.kernel.hub.time() - started)
        return result

    def _may_nest(self, worker: Worker, record: Record, method: MethodEntry) -> bool:
        """Whether a call may run at once without overtaking a message sent earlier."""
        if record.state is QUEUED:
            return False
        if method.preemptable:
            # What waits for its turn in the object would not come first in the ready queue either.
            is_passed = record in self.kernel.threads.passing
            return not is_passed and (record.state is record.idle or not _is_moving(record))
        return not record.queue and (record.state is record.idle or record.state is worker)

    def _nested(
        self,
        worker: Worker,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a call in the caller's greenlet."""
        parent = worker.frame
        hold = not method.preemptable and record.state is not worker
        worker.frame = frame = (record, method, parent, self.kernel.now)
        worker.left -= 1
        if hold:
            record.state = worker
        method.calls += 1
        outcome: BaseException | None = None
        try:
            if record.guard is not None:
                result = self._guarded(record, method, args, kwargs, frame)
            else:
                result = method.run(record.instance, *args, **kwargs)
                if type(result) not in ATOMS:
                    result = copy_value(result, "result")
        except BaseException as error:
            outcome = error
        try:
            if outcome is None:
                self._returned(worker, frame, hold)
                if record.guard is not None:
                    await_kept(worker, record)
                return result
            outcome = self.failed(worker, frame, outcome, hold)
        except RecursionError as full:
            # Not one Python frame is left: the object is let go when there is room again.
            outcome = full
            if hold:
                worker.owed = (record, frame, worker.owed)
            worker.frame = parent
        raise outcome

    def _returned(self, worker: Worker, frame: Frame, hold: bool) -> None:
        """End a nested thread that returned, and go on as its caller."""
        record, parent = frame[RECORD], frame[PARENT]
        worker.frame = parent
        if hold:
            monitor.finish(record, frame)
        elif record.guard is not None:
            record.guard.note_changes(record, frame)
            record.guard.thread_ended(record, frame)
        if parent[RECORD].state is not worker and not parent[METHOD].preemptable:
            worker.reenter(parent)

    def failed(
        self, worker: Worker, frame: Frame, error: BaseException, hold: bool
    ) -> BaseException:
        """End a nested thread with an error and return what its caller is to get."""
        record, parent = frame[RECORD], frame[PARENT]
        worker.frame = parent
        self._end_failed(worker, record, frame, hold)
        if type(error) is KillThread:
            if error.frame is not frame:
                return error
            outcome: BaseException = error.outcome
        else:
            outcome = copy_exception(error)
        if parent[RECORD].state is not worker and not parent[METHOD].preemptable:
            worker.reenter(parent)
        return outcome

    def _end_failed(self, worker: Worker, record: Record, frame: Frame, hold: bool) -> None:
        """End a thread that failed in its object; it may have been killed while others were in."""
        if hold and record.state is worker:
            monitor.finish(record, frame)
        elif record.guard is not None:
            if not hold:
                record.guard.note_changes(record, frame)
            record.guard.thread_ended(record, frame)

    def check(self, worker: Worker) -> bool:
        """Give way if the loop's turn has come; return whether the greenlet is nested too deep."""
        worker.left = self.left
        if self.kernel.threads.turn_is_over():
            worker.give_way()
        limits = self.kernel.limits
        depth = len(worker.frames())
        if depth < limits.nested_calls_max:
            return False
        monitor.refuse_endless(worker.frame, limits.chain_calls_max)
        return True

    def message(
        self,
        context: Context,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: Future | None,
    ) -> Message:
        """Return the message of a call, sent by code in ``context``."""
        now, user, run = self.kernel.now, context.user or self.kernel.user, run_of(record, method)
        return (record, method, context.frame, now, args, kwargs, future, user, run)

    def post_beside(
        self,
        context: Context,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Post a message from a coroutine: it stands beside the turns of the loop."""
        args, kwargs = copy_arguments(args, kwargs)
        # The kernel's own time is that of the last turn.
        now, user = self.kernel.hub.loop.time(), context.user or self.kernel.user
        self.deliver((record, method, None, now, args, kwargs, None, user, run_of(record, method)))

    # --- queues ----------------------------------------------------------------------------

    def deliver(self, message: Message, sender: Frame | None = None) -> None:
        """Queue a message for its object.

        ``sender`` is the frame that sent a post, if it is not the calling code's own.

        Raises `Overloaded` when too many wait there already. A message to an object that is gone
        ends with `ObjectDeleted` for whoever waits for it.
        """
        record, method = message[RECORD], message[METHOD]
        if record.guard is not None:
            method = record.guard.in_charge(method, sender or message[PARENT] or current().frame)
            message = (record, method, *message[2:-1], run_of(record, method))
        self._queue(message)

    def _queue(self, message: Message) -> None:
        record, method = message[RECORD], message[METHOD]
        threads = self.kernel.threads
        if record.idle is GONE:
            self._deliver_gone(message)
        elif method.preemptable and (record.state is record.idle or not _is_moving(record)):
            if len(threads.ready) >= self.messages_max:
                self.kernel.counters.overloads += 1
                raise Overloaded(f"{len(threads.ready)} messages wait to be run on this node")
            threads.passing.begin(message)
            threads.make_ready(message)
            if record.state is record.idle:
                record.state = PASSING
        elif record.state is record.idle:
            threads.make_ready(message)
            record.state = QUEUED
        else:
            queue = record.queue
            if queue is not None and len(queue) >= self.messages_max:
                self.kernel.counters.overloads += 1
                raise Overloaded(
                    f"{len(queue)} messages wait for {record} (limit mailbox_messages_max)"
                )
            monitor.line_up(record, message)

    def _elsewhere(self, record: Record) -> Elsewhere | None:
        """Return who reaches an object that went to another node, None if it did not."""
        elsewhere = self.kernel.elsewhere
        key = record.key
        if elsewhere is None or key in self.kernel.table.records or not elsewhere.has_moved(key):
            return None
        return elsewhere

    def _deliver_gone(self, message: Message) -> None:
        if (elsewhere := self._elsewhere(message[RECORD])) is not None:
            elsewhere.forward(message)
            return
        if (pager := self.kernel.pager_of(message[RECORD].key)) is not None:
            pager.forward(message)
            return
        readdressed = self.readdressed(message)
        if readdressed is not None:
            self._queue(readdressed)

    def readdressed(self, message: Message) -> Message | None:
        """Return a message for what took its object's place, None when nothing can take it.

        Then whoever waits for it gets the error, or the lost post is counted.
        """
        record, method, parent, sent, args, kwargs, future, user, _ = message
        try:
            record, method = self._follow(record, method)
        except (ObjectDeleted, NoSuchMethod) as error:
            if future is not None:
                future.fail(error)
            else:
                self.kernel.note_lost_post(str(error))
            return None
        return (record, method, parent, sent, args, kwargs, future, user, run_of(record, method))

    def _follow(self, record: Record, method: MethodEntry) -> tuple[Record, MethodEntry]:
        """Find the record that took the place of one that is gone, and its method."""
        while record.idle is GONE:
            # An object that was imported again has the Id of the one that was deleted.
            successor = record.successor or self.kernel.table.records.get(record.key)
            if successor is None:
                raise ObjectDeleted(f"{record} was deleted")
            record = successor
        found = method if method.forwards else record.entry.method_for(method.name)
        if found is None:
            raise NoSuchMethod(record.entry.explain(method.name))
        return record, found


def _is_moving(record: Record) -> bool:
    """Whether nobody gets into an object, not even who takes no turn in it."""
    state = record.state
    return state is DEPARTING or state is ARRIVED


def _taken(worker: Worker) -> Message | None:
    message: Message | None = worker.message
    worker.message = None
    return message


def sender_of(frame: Frame | None) -> Ref | None:
    """Return the object that sent the call ``frame``, None for posts and calls from outside."""
    parent = None if frame is None else acting(frame[PARENT])
    if parent is None:
        return None
    ref: Ref | None = parent[RECORD].ref
    return ref


def age_of(frame: Frame, now: float) -> float:
    """Return the seconds since the thread ``frame`` started."""
    return max(0.0, now - float(frame[STARTED]))


def run_of(record: Record, method: MethodEntry) -> Run | None:
    """Return what the hot path calls for a message: the bound method, or None for special ones."""
    return None if method.preemptable else MethodType(method.run, record.instance)
