"""The objects of a game say who computed them, on every node."""

from __future__ import annotations

from typing import Any

import vista
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import StarshipSecondary
from tests.peers.system import PROMPT, join
from tests.starship.objects.games import add
from vista.testing import SimulatedNode, World


def test_an_object_says_on_every_node_which_servers_computed_it() -> None:
    with World(3) as world:
        world.network.conditions = PROMPT
        home, near = (add(world, name) for name in ("home", "near"))
        join(near, home)
        primary = home.call(vista.create, StarshipPrimary, 5.0, 42, "ai_per_race=2")
        server = near.call(vista.create, StarshipSecondary)
        world.pass_time(18.0)
        ids = {row["id"] for row in home.call(primary.get_servers)}
        assert len(ids) == 2
        ours, theirs = said(home, primary), said(near, server)
        assert ours == theirs
        authors = {author for row in ours.values() for author in row.values()}
        assert authors == ids, "both had a share"
        assert all(list(row) == ["nav", "tac", "com"] for row in ours.values())


def said(node: SimulatedNode, holder: vista.Ref) -> dict[str, dict[str, Any]]:
    """What the ships of a node say; what no step changed says nothing yet."""
    things = node.call(holder.get_things)
    found = {name: node.call(ref.get_computed_by) for name, ref in things.items()}
    return {name: row for name, row in found.items() if row}
