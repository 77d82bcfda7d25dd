"""The decisions of a JobController: order, balance, bounds, and that every job ends once."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.errors import CallTimeout, Overloaded, PeerLost, ThreadKilled
from vista.standard.job_pool import (
    Answered,
    Cancelled,
    Complete,
    Effect,
    Event,
    Fail,
    Failed,
    JobPool,
    Loaded,
    Lost,
    Queued,
    ServerDown,
    ServerUp,
    Start,
    Stop,
    Tick,
    Unreachable,
)


def pool(
    *events: Event, queued_max: int = 100, attempts_max: int = 3, running_max: int | None = None
) -> JobPool:
    """A pool to which these things have happened, at the time 0."""
    made = JobPool(queued_max=queued_max, attempts_max=attempts_max, running_max=running_max)
    for event in events:
        made.handle(event, 0.0)
    return made


def starts(effects: Iterable[Effect]) -> list[tuple[int, object]]:
    """The jobs that are started, with their servers."""
    return [(effect.job, effect.server) for effect in effects if isinstance(effect, Start)]


def queue(*jobs: int) -> list[Event]:
    """Jobs of one class."""
    return [Queued(job, "Sum") for job in jobs]


# --- starting ------------------------------------------------------------------------------


def test_jobs_wait_without_a_server_and_start_in_their_order_when_one_comes() -> None:
    waiting = pool(*queue(1, 2, 3))
    assert (waiting.queued, waiting.running) == (3, 0)
    assert starts(waiting.handle(ServerUp("a", 2), 0.0)) == [(1, "a"), (2, "a")]
    assert starts(waiting.handle(Answered(1, "one"), 0.0)) == [(3, "a")]


def test_a_server_is_given_no_more_than_it_has_room_for() -> None:
    full = pool(ServerUp("a", 1), ServerUp("b", 2), *queue(1, 2, 3, 4, 5))
    assert [(row.server, row.running) for row in full.servers()] == [("a", 1), ("b", 2)]
    assert full.queued == 2


def test_a_controllers_own_bound_holds_over_all_servers() -> None:
    bounded = pool(ServerUp("a", 5), ServerUp("b", 5), *queue(1, 2, 3, 4), running_max=3)
    assert (bounded.running, bounded.queued) == (3, 1)
    assert starts(bounded.handle(Answered(2, None), 0.0)) == [(4, "b")]


def test_a_job_more_than_may_wait_is_refused_and_changes_nothing() -> None:
    full = pool(*queue(1, 2), queued_max=2)
    with pytest.raises(Overloaded, match=r"2 jobs wait already \(limit jobs_queued_max\)"):
        full.handle(Queued(3, "Sum"), 0.0)
    assert starts(full.handle(ServerUp("a", 5), 0.0)) == [(1, "a"), (2, "a")]


# --- balance -------------------------------------------------------------------------------


def test_before_anything_is_measured_servers_get_equal_shares() -> None:
    equal = pool(ServerUp("a", 3), ServerUp("b", 3), *queue(1, 2, 3, 4))
    assert [row.running for row in equal.servers()] == [2, 2]


def test_a_job_goes_where_it_is_expected_to_end_first() -> None:
    measured = pool(ServerUp("fast", 4), ServerUp("slow", 4), *queue(1, 2))
    measured.handle(Answered(1, None, 1.0), 0.0)
    measured.handle(Answered(2, None, 2.5), 0.0)
    # Two more on the fast one end after 1 and 2 s. A third would after 3; on the slow one, 2.5.
    effects = [effect for job in queue(3, 4, 5) for effect in measured.handle(job, 0.0)]
    assert starts(effects) == [(3, "fast"), (4, "fast"), (5, "slow")]


def test_what_jobs_of_another_class_took_says_nothing() -> None:
    measured = pool(ServerUp("a", 4), ServerUp("b", 4), Queued(1, "Sum"), Queued(2, "Sum"))
    measured.handle(Answered(1, None, 9.0), 0.0)
    measured.handle(Answered(2, None, 1.0), 0.0)
    assert starts(measured.handle(Queued(3, "Product"), 0.0)) == [(3, "a")]


def test_seconds_are_a_moving_average() -> None:
    measured = pool(ServerUp("a", 1), *queue(1, 2))
    measured.handle(Answered(1, None, 1.0), 0.0)
    measured.handle(Answered(2, None, 2.0), 0.0)
    assert measured.servers()[0].seconds == {"Sum": 1.25}


def test_jobs_of_other_controllers_count() -> None:
    busy = pool(ServerUp("a", 4), ServerUp("b", 4), *queue(1, 2))
    for transaction in (1, 2):
        busy.handle(Answered(transaction, None, 1.0), 0.0)
    busy.handle(Loaded("a", 2, 0.0), 0.0)
    assert starts(busy.handle(Queued(3, "Sum"), 0.0)) == [(3, "b")]


def test_a_late_loop_counts() -> None:
    late = pool(ServerUp("a", 4), ServerUp("b", 4), *queue(1, 2))
    for transaction in (1, 2):
        late.handle(Answered(transaction, None, 1.0), 0.0)
    late.handle(Loaded("a", 0, 0.5), 0.0)
    assert starts(late.handle(Queued(3, "Sum"), 0.0)) == [(3, "b")]


def test_a_server_ten_times_as_slow_gets_a_tenth() -> None:
    assert _shares({"fast": 0.1, "slow": 1.0}, jobs=220) == {"fast": 200, "slow": 20}


def _shares(seconds: dict[str, float], jobs: int) -> dict[str, int]:
    """Work jobs off in virtual time; return how many each server has done."""
    made = pool(*[ServerUp(name, 1) for name in seconds], queued_max=jobs)
    done = dict.fromkeys(seconds, 0)
    under_way: list[tuple[float, int, str]] = []
    now = 0.0

    def note(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Start):
                under_way.append((now + seconds[effect.server], effect.transaction, effect.server))

    for job in range(1, jobs + 1):
        note(made.handle(Queued(job, "Sum"), now))
    while under_way:
        under_way.sort()
        now, transaction, server = under_way.pop(0)
        done[server] += 1
        note(made.handle(Answered(transaction, None, seconds[server]), now))
    return done


# --- ends ----------------------------------------------------------------------------------


def test_a_result_ends_its_job_once() -> None:
    running = pool(ServerUp("a", 1), *queue(1))
    assert running.handle(Answered(1, "sum"), 0.0) == [Complete(1, "sum")]
    assert running.handle(Answered(1, "again"), 0.0) == []
    assert (running.finished, running.failed) == (1, 0)


def test_an_error_ends_its_job_once() -> None:
    running = pool(ServerUp("a", 1), *queue(1))
    error = ValueError("no")
    assert running.handle(Failed(1, error), 0.0) == [Fail(1, error)]
    assert running.handle(Answered(1, "late"), 0.0) == []
    assert (running.finished, running.failed) == (0, 1)


def test_a_waiting_job_is_cancelled() -> None:
    waiting = pool(ServerUp("a", 1), *queue(1, 2, 3))
    [end] = waiting.handle(Cancelled(2), 0.0)
    assert isinstance(end, Fail)
    assert isinstance(end.error, ThreadKilled)
    assert starts(waiting.handle(Answered(1, None), 0.0)) == [(3, "a")]


def test_a_running_job_is_stopped_and_makes_room() -> None:
    running = pool(ServerUp("a", 1), *queue(1, 2))
    stop, end, start = running.handle(Cancelled(1), 0.0)
    assert stop == Stop(1)
    assert isinstance(end, Fail)
    assert start == Start(2, 2, "a")
    assert running.handle(Answered(1, "late"), 0.0) == []


def test_a_job_that_has_ended_is_not_cancelled() -> None:
    ended = pool(ServerUp("a", 1), *queue(1), Answered(1, None))
    assert ended.handle(Cancelled(1), 0.0) == []
    assert ended.failed == 0


def test_a_job_fails_at_its_own_time_whether_it_waits_or_runs() -> None:
    timed = pool(ServerUp("a", 1), Queued(1, "Sum", due=2.0), Queued(2, "Sum", due=1.0))
    assert timed.next_deadline() == 1.0
    assert timed.handle(Tick(), 0.9) == []
    [waiting] = timed.handle(Tick(), 1.0)
    assert isinstance(waiting, Fail)
    assert (waiting.job, type(waiting.error)) == (2, CallTimeout)
    assert timed.next_deadline() == 2.0
    stop, running = timed.handle(Tick(), 2.5)
    assert stop == Stop(1)
    assert isinstance(running, Fail)
    assert str(running.error) == "job 1 was not done in its time"
    assert timed.next_deadline() is None


def test_the_time_of_a_job_that_has_ended_is_awaited_no_more() -> None:
    timed = pool(ServerUp("a", 1), Queued(1, "Sum", due=2.0), Answered(1, None))
    assert timed.next_deadline() is None


# --- losses --------------------------------------------------------------------------------


def test_the_jobs_of_a_lost_server_go_to_others_first_and_in_their_order() -> None:
    lost = pool(ServerUp("a", 2), *queue(1, 2, 3, 4))
    assert lost.handle(ServerDown("a", "gone"), 0.0) == []
    effects = lost.handle(ServerUp("b", 1), 0.0)
    for transaction in (3, 4, 5):
        effects += lost.handle(Answered(transaction, None), 0.0)
    assert starts(effects) == [(1, "b"), (2, "b"), (3, "b"), (4, "b")]
    assert lost.retried == 2


def test_a_job_that_finds_its_server_gone_says_so_of_all_that_it_was_doing() -> None:
    made = pool(ServerUp("a", 2), *queue(1, 2))
    assert made.handle(Unreachable(1, "no link"), 0.0) == []
    assert (made.queued, made.running, made.retried, made.servers()) == (2, 0, 2, [])


def test_a_late_word_of_a_server_that_was_gone_says_nothing_of_it() -> None:
    made = pool(ServerUp("a", 2), *queue(1, 2), Unreachable(1, "no link"), ServerUp("a", 2))
    assert made.handle(Unreachable(2, "no link"), 0.0) == []
    assert (made.queued, made.running) == (1, 1)


def test_what_a_lost_server_answers_late_is_dropped() -> None:
    lost = pool(ServerUp("a", 1), *queue(1), ServerDown("a", "gone"), ServerUp("b", 1))
    assert lost.handle(Answered(1, "late"), 0.0) == []
    assert lost.handle(Answered(2, "right"), 0.0) == [Complete(1, "right")]


def test_a_job_that_takes_its_server_down_too_often_fails() -> None:
    made = pool(*queue(1))
    for round in range(2):
        made.handle(ServerUp(round, 1), 0.0)
        assert made.handle(ServerDown(round, "it fell"), 0.0) == []
    made.handle(ServerUp(2, 1), 0.0)
    [end] = made.handle(ServerDown(2, "it fell"), 0.0)
    assert isinstance(end, Fail)
    assert isinstance(end.error, PeerLost)
    assert str(end.error) == (
        "job 1 of class Sum was lost with its server at each of 3 attempts (limit "
        "job_attempts_max); the last time: it fell"
    )
    assert (made.retried, made.failed, made.queued) == (2, 1, 0)


def test_a_job_that_was_not_begun_is_given_on_without_counting() -> None:
    made = pool(*queue(1, 2), attempts_max=1)
    for number in range(1, 6):
        assert starts(made.handle(ServerUp(number, 1), 0.0)) == [(1, number)]
        assert made.handle(Unreachable(number, "no link", begun=False), 0.0) == []
    assert (made.failed, made.retried, made.queued) == (0, 0, 2)


def test_a_job_whose_thread_was_lost_is_begun_again_on_the_same_server() -> None:
    made = pool(ServerUp("a", 1), *queue(1, 2))
    assert starts(made.handle(Lost(1, "killed"), 0.0)) == [(1, "a")]
    assert made.retried == 1


def test_a_job_that_was_lost_runs_with_no_other_beside_it() -> None:
    made = pool(ServerUp("a", 2), *queue(1, 2), ServerDown("a", "gone"))
    made.handle(Queued(3, "Sum"), 0.0)
    assert starts(made.handle(ServerUp("b", 3), 0.0)) == [(1, "b")]
    assert starts(made.handle(Answered(3, None), 0.0)) == [(2, "b")]
    assert starts(made.handle(Answered(4, None), 0.0)) == [(3, "b")]


def test_a_job_that_was_lost_waits_until_a_server_has_nothing_else_to_do() -> None:
    made = pool(ServerUp("a", 1), ServerUp("b", 2), *queue(1, 2, 3))
    assert [row.running for row in made.servers()] == [1, 2]
    made.handle(Answered(3, None), 0.0)
    assert starts(made.handle(ServerDown("a", "gone"), 0.0)) == []
    assert starts(made.handle(Answered(2, None), 0.0)) == [(1, "b")]


def test_an_innocent_job_outlives_one_that_takes_every_server_down() -> None:
    """Both run on one server: without keeping them apart each would be lost three times."""
    made = pool(*queue(1, 2))
    ends: list[Effect] = []
    number = 0
    while made.queued or made.running:
        number += 1
        assert number < 10
        effects = made.handle(ServerUp(number, 2), 0.0)
        while effects:
            ends += [effect for effect in effects if not isinstance(effect, Start)]
            begun = [effect for effect in effects if isinstance(effect, Start)]
            if any(start.job == 1 for start in begun):
                ends += made.handle(ServerDown(number, "it fell"), 0.0)
                break
            effects = [e for start in begun for e in made.handle(Answered(start.transaction, 0), 0)]
    assert [(type(end), end.job) for end in ends if not isinstance(end, Stop)] == [
        (Fail, 1),
        (Complete, 2),
    ]


# --- whatever happens ----------------------------------------------------------------------


STEPS = ("queue", "queue", "answer", "fail", "late", "lose", "up", "down", "unreachable")


class Book:
    """What a driver sees of a pool, checked at each step."""

    def __init__(self, room: int, running_max: int | None) -> None:
        self.pool = JobPool(queued_max=1000, attempts_max=3, running_max=running_max)
        self.room, self.running_max = room, running_max
        self.ends: dict[int, int] = {}
        self.under_way: dict[int, Start] = {}
        self.begun: set[int] = set()
        self.late: list[int] = []
        self.up: set[int] = set()
        self.jobs = 0

    def handle(self, event: Event) -> None:
        """Take an event and check what is decided."""
        if isinstance(event, Answered | Failed | Lost):
            self.under_way.pop(event.transaction, None)
        gone = event.server if isinstance(event, ServerDown) else None
        if isinstance(event, Unreachable) and event.transaction in self.under_way:
            gone = self.under_way[event.transaction].server
        if gone is not None:
            self.up.discard(gone)
            for start in [s for s in self.under_way.values() if s.server == gone]:
                self.late.append(start.transaction)
                del self.under_way[start.transaction]
        if isinstance(event, ServerUp):
            self.up.add(event.server)
        for effect in self.pool.handle(event, 0.0):
            match effect:
                case Start(job, transaction, server):
                    assert server in self.up
                    assert self.ends.get(job, 0) == 0
                    assert job not in [start.job for start in self.under_way.values()]
                    if job not in self.begun:
                        assert all(job > other for other in self.begun)
                        self.begun.add(job)
                    self.under_way[transaction] = effect
                case Stop(transaction):
                    del self.under_way[transaction]
                    self.late.append(transaction)
                case Complete(job) | Fail(job):
                    assert self.ends.get(job, 0) == 0
                    self.ends[job] = 1
        for server in self.up:
            running = [s for s in self.under_way.values() if s.server == server]
            assert len(running) <= self.room
        assert len(self.under_way) == self.pool.running
        assert self.running_max is None or self.pool.running <= self.running_max

    def step(self, dice: random.Random) -> None:
        """Let something happen that may."""
        chosen = dice.choice(STEPS)
        transaction = dice.choice(sorted(self.under_way)) if self.under_way else 0
        if chosen == "queue":
            self.jobs += 1
            self.handle(Queued(self.jobs, dice.choice("XY")))
        elif chosen == "answer":
            self.handle(Answered(transaction, "value", dice.random()))
        elif chosen == "fail":
            self.handle(Failed(transaction, ValueError(), dice.random()))
        elif chosen == "late" and self.late:
            self.handle(Answered(dice.choice(self.late), "late"))
        elif chosen == "lose" and dice.random() < 0.5:
            self.handle(Lost(transaction, "lost"))
        elif chosen == "lose" and self.jobs:
            self.handle(Cancelled(dice.randint(1, self.jobs)))
        elif chosen == "up":
            self.handle(ServerUp(dice.randint(1, 4), self.room))
        elif chosen == "down":
            self.handle(ServerDown(dice.randint(1, 4), "down"))
        elif chosen == "unreachable":
            late = self.late and dice.random() < 0.5
            found = dice.choice(self.late) if late else transaction
            self.handle(Unreachable(found, "no link", begun=dice.random() < 0.5))


@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 200),
    room=st.integers(1, 3),
    running_max=st.sampled_from([None, 1, 4]),
)
def test_every_job_ends_once_whatever_happens(
    seed: int, steps: int, room: int, running_max: int | None
) -> None:
    book, dice = Book(room, running_max), random.Random(seed)
    for _ in range(steps):
        book.step(dice)
    book.handle(ServerUp(5, room))
    for _ in range(book.jobs):
        if book.under_way:
            book.handle(Answered(min(book.under_way), "value", 1.0))
    assert book.ends == dict.fromkeys(range(1, book.jobs + 1), 1)
    assert (book.pool.queued, book.pool.running) == (0, 0)
    assert book.pool.finished + book.pool.failed == book.jobs
    assert book.pool.next_deadline() is None


def test_of_jobs_that_have_ended_few_times_are_kept() -> None:
    made = pool(ServerUp("a", 1))
    for number in range(3_000):
        (begun,) = made.handle(Queued(number, "Sum", 1e6 - number), 0.0)
        assert isinstance(begun, Start)
        made.handle(Answered(begun.transaction, None), 0.0)
    assert len(made._dues) < 1_000
    made.handle(Queued(3_000, "Sum", 5.0), 0.0)
    assert made.next_deadline() == 5.0
