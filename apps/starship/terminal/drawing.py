"""The bridge on a terminal: a screen of the game as lines of text (design, section 15).

Pure: the dictionary of `apps.starship.display.screen`, what is chosen to be seen, and a size in;
lines out. The first four lines say always how the ship is; under them stands one of several views,
at the bottom what is typed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.starship.rules.counted import counted
from apps.starship.terminal import views
from apps.starship.terminal.lines import Line, Span, clip, length, line, spread
from apps.starship.terminal.plot import PLOT_WIDTH, STANCE_STYLES, short_range

WIDTH, HEIGHT = 80, 24
"""The size the bridge is made for."""
WIDTH_MIN, HEIGHT_MIN = 20, 5
"""Below this a size is taken for a mistake of the terminal and these are used."""
WIDTH_MAX, HEIGHT_MAX = 400, 200
TEXT_MAX = 2_000
"""Characters of a text that are looked at: more fit on no screen."""
NAME_WIDTH = 10
"""Columns of a name in the list of contacts, where there are 80."""
LEVEL_STYLES = {"green": "green", "yellow": "yellow", "red": "red"}
FACINGS = ("bow", "sb", "sq", "st", "pq", "pb")
STANCES = {"attacker": "attack"}
KINDS = {"starship": "ship", "starbase": "base", "planet": "plnt"}
TYPES = {
    "torpedo": "torp", "disruptor": "disr", "missile": "miss", "base phaser": "phaser",
    "base torpedo": "torp", "planet battery": "battery",
}  # fmt: skip
REASONS = {"out of arc": "arc", "out of range": "range"}


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen besides the screen.

    ``view`` is a name of `VIEWS`; ``notice`` the answer to what was typed last, with ``refused`` if
    it was refused; ``banner`` what is wrong with the link, ``""`` while nothing is; ``prompt`` and
    ``typed`` the line that is typed.
    """

    view: str = "srs"
    notice: str = ""
    refused: bool = False
    banner: str = ""
    prompt: str = " > "
    typed: str = ""


def draw(
    screen: dict[str, Any] | None, sight: Sight, width: int = WIDTH, height: int = HEIGHT
) -> list[Line]:
    """Return exactly ``height`` lines of at most ``width`` columns; the last one is typed in.

    Without a screen there is what a newcomer needs to know.
    """
    width = max(WIDTH_MIN, min(WIDTH_MAX, width))
    height = max(HEIGHT_MIN, min(HEIGHT_MAX, height))
    room = height - 1
    if screen is None:
        rows = [*_banner(sight), *_notice(sight, width)]
        if sight.view == "help":
            rows += views.help_text({}, width, room - len(rows))
        else:
            rows += [line(), *(line(text) for text in views.WELCOME)]
    else:
        rows = [*_banner(sight), *_head(screen, width)]
        below = max(0, room - len(rows))
        rows += VIEWS.get(sight.view, _bridge)(screen, sight, width, below)
    rows = [clip(row, width) for row in rows[:room]]
    rows += [line()] * (room - len(rows))
    return [*rows, _input(sight, width)]


def _input(sight: Sight, width: int) -> Line:
    """Return the line that is typed in; of a long one its end."""
    room = max(1, width - len(sight.prompt) - 1)
    return line(Span(sight.prompt, "bold"), sight.typed[-room:])


def _banner(sight: Sight) -> list[Line]:
    return [line(Span(f" {sight.banner}", "reverse"))] if sight.banner else []


