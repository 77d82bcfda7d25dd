"""Text of HTML and SVG: all that is no number and not written here goes through `esc` or `url`.

The pages are put together from f-strings, because a bridge is drawn for each captain at each step;
`tag` of the object browser would take four times as long.
"""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import quote

from apps.http.browser.markup import visible

_ODD: Final = re.compile(r"[^ !#$%()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]")
"""A character that is not the same in a text and in markup, or may not be."""


def esc(text: object) -> str:
    """Return text that is text in HTML, in XML and in a quoted attribute, whatever it holds.

    >>> esc("<Gath> & co")
    '&lt;Gath&gt; &amp; co'
    """
    words = text if type(text) is str else str(text)
    # Nearly everything that is shown; to escape it all the same takes five times as long.
    if _ODD.search(words) is None:
        return words
    return html.escape(visible(words))


def url(text: object) -> str:
    """Return a text as a value of a query in an address.

    >>> url("Gath-2 & co")
    'Gath-2%20%26%20co'
    """
    words = text if type(text) is str else str(text)
    if words.isalnum() and words.isascii():
        return words
    return quote(words, safe="", errors="replace")


def hidden(**fields: object) -> str:
    """Return hidden fields of a form; those that are empty are left out."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{esc(value)}">'
        for name, value in fields.items()
        if value not in ("", None)
    )


def degrees(angle: float) -> str:
    """Return an angle in degrees as captains read it.

    >>> degrees(45.1)
    '045.1°'
    """
    return f"{angle:05.1f}°"


def units(distance: float) -> str:
    """Return a distance in units; whole ones from 1,000 on.

    >>> units(118.2), units(1234.5)
    ('118.2', '1,234')
    """
    return f"{distance:.1f}" if distance < 1000 else f"{distance:,.0f}"
