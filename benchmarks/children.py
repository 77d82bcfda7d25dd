"""Measurements that need a process to themselves: ``python -m benchmarks.children NAME COUNT``.

Memory is what the process has resident, read before and after; so everything counts, what the
allocator wastes too. Prints one JSON object. Linux only: it reads ``/proc/self/statm``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import vista
from benchmarks.measure import expect
from benchmarks.objects import Counter
from vista import Future, Limits, Node, Object, Ref

SECONDS_MAX = 600.0


def resident_bytes() -> int:
    """Return the bytes of memory this process has resident."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def idle(count: int) -> dict[str, float]:
    """Bytes of an idle object above its instance, and what its first call adds."""
    kept: list[Any] = [None] * count
    before = resident_bytes()
    for number in range(count):
        instance: Any = object.__new__(Counter)
        instance._record = None
        instance.value = number
        kept[number] = instance
    own = (resident_bytes() - before) / count
    refs: list[Ref | None] = [None] * count
    before = resident_bytes()
    for number in range(count):
        refs[number] = vista.create(Counter, number)
    made = (resident_bytes() - before) / count
    for ref in refs:
        ref.increment(1)  # type: ignore[union-attr]
    called = (resident_bytes() - before) / count
    expect(refs[-1].increment(0), count)  # type: ignore[union-attr]
    return {"instance": own, "idle": made - own, "called": called - own}


class Gate(Object, namespace="Benchmarks"):
    """Something to wait for."""

    def create(self) -> None:
        """Start closed."""
        self.opened = asyncio.Event()

    def await_opening(self) -> str:
        """Answer when `open` is called."""
        vista.wait(self.opened.wait())
        return "open"

    def open(self) -> float:
        """Let everybody pass; return when that was, in seconds of the performance counter."""
        self.opened.set()
        return perf_counter()


class Crowd(Object, namespace="Benchmarks"):
    """Has many threads, all of which wait for the answer of one gate."""

    def create(self, gate: Ref) -> None:
        """Ask the gate."""
        self.answer: Future = gate.await_opening.future()
        self.waiting = self.passed = 0
        self.ended = 0.0

    def stand(self) -> None:
        """Wait for the gate's answer, as a thread of this object."""
        self.waiting += 1
        expect(self.answer.result(), "open")
        self.passed += 1
        self.ended = perf_counter()

    def state(self) -> tuple[int, int, float]:
        """Return how many wait or have waited, how many have passed, and when the last one did."""
        return self.waiting, self.passed, self.ended


def parked(count: int) -> dict[str, float]:
    """Bytes of a parked thread, and the seconds to start and to resume one."""
    gate = vista.create(Gate)
    crowd = vista.create(Crowd, gate)
    before = resident_bytes()
    started = perf_counter()
    for number in range(count):
        crowd.stand.post()
        if number % 1000 == 999:
            vista.sleep(0)
    while crowd.state()[0] < count:
        vista.sleep(0.001)
    start_seconds = (perf_counter() - started) / count
    threads = resident_bytes() - before
    opened = gate.open()
    while crowd.state()[1] < count:
        vista.sleep(0.001)
    ended = crowd.state()[2]
    return {
        "bytes": threads / count,
        "start_seconds": start_seconds,
        "resume_seconds": (ended - opened) / count,
    }


MEASURED = {"idle": idle, "parked": parked}


def run_child(name: str, count: int) -> dict[str, float]:
    """Measure in a new process and return its figures by name."""
    command = [sys.executable, "-m", "benchmarks.children", name, str(count)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main(arguments: list[str]) -> None:
    """Measure what the command line says, in this process."""
    name, count = arguments[0], int(arguments[1])
    # Methods here run long by intention, and a hundred thousand threads wait long for their start.
    limits = Limits(slow_method_seconds=60.0, call_seconds=SECONDS_MAX, drain_seconds=60.0)
    with Node("benchmarks", limits=limits) as node:
        print(json.dumps(node.call(MEASURED[name], count)))


if __name__ == "__main__":
    main(sys.argv[1:])
