"""Storms over many seeds: every promise is kept, and one seed is one run."""

from __future__ import annotations

import pytest

from tests.sim.conftest import Simulate, assert_same_under_hash_seeds
from tests.sim.storm import storm


def test_every_promise_is_kept_in_a_storm_and_two_runs_of_a_seed_are_equal(
    simulate: Simulate, seeds: range
) -> None:
    digests = simulate(storm)
    assert len(set(digests.values())) == len(seeds)


@pytest.mark.timeout(300)
def test_a_seed_gives_the_same_trace_under_any_hash_seed(seeds: range) -> None:
    assert_same_under_hash_seeds("tests.sim.digests", seeds.start, len(seeds))
