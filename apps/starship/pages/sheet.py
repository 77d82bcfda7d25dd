"""The document around the pages for spectators: head, links from page to page, what is live.

Two rules. Every text goes through `tag`, which escapes it. What a script replaces after a step has
``data-part`` and an id; without script the page asks for itself anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from apps.http.browser.markup import Child, Html, tag

PAGES = (
    ("map", "Map"),
    ("leaderboard", "Leaderboard"),
    ("replay", "Replay"),
    ("servers", "Servers"),
)
"""The pages for spectators by their place below the game's."""

MARK = Html(
    '<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M16 2 27 29 16 22 5 29z" fill="none"'
    ' stroke="currentColor" stroke-width="2.5" stroke-linejoin="round"/></svg>'
)
"""The game's logo, as the bridge has it."""

REFRESH_SECONDS = 30
"""How often a page without script asks for itself anew."""

ASKED_LENGTH_MAX = 40
"""Characters of a value in the query that are looked at."""


class Sheet(NamedTuple):
    """What a document needs: ``base`` is where the game's pages are, ``page`` one of `PAGES`."""

    base: str
    page: str
    title: str
    step: int
    scripts: tuple[str, ...] = ()
    refresh: bool = True
    """Whether the page is asked for anew where there is no script."""

    def document(self, *body: Child) -> str:
        """Return the whole document."""
        title = f"{self.title} - StarShip"
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="dark"),
            tag("title", title),
            tag("link", rel="icon", href=f"{self.base}/static/icon.svg", type="image/svg+xml"),
            tag("link", rel="stylesheet", href=f"{self.base}/static/bridge.css"),
            tag("link", rel="stylesheet", href=f"{self.base}/static/map.css"),
            [
                tag("script", type="module", src=f"{self.base}/static/{name}")
                for name in self.scripts
            ],
            self._refresh() if self.refresh else None,
        )
        whole = tag(
            "body",
            tag("a", "Skip to the content", href="#content", class_="skip"),
            self._header(),
            tag("main", *body, id="content", tabindex="-1"),
            class_="galaxy",
            data_base=self.base,
            data_page=self.page,
            data_step=self.step,
        )
        return f"<!DOCTYPE html>\n{tag('html', head, whole, lang='en')}\n"

    @staticmethod
    def _refresh() -> Html:
        again = tag("meta", http_equiv="refresh", content=REFRESH_SECONDS)
        return tag("noscript", again)

    def _header(self) -> Html:
        links = [
            tag(
                "a",
                words,
                href=f"{self.base}/{page}",
                aria_current="page" if page == self.page else None,
            )
            for page, words in PAGES
        ]
        play = tag("a", "Play", href="/starshipLogin.html", class_="play")
        return tag(
            "header",
            tag("a", MARK, "StarShip", href="/starshipLogin.html", class_="brand"),
            tag("nav", links, play, aria_label="Pages"),
            class_="top",
        )


def heading(words: str, step: int, *more: Child) -> Html:
    """Return the heading of a page with its step, which a script replaces."""
    shown = tag("p", f"Step {step:,}", class_="step", id="step", data_part=True)
    return tag("div", tag("h1", words), shown, *more, class_="heading")


def live_bar() -> Html:
    """Return what says how the page is kept up to date; a script fills it."""
    button = tag("button", "Pause updates", type="button", id="hold", aria_pressed="false")
    says = tag("span", "", id="live", role="status")
    return tag("p", button, says, class_="live", hidden=True)


def scrolling(id: str, words: str, *inside: Child) -> Html:
    """Return a part of the page that is wider than a small window; the keyboard moves it too."""
    return tag(
        "div", *inside, id=id, class_="scroll", data_part=True,
        role="region", tabindex="0", aria_label=words,
    )  # fmt: skip


def here(base: str, page: str, **asked: object) -> str:
    """Return the address of a page; what is None is left out.

    >>> here("/starship", "map", zoom=2, x=None)
    '/starship/map?zoom=2'
    """
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"{base}/{page}?{query}" if query else f"{base}/{page}"


def scan(base: str, name: str) -> str:
    """Return the address of the scan of a ship."""
    return f"{base}/scan?ship={quote(name, safe='')}"


def whole_number(asked: Mapping[str, str], name: str, least: int, most: int, usual: int) -> int:
    """Return a number from the query within bounds; ``usual`` for what is none.

    >>> whole_number({"zoom": "99"}, "zoom", 1, 8, 1)
    8
    """
    text = asked.get(name, "")[:ASKED_LENGTH_MAX].strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return usual
    return max(least, min(most, int(text)))


def one_of(asked: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return a word from the query, the first of ``known`` for anything else."""
    word = asked.get(name, "")
    return word if word in known else known[0]
