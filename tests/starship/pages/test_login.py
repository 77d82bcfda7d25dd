"""The first page: what its parts offer, keep and refuse."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest

from apps.starship.display.lists import lists_of
from apps.starship.pages import Notice
from apps.starship.pages.login import create_html, list_html
from tests.starship.pages.played import played
from tests.starship.pages.reading import Element, read

LISTS = lists_of(played())


def create(**how: Any) -> Element:
    return read(create_html(**{"lists": LISTS, "token": "a-token", **how}))


def test_the_file_has_the_three_ways_in_and_includes_their_lists() -> None:
    folder = resources.files("apps.starship.pages").joinpath("templates")
    text = folder.joinpath("starshipLogin.html").read_text("utf-8")
    page = read(text)
    assert [h.text for h in page.find_all("h2")] == [
        "Create a new starship",
        "Scan a starship",
        "Take command of an existing starship",
        "The galaxy",
    ]
    assert re.findall(r'<!--#include virtual="(/starship/[cl][^"]+)" -->', text) == [
        "/starship/create.html",
        "/starship/list.html?for=scan",
        "/starship/list.html?for=take",
        "/starship/list.html?for=races",
    ]


def test_the_race_with_the_fewest_captains_is_proposed() -> None:
    form = create(lists={**LISTS, "fewest": "R"})
    chosen = [e.get("value") for e in form.find_all("input") if "checked" in e.attributes]
    assert chosen == ["R"]
    assert len(form.find_all("input", name="race")) == 4


def test_name_and_phrase_may_be_left_empty_and_say_what_is_allowed() -> None:
    form = create()
    for id in ("create-name", "create-phrase"):
        field = form.find("input", id=id)
        assert "required" not in field.attributes
        assert form.find(id=field.get("aria-describedby")).text
    assert form.find("form").get("action") == "/starship/create"
    assert form.find("input", name="token").get("value") == "a-token"


@pytest.mark.parametrize(
    ("code", "id"),
    [("E_NAME", "create-name"), ("E_TAKEN", "create-name"), ("E_PHRASE", "create-phrase")],
)
def test_a_refusal_stands_at_its_field(code: str, id: str) -> None:
    form = create(notice=Notice(False, code, "No: so."), typed={"name": "Böse Ex", "race": "K"})
    field = form.find("input", id=id)
    assert field.get("aria-invalid") == "true"
    assert form.find(id=f"{id}-error").text == "No: so."
    assert f"{id}-error" in field.get("aria-describedby")


def test_what_was_typed_is_kept_but_not_the_phrase() -> None:
    typed = {"name": "Böse Ex", "race": "K", "phrase": "secret"}
    form = create(notice=Notice(False, "E_NAME", "No."), typed=typed)
    assert form.find("input", id="create-name").get("value") == "Böse Ex"
    assert [e.get("value") for e in form.find_all("input") if "checked" in e.attributes] == ["K"]
    assert not form.find("input", id="create-phrase").get("value")


def test_another_refusal_stands_above_the_form() -> None:
    form = create(notice=Notice(False, "E_BUSY", "Your address has made many ships."))
    assert form.find(role="alert").text == "Your address has made many ships."


def test_a_full_galaxy_offers_to_take_a_ship() -> None:
    assert "Take a ship without a captain" in create(lists={**LISTS, "full": True}).text


@pytest.mark.parametrize(("which", "method"), [("scan", "get"), ("take", "post")])
def test_ships_are_chosen_from_a_list(which: str, method: str) -> None:
    form = read(list_html(LISTS, which, "a-token"))
    assert form.find("form").get("method") == method
    assert form.find("form").get("action") == f"/starship/{which}"
    options = form.find("select", name="ship").find_all("option")
    assert [row.get("value") for row in options] == [row["name"] for row in LISTS[which]]


def test_a_refused_take_keeps_the_ship_and_tells_why() -> None:
    chosen = LISTS["take"][3]["name"]
    notice = Notice(False, "E_CAPTAINED", f"{chosen} already has a captain.")
    form = read(list_html(LISTS, "take", "t", {"ship": chosen}, notice))
    kept = [o.get("value") for o in form.find_all("option") if "selected" in o.attributes]
    assert kept == [chosen]
    assert "already has a captain" in form.find(role="alert").text


@pytest.mark.parametrize("which", ["scan", "take"])
def test_an_empty_list_is_a_sentence(which: str) -> None:
    form = read(list_html({**LISTS, "scan": [], "take": []}, which))
    assert not form.find_all("form") and form.text


def test_races_and_the_step_are_told() -> None:
    table = read(list_html(LISTS, "races"))
    assert table.find(data_testid="step").text == "Step 80"
    assert [th.text for th in table.find("tbody").find_all("th")] == [
        row["name"] for row in LISTS["races"]
    ]


def test_before_the_first_step_every_part_is_a_sentence() -> None:
    for part in (create_html({}), *(list_html({}, which) for which in ("scan", "take", "races"))):
        assert read(part).text and not read(part).find_all("form")


def test_an_unknown_list_is_told() -> None:
    assert read(list_html(LISTS, "<b>")).text == "There is no list <b>."
