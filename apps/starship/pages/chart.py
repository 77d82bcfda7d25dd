"""The galaxy as an SVG chart, for the map and for the replay.

Two rules. Places are in units with north up, so y is turned round here and nowhere else. Symbols
differ in shape as well as in colour: each race has its own hull, a starbase is a square, a planet a
circle, and an alert is a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from apps.http.browser.markup import Child, Html, tag
from apps.starship.pages.sheet import here, scan, whole_number

ZOOMS = (1, 2, 4, 8, 16)
SYMBOL = 0.0095
"""Half the size of a symbol as a part of what is seen."""
LABEL_AT = 1.7
"""Where a name begins beside its symbol, in halves of one."""
LETTER = 0.85
"""How wide a letter of a name is at most on average, likewise."""

HULLS = {
    "F": "M0-1.15.8.95 0 .5-.8.95Z",
    "K": "M0-1.15.35-.1 1 .25.75.95 0 .55-.75.95-1 .25-.35-.1Z",
    "R": "M0-1.2.65.15.3.95H-.3L-.65.15Z",
    "O": "M0-1 .95.2.6.9H-.6L-.95.2ZM0-.35-.4.4H.4Z",
}
"""The outlines of ships, bow up, by race."""


class Window(NamedTuple):
    """What part of the galaxy is seen: how many times enlarged, and around which place."""

    side: int
    zoom: int = 1
    x: int = 0
    y: int = 0

    @property
    def across(self) -> float:
        """Units from edge to edge."""
        return self.side / self.zoom

    @property
    def box(self) -> str:
        """The part as SVG has it."""
        half = self.across / 2
        return f"{self.x - half:g} {self.side - self.y - half:g} {self.across:g} {self.across:g}"

    @property
    def scale(self) -> float:
        """The size of symbols in units."""
        return round(self.across * SYMBOL, 2)


def window_of(side: int, asked: Mapping[str, str]) -> Window:
    """Return the part that is asked for by ``zoom``, ``x`` and ``y``, inside of the galaxy."""
    zoom = max(z for z in ZOOMS if z <= whole_number(asked, "zoom", 1, ZOOMS[-1], 1))
    half = side // zoom // 2
    x, y = (whole_number(asked, name, half, side - half, side // 2) for name in ("x", "y"))
    return Window(side, zoom, x, y)


class Spot(NamedTuple):
    """An object on the chart; ``about`` is what is said of it, ``spoken`` all of it at once."""

    name: str
    race: str
    kind: str
    x: float
    y: float
    heading: float = 0.0
    alert: str = ""
    distress: bool = False
    human: bool = False
    spoken: str = ""
    responding: str = ""


def chart(head: Mapping[str, Any], window: Window, words: str, *layers: Child) -> Html:
    """Return the SVG: ground, then layers. ``head`` has across, side, quadrant, territories."""
    return tag(
        "svg",
        tag("title", words, id="chart-title"),
        _symbols(),
        _ground(head, window),
        *layers,
        id="chart",
        viewBox=window.box,
        data_side=window.side,
        data_zoom=window.zoom,
        class_=f"chart zoom-{window.zoom}",
        role="group",
        aria_labelledby="chart-title",
    )


def _symbols() -> Html:
    hulls = [tag("symbol", _path(d), id=f"hull-{race}", **_AROUND) for race, d in HULLS.items()]
    base = tag("symbol", _path("M-.8-.8H.8V.8H-.8ZM-.3-.3V.3H.3V-.3Z"), id="starbase", **_AROUND)
    planet = tag("symbol", tag("circle", r=0.8), id="planet", **_AROUND)
    return tag("defs", hulls, base, planet)


_BOX = {"x": -1.3, "y": -1.3, "width": 2.6, "height": 2.6}
_AROUND = {"viewBox": "-1.3 -1.3 2.6 2.6", "overflow": "visible"}


def _path(d: str) -> Html:
    return tag("path", d=d, fill_rule="evenodd")


def _ground(head: Mapping[str, Any], window: Window) -> Html:
    side, size, across = head["side"], head["quadrant"], head["across"]
    tints = [
        tag(
            "rect",
            x=row["x"] - size // 2,
            y=side - row["y"] - size // 2,
            width=size,
            height=size,
            class_=f"own own-{row['owner']}",
        )
        for row in head["territories"]
    ]
    lines = "".join(f"M{n * size} 0V{side}M0 {n * size}H{side}" for n in range(across + 1))
    grid = tag("path", d=lines, class_="grid")
    return tag("g", tints, grid, _names(size, across, window), class_="ground")


def _names(size: int, across: int, window: Window) -> list[Html]:
    """The names of quadrants, for the eye; the page has fields for everybody."""
    inset = window.across * 0.008
    font = round(window.across * 0.019, 1)
    return [
        tag(
            "text",
            f"{chr(ord('A') + column)}{row + 1}",
            x=round(column * size + inset, 1),
            y=round(row * size + inset + font * 0.8, 1),
            font_size=font,
            class_="quadrant",
            aria_hidden="true",
        )
        for column in range(across)
        for row in range(across)
    ]


def spots(found: Iterable[Spot], window: Window, base: str) -> Html:
    """Return the objects: planets below, ships above; a ship leads to its scan."""
    order = {"planet": 0, "starbase": 1, "starship": 2}
    rows = sorted(found, key=lambda spot: (order.get(spot.kind, 0), spot.human))
    return tag("g", [_spot(spot, window, base) for spot in rows], id="things", data_part=True)


def _label(spot: Spot, window: Window) -> Html:
    """The name beside the symbol: on its left where the galaxy ends before the name does."""
    end = spot.x + (LABEL_AT + len(spot.name) * LETTER) * window.scale
    if end <= window.side:
        return tag("text", spot.name, x=LABEL_AT, y=0.45, class_="label")
    return tag("text", spot.name, x=-LABEL_AT, y=0.45, class_="label", text_anchor="end")


def _spot(spot: Spot, window: Window, base: str) -> Html:
    is_ship = spot.kind == "starship"
    words = ["thing", spot.kind, f"race-{spot.race}"]
    words += [f"alert-{spot.alert}"] if is_ship and spot.alert else []
    words += ["human"] if spot.human else []
    words += ["distress"] if spot.distress else []
    shown = [
        tag("title", spot.spoken or spot.name),
        tag("circle", r=2.1, class_="ring call") if spot.distress else None,
        tag("circle", r=1.6, class_="ring") if is_ship and spot.alert == "red" else None,
        _hull(spot),
        _label(spot, window),
    ]
    y = round(window.side - spot.y, 1)
    attributes = {
        "transform": f"translate({spot.x} {y}) scale({window.scale})",
        "class_": " ".join(words),
        "data_name": spot.name,
        "data_x": spot.x,
        "data_y": y,
        "data_to": spot.responding or None,
    }
    if not is_ship:
        return tag("g", shown, **attributes)
    # Not a stop of the tabulator each: the list beside the chart has the same links.
    return tag("a", shown, href=scan(base, spot.name), tabindex="-1", **attributes)


def _hull(spot: Spot) -> Html:
    symbol = f"#hull-{spot.race}" if spot.kind == "starship" else f"#{spot.kind}"
    turned = f"rotate({spot.heading:g})" if spot.kind == "starship" else None
    return tag("use", href=symbol, transform=turned, class_="hull", **_BOX)


def rings(fleets: Iterable[Mapping[str, Any]], window: Window) -> Html:
    """Return the circles around fleets."""
    room = window.across * 0.018
    found = [
        tag(
            "g",
            tag("title", f"Fleet of {len(fleet['ships'])}: {', '.join(fleet['ships'])}"),
            tag(
                "circle",
                cx=fleet["x"],
                cy=round(window.side - fleet["y"], 1),
                r=round(fleet["radius"] + room, 1),
                class_=f"fleet race-{fleet['race']}",
            ),
        )
        for fleet in fleets
    ]
    return tag("g", found, id="fleets", data_part=True)


def beams(found: Iterable[tuple[float, float, float, float, bool]], window: Window) -> Html:
    """Return the shots of a step as lines, places in units."""
    lines = [
        tag(
            "line",
            x1=x1,
            y1=round(window.side - y1, 1),
            x2=x2,
            y2=round(window.side - y2, 1),
            class_="beam hit" if hit else "beam",
        )
        for x1, y1, x2, y2, hit in found
    ]
    return tag("g", lines, id="beams", data_part=True, aria_hidden="true")


def bursts(found: Iterable[tuple[float, float, str]], window: Window) -> Html:
    """Return what was destroyed of late, places in units."""
    marks = [
        tag(
            "g",
            tag("title", f"Wreck of {name}"),
            _path("M-1-1 1 1M1-1-1 1"),
            transform=f"translate({x} {round(window.side - y, 1)}) scale({window.scale})",
            class_="burst",
        )
        for x, y, name in found
    ]
    return tag("g", marks, id="bursts", data_part=True)


def trails(frames: Mapping[str, Any] | None, window: Window) -> Html:
    """Return where the ships of the last of some frames were in those before."""
    lines = [
        tag(
            "polyline",
            points=" ".join(f"{x / 10:g},{window.side - y / 10:g}" for x, y in points),
            class_=f"trail race-{race}",
        )
        for race, points in _tracks(frames)
        if len(set(points)) > 1
    ]
    return tag("g", lines, id="trails", data_part=True, aria_hidden="true")


def _tracks(frames: Mapping[str, Any] | None) -> list[tuple[str, list[tuple[int, int]]]]:
    if not frames or not frames["frames"]:
        return []
    tracks: dict[int, list[tuple[int, int]]] = {number: [] for number in frames["frames"][-1]["i"]}
    for frame in frames["frames"]:
        for number, x, y in zip(frame["i"], frame["x"], frame["y"], strict=True):
            if number in tracks:
                tracks[number].append((x, y))
    who = frames["who"]
    rows = [(who[str(number)], points) for number, points in tracks.items()]
    return [(row[1], points) for row, points in rows if row[2] == "starship"]


def controls(window: Window, base: str, page: str, **more: object) -> Html:
    """Return links that enlarge and shift the chart; a script does the same without asking."""
    step = max(1, round(window.across / 4))

    def link(words: str, label: str, key: str, zoom: int, x: int, y: int) -> Html:
        href = here(base, page, zoom=zoom, x=x, y=y, **more)
        return tag("a", words, href=href, class_="knob", aria_label=label, data_do=key)

    zoom, x, y = window.zoom, window.x, window.y
    nearer = ZOOMS[min(len(ZOOMS) - 1, ZOOMS.index(zoom) + 1)]
    farther = ZOOMS[max(0, ZOOMS.index(zoom) - 1)]
    return tag(
        "p",
        link("+", "Enlarge", "in", nearer, x, y),
        link("\N{MINUS SIGN}", "Reduce", "out", farther, x, y),
        link("\N{LEFTWARDS ARROW}", "Go west", "west", zoom, x - step, y),
        link("\N{UPWARDS ARROW}", "Go north", "north", zoom, x, y + step),
        link("\N{DOWNWARDS ARROW}", "Go south", "south", zoom, x, y - step),
        link("\N{RIGHTWARDS ARROW}", "Go east", "east", zoom, x + step, y),
        tag("a", "Whole galaxy", href=here(base, page, **more), class_="knob wide", data_do="all"),
        class_="knobs",
        role="group",
        aria_label="What part is seen",
    )


def legend(races: Mapping[str, str], ships: Mapping[str, int] | None = None) -> Html:
    """Return what the symbols mean, with the number of ships of each race."""
    rows = [
        tag(
            "li",
            _sample(f"#hull-{race}", f"race-{race}"),
            tag("span", name),
            tag("b", ships[race]) if ships is not None else None,
        )
        for race, name in races.items()
    ]
    more = [
        tag("li", _sample("#starbase", "race-N"), tag("span", "Starbase")),
        tag("li", _sample("#planet", "race-N"), tag("span", "Planet")),
    ]
    return tag("ul", rows, more, class_="legend", id="legend", data_part=True)


def _sample(symbol: str, race: str) -> Html:
    return tag(
        "svg",
        tag("use", href=symbol, class_="hull", **_BOX),
        viewBox="-1.3 -1.3 2.6 2.6",
        class_=f"sample thing {race}",
        aria_hidden="true",
        width=18,
        height=18,
    )
