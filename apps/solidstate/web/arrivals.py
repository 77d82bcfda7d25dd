"""How many sessions an address may begin: some at once, and then so many in a minute.

No clock here: the time is an argument, in seconds of any clock that runs evenly.
"""

from __future__ import annotations

from collections import OrderedDict

from apps.http.content.attempts import place_of
from apps.solidstate.web.bounds import ADDRESSES_MAX, SESSIONS_AT_ONCE


class Arrivals:
    """The sessions that addresses begin; addresses of IPv6 count by their network of 64 bits.

    ``per_minute`` in the long run, 0 for as many as anybody likes; ``at_once`` before that.

    >>> arrivals = Arrivals(per_minute=60, at_once=2)
    >>> [arrivals.begin("10.0.0.1", 1000.0) for _ in range(3)], arrivals.begin("10.0.0.1", 1001.0)
    ([True, True, False], True)
    """

    def __init__(
        self,
        per_minute: float,
        at_once: int = SESSIONS_AT_ONCE,
        addresses_max: int = ADDRESSES_MAX,
    ) -> None:
        self._per_second = per_minute / 60
        self._at_once = at_once
        self._max = addresses_max
        # Address to (how many it has left, at which time).
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def begin(self, address: str, now: float) -> bool:
        """Begin a session, or say that the address has begun too many."""
        if not self._per_second:
            return True
        place = place_of(address)
        left = self._left(place, now)
        if left < 1:
            return False
        self._known[place] = (left - 1, now)
        self._known.move_to_end(place)
        if len(self._known) > self._max:
            self._known.popitem(last=False)
        return True

    def give_back(self, address: str) -> None:
        """Undo a `begin` that turned out to begin nothing."""
        known = self._known.get(place_of(address))
        if known is not None:
            self._known[place_of(address)] = (known[0] + 1, known[1])

    def _left(self, place: str, now: float) -> float:
        left, at = self._known.get(place, (float(self._at_once), now))
        return min(float(self._at_once), left + (now - at) * self._per_second)

    def __len__(self) -> int:
        return len(self._known)
