"""States as bytes: canonical JSON, the hash of a state, and back (design, section 12).

JSON with sorted keys, no spaces, ASCII and no floats: the same bytes on every machine and under
every Python. An object is written as its four groups, a record as an object with its fields.

What did not change since the last state is not written again: `Encoder` keeps the text of each
attribute for as long as the value is the same one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from apps.starship.rules.objects import (
    GROUPS,
    Delivery,
    Group,
    Mission,
    Record,
    Shot,
    Thing,
    Weapon,
)
from apps.starship.rules.state import State

_RECORDS = (Record, Weapon, Shot, Delivery, Mission)


def plain(value: Any) -> Any:
    """Return a value of the simulation as what JSON has: lists, objects, texts, integers."""
    if isinstance(value, Record):
        row = value._asdict()
        row["params"] = dict(value.params)
        return row
    if isinstance(value, _RECORDS):
        return {name: plain(member) for name, member in value._asdict().items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return value


# Made once: `json.dumps` makes one for every value, which takes longer than to write a small one.
_dumps = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


def canonical(value: Any) -> str:
    """Return a value of the simulation as canonical JSON."""
    # Most values are whole numbers.
    return str(value) if type(value) is int else _dumps(plain(value))


class Encoder:
    """Writes states; keeps what it wrote of one for the next."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, str], tuple[Group, list[str], str]] = {}

    def thing(self, thing: Thing) -> str:
        """Return an object as canonical JSON."""
        com, meta, nav, tac = (self._group(thing, name) for name in _GROUPS)
        return f'{{"com":{com},"meta":{meta},"nav":{nav},"tac":{tac}}}'

    def _group(self, thing: Thing, name: str) -> str:
        group: Group = getattr(thing, name)
        key = thing.meta.id, name
        before, texts, whole = self._texts.get(key, (None, [], ""))
        if before is not group:
            texts = self._write(group, before, texts)
            whole = "{" + ",".join(texts) + "}"
            self._texts[key] = group, texts, whole
        return whole

    @staticmethod
    def _write(group: Group, before: Group | None, texts: list[str]) -> list[str]:
        names = _SORTED[type(group)]
        if before is None:
            return [f'"{name}":{canonical(getattr(group, name))}' for name in names]
        read = _READ_SORTED[type(group)]
        return [
            text if value is known else f'"{name}":{canonical(value)}'
            for name, text, value, known in zip(
                names, texts, read(group), read(before), strict=True
            )
        ]

    def head(self, state: State) -> str:
        """Return what a state has besides its objects, as canonical JSON."""
        return _dumps(
            {
                "seed": state.seed,
                "step": state.step,
                "settings": asdict(state.settings),
                "next_id": state.next_id,
                "ruins": [list(ruin) for ruin in state.ruins],
                "names": state.names,
            }
        )

    def digest(self, state: State) -> str:
        """Return the SHA-256 of a state: its head, then its objects in the order of their ids."""
        made = hashlib.sha256(self.head(state).encode("ascii"))
        alive = set()
        for thing in sorted(state.objects.values(), key=lambda thing: thing.meta.id):
            made.update(self.thing(thing).encode("ascii"))
            alive.add(thing.meta.id)
        for key in [key for key in self._texts if key[0] not in alive]:
            del self._texts[key]
        return made.hexdigest()


_GROUPS = ("com", "meta", "nav", "tac")
_SORTED = {group: tuple(sorted(group.names)) for group in GROUPS.values()}
_READ_SORTED: dict[type[Group], Any] = {
    group: attrgetter(*names) for group, names in _SORTED.items()
}


def digest(state: State) -> str:
    """Return the SHA-256 of a state; `Encoder.digest` is faster for one state after another."""
    return Encoder().digest(state)


def encode_state(state: State) -> str:
    """Return a state as canonical JSON, without its theme; `reading.read_state` reads it."""
    things = sorted(state.objects.values(), key=lambda thing: thing.meta.id)
    return _dumps(
        {
            **json.loads(Encoder().head(state)),
            "objects": [_plain_thing(thing) for thing in things],
        }
    )


def encode_head(state: State) -> str:
    """Return what a state has besides its objects, as canonical JSON."""
    return Encoder().head(state)


def encode_things(things: Iterable[Thing]) -> str:
    """Return some objects of a state as canonical JSON; `reading.read_things` reads it."""
    return _dumps([_plain_thing(thing) for thing in things])


def _plain_thing(thing: Thing) -> dict[str, Any]:
    return {name: _plain_group(getattr(thing, name)) for name in GROUPS}


def _plain_group(group: Group) -> dict[str, Any]:
    return {name: plain(getattr(group, name)) for name in group.names}


def changes_to_plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a delta as what JSON has."""
    return {name: plain(value) for name, value in changes.items()}
