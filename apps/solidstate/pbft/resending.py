"""Status messages: what makes up for everything the network lost (TOCS 2002, section 5.2).

Each replica says how far it is, often while something is under way and seldom while not. Whoever is
farther sends again what it said itself, and only that: its prepares and commits, its view-change
message, what it executed. Pre-prepares and new views, which are signed, anybody passes on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.log import Entry
from apps.solidstate.pbft.membership import epoch_of
from apps.solidstate.pbft.messages import Commit, Decided, Proposal, Status

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class Resending:
    """Tells the others how far this replica is, and sends them what they lack."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.deadline = math.inf
        self._answered: dict[Principal, float] = {}

    def tick(self) -> None:
        """Send a status; the next one comes after an interval that varies by a quarter."""
        replica, config = self._replica, self._replica.config
        replica.broadcast(self._status())
        seconds = config.status_seconds if self._is_busy() else config.idle_status_seconds
        self.deadline = replica.now + seconds * replica.entropy.uniform(0.75, 1.25)

    def _status(self) -> Status:
        replica = self._replica
        return Status(
            replica.views.view,
            replica.views.active,
            replica.checkpoints.proven.sequence,
            replica.state.executed,
            replica.pace.weary,
            replica.views.impatient,
        )

    def hasten(self) -> None:
        """Bring the next status forward when something is under way."""
        soon = self._replica.now + 1.25 * self._replica.config.status_seconds
        if self.deadline > soon and self._is_busy():
            self.deadline = soon

    def _is_busy(self) -> bool:
        replica = self._replica
        return not replica.epochs.retired and (
            bool(replica.requests.pending)
            or not replica.views.active
            or not replica.views.is_open
            or replica.epochs.over
            or replica.transfer.target is not None
            or replica.checkpoints.proven.sequence > replica.state.executed
            or replica.log.get(replica.state.executed + 1) is not None
        )

    def on_status(self, sender: Principal, status: Status) -> None:
        """Send again what the sender lacks; not more often than it may ask."""
        replica = self._replica
        assert isinstance(sender, int)
        here = sender in replica.epoch and replica.epoch.has_view(status.view)
        last = self._answered.get(sender, -math.inf)
        if replica.now >= last + replica.config.status_seconds / 2:
            self._answered[sender] = replica.now
            if here:
                self._answer(sender, status)
            else:
                replica.epochs.tell(sender, epoch_of(status.view))
        if here:
            replica.views.hear(sender, status)

    def _answer(self, sender: int, status: Status) -> None:
        replica = self._replica
        replica.pace.hear(sender, status)
        if status.stable < replica.checkpoints.proven.sequence:
            replica.send(sender, replica.checkpoints.proven)
        self._resend_view(sender, status)
        self._resend_checkpoints(sender, status)
        together = status.view == replica.views.view and status.active and replica.views.active
        self._resend_decided(sender, status, together)
        if together:
            self._resend_orders(sender, status)

    def _resend_view(self, sender: int, status: Status) -> None:
        views = self._replica.views
        if status.view < views.view or (status.view == views.view and not status.active):
            if views.new_view is not None:
                self._replica.send(sender, views.new_view)
            elif self._replica.me in views.votes:
                self._replica.send(sender, views.votes[self._replica.me])

    def _resend_checkpoints(self, sender: int, status: Status) -> None:
        replica = self._replica
        for sequence in sorted(replica.checkpoints.votes):
            vote = replica.checkpoints.votes[sequence].get(replica.me)
            if vote is not None and sequence > status.stable:
                replica.send(sender, vote)
        signed = replica.checkpoints.latest.get(sender)
        if signed is not None and signed.sequence > status.executed:
            # Its state was on disk when it signed that: so it has another disk.
            replica.send(sender, signed)
        if replica.me in replica.epochs.ends:
            replica.send(sender, replica.epochs.ends[replica.me])

    def _resend_decided(self, sender: int, status: Status, together: bool) -> None:
        """Say what was executed here; f may have done so, and the others still need its votes."""
        replica = self._replica
        last = min(replica.state.executed, status.executed + replica.config.resend_batches_max)
        for sequence in range(max(status.executed, replica.log.low) + 1, last + 1):
            entry = replica.log.get(sequence)
            if entry is not None and entry.decided is not None:
                replica.send(sender, Decided(sequence, entry.decided))
                if together:
                    self._resend_votes(sender, entry)

    def _resend_orders(self, sender: int, status: Status) -> None:
        replica = self._replica
        first = max(status.executed, replica.state.executed, replica.log.low) + 1
        for sequence in range(first, first + replica.config.resend_batches_max):
            entry = replica.log.get(sequence)
            if entry is not None:
                self._resend_order(sender, entry)

    def _resend_order(self, sender: int, entry: Entry) -> None:
        replica, order = self._replica, entry.pre_prepare
        if order is None:
            return
        batch = replica.log.batch(entry.sequence, order.batch)
        if batch is not None and sender != replica.primary and batch.requests:
            replica.send(sender, Proposal(order, batch))
        self._resend_votes(sender, entry)

    def _resend_votes(self, sender: int, entry: Entry) -> None:
        replica, order = self._replica, entry.pre_prepare
        if replica.me in entry.prepares:
            replica.send(sender, entry.prepares[replica.me])
        if order is not None and entry.committing and replica.me in entry.commits:
            replica.send(sender, Commit(order.view, order.sequence, order.batch))
