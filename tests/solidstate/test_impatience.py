"""Nobody leaves a view because it alone is out of patience (Veronese and others 2013, 4.3)."""

from __future__ import annotations

import math

import pytest

from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.messages import Prepare, Request, Status, ViewChange
from tests.solidstate.lab import Lab, sent
from tests.solidstate.test_view_changes import vote


@pytest.fixture
def lab() -> Lab:
    return Lab()


def wait_in_vain(lab: Lab, *numbers: int) -> None:
    """Have replicas wait for a request beyond their patience, while nobody hears anybody."""
    lab.drops = lambda sender, to, message: True
    for number in numbers:
        lab.tell(number, "ann", lab.request())
    lab.pass_time(1.1)


def say(lab: Lab, to: int, sender: int, view: int = 0, impatient: bool = True) -> list[ViewChange]:
    """Have a member say whether it is impatient; return what view changes that made."""
    return sent(lab.tell(to, sender, Status(view, True, 0, 0, impatient=impatient)), ViewChange)


def be_slow(lab: Lab, number: int) -> None:
    """Have a replica know that it was a second late of late, for which it allows eight."""
    views = lab.replicas[number].views
    views._slowness, views._slow_at = 1.0, lab.now


def said(lab: Lab, number: int) -> list[bool]:
    """Whether a replica said that it is impatient, status by status."""
    return [status.impatient for status in sent(lab.effects[number], Status)]


