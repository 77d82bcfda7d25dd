"""Certificates, checked in full: whatever others show is believed for its signatures only.

Sources: OSDI 1999, section 4.4, for what view-change and new-view messages must hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.messages import (
    NULL_BATCH,
    Batch,
    Checkpoint,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Stable,
    ViewChange,
)

GENESIS = Stable(0, b"", ())
"""The stable checkpoint every group starts with."""

Signed = Request | PrePrepare | Prepare | Checkpoint | ViewChange | NewView


class Proofs:
    """Checks what is signed, for one member of a group."""

    def __init__(self, config: Config, keyring: Keyring) -> None:
        self._config = config
        self._quorums = config.quorums
        self._keyring = keyring

    def signed(self, principal: Principal, record: Signed) -> bool:
        """Tell whether the signature of a record is its principal's."""
        return self._keyring.verify(principal, record.body, record.signature)

    def request(self, request: Request) -> bool:
        """Tell whether a request is one of a client that may ask, and signed by it."""
        return (
            request.client in self._config.clients
            and len(request.operation) <= self._config.operation_bytes_max
            and self.signed(request.client, request)
        )

    def pre_prepare(self, record: PrePrepare) -> bool:
        """Tell whether the primary of its view signed a pre-prepare."""
        return self.signed(self._quorums.primary(record.view), record)

    def prepare(self, record: Prepare) -> bool:
        """Tell whether a backup of its view signed a prepare."""
        backup = record.replica < self._quorums.replicas
        primary = record.replica == self._quorums.primary(record.view)
        return backup and not primary and self.signed(record.replica, record)

    def checkpoint(self, record: Checkpoint) -> bool:
        """Tell whether a replica signed a checkpoint at a number where there is one."""
        return (
            record.replica < self._quorums.replicas
            and record.sequence > 0
            and record.sequence % self._config.checkpoint_batches == 0
            and self.signed(record.replica, record)
        )

    def stable(self, stable: Stable) -> bool:
        """Tell whether 2f + 1 different replicas signed the checkpoint."""
        if stable.sequence == 0:
            return stable == GENESIS
        signers = {record.replica for record in stable.proof}
        return (
            len(signers) == len(stable.proof)
            and len(signers) >= self._quorums.certificate
            and all(self._same_checkpoint(stable, record) for record in stable.proof)
            and all(self.checkpoint(record) for record in stable.proof)
        )

    @staticmethod
    def _same_checkpoint(stable: Stable, record: Checkpoint) -> bool:
        return record.sequence == stable.sequence and record.root == stable.root

    def prepared(self, proof: Prepared) -> bool:
        """Tell whether a pre-prepare and 2f prepares of different backups match."""
        signers = {record.replica for record in proof.prepares}
        return (
            len(signers) == len(proof.prepares)
            and len(signers) >= self._quorums.prepares
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
            record.replica < self._quorums.replicas
            and record.view > 0
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
            self.signed(self._quorums.primary(record.view), record)
            and len(signers) == len(record.view_changes)
            and len(signers) >= self._quorums.certificate
            and all(vote.view == record.view for vote in record.view_changes)
            and all(self.view_change(vote) for vote in record.view_changes)
            and self._follows(record)
            and all(self.pre_prepare(order) for order in record.pre_prepares)
        )

    @staticmethod
    def _follows(record: NewView) -> bool:
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
