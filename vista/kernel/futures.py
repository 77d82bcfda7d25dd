"""Futures: calls in flight.

A `Future` is completed on its kernel's loop, once. A vista thread that waits for it parks; any
other OS thread blocks; a coroutine awaits it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from vista.counted import counted
from vista.errors import CallError, CallTimeout, ThreadKilled, WrongContextError
from vista.kernel import deadlock, monitor
from vista.kernel.current import BesideContext, Context, CoroutineContext, current, enter
from vista.kernel.scopes import outside_due

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record
    from vista.kernel.threads import Worker
    from vista.kernel.timers import Timer


class Future:
    """The result to be of a call in flight, as ``ref.method.future(...)`` returns it.

    ``record`` and ``name`` say what was called, for messages and for ``vista.threads``.
    """

    __slots__ = (
        "_done",
        "_error",
        "_value",
        "_waiters",
        "created",
        "kernel",
        "name",
        "record",
        "worker",
    )

    def __init__(self, kernel: Kernel, record: Record | None, name: str) -> None:
        self.kernel = kernel
        self.record = record
        self.name = name
        self.created = kernel.now
        self.worker: Worker | None = None
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiters: Any = None

    def __repr__(self) -> str:
        state = "pending" if not self._done else "failed" if self._error else "done"
        return f"<Future {self.words} {state}>"

    @property
    def words(self) -> str:
        """What was called, as ``Counter.increment``."""
        return self.name if self.record is None else f"{self.record.entry.name}.{self.name}"

    def waited_for(self) -> str:
        """Say for what a thread waits that waits for this."""
        return f"the answer of {self.words}"

    def done(self) -> bool:
        """Return whether the call has ended."""
        return self._done

    # --- completing it, on the loop --------------------------------------------------------

    def resolve(self, value: Any) -> None:
        """End the call with a result; does nothing when it has ended."""
        if not self._done:
            self._value = value
            self._end()

    def fail(self, error: BaseException) -> None:
        """End the call with an error; does nothing when it has ended."""
        if not self._done:
            self._error = error
            self._end()

    def _end(self) -> None:
        self._done = True
        self.worker = None
        if self._waiters is not None:
            self._tell()

    def _tell(self) -> None:
        """Tell who waits that the call has ended."""
        waiters, self._waiters = self._waiters, None
        if type(waiters) is list:
            for waiter in waiters:
                waiter(self)
        else:
            waiters(self)

    def on_done(self, callback: Callable[[Future], Any]) -> None:
        """Call ``callback(future)`` on the loop when the call ends; at once if it has."""
        if self._done:
            callback(self)
        elif self._waiters is None:
            self._waiters = callback
        else:
            if type(self._waiters) is not list:
                self._waiters = [self._waiters]
            self._waiters.append(callback)

    def forget(self, callback: Callable[[Future], Any]) -> None:
        """Undo `on_done`: whoever looks again and again leaves nothing behind."""
        if self._waiters is callback:
            self._waiters = None
        elif type(self._waiters) is list and callback in self._waiters:
            self._waiters.remove(callback)

    def abandon(self, error: CallError | None = None) -> None:
        """End the call for its caller and cancel the thread that was to answer.

        ``error`` is what the call ends with, by default `ThreadKilled`.
        """
        if self._done:
            return
        worker = self.worker
        killed = ThreadKilled(f"{self.words} was cancelled: its caller gave up")
        self.fail(killed if error is None else error)
        if worker is not None:
            frames = worker.frames()
            if frames:
                worker.kill(frames[-1], killed)

    def suspect(self) -> None:
        """Take note that others wait for this. A call to another node looks then for a ring."""

    # --- for its holder, from anywhere -----------------------------------------------------

    def cancel(self) -> None:
        """Cancel the call: its thread is killed, and `result` raises `ThreadKilled`."""
        self._on_loop(self.abandon)

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Have ``callback(future)`` called on the node's loop when the call ends.

        It is called soon after, as a coroutine is: it may post and start calls in flight but not
        wait. What it raises is logged.
        """
        kernel = self.kernel
        context = contextvars.copy_context()
        user = current().user or kernel.user
        context.run(enter, CoroutineContext(kernel, None, user))

        def soon(future: Future) -> None:
            kernel.hub.loop.call_soon(callback, future, context=context)

        self._on_loop(lambda: self.on_done(soon))

    def _on_loop(self, action: Callable[[], Any]) -> None:
        if self.kernel.on_loop():
            action()
        else:
            self.kernel.call_soon(action)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end of the call and return its result or raise its error.

        ``timeout`` in seconds bounds this wait; without it the call is bounded by the enclosing
        ``vista.timeout`` or ``limits.call_seconds`` from its start. Raises `CallTimeout` at the
        bound; a call that passed its own bound is cancelled, one whose wait passed goes on.
        """
        late = None if self._done else self._wait(timeout)
        if late is not None:
            raise late
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait as `result` does and return the call's error, or None for a result.

        Raises `CallTimeout` when ``timeout`` is over before the call ends.
        """
        late = None if self._done else self._wait(timeout)
        return self._error if late is None else late

    def _wait(self, timeout: float | None) -> CallTimeout | None:
        """Wait for the end; return the error of a call whose own time is over before that."""
        context = current()
        if context.kernel is self.kernel:
            return wait_parked(context, self, timeout)  # type: ignore[arg-type]
        refuse_to_block(context, self)
        if not isinstance(context, BesideContext) or context.home is not self.kernel:
            return self._block(timeout)
        if timeout is None:
            self.kernel.from_outside(context, deadlock.refuse_ring, (context.frame, (self,)), {})
        context.wants.append(self)
        try:
            return self._block(timeout)
        finally:
            context.wants.remove(self)

    def _block(self, timeout: float | None) -> CallTimeout | None:
        """Block an OS thread that is not the loop's."""
        ended = threading.Event()
        try:
            self._on_loop(lambda: self.on_done(lambda _: ended.set()))
            left = max(0.0, self.due_outside() - self.kernel.hub.time())
            if self.kernel.hub.block(ended, left if timeout is None else min(left, timeout)):
                return None
        except BaseException:
            # Ctrl-C at a prompt: nobody waits any longer, so the thread ends.
            self.cancel()
            raise
        return self.give_up(timeout is not None and timeout < left)

    def due_outside(self) -> float:
        """When the call must have ended for code that is in no vista thread."""
        due = outside_due()
        return self.created + self.kernel.limits.call_seconds if due is None else due

    def give_up(self, only_the_wait: bool) -> CallTimeout:
        """Cancel a call whose time is over and return the error; raise it if only the wait's is."""
        error = CallTimeout(f"{self.words} did not answer in time")
        if only_the_wait:
            raise error
        self._on_loop(lambda: self.abandon(error))
        return error

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine, on the node's loop or on any other."""
        if not self._done:
            loop = asyncio.get_running_loop()
            ended = loop.create_future()

            def note(_: Future) -> None:
                if loop is self.kernel.hub.loop:
                    _set_once(ended)
                else:
                    # That loop may be gone by then, and with it whoever waited.
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(_set_once, ended)

            self._on_loop(lambda: self.on_done(note))
            left = self.due_outside() - self.kernel.hub.time()
            context = current()
            wants = context.wants if isinstance(context, BesideContext) else []
            wants.append(self)
            try:
                if context.home is self.kernel and self.kernel.on_loop():
                    monitor.refuse_endless(context.frame, self.kernel.limits.chain_calls_max)
                    deadlock.refuse_ring(context.frame, (self,))
                yield from _within(ended, left).__await__()
            except TimeoutError:
                raise self.give_up(False) from None
            except BaseException:
                self.cancel()
                raise
            finally:
                wants.remove(self)
        if self._error is not None:
            raise self._error
        return self._value


