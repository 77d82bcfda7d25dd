"""Bounds in time where threads are nested, called back, kept out of their objects or many."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, runs, until
from tests.kernel.conftest import NodeMaker
from vista.errors import CallTimeout, ThreadKilled


class Hall(vista.Object):
    """Calls through and is kept."""

    def call(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def call_within(self, seconds: float, target: vista.Ref, method: str, *args: Any) -> Any:
        with vista.timeout(seconds):
            return vista.send(target, method, *args)

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    def take_an_old_call(self, gate: vista.Ref) -> str:
        call = gate.pass_through.future()
        try:
            with vista.timeout(0.01):
                call.result()
        except CallTimeout:
            return "late"
        return "in time"

    def go_on_in_a_late_block(self) -> list[str]:
        ends = []
        with vista.timeout(0.005):
            for _ in range(3):
                try:
                    vista.sleep(1000)
                except CallTimeout:
                    ends.append("late")
        vista.sleep(0.001)
        return ends

    def call_without_waiting(self, counter: vista.Ref) -> Any:
        with vista.timeout(0):
            return counter.increment()

    def tidy_up_late(self, gate: vista.Ref, counter: vista.Ref) -> None:
        try:
            gate.pass_through()
        finally:
            counter.increment()

    def nap_often(self, count: int) -> None:
        for _ in range(count):
            vista.sleep(0.0005)

    def wait_long_and_briefly(self, gate: vista.Ref) -> str:
        self.nap_often(2)
        try:
            with vista.timeout(0.01):
                gate.pass_through()
        except CallTimeout:
            return "late"
        return "in time"

    def nap(self, seconds: float) -> str:
        vista.sleep(seconds)
        return "slept"


def test_a_call_is_bounded_while_its_thread_is_kept_out_of_its_object(gate: vista.Ref) -> None:
    caller, hall, keeper = vista.create(Hall), vista.create(Hall), vista.create(Gate)
    calling = caller.call_within.future(0.05, hall, "call", gate, "pass_through")
    until(lambda: gate.count() == 1)
    keeping = hall.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    gate.open()
    with pytest.raises(CallTimeout):
        calling.result()
    assert not keeping.done()
    keeper.open()
    keeping.result()


def test_a_caller_kept_out_of_its_object_is_bounded_by_its_own_caller(gate: vista.Ref) -> None:
    # first -> second -> gate, all nested; second is kept when the answer comes.
    first, second, keeper = vista.create(Hall), vista.create(Hall), vista.create(Gate)
    outer = vista.create(Hall)
    calling = outer.call_within.future(0.05, first, "call", second, "call", gate, "pass_through")
    until(lambda: gate.count() == 1)
    keeping = second.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    gate.open()
    with pytest.raises(CallTimeout):
        calling.result()
    keeper.open()
    keeping.result()
    assert first.call(second, "nap", 0) == "slept"


def test_a_thread_kept_out_of_its_object_is_killed(gate: vista.Ref) -> None:
    hall, keeper = vista.create(Hall), vista.create(Gate)
    calling = hall.call.future(gate, "pass_through")
    until(lambda: gate.count() == 1)
    keeping = hall.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    gate.open()
    until(lambda: gate.count() == 0)
    calling.cancel()
    with pytest.raises(ThreadKilled):
        calling.result()
    until(lambda: not runs("call"))
    keeper.open()
    keeping.result()


def test_a_call_made_before_the_block_is_bounded_by_it(gate: vista.Ref) -> None:
    assert vista.create(Hall).take_an_old_call(gate) == "late"
    until(lambda: gate.count() == 0)


def test_every_wait_in_a_late_block_is_late_and_those_after_it_are_not(node: vista.Node) -> None:
    assert vista.create(Hall).go_on_in_a_late_block() == ["late"] * 3


def test_a_call_that_need_not_wait_is_never_late(real_node: vista.Node) -> None:
    assert vista.create(Hall).call_without_waiting(vista.create(Counter)) == 1


def test_a_late_thread_may_call_in_its_finally_block(gate: vista.Ref) -> None:
    caller, hall, counter = vista.create(Hall), vista.create(Hall), vista.create(Counter)
    with pytest.raises(CallTimeout):
        caller.call_within(0.01, hall, "tidy_up_late", gate, counter)
    until(lambda: not runs("tidy_up_late"))
    assert counter.get() in (0, 1)
    assert hall.nap(0) == "slept"


def test_a_bound_outside_is_forgotten_when_its_call_has_ended(node: vista.Node) -> None:
    counter = vista.create(Counter)
    for _ in range(20):
        with vista.timeout(5):
            counter.increment()
    workers = node.kernel.threads.idle
    assert [worker.scopes for worker in workers if worker.scopes] == []


def test_a_thousand_calls_are_late_at_once(node: vista.Node) -> None:
    gate = vista.create(Gate)
    halls = [vista.create(Hall) for _ in range(100)]
    calls = [
        hall.call_within.future(0.02, gate, "pass_through") for hall in halls for _ in range(10)
    ]
    ends = vista.gather(*calls, return_exceptions=True)
    assert {type(end) for end in ends} == {CallTimeout}
    until(lambda: gate.count() == 0)


def test_a_timer_of_a_call_that_was_answered_is_gone(node: vista.Node) -> None:
    hall = vista.create(Hall)
    for _ in range(20):
        with vista.timeout(100):
            hall.nap(0)
    assert len(node.kernel.timers) == 0


def test_waits_in_a_nested_call_share_a_timer(node: vista.Node) -> None:
    hall = vista.create(Hall)

    def count_timers() -> int:
        before = node.kernel.timers._number
        hall.nap_often(10)
        return node.kernel.timers._number - before

    # Each nap has one; the bound on the call has one for all of them.
    assert node.call(count_timers) <= 12


def test_the_bound_on_a_nested_call_counts_from_its_first_wait(make_node: NodeMaker) -> None:
    make_node(call_seconds=0.1)
    hall = vista.create(Hall)
    with pytest.raises(CallTimeout, match=r"^Hall\.call did not answer in time$"):
        vista.create(Hall).call(hall, "nap_often", 100_000)


def test_a_shorter_bound_inside_a_nested_call_counts_after_other_waits(node: vista.Node) -> None:
    gate, hall = vista.create(Gate), vista.create(Hall)
    assert vista.create(Hall).call(hall, "wait_long_and_briefly", gate) == "late"


def test_a_long_chain_is_late_as_a_whole(node: vista.Node) -> None:
    class Link(vista.Object):
        def go(self, gate: vista.Ref, count: int) -> Any:
            return vista.create(Link).go(gate, count - 1) if count else gate.pass_through()

    gate, link = vista.create(Gate), vista.create(Link)
    with pytest.raises(CallTimeout), vista.timeout(0.05):
        link.go(gate, 200)
    until(lambda: gate.count() == 0 and not runs("go"))


class PatientAsker(vista.Object):
    """Waits for other things first, within the same time."""

    def ask_late(self, gate: Any) -> str:
        with vista.timeout(0.05):
            vista.sleep(0.001)
            return str(vista.future(gate, "pass_through").exception())


def test_a_late_call_tells_so_itself_although_an_earlier_wait_had_the_same_bound(
    make_node: NodeMaker,
) -> None:
    make_node()
    words = vista.create(PatientAsker).ask_late(vista.create(Gate))
    assert words == "Gate.pass_through did not answer in time"
