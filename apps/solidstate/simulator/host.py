"""What surrounds a replica in a simulation: its clock, its disk, its way to the network."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import (
    Append,
    Broadcast,
    Certify,
    Compact,
    Effect,
    Entered,
    Executed,
    Forget,
    Report,
    Send,
    Store,
)
from apps.solidstate.pbft.events import Certified, Event, Received, Tick
from apps.solidstate.pbft.messages import Message
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.pbft.usig import certify
from apps.solidstate.simulator.disk import SimulatedDisk

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group

STORE_PAGES = 4
"""Pages of the simulated key-value store."""


class Host:
    """Runs one replica: carries its effects out, in order, and crashes when told.

    ``replica`` is None while it is down; ``members`` are those its broadcasts go to.
    """

    def __init__(self, group: Group, number: int, keyring: Keyring, random: Random) -> None:
        self.group = group
        self.number = number
        self.keyring = keyring
        self.random = random
        self.disk = SimulatedDisk(random)
        self.usig = group.authority.usig(number)
        self.replica: Replica | None = None
        self.store = KeyValueStore(STORE_PAGES)
        self.members: tuple[int, ...] = ()
        plan = group.plan
        self._rate = 1.0 + random.uniform(-plan.drift, plan.drift)
        self._offset = 100.0 + random.uniform(0.0, plan.offset)
        self.life = 0
        self._outbox: deque[tuple[int, Effect, tuple[int, ...]]] = deque()
        self._flushing = False
        self._wake = float("inf")

    def clock(self) -> float:
        """Return the time of this host's clock."""
        return self.group.schedule.now * self._rate + self._offset

    def start(self) -> None:
        """Start the replica from what is on the disk."""
        self.store = KeyValueStore(STORE_PAGES)
        self.members = tuple(range(self.group.plan.replicas))
        self.replica = self.make(self.disk.recover())
        self.group.schedule.note(f"replica {self.number} starts")
        self.handle(Tick())

    def make(self, recovered: Recovered | None) -> Replica:
        """Return a replica of this host's identity."""
        config = self.group.config_of(self.number)
        usigs = self.group.authority.usigs()
        return Replica(config, self.random, self.keyring, self.store, recovered, usigs)

    def crash(self) -> None:
        """End the replica as the loss of power would."""
        self.group.schedule.note(f"replica {self.number} crashes")
        self.replica = None
        self.life += 1
        self._outbox.clear()
        self._flushing = False
        self._wake = float("inf")
        self.disk.crash()

    def describe(self) -> str:
        """Return how far the replica is, in words."""
        replica = self.replica
        if replica is None:
            return f"replica {self.number}: down"
        state = "active" if replica.views.active else "changing"
        return (
            f"replica {self.number}: epoch {replica.epoch.number} "
            f"view {replica.views.view - replica.epoch.first_view} {state} "
            f"executed {replica.state.executed} stable {replica.checkpoints.proven.sequence}"
        )

    def receive(self, sender: Principal, message: Message) -> None:
        """Hand the replica a message from the network."""
        if self.replica is not None:
            self.handle(Received(sender, message))

    def handle(self, event: Event) -> None:
        """Let the replica handle an event, and carry out what it wants."""
        assert self.replica is not None
        for effect in self.replica.handle(event, self.clock()):
            self.carry_out(effect)
        self._schedule_flush()
        self._schedule_wake()
        self.group.after_event(self)

    def carry_out(self, effect: Effect) -> None:
        """Do what the replica wants, once what it wanted written before is safe."""
        if isinstance(effect, Append | Store | Compact):
            self.disk.write(effect)
            return
        if isinstance(effect, Entered):
            self.members = tuple(one.number for one in effect.membership.members)
        if isinstance(effect, Executed):
            self.group.checker.executing(self.number, effect.sequence)
        if self.disk.written == self.disk.durable:
            self._let_out(effect, self.members)
        else:
            self._outbox.append((self.disk.written, effect, self.members))

    def _let_out(self, effect: Effect, members: tuple[int, ...]) -> None:
        """Let others see an effect, be it a message or what the replica says it did.

        Where replicas only crash, one vote of two may be the own one: what was executed on the
        strength of a vote that never reached the disk was not decided.
        """
        if isinstance(effect, Executed | Report | Entered):
            self.group.observe(self, effect)
        elif isinstance(effect, Certify):
            self.certify(effect)
        elif isinstance(effect, Forget):
            self.usig.forget(effect.counter)
        elif isinstance(effect, Send):
            self.transmit(effect.to, effect.message)
        elif isinstance(effect, Broadcast):
            for other in members:
                if other != self.number:
                    self.transmit(other, effect.message)

    def certify(self, effect: Certify) -> None:
        """Have the trusted counter number a statement; the answer takes as long as a flush."""
        ui = certify(self.usig, effect.counter, effect.body)
        self._hand_back(effect.counter, ui)

    def _hand_back(self, counter: int, ui: bytes) -> None:
        schedule, life = self.group.schedule, self.life

        def answer() -> None:
            if life == self.life and self.replica is not None:
                self.handle(Certified(counter, ui))

        schedule.at(schedule.now + self.group.plan.flush / 2, answer)

    def transmit(self, to: Principal, message: Message) -> None:
        """Send a message; faulty hosts do something else here."""
        self.group.checker.sent(self.number, message)
        self.group.network.send(self.number, to, message)

    def _schedule_flush(self) -> None:
        if not self._flushing and self.disk.written > self.disk.durable:
            self._flushing = True
            upto, life = self.disk.written, self.life
            delay = self.group.plan.flush * self.random.uniform(0.5, 1.5)
            self.group.schedule.at(self.group.schedule.now + delay, lambda: self._flush(upto, life))

    def _flush(self, upto: int, life: int) -> None:
        if life != self.life:
            return
        self._flushing = False
        self.disk.flush(upto)
        while self._outbox and self._outbox[0][0] <= upto:
            _, effect, members = self._outbox.popleft()
            self._let_out(effect, members)
        self._schedule_flush()

    def _schedule_wake(self) -> None:
        assert self.replica is not None
        schedule = self.group.schedule
        deadline = (self.replica.next_deadline() - self._offset) / self._rate
        # A little later than asked, as timers are; so rounding never wakes it too early for ever.
        deadline = max(deadline, schedule.now) + 1e-6
        if deadline < self._wake:
            self._wake = deadline
            life = self.life
            schedule.at(deadline, lambda: self._awake(deadline, life))

    def _awake(self, deadline: float, life: int) -> None:
        if life == self.life and deadline == self._wake and self.replica is not None:
            self._wake = float("inf")
            self.handle(Tick())
