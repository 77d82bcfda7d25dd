"""Who computes what: the units of a step shared out by cost and speed (design, section 13).

Who computes a unit never changes its result, so this is the one place of the game where speeds are
measured and fractions are allowed. The same input still gives the same partition.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COSTS = {"nav": 1.0, "tac": 2.0, "com": 1.0}
"""What units cost, by group; only ratios count."""

FIRST_SPEED = 100.0
"""Speed of the first server of a game, in units of cost for a busy second; only ratios count."""


class Server(NamedTuple):
    """A server as the partition sees it: its id, and units of cost it does in a busy second.

    ``standing`` are the seconds of a step that it is busy with what cannot be shared out.
    """

    id: str
    speed: float
    standing: float = 0.0


def share(costs: Mapping[str, float], servers: Sequence[Server]) -> dict[str, list[str]]:
    """Return which server computes which objects.

    ``costs`` are by name of the object. The dearest go first, of equal ones the first by name; each
    goes to the server that would be done with it first, of equal ones the first by id. A live
    server that would get nothing gets the cheapest object there is.

    >>> share({"o1": 4, "o2": 4, "o3": 4}, [Server("A", 100), Server("B", 50)])
    {'A': ['o1', 'o2'], 'B': ['o3']}
    """
    shares: dict[str, list[str]] = {server.id: [] for server in servers}
    speeds = {server.id: max(server.speed, 1e-9) for server in servers}
    loads = {server.id: server.standing * speeds[server.id] for server in servers}
    ids = sorted(shares)
    # Written out: every step of a large galaxy waits for it.
    for name in sorted(sorted(costs), key=costs.__getitem__, reverse=True):
        cost, chosen, least = costs[name], "", math.inf
        for id in ids:
            end = (loads[id] + cost) / speeds[id]
            if end < least:
                chosen, least = id, end
        shares[chosen].append(name)
        loads[chosen] += cost
    _feed_idle(shares, costs)
    return shares


def _feed_idle(shares: dict[str, list[str]], costs: Mapping[str, float]) -> None:
    for idle in sorted(id for id, names in shares.items() if not names):
        rich = [id for id, names in shares.items() if len(names) > 1]
        if rich:
            name, owner = min(((costs[name], name), id) for id in rich for name in shares[id])
            shares[owner].remove(name[1])
            shares[idle].append(name[1])


def next_speed(old: float, cost: float, busy_seconds: float) -> float:
    """Return the speed of a server after a step in which it did ``cost`` in ``busy_seconds``."""
    if busy_seconds <= 0 or cost <= 0:
        return old
    return (7 * old + 3 * cost / busy_seconds) / 10


def next_standing(old: float, seconds: float) -> float:
    """Return the standing work of a server after a step in which that took it ``seconds``."""
    return (7 * old + 3 * seconds) / 10 if old else seconds


def first_speed(others: Sequence[float]) -> float:
    """Return the speed a server starts with: half the median of those there are."""
    return statistics.median(others) / 2 if others else FIRST_SPEED
