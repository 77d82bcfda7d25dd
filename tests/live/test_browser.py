"""The object browser in Chromium: with and without script, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import vista
from tests.chromium import faultless_page, needs_chromium
from tests.http.objects.served import at_last
from tests.live.harbour import Harbour, HarbourShip, harbour

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PICTURE_BYTES_MAX = 120 * 1024
WIDE, NARROW = (1280, 800), (390, 844)

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def port() -> Iterator[Harbour]:
    """Five nodes with a few hundred objects."""
    with harbour() as made:
        yield made


@contextmanager
def visit(
    chromium: Browser,
    port: Harbour,
    size: tuple[int, int] = WIDE,
    scheme: Any = "light",
    script: bool = True,
) -> Iterator[Page]:
    """A page of somebody who came in by a link; what went wrong on it fails the test."""
    options = {"color_scheme": scheme, "java_script_enabled": script}
    with faultless_page(chromium, size, forgiven="status of 4", **options) as page:
        page.goto(port.new_link().replace("localhost", "127.0.0.1"))
        page.wait_for_url(f"{port.root}/")
        yield page


def views(port: Harbour) -> dict[str, str]:
    """The address of every kind of page."""
    hub = port.node_text(0)
    ship = port.ship(1)
    return {
        "nodes": "/",
        "node": f"/node/{hub}",
        "objects": f"/node/{port.node_text(1)}/objects",
        "classes": f"/node/{hub}/classes",
        "threads": f"/node/{hub}/threads",
        "services": f"/node/{hub}/services",
        "methods": f"/node/{hub}/methods",
        "class": f"/node/{hub}/class/Local.HarbourShip/0",
        "object": f"/object/{port.office_id}",
        "ship": f"/object/{ship}",
        "send": f"/object/{ship}/send?method=unload&arguments=3",
        "gone": f"/object/{hub}-zzzz",
    }


# --- how it looks --------------------------------------------------------------------------


VIOLATIONS = {"resultTypes": ["violations"]}
"""No test reads what is in order: without, an answer is taken apart in half of the time."""
EVERYTHING = {**VIOLATIONS, "rules": {"target-size": {"enabled": True}}}
"""All rules of axe-core, that of WCAG 2.2 among them which it leaves out unless told."""
WIDER_TABLES = "[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)"
LOOKS = {
    **VIOLATIONS,
    "runOnly": ["color-contrast", "target-size", "scrollable-region-focusable"],
}
"""Those that tell a narrow window and dark colours from the others."""


@pytest.mark.parametrize(
    ("size", "scheme", "rules"),
    [(WIDE, "light", EVERYTHING), (NARROW, "dark", LOOKS)],
    ids=["wide-light", "narrow-dark"],
)
def test_every_page_is_accessible_and_fits_the_window(
    chromium: Browser, port: Harbour, size: tuple[int, int], scheme: str, rules: dict[str, Any]
) -> None:
    found = []
    with visit(chromium, port, size, scheme) as page:
        for name, address in views(port).items():
            page.goto(port.root + address)
            told = Axe().run(page, options=rules)
            found += [(name, item["id"], item["help"]) for item in told.response["violations"]]
            if page.evaluate("document.documentElement.scrollWidth") > size[0]:
                found.append((name, "wider than the window", ""))
            if page.evaluate(WIDER_TABLES):
                found.append((name, "a table that has to be scrolled", ""))
    assert found == []


def test_light_and_dark_follow_the_system(chromium: Browser, port: Harbour) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with visit(chromium, port, scheme=scheme) as page:
            grounds.append(
                page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            )
    assert grounds == ["rgb(245, 246, 249)", "rgb(14, 16, 21)"]


def test_the_keyboard_leads_to_the_content_and_shows_where_it_is(
    chromium: Browser, port: Harbour
) -> None:
    with visit(chromium, port) as page:
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        expect(skip).to_have_text("Skip to the content")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.locator("main:focus")).to_have_count(1)


def test_the_pictures_of_the_documentation_are_there_and_small(
    chromium: Browser, port: Harbour, rewrite: bool
) -> None:
    if rewrite:
        take_pictures(chromium, port)
    for name in ("browser-nodes.png", "browser-object.png"):
        assert 10_000 < (PICTURES / name).stat().st_size < PICTURE_BYTES_MAX


def take_pictures(chromium: Browser, port: Harbour) -> None:
    """Write the pictures of the documentation; the cranes work meanwhile."""
    PICTURES.mkdir(exist_ok=True)
    with visit(chromium, port, (1100, 860)) as page:
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        for number in (900, 400, 700, 1500, 1100, 1900, 1300):
            for place, node in enumerate(port.nodes):
                node.call(port.lift, number * (5 - place) // 3 + 211 * place)
            page.wait_for_timeout(3_050)
        page.screenshot(path=PICTURES / "browser-nodes.png")
        page.goto(port.root + views(port)["ship"])
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        page.screenshot(path=PICTURES / "browser-object.png")


# --- without script ------------------------------------------------------------------------


def test_everything_works_without_script(chromium: Browser, port: Harbour) -> None:
    with visit(chromium, port, script=False) as page:
        expect(page.locator("svg.network a.node")).to_have_count(5)
        page.get_by_role("cell", name="north-quay").get_by_role("link").click()
        page.get_by_role("link", name="Objects", exact=True).click()
        page.get_by_label("Class", exact=True).fill("Ship")
        page.get_by_role("button", name="Show").click()
        page.locator("table a").nth(5).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("HarbourShip")
        page.get_by_role("link", name="unload").click()
        page.get_by_label("Arguments").fill("containers=4")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("#outcome pre")).to_have_text("36")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Key")).to_have_count(1)
        page.goto(f"{port.root}/")
        assert page.get_by_role("heading", level=1).inner_text() == "Sign in"


def test_a_reference_leads_to_another_node(chromium: Browser, port: Harbour) -> None:
    with visit(chromium, port, script=False) as page:
        id = port.ship(2)
        port.hub.call(vista.send, port.office, "note", vista.ref_of(id))
        page.goto(f"{port.root}/object/{port.office_id}")
        page.get_by_role("link", name=str(id)).click()
        expect(page.get_by_role("link", name="south-quay").first).to_be_visible()
        page.get_by_placeholder("Object Id or service").fill("Harbour/office")
        page.get_by_role("button", name="Open").click()
        page.wait_for_url(f"{port.root}/object/{port.office_id}")
        assert "HarbourOffice" in page.get_by_role("heading", level=1).inner_text()


def test_an_exception_and_a_mistake_are_shown_in_place(chromium: Browser, port: Harbour) -> None:
    with visit(chromium, port, NARROW) as page:
        page.goto(port.root + views(port)["send"])
        page.get_by_label("Arguments").fill("9000")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("#outcome pre.failed")).to_contain_text("ValueError: Albatross 1")
        page.get_by_label("Arguments").fill("all of them")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("is no Python value")
        assert page.get_by_label("Arguments").input_value() == "all of them"


def test_names_with_markup_are_text(chromium: Browser, port: Harbour) -> None:
    name = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    ship = port.hub.call(vista.create, HarbourShip, name)
    with visit(chromium, port) as page:
        page.goto(f"{port.root}/object/{vista.id_of(ship)}")
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        expect(page.get_by_text("document.title")).to_be_visible()
        assert page.locator("main img, main script").count() == 0
        assert "taken" not in page.title()


# --- live ----------------------------------------------------------------------------------


def test_a_page_changes_by_itself_and_keeps_what_somebody_does(
    chromium: Browser, port: Harbour
) -> None:
    ship = port.hub.call(vista.create, HarbourShip, "Skua", 1.0)
    with visit(chromium, port) as page:
        page.goto(f"{port.root}/object/{vista.id_of(ship)}")
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        page.evaluate("window.kept = true")
        page.get_by_text("methods that every object has").click()
        port.hub.call(ship.unload, 17)
        expect(page.locator("#variables")).to_contain_text("'containers': 23")
        expect(page.get_by_text("describe_instance_variables")).to_be_visible()
        port.hub.call(vista.delete, ship)
        expect(page.locator("[data-kind=trouble]")).to_have_text("The object is gone")
        assert page.evaluate("window.kept")


def test_the_focus_and_what_is_open_stay_while_a_table_changes(
    chromium: Browser, port: Harbour
) -> None:
    with visit(chromium, port) as page:
        page.goto(f"{port.root}/node/{port.node_text(1)}/threads")
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        row = page.get_by_role("listitem").filter(has_text="HarbourCrane")
        row.locator("summary").click()
        row.locator("details a").first.focus()
        before = row.locator(".figure").inner_text()
        expect(row.locator(".figure")).not_to_have_text(before)
        assert "harbour.py" in row.locator("details pre").inner_text()  # which is open
        assert page.locator(":focus").inner_text() == "Kill…"


def test_a_node_that_comes_and_goes_is_drawn(chromium: Browser) -> None:
    with harbour(("pier",), ships=2) as small, visit(chromium, small) as page:
        expect(page.locator("svg.network a.node")).to_have_count(2)
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        small.nodes[1].stop()
        expect(page.locator("svg.network a.node")).to_have_count(1)
        small.add("mole")
        expect(page.locator("svg.network a.node")).to_have_count(2)
        expect(page.get_by_role("cell", name="mole")).to_be_visible()
        assert "mole" in page.locator("svg.network").text_content()


def feeds() -> list[str]:
    """Those that ask the nodes for pages that are open."""
    return [row.class_name for row in vista.objects() if row.class_name == "HTTP.HTTPbrowserFeed"]


def test_a_page_in_the_background_asks_nothing(chromium: Browser, port: Harbour) -> None:
    with visit(chromium, port) as page:
        expect(page.locator("[data-kind=live]")).to_have_text("Live")
        assert port.hub.call(feeds) != []
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        expect(page.locator("[data-kind=paused]")).to_have_text("Paused")
        assert port.hub.call(at_last, feeds, []) == []
