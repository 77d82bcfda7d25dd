"""View changes, sentence by sentence of OSDI 1999, sections 4.4 and 4.5."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.effects import Append
from apps.solidstate.pbft.events import Received, Tick
from apps.solidstate.pbft.messages import (
    NULL_BATCH,
    Batch,
    Checkpoint,
    Commit,
    Decided,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
    Request,
    Stable,
    Status,
    ViewChange,
)
from apps.solidstate.pbft.proofs import GENESIS, Proofs, stable_of_view, start_of_view
from tests.solidstate.lab import Lab, sent

DIGEST = b"d" * 32


@pytest.fixture
def lab() -> Lab:
    return Lab()


def certificate(lab: Lab, sequence: int = 1, view: int = 0, batch: bytes = DIGEST) -> Prepared:
    primary = view % 4
    order = lab.signed(primary, PrePrepare(view, sequence, batch))
    backups = [number for number in range(4) if number != primary][:2]
    prepares = [lab.signed(n, Prepare(view, sequence, batch, n)) for n in backups]
    return Prepared(order, tuple(prepares))


def stable(lab: Lab, sequence: int = 4) -> Stable:
    votes = [lab.signed(n, Checkpoint(sequence, DIGEST, n)) for n in range(3)]
    return Stable(sequence, DIGEST, tuple(votes))


def vote(
    lab: Lab,
    replica: int,
    view: int = 1,
    prepared: tuple[Prepared, ...] = (),
    low: Stable = GENESIS,
) -> ViewChange:
    return lab.signed(replica, ViewChange(view, low, prepared, replica))  # type: ignore[no-any-return]


def new_view(lab: Lab, votes: list[ViewChange], view: int = 1) -> NewView:
    orders = [lab.signed(view % 4, PrePrepare(view, *one)) for one in start_of_view(votes)]
    return lab.signed(view % 4, NewView(view, tuple(votes), tuple(orders)))  # type: ignore[no-any-return]


def proofs(lab: Lab) -> Proofs:
    return lab.replicas[0].proofs


def test_4_4_a_backup_whose_request_is_not_executed_in_time_leaves_the_view(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: sender == 0
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(6.0)
    assert lab.views()[1:] == [1, 1, 1]
    assert len(lab.answers["ann"]) == 1


def test_4_4_that_the_view_was_left_is_on_disk_before_the_view_change_leaves(lab: Lab) -> None:
    lab.tell(1, "ann", lab.request())
    lab.drops = lambda *_: True
    lab.pass_time(1.1)
    lab.tell(1, 2, Status(0, True, 0, 0, impatient=True))
    effects = lab.effects[1]
    written = [n for n, one in enumerate(effects) if Append(pack(["view", 1])) == one]
    told = [n for n, one in enumerate(effects) if sent([one], ViewChange)]
    assert written and written[0] < told[0]


def test_4_4_a_view_change_shows_the_certificates_above_the_stable_checkpoint(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.tell(1, 2, vote(lab, 2))
    (shown,) = sent(lab.tell(1, 3, vote(lab, 3)), ViewChange)
    assert [proof.pre_prepare.sequence for proof in shown.prepared] == [1]
    assert proofs(lab).view_change(shown)


def test_4_4_whoever_left_a_view_takes_no_more_part_in_it(lab: Lab) -> None:
    for number in (2, 3):
        lab.tell(1, number, vote(lab, number))
    assert sent(lab.tell(1, 0, lab.proposal()), Prepare) == []


def test_4_4_a_new_view_starts_above_the_latest_stable_checkpoint(lab: Lab) -> None:
    votes = [vote(lab, 0), vote(lab, 1, low=stable(lab)), vote(lab, 2)]
    assert stable_of_view(votes).sequence == 4
    assert start_of_view(votes) == []


def test_4_4_a_new_view_keeps_the_batch_of_the_certificate_with_the_highest_view(lab: Lab) -> None:
    low = certificate(lab, 1, view=0, batch=b"a" * 32)
    high = certificate(lab, 1, view=2, batch=b"b" * 32)
    for order in ([low, high], [high, low]):
        votes = [vote(lab, number, 3, (proof,)) for number, proof in enumerate(order)]
        assert start_of_view(votes) == [(1, b"b" * 32)]


def test_4_4_a_new_view_fills_gaps_with_the_null_batch(lab: Lab) -> None:
    votes = [vote(lab, 0, prepared=(certificate(lab, 3),)), vote(lab, 1), vote(lab, 2)]
    null = NULL_BATCH.digest
    assert start_of_view(votes) == [(1, null), (2, null), (3, DIGEST)]


def test_4_4_what_lies_below_the_stable_checkpoint_is_not_proposed_again(lab: Lab) -> None:
    votes = [vote(lab, 0, prepared=(certificate(lab, 3),)), vote(lab, 1, low=stable(lab))]
    assert start_of_view(votes) == []


BAD_VOTES: dict[str, Callable[[Lab], ViewChange]] = {
    "signature": lambda lab: replace(vote(lab, 2), view=2),
    "of nobody": lambda lab: vote(lab, 9),
    "view 0": lambda lab: vote(lab, 2, view=0),
    "certificate of its own view": lambda lab: vote(lab, 2, 1, (certificate(lab, 1, view=1),)),
    "certificate above the window": lambda lab: vote(lab, 2, 1, (certificate(lab, 9),)),
    "certificate below the checkpoint": lambda lab: vote(
        lab, 2, 1, (certificate(lab, 4),), stable(lab)
    ),
    "two certificates of a number": lambda lab: vote(lab, 2, 1, (certificate(lab),) * 2),
    "too few prepares": lambda lab: vote(
        lab, 2, 1, (replace(certificate(lab), prepares=certificate(lab).prepares[:1]),)
    ),
    "one prepare twice": lambda lab: vote(
        lab, 2, 1, (replace(certificate(lab), prepares=certificate(lab).prepares[:1] * 2),)
    ),
    "prepares of another batch": lambda lab: vote(
        lab, 2, 1, (replace(certificate(lab), prepares=certificate(lab, batch=b"x" * 32).prepares),)
    ),
    "prepares of another view": lambda lab: vote(
        lab, 2, 5, (replace(certificate(lab), prepares=certificate(lab, view=4).prepares),)
    ),
    "pre-prepare of no primary": lambda lab: vote(
        lab,
        2,
        1,
        (replace(certificate(lab), pre_prepare=lab.signed(2, PrePrepare(0, 1, DIGEST))),),
    ),
    "checkpoint of too few": lambda lab: vote(
        lab, 2, low=replace(stable(lab), proof=stable(lab).proof[:2])
    ),
    "checkpoint of one": lambda lab: vote(
        lab, 2, low=replace(stable(lab), proof=stable(lab).proof[:1] * 3)
    ),
    "checkpoint of another state": lambda lab: vote(
        lab, 2, low=replace(stable(lab), root=b"x" * 32)
    ),
    "checkpoint where there is none": lambda lab: vote(lab, 2, low=stable(lab, 5)),
    "checkpoint 0 that is none": lambda lab: vote(lab, 2, low=Stable(0, DIGEST, ())),
}


@pytest.mark.parametrize("name", BAD_VOTES)
def test_4_4_a_view_change_that_proves_nothing_is_refused(lab: Lab, name: str) -> None:
    assert not proofs(lab).view_change(BAD_VOTES[name](lab))


def test_4_4_a_view_change_with_all_its_proofs_is_taken(lab: Lab) -> None:
    full = vote(lab, 2, 1, (certificate(lab, 5), certificate(lab, 12)), stable(lab))
    assert proofs(lab).view_change(full)


def _votes(lab: Lab, *numbers: int) -> list[ViewChange]:
    return [vote(lab, number, prepared=(certificate(lab),)) for number in numbers]


def _ordered(lab: Lab, batch: bytes) -> NewView:
    order = lab.signed(1, PrePrepare(1, 1, batch))
    return lab.signed(1, NewView(1, tuple(_votes(lab, 0, 1, 2)), (order,)))  # type: ignore[no-any-return]


BAD_VIEWS: dict[str, Callable[[Lab], NewView]] = {
    "signature": lambda lab: replace(new_view(lab, _votes(lab, 0, 1, 2)), signature=b"x"),
    "of a backup": lambda lab: lab.signed(2, new_view(lab, _votes(lab, 0, 1, 2))),
    "too few votes": lambda lab: new_view(lab, _votes(lab, 0, 1)),
    "one vote three times": lambda lab: new_view(lab, _votes(lab, 0) * 3),
    "votes for another view": lambda lab: new_view(lab, [vote(lab, n, 5) for n in range(3)]),
    "a vote without proof": lambda lab: new_view(
        lab, [*_votes(lab, 0, 1), BAD_VOTES["too few prepares"](lab)]
    ),
    "another batch": lambda lab: _ordered(lab, NULL_BATCH.digest),
    "no batch": lambda lab: lab.signed(1, NewView(1, tuple(_votes(lab, 0, 1, 2)), ())),
    "unsigned order": lambda lab: lab.signed(
        1, NewView(1, tuple(_votes(lab, 0, 1, 2)), (PrePrepare(1, 1, DIGEST),))
    ),
    "order of another view": lambda lab: lab.signed(
        1, NewView(1, tuple(_votes(lab, 0, 1, 2)), (lab.signed(1, PrePrepare(5, 1, DIGEST)),))
    ),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_4_4_a_backup_does_the_computation_again(lab: Lab, name: str) -> None:
    lab.tell(3, 1, BAD_VIEWS[name](lab))
    assert lab.views()[3] == 0


def test_4_4_a_backup_enters_a_new_view_that_is_right(lab: Lab) -> None:
    lab.tell(3, 1, _ordered(lab, DIGEST))
    assert lab.views()[3] == 1 and lab.replicas[3].views.active


def test_4_4_a_new_view_may_come_from_anybody(lab: Lab) -> None:
    lab.tell(3, 2, _ordered(lab, DIGEST))
    assert lab.views()[3] == 1


def test_4_4_the_new_primary_has_its_message_on_disk_before_it_leaves(lab: Lab) -> None:
    for number in (2, 3):
        effects = lab.tell(1, number, vote(lab, number))
    written = [
        place
        for place, one in enumerate(effects)
        if isinstance(one, Append) and unpack(one.record)[0] == "new-view"
    ]
    told = [place for place, one in enumerate(effects) if sent([one], NewView)]
    assert written and told and written[0] < told[0]


def test_4_4_what_was_decided_is_decided_again_in_the_new_view(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    decided = lab.replicas[1].log.get(1)
    assert decided is not None
    for number in (2, 3):
        lab.handle(1, Received(number, vote(lab, number)))
    lab.run()
    again = lab.replicas[2].log.get(1)
    assert lab.views() == [1, 1, 1, 1]
    assert again is not None and again.pre_prepare is not None
    assert again.pre_prepare.batch == decided.decided


def test_4_4_the_new_primary_fetches_a_batch_it_lacks(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: to == 1 and isinstance(message, Proposal | Batch)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 0, 1, 1]
    lab.drops = lambda sender, to, message: to == 1 and isinstance(message, Proposal)
    for number in (2, 3):
        lab.handle(1, Received(number, vote(lab, number)))
    lab.run()
    lab.pass_time(2.0)
    assert lab.executed() == [1, 1, 1, 1]


def test_4_4_the_timer_is_started_anew_for_another_request(lab: Lab) -> None:
    lab.tell(1, "ann", lab.request("ann"))
    first = lab.replicas[1].views.deadline
    lab.now += 0.5
    lab.tell(1, "bob", lab.request("bob"))
    assert lab.replicas[1].views.deadline == first
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    for number in (0, 2, 3):
        lab.tell(1, number, Commit(0, 1, proposal.batch.digest))
    assert lab.replicas[1].state.executed == 1
    views = lab.replicas[1].views
    assert views.deadline == lab.now + views.patience > first


def test_4_4_the_timer_stops_when_nothing_is_waited_for(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert all(replica.views._late == math.inf for replica in lab.replicas.values())


def test_4_4_checkpoints_are_taken_while_a_view_is_left(lab: Lab) -> None:
    for number in (2, 3):
        lab.tell(1, number, vote(lab, number, 2))
    assert not lab.replicas[1].views.active
    for number in (0, 2, 3):
        lab.tell(1, number, lab.signed(number, Checkpoint(4, DIGEST, number)))
    assert lab.replicas[1].checkpoints.proven.sequence == 4


def test_4_4_what_was_executed_is_not_executed_again_in_the_new_view(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: sender == 0
    lab.ask("bob", "put", "a", b"2")
    lab.pass_time(6.0)
    started = lab.replicas[1].views.new_view
    assert started is not None and [one.sequence for one in started.pre_prepares] == [1]
    assert lab.batches(1) == [1, 2]
    assert unpack(lab.answers["bob"][0]) == ["ok", b"1"]


def test_4_4_a_replica_without_the_checkpoint_that_a_view_starts_from_fetches_it(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    for number in range(6):
        lab.ask("ann", "put", "a", b"%d" % number)
    assert lab.executed() == [6, 6, 6, 0]
    lab.drops = lambda sender, to, message: isinstance(message, Stable | Decided) or sender == 0
    lab.ask("ann", "put", "a", b"last")
    lab.pass_time(8.0)
    assert lab.replicas[3].log.low == 4
    assert "transfer" in lab.reports(3) and lab.executed()[1:] == [7, 7, 7]


def test_4_5_2_a_new_primary_has_its_time_when_2f_plus_1_want_the_view(lab: Lab) -> None:
    views = lab.replicas[1].views
    lab.tell(1, 2, vote(lab, 2, 2))
    lab.replicas[1].views.accuse("a test")
    lab.handle(1, Tick())
    assert views.view == 1 and views._late == math.inf
    lab.tell(1, 3, vote(lab, 3, 2))
    assert views.view == 2 and views._late == lab.now + views.patience


def test_4_5_2_a_new_primary_that_starts_no_view_is_left_for_the_next_one(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: (
        sender == 0 or (isinstance(message, NewView) and message.view == 1)
    )
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(12.0)
    assert lab.views()[2:] == [2, 2] and len(lab.answers["ann"]) == 1


def test_4_5_2_f_primaries_in_a_row_may_be_faulty() -> None:
    lab = Lab(replicas=7)
    lab.drops = lambda sender, to, message: sender in (0, 1)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(12.0)
    assert lab.views()[2:] == [2] * 5 and len(lab.answers["ann"]) == 1


def test_4_5_2_one_replica_alone_moves_nobody(lab: Lab) -> None:
    for view in range(1, 50):
        lab.tell(1, 3, vote(lab, 3, view))
    assert lab.views() == [0, 0, 0, 0]
    assert len(lab.replicas[1].views.votes) == 1


def test_4_5_2_f_plus_1_higher_views_are_joined_at_the_least_of_them(lab: Lab) -> None:
    lab.tell(1, 2, vote(lab, 2, 7))
    lab.tell(1, 3, vote(lab, 3, 4))
    assert lab.views()[1] == 4


def test_4_5_2_patience_doubles_with_each_view_that_fails(lab: Lab) -> None:
    views = lab.replicas[1].views
    patience = [views.patience]
    for view in (1, 2, 3):
        for number in (2, 3):
            lab.tell(1, number, vote(lab, number, view))
        patience.append(views.patience)
    assert patience == [1.0, 2.0, 4.0, 8.0]


def test_patience_comes_back_when_requests_are_executed_in_time(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: sender == 0
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(6.0)
    assert lab.replicas[1].views._doublings == 0


def test_patience_has_an_end(lab: Lab) -> None:
    lab.replicas[1].pace._latencies = dict.fromkeys((1, 2, 3), 1000.0)
    assert lab.replicas[1].views.patience == lab.config.view_seconds_max


def test_a_replica_that_did_not_run_accuses_nobody(lab: Lab) -> None:
    lab.tell(1, "ann", lab.request())
    lab.now += 100.0
    lab.handle(1, Tick())
    assert lab.reports(1) == []
    assert lab.replicas[1].next_deadline() > lab.now


def test_two_replicas_do_not_wait_for_a_third_that_is_a_view_ahead(lab: Lab) -> None:
    lab.tell(1, 3, vote(lab, 3, 1))
    lab.tell(1, 0, vote(lab, 0, 2))  # replica 1 joins view 1; replica 0 has left it again
    assert lab.views()[1] == 1
    assert lab.replicas[1].views.deadline < lab.now + 5.0


def test_a_primary_that_had_its_turn_is_followed_by_the_next_one() -> None:
    lab = Lab(view_turn_seconds=2.0)
    for number in range(12):
        lab.ask("ann", "put", "a", b"%d" % number)
        lab.pass_time(0.5)
    assert len(lab.answers["ann"]) == 12
    assert lab.views()[0] >= 2
    kinds = {kind for number in range(4) for kind in lab.reports(number)}
    assert "turn" in kinds and "suspect" not in kinds


def test_without_requests_nobody_has_a_turn() -> None:
    lab = Lab(view_turn_seconds=2.0)
    lab.pass_time(10.0)
    assert lab.views() == [0, 0, 0, 0]


def test_a_turn_costs_the_next_primary_no_patience() -> None:
    lab = Lab(view_turn_seconds=2.0)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(2.5)
    assert lab.views() == [1, 1, 1, 1]
    assert lab.replicas[1].views.patience == 1.0


def known_to_one_alone(lab: Lab) -> None:
    """Let replica 1 take a request whose client then stops; what it tells the primary is lost."""
    lab.tell(1, "ann", lab.request())


def test_what_one_replica_alone_knows_of_is_ordered_and_it_does_not_leave_the_view_alone(
    lab: Lab,
) -> None:
    known_to_one_alone(lab)
    lab.pass_time(0.4)
    assert lab.executed() == [0] * 4
    lab.pass_time(0.4)
    assert lab.executed() == [1] * 4
    lab.pass_time(3.0)
    assert lab.views() == [0] * 4


def test_what_one_replica_alone_knows_of_is_watched_by_all(lab: Lab) -> None:
    known_to_one_alone(lab)
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.pass_time(4.0)
    assert lab.views()[1:] == [1] * 3 and lab.executed()[1:] == [1] * 3


def test_what_is_executed_in_time_is_told_to_nobody_again(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    for effects in lab.effects.values():
        effects.clear()
    lab.pass_time(3.0)
    assert [sent(lab.effects[number], Request) for number in range(4)] == [[]] * 4
