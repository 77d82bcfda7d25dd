"""Moments that replicas agreed on, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

# Not strftime's: what it writes hangs on the language that a process was started in.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def day_of(seconds: float) -> str:
    """Return day and time of ``seconds`` since 1970.

    >>> day_of(1_700_000_000.0)
    '14 November 2023, 22:13 UTC'
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%Y, %H:%M} UTC"
