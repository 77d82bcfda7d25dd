"""The two scans as SVG: what is near, with the own ship in the centre, and the whole galaxy.

Three rules. North is up, so y of the galaxy is turned round here. Every contact is a link that
makes it the target, with a spoken label. Shapes differ as well as colours: a friend is a filled
triangle, a potential enemy an outlined diamond, an attacker one with a double ring, a starbase a
square, a planet a circle. The shapes themselves stand once in the page (``starshipGUI.html``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from apps.starship.pages.markup import degrees, esc, units
from apps.starship.pages.page import Links
from apps.starship.rules.counted import counted

HALF: Final = 300
"""Half a scan's side in the units of the drawing, whatever part of the galaxy it shows."""

CONTACTS_DRAWN_MAX: Final = 400
"""Contacts that a scan draws, the nearest ones: a galaxy may have 10,000, of which a page would
have two megabytes for each captain and step."""
ROWS_MAX: Final = 30
"""Rows of the table of contacts."""

ZOOMS: Final = (100, 200, 300, 500)

BEAMS: Final = {
    "phaser": "phaser",
    "base phaser": "phaser",
    "planet battery": "phaser",
    "disruptor": "disruptor",
    "torpedo": "torpedo",
    "base torpedo": "torpedo",
    "missile": "missile",
    "plasma": "plasma",
}
"""How a shot is drawn, by its weapon."""

_LABEL_WIDTH = 84.0
_LABEL_HEIGHT = 17.0

Contact = Mapping[str, Any]


def shape_of(contact: Contact) -> str:
    """Return the name of a contact's shape."""
    stance, kind = contact["stance"], contact["kind"]
    if kind == "planet":
        return "world" if stance == "friend" else "far-world"
    if kind == "starbase":
        return "base" if stance == "friend" else "far-base"
    return "friend" if stance == "friend" else "foe"


def symbol(contact: Contact, class_: str = "glyph") -> str:
    """Return a contact's shape as a small picture beside its name."""
    ring = '<use href="#s-ring"/>' if contact["stance"] == "attacker" else ""
    return (
        f'<svg class="{class_} {esc(contact["stance"])}" viewBox="-15 -15 30 30"'
        f' aria-hidden="true">{ring}<use href="#s-{shape_of(contact)}"/></svg>'
    )


# --- short range ---------------------------------------------------------------------------


def short_range(screen: Mapping[str, Any], links: Links) -> str:
    """Return the short-range scan: the drawing, what it shows as a table, and the zoom."""
    srs, ship = screen["srs"], screen["ship"]
    contacts = srs["contacts"][:CONTACTS_DRAWN_MAX]
    return (
        '<div class="title"><h2 id="srs-title">Short-range scan</h2>'
        f"{_zoom(srs['radius'], links)}</div>"
        '<a class="skip inside" href="#target">Skip the contacts</a>'
        f'<div class="sweep"><div class="scope-frame">{_scope(screen, contacts, links)}'
        f'<p class="corner place" aria-hidden="true">{esc(ship["quadrant"])}'
        f" <span>{ship['x']:,.0f} / {ship['y']:,.0f}</span></p></div>"
        f"{_table(contacts, links)}</div>"
    )


def _zoom(radius: int, links: Links) -> str:
    steps = "".join(
        f'<a href="{links.look(radius=step)}" data-look="" data-zoom="{step}"'
        f' aria-label="Show {step} units around the ship"'
        f"{' aria-current=true' if step == radius else ''}>{step}</a>"
        for step in ZOOMS
    )
    return f'<p class="zoom"><span>Radius</span>{steps}</p>'


