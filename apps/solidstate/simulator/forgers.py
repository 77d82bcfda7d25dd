"""Faulty replicas that attack view changes: false proofs, and storms of view-change messages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.membership import Epoch
from apps.solidstate.pbft.messages import (
    NULL_BATCH,
    Batch,
    Checkpoint,
    Handover,
    Handovers,
    Member,
    Membership,
    Message,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
    Stable,
    ViewChange,
)
from apps.solidstate.pbft.proofs import start_of_view
from apps.solidstate.simulator.counted_forgers import (
    CountedCorrupting,
    CountedForging,
    CountedStorming,
)
from apps.solidstate.simulator.counted_liars import (
    CountedAmnesiac,
    CountedDragging,
    CountedEquivocating,
    CountedInventing,
    CountedLying,
    CountedReplaying,
    CountedSilent,
    CountedSlow,
    CountedTwins,
    CountedWithholding,
)
from apps.solidstate.simulator.host import Host
from apps.solidstate.simulator.plan import COUNTED_STRATEGIES, STOPPING, STRATEGIES
from apps.solidstate.simulator.strategies import (
    Amnesiac,
    Attacking,
    Corrupting,
    Dragging,
    Equivocating,
    Faulty,
    Inventing,
    Lying,
    Replaying,
    Rotten,
    Silent,
    Slow,
    Stopping,
    Twins,
    Withholding,
)

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group

FALSE = digest_of(b"what nobody proposed")


class Forging(Attacking):
    """Shows false proofs: certificates nobody made, checkpoints nobody has, views nobody wanted."""

    def start(self) -> None:
        """Start, and remember nothing yet of what could be twisted."""
        self._batch: Batch | None = None
        self._true_handover: Handover | None = None
        super().start()

    def _strike(self) -> None:
        if self.group.plan.epochs and self.random.random() < 0.3:
            self._tell(Handovers((self._handover(),)))
        if self.random.random() < 0.5:
            self._tell(self.random.choice((self._view_change, self._stable))())
        else:
            new_view = self._new_view()
            self._tell(new_view)
            if self._batch is not None:
                order = PrePrepare(new_view.view, self._first(), self._batch.digest)
                self._tell(self.propose(order, self._batch))

    def _tell(self, message: Message) -> None:
        for to in self.group.hosts:
            if to != self.number:
                self.group.network.send(self.number, to, message)

    @property
    def _epoch(self) -> Epoch:
        assert self.replica is not None
        return self.replica.epoch

    def _signers(self, quorum: int) -> list[int]:
        """Names under something that takes a quorum: only conspirators can sign as each other."""
        if self.group.plan.epochs and self.random.random() < 0.7:
            return list(self.group.faulty_keys)[-quorum:]
        return self.random.choice(([self.number] * quorum, [*range(quorum)], [self.number]))

    def _first(self) -> int:
        """The number above the stable checkpoint: most often something is decided there."""
        assert self.replica is not None
        return self.replica.checkpoints.proven.sequence + 1

    def receive(self, sender: Principal, message: Message) -> None:
        """Keep a batch, to propose it again elsewhere."""
        if isinstance(message, Proposal) and message.batch.requests:
            self._batch = message.batch
        if isinstance(message, Handovers) and self.replica and sender not in self.group.faulty_keys:
            self._true_handover = message.handovers[-1]
            self._tell(Handovers((self._handover(),)))
        super().receive(sender, message)

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Falsify the view changes and new views that the protocol makes."""
        if isinstance(message, ViewChange) and self.random.random() < 0.7:
            return [self._falsified(message)]
        if isinstance(message, NewView) and self.random.random() < 0.7:
            return [self._nulled(message)]
        return [message]

    def _signed_vote(self, vote: ViewChange) -> ViewChange:
        vote = replace(vote, signature=b"")
        return replace(vote, signature=self.keyring.sign(vote.body))

    def _falsified(self, vote: ViewChange) -> ViewChange:
        first = vote.stable.sequence + 1
        first_view = self._epoch.first_view
        views = range(first_view, vote.view)
        view = max((v for v in views if self._is_ours(v)), default=first_view)
        certificate = self._certificate(view, first)
        tricks = (
            replace(vote, prepared=(certificate,)),
            replace(vote, prepared=()),
            replace(vote, stable=self._stable(), prepared=()),
        )
        return self._signed_vote(self.random.choice(tricks))

    def _certificate(self, view: int, sequence: int) -> Prepared:
        """A certificate with as many signatures as it takes, all of them of faulty replicas."""
        digest = self.random.choice((FALSE, NULL_BATCH.digest))
        primary = self._epoch.primary(view)
        order = PrePrepare(view, sequence, digest)
        order = replace(order, signature=self._sign_as(primary, order.body))
        others = [n for n in self._epoch.numbers if n != primary]
        quorum = self._epoch.quorums.prepares
        if self.group.plan.epochs and self.random.random() < 0.7:
            names = [n for n in self.group.faulty_keys if n != primary][-quorum:]
        else:
            names = self.random.choice((others[:quorum], [self.number] * quorum, [self.number]))
        prepares = [Prepare(view, sequence, digest, name) for name in names]
        signed = [replace(one, signature=self._sign_as(one.replica, one.body)) for one in prepares]
        return Prepared(order, tuple(signed))

    def _sign_as(self, number: int, body: bytes) -> bytes:
        """Sign as another faulty replica, whose key conspirators share, or else as this one."""
        return self.group.faulty_keys.get(number, self.keyring).sign(body)

    def _stable(self) -> Stable:
        period = self.group.plan.config.checkpoint_batches
        sequence = period * self.random.randint(1, 6)
        return self._proven(sequence, b"")

    def _proven(self, sequence: int, successor: bytes) -> Stable:
        names = self._signers(self._epoch.quorums.certificate)
        epoch = self._epoch.number
        proof = [Checkpoint(sequence, FALSE, name, epoch, successor) for name in names]
        signed = [replace(one, signature=self._sign_as(one.replica, one.body)) for one in proof]
        return Stable(sequence, FALSE, tuple(signed))

    def _handover(self) -> Handover:
        """A handover to an epoch in which conspirators are by themselves, if there are enough.

        Its proof is signed by them, or it is the one of a true handover.
        """
        before = self._epoch.membership
        members = [Member(n, self.group.authority.key(n)) for n in sorted(self.group.faulty_keys)]
        others = [one for one in before.members if one.number not in self.group.faulty_keys]
        members = sorted(members + others[: max(0, 4 - len(members))], key=lambda one: one.number)
        sequence = self._first() + self.random.randint(0, 2)
        membership = Membership(before.epoch + 1, sequence, before.fresh, tuple(members))
        if self._true_handover is not None and self.random.random() < 0.5:
            true = self._true_handover.membership
            membership = replace(membership, epoch=true.epoch, start=true.start)
            return Handover(membership, self._true_handover.stable)
        return Handover(membership, self._proven(sequence, membership.digest))

    def _view_change(self) -> ViewChange:
        assert self.replica is not None
        view = self.replica.views.view + self.random.choice((1, 1, 2, 50))
        while not self._is_ours(view - 1) and self.random.random() < 0.9:
            view += 1
        vote = ViewChange(view, self.replica.checkpoints.proven, (), self.number)
        return self._falsified(vote)

    def _is_ours(self, view: int) -> bool:
        """Whether a faulty replica is the primary, so its pre-prepares can be forged."""
        return self._epoch.primary(view) in self.group.faulty_keys

    def _new_view(self) -> NewView:
        """A new view of a view this replica is the primary of, that others did not ask for."""
        assert self.replica is not None
        view = self.replica.views.view + 1
        while self._epoch.primary(view) != self.number and self.number in self._epoch:
            view += 1
        stable = self.replica.checkpoints.proven
        names = self._signers(self._epoch.quorums.certificate)
        forged = (self._certificate(view - 1, stable.sequence + 1),)
        prepared = self.random.choice(((), forged))
        votes = [ViewChange(view, stable, prepared, name) for name in names]
        votes = [replace(one, signature=self._sign_as(one.replica, one.body)) for one in votes]
        orders = [PrePrepare(view, *start) for start in start_of_view(votes)]
        signed = [replace(one, signature=self.keyring.sign(one.body)) for one in orders]
        return self._signed_view(NewView(view, tuple(votes), tuple(signed)))

    def _signed_view(self, new_view: NewView) -> NewView:
        new_view = replace(new_view, signature=b"")
        return replace(new_view, signature=self.keyring.sign(new_view.body))

    def _nulled(self, new_view: NewView) -> NewView:
        """The proof is right, and what is made of it is wrong."""
        false = self.random.choice((NULL_BATCH.digest, FALSE))
        orders = [replace(order, batch=false, signature=b"") for order in new_view.pre_prepares]
        orders = [replace(one, signature=self.keyring.sign(one.body)) for one in orders]
        few = new_view.view_changes[: self._epoch.quorums.weak]
        tricks = (
            replace(new_view, pre_prepares=tuple(orders)),
            replace(new_view, pre_prepares=()),
            replace(new_view, view_changes=few, pre_prepares=()),
        )
        return self._signed_view(self.random.choice(tricks))


