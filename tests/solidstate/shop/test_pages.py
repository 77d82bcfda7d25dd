"""The pages of the shop: what they say, and how they are in a browser without script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from apps.solidstate.shop.goods import GOODS
from apps.solidstate.shop.server import STATIC, TEMPLATES
from tests.chromium import faultless_page, needs_chromium
from tests.solidstate.shop.customers import ADDRESS, Customer
from tests.solidstate.shop.stand import Stand, standing

WIDE, NARROW = (1280, 900), (320, 700)
EVERYTHING = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
"""All rules of axe-core, that of WCAG 2.2 among them which it leaves out unless told."""

PAGES = {
    "goods": {"page": "index.html", "added": "mug"},
    "full": {"page": "index.html", "added": "mug", "full": "1"},
    "cart": {"page": "cart.html", "check": "1"},
    "till": {"page": "checkout.html", "check": "1"},
    "order": {"page": "order.html", "new": "1"},
    "orders": {"page": "orders.html"},
}


@pytest.fixture
def busy() -> Customer:
    """Somebody who has ordered, has things in the cart, and has typed nonsense."""
    made = Customer()
    made.send({"add": "tea"})
    made.send({"do": "order", **ADDRESS})
    for id in ("kettle", "mug", "mug"):
        made.send({"add": id})
    made.send({"do": "update", "count-mug": "many"})
    made.send({"do": "order", **ADDRESS, "email": "anna", "town": ""})
    return made


def query_of(customer: Customer, name: str) -> dict[str, str]:
    """The query of a page."""
    query = dict(PAGES[name])
    if name == "order":
        query["number"] = customer.cart.orders[0]["number"]
    return query


# --- what they say -------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_made(busy: Customer, name: str) -> None:
    query = query_of(busy, name)
    page = busy.page(query.pop("page"), **query)
    assert page.startswith("<!DOCTYPE html>")
    assert "<!--" not in page


@pytest.mark.parametrize("page", ["index.html", "cart.html", "checkout.html", "orders.html"])
def test_every_page_can_be_made_for_somebody_who_is_new(page: str) -> None:
    assert "<!--" not in Customer().page(page)


def test_what_a_customer_types_is_no_markup() -> None:
    eve = Customer()
    eve.send({"add": "tea"})
    evil = '"><script>alert(1)</script><!--#echo var="request_key" -->'
    eve.send({"do": "update", "count-tea": evil})
    eve.send({"do": "order", **dict.fromkeys(ADDRESS, evil)})
    pages = eve.page("cart.html", check="1") + eve.page("checkout.html", check="1")
    assert "<script" not in pages
    assert "&quot;&gt;&lt;script&gt;" in pages
    eve.send({"do": "order", **ADDRESS, "name": evil})
    number = eve.cart.orders[0]["number"]
    assert "<script" not in eve.page("order.html", number=number)


def test_every_page_has_a_template_and_every_good_a_picture() -> None:
    assert {query["page"] for query in PAGES.values()} <= {
        path.name for path in Path(TEMPLATES).iterdir()
    }
    pictures = {path.stem for path in Path(STATIC).glob("*.svg")}
    assert set(GOODS) <= pictures


def test_pictures_are_small_and_hold_nothing_that_runs() -> None:
    for path in Path(STATIC).glob("*.svg"):
        text = path.read_text("utf-8")
        assert len(text) < 2_500, path
        assert "<script" not in text and "href" not in text, path


# --- in a browser --------------------------------------------------------------------------


@pytest.fixture
def stand(busy: Customer) -> Iterator[Stand]:
    """A stand for somebody who is in the middle of it."""
    with standing(busy) as made:
        yield made


def go(page: Page, stand: Stand, name: str) -> None:
    """Go to a page of the stand."""
    page.goto(f"{stand.root}?{urlencode(query_of(stand.customer, name))}")


@contextmanager
def visit(
    chromium: Browser, stand: Stand, name: str, size: tuple[int, int] = WIDE, script: bool = True
) -> Iterator[Page]:
    """A page of the stand; what goes wrong on it fails the test."""
    with faultless_page(chromium, size, java_script_enabled=script) as page:
        go(page, stand, name)
        yield page


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe finds wrong with a page, and where."""
    told: Any = Axe().run(page, options=EVERYTHING).response["violations"]
    return [(item["id"], node["html"][:120]) for item in told for node in item["nodes"]]


@needs_chromium
def test_every_page_is_accessible(chromium: Browser, stand: Stand) -> None:
    found = {}
    with visit(chromium, stand, "goods") as page:
        for name in ("goods", "cart", "till", "order"):
            go(page, stand, name)
            found[name] = violations(page)
    assert [(name, wrong) for name, wrong in found.items() if wrong] == []


@needs_chromium
def test_every_page_fits_the_narrowest_window_and_text_twice_as_large(
    chromium: Browser, stand: Stand
) -> None:
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    found = {}
    with visit(chromium, stand, "goods", NARROW) as page:
        for name in PAGES:
            go(page, stand, name)
            found[name, "narrow"] = page.evaluate(wide)
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        for name in PAGES:
            go(page, stand, name)
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            found[name, "large"] = page.evaluate(wide)
    assert {place: excess for place, excess in found.items() if excess > 0} == {}


@needs_chromium
def test_the_enter_key_in_a_quantity_updates_and_removes_nothing(
    chromium: Browser, stand: Stand
) -> None:
    with visit(chromium, stand, "cart", script=False) as page:
        page.fill("#count-mug", "3")
        page.press("#count-mug", "Enter")
        expect(page.get_by_test_id("notice")).to_have_text("The cart is as you want it.")
    assert stand.sent == [{"do": "update", "count-kettle": "1", "count-mug": "3"}]


@needs_chromium
def test_a_thing_is_bought_with_the_keyboard_alone(chromium: Browser, stand: Stand) -> None:
    with visit(chromium, stand, "goods", script=False) as page:
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Go to the cart")
        for _ in range(2):
            page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_accessible_name("Add Stoneware teapot to the cart")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("notice")).to_contain_text("Stoneware teapot is in your cart")
    assert stand.sent == [{"add": "teapot"}]


@needs_chromium
def test_a_mistake_is_told_at_its_field_and_the_list_of_them_leads_there(
    chromium: Browser, stand: Stand
) -> None:
    with visit(chromium, stand, "till", NARROW, script=False) as page:
        email = page.locator("#email")
        expect(email).to_have_accessible_description(
            "An email address looks like anna@example.org."
        )
        expect(email).to_have_value("anna")
        page.get_by_role("link", name="Tell us the town.").click()
        expect(page.locator("#town")).to_be_focused()
        page.keyboard.type("Kiel")
        email.fill("anna@example.org")
        email.press("Enter")
        expect(page.get_by_test_id("number")).to_have_text(stand.customer.cart.orders[1]["number"])
    assert [(form["email"], form["town"]) for form in stand.sent] == [("anna@example.org", "Kiel")]


# --- the pictures of the documentation -----------------------------------------------------

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
PICTURE_BYTES_MAX = 240 * 1024
SHOWN = {"goods": WIDE, "till": WIDE, "cart-phone": (390, 844)}


@needs_chromium
def test_the_pictures_of_the_documentation_are_there_and_small(
    chromium: Browser, stand: Stand, rewrite: bool
) -> None:
    for name, size in SHOWN.items():
        picture = PICTURES / f"shop-{name}.png"
        if rewrite:
            with visit(chromium, stand, name.partition("-")[0], size) as page:
                page.screenshot(path=picture)
        assert 10_000 < picture.stat().st_size < PICTURE_BYTES_MAX, name
