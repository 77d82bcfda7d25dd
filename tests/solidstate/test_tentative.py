"""Batches that are executed when they are prepared (OSDI 1999, section 5.1), and rolled back."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.canonical import digest_of, pack, unpack
from apps.solidstate.pbft.events import Ask, Received
from apps.solidstate.pbft.messages import Commit, Prepare, Reply, Request
from tests.solidstate.lab import ROOT, Lab, sent


@pytest.fixture
def lab() -> Lab:
    lab = Lab(tentative=True)
    lab.drops = lambda sender, to, message: isinstance(message, Commit)
    return lab


def value(lab: Lab, number: int) -> bytes | None:
    result = lab.stores[number].execute_read_only(pack(["get", "a"]))
    assert result is not None
    found: bytes | None = unpack(result)[1]
    return found


def test_5_1_a_client_has_its_answer_when_2f_plus_1_prepared(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [0, 0, 0, 0]
    assert [unpack(answer) for answer in lab.answers["ann"]] == [["ok", None]]


def test_5_1_fewer_tentative_replies_than_2f_plus_1_are_not_believed(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: (
        isinstance(message, Commit) or (isinstance(message, Reply) and sender in (0, 1))
    )
    lab.ask("ann", "put", "a", b"1")
    assert lab.answers["ann"] == []


def test_f_plus_1_replies_are_enough_once_the_batch_is_decided(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Reply) and sender in (0, 1)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(2.0)
    assert len(lab.answers["ann"]) == 1


def test_a_reply_for_good_takes_the_place_of_a_tentative_one_and_keeps_its_result() -> None:
    lab = Lab(tentative=True)
    lab.handle("ann", Ask(pack(["get", "a"])))
    request = next(message for _, _, message in lab.queue if isinstance(message, Request))
    result = pack(["ok", None])

    def reply(sender: int, content: bytes | None, tentative: bool) -> None:
        digest = digest_of(result)
        answer = Reply(0, "ann", request.timestamp, True, digest, content, tentative)
        lab.handle("ann", Received(sender, answer))

    reply(0, result, True)
    reply(0, None, False)
    reply(0, None, True)
    assert lab.answers["ann"] == []
    reply(1, None, False)
    assert lab.answers["ann"] == [result]


def test_one_batch_is_ahead_of_those_that_are_decided(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.ask("bob", "put", "a", b"2")
    assert [value(lab, number) for number in range(4)] == [b"1"] * 4
    assert lab.answers["bob"] == []


def test_a_batch_is_executed_ahead_once(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    state = lab.replicas[1].state
    before = state.snapshot()
    state.execute_ready()
    assert state.snapshot() == before


def test_what_was_executed_ahead_is_not_executed_again_when_it_is_decided() -> None:
    lab = Lab(tentative=True)
    lab.ask("ann", "put", "a", b"1")
    lab.ask("ann", "put", "a", b"2")
    assert lab.executed() == [2, 2, 2, 2]
    assert unpack(lab.answers["ann"][1]) == ["ok", b"1"]
    assert "rolled-back" not in lab.reports(1)


def test_5_1_a_replica_rolls_back_when_the_view_changes(lab: Lab) -> None:
    lab.ask("bob", "put", "a", b"0")
    lab.drops = lambda *_: False
    lab.pass_time(1.0)
    # Replica 1 alone prepares the next batch, and nobody hears of it before the view is left.
    lab.drops = lambda sender, to, message: (
        isinstance(message, Commit) or (isinstance(message, Prepare) and to != 1)
    )
    lab.ask("ann", "put", "a", b"1")
    assert [value(lab, number) for number in range(4)] == [b"0", b"1", b"0", b"0"]
    lab.drops = lambda sender, to, message: (
        sender in (0, 1) or to == 0 or isinstance(message, Prepare)
    )
    lab.pass_time(3.0)
    assert "rolled-back" in lab.reports(1)
    assert value(lab, 1) == b"0"
    lab.drops = lambda *_: False
    lab.pass_time(5.0)
    assert [value(lab, number) for number in range(4)] == [b"1"] * 4
    assert len(lab.answers["ann"]) == 1


def test_a_roll_back_starts_from_the_last_checkpoint_and_ends_at_what_is_decided(lab: Lab) -> None:
    lab.drops = lambda *_: False
    for number in range(6):
        lab.ask("ann", "put", "a", b"%d" % number)
    assert sorted(lab.replicas[1].checkpoints.trees) == [4]
    lab.drops = lambda sender, to, message: isinstance(message, Commit)
    lab.ask("ann", "put", "a", b"new")
    assert value(lab, 1) == b"new"
    lab.replicas[1].views.accuse("for a test")
    assert lab.executed()[1] == 6 and value(lab, 1) == b"5"


def test_another_batch_that_is_decided_takes_the_place_of_the_one_ahead(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    replica = lab.replicas[1]
    entry = replica.log.get(1)
    assert entry is not None
    proposal = lab.proposal(1)
    replica.log.keep_batch(1, proposal.batch)
    entry.decided = proposal.batch.digest
    replica.state.execute_ready()
    assert lab.executed()[1] == 1
    assert replica.state.sessions.last("ann").timestamp == 5


def test_a_request_that_is_executed_ahead_is_still_watched(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Commit | Reply)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(0.6)
    assert "ann" in lab.replicas[1].requests.pending
    lab.pass_time(3.0)
    assert lab.views()[1] > 0


def test_a_reconfiguration_is_not_executed_before_it_is_decided(lab: Lab) -> None:
    lab.reconfigure()
    assert lab.answers[ROOT] == []
    assert not lab.replicas[1].epochs.over


def read(lab: Lab, number: int) -> list[Reply]:
    """Ask a replica for a read; return what it reads: nothing if it says that it does not."""
    request = Request("bob", 2**60, pack(["get", "a"]), True, 0)
    (reply,) = sent(lab.tell(number, "bob", lab.signed("bob", request)), Reply)
    return [reply] if reply.result_digest else []


def test_no_read_is_answered_from_what_is_not_decided() -> None:
    lab = Lab(tentative=True, fast_reads=True)
    assert len(read(lab, 1)) == 1
    lab.drops = lambda sender, to, message: isinstance(message, Commit)
    lab.ask("ann", "put", "a", b"1")
    assert read(lab, 1) == []


def test_reads_wait_after_a_roll_back_for_what_a_client_may_have_believed() -> None:
    lab = Lab(tentative=True, fast_reads=True)
    lab.drops = lambda sender, to, message: isinstance(message, Commit)
    lab.ask("ann", "put", "a", b"1")
    assert len(lab.answers["ann"]) == 1
    lab.replicas[1].views.accuse("for a test")
    assert value(lab, 1) is None
    assert read(lab, 1) == []
