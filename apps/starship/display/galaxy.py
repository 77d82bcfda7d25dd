"""What spectators see of a galaxy: the map, the leaderboard, and frames of the steps that were.

Two rules. Everything here is made for JSON: dicts, lists, texts and numbers as people read them,
angles in degrees, places in units, x to the east and y to the north. Nothing here decides anything:
the rules never read it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from apps.starship.display.figures import units
from apps.starship.display.fleets import fleets_of
from apps.starship.rules.arithmetic import UNIT
from apps.starship.rules.geography import NEUTRAL, QUADRANT, Geography
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import State, View
from apps.starship.rules.theme import RACES

FRAMES_MAX = 720
"""Steps a replay goes back: an hour at 5 seconds a step."""
FRAMES_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of all frames; in a galaxy of ten thousand ships a replay goes back fewer steps."""

TENTH = UNIT // 10
"""The unit of places in frames, in mu: a tenth of a unit."""

LOST_ROWS_MAX = 1_000
"""Lost ships that stay on the leaderboard: those with the highest scores."""


# --- the map -------------------------------------------------------------------------------


def map_of(state: State) -> dict[str, Any]:
    """Return the whole galaxy as spectators see it, in units and degrees.

    ``things`` are the living objects in the order of their names, ``wrecks`` what was destroyed of
    late; ``fleets`` have a circle around them; ``ships`` counts the living starships of each race.
    """
    view = state.view()
    fleets = fleets_of(view)
    member = {name: fleet["name"] for fleet in fleets for name in fleet["ships"]}
    living = [state.objects[name] for name in view.names if state.objects[name].alive]
    return {
        "step": state.step,
        "across": state.settings.across,
        "side": view.geography.size // UNIT,
        "quadrant": QUADRANT // UNIT,
        "races": {race: state.theme.races[race].name for race in RACES},
        "territories": territories_of(view.geography),
        "things": [_map_row(view, thing, member.get(thing.name)) for thing in living],
        "wrecks": [
            {"name": wreck.name, "x": units(wreck.nav.x), "y": units(wreck.nav.y)}
            for wreck in view.wrecks
        ],
        "fleets": fleets,
        "beams": [
            {"x1": x1 / 10, "y1": y1 / 10, "x2": x2 / 10, "y2": y2 / 10, "hit": bool(hit)}
            for x1, y1, x2, y2, hit in _beams(state)
        ],
        "ships": {race: len(view.of.get((race, "starship"), ())) for race in RACES},
    }


def _map_row(view: View, thing: Thing, fleet: str | None) -> dict[str, Any]:
    nav, com = thing.nav, thing.com
    is_ship = thing.kind == "starship"
    return {
        "name": thing.name,
        "full_name": view.state.theme.full_name(thing.race, thing.kind, thing.name),
        "race": thing.race,
        "kind": thing.kind,
        "x": units(nav.x),
        "y": units(nav.y),
        "quadrant": view.geography.quadrant(nav.x, nav.y),
        "heading": nav.heading / 10,
        "speed": nav.speed / 10,
        "alert": view.alert(thing) if is_ship else "red" if view.under_attack(thing) else "green",
        "fleet": fleet,
        "distress": view.calls_for_help(thing),
        "responding": com.responding_to,
        "human": thing.meta.captain is not None,
        "captain": captain_kind(thing),
        "score": com.score,
    }


