"""Games in a simulated world whose primary is saved, falls, and goes on."""

from __future__ import annotations

from typing import Any

import vista
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import StarshipSecondary
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from tests.peers.system import PROMPT, add_node, dial
from tests.persistence.simulated import Shelf, restart, settings_of
from tests.starship.rules.galaxy import THEME
from vista.testing import SimulatedNode, World

SEED = 42
INTERVAL = 5.0
LOOK_SECONDS = 0.1


def alone(steps: int, seed: int = SEED) -> State:
    """The game computed in one place."""
    state = new_game(seed, THEME)
    for _ in range(steps):
        state = advance(state)
    return state


def add(world: World, name: str, **options: Any) -> SimulatedNode:
    """A node on which a server of a game can live."""
    node = add_node(world, name, **options)
    for service in ("PeerRegistry", "AnnounceServices"):
        node.call(vista.create, service)
    return node


class SavedGame:
    """A primary on a node that keeps its objects, and what it was told to be."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        world.network.conditions = PROMPT
        self.shelf = Shelf()
        self.settings = {"interval": INTERVAL, "seed": SEED, **settings}
        self.node = world.node("home", settings=settings_of(self.shelf, "home"), boot=self._boot)
        self.wait(lambda: self.step() >= 0)

    def _boot(self, node: SimulatedNode) -> None:
        for name in ("PeerRegistry", "AnnounceServices", "PersistenceService"):
            vista.create(name)
        self.url = vista.create("AcceptPeerConnections", "tcp:127.0.0.1:4500").get_url()
        vista.create(StarshipPrimary, **self.settings)

    def wait(self, until: Any, seconds: float = 60.0) -> None:
        """Let time pass until something is so."""
        end = self.world.hub.time() + seconds
        while not until():
            assert self.world.hub.time() < end, "it never was so"
            self.world.pass_time(LOOK_SECONDS)

    @property
    def primary(self) -> vista.Ref:
        """The primary."""
        found: vista.Ref = self.node.call(vista.service, "StarshipPrimary")
        return found

    def step(self) -> int:
        """The step that was committed last, -1 without a primary."""
        try:
            found: int = self.node.call(self.primary.get_step)
        except vista.NoSuchService:
            return -1
        return found

    def hash(self) -> str:
        """The hash of that step's state."""
        found: str = self.node.call(self.primary.get_hash)
        return found

    def fall(self, **settings: Any) -> None:
        """Have the primary's machine fall and come back, perhaps with other settings."""
        self.settings.update(settings)
        self.node = restart(self.world, self.shelf, "home")
        self.wait(lambda: self.step() >= 0)

    def call(self, method: str, *words: Any) -> Any:
        """Send the primary a message."""
        return self.node.call(getattr(self.primary, method), *words)

    def steps(self, count: int) -> None:
        """Let so many steps pass."""
        wanted = self.step() + count
        self.wait(lambda: self.step() >= wanted, 2 * count * INTERVAL + 10)

    def things(self) -> dict[str, Any]:
        """The objects of the galaxy as they are shown."""
        found = self.node.call(self.primary.get_things)
        return {name: self.node.call(ref.get_state) for name, ref in found.items()}


def secondary(game: SavedGame, name: str) -> tuple[SimulatedNode, vista.Ref]:
    """A server of the game on a node of its own."""
    node = game.world.node(name, settings={"secret_key": b"k" * 32})
    node.call(vista.create, "PeerRegistry")
    node.call(vista.create, "AnnounceServices")
    made = dial(node, game.url)
    node.call(lambda: made.wait(60.0))
    return node, node.call(vista.create, StarshipSecondary)


__all__ = ["INTERVAL", "SEED", "SavedGame", "add", "alone", "digest", "secondary"]
