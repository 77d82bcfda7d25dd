"""Faulty replicas with a trusted counter that attack view changes, checkpoints and what they prove.

They can make every signature of their own and have anything counted. What they cannot do is count
something without it being in their chain; so they show chains with gaps, cut or too long ones,
views that never began, and vouch for more than they heard.
"""

from __future__ import annotations

from dataclasses import replace

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.counted_proofs import accepted, as_order, orders_of_view
from apps.solidstate.pbft.messages import (
    COMMITTED,
    LEFT,
    NULL_BATCH,
    PROPOSED,
    Account,
    Checkpoint,
    Counted,
    Handover,
    Handovers,
    Member,
    Membership,
    Message,
    NewView,
    Opened,
    Opening,
    Prepared,
    PrePrepare,
    Stable,
    ViewChange,
)
from apps.solidstate.pbft.proofs import GENESIS
from apps.solidstate.simulator.counted_liars import FALSE, Counter
from apps.solidstate.simulator.strategies import Attacking, Corrupting


class Witness(Counter):
    """Knows how to make a view-change message out of what it counted."""

    @property
    def core(self) -> tuple[int, int]:
        """The view of this replica, and the number above its stable checkpoint."""
        assert self.replica is not None
        return self.replica.views.view, self.replica.checkpoints.proven.sequence + 1

    def history(self) -> list[Counted]:
        """Return all that was counted above the base."""
        assert self.replica is not None and self.replica.counting is not None
        return [self.said[n] for n in sorted(self.said) if n > self.replica.counting.own.base]

    def make_vote(self, view: int) -> ViewChange:
        """Return a view-change message that shows everything, if there is proof of it."""
        replica = self.replica
        assert replica is not None and replica.counting is not None
        proven, history = replica.checkpoints.proven, self.history()
        last = accepted(history, proven.sequence)
        orders = [self._order(number, *last[number]) for number in sorted(last)]
        prepared = tuple(Prepared(order, ()) for order in orders if order is not None)
        kept = getattr(replica.views, "kept", {})
        account = Account(replica.counting.own.anchor, tuple(history), tuple(kept.values()))
        return self.signed_vote(ViewChange(view, proven, prepared, self.number, account))

    def signed_vote(self, vote: ViewChange) -> ViewChange:
        """Return a view-change message that was counted, whatever it says."""
        vote = replace(vote, signature=b"")
        signature = self.count(LEFT, vote.view, 0, vote.claim).signature
        return replace(vote, signature=signature)

    def _order(self, sequence: int, view: int, subject: bytes) -> PrePrepare | None:
        replica = self.replica
        assert replica is not None and replica.counting is not None
        primary = replica.epoch.primary(view)
        chain = replica.counting.chains[primary]
        known = self.said if primary == self.number else chain.statements
        for counted in known.values():
            said = (counted.kind, counted.view, counted.sequence, counted.subject)
            if said == (PROPOSED, view, sequence, subject):
                return as_order(counted)
        return None


class CountedStorming(Witness):
    """Wants another view all the time, of every number, and proves all it has to."""

    def start(self) -> None:
        """Start, and ask for another view now and then, in the calm as well."""
        super().start()
        self._attack()

    def _attack(self) -> None:
        if self.replica is None:
            return
        view, _ = self.core
        self.tell(self.make_vote(view + self.random.choice((1, 1, 2, 3, 1000))))
        schedule = self.group.schedule
        schedule.at(schedule.now + self.random.uniform(0.05, 0.5), self._attack)


