"""Maps of characters: the field around the ship, and the whole galaxy."""

from __future__ import annotations

from typing import Any

from apps.starship.terminal.lines import Line, Span

PLOT_WIDTH = 31
"""Columns of the short-range scan, without its frame."""
ACROSS_MAX = 24
"""Quadrants to a side whose borders are drawn: the largest galaxy has as many."""
STANCE_STYLES = {"friend": "green", "enemy": "yellow", "attacker": "red", "neutral": "blue"}
_FIXED = {"planet": "*", "starbase": "#"}
_BEAM, _EXPLOSION, _BORDER = "-", "%", "."


class Plot:
    """A grid of characters that stands for a field of the galaxy.

    ``west`` and ``south`` are where the field begins and ``across`` its side, in units.
    """

    def __init__(self, columns: int, rows: int, west: float, south: float, across: float) -> None:
        self.columns, self.rows = columns, rows
        self._west, self._south, self._across = west, south, across
        self._cells = [[Span(" ")] * columns for _ in range(rows)]

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        """Return column and row of a place, None outside of the field."""
        column = int((x - self._west) / self._across * self.columns)
        row = int((self._south + self._across - y) / self._across * self.rows)
        inside = x >= self._west and y <= self._south + self._across
        return (column, row) if inside and column < self.columns and row < self.rows else None

    def put(self, x: float, y: float, mark: str, style: str = "") -> None:
        """Draw a mark at a place, if it is empty."""
        found = self.place(x, y)
        if found is not None and self._cells[found[1]][found[0]].text == " ":
            self._cells[found[1]][found[0]] = Span(mark, style)

    def name(self, x: float, y: float, text: str, style: str = "") -> None:
        """Write a text to the right of a place, if there is room for all of it or to the edge."""
        found = self.place(x, y)
        if found is None:
            return
        column, row = found
        cells = self._cells[row]
        text = text[: self.columns - column - 1]
        if all(cell.text == " " for cell in cells[column + 1 : column + 1 + len(text)]):
            for offset, character in enumerate(text, column + 1):
                cells[offset] = Span(character, style)

    def rule(self, x1: float, y1: float, x2: float, y2: float, mark: str, style: str = "") -> None:
        """Draw a line of marks where it is empty."""
        most = max(
            abs(x2 - x1) / self._across * self.columns, abs(y2 - y1) / self._across * self.rows
        )
        steps = max(1, min(self.columns * 2, int(most)))
        for number in range(steps + 1):
            share = number / steps
            self.put(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share, mark, style)

    def lines(self) -> list[Line]:
        """Return the rows."""
        return [tuple(row) for row in self._cells]


def chevron(heading: float) -> str:
    """Return the own ship as it is turned.

    >>> chevron(45.0), chevron(90.0), chevron(180.0), chevron(314.9)
    ('^', '>', 'v', '<')
    """
    if heading <= 45 or heading >= 315:
        return "^"
    if heading < 135:
        return ">"
    return "v" if heading <= 225 else "<"


def symbol(contact: dict[str, Any]) -> tuple[str, str]:
    """Return a contact as it is drawn, and what stands beside it.

    Planets are ``*`` and starbases ``#`` with their names, ships are the letter of their race; with
    an exclamation mark for an attacker, a question mark for one that calls for help.
    """
    if contact["kind"] in _FIXED:
        return _FIXED[contact["kind"]], contact["name"]
    beside = "!" if contact["stance"] == "attacker" else "?" if contact["distress"] else ""
    return contact["race"], beside


def short_range(screen: dict[str, Any], columns: int, rows: int) -> list[Line]:
    """Return the field around a ship."""
    srs, ship, target = screen["srs"], screen["ship"], screen["target"]
    radius = srs["radius"]
    plot = Plot(columns, rows, ship["x"] - radius, ship["y"] - radius, 2 * radius)
    chosen = None if target is None else target["name"]
    # What matters most is drawn first and nothing over it: the ship, the nearest, names, lines.
    plot.put(ship["x"], ship["y"], chevron(ship["heading"]), "bold")
    for explosion in srs["explosions"]:
        plot.put(explosion["x"], explosion["y"], _EXPLOSION, "red")
    for contact in srs["contacts"]:
        style = STANCE_STYLES.get(contact["stance"], "")
        if contact["name"] == chosen:
            style = "reverse"
        plot.put(contact["x"], contact["y"], symbol(contact)[0], style)
    for contact in srs["contacts"]:
        style = STANCE_STYLES.get(contact["stance"], "")
        if plot.place(contact["x"], contact["y"]) != plot.place(ship["x"], ship["y"]):
            plot.name(contact["x"], contact["y"], symbol(contact)[1], style)
    for beam in srs["beams"]:
        plot.rule(beam["x1"], beam["y1"], beam["x2"], beam["y2"], _BEAM, "red")
    for border in srs["borders"]:
        plot.rule(border["x1"], border["y1"], border["x2"], border["y2"], _BORDER, "dim")
    return plot.lines()


def long_range(screen: dict[str, Any], columns: int, rows: int) -> list[Line]:
    """Return the whole galaxy: quadrants, all contacts, fleets and the ship."""
    lrs, ship = screen["lrs"], screen["ship"]
    plot = Plot(columns, rows, 0, 0, lrs["side"])
    plot.put(ship["x"], ship["y"], chevron(ship["heading"]), "reverse")
    for fleet in lrs.get("fleets", ()):
        plot.put(fleet["x"], fleet["y"], "@", "bold")
    # Who calls for help is seen whoever else is there; then what is nearest.
    for contact in sorted(lrs["contacts"], key=lambda contact: not contact["distress"]):
        style = "red" if contact["stance"] == "enemy" else STANCE_STYLES.get(contact["stance"], "")
        mark = _FIXED.get(contact["kind"], contact["race"])
        plot.put(contact["x"], contact["y"], "?" if contact["distress"] else mark, style)
    for place in lrs["territories"]:
        plot.rule(place["x"], place["y"], place["x"], place["y"], place["owner"].lower(), "dim")
    quadrant = lrs["quadrant"]
    for number in range(min(ACROSS_MAX, lrs["across"])):
        edge = number * quadrant
        plot.rule(edge, 0, edge, lrs["side"], _BORDER, "dim")
    return plot.lines()
