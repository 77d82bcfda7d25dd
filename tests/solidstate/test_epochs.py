"""Reconfigurations: who takes over, from which number on, and what former members are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.solidstate.pbft.canonical import digest_of, pack, unpack
from apps.solidstate.pbft.effects import Entered, Send
from apps.solidstate.pbft.events import Ask, Received, Tick
from apps.solidstate.pbft.membership import VIEWS_PER_EPOCH, reconfiguration
from apps.solidstate.pbft.messages import (
    Blobs,
    Checkpoint,
    Commit,
    Decided,
    FetchBlobs,
    FetchHandovers,
    Handover,
    Handovers,
    Member,
    Message,
    Prepare,
    PrePrepare,
    Reply,
    Request,
    Stable,
    Status,
    ViewChange,
)
from tests.solidstate.lab import ROOT, Lab, sent
from vista import BadValueError

DIGEST = b"d" * 32


@pytest.fixture
def lab() -> Lab:
    return Lab()


def ends(message: Message) -> bool:
    """Whether a message is a last checkpoint of an epoch."""
    return isinstance(message, Checkpoint) and bool(message.successor)


def replaced(lab: Lab) -> None:
    """Put replica 4 in the place of replica 1."""
    lab.ask("ann", "put", "a", b"1")
    lab.join(4)
    lab.reconfigure([4], [1])
    lab.pass_time(2.0)


# -- taking effect ------------------------------------------------------------------------


def test_a_replica_that_was_added_serves_and_one_that_was_removed_does_not(lab: Lab) -> None:
    replaced(lab)
    assert lab.epochs() == dict.fromkeys(range(5), 1)
    lab.ask("ann", "put", "a", b"2")
    assert lab.executed() == [3, 2, 3, 3, 3]
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]
    assert "retired" in lab.reports(1)


def test_the_administrator_is_told_who_takes_over(lab: Lab) -> None:
    replaced(lab)
    assert unpack(lab.answers[ROOT][0]) == ["ok", lab.replicas[0].epoch.membership.row]


def test_an_epoch_ends_with_the_batch_that_asked_for_it(lab: Lab) -> None:
    replaced(lab)
    epoch = lab.replicas[0].epoch
    assert (epoch.start, lab.replicas[0].log.low) == (2, 2)
    assert lab.replicas[0].checkpoints.proven == Stable(
        2, lab.replicas[0].checkpoints.trees[2].root, ()
    )


def test_who_comes_is_the_primary_when_its_turn_is(lab: Lab) -> None:
    lab.join(4, 5, 6, 7)
    lab.reconfigure([4, 5, 6, 7], [0, 1, 2, 3])
    lab.pass_time(3.0)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(1.0)
    assert lab.replicas[4].leads
    assert lab.executed() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_three_more_replicas_tolerate_one_more_fault(lab: Lab) -> None:
    lab.join(4, 5, 6)
    lab.reconfigure([4, 5, 6])
    lab.pass_time(2.0)
    assert lab.replicas[0].quorums.faults == 2
    lab.drops = lambda sender, to, message: sender in (5, 6) or to in (5, 6)
    lab.ask("ann", "put", "a", b"1")
    assert len(lab.answers["ann"]) == 1


def test_nothing_is_executed_above_the_end_before_the_next_epoch_began(lab: Lab) -> None:
    lab.join(4)
    lab.drops = lambda sender, to, message: ends(message)
    lab.reconfigure([4], [1])
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 1, 1, 0]
    lab.drops = lambda *_: False
    lab.pass_time(4.0)
    assert len(lab.answers["ann"]) == 1
    assert set(lab.epochs().values()) == {1}


def test_what_was_ordered_above_the_end_is_void_and_ordered_again(lab: Lab) -> None:
    lab.join(4)
    # Replica 0 executes the end, and the others order one more batch before they do.
    orders = [lab.proposal(2, 0, None)]
    lab.drops = lambda sender, to, message: isinstance(message, Commit) or ends(message)
    lab.reconfigure([4], [1])
    for number in (1, 2, 3):
        lab.tell(number, 0, orders[0])
    assert all(lab.replicas[n].log.get(2).pre_prepare is not None for n in (1, 2, 3))  # type: ignore[union-attr]
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    entry = lab.replicas[2].log.get(2)
    assert set(lab.epochs().values()) == {1}
    assert entry is None or entry.pre_prepare != orders[0].pre_prepare


def test_an_epoch_begins_when_2f_plus_1_members_have_its_first_state_on_disk(lab: Lab) -> None:
    lab.join(4)
    lab.drops = lambda sender, to, message: ends(message) and sender != 0
    lab.reconfigure([4], [1])
    assert lab.epochs() == dict.fromkeys(range(5), 0)
    lab.drops = lambda sender, to, message: ends(message) and sender == 3
    lab.pass_time(2.0)
    assert lab.epochs() == dict.fromkeys(range(5), 1)


def test_the_handover_is_on_disk_before_anything_is_said_in_the_epoch(lab: Lab) -> None:
    replaced(lab)
    effects = lab.effects[2]
    entered = next(place for place, one in enumerate(effects) if isinstance(one, Entered))
    before = [getattr(one, "record", b"") for one in effects[:entered]]
    assert unpack(next(record for record in reversed(before) if record))[0] == "handover"


# -- who may ask --------------------------------------------------------------------------


def test_what_a_client_asks_for_never_is_a_reconfiguration(lab: Lab) -> None:
    operation = reconfiguration(lab.clients["ann"].membership, remove=[])
    lab.ask("ann", *unpack(operation))
    assert unpack(lab.answers["ann"][0])[0] == "bad"
    assert set(lab.epochs().values()) == {0}


def test_what_an_administrator_asks_for_never_reaches_the_service(lab: Lab) -> None:
    lab.ask(ROOT, "put", "a", b"1")
    assert unpack(lab.answers[ROOT][0])[0] == "refused"
    lab.ask("ann", "get", "a")
    assert unpack(lab.answers["ann"][0]) == ["ok", None]


def test_a_reconfiguration_of_a_former_epoch_is_refused(lab: Lab) -> None:
    operation = reconfiguration(lab.clients[ROOT].membership)
    lab.ask(ROOT, *unpack(operation))
    lab.pass_time(1.0)
    lab.ask(ROOT, *unpack(operation))
    assert unpack(lab.answers[ROOT][1]) == [
        "refused",
        "epoch 1 is reached, and the operation is for 0",
        lab.replicas[0].epoch.membership.row,
    ]


def test_a_replica_that_waits_to_be_added_says_nothing_that_counts(lab: Lab) -> None:
    lab.join(4)
    effects = lab.tell(4, 0, lab.proposal())
    assert sent(effects, Prepare) == []
    assert not lab.replicas[4].voting


# -- what former members are worth --------------------------------------------------------


def strangers(lab: Lab, *names: int, epoch: int = 1, successor: bytes = b"") -> Stable:
    votes = [lab.signed(name, Checkpoint(8, DIGEST, name, epoch, successor)) for name in names]
    return Stable(8, DIGEST, tuple(votes))


def test_former_members_prove_no_checkpoint(lab: Lab) -> None:
    replaced(lab)
    proofs = lab.replicas[0].proofs
    assert proofs.stable(strangers(lab, 0, 2, 3))
    assert not proofs.stable(strangers(lab, 0, 1, 2))
    assert not proofs.stable(strangers(lab, 0, 2, 3, epoch=0))


def test_former_members_prove_no_batch(lab: Lab) -> None:
    replaced(lab)
    view = VIEWS_PER_EPOCH
    proofs = lab.replicas[0].proofs
    assert proofs.prepare(lab.signed(2, Prepare(view, 3, DIGEST, 2)))
    assert not proofs.prepare(lab.signed(1, Prepare(view, 3, DIGEST, 1)))
    assert not proofs.prepare(lab.signed(2, Prepare(1, 3, DIGEST, 2)))
    assert not proofs.pre_prepare(lab.signed(1, PrePrepare(1, 3, DIGEST)))
    assert not proofs.pre_prepare(lab.signed(2, PrePrepare(2, 3, DIGEST)))


def test_former_members_want_no_view(lab: Lab) -> None:
    replaced(lab)
    stable = lab.replicas[0].checkpoints.proven
    proofs = lab.replicas[0].proofs
    view = VIEWS_PER_EPOCH + 1
    assert proofs.view_change(lab.signed(2, ViewChange(view, stable, (), 2)))
    assert not proofs.view_change(lab.signed(1, ViewChange(view, stable, (), 1)))
    assert not proofs.view_change(lab.signed(2, ViewChange(5, stable, (), 2)))


def test_what_former_members_send_is_not_counted(lab: Lab) -> None:
    replaced(lab)
    proposal = lab.proposal(3, VIEWS_PER_EPOCH)
    lab.tell(2, 0, proposal)
    digest = proposal.batch.digest
    for message in (Commit(VIEWS_PER_EPOCH, 3, digest), Decided(3, digest)):
        lab.tell(2, 1, message)
        entry = lab.replicas[2].log.get(3)
        assert entry is not None and 1 not in {**entry.commits, **entry.claims}


def test_votes_sent_early_by_who_leaves_do_not_count_in_the_next_epoch(lab: Lab) -> None:
    lab.join(4)
    lab.tell(2, 1, Commit(VIEWS_PER_EPOCH, 2, DIGEST))
    lab.tell(2, 3, Commit(VIEWS_PER_EPOCH, 2, DIGEST))
    lab.reconfigure([4], [1])
    entry = lab.replicas[2].log.get(2)
    assert entry is not None and list(entry.commits) == [3]


def test_strangers_begin_no_epoch(lab: Lab) -> None:
    replaced(lab)
    membership = replace(lab.replicas[0].epoch.membership, epoch=2, start=8)
    proofs = lab.replicas[0].proofs

    def handover(*names: int) -> Handover:
        return Handover(membership, strangers(lab, *names, successor=membership.digest))

    assert proofs.handover(handover(0, 2, 4))
    assert not proofs.handover(handover(0, 1, 2))
    assert not proofs.handover(handover(0, 2))
    assert not proofs.handover(handover(0, 2, 2))


def test_a_handover_names_the_membership_that_was_agreed_on(lab: Lab) -> None:
    replaced(lab)
    agreed = replace(lab.replicas[0].epoch.membership, epoch=2, start=8)
    stable = strangers(lab, 0, 2, 3, successor=agreed.digest)
    proofs = lab.replicas[0].proofs
    assert proofs.handover(Handover(agreed, stable))
    for other in (
        replace(agreed, members=(*agreed.members[:-1], Member(9, b"k" * 16))),
        replace(agreed, start=9),
        replace(agreed, epoch=3),
    ):
        assert not proofs.handover(Handover(other, stable))


def test_a_regular_checkpoint_ends_no_epoch_and_the_last_one_is_no_regular_one(lab: Lab) -> None:
    replaced(lab)
    proofs = lab.replicas[0].proofs
    membership = replace(lab.replicas[0].epoch.membership, epoch=2, start=8)
    assert not proofs.handover(Handover(membership, strangers(lab, 0, 2, 3)))
    assert not proofs.stable(strangers(lab, 0, 2, 3, successor=membership.digest))


def test_the_state_an_epoch_starts_with_is_shown_without_proof_and_no_other_is(lab: Lab) -> None:
    replaced(lab)
    proofs = lab.replicas[0].proofs
    assert proofs.stable(proofs.base)
    assert not proofs.stable(replace(proofs.base, root=DIGEST))
    assert not proofs.stable(Stable(4, DIGEST, ()))


# -- being away ---------------------------------------------------------------------------


def three_epochs_without(lab: Lab, number: int) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: number in (sender, to)
    for _ in range(3):
        lab.reconfigure()
        lab.pass_time(1.0)
        lab.ask("ann", "put", "a", b"2")
    assert lab.epochs()[number] == 0


def test_a_replica_that_was_away_for_several_epochs_comes_back(lab: Lab) -> None:
    three_epochs_without(lab, 3)
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    assert lab.epochs() == dict.fromkeys(range(4), 3)
    assert len(set(lab.executed())) == 1
    assert lab.replicas[3].voting


def test_a_replica_that_was_away_does_not_believe_an_epoch_whose_predecessor_it_lacks(
    lab: Lab,
) -> None:
    three_epochs_without(lab, 3)
    handovers = lab.replicas[0].epochs.handovers
    lab.tell(3, 0, Handovers(tuple(handovers[1:])))
    assert lab.epochs()[3] == 0
    lab.tell(3, 0, Handovers(tuple(handovers)))
    assert lab.epochs()[3] == 3


def test_handovers_are_good_from_anybody(lab: Lab) -> None:
    three_epochs_without(lab, 3)
    lab.tell(3, 99, Handovers(tuple(lab.replicas[0].epochs.handovers)))
    assert lab.epochs()[3] == 3


def test_a_replica_restarts_in_the_epoch_it_was_in(lab: Lab) -> None:
    replaced(lab)
    lab.restart(0, 2, 3, 4)
    assert [lab.epochs()[number] for number in (0, 2, 3, 4)] == [1, 1, 1, 1]
    assert lab.members[2] == (0, 2, 3, 4)
    lab.pass_time(1.0)
    lab.ask("ann", "put", "a", b"2")
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_a_compacted_log_holds_the_handovers(lab: Lab) -> None:
    replaced(lab)
    for value in range(4):
        lab.ask("ann", "put", "a", b"%d" % value)
    assert lab.replicas[2].log.low == 4
    assert unpack(lab.logs[2][0])[0] == "handover"
    lab.restart(2)
    assert lab.epochs()[2] == 1


def test_a_replica_that_crashes_between_two_epochs_stays_between_them(lab: Lab) -> None:
    lab.join(4)
    lab.drops = lambda sender, to, message: ends(message)
    lab.reconfigure([4], [1])
    lab.restart(0, 1, 2, 3)
    assert all(lab.replicas[number].epochs.over for number in range(4))
    lab.drops = lambda *_: False
    lab.pass_time(2.0)
    assert lab.epochs() == dict.fromkeys(range(5), 1)


def test_handovers_are_kept_up_to_a_number() -> None:
    lab = Lab(handovers_max=2)
    for _ in range(4):
        lab.reconfigure()
        lab.pass_time(1.0)
    assert [handover.membership.epoch for handover in lab.replicas[0].epochs.handovers] == [3, 4]


def test_handovers_are_not_sent_more_often_than_statuses(lab: Lab) -> None:
    replaced(lab)
    effects = [lab.handle(0, Received("ann", FetchHandovers(0))) for _ in range(5)]
    lab.queue.clear()
    assert [len(sent(one, Handovers)) for one in effects] == [1, 0, 0, 0, 0]


def test_a_stranger_gets_no_handovers(lab: Lab) -> None:
    replaced(lab)
    for stranger in ("mallory", 99):
        assert sent(lab.tell(0, stranger, FetchHandovers(0)), Handovers) == []
        assert sent(lab.tell(0, stranger, Status(0, True, 0, 0)), Handovers) == []


def test_one_who_left_keeps_the_state_for_those_who_came(lab: Lab) -> None:
    lab.join(4, 5, 6, 7)
    lab.drops = lambda sender, to, message: to > 3 if isinstance(to, int) else False
    lab.reconfigure([4, 5, 6, 7], [0, 1, 2, 3])
    lab.pass_time(2.0)
    assert all(lab.replicas[number].epochs.retired for number in range(4))
    lab.drops = lambda *_: False
    lab.pass_time(4.0)
    assert lab.executed() == [1] * 8


def test_one_who_left_keeps_that_state_however_often_the_group_changes(lab: Lab) -> None:
    replaced(lab)
    lab.reconfigure()
    lab.pass_time(4.0)
    assert lab.epochs()[1] == 2
    assert list(lab.replicas[1].checkpoints.trees) == [2]


def test_who_joins_may_be_told_a_later_group(lab: Lab) -> None:
    for _ in range(2):
        lab.reconfigure()
        lab.pass_time(1.0)
    known = lab.replicas[0].epochs.handovers[0].membership
    lab.config = replace(lab.config, membership=known)
    lab.join(4)
    assert lab.epochs()[4] == 1
    lab.reconfigure([4])
    lab.pass_time(3.0)
    assert lab.epochs() == dict.fromkeys(range(5), 3)
    assert lab.executed() == [3] * 5


def test_who_comes_is_not_told_the_group_it_is_in(lab: Lab) -> None:
    # Four of these would agree on an empty state: none of them was told another one.
    lab.join(4)
    lab.reconfigure([4], [1])
    lab.config = replace(lab.config, membership=lab.membership)
    with pytest.raises(BadValueError, match=r"4 starts for the first time as a member of epoch 1"):
        lab.start(4, None)
    lab.restart(4)
    lab.pass_time(1.0)
    assert lab.epochs()[4] == 1


def test_a_source_that_has_nothing_makes_nobody_passed_over(lab: Lab) -> None:
    lab.join(4, 5, 6, 7)
    lab.drops = lambda sender, to, message: to > 3 if isinstance(to, int) else False
    lab.reconfigure([4, 5, 6, 7], [0, 1, 2, 3])
    handovers = Handovers(tuple(lab.replicas[0].epochs.handovers))
    lab.tell(4, 0, handovers)
    for _ in range(10):
        # Members of even number have nothing, the others say nothing.
        for fetch in sent(lab.effects[4], FetchBlobs)[-1:]:
            for source in (0, 2, 6):
                lab.tell(4, source, Blobs(fetch.root, ()))
        lab.now += 1.01 * lab.config.transfer_seconds
        lab.handle(4, Tick())
        lab.queue.clear()
    asked = {
        effect.to
        for effect in lab.effects[4]
        if isinstance(effect, Send) and isinstance(effect.message, FetchBlobs)
    }
    signers = {vote.replica for vote in handovers.handovers[0].stable.proof}
    assert asked == {5, 6, 7} | signers


# -- clients ------------------------------------------------------------------------------


def test_a_client_whose_whole_group_left_is_led_to_the_one_of_the_day(lab: Lab) -> None:
    lab.join(4, 5, 6, 7)
    lab.reconfigure([4, 5, 6, 7], [0, 1, 2, 3])
    lab.pass_time(3.0)
    assert lab.clients["bob"].membership.epoch == 0
    lab.ask("bob", "put", "a", b"1")
    lab.pass_time(1.0)
    assert len(lab.answers["bob"]) == 1
    assert lab.clients["bob"].membership.epoch == 1


@pytest.mark.parametrize(
    ("settings", "comes"),
    [({}, range(4, 10)), ({"replicas": 3, "minbft": True}, range(3, 5))],
    ids=["byzantine", "minbft"],
)
def test_a_client_that_knows_too_few_to_leave_a_view_is_told_of_the_others(
    settings: dict[str, Any], comes: range
) -> None:
    # Seed 400018: those it knew left the view and waited; the others were never asked.
    lab = Lab(**settings)
    lab.join(*comes)
    lab.reconfigure([*comes])
    lab.pass_time(3.0)
    assert set(lab.epochs().values()) == {1}
    lab.drops = lambda sender, to, message: sender == 0
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(15.0)
    assert len(lab.answers["ann"]) == 1


def told(lab: Lab) -> int:
    """How often replica 2 tells a client that asks again who is in the group."""
    return len(sent(lab.tell(2, "ann", lab.request()), Handovers))


def test_liars_who_pretend_to_leave_a_view_do_not_keep_the_others_from_a_client() -> None:
    lab = Lab(replicas=3, minbft=True)
    lab.join(3, 4)
    lab.reconfigure([3, 4])
    lab.pass_time(3.0)
    lab.drops = lambda sender, to, message: to != 2 or not isinstance(message, ViewChange)
    for number in (0, 1, 0, 1):
        lab.replicas[number].views.accuse("a lie")
        lab.handle(number, Tick())
        lab.run()
    views = lab.replicas[2].views
    assert told(lab) == 0
    views.accuse("a test")
    lab.handle(2, Tick())
    assert [vote.view - views.view for vote in views.votes.values()] == [1, 1, 0]
    assert not views.active and told(lab) == 1


def test_a_client_that_asks_again_and_again_is_not_told_each_time(lab: Lab) -> None:
    lab.join(4)
    lab.reconfigure([4])
    lab.pass_time(3.0)
    lab.replicas[2].views.accuse("a test")
    lab.handle(2, Tick())
    assert [told(lab) for _ in range(5)] == [1, 0, 0, 0, 0]
    lab.now += lab.config.status_seconds
    assert told(lab) == 1


def test_a_client_that_missed_several_epochs_asks_for_the_handovers_between(lab: Lab) -> None:
    lab.join(*range(4, 12))
    lab.reconfigure([4, 5, 6, 7], [0, 1, 2, 3])
    lab.pass_time(4.0)
    lab.reconfigure([8, 9, 10, 11], [4, 5, 6, 7])
    lab.pass_time(4.0)
    lab.ask("bob", "put", "a", b"1")
    lab.pass_time(2.0)
    assert len(lab.answers["bob"]) == 1
    assert lab.clients["bob"].membership.epoch == 2


def answers(lab: Lab, view: int, *senders: int) -> int:
    """Have a client ask and some replicas answer; return how many results it believes."""
    lab.handle("ann", Ask(pack(["get", "a"])))
    request = next(message for _, _, message in lab.queue if isinstance(message, Request))
    result = pack(["ok", None])
    for sender in senders:
        reply = Reply(view, "ann", request.timestamp, True, digest_of(result), result)
        lab.handle("ann", Received(sender, reply))
    lab.queue.clear()
    return len(lab.answers["ann"])


def test_replies_of_members_count(lab: Lab) -> None:
    assert answers(lab, 0, 1, 2) == 1


def test_replies_of_strangers_do_not_count(lab: Lab) -> None:
    assert answers(lab, 0, 1, 4, 5) == 0


def test_replies_of_different_epochs_are_not_counted_together(lab: Lab) -> None:
    lab.handle("ann", Ask(pack(["get", "a"])))
    request = next(message for _, _, message in lab.queue if isinstance(message, Request))
    result = pack(["ok", None])
    for sender, view in ((1, 0), (2, VIEWS_PER_EPOCH)):
        reply = Reply(view, "ann", request.timestamp, True, digest_of(result), result)
        lab.handle("ann", Received(sender, reply))
    assert lab.answers["ann"] == []


def test_a_client_asks_for_handovers_once_however_often_it_is_told_of_a_later_epoch(
    lab: Lab,
) -> None:
    lab.handle("ann", Ask(pack(["get", "a"])))
    lab.queue.clear()
    reply = Reply(VIEWS_PER_EPOCH, "ann", 1, True, DIGEST, None)
    effects = [effect for _ in range(3) for effect in lab.handle("ann", Received(2, reply))]
    assert sent(effects, FetchHandovers) == [FetchHandovers(0)]


# -- reads that are not ordered -------------------------------------------------------------


def read(lab: Lab, number: int) -> list[Reply]:
    """Ask a replica for a read; return what it reads: nothing if it says that it does not."""
    request = Request("ann", 2**60, pack(["get", "a"]), True, 0)
    (reply,) = sent(lab.tell(number, "ann", lab.signed("ann", request)), Reply)
    return [reply] if reply.result_digest else []


def test_between_two_epochs_no_read_is_answered() -> None:
    lab = Lab(fast_reads=True)
    assert len(read(lab, 2)) == 1
    lab.drops = lambda sender, to, message: ends(message)
    lab.reconfigure()
    assert lab.replicas[2].epochs.over
    assert read(lab, 2) == []


def test_reads_wait_for_the_state_an_epoch_starts_with() -> None:
    lab = Lab(fast_reads=True)
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    lab.reconfigure()
    lab.tell(3, 0, Handovers(tuple(lab.replicas[0].epochs.handovers)))
    assert lab.epochs()[3] == 1 and lab.executed()[3] == 0
    assert read(lab, 3) == []
    lab.drops = lambda *_: False
    lab.pass_time(2.0)
    assert len(read(lab, 3)) == 1
