"""How often the nodes are called: from the differences between looks at their statistics.

Time is each node's own, from its ``uptime_seconds``. The first look at a node gives the mean since
its start, which is better than nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.http.browser.bounds import NODES_REMEMBERED_MAX, RATES_KEPT

SECONDS_MIN = 0.5
"""Looks nearer to each other than this are one: what happened in between is chance."""


@dataclass(slots=True)
class _Looks:
    seconds: float
    calls: float
    mean: float
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=RATES_KEPT))


class Rates:
    """The calls per second of nodes, as those saw them who share this object."""

    def __init__(self) -> None:
        self._looks: dict[str, _Looks] = {}

    def note(self, node: str, seconds: float, calls: float) -> None:
        """Take a look: the node runs since ``seconds`` and has invoked ``calls`` methods."""
        looks = self._looks.pop(node, None)
        if looks is None or seconds < looks.seconds:
            # Never seen, or started again.
            looks = _Looks(seconds, calls, calls / max(seconds, SECONDS_MIN))
        elif seconds - looks.seconds >= SECONDS_MIN:
            looks.rates.append(max(0.0, calls - looks.calls) / (seconds - looks.seconds))
            looks.seconds, looks.calls = seconds, calls
        # Last in the order: the nodes that nobody looks at are forgotten first.
        self._looks[node] = looks
        while len(self._looks) > NODES_REMEMBERED_MAX:
            del self._looks[next(iter(self._looks))]

    def rate(self, node: str) -> float:
        """Return the calls per second between the last two looks, 0 for a node never seen."""
        looks = self._looks.get(node)
        if looks is None:
            return 0.0
        return looks.rates[-1] if looks.rates else looks.mean

    def curve(self, node: str) -> Sequence[float]:
        """Return the rates of the last looks, the newest last."""
        looks = self._looks.get(node)
        return () if looks is None else tuple(looks.rates)
