"""A replica: the parts of the protocol put together, and which of them hears what.

Three rules. Every effect of an event is returned by the call that handled it, in order. What must
be on disk stands before what rests on it. A replica that lost records which were safe once abstains
from voting (`abstains`) and counts as one of the f until nothing it forgot matters (`Rejoining`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from apps.solidstate.pbft.allowance import Allowance
from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.checkpoints import Checkpoints
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.counted_parts import install, proofs_of
from apps.solidstate.pbft.counting import Counting
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Append, Broadcast, Effect, Entered, Report, Send
from apps.solidstate.pbft.epochs import Epochs
from apps.solidstate.pbft.events import Certified, Event, Received
from apps.solidstate.pbft.executing import State
from apps.solidstate.pbft.log import Log
from apps.solidstate.pbft.membership import Epoch
from apps.solidstate.pbft.messages import (
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Decided,
    FetchBatches,
    FetchBlobs,
    FetchHandovers,
    FetchStanding,
    Handovers,
    Message,
    NewView,
    Prepare,
    Proposal,
    Request,
    Stable,
    Standing,
    Status,
    ViewChange,
)
from apps.solidstate.pbft.ordering import Ordering
from apps.solidstate.pbft.pace import Pace
from apps.solidstate.pbft.proofs import Proofs, Signed
from apps.solidstate.pbft.quorums import Quorums
from apps.solidstate.pbft.recovering import recover
from apps.solidstate.pbft.rejoining import Rejoining
from apps.solidstate.pbft.requests import Requests
from apps.solidstate.pbft.resending import Resending
from apps.solidstate.pbft.service import Service
from apps.solidstate.pbft.transfer import Transfer
from apps.solidstate.pbft.unsigned import Unsigned
from apps.solidstate.pbft.usig import UsigVerifier
from apps.solidstate.pbft.views import Views
from vista import BadValueError

Record = TypeVar("Record", bound=Signed)
Handler = Callable[[Principal, Any], None]

OPEN_TO_ALL = frozenset({Status, FetchHandovers, FetchBlobs, Blobs})
"""What a replica takes from those who are no members of the epoch it is in, but of another one;
handovers prove themselves and are taken from everybody."""


class Replica:
    """One replica of a group.

    ``config`` and ``keyring`` say who it is; ``entropy`` gives the salt of batches; ``service`` is
    in its first state. ``recovered`` is what was on disk, None for a replica that starts for the
    first time: starting one with an emptied disk as if it were new may break the group, start it
    with ``Recovered(damaged=True)``. ``usigs`` checks the UIs of all members with `Config.minbft`,
    and is not needed otherwise. Raises `BadValueError` when the configuration cannot work.
    """

    def __init__(
        self,
        config: Config,
        entropy: Random,
        keyring: Keyring,
        service: Service,
        recovered: Recovered | None = None,
        usigs: UsigVerifier | None = None,
    ) -> None:
        config.validate()
        assert config.replica is not None
        if recovered is None and config.epoch.number and config.replica in config.epoch:
            raise BadValueError(
                f"replica {config.replica} starts for the first time as a member of epoch "
                f"{config.epoch.number}, whose state it lacks: give it a membership of before it "
                f"came, with joining=True"
            )
        self.config = config
        self.me = config.replica
        self.entropy = entropy
        self.keyring = Unsigned() if config.crash_only else keyring
        self.now = 0.0
        self.abstains = False
        self.voting_from = 0
        counted = proofs_of(config, self.keyring, usigs) if config.minbft else None
        self.proofs = counted or Proofs(config, self.keyring)
        self.epochs = Epochs(self)
        self.log = Log(config.window_batches, config.spare_batches_max)
        self.requests = Requests(self)
        self.ordering = Ordering(self)
        self.state = State(self, service)
        self.checkpoints = Checkpoints(self)
        self.transfer = Transfer(self)
        self.pace = Pace(self)
        self.views = Views(self)
        self.resending = Resending(self)
        self.rejoining = Rejoining(self)
        self.allowance = Allowance(self)
        self.counting: Counting | None = None
        more = install(self, counted) if counted is not None else {}
        self._effects: list[Effect] = []
        self._recovered = recovered
        self._started = False
        self._handlers = {**self._table(), **more}
        if recovered is not None:
            recover(self, recovered)

    def _table(self) -> dict[type[Message], Handler]:
        return {
            Request: self.requests.on_request,
            Proposal: self.ordering.on_proposal,
            Prepare: self.ordering.on_prepare,
            Commit: self.ordering.on_commit,
            Decided: self.ordering.on_decided,
            Batch: self.ordering.on_batch,
            FetchBatches: self.ordering.on_fetch,
            Checkpoint: self.checkpoints.on_checkpoint,
            Stable: self.checkpoints.on_stable,
            ViewChange: self.views.on_view_change,
            NewView: self.views.on_new_view,
            Status: self.resending.on_status,
            Handovers: self.epochs.on_handovers,
            FetchHandovers: self.epochs.on_fetch,
            FetchBlobs: self.transfer.on_fetch,
            Blobs: self.transfer.on_blobs,
            FetchStanding: self.rejoining.on_fetch,
            Standing: self.rejoining.on_standing,
        }

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in an event at time ``now`` and return what is to be done, in order.

        ``now`` is in seconds on a clock that never goes back and is near the clocks of the other
        replicas: it is proposed as the time of batches.
        """
        lateness = now - self.next_deadline() if self._started else 0.0
        self.now = max(now, self.now)
        if not self._started:
            self._start()
        self.views.note_lateness(lateness)
        if lateness > self.config.view_seconds / 2:
            self.views.excuse(lateness)
        if isinstance(event, Received):
            self._receive(event.sender, event.message)
        elif isinstance(event, Certified) and self.counting is not None:
            self.counting.on_certified(event)
        self._tick()
        if self.counting is not None:
            self.counting.advance()
        self.ordering.propose()
        self.resending.hasten()
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> float:
        """Return the time at which the replica wants a `Tick` at the latest."""
        return min(
            self.resending.deadline,
            self.requests.deadline,
            self.views.deadline,
            self.pace.deadline,
            self.ordering.deadline,
            self.transfer.deadline,
            self.rejoining.deadline,
        )

    def _start(self) -> None:
        self._started = True
        self.resending.deadline = self.now
        if self.epochs.handovers:
            self.emit(Entered(self.epoch.membership))
        if self._recovered is None:
            self.append("founded")
        else:
            if self._recovered.damaged:
                self.append("abstaining")
                self.report("damaged", "records were lost that were safe once: it does not vote")
            self._recovered = None
            self.rejoining.begin()
            if self.counting is not None:
                self.counting.resume()
                self.ordering.resume()
            self.checkpoints.check()
            self.views.announce()
            self.checkpoints.announce()
            for entry in self.log.entries():
                self.ordering.agree(entry)
            self.state.execute_ready()

    def _receive(self, sender: Principal, message: Message) -> None:
        # A message of a kind that only occurs inside of others, or that a client takes, is for
        # nobody here.
        handler = self._handlers.get(type(message))
        if handler is not None and self._may_send(sender, message):
            if type(message) is Request and self.me not in self.epoch:
                self.epochs.direct(sender)
            else:
                handler(sender, message)

    def _may_send(self, sender: Principal, message: Message) -> bool:
        """Whether a message may come from that sender at all."""
        kind = type(message)
        if type(sender) is str:
            return kind is Request or (kind is FetchHandovers and self.proofs.may_ask(sender))
        # Members of other epochs may learn how they are proven, and fetch the state; no more.
        if kind is Handovers or sender in self.epoch:
            return True
        return kind in OPEN_TO_ALL and type(sender) is int and self.epochs.knows(sender)

    def _tick(self) -> None:
        parts = (
            self.requests,
            self.views,
            self.pace,
            self.ordering,
            self.transfer,
            self.resending,
            self.rejoining,
        )
        for part in parts:
            if self.now >= part.deadline:
                part.tick()

    @property
    def epoch(self) -> Epoch:
        """The epoch this replica is in."""
        return self.proofs.epoch

    @property
    def quorums(self) -> Quorums:
        """The quorums of the epoch."""
        return self.proofs.epoch.quorums

    @property
    def voting(self) -> bool:
        """Whether this replica is a member whose word counts."""
        return not self.abstains and self.me in self.proofs.epoch

    @property
    def agrees(self) -> bool:
        """Whether this replica may prepare and commit in the view it is in."""
        return self.voting and self.views.view >= self.voting_from and self.views.is_open

    @property
    def primary(self) -> int:
        """The primary of the current view."""
        return self.epoch.primary(self.views.view)

    @property
    def leads(self) -> bool:
        """Whether this replica is the primary of an active view and may propose."""
        mine = self.views.active and self.primary == self.me
        return mine and self.agrees and not self.epochs.over

    def send(self, to: Principal, message: Message) -> None:
        """Have a message sent to one member."""
        self._effects.append(Send(to, message))

    def broadcast(self, message: Message) -> None:
        """Have a message sent to all other replicas."""
        self._effects.append(Broadcast(message))

    def append(self, kind: str, *values: object) -> None:
        """Have a record written before anything that follows is done."""
        self._effects.append(Append(pack([kind, *values])))

    def emit(self, effect: Effect) -> None:
        """Have any other effect carried out."""
        self._effects.append(effect)

    def report(self, kind: str, words: str, member: int | None = None) -> None:
        """Tell whoever watches."""
        self._effects.append(Report(kind, words, member))

    def sign(self, record: Record) -> Record:
        """Return the record with this replica's signature."""
        return replace(record, signature=self.keyring.sign(record.body))

    def size(self) -> dict[str, int]:
        """Return how much of everything is held, for checks of the bounds."""
        return {
            **self.log.size(),
            **({} if self.counting is None else self.counting.size()),
            "pending": len(self.requests.pending),
            "checkpoints": len(self.checkpoints.trees) + len(self.checkpoints.votes),
            "view-changes": len(self.views.votes),
            "early": self.ordering.early.size(),
            "handovers": len(self.epochs.handovers),
            "ends": len(self.epochs.ends),
        }
