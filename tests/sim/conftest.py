"""How a scenario is run for many seeds, and what a failure says to replay it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from tests.hash_seeds import printed_under
from vista.testing import World, run_seeds


class Simulate(Protocol):
    """Runs a scenario twice for each seed, or for one seed in ``every``; see `simulate`."""

    def __call__(self, scenario: Callable[[World], object], every: int = 1) -> dict[int, str]: ...


@pytest.fixture
def simulate(request: pytest.FixtureRequest, seeds: range, quiet: None) -> Simulate:
    """Run a scenario twice for each seed and return the digests of the traces."""
    replay = f"pytest {request.node.nodeid} --seeds-from {{seed}} --seeds 1"

    def run(scenario: Callable[[World], object], every: int = 1) -> dict[int, str]:
        return run_seeds(scenario, seeds[::every], replay)

    return run


def assert_same_under_hash_seeds(program: str, first: int, count: int) -> None:
    """A program prints the same line for each seed in processes with other hashes of texts.

    It is run for at least one seed, whatever ``count`` says.
    """
    words = ("-m", program, str(first), str(max(1, count)))
    one, other = printed_under("1", *words), printed_under("2", *words)
    assert one == other
    assert len(one.splitlines()) == max(1, count)