def _scope(screen: Mapping[str, Any], contacts: Sequence[Contact], links: Links) -> str:
    srs, ship = screen["srs"], screen["ship"]
    x, y, radius = ship["x"], ship["y"], srs["radius"]
    scale = HALF / radius
    place = _Place(x, y, scale)
    named = _named(contacts, place, links.target)
    drawn = [_contact(row, place, links, row["name"] in named) for row in reversed(contacts)]
    alive = "" if ship["alive"] else " wreck"
    own = '<use href="#s-self"/>' if ship["kind"] == "starship" else '<use href="#s-base"/>'
    return (
        f'<svg class="scope" id="scope" viewBox="-322 -322 644 644" data-x="{x}" data-y="{y}"'
        f' data-scale="{scale:.4f}" data-radius="{radius}" role="group"'
        f' aria-label="Short-range scan, {radius} units around the ship,'
        f' {counted(len(srs["contacts"]), "contact")}">'
        f'<use href="#s-face"/>{_rings(radius)}'
        f'<g clip-path="url(#s-clip)"><g class="camera">{_ground(srs, place)}'
        f"{_fire(srs, screen['step'], place)}</g></g>"
        f'<g class="camera">{"".join(drawn)}</g>'
        f'<g class="self{alive}"><g class="turner" data-heading="{ship["heading"]}"'
        f' transform="rotate({ship["heading"]})">{own}</g></g></svg>'
    )


class _Place:
    """Where places of the galaxy are in the drawing."""

    __slots__ = ("scale", "x", "y")

    def __init__(self, x: float, y: float, scale: float) -> None:
        self.x = x
        self.y = y
        self.scale = scale

    def across(self, x: float) -> float:
        return (x - self.x) * self.scale

    def down(self, y: float) -> float:
        return (self.y - y) * self.scale


@lru_cache(maxsize=len(ZOOMS) + 4)
def _rings(radius: int) -> str:
    """The distances of the two inner rings and the outer one."""
    return "".join(
        f'<text class="ring" x="4" y="{-HALF * part / 3 + 13:.0f}">{radius * part / 3:.0f}</text>'
        for part in (1, 2, 3)
    )


def _ground(srs: Mapping[str, Any], place: _Place) -> str:
    lines = []
    for border in srs["borders"]:
        kind = "barrier" if border.get("outer") else "border"
        lines.append(
            f'<line class="{kind}" x1="{place.across(border["x1"]):.1f}"'
            f' y1="{place.down(border["y1"]):.1f}" x2="{place.across(border["x2"]):.1f}"'
            f' y2="{place.down(border["y2"]):.1f}"/>'
        )
    names = []
    for quadrant in srs["quadrants"]:
        # As near to the edge of the scan as its quadrant reaches, so that no two lie on each other.
        x = _between(place.across(quadrant["x"]), 180, 235 * place.scale)
        y = _between(place.down(quadrant["y"]), 175, 235 * place.scale)
        names.append(
            f'<text class="quadrant" x="{x:.0f}" y="{y:.0f}">{esc(quadrant["name"])}'
            f'<tspan class="owner"> {esc(_owner(quadrant["owner"]))}</tspan></text>'
        )
    return "".join(lines + names)


def _owner(key: str) -> str:
    return "neutral" if key == "." else key


def _between(centre: float, edge: float, reach: float) -> float:
    """The place nearest to the edge of the scan, but within ``reach`` of a quadrant's centre."""
    wanted = max(-edge, min(edge, centre))
    return max(centre - reach, min(centre + reach, wanted))


def _fire(srs: Mapping[str, Any], step: int, place: _Place) -> str:
    shots = []
    for number, beam in enumerate(srs["beams"]):
        kind = BEAMS.get(beam["type"], "phaser")
        missed = "" if beam["hit"] else " missed"
        x2, y2 = place.across(beam["x2"]), place.down(beam["y2"])
        if not beam["hit"]:
            x2, y2 = x2 + 9, y2 - 9
        shots.append(
            f'<line id="b{step}-{number}" class="beam {kind}{missed}"'
            f' x1="{place.across(beam["x1"]):.1f}" y1="{place.down(beam["y1"]):.1f}"'
            f' x2="{x2:.1f}" y2="{y2:.1f}"'
            f' data-shot="{esc(beam["shooter"])} {esc(beam["weapon"])}"/>'
        )
        if beam["hit"]:
            shots.append(
                f'<circle id="k{step}-{number}" class="struck" cx="{x2:.1f}" cy="{y2:.1f}" r="9"/>'
            )
    for wreck in srs["explosions"]:
        x, y, name = place.across(wreck["x"]), place.down(wreck["y"]), esc(wreck["name"])
        shots.append(
            f'<g id="x-{name}" class="explosion" transform="translate({x:.1f} {y:.1f})">'
            f"<title>{name} destroyed</title>"
            f'<use href="#s-burst"/><text class="name" x="16" y="4">{name}</text></g>'
        )
    return "".join(shots)


