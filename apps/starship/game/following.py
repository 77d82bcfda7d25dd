"""A server of a game as a pure state machine: it computes what it is given and keeps the state.

`Follower.handle` takes the primary's messages and returns what to send; `Follower.work` computes
some of the units that wait, so that whoever drives it decides how long it holds the loop.

Three rules. What comes for a step is kept apart until the step is committed. A server that cannot
make the committed state, or makes one with another hash, asks for a snapshot and does nothing until
it has one. Messages of another epoch are from a primary that is no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from apps.starship.errors import MergeError
from apps.starship.game.messages import (
    Ready,
    Refresh,
    Snapshot,
    StepBegin,
    StepCommit,
    StepDone,
    StepUpdate,
    Unit,
)
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.objects import Group, Thing
from apps.starship.rules.state import State
from apps.starship.rules.step import Delta, Merging, Worker, conclude, units_of

BATCH_UNITS = 16
"""Results that are sent together, unless whoever drives a server says otherwise."""
AT_ONCE_MIN, AT_ONCE_MAX = 64, 256
"""Units that are computed in one go and sent together: 2 and 8 ms, in which nothing else happens.

To give way, to send and to be sent each take as long for many as for few, a third of a millisecond.
"""

Message = Snapshot | StepBegin | StepUpdate | StepCommit
Answer = StepUpdate | StepDone | Ready | Refresh


def units_at_once(waiting: int, work_factor: int = 1) -> int:
    """Return how many of the units that wait are to be computed in one go.

    The last goes are small ones: whoever has done his share waits for them. ``work_factor`` is how
    often each unit is computed.
    """
    most = max(AT_ONCE_MIN, min(AT_ONCE_MAX, waiting // 4))
    return max(1, most // work_factor)


class Follower:
    """One server of a game. ``state`` is the last committed one, None before the first snapshot.

    ``microseconds`` tells the time spent so far; it decides nothing but the partition.
    ``work_factor`` computes each unit as many times, for demonstrations of load.
    """

    def __init__(self, microseconds: Callable[[], int], work_factor: int = 1) -> None:
        self.state: State | None = None
        self.hash = ""
        self._epoch = -1
        self._clock = microseconds
        self.work_factor = max(1, work_factor)
        self._encoder = Encoder()
        self._worker: Worker | None = None
        self._merging: Merging | None = None
        self._staged: set[Unit] = set()
        self._own: deque[Delta] = deque()
        self._waiting: deque[Unit] = deque()
        self._given: list[Unit] = []
        self._since = self._busy_us = 0

    @property
    def has_work(self) -> bool:
        """Whether units wait to be computed."""
        return bool(self._waiting)

    @property
    def at_once(self) -> int:
        """How many of the units that wait are to be computed in one go."""
        return units_at_once(len(self._waiting), self.work_factor)

    def handle(self, message: Message) -> list[Answer]:
        """Take in what the primary sent; return what to send it."""
        if isinstance(message, Snapshot):
            return self._take_over(message)
        if self.state is None or message.epoch != self._epoch:
            return []
        if isinstance(message, StepUpdate):
            return self._stage(message)
        if isinstance(message, StepBegin):
            return self._begin(message)
        return self._commit(message)

    def text_of(self, thing: Thing) -> str:
        """Return an object as canonical JSON; one of the present state was written for its hash."""
        return self._encoder.thing(thing)

    def _take_over(self, snapshot: Snapshot) -> list[Answer]:
        self._forget()
        self._encoder = Encoder()
        self._epoch = snapshot.epoch
        self.state = snapshot.state
        self.hash = self._encoder.digest(snapshot.state)
        return [Ready(self._epoch, snapshot.state.step, self.hash)]

    def _forget(self) -> None:
        self._worker = self._merging = None
        self._staged, self._given = set(), []
        self._waiting.clear()
        self._own.clear()
        self._busy_us = 0

    def _lose(self, why: str) -> list[Answer]:
        """Have no state any longer, and ask for one."""
        self._forget()
        self.state = None
        return [Refresh(self._epoch, why)]

    def _stage(self, update: StepUpdate) -> list[Answer]:
        assert self.state is not None, "asked of servers with a state"
        if update.t != self.state.step + 1:
            return []
        try:
            for delta in update.deltas:
                # A later one for the same unit is the primary's correction.
                self._take(delta)
        except MergeError as error:
            return self._lose(str(error))
        return []

    def _take(self, delta: Delta, made: Group | None = None) -> None:
        """Merge a result and write it for the hash, while the primary waits for others."""
        assert self.state is not None, "asked of servers with a state"
        if self._merging is None:
            self._merging = Merging(self.state)
        group = self._merging.add(delta, made)
        self._encoder.note(self.state.objects[delta.name], delta.group, group, delta.changes)
        self._staged.add((delta.name, delta.group))

    def _begin(self, begin: StepBegin) -> list[Answer]:
        assert self.state is not None, "asked of servers with a state"
        if begin.t != self.state.step + 1:
            return []
        if begin.hash != self.hash:
            return self._lose(f"step {begin.t} begins from another state")
        if self._worker is None:
            self._worker = Worker(self.state.view(), begin.orders)
        known = set(self._given)
        fresh = [unit for unit in begin.units if unit not in known]
        if not self._waiting:
            self._since = self._clock()
        self._given += fresh
        self._waiting.extend(fresh)
        return []

    def work(self, most: int = BATCH_UNITS) -> list[Answer]:
        """Compute up to ``most`` of the units that wait; return what to send."""
        if not self._waiting or self._worker is None or self.state is None:
            return []
        worker, t = self._worker, self.state.step + 1
        deltas = []
        for _ in range(min(most, len(self._waiting))):
            unit = self._waiting.popleft()
            for _again in range(self.work_factor - 1):
                Worker(worker.view, worker.orders).compute(*unit)
            deltas.append(worker.compute(*unit))
        # All of the time that passes while units wait: a server that does other things is slower.
        self._since, before = self._clock(), self._since
        self._busy_us += self._since - before
        self._own.extend(deltas)
        answers: list[Answer] = [StepUpdate(self._epoch, t, tuple(deltas))]
        if not self._waiting:
            answers.append(StepDone(self._epoch, t, self._busy_us))
        return answers

    @property
    def is_behind(self) -> bool:
        """Whether results of this server are not merged yet, which nobody waits for."""
        return bool(self._own)

    def catch_up(self, most: int = BATCH_UNITS) -> None:
        """Merge up to ``most`` of the own results that are not merged yet."""
        if self._worker is None or self.state is None:
            return
        for _ in range(min(most, len(self._own))):
            delta = self._own.popleft()
            unit = delta.name, delta.group
            # One that is there already is a correction of the primary.
            if unit not in self._staged:
                self._take(delta, self._worker.made[unit])

    def _commit(self, done: StepCommit) -> list[Answer]:
        assert self.state is not None, "asked of servers with a state"
        if done.t != self.state.step + 1:
            return self._lose(f"step {done.t} was committed, step {self.state.step + 1} not")
        self.catch_up(len(self._own))
        deferred = set(done.deferred)
        if any(
            unit not in self._staged for unit in units_of(self.state.view()) if unit not in deferred
        ):
            return self._lose(f"results of step {done.t} are missing")
        merging = self._merging or Merging(self.state)
        for name, group in deferred & self._staged:
            merging.leave_out(name, group)
        self.state = conclude(self.state, merging.objects(), done.structure)
        self.hash = self._encoder.digest(self.state)
        self._forget()
        if self.hash != done.hash:
            return self._lose(f"the state after step {done.t} is another one")
        return [Ready(self._epoch, done.t, self.hash)]
