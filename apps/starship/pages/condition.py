"""The status panel: energy, hull, crew, systems, what is aboard, and what points can buy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.starship.pages.instruments import bar, gauge
from apps.starship.pages.markup import esc, units
from apps.starship.pages.page import Links
from apps.starship.rules.counted import counted

TRACKS = {
    "shield": "Shields",
    "hull": "Hull",
    "reactor": "Reactor",
    "engine": "Engines",
    "weapons": "Weapons",
    "magazine": "Magazine",
}

Screen = Mapping[str, Any]


def status(screen: Screen, links: Links) -> str:
    """Return the ship's condition; parts that are low are yellow or red."""
    state = screen["status"]
    return (
        f'<div class="title"><h2 id="status-title">Status</h2>{_berth(state, links)}</div>'
        f'<dl class="gauges">{_gauges(state)}</dl>{_systems(state)}'
        f"{_attackers(state, links)}{_choices(screen, links)}"
        f'<dl class="facts">{_facts(state)}</dl>{_upgrades(screen, links)}'
    )


def _gauges(state: Mapping[str, Any]) -> str:
    net, level = state["net"], esc(state["net_level"])
    low = '<span class="unseen"> (falling)</span>' if net < 0 else ""
    flow = f' <small class="net {level}" title="net energy per step">{net:+d}{low}</small>'
    rows = gauge("Energy", state["energy"], flow)
    for name in ("hull", "crew", "supplies"):
        rows += gauge(name.capitalize(), state[name])
    return rows + gauge("Ammo", state["ammo"]) if state["ammo"] is not None else rows


def _systems(state: Mapping[str, Any]) -> str:
    cells = "".join(
        f'<li class="{esc(row["level"])}" title="{esc(row["name"])}"><abbr title="'
        f'{esc(row["name"])}">{esc(row["key"])}</abbr>{bar(row["percent"], row["level"])}'
        f"<span>{row['percent']} %</span></li>"
        for row in state["systems"]
    )
    return f'<ul class="systems" aria-label="Systems">{cells}</ul>'


def _berth(state: Mapping[str, Any], links: Links) -> str:
    berth = state["berth"]
    if berth is None:
        return ""
    words = "Docked at" if berth["kind"] == "docked" else "In orbit of"
    name = f'<a href="{links.pick(berth["name"])}" data-look="">{esc(berth["name"])}</a>'
    return f'<p class="state up" data-testid="berth">{words} {name}</p>'


def _attackers(state: Mapping[str, Any], links: Links) -> str:
    if not state["attackers"]:
        return ""
    rows = "".join(
        f'<li><a class="attacker" href="{links.pick(row["name"])}" data-look="">'
        f"{esc(row['name'])}</a>"
        f" <span>{units(row['distance'])} u</span></li>"
        for row in state["attackers"]
    )
    return f'<div class="attackers"><h3>Attackers</h3><ul>{rows}</ul></div>'


def _facts(state: Mapping[str, Any]) -> str:
    facts = [("Points", state["points"]), ("Score", state["score"]), ("Kills", state["kills"])]
    facts.append(("Missions", state["missions"]))
    facts.append(("Cargo", f"{state['cargo']}/50"))
    if state["evacuees"]:
        facts.append(("Evacuees", state["evacuees"]))
    if state["truce"]:
        facts.append(("Truce", counted(state["truce"], "step")))
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)


def _choices(screen: Screen, links: Links) -> str:
    state = screen["status"]
    repair = state["repair"] or "none"
    if not links.captain:
        return (
            f'<dl class="facts two"><div><dt>Power</dt><dd>{esc(state["power"])}</dd></div>'
            f"<div><dt>Repair first</dt><dd>{esc(repair)}</dd></div></dl>"
        )
    power = _choice(links, "power", "Power", state["powers"], state["power"])
    first = _choice(links, "repair", "Repair", state["repairs"], repair)
    return f'<div class="choices">{power}{first}</div>'


def _choice(links: Links, command: str, label: str, words: Iterable[Any], chosen: str) -> str:
    options = "".join(
        f'<option value="{esc(word)}"{" selected" if word == chosen else ""}>{esc(word)}</option>'
        for word in words
    )
    inside = (
        f'<label for="{command}">{label}</label><select id="{command}" name="arg1"'
        f' data-testid="{command}" data-fresh="{esc(chosen)}">{options}</select>'
        f'<button type="submit" data-testid="set-{command}" aria-label="Set {label.lower()}">'
        "Set</button>"
    )
    return f'<div class="field">{links.order(command, "", inside)}</div>'


def _upgrades(screen: Screen, links: Links) -> str:
    """What can be bought while the ship is docked; otherwise what was, if anything."""
    state = screen["status"]
    rows = state["upgrades"]
    if not state["can_upgrade"]:
        bought = ", ".join(
            f"{esc(TRACKS.get(row['track'], row['track']))} {row['level']}"
            for row in rows
            if row["level"]
        )
        return f'<p class="note">Upgrades: {bought}</p>' if bought else ""
    cells = "".join(_upgrade(row, state["points"], links.captain, links) for row in rows)
    return f'<div class="upgrades"><h3>Upgrades</h3><ul>{cells}</ul></div>'


def _upgrade(row: Mapping[str, Any], points: int, buy: bool, links: Links) -> str:
    track, level = row["track"], row["level"]
    name = esc(TRACKS.get(track, track))
    pips = "".join(
        f'<i class="{"on" if place < level else ""}"></i>' for place in range(row["max"])
    )
    shown = (
        f'<span class="track">{name}</span><span class="pips" role="img"'
        f' aria-label="level {level} of {row["max"]}">{pips}</span>'
    )
    if not buy or row["cost"] is None:
        return f'<li>{shown}<span class="dim">{"full" if row["cost"] is None else ""}</span></li>'
    off = "" if row["affordable"] else f"{row['cost']} points needed, {points} there"
    label = f"<span>{row['cost']}</span><span class=unseen> points</span>"
    button = links.press(
        "upgrade", (track,), label, f"upgrade-{track}", "", off,
        f"Upgrade {name.lower()} for {row['cost']} points",
    )  # fmt: skip
    return f"<li>{shown}{button}</li>"
