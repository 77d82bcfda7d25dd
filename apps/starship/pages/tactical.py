"""The panels for a fight: shields, target, call for help, weapons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.starship.pages import instruments
from apps.starship.pages.markup import degrees, esc, units
from apps.starship.pages.page import Links
from apps.starship.pages.scopes import symbol
from apps.starship.rules.counted import counted

CAPTAINS = {
    "human": "a person",
    "computer": "the computer",
    "caretaker": "the computer, as caretaker",
}

Screen = Mapping[str, Any]


def shields(screen: Screen, links: Links) -> str:
    """Return the shields: the drawing, the table behind it, and the two buttons."""
    up = screen["shields"]["up"]
    state = "up" if up else "down"
    words = (
        '<div class="title"><h2 id="shields-title">Shields</h2>'
        f'<p class="state {state}" data-testid="shields-state">{state.capitalize()}</p></div>'
        f"{instruments.shields(screen)}{instruments.shield_table(screen)}"
    )
    if not links.captain:
        return words
    raise_ = links.press(
        "shields", ("up",), "Raise Shields", "shields-up", "wide",
        "The shields are up" if up else "",
    )  # fmt: skip
    lower = links.press(
        "shields", ("down",), "Lower Shields", "shields-down", "wide",
        "" if up else "The shields are down",
    )  # fmt: skip
    return f'{words}<div class="pair">{raise_}{lower}</div>'


# --- target --------------------------------------------------------------------------------


def target(screen: Screen, links: Links) -> str:
    """Return what is known of the current target, and what can be done with it."""
    found = screen["target"]
    if found is None:
        return (
            '<h2 id="target-title">Target</h2><p class="empty">No target. Choose an object in a'
            f" scan{_or_find(links)}</p>"
        )
    eta = found["eta"]
    bears = " ".join(map(esc, found["bears"])) or "none"
    facts = [
        ("Distance", f"{units(found['distance'])} u"),
        ("Bearing", f"{degrees(found['bearing'])} <small>rel {degrees(found['relative'])}</small>"),
        ("Heading", degrees(found["heading"])),
        ("Speed", f"{found['speed']:.1f}"),
        ("Arrival", "at rest" if eta is None else counted(eta, "step")),
        ("Weapons bear", bears),
    ]
    if found["kind"] == "starship":
        facts.append(("Captain", CAPTAINS.get(found["captain"], "")))
    if found["truce"]:
        facts.append(("Truce", counted(found["truce"], "step")))
    if found["fleet"]:
        facts.append(("Answers", esc(found["fleet"])))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    stance = esc(found["stance"])
    return (
        f'<div class="title"><h2 id="target-title"><span class="unseen">Target: </span>'
        f'<span class="{stance} target-name" data-testid="target-name">{symbol(found)}'
        f"{esc(found['full_name'])}</span></h2>"
        f'<p class="badge {stance}">{stance}</p></div>'
        f'<dl class="facts">{rows}</dl>{_target_orders(screen, found, links)}'
    )


def _or_find(links: Links) -> str:
    if not links.captain:
        return "."
    return ", or press <kbd>n</kbd> for the nearest one."


def _target_orders(screen: Screen, found: Mapping[str, Any], links: Links) -> str:
    name = found["name"]
    clear = f'<a class="button" href="{links.clear()}" data-look="" data-testid="clear">Clear</a>'
    scan = ""
    if found["kind"] == "starship":
        address = links.to("scan?ship=") + esc(name)
        scan = f'<a class="button" href="{address}" data-testid="scan-target">Scan</a>'
    if not links.captain:
        return f'<div class="buttons">{clear}{scan}</div>'
    gone = screen["lost"] is not None
    refusal = esc(found.get("lock_refusal", "")) or ("Your ship is lost" if gone else "")
    dest = links.press(
        "dest", (name,), "Set as destination", "target-dest", "",
        "Your ship is lost" if gone else "",
    )  # fmt: skip
    lock = links.press("lock", ("all", name), "Lock all", "target-lock-all", "", refusal)
    return f'<div class="buttons">{dest}{lock}{scan}{clear}</div>'


def distress(screen: Screen, links: Links) -> str:
    """Return the button that calls for help, or whether somebody else's ship did."""
    state = screen["distress"]
    heading = '<h2 id="distress-title" class="unseen">Distress</h2>'
    if not links.captain:
        under = "under attack" if screen["status"]["attackers"] else "not under attack"
        return f'{heading}<p class="note">{esc(screen["ship"]["name"])} is {under}.</p>'
    off = "" if state["enabled"] else esc(state["why"])
    wait = f" <small>again in {counted(state['steps'], 'step')}</small>" if state["steps"] else ""
    button = links.press("distress", (), f"Distress{wait}", "distress", "alarm", off)
    why = f'<p class="note">{off}</p>' if off else '<p class="note">Friends nearby will hear.</p>'
    return f"{heading}{button}{why}"


