"""View changes where every replica has a trusted counter (Veronese and others 2013, section 4.3).

Three rules. A view-change message is counted itself and shows all that its sender counted before,
so what was accepted cannot be kept back; it is made when everything before has its number. The new
primary takes only those whose batches it holds and found valid. Nobody votes in a view before f + 1
have said that they checked its new-view message: this is the proof of how the view started.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.counted_proofs import CountedProofs, accepted, orders_of_view
from apps.solidstate.pbft.messages import (
    LEFT,
    NULL_BATCH,
    Account,
    Batch,
    Counted,
    NewView,
    Opened,
    Opening,
    Prepared,
    PrePrepare,
    ViewChange,
)
from apps.solidstate.pbft.proofs import stable_of_view
from apps.solidstate.pbft.views import Views

if TYPE_CHECKING:
    from apps.solidstate.pbft.counting import Counting
    from apps.solidstate.pbft.replica import Replica


class CountedViews(Views):
    """Which view a replica is in, and whether its start is proven.

    ``kept`` has the proofs of the views in which this replica accepted something; ``spare`` the
    batches that view-change messages name, and ``lacking`` the digests of those it does not hold.
    """

    def __init__(self, replica: Replica, proofs: CountedProofs) -> None:
        super().__init__(replica)
        self._proofs = proofs
        self.kept: dict[int, Opened] = {}
        self.spare: dict[bytes, Batch] = {}
        self.lacking: set[bytes] = set()
        self._openings: dict[int, Opening] = {}
        self._wanted = False
        self._made: ViewChange | None = None
        self._valid: set[bytes] = set()

    def enter_epoch(self) -> None:
        """Go to the first view of the epoch; how views of another one began is forgotten."""
        super().enter_epoch()
        self.kept, self.spare, self.lacking = {}, {}, set()
        self._openings, self._valid = {}, set()
        self._wanted, self._made = False, None

    @property
    def _counting(self) -> Counting:
        counting = self._replica.counting
        assert counting is not None
        return counting

    @property
    def is_open(self) -> bool:
        """Whether the start of the view is proven, so that it may be voted in."""
        return self.view == self._replica.epoch.first_view or self.view in self.kept

    # -- leaving a view ---------------------------------------------------------------------

    def _vote(self) -> None:
        self._wanted = True
        self.vote_if_wanted()

    def vote_if_wanted(self) -> None:
        """Make the view-change message, once all that was said before has its number."""
        replica, counting = self._replica, self._counting
        if not self._wanted or counting.pending or self.active or not replica.voting:
            return
        self._wanted = False
        history = tuple(counting.own.statements.values())
        proven = replica.checkpoints.proven
        last = accepted(history, proven.sequence)
        orders = self._accepted_orders(sorted(last))
        if orders is None:
            replica.abstains = True
            replica.report("damaged", "it accepted what its disk does not hold: it does not vote")
            return
        prepared = tuple(Prepared(order, ()) for order in orders)
        views = sorted({order.view for order in orders} - {replica.epoch.first_view})
        account = Account(counting.own.anchor, history, tuple(self.kept[view] for view in views))
        self._made = ViewChange(self.view, proven, prepared, replica.me, account)
        counting.certify(LEFT, self.view, 0, self._made.claim)

    def _accepted_orders(self, numbers: list[int]) -> list[PrePrepare] | None:
        """What this replica accepted, which its disk held before it was counted."""
        entries = [self._replica.log.get(number) for number in numbers]
        proofs = [entry.prepared for entry in entries if entry is not None]
        orders = [proof.pre_prepare for proof in proofs if proof is not None]
        return orders if len(orders) == len(numbers) else None

    def left(self, counted: Counted) -> None:
        """Send the view-change message, which has its number."""
        made = self._made
        if made is None or made.claim != counted.subject or self.active or made.view != self.view:
            self._replica.broadcast(counted)
            return
        vote = replace(made, signature=counted.signature)
        self.votes[self._replica.me] = vote
        self._replica.broadcast(vote)
        self._look()

    def announce(self) -> None:
        """Say again, after a restart, that the view was left, or how it started."""
        super().announce()
        # Others may lack it, also where this replica knows enough.
        if self.active and self.new_view is not None:
            self._open()

    # -- entering one -----------------------------------------------------------------------

    def on_view_change(self, sender: Principal, vote: ViewChange) -> None:
        """Take a replica's view-change message, and what it shows of its chain."""
        super().on_view_change(sender, vote)
        if self.votes.get(vote.replica) is vote:
            self._learn(vote)

    def _learn(self, vote: ViewChange) -> None:
        """Hear what a view-change message that is proven shows."""
        account, counting = vote.account, self._counting
        assert account is not None
        self._replica.checkpoints.learn(vote.stable)
        counting.skip(account.anchor)
        for counted in account.history:
            counting.hear(counted, proven=True)
        last = Counted(LEFT, vote.view, 0, vote.claim, vote.replica, vote.signature)
        counting.hear(last, proven=True)

    def _supporters(self) -> list[ViewChange]:
        if self._replica.primary != self._replica.me:
            return super()._supporters()
        self.lacking = set()
        found = [vote for vote in super()._supporters() if self._is_usable(vote)]
        if self.lacking:
            self._replica.ordering.fetch_soon()
        return found

    def _is_usable(self, vote: ViewChange) -> bool:
        """Whether this replica can let others have all that a message says was accepted.

        A faulty replica may have accepted what nobody else holds, or what nobody asked for: it
        would be taken into each view again, and none could go on.
        """
        # All of them are looked at, to ask for all that is missing at once.
        held = [self._is_held(proof.pre_prepare) for proof in vote.prepared]
        return all(held)

    def _is_held(self, order: PrePrepare) -> bool:
        replica, digest = self._replica, order.batch
        if (
            digest == NULL_BATCH.digest
            or order.sequence <= replica.log.low
            or digest in self._valid
        ):
            return True
        batch = replica.log.batch(order.sequence, digest) or self.spare.get(digest)
        if batch is None:
            self.lacking.add(digest)
            return False
        entry = replica.log.get(order.sequence)
        proof = None if entry is None else entry.prepared
        mine = proof is not None and proof.pre_prepare.batch == digest
        if mine or replica.proofs.batch(batch, replica.now):
            self._valid.add(digest)
            return True
        return False

    def take_batch(self, batch: Batch) -> None:
        """Take a batch that a view-change message names."""
        if batch.digest in self.lacking:
            self.spare[batch.digest] = batch
            self._look()

    def _start_view(self) -> None:
        replica = self._replica
        votes = self._supporters()
        if not replica.voting or replica.me not in {vote.replica for vote in votes}:
            return
        orders = tuple(orders_of_view(self.view, votes))
        self._enter(replica.sign(NewView(self.view, tuple(votes), orders)))

    def _enter(self, new_view: NewView) -> None:
        self._wanted, self._made = False, None
        super()._enter(new_view)
        self.spare, self.lacking, self._valid = {}, set(), set()
        for vote in new_view.view_changes:
            self._learn(vote)
        # What was waiting behind these may have shown that the new primary is faulty as well.
        if self.new_view is new_view:
            self._open()

    # -- how it starts ----------------------------------------------------------------------

    def _start(self) -> Opened:
        new_view = self.new_view
        assert new_view is not None
        low = stable_of_view(new_view.view_changes).sequence
        return Opened(self.view, low, tuple(order.batch for order in new_view.pre_prepares), ())

    def _open(self) -> None:
        """Say how the view starts, and hear it from others."""
        replica = self._replica
        if replica.voting:
            opening = replica.sign(Opening(self.view, self._start().start, replica.me))
            self._openings[replica.me] = opening
            replica.broadcast(opening)
        self._count_openings()

    @property
    def opening(self) -> Opening | None:
        """What this replica said about the start of its view."""
        opening = self._openings.get(self._replica.me)
        return opening if opening is not None and opening.view == self.view else None

    def on_opening(self, sender: Principal, opening: Opening) -> None:
        """Take a replica's word about the start of a view, which may not have begun here."""
        known = self._openings.get(opening.replica)
        if opening.view < self.view or (known is not None and known.view >= opening.view):
            return
        if opening.replica != self._replica.me and self._proofs.opening(opening):
            self._openings[opening.replica] = opening
            self._count_openings()

    def _count_openings(self) -> None:
        if not self.active or self.is_open:
            return
        start = self._start()
        said = (self.view, start.start)
        same = [self._openings[number] for number in sorted(self._openings)]
        same = [one for one in same if (one.view, one.start) == said]
        if len(same) >= self._replica.quorums.weak:
            self.kept[self.view] = replace(start, proof=tuple(same))
            self._prune()
            self._replica.append("opened", self.kept[self.view].row)
            self._replica.ordering.open()

    def restore(self, opened: Opened) -> None:
        """Take up the proof of a view's start."""
        self.kept[opened.view] = opened

    def _prune(self) -> None:
        """Keep the proofs of this view and of those that a view-change message needs."""
        counting, low = self._counting, self._replica.log.low
        views = {self.view} | {intent.view for intent in counting.intents()}
        views |= {
            view for view, _ in accepted(list(counting.own.statements.values()), low).values()
        }
        self.kept = {view: one for view, one in self.kept.items() if view in views}

    def records(self) -> list[list[object]]:
        """Return what stands in a compacted log about views."""
        opened: list[list[object]] = [["opened", one.row] for one in self.kept.values()]
        return [*super().records(), *opened]
