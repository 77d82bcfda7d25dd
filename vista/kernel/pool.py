"""The pool: idle workers that wait for the next message.

Those above the bound end a little later, a few at a time: so the threads of a crowd that wakes do
not wait for one another's greenlets to be taken apart, which is a third of what resuming one costs.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Final

from vista.kernel import bounds

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.threads import Worker

TRIM_SECONDS: Final = 0.01

TRIMMED_MAX: Final = 128
"""Workers that end at once, which takes a quarter of a millisecond."""


class Pool:
    """The idle workers of a kernel. ``workers`` are they, the one that worked last at the end."""

    def __init__(self, kernel: Kernel) -> None:
        self.workers: list[Worker] = []
        self._kernel = kernel
        self._workers_max = kernel.limits.pooled_workers_max
        self._trimming = False
        self._closed = False

    def take(self, worker: Worker) -> bool:
        """Take a worker that has nothing to do; False when it should end, as the node stops."""
        if worker.timer is not None:
            bounds.forget(worker)
        if self._closed:
            return False
        self.workers.append(worker)
        if len(self.workers) > self._workers_max and not self._trimming:
            self._trim_soon()
        return True

    def _trim_soon(self) -> None:
        self._trimming = True
        # Not one of the kernel's timers: those are of calls and of applications.
        self._kernel.hub.loop.call_later(TRIM_SECONDS, self._trim, context=Context())

    def _trim(self) -> None:
        """End some of the workers above the bound, those that have rested longest."""
        self._trimming = False
        surplus = len(self.workers) - self._workers_max
        if self._closed or surplus <= 0:
            return
        self._end(min(surplus, TRIMMED_MAX))
        if surplus > TRIMMED_MAX:
            self._trim_soon()

    def _end(self, count: int) -> None:
        ending = self.workers[:count]
        del self.workers[:count]
        for worker in ending:
            worker.message = None
            worker.greenlet.switch()

    def close(self) -> None:
        """Let all end."""
        self._closed = True
        self._end(len(self.workers))
