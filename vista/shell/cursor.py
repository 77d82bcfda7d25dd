"""Where the cursor stands in unfinished Python: which call, which argument, in a string or not.

Completion needs no more than that, and Python's own parser refuses text that ends in the middle. So
this reads characters and knows strings, comments and brackets, nothing else. It never fails:
text that makes no sense gives a `Cursor` that says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CALLED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
_WORD = re.compile(
    r"""(?:[^\W\d]\w*(?:\[(?:-?\d+|'[^'\\]*'|"[^"\\]*")\]|\.\w+)*\.?|\w+)\Z""",
)
_OPENING = "([{"
_CLOSING = ")]}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """What stands before the cursor.

    ``function`` is the dotted name of the innermost call that is still open, or empty;
    ``arguments`` holds the source of its complete arguments, so its length is the position of the
    one at the cursor. ``quote`` is the quote of the string the cursor is in, or empty; ``word`` is
    the text from the start of that string, or the name (with dots and simple subscripts) that ends
    at the cursor.
    """

    function: str = ""
    arguments: tuple[str, ...] = ()
    quote: str = ""
    word: str = ""


@dataclass(slots=True)
class _Bracket:
    function: str
    start: int
    arguments: list[str] = field(default_factory=list)


def _end_of_string(text: str, start: int, quote: str) -> int:
    """Return the position after the closing quote, or -1 when the string is still open."""
    position = start
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text.startswith(quote, position):
            return position + len(quote)
        elif text[position] == "\n" and len(quote) == 1:
            # A string in single quotes ends with its line: what follows is code again.
            return position
        else:
            position += 1
    return -1


def _open_bracket(text: str, position: int) -> _Bracket:
    called = _CALLED.search(text, 0, position) if text[position] == "(" else None
    return _Bracket(called.group() if called else "", position + 1)


def read_cursor(text: str) -> Cursor:
    """Say what stands at the end of ``text``, the code before the cursor.

    >>> read_cursor('send(counter, "incr')
    Cursor(function='send', arguments=('counter',), quote='"', word='incr')
    """
    brackets: list[_Bracket] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in "'\"":
            quote = character * 3 if text.startswith(character * 3, position) else character
            start = position + len(quote)
            position = _end_of_string(text, start, quote)
            if position < 0:
                return _cursor(brackets, quote, text[start:])
            continue
        if character == "#":
            position = text.find("\n", position)
            if position < 0:
                return Cursor()
        elif character in _OPENING:
            brackets.append(_open_bracket(text, position))
        elif character in _CLOSING and brackets:
            brackets.pop()
        elif character == "," and brackets:
            innermost = brackets[-1]
            innermost.arguments.append(text[innermost.start : position].strip())
            innermost.start = position + 1
        position += 1
    word = _WORD.search(text)
    return _cursor(brackets, "", word.group() if word else "")


def _cursor(brackets: list[_Bracket], quote: str, word: str) -> Cursor:
    if not brackets:
        return Cursor("", (), quote, word)
    return Cursor(brackets[-1].function, tuple(brackets[-1].arguments), quote, word)
