"""Figures as people read them: counts with commas, times with the unit that fits."""

from __future__ import annotations

from typing import Any, Final

NONE: Final = "\u2013"
"""The dash that stands where there is nothing."""


def count(value: Any) -> str:
    """Return a whole number with commas, a dash for None.

    >>> count(12345)
    '12,345'
    """
    return NONE if value is None else f"{int(value):,}"


def rate(value: float) -> str:
    """Return calls per second: with a decimal as long as it says something.

    >>> rate(3.14159), rate(1234.5), rate(0)
    ('3.1', '1,234', '0')
    """
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if 0 < value < 100 else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a short time in µs, ms or s with about three digits, a dash for None.

    >>> seconds(0.00000042), seconds(0.0123), seconds(2.5)
    ('0.42 µs', '12.3 ms', '2.50 s')
    """
    if value is None:
        return NONE
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if value < 1000 * size:
            return f"{_digits(value / size)} {unit}"
    return f"{_digits(value)} s"


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def span(value: float) -> str:
    """Return a long time by its two largest units.

    >>> span(7), span(3725), span(200000)
    ('7 s', '1 h 2 min', '2 d 7 h')
    """
    left = max(0, int(value))
    words: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or (unit == "s" and not words):
            words.append(f"{number} {unit}")
    return " ".join(words[:2])


def size(value: float | None) -> str:
    """Return bytes with the unit that fits, a dash for None.

    >>> size(512), size(2048), size(5_000_000)
    ('512 B', '2.0 KiB', '4.8 MiB')
    """
    if value is None:
        return NONE
    if value < 1024:
        return f"{value:.0f} B"
    for unit in ("KiB", "MiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:,.1f} GiB"


def plural(number: int, word: str) -> str:
    """Return a number with its word: ``1 node``, ``2 nodes``, ``3 classes``.

    >>> plural(1, "class"), plural(1200, "class")
    ('1 class', '1,200 classes')
    """
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number:,} {word}{ending}"
