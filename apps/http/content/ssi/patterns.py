"""Regular expressions of pages, by RE2: the work grows with the text, whatever the pattern is.

Patterns come from the authors of pages and the texts from visitors. With backtracking, as in
Python's ``re``, ``(a+)+b`` and thirty letters of a visitor hold the whole node for minutes.
"""

from __future__ import annotations

import re2

from apps.http.content.ssi.errors import DirectiveError

# Bounds the program that is made of a pattern to 1,500 instructions, and so one match on a text of
# 8,192 characters to 75 ms, measured with (?:x?){600}y. \pL alone takes 1,200, which half of this
# would not hold. RE2 takes 8 MB if not told.
_PROGRAM_BYTES_MAX = 24_576

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = _PROGRAM_BYTES_MAX


def search(pattern: str, text: str, pattern_chars_max: int) -> tuple[str, ...] | None:
    """Return what the first match of ``pattern`` in ``text`` and its groups hold, None for none.

    The whole match comes first, a group without part in it is empty. Raises `DirectiveError` when
    the pattern is none of RE2's, too large, or longer than ``pattern_chars_max``.
    Source: https://github.com/google/re2/wiki/Syntax

    >>> search("(.*)@(.*)", "ann@example.org", 512)
    ('ann@example.org', 'ann', 'example.org')
    """
    if len(pattern) > pattern_chars_max:
        raise DirectiveError(
            f"the regular expression is longer than pattern_chars_max = {pattern_chars_max}"
        )
    try:
        found = re2.compile(pattern, _OPTIONS).search(_encodable(text))
    except UnicodeEncodeError:
        raise DirectiveError("the regular expression is no text") from None
    except re2.error as error:
        reason = error.args[0]
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise DirectiveError(f"not a regular expression: {words}") from None
    if found is None:
        return None
    return (found.group(0), *(group or "" for group in found.groups()))


def _encodable(text: str) -> str:
    """RE2 works on UTF-8: what of a text is no character becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
