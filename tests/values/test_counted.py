"""Numbers with the words that they count."""

from __future__ import annotations

import pytest

from apps.starship.rules import counted as of_the_game
from vista import counted

EXAMPLES = [
    ((1, "thread"), "1 thread"),
    ((0, "thread"), "0 threads"),
    ((2, "thread"), "2 threads"),
    ((1, "object is", "objects are"), "1 object is"),
    ((21, "object is", "objects are"), "21 objects are"),
]


@pytest.mark.parametrize(("given", "words"), EXAMPLES)
def test_one_is_singular_and_all_others_are_not(given: tuple[int, str], words: str) -> None:
    assert counted.counted(*given) == of_the_game.counted(*given) == words
