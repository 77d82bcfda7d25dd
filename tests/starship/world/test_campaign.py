"""Whole games: after every step all servers have one state, and no order or ship is lost.

``--seeds 1000`` plays 250 of them; ``python -m tests.starship.world --seeds 500`` longer ones.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.conftest import share_of
from tests.starship.world.campaign import HOME, SERVERS, Campaign
from vista.testing import Trace, World, first_difference, run_seed

pytestmark = pytest.mark.usefixtures("quiet")

PARTS = 20
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 50
"""A minute of one processor."""

KNOWN_SEED = 2
STORM_STEPS = 5
"""A third of what the command plays, which plays hundreds."""

REPLAY = "python -m tests.starship.world --first {seed} --seeds 1 --steps 5"


def short(world: World) -> Campaign:
    """Play a short game."""
    game = Campaign(world, world.seed, STORM_STEPS)
    game.run()
    return game


@pytest.mark.parametrize("part", range(PARTS))
def test_a_game_in_a_storm_goes_on_as_if_nothing_had_happened(seeds: range, part: int) -> None:
    def goes_on(world: World) -> None:
        game = short(world)
        assert game.unrest() == ""
        assert game.ends == dict.fromkeys((HOME, *SERVERS), game.ends[HOME])

    for seed in share_of(seeds, SEEDS, part, PARTS):
        run_seed(goes_on, seed, REPLAY)


@cache
def known_game() -> tuple[Campaign, Trace]:
    """A short game, and the trace of its world."""
    games: list[Campaign] = []
    trace = run_seed(lambda world: games.append(short(world)), KNOWN_SEED, REPLAY)
    return games[0], trace


def test_the_same_seed_gives_the_same_run() -> None:
    _, trace = known_game()
    assert first_difference(trace, run_seed(short, KNOWN_SEED, REPLAY)) == ""


def test_the_games_are_such_as_they_should_be() -> None:
    """A storm in which nothing happens would prove nothing."""
    game, _ = known_game()
    book = game.book
    admitted = [order for order in book.orders.values() if order.answer and order.answer.ok]
    refused = [order for order in book.orders.values() if order.answer and not order.answer.ok]
    # Who was promised a ship for a step that was never made has none.
    assert 25 <= len(game.promised) <= 30
    assert len(admitted) > 50
    assert refused
    assert len(book.agreed) >= 5
