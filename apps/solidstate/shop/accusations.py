"""Which replica is said to lie, by whom: what the proxies of a pool count, taken together.

Each proxy counts the answers of a replica that differed from the proven ones. One proxy alone may
be the liar. So a replica is accused when as many machines as one more than may be faulty, none of
them its own, have counted a further one within some seconds.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

ACCUSED_SECONDS = 20.0
"""How long a word counts: a replica that is well again is used again after that."""

ACCUSERS_MAX = 1_000
"""Machines whose words are kept; the oldest go."""

WORDS_MAX = 100
"""Replicas that one machine accuses at once; further ones are not heard. Pools are smaller."""


class Accusations:
    """What the machines of one pool say; machines have any names."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, dict[int, int]] = {}
        self._said: dict[Hashable, dict[int, float]] = {}

    def hear(self, machine: Hashable, counts: Mapping[int, int], now: float) -> None:
        """Take note of what a machine has counted so far, by replica."""
        # The first time nobody knows when that was; and one that began anew counts from nothing.
        known = self._counts.pop(machine, None)
        self._counts[machine] = dict(counts)
        if len(self._counts) > ACCUSERS_MAX:
            oldest = next(iter(self._counts))
            del self._counts[oldest]
            self._said.pop(oldest, None)
        if known is None:
            return
        said = {
            replica: at
            for replica, at in self._said.get(machine, {}).items()
            if now - at <= ACCUSED_SECONDS
        }
        for replica, count in counts.items():
            further = count and count != known.get(replica, 0)
            if further and (replica in said or len(said) < WORDS_MAX):
                said[replica] = now
        self._said[machine] = said

    def accusers(self, replica: int, own: Hashable, now: float) -> list[Hashable]:
        """Return who accuses a replica at present; ``own`` is its own machine."""
        return [
            machine
            for machine, said in self._said.items()
            if machine != own and now - said.get(replica, -math.inf) <= ACCUSED_SECONDS
        ]
