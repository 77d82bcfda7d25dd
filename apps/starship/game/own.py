"""The primary's own server as a pure state machine: it has the primary's state and keeps no other.

It is told what every server is told and answers as every server does, so the primary shares steps
out without knowing which of them is its own. What it does not do is what has been done beside it:
it merges no results, hashes no state, and works out no orders of computer captains again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from apps.starship.game.conductor import Conductor
from apps.starship.game.following import BATCH_UNITS, Answer, Message, units_at_once
from apps.starship.game.messages import Ready, StepBegin, StepDone, StepUpdate, Unit


class OwnServer:
    """The server beside a `Conductor`.

    ``microseconds`` tells the time spent so far, for the partition; ``work_factor`` computes each
    unit as many times, for demonstrations of load.
    """

    def __init__(
        self, conductor: Conductor, microseconds: Callable[[], int], work_factor: int = 1
    ) -> None:
        self._conductor = conductor
        self._clock = microseconds
        self._work_factor = max(1, work_factor)
        self._step = 0
        self._waiting: deque[Unit] = deque()
        self._given: dict[Unit, None] = {}
        self._since = self._busy_us = 0

    @property
    def has_work(self) -> bool:
        """Whether units wait to be computed."""
        return bool(self._waiting)

    @property
    def at_once(self) -> int:
        """How many of the units that wait are to be computed in one go."""
        return units_at_once(len(self._waiting), self._work_factor)

    def handle(self, message: Message) -> list[Answer]:
        """Take in what the primary sends its servers; return what to tell it."""
        if isinstance(message, StepBegin):
            self._begin(message)
            return []
        if isinstance(message, StepUpdate):
            return []
        self._waiting.clear()
        conductor = self._conductor
        return [Ready(conductor.epoch, conductor.state.step, conductor.hash)]

    def _begin(self, begin: StepBegin) -> None:
        if begin.t != self._step:
            self._step, self._busy_us = begin.t, 0
            self._given = {}
            self._waiting.clear()
        if not self._waiting:
            self._since = self._clock()
        self._waiting.extend(unit for unit in begin.units if unit not in self._given)
        self._given.update(dict.fromkeys(begin.units))

    def work(self, most: int = BATCH_UNITS) -> list[Answer]:
        """Compute up to ``most`` of the units that wait; return what to tell the primary."""
        conductor = self._conductor
        if not self._waiting or self._step != conductor.state.step + 1:
            self._waiting.clear()
            return []
        units = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        deltas = conductor.compute(units, self._work_factor)
        self._since, before = self._clock(), self._since
        self._busy_us += self._since - before
        answers: list[Answer] = [StepUpdate(conductor.epoch, self._step, deltas)]
        if not self._waiting:
            answers.append(StepDone(conductor.epoch, self._step, self._busy_us))
        return answers
