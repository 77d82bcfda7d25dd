"""Running a scenario for many seeds, each twice, and saying how to replay the one that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from vista.testing.failure import Failure
from vista.testing.trace import Trace, first_difference
from vista.testing.world import World

_EVENTS_SHOWN = 25

Scenario = Callable[[World], Any]


def run_seed(scenario: Scenario, seed: int, replay: str = "") -> Trace:
    """Run ``scenario(world)`` in a world of ``seed`` and return the trace.

    What the scenario raises gets a note with the seed, the command ``replay`` (in which ``{seed}``
    stands for the seed) and the last events of the trace.
    """
    with World(seed) as world:
        try:
            scenario(world)
        except BaseException as error:
            _explain(error, seed, replay, world.trace)
            raise
        return world.trace


def run_seeds(scenario: Scenario, seeds: Iterable[int], replay: str = "") -> dict[int, str]:
    """Run a scenario twice for each seed and return the digest of each.

    Raises `Failure` when the two traces of a seed differ, and what the scenario raises; both with
    the notes of `run_seed`.

    >>> run_seeds(scenario, range(200), "pytest tests/sim --seeds-from {seed} --seeds 1")
    """
    digests = {}
    for seed in seeds:
        one, other = (run_seed(scenario, seed, replay) for _ in range(2))
        difference = first_difference(one, other)
        if difference:
            error = Failure(f"two runs of one seed differ: {difference}")
            _explain(error, seed, replay, one)
            raise error
        digests[seed] = one.digest()
    return digests


def _explain(error: BaseException, seed: int, replay: str, trace: Trace) -> None:
    error.add_note(f"seed {seed} failed at event {len(trace.events)}; the last ones were\n")
    error.add_note(trace.last(_EVENTS_SHOWN))
    if replay:
        error.add_note(f"\nto replay it: {replay.format(seed=seed)}")
