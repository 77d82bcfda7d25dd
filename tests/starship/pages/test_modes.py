"""Two modes, captain and spectator, and two ways to update, plain and live, from one renderer."""

from __future__ import annotations

from typing import Any

import pytest

from apps.starship.pages import Notice, Page, bridge_page, panels_of
from apps.starship.pages.bridge import PANELS
from tests.starship.pages.played import (
    PAGE,
    delivery,
    docked,
    fight,
    played_screen,
    scanned,
    seen,
    ships,
    wreck,
)
from tests.starship.pages.reading import read

SCENES = {"fight": fight, "docked": docked, "delivery": delivery, "wreck": wreck}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("target", ["", "Gath", "Aegis"])
@pytest.mark.parametrize("see", [seen, scanned], ids=["captain", "scan"])
def test_the_document_has_exactly_the_texts_of_the_panels(
    scene: str, target: str, see: Any
) -> None:
    screen = see(SCENES[scene](), target=target)
    page = bridge_page(screen, PAGE)
    for id, text in panels_of(screen, PAGE).items():
        assert f">{text}</section>" in page, id


@pytest.mark.parametrize("scene", SCENES)
def test_the_same_look_gives_the_same_texts(scene: str) -> None:
    texts = [panels_of(seen(SCENES[scene](), target="Gath"), PAGE) for _ in range(2)]
    assert texts[0] == texts[1]


def test_between_two_steps_only_what_changed_is_another_text() -> None:
    calm, later = seen(docked()), {**seen(docked()), "step": 51}
    one, other = (panels_of(screen, Page(token="t", next_in=4.0)) for screen in (calm, later))
    assert [id for id in PANELS if one[id] != other[id]] == ["header"]


def _senders(page: str) -> set[str]:
    """Where the forms of a page lead."""
    return {form.get("action") for form in read(page).find_all("form")}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("target", ["", "Gath", "Aegis"])
def test_a_scan_has_nothing_that_changes_the_ship(scene: str, target: str) -> None:
    page = bridge_page(scanned(SCENES[scene](), target=target), PAGE)
    assert _senders(page) == {"/starship/settings"}
    root = read(page)
    fields = {e.get("name") for e in root.walk() if e.name in ("input", "select", "textarea")}
    assert fields == {"interval", "keys", "ship", "token", "radius", "mode", "target"} - (
        set() if target and scanned(SCENES[scene](), target=target)["target"] else {"target"}
    )
    tests = {e.get("data-testid") for e in root.find_all("button")}
    assert tests == {"", "set-interval"}  # the empty one: help, and sound


def test_no_ship_of_the_galaxy_can_be_changed_from_its_scan() -> None:
    for ship in ships()[::4]:
        page = bridge_page(played_screen(ship, mode="scan", left=0), PAGE)
        assert _senders(page) == {"/starship/settings"}


def test_a_scan_shows_all_panels_and_says_that_it_is_one() -> None:
    page = read(bridge_page(scanned(fight()), PAGE))
    assert page.find("body").get("data-mode") == "scan"
    assert page.find("span", class_="badge scan").text == "Scan: flown by a person"
    for id in PANELS:
        page.find("section", id=id)


def test_links_of_a_scan_lead_to_scans() -> None:
    page = read(bridge_page(scanned(fight(), target="Gath"), PAGE))
    looks = [a.get("href") for a in page.find_all("a", data_look="")]
    assert looks and all(address.startswith("/starship/scan?ship=Bounty") for address in looks)
    assert "mode=scan" in page.find("body").get("data-events")


def test_a_captain_gets_forms_with_his_token() -> None:
    page = read(bridge_page(seen(fight(), target="Gath"), PAGE))
    for form in page.find_all("form"):
        assert form.find("input", name="token").get("value") == "a-token"


def test_the_look_is_kept_by_every_order() -> None:
    page = read(bridge_page(seen(fight(), target="Gath", radius=500), Page(filter="attack")))
    for form in page.find_all("form", class_="order"):
        kept = {e.get("name"): e.get("value") for e in form.find_all("input", type="hidden")}
        assert (kept["target"], kept["radius"], kept["filter"]) == ("Gath", "500", "attack")


def test_a_page_comes_from_a_dictionary_as_messages_have_it() -> None:
    made = Page.of({"token": "t", "notice": {"ok": False, "code": "E", "text": "No."}, "more": 1})
    assert made == Page(token="t", notice=Notice(False, "E", "No."))
    assert Page.of({"notice": [True, "", "Yes."]}).notice == Notice(True, "", "Yes.")


def test_without_script_nothing_stands_in_the_page_that_the_policy_forbids() -> None:
    root = read(bridge_page(seen(fight(), target="Gath"), PAGE))
    for element in root.walk():
        assert element.name != "style"
        assert not [name for name in element.attributes if name == "style" or name[:2] == "on"]
    scripts = root.find_all("script")
    assert [script.get("src") for script in scripts] == ["/starship/static/bridge.js"]
