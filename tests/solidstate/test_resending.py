"""Status messages, which make up for what the network lost (TOCS 2002, section 5.2)."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.events import Tick
from apps.solidstate.pbft.messages import (
    Commit,
    Decided,
    Message,
    NewView,
    Prepare,
    Proposal,
    Stable,
    Status,
    ViewChange,
)
from tests.solidstate.lab import Lab, sent


@pytest.fixture
def lab() -> Lab:
    return Lab()


def answered(lab: Lab, replica: int, sender: int, status: Status) -> list[type[Message]]:
    """Return the kinds of what a replica sends in answer to a status, an interval later."""
    lab.now += lab.config.status_seconds
    effects = lab.tell(replica, sender, status)
    return [type(one) for one in sent(effects, Message) if not isinstance(one, Status)]


def prepared(lab: Lab) -> None:
    """Let replica 1 prepare a batch; replica 3 heard nothing of it."""
    proposal = lab.proposal()
    lab.tell(1, 0, proposal)
    lab.tell(1, 2, lab.signed(2, Prepare(0, 1, proposal.batch.digest, 2)))


def test_5_2_a_replica_says_how_far_it_is(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(2.0)
    (status, *_) = sent(lab.effects[1], Status)[::-1]
    assert (status.view, status.active, status.stable, status.executed) == (0, True, 0, 1)


def test_5_2_it_says_so_more_often_while_something_is_under_way(lab: Lab) -> None:
    lab.drops = lambda *_: True
    lab.pass_time(10.0)
    idle = len(sent(lab.effects[1], Status))
    lab.handle(1, Tick())
    lab.tell(1, 0, lab.proposal())
    lab.effects[1] = []
    lab.pass_time(10.0)
    assert len(sent(lab.effects[1], Status)) > 4 * idle


def test_5_2_it_says_so_in_time_however_much_goes_on(lab: Lab) -> None:
    lab.drops = lambda *_: True
    lab.tell(1, 0, lab.proposal())
    lab.effects[1] = []
    for _ in range(20):
        lab.now += lab.config.status_seconds / 4
        lab.handle(1, Tick())
    assert len(sent(lab.effects[1], Status)) >= 3


def test_5_2_who_lacks_votes_is_sent_those_of_the_one_it_asks(lab: Lab) -> None:
    prepared(lab)
    kinds = answered(lab, 1, 3, Status(0, True, 0, 0))
    assert kinds == [Proposal, Prepare, Commit]
    votes = sent(lab.effects[1], Prepare)
    assert {vote.replica for vote in votes} == {1}


def test_5_2_the_primary_is_not_sent_its_own_pre_prepare(lab: Lab) -> None:
    prepared(lab)
    assert answered(lab, 1, 0, Status(0, True, 0, 0)) == [Prepare, Commit]


def test_5_2_who_lacks_nothing_is_sent_nothing(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert answered(lab, 1, 3, Status(0, True, 0, 1)) == []


def test_5_2_who_has_not_executed_is_told_what_was_decided(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert answered(lab, 1, 3, Status(0, True, 0, 0))[0] is Decided


def test_5_2_who_has_not_executed_is_sent_the_votes_for_it_as_well(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    assert answered(lab, 1, 3, Status(0, True, 0, 0)) == [Decided, Prepare, Commit]
    assert answered(lab, 1, 3, Status(0, False, 0, 0)) == [Decided]


def test_what_one_alone_executed_is_decided_by_the_others_when_its_commits_were_lost(
    lab: Lab,
) -> None:
    # 3 is silent, so each of the others needs the commits of all three.
    lab.drops = lambda sender, to, message: (
        3 in (sender, to) or (sender == 0 and isinstance(message, Commit))
    )
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [1, 0, 0, 0]
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    lab.pass_time(0.9)
    assert lab.executed() == [1, 1, 1, 0] and lab.views() == [0] * 4


def test_what_one_alone_executed_is_decided_by_the_others_when_its_prepares_were_lost(
    lab: Lab,
) -> None:
    def drops(sender: Principal, to: Principal, message: Message) -> bool:
        # 3 lets nobody but 1 know that it agrees.
        late = isinstance(message, Commit) or (to == 2 and isinstance(message, Prepare))
        return (sender == 3 and to != 1) or (sender == 1 and late)

    lab.drops = drops
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed()[:3] == [0, 1, 0]
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    lab.pass_time(0.9)
    assert lab.executed()[:3] == [1, 1, 1] and lab.views() == [0] * 4


def test_5_2_who_is_below_a_stable_checkpoint_is_sent_its_proof(lab: Lab) -> None:
    for number in range(5):
        lab.ask("ann", "put", "a", b"%d" % number)
    kinds = answered(lab, 1, 3, Status(0, True, 0, 0))
    assert kinds[0] is Stable
    assert Decided in kinds


def test_5_2_who_is_in_an_older_view_is_sent_what_began_the_new_one(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    lab.pass_time(6.0)
    assert lab.views()[1:] == [1, 1, 1]
    assert NewView in answered(lab, 2, 0, Status(0, True, 0, 0))


def test_5_2_who_is_in_a_view_that_is_left_is_sent_the_view_change_message(lab: Lab) -> None:
    lab.drops = lambda *_: True
    lab.tell(1, "ann", lab.request())
    lab.pass_time(1.5)
    lab.tell(1, 2, Status(0, True, 0, 0, impatient=True))
    assert lab.views()[1] == 1
    assert ViewChange in answered(lab, 1, 3, Status(0, True, 0, 0))


def test_5_2_nobody_is_answered_more_often_than_twice_an_interval(lab: Lab) -> None:
    prepared(lab)
    assert answered(lab, 1, 3, Status(0, True, 0, 0)) != []
    for _ in range(5):
        assert sent(lab.tell(1, 3, Status(0, True, 0, 0)), Message) == []


def test_5_2_one_answer_is_about_so_many_batches_at_most() -> None:
    lab = Lab(resend_batches_max=2)
    for number in range(3):
        lab.ask("ann", "put", "a", b"%d" % number)
    assert answered(lab, 1, 3, Status(0, True, 0, 0)).count(Decided) == 2
