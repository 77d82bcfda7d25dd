"""What is typed: shortened words, numbers for names, and what the Tab key offers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.rules.commands import COMMANDS
from apps.starship.terminal.words import (
    LOCAL,
    Mistyped,
    Typed,
    completions,
    read_line,
    secret_start,
)
from tests.starship.terminal.example import example


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("sp 6", "speed", ("6",)),
        ("f t2", "fire", ("t2",)),
        ("course 45.0", "course", ("45.0",)),
        ("course_to 1 2", "course_to", ("1", "2")),
        ("SH up", "shields", ("up",)),
        ("sh d", "shields", ("down",)),
        ("pow sh", "power", ("shields",)),
        ("upg hu", "upgrade", ("hull",)),
        ("mission ab", "mission", ("abandon",)),
        ("n", "next", ()),
        ("p", "previous", ()),
        ("l", "lock", ("all", "Gath")),
        ("lock p1", "lock", ("p1", "Gath")),
        ("lock all 3", "lock", ("all", "Jackdaw")),
        ("dest 2", "dest", ("Vulcan",)),
        ("dest", "dest", ("Gath",)),
        ("target 1", "target", ("Gath",)),
        ("dest 4", "dest", ("4",)),
        ("?", "help", ()),
        ("exit", "quit", ()),
    ],
)
def test_a_line_means(text: str, name: str, words: tuple[str, ...]) -> None:
    assert read_line(text, example()) == Typed(name, words)


@pytest.mark.parametrize("name", [*COMMANDS, *LOCAL])
def test_every_command_is_itself_when_it_is_written_out(name: str) -> None:
    found = read_line(f"{name} x y", None)
    assert isinstance(found, Typed) and found.name == name


def test_a_word_that_may_be_several_is_asked_about() -> None:
    assert read_line("re Gath", None) == Mistyped("re may be repair or respond.")


def test_a_word_that_is_nothing_is_told() -> None:
    assert read_line("warp 9", None) == Mistyped("There is no command warp; help lists all.")


def test_a_lock_without_a_target_asks_for_one() -> None:
    assert isinstance(read_line("l", {**example(), "target": None}), Mistyped)
    assert isinstance(read_line("l", None), Mistyped)


def test_an_empty_line_means_nothing() -> None:
    assert read_line("   ", None) is None


@pytest.mark.parametrize(
    ("text", "order"),
    [("mission", False), ("mission abandon", True), ("fire p1", True), ("status", False)],
)
def test_a_line_is_an_order(text: str, order: bool) -> None:
    found = read_line(text, None)
    assert isinstance(found, Typed) and found.is_order is order


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("cou", ["course", "course_to"]),
        ("dest v", ["Vulcan"]),
        ("lock ", ["P1", "P2", "T1", "T2", "all"]),
        ("fire t", ["T1", "T2"]),
        ("shields ", ["up", "down"]),
        ("speed ", []),
    ],
)
def test_the_tab_key_offers(text: str, offered: list[str]) -> None:
    screen = example()
    screen = {**screen, "lrs": {**screen["lrs"], "contacts": screen["srs"]["contacts"]}}
    assert completions(text, screen) == offered


@given(st.text(max_size=60))
def test_every_line_means_something_nothing_or_a_mistake(text: str) -> None:
    found = read_line(text, example())
    assert found is None or isinstance(found, Typed | Mistyped)
    completions(text, example())


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("create Bounty F open sesame", "open sesame"),
        ("CR Bounty F  s", "s"),
        ("  take  Bounty  sesame ", "sesame "),
        ("ta Bounty sesame", "sesame"),
        ("t Bounty sesame", "sesame"),
        ("create Bounty F", ""),
        ("create Bounty F ", ""),
        ("take Bounty", ""),
        ("target Bounty Gath", ""),
        ("course_to 10 20", ""),
        ("lock all Gath", ""),
        ("l all Gath", ""),
        ("nonsense a b c d", ""),
        ("", ""),
    ],
)
def test_a_pass_phrase_is_what_stands_behind_the_names(text: str, secret: str) -> None:
    assert text[secret_start(text) :] == secret
