"""``async def`` methods and ``vista.wait``: coroutines on the node's loop.

The coroutine of an ``async def`` method is an asyncio task, so libraries find what they expect.
Between two awaits it is active in its object; at an await it is suspended and lets others in, by
the same queue as any thread. The worker that took the message waits for its end.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from vista.errors import ThreadKilled
from vista.kernel import deadlock, monitor
from vista.kernel.current import (
    METHOD,
    RECORD,
    CoroutineContext,
    Frame,
    current,
    enter,
)
from vista.kernel.threads import PARKED

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record
    from vista.kernel.threads import Worker


def run_coroutine(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a plain function that runs the coroutine of an ``async def`` method to its end."""

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        worker: Worker = current()  # type: ignore[assignment]
        return _Run(worker, function(instance, *args, **kwargs)).finish()

    return run


def wait_for(worker: Worker, awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """Park a thread until an awaitable is done, ``seconds`` at most, and return its result."""
    if seconds is None and asyncio.isfuture(awaitable):
        # One of another loop goes the long way, where asyncio says so.
        if awaitable.get_loop() is worker.kernel.hub.loop:
            return _wait_for_future(worker, awaitable)

    async def bounded() -> Any:
        if seconds is None:
            return await awaitable
        async with asyncio.timeout(seconds):
            return await awaitable

    context = CoroutineContext(worker.home, worker.frame, worker.user)
    waited = bounded()
    task = _start(worker.kernel, _hold_exit(waited), context)
    number = worker.parking + 1

    def end(task: asyncio.Task[Any]) -> None:
        _take_note(task)
        # One cancelled before its first step has awaited nothing, and Python would warn of that.
        waited.close()
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        worker.wake(number)

    task.add_done_callback(end)
    try:
        worker.park("an awaitable", wants=context.wants)
    except BaseException:
        number = 0
        task.cancel()
        raise
    return _outcome(task)


def _wait_for_future(worker: Worker, future: asyncio.Future[Any]) -> Any:
    """Park a thread until a future is done: no task is needed, which would take 20 us."""
    number = worker.parking + 1

    def end(_: asyncio.Future[Any]) -> None:
        worker.wake(number)

    future.add_done_callback(end, context=contextvars.Context())
    try:
        worker.park("an awaitable")
    except BaseException:
        number = 0
        future.remove_done_callback(end)
        future.cancel()
        raise
    return future.result()


def _start(
    kernel: Kernel, coroutine: Coroutine[Any, Any, Any], context: CoroutineContext
) -> asyncio.Task[Any]:
    variables = contextvars.copy_context()
    variables.run(enter, context)
    return kernel.hub.loop.create_task(coroutine, context=variables)


def _take_note(task: asyncio.Task[Any]) -> None:
    """Look at a task's error: if the thread was killed nobody else does, and asyncio complains."""
    if not task.cancelled():
        task.exception()


class _Exit:
    """A `SystemExit` or `KeyboardInterrupt` that a coroutine raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def _hold_exit(awaitable: Awaitable[Any]) -> Any:
    """Await something; return an exit it raises, for which asyncio would stop the whole loop."""
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        return _Exit(error)


def _outcome(task: asyncio.Task[Any]) -> Any:
    result = task.result()
    if type(result) is _Exit:
        raise result.error
    return result


class _Run(CoroutineContext):
    """One running coroutine of an ``async def`` method; holds its object while it is active."""

    __slots__ = ("_admission", "_keep", "_killed", "_record", "coroutine", "worker")

    def __init__(self, worker: Worker, coroutine: Coroutine[Any, Any, Any]) -> None:
        frame: Frame = worker.frame
        super().__init__(worker.home, frame, worker.user)
        self.worker = worker
        self.coroutine = coroutine
        self._record = None if frame[METHOD].preemptable else frame[RECORD]
        self._keep = frame[METHOD].exclusive
        self._killed = False
        self._admission: asyncio.Future[None] | None = None

    def finish(self) -> Any:
        """Run it to the end, as its worker."""
        worker, record = self.worker, self._record
        if record is not None and record.state is worker:
            record.state = self
        task = _start(worker.kernel, _hold_exit(_Segments(self, self.coroutine)), self)
        number = worker.parking + 1
        task.add_done_callback(lambda task: self._end(task, number))
        worker.coroutine = self
        try:
            worker.park("its coroutine", wants=self.wants)
        except BaseException:
            number = 0
            self._killed = True
            task.cancel()
            raise
        finally:
            worker.coroutine = None
        if task.cancelled():
            raise ThreadKilled(f"{self.frame[METHOD]} was cancelled")
        return _outcome(task)

    def _end(self, task: asyncio.Task[Any], number: int) -> None:
        """Let the object go, also when the coroutine was cancelled before its first step."""
        _take_note(task)
        self.coroutine.close()
        if self._record is not None and self._record.state is self:
            monitor.leave(self._record, self.frame)
        self.worker.wake(number)

    def suspend(self) -> None:
        """Let others into the object while the coroutine awaits."""
        record = self._record
        if record is not None and record.state is self and not self._keep:
            monitor.leave(record, self.frame)

    def activate(self) -> asyncio.Future[None] | None:
        """Become active again; return what to await first when that cannot be yet."""
        record = self._record
        if self._frozen():
            self._hold_back()
        elif record is None or monitor.try_enter(record, self):
            return None
        elif self._killed:
            # It goes on beside whoever is active: a kill must not hang on an object others keep.
            if self._stands_in(record):
                record.queue.remove(self)
            return None
        elif not self._stands_in(record):
            self._stand_in(record)
        self._admission = self.worker.kernel.hub.loop.create_future()
        return self._admission

    def _stands_in(self, record: Record) -> bool:
        """Whether it has a place in line: one that asyncio interrupts, by a timeout, keeps it."""
        return record.queue is not None and self in record.queue

    def _stand_in(self, record: Record) -> None:
        monitor.line_up(record, self)
        deadlock.break_ring(self.frame, record)

    def lined_up_for(self) -> Record | None:
        """Return the object in whose line it stands, if it does."""
        record = self._record
        return record if record is not None and self._stands_in(record) else None

    def frames(self) -> list[Frame]:
        """Return the invocation it runs."""
        return [self.frame]

    def admitted(self) -> None:
        """Called when the object is handed to this coroutine."""
        if self._frozen():
            self._hold_back()
        else:
            self._go_on()

    def _frozen(self) -> bool:
        # A worker that is not parked has been killed: it no longer waits for this coroutine.
        worker = self.worker
        return worker.frozen and not self._killed and worker.condition is PARKED

    def _hold_back(self) -> None:
        """Wait, frozen, for `Worker.thaw`; others may use the object meanwhile."""
        self.worker.held_back = self._line_up
        self.suspend()

    def _line_up(self) -> None:
        if self._record is None or monitor.try_enter(self._record, self):
            self._go_on()
        elif not self._stands_in(self._record):
            self._stand_in(self._record)

    def _go_on(self) -> None:
        # One that was interrupted will find that the object is its own.
        if self._admission is not None and not self._admission.done():
            self._admission.set_result(None)


class _Segments:
    """An awaitable that runs the coroutine piece by piece between its awaits."""

    def __init__(self, run: _Run, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._run = run
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, Any]:
        run, coroutine = self._run, self._coroutine
        error: BaseException | None = None
        while True:
            while (admission := run.activate()) is not None:
                try:
                    yield from admission
                except BaseException as raised:
                    error = raised
            try:
                awaited = coroutine.send(None) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            error = None
            run.suspend()
            try:
                yield awaited
            except BaseException as raised:
                error = raised
