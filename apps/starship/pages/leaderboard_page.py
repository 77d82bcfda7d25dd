"""The leaderboard: ships by score, kills, missions or steps lived, the lost ones among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.http.browser.markup import Html, tag
from apps.starship.pages.sheet import Sheet, heading, here, live_bar, one_of, scan, scrolling

COLUMNS = (
    ("score", "Score"),
    ("kills", "Kills"),
    ("missions", "Missions"),
    ("lived", "Steps lived"),
    ("name", "Ship"),
)
"""What the table is sorted by; the first where nothing is asked for."""

WHO = (
    ("all", "All"),
    ("human", "Human captains"),
    ("computer", "Computer captains"),
    ("lost", "Lost ships"),
)
ROWS_MAX = 200
"""Rows of a page; who is asked for shortens it."""


def leaderboard_page(
    rows: Sequence[Mapping[str, Any]],
    step: int,
    asked: Mapping[str, str],
    base: str = "/starship",
) -> str:
    """Return the page of the leaderboard.

    ``rows`` are what `table_of` gives, ``asked`` the query: ``sort`` one of `COLUMNS`, ``order`` up
    or down, ``who`` one of `WHO`.
    """
    sort = one_of(asked, "sort", tuple(key for key, _words in COLUMNS))
    order = one_of(asked, "order", ("up", "down") if sort == "name" else ("down", "up"))
    who = one_of(asked, "who", tuple(key for key, _words in WHO))
    chosen = sorted_rows([row for row in rows if _is_of(row, who)], sort, order)
    sheet = Sheet(base, "leaderboard", "Leaderboard", step, ("live.js",))
    return sheet.document(
        heading("Leaderboard", step, live_bar()),
        _filter(who, sort, order, base),
        _table(chosen, sort, order, who, base),
    )


def sorted_rows(
    rows: Sequence[Mapping[str, Any]], sort: str, order: str
) -> list[Mapping[str, Any]]:
    """Return rows in an order; of equal ones the higher score first, then by name."""
    found = sorted(rows, key=lambda row: (-row["score"], row["name"].lower()))
    if sort == "name":
        return sorted(found, key=lambda row: row["name"].lower(), reverse=order == "down")
    return sorted(found, key=lambda row: row[sort] if order == "up" else -row[sort])


def _is_of(row: Mapping[str, Any], who: str) -> bool:
    if who == "lost":
        return bool(row["lost"])
    is_computer = row["captain"] == "computer"
    return who == "all" or is_computer == (who == "computer")


def _filter(who: str, sort: str, order: str, base: str) -> Html:
    links = [
        tag(
            "a",
            words,
            href=here(base, "leaderboard", who=key, sort=sort, order=order),
            aria_current="true" if key == who else None,
        )
        for key, words in WHO
    ]
    return tag("nav", links, class_="tabs", aria_label="Whose ships")


def _table(rows: Sequence[Mapping[str, Any]], sort: str, order: str, who: str, base: str) -> Html:
    def head(key: str, words: str) -> Html:
        usual, other = ("up", "down") if key == "name" else ("down", "up")
        following = other if key == sort and order == usual else usual
        told = {"up": "ascending", "down": "descending"}[order] if key == sort else None
        mark = {
            "up": " \N{BLACK UP-POINTING SMALL TRIANGLE}",
            "down": " \N{BLACK DOWN-POINTING SMALL TRIANGLE}",
        }
        link = tag(
            "a",
            words,
            tag("span", mark[order], aria_hidden="true") if key == sort else None,
            href=here(base, "leaderboard", who=who, sort=key, order=following),
        )
        return tag("th", link, scope="col", aria_sort=told, class_=key)

    names = dict(COLUMNS)
    titles = tag(
        "tr",
        tag("th", "Place", scope="col", class_="number"),
        head("name", names["name"]),
        tag("th", "Race", scope="col"),
        tag("th", "Captain", scope="col"),
        [head(key, words) for key, words in COLUMNS if key != "name"],
        tag("th", "Fate", scope="col"),
    )
    shown = [_row(place, row, base) for place, row in enumerate(rows[:ROWS_MAX], 1)]
    table = tag(
        "table",
        tag("caption", _caption(rows, who)),
        tag("thead", titles),
        tag("tbody", shown),
        class_="rows wide",
    )
    none = None if rows else tag("p", "There is none yet.", class_="none")
    return scrolling("table", "Leaderboard", table, none)


def _caption(rows: Sequence[Mapping[str, Any]], who: str) -> str:
    lost = sum(bool(row["lost"]) for row in rows)
    words = f"{len(rows):,} {'ship' if len(rows) == 1 else 'ships'}"
    if lost and who != "lost":
        words += f", {lost:,} of them lost"
    return words if len(rows) <= ROWS_MAX else f"{words}; the first {ROWS_MAX} are listed"


def _row(place: int, row: Mapping[str, Any], base: str) -> Html:
    lost = row["lost"]
    if lost:
        by = f" to {row['killer']}" if row["killer"] else ""
        fate = tag("td", f"lost{by} in step {row['step']:,}", class_="lost fate")
    else:
        fate = tag("td", "in service", class_="alive fate")
    name = row["name"] if lost else tag("a", row["name"], href=scan(base, row["name"]))
    return tag(
        "tr",
        tag("td", place, class_="number"),
        tag("th", name, scope="row"),
        tag("td", row["race_name"]),
        tag("td", row["captain"]),
        [
            tag("td", f"{row[key]:,}", class_="number")
            for key in ("score", "kills", "missions", "lived")
        ],
        fate,
        class_="gone" if lost else None,
    )
