"""A clock that never goes back and never leaps, however the machine's own clock is set.

Replicas propose it as the time of batches and wait by it; clients number their requests by it.
"""

from __future__ import annotations

CATCH_UP = 0.05
"""The part of the time that passes by which it comes nearer to the machine's clock: at most, so
waiting takes at most a twentieth longer or shorter."""


class SteadyClock:
    """Follows a wall clock at the pace of a monotonic one; `read` is told both, in seconds."""

    def __init__(self) -> None:
        self._monotonic: float | None = None
        self._now = 0.0

    def read(self, monotonic: float, wall: float) -> float:
        """Return what time it is; the first time that is ``wall``."""
        if self._monotonic is None:
            self._now = wall
        else:
            passed = max(0.0, monotonic - self._monotonic)
            most = passed * CATCH_UP
            expected = self._now + passed
            self._now = expected + min(most, max(-most, wall - expected))
        self._monotonic = monotonic
        return self._now
