"""One process of a measured game: ``python -m benchmarks.starship_node primary GALAXY``.

Or ``server URL``, or ``memory SHIPS``. The primary prints its URL and its number of starships, then
does what lines of JSON on its standard input tell it, and answers each with a line.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from typing import Any

import vista
from apps.starship.objects.things import CLASSES
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.state import Settings
from apps.starship.rules.step import advance
from apps.starship.themes import shipped_theme
from benchmarks.children import resident_bytes
from vista import Limits, Node
from vista.shell.command import COLLECT_AFTER_OBJECTS

SEED = 42
INTERVAL = 60.0
"""Seconds between two steps by the clock; the steps that are measured are asked for."""
PATIENCE = ("soft_deadline=98", "hard_deadline=99")
"""A slow machine is measured and not helped."""
WAIT_SECONDS = 600.0
CATCH_UP_SECONDS = 15.0
LOOK_SECONDS = 0.005
"""How often it is looked whether a step is done: each look takes the primary's time."""
LIMITS = Limits(slow_method_seconds=60.0, loss_seconds=60.0, identity_conflict_seconds=90.0)


def begin(galaxy: str) -> tuple[vista.Ref, str, int]:
    """Begin a game; return its primary, where it listens, and its starships."""
    vista.create("PeerRegistry")
    vista.create("AnnounceServices")
    url: str = vista.create("AcceptPeerConnections", "ipc").get_url()
    primary = vista.create("StarshipPrimary", INTERVAL, SEED, f"galaxy={galaxy}", *PATIENCE)
    names = primary.get_things()
    ships = sum(vista.class_of(ref).name == "Starship" for ref in names.values())
    return primary, url, ships


def await_servers(primary: vista.Ref, number: int) -> int:
    """Wait until so many servers get work; return how many do."""
    end = time.monotonic() + WAIT_SECONDS
    step_at = 0.0
    while time.monotonic() < end:
        ready = sum(row["state"] == "ready" for row in primary.get_servers())
        if ready >= number:
            return ready
        if time.monotonic() > step_at:
            # One becomes ready when it tells the hash of a step before the next one.
            make_step(primary)
            step_at = time.monotonic() + CATCH_UP_SECONDS
        vista.sleep(0.05)
    return 0


def make_step(primary: vista.Ref) -> float:
    """Make a step; return the seconds it took."""
    before = primary.get_step()
    began = time.perf_counter()
    primary.step()
    while primary.get_step() == before:
        vista.sleep(LOOK_SECONDS)
    return time.perf_counter() - began


def bytes_of_links() -> int:
    """Return the bytes this node has sent and got over its links."""
    rows = vista.here().describe_peers()
    return sum((row.bytes_sent or 0) + (row.bytes_received or 0) for row in rows)


def lead(galaxy: str) -> None:
    """Be the primary's process until the standard input ends."""
    with Node("primary", limits=LIMITS) as node:
        primary, url, ships = node.call(begin, galaxy)
        _say([url, ships])
        deeds: dict[str, Any] = {
            "ready": lambda number: await_servers(primary, number),
            "step": lambda: make_step(primary),
            "bytes": bytes_of_links,
        }
        for line in sys.stdin:
            name, *words = json.loads(line)
            _say(node.call(deeds[name], *words))


def serve(url: str) -> None:
    """Be a server's process until the standard input ends."""
    with Node("server", limits=LIMITS) as node:

        def join() -> None:
            vista.create("PeerRegistry")
            vista.create("AnnounceServices")
            vista.create("ConnectToPeer", url)
            vista.create("StarshipSecondary")

        node.call(join)
        sys.stdin.read()


def measure_memory(ships: int) -> float:
    """Return the bytes of a ship: in the state, as an object, and as the text that is hashed."""
    settings = Settings(ships=1, bases=1, planets=1, free_planets=1, starships_max=100_000)
    new_game(SEED, shipped_theme(), settings)
    with Node("memory", limits=LIMITS) as node:

        def measure() -> float:
            any_ship = Encoder().thing(_any(settings))
            vista.delete(vista.create(CLASSES["starship"], 1, "", any_ship))
            before = resident_bytes()
            many = Settings(
                ships=max(1, ships // 4), bases=3, planets=6, starships_max=100_000, across=8
            )
            state = new_game(SEED, shipped_theme(), many)
            for _ in range(2):
                state = advance(state)
            encoder = Encoder()
            encoder.digest(state)
            refs = [
                vista.create(CLASSES[thing.kind], thing.meta.id, name, encoder.thing(thing))
                for name, thing in state.objects.items()
            ]
            return (resident_bytes() - before) / len(refs)

        return float(node.call(measure))


def _any(settings: Settings) -> Any:
    state = new_game(SEED, shipped_theme(), settings)
    return next(thing for thing in state.objects.values() if thing.kind == "starship")


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    # As the command ``vista`` does it for every node.
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 10, 10)
    role, word = sys.argv[1:]
    if role == "memory":
        print(measure_memory(int(word)))
    elif role == "primary":
        lead(word)
    else:
        serve(word)
