"""Instruments as SVG: the alert, the shields around the ship, the compass rose, gauges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from string import Template
from typing import Any, Final

from apps.starship.pages.markup import degrees, esc

ALERTS: Final = {
    "green": ("GREEN", "All clear", 3.33),
    "yellow": ("YELLOW", "Caution", 1.43),
    "red": ("RED", "Under attack", 0.67),
}
"""The word of an alert, what it means, and the seconds of one pulse: 0.3, 0.7 and 1.5 a second."""

_SHIELD_RADIUS = 70


@lru_cache(maxsize=1)
def _alert_template() -> Template:
    folder = resources.files("apps.starship.pages").joinpath("templates")
    return Template(folder.joinpath("animAlert.svg").read_text("utf-8").strip())


@lru_cache(maxsize=8)
def alert(level: str) -> str:
    """Return the alert panel: the animation of its level, and the word."""
    word, means, seconds = ALERTS.get(level, ALERTS["green"])
    known = level if level in ALERTS else "green"
    picture = _alert_template().substitute(
        colour=known, seconds=f"{seconds:.2f}", word=word, means=means
    )
    # Inserted when the alert changes, and then read out at once.
    spoken = '<p role="alert" class="unseen">Red alert: under attack</p>' if known == "red" else ""
    return (
        '<h2 id="alert-title" class="unseen">Alert</h2>'
        f'<div class="alert-box {known}" data-level="{known}" data-testid="alert">{picture}'
        f'<p class="unseen">Alert condition {word.lower()}: {means.lower()}</p></div>{spoken}'
    )


# --- shields -------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _arc(facing: int) -> str:
    """The path of one shield of a ship that heads north, four degrees short of its neighbours."""
    first, last = (math.radians(60 * facing + turn - 90) for turn in (-27, 27))
    radius = _SHIELD_RADIUS
    return (
        f"M{radius * math.cos(first):.1f} {radius * math.sin(first):.1f}"
        f"A{radius} {radius} 0 0 1 {radius * math.cos(last):.1f} {radius * math.sin(last):.1f}"
    )


def shields(screen: Mapping[str, Any]) -> str:
    """Return the drawing of the ship and its shields, which are turned with it."""
    state, heading = screen["shields"], screen["ship"]["heading"]
    up = state["up"]
    arcs, figures = [], []
    for place, facing in enumerate(state["facings"]):
        width = 1 + 7 * facing["strength"] // max(1, facing["max"]) if up else 1
        kind = esc(facing["level"]) if up else "down"
        arcs.append(
            f'<path class="facing {kind}" d="{_arc(place)}" stroke-width="{width}">'
            f"<title>{esc(facing['name'])}: {facing['percent']} %</title></path>"
        )
        turn = math.radians(heading + 60 * place - 90)
        figures.append(
            f'<text class="percent {kind}" x="{94 * math.cos(turn):.1f}"'
            f' y="{91 * math.sin(turn) + 5:.1f}">{facing["percent"]}</text>'
        )
    kind = "ship-hull" if screen["ship"]["kind"] == "starship" else "base-hull"
    return (
        '<svg class="shield-ring" viewBox="-112 -106 224 212" aria-hidden="true">'
        f'<circle class="rim" r="{_SHIELD_RADIUS}"/>'
        f'<g transform="rotate({heading})">{"".join(arcs)}'
        f'<use href="#s-{kind}" class="hull"/></g>{"".join(figures)}</svg>'
    )


def shield_table(screen: Mapping[str, Any]) -> str:
    """Return the shields as a table for those who do not see the drawing."""
    state = screen["shields"]
    rows = "".join(
        f'<tr><th scope="row">{esc(facing["name"])}</th><td>{facing["strength"]}</td>'
        f"<td>{facing['percent']} %</td></tr>"
        for facing in state["facings"]
    )
    how = "up" if state["up"] else "down"
    return (
        f'<div class="unseen"><table><caption>Shields are {how}</caption><thead><tr>'
        '<th scope="col">Facing</th><th scope="col">Strength</th><th scope="col">Percent</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


# --- gauges --------------------------------------------------------------------------------


def bar(percent: int, level: object) -> str:
    """Return a bar that is filled to a percentage."""
    width = max(0, min(100, percent))
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/>'
        f'<rect class="fill {esc(level)}" width="{width}" height="6"/></svg>'
    )


def gauge(name: str, value: Mapping[str, Any], more: str = "") -> str:
    """Return a row with a name, a bar and a value, in the colour of its level.

    ``more`` is markup behind the value.
    """
    level = esc(value["level"])
    low = f'<span class="unseen"> ({level})</span>' if value["level"] != "green" else ""
    return (
        f'<div class="gauge"><dt>{name}</dt><dd class="{level}">{bar(value["percent"], level)}'
        f'<span class="value">{value["value"]}<small>/{value["max"]}</small></span>{more}{low}'
        "</dd></div>"
    )


# --- compass -------------------------------------------------------------------------------


def _sector(middle: float, half: float, radius: float) -> str:
    """The path of a sector from the centre, ``half`` degrees to each side."""
    if half >= 179.5:
        return f"M0-{radius}A{radius} {radius} 0 1 1-.1-{radius}z"
    first, last = (math.radians(middle + turn - 90) for turn in (-half, half))
    large = 1 if half > 90 else 0
    return (
        f"M0 0L{radius * math.cos(first):.1f} {radius * math.sin(first):.1f}"
        f"A{radius} {radius} 0 {large} 1 {radius * math.cos(last):.1f}"
        f" {radius * math.sin(last):.1f}z"
    )


def rose(nav: Mapping[str, Any], heading: float) -> str:
    """Return the compass rose: the present course dashed, the wanted one solid, and how far the
    ship can turn in a step."""
    want = nav["want_course"]
    return (
        f'<svg class="rose" id="rose" viewBox="-124 -124 248 248" data-course="{want}" role="img"'
        f' aria-label="Compass: course {degrees(nav["course"])}, wanted {degrees(want)}">'
        f'<path class="sector" d="{_sector(heading, nav["turn_limit"], 92)}"/>'
        '<use href="#s-rose"/>'
        f'<path class="now" d="M0 0V-92" transform="rotate({nav["course"]})"/>'
        f'<g class="want" transform="rotate({want})"><path d="M0 0V-88"/>'
        '<path class="head" d="M0-98l7 15h-14z"/></g>'
        f'<g class="hull" transform="rotate({heading})"><use href="#s-self"/></g></svg>'
    )
