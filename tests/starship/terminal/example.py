"""The screen of the design's example, section 15, and a bridge as a game makes it."""

from __future__ import annotations

from typing import Any

from apps.starship.display.screen import Look, screen_of
from apps.starship.rules.objects import Thing
from tests.starship.rules.galaxy import galaxy, thing

LINES = """\
 Federation Starship Lexington    step 1234   B2 Federation   orders left: 3
 ALERT: YELLOW   shields UP   bow100 sb 96 sq100 st100 pq100 pb 87
 energy 812/1000 -4   hull 241/250   crew 97   supplies 388   torps 11   points 140
 course 045.0 speed 6.0   want: Vulcan 7.0   turn limit 40.9  stop 72.8
 +------- short range 300 -------+  contacts (n next, l lock)         dist  brg
 |                               |  1 K ship Gath       enemy   118.2  044.1 6.0
 |         *Vulcan               |  2 F plnt Vulcan     friend  210.7  351.0 0.0
 |               ^               |  3 O ship Jackdaw    enemy   288.0  120.4 3.5
 |                    K          |  target: Gath  rel 359.1  bears: P1 T1 T2
 +-------------------------------+
 P1 phaser ready lock Gath | P2 phaser arc | T1 torp recycling 2 | T2 torp ready
 mission: deliver 50 supplies to Lyria  (402 u, 118 steps, 31 points)
 1233 Hit by Gath D1: 20, bow held
 1232 DISTRESS Yorktown B3 brg 180 dist 412 attackers 2
 > fire t2
""".splitlines()
"""The example, but for its map of the surroundings, which is a sketch: here the ship stands in the
middle and nothing has a dot."""
WIDE = 83
"""The third line has 83 columns: on 80 its parts stand nearer."""


def _gauge(value: int, most: int) -> dict[str, Any]:
    return {"value": value, "max": most, "percent": 100, "level": "green"}


def _contact(
    name: str, race: str, kind: str, stance: str, distance: float, bearing: float, speed: float,
    at: tuple[float, float],
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name, "full_name": name, "race": race, "kind": kind, "x": at[0], "y": at[1],
        "distance": distance, "bearing": bearing, "relative": 359.1, "heading": 0.0,
        "speed": speed, "stance": stance, "fleet": None, "distress": False, "captain": "computer",
        "label": name, "valid_target": True,
    }  # fmt: skip


def _weapon(name: str, kind: str, state: str, lock: str | None, why: str) -> dict[str, Any]:
    return {
        "id": name, "type": kind, "state": state, "ready_in": 2, "health": 100, "lock": lock,
        "bears": not why, "why": why, "can_fire": True, "refusal": "",
    }  # fmt: skip


def example() -> dict[str, Any]:
    """The screen of the example."""
    ship = thing("Lexington", at=(1_000_000, 1_000_000), heading=450, speed=60)
    screen = screen_of(galaxy(ship, step=1234), "Lexington", Look(mode="captain", left=3))
    assert screen is not None
    gath = _contact("Gath", "K", "starship", "enemy", 118.2, 44.1, 6.0, (1100.0, 800.0))
    vulcan = _contact("Vulcan", "F", "planet", "friend", 210.7, 351.0, 0.0, (880.0, 1100.0))
    jackdaw = _contact("Jackdaw", "O", "starship", "enemy", 288.0, 120.4, 3.5, (2000.0, 0.0))
    percents = (100, 96, 100, 100, 100, 87)
    facings = [
        {**row, "percent": percent}
        for row, percent in zip(screen["shields"]["facings"], percents, strict=True)
    ]
    return {
        **screen,
        "ship": {**screen["ship"], "quadrant": "B2", "owner_name": "Federation"},
        "alert": {"level": "yellow"},
        "shields": {"up": True, "facings": facings},
        "status": {
            **screen["status"], "energy": _gauge(812, 1000), "net": -4, "net_level": "yellow",
            "hull": _gauge(241, 250), "crew": _gauge(97, 100), "supplies": _gauge(388, 500),
            "ammo": _gauge(11, 12), "points": 140,
        },
        "nav": {
            "course": 45.0, "speed": 6.0, "want_course": 0.0, "want_speed": 7.0, "dest": "Vulcan",
            "point": None, "turn_limit": 40.9, "stopping": 72.8, "top_speed": 8.0,
        },
        "srs": {
            "radius": 300, "contacts": [gath, vulcan, jackdaw], "beams": [], "explosions": [],
            "borders": [], "quadrants": [],
        },
        "target": {**gath, "bears": ["P1", "T1", "T2"], "eta": 4, "truce": 0, "lock_refusal": ""},
        "weapons": [
            _weapon("P1", "phaser", "ready", "Gath", ""),
            _weapon("P2", "phaser", "ready", "Gath", "out of arc"),
            _weapon("T1", "torpedo", "recycling", "Gath", ""),
            _weapon("T2", "torpedo", "ready", None, "no lock"),
        ],
        "mission": {
            "kind": "deliver", "task": "deliver 50 supplies to Lyria", "target": "Lyria",
            "final": "Lyria", "x": 0.0, "y": 0.0, "distance": 402.0, "bearing": 0.0,
            "steps_left": 118, "reward": 31, "stage": 1, "stages": 2, "progress": 0, "needed": 0,
        },
        "messages": [
            _message(1233, "attack", "Hit by Gath D1: 20, bow held"),
            _message(1232, "distress", "DISTRESS Yorktown B3 brg 180 dist 412 attackers 2"),
        ],
        "hints": [],
    }  # fmt: skip


def _message(step: int, icon: str, text: str) -> dict[str, Any]:
    return {
        "step": step, "group": "tac", "seq": 0, "key": icon, "icon": icon, "text": text,
        "respond": None,
    }  # fmt: skip


def bridge(
    *others: Thing, look: Look | None = None, step: int = 9, **changes: Any
) -> dict[str, Any]:
    """The bridge of the Lexington among others, as the game makes it."""
    ship = thing("Lexington", **changes)
    look = look or Look(mode="captain", left=3)
    screen = screen_of(galaxy(ship, *others, step=step), "Lexington", look)
    assert screen is not None
    return screen
