"""A server of a game: snapshots, work, commits, and what it does when it cannot go on."""

from __future__ import annotations

import itertools

import pytest

from apps.starship.game.following import Follower, units_at_once
from apps.starship.game.messages import (
    Ready,
    Refresh,
    Snapshot,
    StepBegin,
    StepCommit,
    StepDone,
    StepUpdate,
)
from apps.starship.rules.encoding import Encoder, digest
from apps.starship.rules.state import State
from apps.starship.rules.step import NO_STRUCTURE, Delta, Worker, advance, commit, units_of
from tests.starship.rules.galaxy import galaxy, thing

START: State = galaxy(
    thing("Lexington", captain=None, speed=30, want_speed=30),
    thing("Merlin", captain=None, at=(2_000_000, 2_000_000)),
)
AFTER = advance(START)
UNITS = tuple(units_of(START.view()))
EPOCH = 4


def deltas(*units: tuple[str, str]) -> tuple[Delta, ...]:
    worker = Worker(START.view(), {})
    return tuple(worker.compute(*unit) for unit in units)


def begin(*units: tuple[str, str], t: int = 1, hash: str = "") -> StepBegin:
    return StepBegin(EPOCH, t, {}, units, hash or digest(START))


COMMIT = StepCommit(EPOCH, 1, (), NO_STRUCTURE, digest(AFTER))


def follower() -> Follower:
    made = Follower(itertools.count().__next__)
    assert made.handle(Snapshot(EPOCH, START, digest(START))) == [Ready(EPOCH, 0, digest(START))]
    return made


def test_without_a_snapshot_a_server_does_nothing() -> None:
    made = Follower(itertools.count().__next__)
    for message in (begin(*UNITS), StepUpdate(EPOCH, 1, deltas(*UNITS)), COMMIT):
        assert made.handle(message) == []
    assert not made.has_work


def test_work_is_sent_in_batches_and_its_end_is_told() -> None:
    made = follower()
    assert made.handle(begin(*UNITS)) == []
    assert made.work(4) == [StepUpdate(EPOCH, 1, deltas(*UNITS[:4]))]
    assert made.has_work
    last = made.work(4)
    assert last == [StepUpdate(EPOCH, 1, deltas(*UNITS[4:])), StepDone(EPOCH, 1, 2)]
    assert not made.has_work
    assert made.work(4) == []


@pytest.mark.parametrize(
    ("waiting", "work_factor", "units"),
    [(3_000, 1, 256), (1_000, 1, 250), (400, 1, 100), (200, 1, 64), (3_000, 8, 32), (9, 500, 1)],
)
def test_goes_are_small_at_the_end_and_where_units_are_dear(
    waiting: int, work_factor: int, units: int
) -> None:
    assert units_at_once(waiting, work_factor) == units


def test_own_and_relayed_results_make_the_next_state() -> None:
    made = follower()
    made.handle(begin(*UNITS[:3]))
    made.work()
    assert made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS[3:]))) == []
    assert made.handle(COMMIT) == [Ready(EPOCH, 1, digest(AFTER))]
    assert made.state == AFTER


def test_relayed_results_may_come_before_the_step_begins() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    assert made.handle(COMMIT) == [Ready(EPOCH, 1, digest(AFTER))]


def test_a_unit_that_is_given_twice_is_computed_once() -> None:
    made = follower()
    made.handle(begin(*UNITS[:2]))
    made.handle(begin(*UNITS[1:3]))
    assert made.work()[0] == StepUpdate(EPOCH, 1, deltas(*UNITS[:3]))


def test_the_correction_of_the_primary_counts() -> None:
    made = follower()
    wrong = tuple(delta._replace(changes={**delta.changes, "x": 5}) for delta in deltas(UNITS[0]))
    made.handle(StepUpdate(EPOCH, 1, (*wrong, *deltas(*UNITS[1:]))))
    made.handle(StepUpdate(EPOCH, 1, deltas(UNITS[0])))
    assert made.handle(COMMIT) == [Ready(EPOCH, 1, digest(AFTER))]


def test_deferred_units_keep_their_values() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    answers = made.handle(COMMIT._replace(deferred=(("Lexington", "nav"),)))
    assert isinstance(answers[0], Refresh), "that is another state than the one of the hash"
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    rest = [d for d in deltas(*UNITS) if (d.name, d.group) != ("Lexington", "nav")]
    later = commit(START, rest)
    done = StepCommit(EPOCH, 1, (("Lexington", "nav"),), NO_STRUCTURE, digest(later))
    assert made.handle(done) == [Ready(EPOCH, 1, digest(later))]


