"""Servers of a game without a primary in a simulated world."""

from __future__ import annotations

from typing import Any

import vista
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.places import AnyPlace
from apps.starship.replicated.server import StarshipServer
from tests.peers.system import PROMPT, add_node
from tests.solidstate.objects.pool import (
    SimulatedCreateReplicas,
    SimulatedPlace,
    SimulatedPoolMember,
    use,
)
from vista.testing import SimulatedNode, World

GROUP = "starship"
SEED = 7
INTERVAL = 1.0
SIZE = ("ai_per_race=2", "max_starships=64", "human_reserve=32")
NAMES = ("s1", "s2", "s3", "s4")
START_SECONDS = 60.0


class SimulatedStarshipServer(StarshipServer, namespace="StarShip"):
    """A server on a simulated disk."""

    founder_class = SimulatedCreateReplicas

    def _make_place(self, directory: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())


class Fleet:
    """Four machines, each with a replica and a server of the game.

    ``members`` and ``servers`` make a machine's another one than the usual.
    """

    def __init__(
        self,
        world: World,
        members: dict[str, type[ReplicaPoolMember]] | None = None,
        servers: dict[str, type[StarshipServer]] | None = None,
    ) -> None:
        use(world)
        world.network.conditions = PROMPT
        self.world = world
        self._members, self._servers = members or {}, servers or {}
        self.honest = [name for name in NAMES if name not in self._servers]
        for name in NAMES:
            add_node(world, name, boot=self._boot)
        self.until(lambda: all(self.step(name) >= 1 for name in self.honest), START_SECONDS)

    def _boot(self, node: SimulatedNode) -> None:
        """What the rc file of a machine does."""
        vista.create("PeerRegistry")
        vista.create("AnnounceServices")
        vista.create("AcceptPeerConnections", f"ipc:{node.name}")
        for other in NAMES:
            if other != node.name:
                vista.create("ConnectToPeer", f"ipc:{other}")
        vista.create(self._members.get(node.name, SimulatedPoolMember), GROUP)
        number = NAMES.index(node.name) + 1
        server = self._servers.get(node.name, SimulatedStarshipServer)
        vista.create(server, GROUP, "data", number, str(INTERVAL), str(SEED), *SIZE)

    # --- machines --------------------------------------------------------------------------

    def node(self, name: str) -> SimulatedNode:
        """The machine of this name as it is at present."""
        return next(node for node in self.world.nodes if node.name == name)

    def there(self) -> list[str]:
        """The machines that run and are honest."""
        return [name for name in self.honest if name not in self.world.crashed]

    def ref(self, name: str) -> Any:
        """The server on a machine."""
        found = [row for row in self.node(name).call(vista.objects) if _is_server(row.class_name)]
        return self.node(name).call(vista.ref_of, found[0].id) if found else None

    def ask(self, name: str, method: str, *args: Any) -> Any:
        """Ask the server on a machine, on that machine."""
        ref = self.ref(name)
        return self.node(name).call(lambda: vista.send(ref, method, *args))

    def step(self, name: str) -> int:
        """The step that a server shows, -1 where it shows none."""
        return -1 if self.ref(name) is None else int(self.ask(name, "get_step"))

    def until(self, condition: Any, seconds: float) -> None:
        """Let time pass until something is so."""
        for _ in range(round(seconds / 0.25)):
            if condition():
                return
            self.world.pass_time(0.25)
        raise AssertionError(f"it never was so: {[self.step(name) for name in self.there()]}")

    def pass_steps(self, count: int, seconds: float = 60.0) -> None:
        """Let time pass until all machines that run are so many steps further."""
        after = max(self.step(name) for name in self.there()) + count
        self.until(lambda: min(self.step(name) for name in self.there()) >= after, seconds)

    def hashes(self) -> set[tuple[int, str]]:
        """Steps and hashes of all machines that run, when all show the same step."""
        for _ in range(200):
            found = {self._hash(name) for name in self.there()}
            if len({step for step, _hash in found}) == 1:
                return found
            self.world.pass_time(0.1)
        raise AssertionError(f"they never show the same step: {found}")

    def _hash(self, name: str) -> tuple[int, str]:
        ref = self.ref(name)
        return self.node(name).call(lambda: (ref.get_step(), ref.get_hash()))  # type: ignore[no-any-return]


def _is_server(class_name: str) -> bool:
    return class_name.rpartition(".")[2].endswith("StarshipServer")