# --- weapons -------------------------------------------------------------------------------


def weapons(screen: Screen, links: Links) -> str:
    """Return every weapon with its state, its lock and the two buttons, and Lock all."""
    cards = "".join(
        _weapon(screen, place, weapon, links) for place, weapon in enumerate(screen["weapons"], 1)
    )
    all_ = ""
    if links.captain:
        off, aim = _lock_state(screen)
        words = ("all", links.target)
        all_ = links.press("lock", words, f"Lock all{aim}", "lock-all", "", off)
    return (
        f'<div class="title"><h2 id="weapons-title">Weapons</h2>{all_}</div>'
        f'<ul class="weapons">{cards}</ul>'
    )


def _lock_state(screen: Screen) -> tuple[str, str]:
    """Why nothing can be locked, and whom a lock would be on."""
    found = screen["target"]
    if screen["lost"] is not None:
        return "Your ship is lost", ""
    if found is None:
        return "Choose a target first", ""
    refusal = found.get("lock_refusal", "")
    if not refusal and not found["valid_target"]:
        refusal = f"{found['name']} is not a valid target."
    return esc(refusal), "" if refusal else f" on {esc(found['name'])}"


def _weapon(screen: Screen, place: int, weapon: Mapping[str, Any], links: Links) -> str:
    state, id = weapon["state"], esc(weapon["id"])
    ready_in = weapon["ready_in"]
    shown = f"recycling {ready_in}" if state == "recycling" else state
    level = "green" if state == "ready" else "yellow" if state == "recycling" else "red"
    health = weapon["health"]
    worn = "green" if health >= 70 else "yellow" if health >= 40 else "red"
    lock = weapon["lock"]
    if lock is None:
        aim = '<span class="dim">no lock</span>'
    else:
        aim = f'<a href="{links.pick(lock)}" data-look="">{esc(lock)}</a>'
    why = weapon["why"]
    bears = "bears" if weapon["bears"] else esc(why)
    if lock is None:
        bears = ""
    elif weapon["bears"]:
        bears = '<span class="green">bears</span>'
    else:
        bears = f'<span class="yellow">{esc(why)}</span>'
    buttons = _weapon_buttons(screen, weapon, links) if links.captain else ""
    return (
        f'<li class="weapon" data-weapon="{id}"><p class="weapon-name"><kbd>{place}</kbd>'
        f"<strong>{id}</strong> <span>{esc(weapon['type'])}</span></p>"
        f'<p class="weapon-state {level}" data-testid="state-{id}">{esc(shown)}</p>'
        f'<p class="weapon-lock"><span class="dim">lock</span> {aim} {bears}</p>'
        f'<p class="weapon-health {worn}">{instruments.bar(health, worn)}'
        f'<span><span class="unseen">health </span>{health} %</span></p>{buttons}</li>'
    )


def _weapon_buttons(screen: Screen, weapon: Mapping[str, Any], links: Links) -> str:
    id = weapon["id"]
    off, aim = _lock_state(screen)
    lock = links.press(
        "lock", (id, links.target), "Lock", f"lock-{id}", "", off, f"Lock {esc(id)}{aim}"
    )
    refusal = "" if weapon["can_fire"] else esc(weapon["refusal"])
    fire = links.press("fire", (id,), "Fire", f"fire-{id}", "fire", refusal, f"Fire {esc(id)}")
    return f'<div class="pair">{lock}{fire}</div>'
