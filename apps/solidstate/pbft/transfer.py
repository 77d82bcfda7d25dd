"""Fetching a state that is proven (TOCS 2002, section 5.3): by blobs of its hash tree.

Three rules. Whatever comes is checked against its digest, so one honest source is enough and a
lying one only costs time. Blobs this replica has are not fetched, those of a wrong state included.
When a newer checkpoint is proven meanwhile and the old one is kept by nobody, what was fetched
counts for the new one: a replica that is slower than the others still gets there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.messages import Blobs, FetchBlobs, Stable
from apps.solidstate.pbft.tree import Tree, missing_blobs, pages_of

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
        self._blobs: dict[bytes, bytes] = {}
        self._asked: dict[bytes, None] = {}
        self._source = 0

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
        """Ask another replica, begin to fetch, or find that it is no longer needed."""
        if self.target is not None:
            self._source += 1
            self.target = self._replica.checkpoints.proven
            self._ask()
        elif self._replica.state.executed < self._replica.checkpoints.proven.sequence:
            self._begin()
        else:
            self.deadline = math.inf

    def _begin(self) -> None:
        replica = self._replica
        self.target = replica.checkpoints.proven
        for tree in replica.checkpoints.trees.values():
            self._blobs.update(tree.blobs)
        self._source = replica.entropy.randrange(len(replica.config.others))
        self._ask()

    def _ask(self) -> None:
        replica, target = self._replica, self.target
        assert target is not None
        if not self.repairing and replica.state.executed >= target.sequence:
            self._end()
            return
        missing = missing_blobs(target.root, self._blobs, replica.config.fetch_items_max)
        if not missing:
            self._finish(target)
            return
        self._asked = dict.fromkeys(missing)
        others = replica.config.others
        source = others[self._source % len(others)]
        replica.send(source, FetchBlobs(target.root, tuple(self._asked)))
        self.deadline = replica.now + replica.config.transfer_seconds

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
        replica.send(sender, Blobs(fetch.root, tuple(found)))

    def on_blobs(self, sender: Principal, answer: Blobs) -> None:
        """Take the blobs that were asked for."""
        replica, target = self._replica, self.target
        if target is None or answer.root != target.root:
            return
        useful = 0
        for blob in answer.blobs:
            digest = digest_of(blob)
            if digest in self._asked:
                del self._asked[digest]
                self._blobs[digest] = blob
                useful += 1
        if useful:
            self._ask()
        elif sender == replica.config.others[self._source % len(replica.config.others)]:
            self._source += 1
            self._retarget(target)

    def _retarget(self, target: Stable) -> None:
        """Go for the newest proven checkpoint: the source does not keep the old one."""
        proven = self._replica.checkpoints.proven
        if proven.sequence > target.sequence:
            self.target = proven
            self._ask()

    def _finish(self, target: Stable) -> None:
        replica = self._replica
        pages = pages_of(target.root, self._blobs)
        self._end()
        replica.state.restore(pages)
        replica.report("transfer", f"the state at {target.sequence} was fetched")
        replica.log.truncate(target.sequence)
        replica.checkpoints.restored(Tree(pages))
        replica.checkpoints.compact()
        replica.checkpoints.settle()
        replica.state.execute_ready()

    def _end(self) -> None:
        self.target = None
        self.repairing = False
        self.deadline = math.inf
        self._blobs = {}
        self._asked = {}
