"""What the page on the game says of the terminal is so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from apps.starship.display.screen import Look, screen_of
from apps.starship.rules.commands import Command
from apps.starship.rules.creating import add_ship, new_game
from apps.starship.rules.step import advance
from apps.starship.terminal.command import main
from apps.starship.terminal.drawing import Sight, draw
from apps.starship.terminal.lines import text_of
from tests.starship.rules.galaxy import CAPTAIN, THEME

PAGE = (Path(__file__).parents[3] / "docs" / "starship.rst").read_text("utf-8")


def picture() -> str:
    """The bridge of the Bounty on its way to Arcadia, in the galaxy of seed 42."""
    state = add_ship(new_game(42, THEME), "F", "Bounty", CAPTAIN, human=True)
    orders = (Command("dest", ("Arcadia",)), Command("speed", (60,)))
    for step in range(14):
        state = advance(state, {"Bounty": orders if step == 7 else ()})
    look = Look("Arcadia", mode="captain", left=2, orders=("power engines",))
    rows = draw(screen_of(state, "Bounty", look), Sight(typed="n"), 80, 21)
    return "\n".join(text_of(row).rstrip() for row in rows) + "\n"


def test_the_page_shows_a_bridge_as_it_is_drawn() -> None:
    found = re.search(r"   :name: terminal-bridge\n\n((?:   .*\n|\n)+)", PAGE)
    assert found is not None
    shown = textwrap.dedent(found[1]).strip("\n") + "\n"
    assert shown == textwrap.dedent(picture())


@pytest.mark.parametrize("option", ["--ship", "--create", "--once", "--json", "--no-colour"])
def test_the_page_explains_every_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(rf"^``{option}[ `]", PAGE, re.MULTILINE)
    with pytest.raises(SystemExit):
        main(["localhost", "--nonsense"])
    assert option in capsys.readouterr().err
