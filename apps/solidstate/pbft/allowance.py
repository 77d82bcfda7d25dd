"""What each other replica is given of this one's link when it asks for states and batches.

A fetch is small and what answers it is not: without a bound one faulty replica could have a correct
one do nothing but send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class Allowance:
    """Counts what each other replica was given: a second's worth at once, then as time passes.

    Who asks for more gets nothing, as if the message had been lost: it asks others, or again later.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._left: dict[Principal, float] = {}
        self._since: dict[Principal, float] = {}

    def allows(self, to: Principal, size: int) -> bool:
        """Tell whether a replica may be sent ``size`` bytes, and count them if so."""
        now, rate = self._replica.now, float(self._replica.config.served_bytes_per_second)
        passed = now - self._since.get(to, now)
        left = min(rate, self._left.get(to, rate) + passed * rate)
        self._since[to] = now
        # Whoever has anything left gets a whole answer, which may be more than that.
        self._left[to] = left - size if left > 0 else left
        return left > 0
