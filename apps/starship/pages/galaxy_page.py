"""The map for spectators: the whole galaxy, and a list of all ships with what each is at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.http.browser.markup import Child, Html, tag
from apps.starship.pages.chart import (
    Spot,
    Window,
    beams,
    bursts,
    chart,
    controls,
    legend,
    rings,
    spots,
    trails,
    window_of,
)
from apps.starship.pages.sheet import Sheet, heading, here, live_bar, scan, scrolling

TRAIL_STEPS = 20
"""How many steps the trails of the map go back."""
SHIPS_LISTED_MAX = 500
"""Rows of the list; in a larger galaxy those with the highest scores."""


def map_page(
    shown: Mapping[str, Any],
    asked: Mapping[str, str],
    frames: Mapping[str, Any] | None = None,
    base: str = "/starship",
) -> str:
    """Return the page of the map.

    ``shown`` is what `map_of` gives, ``asked`` the query (``zoom``, ``x``, ``y``), ``frames`` those
    of the last `TRAIL_STEPS` steps, decoded, for the trails.
    """
    window = window_of(shown["side"], asked)
    sheet = Sheet(base, "map", "Map", shown["step"], ("map.js",))
    board = tag(
        "section",
        controls(window, base, "map"),
        chart(
            shown,
            window,
            "Map of the galaxy",
            rings(shown["fleets"], window),
            trails(frames, window),
            beams(((b["x1"], b["y1"], b["x2"], b["y2"], b["hit"]) for b in shown["beams"]), window),
            spots(map(_spot, shown["things"]), window, base),
            bursts(((w["x"], w["y"], w["name"]) for w in shown["wrecks"]), window),
        ),
        class_="board",
        aria_label="Map",
    )
    side = tag(
        "section",
        legend(shown["races"], shown["ships"]),
        _fleets(shown, window, base),
        tag("h2", "Ships"),
        _list(shown, base),
        class_="beside",
        aria_label="Ships and fleets",
    )
    return sheet.document(
        heading("Map", shown["step"], live_bar()), tag("div", board, side, class_="two")
    )


def _spot(row: Mapping[str, Any]) -> Spot:
    return Spot(
        row["name"], row["race"], row["kind"], row["x"], row["y"], row["heading"], row["alert"],
        row["distress"], row["human"], _spoken(row), row["responding"] or "",
    )  # fmt: skip


def _spoken(row: Mapping[str, Any]) -> str:
    words = [row["full_name"], row["quadrant"]]
    if row["kind"] == "starship":
        words += [f"alert {row['alert']}", f"heading {row['heading']:05.1f}"]
        words += [f"speed {row['speed']:.1f}", f"{row['captain']} captain", f"score {row['score']}"]
    if row["distress"]:
        words.append("calls for help")
    return ", ".join(words)


def _fleets(shown: Mapping[str, Any], window: Window, base: str) -> Html:
    rows = [
        tag(
            "li",
            tag(
                "a",
                f"{shown['races'][fleet['race']]} fleet of {len(fleet['ships'])}",
                href=here(base, "map", zoom=4, x=round(fleet["x"]), y=round(fleet["y"])),
                data_at=f"{fleet['x']} {round(window.side - fleet['y'], 1)}",
            ),
            f" around {fleet['name']}",
        )
        for fleet in shown["fleets"]
    ]
    listed: Child = tag("ul", rows) if rows else tag("p", "No fleets are together.")
    return tag("div", tag("h2", "Fleets"), listed, id="fleet-list", class_="fleets", data_part=True)


def _list(shown: Mapping[str, Any], base: str) -> Html:
    ships = [row for row in shown["things"] if row["kind"] == "starship"]
    ships.sort(key=lambda row: (-row["score"], row["name"]))
    head = tag(
        "tr", [tag("th", words, scope="col") for words in ("Ship", "Race", "At", "Alert", "Score")]
    )
    rows = [_row(shown, row, base) for row in ships[:SHIPS_LISTED_MAX]]
    more = len(ships) - len(rows)
    table = tag(
        "table",
        tag("caption", "Living starships by score; a name leads to the scan of the ship"),
        tag("thead", head),
        tag("tbody", rows),
        class_="rows",
    )
    left_out = tag("p", f"{more} more are not listed.") if more > 0 else None
    return scrolling("ship-list", "Starships", table, left_out)


def _row(shown: Mapping[str, Any], row: Mapping[str, Any], base: str) -> Html:
    state = "distress" if row["distress"] else row["alert"]
    words = "calls for help" if row["distress"] else row["alert"]
    return tag(
        "tr",
        tag(
            "th",
            tag("a", row["name"], href=scan(base, row["name"])),
            tag("span", " human", class_="badge") if row["human"] else None,
            scope="row",
        ),
        tag("td", shown["races"][row["race"]]),
        tag("td", row["quadrant"]),
        tag("td", words, class_=f"alert-{state}"),
        tag("td", row["score"], class_="number"),
    )
