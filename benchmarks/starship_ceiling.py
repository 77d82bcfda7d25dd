"""How much two processes can win at best: ``python -m benchmarks.starship_ceiling huge``.

A step of the two state machines, the primary's with its own server and one other server, in one
process and in turns, by the processor time each of them takes. There is no node, no link, no turn
of a loop and nobody who waits for anybody. What a game of two processes reaches is below that.
"""

from __future__ import annotations

import argparse
import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time
from typing import Any

from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed, Joined, Received, Send, Tick
from apps.starship.game.following import Answer, Follower, Message
from apps.starship.game.messages import Snapshot, StepBegin, StepUpdate
from apps.starship.game.own import OwnServer
from apps.starship.game.texts import (
    read_begin,
    read_commit,
    read_deltas,
    write_begin,
    write_commit,
    write_deltas,
)
from apps.starship.objects.configuration import GALAXIES
from apps.starship.rules.creating import new_game
from apps.starship.rules.reading import check_delta
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from apps.starship.themes import shipped_theme
from benchmarks.measure import expect
from benchmarks.report import rst_list

SEED = 42
STEPS_BEFORE = 10
"""Steps of the galaxy, and of the game, before anything is measured."""
STEPS = 10
OWN, OTHER = "a", "b"
PARTS = ("begin", "own units", "results of the other", "end")
"""What the primary does in a step; writing results for the other is part of its own units."""


class Spent:
    """Processor time of one of the machines, by part: only what happens in a block counts."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._before = 0.0
        self._running: list[str] = []
        self._since = 0.0

    @property
    def total(self) -> float:
        """Seconds of all parts since the last `clear`."""
        return sum(self.parts.values())

    def clear(self) -> None:
        """Count another step; the clock goes on."""
        self._before += self.total
        self.parts.clear()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Count a block as a part; one within another counts as the inner one."""
        self._note()
        self._running.append(part)
        yield
        self._note()
        self._running.pop()

    def _note(self) -> None:
        passed, self._since = self._since, process_time()
        if self._running:
            part = self._running[-1]
            self.parts[part] = self.parts.get(part, 0.0) + self._since - passed

    def microseconds(self) -> int:
        """The clock of this machine: it stands still while others work."""
        self._note()
        return round((self._before + self.total) * 1_000_000)


@dataclass
class Step:
    """A step: seconds of the primary by part, of the other server until it has sent everything.

    ``units`` are all that were computed, ``own`` those of the primary's own server.
    """

    parts: dict[str, float]
    other: float
    units: int
    own: int

    @property
    def primary(self) -> float:
        """Seconds of the primary."""
        return sum(self.parts.values())

    @property
    def longest(self) -> float:
        """Seconds of whoever has more to do, which a step of both cannot be shorter than."""
        return max(self.primary, self.other)


class TimedConductor(Conductor):
    """A conductor that counts apart what it takes to end a step."""

    spent: Spent

    def _commit(self) -> None:
        with self.spent.on("end"):
            super()._commit()


