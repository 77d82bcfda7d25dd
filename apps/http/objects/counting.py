"""How requests are counted: by site, method, kind of status and time, at 0.5 us for each.

The counts stand in the counters of the node (`vista.counters`), so its statistics tell them, here
and to peers; `HTTPmetrics` shows them. Two rules. Which names there are no client decides: methods
that are not known count as one. What is counted for each request is looked up in tables that were
made once for the site.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

BUCKETS = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
)  # fmt: skip
"""Seconds within which a request is answered; each is counted at the first one that holds it. From
a page in memory, which takes 20 us, to what nobody waits for."""
BOUNDS = (*map(str, BUCKETS), "+Inf")
"""The same as texts, and the one that holds the rest."""

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""The methods that are counted apart, all others together as ``other``."""
OTHER = "other"
"""The method of requests whose method is none of those."""
INVALID = "invalid"
"""The method of what was no request at all, and was refused."""

REQUESTS = "HTTPrequests"
"""Begins the names of counts of requests: ``HTTPrequests/METHOD/2xx/SITE``."""
WITHIN = "HTTPanswersWithin"
"""Begins those of answers by time: ``HTTPanswersWithin/0.005/SITE``, the last one ``+Inf``."""
SECONDS = "HTTPanswerSeconds"
"""Begins the name of the sum of their times: ``HTTPanswerSeconds/SITE``."""
BYTES = "HTTPbytesSent"
"""Begins the name of the sum of the bytes of bodies that were sent: ``HTTPbytesSent/SITE``."""


@dataclass(frozen=True, slots=True)
class CountNames:
    """The names under which the requests of one site are counted; `names_of` makes them."""

    requests: dict[str, tuple[str, ...]]
    others: tuple[str, ...]
    within: tuple[str, ...]
    seconds: str
    bytes_sent: str


@functools.lru_cache(maxsize=1024)
def names_of(site: str) -> CountNames:
    """Return the names for a site; of its statuses, the first stands for all that are none."""
    words = {
        method: tuple(f"{REQUESTS}/{method}/{digit}xx/{site}" for digit in (5, 1, 2, 3, 4, 5))
        for method in (*METHODS, OTHER, INVALID)
    }
    within = tuple(f"{WITHIN}/{bound}/{site}" for bound in BOUNDS)
    return CountNames(words, words[OTHER], within, f"{SECONDS}/{site}", f"{BYTES}/{site}")


def count_rejected(counters: defaultdict[str, float], names: CountNames, status: int) -> None:
    """Count what was no request; nobody made its answer, so it took no time."""
    counters[names.requests[INVALID][status // 100 if 100 <= status <= 599 else 0]] += 1


def count_answer(
    counters: defaultdict[str, float], names: CountNames, method: str, status: int, seconds: float
) -> None:
    """Count an answer that was made in so many seconds."""
    kinds = names.requests.get(method, names.others)
    counters[kinds[status // 100 if 100 <= status <= 599 else 0]] += 1
    counters[names.within[bisect_left(BUCKETS, seconds)]] += 1
    counters[names.seconds] += seconds
