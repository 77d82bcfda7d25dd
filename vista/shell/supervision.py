"""When the processes of ``vista --processes`` are started, started again and stopped.

It is told what happened and what time it is, and answers with what is to be done. Four rules.
A process that ends unasked is started again after a pause that doubles, but when it has ended too
often in a row, the whole ends. Process 1, which runs the file, is the program: its own end in good
order, or by a mistake, ends the whole with its exit code. When it ends otherwise, all the others
start anew with it: what they hold was made by a run that is gone. To stop is to ask process 1
first, so that it can still use the others, and then these; who takes too long is killed.

::

    waiting --(its pause is over)--> running --(it ends)--> waiting | ended
    running --(it is told to end)--> asked --(it ends)--> waiting | ended
    asked --(it takes too long)--> killed --(it ends)--> waiting | ended
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vista.limits import Limits
from vista.shell.options import DONE, FAILED, MISTAKEN


@dataclass(frozen=True, slots=True)
class Begin:
    """The supervisor begins: all processes are to be started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Process ``number`` has ended with an exit code, minus the number for a signal."""

    number: int
    code: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The supervisor was told to end in good order."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Begin | Ended | Stop | Tick


@dataclass(frozen=True, slots=True)
class Start:
    """Start process ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell process ``number`` to end in good order."""

    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill process ``number``: it was told to end and takes too long."""

    number: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Process ``number`` ended with ``code`` and is started again in ``seconds``: for the log."""

    number: int
    code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Process ``number`` ended ``times`` in a row, the last time with ``code``: for the log."""

    number: int
    code: int
    times: int


@dataclass(frozen=True, slots=True)
class Finish:
    """All processes have ended; the supervisor ends with ``code``."""

    code: int


Effect = Start | Ask | Kill | Pause | GaveUp | Finish


class _State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    ASKED = "asked"
    KILLED = "killed"
    ENDED = "ended"


class _Process:
    """One process: its state since ``since``, when it is due, and its ends in a row."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = _State.WAITING
        self.since = 0.0
        self.due = 0.0
        self.ends = 0

    @property
    def lives(self) -> bool:
        return self.state in (_State.RUNNING, _State.ASKED, _State.KILLED)


class Supervision:
    """The processes 1 to ``count`` of one run."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._processes = [_Process(number) for number in range(1, count + 1)]
        self._first = self._processes[0]
        self._limits = limits
        self._code: int | None = None
        self._finished = False

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take note of an event at time ``now`` (seconds) and return what is to be done."""
        effects: list[Effect] = []
        match event:
            case Begin():
                for process in self._processes:
                    process.due = now
            case Ended(number, code):
                self._ended(self._processes[number - 1], code, now, effects)
            case Stop():
                if self._code is None:
                    self._code = DONE
        if self._code is None:
            self._go_on(now, effects)
        else:
            self._stop(now, effects)
        for process in self._processes:
            if process.state is _State.ASKED and now >= process.due:
                process.state = _State.KILLED
                effects.append(Kill(process.number))
        if self._code is not None and not self._finished and not self._living():
            self._finished = True
            effects.append(Finish(self._code))
        return effects

    def next_deadline(self) -> float | None:
        """Return when `Tick` is due at the latest, None while only events can change anything."""
        held = self._first if self._asked_others() else None
        due = [
            process.due
            for process in self._processes
            if process.state is _State.ASKED
            or (process.state is _State.WAITING and process is not held)
        ]
        return min(due, default=None)

    def _living(self) -> list[_Process]:
        return [process for process in self._processes if process.lives]

    def _asked_others(self) -> bool:
        """Whether processes still end that are to start anew with process 1."""
        return any(process.state is not _State.RUNNING for process in self._living())

    def _go_on(self, now: float, effects: list[Effect]) -> None:
        for process in self._processes:
            # The file must not run among others that are about to end.
            held = process is self._first and self._asked_others()
            if process.state is _State.WAITING and now >= process.due and not held:
                process.state = _State.RUNNING
                process.since = now
                effects.append(Start(process.number))

    def _stop(self, now: float, effects: list[Effect]) -> None:
        for process in self._processes:
            if process.state is _State.WAITING:
                process.state = _State.ENDED
        if self._first.lives:
            self._ask(self._first, now, effects)
        else:
            for process in self._living():
                self._ask(process, now, effects)

    def _ask(self, process: _Process, now: float, effects: list[Effect]) -> None:
        if process.state is _State.RUNNING:
            process.state = _State.ASKED
            process.due = now + self._limits.process_stop_seconds
            effects.append(Ask(process.number))

    def _ended(self, process: _Process, code: int, now: float, effects: list[Effect]) -> None:
        was, process.state = process.state, _State.ENDED
        if self._code is not None:
            if process is self._first and self._code == DONE:
                self._code = FAILED if was is _State.KILLED or code < 0 else code
        elif was is _State.RUNNING:
            self._ended_unasked(process, code, now, effects)
        else:
            process.state, process.due = _State.WAITING, now

    def _ended_unasked(
        self, process: _Process, code: int, now: float, effects: list[Effect]
    ) -> None:
        if code == MISTAKEN or (process is self._first and code == DONE):
            self._code = code
            return
        steady = now - process.since >= self._limits.process_steady_seconds
        process.ends = 1 if steady else process.ends + 1
        if process.ends >= self._limits.process_restarts_max:
            effects.append(GaveUp(process.number, code, process.ends))
            self._code = FAILED
            return
        limits = self._limits
        pause = limits.process_restart_seconds_min * 2.0 ** (process.ends - 1)
        pause = min(pause, limits.process_restart_seconds_max)
        process.state, process.due = _State.WAITING, now + pause
        effects.append(Pause(process.number, code, pause))
        if process is self._first:
            for other in self._living():
                self._ask(other, now, effects)
