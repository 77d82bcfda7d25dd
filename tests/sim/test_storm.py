"""Storms over many seeds: every promise is kept, and one seed is one run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.source import ROOT
from tests.sim.conftest import Simulate
from tests.sim.storm import storm


def test_every_promise_is_kept_in_a_storm_and_two_runs_of_a_seed_are_equal(
    simulate: Simulate, seeds: range
) -> None:
    digests = simulate(storm)
    assert len(set(digests.values())) == len(seeds)


@pytest.mark.timeout(300)
def test_a_seed_gives_the_same_trace_under_any_hash_seed(seeds: range) -> None:
    assert _digests(seeds, "1") == _digests(seeds, "2")


def _digests(seeds: range, hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.sim.digests", str(seeds.start), str(len(seeds))]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == len(seeds)
    return run.stdout
