"""What happens so often that only its first is logged: posts that reached nobody, and refusals.

A node that ends takes with it what was on its way there, and that is often hundreds of posts; some
objects go on sending to it for as long as it is away. And who is refused may try as often as he
likes, and in as many ways. Each is counted, and each reason logged once in a while.
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

OTHERS = f"for other reasons, of which there are more than {LOST_REASONS_MAX} at a time"
"""What stands for the reasons beyond that."""


class Seldom:
    """Writes ``words`` and a reason to ``log``: the first for a reason, and how many more were."""

    def __init__(self, log: Logger, words: str) -> None:
        self._log = log
        self._words = words
        self._silences: dict[str, tuple[float, float]] = {}
        self._more: dict[str, int] = {}

    def note(self, reason: str, now: float) -> None:
        """Take note of one that was for ``reason`` at time ``now``, in seconds."""
        if reason not in self._silences and len(self._silences) >= LOST_REASONS_MAX - 1:
            self._forget(now)
            if len(self._silences) >= LOST_REASONS_MAX - 1:
                reason = OTHERS
        end, seconds = self._silences.get(reason, (now, 0.0))
        if now < end:
            self._more[reason] = self._more.get(reason, 0) + 1
            return
        # Where it was over in between it is logged as if it had never been.
        lasts = seconds > 0.0 and now < end + seconds
        seconds = min(2 * seconds, LOST_SECONDS_MAX) if lasts else LOST_SECONDS
        self._silences[reason] = (now + seconds, seconds)
        more = self._more.pop(reason, 0)
        since = f" ({more} more were for that reason before)" if more else ""
        self._log.warning("%s: %s%s", self._words, reason, since)

    def _forget(self, now: float) -> None:
        """Make room for others: forget the reasons that are over."""
        for reason, (end, seconds) in list(self._silences.items()):
            if end + seconds <= now:
                del self._silences[reason]
                self._more.pop(reason, None)


class LostPosts(Seldom):
    """Counts posts that were lost, and writes each reason to ``log`` once in a while."""

    def __init__(self, log: Logger, counters: Counters) -> None:
        super().__init__(log, "a post was lost")
        self._counters = counters

    def note(self, reason: str, now: float) -> None:
        """Take note of one that was lost at time ``now``, in seconds."""
        self._counters.posts_lost += 1
        super().note(reason, now)
