"""The primary of a game: closes steps, shares them out, commits them."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import vista
from apps.starship.errors import ScenarioError
from apps.starship.game.conductor import (
    Committed,
    Conductor,
    Effect,
    Event,
    Joined,
    Lost,
    Received,
    Report,
    Send,
    Tick,
)
from apps.starship.game.differences import differences
from apps.starship.game.messages import (
    Ready,
    Refresh,
    Snapshot,
    StepBegin,
    StepCommit,
    StepDone,
    StepUpdate,
)
from apps.starship.game.texts import (
    read_deltas,
    read_units,
    write_begin,
    write_commit,
    write_deltas,
)
from apps.starship.objects.secondary import StarshipSecondary
from apps.starship.objects.things import CLASSES
from apps.starship.rules.commands import Refusal
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import changes_to_plain, encode_state, plain
from apps.starship.rules.objects import GROUPS, Group, Thing
from apps.starship.rules.reading import check_delta
from apps.starship.rules.state import State
from apps.starship.themes import shipped_theme

_log = logging.getLogger("vista.starship")

SERVICE = "StarshipPrimary"
"""The service by which secondaries find the game."""

INTERVAL_MIN, INTERVAL_MAX = 0.05, 60.0
SEED_BITS = 32


class StarshipPrimary(vista.Object, namespace="StarShip"):
    """The primary of a game: makes the galaxy and takes it from step to step.

    rc line: ``StarshipPrimary``, or ``StarshipPrimary 5 42``

    ``create(interval=5, seed=None)``: ``interval`` in seconds between two steps, 0 for steps by
    hand (`step`); ``seed`` a whole number from which the whole galaxy comes, drawn if it is None.
    The game is the service ``StarshipPrimary``; it computes by itself and by every
    `StarshipSecondary` that joins.

    The original's StarshipPrimary.
    """

    def create(self, interval: float = 5.0, seed: int | None = None) -> None:
        """Make the galaxy and begin."""
        if interval != 0 and not INTERVAL_MIN <= interval <= INTERVAL_MAX:
            raise vista.BadValueError(
                f"an interval is {INTERVAL_MIN} to {INTERVAL_MAX} seconds, or 0 for steps by hand,"
                f" not {interval}"
            )
        seed = secrets.randbits(SEED_BITS) if seed is None else seed
        state = new_game(seed, shipped_theme())
        self._conductor = Conductor(state, interval or math.inf, self._now(), secrets.randbits(64))
        self._servers: dict[str, vista.Ref] = {}
        self._nodes: dict[str, vista.Ref] = {}
        self._tickets: dict[int, str] = {}
        self._things: dict[int, vista.Ref] = {}
        self._made: tuple[int, ...] = ()
        self.own_secondary: vista.Ref | None = None
        self._watchers: list[vista.Ref] = []
        self._alarm = math.inf
        self._alarms = 0
        for thing in sorted(state.objects.values(), key=lambda thing: thing.meta.id):
            self._make(state, thing)
        me = vista.self_ref(self)
        vista.register_service(SERVICE, me)
        try:
            vista.send("PeerRegistry", "add_notify_when_peer_registered", me)
        except vista.NoSuchService:
            _log.info("no PeerRegistry here: the game stays on this node")
        self.own_secondary = vista.create(StarshipSecondary, me, True)
        self._set_alarm()
        _log.info("a galaxy from seed %d: %d objects", seed, len(state.objects))

    # --- servers ---------------------------------------------------------------------------

    def register_server(self, server: vista.Ref, node: vista.Ref) -> int:
        """Take a server into the game; a `StarshipSecondary` sends it, ``node`` is its creator.

        Returns a ticket: whoever has it speaks for the server, and nobody else does.
        """
        id = str(vista.id_of(server))
        self._tickets = {ticket: known for ticket, known in self._tickets.items() if known != id}
        ticket = secrets.randbits(62)
        self._tickets[ticket] = id
        self._servers[id], self._nodes[id] = server, node
        self._tell(Joined(id))
        return ticket

    def unregister_server(self, ticket: int) -> None:
        """Let a server go; what it still had to do others do."""
        id = self._tickets.get(ticket)
        if id is not None:
            self._forget(id)

    def _forget(self, id: str) -> None:
        del self._servers[id], self._nodes[id]
        self._tickets = {ticket: known for ticket, known in self._tickets.items() if known != id}
        self._tell(Lost(id))

    def peer_registered(self, creator: vista.Ref | None) -> None:
        """Nodes that come are no news; `PeerRegistry` sends it."""

    def peer_unregistered(self, creator: vista.Ref) -> None:
        """Lose the servers of a node that is gone; `PeerRegistry` sends it."""
        for id in [id for id, node in self._nodes.items() if node == creator]:
            self._forget(id)

    def server_sent(self, ticket: int, epoch: int, t: int, deltas: str) -> None:
        """Take results; a server posts it."""
        try:
            found = read_deltas(deltas)
            for delta in found:
                check_delta(self._conductor.state, delta)
        except ScenarioError as error:
            self._from_server(ticket, Refresh(epoch, f"it sent what is no result: {error}"))
            return
        self._from_server(ticket, StepUpdate(epoch, t, found))

    def server_done(self, ticket: int, epoch: int, t: int, units: str, busy_us: int) -> None:
        """Take note that a server has sent everything; it posts it."""
        try:
            done = StepDone(epoch, t, read_units(units), max(0, busy_us))
        except ScenarioError as error:
            self._from_server(ticket, Refresh(epoch, f"it sent what are no units: {error}"))
            return
        self._from_server(ticket, done)

    def server_ready(self, ticket: int, epoch: int, t: int, hash: str) -> None:
        """Take the hash of a server's state; it posts it."""
        self._from_server(ticket, Ready(epoch, t, hash))

    def server_refresh(self, ticket: int, epoch: int, why: str) -> None:
        """A server cannot go on; it posts it."""
        self._from_server(ticket, Refresh(epoch, why))

    def _from_server(self, ticket: int, message: StepUpdate | StepDone | Ready | Refresh) -> None:
        id = self._tickets.get(ticket)
        if id is not None:
            self._tell(Received(id, message))

    # --- captains --------------------------------------------------------------------------

    def order(
        self, ship: str, captain: int | None, key: str, name: str, words: Sequence[Any]
    ) -> tuple[bool, str, str, int, int]:
        """Admit a command for the step that is being collected, or say why not.

        Returns what an `Answer` has: whether, code, sentence, orders left, step. With the same
        ``key`` again the answer is the same, and nothing is admitted twice.
        """
        answer = self._conductor.admission.order(ship, captain, key, name, words)
        return answer.ok, answer.code, answer.text, answer.left, answer.step

    def enlist(self, name: str, race: str, captain: int) -> tuple[bool, str, str]:
        """Make a ship with the next step; return whether, its name or a code, and a sentence."""
        return _outcome(self._conductor.admission.enlist(name, race, captain))

    def take(self, name: str, captain: int) -> tuple[bool, str, str]:
        """Give a captain a ship with the next step; see `enlist` for what is returned."""
        return _outcome(self._conductor.admission.take(name, captain))

    def leave(self, name: str, captain: int) -> bool:
        """Leave a ship to the computer with the next step."""
        return self._conductor.admission.leave(name, captain)

    # --- looking ---------------------------------------------------------------------------

    def get_step(self) -> int:
        """Return the number of the step that was committed last."""
        return self._conductor.state.step

    def get_hash(self) -> str:
        """Return the hash of the state that was committed last."""
        return self._conductor.hash

    def get_things(self) -> dict[str, vista.Ref]:
        """Return the objects of the galaxy by short name."""
        objects = self._conductor.state.objects
        return {name: self._things[objects[name].meta.id] for name in sorted(objects)}

    def get_servers(self) -> list[dict[str, Any]]:
        """Return what is known of each server: state, speed, work done, late and lost, faults."""
        hands = self._conductor.pool.hands
        return [
            {
                "id": id, "state": hands[id].state, "speed": hands[id].speed,
                "done": hands[id].done, "late": hands[id].late, "lost": hands[id].lost,
                "faults": hands[id].faults, "busy_us": hands[id].busy_us,
            }
            for id in sorted(hands)
        ]  # fmt: skip

    def step(self) -> None:
        """Begin a step now, if none is being computed."""
        self._tell(Tick(step=True))

    # --- time ------------------------------------------------------------------------------

    def timer_expired(self, timer: vista.Ref, number: int) -> None:
        """See what is due; the timer sends it."""
        if number == self._alarms:
            self._alarm = math.inf
            self._tell(Tick())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _set_alarm(self) -> None:
        due = self._conductor.next_deadline()
        if due < self._alarm:
            self._alarm = due
            self._alarms += 1
            wait = max(0.0, due - self._now())
            vista.create("TimerEvent", vista.self_ref(self), wait, self._alarms)

    # --- what the conductor wants ----------------------------------------------------------

    def _tell(self, event: Event) -> None:
        before = self._conductor.state
        for effect in self._conductor.handle(event, self._now()):
            self._carry_out(effect, before)
        self._alarm = math.inf if self._alarm <= self._now() else self._alarm
        self._set_alarm()

    def _carry_out(self, effect: Effect, before: State) -> None:
        if isinstance(effect, Send):
            server = self._servers.get(effect.to)
            if server is not None:
                self._send(server, effect.message)
        elif isinstance(effect, Committed):
            self._show(before, effect.state)
        elif isinstance(effect, Report):
            _log.info("%s: %s", effect.kind, effect.text)

    def _send(
        self, server: vista.Ref, message: Snapshot | StepBegin | StepUpdate | StepCommit
    ) -> None:
        epoch = message.epoch
        if isinstance(message, Snapshot):
            text, objects = encode_state(message.state), self._encoded(server, self._things)
            node = vista.here()
            vista.post(server, "take_snapshot", epoch, text, message.hash, node, objects)
        elif isinstance(message, StepBegin):
            vista.post(server, "begin_step", epoch, message.t, *write_begin(message))
        elif isinstance(message, StepUpdate):
            vista.post(server, "stage_results", epoch, message.t, write_deltas(message.deltas))
        else:
            made = self._encoded(server, self._made)
            vista.post(server, "commit_step", epoch, message.t, write_commit(message), made)

    def _encoded(self, server: vista.Ref, numbers: Iterable[int]) -> tuple[bytes, ...]:
        """Encode objects for a server, which gets them with their Ids; the own one has them."""
        if server == self.own_secondary:
            return ()
        return tuple(vista.encode_object(self._things[number]) for number in sorted(numbers))

    def _make(self, state: State, thing: Thing) -> vista.Ref:
        full_name = state.theme.full_name(thing.race, thing.kind, thing.name)
        made = vista.create(CLASSES[thing.kind], full_name, groups_of(thing))
        self._things[thing.meta.id] = made
        return made

    def _show(self, before: State, after: State) -> None:
        """Let the objects show what the step changed."""
        found = differences(before, after)
        self._made = found.made
        names = {thing.meta.id: thing for thing in after.objects.values()}
        for number in found.gone:
            vista.post(self._things.pop(number), "delete_yourself")
        for number in found.made:
            self._make(after, names[number])
        for number, groups in found.changed.items():
            changes = {group: changes_to_plain(made) for group, made in groups.items()}
            vista.post(self._things[number], "update", changes)


def groups_of(thing: Thing) -> dict[str, dict[str, Any]]:
    """Return the attributes of an object by group and name, in their canonical form."""
    found = {}
    for name in GROUPS:
        group: Group = getattr(thing, name)
        found[name] = {member: plain(getattr(group, member)) for member in group.names}
    return found


def _outcome(result: Refusal | str) -> tuple[bool, str, str]:
    if isinstance(result, Refusal):
        return False, result.code, result.text
    return True, result, ""
