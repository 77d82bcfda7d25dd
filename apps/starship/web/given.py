"""The orders that were admitted for the step being collected, for the bridges that show them.

The primary knows; a server is told the answers to what it passed on, which is nearly always all
there is: a captain has one browser.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

SHIPS_MAX = 4_096
"""Ships whose orders are remembered."""
ALL_LEFT = 1_000
"""Stands for as many orders as a step takes; displays know how many these are."""


class Given:
    """Orders by ship, for one step each."""

    def __init__(self) -> None:
        self._ships: OrderedDict[str, tuple[int, int, tuple[str, ...]]] = OrderedDict()

    def note(self, ship: str, step: int, left: int, order: str) -> None:
        """Take note of an answer of the primary: ``order`` was admitted, ``""`` if it was not."""
        known, fewest, orders = self._ships.get(ship.lower(), (-1, 0, ()))
        if known > step:
            return  # answers may overtake each other
        if known < step:
            orders = ()
        elif left >= fewest:
            # A refusal, or an answer that was given before to the same submission: an order that is
            # admitted leaves fewer.
            left, order = fewest, ""
        self._ships[ship.lower()] = step, left, (*orders, order) if order else orders
        self._ships.move_to_end(ship.lower())
        if len(self._ships) > SHIPS_MAX:
            self._ships.popitem(last=False)

    def of(self, ship: str, committed: int) -> tuple[int, tuple[str, ...]]:
        """Return how many orders are left, and those that were given.

        ``committed`` is the step that is shown: orders of steps up to it have taken effect.
        """
        step, left, orders = self._ships.get(ship.lower(), (-1, 0, ()))
        return (left, orders) if step > committed else (ALL_LEFT, ())


def order_text(name: str, words: Sequence[Any]) -> str:
    """Return an order as captains write it."""
    return " ".join([name, *map(str, words)])