def _notice(sight: Sight, width: int) -> list[Line]:
    style = "red" if sight.refused else "green"
    return [line(Span(f" {text}", style)) for text in wrapped(sight.notice, width, 3)]


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Return a text as at most ``most`` lines behind one blank."""
    return textwrap.wrap(text[:TEXT_MAX], max(10, width - 2))[:most]


# --- how the ship is -----------------------------------------------------------------------


def _head(screen: dict[str, Any], width: int) -> list[Line]:
    return [
        _first(screen, width),
        _second(screen, width),
        _third(screen, width),
        _fourth(screen, width),
    ]


def _first(screen: dict[str, Any], width: int) -> Line:
    ship = screen["ship"]
    if screen["lost"] is not None:
        last = line(Span("DESTROYED", "red"))
    elif screen["mode"] == "captain":
        last = line(f"orders left: {screen['left']}")
    else:
        last = line(Span("scan only", "yellow"))
    name = line(Span(ship["full_name"], "bold"))
    where = line(f"{ship['quadrant']} {ship['owner_name']}")
    return spread([name, line(f"step {screen['step']}"), where, last], [4, 3, 3], width)


def _second(screen: dict[str, Any], width: int) -> Line:
    alert, shields = screen["alert"]["level"], screen["shields"]
    facings: list[Span] = []
    for label, facing in zip(FACINGS, shields["facings"], strict=True):
        style = LEVEL_STYLES.get(facing["level"], "") if shields["up"] else "dim"
        facings += [Span(" " if facings else ""), Span(f"{label}{facing['percent']:>3}", style)]
    return spread(
        [
            line("ALERT: ", Span(alert.upper(), LEVEL_STYLES.get(alert, ""))),
            line(f"shields {'UP' if shields['up'] else 'DOWN'}"),
            tuple(facings),
        ],
        [3, 3],
        width,
    )


def _gauge(label: str, gauge: dict[str, Any], most: bool = False) -> Line:
    text = f"{gauge['value']}/{gauge['max']}" if most else str(gauge["value"])
    style = LEVEL_STYLES[gauge["level"]] if gauge["level"] != "green" else ""
    return line(f"{label} ", Span(text, style))


def _third(screen: dict[str, Any], width: int) -> Line:
    status = screen["status"]
    net = Span(f" {status['net']:+d}", "yellow" if status["net_level"] == "yellow" else "")
    parts = [
        (*_gauge("energy", status["energy"], most=True), net),
        _gauge("hull", status["hull"], most=True),
        _gauge("crew", status["crew"]),
        _gauge("supplies", status["supplies"]),
    ]
    if status["ammo"] is not None:
        missiles = any(weapon["type"] == "missile" for weapon in screen["weapons"])
        parts.append(_gauge("missiles" if missiles else "torps", status["ammo"]))
    parts.append(line(f"points {status['points']}"))
    return spread(parts, [3] * (len(parts) - 1), width)


def course(degrees: float) -> str:
    """Return an angle as captains read it.

    >>> course(45.1)
    '045.1'
    """
    return f"{degrees:05.1f}"


def _fourth(screen: dict[str, Any], width: int) -> Line:
    nav, point = screen["nav"], screen["nav"]["point"]
    goal = nav["dest"] or course(nav["want_course"])
    if point is not None:
        goal = f"{point['x']:.0f} {point['y']:.0f}"
    return spread(
        [
            line(Span(f"course {course(nav['course'])} speed {nav['speed']:.1f}", "yellow")),
            line(Span(f"want: {goal} {nav['want_speed']:.1f}", "green")),
            line(f"turn limit {nav['turn_limit']:.1f}"),
            line(f"stop {nav['stopping']:.1f}"),
        ],
        [3, 3, 2],
        width,
    )


# --- the bridge ----------------------------------------------------------------------------


def _bridge(screen: dict[str, Any], sight: Sight, width: int, room: int) -> list[Line]:
    """Return field and contacts, weapons, mission and the latest messages."""
    if screen["lost"] is not None:
        return [*_notice(sight, width), line(), *views.lost(screen)]
    foot = [weapons_line(screen["weapons"], width), _mission(screen, width)]
    news = _news(screen, sight, width)
    rest = room - 2 - len(foot)  # the frame of the field takes two
    field_rows = max(0, min(rest * 2 // 3, PLOT_WIDTH))
    scan = _scan(screen, width, field_rows) if field_rows else []
    rows = [*scan, *foot]
    return [*rows, *news[: max(0, room - len(rows))]]


def _scan(screen: dict[str, Any], width: int, rows: int) -> list[Line]:
    """Return the framed field with the contacts beside it; on narrow terminals these alone."""
    title = f" short range {screen['srs']['radius']} "
    more = " " * (_name_width(width) - NAME_WIDTH)
    heading = line(f"  contacts (n next, l lock)         {more}dist  brg")
    beside = [*_contacts(screen, width, rows - 1), _target(screen)]
    if width < PLOT_WIDTH + 2 + 40:
        return [heading, *beside[:-1], line(" "), *beside[-1:]][: rows + 2]
    beside += [line()] * (rows - len(beside))
    field = short_range(screen, PLOT_WIDTH, rows)
    frame = Span("-" * PLOT_WIDTH)
    drawn = [line(" |", *row, "|", *right) for row, right in zip(field, beside, strict=True)]
    top = line(f" +{title:-^{PLOT_WIDTH}}+", *heading)
    return [top, *drawn, line(" +", frame, "+")]


def _contacts(screen: dict[str, Any], width: int, most: int) -> list[Line]:
    """Return the nearest contacts; the last line says how many there are more."""
    contacts = screen["srs"]["contacts"]
    if most <= 0:
        return []
    if len(contacts) > most:
        shown = contacts[: most - 1]
        return [*_rows(shown, width), line(f"    and {len(contacts) - len(shown)} more")]
    return _rows(contacts, width)


def _rows(contacts: Sequence[dict[str, Any]], width: int) -> list[Line]:
    wide = _name_width(width)
    return [contact_line(number, contact, wide) for number, contact in enumerate(contacts, 1)]


def _name_width(width: int) -> int:
    """Return how many columns names of contacts have; the longest has sixteen."""
    return NAME_WIDTH + max(0, min(6, width - 84))


def contact_line(number: int, contact: dict[str, Any], wide: int = NAME_WIDTH) -> Line:
    """Return a contact as a row of a list: its number, race, kind, name, stance and where it is."""
    name = contact["name"] if len(contact["name"]) <= wide else f"{contact['name'][: wide - 1]}~"
    stance = STANCES.get(contact["stance"], contact["stance"])
    kind = KINDS.get(contact["kind"], contact["kind"][:4])
    return line(
        f"{number:>3} {contact['race']} {kind} {name:<{wide}} ",
        Span(f"{stance:<7}", STANCE_STYLES.get(contact["stance"], "")),
        f"{contact['distance']:>6.1f}  {course(contact['bearing'])} {contact['speed']:.1f}",
    )


def _target(screen: dict[str, Any]) -> Line:
    target = screen["target"]
    if target is None:
        return line(Span("  no target", "dim"))
    bears = " ".join(target["bears"]) or "nothing"
    text = f"  target: {target['name']}  rel {target['relative']:.1f}  bears: {bears}"
    return line(Span(text, "bold"))


# --- weapons, mission, messages ------------------------------------------------------------


def weapons_line(weapons: Sequence[dict[str, Any]], width: int) -> Line:
    """Return the weapons in a line: in full words where these fit, else in shorter ones."""
    made: Line = ()
    for writing in (_weapon, _weapon_short, _weapon_shortest):
        parts = [writing(weapon) for weapon in weapons]
        made = line(" ")
        for number, part in enumerate(parts):
            made = (*made, Span(" | " if number else ""), part)
        if length(made) <= width:
            break
    return made


def _weapon(weapon: dict[str, Any]) -> Span:
    name = f"{weapon['id']} {TYPES.get(weapon['type'], weapon['type'])}"
    state = weapon["state"]
    if state == "recycling":
        return Span(f"{name} recycling {weapon['ready_in']}", "dim")
    if state != "ready":
        return Span(f"{name} {state}", "red")
    if weapon["lock"] is None:
        return Span(f"{name} ready")
    if not weapon["bears"]:
        return Span(f"{name} {REASONS.get(weapon['why'], weapon['why'])}", "yellow")
    return Span(f"{name} ready lock {weapon['lock']}", "green")


def _weapon_short(weapon: dict[str, Any]) -> Span:
    text, style = _weapon(weapon)
    return Span(text.replace(" ready lock ", " lock ").replace(" recycling ", " wait "), style)


def _weapon_shortest(weapon: dict[str, Any]) -> Span:
    text, style = _weapon_short(weapon)
    return Span(text.partition(" lock ")[0] + (" lock" if " lock " in text else ""), style)


def _mission(screen: dict[str, Any], width: int) -> Line:
    mission = screen["mission"]
    if mission is None:
        wait = screen["next_mission_in"]
        return line(
            Span(" no mission" + (f"; the next in {counted(wait, 'step')}" if wait else ""), "dim")
        )
    where = f"{mission['distance']:.0f} u"
    if mission["target"] != mission.get("final", mission["target"]):
        where = f"first {mission['target']}, {where}"
    facts = [
        where, counted(mission["steps_left"], "step"), counted(mission["reward"], "point"),
    ]  # fmt: skip
    words = f" mission: {mission['task']}"
    # Where to is what matters; what it pays and how long it may take the command `mission` tells.
    while len(facts) > 1 and len(words) + len(_bracketed(facts)) > width:
        facts.pop()
    room = width - len(_bracketed(facts))
    short = words if len(words) <= room else f"{words[: max(0, room - 1)]}~"
    return line(short, _bracketed(facts))


def _bracketed(facts: Sequence[str]) -> str:
    return f"  ({', '.join(facts)})"


def _news(screen: dict[str, Any], sight: Sight, width: int) -> list[Line]:
    """Return the answer to what was typed, hints, orders given, and the latest messages."""
    rows = _notice(sight, width)
    for number, hint in enumerate(screen["hints"]):
        lines = wrapped(f"{'hint: ' if not number else ''}{hint}", width, 2)
        rows += [line(Span(f" {text}", "yellow")) for text in lines]
    if screen["orders"]:
        rows.append(line(Span(f" ordered: {', '.join(screen['orders'])}", "dim")))
    return [*rows, *messages(screen, len(screen["messages"]))]


def messages(screen: dict[str, Any], most: int) -> list[Line]:
    """Return the latest messages, newest first."""
    styles = {"attack": "red", "distress": "yellow", "border": "yellow"}
    return [
        line(Span(f" {row['step']} {row['text']}{_answer(row)}", styles.get(row["icon"], "")))
        for row in screen["messages"][:most]
    ]


def _answer(row: dict[str, Any]) -> str:
    """Return the order that answers a message, for calls that are still open."""
    return f" (respond {row['respond']})" if row["respond"] else ""


# --- the other views -----------------------------------------------------------------------


def _view(
    rows_of: Callable[[dict[str, Any], int, int], list[Line]],
) -> Callable[[dict[str, Any], Sight, int, int], list[Line]]:
    """Return a view that stands under the head, with the answer to what was typed above it."""

    def drawn(screen: dict[str, Any], sight: Sight, width: int, room: int) -> list[Line]:
        rows = _notice(sight, width)
        return [*rows, *rows_of(screen, width, room - len(rows))]

    return drawn


def _all_messages(screen: dict[str, Any], width: int, room: int) -> list[Line]:
    return [line(Span(" messages", "bold")), *messages(screen, room - 1)]


VIEWS: dict[str, Callable[[dict[str, Any], Sight, int, int], list[Line]]] = {
    "srs": _bridge,
    "lrs": _view(views.galaxy),
    "status": _view(views.status),
    "mission": _view(views.mission),
    "messages": _view(_all_messages),
    "help": _view(views.help_text),
}
"""What may stand under the head, by the command that shows it."""
