"""One-way messages that reached nobody: each is counted, and each reason logged once in a while.

A node that ends takes with it what was on its way there, and that is often hundreds of posts; some
objects go on sending to it for as long as it is away.
"""

from __future__ import annotations

from logging import Logger

from vista.kernel.statistics import Counters

LOST_SECONDS = 10.0
"""For how long a reason is not logged again: about as long as it takes a node to be given up. One
that lasts is silent for twice as long each time."""

LOST_SECONDS_MAX = 3600.0
"""For how long at most: what lasts for a day is worth a line an hour."""

LOST_REASONS_MAX = 100
"""Reasons that are remembered meanwhile; they name objects and nodes, of which there are many."""


class LostPosts:
    """Writes to ``log`` that posts were lost: the first for a reason, and how many more were."""

    def __init__(self, log: Logger, counters: Counters) -> None:
        self._log = log
        self._counters = counters
        self._silences: dict[str, tuple[float, float]] = {}
        self._more: dict[str, int] = {}

    def note(self, reason: str, now: float) -> None:
        """Take note of one that was lost at time ``now``, in seconds."""
        self._counters.posts_lost += 1
        end, seconds = self._silences.get(reason, (now, 0.0))
        if now < end:
            self._more[reason] = self._more.get(reason, 0) + 1
            return
        if len(self._silences) >= LOST_REASONS_MAX:
            self._silences.clear()
            self._more.clear()
        # Where it was over in between it is logged as if it had never been.
        lasts = seconds > 0.0 and now < end + seconds
        seconds = min(2 * seconds, LOST_SECONDS_MAX) if lasts else LOST_SECONDS
        self._silences[reason] = (now + seconds, seconds)
        more = self._more.pop(reason, 0)
        since = f" ({more} more were for that reason before)" if more else ""
        self._log.warning("a post was lost: %s%s", reason, since)
