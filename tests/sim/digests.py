"""A program that prints the digest of a storm for each seed: python -m tests.sim.digests 0 200."""

from __future__ import annotations

import logging
import sys

from tests.sim.storm import storm
from vista.testing import run_seed


def main(first: int, count: int) -> None:
    """Print ``count`` lines of seed and digest, from seed ``first`` on."""
    logging.disable(logging.CRITICAL)
    for seed in range(first, first + count):
        print(seed, run_seed(storm, seed).digest())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
