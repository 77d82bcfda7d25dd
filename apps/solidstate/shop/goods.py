"""What the shop sells, what it costs to send, and how prices are written."""

from __future__ import annotations

from dataclasses import dataclass

SENDING_CENTS = 490
"""What sending an order costs."""

FREE_FROM_CENTS = 6_000
"""Goods for so much are sent for nothing."""


@dataclass(frozen=True)
class Good:
    """A thing that is sold; ``id`` is also the name of its picture."""

    id: str
    name: str
    cents: int
    words: str
    picture: str


_ROWS = (
    ("kettle", "Enamel kettle", 3400, "Two litres, loud whistle.", "A blue kettle"),
    ("teapot", "Stoneware teapot", 2850, "Keeps four cups warm.", "A round brown teapot"),
    ("mug", "Deck mug", 980, "Heavy, so that it stays.", "A white mug with a blue rim"),
    ("tea", "Black tea", 740, "250 g, strong, from Assam.", "A green tin with a tea leaf on it"),
    ("honey", "Heather honey", 860, "500 g, from the moor.", "A jar of honey"),
    ("bread", "Rye loaf", 520, "A kilo, keeps for a week.", "A dark loaf with three cuts"),
    ("biscuits", "Oat biscuits", 690, "A tin of thirty.", "A red tin with biscuits on it"),
    ("pan", "Iron pan", 3900, "26 cm, for life.", "A black frying pan"),
    ("lantern", "Storm lantern", 4200, "Burns for twenty hours.", "A lantern with a flame"),
    ("rope", "Hemp rope", 1890, "Ten metres, 12 mm.", "A coil of rope"),
    ("compass", "Brass compass", 5500, "Points north, mostly.", "A compass in a brass case"),
    ("blanket", "Wool blanket", 6400, "140 by 200 cm, undyed.", "A folded striped blanket"),
)

GOODS = {row[0]: Good(*row) for row in _ROWS}
"""The goods by their ids, in the order in which the shop shows them."""


def price(cents: int) -> str:
    """Return a price as people write it.

    >>> price(123450), price(980)
    ('€1,234.50', '€9.80')
    """
    return f"€{cents // 100:,}.{cents % 100:02}"


def sending(cents: int) -> int:
    """Return what sending goods for so much costs, in cents."""
    return 0 if cents == 0 or cents >= FREE_FROM_CENTS else SENDING_CENTS
