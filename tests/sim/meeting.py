"""Nodes in a drawn graph whose objects send to one another through faults, and what must hold."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import permutations

import vista
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.peering.peering import Peering
from vista.testing import Failure, Faults, SimulatedNode, World, run_seed

NODES = 4
STORM_SECONDS = 8.0
CALM_SECONDS = 30.0
ROUND_SECONDS = 0.6
RATES = Faults(losses=0.5, partitions=0.1, one_way=0.1, slow_phases=0.1, refusals=0.05, crashes=0.1)


class MeetingGuest(vista.Object):
    """Somebody who is sent numbered messages, and is told which nodes come and go."""

    def create(self, name: str) -> None:
        self.meeting: Meeting = kernel().settings["meeting"]
        self.meeting.instances[name] = self
        self.name = name
        self.last: dict[str, int] = {}
        self.present: set[str] = set()

    def hear(self, sender: str, number: int) -> None:
        self.meeting.heard += 1

    def take(self, sender: str, number: int) -> int:
        self.meeting.note(self, sender, number)
        return number

    def take_slowly(self, sender: str, number: int) -> int:
        self.meeting.note(self, sender, number)
        vista.sleep(1.0)
        return number

    @vista.preemptable
    def peer_registered(self, creator: vista.Ref | None) -> None:
        if creator is not None:
            self.present.add(str(vista.id_of(creator)))

    @vista.preemptable
    def peer_unregistered(self, creator: vista.Ref) -> None:
        self.present.discard(str(vista.id_of(creator)))


@dataclass(eq=False)
class Sent:
    """A call of the meeting: how often it ended, and whether it may wait for more than a node."""

    words: str
    future: Future
    patient: bool
    ends: int = 0


@dataclass(eq=False)
class Meeting:
    """All that was said in a world."""

    world: World
    edges: list[tuple[int, int]]
    guests: dict[str, vista.Ref] = field(default_factory=dict)
    instances: dict[str, MeetingGuest] = field(default_factory=dict)
    kept: dict[str, list[vista.Ref]] = field(default_factory=dict)
    numbers: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent: list[Sent] = field(default_factory=list)
    speaking: bool = True
    heard: int = 0

    # --- what nodes do ---------------------------------------------------------------------

    def boot(self, node: SimulatedNode) -> None:
        """Listen, connect, and speak to everybody for as long as the node lives."""
        number = int(node.name[1:])
        run = f"{node.name}#{len(self.instances):04d}"
        kept = [vista.create("AcceptPeerConnections", f"ipc:/meeting/{node.name}")]
        kept += [
            vista.create("ConnectToPeer", f"ipc:/meeting/n{far}")
            for near, far in self.edges
            if near == number
        ]
        registry = vista.create("PeerRegistry")
        guest = vista.create(MeetingGuest, run)
        self.guests[node.name] = guest
        self.kept[node.name] = kept
        registry.add_notify_when_peer_registered(guest, True)
        node.spawn(self._speak, node, run)

    def _speak(self, node: SimulatedNode, run: str) -> None:
        dice = node.kernel.hub.random
        while self.speaking:
            vista.sleep(ROUND_SECONDS * dice.random() * 2)
            name = dice.choice(sorted(self.guests))
            if name != node.name:
                self._address(node, run, node.kernel.ref(self.guests[name]._id))

    def _address(self, node: SimulatedNode, run: str, guest: vista.Ref) -> None:
        """Send a burst to somebody, of which the order is kept."""
        dice = node.kernel.hub.random
        for _ in range(dice.randrange(1, 6)):
            key = (run, str(guest._id))
            self.numbers[key] = number = self.numbers[key] + 1
            kind = dice.choice(("take", "take", "take_slowly", "post"))
            try:
                if kind == "post":
                    guest.hear.post(run, number)
                else:
                    future = getattr(guest, kind).future(run, number)
                    self._watch(future, f"{key} {number}")
                    node.spawn(self._await, future)
            except vista.CallError as error:
                self.world.note(f"{run} {number} {type(error).__name__}")

    def _await(self, future: Future) -> None:
        """Wait for a call, which must not end by its bound whatever is lost."""
        try:
            future.result()
        except vista.CallTimeout as error:
            self.world.complain(f"it is not told that it was lost: {error}")
        except vista.CallError:
            return

    def _watch(self, future: Future, words: str, *, patient: bool = False) -> None:
        sent = Sent(words, future, patient)
        self.sent.append(sent)

        def note(_: Future) -> None:
            sent.ends += 1

        future.on_done(note)

    # --- what must hold --------------------------------------------------------------------

    def note(self, guest: MeetingGuest, sender: str, number: int) -> None:
        """Take note of a message that arrived, which must be later than the last of its sender."""
        self.heard += 1
        self.world.note(f"{guest.name} hears {number} of {sender}")
        last = guest.last.get(sender, 0)
        if number <= last:
            self.world.complain(f"{guest.name} hears {number} of {sender} after {last}")
        guest.last[sender] = number

    def check_calls(self) -> None:
        """In the calm no call is left that waits for what the storm took."""
        alive = {node.kernel for node in self.world.nodes}
        for sent in self.sent:
            if not (sent.patient or sent.ends) and sent.future.kernel in alive:
                raise Failure(f"{sent.words} does not end in the calm")

    def settle(self) -> None:
        """Do at the beginning of the calm's end what else must hold then."""

    def check_views(self) -> None:
        """Everybody reaches everybody, and was told so."""
        nodes = self.world.nodes
        for node in nodes:
            others = {other.kernel.table.node for other in nodes if other is not node}
            if set(peering_of(node).nodes()) != others:
                raise Failure(f"{node.name} does not reach all: {peering_of(node).nodes()}")
            told = self.instances[self.run_of(node)].present
            if told != {str(ref._id) for ref in peering_of(node).creators()}:
                raise Failure(f"{node.name} was told of {sorted(told)}")

    def run_of(self, node: SimulatedNode) -> str:
        """The name of the guest of a node in its present run."""
        return max(name for name in self.instances if name.startswith(node.name))

    def is_quiet(self) -> bool:
        """Whether nothing waits to leave over any link."""
        links = [link for node in self.world.nodes for link in peering_of(node).links.values()]
        waits = (link.waiting_messages or link.waiting_bytes or link._unsent for link in links)
        return not any(waits)

    def check_tables(self) -> None:
        """Every call ended once, and nothing is left of any."""
        alive = {node.kernel for node in self.world.nodes}
        for sent in self.sent:
            if sent.ends > 1 or (sent.ends == 0 and sent.future.kernel in alive):
                raise Failure(f"{sent.words} ended {sent.ends} times")
        for node in self.world.nodes:
            found = peering_of(node)
            left = (found.calls.pending, found.calls.served, found.ways.holds)
            if any(left):
                raise Failure(f"{node.name} keeps {left}")


