"""What makes a request to a group: said by who asks, before anything of it is sent or counted."""

from __future__ import annotations

from vista import BadValueError

NUMBER_MAX = 2**63 - 1
"""The largest number of a request, which the original has in 64 bits, and of faults."""


def check_request(method: object, args: object, key: object) -> None:
    """Raise `vista.BadValueError` for what makes no request."""
    if type(method) is not str:
        raise BadValueError(f"a method is called by a text, not {method!r:.60}")
    if not isinstance(args, list | tuple):
        # Each letter of a text would be an argument.
        raise BadValueError(f"arguments are given as a list, not {args!r:.60}")
    if key is not None and type(key) is not str:
        raise BadValueError(f"a request's key is a text, not {key!r:.60}")


def check_number(number: object, what: str) -> None:
    """Raise `vista.BadValueError` for what cannot be counted; ``what`` is the number."""
    if type(number) is not int or not 0 <= number <= NUMBER_MAX:
        raise BadValueError(f"{what} is a whole number from 0 to {NUMBER_MAX}, not {number!r:.60}")