class Game:
    """A game of one process or two, whose state machines take turns."""

    def __init__(self, state: State, processes: int) -> None:
        self.processes = processes
        self.primary, self.other = Spent(), Spent()
        self.conductor = TimedConductor(state, math.inf, 0.0)
        self.conductor.spent = self.primary
        self.conductor.own = OWN
        self.own = OwnServer(self.conductor, self.primary.microseconds)
        self.follower = Follower(self.other.microseconds)
        self.texts: deque[tuple[str, tuple[str, ...]]] = deque()
        self.committed = 0
        self._computed, self._sent = 0, 0.0
        self._tell(Joined(OWN))
        if processes == 2:
            self._tell(Joined(OTHER))

    def step(self) -> Step:
        """Make a step: the servers take turns until both have computed all they were given."""
        self.primary.clear()
        self.other.clear()
        committed, own, self._computed = self.committed, 0, 0
        with self.primary.on("begin"):
            self._tell(Tick(step=True))
        if self.texts:
            self._read_next()
        while self.committed == committed:
            if self.own.has_work:
                own += self._work_own()
            if self.follower.has_work:
                self._work_other()
        found = Step(dict(self.primary.parts), self._sent, own + self._computed, own)
        standing = found.parts["begin"] + found.parts["end"]
        self.conductor.pool.note_standing(OWN, standing)
        while self.texts:
            self._read_next()
        expect(self.processes == 1 or self.follower.hash == self.conductor.hash, True)
        return found

    def _work_own(self) -> int:
        with self.primary.on("own units"):
            answers = self.own.work(self.own.at_once)
            for answer in answers:
                self._tell(Received(OWN, answer))
        return _count(answers)

    def _work_other(self) -> None:
        with self.other.on("units"):
            answers = self.follower.work(self.follower.at_once)
        self._hear(answers)
        self._computed += _count(answers)
        self._sent = self.other.total

    # --- between the two -------------------------------------------------------------------

    def _tell(self, event: Joined | Received | Tick) -> None:
        for effect in self.conductor.handle(event, 0.0):
            if isinstance(effect, Committed):
                self.committed += 1
            elif isinstance(effect, Send) and effect.to == OWN:
                for answer in self.own.handle(effect.message):
                    self._tell(Received(OWN, answer))
            elif isinstance(effect, Send):
                self._send(effect.message)

    def _send(self, message: Message) -> None:
        if isinstance(message, Snapshot):
            self._hear(self.follower.handle(message))
        elif isinstance(message, StepBegin):
            self.texts.append(("begin", write_begin(message)))
        elif isinstance(message, StepUpdate):
            self.texts.append(("update", (write_deltas(message.deltas, message.t),)))
        else:
            self.texts.append(("commit", (write_commit(message),)))

    def _read_next(self) -> None:
        """Let the other server read what was sent to it."""
        kind, words = self.texts.popleft()
        state = self.follower.state
        t = 1 if state is None else state.step + 1
        with self.other.on(kind):
            message: Message
            if kind == "begin":
                message = read_begin(0, t, *words)
            elif kind == "commit":
                message = read_commit(0, t, *words)
            else:
                message = StepUpdate(0, t, read_deltas(words[0], state))
            answers = self.follower.handle(message)
        self._hear(answers)

    def _hear(self, answers: list[Answer]) -> None:
        """Let the primary hear what the other server says."""
        for answer in answers:
            if isinstance(answer, StepUpdate):
                with self.other.on("write"):
                    text = write_deltas(answer.deltas, answer.t)
            with self.primary.on("results of the other"):
                if isinstance(answer, StepUpdate):
                    found = read_deltas(text, self.conductor.state)
                    for delta in found:
                        check_delta(self.conductor.state, delta)
                    answer = answer._replace(deltas=found)
                self._tell(Received(OTHER, answer))


def _count(answers: list[Answer]) -> int:
    return sum(len(answer.deltas) for answer in answers if isinstance(answer, StepUpdate))


def measure(state: State, processes: int, steps: int = STEPS, before: int = STEPS_BEFORE) -> Step:
    """Return the shortest step of a game, of ``steps`` after others: that of whoever is last."""
    game = Game(state, processes)
    found = [game.step() for _ in range(before + steps)]
    return min(found[before:], key=lambda step: step.longest)


def played(galaxy: str, steps: int = STEPS_BEFORE) -> State:
    """Return a galaxy that is some steps old."""
    state = new_game(SEED, shipped_theme(), GALAXIES[galaxy])
    for _ in range(steps):
        state = advance(state)
    return state


HEADINGS = (
    "galaxy", "processes", "primary", "begin", "own units", "results of the other", "end",
    "own share", "other server", "at best",
)  # fmt: skip


def rows_of(galaxy: str, state: State, steps: int = STEPS, before: int = STEPS_BEFORE) -> list[Any]:
    """Return the rows of one galaxy: one process, and two."""
    alone, two = (measure(state, number, steps, before) for number in (1, 2))
    rows = []
    for number, found in ((1, alone), (2, two)):
        rows.append(
            (
                galaxy, str(number), _ms(found.primary),
                *(_ms(found.parts.get(part, 0.0)) for part in PARTS),
                f"{100 * found.own / found.units:.0f} %", _ms(found.other) if number > 1 else "",
                f"{alone.longest / found.longest:.2f}",
            )
        )  # fmt: skip
    return rows


def _ms(seconds: float) -> str:
    return f"{1_000 * seconds:,.0f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of the galaxies named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starship_ceiling")
    parser.add_argument("galaxies", nargs="+", choices=[*GALAXIES], metavar="GALAXY")
    named = parser.parse_args(arguments).galaxies
    print(rst_list(HEADINGS, [row for galaxy in named for row in rows_of(galaxy, played(galaxy))]))


if __name__ == "__main__":
    main()
