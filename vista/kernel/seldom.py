"""A log of what happens so often that of each reason only the first is told, and now and then more.

A node that ends takes with it what was on its way there, and that is often hundreds of posts; some
objects go on sending to it for as long as it is away. And who is refused may try as often as he
likes, and in as many ways. Two rules. A reason that goes on is silent for twice as long each time.
And reasons without number are some lines, and one that there are others.
"""

from __future__ import annotations

from logging import Logger
from typing import Final

SILENCE_SECONDS: Final = 10.0
"""For how long a reason is not logged again: about as long as it takes a node to be given up."""

SILENCE_SECONDS_MAX: Final = 3600.0
"""For how long at most: what lasts for a day is worth a line an hour."""

REASONS_MAX: Final = 100
"""Reasons that are remembered meanwhile; they name objects and nodes, of which there are many."""


class SeldomLog:
    """Writes ``words`` and a reason to ``log``: the first for a reason, and how many more were.

    A reason that comes again is silent for ``seconds`` at first; ``reasons_max`` are told apart.
    """

    def __init__(
        self,
        log: Logger,
        words: str,
        *,
        seconds: float = SILENCE_SECONDS,
        reasons_max: int = REASONS_MAX,
    ) -> None:
        self._log = log
        self._words = words
        self._seconds = seconds
        self._reasons_max = reasons_max
        self.others = f"for other reasons, of which there are more than {reasons_max} at a time"
        """What stands for the reasons beyond those."""
        # When the silence of each ends and how long it is.
        self._silences: dict[str, tuple[float, float]] = {}
        # Before that none of them is over.
        self._room_at = 0.0
        self._more: dict[str, int] = {}

    def note(self, reason: str, now: float) -> None:
        """Take note of one that was for ``reason`` at time ``now``, in seconds."""
        if reason not in self._silences and len(self._silences) >= self._reasons_max - 1:
            if now >= self._room_at:
                self._forget(now)
            if len(self._silences) >= self._reasons_max - 1:
                reason = self.others
        end, seconds = self._silences.get(reason, (now, 0.0))
        if now < end:
            self._more[reason] = self._more.get(reason, 0) + 1
            return
        # Where it was over in between it is logged as if it had never been.
        lasts = seconds > 0.0 and now < end + seconds
        seconds = min(2 * seconds, SILENCE_SECONDS_MAX) if lasts else self._seconds
        self._silences[reason] = (now + seconds, seconds)
        more = self._more.pop(reason, 0)
        since = f", after {more} more for this reason" if more else ""
        self._log.warning("%s%s: %s", self._words, since, reason)

    def _forget(self, now: float) -> None:
        """Make room for others: forget the reasons that are over."""
        for reason, (end, seconds) in list(self._silences.items()):
            if end + seconds <= now:
                del self._silences[reason]
                self._more.pop(reason, None)
        overs = [end + seconds for end, seconds in self._silences.values()]
        self._room_at = min(overs, default=now)
