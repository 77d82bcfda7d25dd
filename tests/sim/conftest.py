"""How a scenario is run for many seeds, and what a failure says to replay it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import pytest

from vista.testing import World, run_seeds


class Simulate(Protocol):
    """Runs a scenario twice for each seed, or for one seed in ``every``; see `simulate`."""

    def __call__(self, scenario: Callable[[World], object], every: int = 1) -> dict[int, str]: ...


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let no method's failure be logged: a storm makes thousands."""
    caplog.set_level(logging.CRITICAL, "vista")


@pytest.fixture
def simulate(request: pytest.FixtureRequest, seeds: range, quiet: None) -> Simulate:
    """Run a scenario twice for each seed and return the digests of the traces."""
    replay = f"pytest {request.node.nodeid} --seeds-from {{seed}} --seeds 1"

    def run(scenario: Callable[[World], object], every: int = 1) -> dict[int, str]:
        return run_seeds(scenario, seeds[::every], replay)

    return run
