"""Nodes of drawn graphs in storms: calls end once and in order, also to objects that move."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.source import ROOT
from tests.sim.conftest import Simulate
from tests.sim.nomads import journey
from vista.testing import World, run_seed


@pytest.mark.timeout(300)
def test_calls_end_once_and_in_order_objects_move_and_all_comes_to_rest(
    request: pytest.FixtureRequest, seeds: range, quiet: None
) -> None:
    replay = f"pytest {request.node.nodeid} --seeds-from {{seed}} --seeds 1"
    timeouts, moved, broken = [], [], []

    def scenario(world: World) -> None:
        meeting = journey(world)
        timeouts.append(meeting.timeouts)
        moved.append(meeting.moved)
        broken.append(meeting.broken)

    # Half as many again as elsewhere, and one time each: a run takes 0.2 s.
    for seed in range(seeds.start, seeds.start + (3 * len(seeds) + 1) // 2):
        run_seed(scenario, seed, replay)
    # A call ends with the word of what was lost, and by its bound only where that was lost as well.
    assert sum(timeouts) <= 2 + len(timeouts) // 50
    assert sum(broken) <= 2 + len(broken) // 50
    assert sum(moved) >= 3 * len(moved)


def test_two_runs_of_a_seed_are_equal(simulate: Simulate, seeds: range) -> None:
    digests = simulate(journey, every=20)
    assert len(set(digests.values())) == len(seeds[::20])


def test_a_seed_gives_the_same_meeting_under_any_hash_seed(seeds: range) -> None:
    assert _digests(seeds, "1") == _digests(seeds, "2")


def _digests(seeds: range, hash_seed: str) -> str:
    count = max(1, len(seeds) // 20)
    command = [sys.executable, "-m", "tests.sim.nomads", str(seeds.start), str(count)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == count
    return run.stdout
