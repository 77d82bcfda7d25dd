"""What the log says to a captain: sentences for the keys of records (design, section 9).

The simulation knows keys and parameters only; a sentence decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from apps.starship.rules.objects import Record, Thing
from apps.starship.rules.tables import FACINGS
from apps.starship.rules.theme import Theme

TEXTS: dict[str, str] = {
    "hit_by": "Hit by {name} {weapon}: {damage}, {facing} {outcome}, hull {hull}",
    "shot_hit": "{weapon} hits {name} for {damage}",
    "shot_miss": "{weapon} misses {name}",
    "no_arc": "{weapon} not fired: target out of arc",
    "no_range": "{weapon} not fired: target out of range",
    "no_energy": "{weapon} not fired: not enough energy",
    "no_ammo": "{weapon} not fired: no ammunition",
    "lock_lost": "Target {name} destroyed; lock released",
    "dest_gone": "Destination {name} is gone",
    "barrier": "Galactic barrier: all stop",
    "border_in": "Warning: you have entered {race} space ({quadrant})",
    "border_out": "You have left {race} space",
    "intruder": "Intruder {name} reported in {quadrant}",
    "distress": (
        "DISTRESS {name}, quadrant {quadrant}, bearing {bearing}, distance {distance},"
        " attackers {attackers}"
    ),
    "distress_sent": "Distress call sent",
    "help_coming": "{name} is responding",
    "power_fail": "Power failure: shields are down",
    "supplies_low": "Supplies at {percent} percent",
    "repaired": "{name} repaired",
    "suppressed": "Defences silenced by {name}",
    "docked": "Docked at {name}",
    "mission_new": "New mission: {task}",
    "mission_done": "Mission complete: {points} points",
    "mission_failed": "Mission failed: {kind}",
    "killed": "{name} destroyed: {points} points",
    "upgraded": "{track} is at level {level}",
    "alert": "Alert {alert}",
    "captain_left": "The captain has left the bridge; the computer takes over",
}
"""The sentence of every key."""

ICONS: dict[str, str] = {
    "hit_by": "attack", "shot_hit": "attack", "shot_miss": "attack", "killed": "attack",
    "distress": "distress", "distress_sent": "distress", "help_coming": "distress",
    "border_in": "border", "border_out": "border", "intruder": "border", "barrier": "border",
    "alert": "alert",
}  # fmt: skip
"""The kind of a key, where it is not ``command``: windows filter by it."""

TASKS: dict[str, str] = {
    "deliver": "deliver 50 supplies to {target}",
    "rendezvous": "meet {target}",
    "patrol": "visit three quadrants of ours",
    "explore": "survey three places in neutral space",
    "escort": "stay with {target}, which carries supplies",
    "attack": "destroy {target}",
    "defend": "guard {target}",
    "rescue": "take the people of {target} to a starbase",
}
"""What a mission asks for, by kind."""


class Line(NamedTuple):
    """A line of the message window."""

    step: int
    group: str
    seq: int
    key: str
    icon: str
    text: str


def angle(tenths: int) -> str:
    """Return an angle as captains read it.

    >>> angle(451)
    '045.1'
    """
    return f"{tenths // 10:03d}.{tenths % 10}"


def task(kind: str, target: str | None) -> str:
    """Return what a mission asks for."""
    return TASKS[kind].format(target=target)


def sentence(record: Record, theme: Theme) -> str:
    """Return a record of a log as a sentence; of one that no rule writes, its key."""
    try:
        return _sentence(record, theme)
    except (LookupError, ValueError):
        return record.key


def _sentence(record: Record, theme: Theme) -> str:
    values: dict[str, int | str] = dict(record.params)
    if record.key == "hit_by":
        lost = values["lost"]
        values["facing"] = FACINGS[int(values["facing"])]
        values["outcome"] = f"lost {lost}" if lost else "held"
    elif record.key == "mission_new":
        values["task"] = task(str(values["kind"]), str(values["target"]) or None)
    elif record.key == "distress":
        values["bearing"] = angle(int(values["bearing"]))
    elif record.key in ("border_in", "border_out"):
        values["race"] = theme.races[str(values["race"])].name
    return TEXTS[record.key].format(**values)


def lines(thing: Thing, theme: Theme) -> list[Line]:
    """Return the three logs of an object merged, the latest first."""
    return sorted(_lines(thing, theme), key=lambda line: (-line.step, line.group, line.seq))


def _lines(thing: Thing, theme: Theme) -> Iterator[Line]:
    for group, log in (("com", thing.com.log), ("nav", thing.nav.log), ("tac", thing.tac.log)):
        for record in log:
            icon = ICONS.get(record.key, "command")
            text = sentence(record, theme)
            yield Line(record.step, group, record.seq, record.key, icon, text)
