"""The hub: where a kernel gets time, scheduling and randomness.

A kernel reads no clock, rolls no dice and starts no thread of its own: it asks the hub it was
given. `AsyncioHub` is the real world; `vista.testing.SimulatedHub` is a virtual one in which a seed
decides everything. Both have an asyncio event loop: the simulated one runs in virtual time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol


class Hub(Protocol):
    """What a kernel asks of the world around it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which everything of the node runs."""

    @property
    def random(self) -> random.Random:
        """Dice for decisions that need not be secret."""

    def time(self) -> float:
        """Seconds on a clock that never goes back; its zero means nothing."""

    def wall_time(self) -> float:
        """Seconds since 1970, UTC; may jump."""

    def entropy(self, count: int) -> bytes:
        """``count`` bytes nobody can guess (in a simulation: that the seed decides)."""

    def order(self, ready: deque[Any]) -> None:
        """Rearrange what is ready to run in this turn; the real world leaves it as it is."""

    def run_native(self, context: Context, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run ``function`` in a kernel thread, within ``context``."""

    def spread(self) -> bool:
        """Whether a call that could run nested is to be queued instead; the real world: never."""

    def block(self, ended: threading.Event, seconds: float | None) -> bool:
        """Block an OS thread that is not the loop's until ``ended``; return whether it ended.

        It returns False after ``seconds``; with None when the loop has stopped.
        """

    def close(self) -> None:
        """Give back what the hub holds."""


class AsyncioHub:
    """The real world: the operating system's clock and dice, and an asyncio loop.

    ``native_threads_max`` bounds the kernel threads that run ``@native`` methods. With
    ``loop=None`` a new loop is made: uvloop's where it is installed, else asyncio's own.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, *, native_threads_max: int = 32
    ) -> None:
        self._owns_loop = loop is None
        self.loop: asyncio.AbstractEventLoop = _new_loop() if loop is None else loop
        self.random = random.Random(secrets.randbits(64))
        self.time = time.monotonic
        self.wall_time = time.time
        self.entropy = secrets.token_bytes
        self._native_threads_max = native_threads_max
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def order(self, ready: deque[Any]) -> None:
        """First come, first served."""

    def spread(self) -> bool:
        """A call that can run nested does."""
        return False

    def block(self, ended: threading.Event, seconds: float | None) -> bool:
        """Block the calling OS thread until ``ended``, or ``seconds``, or the end of the loop."""
        if seconds is not None:
            return ended.wait(seconds)
        while not ended.wait(0.5):
            if not self.loop.is_running():
                return False
        return True

    def run_native(self, context: Context, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run ``function`` in one of the pool's kernel threads, within ``context``."""
        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(
                self._native_threads_max, thread_name_prefix="vista-native"
            )
        return self.loop.run_in_executor(self._pool, context.run, function)

    def close(self) -> None:
        """Close the loop if the hub made it, and let the kernel threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._owns_loop and not self.loop.is_closed():
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
