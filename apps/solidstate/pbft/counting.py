"""What every replica counted, heard in the order of its counter and without a gap.

Five rules (after Veronese and others, "Efficient Byzantine Fault-Tolerance", IEEE TC 2013). What a
replica says about an order counts when everything it said before was heard: so all hear the same,
and the first thing it said about a number of a view is the only one. What this replica counts is on
disk before its device is asked for the number, so every number can be accounted for after a crash.
A chain that goes back to a view which was left is followed no further. What lies below a checkpoint
is dropped on the word of those who signed it: one of f + 1 heard the whole chain. In each epoch of
the group all chains begin anew, at the first number of that epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.counted_proofs import CountedProofs
from apps.solidstate.pbft.effects import Certify, Forget
from apps.solidstate.pbft.events import Certified
from apps.solidstate.pbft.messages import (
    COMMITTED,
    LEFT,
    PROPOSED,
    Batch,
    Checkpoint,
    Counted,
    History,
    Stable,
)
from apps.solidstate.pbft.usig import base_of

if TYPE_CHECKING:
    from apps.solidstate.pbft.counted_ordering import CountedOrdering
    from apps.solidstate.pbft.counted_views import CountedViews
    from apps.solidstate.pbft.replica import Replica

AHEAD_MAX = 512
"""How far above the last statement heard one is kept; more comes again after a status."""

BATCHES_AHEAD_MAX = 64
"""Batches kept of one replica with proposals that wait; others are fetched."""


class Chain:
    """What one replica counted.

    ``statements`` has what was heard without a gap above ``base``, and ``head`` the statement at
    ``base``; ``waiting`` what came too early. What it says about numbers up to ``floor`` does not
    count, since some of its chain up to there was not heard. ``anchor`` proves the base.
    """

    def __init__(self, base: int, anchor: Stable, view: int) -> None:
        self.base = base
        self.head: Counted | None = None
        self.anchor = anchor
        self.floor = 0
        self.view = view
        self.broken = False
        self.statements: dict[int, Counted] = {}
        self.waiting: dict[int, tuple[Counted, Batch | None]] = {}

    @property
    def heard(self) -> int:
        """The number of the last statement that was heard without a gap."""
        return self.base + len(self.statements)

    @property
    def reach(self) -> int:
        """The number up to which nothing is lacking, what waits included."""
        reach = self.heard
        while reach + 1 in self.waiting:
            reach += 1
        return reach

    def head_below(self, sequence: int) -> Counted | None:
        """Return the last statement before the first one about a number above ``sequence``."""
        head = self.head
        for counter in range(self.base + 1, self.heard + 1):
            if self.statements[counter].sequence > sequence:
                break
            head = self.statements[counter]
        return head

    def after(self, counter: int, most: int) -> list[Counted]:
        """Return up to ``most`` statements after a number."""
        first = max(counter, self.base) + 1
        last = min(self.heard, first + most - 1)
        return [self.statements[number] for number in range(first, last + 1)]

    def skip(self, head: Counted, counter: int, anchor: Stable) -> None:
        """Drop what lies up to ``counter``; what was not heard of it is not asked for again."""
        if counter > self.heard:
            self.floor = max(self.floor, anchor.sequence)
            self.view = max(self.view, head.view)
            self.statements = {}
        for number in range(self.base + 1, counter + 1):
            self.statements.pop(number, None)
        self.waiting = {n: found for n, found in self.waiting.items() if n > counter}
        self.base, self.head, self.anchor = counter, head, anchor


class Counting:
    """The chains of all members, and what this replica is about to count.

    ``chains`` are by number, the own one included.
    """

    def __init__(
        self,
        replica: Replica,
        proofs: CountedProofs,
        ordering: CountedOrdering,
        views: CountedViews,
    ) -> None:
        self._replica = replica
        self._proofs = proofs
        self._ordering = ordering
        self._views = views
        self.chains: dict[int, Chain] = {}
        self._intents: dict[int, Counted] = {}
        self.enter_epoch()

    def enter_epoch(self) -> None:
        """Begin all chains at the first number of the epoch; what was counted before is void."""
        for chain in self.chains.values():
            # One may be followed just now, up to the statement that began the epoch.
            chain.broken, chain.waiting = True, {}
        epoch, start = self._replica.epoch, self._proofs.base
        base = base_of(epoch.number)
        numbers = {*epoch.numbers, self._replica.me}
        self.chains = {n: Chain(base, start, epoch.first_view) for n in sorted(numbers)}
        self._intents = {}
        self._ordering.begin_with(())

    @property
    def own(self) -> Chain:
        """The chain of this replica."""
        return self.chains[self._replica.me]

    @property
    def pending(self) -> bool:
        """Whether something this replica says has no number yet."""
        return bool(self._intents)

    # -- what this replica counts -----------------------------------------------------------

    def certify(self, kind: str, view: int, sequence: int, subject: bytes) -> None:
        """Have a statement counted: it is on disk before the device is asked."""
        counter = max(self._intents, default=self.own.heard) + 1
        self._replica.append("intent", counter, kind, view, sequence, subject)
        self.intend(counter, kind, view, sequence, subject)
        self._ask(counter)

    def intend(self, counter: int, kind: str, view: int, sequence: int, subject: bytes) -> None:
        """Take up what is to be counted, or was before a restart."""
        if counter > self.own.heard:
            self._intents[counter] = Counted(kind, view, sequence, subject, self._replica.me)

    def _ask(self, counter: int) -> None:
        self._replica.emit(Certify(counter, self._intents[counter].body))

    def restore(self, anchors: Iterable[Stable], intents: Mapping[int, list[Any]]) -> bool:
        """Take up what was on disk; tell whether nothing is missing in the own chain."""
        for stable in anchors:
            self.skip(stable)
            head = stable.bases.get(self._replica.me)
            if head is not None and head.counter > self.own.base:
                self.own.skip(head, head.counter, stable)
        for counter in sorted(intents):
            self.intend(counter, *intents[counter])
        first = self.own.base + 1
        return sorted(self._intents) == [*range(first, first + len(self._intents))]

    def resume(self) -> None:
        """Ask again, after a restart, for the numbers of all that is on disk."""
        for counter in sorted(self._intents) if not self._replica.abstains else ():
            self._ask(counter)

    def intents(self) -> Iterable[Counted]:
        """Return what this replica is about to count."""
        return self._intents.values()

    def on_certified(self, event: Certified) -> None:
        """Take the number of a statement, and let it go out."""
        replica = self._replica
        intent = self._intents.pop(event.counter, None)
        if intent is None or replica.abstains:
            return
        counted = replace(intent, signature=event.ui)
        if self._proofs.counter(counted) != event.counter or event.counter != self.own.heard + 1:
            # Somebody else used the device, or its count is not the one of this disk.
            replica.abstains = True
            replica.report("damaged", f"the counter gave no UI with number {event.counter}")
            return
        self.own.statements[event.counter] = counted
        self.own.view = max(self.own.view, counted.view)
        if counted.kind == PROPOSED:
            self._ordering.proposed(counted)
        elif counted.kind == COMMITTED:
            self._ordering.committed(counted)
        else:
            self._views.left(counted)
        if not self._intents:
            self._views.vote_if_wanted()

    # -- what others counted ----------------------------------------------------------------

    def on_counted(self, sender: Principal, counted: Counted) -> None:
        """Take a statement, whoever passed it on."""
        self.hear(counted)

    def on_history(self, sender: Principal, history: History) -> None:
        """Take several."""
        for counted in history.statements:
            self.hear(counted)

    def hear(self, counted: Counted, batch: Batch | None = None, proven: bool = False) -> None:
        """Take a statement, with the batch it came with; it counts in its turn."""
        chain = self.chains.get(counted.replica)
        counter = counted.counter
        if chain is None or counted.replica == self._replica.me or chain.broken:
            return
        if not chain.heard < counter <= chain.heard + AHEAD_MAX:
            return
        known = chain.waiting.get(counter)
        if known is None and not proven and self._proofs.counter(counted) is None:
            return
        if known is not None and known[0].body != counted.body:
            # Only the one that waits is proven; a device certifies no other under its number.
            return
        if batch is not None and counter > chain.heard + BATCHES_AHEAD_MAX:
            batch = None
        kept = known[1] if known is not None and batch is None else batch
        chain.waiting[counter] = (counted, kept)
        self._advance(chain)

    def advance(self) -> None:
        """Take up what waited for this replica's view or window."""
        for chain in self.chains.values():
            if chain.waiting:
                self._advance(chain)

    def _advance(self, chain: Chain) -> None:
        while not chain.broken and chain.heard < chain.base + self._replica.config.statements_max:
            counter = chain.heard + 1
            found = chain.waiting.get(counter)
            if found is None or not self._is_timely(found[0]):
                return
            del chain.waiting[counter]
            self._take(chain, counter, *found)

    def _is_timely(self, counted: Counted) -> bool:
        """Whether a statement can be judged: not of a view or a number that is to come."""
        replica = self._replica
        if counted.kind == LEFT:
            return True
        # Also one of a view that was left: it may be needed when the window has moved.
        if counted.sequence > replica.log.high or counted.view > replica.views.view:
            return False
        return counted.view < replica.views.view or replica.views.active

    def _take(self, chain: Chain, counter: int, counted: Counted, batch: Batch | None) -> None:
        replica = self._replica
        if counted.view < chain.view:
            # One of f + 1 who sign a checkpoint has seen this, so its chain ends here for all.
            chain.broken, chain.waiting = True, {}
            words = f"replica {counted.replica} votes in a view that it left"
            replica.report("faulty", words, counted.replica)
            return
        chain.statements[counter] = counted
        chain.view = counted.view
        if counted.kind == LEFT or counted.sequence <= chain.floor:
            return
        if replica.log.holds(counted.sequence):
            if counted.kind == PROPOSED and counted.view == replica.views.view:
                self._ordering.on_order(counted, batch)
            # Also of a view that was left: f + 1 of them prove what was decided there, and there
            # may be fewer who say that they executed it.
            self._ordering.on_vote(counted)

    # -- what is dropped --------------------------------------------------------------------

    def heads(self, sequence: int) -> tuple[Counted, ...]:
        """Return what this replica vouches for when it signs a checkpoint."""
        found = (self.chains[n].head_below(sequence) for n in self._replica.epoch.numbers)
        return tuple(head for head in found if head is not None)

    def skip(self, stable: Stable) -> None:
        """Drop what a proven checkpoint makes worthless, and go on behind what was missed."""
        for number, chain in self.chains.items():
            head = stable.bases.get(number)
            if head is None or head.counter <= chain.base:
                continue
            if number == self._replica.me and head.counter > chain.heard:
                # Others know more of this replica than its disk: it gets its own UIs first.
                continue
            chain.skip(head, head.counter, stable)

    def pick(self, votes: Sequence[Checkpoint]) -> None:
        """Skip as far as any f + 1 of these checkpoints allow: some may vouch for too little."""
        least = self._replica.quorums.certificate
        for number in self.chains if len(votes) >= least else ():
            best = sorted(votes, key=lambda vote: -_vouched(vote, number))[:least]
            if _vouched(best[-1], number) > self.chains[number].base:
                best.sort(key=lambda vote: vote.replica)
                self.skip(Stable(best[0].sequence, best[0].root, tuple(best)))

    def lacks(self, stable: Stable) -> bool:
        """Tell whether a checkpoint, if it is proven, helps over something that was missed."""
        found = ((stable.bases.get(n), chain) for n, chain in self.chains.items())
        return any(head is not None and head.counter > chain.heard for head, chain in found)

    def records(self) -> list[list[object]]:
        """Return what stands in a compacted log about counting."""
        anchors = {chain.anchor.digest: chain.anchor for chain in self.chains.values()}
        records: list[list[object]] = [["anchor", one.row] for one in anchors.values()]
        own = {**self.own.statements, **self._intents}
        records += [["intent", counter, *own[counter].row[:4]] for counter in sorted(own)]
        return records

    def forget(self) -> None:
        """Tell the device what is below the base, once the disk knows it as well."""
        self._replica.emit(Forget(self.own.base))

    def size(self) -> dict[str, int]:
        """Return how much is held, for checks of the bounds."""
        return {
            "statements": max(len(chain.statements) for chain in self.chains.values()),
            "ahead": max(len(chain.waiting) for chain in self.chains.values()),
        }


def _vouched(vote: Checkpoint, number: int) -> int:
    return max((head.counter for head in vote.heads if head.replica == number), default=0)
