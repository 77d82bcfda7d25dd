"""What an admission needs after a restart: which orders were admitted, and which wait for a unit.

Written beside each step and each state that is saved. Without the keys an order that was not
answered when the primary fell, and is sent again, would take effect twice; without the orders that
wait, those of a unit that was deferred in the last step would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from apps.starship.errors import ScenarioError
from apps.starship.rules.commands import COMMANDS, Command
from apps.starship.rules.replay import read_order
from apps.starship.rules.state import State
from apps.starship.rules.step import Orders

Keys = dict[str, dict[str, int]]
"""By ship and key how many orders the ship had left after this one: what was answered."""


class Promised(NamedTuple):
    """``keys`` are those of admitted orders by step, ``late`` orders of deferred units by ship."""

    keys: Mapping[int, Keys] = {}
    late: Mapping[str, tuple[Command, ...]] = {}

    def of(self, state: State) -> Promised:
        """Return what is about ships that there are: the name of one that is gone is free."""
        return Promised(
            {
                step: {ship: keys for ship, keys in ships.items() if ship in state.objects}
                for step, ships in self.keys.items()
            },
            {ship: orders for ship, orders in self.late.items() if ship in state.objects},
        )


def late_orders(
    orders: Orders, deferred: Iterable[tuple[str, str]]
) -> dict[str, tuple[Command, ...]]:
    """Return by ship those orders of a step whose units were deferred."""
    late: dict[str, tuple[Command, ...]] = {}
    for ship, group in deferred:
        found = tuple(o for o in orders.get(ship, ()) if COMMANDS[o.name].group == group)
        if found:
            late[ship] = late.get(ship, ()) + found
    return late


def write_promised(promised: Promised) -> str:
    """Return it as a text, ``""`` for nothing."""
    if not promised.keys and not promised.late:
        return ""
    row = {
        "keys": [[step, ships] for step, ships in promised.keys.items()],
        "late": {
            ship: [[order.name, *order.args] for order in orders]
            for ship, orders in promised.late.items()
        },
    }
    return json.dumps(row, separators=(",", ":"))


def read_promised(text: str) -> Promised:
    """Return what a text says. Raises `ScenarioError` for what `write_promised` did not write."""
    if not text:
        return Promised()
    try:
        row = json.loads(text)
        return Promised(
            {
                int(step): {
                    str(ship): {str(key): int(left) for key, left in keys.items()}
                    for ship, keys in ships.items()
                }
                for step, ships in row["keys"]
            },
            {str(ship): tuple(map(read_order, orders)) for ship, orders in row["late"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"the keys of admitted orders cannot be read: {error}") from None