class Storming(Faulty):
    """Wants another view all the time, of every number."""

    def start(self) -> None:
        """Start, and ask for another view now and then, in the calm as well."""
        super().start()
        self._attack()

    def _attack(self) -> None:
        schedule, replica = self.group.schedule, self.replica
        if replica is None:
            return
        ahead = self.random.choice((1, 1, 2, 3, 1000))
        view = replica.views.view + ahead
        vote = ViewChange(view, replica.checkpoints.proven, (), self.number)
        vote = replace(vote, signature=self.keyring.sign(vote.body))
        for to in self.group.hosts:
            if to != self.number:
                self.group.network.send(self.number, to, vote)
        schedule.at(schedule.now + self.random.uniform(0.05, 0.5), self._attack)


_KINDS: dict[str, type[Host]] = {
    "silent": Silent,
    "slow": Slow,
    "equivocating": Equivocating,
    "lying": Lying,
    "forging": Forging,
    "corrupting": Corrupting,
    "withholding": Withholding,
    "storming": Storming,
    "twins": Twins,
    "amnesiac": Amnesiac,
    "rotten": Rotten,
    "inventing": Inventing,
    "dragging": Dragging,
    STOPPING: Stopping,
}
assert {*_KINDS, "replaying"} == {*STRATEGIES, STOPPING}

_COUNTED: dict[str, type[Host]] = {
    "silent": CountedSilent,
    "slow": CountedSlow,
    "equivocating": CountedEquivocating,
    "lying": CountedLying,
    "forging": CountedForging,
    "corrupting": CountedCorrupting,
    "withholding": CountedWithholding,
    "storming": CountedStorming,
    "twins": CountedTwins,
    "amnesiac": CountedAmnesiac,
    "inventing": CountedInventing,
    "dragging": CountedDragging,
}
assert {*_COUNTED, "replaying"} == {*COUNTED_STRATEGIES}


def make_host(group: Group, number: int, keyring: Keyring) -> Host:
    """Return the host of a replica: a faulty one where the plan says so."""
    strategy = group.plan.strategies.get(number)
    if strategy is None:
        return Host(group, number, keyring, group.random)
    if group.plan.config.minbft:
        if strategy == "replaying":
            return CountedReplaying(group, number, keyring)
        return _COUNTED[strategy](group, number, keyring, group.random)
    if strategy == "replaying":
        return Replaying(group, number, keyring)
    return _KINDS[strategy](group, number, keyring, group.random)
