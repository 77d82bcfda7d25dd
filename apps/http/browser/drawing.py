"""The picture of the nodes and their links, and the small curves beside figures, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.http.browser.bounds import GRAPHED_LINKS_MAX
from apps.http.browser.figures import plural, rate, seconds
from apps.http.browser.frame import Addresses, short
from apps.http.browser.markup import NOTHING, Html, tag
from apps.http.browser.places import WIDENING, place

_RADIUS: Final = 24.0
_MARGIN_ACROSS: Final = 70.0
_MARGIN_ABOVE: Final = 66.0
_MARGIN_BELOW: Final = 66.0
_NAME_CHARACTERS: Final = 18
_CURVE_WIDTH: Final = 88
_CURVE_HEIGHT: Final = 20


@dataclass(frozen=True, slots=True)
class NodeDrawn:
    """A node of the picture; ``lost`` when it does not tell how it is."""

    id: str
    name: str
    calls_per_second: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class LinkDrawn:
    """A link of the picture, with its round trip in seconds if that is known."""

    one: str
    other: str
    round_trip_seconds: float | None


def network(addresses: Addresses, nodes: Sequence[NodeDrawn], links: Sequence[LinkDrawn]) -> Html:
    """Return the picture of nodes and links; the first node stands in the middle.

    Each node leads to its page. What it shows also stands in the table of the nodes.
    """
    links = links[:GRAPHED_LINKS_MAX]
    places = place([node.id for node in nodes], [(link.one, link.other) for link in links])
    busiest = max((node.calls_per_second for node in nodes), default=0.0)
    at = places.at
    left = min(x for x, _ in at.values()) - _MARGIN_ACROSS
    right = max(x for x, _ in at.values()) + _MARGIN_ACROSS
    top = min(y for _, y in at.values()) - _MARGIN_ABOVE
    bottom = max(y for _, y in at.values()) + _MARGIN_BELOW
    labelled = len(links) <= 24
    rings = [
        tag("ellipse", rx=f"{WIDENING * high:.0f}", ry=f"{high:.0f}", class_="ring")
        for high in places.rings
    ]
    lines = [_line(link, at, labelled) for link in links]
    # Straight below the middle there may be a node; straight above it there is none.
    crossed = any(y > 1 and abs(x) < y for x, y in at.values())
    circles = [_circle(addresses, node, at[node.id], busiest, crossed) for node in nodes]
    return tag(
        "svg",
        tag("title", f"{plural(len(nodes), 'node')} and {plural(len(links), 'link')}"),
        rings,
        lines,
        circles,
        viewBox=f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}",
        class_="network",
        width=f"{right - left:.0f}",
        height=f"{bottom - top:.0f}",
        role="group",
        aria_label="Nodes and links",
    )


def _line(link: LinkDrawn, at: Mapping[str, tuple[float, float]], labelled: bool) -> Html:
    (x1, y1), (x2, y2) = at[link.one], at[link.other]
    line = tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="link")
    if not labelled or link.round_trip_seconds is None:
        return line
    words = seconds(link.round_trip_seconds)
    # Away from the middle, near which the name of a node stands.
    part = 0.6 if (x1, y1) == (0.0, 0.0) else 0.4 if (x2, y2) == (0.0, 0.0) else 0.5
    x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
    label = tag("text", words, x=f"{x:.1f}", y=f"{y + 3.5:.1f}", class_="trip")
    wide = 6.2 * len(words) + 8
    back = tag(
        "rect", x=f"{x - wide / 2:.1f}", y=f"{y - 8:.1f}", width=f"{wide:.1f}", height="16", rx="4",
        class_="trip-back",
    )  # fmt: skip
    return tag("g", line, back, label)


def _circle(
    addresses: Addresses,
    node: NodeDrawn,
    at: tuple[float, float],
    busiest: float,
    is_crossed: bool,
) -> Html:
    x, y = at
    share = node.calls_per_second / busiest if busiest else 0.0
    kind = "node lost" if node.lost else "node"
    words = "does not answer" if node.lost else f"{rate(node.calls_per_second)} calls/s"
    # Outside of the ring, where no line passes.
    is_below = y > 1 or (y > -1 and not is_crossed)
    below = y + _RADIUS + 20 if is_below else y - _RADIUS - 26
    return tag(
        "a",
        tag(
            "circle", cx=x, cy=y, r=_RADIUS + 6, class_="halo", opacity=f"{0.1 + 0.35 * share:.2f}"
        ),
        tag("circle", cx=x, cy=y, r=_RADIUS, class_="disc"),
        tag("text", _initials(node.name), x=x, y=y + 5, class_="initials"),
        tag("text", short(node.name, _NAME_CHARACTERS), x=x, y=below, class_="name"),
        tag("text", words, x=x, y=below + 15, class_="figure"),
        href=addresses.node(node.id),
        class_=kind,
        aria_label=f"Node {node.name}, {words}",
    )


def _initials(name: str) -> str:
    letters = [letter for letter in name if letter.isalnum()]
    return "".join(letters[:2]).upper() or "?"


def curve(rates: Sequence[float], words: str) -> Html:
    """Return a small curve of figures, the newest on the right; nothing for a single one.

    ``words`` says what it shows.
    """
    if len(rates) < 2:
        return NOTHING
    highest = max(max(rates), 1e-9)
    step = _CURVE_WIDTH / (len(rates) - 1)
    points = [
        f"{number * step:.1f} {_CURVE_HEIGHT - 1 - value / highest * (_CURVE_HEIGHT - 2):.1f}"
        for number, value in enumerate(rates)
    ]
    line = "M" + "L".join(points)
    area = f"{line}L{_CURVE_WIDTH} {_CURVE_HEIGHT}L0 {_CURVE_HEIGHT}Z"
    return tag(
        "svg",
        tag("path", d=area, class_="area"),
        tag("path", d=line, class_="line"),
        viewBox=f"0 0 {_CURVE_WIDTH} {_CURVE_HEIGHT}",
        width=_CURVE_WIDTH,
        height=_CURVE_HEIGHT,
        class_="curve",
        role="img",
        aria_label=words,
    )
