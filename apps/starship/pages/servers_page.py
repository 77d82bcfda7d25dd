"""The servers of a game: how fast each is, what it did, who was wrong, and who computes what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.http.browser.markup import Child, Html, tag
from apps.starship.pages.sheet import ASKED_LENGTH_MAX, Sheet, heading, live_bar, scrolling

OBJECTS_MAX = 500
"""Rows of who computes what; in larger galaxies one asks for a name."""

GROUPS = ("nav", "tac", "com")
UNKNOWN: dict[str, Any] = {
    "name": "", "url": "", "own": False, "state": "", "speed": 0.0, "share": 0.0, "units": 0,
    "busy_us": 0, "done": 0, "late": 0, "lost": 0, "faults": 0, "why": "",
}  # fmt: skip
"""What is shown of a server of which nothing is said."""
NOTHING: dict[str, Any] = {
    "step": 0, "servers": [], "computed": {}, "reports": [], "refused": [], "saving": "",
    "frozen": False,
}  # fmt: skip
STATES = {
    "joining": "gets the state of the game",
    "following": "follows the steps, without work yet",
    "ready": "takes its share of every step",
    "barred": "was wrong too often and gets no work",
}
"""What the states of a server mean."""


def servers_page(
    table: Mapping[str, Any], asked: Mapping[str, str], base: str = "/starship"
) -> str:
    """Return the page of the servers.

    ``table`` has ``step``, ``servers``, ``computed`` (for each object of the last step the servers
    of its three units, as places in ``servers``) and ``reports``; ``asked`` is the query: ``find``
    is a part of an object's name. What a primary of another make leaves out is shown as nothing.
    """
    table = {**NOTHING, **table}
    table["servers"] = [{**UNKNOWN, **row} for row in table["servers"]]
    sheet = Sheet(base, "servers", "Servers", table["step"], ("live.js",))
    letters = {row["id"]: letter_of(place) for place, row in enumerate(table["servers"])}
    return sheet.document(
        heading("Servers", table["step"], live_bar()),
        _trouble(table),
        _shares(table["servers"], letters),
        _servers(table["servers"], letters),
        _reports(table["reports"], letters),
        _computed(table, letters, asked.get("find", "")[:ASKED_LENGTH_MAX], base),
    )


def _trouble(table: Mapping[str, Any]) -> Html:
    """What an operator should look at first; empty while there is nothing."""
    lines = []
    if table["frozen"]:
        lines.append(f"Link to the primary lost - display frozen at step {table['step']}")
    if table["saving"]:
        lines.append(f"The game is not saved: {table['saving']}")
    lines += [f"{row['name']} is not taken: {row['why']}" for row in table["refused"]]
    found = [tag("p", line) for line in lines]
    return tag("div", found, class_="trouble", id="trouble", role="status", data_part=True)


def letter_of(place: int) -> str:
    """Return the short name of the server at a place of the list.

    >>> letter_of(0), letter_of(25), letter_of(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    place += 1
    while place:
        place, digit = divmod(place - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def _shares(servers: Sequence[Mapping[str, Any]], letters: Mapping[str, str]) -> Html:
    """A bar of what each did of the last step; the table has the same in numbers."""
    parts: list[Html] = []
    at = 0.0
    for place, row in enumerate(servers):
        width = round(float(row["share"]), 1)
        if width <= 0:
            continue
        parts.append(
            tag("rect", x=round(at, 1), y=0, width=width, height=4, class_=f"share s{place % 6}")
        )
        if width >= 4:
            parts.append(
                tag("text", letters[row["id"]], x=round(at + width / 2, 1), y=2.9, class_="mark")
            )
        at += width
    return tag(
        "svg",
        tag("title", "Shares of the last step"),
        parts,
        viewBox="0 0 100 4",
        class_="shares",
        role="img",
        id="shares",
        data_part=True,
    )


def _servers(servers: Sequence[Mapping[str, Any]], letters: Mapping[str, str]) -> Html:
    names = (
        "Server", "Where", "State", "Speed", "Share", "Units", "Busy", "Done", "Late", "Lost",
        "Wrong",
    )  # fmt: skip
    numbers = names[3:]
    titles = [
        tag("th", words, scope="col", class_="number" if words in numbers else None)
        for words in names
    ]
    table = tag(
        "table",
        tag(
            "caption",
            "Speed is in units of cost for a busy second, busy in milliseconds of the last step,"
            " late what came after its step, lost what others had to do instead",
        ),
        tag("thead", tag("tr", titles)),
        tag("tbody", [_server(row, letters[row["id"]]) for row in servers]),
        class_="rows wide",
    )
    return scrolling("table", "Servers", table)


def _server(row: Mapping[str, Any], letter: str) -> Html:
    url = str(row.get("url") or "")
    name = row.get("name") or row["id"]
    # Only what a browser can go to; anything else is shown and leads nowhere.
    is_address = url.startswith(("http://", "https://"))
    where: Child = tag("a", name, href=url) if is_address else name
    state, why = row["state"], row.get("why") or ""
    figures = (
        f"{row['speed']:,.0f}", f"{row['share']:.0f} %", f"{row['units']:,}",
        f"{row['busy_us'] / 1000:.1f} ms", f"{row['done']:,}", f"{row['late']:,}",
        f"{row['lost']:,}", row["faults"],
    )  # fmt: skip
    return tag(
        "tr",
        tag("th", letter, scope="row", title=row["id"]),
        tag("td", where, tag("span", " primary's own", class_="badge") if row["own"] else None),
        tag(
            "td",
            tag("span", state, class_=f"state {state}", title=STATES.get(state)),
            tag("small", why, class_="why") if why else None,
        ),
        [tag("td", figure, class_="number") for figure in figures],
        class_="wrong" if row["faults"] else None,
    )


def _reports(reports: Sequence[Mapping[str, Any]], letters: Mapping[str, str]) -> Html:
    rows = [
        tag(
            "li",
            tag("span", f"Step {row['step']:,}", class_="step"),
            " ",
            tag("b", row["kind"], class_=f"report {row['kind']}"),
            f" {row['text']}",
            f" (server {letters[row['server']]})" if row.get("server") in letters else None,
        )
        for row in reports
    ]
    listed: Child = tag("ol", rows, class_="reports") if rows else tag("p", "Nothing went wrong.")
    return tag("section", tag("h2", "Reports"), listed, id="reports", data_part=True)


def _computed(table: Mapping[str, Any], letters: Mapping[str, str], find: str, base: str) -> Html:
    computed = table["computed"]
    names = sorted(name for name in computed if find.lower() in name.lower())
    form = tag(
        "form",
        tag("label", "Object ", tag("input", type="search", name="find", value=find)),
        tag("button", "Find", type="submit"),
        method="get",
        action=f"{base}/servers",
        class_="find",
    )
    titles = [tag("th", words, scope="col") for words in ("Object", *map(str.upper, GROUPS))]
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            [tag("td", _author(author, letters)) for author in computed[name]],
        )
        for name in names[:OBJECTS_MAX]
    ]
    shown = tag(
        "table",
        tag(
            "caption", f"{len(rows):,} of {len(computed):,} objects, by the units of the last step"
        ),
        tag("thead", tag("tr", titles)),
        tag("tbody", rows),
        class_="rows",
    )
    return tag(
        "section",
        tag("h2", "Who computes what"),
        form,
        scrolling("computed", "Who computes what", shown),
    )


def _author(author: int | str | None, letters: Mapping[str, str]) -> str:
    """Who computed a unit: a place of the list, an id, -1 or "" for the primary, None nobody."""
    if author is None:
        return "deferred"
    if author in (-1, ""):
        return "primary"
    if isinstance(author, int):
        return letter_of(author) if author < len(letters) else "gone"
    return letters.get(author, "gone")
