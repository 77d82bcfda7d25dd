"""Small pages of the site: a ship that is being built, one that is lost or somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from apps.http.browser.markup import Child, Html, tag
from apps.starship.pages.sheet import MARK, scan
from apps.starship.web.answers import LOGIN

BASE = "/starship"

_PAGES = (("map", "Map"), ("leaderboard", "Leaderboard"), ("replay", "Replay"))


def _document(title: str, *body: Child) -> str:
    """Return a whole page with one panel, which looks like the login page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="dark"),
        tag("title", f"{title} - StarShip"),
        tag("link", rel="icon", href=f"{BASE}/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=f"{BASE}/static/bridge.css"),
        tag("link", rel="stylesheet", href=f"{BASE}/static/notice.css"),
    )
    links = [tag("a", words, href=f"{BASE}/{page}") for page, words in _PAGES]
    whole = tag(
        "body",
        tag(
            "header",
            tag("a", MARK, "StarShip", href=LOGIN, class_="brand"),
            tag("nav", links, aria_label="Game"),
            class_="top",
        ),
        tag("main", tag("section", tag("h1", title), *body, class_="panel"), id="content"),
        class_="console login notice-page",
    )
    return f"<!DOCTYPE html>\n{tag('html', head, whole, lang='en')}\n"


def _links(*links: tuple[str, str]) -> Html:
    return tag(
        "p", *(tag("a", words, href=to, class_="button") for words, to in links), class_="buttons"
    )


def starting_page(refusal: str = "") -> str:
    """Return the page for the time before this server has a state of the game.

    ``refusal`` says why the primary does not take the server, if it does not.
    """
    if refusal:
        return _document(
            "This server is not in the game",
            tag("p", f"The game does not take this server: {refusal}.", role="alert"),
            tag("p", "It asks again by itself, and so does this page."),
            _links(("Ask again", LOGIN)),
        )
    return _document(
        "The game is starting",
        tag("p", "This server has not joined the game yet. The page asks again by itself."),
        _links(("Ask again", LOGIN)),
    )


def too_early_page(steps: int) -> str:
    """Return the page for spectators while no state is as old as what they may see."""
    count = "a step" if steps == 1 else f"{steps} steps"
    return _document(
        "Spectators see this game later",
        tag("p", f"There is something to see in {count}.", role="status"),
        _links(("All ships", LOGIN)),
    )


def building_page(ship: str, next_in: float) -> str:
    """Return the page for a captain whose ship is there with the next step."""
    when = f", in {next_in:.0f} s" if next_in >= 1 else ""
    return _document(
        f"{ship} makes ready",
        tag("p", f"The bridge is yours with the next step{when}.", role="status"),
        _links(("To the bridge", f"{BASE}/bridge?ship={quote(ship)}")),
    )


def not_yours_page(ship: str, full_name: str, captained: bool, token: str) -> str:
    """Return the page for somebody who is not in command of a ship.

    With ``captained`` somebody else is; else the page has a form to take it.
    """
    if captained:
        words: Child = tag("p", f"{full_name} has another captain.")
        form: Child = None
    else:
        words = tag("p", f"{full_name} has no captain: the computer looks after it.")
        form = tag(
            "form",
            tag("input", type="hidden", name="ship", value=ship),
            tag("input", type="hidden", name="token", value=token),
            tag(
                "div",
                tag("label", "Pass-phrase", for_="phrase"),
                tag(
                    "input", type="password", name="phrase", id="phrase", maxlength=200,
                    autocomplete="off",
                ),
                tag("p", "only if the ship has one", class_="note"),
                class_="entry",
            ),
            tag("button", "Take command", type="submit", class_="strong", data_testid="take"),
            class_="boarding",
            method="post",
            action=f"{BASE}/take",
        )  # fmt: skip
    return _document(
        f"You are not in command of {ship}",
        words,
        form,
        _links(("Scan it", scan(BASE, ship)), ("All ships", LOGIN)),
    )


def lost_page(ship: str, row: Mapping[str, Any] | None) -> str:
    """Return the last page of a ship: what it was; without a row there never was such a ship."""
    links = _links(("Create a new ship", LOGIN), ("Watch", f"{BASE}/map"))
    if row is None:
        return _document("No such ship", tag("p", f"There is no ship named {ship}."), links)
    facts = [
        (words, row[key])
        for words, key in (
            ("Destroyed by", "killer"),
            ("Score", "score"),
            ("Kills", "kills"),
            ("Missions", "missions"),
            ("Steps lived", "lived"),
        )
        if row.get(key) is not None
    ]
    rows = [
        tag("div", tag("dt", words), tag("dd", f"{value:,}" if type(value) is int else value))
        for words, value in facts
    ]
    return _document(f"{ship} is lost", tag("dl", rows, class_="facts"), links)


def trouble_page(title: str, words: str) -> str:
    """Return a page that says what went wrong, with the way back."""
    return _document(title, tag("p", words, role="alert"), _links(("To the ships", LOGIN)))
