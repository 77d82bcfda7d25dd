"""Timers of a kernel: what is due is called, whatever the others do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Journal, until
from vista.errors import BadValueError
from vista.kernel.timers import Timers


class Sleeper(vista.Object):
    """Sleeps."""

    def nap(self, seconds: float, journal: vista.Ref) -> None:
        vista.sleep(seconds)
        journal.write(seconds)

    def nap_for_ever(self) -> None:
        vista.sleep(math.inf)

    def nap_within(self, seconds: float) -> str:
        with vista.timeout(math.inf):
            vista.sleep(seconds)
        return "slept"


def test_sleepers_wake_in_the_order_of_their_times(virtual_node: vista.Node) -> None:
    sleeper, journal = vista.create(Sleeper), vista.create(Journal)
    for seconds in (3, 1, 2, 5, 4):
        sleeper.nap.post(seconds, journal)
    vista.sleep(10)
    assert journal.read() == [1, 2, 3, 4, 5]


def test_a_sleep_of_no_time_lets_others_run(node: vista.Node) -> None:
    counter = vista.create(Counter)

    def post_and_yield() -> Any:
        counter.increment.post()
        for _ in range(20):
            vista.sleep(0)
        return counter.get()

    assert node.call(post_and_yield) == 1


@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_a_sleep_that_is_no_time_is_refused(node: vista.Node, seconds: float) -> None:
    with pytest.raises(BadValueError):
        vista.sleep(seconds)


def test_an_endless_sleep_hinders_no_other_timer(node: vista.Node) -> None:
    sleeper, journal = vista.create(Sleeper), vista.create(Journal)
    endless = sleeper.nap_for_ever.future()
    until(lambda: any(row.method == "nap_for_ever" for row in vista.threads()))
    sleeper.nap(0.001, journal)
    assert journal.read() == [0.001]
    endless.cancel()


def test_an_endless_timeout_bounds_nothing(node: vista.Node) -> None:
    assert vista.create(Sleeper).nap_within(0.001) == "slept"


def test_a_sleep_of_many_days_ends_in_time(virtual_node: vista.Node) -> None:
    sleeper, journal = vista.create(Sleeper), vista.create(Journal)
    sleeper.nap.post(1_000_000, journal)
    vista.sleep(999_000)
    assert journal.read() == []
    vista.sleep(2_000)
    assert journal.read() == [1_000_000]


def test_a_timer_is_called_once(node: vista.Node) -> None:
    called: list[str] = []
    node.call(lambda: node.kernel.timers.call_later(0.001, lambda: called.append("due")))
    until(lambda: called)
    vista.sleep(0.005)
    assert called == ["due"]


def test_a_cancelled_timer_is_not_called(node: vista.Node) -> None:
    called: list[str] = []

    def start_and_cancel() -> None:
        timer = node.kernel.timers.call_later(0.001, lambda: called.append("due"))
        timer.cancel()
        timer.cancel()

    node.call(start_and_cancel)
    vista.sleep(0.005)
    assert called == []


def test_a_timer_whose_callback_raises_hinders_no_other(real_node: vista.Node) -> None:
    called: list[str] = []

    def fail() -> None:
        raise LookupError("in a timer")

    def start() -> None:
        timers = real_node.kernel.timers
        timers.call_later(0.001, fail)
        timers.call_later(0.002, lambda: called.append("due"))

    real_node.call(start)
    assert until(lambda: called) == ["due"]


def test_many_cancelled_timers_take_no_room(node: vista.Node) -> None:
    def start_and_cancel() -> int:
        timers = node.kernel.timers
        for _ in range(10_000):
            timers.call_later(1000, print).cancel()
        return len(timers._heap)

    assert node.call(start_and_cancel) < 1000


def test_a_callback_is_nobodys_code(node: vista.Node) -> None:
    # Whoever armed the timer has nothing to do with it, and may be busy elsewhere.
    seen: list[Any] = []

    def start() -> None:
        node.kernel.timers.call_later(0.001, lambda: seen.append(vista.from_object()))

    class Starter(vista.Object):
        def start(self) -> None:
            start()
            vista.sleep(0.01)

    class Asker(vista.Object):
        def ask(self, target: vista.Ref) -> None:
            target.start()

    vista.create(Asker).ask(vista.create(Starter))
    assert until(lambda: seen) == [None]


class EarlyLoop:
    """A loop and hub whose timers are rounded to milliseconds, as uvloop's are."""

    def __init__(self, early: float) -> None:
        self.loop = self
        self.now = 100.0
        self.early = early
        self.calls: list[tuple[float, Callable[[], Any]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], Any], context: Any) -> Any:
        self.calls.append((self.now + round(delay * 1000) / 1000 - self.early, callback))

    def turn(self) -> None:
        """Wait for the next call and make it; each turn of a loop takes 10 us at least."""
        due, callback = self.calls.pop(0)
        self.now = max(self.now + 1e-5, due)
        callback()


@pytest.mark.parametrize("early", [0.0, 0.0002, 0.0006])
@pytest.mark.parametrize("seconds", [0.0004, 0.0104, 3.0])
def test_a_loop_that_calls_early_is_not_kept_busy(early: float, seconds: float) -> None:
    loop = EarlyLoop(early)
    timers: Any = Timers(loop)  # type: ignore[arg-type]
    called: list[float] = []
    timers.call_later(seconds, lambda: called.append(loop.now))
    turns = 0
    while loop.calls:
        loop.turn()
        turns += 1
        assert turns <= 5
    assert len(called) == 1
    assert -1e-6 <= called[0] - 100.0 - seconds <= 0.0021
