"""From what was on disk to a replica that goes on where it was.

Three rules. It is in the view it was in, or on the way to the one it left for, and holds what it
accepted and had certificates of: so it repeats its votes and never says anything else. Its state is
its latest checkpoint that is whole; what was executed after it is learnt again from the others.
When all replicas start at once, the certificates they hold decide again what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.encoding import decode
from apps.solidstate.pbft.messages import (
    Batch,
    Handover,
    NewView,
    Opened,
    Prepared,
    PrePrepare,
    Stable,
)
from apps.solidstate.pbft.proofs import stable_of_view
from apps.solidstate.pbft.tree import missing_blobs, tree_of

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


def recover(replica: Replica, found: Recovered) -> None:
    """Bring a fresh replica to where the records say it was."""
    reader = _Reader(replica)
    for record in found.records:
        kind, *values = unpack(record)
        reader.read(kind, values)
    if replica.counting is not None:
        reader.abstaining |= not replica.counting.restore(reader.anchors, reader.intents)
    replica.abstains = found.damaged or not found.records or reader.abstaining
    proven = replica.checkpoints.proven.sequence
    replica.checkpoints.voted = max([replica.log.low, proven, *reader.checkpoints])
    orders = [entry.sequence for entry in replica.log.entries() if entry.pre_prepare is not None]
    replica.ordering.next_sequence = max([replica.log.low, *orders]) + 1
    _restore_state(replica, reader.checkpoints, found.blobs)
    replica.state.readable_from = max(
        [replica.log.low]
        + [
            entry.sequence
            for entry in replica.log.entries()
            if entry.prepared is not None or entry.decided is not None
        ]
    )


def _restore_state(
    replica: Replica, checkpoints: dict[int, bytes], blobs: Mapping[bytes, bytes]
) -> None:
    # All of them, not only the latest: another replica may need one that only this one has left.
    for sequence in sorted(checkpoints):
        root = checkpoints[sequence]
        if not missing_blobs(root, blobs, 1):
            replica.checkpoints.trees[sequence] = tree_of(root, blobs)
    if replica.checkpoints.trees:
        replica.state.restore(replica.checkpoints.trees[max(replica.checkpoints.trees)].pages)
    for entry in replica.log.entries():
        # What is in the state was decided, and others may have to be told; where no record says
        # so, it is what the certificate is for (`Ordering`).
        if entry.sequence <= replica.state.executed and entry.prepared is not None:
            entry.decided = entry.decided or entry.prepared.pre_prepare.batch
    if replica.state.executed < replica.checkpoints.proven.sequence:
        replica.transfer.remember(blobs)
        replica.transfer.behind(at_once=False)


class _Reader:
    """Takes in the records one after the other; `read` knows every kind."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.checkpoints: dict[int, bytes] = {}
        self.anchors: list[Stable] = []
        self.intents: dict[int, list[Any]] = {}
        self.abstaining = False

    def read(self, kind: str, values: list[Any]) -> None:
        """Take in one record."""
        replica = self._replica
        match kind:
            case "founded":
                pass
            case "abstaining":
                self.abstaining = True
            case "rejoined":
                self.abstaining = False
                replica.voting_from = values[0]
            case "handover":
                replica.epochs.take_up(_record(Handover, values[0]))
            case "low":
                replica.log.truncate(values[0])
            case "view":
                replica.views.view, replica.views.state = values[0], "changing"
                replica.views.new_view = None
                replica.log.leave_view()
            case "new-view":
                self._new_view(_record(NewView, values[0]))
            case "accepted":
                order = _record(PrePrepare, values[0])
                self._batch(order.sequence, _record(Batch, values[1]))
                self._order(order)
            case "ordered":
                self._order(_record(PrePrepare, values[0]))
            case "batch":
                self._batch(values[0], _record(Batch, values[1]))
            case "prepared":
                self._prepared(_record(Prepared, values[0]))
            case "decided":
                self._decided(values[0], values[1])
            case "checkpoint":
                self.checkpoints[values[0]] = values[1]
            case "stable":
                replica.checkpoints.proven = _record(Stable, values[0])
                self.anchors.append(replica.checkpoints.proven)
            case "anchor":
                self.anchors.append(_record(Stable, values[0]))
            case "intent":
                self.intents[values[0]] = values[1:]
            case "opened":
                replica.views.restore(_record(Opened, values[0]))
            case _:
                raise MalformedMessage(f"a log with a record {kind!r} is of another version")

    def _new_view(self, new_view: NewView) -> None:
        replica = self._replica
        replica.views.view, replica.views.state = new_view.view, "active"
        replica.views.new_view = new_view
        replica.log.leave_view()
        stable = stable_of_view(new_view.view_changes)
        self.anchors.append(stable)
        if stable.sequence > replica.checkpoints.proven.sequence:
            replica.checkpoints.proven = stable
        replica.log.truncate(stable.sequence)
        if not replica.ordering.begin_with(new_view.pre_prepares):
            return
        for order in new_view.pre_prepares:
            self._order(order)

    def _order(self, order: PrePrepare) -> None:
        replica = self._replica
        if replica.log.holds(order.sequence) and order.view == replica.views.view:
            replica.log.entry(order.sequence).pre_prepare = order

    def _batch(self, sequence: int, batch: Batch) -> None:
        if self._replica.log.holds(sequence):
            self._replica.log.keep_batch(sequence, batch)

    def _decided(self, sequence: int, digest: bytes) -> None:
        if self._replica.log.holds(sequence):
            self._replica.log.entry(sequence).decided = digest

    def _prepared(self, proof: Prepared) -> None:
        replica, order = self._replica, proof.pre_prepare
        if not replica.log.holds(order.sequence):
            return
        entry = replica.log.entry(order.sequence)
        entry.prepared = proof
        if order.view == replica.views.view and replica.views.active:
            entry.prepares = {prepare.replica: prepare for prepare in proof.prepares}


def _record(kind: type[Any], row: list[Any]) -> Any:
    message = decode(pack([kind.TAG, *row]))
    assert isinstance(message, kind)
    return message
