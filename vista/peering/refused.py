"""Which refused peers the log tells of: a peer tries for ever, and anybody can invent keys.

Sans-io: it is told the time.
"""

from __future__ import annotations

from typing import Final

TOLD_AGAIN_SECONDS: Final = 600.0
"""How long a key that was refused is not told of again."""

TOLD_MAX: Final = 32
"""Different keys that are told of in that time."""


class Refused:
    """The keys that were refused and told of lately."""

    def __init__(self) -> None:
        self._told: set[bytes] = set()
        self._ends = 0.0

    def words(self, key: bytes, words: str, now: float) -> str:
        """Return what the log is to say of a peer that is refused: ``words``, or nothing."""
        if now >= self._ends:
            self._told.clear()
            self._ends = now + TOLD_AGAIN_SECONDS
        if key in self._told or len(self._told) >= TOLD_MAX:
            return ""
        self._told.add(key)
        if len(self._told) < TOLD_MAX:
            return words
        seconds = f"{self._ends - now:.0f} s"
        return f"{words}; more peers with unknown keys are refused and not told of for {seconds}"

    def let_in(self, key: bytes) -> None:
        """Take note that a key is admitted: if it is refused later, that is told."""
        self._told.discard(key)
