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


# Made once: `json.dumps` makes one for every value.
_dumps = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


_quoted = json.encoder.encode_basestring_ascii


def canonical(value: Any) -> str:
    """Return a value of the simulation as canonical JSON: what ``json`` writes of `plain`.

    Written out by kind, which takes a third of the time that ``json`` takes for values so small.
    """
    kind = type(value)
    if kind is int:
        return str(value)
    if value is None:
        return "null"
    if kind is str:
        return _quoted(value)
    if kind is tuple:
        return f"[{','.join(map(canonical, value))}]"
    if kind is Record:
        return _record_text(value)
    names = _RECORD_NAMES.get(kind)
    if names is not None:
        members = [f"{name}{canonical(value[place])}" for name, place in names]
        return f"{{{','.join(members)}}}"
    return _dumps(plain(value))


# The fields of a record in the order of their names, as they are written, each with its place.
_RECORD_NAMES = {
    kind: tuple(sorted((f'"{name}":', place) for place, name in enumerate(kind._fields)))
    for kind in (Weapon, Shot, Delivery, Mission)
}


def _log_text(log: tuple[Record, ...], before: tuple[Record, ...], text: str) -> str:
    """Return a log as canonical JSON, given the one before and its text.

    Most logs are the one before without its first lines and with some more at the end.
    """
    common = len(log)
    while common and log[:common] != before[len(before) - common :]:
        common -= 1
    if not common:
        return canonical(log)
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
    """A group that was written: a text for each attribute in the order of their names.

    The texts of the four groups one after another, and `_END`, are the object.
    """

    __slots__ = ("group", "texts")

    def __init__(self, group: Group) -> None:
        kind = type(group)
        values = map(canonical, _READ_SORTED[kind](group))
        self.group = group
        self.texts = list(map("".join, zip(_BEGINNINGS[kind], values, strict=True)))

    def change(self, group: Group, changes: Mapping[str, Any]) -> None:
        """Write the group that this one has become, which is another one but for some values.

        A step writes 3,000 groups of the large galaxy, most of them with one or two values that are
        others: to write all of each would take four times as long, and to join the texts of each
        by themselves as long again as the values.
        """
        texts, rows = self.texts, _TEXT_PLACES[type(group)]
        for name, value in changes.items():
            place, beginning = rows[name]
            if type(value) is int:
                texts[place] = f"{beginning}{value}"
            elif name == "log":
                old: Any = self.group
                text = _log_text(value, old.log, texts[place][len(beginning) :])
                texts[place] = beginning + text
            else:
                texts[place] = beginning + canonical(value)
        self.group = group


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
            known = list(map(_Written, groups))
        com, meta, nav, tac = known
        return "".join([*com.texts, *meta.texts, *nav.texts, *tac.texts, _END])

    def note(self, thing: Thing, name: str, group: Group, changes: Mapping[str, Any]) -> None:
        """Write a group of the next state, so that the hash of that takes less time.

        ``thing`` is the object as it is in this state, ``name`` that of the group, and ``changes``
        are the attributes of ``group`` that are others there.
        """
        known = self._groups.get(thing[0].id)
        if known is None:
            return
        before = known[_PLACES[name]]
        # Otherwise it was written for a result that did not count, and is compared value by value.
        if before.group is getattr(thing, name):
            before.change(group, changes)

    def _written(self, thing: Thing) -> list[_Written]:
        """Return what is written of an object, written anew as far as it is another one."""
        number, groups = thing.meta.id, (thing.com, thing.meta, thing.nav, thing.tac)
        known = self._groups.get(number)
        if known is None:
            known = self._groups[number] = list(map(_Written, groups))
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
                for written in self._written(thing):
                    pieces += written.texts
                pieces.append(_END)
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


_SORTED = {group: tuple(sorted(group.names)) for group in GROUPS.values()}
_READ_SORTED: dict[type[Group], Any] = {
    group: attrgetter(*names) for group, names in _SORTED.items()
}


def _beginnings(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what stands before the value of each attribute of a group in an object's text."""
    first = "{" if name == _WRITTEN[0] else "},"
    return (f'{first}"{name}":{{"{names[0]}":', *(f',"{other}":' for other in names[1:]))


_BEGINNINGS = {GROUPS[name]: _beginnings(name, _SORTED[GROUPS[name]]) for name in _WRITTEN}
_END = "}}"
_TEXT_PLACES = {
    group: {
        name: (place, beginning)
        for place, (name, beginning) in enumerate(zip(names, _BEGINNINGS[group], strict=True))
    }
    for group, names in _SORTED.items()
}


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
