"""Groups of 2f + 1 with trusted counters: what was counted counts in its order, and all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.counted_proofs import as_counted, as_order, orders_of_view
from apps.solidstate.pbft.counting import AHEAD_MAX, Counting
from apps.solidstate.pbft.effects import Certify
from apps.solidstate.pbft.events import Certified, Received, Tick
from apps.solidstate.pbft.messages import (
    COMMITTED,
    LEFT,
    NULL_BATCH,
    PROPOSED,
    Account,
    Batch,
    Checkpoint,
    Commit,
    Counted,
    Member,
    Membership,
    Message,
    NewView,
    Opened,
    Opening,
    Prepare,
    Prepared,
    Proposal,
    Reply,
    Stable,
    Status,
    ViewChange,
)
from apps.solidstate.pbft.proofs import GENESIS
from apps.solidstate.pbft.quorums import Quorums
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from tests.solidstate.lab import Lab, sent
from vista import BadValueError


@pytest.fixture
def lab() -> Lab:
    return Lab(replicas=3, minbft=True)


def counting(lab: Lab, number: int) -> Counting:
    found = lab.replicas[number].counting
    assert found is not None
    return found


def heard(lab: Lab, number: int, of: int) -> int:
    return counting(lab, number).chains[of].heard


def batch(lab: Lab, value: bytes = b"1", timestamp: int = 5, **changes: Any) -> Batch:
    return Batch(1, b"salt", (replace(lab.request("ann", timestamp, value), **changes),))


def propose(lab: Lab, number: int, what: Batch, sequence: int = 1, view: int = 0) -> Proposal:
    return Proposal(as_order(lab.count(number, PROPOSED, view, sequence, what.digest)), what)


def everything(lab: Lab, kind: type[Message]) -> list[Any]:
    found = [effect for number in lab.replicas for effect in lab.effects.get(number, [])]
    return sent(found, kind)


# -- the normal case (section 4.2) ----------------------------------------------------------


def test_three_replicas_agree_in_two_phases(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 1]
    assert everything(lab, Prepare) == everything(lab, Commit) == []
    assert {counted.kind for counted in everything(lab, Counted)} == {COMMITTED}


def test_a_vote_is_on_disk_before_it_is_counted_and_counted_before_it_leaves(lab: Lab) -> None:
    effects = lab.tell(1, 0, propose(lab, 0, batch(lab)))
    assert [unpack(record)[0] for record in lab.logs[1]] == [
        "founded",
        "ordered",
        "batch",
        "prepared",
        "intent",
    ]
    assert sent(effects, Counted) == []
    assert any(isinstance(effect, Certify) for effect in effects)
    assert [one.kind for one in sent(lab.effects[1], Counted)] == [COMMITTED]


def test_one_reply_is_not_enough(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Reply) and sender != 2
    lab.ask("ann", "put", "a", b"1")
    assert lab.answers["ann"] == []
    lab.drops = lambda sender, to, message: isinstance(message, Reply) and sender == 0
    lab.pass_time(2.0)
    assert len(lab.answers["ann"]) == 1


def test_one_replica_of_three_may_be_silent(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 0]


def test_a_proposal_whose_predecessor_is_missing_waits_for_it(lab: Lab) -> None:
    first = propose(lab, 0, batch(lab, b"1", 5))
    second = propose(lab, 0, batch(lab, b"2", 6), 2)
    lab.tell(1, 0, second)
    assert heard(lab, 1, 0) == 0 and sent(lab.effects[1], Counted) == []
    lab.tell(1, 0, first)
    assert heard(lab, 1, 0) == 2
    assert [one.sequence for one in sent(lab.effects[1], Counted)] == [1, 2]


def test_too_far_ahead_nothing_is_kept(lab: Lab) -> None:
    for _ in range(AHEAD_MAX):
        lab.count(0, COMMITTED, 0, 1)
    lab.tell(1, 0, lab.count(0, COMMITTED, 0, 1))
    assert lab.replicas[1].size()["ahead"] == 0


def test_a_statement_under_anothers_ui_is_none(lab: Lab) -> None:
    true = lab.count(0, COMMITTED, 0, 1, b"x" * 32)
    for false in (
        replace(true, subject=b"y" * 32),
        replace(true, replica=2),
        replace(true, sequence=2),
        replace(true, kind="other"),
        replace(true, signature=b""),
    ):
        lab.tell(1, 0, false)
    assert [heard(lab, 1, number) for number in range(3)] == [0, 0, 0]


def test_a_kind_nobody_knows_is_not_counted(lab: Lab) -> None:
    lab.tell(1, 0, lab.count(0, "other"))
    assert heard(lab, 1, 0) == 0


def test_who_counts_two_batches_for_one_number_is_caught_by_all(lab: Lab) -> None:
    one, two = propose(lab, 0, batch(lab, b"1")), propose(lab, 0, batch(lab, b"2"))
    # Replica 2 is shown the second one first: it votes for the first one nevertheless.
    for number, shown in ((1, (one, two)), (2, (two, one))):
        for proposal in shown:
            lab.tell(number, 0, proposal)
        votes = [vote for vote in sent(lab.effects[number], Counted) if vote.kind == COMMITTED]
        assert [vote.subject for vote in votes] == [one.batch.digest]
        assert "faulty" in lab.reports(number)


def test_a_batch_that_is_not_valid_gets_no_vote(lab: Lab) -> None:
    proposal = propose(lab, 0, batch(lab, operation=b"changed"))
    lab.tell(1, 0, proposal)
    assert sent(lab.effects[1], Counted) == [] and "faulty" in lab.reports(1)


def test_a_batch_that_comes_later_is_checked_as_well(lab: Lab) -> None:
    proposal = propose(lab, 0, batch(lab, operation=b"changed"))
    lab.tell(1, 0, as_counted(proposal.pre_prepare, 0))
    lab.tell(1, 2, proposal.batch)
    assert [one for one in sent(lab.effects[1], Counted) if one.kind == COMMITTED] == []
    assert "faulty" in lab.reports(1)


def test_one_who_votes_in_a_view_it_left_is_followed_no_further(lab: Lab) -> None:
    chain = [lab.count(2, LEFT, 1), lab.count(2, COMMITTED, 0, 1), lab.count(2, LEFT, 2)]
    for counted in chain:
        lab.tell(1, 2, counted)
    assert heard(lab, 1, 2) == 1 and lab.reports(1) == ["faulty"]


def test_what_belongs_to_a_view_to_come_waits_for_it(lab: Lab) -> None:
    lab.tell(1, 2, lab.count(2, COMMITTED, 1, 1))
    assert heard(lab, 1, 2) == 0 and lab.replicas[1].size()["ahead"] == 1


def test_a_vote_beyond_the_window_waits_also_one_of_a_view_that_was_left(lab: Lab) -> None:
    # Seed 300887: it was heard, dropped and never sent again, and no one else could prove it.
    lab.tell(1, 0, lab.count(0, COMMITTED, 0, 9))
    assert heard(lab, 1, 0) == 0
    lab.replicas[1].views.view = 3
    lab.replicas[1].views.state = "changing"
    lab.tell(1, 2, lab.count(2, COMMITTED, 0, 9))
    assert heard(lab, 1, 2) == 0


def test_f_plus_1_votes_decide_also_in_a_view_that_was_left(lab: Lab) -> None:
    # Seed 27: of f + 1 who had executed it f were faulty and did not say so.
    proposal = propose(lab, 0, batch(lab))
    lab.replicas[1].views.state, lab.replicas[1].views.view = "changing", 1
    lab.tell(1, 0, proposal)
    lab.tell(1, 2, lab.count(2, COMMITTED, 0, 1, proposal.batch.digest))
    lab.tell(1, 0, proposal.batch)
    assert lab.replicas[1].state.executed == 1


def test_what_a_replica_keeps_back_from_one_is_passed_on_by_others(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: (sender, to) == (0, 2)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 0]
    lab.pass_time(5.0)
    assert heard(lab, 2, 0) == heard(lab, 1, 0)
    assert lab.executed() == [1, 1, 1] and lab.views()[2] == 0


def test_more_than_the_bound_is_not_followed_before_a_checkpoint() -> None:
    lab = Lab(replicas=3, minbft=True, statements_max=32)
    for _ in range(60):
        lab.tell(1, 2, lab.count(2, COMMITTED, 0, 1, b"x" * 32))
    assert heard(lab, 1, 2) == 32


# -- checkpoints ------------------------------------------------------------------------------


def test_what_lies_below_a_checkpoint_is_dropped_and_forgotten(lab: Lab) -> None:
    for value in range(40):
        lab.ask("ann", "put", "a", b"%d" % value)
    for number in range(3):
        assert lab.replicas[number].size()["statements"] <= 12
        assert lab.usigs[number].kept(1) is None
        assert lab.usigs[number].kept(lab.usigs[number].counter) is not None


def test_one_that_was_away_goes_on_behind_what_was_dropped(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    for value in range(20):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    lab.ask("ann", "put", "a", b"last")
    assert lab.executed() == [21, 21, 21]
    assert heard(lab, 2, 0) == heard(lab, 1, 0)


def test_the_lowest_of_what_signers_vouch_for_counts(lab: Lab) -> None:
    low, high = (lab.count(0, COMMITTED, 0, sequence) for sequence in (1, 9))
    votes = [Checkpoint(4, b"", 1, heads=(high,)), Checkpoint(4, b"", 2, heads=(low,))]
    assert Stable(4, b"", tuple(votes)).bases == {0: low}


def test_one_whom_a_signer_does_not_vouch_for_has_no_base(lab: Lab) -> None:
    votes = [Checkpoint(4, b"", 1, heads=(lab.count(0, COMMITTED),)), Checkpoint(4, b"", 2)]
    assert Stable(4, b"", tuple(votes)).bases == {}


def test_nobody_vouches_for_what_lies_beyond_the_checkpoint(lab: Lab) -> None:
    for value in range(3):
        lab.ask("ann", "put", "a", b"%d" % value)
    heads = counting(lab, 1).heads(2)
    assert [(head.replica, head.sequence) for head in heads] == [(0, 2), (1, 2), (2, 2)]


def test_one_who_vouches_for_nothing_holds_nothing_up(lab: Lab) -> None:
    for value in range(4):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.restart(1)
    core = counting(lab, 1)
    votes = [Checkpoint(4, b"", n, heads=(lab.count(0, COMMITTED),)) for n in (0, 1)]
    core.pick([Checkpoint(4, b"", 2), votes[0]])
    before = core.chains[0].base
    core.pick([Checkpoint(4, b"", 2), *votes])
    assert core.chains[0].base == votes[0].heads[0].counter > before


def test_a_checkpoint_is_not_skipped_to_on_the_word_of_one(lab: Lab) -> None:
    for value in range(4):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.restart(1)
    before = {n: chain.base for n, chain in counting(lab, 1).chains.items()}
    proven = lab.replicas[1].checkpoints.proven
    head = lab.count(2, COMMITTED, 0, 99)
    vote = replace(proven.proof[0], replica=2, heads=(head,), signature=b"")
    lab.tell(1, 2, lab.signed(2, vote))
    assert {n: chain.base for n, chain in counting(lab, 1).chains.items()} == before


# -- restarts ---------------------------------------------------------------------------------


def test_all_killed_at_once_lose_nothing_that_was_acknowledged(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.restart(0, 1, 2)
    lab.pass_time(1.0)
    lab.ask("ann", "get", "a")
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_a_number_whose_statement_was_lost_in_a_crash_is_accounted_for(lab: Lab) -> None:
    proposal = propose(lab, 0, batch(lab))
    core = lab.replicas[1]
    for effect in core.handle(Received(0, proposal), lab.now):
        lab._carry_out(1, effect)
        if isinstance(effect, Certify):
            lab.usigs[1].create_ui(effect.body)  # and the answer is lost
    lab.queue.clear()
    lab.restart(1)
    votes = [one for one in sent(lab.effects[1], Counted) if one.kind == COMMITTED]
    assert [(vote.counter, vote.subject) for vote in votes] == [(1, proposal.batch.digest)]
    assert lab.usigs[1].counter == 1


def test_what_was_written_and_not_counted_is_counted_after_the_restart(lab: Lab) -> None:
    proposal = propose(lab, 0, batch(lab))
    for effect in lab.replicas[1].handle(Received(0, proposal), lab.now):
        lab._carry_out(1, effect)
    lab.queue.clear()
    assert lab.usigs[1].counter == 0
    lab.restart(1)
    assert [one.counter for one in sent(lab.effects[1], Counted)] == [1]


def test_a_primary_goes_on_with_what_it_had_not_counted(lab: Lab) -> None:
    for effect in lab.replicas[0].handle(Received("ann", lab.request()), lab.now):
        lab._carry_out(0, effect)
    assert [unpack(record)[0] for record in lab.logs[0]] == ["founded", "accepted", "intent"]
    del lab.logs[0][2]
    lab.queue.clear()
    lab.restart(0)
    lab.run()
    assert lab.executed() == [1, 1, 1]


def test_a_restarted_replica_does_not_vote_twice(lab: Lab) -> None:
    lab.tell(1, 0, propose(lab, 0, batch(lab)))
    lab.restart(1)
    lab.run()
    assert lab.usigs[1].counter == 1


def test_one_whose_counter_was_used_by_somebody_else_says_no_more(lab: Lab) -> None:
    lab.count(1, COMMITTED, 0, 5)
    lab.tell(1, 0, propose(lab, 0, batch(lab)))
    assert "damaged" in lab.reports(1) and not lab.replicas[1].voting


def test_an_answer_to_a_question_nobody_asked_is_ignored(lab: Lab) -> None:
    lab.handle(1, Certified(7, b"ui"))
    assert heard(lab, 1, 1) == 0


def test_one_whose_disk_was_damaged_does_not_vote_again(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.restart(1, damaged=True)
    for value in range(30):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.pass_time(3.0)
    assert lab.replicas[1].abstains and lab.executed()[1] >= 28


# -- view changes (section 4.3) ---------------------------------------------------------------


def test_a_primary_that_stops_is_followed_by_the_next_one(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "a", b"2")
    lab.pass_time(5.0)
    assert [unpack(answer)[1] for answer in lab.answers["ann"]] == [None, b"1"]
    assert lab.views()[1:] == [1, 1]


def test_what_one_voted_for_is_kept_by_the_next_view(lab: Lab) -> None:
    proposal = propose(lab, 0, batch(lab))
    lab.tell(2, 0, proposal)
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("bob", "list")
    lab.pass_time(6.0)
    new_view = lab.replicas[1].views.new_view
    assert new_view is not None
    assert [order.batch for order in new_view.pre_prepares][:1] == [proposal.batch.digest]
    assert lab.executed()[1:] == [2, 2]


def left(lab: Lab) -> ViewChange:
    """Replica 2 accepts two batches and leaves the view: its message, which nobody got."""
    for number in (1, 2):
        proposal = propose(lab, 0, batch(lab, b"%d" % number, number), number)
        lab.tell(2, 0, proposal)
    lab.replicas[2].views.accuse("a test")
    lab.handle(2, Tick())
    lab.queue.clear()
    vote: ViewChange = sent(lab.effects[2], ViewChange)[-1]
    return vote


def again(lab: Lab, vote: ViewChange, **changes: Any) -> ViewChange:
    """The message with changes, counted anew and in its place."""
    vote = replace(vote, **changes, signature=b"")
    lab.usigs[2].counter = 2  # as a device would that can be corrupted: the rest must do
    return replace(vote, signature=lab.count(2, LEFT, vote.view, 0, vote.claim).signature)


def test_a_view_change_message_shows_all_that_was_accepted(lab: Lab) -> None:
    vote = left(lab)
    assert vote.account is not None
    assert [one.kind for one in vote.account.history] == [COMMITTED, COMMITTED]
    assert [proof.pre_prepare.sequence for proof in vote.prepared] == [1, 2]
    assert lab.replicas[1].proofs.view_change(vote)
    assert lab.replicas[1].proofs.view_change(again(lab, vote))


@pytest.mark.parametrize("keep", [(), (0,), (1,)])
def test_one_that_keeps_back_what_was_accepted_is_refused(lab: Lab, keep: tuple[int, ...]) -> None:
    vote = left(lab)
    kept = again(lab, vote, prepared=tuple(vote.prepared[place] for place in keep))
    assert not lab.replicas[1].proofs.view_change(kept)


@pytest.mark.parametrize("keep", [(), (0,), (1,), (1, 0), (0, 0, 1)])
def test_one_whose_history_has_a_gap_is_refused(lab: Lab, keep: tuple[int, ...]) -> None:
    vote = left(lab)
    assert vote.account is not None
    history = tuple(vote.account.history[place] for place in keep)
    prepared = tuple(vote.prepared[place] for place in sorted({*keep}))
    changed = again(lab, vote, prepared=prepared, account=replace(vote.account, history=history))
    assert not lab.replicas[1].proofs.view_change(changed)


def test_one_without_an_account_is_refused(lab: Lab) -> None:
    assert not lab.replicas[1].proofs.view_change(again(lab, left(lab), account=None))


def test_one_that_is_not_counted_is_refused(lab: Lab) -> None:
    vote = left(lab)
    assert not lab.replicas[1].proofs.view_change(replace(vote, signature=b""))
    assert not lab.replicas[1].proofs.view_change(replace(vote, view=2))


def test_one_whose_base_nobody_vouches_for_is_refused(lab: Lab) -> None:
    for value in range(4):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.replicas[2].views.accuse("a test")
    lab.handle(2, Tick())
    vote: ViewChange = sent(lab.effects[2], ViewChange)[-1]
    account = vote.account
    assert account is not None and account.anchor.sequence == 4
    check = lab.replicas[1].proofs.view_change
    assert check(vote)
    signers = account.anchor.proof
    alone = replace(account.anchor, proof=signers[:1])
    assert not check(replace(vote, account=replace(account, anchor=alone)))
    unsigned = replace(signers[0], heads=signers[0].heads[:1])
    forged = replace(account.anchor, proof=(unsigned, *signers[1:]))
    assert not check(replace(vote, account=replace(account, anchor=forged)))


def test_nobody_votes_in_a_view_before_f_plus_1_say_how_it_starts(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: type(message).TAG == "opening" or 0 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(0.5)
    for number in (1, 2):
        lab.replicas[number].views.accuse("a test")
        lab.handle(number, Tick())
    lab.run()
    assert lab.views()[1:] == [1, 1] and not lab.replicas[1].agrees
    assert lab.executed() == [0, 0, 0]
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.pass_time(3.0)
    assert lab.replicas[1].agrees and lab.executed()[1:] == [1, 1]


def test_who_starts_anew_says_again_how_the_view_starts(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: (
        0 in (sender, to) or (to == 2 and isinstance(message, Opening))
    )
    for number in (1, 2):
        lab.replicas[number].views.accuse("a test")
        lab.handle(number, Tick())
    lab.run()
    lab.restart(1)
    assert [lab.replicas[number].agrees for number in (1, 2)] == [True, False]
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.pass_time(0.5)
    assert lab.replicas[2].agrees and lab.views()[1:] == [1, 1]


def test_what_was_accepted_in_a_view_that_never_began_is_refused(lab: Lab) -> None:
    # Replica 1, the primary of view 1, counts a proposal there that nobody asked for.
    order = as_order(lab.count(1, PROPOSED, 1, 1, NULL_BATCH.digest))
    start = Opened(1, 0, (NULL_BATCH.digest,), ())
    openings = [lab.signed(n, Opening(1, start.start, n)) for n in (1, 2)]

    def shown(*opened: Opened) -> bool:
        account = Account(GENESIS, (as_counted(order, 1),), opened)
        vote = ViewChange(2, GENESIS, (Prepared(order, ()),), 1, account)
        lab.usigs[1].counter = 1
        vote = replace(vote, signature=lab.count(1, LEFT, 2, 0, vote.claim).signature)
        return lab.replicas[0].proofs.view_change(vote)

    assert not shown()
    assert not shown(replace(start, proof=tuple(openings[:1])))
    assert not shown(replace(start, proof=(openings[0], openings[0])))
    assert not shown(replace(start, proof=(openings[0], replace(openings[0], replica=2))))
    assert not shown(replace(start, batches=(b"x" * 32,), proof=tuple(openings)))
    assert shown(replace(start, proof=tuple(openings)))


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_batches_of_one_view_the_one_counted_first_is_taken(lab: Lab, first: int) -> None:
    orders = [as_order(lab.count(0, PROPOSED, 0, 1, bytes([n]) * 32)) for n in range(2)]
    votes = [ViewChange(1, GENESIS, (Prepared(order, ()),), n) for n, order in enumerate(orders)]
    shown = votes if first == 0 else votes[::-1]
    assert [order.batch for order in orders_of_view(1, shown)] == [bytes(32)]


def test_what_was_accepted_in_the_highest_view_is_taken_and_gaps_are_filled(lab: Lab) -> None:
    old, new = (as_order(lab.count(view, PROPOSED, view, 2, bytes([view]) * 32)) for view in (0, 1))
    votes = [
        ViewChange(2, GENESIS, (Prepared(order, ()),), n) for n, order in enumerate((new, old))
    ]
    batches = [order.batch for order in orders_of_view(2, votes)]
    assert batches == [NULL_BATCH.digest, b"\x01" * 32]


def begun(lab: Lab) -> NewView:
    """View 1 begins with the batch that replica 2 accepted: its new-view message."""
    proposal = propose(lab, 0, batch(lab))
    lab.tell(2, 0, proposal)
    for number in (1, 2):
        lab.replicas[number].views.accuse("a test")
        lab.handle(number, Tick())
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.run()
    new_view = lab.replicas[1].views.new_view
    assert new_view is not None and len(new_view.pre_prepares) == 1
    return new_view


def test_a_new_view_is_computed_again(lab: Lab) -> None:
    new_view = begun(lab)
    proofs = lab.replicas[0].proofs
    assert proofs.new_view(new_view)
    nulls = tuple(replace(one, batch=NULL_BATCH.digest) for one in new_view.pre_prepares)
    for changes in (
        {"pre_prepares": ()},
        {"pre_prepares": nulls},
        {"view_changes": new_view.view_changes[:1]},
        {"view_changes": new_view.view_changes[:1] * 2},
        {"view_changes": tuple(replace(v, signature=b"") for v in new_view.view_changes)},
    ):
        changed = replace(new_view, **changes, signature=b"")  # type: ignore[arg-type]
        assert not proofs.new_view(lab.signed(1, changed))
    assert not proofs.new_view(lab.signed(2, replace(new_view, signature=b"")))


def test_who_leads_a_view_has_to_propose_first_what_it_starts_with(lab: Lab) -> None:
    new_view = begun(lab)
    core = lab.replicas[0]
    lab.tell(0, 1, new_view)
    assert core.views.view == 1 and not core.views.is_open
    counted = replace(as_counted(new_view.pre_prepares[0], 1), subject=NULL_BATCH.digest)
    core.ordering.on_order(counted, None)  # type: ignore[attr-defined]
    lab.handle(0, Tick())
    assert "faulty" in lab.reports(0) and core.views.view == 2


def test_a_view_may_be_left_while_its_new_view_message_is_taken_in(lab: Lab) -> None:
    # Seed 306129: what waited behind the view change it shows proved its primary faulty.
    new_view = begun(lab)
    lab.usigs[1].counter = 1
    lab.tell(0, 1, lab.count(1, PROPOSED, 1, 1, NULL_BATCH.digest))
    lab.tell(0, 1, new_view)
    assert "faulty" in lab.reports(0) and lab.replicas[0].views.view == 2


def test_what_is_below_what_was_missed_does_not_count(lab: Lab) -> None:
    # Of the first four numbers replica 1 hears the checkpoint alone; replica 0 counts one again.
    lab.drops = lambda sender, to, message: 1 in (sender, to)
    for value in range(4):
        lab.ask("ann", "put", "a", b"%d" % value)
    lab.tell(1, 2, lab.replicas[2].checkpoints.proven)
    core = counting(lab, 1)
    assert core.chains[0].base > 0 and lab.replicas[1].state.executed == 0
    lab.tell(1, 0, propose(lab, 0, batch(lab), 1))
    votes = [one for one in sent(lab.effects[1], Counted) if one.kind == COMMITTED]
    assert core.chains[0].heard == core.chains[0].base + 1 and votes == []


def test_a_new_primary_takes_nothing_up_that_it_cannot_give_to_others(lab: Lab) -> None:
    vote = left(lab)
    lab.replicas[1].views.accuse("a test")
    lab.handle(1, Tick())
    lab.queue.clear()
    lab.tell(1, 2, vote)
    assert lab.replicas[1].views.new_view is None
    for number in (1, 2):
        lab.tell(1, 2, batch(lab, b"%d" % number, number))
    assert lab.replicas[1].views.new_view is not None


# -- what is set ------------------------------------------------------------------------------


@pytest.mark.parametrize(("replicas", "certificate", "weak"), [(3, 2, 2), (4, 3, 2), (5, 3, 3)])
def test_quorums_are_majorities(replicas: int, certificate: int, weak: int) -> None:
    quorums = Quorums(replicas, minbft=True)
    assert (quorums.certificate, quorums.weak, quorums.prepares) == (certificate, weak, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"crash_only": True},
        {"fast_reads": True},
        {"tentative": True},
        {"membership": Membership(1, 4, 4, tuple(Member(n, b"k" * 16) for n in (0, 1, 3)))},
        {"statements_max": 100},
        {"replicas": 2},
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadValueError):
        Config(**{"replicas": 3, "minbft": True, **settings}).validate()


def test_a_replica_needs_to_know_the_devices(lab: Lab) -> None:
    with pytest.raises(BadValueError, match=r"usigs"):
        Replica(lab.of(0), lab.replicas[0].entropy, lab.authority.keyring(0), KeyValueStore(4))


def test_a_status_says_how_far_everybody_was_heard(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(3.0)
    assert everything(lab, Status)[-1].heard == (1, 1, 1)
