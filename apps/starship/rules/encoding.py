"""States as bytes: canonical JSON, the hash of a state, and back (design, section 12).

JSON with sorted keys, no spaces, ASCII and no floats: the same bytes on every machine and under
every Python. An object is written as its four groups, a record as an object with its fields.

What did not change since the last state is not written again: `Encoder` keeps the text of each
attribute for as long as the value is the same one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import compress
from operator import attrgetter, is_, is_not
from types import NoneType
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


class _Written:
    """A group that was written: the texts of its attributes in the order of their names."""

    __slots__ = ("group", "texts", "whole")

    def __init__(self, group: Group, texts: list[str]) -> None:
        self.group = group
        self.texts = texts
        self.whole = f"{{{','.join(texts)}}}"

    def change(self, group: Group, changes: Mapping[str, Any]) -> None:
        """Write the group that this one has become, which is another one but for some values.

        A step writes 3,000 groups of the large galaxy, most of them with one or two values that are
        others: to write all of each would take four times as long.
        """
        texts, places = self.texts, _TEXT_PLACES[type(group)]
        for name, value in changes.items():
            place = places[name]
            if type(value) is int:
                texts[place] = f'"{name}":{value}'
            elif name == "log":
                old: Any = self.group
                texts[place] = f'"log":{_log_text(value, old.log, texts[place][len(_LOG) :])}'
            else:
                texts[place] = f'"{name}":{canonical(value)}'
        self.group, self.whole = group, f"{{{','.join(texts)}}}"


_LOG = '"log":'


class Encoder:
    """Writes states; keeps what it wrote of one for the next."""

    def __init__(self) -> None:
        # By number of the object, in the order of `_WRITTEN`.
        self._groups: dict[int, list[_Written]] = {}

    def thing(self, thing: Thing) -> str:
        """Return an object as canonical JSON."""
        known = self._groups.get(thing.meta.id)
        groups = (thing.com, thing.meta, thing.nav, thing.tac)
        if known is None or not all(map(is_, groups, [written.group for written in known])):
            # Nothing is kept of it: what is known may be of the step that is computed.
            known = [_write(group) for group in groups]
        return "".join(_pieces(known))

    def note(self, thing: Thing, name: str, group: Group, changes: Mapping[str, Any]) -> None:
        """Write a group of the next state, so that the hash of that takes less time.

        ``thing`` is the object as it is in this state, ``name`` that of the group, and ``changes``
        are the attributes of ``group`` that are others there.
        """
        known = self._groups.get(thing.meta.id)
        if known is None or not changes:
            return
        place = _PLACES[name]
        before = known[place]
        # Otherwise it was written for a result that did not count, and is compared value by value.
        if before.group is getattr(thing, name):
            before.change(group, changes)

    def _written(self, thing: Thing) -> list[_Written]:
        """Return what is written of an object, written anew as far as it is another one."""
        number, groups = thing.meta.id, (thing.com, thing.meta, thing.nav, thing.tac)
        known = self._groups.get(number)
        if known is None:
            known = self._groups[number] = [_write(group) for group in groups]
            return known
        for place, group in enumerate(groups):
            if known[place].group is not group:
                known[place].change(group, _differences(group, known[place].group))
        return known

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
        for first in range(0, len(things), _TOGETHER):
            pieces: list[str] = []
            for thing in things[first : first + _TOGETHER]:
                pieces += _pieces(self._written(thing))
            made.update("".join(pieces).encode("ascii"))
        if len(things) != len(self._groups):
            alive = {thing.meta.id for thing in things}
            for number in [number for number in self._groups if number not in alive]:
                del self._groups[number]
        return made.hexdigest()


_TOGETHER = 64
"""Objects that are put together for the hash, some 150 KB: all at once would take 30 MB."""

_WRITTEN = ("com", "meta", "nav", "tac")
_PLACES = {name: place for place, name in enumerate(_WRITTEN)}


def _pieces(groups: Sequence[_Written]) -> tuple[str, ...]:
    com, meta, nav, tac = groups
    return (
        '{"com":', com.whole, ',"meta":', meta.whole,
        ',"nav":', nav.whole, ',"tac":', tac.whole, "}",
    )  # fmt: skip


_SORTED = {group: tuple(sorted(group.names)) for group in GROUPS.values()}
_READ_SORTED: dict[type[Group], Any] = {
    group: attrgetter(*names) for group, names in _SORTED.items()
}


_TEXT_PLACES = {
    group: {name: place for place, name in enumerate(names)} for group, names in _SORTED.items()
}


def _write(group: Group) -> _Written:
    values = _READ_SORTED[type(group)](group)
    texts = [
        f'"{name}":{_text(name, value)}'
        for name, value in zip(_SORTED[type(group)], values, strict=True)
    ]
    return _Written(group, texts)


def _differences(group: Group, before: Group) -> dict[str, Any]:
    """Return the attributes of a group that are not the very ones of another."""
    kind = type(group)
    values, theirs = _READ_SORTED[kind](group), _READ_SORTED[kind](before)
    others = compress(zip(_SORTED[kind], values, strict=True), map(is_not, values, theirs))
    return dict(others)


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
