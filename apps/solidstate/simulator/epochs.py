"""Reconfigurations that a seed draws: who comes and who goes, with no epoch more than f faulty.

Over all epochs there may be far more than f faulty replicas. They conspire: what they sign together
must be worth nothing, as each of them counts in its own epochs only.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from apps.solidstate.pbft.quorums import Quorums

KINDS = ("replace", "replace", "add", "remove", "grow", "shrink", "all", "same")
"""What a reconfiguration does; what does not fit is replaced by replacing one."""

REPLICAS_MOST = 8
"""Members beyond which a simulated group does not grow."""


@dataclass(frozen=True)
class Epochs:
    """The members of each epoch after the first one, and all that are faulty."""

    members: tuple[tuple[int, ...], ...]
    faulty: frozenset[int]


def draw_epochs(
    random: Random, replicas: int, faulty: frozenset[int], spared: int, half: bool = False
) -> Epochs:
    """Return one to three reconfigurations of a group of ``replicas``, some of which are faulty.

    ``spared`` faults are needed for something else in every epoch; ``half`` says that 2f + 1
    replicas tolerate f, as they only crash or have trusted counters.
    """
    numbers = tuple(range(replicas))
    bad = set(faulty)
    drawn: list[tuple[int, ...]] = []
    fresh = replicas
    for _ in range(random.randint(1, 3)):
        gone, come = _draw_step(random, len(numbers), 3 if half else 4)
        added = range(fresh, fresh + come)
        fresh += come
        size = len(numbers) - gone + come
        most = Quorums(size, crash_only=half).faults - spared
        # The faulty ones leave first where the next epoch tolerates fewer of them.
        present = sorted(set(numbers) & bad)
        leaving = present[max(most, 0) :][:gone]
        if random.random() < 0.7:
            # Those who leave in good time make room for others: conspirators become many.
            leaving = present[:gone]
        while len(leaving) < gone:
            leaving.append(random.choice([one for one in numbers if one not in leaving]))
        numbers = tuple(one for one in numbers if one not in leaving) + tuple(added)
        for number in added:
            if len(bad & set(numbers)) < most and random.random() < 0.8:
                bad.add(number)
        if len(bad & set(numbers)) > most:
            break
        drawn.append(numbers)
    return Epochs(tuple(drawn), frozenset(bad))


def _draw_step(random: Random, size: int, least: int) -> tuple[int, int]:
    """Return how many leave and how many come."""
    kind = random.choice(KINDS)
    if kind == "add" and size < REPLICAS_MOST:
        return 0, 1
    if kind == "grow" and size + least - 1 <= REPLICAS_MOST:
        return 0, least - 1
    if kind == "remove" and size > least:
        return 1, 0
    if kind == "shrink" and size > least:
        return size - least, 0
    if kind == "all":
        return size, size
    return (0, 0) if kind == "same" else (1, 1)
