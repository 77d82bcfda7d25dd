"""Faulty replicas: the unmodified protocol behind a host that lies, or no protocol at all.

Every strategy holds the keyring of its own replica and no other one, so what it can forge is what
an attacker with that replica's key could. It sees what its replica sees, and keeps some of it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.events import Event
from apps.solidstate.pbft.messages import (
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Decided,
    Message,
    Prepare,
    PrePrepare,
    Proposal,
    Reply,
    Request,
)
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.simulator.host import STORE_PAGES, Host

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group


class Faulty(Host):
    """A faulty replica: `lie` may change, drop or add to everything it sends."""

    def transmit(self, to: Principal, message: Message) -> None:
        """Send what `lie` makes of a message."""
        for other in self.lie(to, message):
            self.group.network.send(self.number, to, other)

    @property
    def is_back(self) -> bool:
        """Whether it is one of the correct replicas again."""
        return self.group.is_correct(self.number)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Return what is sent to ``to`` instead of a message."""
        return [message]

    def sign_prepare(self, prepare: Prepare) -> Prepare:
        """Return a prepare with this replica's signature, whatever it says."""
        return replace(prepare, signature=self.keyring.sign(prepare.body))

    def propose(self, order: PrePrepare, batch: Batch) -> Proposal:
        """Return a proposal of another batch in the place of one, signed."""
        other = PrePrepare(order.view, order.sequence, batch.digest)
        return Proposal(replace(other, signature=self.keyring.sign(other.body)), batch)


class Attacking(Faulty):
    """One that attacks now and then, while the storm lasts and its replica runs."""

    def start(self) -> None:
        """Start, and attack for the first time a little later."""
        super().start()
        self._later()

    def _later(self) -> None:
        schedule = self.group.schedule
        schedule.at(schedule.now + self.random.uniform(0.1, 0.8), self._attack)

    def _attack(self) -> None:
        if self.replica is None or self.group.network.calm:
            return
        self._strike()
        self._later()

    def _strike(self) -> None:
        """Attack once."""
        raise NotImplementedError


class Silent(Faulty):
    """Says nothing, or nothing to some."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Drop the message to every second member, or to all."""
        everybody = self.group.plan.seed % 2 == 0
        return [] if everybody or (isinstance(to, int) and to % 2) else [message]


class Slow(Faulty):
    """Says everything late."""

    def transmit(self, to: Principal, message: Message) -> None:
        """Send the message after a while, which is longest for proposals."""
        schedule = self.group.schedule
        most = 0.9 if isinstance(message, Proposal) else 0.3
        time = schedule.now + self.random.uniform(0.0, most)
        schedule.at(time, lambda: self.group.network.send(self.number, to, message))


class Dragging(Faulty):
    """As a primary is just as slow as the patience of the others allows, while the storm lasts."""

    def transmit(self, to: Principal, message: Message) -> None:
        """Keep a proposal back for most of the time in which it has to come."""
        group = self.group
        if not isinstance(message, Proposal) or group.network.calm:
            group.network.send(self.number, to, message)
            return
        up = [host.replica for host in group.correct() if host.replica is not None]
        patience = max((replica.views.patience for replica in up), default=0.0)
        time = group.schedule.now + 0.8 * patience
        group.schedule.at(time, lambda: group.network.send(self.number, to, message))


class Equivocating(Faulty):
    """Proposes different batches to different backups, and agrees with each of them."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Salt the batch otherwise for backups of odd number; vote for what each of them sees."""
        if not isinstance(message, Proposal) or not isinstance(to, int):
            return [message]
        if to % 2:
            message = self.propose(message.pre_prepare, replace(message.batch, salt=b"other salt"))
        return [message, *self._votes(message.pre_prepare)]

    def _votes(self, order: PrePrepare) -> list[Message]:
        """A commit, a prepare that a primary must not make, and prepares in others' names."""
        names = self.group.hosts
        prepares = [Prepare(order.view, order.sequence, order.batch, name) for name in names]
        commit = Commit(order.view, order.sequence, order.batch)
        return [commit, *map(self.sign_prepare, prepares)]


class Lying(Faulty):
    """Prepares and commits what nobody proposed, and says that it was decided."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Put a digest of nothing in the place of the right one, to some."""
        false = digest_of(b"nothing")
        if self.random.random() < 0.5:
            return [message]
        if isinstance(message, Prepare):
            return [self.sign_prepare(replace(message, batch=false, signature=b""))]
        if isinstance(message, Commit | Decided):
            return [replace(message, batch=false), replace(message, sequence=message.sequence + 1)]
        return [message]


class Replaying(Faulty):
    """Says again what it and others said before, at any time and to anybody."""

    def __init__(self, group: Group, number: int, keyring: Keyring) -> None:
        super().__init__(group, number, keyring, group.random)
        self._heard: list[Message] = []

    def receive(self, sender: Principal, message: Message) -> None:
        """Keep what comes."""
        if len(self._heard) < 300:
            self._heard.append(message)
        super().receive(sender, message)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Add an old message, which may be somebody else's."""
        if self._heard and self.random.random() < 0.3:
            return [message, self.random.choice(self._heard)]
        return [message]


