"""The normal case, sentence by sentence of OSDI 1999, sections 4.1 and 4.2."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.effects import Append, Broadcast, Send
from apps.solidstate.pbft.events import Received
from apps.solidstate.pbft.messages import (
    NULL_BATCH,
    Batch,
    Commit,
    Decided,
    Message,
    Prepare,
    PrePrepare,
    Proposal,
    Reply,
)
from tests.solidstate.lab import Lab, sent


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_4_1_a_request_is_executed_by_all_and_answered(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.ask("bob", "get", "a")
    assert [unpack(result) for result in lab.answers["ann"]] == [["ok", None]]
    assert [unpack(result) for result in lab.answers["bob"]] == [["ok", b"1"]]
    assert lab.executed() == [2, 2, 2, 2]


def test_4_1_a_request_that_was_executed_is_answered_again_and_not_executed(lab: Lab) -> None:
    request = lab.request()
    lab.tell(0, "ann", request)
    lab.replicas[0].state.sessions.note("ann", 5, b"result")
    replies = sent(lab.tell(0, "ann", request), Reply)
    assert [reply.result for reply in replies] == [b"result"]


def test_4_1_a_request_older_than_the_last_executed_is_ignored(lab: Lab) -> None:
    lab.replicas[0].state.sessions.note("ann", 6, b"result")
    assert sent(lab.tell(0, "ann", lab.request(timestamp=5)), Reply) == []
    assert lab.replicas[0].requests.pending == {}


def test_4_1_a_backup_relays_a_request_to_the_primary(lab: Lab) -> None:
    effects = lab.tell(2, "ann", lab.request())
    assert Send(0, lab.request()) in effects


def test_a_request_that_another_replica_told_all_but_the_primary_is_executed(lab: Lab) -> None:
    # 3 and its client lie in wait: whoever else were told would suspect the primary.
    for number in (1, 2):
        lab.handle(number, Received(3, lab.request()))
    lab.run()
    lab.pass_time(3.0)
    assert lab.executed() == [1] * 4 and lab.views() == [0] * 4


def test_what_another_replica_tells_is_relayed_once_and_not_to_who_told_it(lab: Lab) -> None:
    request = lab.request()
    relayed = [Send(0, request) in lab.tell(2, sender, request) for sender in (3, 3, 1)]
    assert relayed == [True, False, False]
    assert Send(0, request) not in lab.tell(1, 0, request)


def test_4_1_a_request_that_its_client_did_not_sign_is_dropped(lab: Lab) -> None:
    lab.tell(0, "ann", replace(lab.request(), timestamp=9))
    assert lab.replicas[0].requests.pending == {}


def test_4_1_a_client_cannot_ask_in_the_name_of_another(lab: Lab) -> None:
    lab.tell(0, "bob", lab.request("ann"))
    assert lab.replicas[0].requests.pending == {}


def test_4_2_a_backup_accepts_a_pre_prepare_and_multicasts_a_prepare(lab: Lab) -> None:
    proposal = lab.proposal()
    (prepare,) = sent(lab.tell(1, 0, proposal), Prepare)
    assert (prepare.view, prepare.sequence, prepare.replica) == (0, 1, 1)
    assert prepare.batch == proposal.batch.digest


def test_4_2_a_pre_prepare_is_on_disk_before_the_prepare_leaves(lab: Lab) -> None:
    effects = lab.tell(1, 0, lab.proposal())
    kinds = [type(effect) for effect in effects if isinstance(effect, Append | Broadcast)]
    assert kinds.index(Append) < kinds.index(Broadcast)
    assert any(isinstance(one, Append) and unpack(one.record)[0] == "accepted" for one in effects)


def test_4_2_a_pre_prepare_the_primary_did_not_sign_is_refused(lab: Lab) -> None:
    assert sent(lab.tell(1, 2, lab.proposal(signer=2)), Prepare) == []


def test_4_2_a_pre_prepare_of_another_view_is_refused(lab: Lab) -> None:
    assert sent(lab.tell(2, 1, lab.proposal(view=1)), Prepare) == []


def test_4_2_a_second_batch_for_a_number_is_refused_and_its_primary_left(lab: Lab) -> None:
    lab.tell(1, 0, lab.proposal())
    other = lab.proposal(batch=Batch(1, b"other", (lab.request(),)))
    assert sent(lab.tell(1, 0, other), Prepare) == []
    assert lab.reports(1) == ["faulty", "suspect"]


@pytest.mark.parametrize("sequence", [0, 9, 10**9])
def test_4_2_a_number_outside_of_the_watermarks_is_refused(lab: Lab, sequence: int) -> None:
    assert sent(lab.tell(1, 0, lab.proposal(sequence)), Prepare) == []
    assert lab.replicas[1].log.size()["entries"] == 0


def test_4_2_a_batch_with_another_digest_is_refused(lab: Lab) -> None:
    proposal = Proposal(lab.proposal().pre_prepare, Batch(2, b"x", (lab.request(),)))
    assert sent(lab.tell(1, 0, proposal), Prepare) == []
    assert lab.logs[1] == [pack(["founded"])]


@pytest.mark.parametrize("trick", ["unsigned", "empty", "future", "null", "many"])
def test_a_batch_that_is_not_valid_is_refused_and_its_primary_left(lab: Lab, trick: str) -> None:
    request = lab.request()
    batch = {
        "unsigned": Batch(1, b"", (replace(request, timestamp=6),)),
        "empty": Batch(1, b"x", ()),
        "future": Batch(int(1100e6), b"", (request,)),
        "null": NULL_BATCH,
        "many": Batch(1, b"", (request,) * 101),
    }[trick]
    assert sent(lab.tell(1, 0, lab.proposal(batch=batch)), Prepare) == []
    assert lab.reports(1) == ["faulty", "suspect"]


def _prepare(lab: Lab, to: int, replica: int, batch: bytes, view: int = 0) -> list[Commit]:
    prepare = lab.signed(replica, Prepare(view, 1, batch, replica))
    return sent(lab.tell(to, replica, prepare), Commit)


def accepted(lab: Lab) -> bytes:
    """Let replica 1 accept a proposal; return the digest of its batch."""
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    return proposal.batch.digest


def test_4_2_prepared_takes_a_pre_prepare_and_2f_prepares_of_backups(lab: Lab) -> None:
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    assert _prepare(lab, 1, 0, proposal.batch.digest) == []  # the primary's counts for nothing
    assert _prepare(lab, 1, 2, b"x" * 32) == []
    (commit,) = _prepare(lab, 1, 3, proposal.batch.digest)
    assert commit == Commit(0, 1, proposal.batch.digest)


def test_4_2_prepares_without_a_pre_prepare_prepare_nothing(lab: Lab) -> None:
    digest = lab.proposal().batch.digest
    assert [_prepare(lab, 1, number, digest) for number in (2, 3)] == [[], []]


def test_4_2_a_prepare_is_one_replicas_however_often_it_comes(lab: Lab) -> None:
    proposal = lab.proposal()
    lab.tell(0, "ann", lab.request())
    primary = lab.replicas[0].log.get(1)
    assert primary is not None and primary.pre_prepare is not None
    digest = primary.pre_prepare.batch
    assert [_prepare(lab, 0, 2, digest) for _ in range(3)] == [[], [], []]
    assert proposal.pre_prepare.view == 0


def test_4_2_the_certificate_is_on_disk_before_the_commit_leaves(lab: Lab) -> None:
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    prepare = lab.signed(2, Prepare(0, 1, proposal.batch.digest, 2))
    effects = lab.tell(1, 2, prepare)
    assert isinstance(effects[0], Append) and unpack(effects[0].record)[0] == "prepared"
    assert isinstance(effects[1], Broadcast) and isinstance(effects[1].message, Commit)


def test_4_2_a_prepare_that_its_sender_did_not_sign_is_refused(lab: Lab) -> None:
    digest = accepted(lab)
    false = lab.signed(3, Prepare(0, 1, digest, 2))
    assert sent(lab.tell(1, 2, false), Commit) == []
    assert len(_prepare(lab, 1, 2, digest)) == 1


def test_4_2_a_prepare_of_another_view_prepares_nothing(lab: Lab) -> None:
    digest = accepted(lab)
    assert sent(lab.tell(1, 2, lab.signed(2, Prepare(1, 1, digest, 2))), Commit) == []


def test_4_2_commits_of_another_view_decide_nothing(lab: Lab) -> None:
    digest = accepted(lab)
    for number in (0, 2, 3):
        lab.tell(1, number, Commit(1, 1, digest))
    assert lab.replicas[1].state.executed == 0


@pytest.mark.parametrize("sequence", [0, 9, 10**9])
def test_4_2_prepares_and_commits_outside_of_the_watermarks_take_no_memory(
    lab: Lab, sequence: int
) -> None:
    for number in (0, 2, 3):
        lab.tell(1, number, lab.signed(number, Prepare(0, sequence, b"d" * 32, number)))
        lab.tell(1, number, Commit(0, sequence, b"d" * 32))
    assert lab.replicas[1].log.size()["entries"] == 0


def test_4_2_messages_may_come_in_any_order() -> None:
    for order in permutations(range(4)):
        lab = Lab()
        proposal = lab.proposal()
        digest = proposal.batch.digest
        said: list[tuple[int, Message]] = [
            (0, proposal),
            (2, lab.signed(2, Prepare(0, 1, digest, 2))),
            (2, Commit(0, 1, digest)),
            (3, Commit(0, 1, digest)),
        ]
        for place in order:
            lab.tell(1, *said[place])
        assert lab.replicas[1].state.executed == 1, order


def test_4_2_numbers_follow_each_other_without_a_gap(lab: Lab) -> None:
    for number in range(3):
        lab.ask("ann", "put", "a", b"%d" % number)
    proposals = sent(lab.effects[0], Proposal)
    assert [*dict.fromkeys(one.pre_prepare.sequence for one in proposals)] == [1, 2, 3]


@pytest.mark.parametrize(("timestamp", "answers"), [(5, 0), (7, 1)], ids=["older", "the same"])
def test_4_2_what_was_executed_is_not_executed_again_in_a_later_batch(
    lab: Lab, timestamp: int, answers: int
) -> None:
    asked = [lab.request(timestamp=5), lab.request(timestamp=7, value=b"2")]
    again = lab.request(timestamp=timestamp, value=b"3")
    for sequence, request in enumerate((*asked, again), start=1):
        proposal = lab.proposal(sequence, batch=Batch(sequence, b"salt", (request,)))
        lab.effects[1] = []
        lab.tell(1, 0, proposal)
        for number in (0, 2, 3):
            lab.tell(1, number, Commit(0, sequence, proposal.batch.digest))
    assert lab.replicas[1].state.executed == 3
    assert unpack(lab.stores[1].execute_read_only(pack(["get", "a"])) or b"") == ["ok", b"2"]
    assert [one.timestamp for one in sent(lab.effects[1], Reply)] == [7] * answers


def test_4_2_committed_takes_2f_plus_1_commits_of_one_digest(lab: Lab) -> None:
    proposal = lab.proposal()
    digest = proposal.batch.digest
    lab.tell(1, 0, proposal)
    _prepare(lab, 1, 2, digest)
    lab.tell(1, 2, Commit(0, 1, b"x" * 32))
    lab.tell(1, 0, Commit(0, 1, digest))
    assert lab.replicas[1].state.executed == 0
    lab.tell(1, 3, Commit(0, 1, digest))
    assert lab.replicas[1].state.executed == 1


def test_4_2_batches_are_executed_in_the_order_of_their_numbers(lab: Lab) -> None:
    first = lab.proposal(1)
    second = lab.proposal(2, batch=Batch(2, b"2", (lab.request("bob"),)))
    for proposal in (second, first):
        lab.tell(1, 0, proposal)
        for number in (0, 2, 3):
            order = proposal.pre_prepare
            lab.tell(1, number, Commit(0, order.sequence, order.batch))
        if proposal is second:
            assert lab.replicas[1].state.executed == 0
    assert lab.batches(1) == [1, 2]


def test_a_batch_that_repeats_a_request_executes_it_once(lab: Lab) -> None:
    request = lab.request()
    proposal = lab.proposal(batch=Batch(1, b"", (request, request)))
    lab.tell(1, 0, proposal)
    for number in (0, 2, 3):
        lab.tell(1, number, Commit(0, 1, proposal.batch.digest))
    result = lab.replicas[1].state.sessions.last("ann").result
    assert unpack(result) == ["ok", None]  # a second time it would find the first one's value


def test_the_primary_signs_what_it_proposes_once(lab: Lab) -> None:
    lab.tell(0, "ann", lab.request())
    (proposal,) = sent(lab.effects[0], Proposal)
    assert isinstance(proposal.pre_prepare, PrePrepare)
    assert lab.replicas[1].proofs.pre_prepare(proposal.pre_prepare)


def test_requests_gather_while_batches_are_under_way() -> None:
    lab = Lab(batches_under_way_max=1)
    lab.tell(0, "ann", lab.request("ann"))
    assert sent(lab.tell(0, "bob", lab.request("bob")), Proposal) == []
    assert list(lab.replicas[0].requests.queue) == ["bob"]


def test_only_f_plus_1_words_of_a_decision_count(lab: Lab) -> None:
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    lab.tell(1, 3, Decided(1, proposal.batch.digest))
    lab.tell(1, 3, Decided(1, proposal.batch.digest))
    assert lab.replicas[1].state.executed == 0
    lab.tell(1, 2, Decided(1, proposal.batch.digest))
    assert lab.replicas[1].state.executed == 1


def test_operations_that_are_none_have_results_as_well(lab: Lab) -> None:
    lab.ask("ann", "no such thing")
    assert [unpack(result) for result in lab.answers["ann"]] == [["bad", "no such operation"]]


class CountingKeyring:
    """A keyring that counts what it verifies."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.verified = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keyring, name)

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        self.verified += 1
        return self._keyring.verify(principal, body, signature)


def test_a_prepare_that_no_certificate_lacks_is_not_verified() -> None:
    lab = Lab()
    proposal = lab.proposal()
    keyring = CountingKeyring(lab.replicas[1].keyring)
    lab.replicas[1].proofs._keyring = keyring
    lab.tell(1, 0, proposal)
    before = keyring.verified
    order = proposal.pre_prepare
    for number in (2, 2, 3):
        prepare = Prepare(order.view, order.sequence, order.batch, number)
        lab.tell(1, number, lab.signed(number, prepare))
    # Its own and the one of 2 are enough: the second of 2 and the one of 3 are not looked at.
    assert keyring.verified == before + 1