class CountedForging(Attacking, Witness):
    """Shows false proofs of what it counted, of checkpoints and of views."""

    def _strike(self) -> None:
        if self.group.plan.epochs and self.random.random() < 0.3:
            self.tell(Handovers((self._handover(),)))
        view, _ = self.core
        ahead = self.random.choice((1, 1, 2, 50))
        tricks = (
            lambda: self.tell(self._falsified(self.make_vote(view + ahead))),
            lambda: self.tell(self._stable()),
            self._jump,
            self._begin,
        )
        self.random.choice(tricks)()

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Falsify the view changes, new views and checkpoints that the protocol makes."""
        if isinstance(message, ViewChange) and self.random.random() < 0.7:
            return [self._falsified(message)]
        if isinstance(message, NewView) and self.random.random() < 0.5:
            return [self._nulled(message)]
        if isinstance(message, Checkpoint) and self.random.random() < 0.7:
            return [self._vouching(message)]
        return [message]

    def _falsified(self, vote: ViewChange) -> ViewChange:
        account = vote.account
        assert account is not None
        history, prepared = account.history, vote.prepared
        numbers = [counted.sequence for counted in history if counted.kind != LEFT]
        top = max(numbers, default=0)
        without = tuple(one for one in history if one.sequence != top)
        fewer = tuple(one for one in prepared if one.pre_prepare.sequence != top)
        early = history[: self.random.randint(0, len(history))]
        cut = {n: one.pre_prepare for one in prepared for n in [one.pre_prepare.sequence]}
        left = accepted(early, vote.stable.sequence)
        kept = tuple(Prepared(cut[n], ()) for n in sorted(left) if n in cut)
        of = account
        tricks = (
            replace(vote, prepared=fewer, account=replace(of, history=without)),
            replace(vote, prepared=fewer, account=replace(of, history=without)),
            replace(vote, prepared=kept, account=replace(of, history=early)),
            replace(vote, prepared=(), account=replace(of, history=())),
            replace(vote, prepared=fewer),
            replace(vote, prepared=()),
            replace(vote, stable=self._stable(), prepared=()),
            replace(vote, account=replace(of, anchor=GENESIS)),
            replace(vote, prepared=(), account=replace(of, history=(), anchor=self._anchor())),
        )
        return self.signed_vote(self.random.choice(tricks))

    def _vouching(self, vote: Checkpoint) -> Checkpoint:
        """Vouch for all that was heard, or for nothing, or for what lies beyond the checkpoint."""
        replica = self.replica
        assert replica is not None and replica.counting is not None
        chains = replica.counting.chains.values()
        last = [[*chain.statements.values()][-1] for chain in chains if chain.statements]
        heads = self.random.choice((tuple(last), tuple(last), (), vote.heads[:1]))
        vote = replace(vote, heads=heads, signature=b"")
        return replace(vote, signature=self.keyring.sign(vote.body))

    def _anchor(self) -> Stable:
        """A checkpoint that is proven, but for what this replica vouches for in it."""
        assert self.replica is not None
        proven = self.replica.checkpoints.proven
        proof = [v if v.replica != self.number else self._vouching(v) for v in proven.proof]
        return replace(proven, proof=tuple(proof))

    def _stable(self) -> Stable:
        """A checkpoint of a state nobody has, signed by those who share their keys."""
        replica = self.replica
        assert replica is not None
        sequence = self.group.plan.config.checkpoint_batches * self.random.randint(1, 6)
        quorum = replica.quorums.certificate
        names = self.random.choice(([self.number] * quorum, [*range(quorum)], [self.number]))
        heads = tuple(self.history()[-1:])
        epoch = replica.epoch.number
        proof = [Checkpoint(sequence, FALSE, name, epoch, b"", heads) for name in names]
        signed = [replace(one, signature=self._sign_as(one.replica, one.body)) for one in proof]
        return Stable(sequence, FALSE, tuple(signed))

    def _handover(self) -> Handover:
        """A handover to an epoch in which conspirators are by themselves, signed by them."""
        replica, authority = self.replica, self.group.authority
        assert replica is not None
        before, names = replica.epoch.membership, sorted(self.group.faulty_keys)
        members = [Member(name, authority.counted_key(name)) for name in names]
        others = [one for one in before.members if one.number not in names]
        members = sorted(members + others[: max(0, 3 - len(members))], key=lambda one: one.number)
        sequence = self.core[1] + self.random.randint(0, 2)
        membership = Membership(before.epoch + 1, sequence, before.fresh, tuple(members))
        signers = (names * replica.quorums.certificate)[-replica.quorums.certificate :]
        proof = [Checkpoint(sequence, FALSE, n, before.epoch, membership.digest) for n in signers]
        signed = [replace(one, signature=self._sign_as(one.replica, one.body)) for one in proof]
        return Handover(membership, Stable(sequence, FALSE, tuple(signed)))

    def _sign_as(self, number: int, body: bytes) -> bytes:
        return self.group.faulty_keys.get(number, self.keyring).sign(body)

    def _own_view(self) -> int:
        """The next view that this replica is the primary of."""
        assert self.replica is not None
        view = self.replica.views.view + 1
        while self.replica.epoch.primary(view) != self.number and self.number in self.replica.epoch:
            view += 1
        return view

    def _jump(self) -> None:
        """Accept something in a view that never began, and leave it again."""
        replica = self.replica
        assert replica is not None
        view, first = self._own_view(), self.core[1]
        known = [batch.digest for n in range(first, first + 3) for batch in replica.log.batches(n)]
        subject = self.random.choice((FALSE, NULL_BATCH.digest, *known[:1]))
        order = self.count(PROPOSED, view, first, subject)
        if self.random.random() < 0.5:
            self.count(COMMITTED, view, first, subject)
        vote = self.make_vote(view + 1)
        account = vote.account
        assert account is not None
        start = Opened(view, first - 1, (subject,), ())
        quorum = replica.quorums.weak
        names = self.random.choice(([self.number] * quorum, [*range(quorum)], [self.number]))
        openings = [Opening(view, start.start, name) for name in names]
        openings = [
            replace(one, signature=self._sign_as(one.replica, one.body)) for one in openings
        ]
        opened = self.random.choice(((replace(start, proof=tuple(openings)),), ()))
        vote = replace(vote, account=replace(account, opened=(*account.opened, *opened)))
        self.tell(order)
        self.tell(vote)

    def _begin(self) -> None:
        """Begin a view that others did not ask for, with what this replica likes."""
        replica = self.replica
        assert replica is not None
        view = self._own_view()
        votes = [vote for vote in replica.views.votes.values() if vote.view == view]
        votes = [vote for vote in votes if vote.replica != self.number]
        mine = self._falsified(self.make_vote(view))
        votes = sorted((*votes, mine), key=lambda vote: vote.replica)
        quorum = replica.quorums.certificate
        if len(votes) < quorum and self.random.random() < 0.5:
            votes = [mine] * quorum
        orders = tuple(orders_of_view(view, votes))
        self._lead(NewView(view, tuple(votes[:quorum]), orders))

    def _lead(self, new_view: NewView) -> None:
        new_view = replace(new_view, signature=b"")
        new_view = replace(new_view, signature=self.keyring.sign(new_view.body))
        self.tell(new_view)
        low = self.core[1] - 1
        digests = tuple(order.batch for order in new_view.pre_prepares)
        start = Opened(new_view.view, low, digests, ()).start
        opening = Opening(new_view.view, start, self.number)
        self.tell(replace(opening, signature=self.keyring.sign(opening.body)))
        for order in new_view.pre_prepares:
            self.tell(self.count(PROPOSED, order.view, order.sequence, order.batch))

    def _nulled(self, new_view: NewView) -> NewView:
        """The proof is right, and what is made of it is wrong."""
        false = self.random.choice((NULL_BATCH.digest, FALSE))
        orders = tuple(replace(order, batch=false) for order in new_view.pre_prepares)
        few = new_view.view_changes[:1]
        tricks = (
            replace(new_view, pre_prepares=orders),
            replace(new_view, pre_prepares=()),
            replace(new_view, view_changes=few, pre_prepares=()),
            replace(new_view, view_changes=few * len(new_view.view_changes)),
        )
        new_view = replace(self.random.choice(tricks), signature=b"")
        return replace(new_view, signature=self.keyring.sign(new_view.body))


class CountedCorrupting(Corrupting, CountedForging):
    """Answers clients and those who fetch state with rubbish, and vouches for too much."""

    def _attack(self) -> None:
        """Leave views alone."""

    def lie(self, to: Principal, message: Message) -> list[Message]:
        """Change results, blobs, batches and roots, and what is vouched for."""
        if isinstance(message, Checkpoint) and self.random.random() < 0.5:
            return [self._vouching(message)]
        return Corrupting.lie(self, to, message)
