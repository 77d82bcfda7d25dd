"""The pages of the docs in Chromium: tables and plots of the benchmarks, wide and narrow."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.chromium import faultless_page, needs_chromium

DOCS = Path(__file__).parents[2] / "docs"
WIDE, NARROW = (1200, 900), (390, 844)
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
UNSCROLLED = """
[...document.querySelectorAll('table')].filter(
    table => table.scrollWidth > table.clientWidth && getComputedStyle(table).overflowX != 'auto'
).length
"""
PLOTS = """
[...document.querySelectorAll('img')].map(
    img => [img.getAttribute('src').split('/').pop(), img.naturalWidth > 0, img.alt.length > 20]
)
"""

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="there is no Sphinx"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of the benchmarks, built alone as ``make docs`` builds all."""
    source, made = tmp_path_factory.mktemp("docs"), tmp_path_factory.mktemp("html")
    shutil.copy(DOCS / "benchmarks.rst", source / "index.rst")
    for path in (DOCS / "conf.py", *DOCS.glob("benchmarks-*.txt")):
        shutil.copy(path, source)
    for name in ("_static", "pictures"):
        shutil.copytree(DOCS / name, source / name)
    words = [sys.executable, "-m", "sphinx", "-Q", "-b", "html", str(source), str(made)]
    subprocess.run(words, check=True, timeout=120)
    return (made / "index.html").as_uri()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_wide_tables_are_scrolled_and_not_the_page(
    chromium: Browser, page: str, size: tuple[int, int]
) -> None:
    with faultless_page(chromium, size) as shown:
        shown.goto(page)
        width, window = shown.evaluate(WIDTHS)
        assert width <= window
        assert shown.evaluate(UNSCROLLED) == 0


def test_all_plots_are_there_and_say_what_they_show(chromium: Browser, page: str) -> None:
    with faultless_page(chromium, WIDE) as shown:
        shown.goto(page)
        plots = shown.evaluate(PLOTS)
    names = sorted(path.name for path in (DOCS / "pictures").glob("benchmarks-*.svg"))
    assert sorted(plots) == [[name, True, True] for name in names]
