"""How a replica that may have forgotten votes becomes a voting member again.

It may say nothing that contradicts what it forgot, and never learns what that was. But it can learn
bounds of it, for what it had said was within its window, and near the view of others:

1. Its window began at a checkpoint that 2f + 1 replicas had signed. It is one of the f itself, so
   f + 1 other correct ones had executed as much, and of any 2f + 1 others that answer after the
   restart one at least says so. Its votes were no more than a window above that.
2. It was in no view, or on the way to none, but one that f + 1 other correct ones had come within
   one of, since nobody leaves a view for the next without 2f + 1, or goes along without f + 1.
   So one at least of the 2f + 1 others says that view, or the one before.

Of all answers the lowest 2f + 1 count, so f - 1 liars cannot put it off for ever. Once a checkpoint
above the first bound is proven and its own, it knows everything that a view-change message has to
tell; and in views above the second one it has promised nothing. So it takes part in view changes at
once, and prepares and commits from the next view on (`Replica.voting_from`). The nonce keeps out
answers from before the restart, the epoch those from before a reconfiguration, which voids votes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.membership import epoch_of
from apps.solidstate.pbft.messages import FetchStanding, Standing

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica

NONCE_BYTES = 32
"""Bytes that tell the answers to one start of a replica from those to all others."""


class Rejoining:
    """Asks the others how far they are, and ends the abstention when its own state is far enough.

    ``deadline`` is when it asks again, or looks how far it has come.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.deadline = math.inf
        self._nonce = b""
        self._epoch = 0
        self._standings: dict[int, Standing] = {}

    def begin(self) -> None:
        """Ask, if this replica abstains."""
        replica = self._replica
        # With a trusted counter what it forgot is not bounded by what others saw of it.
        if replica.abstains and replica.counting is None:
            self._nonce = replica.entropy.randbytes(NONCE_BYTES)
            self.deadline = replica.now

    def forget(self, sequence: int) -> None:
        """Abstain: this replica signed the checkpoint of that number, and its disk has no such.

        Somebody put an older disk back. Where no checkpoint came between, it is not found out: then
        this replica is one of the f as long as what it forgot lies above what is proven.
        """
        replica = self._replica
        if not replica.abstains:
            replica.abstains = True
            replica.append("abstaining")
            words = "is an older one, or another's: it does not vote"
            replica.report("damaged", f"it signed the state at {sequence}, and its disk {words}")
            self._standings = {}
            self.begin()

    def tick(self) -> None:
        """Rejoin if it is time; else ask those who have not answered."""
        replica = self._replica
        if self._epoch != replica.epoch.number:
            self._epoch = replica.epoch.number
            self._standings = {}
        if self._is_far_enough():
            self._rejoin()
            return
        if replica.epochs.retired:
            # Its number is never given again: it has nothing to come back to, and nobody answers.
            self.deadline = math.inf
            return
        self.deadline = replica.now + replica.config.transfer_seconds
        for other in replica.epoch.others(replica.me):
            if other not in self._standings:
                replica.send(other, FetchStanding(self._nonce))

    def on_fetch(self, sender: Principal, fetch: FetchStanding) -> None:
        """Say how far this replica is, or may have been before it lost anything."""
        replica = self._replica
        if not replica.abstains:
            executed = max(replica.state.executed, replica.state.readable_from)
            replica.send(sender, Standing(fetch.nonce, replica.views.view, executed))

    def on_standing(self, sender: Principal, standing: Standing) -> None:
        """Take an answer; the first one of each counts."""
        assert isinstance(sender, int)
        replica = self._replica
        if not replica.abstains or standing.nonce != self._nonce:
            return
        if epoch_of(standing.view) == self._epoch == replica.epoch.number:
            self._standings.setdefault(sender, standing)

    def _lowest(self, numbers: list[int]) -> int:
        """The highest one of the lowest 2f + 1."""
        return sorted(numbers)[self._replica.quorums.certificate - 1]

    def _is_far_enough(self) -> bool:
        """Whether all that was forgotten lies below what is proven, and is the own state."""
        replica = self._replica
        if len(self._standings) < replica.quorums.certificate or replica.transfer.repairing:
            return False
        executed = self._lowest([standing.executed for standing in self._standings.values()])
        bound = executed + replica.config.window_batches
        return replica.state.executed >= replica.log.low >= bound

    def _rejoin(self) -> None:
        replica = self._replica
        self.deadline = math.inf
        view = self._lowest([standing.view for standing in self._standings.values()]) + 1
        if replica.epoch.primary(view) == replica.me:
            # What it did as the primary of just that view is forgotten as well.
            view += 1
        replica.abstains = False
        # Nothing that it forgot lies above: who shows it an old vote of its own tells it no news.
        replica.checkpoints.voted = max(replica.checkpoints.voted, replica.log.low)
        replica.voting_from = view
        replica.append("rejoined", view)
        replica.report("rejoined", f"the state at {replica.log.low} is beyond all it forgot")
        replica.views.rejoin()
