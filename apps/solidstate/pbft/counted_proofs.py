"""Proofs where every replica has a trusted counter: certificates of UIs, checked in full.

What a view-change message has to show (Veronese and others 2013, section 4.3.2): everything that
its sender counted since a checkpoint, without a gap, so nothing that it accepted can be kept back.
An accepted batch is shown with the UI of the primary, and with the proof that its view began with
it or without anything at that number. The paper shows whole new-view messages for that, with the
view changes in them, and those in these; here f + 1 openings say the same (`Opened`).
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.solidstate.pbft.authentication import Keyring
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.membership import epoch_of
from apps.solidstate.pbft.messages import (
    COUNTED_KINDS,
    LEFT,
    NULL_BATCH,
    PROPOSED,
    Checkpoint,
    Counted,
    Member,
    NewView,
    Opened,
    Opening,
    Prepared,
    PrePrepare,
    ViewChange,
)
from apps.solidstate.pbft.proofs import Proofs, stable_of_view
from apps.solidstate.pbft.usig import (
    UsigVerifier,
    base_of,
    epoch_of_count,
    read_member_key,
    read_ui,
)

CHECKED_MAX = 4096
"""Statements that are known to be verified, about 1 MB: what a few view changes show again."""

Accepted = tuple[int, bytes]
"""The view in which a batch was accepted, and its digest."""


def as_counted(order: PrePrepare, primary: int) -> Counted:
    """Return a pre-prepare as what its primary counted."""
    return Counted(PROPOSED, order.view, order.sequence, order.batch, primary, order.signature)


def as_order(counted: Counted) -> PrePrepare:
    """Return the pre-prepare that a primary counted."""
    return PrePrepare(counted.view, counted.sequence, counted.subject, counted.signature)


def accepted(history: Sequence[Counted], low: int) -> dict[int, Accepted]:
    """Return what was accepted last at each number above ``low``."""
    found: dict[int, Accepted] = {}
    for counted in history:
        if counted.kind != LEFT and counted.sequence > low:
            found[counted.sequence] = (counted.view, counted.subject)
    return found


class CountedProofs(Proofs):
    """Checks what is counted or signed, for one replica of a group with trusted counters."""

    def __init__(self, config: Config, keyring: Keyring, usigs: UsigVerifier) -> None:
        self._usigs = usigs
        self._checked: dict[tuple[int, bytes, bytes], int] = {}
        super().__init__(config, keyring)

    def _learn_member(self, member: Member) -> None:
        super()._learn_member(member)
        found = read_member_key(member.key)
        if found is not None:
            self._usigs.learn(member.number, found[1])

    def is_member_key(self, key: bytes) -> bool:
        """Tell whether a replica may come into the group with this key, and this device."""
        found = read_member_key(key)
        return (
            found is not None
            and super().is_member_key(found[0])
            and self._usigs.is_device(found[1])
        )

    def counter(self, counted: Counted) -> int | None:
        """Return the number under which a member counted a statement, None if it did not."""
        if counted.replica not in self.epoch or counted.kind not in COUNTED_KINDS:
            return None
        # What is said about an epoch of the group counts under the numbers of that epoch alone.
        if epoch_of_count(counted.counter) != epoch_of(counted.view):
            return None
        # The same statement comes by itself, in histories and in new views: it is verified once.
        key = (counted.replica, counted.body, counted.signature)
        counter = self._checked.get(key)
        if counter is None:
            counter = self._usigs.verify_ui(*key)
            if len(self._checked) >= CHECKED_MAX:
                self._checked.clear()
            if counter is not None:
                self._checked[key] = counter
        return counter

    def pre_prepare(self, record: PrePrepare) -> bool:
        """Tell whether the primary of its view counted a pre-prepare."""
        primary = self.epoch.primary(record.view)
        known = self.epoch.has_view(record.view)
        return known and self.counter(as_counted(record, primary)) is not None

    def prepared(self, proof: Prepared) -> bool:
        """Tell whether a pre-prepare stands alone and is the primary's."""
        return not proof.prepares and self.pre_prepare(proof.pre_prepare)

    def checkpoint(self, record: Checkpoint) -> bool:
        """Tell whether a member signed a checkpoint, and what it vouches for was counted."""
        members = {head.replica for head in record.heads}
        return (
            len(members) == len(record.heads)
            and super().checkpoint(record)
            and all(self.counter(head) is not None for head in record.heads)
        )

    def opening(self, record: Opening) -> bool:
        """Tell whether a member signed an opening."""
        return record.replica in self.epoch and self.signed(record.replica, record)

    def opened(self, record: Opened) -> bool:
        """Tell whether f + 1 members say that a view starts like this."""
        signers = {one.replica for one in record.proof}
        return (
            self.epoch.has_view(record.view)
            and len(signers) == len(record.proof)
            and len(signers) >= self.epoch.quorums.weak
            and all((one.view, one.start) == (record.view, record.start) for one in record.proof)
            and all(self.opening(one) for one in record.proof)
        )

    def view_change(self, record: ViewChange) -> bool:
        """Tell whether everything a view-change message says is proven, and nothing kept back."""
        account, low = record.account, record.stable.sequence
        orders = [proof.pre_prepare for proof in record.prepared]
        numbers = [order.sequence for order in orders]
        if account is None or record.replica not in self.epoch:
            return False
        shown = {order.sequence: (order.view, order.batch) for order in orders}
        return (
            self.epoch.has_view(record.view)
            and record.view > self.epoch.first_view
            and numbers == sorted(set(numbers))
            and all(low < number <= low + self._config.window_batches for number in numbers)
            and shown == accepted(account.history, low)
            and self._is_whole(record)
            and self.stable(record.stable)
            and all(self.prepared(proof) for proof in record.prepared)
            and all(self.opened(one) for one in account.opened)
            and all(self._fits(order, account.opened) for order in orders)
        )

    def _is_whole(self, record: ViewChange) -> bool:
        """Whether the history goes on from the anchor to the message itself, without a gap."""
        account = record.account
        assert account is not None
        if account.anchor.sequence > record.stable.sequence:
            return False
        if account.anchor != record.stable and not self.stable(account.anchor):
            return False
        head = account.anchor.bases.get(record.replica)
        counter, view = base_of(self.epoch.number), self.epoch.first_view
        if head is not None:
            counter, view = head.counter, head.view
        last = Counted(LEFT, record.view, 0, record.claim, record.replica, record.signature)
        votes: dict[tuple[int, int], bytes] = {}
        for counted in (*account.history, last):
            counter += 1
            if counted.replica != record.replica or self.counter(counted) != counter:
                return False
            if counted.view < view or counted.view > record.view:
                return False
            view = counted.view
            if counted.kind != LEFT:
                key = (counted.view, counted.sequence)
                if view == record.view or votes.setdefault(key, counted.subject) != counted.subject:
                    return False
        return True

    def _fits(self, order: PrePrepare, opened: Sequence[Opened]) -> bool:
        """Whether a pre-prepare agrees with what its view started with."""
        if order.view == self.epoch.first_view:
            return True
        for one in opened:
            if one.view == order.view and order.sequence > one.low:
                place = order.sequence - one.low - 1
                return place >= len(one.batches) or one.batches[place] == order.batch
        return False

    def _is_proposed(self, order: PrePrepare) -> bool:
        """Whether it is the primary's: it counts what a view starts with when the view is open."""
        return True

    def _follows(self, record: NewView) -> bool:
        return list(record.pre_prepares) == orders_of_view(record.view, record.view_changes)


def orders_of_view(view: int, votes: Sequence[ViewChange]) -> list[PrePrepare]:
    """Return what a view starts with: the pre-prepares its primary has to count first.

    For each number above the latest stable checkpoint: the batch that was accepted in the highest
    view. A faulty primary may have counted two in one view: those who heard it in order accepted
    the first one. The null batch where none was accepted.
    """
    low = stable_of_view(votes).sequence
    best: dict[int, PrePrepare] = {}
    for vote in votes:
        for proof in vote.prepared:
            order = proof.pre_prepare
            known = best.get(order.sequence)
            if order.sequence > low and (known is None or _rank(order) > _rank(known)):
                best[order.sequence] = order
    return [
        PrePrepare(view, number, best[number].batch if number in best else NULL_BATCH.digest)
        for number in range(low + 1, max(best, default=low) + 1)
    ]


def _rank(order: PrePrepare) -> tuple[int, int]:
    ui = read_ui(order.signature)
    assert ui is not None
    return order.view, -ui.counter
