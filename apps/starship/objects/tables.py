"""What a primary tells of itself: its servers, who computed what, what went wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Report
from apps.starship.game.messages import Unit
from apps.starship.game.pool import Hand
from apps.starship.rules.objects import UNITS
from apps.starship.rules.state import State
from apps.starship.rules.step import units_of

REPORTS_MAX = 30
"""Reports that are remembered."""
REFUSED_MAX = 20
"""Servers with other rules that are remembered."""
COMPUTED_OBJECTS_MAX = 2_000
"""Objects of which it is told who computed them; larger galaxies would tell it in megabytes."""


@dataclass(slots=True)
class Place:
    """A server as its node told of it: the node's name, and where its players go."""

    name: str
    url: str
    own: bool


class Ledger:
    """Reports and refusals of a primary, bounded."""

    def __init__(self) -> None:
        self.reports: deque[dict[str, Any]] = deque(maxlen=REPORTS_MAX)
        self.refused: dict[str, str] = {}

    def note(self, report: Report, step: int) -> None:
        """Remember a report."""
        self.reports.appendleft(
            {"step": step, "kind": report.kind, "text": report.text, "server": report.server}
        )

    def refuse(self, name: str, why: str, step: int) -> None:
        """Remember a server that was not taken; it asks again and again, and is reported once."""
        if self.refused.pop(name, "") != why:
            self.note(Report("refused", f"the server on {name} is not taken: {why}"), step)
        self.refused[name] = why
        if len(self.refused) > REFUSED_MAX:
            del self.refused[next(iter(self.refused))]


def servers_table(
    conductor: Conductor, places: Mapping[str, Place], ledger: Ledger, trouble: str
) -> dict[str, Any]:
    """Return what the page of the servers shows: JSON's dicts and lists.

    ``servers`` are rows in the order of their ids. ``computed`` has the servers of the units nav,
    tac and com of each object of the last step: an id, ``""`` for the primary itself, None for a
    unit that was deferred. ``reports`` are newest first; ``refused`` says which nodes are not taken
    and why; ``saving`` what is wrong with the saving of the game, ``""`` if nothing is.
    """
    authors = conductor.authors
    counts: dict[str, int] = {}
    for author in authors.values():
        counts[author] = counts.get(author, 0) + 1
    whole = max(1, sum(counts.values()))
    hands = conductor.pool.hands
    return {
        "step": conductor.state.step,
        "epoch": conductor.epoch,
        "servers": [
            _row(hands[id], places.get(id), counts.get(id, 0), whole) for id in sorted(hands)
        ],
        "computed": _computed(conductor),
        "reports": list(ledger.reports),
        "refused": [{"name": name, "why": why} for name, why in ledger.refused.items()],
        "saving": trouble,
    }


def _row(hand: Hand, place: Place | None, units: int, whole: int) -> dict[str, Any]:
    return {
        "id": hand.id,
        "name": "" if place is None else place.name,
        "url": "" if place is None else place.url,
        "own": place is not None and place.own,
        "state": hand.state,
        "why": _why(hand),
        "speed": hand.speed,
        "share": 100 * units / whole,
        "units": units,
        "busy_us": hand.busy_us,
        "done": hand.done,
        "late": hand.late,
        "lost": hand.lost,
        "faults": hand.faults,
    }


def _why(hand: Hand) -> str:
    if hand.state == "following" and hand.silences:
        return "was silent when it had work"
    return "was wrong" if hand.state == "joining" and hand.faults else ""


def _computed(conductor: Conductor) -> dict[str, list[str | None]]:
    names = {name for name, _group in conductor.authors}
    if len(names) > COMPUTED_OBJECTS_MAX:
        return {}
    authors = conductor.authors
    return {name: [authors.get((name, group)) for group in UNITS] for name in sorted(names)}


_DEFERRED = "."
_PLACES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def computed_in_short(authors: Mapping[Unit, str], before: State) -> dict[str, Any]:
    """Return who computed the units of the step after a state, in a letter for each.

    ``{}`` for galaxies and games so large that it is not told.
    """
    ids = sorted(set(authors.values()))
    if len(ids) > len(_PLACES) or len(before.objects) > COMPUTED_OBJECTS_MAX:
        return {}
    letters = dict(zip(ids, _PLACES, strict=False))
    units = units_of(before.view())
    found = (letters[authors[unit]] if unit in authors else _DEFERRED for unit in units)
    return {"ids": ids, "units": "".join(found)}


def computed_in_full(short: Mapping[str, Any], before: State) -> dict[str, list[str | None]]:
    """Return who computed the three units of each object, as `computed_in_short` told it."""
    ids: dict[str, str | None] = dict(zip(_PLACES, short.get("ids", ()), strict=False))
    authors = [ids.get(letter) for letter in short.get("units", "")]
    names = [name for name in before.view().names if before.objects[name].alive]
    if len(authors) != len(names) * len(UNITS):
        return {}
    own = len(UNITS)
    return {name: authors[n * own : (n + 1) * own] for n, name in enumerate(names)}
