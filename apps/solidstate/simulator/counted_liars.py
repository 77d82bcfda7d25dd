"""Faulty replicas with a trusted counter: they count whatever they like, and nothing twice.

The device is the one part of them that is not theirs. They may have anything counted, show it to
some, keep it back, or show part of it; `LooseCounting` lets their protocol go on beside that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of, unpack
from apps.solidstate.pbft.counted_proofs import as_order
from apps.solidstate.pbft.counting import Counting
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Broadcast, Certify, Send
from apps.solidstate.pbft.events import Certified, Event
from apps.solidstate.pbft.membership import epoch_of
from apps.solidstate.pbft.messages import (
    COMMITTED,
    PROPOSED,
    Batch,
    Counted,
    Decided,
    History,
    Message,
    Proposal,
    Request,
)
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.pbft.usig import base_of, read_ui
from apps.solidstate.simulator.host import STORE_PAGES
from apps.solidstate.simulator.strategies import (
    Amnesiac,
    Dragging,
    Faulty,
    Replaying,
    Silent,
    Slow,
    Withholding,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

FALSE = digest_of(b"what nobody proposed")


class LooseCounting(Counting):
    """The counting of a replica whose device numbers more than its protocol knows of."""

    said: dict[int, Counted]

    def loosen(self, said: dict[int, Counted]) -> None:
        """Know what the device numbered, from the last base on."""
        self.said = said
        self._intents = {}
        self._catch_up(max(said, default=0))

    def enter_epoch(self) -> None:
        """Begin anew, behind what the device has numbered in the epoch already."""
        super().enter_epoch()
        self._catch_up(max(self.said, default=0))

    def _catch_up(self, last: int) -> None:
        while self.own.heard < last and self.own.heard + 1 in self.said:
            self.own.statements[self.own.heard + 1] = self.said[self.own.heard + 1]

    def on_certified(self, event: Certified) -> None:
        """Take the answers in the order of the questions, whatever their numbers are."""
        ui = read_ui(event.ui)
        if ui is None or not self._intents or ui.counter <= self.own.heard:
            return
        intents = [self._intents[number] for number in sorted(self._intents)]
        self._catch_up(ui.counter - 1)
        self._intents = {ui.counter + place: intent for place, intent in enumerate(intents)}
        super().on_certified(Certified(ui.counter, event.ui))


class Counter(Faulty):
    """A faulty replica that has statements counted besides those of its protocol.

    ``said`` has all that its device numbered.
    """

    def start(self) -> None:
        """Start, with the device as it is."""
        if not hasattr(self, "said"):
            self.said: dict[int, Counted] = {}
        super().start()

    def make(self, recovered: Recovered | None) -> Replica:
        """Return a replica that takes what the device does."""
        return self.loosened(super().make(recovered))

    def loosened(self, replica: Replica) -> Replica:
        """Return a replica whose counting is loose."""
        assert replica.counting is not None
        replica.counting.__class__ = LooseCounting
        assert isinstance(replica.counting, LooseCounting)
        replica.counting.loosen(self.said)
        return replica

    def count(self, kind: str, view: int, sequence: int, subject: bytes) -> Counted:
        """Have anything counted."""
        counted = Counted(kind, view, sequence, subject, self.number)
        ui = self.usig.create_ui(counted.body, base_of(epoch_of(view)))
        counted = replace(counted, signature=ui)
        self.said[self.usig.counter] = counted
        return counted

    def certify(self, effect: Certify) -> None:
        """Have what the protocol says counted, with something before or behind it."""
        self._hand_back(effect.counter, self.certified(effect))

    def certified(self, effect: Certify) -> bytes:
        """Return the UI, of whatever number."""
        _, kind, view, sequence, subject, _ = unpack(effect.body)
        asked = Counted(kind, view, sequence, subject, self.number)
        first = self.random.random() < 0.5 and not self.group.network.calm
        if first:
            self.besides(asked)
        counted = self.count(kind, view, sequence, subject)
        if not first and not self.group.network.calm:
            self.besides(asked)
        return counted.signature

    def besides(self, asked: Counted) -> None:
        """Have something else counted, before or behind what the protocol asks for."""

    def batch_of(self, asked: Counted) -> Batch | None:
        """Return the batch of a proposal."""
        assert self.replica is not None
        return self.replica.log.batch(asked.sequence, asked.subject)

    def propose_counted(self, asked: Counted, batch: Batch) -> Proposal:
        """Return a proposal of another batch in the place of one."""
        return Proposal(
            as_order(self.count(PROPOSED, asked.view, asked.sequence, batch.digest)), batch
        )

    def tell(self, message: Message, numbers: Iterable[int] | None = None) -> None:
        """Send a message to all others, or to some."""
        for to in self.group.hosts if numbers is None else numbers:
            if to != self.number:
                self.group.network.send(self.number, to, message)


class CountedEquivocating(Counter):
    """Has two batches counted for one number, and shows each to some."""

    def besides(self, asked: Counted) -> None:
        """Salt the batch otherwise for backups of odd number."""
        batch = self.batch_of(asked) if asked.kind == PROPOSED else None
        if batch is not None:
            proposal = self.propose_counted(asked, replace(batch, salt=b"other salt"))
            self.tell(proposal, [n for n in self.group.hosts if n % 2])
            self.tell(self.count(COMMITTED, asked.view, asked.sequence, proposal.batch.digest))

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Keep the other one back from backups of odd number, and what is behind it, at times."""
        shows = isinstance(message, Proposal | Counted | History)
        if shows and isinstance(to, int) and to % 2 and self.random.random() < 0.6:
            return []
        return [message]


