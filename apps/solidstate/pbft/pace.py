"""How fast requests are served under each primary, and the end of a turn for one that falls short.

Three rules (after Aardvark, section 4.3). A primary is judged by the others: by what f + 1 of them
reached at least, so that f liars can make it neither too much nor too little. What is counted is
what this replica executed, which needs nobody's word. Nobody leaves a view for that by itself: who
is weary of a primary says so in its statuses, who hears it from f + 1 says so too, and all leave
when 2f + 1 are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.messages import Status

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica

REQUESTS_LEAST = 10
"""Requests that have to be expected in one measurement: chance decides about fewer."""


class Pace:
    """The pace of this primary and of the others when they were last, as seen from this replica.

    ``weary`` says that this replica wants the primary's turn to end; ``deadline`` is the end of the
    measurement that goes on while there is something to do.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.deadline = math.inf
        self.weary = False
        self._others: dict[int, int] = {}
        self._paces: dict[int, float] = {}
        self._latencies: dict[int, float] = {}
        self._began = 0.0
        self._executed = 0
        self._view_seconds = 0.0
        self._view_executed = 0

    def work(self, executed: int = 0) -> None:
        """Note that there is something to do, or how many requests were executed."""
        replica = self._replica
        if math.isinf(self.deadline) and replica.views.active:
            self._began = replica.now
            self.deadline = replica.now + replica.config.pace_seconds
        self._executed += executed

    def excuse(self) -> None:
        """Forget a measurement during which this replica was not running."""
        self.deadline = math.inf
        self._executed = 0

    def tick(self) -> None:
        """End a measurement, and judge the primary by it."""
        replica, executed = self._replica, self._executed
        seconds = replica.now - self._began
        self.excuse()
        if executed or replica.requests.pending:
            self._view_seconds += seconds
            self._view_executed += executed
            if self._falls_short(executed, seconds):
                self.weary = True
                self.look()
        if replica.requests.pending:
            self.work()

    def _falls_short(self, executed: int, seconds: float) -> bool:
        replica = self._replica
        faults = replica.quorums.faults
        others = sorted(self._of_others(self._paces), reverse=True)
        if len(others) < 2 * faults:
            # Nothing is known that could not be a lie: turns are short until there is.
            return True
        expected = replica.config.pace_share * others[faults] * seconds
        return expected >= REQUESTS_LEAST and executed < expected

    def _of_others(self, known: dict[int, float]) -> list[float]:
        epoch, primary = self._replica.epoch, self._replica.primary
        return [value for number, value in known.items() if number in epoch and number != primary]

    @property
    def latency(self) -> float:
        """How long requests take under others, in seconds; 0 as long as too few are known."""
        faults, replicas = self._replica.quorums.faults, len(self._replica.epoch.numbers)
        others = sorted(self._of_others(self._latencies))
        return others[faults] if len(others) >= min(2 * faults + 1, replicas - 1) else 0.0

    def hear(self, sender: int, status: Status) -> None:
        """Take what another replica says about the primary of its view."""
        if status.weary and status.active:
            self._others[sender] = status.view
            self.look()

    def look(self) -> None:
        """Go along with f + 1 who are weary; end the turn when 2f + 1 are, or left the view.

        The last one of 2f + 1 leaves when it knows of all others, and never said that it is weary.
        """
        replica = self._replica
        view, epoch = replica.views.view, replica.epoch
        weary = {number for number, of in self._others.items() if of == view and number in epoch}
        others = len(weary | replica.views.gone)
        self.weary = replica.views.active and (self.weary or others >= replica.quorums.weak)
        if self.weary and others + 1 >= replica.quorums.certificate:
            replica.views.end_turn()

    def leave_view(self) -> None:
        """Keep what was measured in the view that ends, under the name of its primary."""
        primary = self._replica.primary
        if self._view_seconds > 0:
            self._paces[primary] = self._view_executed / self._view_seconds
        if self._view_executed > 0:
            self._latencies[primary] = self._replica.requests.latency
        self._view_seconds, self._view_executed = 0.0, 0
        self.weary = False
        self.excuse()

    def enter_epoch(self) -> None:
        """Keep what is known of those who are members still."""
        epoch = self._replica.epoch
        self._paces = {n: pace for n, pace in self._paces.items() if n in epoch}
        self._latencies = {n: latency for n, latency in self._latencies.items() if n in epoch}
        self._others = {}
