"""Where the chart of the galaxy writes the names."""

from __future__ import annotations

import re

import pytest

from apps.starship.pages.chart import Spot, Window, spots


@pytest.mark.parametrize(("x", "side"), [(100.0, "right"), (3_400.0, "right"), (3_950.0, "left")])
def test_a_name_stands_inside_of_the_galaxy(x: float, side: str) -> None:
    ship = Spot("Bartholomew_1234", "F", "starship", x, 100.0)
    (label,) = re.findall(r"<text [^>]*>", str(spots([ship], Window(4_000), "")))
    assert ('text-anchor="end"' in label) == (side == "left")
    assert ('x="-' in label) == (side == "left")
