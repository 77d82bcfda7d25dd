"""The servers that compute: how fast each is, what it has to do, and who is not believed.

A server is joining until a snapshot was sent to it; it follows the steps without work until it has
shown that its state is the primary's; then it is ready and gets work. One that lied or differs
joins again, and after `FAULTS_MAX` of that it is barred.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.starship.rules.partition import (
    COSTS,
    Server,
    first_speed,
    next_speed,
    next_standing,
    share,
)

JOINING, FOLLOWING, READY, BARRED = "joining", "following", "ready", "barred"

REMEMBERED_MAX = 1_000
"""Servers whose faults are remembered, also when they left and came back."""

FAULTS_MAX = 3
"""After so many results or hashes that were wrong, a server gets no work any more."""

PROBATION_MAX = 64
"""Steps for which a server that was silent again and again gets no work."""

Unit = tuple[str, str]
"""An object and a group."""

_SPLIT_BELOW = 2
"""With fewer objects than this for each server, they are split into their groups."""


@dataclass(slots=True)
class Hand:
    """A server: its speed, its units of this step, and what went wrong.

    ``heard`` says that it sent results in this step, ``silences`` how often it was to and did not,
    ``probation`` how many hashes it must tell in time before it gets work again; ``given`` and
    ``given_before`` are the cost of what it was given in this step and in the one before;
    ``standing`` are the seconds of a step that it is busy with what no other server can do for it.
    """

    id: str
    speed: float
    state: str = JOINING
    missing: set[Unit] = field(default_factory=set)
    given: float = 0.0
    given_before: float = 0.0
    done: int = 0
    late: int = 0
    lost: int = 0
    faults: int = 0
    busy_us: int = 0
    heard: bool = False
    silences: int = 0
    probation: int = 0
    standing: float = 0.0


class Pool:
    """All servers of a game, the primary's own among them."""

    def __init__(self) -> None:
        self.hands: dict[str, Hand] = {}
        self._faults: dict[str, int] = {}

    def add(self, id: str) -> Hand:
        """Add a server, or begin anew with one that is there; it starts with half the median."""
        speeds = [hand.speed for hand in self.hands.values() if hand.state == READY]
        hand = self.hands[id] = Hand(id, first_speed(speeds))
        hand.faults = self._faults.get(id, 0)
        hand.state = BARRED if hand.faults >= FAULTS_MAX else JOINING
        return hand

    def remove(self, id: str) -> set[Unit]:
        """Remove a server; return what it still had to do."""
        hand = self.hands.pop(id, None)
        return set() if hand is None else hand.missing

    def ready(self) -> list[Hand]:
        """Return the servers that get work, in the order of their ids."""
        hands = sorted(self.hands.values(), key=lambda hand: hand.id)
        return [hand for hand in hands if hand.state == READY]

    def suspend(self, id: str) -> None:
        """Give a server that sends nothing no work until it has shown for a while that it is there.

        The more often that happened, the longer, so that one that hangs cannot hold up every step.
        """
        hand = self.hands[id]
        hand.state = FOLLOWING
        hand.probation = min(2**hand.silences, PROBATION_MAX)
        hand.silences += 1

    def has_shown(self, id: str) -> bool:
        """Take note that a server is where it should be; return whether it gets work from now."""
        hand = self.hands[id]
        hand.probation -= 1
        return hand.state == FOLLOWING and hand.probation <= 0

    def distrust(self, id: str) -> set[Unit]:
        """Give a server no work until it has a fresh snapshot; return what it still had to do.

        It may have left meanwhile: its fault is remembered until it comes back.
        """
        self._faults[id] = self._faults.get(id, 0) + 1
        if len(self._faults) > REMEMBERED_MAX:
            del self._faults[next(iter(self._faults))]
        hand = self.hands.get(id)
        if hand is None:
            return set()
        hand.faults = self._faults[id]
        hand.state = BARRED if hand.faults >= FAULTS_MAX else JOINING
        missing, hand.missing = hand.missing, set()
        return missing

    def assign(self, units: Iterable[Unit]) -> dict[str, list[Unit]]:
        """Share units out over the servers that are ready; return who computes what."""
        hands = self.ready()
        objects, costs = _by_object(units)
        if not hands or not objects:
            return {}
        if len(objects) < _SPLIT_BELOW * len(hands):
            objects = {f"{unit[0]} {unit[1]}": [unit] for own in objects.values() for unit in own}
            costs = {name: _cost(own[0]) for name, own in objects.items()}
        found = share(costs, [Server(hand.id, hand.speed, hand.standing) for hand in hands])
        shares = {id: [u for name in names for u in objects[name]] for id, names in found.items()}
        for id, own in shares.items():
            self._note_given(self.hands[id], own, sum(map(costs.__getitem__, found[id])))
        return shares

    def give(self, id: str, units: Iterable[Unit]) -> None:
        """Take note that a server is to compute some units, which others have as well."""
        own = list(units)
        self._note_given(self.hands[id], own, sum(map(_cost, own)))

    @staticmethod
    def _note_given(hand: Hand, units: Iterable[Unit], cost: float) -> None:
        hand.missing.update(units)
        hand.given += cost

    def begin(self) -> None:
        """Begin a step: nobody has anything to do."""
        for hand in self.hands.values():
            hand.missing.clear()
            hand.heard = False
            hand.given_before, hand.given = hand.given, 0.0

    def note_done(self, id: str, busy_us: int, before: bool = False) -> None:
        """Take note of how long a server was busy with what it was given of the step.

        ``before``: of the step before the one that was begun last.
        """
        hand = self.hands.get(id)
        if hand is not None:
            hand.busy_us = busy_us
            given = hand.given_before if before else hand.given
            hand.speed = next_speed(hand.speed, given, busy_us / 1_000_000)

    def note_standing(self, id: str, seconds: float) -> None:
        """Take note of how long a server was busy in a step with what is not shared out."""
        hand = self.hands.get(id)
        if hand is not None:
            hand.standing = next_standing(hand.standing, seconds)


def _cost(unit: Unit) -> float:
    return COSTS[unit[1]]


def _by_object(units: Iterable[Unit]) -> tuple[dict[str, list[Unit]], dict[str, float]]:
    """Return the units of each object, and what they cost together."""
    objects: dict[str, list[Unit]] = {}
    costs: dict[str, float] = {}
    # Written out: nobody has anything to do before it is done.
    for unit in units:
        name, group = unit
        own = objects.get(name)
        if own is None:
            objects[name], costs[name] = [unit], COSTS[group]
        else:
            own.append(unit)
            costs[name] += COSTS[group]
    return objects, costs