def peering_of(node: SimulatedNode) -> Peering:
    """The peering of a node that has one."""
    found = node.kernel.elsewhere
    assert isinstance(found, Peering)
    return found


def _soothe(world: World) -> None:
    """Let no wire be silent for so long by chance that a link over it counts as lost."""
    for one, other in permutations(range(NODES), 2):
        wire = world.network.wire(f"n{one}", f"n{other}")
        wire.conditions = replace(wire.conditions, tail_chance=0.0)


def meet(world: World, kind: type[Meeting] = Meeting) -> Meeting:
    """Let nodes of a drawn graph live through a storm and a calm, and come to rest."""
    dice = world.hub.dice
    edges = [(near, dice.randrange(near)) for near in range(1, NODES)]
    edges += [
        (near, far)
        for near in range(NODES)
        for far in range(NODES)
        if near != far and dice.random() < 0.2
    ]
    meeting = kind(world, edges)
    settings = {"secret_key": b"k" * 32, "meeting": meeting}
    for number in range(NODES):
        world.node(f"n{number}", settings=settings, boot=meeting.boot)
    world.storm(STORM_SECONDS, RATES)
    world.pass_time(STORM_SECONDS)
    world.calm()
    _soothe(world)
    meeting.speaking = False
    world.pass_time(CALM_SECONDS)
    meeting.check_calls()
    meeting.settle()
    meeting.check_views()
    # Pings may wait at this moment or that.
    world.drive(meeting.is_quiet, 10.0)
    meeting.check_tables()
    _end(world, meeting)
    return meeting


def _end(world: World, meeting: Meeting) -> None:
    """Have all links end, after which no timer is left."""
    for node in world.nodes:
        for one in meeting.kept[node.name]:
            one.delete_yourself.post()
    world.pass_time(60.0)
    for node in world.nodes:
        if peering_of(node).links:
            raise Failure(f"{node.name} still has {peering_of(node).links}")
    world.check_rest()


def main(first: int, count: int) -> None:
    """Print ``count`` lines of seed and digest, from seed ``first`` on."""
    for seed in range(first, first + count):
        print(seed, run_seed(meet, seed).digest())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
