"""What must hold at every event of a run; none of it trusts a replica's word about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.solidstate.pbft.counted_proofs import as_order
from apps.solidstate.pbft.effects import Entered, Executed, Report
from apps.solidstate.pbft.membership import Epoch, epoch_of, founders
from apps.solidstate.pbft.messages import (
    LEFT,
    PROPOSED,
    Batch,
    Checkpoint,
    Commit,
    Counted,
    Membership,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Proposal,
    Reply,
    ViewChange,
)

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group


class Violation(Exception):
    """Something happened that must not."""


class Checker:
    """Follows a run and raises `Violation` at the event that breaks a promise.

    ``decided`` has the batch of each sequence number as the first correct replica executed it.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self.decided: dict[int, Batch] = {}
        self._executed: dict[int, int] = {}
        self._roots: dict[int, bytes] = {}
        self._votes: dict[tuple[object, ...], bytes] = {}
        self._views: dict[int, int] = {}
        self._executing: dict[tuple[int, int], int] = {}
        self._left: dict[int, int] = {}
        self._replies: dict[tuple[str, int], bytes] = {}
        config = group.plan.config
        first = Epoch(founders(group.plan.replicas), config.crash_only, config.minbft)
        self.epochs = {0: first}

    def observe(self, number: int, effect: Executed | Report | Entered) -> None:
        """Take what a correct replica says it did."""
        if isinstance(effect, Entered):
            self._enter(number, effect.membership)
        elif isinstance(effect, Executed):
            self._agree(number, effect.sequence, effect.batch)
            self._in_order(number, effect.sequence)
        elif effect.kind in ("transfer", "rolled-back"):
            self._executed.pop(number, None)
        elif effect.member in self._group.correct_numbers:
            raise Violation(f"replica {number} accuses a correct one: {effect.words}")
        elif effect.kind == "damaged" and self._group.plan.config.minbft:
            raise Violation(f"replica {number} lost what it counted: {effect.words}")
        elif effect.kind == "diverged" and number not in self._group.diverging:
            raise Violation(f"replica {number} has another state: {effect.words}")

    def _enter(self, number: int, membership: Membership) -> None:
        config = self._group.plan.config
        epoch = Epoch(membership, config.crash_only, config.minbft)
        known = self.epochs.setdefault(epoch.number, epoch)
        if known.membership != membership:
            raise Violation(f"replica {number} enters another epoch {epoch.number}")
        if epoch.numbers != self._group.plan.epochs[epoch.number - 1]:
            raise Violation(f"nobody asked for the members of epoch {epoch.number}")

    def started(self, number: int) -> None:
        """Note that a replica starts: it may execute again what it executed before."""
        self._executed.pop(number, None)

    def executing(self, number: int, sequence: int) -> None:
        """Note the view in which a replica executes, which it says when its disk is that far."""
        replica = self._group.hosts[number].replica
        assert replica is not None
        self._executing[number, sequence] = replica.views.view

    def _agree(self, number: int, sequence: int, batch: Batch) -> None:
        known = self.decided.get(sequence)
        if known is None:
            self.decided[sequence] = batch
            self._views[sequence] = self._executing[number, sequence]
            self._only_signed(sequence, batch)
        elif known.digest != batch.digest:
            raise Violation(f"replica {number} executes another batch at {sequence}")

    def _only_signed(self, sequence: int, batch: Batch) -> None:
        for request in batch.requests:
            if (request.client, request.body) not in self._group.authority.signed:
                raise Violation(f"{request.client} did not sign what is executed at {sequence}")

    def _in_order(self, number: int, sequence: int) -> None:
        last = self._executed.get(number)
        if last is not None and sequence != last + 1:
            raise Violation(f"replica {number} executes {sequence} after {last}")
        self._executed[number] = sequence

    def sent(self, number: int, message: Message) -> None:
        """Take what a replica sends; what faulty ones send is not judged."""
        if not self._group.is_correct(number):
            return
        if isinstance(message, Counted) and message.kind != LEFT:
            self._counted(message)
        elif isinstance(message, Proposal):
            self._vote(number, message.pre_prepare)
        elif isinstance(message, Prepare | Commit):
            self._vote(number, message)
            if message.view < self._left.get(number, 0):
                raise Violation(f"replica {number} votes in view {message.view}, which it left")
        elif isinstance(message, ViewChange):
            self._left[number] = max(message.view, self._left.get(number, 0))
        elif isinstance(message, NewView):
            for order in message.pre_prepares:
                self._vote(number, order)
        elif isinstance(message, Checkpoint):
            self._checkpoint(message)
        elif isinstance(message, Reply) and message.ordered:
            self._reply(number, message)

    def _counted(self, counted: Counted) -> None:
        """Judge a vote that was counted, by who counted it: others pass it on."""
        if counted.kind == PROPOSED:
            self._vote(counted.replica, as_order(counted))
        else:
            self._vote(counted.replica, Commit(counted.view, counted.sequence, counted.subject))

    def _vote(self, number: int, vote: PrePrepare | Prepare | Commit) -> None:
        # Pre-prepares are passed on by others, who did not make them.
        epoch = self.epochs.get(epoch_of(vote.view))
        if epoch is None:
            raise Violation(f"replica {number} votes in an epoch that nobody has entered")
        maker = epoch.primary(vote.view) if isinstance(vote, PrePrepare) else number
        if isinstance(vote, Prepare):
            maker = vote.replica
        if not self._group.is_correct(maker):
            return
        if maker not in epoch:
            raise Violation(f"replica {maker} votes in epoch {epoch.number}, no member of it")
        # It was decided in that view or before: later ones keep to it (OSDI 1999, section 4.5.1).
        decided = self.decided.get(vote.sequence)
        if decided is not None and vote.view > self._views[vote.sequence]:
            if vote.batch != decided.digest:
                raise Violation(f"replica {maker} votes against what is decided: {vote.sequence}")
        key = (maker, vote.TAG, vote.view, vote.sequence)
        if self._votes.setdefault(key, vote.batch) != vote.batch:
            raise Violation(f"replica {maker} says two things in its {vote.TAG} {key[2:]}")

    def _checkpoint(self, vote: Checkpoint) -> None:
        # Others show it to the one who signed it.
        number = vote.replica
        if number in self._group.diverging or not self._group.is_correct(number):
            return
        if self._roots.setdefault(vote.sequence, vote.root) != vote.root:
            raise Violation(f"replica {number} has another state at {vote.sequence}")

    def _reply(self, number: int, reply: Reply) -> None:
        if number in self._group.diverging or reply.tentative:
            return
        key = (reply.client, reply.timestamp)
        if self._replies.setdefault(key, reply.result_digest) != reply.result_digest:
            raise Violation(f"replica {number} answers {key} otherwise than another one")

    def bounds(self, number: int) -> None:
        """Check that a replica holds no more than its configuration allows."""
        replica = self._group.hosts[number].replica
        if replica is None:
            return
        config = replica.config
        most = {
            "entries": config.window_batches,
            "batches": config.spare_batches_max,
            "pending": len(config.clients) + len(config.administrators),
            "checkpoints": 6 * config.window_batches // config.checkpoint_batches + 4,
            "view-changes": len(replica.epoch.numbers),
            "handovers": config.handovers_max,
            "ends": len(replica.epoch.numbers),
            "early": 64,
            "statements": config.statements_max,
            "ahead": 512,
        }
        for name, size in replica.size().items():
            if size > most[name]:
                raise Violation(f"replica {number} holds {size} {name}, more than {most[name]}")
