"""Servers whose replica plays a faulty one of the core's simulator, over real letters and disks.

The strategies of `apps.solidstate.simulator` know a simulated group. Here each finds in its place a
`Stage`, which carries what it sends over the letters of the server that it plays; the replica and
the keys that it holds are those of that server and of no other one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

from apps.solidstate.objects.server import BUNDLE_OPERATIONS_MAX, STARTED_FILE
from apps.solidstate.objects.service import ObjectService
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.bundles import BundledService
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.events import Event, Received, Tick
from apps.solidstate.pbft.messages import Message
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.service import Service
from apps.solidstate.simulator.forgers import Forging, Storming
from apps.solidstate.simulator.host import Host
from apps.solidstate.simulator.plan import STRATEGIES
from apps.solidstate.simulator.strategies import (
    Corrupting,
    Dragging,
    Equivocating,
    Faulty,
    Inventing,
    Lying,
    Replaying,
    Silent,
    Slow,
    Twins,
    Withholding,
)
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import (
    TIN,
    SimulatedPlace,
    SimulatedPoolMember,
    SimulatedReplicaServer,
)

AMNESIAC, ROTTEN = "amnesiac", "rotten"
"""What is done to a disk while its server is down; what such a server says is what it knows."""


class Stage:
    """What a strategy sees of a group: the server it plays, and through it the others.

    It is the group, its network, its schedule and its checker in one.
    """

    def __init__(self, server: StrategicReplicaServer, dice: Random) -> None:
        config = server._make_config()
        # An odd seed has those that are deaf to one client leave out a backup instead.
        self.plan = SimpleNamespace(seed=2 * dice.getrandbits(8) + 1, epochs=(), config=config)
        self.random = dice
        self.hosts = dict.fromkeys(range(config.replicas))
        self.faulty_keys = {server._number: server._keyring}
        self.network = self.schedule = self.checker = self
        self._server = server

    @property
    def calm(self) -> bool:
        """Whether the storm is over, or has not begun."""
        assert TIN.world is not None
        return not TIN.world.is_stormy

    @property
    def now(self) -> float:
        """The time of the server's clock, in seconds."""
        return self._server._now()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Have something done at a time, if the server lasts."""
        self._server.later(time, action)

    def send(self, _sender: int, to: Principal, message: Message) -> None:
        """Have the server send a message."""
        self._server.say(to, message)

    def sent(self, _sender: int, _message: Message) -> None:
        """Judge nothing."""

    def correct(self) -> list[Host]:
        """The hosts of the others, into which nobody looks here."""
        return []

    def make_service(self) -> Service:
        """Return what another replica of the server would execute."""
        charter = self._server._charter
        objects = ObjectService(self._server._find, charter.founder, reads=charter.unordered_reads)
        return BundledService(objects, BUNDLE_OPERATIONS_MAX)

    def config_of(self, _number: int) -> Config:
        """Return the configuration of the server's replica."""
        config: Config = self.plan.config
        return config


class Part(Host):
    """A host of the simulator without what it surrounds a replica with: the server does that."""

    def __init__(self, group: Any, number: int, keyring: Any, random: Random) -> None:
        self.group, self.number, self.keyring, self.random = group, number, keyring, random
        self.replica: Replica | None = None
        self.passed = False

    def clock(self) -> float:
        """Return the time of the server's clock."""
        return float(self.group.schedule.now)

    def start(self) -> None:
        """Begin; the server has started its replica."""

    def receive(self, sender: Principal, message: Message) -> None:
        """Let a message pass to the replica."""
        self.passed = True

    def handle(self, event: Event) -> None:
        """Leave it to the server."""


class PairedTwins(Twins):
    """Twins that execute what replicas of the runtime do."""

    def start(self) -> None:
        """Start the one beside the server's own."""
        stage: Any = self.group
        config = stage.config_of(self.number)
        self._twin = Replica(config, self.random, self.keyring, stage.make_service())


