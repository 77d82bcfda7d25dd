"""A game with its site, as a process: ``python -m benchmarks.starship_served INTERVAL PLAYERS``.

Prints the port, and then a line of JSON for each step: its number, and when it was committed, in
seconds of the system's clock that runs evenly. Ends with its input.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import vista
from vista import Limits, Node, Object, Ref

SEED = 42
SHIPS_OF_COMPUTERS = 40
PLENTY = (
    "requests_per_second=1000000", "requests_burst=1000000", "ships_burst=1000000",
    "streams_per_address=10000", "streams_max=10000",
)  # fmt: skip
"""Bounds of the site: all players of the benchmark have one address."""


class StepClock(Object, namespace="Benchmarks"):
    """Tells when a step was committed."""

    def create(self, server: Ref) -> None:
        """Watch."""
        server.add_watcher(vista.self_ref(self))

    def step_committed(self, step: int) -> None:
        """Print it."""
        print(json.dumps({"step": step, "at": time.monotonic()}), flush=True)


def serve(interval: float, players: int) -> int:
    """Begin a game with room for so many players; return the port of its site."""
    daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "localhost")
    setup = vista.create("StarshipHTTPsetup", "localhost", *PLENTY)
    vista.create(
        "StarshipPrimary",
        interval,
        SEED,
        max_starships=players + SHIPS_OF_COMPUTERS,
        human_reserve=players,
    )
    while (server := setup.get_server()) is None or server.get_step() < 0:
        vista.sleep(0.01)
    # The first of those that are told of a step, so that nothing is drawn before it.
    server.remove_watcher(setup.get_site().get_streams())
    vista.create(StepClock, server)
    server.add_watcher(setup.get_site().get_streams())
    return int(daemon.get_address().rpartition(":")[2])


def _main() -> None:
    logging.disable(logging.WARNING)
    interval, players = float(sys.argv[1]), int(sys.argv[2])
    with Node("game", limits=Limits(slow_method_seconds=60.0)) as node:
        print(node.call(serve, interval, players), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main()