class Corrupting(Faulty):
    """Answers clients and those who fetch state with rubbish, and signs false checkpoints."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Change results, blobs, batches and roots."""
        if isinstance(message, Reply):
            result = b"rubbish"
            return [replace(message, result=result, result_digest=digest_of(result), view=999)]
        if isinstance(message, Blobs):
            return [replace(message, blobs=tuple(blob[:-1] for blob in message.blobs))]
        if isinstance(message, Batch):
            return [replace(message, salt=b"rubbish")]
        if isinstance(message, Checkpoint):
            other = replace(message, root=digest_of(b"rubbish"), signature=b"")
            return [replace(other, signature=self.keyring.sign(other.body))]
        if isinstance(message, Decided):
            return [replace(message, batch=digest_of(b"rubbish"))]
        return [message]


class Withholding(Faulty):
    """As a primary leaves out one client, or one backup."""

    def receive(self, sender: Principal, message: Message) -> None:
        """Be deaf to the requests of one client."""
        deaf = self.group.plan.seed % 2 == 0
        if not (deaf and isinstance(message, Request) and message.client == "client0"):
            super().receive(sender, message)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Send one backup no proposals and no batches."""
        left_out = (self.number + 1) % len(self.group.hosts)
        if to == left_out and isinstance(message, Proposal | Batch):
            return []
        return [message]


class Inventing(Faulty):
    """As a primary proposes what no client asked for, the same to all."""

    def start(self) -> None:
        """Start, with no lies told."""
        self._lies: dict[bytes, Proposal] = {}
        super().start()

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Put a batch that is changed in the place of every second one."""
        if not isinstance(message, Proposal) or not message.batch.requests:
            return [message]
        digest = message.batch.digest
        if digest not in self._lies:
            tell = self.random.random() < 0.5
            self._lies[digest] = self._invent(message) if tell else message
        return [self._lies[digest]]

    def _invent(self, message: Proposal) -> Proposal:
        requests = message.batch.requests
        asked = requests[0]
        tricks: tuple[tuple[Request, ...], ...] = (
            (replace(asked, operation=b"\x93\xa3put\xa1a\xc4\x04evil"),),
            (replace(asked, client="client0", timestamp=2**50, signature=b"forged"), *requests),
            (*requests, *requests),
            (),
        )
        batch = replace(message.batch, requests=self.random.choice(tricks))
        if self.random.random() < 0.2:
            batch = replace(message.batch, time=2**60)
        return self.propose(message.pre_prepare, batch)


class Falling(Faulty):
    """Crashes now and then while the storm lasts."""

    def start(self) -> None:
        """Start, and crash later."""
        super().start()
        delay = self.random.uniform(0.2, 2.0)
        self.group.schedule.at(self.group.schedule.now + delay, self._fall)

    def _fall(self) -> None:
        if self.replica is not None and not self.group.network.calm and not self.is_back:
            self.crash()
            self.start()


class Stopping(Host):
    """Does everything right, and stops for good while the storm lasts."""

    _stops = math.inf

    def start(self) -> None:
        """Start, unless it has stopped."""
        schedule = self.group.schedule
        if math.isinf(self._stops):
            self._stops = schedule.now + self.random.uniform(0.0, self.group.plan.storm)
            schedule.at(self._stops, self._stop)
        if schedule.now < self._stops:
            super().start()

    def _stop(self) -> None:
        if self.replica is not None:
            self.crash()


class Amnesiac(Falling):
    """Comes back from crashes with an empty disk, as if it were new."""

    def crash(self) -> None:
        """Lose everything."""
        super().crash()
        self.disk.wipe()


class Rotten(Falling):
    """Has a disk that changes while it is down."""

    def crash(self) -> None:
        """Crash, and lose a bit of what was safe."""
        super().crash()
        if not self.is_back:
            self.disk.rot()

    def transmit(self, to: Principal, message: Message) -> None:
        """Send a message, which is judged once this replica is back."""
        self.group.checker.sent(self.number, message)
        super().transmit(to, message)


class Twins(Faulty):
    """Two replicas of one identity, each talking with some of the others (after Diem's Twins)."""

    def start(self) -> None:
        """Start the one that has the disk, and another one beside it."""
        self._twin: Replica | None = None
        super().start()
        config = self.group.config_of(self.number)
        store = KeyValueStore(STORE_PAGES)
        self._twin = Replica(config, self.random, self.keyring, store)

    def handle(self, event: Event) -> None:
        """Let both handle the event; the second one writes nothing."""
        super().handle(event)
        if self._twin is not None:
            for effect in self._twin.handle(event, self.clock()):
                self._send_half(effect)

    def _send_half(self, effect: object) -> None:
        if self.replica is None:
            return
        message = getattr(effect, "message", None)
        if isinstance(message, Message):
            to = getattr(effect, "to", None)
            for other in self.group.hosts if to is None else (to,):
                if other != self.number and not (isinstance(other, int) and other % 2):
                    self.group.network.send(self.number, other, message)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Have the first one talk to members of odd number and to clients."""
        return [message] if isinstance(to, str) or to % 2 else []
