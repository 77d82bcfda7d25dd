"""Statistics of time, in a world where time is virtual and exact."""

from __future__ import annotations

import pytest

import vista
from tests.kernel.cast import runs, until
from vista import Object
from vista.kernel.methods import end_of_step, step_of
from vista.kernel.statistics import seconds_within


def test_timed_seconds_tell_what_a_method_took(virtual_node: vista.Node) -> None:
    class Sleeper(Object):
        def nap(self) -> None:
            vista.sleep(0.5)

    sleeper = vista.create(Sleeper)
    for _ in range(40):
        sleeper.nap.post()
    until(lambda: not runs("nap"))
    nap = vista.statistics()["methods"]["Local.Sleeper/0.nap"]
    assert nap["timed_calls"] > 0
    assert nap["timed_seconds"] == pytest.approx(0.5 * nap["timed_calls"], rel=0.01)
    assert nap["longest_seconds"] == pytest.approx(0.5, rel=0.01)


def test_within_what_time_most_calls_ended_is_told(virtual_node: vista.Node) -> None:
    class Dozer(Object):
        def doze(self, seconds: float) -> None:
            vista.sleep(seconds)

    dozer = vista.create(Dozer)
    for number in range(400):
        dozer.doze.post(2.0 if number % 4 == 3 else 0.01)
    until(lambda: not runs("doze"))
    doze = vista.statistics()["methods"]["Local.Dozer/0.doze"]
    assert doze["timed_calls"] > 8
    assert 0.0 < doze["p50_seconds"] <= doze["p99_seconds"] <= doze["longest_seconds"]


@pytest.mark.parametrize("seconds", [1e-6, 3.3e-6, 0.001, 0.0017, 0.25, 1.0, 59.9, 3600.0])
def test_a_step_ends_at_most_a_quarter_later(seconds: float) -> None:
    assert seconds < end_of_step(step_of(seconds)) <= 1.25 * seconds * 1.0001


def test_longer_times_have_higher_steps() -> None:
    steps = [step_of(1e-6 * 1.3**power) for power in range(80)]
    assert steps == sorted(set(steps))


def test_no_time_at_all_is_the_shortest_time() -> None:
    assert end_of_step(step_of(0.0)) < 2e-9


@pytest.mark.parametrize(
    ("part", "step"), [(0.5, 10), (0.89, 10), (0.91, 20), (0.99, 20), (1.0, 30)]
)
def test_the_time_within_which_a_part_ended_is_that_of_its_step(part: float, step: int) -> None:
    assert seconds_within({10: 90, 20: 9, 30: 1}, part) == end_of_step(step)


def test_without_any_call_there_is_no_time() -> None:
    assert seconds_within({}, 0.5) == 0.0