class Waker:
    """Ends one wait of a thread, when a future ends or a timer is due.

    A parked thread keeps one as long as it waits: 48 bytes, where two functions would take 416.
    """

    __slots__ = ("number", "worker")

    def __init__(self, worker: Worker, number: int) -> None:
        self.worker = worker
        self.number = number

    def __call__(self, _: Future | None = None) -> None:
        self.worker.wake(self.number)


class Errand(Future):
    """The future of a function run for code outside; ``outcome`` is its result, as it is."""

    __slots__ = ("outcome",)

    outcome: Any

    def resolve(self, value: Any) -> None:
        """End with the outcome that the function left."""
        super().resolve(self.outcome)

    def abandon(self, error: CallError | None = None) -> None:
        """End the function, and the call in flight that it may have started by now.

        Its caller gave up before that call's future reached it: nobody else could cancel it.
        """
        super().abandon(error)
        outcome = getattr(self, "outcome", None)
        if isinstance(outcome, Future):
            outcome.abandon()


def _set_once(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _within(ended: asyncio.Future[None], left: float) -> None:
    async with asyncio.timeout(left):
        await ended


def refuse_to_block(context: Context, future: Future) -> None:
    """Raise `WrongContextError` where blocking would stop a whole node."""
    if future.kernel.on_loop():
        raise WrongContextError("inside a coroutine write: await future")
    if context.home is not None and context.home.on_loop():
        raise WrongContextError("this future belongs to another node of this process")


def wait_parked(worker: Worker, future: Future, timeout: float | None = None) -> CallTimeout | None:
    """Park a vista thread until ``future`` ends, within the bounds that apply to it.

    Returns the error of a call whose own time is over, and raises it when only ``timeout`` is.
    """
    kernel = future.kernel
    own = worker.deadline(worker.frame, future.created)
    due = own if timeout is None else min(own, kernel.hub.time() + timeout)
    waker = Waker(worker, worker.parking + 1)
    timer = kernel.timers.call_at(due, waker)
    try:
        monitor.refuse_endless(worker.frame, kernel.limits.chain_calls_max)
        if timeout is None:
            deadlock.refuse_ring(worker.frame, (future,))
        future.on_done(waker)
        worker.park(future.waited_for, wants=(future,))
    except BaseException:
        # Should the wait not even have begun, this must not end another one.
        waker.number = 0
        future.abandon()
        raise
    finally:
        timer.cancel()
        future.forget(waker)
    return None if future._done else future.give_up(due < own)


def gather(
    *futures: Future, timeout: float | None = None, return_exceptions: bool = False
) -> list[Any]:
    """Wait for several calls in flight and return their results in order.

    ``timeout`` bounds the wait in seconds. The first error is raised as soon as it is there and
    the other calls go on, as with ``asyncio.gather``; with ``return_exceptions`` errors stand in
    the list instead, also the `CallTimeout` of a call that has not ended in time.
    """
    waiting = [future for future in futures if not future._done]
    if waiting and (return_exceptions or all(future._error is None for future in futures)):
        context = current()
        if any(future.kernel is not context.kernel for future in waiting):
            for future in waiting:
                refuse_to_block(context, future)
            _block_for_all(waiting, timeout, return_exceptions)
        else:
            _park_for_all(context, waiting, timeout, return_exceptions)  # type: ignore[arg-type]
    errors = [_error_of(future) for future in futures]
    if return_exceptions:
        pairs = zip(futures, errors, strict=True)
        return [future._value if error is None else error for future, error in pairs]
    # One that has ended says more than one that is late.
    for future, error in zip(futures, errors, strict=True):
        if error is not None and future._done:
            raise error
    for error in errors:
        if error is not None:
            raise error
    return [future._value for future in futures]


def _error_of(future: Future) -> BaseException | None:
    if future._done:
        return future._error
    return CallTimeout(f"{future.words} did not answer in time")


def _expire(waiting: list[Future], dues: list[float], now: float) -> list[Future]:
    """Give up the calls whose own time is over; return those that are still to be waited for."""
    left = []
    for future, due in zip(waiting, dues, strict=True):
        if future._done:
            continue
        if due <= now:
            future.give_up(False)
        else:
            left.append(future)
    return left


def _park_for_all(
    worker: Worker, waiting: list[Future], timeout: float | None, return_exceptions: bool
) -> None:
    kernel = worker.kernel
    frame, time = worker.frame, kernel.hub.time
    number, left = 0, len(waiting)
    end = None if timeout is None else time() + timeout

    def note(future: Future) -> None:
        nonlocal left
        left -= 1
        if left == 0 or (future._error is not None and not return_exceptions):
            worker.wake(number)

    monitor.refuse_endless(frame, kernel.limits.chain_calls_max)
    for future in waiting:
        future.on_done(note)
    pending = waiting
    while pending and (return_exceptions or all(future._error is None for future in waiting)):
        timer: Timer | None = None
        try:
            dues = [worker.deadline(frame, future.created) for future in pending]
            first = min(dues) if end is None else min(*dues, end)
            number = worker.parking + 1
            timer = kernel.timers.call_at(first, functools.partial(worker.wake, number))
            if timeout is None:
                deadlock.refuse_ring(frame, pending)
            worker.park(lambda: f"the answers of {counted(left, 'call')}", wants=pending)
        except BaseException:
            # Should the wait not even have begun, its notes must not end another one.
            number = 0
            for future in pending:
                future.abandon()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        now = time()
        pending = _expire(pending, dues, now)
        if end is not None and now >= end:
            return


def _block_for_all(waiting: list[Future], timeout: float | None, return_exceptions: bool) -> None:
    hub = waiting[0].kernel.hub
    ended, count = threading.Event(), len(waiting)
    done: list[Future] = []
    end = None if timeout is None else hub.time() + timeout

    def note(future: Future) -> None:
        # The futures may be of several nodes; appending is one step for all OS threads.
        done.append(future)
        if len(done) >= count or (future._error is not None and not return_exceptions):
            ended.set()

    for future in waiting:
        future._on_loop(functools.partial(future.on_done, note))
    pending = waiting
    while pending and not ended.is_set():
        dues = [future.due_outside() for future in pending]
        first = min(dues) if end is None else min(*dues, end)
        try:
            hub.block(ended, max(0.0, first - hub.time()))
        except BaseException:
            for future in pending:
                future.cancel()
            raise
        now = hub.time()
        pending = _expire(pending, dues, now)
        if end is not None and now >= end:
            return
