"""The words of an rc line that describe a game: what they mean, and what is said of wrong ones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.starship.objects.configuration import (
    GALAXIES,
    Configuration,
    Terms,
    read_configuration,
    read_terms,
)
from apps.starship.rules.creating import new_game
from apps.starship.rules.state import Settings
from tests.starship.rules.galaxy import THEME
from vista import BadValueError


def read(*words: Any, **named: Any) -> Configuration:
    return read_configuration(words, named)


def test_without_words_everything_is_as_usual() -> None:
    made = read()
    assert (made.interval, made.seed, made.settings()) == (5.0, None, Settings())
    assert made.terms() == Terms()


def test_interval_and_seed_stand_first_and_the_rest_has_names() -> None:
    made = read("2.5", "42", "commands_per_step=4", "galaxy=large")
    assert (made.interval, made.seed) == (2.5, 42)
    assert made.settings().commands_per_step == 4
    assert made.settings().across == 16


def test_words_may_be_given_by_name_alone_and_in_python() -> None:
    assert read("interval=2").interval == read(interval=2).interval == read(2).interval == 2.0
    assert read("step_interval=2").interval == 2.0
    assert read(seed=None).seed is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("x",), "interval is 0.05 to 60.0 seconds, or 0 for steps by hand, not 'x'"),
        (("61",), "interval is 0.05 to 60.0 seconds"),
        (("nan",), "interval is 0.05 to 60.0 seconds"),
        (("5", "1.5"), "seed is a whole number"),
        (("5", "1", "2"), "'2' is one word too many: after interval and seed write KEY=VALUE"),
        (("galxy=large",), "a game has no setting 'galxy'; did you mean galaxy?"),
        (("colour=red",), "a game has no setting 'colour'; there are interval, seed"),
        (("5", "interval=5"), "interval is said twice"),
        (("galaxy=tiny",), "galaxy is normal, large or huge, not 'tiny'"),
        (("commands_per_step=11",), "commands_per_step is a whole number from 1 to 10, not '11'"),
        (("commands_per_step=",), "commands_per_step is a whole number"),
        (("work_factor=0",), "work_factor is a whole number from 1"),
        (("scan_delay=-1",), "scan_delay is a whole number from 0"),
        (("update_interval_default=601",), "update_interval_default is a whole number from 1 to"),
        (("new_game=perhaps",), "new_game is yes or no"),
        (("chat=on",), "chat is off: captains are anonymous"),
        (("soft_deadline=80",), "soft_deadline (80) comes before hard_deadline (80)"),
        (("step_mode=manual",), "step_mode=manual is for tests: write test_hooks=1 too"),
        (("max_starships=20",), "starships_max is 20"),
        (("save_as=",), "save_as is a name of at most 60 characters"),
        (("sample=some",), "sample is a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_what_it_may_be(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BadValueError, match=re.escape(sentence)):
        read(*words)


def test_more_computer_captains_get_room() -> None:
    assert read("ai_per_race=100").settings().starships_max == 416
    assert read("ai_per_race=10").settings().starships_max == 64


@pytest.mark.parametrize("name", ["normal", "large"])
def test_every_galaxy_can_be_made(name: str) -> None:
    settings = GALAXIES[name]
    ships = [t for t in new_game(1, THEME, settings).objects.values() if t.kind == "starship"]
    assert len(ships) == 4 * settings.ships
    assert settings.starships_max >= len(ships) + settings.human_reserve


def test_the_huge_galaxy_has_ten_thousand_ships() -> None:
    assert 4 * GALAXIES["huge"].ships == 10_000
    GALAXIES["huge"].validate()


def test_what_was_written_goes_over_what_was_saved_and_nothing_else() -> None:
    saved = Settings(commands_per_step=5, ships=7)
    made = read("commands_per_step=2").settings_over(saved)
    assert (made.commands_per_step, made.ships) == (2, 7)


def test_terms_travel_as_json_and_unknown_ones_are_left_alone() -> None:
    terms = read("scan_delay=4", "work_factor=9", "interval=1").terms()
    assert read_terms(terms.plain()) == terms
    assert read_terms({**terms.plain(), "later": 1}) == terms


def test_by_hand_there_is_no_interval() -> None:
    assert read("0").terms().interval == 0.0
    made = read("5", "test_hooks=1", "step_mode=manual")
    assert made.manual and made.terms().interval == 0.0
