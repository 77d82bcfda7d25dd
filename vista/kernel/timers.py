"""Timers: one heap per kernel, one timer of the loop for the earliest entry.

``asyncio.wait_for`` costs 8 us a call; an entry here costs less than one. Most timers are bounds
on calls and are cancelled long before they are due, so cancelled entries are dropped in bulk
when they are the majority.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

from vista.kernel.hub import Hub

_CANCELLED_MIN = 256


class Timer:
    """One entry: ``callback()`` is called at ``due`` unless `cancel` comes first."""

    __slots__ = ("_timers", "callback", "due", "number")

    def __init__(self, timers: Timers, due: float, number: int, callback: Callable[[], Any]):
        self._timers = timers
        self.due = due
        self.number = number
        self.callback: Callable[[], Any] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""
        if self.callback is not None:
            self.callback = None
            self._timers.note_cancelled()


class Timers:
    """The timers of one kernel. Times are the hub's seconds."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._heap: list[Timer] = []
        self._number = 0
        self._cancelled = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def call_later(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call ``callback()`` on the loop after ``seconds``; return the timer to cancel it."""
        return self.call_at(self._hub.time() + seconds, callback)

    def call_at(self, due: float, callback: Callable[[], Any]) -> Timer:
        """Call ``callback()`` on the loop at ``due``, in the hub's seconds."""
        self._number += 1
        timer = Timer(self, due, self._number, callback)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._arm()
        return timer

    def note_cancelled(self) -> None:
        """Count a cancelled entry and drop them all when they are the majority."""
        self._cancelled += 1
        if self._cancelled > _CANCELLED_MIN and self._cancelled * 2 > len(self._heap):
            self._heap = [timer for timer in self._heap if timer.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _arm(self) -> None:
        """Have the loop wake for the earliest entry."""
        if not self._heap:
            return
        due = self._heap[0].due
        if self._handle is not None:
            if self._armed_for <= due:
                return
            self._handle.cancel()
        delay = max(0.0, due - self._hub.time())
        self._armed_for = due
        self._handle = self._hub.loop.call_later(delay, self._run)

    def _run(self) -> None:
        self._handle = None
        now = self._hub.time()
        heap = self._heap
        # The loop may call a clock's tick early.
        while heap and heap[0].due <= now + 1e-6:
            timer = heapq.heappop(heap)
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
            heap = self._heap
        self._arm()

    def close(self) -> None:
        """Forget every timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._heap.clear()
        self._cancelled = 0
