"""The panel for navigation: course, speed and destination as they are and as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.starship.pages.instruments import rose
from apps.starship.pages.markup import degrees, esc, units
from apps.starship.pages.page import Links, Page

Screen = Mapping[str, Any]


def nav(screen: Screen, page: Page, links: Links) -> str:
    """Return course and speed, the rose, and for captains the fields to change them."""
    state = screen["nav"]
    heading = screen["ship"]["heading"]
    return (
        '<h2 id="nav-title">Navigation</h2>'
        f'<p class="reading now"><span class="what">now</span> <b data-testid="course-now">'
        f'{degrees(state["course"])}</b> <span class="what">speed</span>'
        f' <b data-testid="speed-now">{state["speed"]:.1f}</b></p>'
        f"{rose(state, heading)}"
        f'<p class="reading want"><span class="what">want</span> {_wanted(state)}'
        f' <span class="what">speed</span> <b data-testid="speed-wanted">'
        f"{state['want_speed']:.1f}</b></p>"
        f'<p class="note turning">turns {state["turn_limit"]:.1f}° a step, stops in'
        f" {units(state['stopping'])} u</p>{_fields(screen, page, links)}"
    )


def _wanted(state: Mapping[str, Any]) -> str:
    if state["dest"] is not None:
        words = esc(state["dest"])
    elif state["point"] is not None:
        words = f"{state['point']['x']:.0f} / {state['point']['y']:.0f}"
    else:
        words = degrees(state["want_course"])
    return f'<b data-testid="wanted">{words}</b>'


def _fields(screen: Screen, page: Page, links: Links) -> str:
    if not links.captain:
        return ""
    state = screen["nav"]
    dest = links.target or state["dest"] or ""
    stop = links.press("speed", ("0",), "Stop", "stop", "", _lost(screen))
    names = "".join(
        f'<option value="{esc(row["name"])}"></option>'
        for row in sorted_names(screen["lrs"]["contacts"])
    )
    # A datalist is read only when somebody types, and has the same text from step to step.
    return (
        '<div class="helm">'
        + _field(links, page, "course", "Course", f"{state['want_course']:05.1f}", "decimal")
        + _field(links, page, "speed", "Speed", f"{state['want_speed']:.1f}", "decimal", stop)
        + _field(links, page, "dest", "Destination", dest, "text")
        + f'</div><datalist id="names">{names}</datalist>'
    )


def sorted_names(contacts: Any) -> list[Any]:
    """Return the nearest 400 contacts in the order of their names."""
    return sorted(contacts[:400], key=lambda row: str(row["name"]))


def _lost(screen: Screen) -> str:
    return "" if screen["lost"] is None else "Your ship is lost"


def _field(
    links: Links, page: Page, command: str, label: str, value: str, mode: str, more: str = ""
) -> str:
    """A field with its button; of an order that was refused, what was typed and why."""
    wrong, notice = page.typed.get("command") == command, page.notice
    told = ""
    state = ""
    if wrong and notice is not None and not notice.ok:
        value = page.typed.get("arg1", value)
        told = f'<p class="error" id="{command}-error">{esc(notice.text)}</p>'
        state = f' aria-invalid="true" aria-describedby="{command}-error"'
    names = ' list="names"' if command == "dest" else ""
    kept = "" if wrong else f' data-fresh="{esc(value)}"'
    inside = (
        f'<label for="{command}">{label}</label><input id="{command}" name="arg1" maxlength="20"'
        f' inputmode="{mode}" autocomplete="off" autocapitalize="none" spellcheck="false"{names}'
        f' value="{esc(value)}" data-testid="{command}"{kept}{state}>'
        f'<button type="submit" data-testid="set-{command}" aria-label="Set {label.lower()}">Set'
        "</button>"
    )
    return f'<div class="field {command}">{links.order(command, "", inside)}{more}{told}</div>'
