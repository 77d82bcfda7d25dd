"""Fetching a state that is proven (TOCS 2002, section 5.3): by blobs of its hash tree.

Three rules. Whatever comes is checked against its digest, so one honest source is enough and a
lying one only costs time; all are asked at once, each for something else. Blobs this replica has
are not fetched, those of a wrong state and those on its disk included. When a newer checkpoint is
proven meanwhile and the old one is kept by nobody, what was fetched counts for the new one: a
replica that is slower than the others still gets there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.effects import Store
from apps.solidstate.pbft.messages import Blobs, FetchBlobs, Stable
from apps.solidstate.pbft.tree import Part, tree_of

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class Transfer:
    """Fetches the state of the proven checkpoint when this replica cannot reach it by itself.

    ``target`` is the checkpoint being fetched; ``repairing`` says that the own state is wrong, so
    nothing may be executed on it.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.target: Stable | None = None
        self.repairing = False
        self.deadline = math.inf
        self._part: Part | None = None
        # What was fetched for the checkpoint before this one, or stands on the disk: memory for
        # two states at most, however often the target moves.
        self._kept: Mapping[bytes, bytes] = {}
        self._asked: dict[int, tuple[bytes, ...]] = {}
        self._late_at: dict[int, float] = {}
        self._useless: set[int] = set()
        self._first = 0

    def remember(self, blobs: Mapping[bytes, bytes]) -> None:
        """Take the blobs that were on disk: a transfer goes on where a restart ended it."""
        self._kept = blobs

    def behind(self, at_once: bool) -> None:
        """Note that a proven checkpoint is ahead of the state; fetch it, in a while or at once."""
        if self.target is None:
            if at_once:
                self._begin()
            elif math.isinf(self.deadline):
                self.deadline = self._replica.now + self._replica.config.transfer_seconds

    def repair(self) -> None:
        """Fetch the proven state in the place of the own one, which is wrong."""
        self.repairing = True
        self._begin()

    def tick(self) -> None:
        """Give up on those who are late, begin to fetch, or find that it is no longer needed."""
        proven = self._replica.checkpoints.proven
        if self._replica.epochs.retired:
            # Nobody needs from it what it did not have when it left.
            self._end()
        elif self.target is not None:
            for source in [one for one, at in self._late_at.items() if self._replica.now >= at]:
                self._give_up(source)
            if self._useless.issuperset(self._replica.epochs.sources):
                self._useless = set()
            if proven.sequence > self.target.sequence:
                self._aim(proven)
            self._ask()
        elif self._replica.state.executed < proven.sequence:
            self._begin()
        else:
            self._end()

    def _begin(self) -> None:
        replica = self._replica
        self._first = replica.entropy.randrange(len(replica.epochs.sources))
        self._useless = set()
        self._aim(replica.checkpoints.proven)
        self._ask()

    def _aim(self, target: Stable) -> None:
        """Go for the state of a checkpoint, with all that is here already."""
        if self._part is not None:
            self._kept = self._part.blobs
        own = [tree.blobs for tree in self._replica.checkpoints.trees.values()]
        self.target = target
        self._part = Part(target.root, [self._kept, *own])
        self._asked = {}
        self._late_at = {}

    def _ask(self) -> None:
        """Ask every source that owes no answer for something that is missing."""
        replica, target, part = self._replica, self.target, self._part
        assert target is not None and part is not None
        if not self.repairing and replica.state.executed >= target.sequence:
            self._end()
            # A later one may have been proven meanwhile, which nobody tells of again.
            replica.checkpoints.settle()
        elif part.whole:
            self._finish(target, part)
        else:
            for source in self._free_sources():
                digests = part.take(replica.config.fetch_items_max)
                if not digests:
                    break
                self._asked[source] = digests
                self._late_at[source] = replica.now + replica.config.transfer_seconds
                replica.send(source, FetchBlobs(target.root, digests))
            later = replica.now + replica.config.transfer_seconds
            self.deadline = min(self._late_at.values(), default=later)

    def _free_sources(self) -> list[int]:
        """Who may be asked: not those who were of no use, until everybody was (`tick`)."""
        sources = self._replica.epochs.sources
        first = self._first % len(sources)
        order = (*sources[first:], *sources[:first])
        return [one for one in order if one not in self._asked and one not in self._useless]

    def _give_up(self, source: int) -> None:
        """Ask others for what a source did not send."""
        assert self._part is not None
        self._useless.add(source)
        self._part.put_back(self._asked.pop(source))
        del self._late_at[source]

    def on_fetch(self, sender: Principal, fetch: FetchBlobs) -> None:
        """Send blobs of a tree that is kept here, or the word that it is not."""
        replica = self._replica
        trees = replica.checkpoints.trees.values()
        blobs = next((tree.blobs for tree in trees if tree.root == fetch.root), {})
        found: list[bytes] = []
        size = 0
        for digest in fetch.digests[: replica.config.fetch_items_max]:
            blob = blobs.get(digest)
            if blob is not None and (not found or size < replica.config.blob_bytes_max):
                found.append(blob)
                size += len(blob)
        if replica.allowance.allows(sender, size):
            replica.send(sender, Blobs(fetch.root, tuple(found)))

    def on_blobs(self, sender: Principal, answer: Blobs) -> None:
        """Take the blobs that are wanted, whoever sent them."""
        target, part = self.target, self._part
        if target is None or part is None:
            return
        added = {digest: blob for blob in answer.blobs if (digest := part.add(blob)) is not None}
        if added:
            # So they need not be fetched again after a restart, nor be written all at once.
            self._replica.emit(Store(added))
        assert isinstance(sender, int)
        was_asked = sender in self._asked and answer.root == target.root
        if was_asked:
            self._answered(sender, bool(added))
        # What nobody wanted from somebody who was not asked must not even put off the deadline.
        if was_asked or added:
            self._ask()

    def _answered(self, source: int, useful: bool) -> None:
        """Note that a source answered; without anything of use it keeps that tree no longer."""
        if useful:
            assert self._part is not None
            self._part.put_back(self._asked.pop(source))
            del self._late_at[source]
            return
        self._give_up(source)
        proven = self._replica.checkpoints.proven
        assert self.target is not None
        if proven.sequence > self.target.sequence:
            self._useless = set()
            self._aim(proven)

    def _finish(self, target: Stable, part: Part) -> None:
        replica = self._replica
        tree = tree_of(target.root, part.blobs)
        self._end()
        replica.state.restore(tree.pages)
        replica.report("transfer", f"the state at {target.sequence} was fetched")
        replica.log.truncate(target.sequence)
        replica.checkpoints.restored(tree)
        replica.checkpoints.compact()
        replica.checkpoints.settle()
        replica.state.execute_ready()

    def _end(self) -> None:
        self.target = None
        self.repairing = False
        self.deadline = math.inf
        self._part = None
        self._kept = {}
        self._asked = {}
        self._late_at = {}
