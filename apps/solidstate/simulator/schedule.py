"""Virtual time: what happens next, and the running digest by which two runs are compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush

EVENTS_SHOWN = 40
"""Events of the trace that a failure shows."""


class Schedule:
    """The events of one run in the order of their times, and the trace of what happened.

    ``now`` is in seconds. ``tell`` gets every line of the trace; without it the last ones are kept,
    and lines about single messages are not even made.
    """

    def __init__(self, tell: Callable[[str], object] | None = None) -> None:
        self.now = 0.0
        self.events = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._digest = blake2b(digest_size=16)
        self._tell = tell
        self._lines: deque[str] = deque(maxlen=EVENTS_SHOWN)

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Have ``action`` called at ``time``, after what was put there before."""
        self._count += 1
        heappush(self._queue, (max(time, self.now), self._count, action))

    def step(self) -> bool:
        """Let the next event happen; false when there is none."""
        if not self._queue:
            return False
        self.now, count, action = heappop(self._queue)
        self.events += 1
        self._digest.update(b"%d %.6f\n" % (count, self.now))
        action()
        return True

    def note(self, words: str) -> None:
        """Add a line to the trace."""
        self._digest.update(words.encode())
        self._lines.append(f"{self.now:9.4f}  {words}")
        if self._tell is not None:
            self._tell(self._lines[-1])

    def detail(self, words: Callable[[], str]) -> None:
        """Add a line that only a whole trace has; its words are only made for that."""
        if self._tell is not None:
            self._tell(f"{self.now:9.4f}  {words()}")

    def last(self) -> str:
        """Return the last lines of the trace."""
        return "\n".join(self._lines)

    def digest(self) -> str:
        """Return the digest of everything that happened."""
        return self._digest.hexdigest()
