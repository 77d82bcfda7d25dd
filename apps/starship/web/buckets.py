"""How often an address may do something: a bucket of tokens for each.

No clock here: the time is an argument. Addresses of IPv6 count by their network of 64 bits, of
which everybody has one for himself.
"""

from __future__ import annotations

from collections import OrderedDict

from apps.http.content.attempts import place_of


class Buckets:
    """A bucket for each address, which holds ``burst`` tokens and gets ``rate`` a second.

    >>> buckets = Buckets(rate=2.0, burst=2, addresses_max=10)
    >>> [buckets.take("10.0.0.1", 100.0) for _ in range(3)]
    [0.0, 0.0, 0.5]
    """

    def __init__(self, rate: float, burst: int, addresses_max: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._max = addresses_max
        # Address to (tokens, when they were counted); who was silent longest stands first.
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take a token and return 0.0, or return after how many seconds there is one.

        ``now`` is in seconds, of any clock that runs evenly.
        """
        place = place_of(address)
        tokens, counted = self._known.get(place, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - counted) * self._rate)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._rate
        self._known[place] = (tokens if wait else tokens - 1.0, now)
        self._known.move_to_end(place)
        if len(self._known) > self._max:
            self._known.popitem(last=False)
        return wait

    def give_back(self, address: str) -> None:
        """Take back what `take` took for something that did not happen."""
        place = place_of(address)
        if place in self._known:
            tokens, counted = self._known[place]
            self._known[place] = (min(self._burst, tokens + 1.0), counted)

    def __len__(self) -> int:
        return len(self._known)


class Counts:
    """How many of something each address has at the moment, ``most`` of them at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def has_room(self, address: str) -> bool:
        """Tell whether an address may have one more."""
        return self._held.get(place_of(address), 0) < self._most

    def begin(self, address: str) -> bool:
        """Count one more and return True, or return False if there are too many."""
        if not self.has_room(address):
            return False
        place = place_of(address)
        self._held[place] = self._held.get(place, 0) + 1
        return True

    def end(self, address: str) -> None:
        """Count one less."""
        place = place_of(address)
        left = self._held.get(place, 0) - 1
        if left > 0:
            self._held[place] = left
        else:
            self._held.pop(place, None)
