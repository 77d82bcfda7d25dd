"""``python -m tests.starship.world``: games in the simulated world, as many as wanted.

Every seed is one game. One in which something is lost, doubled or different is printed with the
last events and the command that replays it; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.starship.world.campaign import STORM_STEPS, Campaign
from vista.testing import World, first_difference, run_seed

REPLAY = "python -m tests.starship.world --first {seed} --seeds 1"


class Done(NamedTuple):
    """How the game of a seed went: what it counts, and the words of what was wrong."""

    seed: int
    counts: Counter[str]
    wrong: str


def play(seed: int, steps: int = STORM_STEPS, twice: bool = False) -> Done:
    """Play the game of one seed."""
    logging.getLogger("vista").setLevel(logging.CRITICAL)
    counts: Counter[str] = Counter()

    def scenario(world: World) -> None:
        game = Campaign(world, seed, steps)
        book = game.run()
        counts.update(games=1, steps=len(book.commits), ships=len(game.promised))
        answers = [order.answer for order in book.orders.values()]
        counts.update(orders=sum(bool(answer and answer.ok) for answer in answers))
        counts.update(deferred=sum(len(done.deferred) for done in book.commits))
        counts.update(hashes=sum(book.agreed.values()))
        counts.update(Counter(report.kind for report in book.reports))

    try:
        first = run_seed(scenario, seed, REPLAY)
        difference = first_difference(first, run_seed(scenario, seed, REPLAY)) if twice else ""
    except Exception:
        return Done(seed, counts, traceback.format_exc())
    return Done(seed, counts, difference)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; return the exit code."""
    options = _parser().parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    began = time.monotonic()
    total: Counter[str] = Counter()
    failed = []
    with ProcessPoolExecutor(options.processes) as pool:
        many = len(seeds)
        for done in pool.map(play, seeds, [options.steps] * many, [options.twice] * many):
            total += done.counts
            if done.wrong:
                failed.append(done.seed)
                print(f"seed {done.seed}: {done.wrong}", flush=True)
    words = ", ".join(f"{count} {name}" for name, count in total.items())
    print(f"{words} in {time.monotonic() - began:.0f} s; {len(failed)} failed {failed or ''}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.starship.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, metavar="N", help="how many (50)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first one (0)")
    parser.add_argument(
        "--steps", type=int, default=STORM_STEPS, metavar="N", help="in the storm (12)"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="side by side (1)")
    parser.add_argument("--twice", action="store_true", help="play each two times and compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
