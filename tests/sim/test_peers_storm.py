"""Nodes of drawn graphs in storms: calls end once and in order, also to objects that move."""

from __future__ import annotations

import pytest

from tests.sim.conftest import Simulate, assert_same_under_hash_seeds
from tests.sim.nomads import journey
from vista.testing import World, run_seed

PARTS = 10
"""Tests that the seeds are dealt to, so that they can run side by side."""

SEEDS_JUDGED = 10
"""From how many seeds on a part must have seen much of everything."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_calls_end_once_and_in_order_objects_move_and_all_comes_to_rest(
    part: int, seeds: range, quiet: None
) -> None:
    replay = "pytest tests/sim/test_peers_storm.py -k calls_end_once --seeds-from {seed} --seeds 1"
    moved, copied, replicas = [], [], []

    def scenario(world: World) -> None:
        meeting = journey(world)
        moved.append(meeting.moved)
        copied.append(len(meeting.copies))
        replicas.append(meeting.replicas)

    # Half as many again as elsewhere, and one time each: a run takes 0.2 s.
    for seed in range(seeds.start, seeds.start + (3 * len(seeds) + 1) // 2)[part::PARTS]:
        run_seed(scenario, seed, replay)
    # A single seed that is run again may see little.
    if len(moved) >= SEEDS_JUDGED:
        assert sum(moved) >= 3 * len(moved)
        assert sum(copied) >= 3 * len(copied)
        assert sum(replicas) >= len(replicas)


def test_two_runs_of_a_seed_are_equal(simulate: Simulate, seeds: range) -> None:
    digests = simulate(journey, every=20)
    assert len(set(digests.values())) == len(seeds[::20])


def test_a_seed_gives_the_same_meeting_under_any_hash_seed(seeds: range) -> None:
    assert_same_under_hash_seeds("tests.sim.nomads", seeds.start, len(seeds) // 20)
