"""Timers: one heap per kernel, one timer of the loop for the earliest entry.

``asyncio.wait_for`` costs 8 us a call; an entry here costs less than one. Most timers are bounds
on calls and are cancelled long before they are due, so cancelled entries are dropped in bulk
when they are the majority.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from typing import Any

from vista.kernel.hub import Hub

_CANCELLED_MIN = 256

_AFTER_EARLY_SECONDS = 0.001
"""The least delay after a call that came early: uvloop rounds to ms, and half of one to none."""


class Timer:
    """One entry: ``callback()`` is called at ``due`` unless `cancel` comes first."""

    __slots__ = ("_timers", "callback", "due")

    def __init__(self, timers: Timers, due: float, callback: Callable[[], Any]):
        self._timers = timers
        self.due = due
        self.callback: Callable[[], Any] | None = callback

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""
        if self.callback is not None:
            self.callback = None
            self._timers.count_cancelled += 1
            if self._timers.count_cancelled > _CANCELLED_MIN:
                self._timers.sweep()


class Timers:
    """The timers of one kernel. Times are the hub's seconds."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # When, the how manieth, and what. Tuples are compared without a function in Python, and a
        # timer among hundreds is compared a dozen times until it is cancelled.
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = 0
        self.count_cancelled = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._disordered = False
        # Callbacks are nobody's code; the thread that happened to arm the timer is not theirs.
        self._context = contextvars.Context()

    def __len__(self) -> int:
        return len(self._heap) - self.count_cancelled

    def call_later(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call ``callback()`` on the loop after ``seconds``; return the timer to cancel it."""
        return self.call_at(self._hub.time() + seconds, callback)

    def call_at(self, due: float, callback: Callable[[], Any]) -> Timer:
        """Call ``callback()`` on the loop at ``due``, in the hub's seconds."""
        if self._disordered:
            self._rebuild()
        self._number = number = self._number + 1
        timer = Timer(self, due, callback)
        try:
            heapq.heappush(self._heap, (due, number, timer))
            if self._heap[0][1] == number:
                self._arm()
        except RecursionError:
            # A method that recurses without end came to its last frame here.
            timer.callback = None
            self._disordered = True
            raise
        return timer

    def sweep(self) -> None:
        """Drop the cancelled entries when they are the majority."""
        if self.count_cancelled * 2 > len(self._heap):
            self._rebuild()

    def _rebuild(self) -> None:
        heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(heap)
        self._heap = heap
        self.count_cancelled = 0
        self._disordered = False

    def _arm(self, seconds_min: float = 0.0) -> None:
        """Have the loop wake for the earliest entry, and not before ``seconds_min`` have passed."""
        if not self._heap:
            return
        due = self._heap[0][0]
        known = self._handle
        if known is not None and self._armed_for <= due:
            return
        delay = max(seconds_min, due - self._hub.time())
        self._handle = self._hub.loop.call_later(delay, self._run, context=self._context)
        self._armed_for = due
        if known is not None:
            known.cancel()

    def _run(self) -> None:
        self._handle = None
        if self._disordered:
            self._rebuild()
        now = self._hub.time()
        is_early = True
        try:
            # The loop may call a clock's tick early. A callback may replace the heap.
            while self._heap and self._heap[0][0] <= now + 1e-6:
                is_early = False
                _, _, timer = heapq.heappop(self._heap)
                callback, timer.callback = timer.callback, None
                if callback is None:
                    self.count_cancelled -= 1
                else:
                    callback()
        finally:
            # A callback that raises must not stop the others. After an early call the rest of the
            # tick would be rounded to nothing, and the loop would spin until it is over.
            self._arm(_AFTER_EARLY_SECONDS if is_early else 0.0)

    def close(self) -> None:
        """Forget every timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._heap.clear()
        self.count_cancelled = 0
