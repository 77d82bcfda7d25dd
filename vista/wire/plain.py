"""Plain values: numbers, truth values, None and short texts or bytes, which need no codec.

The arguments of most calls and most results are one or two of them. In a *series*, the messages of
a batch that follow one another to the same method of the same object, or results, they stand as
msgpack packs them, all of the series in one array: see `vista.wire.frames`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any, Final

WIDTH_MAX: Final = 4
"""Plain arguments of one message. More of them are rare, and each has to be looked at."""

SMALL_MAX: Final = 32
"""Characters of a plain text, which is ASCII, and bytes of plain bytes."""

PLAIN_BYTES: Final = WIDTH_MAX * (SMALL_MAX + 2)
"""Bytes that the plain arguments of one message take at most."""

NUMERIC: Final[frozenset[type]] = frozenset({int, float, bool, NoneType})
"""The types whose values are plain whatever they are, once msgpack has carried them."""

_ALWAYS: Final[frozenset[type]] = NUMERIC - {int}
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1


def is_plain(value: Any) -> bool:
    """Return whether a value may stand in a series."""
    kind = type(value)
    if kind is int:
        return bool(_INTEGER_MIN <= value <= _INTEGER_MAX)
    if kind is str:
        return len(value) <= SMALL_MAX and value.isascii()
    return kind in _ALWAYS or (kind is bytes and len(value) <= SMALL_MAX)


def are_plain(values: Sequence[Any]) -> bool:
    """Return whether the arguments of a message may stand in a series."""
    if len(values) == 1:
        return is_plain(values[0])
    return len(values) <= WIDTH_MAX and all(map(is_plain, values))


def in_rows(values: Sequence[Any], count: int) -> Iterator[tuple[Any, ...]]:
    """Return the arguments of each of ``count`` messages of a series."""
    width = len(values) // count
    if not width:
        return iter([()] * count)
    return zip(*[iter(values)] * width, strict=True)
