"""The browser of the tests of pages, and pages on which nothing may go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox --headless --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update"
).split()

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no program chromium")


@contextmanager
def browser(wait_seconds: float = 30.0) -> Iterator[Browser]:
    """A browser without a window, on whose pages ``expect`` waits so long: machines are busy."""
    expect.set_options(timeout=1000 * wait_seconds)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@contextmanager
def faultless_page(
    chromium: Browser, size: tuple[int, int], *, forgiven: str | None = None, **options: Any
) -> Iterator[Page]:
    """An empty page of a window of ``size`` pixels; what goes wrong on it fails the test.

    That are errors of its scripts and what the browser complains of, but for complaints in which
    ``forgiven`` stands. ``options`` are those of a context of Playwright.
    """
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page = context.new_page()
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"{message.text} {message.location.get('url', '')}")

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", note)
    yield page
    context.close()
    left = [words for words in wrong if forgiven is None or forgiven not in words]
    assert left == [], left
