"""What the log says (design, section 9)."""

from __future__ import annotations

import pytest

from apps.starship.rules.creating import new_game
from apps.starship.rules.messages import TEXTS, lines, sentence
from apps.starship.rules.objects import Record
from apps.starship.rules.step import advance
from tests.starship.rules.galaxy import THEME, thing

HIT = {"name": "Gath", "weapon": "D1", "damage": 20, "facing": 0, "hull": 250}


@pytest.mark.parametrize(
    ("key", "params", "text"),
    [
        ("hit_by", {**HIT, "lost": 0}, "Hit by Gath D1: 20, bow held, hull 250"),
        ("hit_by", {**HIT, "lost": 7, "facing": 3}, "Hit by Gath D1: 20, stern lost 7, hull 250"),
        ("no_arc", {"weapon": "T1"}, "T1 not fired: target out of arc"),
        ("border_in", {"race": "K", "quadrant": "F1"},
         "Warning: you have entered Kolvar space (F1)"),
        ("border_out", {"race": "K"}, "You have left Kolvar space"),
        ("distress", {"name": "Merlin", "quadrant": "B3", "bearing": 1_805, "distance": 412,
                      "attackers": 2},
         "DISTRESS Merlin, quadrant B3, bearing 180.5, distance 412, attackers 2"),
        ("mission_new", {"kind": "deliver", "target": "Lyria"},
         "New mission: deliver 50 supplies to Lyria"),
        ("mission_done", {"kind": "deliver", "points": 44}, "Mission complete: 44 points"),
    ],
)  # fmt: skip
def test_sentences(key: str, params: dict[str, int | str], text: str) -> None:
    assert sentence(Record(1, 0, key, tuple(sorted(params.items()))), THEME) == text


def test_the_window_shows_the_latest_first() -> None:
    ship = thing(
        "Lexington",
        log=(Record(4, 0, "barrier"), Record(5, 0, "border_out", (("race", "K"),))),
    )
    assert [line.text for line in lines(ship, THEME)] == [
        "You have left Kolvar space",
        "Galactic barrier: all stop",
    ]


def test_every_record_of_a_game_has_a_sentence() -> None:
    state, seen = new_game(9, THEME), set()
    for _ in range(150):
        state = advance(state)
        for made in state.objects.values():
            for line in lines(made, THEME):
                assert line.text
                seen.add(line.key)
    missing = set(TEXTS) - seen
    # These happen to captains only, or seldom.
    assert missing <= {"alert", "barrier", "suppressed", "power_fail", "no_energy", "no_ammo",
                       "no_range", "no_arc", "supplies_low", "dest_gone", "upgraded",
                       "mission_failed", "captain_left"}, missing  # fmt: skip
