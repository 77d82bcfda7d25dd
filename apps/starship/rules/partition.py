"""Who computes what: the units of a step shared out by cost and speed (design, section 13).

Who computes a unit never changes its result, so this is the one place of the game where speeds are
measured and fractions are allowed. The same input still gives the same partition.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COSTS = {"nav": 1.0, "tac": 2.0, "com": 1.0}
"""What units cost, by group; only ratios count."""

FIRST_SPEED = 100.0
"""Speed of the first server of a game, in units of cost for a busy second; only ratios count."""


class Server(NamedTuple):
    """A server as the partition sees it: its id, and units of cost it does in a busy second."""

    id: str
    speed: float


def share(costs: Mapping[str, float], servers: Sequence[Server]) -> dict[str, list[str]]:
    """Return which server computes which objects.

    ``costs`` are by name of the object. The dearest go first, of equal ones the first by name; each
    goes to the server that would be done with it first, of equal ones the first by id. A live
    server that would get nothing gets the cheapest object there is.

    >>> share({"o1": 4, "o2": 4, "o3": 4}, [Server("A", 100), Server("B", 50)])
    {'A': ['o1', 'o2'], 'B': ['o3']}
    """
    shares: dict[str, list[str]] = {server.id: [] for server in servers}
    loads = dict.fromkeys(shares, 0.0)
    speeds = {server.id: max(server.speed, 1e-9) for server in servers}
    for name in sorted(costs, key=lambda name: (-costs[name], name)):
        chosen = min(shares, key=lambda id: ((loads[id] + costs[name]) / speeds[id], id))
        shares[chosen].append(name)
        loads[chosen] += costs[name]
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


def first_speed(others: Sequence[float]) -> float:
    """Return the speed a server starts with: half the median of those there are."""
    return statistics.median(others) / 2 if others else FIRST_SPEED
