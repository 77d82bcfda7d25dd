"""View changes (OSDI 1999, section 4.4), and the patience with which primaries are met.

The states of a replica and what takes it from one to another stand in `TRANSITIONS`.

Four rules. That the view was left is on disk before the view-change message leaves, so that a
restarted replica never votes in a view it left. Nobody leaves a view because it alone is out of
patience: it says so and goes on voting, and leaves when f + 1 want to (Veronese and others 2013,
section 4.3). Patience doubles with each view change and halves with each request executed in time,
and is never less than some times what requests took of late; what they took this replica
alone counts for less when another one waits in vain. A deadline that is seen too late accuses this
replica's own processor or disk and not the primary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import NewView, Opened, PrePrepare, Status, ViewChange
from apps.solidstate.pbft.proofs import stable_of_view, start_of_view

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica

TRANSITIONS: dict[tuple[str, str], str] = {
    # A watched request is late here and f + 1 want to leave, or the primary is caught: for the
    # next view.
    ("active", "suspect"): "changing",
    # The primary had its turn, and there were requests, or it is slow: for the next view.
    ("active", "turn"): "changing",
    # f + 1 others want higher views: for the least of them. Or they want to leave this one: for the
    # next view.
    ("active", "joined"): "changing",
    ("changing", "joined"): "changing",
    # 2f + 1 want the view or higher ones, and its new-view message is late: for the next view.
    ("changing", "suspect"): "changing",
    # The new-view message of this view, or of a higher one, came.
    ("changing", "new-view"): "active",
    ("active", "new-view"): "active",
    # Another epoch starts, in its first view.
    ("active", "epoch"): "active",
    ("changing", "epoch"): "active",
}
"""From a state and what happens to the next state; anything else cannot happen."""

SLOWNESS_HALVES_SECONDS = 10.0
"""How long it takes until half of what this replica knows of its own slowness is forgotten: some
times as long as the patience that is made of it, so a view change does not begin without it."""

HURRIED_FACTOR = 2.0
"""How many times what requests take it alone a replica waits where another one waits in vain. With
one that says so falsely a group whose disks need 0.3 s for a write serves as much as without it;
were nothing allowed, two thirds."""

DOUBLINGS_MAX = 32
"""How often patience doubles: far beyond any ``view_seconds_max``."""


class Views:
    """Which view a replica is in, and how it gets into the next one.

    ``state`` is active or changing; ``votes`` has each replica's latest view-change message, and
    ``new_view`` is what started the view. ``impatient`` says that this replica waits in vain for
    what it watches, or that the primary had its turn.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.view = replica.epoch.first_view
        self.state = "active"
        self.votes: dict[int, ViewChange] = {}
        self.new_view: NewView | None = None
        self._late = math.inf
        self._since = 0.0
        self._doublings = 0
        self._turn_ends = math.inf
        self._waits_in_vain = False
        self._turn_over = False
        self._impatient: dict[int, int] = {}
        self._handed_over = math.inf
        self._successor = 0
        self._slowness = 0.0
        self._slow_at = 0.0

    def enter_epoch(self) -> None:
        """Go to the first view of the epoch; what was said in another one is forgotten."""
        self._replica.pace.enter_epoch()
        self.view = self._replica.epoch.first_view
        self.state = TRANSITIONS[self.state, "epoch"]
        self.votes = {}
        self.new_view = None
        self._be_patient()
        self._impatient = {}
        self._doublings = 0

    def _be_patient(self) -> None:
        self._late = self._turn_ends = math.inf
        self._waits_in_vain = self._turn_over = False

    @property
    def impatient(self) -> bool:
        """Whether this replica wants to leave the view it is active in."""
        return self._waits_in_vain or self._turn_over

    @property
    def active(self) -> bool:
        """Whether this replica takes part in its view, and is not on the way to it."""
        return self.state == "active"

    @property
    def is_open(self) -> bool:
        """Whether it may be voted in the view; always, but where its start has to be proven."""
        return True

    @property
    def patience(self) -> float:
        """How long the primary has for the watched request, or for its new-view message."""
        replica, config = self._replica, self._replica.config
        # What the current primary takes is its own word: it does not stretch patience far. Where
        # requests take as long under others, the system is slow. After a restart nothing of that
        # is known, but how long this replica is kept by its own processor and disk.
        own = min(max(replica.requests.latency, self.slowness), config.view_seconds)
        # Who is level may wait in vain: whoever is behind is not to keep it waiting for long.
        factor = HURRIED_FACTOR if self._others_leaving() else config.view_latency_factor
        latency = max(factor * own, config.view_latency_factor * replica.pace.latency)
        least: float = max(config.view_seconds, latency)
        doubled: float = least * 2.0**self._doublings
        return min(doubled, config.view_seconds_max)

    @property
    def slowness(self) -> float:
        """How late this replica itself was of late, in seconds."""
        passed = self._replica.now - self._slow_at
        return float(self._slowness * 0.5 ** (passed / SLOWNESS_HALVES_SECONDS))

    @property
    def deadline(self) -> float:
        """When the primary is late, or its turn is over."""
        return min(self._late, self._turn_ends, self._handed_over)

    def hand_over(self, view: int, successor: int) -> None:
        """Leave ``view`` for the one a member was named to lead, once this event is handled.

        All do, as it is ordered: so nobody is late, and nobody suspected. A replica that is in
        another view by then has nothing to do.
        """
        numbers = self._replica.epoch.numbers
        if self.active and view == self.view and successor in numbers:
            ahead = numbers.index(successor) - numbers.index(self._replica.primary)
            self._successor = view + ahead % len(numbers)
            self._handed_over = self._replica.now

    def expect(self) -> None:
        """Give the primary its time for a request that is watched from now on."""
        if self.active:
            self._waits_in_vain = False
            self._await_primary()
            self._replica.pace.work()

    def _await_primary(self) -> None:
        self._since = self._replica.now
        self._late = self._since + self.patience

    def served(self) -> None:
        """Note that requests were executed: the primary's turn has begun."""
        if self.active and math.isinf(self._turn_ends) and not self._turn_over:
            self._turn_ends = self._replica.now + self._replica.config.view_turn_seconds

    def progress(self) -> None:
        """Note that the watched request was executed."""
        self._doublings = max(0, self._doublings - 1)
        if self.active:
            self._late = math.inf
            self._waits_in_vain = False

    def note_lateness(self, lateness: float) -> None:
        """Note by how much an event was handled after the time it was due, in seconds."""
        if lateness > self.slowness:
            self._slowness, self._slow_at = lateness, self._replica.now

    def excuse(self, lateness: float) -> None:
        """Give everybody the time during which this replica was not running."""
        self._since += lateness
        self._late += lateness
        self._turn_ends += lateness
        self._replica.pace.excuse()

    def tick(self) -> None:
        """Be out of patience with a primary that is late, or let it have had its turn."""
        if not math.isinf(self._handed_over):
            self._handed_over = math.inf
            if self.active and self._successor > self.view:
                self._change(self._successor, "turn", "an administrator names another primary")
        elif self.active and self._replica.now >= self._turn_ends:
            self._turn_ends = math.inf
            self._turn_over = self._replica.voting
            self._say_impatient()
        elif self._replica.now < self._since + self.patience:
            # This replica has turned out to be slow: so may be the others.
            self._late = self._since + self.patience
        elif self.active:
            self._late = math.inf
            self._waits_in_vain = self._replica.voting
            self._say_impatient()
        else:
            self._change(self.view + 1, "suspect", "the primary is late")

    def _say_impatient(self) -> None:
        """Say by a status, which is repeated, that this replica wants to leave."""
        if self.impatient:
            self._replica.resending.deadline = self._replica.now
            if self._waits_in_vain:
                self._replica.report("impatient", f"the primary of view {self.view} is late")
            self._leave_if_wanted()

    def hear(self, sender: int, status: Status) -> None:
        """Take a member's word that it wants to leave its view, or no longer."""
        if status.impatient:
            self._impatient[sender] = status.view
            self._leave_if_wanted()
        else:
            self._impatient.pop(sender, None)

    @property
    def gone(self) -> set[int]:
        """Who has left this view for a higher one."""
        return {number for number, vote in self.votes.items() if vote.view > self.view}

    def _others_leaving(self) -> set[int]:
        """Return who else wants to leave this view, or has left it."""
        return self.gone | {n for n, view in self._impatient.items() if view == self.view}

    def _leave_if_wanted(self) -> None:
        """Leave when f + 1, so a correct one, want to leave this view or have left it."""
        others = self._others_leaving()
        if not self.active or len(others) + self.impatient < self._replica.quorums.weak:
            if others and not math.isinf(self._late):
                self._late = self._since + self.patience
            return
        if self._waits_in_vain:
            self._change(self.view + 1, "suspect", "the primary is late")
        elif self._turn_over:
            self._change(self.view + 1, "turn", "the primary had its turn")
        else:
            self._change(self.view + 1, "joined", "others are out of patience")

    def end_turn(self) -> None:
        """End the turn of a primary under which less is done than under others."""
        self._change(self.view + 1, "turn", "the primary does not keep pace")

    def accuse(self, words: str) -> None:
        """Leave the view of a primary that is proven to be faulty."""
        replica = self._replica
        replica.report("faulty", f"replica {replica.primary}: {words}", replica.primary)
        self._change(self.view + 1, "suspect", words)

    def _change(self, view: int, kind: str, words: str) -> None:
        replica = self._replica
        self._be_patient()
        if not replica.voting:
            return
        view = max(view, replica.voting_from)
        replica.report(kind, f"view {self.view} is left for {view}: {words}")
        if kind != "turn":
            self._doublings = min(self._doublings + 1, DOUBLINGS_MAX)
        self.state = TRANSITIONS[self.state, kind]
        replica.pace.leave_view()
        self.view = view
        self.new_view = None
        replica.log.leave_view()
        replica.state.roll_back()
        replica.append("view", view)
        self._vote()
        self._look()

    def rejoin(self) -> None:
        """Take part again: in this view if it may, else it follows until the next one."""
        replica = self._replica
        if self.active:
            for entry in replica.log.entries():
                replica.ordering.agree(entry)
            # Whom it waited for in vain, without a vote to leave, is given its time again.
            replica.requests.watch_anew()
        elif self.view < replica.voting_from:
            self._change(self.view, "joined", "this replica is back")
        else:
            self.announce()
        # Who left meanwhile was heard, and is not heard again.
        self._join()

    def announce(self) -> None:
        """Say again, after a restart, that the view was left."""
        if not self.active and self._replica.voting:
            self._vote()
            self._look()

    def _vote(self) -> None:
        """Say what this replica has proof of, to all."""
        replica = self._replica
        proven = replica.checkpoints.proven
        prepared = tuple(
            entry.prepared
            for entry in replica.log.entries()
            if entry.prepared is not None and entry.sequence > proven.sequence
        )
        vote = replica.sign(ViewChange(self.view, proven, prepared, replica.me))
        self.votes[replica.me] = vote
        replica.broadcast(vote)

    def on_view_change(self, sender: Principal, vote: ViewChange) -> None:
        """Take a replica's view-change message."""
        known = self.votes.get(vote.replica)
        if vote.replica == self._replica.me or (known is not None and known.view >= vote.view):
            return
        if vote.view < self.view or (vote.view == self.view and self.active):
            return
        if self._replica.proofs.view_change(vote):
            self.votes[vote.replica] = vote
            self._join()
            self._look()

    def _join(self) -> None:
        """Go along when f + 1 others, so a correct one, want higher views (section 4.5.2)."""
        higher = sorted(vote.view for vote in self.votes.values() if vote.view > self.view)
        if len(higher) >= self._replica.quorums.weak:
            self._change(higher[0], "joined", "others left it")
        elif higher:
            self._leave_if_wanted()
            self._replica.pace.look()

    def _supporters(self) -> list[ViewChange]:
        votes = [self.votes[number] for number in sorted(self.votes)]
        return [vote for vote in votes if vote.view == self.view]

    def _look(self) -> None:
        """See whether 2f + 1 want the view: then its primary starts it, or has its time.

        Who wants a higher view has wanted this one, and says so no longer: without counting them,
        two replicas could wait in one view for the third that is a view ahead, for ever.
        """
        replica = self._replica
        least = replica.quorums.certificate
        if self.active or sum(vote.view >= self.view for vote in self.votes.values()) < least:
            return
        if replica.primary == replica.me and len(self._supporters()) >= least:
            self._start_view()
        elif math.isinf(self._late):
            self._await_primary()

    def _start_view(self) -> None:
        replica = self._replica
        votes = self._supporters()
        if not replica.voting or replica.me not in {vote.replica for vote in votes}:
            return
        orders = tuple(
            replica.sign(PrePrepare(self.view, sequence, digest))
            for sequence, digest in start_of_view(votes)
        )
        new_view = replica.sign(NewView(self.view, tuple(votes), orders))
        self._enter(new_view)

    def on_new_view(self, sender: Principal, new_view: NewView) -> None:
        """Take the message that starts a view, from its primary or from who follows it."""
        if new_view.view < self.view or (new_view.view == self.view and self.active):
            return
        if self._replica.epoch.primary(new_view.view) == self._replica.me:
            return
        if self._replica.proofs.new_view(new_view):
            self._enter(new_view)

    def _enter(self, new_view: NewView) -> None:
        replica = self._replica
        replica.pace.leave_view()
        self.view = new_view.view
        self.state = TRANSITIONS[self.state, "new-view"]
        self.new_view = new_view
        self._be_patient()
        self.votes = {n: vote for n, vote in self.votes.items() if vote.view > self.view}
        replica.log.leave_view()
        replica.state.roll_back()
        replica.append("new-view", new_view.row)
        if replica.primary == replica.me:
            replica.broadcast(new_view)
        replica.report("view", f"view {self.view} starts")
        stable = stable_of_view(new_view.view_changes)
        replica.checkpoints.adopt(stable)
        replica.ordering.enter_view(new_view.pre_prepares, stable.sequence)
        replica.requests.enter_view()

    def restore(self, opened: Opened) -> None:
        """Take up the proof of a view's start, where there is one (`is_open`)."""

    def records(self) -> list[list[object]]:
        """Return what stands in a compacted log about views."""
        if self.new_view is not None:
            return [["new-view", self.new_view.row]]
        return [] if self.active else [["view", self.view]]
