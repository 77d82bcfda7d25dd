"""The names of files: which are served, and what other spellings a file system may know them by.

Rules about names, such as which directory needs a password, compare them as they are written.
"""

from __future__ import annotations

import os
import re
import unicodedata

NAME_BYTES_MAX = 255
"""Bytes of one name; no file system here has longer ones (NAME_MAX)."""

# Default_Ignorable_Code_Point of Unicode: what a name may hold without being another one, where a
# file system folds names.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def is_name(segment: str) -> bool:
    """Tell whether a segment can be the name of a file that is served.

    Names are compared by rules elsewhere, so there must be one way only to write each: trailing
    dots and spaces are dropped by file systems that come from Windows.
    """
    if not segment or segment[-1] in ". " or "/" in segment or "\0" in segment:
        return False
    if segment.isascii():
        return len(segment) <= NAME_BYTES_MAX
    try:
        return len(os.fsencode(segment)) <= NAME_BYTES_MAX
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return False


def is_hidden(name: str) -> bool:
    """Tell whether a name is served only if the roots say so: it begins with a dot."""
    return name.startswith(".") and name != ".well-known"


def other_spellings(name: str) -> set[str]:
    """Return what a file system that folds names may take for the same name.

    For a name beyond ASCII that is, besides its case turned, how Unicode composes and decomposes
    it, and the name without the characters that nobody sees.

    >>> sorted(other_spellings("a1")), other_spellings("2024")
    (['A1'], set())
    """
    others = {name.swapcase()}
    if not name.isascii():
        others |= {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
        others.add(_IGNORABLE.sub("", name))
    return others - {name, ""}
