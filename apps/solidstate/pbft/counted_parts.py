"""What is otherwise in a replica with a trusted counter: checkpoints that vouch for what was heard,
statuses that say how far, and the place where all parts of this mode are put in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.checkpoints import Checkpoints
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.counted_ordering import CountedOrdering
from apps.solidstate.pbft.counted_proofs import CountedProofs
from apps.solidstate.pbft.counted_views import CountedViews
from apps.solidstate.pbft.counting import Counting
from apps.solidstate.pbft.messages import (
    Checkpoint,
    Counted,
    History,
    Message,
    Opening,
    Stable,
    Status,
)
from apps.solidstate.pbft.resending import Resending
from apps.solidstate.pbft.usig import UsigVerifier
from vista import BadValueError

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Handler, Replica

STATEMENTS_AT_ONCE = 64
"""Statements of one replica in one message."""


def proofs_of(config: Config, keyring: Keyring, usigs: UsigVerifier | None) -> CountedProofs:
    """Return what checks proofs in this mode; raises `BadValueError` without ``usigs``."""
    if usigs is None:
        raise BadValueError("minbft takes usigs, which checks the UIs of all members' devices")
    return CountedProofs(config, keyring, usigs)


def install(replica: Replica, proofs: CountedProofs) -> dict[type[Message], Handler]:
    """Give a replica the other parts of this mode, and return what hears its messages."""
    replica.views = views = CountedViews(replica, proofs)
    replica.ordering = ordering = CountedOrdering(replica, views)
    replica.counting = counting = Counting(replica, proofs, ordering, views)
    replica.checkpoints = CountedCheckpoints(replica, counting)
    replica.resending = CountedResending(replica, counting, views)
    return {
        Counted: counting.on_counted,
        History: counting.on_history,
        Opening: views.on_opening,
    }


class CountedCheckpoints(Checkpoints):
    """Checkpoints whose signers vouch for how far they heard each replica."""

    def __init__(self, replica: Replica, counting: Counting) -> None:
        super().__init__(replica)
        self._counting = counting
        self._signed: dict[int, Checkpoint] = {}

    def _heads(self, sequence: int) -> tuple[Counted, ...]:
        return self._counting.heads(sequence)

    def on_checkpoint(self, sender: Principal, vote: Checkpoint) -> None:
        """Take a replica's checkpoint; one that comes late may vouch for more than others."""
        proven = self.proven
        if (vote.sequence, vote.root) != (proven.sequence, proven.root):
            super().on_checkpoint(sender, vote)
        elif vote.replica not in self._signed and self._replica.proofs.checkpoint(vote):
            self._signed[vote.replica] = vote
            self._counting.pick(list(self._signed.values()))

    def on_stable(self, sender: Principal, stable: Stable) -> None:
        """Take the proof of a checkpoint, also of an old one that helps over what was missed."""
        if stable.sequence > self.proven.sequence or self._counting.lacks(stable):
            if self._replica.proofs.stable(stable):
                self.learn(stable)

    def enter_epoch(self) -> None:
        """Start from the checkpoint an epoch begins with, and all chains with it."""
        super().enter_epoch()
        self._signed = {}
        self._counting.enter_epoch()

    def _prove(self, stable: Stable) -> None:
        if stable.sequence > self.proven.sequence:
            self._signed = {vote.replica: vote for vote in stable.proof}
        super()._prove(stable)
        self._counting.skip(stable)

    def _records(self) -> list[list[object]]:
        return self._counting.records()

    def compact(self) -> None:
        """Have the log on disk replaced, and the device forget what it no longer needs."""
        super().compact()
        self._counting.forget()


class CountedResending(Resending):
    """Sends again what a replica counted, and what others did whom somebody cannot hear."""

    def __init__(self, replica: Replica, counting: Counting, views: CountedViews) -> None:
        super().__init__(replica)
        self._counting = counting
        self._views = views
        self._before: dict[tuple[Principal, int], int] = {}

    def _status(self) -> Status:
        replica = self._replica
        return Status(
            replica.views.view,
            replica.views.active and self._views.is_open,
            replica.checkpoints.proven.sequence,
            replica.state.executed,
            replica.pace.weary,
            replica.views.impatient,
            tuple(self._counting.chains[number].reach for number in replica.epoch.numbers),
        )

    def _resend_view(self, sender: int, status: Status) -> None:
        super()._resend_view(sender, status)
        opening = self._views.opening
        if opening is not None and status.view == self._views.view and not status.active:
            self._replica.send(sender, opening)

    def _resend_decided(self, sender: int, status: Status, together: bool) -> None:
        super()._resend_decided(sender, status, together)
        numbers = self._replica.epoch.numbers
        if len(self._before) > len(numbers) ** 2:
            # There are some of members that left the group.
            self._before = {}
        if len(status.heard) == len(numbers):
            for number, heard in zip(numbers, status.heard, strict=True):
                if number != sender:
                    self._resend_chain(sender, number, heard)

    def _resend_chain(self, sender: int, number: int, heard: int) -> None:
        """Send what is lacking of a chain: the own one at once, another where it stands still."""
        replica, chain = self._replica, self._counting.chains[number]
        stands = self._before.get((sender, number)) == heard
        self._before[sender, number] = heard
        if heard >= chain.heard or not (stands or number == replica.me):
            return
        if heard < chain.base:
            replica.send(sender, chain.anchor)
        statements = chain.after(heard, STATEMENTS_AT_ONCE)
        if statements:
            replica.send(sender, History(tuple(statements)))

    def _resend_orders(self, sender: int, status: Status) -> None:
        """Send nothing: orders are in the chains, and batches are fetched."""
