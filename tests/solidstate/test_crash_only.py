"""Groups of 2f + 1 whose replicas at worst stop: two phases, majorities, no signatures."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.events import Ask
from apps.solidstate.pbft.messages import (
    UNSIGNED,
    Batch,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Proposal,
    Reply,
    Request,
    ViewChange,
)
from apps.solidstate.pbft.unsigned import Unsigned
from tests.solidstate.lab import Lab, sent


@pytest.fixture
def lab() -> Lab:
    return Lab(replicas=3, crash_only=True)


def proposal(value: bytes, view: int = 0) -> Proposal:
    request = Request("ann", 5, pack(["put", "a", value]), False, 0)
    batch = Batch(1, b"salt", (request,))
    return Proposal(PrePrepare(view, 1, batch.digest), batch)


def test_three_replicas_agree_in_two_phases(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 1]
    effects = [effect for number in range(3) for effect in lab.effects[number]]
    assert sent(effects, Prepare) == []
    assert len(sent(effects, Commit)) >= 3


def test_a_backup_commits_to_a_proposal_at_once(lab: Lab) -> None:
    effects = lab.tell(1, 0, proposal(b"1"))
    assert len(sent(effects, Commit)) == 1


def test_the_vote_is_on_disk_before_the_commit_leaves(lab: Lab) -> None:
    lab.tell(1, 0, proposal(b"1"))
    records = [unpack(record)[0] for record in lab.logs[1]]
    assert records == ["founded", "accepted", "prepared"]


def test_nothing_is_signed(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: sender == 0
    lab.ask("bob", "put", "a", b"2")
    lab.pass_time(5.0)
    effects = [effect for number in range(3) for effect in lab.effects[number]]
    messages = sent(effects, Message)
    assert {getattr(message, "signature", UNSIGNED) for message in messages} == {UNSIGNED}
    assert any(isinstance(message, NewView) for message in messages)


def test_a_signature_of_another_kind_of_group_is_refused() -> None:
    assert Unsigned().verify(0, b"body", UNSIGNED)
    assert not Unsigned().verify(0, b"body", b"x" * 64)


def test_one_reply_is_enough(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Reply) and sender != 2
    lab.ask("ann", "put", "a", b"1")
    assert len(lab.answers["ann"]) == 1


def test_a_minority_decides_nothing(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Proposal)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [0, 0, 0]


def test_a_majority_goes_on_without_the_others(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 1, 0]


def test_a_primary_that_stops_is_followed_by_the_next_one(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "a", b"2")
    lab.pass_time(5.0)
    assert [unpack(answer)[1] for answer in lab.answers["ann"]] == [None, b"1"]
    assert lab.views()[1:] == [1, 1]


def test_what_one_replica_voted_for_may_be_decided_and_is_kept_by_the_next_view(lab: Lab) -> None:
    lab.tell(1, 0, proposal(b"1"))
    lab.tell(1, 2, ViewChange(1, lab.replicas[2].checkpoints.proven, (), 2))
    orders = lab.replicas[1].views.new_view
    assert orders is not None
    assert [order.batch for order in orders.pre_prepares] == [proposal(b"1").batch.digest]


def test_the_vote_of_the_latest_view_wins(lab: Lab) -> None:
    first, second = proposal(b"1", 0), proposal(b"2", 1)
    lab.tell(0, 1, ViewChange(1, lab.replicas[1].checkpoints.proven, (), 1))
    lab.tell(2, 0, first)
    lab.tell(2, 1, NewView(1, (), ()))
    assert lab.views()[2] == 0  # a new view needs a majority here as well
    votes = tuple(ViewChange(1, lab.replicas[2].checkpoints.proven, (), n) for n in (0, 1))
    lab.tell(2, 1, NewView(1, votes, ()))
    lab.tell(2, 1, second)
    lab.tell(2, 0, ViewChange(2, lab.replicas[0].checkpoints.proven, (), 0))
    new_view = lab.replicas[2].views.new_view
    assert new_view is not None and new_view.view == 2
    assert [order.batch for order in new_view.pre_prepares] == [second.batch.digest]


def test_all_killed_at_once_lose_nothing_that_was_acknowledged(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.restart(0, 1, 2)
    lab.pass_time(1.0)
    lab.ask("ann", "get", "a")
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_fast_reads_ask_a_majority() -> None:
    lab = Lab(replicas=3, crash_only=True, fast_reads=True)
    lab.ask("ann", "put", "a", b"1")
    lab.handle("ann", Ask(pack(["get", "a"]), True))
    lab.drops = lambda sender, to, message: isinstance(message, Reply) and sender != 2
    lab.run()
    assert len(lab.answers["ann"]) == 1
    lab.drops = lambda *_: False
    lab.pass_time(2.0)
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]


def test_the_group_can_be_changed(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.join(3, 4)
    lab.reconfigure([3, 4])
    lab.pass_time(2.0)
    assert lab.replicas[0].quorums.certificate == 3
    lab.drops = lambda sender, to, message: {sender, to} & {1, 2} != set()
    lab.ask("ann", "put", "a", b"2")
    assert len(lab.answers["ann"]) == 2
