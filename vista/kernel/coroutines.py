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

from vista.kernel import monitor
from vista.kernel.current import (
    METHOD,
    RECORD,
    CoroutineContext,
    Frame,
    current,
    enter,
)

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.threads import Worker


def run_coroutine(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a plain function that runs the coroutine of an ``async def`` method to its end."""

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        worker: Worker = current()  # type: ignore[assignment]
        return _Run(worker, function(instance, *args, **kwargs)).finish()

    return run


def wait_for(worker: Worker, awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """Park a thread until an awaitable is done, ``seconds`` at most, and return its result."""

    async def bounded() -> Any:
        if seconds is None:
            return await awaitable
        async with asyncio.timeout(seconds):
            return await awaitable

    context = CoroutineContext(worker.home, worker.frame, worker.user)
    task = _start(worker.kernel, bounded(), context)
    number = worker.parking + 1
    task.add_done_callback(lambda _: worker.wake(number))
    try:
        worker.park("an awaitable")
    except BaseException:
        task.cancel()
        raise
    return task.result()


def _start(
    kernel: Kernel, coroutine: Coroutine[Any, Any, Any], context: CoroutineContext
) -> asyncio.Task[Any]:
    variables = contextvars.copy_context()
    variables.run(enter, context)
    return kernel.hub.loop.create_task(coroutine, context=variables)


class _Run(CoroutineContext):
    """One running coroutine of an ``async def`` method; holds its object while it is active."""

    __slots__ = ("_admission", "_coroutine", "_keep", "_record", "_worker")

    def __init__(self, worker: Worker, coroutine: Coroutine[Any, Any, Any]) -> None:
        frame: Frame = worker.frame
        super().__init__(worker.home, frame, worker.user)
        self._worker = worker
        self._coroutine = coroutine
        self._record = None if frame[METHOD].preemptable else frame[RECORD]
        self._keep = frame[METHOD].exclusive
        self._admission: asyncio.Future[None] | None = None

    def finish(self) -> Any:
        """Run it to the end, as its worker."""
        worker, record = self._worker, self._record
        if record is not None and record.state is worker:
            record.state = self
        task = _start(worker.kernel, self._drive(), self)
        number = worker.parking + 1
        task.add_done_callback(self._over)
        task.add_done_callback(lambda _: worker.wake(number))
        try:
            worker.park("its coroutine")
        except BaseException:
            task.cancel()
            raise
        return task.result()

    async def _drive(self) -> Any:
        return await _Segments(self)

    def _over(self, task: asyncio.Task[Any]) -> None:
        """Let the object go when the task has ended, also one cancelled before its first step."""
        self._coroutine.close()
        record = self._record
        if record is not None and record.state is self:
            monitor.leave(record, self.frame)

    def suspend(self) -> None:
        """Let others into the object while the coroutine awaits."""
        record = self._record
        if record is not None and record.state is self and not self._keep:
            monitor.leave(record, self.frame)

    def activate(self) -> asyncio.Future[None] | None:
        """Become active again; return what to await first when others are in the object."""
        record = self._record
        if record is None or monitor.try_enter(record, self):
            return None
        self._admission = self._worker.kernel.hub.loop.create_future()
        monitor.line_up(record, self)
        return self._admission

    def give_up_place(self) -> None:
        """Leave the line of the object: a cancelled coroutine does not wait for its turn."""
        queue = None if self._record is None else self._record.queue
        if queue is not None and self in queue:
            queue.remove(self)

    def admitted(self) -> None:
        """Called when the object is handed to this coroutine."""
        admission = self._admission
        if admission is None or admission.done():
            assert self._record is not None
            monitor.release(self._record)
        else:
            admission.set_result(None)


class _Segments:
    """An awaitable that runs the coroutine piece by piece between its awaits."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, Any]:
        run, coroutine = self._run, self._run._coroutine
        error: BaseException | None = None
        while True:
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
            admission = run.activate()
            if admission is not None:
                try:
                    yield from admission
                except BaseException as raised:
                    run.give_up_place()
                    error = raised
