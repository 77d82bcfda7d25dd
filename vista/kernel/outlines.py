"""Outlines: any value as a text of bounded length, for people to look at.

What an object holds may be a gigabyte. So a text is written piece by piece and left off when it is
long enough: what it takes depends on the bound and not on the value.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from vista.records import form_of

OUTLINE_CHARACTERS_MAX: Final = 100_000
"""Characters an outline may be asked for: twenty screens, which nobody reads to the end."""

_INDENT: Final = "  "
_LINE_CHARACTERS: Final = 72
_SHORT_CHARACTERS: Final = 16
_DEPTH_MAX: Final = 12
_INT_BITS_MAX: Final = 4096
"""An int with more is described: to write its digits takes time with the square of their number."""

_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


def outline(value: Any, characters_max: int) -> str:
    """Return a value as Python writes it, at most so many characters; ``…`` stands for the rest.

    What does not fit into one line is broken as pprint does it, the entries of a container below
    one another. Refs and Ids stand with their Ids in text form.
    """
    writer = _Writer(min(characters_max, OUTLINE_CHARACTERS_MAX))
    writer.write(value, 0)
    text = "".join(writer.pieces)
    return f"{text}…" if writer.is_cut and not text.endswith("…") else text


class _Writer:
    """Writes values until there is no room; ``is_cut`` says that something was left out."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.is_cut = False
        self.pieces: list[str] = []

    def write(self, value: Any, depth: int) -> None:
        """Write a value in one line if it fits, else its entries below one another."""
        line = _in_a_line(value, min(self.room, _LINE_CHARACTERS - 2 * depth), depth)
        if line is not None:
            self._put(line)
        elif _has_parts(value) and depth < _DEPTH_MAX:
            self._write_parts(value, depth)
        else:
            self._put(_leaf(value, max(self.room, 1)))

    def _write_parts(self, value: Any, depth: int) -> None:
        opening, closing = _brackets(value)
        start = f"\n{_INDENT * (depth + 1)}"
        self._put(opening)
        line = ""
        for name, part in _parts(value, self.room):
            short = _short(name, part)
            if short is not None and len(line) + len(short) < _LINE_CHARACTERS - 2 * depth:
                line += f" {short}," if line else f"{short},"
                continue
            if line:
                self._put(f"{start}{line}")
            if self.is_cut:
                return
            line = "" if short is None else f"{short},"
            if short is None:
                self._put(f"{start}{_key(name, max(self.room, 1))}")
                self.write(part, depth + 1)
                self._put(",")
        self._put(f"{start}{line}" * bool(line) + f"\n{_INDENT * depth}{closing}")

    def _put(self, text: str) -> None:
        if len(text) <= self.room:
            self.pieces.append(text)
        elif not self.is_cut:
            self.pieces.append(text[: self.room])
            self.is_cut = True
        self.room = 0 if self.is_cut else self.room - len(text)


def _short(name: Any, part: Any) -> str | None:
    """Return an entry that others may stand beside, None for a longer one or one with a name."""
    if name is not _NOTHING or _has_parts(part):
        return None
    text = _leaf(part, _SHORT_CHARACTERS)
    return text if len(text) <= _SHORT_CHARACTERS and "…" not in text else None


def _in_a_line(value: Any, room: int, depth: int) -> str | None:
    """Return a value in one line, None when it takes more than ``room`` characters."""
    if not _has_parts(value):
        text = _leaf(value, max(room, 1))
        return text if len(text) <= room and not text.endswith("…") else None
    if depth >= _DEPTH_MAX:
        return None
    opening, closing = _brackets(value)
    texts: list[str] = []
    left = room - len(opening) - len(closing)
    for name, part in _parts(value, room):
        inside = None if left <= 0 else _in_a_line(part, left, depth + 1)
        if inside is None:
            return None
        texts.append(_key(name, left) + inside)
        left -= len(texts[-1]) + 2
    comma = "," if type(value) is tuple and len(texts) == 1 else ""
    line = f"{opening}{', '.join(texts)}{comma}{closing}"
    return line if len(line) <= room else None


def _has_parts(value: Any) -> bool:
    if type(value) in _BRACKETS:
        return bool(value)
    form = form_of(type(value))
    return form is not None and not form.is_enum


def _brackets(value: Any) -> tuple[str, str]:
    return _BRACKETS.get(type(value)) or (f"{type(value).__name__}(", ")")


def _parts(value: Any, room: int) -> Iterator[tuple[Any, Any]]:
    """Yield what a container holds, with what stands before it: `_NOTHING`, a key or a field.

    Each takes a character at least, so more than ``room`` of them are not looked at.
    """
    kind = type(value)
    if kind is dict:
        # A copy of the beginning: a thread of the object may change the dict meanwhile.
        yield from list(islice(value.items(), max(room, 0) + 1))
    elif kind in _BRACKETS:
        yield from ((_NOTHING, part) for part in list(islice(value, max(room, 0) + 1)))
    else:
        form = form_of(kind)
        for name in () if form is None else form.fields:
            yield _Field(name), getattr(value, name, None)


class _Field(str):
    """The name of a field, which stands without quotes."""

    __slots__ = ()


_NOTHING: Final = object()


def _key(name: Any, room: int) -> str:
    if name is _NOTHING:
        return ""
    if type(name) is _Field:
        return f"{name}="
    return f"{_in_a_line(name, room, _DEPTH_MAX - 1) or _leaf(name, room)}: "


def _leaf(value: Any, room: int) -> str:
    """Return what is written without a look inside; of a long text no more than ``room``."""
    kind = type(value)
    if kind in (str, bytes):
        text = repr(value[:room])
        return text if len(value) <= room else f"{text}…"
    if kind is int and value.bit_length() > _INT_BITS_MAX:
        return f"<int of {value.bit_length():,} bits>"
    if kind in _BRACKETS:
        return (
            repr(value) if not value else "".join((_brackets(value)[0], "…", _brackets(value)[1]))
        )
    # The repr of somebody's class may be long, or raise: reprlib sees to both.
    writer = reprlib.Repr()
    writer.maxother = OUTLINE_CHARACTERS_MAX
    return writer.repr_instance(value, 1)
