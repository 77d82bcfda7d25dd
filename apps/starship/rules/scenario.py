"""Galaxies that somebody describes: for tests, which want two ships and nothing else.

A scenario is JSON: ``seed``, ``step``, ``ai`` (false: the computer orders nothing), ``settings``,
and ``objects``, each with ``name``, ``race``, ``kind``, ``x`` and ``y`` in mu, and whatever else is
not as in a new object under ``meta``, ``nav``, ``tac`` and ``com``::

    {"seed": 42, "objects": [
      {"name": "Aegis", "race": "F", "kind": "starbase", "x": 1000000, "y": 1000000},
      {"name": "Bounty", "race": "F", "kind": "starship", "x": 1005000, "y": 1000000,
       "meta": {"captain": 7, "human": true}, "tac": {"hull": 100}}]}
"""

from __future__ import annotations

import json
from typing import Any

from apps.starship.errors import ScenarioError
from apps.starship.rules.creating import new_thing
from apps.starship.rules.objects import GROUPS, Group, Thing
from apps.starship.rules.reading import OBJECTS_MAX, check_thing, read_changes, read_settings
from apps.starship.rules.state import State
from apps.starship.rules.theme import INDEPENDENT, KINDS, NAME, RACES, Theme

NOBODY = 0
"""The captain of everything where the computer orders nothing; nobody's number."""

_KEYS = {"seed", "step", "ai", "settings", "objects"}
_OWN = {"name", "race", "kind", "x", "y"}


def read_scenario(text: str, theme: Theme) -> State:
    """Return the galaxy of a scenario. Raises `ScenarioError` with what is wrong and where."""
    try:
        row = json.loads(text)
    except ValueError as error:
        raise ScenarioError(f"a scenario is JSON: {error}") from None
    if not isinstance(row, dict) or not set(row) <= _KEYS:
        raise ScenarioError(f"a scenario has {', '.join(sorted(_KEYS))}")
    step = _integer(row, "step", 0)
    rows = row.get("objects", [])
    if not isinstance(rows, list) or len(rows) > OBJECTS_MAX:
        raise ScenarioError(f"objects are a list of at most {OBJECTS_MAX}")
    things: dict[str, Thing] = {}
    for number, each in enumerate(rows, 1):
        thing = _thing(each, number, step)
        if any(thing.name.lower() == name.lower() for name in things):
            raise ScenarioError(f"two objects are called {thing.name}")
        if not row.get("ai", True) and thing.meta.captain is None:
            thing = thing._replace(meta=thing.meta.changed({"captain": NOBODY}))
        things[thing.name] = thing
    settings = read_settings(row.get("settings", {}))
    return State(_integer(row, "seed", 0), step, settings, theme, things, len(things) + 1)


def _integer(row: dict[str, Any], name: str, usual: int) -> int:
    value = row.get(name, usual)
    if type(value) is not int or not 0 <= value < 2**63:
        raise ScenarioError(f"{name} is a number from 0, not {value!r:.80}")
    return value


def _thing(row: Any, number: int, step: int) -> Thing:
    if not isinstance(row, dict) or not _OWN <= set(row) <= _OWN | set(GROUPS):
        raise ScenarioError(f"object {number} has {', '.join(sorted(_OWN))}, and groups if need be")
    name, race, kind = row["name"], row["race"], row["kind"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ScenarioError(f"object {number}: {name!r:.80} is no name")
    if kind not in KINDS or race not in (*RACES, INDEPENDENT) or (race, kind) in _NO_SHIPS:
        raise ScenarioError(f"{name}: there is no {kind!r:.80} of race {race!r:.80}")
    place = _integer(row, "x", 0), _integer(row, "y", 0)
    thing = new_thing(number, name, race, kind, place, step)
    for group_name in GROUPS:
        if group_name in row:
            group: Group = getattr(thing, group_name)
            changes = read_changes(group_name, row[group_name])
            thing = thing.with_group(group_name, group.changed(changes))
    if (thing.name, thing.race, thing.kind, thing.meta.id) != (name, race, kind, number):
        raise ScenarioError(f"{name}: name, race, kind and id stand outside of meta")
    check_thing(thing)
    return thing


_NO_SHIPS = {(INDEPENDENT, "starship"), (INDEPENDENT, "starbase")}
