"""HTML as text that cannot be mistaken: everything is escaped that `tag` did not write itself.

`Html` is a text that is markup already. Whatever else becomes a child or an attribute of a `tag` is
text, however it looks.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = frozenset({"input", "link", "meta", "wbr"})
"""Elements of HTML that have no end tag; those of a drawing all have one."""


class Html(str):
    """A text that is markup: `tag` takes it as it is."""

    __slots__ = ()


Child = Html | str | int | float | None | Iterable["Child"]
"""What stands in an element: markup, text, a number, several of these, or nothing."""

NOTHING: Final = Html("")


def tag(name: str, /, *children: Child, **attributes: object) -> Html:
    """Return one element.

    Attributes: ``_`` at the end of a name is dropped, others become hyphens; True writes the name
    alone, None and False leave the attribute out.

    >>> tag("a", "1 < 2", href="/x?a&b", class_="near")
    '<a href="/x?a&amp;b" class="near">1 &lt; 2</a>'
    """
    written = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(key if value is True else f'{key}="{html.escape(visible(str(value)))}"')
    opening = f"<{' '.join(written)}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Return children one after the other, those that are no markup escaped."""
    if isinstance(children, Html):
        return children
    if children is None:
        return NOTHING
    if isinstance(children, str):
        return Html(html.escape(visible(children), quote=False))
    if isinstance(children, int | float):
        return Html(children)
    return Html("".join(map(join, children)))


def visible(text: str) -> str:
    """Return a text with characters that HTML cannot have, or that turn text round, made visible.

    Names and values come from anywhere. A character that changes the direction of writing could
    make one look like another.
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else _seen(letter) for letter in text
    )


def _seen(letter: str) -> str:
    number = ord(letter)
    if number < 256:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 65_536 else f"\\U{number:08x}"