def test_missing_results_make_a_server_ask_for_a_snapshot() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS[1:])))
    answer = made.handle(COMMIT)
    assert answer == [Refresh(EPOCH, "results of step 1 are missing")]
    assert made.handle(begin(*UNITS)) == [], "it has no state any longer"


def test_another_hash_makes_a_server_ask_for_a_snapshot() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    assert isinstance(made.handle(COMMIT._replace(hash="0"))[0], Refresh)
    assert made.state is None
    again = made.handle(Snapshot(EPOCH, START, digest(START)))
    assert again == [Ready(EPOCH, 0, digest(START))]


def test_a_step_that_begins_elsewhere_makes_a_server_ask_for_a_snapshot() -> None:
    assert isinstance(follower().handle(begin(*UNITS, hash="0"))[0], Refresh)


def test_a_commit_that_was_missed_makes_a_server_ask_for_a_snapshot() -> None:
    answer = follower().handle(COMMIT._replace(t=2))
    assert answer == [Refresh(EPOCH, "step 2 was committed, step 1 not")]


def test_messages_of_another_epoch_are_not_heard() -> None:
    made = follower()
    for message in (begin(*UNITS), StepUpdate(EPOCH, 1, deltas(*UNITS)), COMMIT):
        assert made.handle(message._replace(epoch=EPOCH + 1)) == []
    assert not made.has_work
    assert isinstance(made.handle(COMMIT)[0], Refresh), "nothing of them was staged"


def test_results_of_another_step_are_not_staged() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 2, deltas(*UNITS)))
    made.handle(StepUpdate(EPOCH, 0, deltas(*UNITS)))
    assert isinstance(made.handle(COMMIT)[0], Refresh)


def test_a_step_of_another_time_is_not_begun() -> None:
    made = follower()
    assert made.handle(begin(*UNITS, t=2)) == []
    assert not made.has_work


def test_unfinished_work_is_dropped_with_the_commit() -> None:
    made = follower()
    made.handle(begin(*UNITS))
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    made.handle(COMMIT)
    assert not made.has_work


def test_work_may_be_multiplied_without_another_result() -> None:
    made = Follower(itertools.count().__next__, work_factor=3)
    made.handle(Snapshot(EPOCH, START, digest(START)))
    made.handle(begin(*UNITS))
    assert made.work()[0] == StepUpdate(EPOCH, 1, deltas(*UNITS))


def test_a_result_of_no_unit_makes_a_server_ask_for_a_snapshot() -> None:
    made = follower()
    answer = made.handle(StepUpdate(EPOCH, 1, (Delta("Nobody", "nav", {"x": 5}),)))
    assert answer == [Refresh(EPOCH, "step 1 has no unit Nobody nav")]
    assert made.state is None


def test_own_results_are_merged_when_nobody_waits_for_others() -> None:
    made = follower()
    made.handle(begin(*UNITS))
    made.work()
    assert made.is_behind
    while made.is_behind:
        made.catch_up(2)
    assert made.handle(COMMIT) == [Ready(EPOCH, 1, digest(AFTER))]


def test_a_correction_of_an_own_result_that_is_not_merged_yet_counts() -> None:
    made = follower()
    made.handle(begin(*UNITS))
    made.work()
    right = deltas(UNITS[0])[0]
    other = right._replace(changes={**right.changes, "x": 5})
    made.handle(StepUpdate(EPOCH, 1, (other,)))
    later = commit(START, [other, *deltas(*UNITS[1:])])
    assert made.handle(COMMIT._replace(hash=digest(later))) == [Ready(EPOCH, 1, digest(later))]


def test_a_snapshot_in_the_middle_of_merging_begins_the_step_anew() -> None:
    made = follower()
    made.handle(begin(*UNITS[:3]))
    made.work()
    made.catch_up(1)
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS[3:5])))
    assert made.handle(Snapshot(EPOCH, START, digest(START))) == [Ready(EPOCH, 0, digest(START))]
    assert made.text_of(START.objects[UNITS[0][0]]) == Encoder().thing(START.objects[UNITS[0][0]])
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    assert made.handle(COMMIT) == [Ready(EPOCH, 1, digest(AFTER))]


def test_what_was_merged_before_a_snapshot_does_not_count_after_it() -> None:
    made = follower()
    made.handle(StepUpdate(EPOCH, 1, deltas(*UNITS)))
    made.handle(Snapshot(EPOCH, START, digest(START)))
    [answer] = made.handle(COMMIT)
    assert isinstance(answer, Refresh)
    assert "missing" in answer.why