def _parts(*strategies: type[Faulty]) -> dict[str, type[Any]]:
    # `Part` stands behind the strategy and before `Host`, whose place it takes.
    return {one.__name__.lower(): type(one.__name__, (one, Part), {}) for one in strategies}


PARTS = _parts(
    Silent, Slow, Dragging, Equivocating, Lying, Replaying, Corrupting, Withholding, Inventing,
    Forging, Storming,
)  # fmt: skip
PARTS["twins"] = type("Twins", (PairedTwins, Part), {})
assert {*PARTS, AMNESIAC, ROTTEN} == {*STRATEGIES}


class StrategicReplicaServer(SimulatedReplicaServer, namespace="SolidState"):
    """Plays one of its ``strategies``, which is drawn each time the server starts."""

    strategies: ClassVar[tuple[str, ...]] = STRATEGIES

    def create(self, *args: Any) -> None:
        """Draw the strategy and start."""
        self._part: Any = None
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._dues = 0
        super().create(*args)

    def _start(self) -> None:
        dice = self._place.entropy()
        strategy = dice.choice(self.strategies)
        assert TIN.world is not None
        TIN.world.note(f"replica {self._number} is {strategy}")
        self._part = None
        self._due.clear()
        if strategy in (AMNESIAC, ROTTEN):
            self._harm(strategy)
        super()._start()
        if strategy in PARTS:
            self._play(strategy, dice)

    def _harm(self, strategy: str) -> None:
        """Let the disk have lost everything, or a bit, while the server was down."""
        place = self._place
        assert isinstance(place, SimulatedPlace)
        if strategy == ROTTEN:
            place.medium.corrupt()
        else:
            place.forget(self._folder, STARTED_FILE)

    def _play(self, strategy: str, dice: Random) -> None:
        stage, replica = Stage(self, dice), self._replica
        assert replica is not None
        words = (stage, self._number, self._keyring)
        part = PARTS[strategy](*words) if strategy == "replaying" else PARTS[strategy](*words, dice)
        part.replica = replica
        handle = replica.handle

        def heard(event: Event, now: float) -> Any:
            if isinstance(event, Received):
                part.passed = False
                part.receive(event.sender, event.message)
                if not part.passed:
                    event = Tick()
            part.handle(event)
            return handle(event, now)

        replica.handle = heard  # type: ignore[method-assign]
        self._part = part
        part.start()

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        if self._part is None:
            super()._post(to, messages)
            return
        for data in messages:
            self._part.transmit(to, decode(data))

    def say(self, to: Principal, message: Message) -> None:
        """Send a message as it is."""
        if not self._closed:
            super()._post(to, [encode(message)])

    # --- what comes later ------------------------------------------------------------------

    def later(self, time: float, action: Callable[[], None]) -> None:
        """Do something in the first turn after a time."""
        self._dues += 1
        heapq.heappush(self._due, (time, self._dues, action))

    def _deadline(self) -> float:
        return min(super()._deadline(), self._due[0][0] if self._due else math.inf)

    def _take_turn(self) -> None:
        super()._take_turn()
        while self._due and self._due[0][0] <= self._now() and not self._closed:
            heapq.heappop(self._due)[2]()


class StrategicPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose replica plays a strategy of the simulator."""

    server_class = StrategicReplicaServer


_SERVERS = {
    one: type(f"{one.title()}ReplicaServer", (StrategicReplicaServer,), {"strategies": (one,)})
    for one in STRATEGIES
}
_MEMBERS = {
    one: type(f"{one.title()}PoolMember", (StrategicPoolMember,), {"server_class": server})
    for one, server in _SERVERS.items()
}


def member_of(strategy: str) -> type[SimulatedPoolMember]:
    """Return a machine whose replica plays one strategy."""
    return _MEMBERS[strategy]


def draw_liar(dice: Random) -> type[SimulatedPoolMember]:
    """Draw how a machine is faulty: by habits of its own, or as one of the simulator."""
    return dice.choice((LyingPoolMember, StrategicPoolMember))
