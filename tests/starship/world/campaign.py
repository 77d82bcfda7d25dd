"""A game on five nodes with thirty captains, through a storm into a calm; all of it from one seed.

Servers join late, crash at any point of a step, lose links or crawl along them. The primary crashes
at any point of a step too, and goes on with what its disk held. Captains send each order until it
was answered, through whatever node is there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import vista
from apps.starship.game.events import Committed
from apps.starship.game.pool import READY
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import StarshipSecondary
from tests.persistence.simulated import Shelf, settings_of
from tests.starship.world.book import Answer, Book, Order
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.testing import Failure, Faults, SimulatedNode, World

HOME = "home"
SERVERS = ("alpha", "beta", "gamma", "delta")
INTERVAL = 5.0
STORM_STEPS = 12
CALM_STEPS_MAX = 30
"""Steps in which all servers must be ready again; a silent link is given up after a while."""
CAPTAINS = 30
CALL_SECONDS = 20.0
"""After how long a captain asks again, through another node."""

FAULTS = Faults(
    losses=0.05, partitions=0.01, one_way=0.01, slow_phases=0.05, refusals=0.01, crashes=0.03,
    lasting_seconds=4.0, down_seconds=4.0, down_max=2, spared=(HOME,),
)  # fmt: skip
SIZE = ("ai_per_race=3", "human_reserve=36", "max_starships=48")
"""A galaxy with room for every captain and few others, so that a run takes a second."""

KEY = b"k" * 32
ADDRESS = "ipc:/campaign/home"

POWERS = ("balanced", "weapons", "shields", "engines")


class CampaignPrimary(StarshipPrimary, namespace="StarShip"):
    """A primary whose steps are written into the book of its world."""

    def create(self, *words: Any, **named: Any) -> None:
        """Begin a game as any primary does."""
        super().create(*words, **named)
        kernel().settings["book"].watch(self._conductor)

    def _show(self, done: Committed) -> None:
        """Tell of a step: from here on it must not be lost."""
        if kernel().settings["disk"].mounted:
            # What a dying node still does nobody hears.
            book: Book = kernel().settings["book"]
            book.told = max(book.told, done.state.step)
        super()._show(done)


@dataclass
class Captain:
    """Somebody at a browser: a number, the ship he has, and what he has asked and not heard."""

    number: int
    lives: int = 0
    ship: str = ""
    waiting: Order | None = None
    keys: int = 0

    @property
    def name(self) -> str:
        """The name of his next ship."""
        return f"P{self.number:02d}-{self.lives}"


@dataclass(eq=False)
class Asked:
    """A call that is under way."""

    captain: Captain
    order: Order | None
    name: str
    future: Future
    since: float


@dataclass(eq=False)
class Campaign:
    """One game; `run` it."""

    world: World
    seed: int
    storm_steps: int = STORM_STEPS
    captains: int = CAPTAINS
    faults: Faults = FAULTS
    book: Book = field(init=False)
    calls: list[Asked] = field(default_factory=list)
    promised: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    server_refs: dict[str, vista.Ref] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    falls: int = 0
    ends: dict[str, str] = field(default_factory=dict)
    """The hash of the last state that was looked at, by node."""

    def __post_init__(self) -> None:
        self.book = Book(self.world.complain)
        self.dice = self.world.hub.dice
        self.people = [Captain(number) for number in range(1, self.captains + 1)]

    # --- nodes -----------------------------------------------------------------------------

    def add(self, name: str) -> SimulatedNode:
        """Make a node that is a server, or the primary's."""
        settings = {"secret_key": KEY, "book": self.book}
        if name == HOME:
            settings = {**settings_of(self.shelf, HOME), "book": self.book}
        boot = self.boot_home if name == HOME else self.boot_server
        return self.world.node(name, settings=settings, boot=boot)

    def boot_home(self, node: SimulatedNode) -> None:
        """Be the primary's node."""
        vista.create("PeerRegistry")
        vista.create("AnnounceServices")
        vista.create("PersistenceService")
        vista.create("AcceptPeerConnections", ADDRESS)
        self.primary = vista.create(CampaignPrimary, INTERVAL, self.seed, *SIZE)

    def boot_server(self, node: SimulatedNode) -> None:
        """Be a server's node, each time it comes back."""
        vista.create("PeerRegistry")
        vista.create("AnnounceServices")
        self.link = vista.create("ConnectToPeer", ADDRESS)
        self.server_refs[node.name] = vista.create(StarshipSecondary)

    def there(self) -> list[SimulatedNode]:
        """The nodes that run."""
        return [node for node in self.world.nodes if not node.stopped]

    # --- a run -----------------------------------------------------------------------------

    def run(self) -> Book:
        """Play the storm and the calm; what must not be stops the world."""
        self.add(HOME)
        self.world.drive(lambda: self.book.lives > 0, INTERVAL)
        coming = list(SERVERS)
        self.dice.shuffle(coming)
        for _ in range(self.dice.randint(0, 4)):
            self.add(coming.pop())
        self.world.pass_time(0.5)
        self.world.storm(self.storm_steps * INTERVAL, self.faults)
        while self.book.state.step < self.storm_steps:
            if coming and self.dice.random() < 0.3:
                self.add(coming.pop())
            self.play_step()
        self.world.calm()
        self.soothe()
        for name in self.crashed:
            if name in self.world.crashed:
                self.world.restart(name)
        for name in coming:
            self.add(name)
        self.come_to_rest()
        return self.book

    def soothe(self) -> None:
        """Let no wire be silent for so long by chance that a link over it counts as lost."""
        for one, other in permutations((HOME, *SERVERS), 2):
            wire = self.world.network.wire(one, other)
            wire.conditions = replace(wire.conditions, tail_chance=0.0)

    def play_step(self) -> None:
        """One interval: captains order at any time of it, and somebody may crash amidst a step."""
        step = self.book.state.step
        doomed = self.dice.random() < 0.25
        for _ in range(self.dice.randint(1, 3)):
            self.act()
            self.world.pass_time(INTERVAL * self.dice.random() / 3)
        self.world.hub.drive(lambda: self.book.begun > step, INTERVAL)
        if doomed:
            # Before it got its share, while it computes, or while what it made is on its way.
            self.world.pass_time(self.dice.choice((0.0, 0.0005, 0.002, 0.005, 0.02, 0.1, 2.1)))
            self.crash_one()
        if self.dice.random() < 0.15:
            # Before shares are out, while results come, while the step is saved, after it.
            self.world.pass_time(self.dice.choice((0.0, 0.0005, 0.002, 0.005, 0.02, 0.1, 2.1)))
            self.crash_primary()
        self.act()
        self.world.hub.drive(lambda: self.book.state.step > step, INTERVAL)

    def crash_one(self) -> None:
        """Kill a server; bring back who was killed before."""
        names = [node.name for node in self.there() if node.name != HOME]
        for name in [name for name in self.crashed if name in self.world.crashed]:
            self.crashed.remove(name)
            self.world.restart(name)
        if names:
            name = self.dice.choice(names)
            self.crashed.append(name)
            self.world.crash(name)

    def crash_primary(self) -> None:
        """Kill the primary, and bring it back after a while with what its disk held."""
        self.world.crash(HOME)
        self.shelf.user = None
        self.shelf.fall(self.dice.randint(0, len(self.shelf.later)))
        self.world.pass_time(self.dice.choice((0.1, 1.0, 7.0)))
        # What it answered just before may still have come; all else is asked again.
        self.hear()
        self.calls.clear()
        lives = self.book.lives
        self.world.restart(HOME)
        self.world.drive(lambda: self.book.lives > lives, 3 * INTERVAL)
        self.falls += 1
        # What was promised for a step that was never made.
        for name in [name for name in self.promised if not self.book.enlisted[name]]:
            del self.promised[name]

    def come_to_rest(self) -> None:
        """Let time pass until every server is ready and every order is answered."""
        for _ in range(CALM_STEPS_MAX):
            self.act()
            self.world.pass_time(INTERVAL)
            if self.is_at_rest():
                break
        else:
            raise Failure(f"the game does not come to rest: {self.unrest()}")
        step = self.book.state.step
        self.world.hub.drive(lambda: self.book.state.step > step + 1, 3 * INTERVAL)
        self.world.pass_time(INTERVAL / 2)
        self.book.check_orders()
        self.book.check_captains(self.promised)
        self.check_servers()

    def is_at_rest(self) -> bool:
        """Tell whether everybody is there and has been heard."""
        return not self.unrest()

    def unrest(self) -> str:
        assert self.book.conductor is not None, "the game has begun"
        states = [hand.state for hand in self.book.conductor.pool.hands.values()]
        waiting = [order.key for order in self.book.orders.values() if order.answer is None]
        if states != [READY] * 5:
            return f"servers are {states}"
        return f"orders are not answered: {waiting}" if waiting else ""

    # --- captains --------------------------------------------------------------------------

    def act(self) -> None:
        """Let some captains do something, and hear what they were told."""
        self.hear()
        for captain in self.dice.sample(self.people, len(self.people) // 3):
            if any(asked.captain is captain for asked in self.calls):
                continue
            self.look_after(captain)
            if captain.waiting is not None:
                self.send(captain, captain.waiting)
            elif captain.ship and self.book.state.step < self.storm_steps:
                self.order(captain)

    def hear(self) -> None:
        """Take the answers that have come; what is lost will be sent again."""
        for asked in list(self.calls):
            if asked.future.done():
                self.calls.remove(asked)
                if asked.future._error is None:
                    self.note(asked, asked.future._value)
            elif self.world.time - asked.since > CALL_SECONDS:
                self.calls.remove(asked)

    def note(self, asked: Asked, value: Any) -> None:
        captain, order = asked.captain, asked.order
        if order is None:
            if value[0]:
                self.promised[asked.name] = 1
            return
        answer = Answer(*value)
        known = order.answer
        if known is not None and known != answer and answer.code != "E_ARG":
            self.world.complain(f"order {order.key} got {known} and then {answer}")
        order.answer = known or answer
        if captain.waiting is order:
            captain.waiting = None
        if self.dice.random() < 0.1 and known is None and self.lives(captain):
            # He submits it twice.
            self.send(captain, order)

    def lives(self, captain: Captain) -> bool:
        found = self.book.state.objects.get(captain.ship)
        return found is not None and found.alive and found.meta.captain == captain.number

    def look_after(self, captain: Captain) -> None:
        """See whether his ship is there; ask for one if it is not."""
        if captain.ship and not self.lives(captain):
            captain.lives, captain.ship = captain.lives + 1, ""
        if not captain.ship:
            made = self.book.state.objects.get(captain.name)
            if made is not None:
                captain.ship = captain.name
            elif captain.waiting is None and self.book.state.step < self.storm_steps:
                race = self.dice.choice("FKRO")
                self.call(captain, None, "enlist", captain.name, race, captain.number)

    def order(self, captain: Captain) -> None:
        """Think of an order."""
        number = self.dice.randrange(3600)
        name, *words = self.dice.choice(
            [
                ["course", f"{number // 10}.{number % 10}"],
                ["course", f"{number // 10}.{number % 10}"],
                ["speed", f"{number % 7}.0"],
                ["shields", self.dice.choice(("up", "down"))],
                ["power", self.dice.choice(POWERS)],
                ["course", "360.0"],
            ]
        )
        captain.keys += 1
        key = f"{captain.number}-{captain.keys}"
        order = Order(captain.ship, captain.number, key, name, words)
        self.book.orders[key] = captain.waiting = order
        self.send(captain, order)

    def send(self, captain: Captain, order: Order) -> None:
        words = order.ship, order.captain, order.key, order.name, order.words
        self.call(captain, order, "order", *words)

    def call(self, captain: Captain, order: Order | None, method: str, *words: Any) -> None:
        """Ask the primary through any node there is."""
        there = self.there()
        if not there:
            return
        node = self.dice.choice(there)

        def ask() -> Any:
            with vista.timeout(CALL_SECONDS):
                return vista.send("StarshipPrimary", method, *words)

        future = node.spawn(ask)
        name = captain.name if order is None else order.key
        self.calls.append(Asked(captain, order, name, future, self.world.time))

    # --- at the end ------------------------------------------------------------------------

    def check_servers(self) -> None:
        """Every server has the primary's state, and the same objects with the same Ids."""
        for _ in range(CALM_STEPS_MAX):
            if self.are_same():
                return
            # One of them is a step behind: its link is slow.
            self.world.pass_time(1.0)
        self.world.complain("servers stay behind the primary")

    def are_same(self) -> bool:
        home = next(node for node in self.world.nodes if node.name == HOME)
        step = home.call(self.primary.get_step)
        hashes = {done.state.step: done.hash for done in self.book.commits}
        ours = identities(home.call(self.primary.get_things))
        for name in SERVERS:
            node = next(node for node in self.world.nodes if node.name == name)
            server = self.server_refs[name]
            theirs, there = node.call(server.get_step), node.call(server.get_hash)
            self.ends[HOME], self.ends[name] = hashes[step], there
            found = identities(node.call(server.get_things))
            if theirs != step or home.call(self.primary.get_step) != step:
                return False
            if there != hashes[step]:
                self.world.complain(f"{name} has another state after step {step}")
            if found != ours:
                other = sorted(ours.items() ^ found.items())
                self.world.complain(f"{name} has other objects at the end: {other[:6]}")
        return True


def identities(things: dict[str, vista.Ref]) -> dict[str, str]:
    """Return the Ids of objects by name."""
    return {name: str(vista.id_of(ref)) for name, ref in things.items()}


def campaign(world: World) -> Book:
    """Play a whole game in a world."""
    return Campaign(world, world.seed).run()
