"""Numbers with the words that they count: ``1 step``, ``2 steps``."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its word, for what players read.

    ``one`` is the word for one, ``many`` that for any other number, which has an s more unless it
    is given.

    >>> counted(1, "step"), counted(0, "step"), counted(3, "process", "processes")
    ('1 step', '0 steps', '3 processes')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
