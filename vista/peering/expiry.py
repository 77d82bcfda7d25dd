"""The bound on calls to other nodes: one timer for all that threads are parked for.

A timer for each would cost a tenth of a call. All calls have the same bound, so they are late in
the order in which they began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vista.errors import CallTimeout

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.timers import Timer
    from vista.peering.remote import RemoteFuture

_EARLY: Final = 1e-6
"""Seconds by which the loop may call a timer before its time."""


class Expiry:
    """Ends the calls of a node that threads are parked for when ``limits.call_seconds`` are over.

    ``pending`` are the calls under way; ``timer`` is there while one of them is watched.
    """

    def __init__(self, kernel: Kernel, pending: dict[int, RemoteFuture]) -> None:
        self._kernel = kernel
        self._pending = pending
        self._seconds = kernel.limits.call_seconds
        self.timer: Timer | None = None

    def watch(self, future: RemoteFuture) -> None:
        """See to it that a call for which a thread parks ends in time."""
        if self.timer is None:
            due = future.created + self._seconds
            self.timer = self._kernel.timers.call_at(due, self._end_late)

    def _end_late(self) -> None:
        self.timer = None
        now = self._kernel.hub.time() + _EARLY
        parked = [one for one in self._pending.values() if one.parked is not None]
        # One that was held back, and so has another number, stands behind younger ones.
        for future in sorted(parked, key=lambda one: one.created):
            if future.created + self._seconds > now:
                self.watch(future)
                return
            future.abandon(CallTimeout(f"{future.words} did not answer in time"))