def _named(contacts: Iterable[Contact], place: _Place, target: str) -> set[str]:
    """The contacts whose names are written: those that matter first, none over another."""
    ranked = sorted(contacts, key=lambda row: _rank(row, target))
    taken: list[tuple[float, float]] = []
    found = set()
    for row in ranked:
        x, y = place.across(row["x"]), place.down(row["y"])
        if all(abs(x - tx) > _LABEL_WIDTH or abs(y - ty) > _LABEL_HEIGHT for tx, ty in taken):
            taken.append((x, y))
            found.add(row["name"])
    return found


def _rank(row: Contact, target: str) -> int:
    if row["name"] == target:
        return 0
    if row["stance"] == "attacker":
        return 1
    return 2 if row["kind"] != "starship" else 3


def _contact(row: Contact, place: _Place, links: Links, named: bool) -> str:
    name = esc(row["name"])
    aimed = " aimed" if row["name"] == links.target else ""
    quiet = "" if named else " quiet"
    calling = '<circle class="call" r="15"/>' if row["distress"] else ""
    ring = '<use href="#s-ring"/>' if row["stance"] == "attacker" else ""
    marks = '<use class="reticle" href="#s-reticle"/>' if aimed else ""
    tick = ""
    if row["kind"] == "starship":
        heading = f'transform="rotate({row["heading"]})"'
        tick = f'<path class="tick" d="M0-11V{-14 - row["speed"] * 2:.0f}" {heading}/>'
    turned = f' transform="rotate({row["heading"]})"' if row["stance"] == "friend" and tick else ""
    return (
        f'<a href="{links.pick(row["name"])}" class="contact {esc(row["stance"])}{aimed}"'
        f' data-look="" data-name="{name}" data-x="{row["x"]}" data-y="{row["y"]}"'
        f' aria-label="{esc(row["label"])}"'
        f' transform="translate({place.across(row["x"]):.1f} {place.down(row["y"]):.1f})">'
        f"<title>{esc(row['full_name'])}, {units(row['distance'])} units,"
        f" {degrees(row['bearing'])}</title>"
        f'<g class="mover"><circle class="hit" r="16"/>{calling}{ring}{tick}'
        f'<use href="#s-{shape_of(row)}"{turned}/>{marks}'
        f'<text class="name{quiet}" x="15" y="4">{name}</text></g></a>'
    )


def _table(contacts: Sequence[Contact], links: Links) -> str:
    if not contacts:
        return '<div class="contacts"><p class="empty">Nothing within range.</p></div>'
    rows = "".join(_row(row, links) for row in contacts[:ROWS_MAX])
    rest = len(contacts) - ROWS_MAX
    more = f'<p class="note">and {rest} farther away</p>' if rest > 0 else ""
    return (
        '<div class="contacts scroll" tabindex="0" role="region" aria-label="Contacts by distance">'
        "<table><caption class=unseen>Contacts by distance</caption><thead><tr>"
        '<th scope="col">Contact</th><th scope="col" class="figure">Dist</th>'
        '<th scope="col" class="figure">Brg</th><th scope="col" class="figure extra">Spd</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>{more}</div>"
    )


def _row(row: Contact, links: Links) -> str:
    stance = esc(row["stance"])
    aimed = ' class="aimed"' if row["name"] == links.target else ""
    return (
        f'<tr id="c-{esc(row["name"])}"{aimed}><th scope="row" class="{stance}">'
        f'<a href="{links.pick(row["name"])}" data-look="" title="{esc(row["full_name"])}">'
        f'{symbol(row)}<span>{esc(row["name"])}</span><span class="unseen">, {stance}</span>'
        f'</a></th><td class="figure">{units(row["distance"])}</td>'
        f'<td class="figure">{degrees(row["bearing"])}</td>'
        f'<td class="figure extra">{row["speed"]:.1f}</td></tr>'
    )


# --- long range ----------------------------------------------------------------------------


