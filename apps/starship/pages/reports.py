"""The panels that tell: header, hints, mission, messages, and how often the page is updated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.starship.pages.markup import degrees, esc, hidden, units
from apps.starship.pages.page import Links, Page
from apps.starship.rules.counted import counted

FILTERS = (
    ("", "All"),
    ("attack", "Attack"),
    ("distress", "Distress"),
    ("command", "Command"),
    ("border", "Border"),
    ("alert", "Alert"),
)
"""The kinds of messages, and the word of each."""

MISSIONS = {
    "deliver": "Delivery",
    "rendezvous": "Rendezvous",
    "patrol": "Patrol",
    "explore": "Survey",
    "escort": "Escort",
    "attack": "Attack",
    "defend": "Defence",
    "rescue": "Rescue",
}

INTERVAL_MAX = 600
"""Seconds between two updates of a page without script, at most."""

_PROPOSED = re.compile(r"\((dest [A-Za-z0-9_-]+|speed [0-9.]+|shields (?:up|down)|distress)\)")
_PROPOSALS = {
    "dest": "Set destination {}",
    "speed": "Set speed {}",
    "shields": "Shields {}",
    "distress": "Send distress call",
}
"""The word on the button of an order that a hint proposes."""

Screen = Mapping[str, Any]


# --- header --------------------------------------------------------------------------------


def header(screen: Screen, page: Page, links: Links) -> str:
    """Return who one is and where, the step, the time to the next one, and the orders left."""
    ship = screen["ship"]
    owner = "neutral space" if ship["owner"] == "." else f"{esc(ship['owner_name'])} space"
    if ship["kind"] != "starship":
        who = esc(ship["race_name"])
    else:
        who = f"{esc(ship['race_name'])} starship"
    watching = "" if links.captain else f'<span class="badge scan">{_watched(ship)}</span>'
    banners = ""
    if page.frozen:
        banners = (
            '<p class="banner red" role="alert">Link to the primary lost - display frozen at step'
            f" {screen['step']}</p>"
        )
    if screen.get("warning"):
        banners += f'<p class="banner yellow" role="status">{esc(screen["warning"])}</p>'
    return (
        f'<div class="identity"><h1>{esc(ship["full_name"])}</h1><p>{who}{watching}</p></div>'
        f'<dl class="where"><div><dt>Quadrant</dt><dd data-testid="quadrant">'
        f"{esc(ship['quadrant'])} <small>{owner}</small></dd></div>"
        f'<div><dt>Step</dt><dd data-testid="step">{screen["step"]}{_countdown(screen, page)}'
        f"</dd></div>{_orders(screen, links)}</dl>{banners}"
    )


def _watched(ship: Mapping[str, Any]) -> str:
    who = {"human": "flown by a person", "caretaker": "flown by a caretaker"}
    return f"Scan: {who.get(ship['captain'], 'flown by the computer')}"


def _countdown(screen: Screen, page: Page) -> str:
    """The bar that runs down to the next step; as words for those who want nothing to move."""
    whole = screen.get("interval", 5.0)
    left = page.next_in
    if page.frozen or left <= 0 or whole <= 0:
        return ""
    share = max(0.0, min(100.0, 100 * left / whole))
    return (
        f'<svg class="countdown" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"'
        f' data-left="{left:.2f}" data-whole="{whole:.2f}"><rect class="track" width="100"'
        f' height="4"/><rect class="fill" width="{share:.1f}" height="4"><animate'
        f' attributeName="width" from="{share:.1f}" to="0" dur="{left:.2f}s" fill="freeze"/></rect>'
        f'</svg><span class="until">every {whole:g} s</span>'
    )


def _orders(screen: Screen, links: Links) -> str:
    if not links.captain:
        return ""
    left, limit = screen["left"], screen["limit"]
    dots = "".join(f'<i class="dot{" on" if place < left else ""}"></i>' for place in range(limit))
    given = "".join(f"<li>{esc(words)}</li>" for words in screen["orders"])
    listed = f'<ol class="given" aria-label="Orders for this step">{given}</ol>' if given else ""
    return (
        f'<div class="orders-left"><dt>Orders</dt><dd><span class="dots" id="dots" role="img"'
        f' aria-label="{left} of {limit} orders left" data-testid="dots" data-limit="{limit}">'
        f"{dots}</span>{listed}</dd></div>"
    )


# --- hints ---------------------------------------------------------------------------------


def hints(screen: Screen, links: Links) -> str:
    """Return what to do next on a first mission; of a ship that was destroyed, how it ended."""
    if screen["lost"] is not None:
        return lost(screen["lost"], screen["ship"]["full_name"], links.base, links.captain)
    if not screen["hints"]:
        return ""
    rows = "".join(f"<li>{_hint(words, links)}</li>" for words in screen["hints"])
    return f'<div class="card hint"><h2 id="hints-title">Your next step</h2><ol>{rows}</ol></div>'


def _hint(words: str, links: Links) -> str:
    """A hint, in which the order it proposes, as ``(speed 6.0)``, is a button."""
    found = _PROPOSED.search(words)
    if found is None or not links.captain:
        return esc(words)
    command, _, word = found[1].partition(" ")
    label = _PROPOSALS[command].format(esc(word))
    button = links.press(command, (word,) if word else (), label, f"hint-{command}", "strong")
    rest = words[found.end() :].removeprefix(".")
    return f"{esc(words[: found.start()])}{button}{esc(rest)}"


def lost(record: Mapping[str, Any], full_name: str, base: str, captain: bool = True) -> str:
    """Return what is said of a ship that was destroyed.

    ``record`` is the ``lost`` of a screen, ``base`` the escaped address of the game.
    """
    killer = record["killer"]
    by = f"Destroyed by {esc(killer)}" if killer else "Destroyed"
    whose = "Your ship is lost" if captain else "This ship is lost"
    return (
        f'<div class="card lost" role="alert" data-testid="lost"><h2 id="hints-title">{whose}</h2>'
        f"<p><b>{esc(full_name)}</b>. {by}.</p><dl class=facts>"
        f"<div><dt>Score</dt><dd>{record['score']}</dd></div>"
        f"<div><dt>Kills</dt><dd>{record['kills']}</dd></div>"
        f"<div><dt>Lived</dt><dd>{counted(record['steps_lived'], 'step')}</dd></div></dl>"
        '<p class="buttons"><a class="button strong" href="/starshipLogin.html">Create a new ship'
        f'</a><a class="button" href="{base}/map">Watch</a></p></div>'
    )


# --- mission -------------------------------------------------------------------------------


def mission(screen: Screen, links: Links) -> str:
    """Return the task, how far it is, how long it may take, and what it pays."""
    found = screen["mission"]
    if found is None:
        wait = screen["next_mission_in"]
        words = (
            "No mission." if wait is None else f"The next mission comes in {counted(wait, 'step')}."
        )
        if wait == 0:
            words = "Waiting for a mission."
        return f'<h2 id="mission-title">Mission</h2><p class="empty">{words}</p>'
    where = f"{found['x']:.0f} / {found['y']:.0f}"
    if found["target"] is not None:
        where = f'<a href="{links.pick(found["target"])}" data-look="">{esc(found["target"])}</a>'
    facts = [
        ("Next", where),
        ("Distance", f"{units(found['distance'])} u"),
        ("Bearing", degrees(found["bearing"])),
        ("Steps left", found["steps_left"]),
        ("Pays", counted(found["reward"], "point")),
    ]
    stages, needed = found.get("stages", 1), found.get("needed", 0)
    if needed:
        facts.append(("Done", f"{found['progress']} of {needed}"))
    elif stages > 1:
        facts.append(("Part", f"{min(stages, found['stage'] + 1)} of {stages}"))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    kind = esc(MISSIONS.get(found["kind"], found["kind"]))
    task = esc(found["task"][:1].upper() + found["task"][1:])
    return (
        f'<div class="title"><h2 id="mission-title">Mission: {kind}</h2></div>'
        f'<p class="task" data-testid="task">{task}.</p><dl class="facts">{rows}</dl>'
        f"{_mission_orders(screen, found, links)}"
    )


def _mission_orders(screen: Screen, found: Mapping[str, Any], links: Links) -> str:
    if not links.captain or screen["lost"] is not None:
        return ""
    if found["target"] is not None:
        words: tuple[object, ...] = (found["target"],)
        go = links.press("dest", words, "Set as destination", "mission-dest")
    else:
        words = (f"{found['x']:.1f}", f"{found['y']:.1f}")
        go = links.press("course_to", words, "Set as destination", "mission-dest")
    abandon = links.press(
        "mission", ("abandon",), "Abandon (-5 points)", "mission-abandon", "quiet"
    )
    return f'<div class="buttons">{go}{abandon}</div>'


# --- messages ------------------------------------------------------------------------------


def messages(screen: Screen, page: Page, links: Links) -> str:
    """Return the message window, newest first, with the answer to the last order on top."""
    shown = [row for row in screen["messages"] if page.filter in ("", row["icon"])]
    rows = "".join(_message(row, links) for row in shown)
    if not rows:
        empty = "No messages of this kind." if screen["messages"] else "No messages."
        rows = f'<li class="empty">{empty}</li>'
    chosen = "".join(
        f'<a href="{links.look(filter=key)}" data-look=""'
        f"{' aria-current=true' if key == page.filter else ''}>{name}</a>"
        for key, name in FILTERS
    )
    quiet = "" if screen["messages"] or page.filter else " data-empty"
    return (
        f'<div class="title"{quiet}><h2 id="messages-title" tabindex="-1">Messages</h2>'
        f'<p class="filters" role="group" aria-label="Kinds of messages">{chosen}</p></div>'
        f'<div role="status"><ol class="log answers" id="answers" data-keep>{_notice(page)}</ol>'
        "</div>"
        f'<ol class="log scroll" id="log" aria-live="polite" aria-relevant="additions"'
        f' tabindex="0" aria-label="Messages">{rows}</ol>'
    )


def _notice(page: Page) -> str:
    notice = page.notice
    if notice is None or not notice.text:
        return ""
    kind, icon = ("taken", "command") if notice.ok else ("refused", "refused")
    code = f' <small class="dim">{esc(notice.code)}</small>' if notice.code else ""
    return (
        f'<li class="{kind}" data-key="{kind}" data-code="{esc(notice.code)}">{_icon(icon)}'
        f"<span>{esc(notice.text)}{code}</span></li>"
    )


def _icon(kind: str) -> str:
    return (
        f'<svg class="icon {kind}" viewBox="0 0 16 16" aria-hidden="true">'
        f'<use href="#m-{kind}"/></svg>'
    )


def _message(row: Mapping[str, Any], links: Links) -> str:
    icon, respond = esc(row["icon"]), ""
    if row["respond"] is not None and links.captain:
        name = row["respond"]
        then = hidden(then="dest")
        respond = links.order(
            "respond",
            f'<input type="hidden" name="arg1" value="{esc(name)}">{then}',
            f'<button type="submit" data-testid="respond-{esc(name)}" aria-label="Respond to'
            f' {esc(name)}">Respond</button>',
        )
    place = f"m{row['step']}-{esc(row['group'])}-{row['seq']}"
    return (
        f'<li id="{place}" class="{icon}" data-key="{esc(row["key"])}">{_icon(icon)}'
        f'<span class="at">{row["step"]}</span><span>{esc(row["text"])}</span>{respond}</li>'
    )


# --- update interval -----------------------------------------------------------------------


def interval(screen: Screen, page: Page, links: Links) -> str:
    """Return the form that changes how often a page without script asks again, and the keys."""
    checked = " checked" if page.single_keys else ""
    ship = screen["ship"]["name"]
    mode = "captain" if links.captain else "scan"
    return (
        f'<h2 id="interval-title" class="unseen">Update interval</h2>'
        f'<form method="post" action="{links.base}/settings" class="settings">'
        f"{hidden(ship=ship, token=page.token, target=links.target, mode=mode)}"
        f'<input type="hidden" name="radius" value="{links.radius}">'
        f'<span class="field"><label for="interval-seconds">Update interval in seconds</label>'
        f'<input id="interval-seconds" name="interval" type="number" min="0" max="{INTERVAL_MAX}"'
        f' value="{page.interval}" inputmode="numeric" data-testid="interval"></span>'
        f'<span class="check"><input type="checkbox" id="single-keys" name="keys" value="on"'
        f'{checked} data-testid="keys"><label for="single-keys">Commands of a single key</label>'
        "</span>"
        # Of two fields with one name the first counts: this one when the box is not ticked.
        '<input type="hidden" name="keys" value="off">'
        '<button type="submit" data-testid="set-interval">Change Automatic Update Interval</button>'
        f'</form><p class="note live-note" data-keep>{_how_updated(page)}</p>'
    )


def _how_updated(page: Page) -> str:
    seconds = f"every {page.interval} s" if page.interval else "when it is loaded again"
    return f"Without script this page is updated {seconds}; with it, after each step."