def test_who_is_out_of_patience_alone_says_so_and_goes_on_voting(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    assert said(lab, 1)[0] is False and said(lab, 1)[-1] is True
    assert lab.reports(1) == ["impatient"] and lab.views() == [0, 0, 0, 0]
    assert sent(lab.tell(1, 0, lab.proposal()), Prepare) != []


def test_it_says_so_at_once_and_again_as_long_as_it_is(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    before = said(lab, 1).count(True)
    lab.pass_time(1.0)
    assert before >= 1 and said(lab, 1).count(True) > before
    # It says so once to its operator.
    assert lab.reports(1) == ["impatient"]


def test_who_is_served_is_patient_again(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    lab.drops = lambda sender, to, message: False
    lab.pass_time(3.0)
    assert lab.executed() == [1, 1, 1, 1] and lab.views() == [0, 0, 0, 0]
    assert said(lab, 1)[-1] is False
    assert not sent(lab.effects[1], ViewChange)


def test_f_and_one_who_are_out_of_patience_leave(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    (left,) = say(lab, 1, 2)
    assert left.view == 1 and lab.reports(1) == ["impatient", "suspect"]


def test_whoever_was_impatient_before_counts(lab: Lab) -> None:
    assert say(lab, 1, 2) == []
    wait_in_vain(lab, 1)
    assert lab.views()[1] == 1 and "suspect" in lab.reports(1)


def test_who_left_the_view_was_impatient(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    (left,) = sent(lab.tell(1, 3, vote(lab, 3)), ViewChange)
    assert left.view == 1


def test_one_who_left_and_one_who_is_impatient_are_enough_for_others(lab: Lab) -> None:
    assert sent(lab.tell(1, 3, vote(lab, 3)), ViewChange) == []
    (left,) = say(lab, 1, 2)
    assert left.view == 1 and lab.reports(1) == ["joined"]


def test_one_member_counts_once(lab: Lab) -> None:
    assert sent(lab.tell(1, 3, vote(lab, 3)), ViewChange) == []
    assert say(lab, 1, 3) == [] and say(lab, 1, 3) == []
    assert lab.views()[1] == 0


def test_f_liars_have_nobody_leave(lab: Lab) -> None:
    for _ in range(3):
        lab.pass_time(0.5)
        assert say(lab, 1, 2) == []
    lab.ask("ann", "put", "a", b"1")
    assert lab.views() == [0, 0, 0, 0]


def test_who_is_impatient_no_longer_does_not_count(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    say(lab, 2, 1)
    say(lab, 2, 1, impatient=False)
    assert say(lab, 2, 3) == [] and lab.views()[2] == 0


def test_that_of_another_view_does_not_count(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    assert say(lab, 1, 2, view=1) == [] and lab.views()[1] == 0


def test_of_a_view_that_is_entered_the_last_word_counts(lab: Lab) -> None:
    say(lab, 3, 2, view=1)
    wait_in_vain(lab, 1, 2, 3)
    lab.drops = lambda sender, to, message: sender == 0 or isinstance(message, Request)
    lab.pass_time(1.0)
    assert lab.views()[1:] == [1, 1, 1] and lab.replicas[3].views.active
    assert not lab.replicas[3].views.impatient
    lab.drops = lambda sender, to, message: True
    # Replica 2 said since that it is patient in view 1.
    assert say(lab, 3, 1, view=1) == []


def test_it_is_heard_however_often_statuses_come(lab: Lab) -> None:
    # A status is answered once in a while; this word must not wait for it.
    wait_in_vain(lab, 1)
    assert say(lab, 1, 2, impatient=False) == []
    lab.now += 0.01
    assert len(say(lab, 1, 2)) == 1


def test_a_stranger_is_not_heard(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    assert say(lab, 1, 7) == [] and lab.views()[1] == 0


def test_who_left_the_group_is_not_heard(lab: Lab) -> None:
    lab.join(4)
    lab.reconfigure(add=[4], remove=[3])
    lab.pass_time(3.0)
    view = lab.replicas[1].views.view
    assert lab.replicas[1].epoch.numbers == (0, 1, 2, 4)
    wait_in_vain(lab, 1)
    assert lab.replicas[1].views.impatient
    assert say(lab, 1, 3, view) == [] and len(say(lab, 1, 4, view)) == 1


def test_patience_is_longer_in_the_next_view_only_when_it_was_left(lab: Lab) -> None:
    patience = lab.replicas[1].views.patience
    wait_in_vain(lab, 1)
    assert lab.replicas[1].views.patience == patience
    say(lab, 1, 2)
    assert lab.replicas[1].views.patience == 2 * patience


def test_a_turn_that_is_over_here_alone_is_not_left() -> None:
    lab = Lab(view_turn_seconds=2.0)
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: True
    for replica in lab.replicas.values():
        if replica.me != 1:
            replica.views._turn_ends = math.inf
    lab.pass_time(2.1)
    assert lab.views() == [0, 0, 0, 0] and said(lab, 1)[-1] is True
    assert "impatient" not in lab.reports(1)
    # It begins no other turn of the same primary, and what is executed does not appease it.
    lab.drops = lambda sender, to, message: False
    lab.ask("ann", "put", "a", b"2")
    assert lab.executed() == [2, 2, 2, 2] and lab.replicas[1].views.impatient
    assert math.isinf(lab.replicas[1].views.deadline)
    patience = lab.replicas[1].views.patience
    lab.drops = lambda sender, to, message: True
    assert len(say(lab, 1, 2)) == 1
    assert lab.reports(1) == ["turn"] and lab.replicas[1].views.patience == patience


def test_who_may_not_vote_says_nothing(lab: Lab) -> None:
    lab.restart(1, damaged=True)
    wait_in_vain(lab, 1)
    assert True not in said(lab, 1) and "impatient" not in lab.reports(1)
    assert say(lab, 1, 2) == [] and lab.views()[1] == 0


def test_who_starts_again_waits_anew(lab: Lab) -> None:
    wait_in_vain(lab, 1)
    lab.restart(1)
    assert not lab.replicas[1].views.impatient
    wait_in_vain(lab, 1)
    assert lab.replicas[1].views.impatient


def test_where_replicas_only_crash_one_is_enough() -> None:
    lab = Lab(replicas=3, crash_only=True)
    lab.drops = lambda sender, to, message: True
    lab.tell(1, "ann", Request("ann", 5, pack(["put", "a", b"1"]), False, 0))
    lab.pass_time(1.1)
    assert lab.views() == [0, 1, 0]
    assert len(say(lab, 2, 1)) == 1 and lab.reports(2) == ["joined"]


def test_with_trusted_counters_f_and_one_leave_a_view_whose_start_is_not_proven() -> None:
    lab = Lab(replicas=3, minbft=True)
    wait_in_vain(lab, 1, 2)
    assert lab.views() == [0, 0, 0]
    lab.drops = lambda sender, to, message: sender == 0
    lab.pass_time(0.5)
    assert lab.views()[1:] == [1, 1]


def test_of_two_who_are_left_nobody_leaves_the_other_behind() -> None:
    """One that gave up alone would leave nobody to vote with."""
    lab = Lab(replicas=3, minbft=True)
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: True
    lab.tell(0, "ann", lab.request(timestamp=2**40))
    lab.tell(1, "ann", lab.request(timestamp=2**40))
    be_slow(lab, 0)
    lab.pass_time(2.5)
    impatient = [lab.replicas[number].views.impatient for number in (0, 1)]
    assert impatient == [False, True] and lab.views()[:2] == [0, 0]
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.pass_time(1.0)
    # The slow primary heard that the other one waits, and went along.
    assert lab.executed()[:2] == [2, 2] and lab.views()[:2] == [1, 1]


def test_what_it_allows_for_its_own_slowness_falls_when_another_waits_in_vain(lab: Lab) -> None:
    be_slow(lab, 1)
    wait_in_vain(lab, 1)
    lab.pass_time(1.0)
    assert not lab.replicas[1].views.impatient
    (left,) = say(lab, 1, 2)
    assert left.view == 1 and "suspect" in lab.reports(1)


def test_twice_as_long_as_it_takes_itself_it_waits_whoever_is_impatient(lab: Lab) -> None:
    be_slow(lab, 1)
    say(lab, 1, 2)
    wait_in_vain(lab, 1)
    lab.pass_time(0.7)
    assert not lab.replicas[1].views.impatient and lab.views()[1] == 0
    lab.pass_time(0.3)
    assert lab.views()[1] == 1


def test_one_that_is_patient_again_gives_it_its_time_back(lab: Lab) -> None:
    be_slow(lab, 1)
    say(lab, 1, 2)
    hurried = lab.replicas[1].views.patience
    say(lab, 1, 2, impatient=False)
    assert (hurried, lab.replicas[1].views.patience) == (2.0, 8.0)


def test_how_long_requests_took_under_others_counts_whoever_is_impatient(lab: Lab) -> None:
    # Else one liar could have the primaries of a starved system changed again and again.
    lab.replicas[1].pace._latencies = dict.fromkeys((1, 2, 3), 0.5)
    say(lab, 1, 2)
    assert lab.replicas[1].views.patience == 0.5 * lab.config.view_latency_factor


def test_one_that_left_ends_what_is_allowed_for_own_slowness_as_well(lab: Lab) -> None:
    be_slow(lab, 1)
    wait_in_vain(lab, 1)
    lab.pass_time(1.0)
    assert not lab.replicas[1].views.impatient
    (left,) = sent(lab.tell(1, 3, vote(lab, 3)), ViewChange)
    assert left.view == 1
