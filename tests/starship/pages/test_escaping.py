"""Whatever names, sentences and typed words hold: the page is well-formed, and they are text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.pages import Notice, Page, bridge_page
from apps.starship.pages.login import create_html, list_html
from apps.starship.pages.markup import esc, url
from tests.starship.pages.played import Screen, docked, fight, seen, wreck
from tests.starship.pages.reading import leaves, read

NASTY = "\"'><script>alert(1)</script><!-- & &amp; \x00\x07\u202e]]>"
SCENES: list[Screen] = [
    seen(fight(), target="Gath", orders=("fire P1",)),
    seen(fight(), target="Gath", mode="scan"),
    seen(docked(), target="Aegis"),
    seen(wreck()),
]
LISTS: dict[str, Any] = {
    "step": 1,
    "races": [{"key": "F", "name": "Federation", "ships": 1, "captains": 0}],
    "fewest": "F",
    "scan": [{"name": "Gath", "full_name": "Kolvar Starship Gath"}],
    "take": [{"name": "Gath", "full_name": "Kolvar Starship Gath"}],
    "full": True,
}


def changed(screen: Screen, text: str) -> Any:
    """A screen with another text for every one, but for those that decide what is drawn."""
    made: Any = leaves(screen, lambda old: old if old in ("captain", "starship") else text)
    return made


def page_of(text: str) -> Page:
    return Page(
        token=text,
        key=text,
        filter=text,
        base=text,
        notice=Notice(False, text, text),
        typed={"command": "course", "arg1": text},
    )


def names(text: str) -> set[str]:
    return {element.name for element in read(text).walk()}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SCENES), st.text(max_size=20))
def test_a_bridge_is_well_formed_whatever_its_texts_are(screen: Screen, text: str) -> None:
    assert names(bridge_page(changed(screen, text), page_of(text))) <= KNOWN


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=20))
def test_the_first_page_is_well_formed_whatever_its_texts_are(text: str) -> None:
    lists: Any = leaves(LISTS, lambda old: text)
    notice, typed = Notice(False, "E_NAME", text), {"name": text, "race": text, "ship": text}
    assert names(create_html(lists, text, typed, notice, text, text)) <= KNOWN_FIRST
    for which in ("scan", "take", "races", text):
        assert names(list_html(lists, which, text, typed, notice, text)) <= KNOWN_FIRST


@pytest.mark.parametrize("place", range(len(SCENES)))
def test_markup_in_texts_is_text(place: int) -> None:
    page = bridge_page(changed(SCENES[place], NASTY), page_of(NASTY))
    found = read(page)
    assert len(found.find_all("script")) == 1  # the page's own
    assert "alert(1)" in found.text
    assert "\x00" not in page and "\u202e" not in page


def test_markup_in_names_of_ships_and_in_typed_words_is_text() -> None:
    lists: Any = leaves(LISTS, lambda old: NASTY)
    notice = Notice(False, "E_TAKEN", NASTY)
    form = read(create_html(lists, NASTY, {"name": NASTY}, notice))
    assert not form.find_all("script")
    assert form.find("input", id="create-name").get("value").startswith("\"'><script>")


KNOWN = set().union(*(names(bridge_page(screen, page_of("x"))) for screen in SCENES))
"""The elements that there are when nobody means harm."""

KNOWN_FIRST = names(create_html(LISTS, "t", {}, Notice(False, "E_NAME", "x"), "t", "t")).union(
    *(names(list_html(LISTS, which, "t")) for which in ("scan", "take", "races"))
)
"""Those of the first page."""


@given(st.text())
def test_escaped_text_has_no_sign_of_markup(text: str) -> None:
    assert not set(esc(text)) & set("<>\"'\x00\x1b\u202e")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Cn", "Co"))))
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert read(f"<p>{esc(text)}</p>").find("p").text == " ".join(text.split())


@given(st.text())
def test_a_value_in_an_address_has_letters_only(text: str) -> None:
    assert set(url(text)) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%"
    )
