"""The pages for spectators in a browser: accessible, live, and whole without script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.chromium import faultless_page, needs_chromium
from tests.pictures import PICTURES, check_pictures
from tests.starship.spectators.show import Show, Site, played, site

WIDE, NARROW = (1280, 800), (320, 640)
PAGES = ("map", "leaderboard", "replay", "servers")
SIZES = {"": WIDE, "-phone": (390, 844)}
"""Windows of the pictures, by how the names of these end."""
STEPS = 60

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def shown() -> Iterator[Site]:
    """A game that goes on when a test says so."""
    with site(Show(steps=STEPS)) as made:
        yield made


@contextmanager
def visit(
    chromium: Browser,
    address: str,
    size: tuple[int, int] = WIDE,
    script: bool = True,
    motion: Any = "reduce",
) -> Iterator[Page]:
    """A page on which nothing goes wrong; motion is dear, so it is asked for where it matters."""
    options = {"java_script_enabled": script, "reduced_motion": motion}
    # The browser asks for an icon of the site by itself.
    with faultless_page(chromium, size, forgiven="status of 404", **options) as page:
        page.goto(address)
        yield page


def step_of(page: Page) -> int:
    return int(page.locator("body").get_attribute("data-step") or -1)


def part_seen(page: Page) -> list[float]:
    box = page.locator("#chart").get_attribute("viewBox") or ""
    return [float(word) for word in box.split()]


EVERYTHING = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
"""All rules of axe-core, that of WCAG 2.2 among them which it leaves out unless told."""
LOOKS = {"resultTypes": ["violations"], "runOnly": ["target-size", "scrollable-region-focusable"]}
"""Those that tell a narrow window from a wide one; to look at colours takes most of the time."""


@pytest.mark.parametrize(
    ("size", "rules"), [(WIDE, EVERYTHING), (NARROW, LOOKS)], ids=["wide", "narrow"]
)
def test_every_page_is_accessible_and_fits_the_window(
    chromium: Browser, shown: Site, size: tuple[int, int], rules: dict[str, Any]
) -> None:
    found: list[Any] = []
    with visit(chromium, f"{shown.root}/map", size) as page:
        for name in ("map", "map?zoom=4&x=600&y=3400", "leaderboard", "replay", "servers"):
            page.goto(f"{shown.root}/{name}")
            told = Axe().run(page, options=rules)
            found += [(name, item["id"], item["help"]) for item in told.response["violations"]]
            if page.evaluate("document.documentElement.scrollWidth") > size[0]:
                found.append((name, "wider than the window", ""))
    assert found == []


@pytest.mark.parametrize("name", ["map", "leaderboard", "servers"])
def test_a_page_follows_the_steps(chromium: Browser, shown: Site, name: str) -> None:
    with visit(chromium, f"{shown.root}/{name}") as page:
        expect(page.locator("#live")).to_have_text("Live")
        before = step_of(page)
        shown.step()
        expect(page.locator("body")).not_to_have_attribute("data-step", str(before))
        assert step_of(page) == shown.show.state.step == before + 1
        expect(page.locator("#step")).to_have_text(f"Step {before + 1}")


def test_objects_of_the_map_glide_to_where_the_step_took_them(
    chromium: Browser, shown: Site
) -> None:
    with visit(chromium, f"{shown.root}/map", motion="no-preference") as page:
        shown.step()
        row = max(shown.show.map()["things"], key=lambda row: row["speed"])
        place = f"translate({row['x']:g} {round(4000 - row['y'], 1):g})"
        thing = page.locator(f'#things [data-name="{row["name"]}"]')
        page.wait_for_function(
            "([name, place]) => document.querySelector(`#things [data-name='${name}']`)"
            ".getAttribute('transform').startsWith(place)",
            arg=[row["name"], place],
            timeout=30_000,
        )
        assert thing.get_attribute("data-x") == str(row["x"])


def test_updates_are_held_and_resumed(chromium: Browser, shown: Site) -> None:
    with visit(chromium, f"{shown.root}/leaderboard") as page:
        hold = page.locator("#hold")
        hold.click()
        expect(page.locator("#live")).to_have_text("Paused")
        before = step_of(page)
        shown.step()
        expect(hold).to_have_attribute("aria-pressed", "true")
        assert step_of(page) == before
        hold.click()
        expect(page.locator("body")).to_have_attribute("data-step", str(shown.show.state.step))


def test_a_link_keeps_the_focus_when_its_part_is_replaced(chromium: Browser, shown: Site) -> None:
    with visit(chromium, f"{shown.root}/leaderboard") as page:
        page.locator("#table tbody a").first.focus()
        name = page.evaluate("document.activeElement.textContent")
        before = step_of(page)
        shown.step()
        expect(page.locator("body")).not_to_have_attribute("data-step", str(before))
        assert page.evaluate("document.activeElement.textContent") == name


def test_the_chart_is_enlarged_and_shifted_without_asking_the_server(
    chromium: Browser, shown: Site
) -> None:
    with visit(chromium, f"{shown.root}/map") as page:
        page.locator("[data-do=in]").click()
        assert part_seen(page) == [1000, 1000, 2000, 2000]
        page.locator("[data-do=west]").click()
        assert part_seen(page) == [500, 1000, 2000, 2000]
        page.keyboard.press("-")
        assert part_seen(page) == [0, 0, 4000, 4000]
        # At the edge of the galaxy it goes no farther.
        page.locator("[data-do=north]").click()
        assert part_seen(page) == [0, 0, 4000, 4000]
        assert "zoom" not in page.url


def test_the_wheel_enlarges_around_the_pointer_and_dragging_shifts(
    chromium: Browser, shown: Site
) -> None:
    with visit(chromium, f"{shown.root}/map") as page:
        frame = page.locator("#chart").bounding_box()
        assert frame is not None
        middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
        page.mouse.move(*middle)
        page.mouse.wheel(0, -100)
        page.wait_for_function(
            "document.getElementById('chart').viewBox.baseVal.width < 4000", timeout=30_000
        )
        x, _y, across, _ = part_seen(page)
        assert across == pytest.approx(3200)
        assert x == pytest.approx(400, abs=8)
        page.mouse.down()
        page.mouse.move(middle[0] + 40, middle[1], steps=4)
        page.mouse.up()
        assert part_seen(page)[0] < x
        assert page.url.endswith("/map")


def test_a_ship_of_the_chart_leads_to_its_scan(chromium: Browser, shown: Site) -> None:
    with visit(chromium, f"{shown.root}/map") as page:
        page.locator('#things [data-name="Bounty"] .hull').click(force=True)
        page.wait_for_url("**/scan?*")
        assert page.url.endswith("/scan?ship=Bounty")


# --- replay --------------------------------------------------------------------------------


def test_the_replay_plays_to_the_newest_step(chromium: Browser, shown: Site) -> None:
    last = shown.show.state.step
    with visit(chromium, f"{shown.root}/replay?step={last - 8}") as page:
        page.locator("#speed").select_option("32")
        page.locator("#play").click()
        expect(page.locator("#play")).to_have_text("Pause")
        expect(page.locator("#says")).to_have_text(f"The newest step is {last}")
        expect(page.locator("#play")).to_have_text("Play")
        assert page.locator("#at").input_value() == str(last)


def test_the_replay_goes_by_keys_and_links(chromium: Browser, shown: Site) -> None:
    last = shown.show.state.step
    with visit(chromium, f"{shown.root}/replay?step=20") as page:
        step = page.locator("#step")
        page.locator("h1").click()
        for key, wanted in (
            ("ArrowRight", 21), ("Shift+ArrowRight", 31), ("ArrowLeft", 30), ("Home", 0),
            ("End", last),
        ):  # fmt: skip
            page.keyboard.press(key)
            expect(step).to_have_text(f"Step {wanted}")
        page.locator("[data-go='-10']").click()
        expect(step).to_have_text(f"Step {last - 10}")
        assert page.url.endswith("step=20")


def test_the_script_draws_a_step_as_the_server_does(chromium: Browser, shown: Site) -> None:
    def drawn(page: Page) -> Any:
        return page.evaluate(
            """[...document.querySelectorAll("#things [data-name]")]
            .filter((thing) => thing.getAttribute("visibility") !== "hidden")
            .map((thing) => [
              thing.dataset.name,
              thing.getAttribute("transform").split(") ")[0].match(/[\\d.]+/g).map(Number),
              thing.querySelector(".hull").getAttribute("transform"),
              thing.getAttribute("href"),
            ]).sort()"""
        )

    with visit(chromium, f"{shown.root}/replay?step=40", script=False) as page:
        by_server = drawn(page)
    with visit(chromium, f"{shown.root}/replay?step=1") as page:
        slider = page.locator("#at")
        slider.fill("40")
        expect(page.locator("#step")).to_have_text("Step 40")
        assert drawn(page) == by_server


# --- without script ------------------------------------------------------------------------


def test_without_script_links_do_everything(chromium: Browser, shown: Site) -> None:
    with visit(chromium, f"{shown.root}/replay?step=20", script=False) as page:
        page.locator("[data-go='+10']").click()
        expect(page.locator("#step")).to_have_text("Step 30")
        page.goto(f"{shown.root}/map")
        page.locator("[data-do=in]").click()
        assert part_seen(page) == [1000, 1000, 2000, 2000]
        page.goto(f"{shown.root}/leaderboard")
        page.locator("thead .kills a").click()
        expect(page.locator("thead .kills")).to_have_attribute("aria-sort", "descending")
        expect(page.locator("#hold")).to_be_hidden()


# --- the pictures of the documentation -----------------------------------------------------


def test_there_is_a_picture_of_every_page_wide_and_on_a_telephone(
    chromium: Browser, rewrite: bool
) -> None:
    if rewrite:
        take_pictures(chromium)
    check_pictures("starship", [f"starship-{name}{end}" for name in PAGES for end in SIZES])


def take_pictures(chromium: Browser) -> None:
    """Write the pictures of the documentation: the game after 150 steps."""
    with site(played()) as made:
        for name in PAGES:
            for end, size in SIZES.items():
                with visit(chromium, f"{made.root}/{name}", size) as page:
                    page.wait_for_timeout(400)
                    page.screenshot(path=PICTURES / f"starship-{name}{end}.png")
