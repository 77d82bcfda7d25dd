"""Starships, starbases and planets as objects, with the same Ids on every server of a game.

They show what the last committed step left. What computes the steps is the server; it tells each
object its changes. Reading them needs no server: the object browser and other programs may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import vista
from apps.starship.rules.encoding import changes_to_plain, plain
from apps.starship.rules.objects import GROUPS, UNITS, Group, Thing


class SimulationObject(vista.Object, namespace="StarShip"):
    """An object of the simulation; `Starship`, `Starbase` and `Planet` are made by the primary.

    ``create(full_name, groups)``: ``groups`` are the attributes by group and name, as the rules'
    canonical form has them: ``meta``, ``nav``, ``tac``, ``com``. ``computed_by`` says which servers
    computed the units nav, tac and com of the last step, as Ids; ``""`` is the primary itself.
    """

    def create(self, full_name: str, groups: dict[str, dict[str, Any]]) -> None:
        """Begin with attributes."""
        self.full_name = full_name
        self.meta = groups["meta"]
        self.nav = groups["nav"]
        self.tac = groups["tac"]
        self.com = groups["com"]
        self.computed_by: dict[str, str | None] = {}

    def get_number(self) -> int:
        """Return the number of the object in its game."""
        number: int = self.meta["id"]
        return number

    def get_full_name(self) -> str:
        """Return race, kind and short name."""
        return self.full_name

    def get_state(self) -> dict[str, dict[str, Any]]:
        """Return all attributes by group and name."""
        return {"meta": self.meta, "nav": self.nav, "tac": self.tac, "com": self.com}

    def get_computed_by(self) -> dict[str, str | None]:
        """Return which servers computed the units of the last step; {} before the first."""
        return self.computed_by

    def update(self, changes: dict[str, dict[str, Any]]) -> None:
        """Take over attributes that a step changed, by group; the server posts it."""
        for group, attributes in changes.items():
            setattr(self, group, {**getattr(self, group), **attributes})


class Starship(SimulationObject, namespace="StarShip"):
    """A starship."""


class Starbase(SimulationObject, namespace="StarShip"):
    """A starbase."""


class Planet(SimulationObject, namespace="StarShip"):
    """A planet."""


def groups_of(thing: Thing) -> dict[str, dict[str, Any]]:
    """Return the attributes of an object by group and name, in their canonical form."""
    found = {}
    for name in GROUPS:
        group: Group = getattr(thing, name)
        found[name] = {member: plain(getattr(group, member)) for member in group.names}
    return found


CLASSES = {"starship": Starship, "starbase": Starbase, "planet": Planet}
"""The class of each kind of object."""


def changes_to_show(
    groups: Mapping[str, Mapping[str, Any]], authors: Sequence[str | None] | None
) -> dict[str, dict[str, Any]]:
    """Return what `SimulationObject.update` takes: changed attributes by group, and who did them.

    ``authors`` are the servers of the units nav, tac and com, None where that is not told.
    """
    changes = {group: changes_to_plain(made) for group, made in groups.items()}
    if authors is not None:
        changes["computed_by"] = dict(zip(UNITS, authors, strict=True))
    return changes
