"""The normal case: pre-prepare, prepare, commit (OSDI 1999, section 4.2), and fetching batches.

Three rules. A pre-prepare is on disk before a prepare leaves, a certificate before a commit. A
replica prepares only what it holds the batch of, so that a certificate means f + 1 correct replicas
hold it. What belongs to a view this replica is not in yet waits a little; what is too much of it is
dropped and sent again later.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.early import Early
from apps.solidstate.pbft.log import Entry
from apps.solidstate.pbft.messages import (
    Batch,
    Commit,
    Decided,
    FetchBatches,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
    Request,
)

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica

SALT_BYTES = 16
"""Bytes of the salt that a primary puts into a batch."""


class Ordering:
    """Gives batches their numbers and agrees on them.

    ``next_sequence`` is the number of this primary's next batch; ``deadline`` the time at which
    gathered requests are proposed or missing batches asked for again.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.next_sequence = 1
        self.deadline = math.inf
        self._gathering_since = math.inf
        self._fetch_at = math.inf
        self.early = Early(replica.config.batch_bytes_max)

    # -- the primary ------------------------------------------------------------------------

    def propose(self) -> None:
        """Propose what waits, if this replica leads and it is time."""
        replica = self._replica
        # The queue first: it is empty after most events, and asking who leads takes longer.
        while replica.requests.queue and replica.leads and self._may_propose():
            self._propose_one(self._gather())
        waits = bool(replica.requests.queue) and replica.leads
        self._gathering_since = min(self._gathering_since, replica.now) if waits else math.inf
        self._set_deadline()

    def _may_propose(self) -> bool:
        replica, config = self._replica, self._replica.config
        under_way = self.next_sequence - 1 - replica.state.executed
        if not replica.log.holds(self.next_sequence) or under_way >= config.batches_under_way_max:
            return False
        waited = replica.now >= self._gathering_since + config.batch_delay_seconds
        full = len(replica.requests.queue) >= config.batch_requests_max
        return under_way == 0 or waited or full

    def _gather(self) -> Batch:
        replica, config = self._replica, self._replica.config
        queue = replica.requests.queue
        chosen: list[Request] = []
        size = 0
        for request in list(queue.values())[: config.batch_requests_max]:
            size += len(request.operation)
            if chosen and size > config.batch_bytes_max:
                break
            chosen.append(queue.pop(request.client))
        time = int(replica.now * 1_000_000)
        return Batch(time, replica.entropy.randbytes(SALT_BYTES), tuple(chosen))

    def _propose_one(self, batch: Batch) -> None:
        replica = self._replica
        entry = replica.log.entry(self.next_sequence)
        order = PrePrepare(replica.views.view, self.next_sequence, batch.digest)
        self.next_sequence += 1
        self.accept(entry, replica.sign(order), batch)
        assert entry.pre_prepare is not None
        replica.broadcast(Proposal(entry.pre_prepare, batch))
        self.advance(entry)

    # -- everybody --------------------------------------------------------------------------

    def accept(self, entry: Entry, order: PrePrepare, batch: Batch) -> None:
        """Take a pre-prepare for good: on disk before anything rests on it."""
        self._replica.log.keep_batch(entry.sequence, batch)
        entry.pre_prepare = order
        self._replica.append("accepted", order.row, batch.row)

    def on_proposal(self, sender: Principal, proposal: Proposal) -> None:
        """Take the primary's proposal, which others may have passed on."""
        replica, order = self._replica, proposal.pre_prepare
        if replica.primary == replica.me or not self._is_current(sender, proposal, order):
            return
        entry = replica.log.entry(order.sequence)
        if order.batch != proposal.batch.digest or not replica.proofs.pre_prepare(order):
            return
        if entry.pre_prepare is not None:
            if entry.pre_prepare.batch != order.batch:
                replica.views.accuse(f"two batches are number {order.sequence} of a view")
            else:
                self.on_batch(sender, proposal.batch)
        elif not replica.proofs.batch(proposal.batch, replica.now):
            replica.views.accuse(f"batch {order.sequence} is not valid")
        else:
            self.accept(entry, order, proposal.batch)
            self.agree(entry)

    def on_prepare(self, sender: Principal, prepare: Prepare) -> None:
        """Take a backup's prepare."""
        replica = self._replica
        if not self._is_current(sender, prepare, prepare):
            return
        entry = replica.log.entry(prepare.sequence)
        # One that a certificate has no use for is not verified, which costs more than all the rest.
        needed = not entry.committing and prepare.replica not in entry.prepares
        if needed and replica.proofs.prepare(prepare):
            entry.prepares[prepare.replica] = prepare
            self.advance(entry)

    def on_commit(self, sender: Principal, commit: Commit) -> None:
        """Take a replica's commit."""
        assert isinstance(sender, int)
        if self._is_current(sender, commit, commit):
            entry = self._replica.log.entry(commit.sequence)
            entry.commits.setdefault(sender, commit.batch)
            self._decide(entry, commit.batch)

    def on_decided(self, sender: Principal, decided: Decided) -> None:
        """Take a replica's word that it executed a batch; f + 1 of them hold one correct one."""
        assert isinstance(sender, int)
        replica = self._replica
        if replica.log.holds(decided.sequence) and decided.sequence > replica.state.executed:
            entry = replica.log.entry(decided.sequence)
            entry.claims[sender] = decided.batch
            if list(entry.claims.values()).count(decided.batch) >= replica.quorums.weak:
                self._settle(entry, decided.batch)

    def _is_current(
        self,
        sender: Principal,
        message: Proposal | Prepare | Commit,
        order: PrePrepare | Prepare | Commit,
    ) -> bool:
        """Whether a message counts now; one of a view that comes is kept for a while."""
        replica, views = self._replica, self._replica.views
        if order.view == views.view and views.active:
            return replica.log.holds(order.sequence)
        if order.view >= views.view:
            self.early.keep(sender, message)
        return False

    def agree(self, entry: Entry) -> None:
        """Prepare what the primary proposed, once the batch is here."""
        replica, order = self._replica, entry.pre_prepare
        if order is None or replica.log.batch(entry.sequence, order.batch) is None:
            return
        if entry.decided not in (None, order.batch):
            # The primary told others something else, and they decided it.
            return
        # Where no primary lies, its proposal is a certificate by itself: there are two phases.
        prepares = replica.primary != replica.me and not replica.config.crash_only
        if replica.agrees and prepares and replica.me not in entry.prepares:
            prepare = Prepare(order.view, order.sequence, order.batch, replica.me)
            entry.prepares[replica.me] = replica.sign(prepare)
            replica.broadcast(entry.prepares[replica.me])
        self.advance(entry)
        if entry.decided is not None:
            replica.state.execute_ready()

    def advance(self, entry: Entry) -> None:
        """Commit to what is prepared: the certificate is on disk before the commit leaves."""
        replica, order = self._replica, entry.pre_prepare
        if order is None or entry.committing:
            return
        matching = [entry.prepares[number] for number in sorted(entry.prepares)]
        matching = [prepare for prepare in matching if prepare.batch == order.batch]
        if len(matching) < replica.quorums.prepares:
            return
        if replica.log.batch(entry.sequence, order.batch) is None:
            return
        entry.prepared = Prepared(order, tuple(matching[: replica.quorums.prepares]))
        replica.append("prepared", entry.prepared.row)
        entry.committing = True
        if replica.agrees:
            entry.commits[replica.me] = order.batch
            replica.broadcast(Commit(order.view, order.sequence, order.batch))
        self._decide(entry, order.batch)
        if replica.config.tentative:
            replica.state.execute_ready()

    def _decide(self, entry: Entry, digest: bytes) -> None:
        if list(entry.commits.values()).count(digest) >= self._replica.quorums.certificate:
            self._settle(entry, digest)

    def _settle(self, entry: Entry, digest: bytes) -> None:
        if entry.decided is None:
            entry.decided = digest
            if entry.prepared is None or entry.prepared.pre_prepare.batch != digest:
                # What is executed is on disk one way or the other: see State.readable_from.
                self._replica.append("decided", entry.sequence, digest)
            self._replica.state.execute_ready()

    # -- views ------------------------------------------------------------------------------

    def enter_view(self, orders: tuple[PrePrepare, ...], low: int) -> None:
        """Start a view with the pre-prepares of its new-view message."""
        replica = self._replica
        self.next_sequence = max(low, *(order.sequence for order in orders), 0) + 1
        for order in orders:
            if replica.log.holds(order.sequence):
                entry = replica.log.entry(order.sequence)
                entry.pre_prepare = order
                self.agree(entry)
        self.fetch_soon()
        for sender, message in self.early.take():
            if sender in replica.epoch:
                self._again(sender, message)

    def _again(self, sender: Principal, message: Proposal | Prepare | Commit) -> None:
        if isinstance(message, Proposal):
            self.on_proposal(sender, message)
        elif isinstance(message, Prepare):
            self.on_prepare(sender, message)
        else:
            self.on_commit(sender, message)

    # -- batches that are missing -----------------------------------------------------------

    def fetch_soon(self) -> None:
        """See to it that missing batches are asked for, unless they come by themselves."""
        if math.isinf(self._fetch_at):
            self._fetch_at = self._replica.now
            self._set_deadline()

    def _set_deadline(self) -> None:
        self.deadline = self._fetch_at
        if self._gathering_since < math.inf and self._can_gather():
            gathered = self._gathering_since + self._replica.config.batch_delay_seconds
            self.deadline = min(gathered, self._fetch_at)

    def _can_gather(self) -> bool:
        """Whether time alone lets the gathered requests go: not while too much is under way."""
        replica = self._replica
        under_way = self.next_sequence - 1 - replica.state.executed
        free = under_way < replica.config.batches_under_way_max
        return free and replica.log.holds(self.next_sequence)

    def tick(self) -> None:
        """Ask all others for the batches that are missing."""
        replica, config = self._replica, self._replica.config
        if replica.now >= self._fetch_at:
            missing = self._missing()
            self._fetch_at = replica.now + config.transfer_seconds if missing else math.inf
            if missing:
                replica.broadcast(FetchBatches(tuple(missing)))
        self._set_deadline()

    def _missing(self) -> list[bytes]:
        return list(self._replica.log.missing(self._replica.config.fetch_items_max))

    def open(self) -> None:
        """Begin to agree in a view whose start had to be proven (`Views.is_open`)."""

    def resume(self) -> None:
        """Go on after a restart with what was to be counted (`Counting`)."""

    def begin_with(self, orders: tuple[PrePrepare, ...]) -> bool:
        """Hear after a restart what the view started with; tell whether that was proposed by it."""
        return True

    def on_fetch(self, sender: Principal, fetch: FetchBatches) -> None:
        """Send the batches that are here."""
        for digest in fetch.digests[: self._replica.config.fetch_items_max]:
            batch = self._replica.log.find_batch(digest)
            if batch is not None and self._replica.allowance.allows(sender, batch.size):
                self._replica.send(sender, batch)

    def on_batch(self, sender: Principal, batch: Batch) -> None:
        """Take a batch that is missing: its digest was agreed on, so anybody may send it."""
        replica = self._replica
        sequence = replica.log.missing(replica.config.window_batches).get(batch.digest)
        if sequence is not None:
            replica.log.keep_batch(sequence, batch)
            replica.append("batch", sequence, batch.row)
            self.agree(replica.log.entry(sequence))
            replica.state.execute_ready()
