"""A replica: the parts of the protocol put together, and which of them hears what.

Three rules. Every effect of an event is returned by the call that handled it, in order. What must
be on disk stands before what rests on it. A replica that lost records which were safe once does not
vote (`Replica.voting`): it follows, answers clients and serves others, and counts as one of the f.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.checkpoints import Checkpoints
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Append, Broadcast, Effect, Report, Send
from apps.solidstate.pbft.events import Event, Received
from apps.solidstate.pbft.executing import State
from apps.solidstate.pbft.log import Log
from apps.solidstate.pbft.messages import (
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Decided,
    FetchBatches,
    FetchBlobs,
    Message,
    NewView,
    Prepare,
    Proposal,
    Request,
    Stable,
    Status,
    ViewChange,
)
from apps.solidstate.pbft.ordering import Ordering
from apps.solidstate.pbft.proofs import Proofs, Signed
from apps.solidstate.pbft.recovering import recover
from apps.solidstate.pbft.requests import Requests
from apps.solidstate.pbft.resending import Resending
from apps.solidstate.pbft.service import Service
from apps.solidstate.pbft.transfer import Transfer
from apps.solidstate.pbft.views import Views

Record = TypeVar("Record", bound=Signed)


class Replica:
    """One replica of a group.

    ``config`` and ``keyring`` say who it is; ``entropy`` gives the salt of batches; ``service`` is
    in its first state. ``recovered`` is what was on disk, None for a replica that starts for the
    first time: starting one with an emptied disk as if it were new may break the group, start it
    with ``Recovered(damaged=True)``. Raises `BadValueError` when the configuration cannot work.
    """

    def __init__(
        self,
        config: Config,
        entropy: Random,
        keyring: Keyring,
        service: Service,
        recovered: Recovered | None = None,
    ) -> None:
        config.validate()
        assert config.replica is not None
        self.config = config
        self.me = config.replica
        self.quorums = config.quorums
        self.entropy = entropy
        self.keyring = keyring
        self.now = 0.0
        self.voting = True
        self.proofs = Proofs(config, keyring)
        self.log = Log(config.window_batches, config.spare_batches_max)
        self.requests = Requests(self)
        self.ordering = Ordering(self)
        self.state = State(self, service)
        self.checkpoints = Checkpoints(self)
        self.transfer = Transfer(self)
        self.views = Views(self)
        self.resending = Resending(self)
        self._effects: list[Effect] = []
        self._recovered = recovered
        self._started = False
        self._handlers = self._table()
        if recovered is not None:
            recover(self, recovered)

    def _table(self) -> dict[type[Message], Callable[[Principal, Any], None]]:
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
            FetchBlobs: self.transfer.on_fetch,
            Blobs: self.transfer.on_blobs,
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
        if lateness > self.config.view_seconds / 2:
            self.views.excuse(lateness)
        if isinstance(event, Received):
            self._receive(event.sender, event.message)
        self._tick()
        self.ordering.propose()
        self.resending.hasten()
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> float:
        """Return the time at which the replica wants a `Tick` at the latest."""
        return min(
            self.resending.deadline,
            self.views.deadline,
            self.ordering.deadline,
            self.transfer.deadline,
        )

    def _start(self) -> None:
        self._started = True
        self.resending.deadline = self.now
        if self._recovered is None:
            self.append("founded")
        else:
            if self._recovered.damaged:
                self.append("abstaining")
                self.report("damaged", "records were lost that were safe once: it does not vote")
            self._recovered = None
            self.views.announce()
            self.checkpoints.announce()
            for entry in self.log.entries():
                self.ordering.agree(entry)
            self.state.execute_ready()

    def _receive(self, sender: Principal, message: Message) -> None:
        # Only a request may come from a client; a message of a kind that only occurs inside of
        # others, or that a client takes, is for nobody here.
        handler = self._handlers.get(type(message))
        if handler is not None and (type(sender) is int or type(message) is Request):
            handler(sender, message)

    def _tick(self) -> None:
        for part in (self.views, self.ordering, self.transfer, self.resending):
            if self.now >= part.deadline:
                part.tick()

    @property
    def primary(self) -> int:
        """The primary of the current view."""
        return self.quorums.primary(self.views.view)

    @property
    def leads(self) -> bool:
        """Whether this replica is the primary of an active view and may propose."""
        return self.views.active and self.voting and self.primary == self.me

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
            "pending": len(self.requests.pending),
            "checkpoints": len(self.checkpoints.trees) + len(self.checkpoints.votes),
            "view-changes": len(self.views.votes),
            "early": self.ordering.early_size(),
        }
