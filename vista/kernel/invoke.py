"""Invocation: how a message becomes a running thread. The hot path of vista is `Invoker.bind`.

A message in a queue is a tuple (record, method, arguments, keyword arguments, future or None,
the sender's frame or None, user). A call to an idle object runs at once, nested in the caller's
greenlet; everything else is queued and run by a pooled worker.

Measured with ``benchmarks/local.py`` on the 2-core test machine, Python 3.11: see the table in
docs/benchmarks. What was tried for the hot path: a descriptor for ``ref.method`` costs 280 ns a
call, a ``functools.partial`` kept in the Ref 107, a closure kept there 56; a look at the clock
costs 45, so only every 64th call is timed; a frame object costs 110, a tuple 32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from vista import values
from vista.errors import NoSuchMethod, ObjectDeleted, Overloaded, ThreadKilled
from vista.kernel import monitor
from vista.kernel.current import METHOD, PARENT, RECORD, STARTED, Context, Frame, current
from vista.kernel.futures import Future, wait_parked
from vista.kernel.methods import MethodEntry
from vista.kernel.refs import Ref
from vista.kernel.table import GONE, QUEUED, Record
from vista.kernel.threads import KillThread, Worker
from vista.values import copy_arguments, copy_exception, copy_value

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

ATOMS: Final = frozenset(values.ATOMS | {Ref})
"""Types whose values are passed as they are."""

_log = logging.getLogger("vista.threads")

Message = tuple[Record, MethodEntry, tuple[Any, ...], dict[str, Any], Future | None, Any, str]


class Invoker:
    """Runs the invocations of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.messages_max = kernel.limits.mailbox_messages_max
        self.left = kernel.limits.sends_between_checks

    # --- the hot path ----------------------------------------------------------------------

    def bind(self, record: Record, method: MethodEntry) -> Callable[..., Any]:
        """Return the function behind ``ref.method``, with its ``post`` and ``future``."""
        kernel = self.kernel
        instance = record.instance
        run = method.run
        slow = self.call
        failed = self.failed
        atoms = ATOMS

        def call(*args: Any, **kwargs: Any) -> Any:
            worker: Any = current()
            if record.state is not worker.kernel or worker.left <= 0:
                return slow(record, method, args, kwargs)
            for value in args:
                if type(value) not in atoms:
                    args, kwargs = copy_arguments(args, kwargs)
                    break
            else:
                if kwargs:
                    args, kwargs = copy_arguments(args, kwargs)
            parent = worker.frame
            worker.frame = frame = (record, method, parent, kernel.now)
            worker.left -= 1
            record.state = worker
            method.calls += 1
            try:
                result = run(instance, *args, **kwargs)
                if type(result) not in atoms:
                    result = copy_value(result, "result")
            except BaseException as error:
                raise failed(worker, frame, error, True) from None
            worker.frame = parent
            if record.queue is None:
                record.state = record.idle
            else:
                monitor.finish(record, frame)
            if parent[RECORD].state is not worker:
                worker.reenter(parent)
            return result

        def post(*args: Any, **kwargs: Any) -> None:
            worker: Any = current()
            if worker.kernel is not kernel:
                kernel.from_outside(worker, post, args, kwargs)
                return
            for value in args:
                if type(value) not in atoms:
                    args, kwargs = copy_arguments(args, kwargs)
                    break
            else:
                if kwargs:
                    args, kwargs = copy_arguments(args, kwargs)
            message = (record, method, args, kwargs, None, None, worker.user)
            if record.state is kernel and not preemptable:
                record.state = QUEUED
                ready(message)
            else:
                deliver(message)

        preemptable = method.preemptable
        if preemptable or method.native:
            call = self._bind_slow(record, method)
        ready = kernel.threads.ready.append
        deliver = self.deliver
        call.__name__ = method.name
        call.__doc__ = method.doc
        call.post = post  # type: ignore[attr-defined]
        call.future = self._bind_future(record, method)  # type: ignore[attr-defined]
        return call

    def _bind_slow(self, record: Record, method: MethodEntry) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.call(record, method, args, kwargs)

        return call

    def _bind_future(self, record: Record, method: MethodEntry) -> Callable[..., Future]:
        kernel, deliver, atoms = self.kernel, self.deliver, ATOMS
        name = method.name

        def future(*args: Any, **kwargs: Any) -> Future:
            worker: Any = current()
            if worker.home is not kernel:
                made: Future = kernel.from_outside(worker, future, args, kwargs)
                return made
            for value in args:
                if type(value) not in atoms:
                    args, kwargs = copy_arguments(args, kwargs)
                    break
            else:
                if kwargs:
                    args, kwargs = copy_arguments(args, kwargs)
            pending = Future(kernel, record, name)
            deliver((record, method, args, kwargs, pending, worker.frame, worker.user))
            return pending

        return future

    # --- a worker's life -------------------------------------------------------------------

    def work(self, worker: Worker) -> None:
        """Run messages one after another, as the greenlet of ``worker``, until it is let go."""
        threads = self.kernel.threads
        ready = threads.ready
        run, left = self.run, self.left
        count = 0
        while (message := worker.message) is not None:
            worker.message = None
            run(worker, message)
            while ready and type(ready[0]) is tuple:
                count += 1
                worker.left = left
                if not count & 15:
                    if threads.turn_is_over():
                        break
                    self._run_timed(worker, ready.popleft())
                else:
                    run(worker, ready.popleft())
            if not threads.retire(worker):
                return
            threads.rest(worker)

    def _run_timed(self, worker: Worker, message: Message) -> None:
        time = self.kernel.hub.time
        started = time()
        self.run(worker, message)
        message[METHOD].note_seconds(time() - started)

    def run(self, worker: Worker, message: Message) -> None:
        """Run one message to its end, as a thread of its own."""
        record, method, args, kwargs, future, parent, user = message
        if record.guard is not None or record.idle is GONE:
            self._run_guarded(worker, message)
            return
        if future is not None:
            if future._done:
                self._skip(record, method)
                return
            future.worker = worker
        worker.user = user
        worker.base = parent
        worker.frame = frame = (record, method, parent, self.kernel.now)
        if not method.preemptable:
            record.state = worker
        method.calls += 1
        try:
            result = method.run(record.instance, *args, **kwargs)
            if future is not None and type(result) not in ATOMS:
                result = copy_value(result, "result")
        except BaseException as error:
            self._message_failed(worker, frame, future, error)
            return
        worker.frame = worker.base = None
        if not method.preemptable:
            if record.queue is None:
                record.state = record.idle
            else:
                monitor.finish(record, frame)
        if future is not None:
            future.resolve(result)

    def _run_guarded(self, worker: Worker, message: Message) -> None:
        """Run a message to an object with a guard, or to one that is gone."""
        record, method, args, kwargs, future, parent, user = message
        if record.idle is GONE:
            self.deliver(message)
            return
        assert record.guard is not None
        worker.user = user
        worker.base = parent
        worker.frame = frame = (record, method, parent, self.kernel.now)
        if future is not None:
            if future._done:
                worker.frame = worker.base = None
                self._skip(record, method)
                return
            future.worker = worker
        if not method.preemptable:
            record.state = worker
        method.calls += 1
        try:
            result = self._guarded(record, method, args, kwargs, frame)
        except BaseException as error:
            self._message_failed(worker, frame, future, error)
            return
        worker.frame = worker.base = None
        if method.preemptable:
            record.guard.thread_ended(record, frame)
        else:
            monitor.finish(record, frame)
        if future is not None:
            future.resolve(result)

    def _guarded(
        self,
        record: Record,
        method: MethodEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: Frame,
    ) -> Any:
        """Check access, ask the meta object, or just run the method."""
        guard = record.guard
        assert guard is not None
        guard.check_access(record, method, current().user)
        meta = guard.meta_for(method, frame)
        if meta is not None:
            sender = sender_of(frame)
            return meta.forward_method_invocation(record.ref, method.name, list(args), sender)
        return copy_value(method.run(record.instance, *args, **kwargs), "result")

    def _skip(self, record: Record, method: MethodEntry) -> None:
        """Pass over a message whose caller gave up."""
        if not method.preemptable:
            monitor.release(record)

    def _message_failed(
        self, worker: Worker, frame: Frame, future: Future | None, error: BaseException
    ) -> None:
        """End the thread of a message with an error."""
        record, method = frame[RECORD], frame[METHOD]
        worker.frame = worker.base = None
        worker.scopes = None
        if record.state is worker:
            monitor.finish(record, frame)
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
            deep = self._check(worker)
            timed = True
        if record.idle is GONE:
            record, method = self._follow(record, method)
        monitor.refuse_deadlock(worker.frame, record, method.name)
        if (
            deep
            or method.native
            or self.kernel.hub.spread()
            or not self._may_nest(worker, record, method)
        ):
            future = Future(self.kernel, record, method.name)
            self.deliver((record, method, args, kwargs, future, worker.frame, worker.user))
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
        if record.state is QUEUED or record.queue:
            return False
        if method.preemptable:
            ready = self.kernel.threads.ready
            return len(ready) < 64 and all(
                type(item) is not tuple or item[RECORD] is not record for item in ready
            )
        return record.state is record.idle or record.state is worker

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
        try:
            if record.guard is not None:
                result = self._guarded(record, method, args, kwargs, frame)
            else:
                result = method.run(record.instance, *args, **kwargs)
                if type(result) not in ATOMS:
                    result = copy_value(result, "result")
        except BaseException as error:
            raise self.failed(worker, frame, error, hold) from None
        worker.frame = parent
        if hold:
            monitor.finish(record, frame)
        elif record.guard is not None:
            record.guard.note_changes(record, frame)
            record.guard.thread_ended(record, frame)
        if parent[RECORD].state is not worker:
            worker.reenter(parent)
        return result

    def failed(
        self, worker: Worker, frame: Frame, error: BaseException, hold: bool
    ) -> BaseException:
        """End a nested thread with an error and return what its caller is to get."""
        record, parent = frame[RECORD], frame[PARENT]
        worker.frame = parent
        if hold and record.state is worker:
            monitor.finish(record, frame)
        if type(error) is KillThread:
            if error.frame is not frame:
                return error
            outcome: BaseException = error.outcome
        else:
            outcome = copy_exception(error)
        if parent[RECORD].state is not worker:
            worker.reenter(parent)
        return outcome

    def _check(self, worker: Worker) -> bool:
        """Give way if the loop's turn has come; return whether the greenlet is nested too deep."""
        worker.left = self.left
        if self.kernel.threads.turn_is_over():
            worker.give_way()
        limits = self.kernel.limits
        depth = len(worker.frames())
        if depth < limits.nested_calls_max:
            return False
        chain, frame = depth, worker.base
        while frame is not None:
            chain += 1
            frame = frame[PARENT]
        if chain >= limits.chain_calls_max:
            raise Overloaded(
                f"a chain of {chain} calls wait for one another (limit chain_calls_max); "
                f"does {worker.frame[METHOD]} call itself without end?"
            )
        return True

    # --- queues ----------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        """Queue a message for its object.

        Raises `Overloaded` when too many wait there already. A message to an object that is gone
        ends with `ObjectDeleted` for whoever waits for it.
        """
        record, method = message[RECORD], message[METHOD]
        threads = self.kernel.threads
        if record.idle is GONE:
            self._deliver_gone(message)
        elif method.preemptable:
            if len(threads.ready) >= self.messages_max:
                raise Overloaded(f"{len(threads.ready)} messages wait to be run on this node")
            threads.make_ready(message)
        elif record.state is record.idle:
            record.state = QUEUED
            threads.make_ready(message)
        else:
            queue = record.queue
            if queue is not None and len(queue) >= self.messages_max:
                self.kernel.counters.overloads += 1
                raise Overloaded(
                    f"{len(queue)} messages wait for {record} (limit mailbox_messages_max)"
                )
            monitor.line_up(record, message)

    def _deliver_gone(self, message: Message) -> None:
        record, method, args, kwargs, future, parent, user = message
        try:
            record, method = self._follow(record, method)
        except (ObjectDeleted, NoSuchMethod) as error:
            if future is not None:
                future.fail(error)
            else:
                self.kernel.note_lost_post(str(error))
            return
        self.deliver((record, method, args, kwargs, future, parent, user))

    def _follow(self, record: Record, method: MethodEntry) -> tuple[Record, MethodEntry]:
        """Find the record that took the place of one that is gone, and its method."""
        while record.idle is GONE:
            if record.successor is None:
                raise ObjectDeleted(f"{record} was deleted")
            record = record.successor
        found = record.entry.methods.get(method.name)
        if found is None:
            raise NoSuchMethod(f"{record.entry.full_name} has no method {method.name!r}")
        return record, found


def sender_of(frame: Frame | None) -> Ref | None:
    """Return the object that sent the call ``frame``, None for posts and calls from outside."""
    parent = None if frame is None else frame[PARENT]
    if parent is None:
        return None
    ref: Ref | None = parent[RECORD].ref
    return ref


def age_of(frame: Frame, now: float) -> float:
    """Return the seconds since the thread ``frame`` started."""
    return max(0.0, now - float(frame[STARTED]))


def context_user(context: Context, kernel: Kernel) -> str:
    """Return the user in whose name code in ``context`` acts on ``kernel``."""
    return context.user or kernel.user
