"""What an admission needs after a restart: which orders were admitted, and which wait for a unit.

Written beside each step and each state that is saved; what was admitted for steps to come only when
the game ends politely. Without the keys an order that was not
answered when the primary fell, and is sent again, would take effect twice; without the orders that
wait, those of a unit that was deferred in the last step would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from apps.starship.errors import ScenarioError
from apps.starship.rules.commands import COMMANDS, Command
from apps.starship.rules.replay import Played, read_order, read_step, write_step
from apps.starship.rules.state import State
from apps.starship.rules.step import Orders, Structure

Keys = dict[str, dict[str, int]]
"""By ship and key how many orders the ship had left after this one: what was answered."""


class Coming(NamedTuple):
    """What was admitted for a step that is not made: orders, and what captains did to ships."""

    orders: Orders
    structure: Structure


class Promised(NamedTuple):
    """``keys`` are those of admitted orders by step, ``late`` orders of deferred units by ship.

    ``coming`` is what was admitted for steps to come, by step, when the game was ended politely.
    """

    keys: Mapping[int, Keys] = {}
    late: Mapping[str, tuple[Command, ...]] = {}
    coming: Mapping[int, Coming] = {}

    def of(self, state: State) -> Promised:
        """Return what is about ships that there are: the name of one that is gone is free."""
        return Promised(
            {
                step: {ship: keys for ship, keys in ships.items() if ship in state.objects}
                for step, ships in self.keys.items()
            },
            {ship: orders for ship, orders in self.late.items() if ship in state.objects},
            {step: coming for step, coming in self.coming.items() if step > state.step},
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
    if not any(promised):
        return ""
    row: dict[str, Any] = {
        "keys": [[step, ships] for step, ships in promised.keys.items()],
        "late": {
            ship: [[order.name, *order.args] for order in orders]
            for ship, orders in promised.late.items()
        },
    }
    if promised.coming:
        row["coming"] = [
            [step, write_step(Played(coming.orders, (), coming.structure, ""))]
            for step, coming in promised.coming.items()
        ]
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
            {int(step): _coming(line) for step, line in row.get("coming", ())},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"the keys of admitted orders cannot be read: {error}") from None


def _coming(line: str) -> Coming:
    played = read_step(line, 1)
    return Coming(played.orders, played.structure)
