"""``python -m apps.solidstate.simulate``: runs of the simulated group, as many as wanted.

Every seed is one run. One that breaks a promise is printed with its plan, its last events and the
command that replays it; the exit code is then 1. Ctrl-C ends the runs and says how they went so
far.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from apps.solidstate.pbft.membership import MEMBERS_MAX
from apps.solidstate.simulator.checks import Violation
from apps.solidstate.simulator.plan import FAULTS, MODES, STRATEGIES
from apps.solidstate.simulator.running import run_seed, run_twice

CHUNK = 50
"""Seeds that one process runs before it says how it went."""

FAILURES_SHOWN = 5
"""Failures that are printed in full; of the others only the seed."""


@dataclass(frozen=True)
class Work:
    """Some seeds for one process, and how to run them."""

    first: int
    seeds: int
    faults: tuple[str, ...]
    strategies: tuple[str, ...]
    replicas: int
    mode: str
    twice: bool


@dataclass(frozen=True)
class Done:
    """How the runs of some seeds went: ``failures`` has the words of each seed that failed."""

    runs: int
    events: int
    views: int
    reports: Counter[str]
    failures: dict[int, str]


def work(task: Work) -> Done:
    """Run some seeds."""
    events = views = 0
    reports: Counter[str] = Counter()
    failures = {}
    for seed in range(task.first, task.first + task.seeds):
        run = run_twice if task.twice else run_seed
        try:
            outcome = run(seed, task.faults, task.strategies, task.replicas, task.mode)
        except Violation:
            failures[seed] = traceback.format_exc()
        else:
            events += outcome.events
            views += outcome.views
            reports += outcome.reports
    return Done(task.seeds, events, views, reports, failures)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    if options.trace:
        return _trace(options)
    tasks = [
        Work(
            first,
            min(CHUNK, options.first + options.seeds - first),
            options.faults,
            options.strategies,
            options.replicas,
            options.mode,
            options.twice,
        )
        for first in range(options.first, options.first + options.seeds, CHUNK)
    ]
    return _run(tasks, options.processes)


def _run(tasks: list[Work], processes: int) -> int:
    began = told = time.monotonic()
    failures: dict[int, str] = {}
    total: Counter[str] = Counter(runs=0)
    going_on = ""
    with ProcessPoolExecutor(processes, initializer=_leave_interrupts) as pool:
        try:
            for done in pool.map(work, tasks):
                total.update(runs=done.runs, events=done.events, views=done.views)
                total.update(done.reports)
                for seed, words in done.failures.items():
                    failures[seed] = words
                    print(words if len(failures) <= FAILURES_SHOWN else f"seed {seed} failed")
                if time.monotonic() - told >= _progress_seconds():
                    told = time.monotonic()
                    _tell_progress(total["runs"], len(failures))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            first = tasks[0].first + total["runs"]
            going_on = f"; the first one that was not run is --first {first}"
    seconds = time.monotonic() - began
    words = ", ".join(f"{count} {name}" for name, count in total.items())
    failed = f"{len(failures)} failed {sorted(failures)[:50] or ''}"
    print(f"\n{words} in {seconds:.0f} s; {failed}{going_on}")
    return 1 if failures or going_on else 0


def _leave_interrupts() -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the one that counts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _progress_seconds() -> float:
    """Return how long nothing is said: a terminal shows each step, a file gets a line a minute."""
    return 0.0 if sys.stdout.isatty() else 60.0


def _tell_progress(runs: int, failed: int) -> None:
    ends = "" if sys.stdout.isatty() else "\n"
    begins = "\r" if sys.stdout.isatty() else ""
    print(f"{begins}{runs} runs, {failed} failed", end=ends, flush=True)


def _trace(options: argparse.Namespace) -> int:
    for seed in range(options.first, options.first + options.seeds):
        run_seed(seed, options.faults, options.strategies, options.replicas, options.mode, print)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.solidstate.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many (200)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first one (0)")
    parser.add_argument(
        "--faults", type=_words(FAULTS), default=FAULTS, metavar="A,B", help=_of(FAULTS)
    )
    parser.add_argument(
        "--strategies",
        type=_words(STRATEGIES),
        default=STRATEGIES,
        metavar="A,B",
        help="of faulty replicas: " + _of(STRATEGIES),
    )
    parser.add_argument(
        "--replicas", type=int, default=0, metavar="N", help="4, 7, 10... (what the seed draws)"
    )
    parser.add_argument(
        "--mode", choices=MODES, default=MODES[0], help="what may be wrong with replicas"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="side by side (1)")
    parser.add_argument("--twice", action="store_true", help="run each two times and compare")
    parser.add_argument("--trace", action="store_true", help="print every message")
    return parser


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    least = 4 if options.mode == MODES[0] else 3
    if options.replicas and not least <= options.replicas <= MEMBERS_MAX:
        parser.error(
            f"--replicas {options.replicas}: a group of mode {options.mode} has {least} to "
            f"{MEMBERS_MAX}, or 0 for what the seed draws"
        )
    if min(options.seeds, options.processes) < 1:
        parser.error("--seeds and --processes are 1 or more")


def _of(words: tuple[str, ...]) -> str:
    return f"some of {', '.join(words)}, or none"


def _words(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        words = tuple(word for word in text.split(",") if word not in ("", "none"))
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
        return words

    return read


if __name__ == "__main__":
    sys.exit(main())
