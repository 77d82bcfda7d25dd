"""Killing a node with durable objects at random instants: what was acknowledged is there after."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.process import ROOT

ROUNDS = 100
SECONDS_MAX = 20.0


class Nursery:
    """The process that forks nodes, and what the nodes said."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.child = 0
        self._rest = b""

    def begin(self, directory: Path) -> None:
        """Start a node."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{directory}\n".encode())
        self.process.stdin.flush()
        word, number = self.line()
        assert word == "pid"
        self.child = int(number)

    def kill(self) -> None:
        """Kill the node, if one runs."""
        child, self.child = self.child, 0
        if child:
            os.kill(child, signal.SIGKILL)

    def line(self) -> list[str]:
        """Return the words of the next line."""
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], SECONDS_MAX)
            assert ready, "a node said nothing for long"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.errors()
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode().split()

    def errors(self) -> str:
        """Kill it and return what it said of its errors."""
        self.process.kill()
        return self.process.communicate()[1].decode()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery that is gone after the block."""
    made = Nursery()
    try:
        yield made
    finally:
        made.kill()
        made.process.kill()
        made.process.communicate()


class Account:
    """What the nodes acknowledged: the objects that must be there, and how far they were."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.going: set[str] = set()
        self.gone: set[str] = set()
        self.replies = 0

    def note(self, words: list[str]) -> None:
        """Take note of a reply."""
        self.replies += 1
        match words:
            case ["made", id]:
                self.counts[id] = 0
            case ["step", id, count]:
                self.counts[id] = int(count)
            case ["goes", id]:
                self.going.add(id)
            case ["gone", id]:
                self.gone.add(id)
                del self.counts[id]
            case _:
                raise AssertionError(f"a node said {words}")

    def compare(self, found: dict[str, tuple[int, int]]) -> None:
        """Check what came back; what was under way may have happened or not."""
        for id, (left, right) in found.items():
            assert left == right, f"{id} was stored in the midst of a method"
            assert id not in self.gone, f"{id} came back though its deletion was acknowledged"
            known = self.counts.get(id, 0)
            assert known <= right <= known + 1, f"{id} has {right}, and {known} was acknowledged"
        lost = self.counts.keys() - found.keys() - self.going
        assert not lost, f"{lost} were acknowledged and are lost"
        self.counts = {id: right for id, (_, right) in found.items()}
        self.going.clear()


def _check(account: Account, lines: list[list[str]]) -> None:
    """Compare what a node found with what the ones before acknowledged, and note its replies."""
    if ["ready"] not in lines:
        # It was killed before it could tell.
        return
    start = lines.index(["ready"])
    account.compare({id: (int(left), int(right)) for _, id, left, right in lines[:start]})
    for words in lines[start + 1 :]:
        account.note(words)


@pytest.mark.timeout(300)
def test_a_node_killed_at_any_instant_loses_nothing_acknowledged(tmp_path: Path) -> None:
    dice, account = random.Random(20), Account()
    with nursery() as nodes:
        for number in range(ROUNDS):
            nodes.begin(tmp_path)
            lines: list[list[str]] = []
            if number % 5 == 4:
                # In the midst of its start, which writes too.
                time.sleep(dice.random() * 0.03)
            else:
                while ["ready"] not in lines:
                    lines.append(nodes.line())
                lines += [nodes.line() for _ in range(dice.randrange(60))]
                time.sleep(dice.random() * 0.003)
            nodes.kill()
            while (words := nodes.line()) != ["ended"]:
                lines.append(words)
            _check(account, lines)
    assert account.replies > ROUNDS
