"""Kernel threads in a simulated world: ``@native`` methods that run one at a time, by the seed.

Each runs in an OS thread, but only one OS thread of the world ever moves: the loop hands over to a
native method and waits until the method ends or blocks in a ``send`` of its own; then the loop goes
on. So what a native method does happens at a virtual time that the seed chose, and nowhere else.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from vista.errors import WrongContextError

_CRASHED: Final = "the node of this kernel thread has crashed"

_ENDINGS_MAX: Final = 1000
"""How often a native method of a crashed node may block again before it is left as it is."""


class NativeThreads:
    """The kernel threads of a world, ``count_max`` at most; the next one waits for its turn.

    ``delay()`` draws how many virtual seconds pass before a native method starts, and again before
    its end is known.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay: Callable[[], float], count_max: int
    ) -> None:
        self.loop = loop
        self.delay = delay
        self.closing = False
        self._count_max = count_max
        self._pool = concurrent.futures.ThreadPoolExecutor(count_max, "vista-simulated")
        self._waiting: deque[_Native] = deque()
        self._running: dict[int, _Native] = {}
        self._count = 0
        self._crashed: list[Callable[[Context], bool]] = []

    def run(self, context: Context, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run ``function`` within ``context`` in a kernel thread at a time the seed chooses."""
        native = _Native(self, context, function)
        self.later(self.delay(), self._start, native)
        return native.result

    def _start(self, native: _Native) -> None:
        if self.is_crashed(native.context):
            if not native.result.done():
                native.result.set_exception(WrongContextError(_CRASHED))
            return
        if self._count >= self._count_max:
            self._waiting.append(native)
            return
        self._count += 1
        native.submitted = self._pool.submit(native.body)
        self.step(native)

    def later(
        self, seconds: float, callback: Callable[..., Any], *args: Any
    ) -> asyncio.TimerHandle:
        """Call something later, in nobody's name: a crash takes the timers made in a node's."""
        return self.loop.call_later(seconds, callback, *args, context=Context())

    def step(self, native: _Native) -> None:
        """Hand over to a native method until it ends or blocks."""
        native.go.release()
        native.back.acquire()
        if native.over:
            self._running.pop(native.identity)
            self._count -= 1
            self.later(0.0 if native.severed else self.delay(), native.deliver)
            if self._waiting:
                self.loop.call_soon(self._start, self._waiting.popleft())
        else:
            self._running[native.identity] = native

    def here(self) -> _Native | None:
        """Return the native method that runs in the calling OS thread, or None."""
        return self._running.get(threading.get_ident())

    def enter(self, native: _Native) -> None:
        """Note in which OS thread a native method runs."""
        native.identity = threading.get_ident()
        self._running[native.identity] = native

    def look(self) -> bool:
        """Let those run on whose wait has ended; return whether there were any."""
        ended = [
            native
            for native in self._running.values()
            if native.ended is not None and native.ended.is_set()
        ]
        for native in ended:
            native.resume()
        return bool(ended)

    def crash(self, is_its: Callable[[Context], bool]) -> None:
        """End what still blocks of those whose context ``is_its``, and let no more of them start.

        Each gets an error where it blocks, as at `close`.
        """
        self._crashed.append(is_its)
        for native in list(self._running.values()):
            if is_its(native.context):
                native.severed = True
        for _ in range(_ENDINGS_MAX):
            left = [native for native in self._running.values() if native.severed]
            if not left:
                return
            for native in left:
                native.resume()

    def is_crashed(self, context: Context) -> bool:
        """Whether the node of a native method has crashed."""
        return any(is_its(context) for is_its in self._crashed)

    def close(self) -> None:
        """End what still blocks, with an error in the native method, and the OS threads."""
        self.closing = True
        while self._running:
            for native in list(self._running.values()):
                native.resume()
        self._pool.shutdown()


class _Native:
    """One native method. ``ended`` is the event for which it blocks, None while it does not."""

    def __init__(
        self, threads: NativeThreads, context: Context, function: Callable[[], Any]
    ) -> None:
        self.result: asyncio.Future[Any] = threads.loop.create_future()
        self.submitted: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.ended: threading.Event | None = None
        self.identity = 0
        self.over = False
        self.severed = False
        self.go = threading.Semaphore(0)
        self.back = threading.Semaphore(0)
        self._threads = threads
        self.context = context
        self._function = function
        self._expiry: asyncio.TimerHandle | None = None

    def resume(self) -> None:
        """Let the method that blocked run on; called on the loop."""
        if self.ended is None:
            return
        self.ended = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._threads.step(self)

    def deliver(self) -> None:
        """Make known on the loop how the method ended."""
        if self.result.cancelled():
            return
        error = self.submitted.exception()
        if error is None:
            self.result.set_result(self.submitted.result())
        elif isinstance(error, StopIteration):
            # No asyncio future takes one.
            self.result.set_exception(RuntimeError(f"a native method raised {error!r}"))
        else:
            self.result.set_exception(error)

    # --- in the OS thread of the method ----------------------------------------------------

    def body(self) -> Any:
        """Run the method, in its OS thread, whenever the loop lets it."""
        self.go.acquire()
        self._threads.enter(self)
        try:
            return self.context.run(self._function)
        finally:
            self.over = True
            self.back.release()

    def block(self, ended: threading.Event, seconds: float | None) -> bool:
        """Let the loop go on until ``ended``, ``seconds`` at most; return whether it ended."""
        self._check_alive()
        if not ended.is_set():
            if seconds is not None:
                self._expiry = self._threads.later(seconds, self.resume)
            self.ended = ended
            self.back.release()
            self.go.acquire()
            if self.severed:
                self._check_alive()
        return ended.is_set()

    def _check_alive(self) -> None:
        if self._threads.closing:
            raise WrongContextError("the world of this kernel thread has ended")
        if self.severed:
            raise WrongContextError(_CRASHED)
