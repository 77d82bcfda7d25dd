"""The pages for spectators: what a server knows, as pages or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import vista
from apps.starship.pages.galaxy_page import TRAIL_STEPS, map_page
from apps.starship.pages.leaderboard_page import leaderboard_page
from apps.starship.pages.replay_page import replay_page, wanted_step
from apps.starship.pages.servers_page import servers_page

Asked = Mapping[str, str]
STEP_DIGITS_MAX = 15
"""Digits of a step in a query: more steps than a game has in a million years."""


def read_step(asked: Asked, name: str) -> int:
    """Return the number of a step that a query names, -1 for none."""
    text = asked.get(name, "")
    fits = text.isascii() and text.isdecimal() and len(text) <= STEP_DIGITS_MAX
    return int(text) if fits else -1


def _map(server: vista.Ref, asked: Asked) -> str:
    shown = json.loads(server.get_map())
    frames = json.loads(server.get_frames(shown["step"] - TRAIL_STEPS, shown["step"]))
    return map_page(shown, asked, frames)


def _leaderboard(server: vista.Ref, asked: Asked) -> str:
    return leaderboard_page(json.loads(server.get_table()), server.get_step(), asked)


def _replay(server: vista.Ref, asked: Asked) -> str:
    step = wanted_step(asked)
    frames = json.loads(server.get_frames(step, step))
    return replay_page(frames, asked, interval=server.get_interval())


def _servers(server: vista.Ref, asked: Asked) -> str:
    return servers_page(json.loads(server.get_servers_table()), asked)


PAGES: dict[str, Callable[[vista.Ref, Asked], str]] = {
    "map": _map,
    "leaderboard": _leaderboard,
    "replay": _replay,
    "servers": _servers,
}
"""Pages by name; all of them take what the query asks for."""


def data(server: vista.Ref, name: str, asked: Asked) -> str:
    """Return what a page shows, as JSON, for scripts and other programs."""
    found: str
    if name == "map":
        found = server.get_map()
    elif name == "leaderboard":
        found = server.get_table()
    elif name == "replay":
        found = server.get_frames(read_step(asked, "from"), read_step(asked, "to"))
    else:
        found = server.get_servers_table()
    return found
