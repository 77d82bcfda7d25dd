"""Names of races, places and ships: data that a site may replace, never code.

A theme is JSON: ``{"races": {KEY: {"name": ..., "planets": "A B", "starbases": ..., "starships":
...}}}`` with the keys F, K, R, O and N. The names of the shipped one are invented, but for those of
the original's guide.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from apps.starship.errors import ThemeError

RACES = ("F", "K", "R", "O")
"""Keys of the races that have starships, in the order in which anything is done for each."""
INDEPENDENT = "N"
"""Key of the planets that trade with everyone."""

KINDS = ("starship", "starbase", "planet")
"""What objects of the simulation are."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,15}")
"""A short name, which captains type."""
RESERVED = frozenset({"all", "none", "self", "help"})
"""Short names that mean something in a command."""

THEME_BYTES_MAX = 1_048_576
"""Bytes a theme may have; it is part of the snapshot every server gets."""


@dataclass(frozen=True, slots=True)
class Race:
    """A race: its full name, and the short names its objects get when nobody chose one."""

    name: str
    planets: tuple[str, ...]
    starbases: tuple[str, ...]
    starships: tuple[str, ...]

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names for a kind of object, in the order they are tried."""
        names: tuple[str, ...] = getattr(self, f"{kind}s")
        return names


@dataclass(frozen=True, slots=True)
class Theme:
    """All races of a game by key."""

    races: dict[str, Race]

    def full_name(self, race: str, kind: str, name: str) -> str:
        """Return the full name of an object: race, kind and short name."""
        return f"{self.races[race].name} {kind.capitalize()} {name}"

    def is_race(self, name: str) -> bool:
        """Tell whether a word is the name of a race, however it is written."""
        return any(race.name.lower() == name.lower() for race in self.races.values())


def theme_text(theme: Theme) -> str:
    """Return a theme as `parse_theme` reads it."""
    rows = {
        key: {
            "name": race.name,
            "planets": " ".join(race.planets),
            "starbases": " ".join(race.starbases),
            "starships": " ".join(race.starships),
        }
        for key, race in theme.races.items()
    }
    return json.dumps({"races": rows})


def parse_theme(text: str) -> Theme:
    """Return the theme that a JSON text describes. Raises `ThemeError` with what is wrong."""
    if len(text) > THEME_BYTES_MAX:
        raise ThemeError(f"a theme may have {THEME_BYTES_MAX} characters, not {len(text)}")
    try:
        rows = json.loads(text)["races"]
        races = {key: _race(key, rows[key]) for key in (*RACES, INDEPENDENT)}
    except (ValueError, TypeError, KeyError) as error:
        raise ThemeError(f"a theme has names for the races F, K, R, O and N: {error!r}") from None
    theme = Theme(races)
    _check_names(theme)
    return theme


def _race(key: str, row: dict[str, Any]) -> Race:
    lists = [tuple(row[kind].split()) for kind in ("planets", "starbases", "starships")]
    race = Race(str(row["name"]), *lists)
    for name in (race.name, *race.planets, *race.starbases, *race.starships):
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            raise ThemeError(f"race {key}: {name!r} is no name; see `apps.starship.rules.theme`")
    if not race.planets or (key != INDEPENDENT and not (race.starbases and race.starships)):
        raise ThemeError(f"race {key}: names are missing")
    return race


def _check_names(theme: Theme) -> None:
    seen: set[str] = set()
    for race in theme.races.values():
        for name in (race.name, *race.planets, *race.starbases, *race.starships):
            if name.lower() in seen:
                raise ThemeError(f"the name {name!r} stands twice")
            seen.add(name.lower())
