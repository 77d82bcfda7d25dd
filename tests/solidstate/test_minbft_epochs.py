"""Reconfigurations of groups with trusted counters: where chains begin, and what is void."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.counted_proofs import as_order
from apps.solidstate.pbft.counting import Counting
from apps.solidstate.pbft.effects import Certify
from apps.solidstate.pbft.events import Certified, Received, Tick
from apps.solidstate.pbft.membership import VIEWS_PER_EPOCH, reconfiguration
from apps.solidstate.pbft.messages import (
    COMMITTED,
    LEFT,
    PROPOSED,
    Account,
    Batch,
    Checkpoint,
    Counted,
    History,
    Message,
    Opening,
    Proposal,
    ViewChange,
)
from apps.solidstate.pbft.proofs import Proofs
from apps.solidstate.pbft.usig import base_of, member_key, read_member_key
from tests.solidstate.lab import ROOT, Lab, sent

BASE = base_of(1)
VIEW = VIEWS_PER_EPOCH
"""The first view of the second epoch."""


@pytest.fixture
def lab() -> Lab:
    return Lab(replicas=3, minbft=True)


@pytest.fixture
def changed(lab: Lab) -> Lab:
    """A group in which replica 3 took the place of replica 1."""
    replace_one(lab, 3, 1)
    return lab


def replace_one(lab: Lab, comes: int, goes: int) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.join(comes)
    lab.reconfigure([comes], [goes])
    lab.pass_time(2.0)


def counting(lab: Lab, number: int) -> Counting:
    found = lab.replicas[number].counting
    assert found is not None
    return found


def proofs(lab: Lab, number: int = 0) -> Proofs:
    return lab.replicas[number].proofs


# -- who comes and who goes -----------------------------------------------------------------


def test_a_replica_that_was_added_votes_and_one_that_was_removed_does_not(changed: Lab) -> None:
    assert changed.epochs() == dict.fromkeys(range(4), 1)
    changed.drops = lambda sender, to, message: 2 in (sender, to)
    changed.ask("ann", "put", "a", b"2")
    assert unpack(changed.answers["ann"][-1]) == ["ok", b"1"]
    assert changed.executed() == [3, 2, 2, 3]
    assert "retired" in changed.reports(1)


def test_two_more_tolerate_one_more_fault(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.join(3, 4)
    lab.reconfigure([3, 4])
    lab.pass_time(2.0)
    assert lab.replicas[0].quorums.faults == 2
    lab.drops = lambda sender, to, message: bool({sender, to} & {1, 2})
    lab.ask("ann", "put", "a", b"2")
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_who_came_leads_when_its_turn_is(changed: Lab) -> None:
    for number in (0, 2, 3):
        changed.replicas[number].views.hand_over(VIEW, 3)
        changed.handle(number, Tick())
    changed.run()
    changed.ask("ann", "put", "a", b"2")
    assert changed.replicas[0].primary == 3
    assert unpack(changed.answers["ann"][-1]) == ["ok", b"1"]


def test_a_group_of_which_nobody_stays_goes_on(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.join(3, 4, 5)
    lab.reconfigure([3, 4, 5], [0, 1, 2])
    lab.pass_time(3.0)
    lab.ask("ann", "get", "a")
    lab.pass_time(3.0)
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_a_primary_that_stops_in_the_next_epoch_is_followed_by_another(changed: Lab) -> None:
    changed.drops = lambda sender, to, message: 0 in (sender, to)
    changed.ask("ann", "put", "a", b"2")
    changed.pass_time(6.0)
    assert unpack(changed.answers["ann"][-1]) == ["ok", b"1"]
    assert changed.replicas[3].views.view > VIEW


def test_a_replica_that_was_away_for_several_epochs_comes_back(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    replace_one(lab, 3, 1)
    replace_one(lab, 4, 0)
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    lab.ask("ann", "put", "a", b"2")
    lab.pass_time(8.0)
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]
    assert lab.replicas[2].epoch.number == 2


def test_what_was_noted_about_members_that_left_is_forgotten(lab: Lab) -> None:
    for comes in range(3, 9):
        replace_one(lab, comes, comes - 2)
        lab.pass_time(3.0)
        assert lab.replicas[0].epoch.number == comes - 2
    noted = [replica.resending._before for replica in lab.replicas.values()]  # type: ignore[attr-defined]
    assert noted[0] and all(len(one) <= 9 for one in noted)


def test_clients_come_and_leave_by_their_keys_alone(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    for key, answers in ((b"", 1), (lab.authority.key("ann"), 2)):
        membership = lab.replicas[0].epoch.membership
        lab.ask(ROOT, *unpack(reconfiguration(membership, clients={"ann": key})))
        lab.pass_time(3.0)
        if not key:
            lab.ask("ann", "put", "a", b"2")
        lab.pass_time(6.0)
        assert len(lab.answers["ann"]) == answers


# -- where chains begin ---------------------------------------------------------------------


def test_all_chains_of_an_epoch_begin_at_its_first_number(changed: Lab) -> None:
    before = changed.usigs[2].counter
    assert before < BASE
    changed.ask("ann", "put", "a", b"2")
    assert [changed.usigs[number].counter for number in (0, 2, 3)] == [BASE + 1] * 3
    heard = {n: chain.heard for n, chain in counting(changed, 3).chains.items()}
    assert heard == {0: BASE + 1, 2: BASE + 1, 3: BASE + 1}


def test_what_is_said_about_a_view_has_a_number_of_its_epoch(changed: Lab) -> None:
    check = proofs(changed).counter  # type: ignore[attr-defined]
    early = Counted(LEFT, VIEW + 1, 0, b"x" * 32, 2)
    usig = changed.authority.usig(2)
    assert check(replace(early, signature=usig.create_ui(early.body))) is None
    assert check(replace(early, signature=usig.create_ui(early.body, BASE))) == BASE + 1
    late = replace(early, view=1)
    assert check(replace(late, signature=usig.create_ui(late.body, BASE))) is None


def test_a_view_of_the_epoch_is_not_left_under_a_number_of_the_one_before(changed: Lab) -> None:
    # Else what was counted in between would be hidden by it.
    base = proofs(changed).base
    vote = ViewChange(VIEW + 1, base, (), 2, Account(base, (), ()))
    left = Counted(LEFT, VIEW + 1, 0, vote.claim, 2)
    early = changed.usigs[2].create_ui(left.body)
    assert not proofs(changed).view_change(replace(vote, signature=early))
    true = changed.usigs[2].create_ui(left.body, BASE)
    assert proofs(changed).view_change(replace(vote, signature=true))


def test_a_view_change_message_of_the_next_epoch_shows_its_statements_alone(changed: Lab) -> None:
    changed.ask("ann", "put", "a", b"2")
    changed.replicas[2].views.accuse("a test")
    changed.handle(2, Tick())
    vote: ViewChange = sent(changed.effects[2], ViewChange)[-1]
    assert vote.account is not None
    assert [(one.kind, one.counter) for one in vote.account.history] == [(COMMITTED, BASE + 1)]
    assert vote.account.anchor == proofs(changed).base
    assert proofs(changed).view_change(vote)


# -- what is void ---------------------------------------------------------------------------


def test_who_left_is_not_heard(changed: Lab) -> None:
    counted = Counted(COMMITTED, VIEW, 3, b"x" * 32, 1)
    ui = changed.usigs[1].create_ui(counted.body, BASE)
    changed.tell(0, 2, replace(counted, signature=ui))
    assert 1 not in counting(changed, 0).chains
    assert not proofs(changed).opening(changed.signed(1, Opening(VIEW + 1, b"s" * 32, 1)))  # type: ignore[attr-defined]


def test_votes_for_what_was_ordered_above_the_end_do_not_count(lab: Lab) -> None:
    # The batch above the reconfiguration is voted for by two in the epoch that is over.
    lab.drops = lambda sender, to, message: isinstance(message, Checkpoint)
    lab.join(3)
    lab.reconfigure([3], [1])
    assert [replica.epochs.over for replica in lab.replicas.values()] == [True] * 3 + [False]
    what = Batch(1, b"salt", (lab.request(),))
    proposal = Proposal(as_order(lab.count(0, PROPOSED, 0, 2, what.digest)), what)
    lab.tell(2, 0, proposal)
    assert lab.replicas[2].state.executed == 1
    lab.drops = lambda *_: False
    lab.pass_time(2.0)
    assert lab.epochs()[2] == 1
    lab.tell(2, 0, proposal)
    lab.tell(2, 1, lab.count(1, COMMITTED, 0, 2, what.digest))
    # Also one whose turn comes while the epoch begins.
    lab.replicas[2].ordering.on_vote(lab.count(1, COMMITTED, 0, 2, what.digest))  # type: ignore[attr-defined]
    entry = lab.replicas[2].log.get(2)
    assert lab.replicas[2].state.executed == 1 and (entry is None or not entry.votes)


def test_what_was_about_to_be_counted_when_the_epoch_ended_is_forgotten(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.join(3)
    counting(lab, 2).certify(COMMITTED, 0, 7, b"x" * 32)
    last = counting(lab, 2).own.heard + 1
    ui = lab.usigs[2].create_ui(Counted(COMMITTED, 0, 7, b"x" * 32, 2).body)
    handed = [one for one in lab.replicas[2].handle(Tick(), lab.now) if isinstance(one, Certify)]
    assert [one.counter for one in handed] == [last]
    lab.drops = lambda _, to, message: to == 2 and isinstance(message, Proposal | Counted | History)
    lab.reconfigure([3], [1])
    lab.pass_time(2.0)
    assert lab.epochs()[2] == 1 and not counting(lab, 2).pending
    lab.drops = lambda *_: False
    lab.handle(2, Certified(last, ui))
    lab.ask("ann", "put", "a", b"2")
    assert lab.executed()[2] == 3 and lab.replicas[2].voting


def test_how_views_of_the_former_epoch_began_is_forgotten(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "a", b"2")
    lab.pass_time(6.0)
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    assert lab.replicas[2].views.kept  # type: ignore[attr-defined]
    replace_one(lab, 3, 0)
    assert not lab.replicas[2].views.kept  # type: ignore[attr-defined]
    lab.restart(1, 2)
    assert lab.replicas[2].ordering._start == {}  # type: ignore[attr-defined]
    lab.ask("ann", "put", "a", b"3")
    lab.pass_time(3.0)
    assert len(lab.answers["ann"]) == 4
    assert not any("faulty" in lab.reports(number) for number in range(4))


# -- restarts -------------------------------------------------------------------------------


def test_all_killed_after_a_reconfiguration_go_on_in_their_epoch(changed: Lab) -> None:
    changed.ask("ann", "put", "a", b"2")
    changed.restart(0, 2, 3)
    changed.pass_time(2.0)
    changed.ask("ann", "get", "a")
    assert unpack(changed.answers["ann"][-1]) == ["ok", b"2"]
    assert not any("damaged" in changed.reports(number) for number in (0, 2, 3))
    assert [changed.usigs[n].counter for n in (0, 2, 3)] == [BASE + 2] * 3


def test_what_was_not_counted_before_the_epoch_ended_is_not_asked_for(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    core = lab.replicas[2]
    for effect in core.handle(Received(0, next_proposal(lab)), lab.now):
        lab._carry_out(2, effect)  # it is on disk, and the device was not asked
    lab.queue.clear()
    lab.restart(2)
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.join(3)
    lab.reconfigure([3], [1])
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    before = lab.usigs[2].counter
    lab.restart(2)
    assert lab.epochs()[2] == 1 and lab.usigs[2].counter == before
    assert lab.replicas[2].voting


def next_proposal(lab: Lab) -> Message:
    """A second proposal of replica 0."""
    what = Batch(2, b"salt", (lab.request("bob", 9),))
    return Proposal(as_order(lab.count(0, PROPOSED, 0, 2, what.digest)), what)


# -- devices ----------------------------------------------------------------------------------


def test_the_key_of_a_member_names_its_device() -> None:
    assert read_member_key(member_key(b"key", b"device")) == (b"key", b"device")
    for data in (b"", b"key", pack([b"key"]), pack(["key", b"device"])):
        assert read_member_key(data) is None


def test_a_key_that_names_no_device_is_refused(lab: Lab) -> None:
    for key in (member_key(b"k" * 16, b"short"), member_key(b"short", b"d" * 16), b"k" * 16):
        operation = reconfiguration(lab.membership, {3: key}, [1])
        lab.ask(ROOT, *unpack(operation))
    said = [unpack(answer)[:2] for answer in lab.answers[ROOT]]
    words = "the key of 3 is no public key with a trusted counter (usig.member_key)"
    assert said == [["refused", words]] * 3
    assert set(lab.epochs().values()) == {0}
