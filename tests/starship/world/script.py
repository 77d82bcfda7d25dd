"""A game whose captains follow a script, on as many servers as wanted: the hashes of its steps.

``python -m tests.starship.world.script SERVERS`` prints them, one a line.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import vista
from apps.starship.game.pool import READY
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import StarshipSecondary
from tests.starship.world.campaign import KEY, POWERS, SIZE
from vista.testing import SimulatedNode, World

SEED = 5
CAPTAINS = 12
STEPS = 6
ADDRESS = "ipc:/script/home"


def hashes(servers: int, steps: int = STEPS) -> list[str]:
    """Return the hash after each step of the scripted game, computed by so many servers.

    The primary's own server is one of them.
    """
    with World(servers) as world:
        home = _add(world, "home")
        home.call(vista.create, "AcceptPeerConnections", ADDRESS)
        primary = home.call(vista.create, StarshipPrimary, 0, SEED, *SIZE)
        for number in range(servers - 1):
            node = _add(world, f"n{number}")
            node.call(lambda: vista.create("ConnectToPeer", ADDRESS).wait(60.0))
            node.call(vista.create, StarshipSecondary)
        found = [_step(world, home, primary, None)]
        for _ in range(60):
            if [row["state"] for row in home.call(primary.get_servers)] == [READY] * servers:
                break
            world.pass_time(1.0)
        dice = random.Random(SEED)
        for captain in range(1, CAPTAINS + 1):
            home.call(primary.enlist, f"Ship{captain:02d}", dice.choice("FKRO"), captain)
        for _ in range(steps - 1):
            found.append(_step(world, home, primary, dice))
        rows = home.call(primary.get_servers)
        assert [row["state"] for row in rows] == [READY] * servers
        assert all(row["done"] for row in rows), "everybody had a share"
        return found


def _add(world: World, name: str) -> SimulatedNode:
    node = world.node(name, settings={"secret_key": KEY})
    node.call(vista.create, "PeerRegistry")
    node.call(vista.create, "AnnounceServices")
    return node


def _step(world: World, home: SimulatedNode, primary: Any, dice: random.Random | None) -> str:
    """Give the script's orders, make a step, and return the hash after it."""
    before = home.call(primary.get_step)
    if dice is not None:
        for captain in range(1, CAPTAINS + 1):
            for number in range(dice.randrange(4)):
                name, *words = _order(dice)
                key = f"{before}-{number}"
                ship = f"Ship{captain:02d}"
                home.call(primary.order, ship, captain, key, name, words)
    home.call(primary.step)
    for _ in range(200):
        world.pass_time(0.05)
        if home.call(primary.get_step) > before:
            break
    found: str = home.call(primary.get_hash)
    return found


def _order(dice: random.Random) -> list[str]:
    angle = dice.randrange(3600)
    return dice.choice(
        [
            ["course", f"{angle // 10}.{angle % 10}"],
            ["speed", f"{dice.randrange(8)}.0"],
            ["shields", dice.choice(("up", "down"))],
            ["power", dice.choice(POWERS)],
            ["dest", "Vulcan"],
        ]
    )


if __name__ == "__main__":
    print(*hashes(int(sys.argv[1])), sep="\n")
