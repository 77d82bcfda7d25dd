"""Checkpoints: what lets the log be cut, and what a state is compared with.

Three rules (OSDI 1999, section 4.3). A checkpoint is on disk before the replica signs it, so that
2f + 1 signatures mean f + 1 correct replicas hold that state whatever happens. The log is cut at a
proven checkpoint only once this replica's own state has reached it, or when a new view starts above
it. A state that differs from a proven checkpoint is wrong, and is fetched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.effects import Compact, Store
from apps.solidstate.pbft.executing import membership_of
from apps.solidstate.pbft.messages import Checkpoint, Counted, Stable
from apps.solidstate.pbft.proofs import GENESIS
from apps.solidstate.pbft.tree import Tree

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class Checkpoints:
    """The own checkpoints, those others signed, and the latest that is proven.

    ``trees`` has the own states by number; ``proven`` is the latest stable checkpoint known, and
    ``voted`` the latest that this replica knows it signed. ``latest`` has the latest vote that each
    of the others sent itself, which is shown to one that seems to have forgotten it.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.trees: dict[int, Tree] = {}
        self.votes: dict[int, dict[int, Checkpoint]] = {}
        self.proven: Stable = GENESIS
        self.voted = 0
        self.latest: dict[int, Checkpoint] = {}

    def take(self) -> None:
        """Make a checkpoint of the state as it is, and say so once it is on disk."""
        sequence = self._replica.state.executed
        before = self.trees[max(self.trees)] if self.trees else None
        tree = self.trees[sequence] = Tree(self._replica.state.snapshot(), before)
        self.save(tree, before)
        self._vote(sequence)
        self.settle()

    def save(self, tree: Tree, before: Tree | None = None) -> None:
        """Have a tree of the current state put on disk."""
        blobs = tree.blobs
        if before is not None:
            known = before.blobs
            blobs = {digest: blob for digest, blob in blobs.items() if digest not in known}
        self._replica.emit(Store(blobs))
        self._replica.append("checkpoint", self._replica.state.executed, tree.root)

    def _vote(self, sequence: int) -> None:
        replica = self._replica
        if replica.me not in replica.epoch:
            return
        membership = membership_of(self.trees[sequence].pages)
        successor = membership.digest if membership.epoch > replica.epoch.number else b""
        root = self.trees[sequence].root
        vote = Checkpoint(sequence, root, replica.me, replica.epoch.number, successor)
        vote = replica.sign(replace(vote, heads=self._heads(sequence)))
        self.voted = max(self.voted, sequence)
        replica.broadcast(vote)
        self._count(vote)

    def _heads(self, sequence: int) -> tuple[Counted, ...]:
        """Return what the signature vouches for besides, where replicas have trusted counters."""
        return ()

    def announce(self) -> None:
        """Sign the own checkpoints that are not known to be stable again, after a restart."""
        for sequence in sorted(self.trees):
            if sequence > self.proven.sequence:
                self._vote(sequence)

    def check(self) -> None:
        """Do what a restart may have kept from being done: repair the state, or cut the log.

        A log that is not cut may end where the state is, and then nothing is taken in.
        """
        if self._replica.state.executed >= self.proven.sequence:
            self.settle()

    def on_checkpoint(self, sender: Principal, vote: Checkpoint) -> None:
        """Take a replica's checkpoint."""
        replica = self._replica
        if vote.replica == replica.me:
            self._hear_own(vote)
            return
        self._remember(sender, vote)
        # Above the window of whoever is behind the proof by a window: anything farther is proven
        # by a Stable that comes as the answer to a status.
        low = self.proven.sequence
        if low < vote.sequence <= low + 2 * replica.config.window_batches:
            known = replica.epochs.ends if vote.successor else self.votes.get(vote.sequence, {})
            if vote.replica not in known and replica.proofs.checkpoint(vote):
                self._count(vote)

    def _hear_own(self, vote: Checkpoint) -> None:
        """Take what others say that this replica signed."""
        if vote.sequence > self.voted and self._replica.proofs.checkpoint(vote):
            # It is on disk before it is signed: so this is an older disk than the one it was on.
            self._replica.rejoining.forget(vote.sequence)

    def _remember(self, sender: Principal, vote: Checkpoint) -> None:
        """Keep what a replica signed, unchecked: it alone is shown it, and it checks it then."""
        replica, known = self._replica, self.latest.get(vote.replica)
        later = not vote.successor and (known is None or vote.sequence > known.sequence)
        near = vote.sequence <= self.proven.sequence + 2 * replica.config.window_batches
        if sender == vote.replica and later and near and vote.epoch == replica.epoch.number:
            self.latest[vote.replica] = vote

    def _count(self, vote: Checkpoint) -> None:
        if vote.successor:
            self._replica.epochs.count(vote)
            return
        votes = self.votes.setdefault(vote.sequence, {})
        votes.setdefault(vote.replica, vote)
        same = [votes[number] for number in sorted(votes) if votes[number].root == vote.root]
        if len(same) >= self._replica.quorums.certificate:
            self._prove(Stable(vote.sequence, vote.root, tuple(same)))

    def on_stable(self, sender: Principal, stable: Stable) -> None:
        """Take the proof of a stable checkpoint."""
        if stable.sequence > self.proven.sequence and self._replica.proofs.stable(stable):
            self._prove(stable)

    def learn(self, stable: Stable) -> None:
        """Take a stable checkpoint whose proof was checked."""
        self._prove(stable)

    def adopt(self, stable: Stable) -> None:
        """Cut the log at a proven checkpoint that a new view starts from, wherever the state is."""
        self._prove(stable)
        if stable.sequence > self._replica.log.low:
            self._replica.log.truncate(stable.sequence)
            self.settle()

    def enter_epoch(self) -> None:
        """Start from the checkpoint an epoch begins with."""
        self.proven = self._replica.proofs.base
        self.votes = {}
        self.latest = {}

    def _prove(self, stable: Stable) -> None:
        if stable.sequence <= self.proven.sequence:
            return
        self.proven = stable
        for sequence in [number for number in self.votes if number <= stable.sequence]:
            del self.votes[sequence]
        self._replica.append("stable", stable.row)
        self.settle()

    def settle(self) -> None:
        """Compare the state with the proven checkpoint; cut the log, repair, or catch up."""
        replica, proven = self._replica, self.proven
        # One that left the group keeps the state it left with, for those who came.
        if replica.transfer.repairing or replica.epochs.retired:
            return
        if replica.state.executed < proven.sequence:
            replica.transfer.behind(at_once=replica.state.executed < replica.log.low)
            return
        own = self.trees.get(proven.sequence)
        if own is not None and own.root != proven.root:
            replica.report("diverged", f"the state at {proven.sequence} is not the proven one")
            replica.transfer.repair()
        else:
            self._cut()

    def _cut(self) -> None:
        replica = self._replica
        # The latest checkpoint below stays, for those who are fetching it.
        below = sorted(number for number in self.trees if number < self.proven.sequence)
        for number in below[:-1]:
            del self.trees[number]
        if replica.log.low < self.proven.sequence:
            replica.log.truncate(self.proven.sequence)
            self.compact()

    def restored(self, tree: Tree) -> None:
        """Take the tree of a state that was fetched as the only own one."""
        self.trees = {self._replica.state.executed: tree}
        self.save(tree)

    def compact(self) -> None:
        """Have the log on disk replaced by what is still needed."""
        replica = self._replica
        records: list[list[object]] = [*replica.epochs.records(), ["low", replica.log.low]]
        if replica.abstains:
            records.append(["abstaining"])
        elif replica.voting_from:
            records.append(["rejoined", replica.voting_from])
        records.append(["stable", self.proven.row])
        records += [["checkpoint", number, self.trees[number].root] for number in self.trees]
        records += replica.views.records()
        records += self._records()
        for entry in replica.log.entries():
            if entry.pre_prepare is not None:
                records.append(["ordered", entry.pre_prepare.row])
            if entry.decided is not None:
                records.append(["decided", entry.sequence, entry.decided])
            if entry.prepared is not None:
                records.append(["prepared", entry.prepared.row])
            kept = replica.log.batches(entry.sequence)
            records += [["batch", entry.sequence, batch.row] for batch in kept]
        blobs = frozenset(digest for tree in self.trees.values() for digest in tree.blobs)
        replica.emit(Compact(tuple(pack(record) for record in records), blobs))

    def _records(self) -> list[list[object]]:
        """Return what else stands in a compacted log, where replicas have trusted counters."""
        return []
