"""A meeting at which objects move and are copied, also while links break and nodes crash."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import vista
from tests.sim.meeting import CALM_SECONDS, Meeting, meet, peering_of
from vista.kernel.current import kernel
from vista.kernel.table import DEPARTING, Record
from vista.testing import Event, Failure, SimulatedNode, World, run_seed

TRAVEL_SECONDS = 0.8
MOVE_SECONDS = 10.0
COPY_SECONDS = 1.5
REST_SECONDS = 40.0

State = frozenset[tuple[str, int]]
Tables = list[tuple[str, dict[bytes, Record]]]


class MeetingNomad(vista.Object):
    """Somebody who is sent numbered messages wherever he is."""

    def create(self, name: str) -> None:
        self.name = name
        self.last: dict[str, int] = {}
        self._note_state()

    def hear(self, sender: str, number: int) -> None:
        """Take a post: it may be overtaken by what is sent when a way has broken."""

    def take(self, sender: str, number: int) -> int:
        self._note(sender, number)
        return number

    def take_slowly(self, sender: str, number: int) -> int:
        self._note(sender, number)
        vista.sleep(1.0)
        return number

    def _note(self, sender: str, number: int) -> None:
        meeting: NomadMeeting = kernel().settings["meeting"]
        meeting.world.note(f"{self.name} at {kernel().name} takes {number} of {sender}")
        last = self.last.get(sender, 0)
        if number <= last:
            meeting.world.complain(f"{self.name} takes {number} of {sender} after {last}")
        self.last[sender] = number
        self._note_state()

    def _note_state(self) -> None:
        meeting: NomadMeeting = kernel().settings["meeting"]
        meeting.states[self.name].add(frozenset(self.last.items()))


class MeetingRelic(vista.Object):
    """Something that changes now and then, and of which nodes keep replicas."""

    def create(self, name: str) -> None:
        self.name = name
        self.last: dict[str, int] = {}
        self._note_state()

    def wear(self) -> None:
        """Change."""
        self.last["wear"] = self.last.get("wear", 0) + 1
        self._note_state()

    def _note_state(self) -> None:
        meeting: NomadMeeting = kernel().settings["meeting"]
        meeting.states[self.name].add(frozenset(self.last.items()))


@dataclass(eq=False)
class NomadMeeting(Meeting):
    """A meeting where each run of a node has brought a nomad and a relic.

    ``nomads`` and ``relics`` are their Ids by name. ``states`` has, by the name of an original,
    what it knew at any time; ``copies`` are those that were made for sure, of ``copies_asked``.
    """

    nomads: dict[str, vista.Id] = field(default_factory=dict)
    relics: dict[str, vista.Id] = field(default_factory=dict)
    states: dict[str, set[State]] = field(default_factory=lambda: defaultdict(set))
    copies: set[vista.Id] = field(default_factory=set)
    copies_asked: int = 0
    replicas: int = 0
    moved: int = 0

    def __post_init__(self) -> None:
        self.world.watch(self._look)

    def boot(self, node: SimulatedNode) -> None:
        super().boot(node)
        name = f"nomad of {self.run_of(node)}"
        self.nomads[name] = vista.id_of(vista.create(MeetingNomad, name))
        relic = f"relic of {self.run_of(node)}"
        self.relics[relic] = vista.id_of(vista.create(MeetingRelic, relic))
        node.spawn(self._drive, node)
        node.spawn(self._copy, node)

    def _drive(self, node: SimulatedNode) -> None:
        """Move nomads as long as the node lives."""
        dice = node.kernel.hub.random
        while self.speaking:
            vista.sleep(TRAVEL_SECONDS * dice.random() * 2)
            name = dice.choice(sorted(self.nomads))
            to = dice.choice([vista.here(), *vista.peers()])
            try:
                with vista.timeout(MOVE_SECONDS):
                    vista.move(node.kernel.ref(self.nomads[name]), to, 2.0)
            except vista.CallError as error:
                self.world.note(f"{name} does not move: {type(error).__name__}")
            else:
                self.moved += 1

    def _copy(self, node: SimulatedNode) -> None:
        """Copy nomads beside themselves, and keep a replica of a relic or let it go."""
        dice = node.kernel.hub.random
        while self.speaking:
            vista.sleep(COPY_SECONDS * dice.random() * 2)
            name = dice.choice(sorted(self.nomads))
            relic = node.kernel.ref(self.relics[dice.choice(sorted(self.relics))])
            try:
                with vista.timeout(MOVE_SECONDS):
                    self.copies_asked += 1
                    self.copies.add(vista.copy(node.kernel.ref(self.nomads[name]))._id)
                    if relic._id.node == node.kernel.table.node:
                        relic.wear()
                    else:
                        self._change_replica(relic, is_here=relic._id in node.kernel.table.records)
            except vista.VistaError as error:
                self.world.note(f"{name} is not copied: {type(error).__name__}")

    def _change_replica(self, relic: vista.Ref, *, is_here: bool) -> None:
        if is_here:
            vista.delete(relic)
        else:
            vista.copy(relic, vista.here())
            self.replicas += 1

    def _address(self, node: SimulatedNode, run: str, guest: vista.Ref) -> None:
        super()._address(node, run, guest)
        dice = node.kernel.hub.random
        name = dice.choice(sorted(self.nomads))
        nomad = node.kernel.ref(self.nomads[name])
        for _ in range(dice.randrange(1, 4)):
            self.numbers[run, name] = number = self.numbers[run, name] + 1
            kind = dice.choice(("take", "take", "take_slowly", "post"))
            try:
                if kind == "post":
                    nomad.hear.post(run, number)
                else:
                    future = getattr(nomad, kind).future(run, number)
                    # Nobody gets into one in doubt before the storm's end is settled.
                    self._watch(future, f"{run} to {name} {number}", patient=True)
                    node.spawn(self._await, future)
            except vista.CallError as error:
                self.world.note(f"{run} {number} {type(error).__name__}")

    # --- what must hold --------------------------------------------------------------------

    def _look(self, event: Event) -> str:
        """At no moment an object lives in two places."""
        tables = self._tables()
        for name, id in self.nomads.items():
            homes = _homes(tables, id)
            if len(homes) > 1:
                return f"{name} lives at {' and '.join(homes)}"
        return ""

    def check_copies(self) -> None:
        """Each copy made for sure is at its node alone, and each is what its original once was."""
        found: dict[vista.Id, str] = {}
        for node in self.world.nodes:
            for record in node.kernel.table.records.values():
                if record.entry.name not in ("MeetingNomad", "MeetingRelic"):
                    continue
                one: Any = record.instance
                if frozenset(one.last.items()) not in self.states[one.name]:
                    raise Failure(f"{one.name} at {node.name} never was {one.last}")
                if record.entry.name == "MeetingNomad" and record.id not in self.nomads.values():
                    if found.setdefault(record.id, node.name) != node.name:
                        raise Failure(f"a copy of {one.name} is at {found[record.id]} as well")
        alive = {node.kernel.table.node for node in self.world.nodes}
        lost = {id for id in self.copies if id.node in alive} - set(found)
        if lost or len(found) > self.copies_asked:
            raise Failure(f"{len(found)} copies of {self.copies_asked} asked for; {lost} are lost")

    def _tables(self) -> Tables:
        return [(node.name, node.kernel.table.records) for node in self.world.nodes]

    def settle(self) -> None:
        """Who is in doubt about a node that is gone is told to keep the object; all are found."""
        for node in self.world.nodes:
            for id, thread in list(peering_of(node).departures.doubts.items()):
                node.call(lambda thread=thread: vista.kill(thread))
                self.world.note(f"{id} stays at {node.name}")
        # Ways may still change, and calls under way end with that.
        self.world.pass_time(CALM_SECONDS)
        for name, id in self.nomads.items():
            homes = _homes(self._tables(), id)
            if not homes and not self._died(id):
                raise Failure(f"{name} is nowhere")
            for node in self.world.nodes if homes else ():
                self._call(node, name, id)
        self.world.pass_time(REST_SECONDS)
        self.check_copies()
        for node in self.world.nodes:
            moves = peering_of(node).moves
            left = (moves.fences, moves._numbers, moves.arrivals, moves.handovers.prepared)
            if any(left):
                raise Failure(f"{node.name} keeps {left} of moves")

    def _call(self, node: SimulatedNode, name: str, id: vista.Id) -> None:
        try:
            node.call(lambda: node.kernel.ref(id).describe())
        except vista.CallError as error:
            raise Failure(f"{node.name} does not reach {name}: {error!r}") from error

    def _died(self, id: vista.Id) -> bool:
        """Whether an object was, by all that is known, at a node when that crashed."""
        return any(id in node.kernel.table.records for node in self.world._dead)


def _homes(tables: Tables, id: vista.Id) -> list[str]:
    """Name the nodes at which an object lives; one that it is about to leave does not count."""
    return [
        name for name, records in tables if id in records and records[id].state is not DEPARTING
    ]


def journey(world: World) -> NomadMeeting:
    """Let nodes of a drawn graph live through a storm while objects move between them."""
    made = meet(world, NomadMeeting)
    assert isinstance(made, NomadMeeting)
    return made


def main(first: int, count: int) -> None:
    """Print ``count`` lines of seed and digest, from seed ``first`` on."""
    for seed in range(first, first + count):
        print(seed, run_seed(journey, seed).digest())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
