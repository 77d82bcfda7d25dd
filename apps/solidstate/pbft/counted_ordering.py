"""The normal case where every replica has a trusted counter: pre-prepare and commit.

Three rules (Veronese and others 2013, section 4.2). The primary's pre-prepare is its vote, a
backup's commit is one; f + 1 of them decide. The first pre-prepare that the primary counted for a
number of a view is the only one. A backup votes for a batch it holds and found valid, and for what
the view started with before anything else at those numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.counted_proofs import as_counted, as_order
from apps.solidstate.pbft.log import Entry
from apps.solidstate.pbft.messages import (
    COMMITTED,
    NULL_BATCH,
    PROPOSED,
    Batch,
    Commit,
    Counted,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
)
from apps.solidstate.pbft.ordering import Ordering

if TYPE_CHECKING:
    from apps.solidstate.pbft.counted_views import CountedViews
    from apps.solidstate.pbft.replica import Replica


class CountedOrdering(Ordering):
    """Agrees on batches by counted statements, which `Counting` hands over in their turn."""

    def __init__(self, replica: Replica, views: CountedViews) -> None:
        super().__init__(replica)
        self._views = views
        self._start: dict[int, bytes] = {}

    # -- the primary ------------------------------------------------------------------------

    def _propose_one(self, batch: Batch) -> None:
        entry = self._replica.log.entry(self.next_sequence)
        self.accept(entry, PrePrepare(self._views.view, self.next_sequence, batch.digest), batch)
        self.next_sequence += 1
        self._count(entry, PROPOSED)

    def _count(self, entry: Entry, kind: str) -> None:
        """Vote: what is voted for is on disk, and the vote is as well before it is counted."""
        order = entry.pre_prepare
        assert order is not None
        entry.committing = True
        counting = self._replica.counting
        assert counting is not None
        counting.certify(kind, order.view, order.sequence, order.batch)

    def open(self) -> None:
        """Begin to agree in a view whose start is proven: the primary counts that start first."""
        replica = self._replica
        if replica.primary == replica.me:
            for sequence in sorted(self._start):
                if replica.log.holds(sequence):
                    self._propose_again(replica.log.entry(sequence))
            self.next_sequence = max(self.next_sequence, *self._start, 0)
            self.next_sequence += self.next_sequence in self._start
        for entry in list(replica.log.entries()):
            self.agree(entry)

    def _propose_again(self, entry: Entry) -> None:
        if entry.pre_prepare is None:
            digest = self._start[entry.sequence]
            entry.pre_prepare = PrePrepare(self._views.view, entry.sequence, digest)
            self._replica.append("ordered", entry.pre_prepare.row)
            self._count(entry, PROPOSED)

    def proposed(self, counted: Counted) -> None:
        """Send what this primary proposed, which has its number; it is a vote as well."""
        replica, order = self._replica, as_order(counted)
        entry = replica.log.entry(order.sequence) if replica.log.holds(order.sequence) else None
        batch = replica.log.batch(order.sequence, order.batch)
        if entry is not None:
            known = entry.prepared
            if known is None or known.pre_prepare.view <= order.view:
                entry.prepared = Prepared(order, ())
        if entry is None or not self._is_of_view(counted):
            replica.broadcast(counted)
            self.on_vote(counted)
            return
        entry.pre_prepare = order
        again = order.sequence in self._start
        replica.broadcast(counted if batch is None or again else Proposal(order, batch))
        self.on_vote(counted)

    def resume(self) -> None:
        """Go on after a restart: count what was accepted and not counted."""
        replica = self._replica
        counting = replica.counting
        assert counting is not None
        for counted in counting.intents():
            if self._is_of_view(counted) and replica.log.holds(counted.sequence):
                replica.log.entry(counted.sequence).committing = True
        if replica.leads:
            for entry in replica.log.entries():
                if entry.pre_prepare is not None and not entry.committing:
                    self._count(entry, PROPOSED)
            self.open()

    def _is_of_view(self, counted: Counted) -> bool:
        return self._views.active and counted.view == self._views.view

    # -- everybody --------------------------------------------------------------------------

    def on_proposal(self, sender: Principal, proposal: Proposal) -> None:
        """Take a proposal, which counts when all that its primary counted before was heard."""
        replica, order = self._replica, proposal.pre_prepare
        counting = replica.counting
        assert counting is not None
        if replica.epoch.has_view(order.view) and order.batch == proposal.batch.digest:
            counted = as_counted(order, replica.epoch.primary(order.view))
            counting.hear(counted, proposal.batch)

    def on_prepare(self, sender: Principal, prepare: Prepare) -> None:
        """Ignore what does not occur here."""

    def on_commit(self, sender: Principal, commit: Commit) -> None:
        """Ignore what does not occur here: commits are counted."""

    def on_order(self, counted: Counted, batch: Batch | None) -> None:
        """Take a pre-prepare of this view in its turn."""
        replica = self._replica
        if counted.replica != replica.primary:
            return
        entry, order = replica.log.entry(counted.sequence), as_order(counted)
        if entry.pre_prepare is not None and entry.pre_prepare.batch != order.batch:
            self._views.accuse(f"two batches are number {order.sequence} of a view")
            return
        if self._start.get(order.sequence, order.batch) != order.batch:
            self._views.accuse(f"batch {order.sequence} is not what the view starts with")
            return
        if entry.pre_prepare is None:
            entry.pre_prepare = order
            replica.append("ordered", order.row)
        if batch is not None and replica.log.batch(entry.sequence, batch.digest) is None:
            replica.log.keep_batch(entry.sequence, batch)
            replica.append("batch", entry.sequence, batch.row)
        self.agree(entry)
        if replica.log.batch(entry.sequence, order.batch) is None:
            self.fetch_soon()

    def on_vote(self, counted: Counted) -> None:
        """Take a vote in its turn, the primary's proposal included; the first one of a view counts.

        f + 1 votes of one view for one batch decide, whatever view this replica is in.
        """
        replica, view = self._replica, counted.view
        if not replica.epoch.has_view(view):
            return
        primary = replica.epoch.primary(view) == counted.replica
        if primary != (counted.kind == PROPOSED) or not replica.log.holds(counted.sequence):
            return
        entry = replica.log.entry(counted.sequence)
        known = entry.votes.get(counted.replica)
        if known is None or known[0] < view:
            vote = entry.votes[counted.replica] = (view, counted.subject)
            if list(entry.votes.values()).count(vote) >= replica.quorums.certificate:
                self._settle(entry, counted.subject)

    def agree(self, entry: Entry) -> None:
        """Vote for what the primary proposed first, once the batch is here and found valid."""
        replica, order = self._replica, entry.pre_prepare
        batch = None if order is None else replica.log.batch(entry.sequence, order.batch)
        if order is None or batch is None or entry.decided not in (None, order.batch):
            return
        if replica.agrees and replica.primary != replica.me and not entry.committing:
            if batch is not NULL_BATCH and not replica.proofs.batch(batch, replica.now):
                # In a start it may be one that only a faulty replica accepted.
                if entry.sequence not in self._start:
                    self._views.accuse(f"batch {order.sequence} is not valid")
                return
            entry.prepared = Prepared(order, ())
            replica.append("prepared", entry.prepared.row)
            self._count(entry, COMMITTED)
        if entry.decided is not None:
            replica.state.execute_ready()

    def committed(self, counted: Counted) -> None:
        """Send the own vote, which has its number."""
        self._replica.broadcast(counted)
        self.on_vote(counted)

    # -- views ------------------------------------------------------------------------------

    def enter_view(self, orders: tuple[PrePrepare, ...], low: int) -> None:
        """Note what a view starts with, which its primary has to count first."""
        replica = self._replica
        self.begin_with(orders)
        self.next_sequence = low + 1
        for order in orders:
            batch = self._views.spare.get(order.batch)
            if batch is not None and replica.log.holds(order.sequence):
                replica.log.keep_batch(order.sequence, batch)
                replica.append("batch", order.sequence, batch.row)

    def begin_with(self, orders: tuple[PrePrepare, ...]) -> bool:
        """Note what a view starts with; its primary has to count it before it is proposed."""
        self._start = {order.sequence: order.batch for order in orders}
        return False

    def on_batch(self, sender: Principal, batch: Batch) -> None:
        """Take a batch that is missing, also one that a view-change message names."""
        super().on_batch(sender, batch)
        self._views.take_batch(batch)

    def _missing(self) -> list[bytes]:
        most = self._replica.config.fetch_items_max
        return [*super()._missing(), *sorted(self._views.lacking)][:most]
