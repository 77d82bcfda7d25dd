"""The views besides the bridge: the galaxy, the ship's status, the mission, help, the last page."""

from __future__ import annotations

from typing import Any

from apps.starship.rules.counted import counted
from apps.starship.terminal.lines import Line, Span, line, spread
from apps.starship.terminal.plot import long_range

GALAXY_WIDTH = 64
"""Columns of the map of the galaxy, eight for each quadrant of the smallest one."""

WELCOME = (
    " StarShip",
    "",
    " create [NAME] [RACE]   make a ship of race F, K, R or O; it gets a name",
    " take NAME              take command of a ship that has no captain",
    " scan NAME              look at a ship",
    " help                   all commands",
    " quit                   leave",
)
"""What a newcomer is told, who has no ship."""

HELP = (
    ("course DEGREES", "turn, 0 is north and 90 east"),
    ("dest NAME", "let the autopilot go to an object"),
    ("course_to X Y", "let it go to a place"),
    ("speed FACTOR", "0.0 to the ship's maximum"),
    ("shields up|down", "nobody docks behind shields"),
    ("lock WEAPON|all NAME", "aim; l alone aims all at the target"),
    ("fire WEAPON", "once, then it recycles"),
    ("power SETTING", "balanced, weapons, shields or engines"),
    ("repair PART", "what is repaired first, or none"),
    ("distress", "call for help while under attack"),
    ("respond NAME", "tell who calls that you come"),
    ("mission abandon", "costs 5 points"),
    ("upgrade TRACK", "while docked at a starbase"),
    ("target NAME, n, p", "choose; the next, the one before"),
    ("srs [RADIUS], lrs", "the bridge; the whole galaxy"),
    ("status, messages", "all figures; all messages"),
    ("scan NAME", "look at another ship; srs leads back"),
    ("create, take, leave", "make, take or leave a ship; interval SECONDS; quit"),
)
"""The commands; the first thirteen are orders, of which a step takes three."""


def help_text(screen: dict[str, Any], width: int, room: int) -> list[Line]:
    """Return the commands, in two columns where one is not enough."""
    rows = [line(Span(f" {usage:<21}"), text) for usage, text in HELP]
    first = line(
        Span(" commands", "bold"),
        " may be shortened (sp 6); a NAME may be a contact's number; srs leads back",
    )
    if len(rows) + 1 <= room:
        return [first, *rows]
    # On a low terminal the orders and the rest stand side by side without their explanations.
    half = (len(HELP) + 1) // 2
    left, right = HELP[:half], [*HELP[half:], ("", "")]
    pairs = zip(left, right, strict=False)
    return [first, *(line(f" {one[0]:<24}{other[0]}") for one, other in pairs)]


def lost(screen: dict[str, Any]) -> list[Line]:
    """Return the last page of a ship."""
    found, ship = screen["lost"], screen["ship"]
    killer = found["killer"] or "nobody known"
    return [
        line(Span(f" {ship['full_name']} is destroyed, by {killer}.", "red")),
        line(),
        line(f" score {found['score']}   kills {found['kills']}   steps {found['steps_lived']}"),
        line(),
        line(" create [NAME] [RACE]   make another ship"),
        line(" take NAME              take command of a ship that has no captain"),
        line(" scan NAME              look at a ship"),
    ]


def galaxy(screen: dict[str, Any], width: int, room: int) -> list[Line]:
    """Return the long-range scan."""
    columns, rows = min(GALAXY_WIDTH, width - 4), max(1, min(32, room - 2))
    field = long_range(screen, columns, rows)
    calls = [c["name"] for c in screen["lrs"]["contacts"] if c["distress"]]
    title = "-" * columns
    below = f" * planet  # starbase  @ fleet  {'? calls for help: ' if calls else ''}"
    return [
        line(f" +{' long range ':-^{columns}}+"),
        *(line(" |", *row, "|") for row in field),
        line(f" +{title}+") if room > rows + 2 else line(f"{below}{' '.join(calls)}"),
        line(f"{below}{' '.join(calls)}"),
    ]


def status(screen: dict[str, Any], width: int, room: int) -> list[Line]:
    """Return all figures of the ship."""
    found = screen["status"]
    systems = [
        line(Span(f"{s['key']} {s['percent']}%", "" if s["level"] == "green" else s["level"]))
        for s in found["systems"]
    ]
    weapons = [line(f"{w['id']} {w['health']}%") for w in screen["weapons"]]
    gaps = [3] * max(len(systems), len(weapons), 8)
    berth = found["berth"]
    attackers = ", ".join(f"{a['name']} {a['distance']:.0f}" for a in found["attackers"])
    rows = [
        line(Span(" status", "bold")),
        spread([line("systems"), *systems], gaps, width),
        spread([line("weapons"), *weapons], gaps, width),
        line(f" power {found['power']}   repairs first {found['repair'] or 'none'}"),
        line(f" cargo {found['cargo']}   passengers {found['evacuees']}"),
        line(f" {_berth(berth)}"),
        line(f" attackers: {attackers or 'none'}"),
    ]
    if found["truce"]:
        rows.append(line(f" truce for {counted(found['truce'], 'step')} more, until you fire"))
    totals = ("score", "kills", "missions")
    rows.append(spread([line(f"{name} {found[name]}") for name in totals], gaps, width))
    rows.append(line(Span(" upgrades", "bold"), "" if found["can_upgrade"] else " (when docked)"))
    rows += [_upgrade(row) for row in found["upgrades"]]
    return rows


def _berth(berth: dict[str, str] | None) -> str:
    if berth is None:
        return "under way"
    return f"docked at {berth['name']}" if berth["kind"] == "docked" else f"orbits {berth['name']}"


def _upgrade(row: dict[str, Any]) -> Line:
    cost = "highest level" if row["cost"] is None else counted(row["cost"], "point")
    text = f"  {row['track']:<10} {row['level']} of {row['max']}   next: {cost}"
    return line(Span(text, "green" if row["affordable"] else ""))


def mission(screen: dict[str, Any], width: int, room: int) -> list[Line]:
    """Return all there is to know of the mission."""
    found = screen["mission"]
    if found is None:
        wait = screen["next_mission_in"]
        when = "" if wait is None else f" The next one comes in {counted(wait, 'step')}."
        return [line(f" No mission.{when}")]
    where = found["target"] or f"{found['x']:.0f} {found['y']:.0f}"
    order = f"dest {where}" if found["target"] else f"course_to {where}"
    rows = [
        line(Span(" mission", "bold")),
        line(f" {found['task']}"),
        line(f" part {found['stage'] + 1} of {found.get('stages', 1)}"),
        line(f" next {where}: {found['distance']:.1f} units, bearing {found['bearing']:05.1f}"),
        line(f" {counted(found['steps_left'], 'step')} left, {counted(found['reward'], 'point')}"),
        line(f" to go there: {order}"),
    ]
    if found.get("needed"):
        rows.insert(3, line(f" {found['progress']} of {found['needed']} steps done"))
    return rows
