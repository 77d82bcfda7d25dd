"""A primary and its servers in one process: links with delay, losses, slow and lying servers.

Everything comes from one seed. A link keeps its order; a link that breaks loses what is under way
on it, both sides hear of it, and the server joins again.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from typing import Any

from apps.starship.game.conductor import SAMPLE, Conductor
from apps.starship.game.events import (
    Committed,
    Effect,
    Event,
    Joined,
    Lost,
    Received,
    Report,
    Send,
    Tick,
)
from apps.starship.game.following import Follower
from apps.starship.game.messages import StepUpdate
from apps.starship.rules.state import State
from apps.starship.rules.step import Delta

INTERVAL = 5.0


class Place:
    """A server: its follower, how long a batch of its work takes, and whether it lies."""

    def __init__(self, id: str, seconds: float) -> None:
        self.id = id
        self.seconds = seconds
        self.link = 0
        self.linked = False
        self.working = False
        self.lies: Callable[[Delta], Delta] | None = None
        self.follower = self._fresh()

    def _fresh(self) -> Follower:
        spent = itertools.count(step=max(1, round(self.seconds * 1_000_000)))
        return Follower(lambda: next(spent))

    def restart(self) -> None:
        """Forget everything, as after a crash."""
        self.follower = self._fresh()
        self.working = False


class Theatre:
    """The simulated time, the primary, its servers, and what happened."""

    def __init__(
        self, state: State, seed: int = 0, delay: float = 0.001, sample: int = SAMPLE
    ) -> None:
        self.now = 0.0
        self.dice = random.Random(seed)
        self.delay = delay
        self.conductor = Conductor(state, INTERVAL, 0.0, secret=seed, sample=sample)
        self.places: dict[str, Place] = {}
        self.states: list[State] = [state]
        self.commits: list[Committed] = []
        self.reports: list[Report] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._arrivals: dict[tuple[str, int, bool], float] = {}

    # --- what a test does ------------------------------------------------------------------

    def join(self, id: str, seconds: float = 0.001) -> Place:
        """Have a server join; ``seconds`` is what 16 units take it."""
        place = self.places.get(id) or self.places.setdefault(id, Place(id, seconds))
        place.link += 1
        place.linked = True
        self.tell(Joined(id))
        return place

    def lose(self, id: str, crash: bool = False) -> None:
        """Break the link of a server; with ``crash`` it forgets everything too."""
        place = self.places[id]
        place.link += 1
        place.linked = False
        if crash:
            place.restart()
        self.tell(Lost(id))

    def tell(self, event: Event) -> None:
        """Tell the primary something, and carry out what it wants."""
        for effect in self.conductor.handle(event, self.now):
            self._carry_out(effect)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = min(
                self.conductor.next_deadline(), self._agenda[0][0] if self._agenda else math.inf
            )
            if due > end:
                break
            self.now = max(self.now, due)
            if self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            else:
                self.tell(Tick())
        self.now = end

    def steps(self, number: int) -> None:
        """Let as many intervals pass."""
        self.run(number * INTERVAL)

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen in ``seconds``."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._count), action))

    def kinds(self) -> list[str]:
        """Return the kinds of all reports."""
        return [report.kind for report in self.reports]

    # --- what happens by itself ------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            message, place = effect.message, self.places[effect.to]
            self._carry(place, True, lambda: self._deliver(place, message))
        elif isinstance(effect, Committed):
            self.commits.append(effect)
            self.states.append(effect.state)
        else:
            self.reports.append(effect)

    def _carry(self, place: Place, there: bool, arrive: Callable[[], None]) -> None:
        """Have something arrive, in order, unless the link breaks meanwhile."""
        link = place.link
        wait = self.delay * self.dice.uniform(0.5, 2.0)
        key = place.id, link, there
        when = max(self.now + wait, self._arrivals.get(key, 0.0))
        self._arrivals[key] = when

        def unless_broken() -> None:
            if place.linked and place.link == link:
                arrive()

        self.at(when - self.now, unless_broken)

    def _deliver(self, place: Place, message: Any) -> None:
        self._answer(place, place.follower.handle(message))
        self._let_work(place)

    def _let_work(self, place: Place) -> None:
        if place.follower.has_work and not place.working:
            place.working = True
            follower = place.follower

            def work() -> None:
                if place.follower is follower:
                    place.working = False
                    self._answer(place, follower.work())
                    self._let_work(place)

            self.at(place.seconds, work)

    def _answer(self, place: Place, answers: list[Any]) -> None:
        for answer in answers:
            if isinstance(answer, StepUpdate) and place.lies is not None:
                answer = answer._replace(deltas=tuple(map(place.lies, answer.deltas)))
            received = Received(place.id, answer)
            if place.linked:
                self._carry(place, False, lambda received=received: self.tell(received))


def replayed(theatre: Theatre) -> list[State]:
    """Return the states one gets from what was committed, computed in one place."""
    from apps.starship.rules.replay import Played, play

    states = [theatre.states[0]]
    for commit in theatre.commits:
        played = Played(commit.orders, commit.deferred, commit.structure, commit.hash)
        states.append(play(states[-1], played))
    return states
