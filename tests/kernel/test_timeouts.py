"""Bounds in time: of calls, of blocks, of waits; and what they end."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, Journal, runs, until
from vista.errors import BadValueError, CallTimeout


class Bounded(vista.Object):
    """Calls, waits and gives up."""

    def create(self) -> None:
        self.unwound: list[str] = []

    def nap(self, seconds: float) -> str:
        try:
            vista.sleep(seconds)
        finally:
            self.unwound.append("nap")
        return "slept"

    def call_within(self, seconds: float, target: vista.Ref, method: str, *args: Any) -> Any:
        try:
            with vista.timeout(seconds):
                return vista.send(target, method, *args)
        except CallTimeout:
            return "late"

    def wait_within(self, seconds: float, what: str, gate: vista.Ref) -> str:
        try:
            with vista.timeout(seconds):
                if what == "sleep":
                    vista.sleep(30)
                elif what == "future":
                    gate.pass_through.future().result()
                elif what == "gather":
                    vista.gather(gate.pass_through.future(), gate.pass_through.future())
                else:
                    vista.wait_for_service("Nobody")
        except CallTimeout:
            return "late"
        return "in time"

    def nested(self, outer: float, inner: float) -> str:
        with vista.timeout(outer):
            try:
                with vista.timeout(inner):
                    vista.sleep(30)
            except CallTimeout:
                return "one of them"
        return "none"

    def was_unwound(self) -> list[str]:
        return self.unwound


@pytest.fixture
def caller(node: vista.Node) -> vista.Ref:
    return vista.create(Bounded)


def test_a_call_that_takes_too_long_ends_with_call_timeout(caller: vista.Ref) -> None:
    with (
        pytest.raises(CallTimeout, match=r"Bounded\.nap did not answer in time"),
        vista.timeout(0.01),
    ):
        caller.nap(30)


def test_call_timeout_is_pythons_timeout_error_too(caller: vista.Ref) -> None:
    with pytest.raises(TimeoutError), vista.timeout(0.01):
        caller.nap(30)


def test_the_thread_of_a_late_call_is_cancelled_and_unwound(caller: vista.Ref) -> None:
    with pytest.raises(CallTimeout), vista.timeout(0.01):
        caller.nap(30)
    until(lambda: not runs("nap"))
    assert caller.was_unwound() == ["nap"]


def test_a_method_outlives_the_call_that_was_late(caller: vista.Ref) -> None:
    sleeper = vista.create(Bounded)
    assert caller.call_within(0.01, sleeper, "nap", 30) == "late"
    assert sleeper.was_unwound() == ["nap"]
    assert caller.call_within(5, sleeper, "nap", 0) == "slept"


def test_a_late_call_takes_with_it_what_it_called(caller: vista.Ref) -> None:
    middle, sleeper = vista.create(Bounded), vista.create(Bounded)
    assert caller.call_within(0.01, middle, "call_within", 30, sleeper, "nap", 30) == "late"
    until(lambda: not runs("nap") and not runs("call_within"))
    assert sleeper.was_unwound() == ["nap"]


def test_of_two_bounds_on_a_chain_the_nearer_in_time_counts(caller: vista.Ref) -> None:
    middle, sleeper = vista.create(Bounded), vista.create(Bounded)
    result = caller.call_within(20, middle, "call_within", 0.01, sleeper, "nap", 30)
    assert result == "late"
    assert caller.call_within(5, middle, "was_unwound") == []


@pytest.mark.parametrize("what", ["sleep", "future", "gather", "service"])
def test_everything_that_waits_in_the_block_is_bounded(caller: vista.Ref, what: str) -> None:
    gate = vista.create(Gate)
    assert caller.wait_within(0.01, what, gate) == "late"
    until(lambda: gate.count() == 0)


@pytest.mark.parametrize(("outer", "inner"), [(0.01, 20), (20, 0.01)])
def test_an_inner_timeout_never_passes_the_outer_one(
    caller: vista.Ref, outer: float, inner: float
) -> None:
    with vista.timeout(10):
        assert caller.nested(outer, inner) == "one of them"


def test_a_call_is_bounded_without_being_told(make_node: Any) -> None:
    make_node(call_seconds=0.05)
    caller = vista.create(Bounded)
    with pytest.raises(CallTimeout):
        caller.nap(30)


def test_a_timeout_may_be_longer_than_the_usual_bound(make_node: Any) -> None:
    make_node(call_seconds=0.05)
    caller = vista.create(Bounded)
    with vista.timeout(10):
        assert caller.nap(0.2) == "slept"


def test_a_post_has_no_bound(make_node: Any) -> None:
    make_node(call_seconds=0.02)
    caller = vista.create(Bounded)
    caller.nap.post(0.1)
    until(lambda: caller.was_unwound() == ["nap"])
    assert vista.statistics()["posts_failed"] == 0


def test_a_call_that_waits_for_its_turn_is_bounded_too(caller: vista.Ref) -> None:
    gate, keeper = vista.create(Gate), vista.create(TimeoutsKeeper)
    keeper.keep.post(gate)
    until(lambda: gate.count() == 1)
    with pytest.raises(CallTimeout), vista.timeout(0.01):
        keeper.answer()
    gate.open()
    until(lambda: not runs("keep"))
    assert keeper.answer() == 42


class TimeoutsKeeper(vista.Object):
    """Keeps itself while it waits."""

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    def answer(self) -> int:
        return 42


def test_a_message_whose_caller_gave_up_is_not_run(node: vista.Node) -> None:
    gate, keeper = vista.create(Gate), vista.create(Scribe)
    keeper.keep.post(gate)
    until(lambda: gate.count() == 1)
    with pytest.raises(CallTimeout), vista.timeout(0.01):
        keeper.write("late")
    gate.open()
    until(lambda: not runs("keep"))
    keeper.write("in time")
    assert keeper.read() == ["in time"]


class Scribe(TimeoutsKeeper):
    """A keeper that writes."""

    def create(self) -> None:
        self.entries: list[str] = []

    def write(self, entry: str) -> None:
        self.entries.append(entry)

    def read(self) -> list[str]:
        return self.entries


def test_a_wait_for_a_future_may_be_shorter_than_the_call(node: vista.Node) -> None:
    gate = vista.create(Gate)
    call = gate.pass_through.future("through")
    with pytest.raises(CallTimeout):
        call.result(timeout=0.01)
    gate.open()
    assert call.result() == "through"


def test_a_wait_for_an_awaitable_is_bounded(node: vista.Node) -> None:
    journal = vista.create(Journal)
    with pytest.raises(TimeoutError):
        vista.wait(vista.aio.sleep(30), timeout=0.01)
    journal.write("afterwards")
    assert journal.read() == ["afterwards"]


@pytest.mark.parametrize("seconds", [-1, float("nan"), "soon"])
def test_a_bound_that_is_no_number_of_seconds_is_refused(node: vista.Node, seconds: Any) -> None:
    with pytest.raises((BadValueError, TypeError)):
        vista.timeout(seconds)
