"""Strategies for every type of value, and what it means that two values are the same.

``values()`` draws any value, ``hashables()`` those that may stand in a set, ``leaves()`` those
without parts. `identical` compares types and bits where ``==`` does not; `changeable_parts` gives
what two separate values must not share.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, time, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from tests.values.samples import (
    CodedError,
    Colour,
    Handle,
    Level,
    Pair,
    Position,
    Rights,
    Row,
    Slotted,
)
from vista.ids import Id
from vista.records import form_of
from vista.values import exception_attributes, exception_notes

ZONE_KEYS = sorted(available_timezones() & {"UTC", "Europe/Oslo", "America/New_York"})
"""Keys of time zones; none on a machine without time zone data."""


def texts() -> st.SearchStrategy[str]:
    """Any text, lone surrogates included."""
    return st.text(st.characters(codec=None, categories=None), max_size=8)


def zones() -> st.SearchStrategy[Any]:
    """No zone, an offset, a named offset or a zone of the database."""
    offsets = st.timedeltas(
        min_value=-timezone.max.utcoffset(None), max_value=timezone.max.utcoffset(None)
    )
    return st.one_of(
        st.none(),
        st.just(UTC),
        st.builds(timezone, offsets),
        st.builds(timezone, offsets, texts()),
        *[st.just(ZoneInfo(key)) for key in ZONE_KEYS],
    )


def integers() -> st.SearchStrategy[int]:
    """Integers of any size, most near the bounds of 8 to 64 bits."""
    edges = st.builds(
        lambda bits, sign, step: int(sign * 2**bits + step),
        st.integers(6, 130),
        st.sampled_from([-1, 1]),
        st.sampled_from([-1, 0]),
    )
    return st.one_of(st.integers(), edges)


def references() -> st.SearchStrategy[Handle]:
    """References to objects."""
    return st.builds(Handle, ids(), texts())


def ids() -> st.SearchStrategy[Id]:
    """Any Id."""
    return st.builds(Id, st.binary(min_size=16, max_size=16))


def moments() -> st.SearchStrategy[datetime]:
    """Moments with and without a zone, on both sides of a fold."""
    return st.builds(
        lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        zones(),
        st.integers(0, 1),
    )


def clocks() -> st.SearchStrategy[time]:
    """Times of day with and without a zone."""
    return st.builds(
        lambda clock, zone, fold: clock.replace(tzinfo=zone, fold=fold),
        st.times(),
        zones(),
        st.integers(0, 1),
    )


def _with_notes(error: Exception, notes: list[str]) -> Exception:
    for note in notes:
        error.add_note(note)
    return error


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:  # a signalling NaN
        return False
    return True


def exceptions(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Exception]:
    """Exceptions that nobody raised, with and without notes."""
    return st.builds(
        _with_notes,
        st.one_of(
            st.builds(ValueError, parts, parts),
            st.builds(KeyError, parts),
            st.builds(OSError, st.integers(1, 40), texts()),
            st.builds(OSError, st.integers(1, 40), texts(), texts()),
            st.builds(CodedError, st.integers(), place=texts()),
            st.lists(st.builds(TypeError, parts), min_size=1, max_size=2).map(
                lambda group: ExceptionGroup("several", group)
            ),
        ),
        st.lists(texts(), max_size=2),
    )


_LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    integers(),
    st.floats(),
    st.sampled_from([0.0, -0.0, float("nan"), -float("nan")]),
    texts(),
    st.binary(max_size=8),
    ids(),
    references(),
    st.decimals(),
    st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("-0"), Decimal("sNaN12")]),
    st.uuids(),
    st.dates(),
    clocks(),
    moments(),
    st.timedeltas(),
    zones(),
    st.sampled_from([*Colour, *Level, Rights.READ, Rights.READ | Rights.RUN, Rights(0)]),
)


@st.composite
def leaves(draw: st.DrawFn) -> Any:
    """Values without parts."""
    return draw(_LEAVES)


_HASHABLES: st.SearchStrategy[Any] = st.recursive(
    leaves().filter(_is_hashable),
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(tuple),
        st.frozensets(parts, max_size=3),
        st.builds(Pair, parts, parts),
        st.builds(Row, parts, parts),
    ),
    max_leaves=5,
)


@st.composite
def hashables(draw: st.DrawFn) -> Any:
    """Values that may stand in a set or be the key of a dict."""
    return draw(_HASHABLES)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(leaves(), hashables()),
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.lists(parts, max_size=4).map(tuple),
        st.sets(hashables(), max_size=3),
        st.frozensets(hashables(), max_size=3),
        st.dictionaries(st.one_of(texts(), hashables()), parts, max_size=3),
        st.builds(Position, parts, parts),
        st.builds(Pair, parts, parts),
        st.builds(Slotted, parts),
        st.builds(Row, parts, parts),
        exceptions(parts),
    ),
    max_leaves=12,
)


@st.composite
def values(draw: st.DrawFn) -> Any:
    """Values of every type that a message may carry."""
    return draw(_VALUES)


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same in type, bits, order and everything a message carries."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack(">d", one) == struct.pack(">d", other)
    if isinstance(one, Decimal):
        return bool(one.as_tuple() == other.as_tuple())
    if isinstance(one, (datetime, time)):
        plain = one.replace(tzinfo=None) == other.replace(tzinfo=None)
        return bool(plain and one.fold == other.fold and identical(one.tzinfo, other.tzinfo))
    if isinstance(one, timezone):
        return bool(one.__getinitargs__() == other.__getinitargs__())  # type: ignore[attr-defined]
    if isinstance(one, ZoneInfo):
        return bool(one.key == other.key)
    if isinstance(one, (set, frozenset)):
        return _same_elements(list(one), list(other))
    if isinstance(one, Exception):
        return identical(_exception_state(one), _exception_state(other))
    parts, others = list(_parts(one)), list(_parts(other))
    if parts or others:
        return len(parts) == len(others) and all(map(identical, parts, others))
    return bool(one == other)


def changeable_parts(value: Any) -> Iterator[object]:
    """Every object inside a value that can change, the value itself included."""
    form = form_of(type(value))
    if isinstance(value, (list, dict, set, Exception)) or (form is not None and not form.frozen):
        yield value
    for part in _parts(value):
        yield from changeable_parts(part)


def _parts(value: Any) -> Iterator[Any]:
    form = form_of(type(value))
    if isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, Exception):
        yield from value.args
    elif form is not None:
        yield from (getattr(value, name) for name in form.fields)


def _exception_state(error: Exception) -> tuple[Any, ...]:
    state = exception_attributes(error)
    file_name = error.filename if isinstance(error, OSError) else None
    return error.args, file_name, exception_notes(error), state, hasattr(error, "remote_traceback")


def _same_elements(these: list[Any], those: list[Any]) -> bool:
    for this in these:
        at = next((at for at, that in enumerate(those) if identical(this, that)), None)
        if at is None:
            return False
        del those[at]
    return not those
