"""Variables in the values of attributes: ``$NAME``, ``${NAME}`` and ``$0`` to ``$9``.

A dollar sign before anything else stands for itself, ``\\$`` always does. What is put in is not
looked at again, so a visitor's value can bring in neither variables nor directives.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote

from apps.http.content.ssi.errors import DirectiveError

ENCODINGS: dict[str, Callable[[str], str]] = {
    "entity": html.escape,
    "url": lambda value: quote(value, safe="", errors="replace"),
    "none": lambda value: value,
}
"""How a value is written into the page. ``entity`` suits text and quoted attributes of HTML,
``url`` one part of an address, ``none`` values that are HTML and come from nobody outside."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PLACE = re.compile(r"\\\$|\$(?:\{([^}]*)(\}?)|([A-Za-z_][A-Za-z0-9_]*|[0-9]))")


def check_name(name: str) -> str:
    """Return the name of a variable. Raises `DirectiveError` when it cannot be one."""
    if not _NAME.fullmatch(name):
        raise DirectiveError(
            "a variable's name has letters, digits and _, does not begin with a digit and is no "
            f"longer than 128, not {name[:40]!r}"
        )
    return name


def substitute(text: str, lookup: Callable[[str], str | None], chars_max: int) -> str:
    """Return ``text`` with its variables replaced by what ``lookup`` has for their names.

    One that ``lookup`` does not know (None) is replaced by nothing. Raises `DirectiveError` when
    the result has more than ``chars_max`` characters or a ``${`` is not closed.

    >>> substitute("/${LANG}/$x.html costs \\\\$5", {"LANG": "en"}.get, 100)
    '/en/.html costs $5'
    """
    pieces: list[str] = []
    position = length = 0
    for found in _PLACE.finditer(text):
        value = _value(found, lookup)
        pieces += text[position : found.start()], value
        length += found.start() - position + len(value)
        position = found.end()
        if length > chars_max:
            break
    pieces.append(text[position:])
    if length + len(text) - position > chars_max:
        raise DirectiveError(f"the value is longer than value_chars_max = {chars_max}")
    return "".join(pieces)


def _value(found: re.Match[str], lookup: Callable[[str], str | None]) -> str:
    braced, closed, bare = found.groups()
    if bare is not None:
        return lookup(bare) or ""
    if braced is None:
        return "$"
    if not closed:
        raise DirectiveError("a variable begins with ${ and has no }")
    if len(braced) == 1 and braced in "0123456789":
        return lookup(braced) or ""
    return lookup(check_name(braced)) or ""


def check_encoding(encoding: str) -> str:
    """Return the name of an encoding. Raises `DirectiveError` when there is no such encoding."""
    if encoding not in ENCODINGS:
        raise DirectiveError(f"encoding is one of {', '.join(ENCODINGS)}, not {encoding[:40]!r}")
    return encoding


def encode(value: str, encoding: str) -> str:
    """Return a value as it is written into the page, by one of `ENCODINGS`.

    >>> encode('<a href="?">', "entity")
    '&lt;a href=&quot;?&quot;&gt;'
    """
    return ENCODINGS[encoding](value)
