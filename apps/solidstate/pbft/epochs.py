"""From one epoch to the next: what a reconfiguration comes to, and how others hear of it.

Three rules. An epoch ends with the batch that holds the reconfiguration: a checkpoint is made right
there, nothing above it is executed, and what was ordered above it is void, whoever decided it. The
next one begins for a replica when it holds the handover: 2f + 1 members of the old one have that
state on disk and name who takes over. Handovers are kept and given to everybody who is behind, so
that one who was away goes from epoch to epoch, each proven by the one before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.effects import Entered
from apps.solidstate.pbft.membership import HANDOVERS_AT_ONCE
from apps.solidstate.pbft.messages import Checkpoint, FetchHandovers, Handover, Handovers, Stable

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class Epochs:
    """How this replica came to the epoch it is in, and how it gets into the next one.

    ``handovers`` has the latest handovers in order; ``ends`` the last checkpoints of this epoch
    that members signed, one for each.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.handovers: list[Handover] = []
        self.ends: dict[int, Checkpoint] = {}
        self._before: set[int] = set()
        self._told: dict[Principal, float] = {}
        self._directed: dict[Principal, float] = {}

    @property
    def over(self) -> bool:
        """Whether the epoch is over in this replica's state, and the next one has not begun."""
        replica = self._replica
        return replica.state.membership.epoch > replica.epoch.number

    @property
    def retired(self) -> bool:
        """Whether this replica left the group for good: it serves the state it left with."""
        replica = self._replica
        return replica.me not in replica.epoch and replica.me < replica.epoch.membership.fresh

    @property
    def sources(self) -> tuple[int, ...]:
        """Who may have the state of the proven checkpoint: members, and who signed the handover."""
        replica = self._replica
        found = dict.fromkeys(replica.epoch.others(replica.me))
        if self.handovers and replica.checkpoints.proven == replica.proofs.base:
            found |= dict.fromkeys(vote.replica for vote in self.handovers[-1].stable.proof)
            found.pop(replica.me, None)
        return tuple(found)

    def knows(self, number: int) -> bool:
        """Tell whether a replica is or was a member, or will be one when this epoch is over."""
        coming = self._replica.state.membership.members
        return number in self._before or any(member.number == number for member in coming)

    def count(self, vote: Checkpoint) -> None:
        """Count a member's last checkpoint of this epoch: 2f + 1 of them end it."""
        replica = self._replica
        self.ends.setdefault(vote.replica, vote)
        said = (vote.sequence, vote.root, vote.successor)
        same = [
            self.ends[number]
            for number in sorted(self.ends)
            if (self.ends[number].sequence, self.ends[number].root, self.ends[number].successor)
            == said
        ]
        # A replica that has not executed that far does not know who takes over: it is told.
        membership = replica.state.membership
        if len(same) >= replica.quorums.certificate and membership.digest == vote.successor:
            self.enter(Handover(membership, Stable(vote.sequence, vote.root, tuple(same))))

    def enter(self, handover: Handover) -> None:
        """Begin the epoch of a handover that is proven."""
        replica = self._replica
        replica.append("handover", handover.row)
        former = replica.epoch
        replica.pace.leave_view()
        replica.state.roll_back()
        self.take_up(handover)
        replica.emit(Entered(handover.membership))
        replica.report("epoch", f"epoch {replica.epoch.number} starts above {replica.epoch.start}")
        if self.retired:
            replica.report("retired", f"replica {replica.me} left the group")
        for number in replica.epoch.numbers:
            if number not in former:
                replica.send(number, Handovers((handover,)))
        replica.checkpoints.settle()
        replica.ordering.enter_view((), replica.epoch.start)
        replica.requests.enter_view()

    def take_up(self, handover: Handover) -> None:
        """Believe the members of the next epoch, and forget what counted in this one only."""
        replica = self._replica
        self._before.update(replica.epoch.numbers)
        known = replica.epoch.membership.clients
        self.handovers = [*self.handovers, handover][-replica.config.handovers_max :]
        replica.proofs.follow(handover)
        self.ends = {}
        changed = [one.client for one in handover.membership.clients if one not in known]
        replica.requests.enter_epoch(changed)
        replica.log.restart(replica.epoch.start)
        replica.views.enter_epoch()
        replica.checkpoints.enter_epoch()
        # Reads wait for the state the epoch starts with, as writes in it are counted on everybody.
        replica.state.readable_from = max(replica.state.readable_from, replica.epoch.start)

    def tell(self, to: Principal, epoch: int) -> None:
        """Send the handovers of the epochs that follow one, as far as kept and not too often."""
        replica = self._replica
        later = [handover for handover in self.handovers if handover.membership.epoch > epoch]
        since = replica.now - self._told.get(to, -math.inf)
        if later and since >= replica.config.status_seconds / 2:
            self._told[to] = replica.now
            replica.send(to, Handovers(tuple(later[:HANDOVERS_AT_ONCE])))

    def direct(self, client: Principal) -> None:
        """Tell a client who took over, not too often: it may know members of former epochs alone.

        Not counted with `tell`: what it is told here may make it ask for the handovers before.
        """
        replica = self._replica
        since = replica.now - self._directed.get(client, -math.inf)
        if self.handovers and since >= replica.config.status_seconds / 2:
            self._directed[client] = replica.now
            replica.send(client, Handovers(tuple(self.handovers[-1:])))

    def on_handovers(self, sender: Principal, message: Handovers) -> None:
        """Follow the handovers that begin with the next epoch."""
        replica = self._replica
        for handover in message.handovers:
            follows = handover.membership.epoch == replica.epoch.number + 1
            if follows and replica.proofs.handover(handover):
                self.enter(handover)

    def on_fetch(self, sender: Principal, fetch: FetchHandovers) -> None:
        """Send the handovers that are asked for."""
        self.tell(sender, fetch.epoch)

    def records(self) -> list[list[object]]:
        """Return what stands in a compacted log about epochs."""
        return [["handover", handover.row] for handover in self.handovers]
