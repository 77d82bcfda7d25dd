"""Certificates, checked in full: whatever others show is believed for its signatures only.

Whose signatures count is a matter of the epoch: those of its members, for what belongs to it.
Sources: OSDI 1999, section 4.4, for what view-change and new-view messages must hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.membership import Epoch
from apps.solidstate.pbft.messages import (
    NULL_BATCH,
    Batch,
    Checkpoint,
    Handover,
    Member,
    NewView,
    Opening,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Stable,
    ViewChange,
)
from apps.solidstate.pbft.usig import read_member_key

GENESIS = Stable(0, b"", ())
"""The stable checkpoint every group starts with."""

Signed = Request | PrePrepare | Prepare | Checkpoint | ViewChange | NewView | Opening


class Proofs:
    """Checks what is signed, for one member of a group.

    ``epoch`` is the one whose members are believed. ``base`` is the checkpoint it started with,
    which all who are in it have proof of: it is shown to them without any.
    """

    def __init__(self, config: Config, keyring: Keyring) -> None:
        self._config = config
        self._keyring = keyring
        self.epoch: Epoch = config.epoch
        self.base = GENESIS
        self._learn_keys()

    def _learn_keys(self) -> None:
        for member in self.epoch.membership.members:
            if member.key:
                self._learn_member(member)
        for client, key in self.epoch.admissions.items():
            # Who was admitted under an administrator's name would be one from then on.
            if key and client not in self._config.administrators:
                self._keyring.learn(client, key)

    def _learn_member(self, member: Member) -> None:
        found = read_member_key(member.key) if self._config.minbft else (member.key, b"")
        if found is not None:
            self._keyring.learn(member.number, found[0])

    def is_member_key(self, key: bytes) -> bool:
        """Tell whether a replica may come into the group with this key."""
        return self._keyring.is_key(key)

    def may_ask(self, client: str) -> bool:
        """Tell whether a client is one in this epoch, or an administrator, who always is."""
        key = self.epoch.admissions.get(client)
        if key is None or client in self._config.administrators:
            return self._config.may_ask(client)
        return bool(key)

    def handover(self, handover: Handover) -> bool:
        """Tell whether a handover begins the next epoch, as 2f + 1 members of this one say."""
        membership, stable = handover.membership, handover.stable
        return (
            membership.epoch == self.epoch.number + 1
            and membership.start == stable.sequence > self.base.sequence
            and self._certificate(stable, membership.digest)
        )

    def follow(self, handover: Handover) -> None:
        """Believe the members of the epoch that a proven handover begins."""
        config = self._config
        self.epoch = Epoch(handover.membership, config.crash_only, config.minbft)
        self.base = Stable(handover.stable.sequence, handover.stable.root, ())
        self._learn_keys()

    def signed(self, principal: Principal, record: Signed) -> bool:
        """Tell whether the signature of a record is its principal's."""
        return self._keyring.verify(principal, record.body, record.signature)

    def request(self, request: Request) -> bool:
        """Tell whether a request is one of a client that may ask, and signed by it."""
        return (
            self.may_ask(request.client)
            and len(request.operation) <= self._config.operation_bytes_max
            and self.signed(request.client, request)
        )

    def pre_prepare(self, record: PrePrepare) -> bool:
        """Tell whether the primary of its view signed a pre-prepare."""
        primary = self.epoch.primary(record.view)
        return self.epoch.has_view(record.view) and self.signed(primary, record)

    def prepare(self, record: Prepare) -> bool:
        """Tell whether a backup of its view signed a prepare."""
        backup = record.replica in self.epoch and self.epoch.has_view(record.view)
        primary = record.replica == self.epoch.primary(record.view)
        return backup and not primary and self.signed(record.replica, record)

    def checkpoint(self, record: Checkpoint) -> bool:
        """Tell whether a member signed a checkpoint of this epoch where there may be one.

        That is every so many batches, and where the epoch ends, which is where it says so.
        """
        regular = record.sequence % self._config.checkpoint_batches == 0
        return (
            record.replica in self.epoch
            and record.epoch == self.epoch.number
            and record.sequence > self.base.sequence
            and (regular or bool(record.successor))
            and self.signed(record.replica, record)
        )

    def stable(self, stable: Stable) -> bool:
        """Tell whether 2f + 1 members signed the checkpoint, which is not the epoch's last one."""
        if stable.sequence == self.base.sequence:
            return stable == self.base
        return self._certificate(stable, b"")

    def _certificate(self, stable: Stable, successor: bytes) -> bool:
        signers = {record.replica for record in stable.proof}
        says = (stable.sequence, stable.root, successor)
        return (
            len(signers) == len(stable.proof)
            and len(signers) >= self.epoch.quorums.certificate
            and all((one.sequence, one.root, one.successor) == says for one in stable.proof)
            and all(self.checkpoint(record) for record in stable.proof)
        )

    def prepared(self, proof: Prepared) -> bool:
        """Tell whether a pre-prepare and 2f prepares of different backups match."""
        signers = {record.replica for record in proof.prepares}
        return (
            len(signers) == len(proof.prepares)
            and len(signers) >= self.epoch.quorums.prepares
            and all(self._same_batch(proof.pre_prepare, record) for record in proof.prepares)
            and self.pre_prepare(proof.pre_prepare)
            and all(self.prepare(record) for record in proof.prepares)
        )

    @staticmethod
    def _same_batch(first: PrePrepare, record: Prepare) -> bool:
        return (record.view, record.sequence, record.batch) == (
            first.view,
            first.sequence,
            first.batch,
        )

    def view_change(self, record: ViewChange) -> bool:
        """Tell whether everything a view-change message says is proven."""
        low = record.stable.sequence
        sequences = [proof.pre_prepare.sequence for proof in record.prepared]
        return (
            record.replica in self.epoch
            and self.epoch.has_view(record.view)
            and record.view > self.epoch.first_view
            and sequences == sorted(set(sequences))
            and all(low < number <= low + self._config.window_batches for number in sequences)
            and all(proof.pre_prepare.view < record.view for proof in record.prepared)
            and self.signed(record.replica, record)
            and self.stable(record.stable)
            and all(self.prepared(proof) for proof in record.prepared)
        )

    def new_view(self, record: NewView) -> bool:
        """Tell whether a new view follows from its proof: a backup does the computation again."""
        signers = {vote.replica for vote in record.view_changes}
        return (
            self.epoch.has_view(record.view)
            and self.signed(self.epoch.primary(record.view), record)
            and len(signers) == len(record.view_changes)
            and len(signers) >= self.epoch.quorums.certificate
            and all(vote.view == record.view for vote in record.view_changes)
            and all(self.view_change(vote) for vote in record.view_changes)
            and self._follows(record)
            and all(self._is_proposed(order) for order in record.pre_prepares)
        )

    def _is_proposed(self, order: PrePrepare) -> bool:
        """Whether a pre-prepare that a view starts with is its primary's."""
        return self.pre_prepare(order)

    def _follows(self, record: NewView) -> bool:
        """Whether a view starts with what its view-change messages show."""
        start = start_of_view(record.view_changes)
        orders = [(order.sequence, order.batch) for order in record.pre_prepares]
        return start == orders and all(order.view == record.view for order in record.pre_prepares)

    def batch(self, batch: Batch, now: float) -> bool:
        """Tell whether a batch may be proposed at time ``now``: sizes, time, every signature."""
        requests = batch.requests
        size = sum(len(request.operation) for request in requests)
        return (
            0 < len(requests) <= self._config.batch_requests_max
            and size <= self._config.batch_bytes_max
            and batch.time <= (now + self._config.clock_skew_seconds) * 1_000_000
            and all(self.request(request) for request in requests)
        )


def stable_of_view(votes: Sequence[ViewChange]) -> Stable:
    """Return the latest stable checkpoint in view-change messages: min-s of OSDI 1999."""
    return max((vote.stable for vote in votes), key=lambda stable: stable.sequence)


def start_of_view(votes: Sequence[ViewChange]) -> list[tuple[int, bytes]]:
    """Return the numbers a view starts with and the digests of their batches (section 4.4).

    For each number above the latest stable checkpoint up to the highest one with a certificate: the
    batch of the certificate with the highest view, or the null batch where there is none.
    """
    low = stable_of_view(votes).sequence
    best: dict[int, PrePrepare] = {}
    for vote in votes:
        for proof in vote.prepared:
            order = proof.pre_prepare
            known = best.get(order.sequence)
            if order.sequence > low and (known is None or order.view > known.view):
                best[order.sequence] = order
    null = NULL_BATCH.digest
    return [
        (number, best[number].batch if number in best else null)
        for number in range(low + 1, max(best, default=low) + 1)
    ]