def territories_of(geography: Geography) -> list[dict[str, Any]]:
    """Return the quadrants that belong to a race, each with its centre in units."""
    found = []
    for race in RACES:
        for column, row in geography.owned(race):
            x, y = geography.centre(column, row)
            name = geography.name(column, row)
            found.append({"quadrant": name, "owner": race, "x": x // UNIT, "y": y // UNIT})
    return found


def captain_kind(thing: Thing) -> str:
    """Return who commands: ``human``, ``caretaker`` of a human's ship, or ``computer``."""
    if thing.meta.captain is not None:
        return "human"
    return "caretaker" if thing.meta.human else "computer"


def _beams(state: State) -> list[list[int]]:
    """The shots of the last step as x and y of both ends in tenths of a unit, and hit or miss."""
    found = []
    for name in sorted(state.objects):
        nav = state.objects[name].nav
        for shot in state.objects[name].tac.shots:
            target = state.objects.get(shot.target)
            if shot.step == state.step and target is not None:
                ends = (nav.x, nav.y, target.nav.x, target.nav.y)
                found.append([*(mu // TENTH for mu in ends), int(shot.damage > 0)])
    return found


# --- the leaderboard -----------------------------------------------------------------------


def table_of(state: State, lost_rows: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Return the leaderboard, highest scores first: the ships there are, and those that are lost.

    ``lost_rows`` are what `fallen` returned for the steps so far.
    """
    rows = [
        score_row(state, thing)
        for thing in state.objects.values()
        if thing.kind == "starship" and thing.alive
    ]
    rows += [dict(row) for row in lost_rows]
    return sorted(rows, key=_rank)


def score_row(state: State, ship: Thing) -> dict[str, Any]:
    """Return the row of a starship; for a wreck, that it is lost and who destroyed it."""
    com, died = ship.com, ship.tac.dead_at
    return {
        "name": ship.name,
        "full_name": state.theme.full_name(ship.race, ship.kind, ship.name),
        "race": ship.race,
        "race_name": state.theme.races[ship.race].name,
        "captain": captain_kind(ship),
        "score": com.score,
        "kills": com.kills,
        "missions": com.missions_done,
        "lived": (state.step if died is None else died) - ship.meta.created_at,
        "lost": died is not None,
        "killer": ship.tac.killer,
        "step": died,
    }


def fallen(before: State, after: State) -> list[dict[str, Any]]:
    """Return the rows of the starships that a step destroyed; what was one before is left out."""
    lost = [
        thing
        for name, thing in after.objects.items()
        if thing.tac.dead_at == after.step
        and thing.kind == "starship"
        and (name not in before.objects or before.objects[name].alive)
    ]
    return [score_row(after, thing) for thing in sorted(lost, key=lambda thing: thing.name)]


def keep_lost(rows: Iterable[Mapping[str, Any]], most: int = LOST_ROWS_MAX) -> list[dict[str, Any]]:
    """Return the rows of lost ships that stay, ``most`` of them: the highest scores."""
    return sorted((dict(row) for row in rows), key=_rank)[:most]


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return -row["score"], -row["kills"], row["name"], row["step"] or 0


# --- replay --------------------------------------------------------------------------------


class Frames:
    """The last steps of a game for its replay; `add` each state as it is committed.

    A frame is one JSON text with a column for each attribute, rows in the order of numbers::

        {"t":7,"i":[1,2],"x":[12500,300],"y":[...],"h":[450,0],"s":[60,0],"a":"g-","b":[],"e":[]}

    ``i`` numbers of the living objects, ``x`` and ``y`` in tenths of a unit, ``h`` heading in
    tenths of a degree, ``s`` speed in tenths, ``a`` the alert (g, y, r; ``-`` for what is no ship;
    capital while it calls for help), ``b`` the shots as x and y of both ends with 1 for a hit,
    ``e`` what was destroyed in the step as x, y and number. Who the numbers are is told once, in
    `text`. A frame of the normal galaxy has 2 KB.
    """

    def __init__(self, most: int = FRAMES_MAX, bytes_max: int = FRAMES_BYTES_MAX) -> None:
        self._most = most
        self._bytes_max = bytes_max
        self._frames: deque[tuple[int, str, tuple[int, ...]]] = deque()
        self._bytes = 0
        self._who: dict[int, list[Any]] = {}
        self._uses: dict[int, int] = {}
        self._head: dict[str, Any] = {}

    @property
    def kept(self) -> tuple[int, int]:
        """The first and the last step there is; (0, -1) without any."""
        return (self._frames[0][0], self._frames[-1][0]) if self._frames else (0, -1)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._bytes

    def add(self, state: State) -> None:
        """Keep the frame of a state; one that is not of the step after the last begins anew."""
        if self._frames and state.step != self._frames[-1][0] + 1:
            self.clear()
        things = sorted(state.objects.values(), key=lambda thing: thing.meta.id)
        text = json.dumps(_columns(state, things), separators=(",", ":"))
        numbers = tuple(thing.meta.id for thing in things)
        self._head = {
            "across": state.settings.across,
            "side": state.settings.across * QUADRANT // UNIT,
            "quadrant": QUADRANT // UNIT,
            "territories": territories_of(Geography(state.settings.across)),
            "races": {race: state.theme.races[race].name for race in RACES},
        }
        for thing in things:
            self._uses[thing.meta.id] = self._uses.get(thing.meta.id, 0) + 1
            self._who[thing.meta.id] = [thing.name, thing.race, thing.kind, captain_kind(thing)]
        self._frames.append((state.step, text, numbers))
        self._bytes += len(text)
        while len(self._frames) > self._most or (
            self._bytes > self._bytes_max and len(self._frames) > 1
        ):
            self._drop()

    def clear(self) -> None:
        """Forget all frames: another game begins."""
        self._frames.clear()
        self._who, self._uses, self._bytes = {}, {}, 0

    def _drop(self) -> None:
        _step, text, numbers = self._frames.popleft()
        self._bytes -= len(text)
        for number in numbers:
            self._uses[number] -= 1
            if not self._uses[number]:
                del self._uses[number], self._who[number]

    def text(self, first: int = -1, last: int = -1) -> str:
        """Return the frames of steps ``first`` to ``last`` as one JSON text, as far as kept.

        A negative or later ``last`` is the newest step; a ``first`` of -1 is ``last``, and an
        earlier one than there is the first. ``kept`` says what there is, ``who`` has name, race,
        kind and captain of each number.
        """
        begin, end = self.kept
        last = end if last < 0 else max(begin, min(last, end))
        first = last if first == -1 else max(begin, min(first, last))
        found = list(self._frames)[first - begin : last - begin + 1]
        numbers = {number for _step, _text, own in found for number in own}
        who = {str(number): self._who[number] for number in sorted(numbers)}
        head = {"kept": [begin, end], **self._head, "who": who}
        frames = ",".join(text for _step, text, _numbers in found)
        return f'{json.dumps(head, separators=(",", ":"))[:-1]},"frames":[{frames}]}}'


def _columns(state: State, things: list[Thing]) -> dict[str, Any]:
    view = state.view()
    living = [thing for thing in things if thing.alive]
    return {
        "t": state.step,
        "i": [thing.meta.id for thing in living],
        "x": [thing.nav.x // TENTH for thing in living],
        "y": [thing.nav.y // TENTH for thing in living],
        "h": [thing.nav.heading for thing in living],
        "s": [thing.nav.speed for thing in living],
        "a": "".join(_alert_letter(view, thing) for thing in living),
        "b": _beams(state),
        "e": [
            [thing.nav.x // TENTH, thing.nav.y // TENTH, thing.meta.id]
            for thing in things
            if thing.tac.dead_at == state.step
        ],
    }


def _alert_letter(view: View, thing: Thing) -> str:
    # What the ship's own log was told: to look around every ship again would take half a step.
    letter = thing.com.alert[0] if thing.kind == "starship" else "-"
    return letter.upper() if view.calls_for_help(thing) and letter != "-" else letter


# --- territory as the pages draw it ----------------------------------------------------------


def owners_of(across: int) -> dict[str, str]:
    """Return the owner of each quadrant by name, `NEUTRAL` for what belongs to nobody."""
    geography = Geography(across)
    owned = {row["quadrant"]: row["owner"] for row in territories_of(geography)}
    return {
        name: owned.get(name, NEUTRAL)
        for column in range(across)
        for row in range(across)
        if (name := geography.name(column, row))
    }
