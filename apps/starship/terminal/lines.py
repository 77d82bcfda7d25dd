"""Lines of text with styles: what drawing makes, and what a terminal is sent.

Two rules. Everything that reaches a terminal is printable ASCII: a server may send what it likes,
control sequences never get through. A style only adds to what the text says already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

STYLES = {
    "": "",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "red": "\x1b[1;31m",
    "blue": "\x1b[36m",
    "reverse": "\x1b[7m",
}
"""Styles by name, as terminals switch them on."""
_PLAIN = "\x1b[0m"
_UNPRINTABLE = re.compile(r"[^ -~]")


class Span(NamedTuple):
    """Text in one style."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


def printable(text: object) -> str:
    """Return a text with a ``?`` for everything that is no printable ASCII character.

    >>> printable("Ga\\x1b[2Jth")
    'Ga?[2Jth'
    """
    return _UNPRINTABLE.sub("?", str(text))


def line(*parts: Span | str) -> Line:
    """Return a line of spans and plain texts."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def text_of(row: Line) -> str:
    """Return what a line says, without styles."""
    return "".join(printable(span.text) for span in row)


def length(row: Iterable[Span]) -> int:
    """Return how many columns a line takes."""
    return sum(len(span.text) for span in row)


def clip(row: Line, width: int) -> Line:
    """Return the first ``width`` columns of a line."""
    found, room = [], width
    for span in row:
        if room <= 0:
            break
        found.append(Span(span.text[:room], span.style))
        room -= len(span.text)
    return tuple(found)


def spread(parts: Sequence[Line], gaps: Sequence[int], width: int) -> Line:
    """Return parts in a line behind one blank, ``gaps`` blanks apart; nearer if that is too long.

    >>> text_of(spread([line("ab"), line("cd")], [3], 80))
    ' ab   cd'
    >>> text_of(spread([line("ab"), line("cd")], [3], 6))
    ' ab cd'
    """
    found: tuple[Span, ...] = ()
    for most in range(max(gaps, default=1), 0, -1):
        found = (Span(" "), *parts[0])
        for gap, part in zip(gaps, parts[1:], strict=False):
            found = (*found, Span(" " * min(most, gap)), *part)
        if length(found) <= width:
            break
    return clip(found, width)


def rendered(row: Line, colour: bool) -> str:
    """Return a line as a terminal takes it."""
    if not colour:
        return text_of(row).rstrip()
    made = []
    for span in row:
        text, style = printable(span.text), STYLES.get(span.style, "")
        made.append(f"{style}{text}{_PLAIN}" if style and text else text)
    return "".join(made)
