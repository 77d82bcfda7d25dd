"""Whole games: after every step all servers have one state, and no order or ship is lost.

``--seeds 1000`` plays 250 of them; ``python -m tests.starship.world --seeds 500`` longer ones.
"""

from __future__ import annotations

import logging

import pytest

from tests.starship.world.campaign import Campaign
from vista.testing import World, first_difference, run_seed

PARTS = 20
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 50
"""A minute of one processor."""

STORM_STEPS = 5
"""A third of what the command plays, which plays hundreds."""

REPLAY = "python -m tests.starship.world --first {seed} --seeds 1 --steps 5"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nothing be logged: a storm makes thousands of lines."""
    caplog.set_level(logging.CRITICAL, "vista")


def short(world: World) -> Campaign:
    """Play a short game."""
    game = Campaign(world, world.seed, STORM_STEPS)
    game.run()
    return game


@pytest.mark.parametrize("part", range(PARTS))
def test_a_game_in_a_storm_goes_on_as_if_nothing_had_happened(seeds: range, part: int) -> None:
    # A game of whole nodes takes as long as hundreds of seeds of others do.
    count = max(1, len(seeds) * SEEDS // 200)
    for seed in seeds[:count][part::PARTS]:
        run_seed(short, seed, REPLAY)


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (run_seed(short, 3, REPLAY) for _ in range(2))
    assert first_difference(one, other) == ""


def test_the_games_are_such_as_they_should_be() -> None:
    """A storm in which nothing happens would prove nothing."""
    with World(2) as world:
        game = short(world)
    book = game.book
    admitted = [order for order in book.orders.values() if order.answer and order.answer.ok]
    refused = [order for order in book.orders.values() if order.answer and not order.answer.ok]
    # Who was promised a ship for a step that was never made has none.
    assert 25 <= len(game.promised) <= 30
    assert len(admitted) > 50
    assert refused
    assert len(book.agreed) >= 5
