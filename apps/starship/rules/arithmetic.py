"""The arithmetic of the game: integers only, and the same result on every machine.

Three rules. No value of the simulation is a float, and no float decides anything in it. Angles are
tenths of a degree, 0 is north and 900 is east; positions are thousandths of a unit (mu). There is
no generator of random numbers to advance: `rng` is a function of what the number is for, so neither
the order nor the place of computing matters.
"""

from __future__ import annotations

import hashlib
import math
from math import isqrt

from vista import InternalError

CIRCLE = 3_600
"""A whole turn, in tenths of a degree."""
HALF_CIRCLE = 1_800
QUARTER = 900

UNIT = 1_000
"""One unit of distance in mu."""

SINE_SCALE = 1_000_000
"""What a sine of 1 is in the tables."""

SINE_TABLE_SHA256 = "d5b7511b433cd01595d8840d39277b6b8fce2e0eb239e371406aff313f129760"
"""Digest of the decimal entries of `SINES`, joined by commas."""


def _make_sines() -> tuple[int, ...]:
    """Return the sines of 0 to 90 degrees in steps of a twentieth of a degree, in millionths.

    No entry lies nearer than 0.00015 to a tie of rounding, so every C library makes the same ones.
    """
    sines = tuple(round(SINE_SCALE * math.sin(i * math.pi / 3600)) for i in range(1_801))
    digest = hashlib.sha256(",".join(map(str, sines)).encode("ascii")).hexdigest()
    if digest != SINE_TABLE_SHA256:
        raise InternalError(f"the sine table of this machine is {digest}: games would part company")
    return sines


SINES = _make_sines()
"""Sines of 0 to 90 degrees in steps of 0.05 degree, in millionths."""


def _full_circle() -> tuple[int, ...]:
    quarter = [SINES[2 * angle] for angle in range(QUARTER)]
    falling = [SINES[2 * (QUARTER - angle)] for angle in range(QUARTER)]
    half = quarter + falling
    return (*half, *(-sine for sine in half))


_SIN10 = _full_circle()


def sin10(angle: int) -> int:
    """Return the sine of an angle in tenths of a degree, in millionths.

    >>> sin10(900), sin10(1800), sin10(2700)
    (1000000, 0, -1000000)
    """
    return _SIN10[angle % CIRCLE]


def cos10(angle: int) -> int:
    """Return the cosine of an angle in tenths of a degree, in millionths."""
    return _SIN10[(angle + QUARTER) % CIRCLE]


def dist(dx: int, dy: int) -> int:
    """Return the distance of two places that lie ``dx`` and ``dy`` apart, rounded down.

    >>> dist(-100_000, -100_000)
    141421
    """
    return isqrt(dx * dx + dy * dy)


def bearing(dx: int, dy: int) -> int:
    """Return the direction of a place that lies ``dx`` to the east and ``dy`` to the north.

    In tenths of a degree from 0 to 3599; 0 for the place itself.

    >>> bearing(300_000, 400_000), bearing(0, -5), bearing(-1, 1_000_000)
    (369, 1800, 0)
    """
    if dx == 0 and dy == 0:
        return 0
    ax, ay = abs(dx), abs(dy)
    low, high = 0, QUARTER
    while low < high:
        middle = (low + high) // 2
        if ax * SINES[1_800 - (2 * middle + 1)] >= ay * SINES[2 * middle + 1]:
            low = middle + 1
        else:
            high = middle
    if dx >= 0:
        return low if dy >= 0 else HALF_CIRCLE - low
    return HALF_CIRCLE + low if dy < 0 else (CIRCLE - low) % CIRCLE


def angdiff(to: int, start: int) -> int:
    """Return how far to turn from ``start`` to ``to``: -1800 to 1799, starboard is positive.

    >>> angdiff(100, 3_500), angdiff(3_500, 100), angdiff(1_800, 0)
    (200, -200, -1800)
    """
    return (to - start + 5_400) % CIRCLE - HALF_CIRCLE


def rng(seed: int, step: int, *keys: object) -> int:
    """Return the random number for a purpose: 0 to 2**64 - 1.

    ``keys`` say what it is for; names stand in it as the objects spell them.

    >>> rng(42, 100, "hit", "Lexington", "T1", "Gath")
    18186202823763108543
    """
    text = "|".join(map(str, (seed, step, *keys)))
    return int.from_bytes(hashlib.blake2b(text.encode("ascii"), digest_size=8).digest(), "big")
