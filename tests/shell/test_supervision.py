"""The supervision of processes: who is started, started again and stopped, and when."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from vista.limits import Limits
from vista.shell.supervision import (
    Ask,
    Begin,
    Effect,
    Ended,
    Event,
    Finish,
    GaveUp,
    Kill,
    Pause,
    Start,
    Stop,
    Supervision,
    Tick,
)

LIMITS = Limits(
    process_restart_seconds_min=0.5,
    process_restart_seconds_max=3.0,
    process_restarts_max=5,
    process_steady_seconds=10.0,
    process_stop_seconds=15.0,
)


class Run:
    """A supervision and its clock."""

    def __init__(self, count: int, limits: Limits = LIMITS) -> None:
        self.core = Supervision(count, limits)
        self.now = 100.0

    def tell(self, *events: Event) -> list[Effect]:
        """What is to be done at these events."""
        return [effect for event in events for effect in self.core.handle(event, self.now)]

    def wait(self) -> list[Effect]:
        """What is to be done at the next deadline."""
        due = self.core.next_deadline()
        assert due is not None, "nothing is waited for"
        self.now = max(self.now, due)
        return self.tell(Tick())


def begun(count: int) -> Run:
    """A run whose processes were started."""
    run = Run(count)
    assert run.tell(Begin()) == [Start(number) for number in range(1, count + 1)]
    return run


def test_nothing_is_waited_for_while_all_run() -> None:
    assert begun(3).core.next_deadline() is None


def test_a_process_that_ends_unasked_is_started_again_after_a_pause() -> None:
    run = begun(3)
    assert run.tell(Ended(2, -9)) == [Pause(2, -9, 0.5)]
    assert run.core.next_deadline() == 100.5
    assert run.wait() == [Start(2)]


def test_a_process_other_than_the_first_is_started_again_even_if_it_ended_in_good_order() -> None:
    run = begun(2)
    assert run.tell(Ended(2, 0)) == [Pause(2, 0, 0.5)]


def test_nothing_is_started_before_its_pause_is_over() -> None:
    run = begun(2)
    run.tell(Ended(2, 1))
    run.now = 100.49
    assert run.tell(Tick()) == []


def test_pauses_double_up_to_the_longest() -> None:
    run = Run(2, Limits(process_restart_seconds_max=3.0, process_restarts_max=6))
    run.tell(Begin())
    pauses = []
    for _ in range(5):
        (pause,) = run.tell(Ended(2, 1))
        assert isinstance(pause, Pause)
        pauses.append(pause.seconds)
        assert run.wait() == [Start(2)]
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_process_that_ran_steadily_begins_again_with_the_shortest_pause() -> None:
    run = begun(2)
    run.tell(Ended(2, 1))
    run.wait()
    run.tell(Ended(2, 1))
    run.wait()
    run.now += 10.0
    assert run.tell(Ended(2, 1)) == [Pause(2, 1, 0.5)]


def test_a_process_that_ends_too_often_in_a_row_ends_the_whole_with_1() -> None:
    run = begun(2)
    for _ in range(4):
        run.tell(Ended(2, 7))
        run.wait()
    assert run.tell(Ended(2, 7)) == [GaveUp(2, 7, 5), Ask(1)]
    assert run.tell(Ended(1, 0)) == [Finish(1)]


def test_each_process_has_its_own_number_of_ends() -> None:
    run = begun(3)
    for number in (2, 3) * 4:
        (pause,) = run.tell(Ended(number, 1))
        assert isinstance(pause, Pause)
        run.wait()


def test_the_end_of_the_first_in_good_order_stops_the_others_and_the_exit_code_is_0() -> None:
    run = begun(3)
    assert run.tell(Ended(1, 0)) == [Ask(2), Ask(3)]
    assert run.tell(Ended(3, 0), Ended(2, 0)) == [Finish(0)]


def test_the_only_process_ends_the_whole_with_its_end() -> None:
    run = begun(1)
    assert run.tell(Ended(1, 0)) == [Finish(0)]
    assert run.tell(Tick(), Stop()) == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_mistake_ends_the_whole_with_2_and_is_not_tried_again(number: int) -> None:
    run = begun(2)
    other = 3 - number
    assert run.tell(Ended(number, 2)) == [Ask(other)]
    assert run.tell(Ended(other, 0)) == [Finish(2)]


def test_a_mistake_ends_the_whole_even_while_another_process_waits_to_be_started() -> None:
    run = begun(2)
    run.tell(Ended(2, 1))
    assert run.tell(Ended(1, 2)) == [Finish(2)]


@pytest.mark.parametrize("code", [1, -9, -11])
def test_with_a_first_process_that_fails_all_start_anew(code: int) -> None:
    run = begun(3)
    assert run.tell(Ended(1, code)) == [Pause(1, code, 0.5), Ask(2), Ask(3)]
    assert run.tell(Ended(2, 0)) == [Start(2)]
    assert run.tell(Ended(3, 0)) == [Start(3)]
    assert run.wait() == [Start(1)]


def test_the_first_process_does_not_start_among_others_that_are_about_to_end() -> None:
    run = begun(2)
    run.tell(Ended(1, 1))
    run.now += 5.0
    assert run.tell(Tick()) == []
    assert run.core.next_deadline() == 115.0
    assert run.wait() == [Kill(2)]
    assert run.core.next_deadline() is None
    assert run.tell(Ended(2, -9)) == [Start(1), Start(2)]


def test_starting_anew_with_the_first_is_no_failure_of_the_others() -> None:
    run = begun(2)
    for _ in range(4):
        run.tell(Ended(1, 1), Ended(2, 0))
        run.wait()
    assert run.tell(Ended(2, 1)) == [Pause(2, 1, 0.5)]


def test_a_stop_asks_the_first_and_then_the_others() -> None:
    run = begun(3)
    assert run.tell(Stop()) == [Ask(1)]
    assert run.tell(Ended(1, 0)) == [Ask(2), Ask(3)]
    assert run.tell(Ended(2, 0), Ended(3, 0)) == [Finish(0)]


def test_a_stop_that_comes_twice_asks_nobody_twice() -> None:
    run = begun(2)
    run.tell(Stop())
    assert run.tell(Stop()) == []


def test_who_takes_too_long_to_end_is_killed() -> None:
    run = begun(2)
    run.tell(Stop(), Ended(1, 0))
    run.now += 14.9
    assert run.tell(Tick()) == []
    assert run.core.next_deadline() == 115.0
    assert run.wait() == [Kill(2)]
    assert run.core.next_deadline() is None
    assert run.tell(Ended(2, -9)) == [Finish(0)]


def test_a_first_process_that_had_to_be_killed_makes_the_exit_code_1() -> None:
    run = begun(2)
    run.tell(Stop())
    assert run.wait() == [Kill(1)]
    assert run.tell(Ended(1, -9)) == [Ask(2)]
    assert run.tell(Ended(2, 0)) == [Finish(1)]


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (-11, 1)])
def test_the_exit_code_after_a_stop_is_that_of_the_first_process(code: int, expected: int) -> None:
    run = begun(1)
    run.tell(Stop())
    assert run.tell(Ended(1, code)) == [Finish(expected)]


def test_nobody_is_started_after_a_stop() -> None:
    run = begun(3)
    run.tell(Ended(2, 1), Stop(), Ended(3, -15))
    run.now += 60.0
    assert run.tell(Ended(1, 0)) == [Finish(0)]
    assert run.core.next_deadline() is None


def test_a_stop_before_anything_runs_ends_at_once() -> None:
    run = begun(1)
    run.tell(Ended(1, 1))
    assert run.tell(Stop()) == [Finish(0)]


def _storm(seed: int) -> Iterable[list[Effect]]:
    """A run in which chance decides who ends and how, until it has finished or a stop ends it."""
    dice = random.Random(seed)
    run = Run(dice.randint(1, 5))
    living: set[int] = set()
    killed: set[int] = set()
    effects = run.tell(Begin())
    for step in range(400):
        yield effects
        for effect in effects:
            if isinstance(effect, Start):
                assert effect.number not in living, "it was started twice"
                living.add(effect.number)
            if isinstance(effect, Kill):
                killed.add(effect.number)
            if isinstance(effect, Finish):
                assert not living, "a process is left behind"
                return
        if step == 300:
            effects = run.tell(Stop())
        elif killed or (living and dice.random() < 0.4):
            number = min(killed or {dice.choice(sorted(living))})
            living.discard(number)
            killed.discard(number)
            effects = run.tell(Ended(number, dice.choice([0, 1, 1, 2, -9, -9, -15])))
        elif run.core.next_deadline() is not None:
            effects = run.wait()
        else:
            run.now += dice.uniform(0.0, 30.0)
            effects = run.tell(Tick())
    raise AssertionError("it did not finish")


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_it_finishes_once_and_leaves_nobody_behind(seed: int) -> None:
    effects = [effect for some in _storm(seed) for effect in some]
    assert [type(effect) for effect in effects].count(Finish) == 1
