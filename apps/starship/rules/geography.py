"""The map: a flat square of quadrants, some of which belong to a race.

x grows to the east and y to the north, both in mu. Columns have letters from the west, rows numbers
from the north, so A1 is the north-west corner. The map looks the same after a quarter turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from vista import BadValueError

QUADRANT = 500_000
"""Length of the side of a quadrant in mu."""

NEUTRAL = "."
"""The owner of a quadrant that no race has."""

OWNERS = (
    "FFFF.KKK",
    "FFFF.KKK",
    "FFFF.KKK",
    ".....KKK",
    "RRR.....",
    "RRR.OOOO",
    "RRR.OOOO",
    "RRR.OOOO",
)
"""Who owns which quadrant of a galaxy of 8 x 8: rows from the north, columns from the west."""


class Geography:
    """A galaxy of ``across`` x ``across`` quadrants, a multiple of 8: larger ones are this map in
    larger. Raises `BadValueError` for any other size.

    >>> Geography(8).quadrant(1_000_000, 3_999_999)
    'C1'
    """

    def __init__(self, across: int = 8) -> None:
        if across not in (8, 16, 24):
            raise BadValueError(f"a galaxy is 8, 16 or 24 quadrants wide, not {across}")
        self.across = across
        self.size = across * QUADRANT
        """Length of the side in mu: positions are 0 to size - 1."""
        self._scale = across // len(OWNERS)

    def place(self, x: int, y: int) -> tuple[int, int]:
        """Return column and row of a position, both from 0, the row from the north."""
        last = self.across - 1
        return min(last, x // QUADRANT), last - min(last, y // QUADRANT)

    def quadrant(self, x: int, y: int) -> str:
        """Return the name of the quadrant of a position."""
        return self.name(*self.place(x, y))

    @staticmethod
    def name(column: int, row: int) -> str:
        """Return the name of a quadrant."""
        return f"{chr(ord('A') + column)}{row + 1}"

    def owner(self, x: int, y: int) -> str:
        """Return the race that owns the quadrant of a position, `NEUTRAL` if none does."""
        column, row = self.place(x, y)
        return self._owners[row][column]

    def owned(self, race: str) -> list[tuple[int, int]]:
        """Return columns and rows of the quadrants a race owns, ordered by name."""
        return [place for place in self._places() if self._owners[place[1]][place[0]] == race]

    def corner(self, column: int, row: int) -> tuple[int, int]:
        """Return the south-west corner of a quadrant."""
        return column * QUADRANT, (self.across - 1 - row) * QUADRANT

    def centre(self, column: int, row: int) -> tuple[int, int]:
        """Return the centre of a quadrant."""
        x, y = self.corner(column, row)
        return x + QUADRANT // 2, y + QUADRANT // 2

    def _places(self) -> Iterator[tuple[int, int]]:
        for column in range(self.across):
            for row in range(self.across):
                yield column, row

    @cached_property
    def _owners(self) -> list[str]:
        rows = ["".join(owner * self._scale for owner in row) for row in OWNERS]
        return [row for row in rows for _ in range(self._scale)]
