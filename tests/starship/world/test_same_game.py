"""One seed is one game, on however many servers and whatever Python's own hashes are."""

from __future__ import annotations

from functools import cache

import pytest

from tests.hash_seeds import printed_under
from tests.starship.world.script import STEPS, hashes


@cache
def alone() -> tuple[str, ...]:
    """The game on the primary's own server."""
    return tuple(hashes(1))


@pytest.mark.parametrize("servers", [2, 4])
def test_the_same_seed_gives_the_same_game_on_more_servers(servers: int) -> None:
    assert tuple(hashes(servers)) == alone()
    assert len(set(alone())) == STEPS


@pytest.mark.parametrize("number", ["1", "2"])
def test_the_same_seed_gives_the_same_game_under_other_hashes_of_python(number: str) -> None:
    told = printed_under(number, "-m", "tests.starship.world.script", "2")
    assert tuple(told.split()) == alone()