def long_range(screen: Mapping[str, Any], links: Links) -> str:
    """Return the long-range scan: the whole galaxy, with what the short-range scan shows marked."""
    lrs, ship, srs = screen["lrs"], screen["ship"], screen["srs"]
    side = lrs["side"]
    scale = 2 * HALF / side
    half = side / 2
    place = _Place(half, half, scale)
    shown = lrs["contacts"][:CONTACTS_DRAWN_MAX]
    x, y, reach = place.across(ship["x"]), place.down(ship["y"]), srs["radius"] * scale
    drawn = "".join([_far(row, place, links) for row in reversed(shown)])
    rest = len(lrs["contacts"]) - len(shown)
    more = f'<p class="note">The nearest {len(shown)} of {rest + len(shown)}</p>' if rest else ""
    return (
        '<h2 id="lrs-title">Long-range scan</h2>'
        '<a class="skip inside" href="#weapons">Skip the contacts</a>'
        '<svg class="galaxy" id="galaxy" viewBox="-322 -322 644 644" role="group"'
        f' data-x="{half}" data-y="{half}" data-scale="{scale:.5f}"'
        f' aria-label="Long-range scan, {counted(len(lrs["contacts"]), "contact")}">'
        f"{_territories(lrs, place)}{_grid(lrs['across'])}{_fleets(lrs, place)}"
        f'<rect class="field" x="{x - reach:.1f}" y="{y - reach:.1f}" width="{2 * reach:.1f}"'
        f' height="{2 * reach:.1f}"/>{drawn}'
        f'<g class="self" transform="translate({x:.1f} {y:.1f}) rotate({ship["heading"]})">'
        f'<use href="#s-self"/></g></svg>{more}'
    )


def _far(row: Contact, place: _Place, links: Links) -> str:
    aimed = row["name"] == links.target
    marks = '<use class="reticle" href="#s-reticle"/>' if aimed else ""
    if row["distress"]:
        marks += '<circle class="call" r="17"/>'
    if row["stance"] == "attacker":
        marks += '<use href="#s-ring"/>'
    return (
        f'<a href="{links.pick(row["name"])}" class="contact {esc(row["stance"])}" data-look=""'
        f' data-name="{esc(row["name"])}" data-x="{row["x"]}" data-y="{row["y"]}"'
        f' aria-label="{esc(row["label"])}"'
        f' transform="translate({place.across(row["x"]):.1f} {place.down(row["y"]):.1f})">'
        f'<title>{esc(row["full_name"])}</title><g class="mover"><circle class="hit" r="13"/>'
        f'<use href="#s-{shape_of(row)}"/>{marks}</g></a>'
    )


def _territories(lrs: Mapping[str, Any], place: _Place) -> str:
    """One path for each race: the quadrants it owns."""
    edge = lrs["quadrant"] * place.scale
    paths: dict[str, list[str]] = {}
    for row in lrs["territories"]:
        x, y = place.across(row["x"]) - edge / 2, place.down(row["y"]) - edge / 2
        paths.setdefault(row["owner"], []).append(
            f"M{x:.1f} {y:.1f}h{edge:.1f}v{edge:.1f}h-{edge:.1f}z"
        )
    return "".join(
        f'<path class="territory race-{esc(owner)}" d="{"".join(path)}"/>'
        for owner, path in paths.items()
    )


@lru_cache(maxsize=8)
def _grid(across: int) -> str:
    """The borders of the quadrants, their columns by letters from the west and rows by numbers."""
    edge = 2 * HALF / across
    lines = "".join(
        f"M{way:.1f}-{HALF}v{2 * HALF}M-{HALF} {way:.1f}h{2 * HALF}"
        for way in [edge * place - HALF for place in range(across + 1)]
    )
    texts = ""
    if across <= 16:
        texts = "".join(
            f'<text class="axis" x="{-HALF + edge * (place + 0.5):.1f}" y="-306">'
            f'{chr(65 + place)}</text><text class="axis" x="-313"'
            f' y="{-HALF + edge * (place + 0.5) + 4:.1f}">{place + 1}</text>'
            for place in range(across)
        )
    return f'<path class="border" d="{lines}"/>{texts}'


def _fleets(lrs: Mapping[str, Any], place: _Place) -> str:
    return "".join(
        f'<circle class="fleet race-{esc(fleet["race"])}" cx="{place.across(fleet["x"]):.1f}"'
        f' cy="{place.down(fleet["y"]):.1f}" r="{fleet["radius"] * place.scale + 15:.1f}"'
        f"><title>Fleet of {len(fleet['ships'])}</title></circle>"
        for fleet in lrs.get("fleets", ())
    )
