"""How a game is configured: the words of its rc line, checked, with what each may be.

Two rules. A word that is wrong is refused with what it may be, and nothing is made. What changes
the simulation becomes the settings of the state, so every server has the primary's; what does not
is told to the servers as `Terms`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from apps.starship.errors import ScenarioError
from apps.starship.rules.state import Settings
from vista import BadValueError

INTERVAL_MIN, INTERVAL_MAX = 0.05, 60.0
"""Seconds between two steps; 0 is for steps by hand."""
SEED_MAX = 2**63
"""Beyond it a seed is no integer of the canonical form."""
SCAN_DELAY_MAX = 720
"""Steps that spectators may be behind: an hour at 5 seconds a step."""
WORK_FACTOR_MAX = 10_000
UPDATE_INTERVAL_MAX = 600
"""Seconds between two loads of a page that has no script."""
STARSHIPS_MAX = 50_000
"""Starships of the largest galaxy; a state has 100,000 objects at most."""

GALAXIES: dict[str, Settings] = {
    "normal": Settings(),
    "large": Settings(
        across=16, ships=200, bases=12, planets=24, free_planets=32, starships_max=832,
        human_reserve=32,
    ),
    "huge": Settings(
        across=24, ships=2_500, bases=27, planets=54, free_planets=72, starships_max=10_064,
        human_reserve=64,
    ),
}  # fmt: skip
"""What ``galaxy=`` means: 40, 800 and 10,000 starships on 8, 16 and 24 quadrants to a side."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the servers of a game must know besides its state.

    ``interval`` in seconds, 0 for steps by hand; ``scan_delay`` steps that spectators are behind;
    ``work_factor`` how often each unit is computed; ``update_interval`` seconds between two loads
    of a page without script. ``test_hooks`` whether tests may interfere.
    """

    interval: float = 5.0
    scan_delay: int = 0
    work_factor: int = 1
    update_interval: int = 30
    test_hooks: bool = False

    def plain(self) -> dict[str, Any]:
        """Return the terms as what JSON has; `read_terms` reads it."""
        return asdict(self)


def read_terms(row: Mapping[str, Any]) -> Terms:
    """Return the terms that a primary sent; what it says beyond them is left alone."""
    known = {member.name for member in fields(Terms)}
    return Terms(**{name: value for name, value in row.items() if name in known})


@dataclass(frozen=True, slots=True)
class Configuration:
    """A game as its rc line describes it; `read_configuration` makes one.

    ``given`` are the names of what somebody wrote: the rest may come from a saved game.
    """

    interval: float = 5.0
    seed: int | None = None
    commands_per_step: int = 3
    max_starships: int = 64
    human_reserve: int = 16
    ai_per_race: int = 10
    galaxy: str = "normal"
    theme: str = ""
    update_interval_default: int = 30
    soft_deadline: int = 40
    hard_deadline: int = 80
    scan_delay: int = 0
    work_factor: int = 1
    sample: int = 2
    save_as: str = ""
    new_game: bool = False
    record: str = ""
    test_hooks: bool = False
    step_mode: str = "automatic"
    chat: bool = False
    given: frozenset[str] = frozenset()

    @property
    def manual(self) -> bool:
        """Whether steps are made by hand."""
        return self.interval == 0 or self.step_mode == "manual"

    def terms(self) -> Terms:
        """Return what the servers are told."""
        interval = 0.0 if self.manual else self.interval
        update = self.update_interval_default
        return Terms(interval, self.scan_delay, self.work_factor, update, self.test_hooks)

    def settings(self) -> Settings:
        """Return the settings of a new game. Raises `BadValueError` for impossible ones."""
        return self.settings_over(GALAXIES[self.galaxy])

    def settings_over(self, known: Settings) -> Settings:
        """Return settings with what somebody wrote in the place of what is known."""
        changes = {
            own: getattr(self, name) for name, own in _SETTINGS.items() if name in self.given
        }
        if "ai_per_race" in self.given and "max_starships" not in self.given:
            # Who wants more ships wants room for them.
            reserve = changes.get("human_reserve", known.human_reserve)
            least = 4 * self.ai_per_race + reserve
            changes["starships_max"] = max(known.starships_max, least)
        settings = replace(known, **changes)
        try:
            settings.validate()
        except ScenarioError as error:
            raise BadValueError(str(error)) from error
        return settings


_SETTINGS = {
    "commands_per_step": "commands_per_step",
    "max_starships": "starships_max",
    "human_reserve": "human_reserve",
    "ai_per_race": "ships",
}

# --- reading -------------------------------------------------------------------------------

_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


class _Bad(Exception):
    """What a value must be."""


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            found = int(str(value), 0) if not isinstance(value, bool | float) else None
        except ValueError:
            found = None
        if found is None or not low <= found <= high:
            raise _Bad(f"a whole number from {low} to {high}")
        return found

    return read


def _interval(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if found != 0 and not INTERVAL_MIN <= found <= INTERVAL_MAX:
        raise _Bad(f"{INTERVAL_MIN} to {INTERVAL_MAX} seconds, or 0 for steps by hand")
    return found


def _switch(value: Any) -> bool:
    word = str(value).lower()
    if word not in _YES + _NO:
        raise _Bad("yes or no")
    return word in _YES


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise _Bad(f"{', '.join(words[:-1])} or {words[-1]}")
        return str(value)

    return read


def _path(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 4_096:
        raise _Bad("the name of a file")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 60 or not value.isprintable():
        raise _Bad("a name of at most 60 characters, or none")
    return value


def _sample(value: Any) -> int:
    return 2**31 if value == "all" else _whole(0, 2**31)(value)


def _no_chat(value: Any) -> bool:
    if _switch(value):
        raise _Bad("off: captains are anonymous and cannot talk to each other")
    return False


_READERS: dict[str, Callable[[Any], Any]] = {
    "interval": _interval,
    "seed": _whole(-SEED_MAX, SEED_MAX),
    "commands_per_step": _whole(1, 10),
    "max_starships": _whole(1, STARSHIPS_MAX),
    "human_reserve": _whole(0, STARSHIPS_MAX),
    "ai_per_race": _whole(0, STARSHIPS_MAX // 4),
    "galaxy": _one_of(*GALAXIES),
    "theme": _path,
    "update_interval_default": _whole(1, UPDATE_INTERVAL_MAX),
    "soft_deadline": _whole(1, 99),
    "hard_deadline": _whole(2, 100),
    "scan_delay": _whole(0, SCAN_DELAY_MAX),
    "work_factor": _whole(1, WORK_FACTOR_MAX),
    "sample": _sample,
    "save_as": _name,
    "new_game": _switch,
    "record": _path,
    "test_hooks": _switch,
    "step_mode": _one_of("automatic", "manual"),
    "chat": _no_chat,
}
_ALIASES = {"step_interval": "interval"}
_BY_PLACE = ("interval", "seed")


def read_configuration(words: Iterable[Any], named: Mapping[str, Any]) -> Configuration:
    """Return the configuration of ``[INTERVAL] [SEED] [KEY=VALUE]...``, and of named arguments.

    None for a value means the usual one. Raises `BadValueError` with what is wrong and what
    it may be.
    """
    found: dict[str, Any] = {}
    places = iter(_BY_PLACE)
    for word in words:
        name, equals, value = word.partition("=") if isinstance(word, str) else ("", "", word)
        if not equals:
            name, value = next(places, ""), word
            if not name:
                raise BadValueError(
                    f"{word!r} is one word too many: after interval and seed write KEY=VALUE,"
                    f" with one of {', '.join(_READERS)}"
                )
        _take(found, name, value)
    for name, value in named.items():
        _take(found, name, value)
    made = Configuration(**found, given=frozenset(found))
    _check_together(made)
    return made


def _take(found: dict[str, Any], name: str, value: Any) -> None:
    name = _ALIASES.get(name, name)
    reader = _READERS.get(name)
    if reader is None:
        near = difflib.get_close_matches(name, _READERS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(_READERS)}"
        raise BadValueError(f"a game has no setting {name!r}{hint}")
    if name in found:
        raise BadValueError(f"{name} is said twice")
    if value is None:
        return
    try:
        found[name] = reader(value)
    except _Bad as error:
        raise BadValueError(f"{name} is {error}, not {value!r:.80}") from None


def _check_together(made: Configuration) -> None:
    if made.soft_deadline >= made.hard_deadline:
        raise BadValueError(
            f"soft_deadline ({made.soft_deadline}) comes before hard_deadline"
            f" ({made.hard_deadline}): both are percent of the interval"
        )
    if made.step_mode == "manual" and not made.test_hooks:
        raise BadValueError("step_mode=manual is for tests: write test_hooks=1 too")
    made.settings()
