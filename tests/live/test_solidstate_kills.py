"""Killing replicas at random instants under load: what was acknowledged is there, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.live.solidstate_yard import Machine, Yard, longest_silence, yard

KINDS = ("one", "two", "all", "one")
FEW_ROUNDS = 3
"""Of so few only the first mode has all, the others have the last one: the servers are the same."""


class Figures:
    """How long nobody was answered, by what was killed."""

    def __init__(self) -> None:
        self.silences: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.beyond: list[float] = []
        self.answers = 0

    def note(self, kind: str, silence: float, patience: float) -> None:
        """Take note of a round; ``patience`` is the longest of the replicas then."""
        self.silences[kind].append(silence)
        if kind == "one" and silence > 2 * patience:
            self.beyond.append(silence)

    def __str__(self) -> str:
        told = []
        for kind, found in self.silences.items():
            ordered = sorted(found) or [0.0]
            middle, last = ordered[len(ordered) // 2], ordered[-1]
            told.append(f"{kind} in {len(found)} rounds: median {middle:.2f} s, longest {last:.2f}")
        return f"{self.answers} answers; {'; '.join(told)}; beyond two timeouts: {self.beyond}"


def victims(pool: Yard, kind: str, dice: Random) -> list[Machine]:
    """Who is to die, in which order."""
    machines = dice.sample(pool.machines, len(pool.machines))
    if kind == "one" and dice.random() < 0.5:
        return [pool.machines[pool.look(0)["primary"]]]
    return machines[: {"one": 1, "two": 2}.get(kind, len(machines))]


def kill_and_restart(dying: list[Machine], dice: Random, wait: Callable[[float], None]) -> None:
    """Kill some, one soon after the other, and start them again; some die again as they start."""
    for machine in dying:
        machine.kill()
        wait(dice.choice((0.0, 0.05, 0.3)) * dice.random())
    wait(dice.random() * 0.7)
    for machine in dying:
        machine.start()
        if dice.random() < 0.3:
            wait(dice.random() * 0.3)
            machine.kill()
            machine.start()


@pytest.mark.parametrize("mode", ["byzantine", "crash", "minbft"])
@pytest.mark.timeout(3_000)  # with hundreds of rounds, on a machine that does much else
def test_nothing_acknowledged_is_lost_or_done_twice_whoever_is_killed(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rounds = request.config.getoption("--kill-rounds")
    first = request.config.getoption("--seeds-from")
    numbers = range(first, first + rounds)
    if mode != "byzantine" and rounds <= FEW_ROUNDS:
        numbers = numbers[-1:]
    figures = Figures()
    with yard(tmp_path, mode) as pool:
        for number in numbers:
            print(f"to replay it: pytest -k {mode} --kill-rounds 1 --seeds-from {number}")
            dice, kind = Random(number), KINDS[number % len(KINDS)]
            patience = pool.patience()
            dying = victims(pool, kind, dice)
            pool.begin(number, number)
            pool.await_answers(2)
            time.sleep(dice.random() * 0.3)
            began = time.monotonic()
            kill_and_restart(dying, dice, time.sleep)
            pool.await_answers()
            rows = pool.end()
            figures.answers += len(rows)
            silence = longest_silence(rows, began)
            assert pool.faults(rows) == []
            figures.note(kind, silence, max(patience, pool.patience()))
            names = " ".join(machine.name for machine in dying)
            print(f"  {names} killed: {len(rows)} answers, none for {silence:.2f} s")
    print(f"{mode}: {figures}")
