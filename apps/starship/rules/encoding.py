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
from operator import attrgetter, is_
from types import NoneType
from typing import Any, NamedTuple

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

_ATOMS = frozenset((int, str, bool, NoneType))
_RECORDS = frozenset((Weapon, Shot, Delivery, Mission))


def plain(value: Any) -> Any:
    """Return a value of the simulation as what JSON has: lists, objects, texts, integers."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is tuple:
        return [plain(member) for member in value]
    if kind is Record:
        row = value._asdict()
        row["params"] = dict(value.params)
        return row
    if kind in _RECORDS:
        return {name: plain(member) for name, member in value._asdict().items()}
    if kind is dict:
        return {name: plain(member) for name, member in value.items()}
    raise TypeError(f"{value!r} is no value of the simulation")


# Made once: `json.dumps` makes one for every value, which takes longer than to write a small one.
_dumps = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


_quoted = json.encoder.encode_basestring_ascii


def canonical(value: Any) -> str:
    """Return a value of the simulation as canonical JSON."""
    # Most values are whole numbers, and of the rest most are names or None.
    kind = type(value)
    if kind is int:
        return str(value)
    return "null" if value is None else _dumps(value if kind is str else plain(value))


def _text(name: str, value: Any) -> str:
    """Return an attribute as canonical JSON."""
    if name == "log":
        return f"[{','.join(map(_record_text, value))}]"
    return canonical(value)


def _log_text(log: tuple[Record, ...], before: tuple[Record, ...], text: str) -> str:
    """Return a log as canonical JSON, given the one before and its text.

    Most logs are the one before without its first lines and with some more at the end.
    """
    common = len(log)
    while common and log[:common] != before[len(before) - common :]:
        common -= 1
    if not common:
        return _text("log", log)
    first = 1 + sum(len(_record_text(record)) + 1 for record in before[: len(before) - common])
    return f"[{','.join([text[first:-1], *map(_record_text, log[common:])])}]"


def _record_text(record: Record) -> str:
    """Return a line of a log, of which more are written than of anything else."""
    params = ",".join(
        f"{_quoted(name)}:{value if type(value) is int else _quoted(str(value))}"
        for name, value in sorted(record.params)
    )
    return (
        f'{{"key":{_quoted(record.key)},"params":{{{params}}},'
        f'"seq":{record.seq},"step":{record.step}}}'
    )


class _Written(NamedTuple):
    """A group that was written: its values in the order of their names, and the texts of them."""

    group: Group
    values: tuple[Any, ...]
    texts: list[str]
    whole: str


class Encoder:
    """Writes states; keeps what it wrote of one for the next."""

    def __init__(self) -> None:
        self._groups: dict[int, list[_Written]] = {}
        self._things: dict[int, tuple[Thing, str]] = {}

    def thing(self, thing: Thing) -> str:
        """Return an object as canonical JSON."""
        number = thing.meta.id
        known = self._things.get(number)
        if known is not None and known[0] is thing:
            return known[1]
        groups = self._groups.get(number)
        if groups is None:
            groups = [_write(group) for group in (thing.com, thing.meta, thing.nav, thing.tac)]
            self._groups[number] = groups
        else:
            for place, group in enumerate((thing.com, thing.meta, thing.nav, thing.tac)):
                if groups[place].group is not group:
                    groups[place] = _write_again(group, groups[place])
        com, meta, nav, tac = groups
        text = f'{{"com":{com.whole},"meta":{meta.whole},"nav":{nav.whole},"tac":{tac.whole}}}'
        self._things[number] = thing, text
        return text

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
        things = sorted(state.objects.values(), key=lambda thing: thing.meta.id)
        for thing in things:
            made.update(self.thing(thing).encode("ascii"))
        if len(things) != len(self._things):
            alive = {thing.meta.id for thing in things}
            for number in [number for number in self._things if number not in alive]:
                del self._things[number], self._groups[number]
        return made.hexdigest()


_SORTED = {group: tuple(sorted(group.names)) for group in GROUPS.values()}
_READ_SORTED: dict[type[Group], Any] = {
    group: attrgetter(*names) for group, names in _SORTED.items()
}


def _write(group: Group) -> _Written:
    values = _READ_SORTED[type(group)](group)
    texts = [
        f'"{name}":{_text(name, value)}'
        for name, value in zip(_SORTED[type(group)], values, strict=True)
    ]
    return _Written(group, values, texts, f"{{{','.join(texts)}}}")


def _write_again(group: Group, before: _Written) -> _Written:
    """Write a group of which most values are those of another one.

    A step writes 2,000 groups of the large galaxy, most of them with one value that is another: to
    look for these one by one takes twice as long as all the rest.
    """
    names, values = _SORTED[type(group)], _READ_SORTED[type(group)](group)
    texts, same, place = before.texts.copy(), [*map(is_, values, before.values)], -1
    for _ in range(same.count(False)):
        place = same.index(False, place + 1)
        name, value = names[place], values[place]
        if name == "log":
            text = _log_text(value, before.values[place], before.texts[place][len('"log":') :])
        else:
            text = canonical(value)
        texts[place] = f'"{name}":{text}'
    return _Written(group, values, texts, f"{{{','.join(texts)}}}")


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
