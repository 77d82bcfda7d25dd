"""Numbers with the words that they count: ``1 thread``, ``2 threads``."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its word, for messages to people.

    ``one`` is the word for one, ``many`` that for any other number, which has an s more unless it
    is given.

    >>> counted(1, "thread"), counted(0, "thread"), counted(3, "process", "processes")
    ('1 thread', '0 threads', '3 processes')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
