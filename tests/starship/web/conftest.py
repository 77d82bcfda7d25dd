"""A game with its site, one for each module of tests: they make ships of their own in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.starship.web.played import Game, played


@pytest.fixture(scope="module")
def game() -> Iterator[Game]:
    """A game with its site."""
    with played() as made:
        yield made
