"""Futures: calls in flight.

A `Future` is completed on its kernel's loop, once. A vista thread that waits for it parks; any
other OS thread blocks; a coroutine awaits it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from vista.errors import CallTimeout, ThreadKilled, WrongContextError
from vista.kernel.current import current
from vista.kernel.scopes import outside_due

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record
    from vista.kernel.threads import Worker


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
        waiters, self._waiters = self._waiters, None
        if waiters is None:
            return
        if type(waiters) is tuple:
            waiters[0].wake(waiters[1])
        elif type(waiters) is list:
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
            if type(self._waiters) is tuple:
                worker, number = self._waiters
                self._waiters = [lambda _: worker.wake(number)]
            elif type(self._waiters) is not list:
                self._waiters = [self._waiters]
            self._waiters.append(callback)

    def abandon(self, text: str = "its caller gave up") -> None:
        """End the call for its caller and cancel the thread that was to answer."""
        if self._done:
            return
        worker = self.worker
        error = ThreadKilled(f"{self.words} was cancelled: {text}")
        self.fail(error)
        if worker is not None:
            frames = worker.frames()
            if frames:
                worker.kill(frames[-1], error)

    # --- for its holder, from anywhere -----------------------------------------------------

    def cancel(self) -> None:
        """Cancel the call: its thread is killed, and `result` raises `ThreadKilled`."""
        self._on_loop(self.abandon)

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Have ``callback(future)`` called on the node's loop when the call ends."""
        self._on_loop(lambda: self.on_done(callback))

    def _on_loop(self, action: Callable[[], Any]) -> None:
        if current().home is self.kernel or self.kernel.on_loop():
            action()
        else:
            self.kernel.hub.loop.call_soon_threadsafe(action)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end of the call and return its result or raise its error.

        ``timeout`` in seconds bounds this wait; without it the call is bounded by the enclosing
        ``vista.timeout`` or ``limits.call_seconds`` from its start. Raises `CallTimeout` at the
        bound; a call that passed its own bound is cancelled, one whose wait passed goes on.
        """
        self._wait(timeout)
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait as `result` does and return the call's error, or None for a result."""
        self._wait(timeout)
        return self._error

    def _wait(self, timeout: float | None) -> None:
        if self._done:
            return
        context = current()
        if context.kernel is self.kernel:
            wait_parked(context, self, timeout)  # type: ignore[arg-type]
        elif self.kernel.on_loop():
            raise WrongContextError("inside a coroutine write: await future")
        else:
            self._block(timeout)

    def _block(self, timeout: float | None) -> None:
        """Block an OS thread that is not the loop's."""
        ended = threading.Event()
        self.add_done_callback(lambda _: ended.set())
        own = self.created + self.kernel.limits.call_seconds
        due = outside_due()
        if due is not None:
            own = due
        left = max(0.0, own - self.kernel.hub.time())
        try:
            if self.kernel.hub.block(ended, left if timeout is None else min(left, timeout)):
                return
        except BaseException:
            # Ctrl-C at a prompt: nobody waits any longer, so the thread ends.
            self.cancel()
            raise
        self._give_up(timeout is not None and timeout < left)

    def _give_up(self, only_the_wait: bool) -> None:
        """Raise `CallTimeout`; the call itself goes on if only the wait had its bound."""
        error = CallTimeout(f"{self.words} did not answer in time")
        if not only_the_wait:
            self._on_loop(lambda: self.abandon("its time was over"))
        raise error

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine, on the node's loop or on any other."""
        if not self._done:
            loop = asyncio.get_running_loop()
            ended = loop.create_future()

            def note(_: Future) -> None:
                if loop is self.kernel.hub.loop:
                    _set_once(ended)
                else:
                    loop.call_soon_threadsafe(_set_once, ended)

            self.add_done_callback(note)
            left = self.created + self.kernel.limits.call_seconds - self.kernel.hub.time()
            try:
                yield from _within(loop, ended, left).__await__()
            except TimeoutError:
                self._give_up(False)
            except BaseException:
                self.cancel()
                raise
        if self._error is not None:
            raise self._error
        return self._value


class Errand(Future):
    """The future of a function run for code outside; ``outcome`` is its result, as it is."""

    __slots__ = ("outcome",)

    outcome: Any

    def resolve(self, value: Any) -> None:
        """End with the outcome that the function left."""
        super().resolve(self.outcome)


def _set_once(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _within(
    loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None], left: float
) -> None:
    async with asyncio.timeout(left):
        await ended


def wait_parked(worker: Worker, future: Future, timeout: float | None = None) -> None:
    """Park a vista thread until ``future`` ends, within the bounds that apply to it."""
    kernel = future.kernel
    own = worker.deadline(worker.frame, future.created)
    due = own if timeout is None else min(own, kernel.hub.time() + timeout)
    number = worker.parking + 1
    if future._waiters is None:
        future._waiters = (worker, number)
    else:
        future.on_done(lambda _: worker.wake(number))
    timer = kernel.timers.call_at(due, lambda: worker.wake(number))
    try:
        worker.park(lambda: f"the answer of {future.words}", wants=future.record)
    except BaseException:
        future.abandon()
        raise
    finally:
        timer.cancel()
    if not future._done:
        future._give_up(due < own)


def gather(
    *futures: Future, timeout: float | None = None, return_exceptions: bool = False
) -> list[Any]:
    """Wait for several calls in flight and return their results in order.

    ``timeout`` bounds the wait in seconds. The first error is raised as soon as it is there and
    the other calls go on, as with ``asyncio.gather``; with ``return_exceptions`` errors stand in
    the list instead.
    """
    waiting = [future for future in futures if not future._done]
    if waiting:
        context = current()
        if context.kernel is waiting[0].kernel:
            _park_for_all(context, waiting, timeout, return_exceptions)  # type: ignore[arg-type]
        else:
            time = waiting[0].kernel.hub.time
            due = None if timeout is None else time() + timeout
            for future in waiting:
                left = None if due is None else max(0.0, due - time())
                if future.exception(left) is not None and not return_exceptions:
                    break
    if return_exceptions:
        return [future._value if future._error is None else future._error for future in futures]
    for future in futures:
        if future._error is not None:
            raise future._error
    return [future._value for future in futures]


def _park_for_all(
    worker: Worker, waiting: list[Future], timeout: float | None, return_exceptions: bool
) -> None:
    kernel = waiting[0].kernel
    number = worker.parking + 1
    left = len(waiting)

    def note(future: Future) -> None:
        nonlocal left
        left -= 1
        if left == 0 or (future._error is not None and not return_exceptions):
            worker.wake(number)

    own = min(worker.deadline(worker.frame, future.created) for future in waiting)
    due = own if timeout is None else min(own, kernel.hub.time() + timeout)
    for future in waiting:
        if future._waiters is None:
            future._waiters = note
        else:
            future.on_done(note)
    timer = kernel.timers.call_at(due, lambda: worker.wake(number))
    try:
        worker.park(lambda: f"the answers of {left} calls")
    except BaseException:
        for future in waiting:
            future.abandon()
        raise
    finally:
        timer.cancel()
    late = [future for future in waiting if not future._done]
    if late and (return_exceptions or all(future._error is None for future in waiting)):
        for future in late[1:]:
            if due >= own:
                future.abandon("its time was over")
        late[0]._give_up(due < own)