class CountedLying(Counter):
    """Votes for what nobody proposed, and says that it was decided."""

    def besides(self, asked: Counted) -> None:
        """Vote for something else at the same number, or at the next one, or in another view."""
        if asked.kind == COMMITTED and self.random.random() < 0.5:
            sequence = asked.sequence + self.random.choice((0, 0, 1))
            view = asked.view + self.random.choice((0, 0, 1))
            self.tell(self.count(COMMITTED, view, sequence, FALSE))

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Show others' statements changed, under the UIs they have."""
        if self.random.random() < 0.5:
            return [message]
        if isinstance(message, Counted):
            return [message, replace(message, subject=FALSE), replace(message, replica=0)]
        if isinstance(message, Decided):
            return [replace(message, batch=FALSE)]
        return [message]


class CountedInventing(Counter):
    """As a primary proposes what no client asked for, the same to all."""

    def besides(self, asked: Counted) -> None:
        """Propose a batch that is changed."""
        batch = self.batch_of(asked) if asked.kind == PROPOSED else None
        if batch is None or not batch.requests or self.random.random() < 0.5:
            return
        request = batch.requests[0]
        tricks: tuple[tuple[Request, ...], ...] = (
            (replace(request, operation=b"\x93\xa3put\xa1a\xc4\x04evil"),),
            (replace(request, client="client0", timestamp=2**50, signature=b"forged"),),
            (*batch.requests, *batch.requests),
            (),
        )
        batch = replace(batch, requests=self.random.choice(tricks))
        if self.random.random() < 0.2:
            batch = replace(batch, time=2**60)
        proposal = self.propose_counted(asked, batch)
        if self.random.random() < 0.5:
            self.tell(proposal)


class CountedWithholding(Withholding, Counter):
    """Leaves out one client, or one other replica with all that is counted."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Let one replica hear nothing that this one counts, but from others."""
        left_out = (self.number + 1) % len(self.group.hosts)
        if to == left_out and isinstance(message, Counted | History):
            return []
        return super().lie(to, message)


class CountedTwins(Counter):
    """Two replicas of one identity with one device, each talking with some of the others."""

    def start(self) -> None:
        """Start the one that has the disk, and another one beside it."""
        self._twin: Replica | None = None
        super().start()
        config = self.group.config_of(self.number)
        store, usigs = KeyValueStore(STORE_PAGES), self.group.authority.usigs()
        twin = Replica(config, self.random, self.keyring, store, None, usigs)
        self._twin = self.loosened(twin)

    def handle(self, event: Event) -> None:
        """Let both handle the event; the second one writes nothing."""
        super().handle(event)
        if not isinstance(event, Certified):
            self._let_twin(event)

    def _let_twin(self, event: Event) -> None:
        if self._twin is None or self.replica is None:
            return
        for effect in self._twin.handle(event, self.clock()):
            if isinstance(effect, Certify):
                self._answer_twin(effect)
            elif isinstance(effect, Send | Broadcast):
                self._send_half(effect)

    def _answer_twin(self, effect: Certify) -> None:
        certified = Certified(effect.counter, self.certified(effect))
        schedule, life = self.group.schedule, self.life

        def answer() -> None:
            if life == self.life:
                self._let_twin(certified)

        schedule.at(schedule.now + self.group.plan.flush, answer)

    def _send_half(self, effect: Send | Broadcast) -> None:
        to = effect.to if isinstance(effect, Send) else None
        for other in self.group.hosts if to is None else (to,):
            if other != self.number and not (isinstance(other, int) and other % 2):
                self.group.network.send(self.number, other, effect.message)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Have the first one talk to members of odd number and to clients."""
        return [message] if isinstance(to, str) or to % 2 else []


class CountedAmnesiac(Amnesiac, Counter):
    """Comes back with an empty disk, as if it were new; its device goes on."""


class CountedSilent(Silent, Counter):
    """Says nothing, or nothing to some."""


class CountedSlow(Slow, Counter):
    """Says everything late."""


class CountedDragging(Dragging, Counter):
    """As a primary is just as slow as the patience of the others allows."""


class CountedReplaying(Replaying, Counter):
    """Says again what it and others said before."""
