"""What a ``@native`` method may do from its kernel thread, beside the loop."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from vista.errors import CallTimeout, DeadlockError, ThreadKilled


class Native(vista.Object):
    """Works in kernel threads."""

    @vista.native
    def call_in_flight(self, target: vista.Ref, count: int) -> list[int]:
        calls = [target.increment.future() for _ in range(count)]
        return [call.result() for call in calls]

    @vista.native
    def gather(self, target: vista.Ref, count: int) -> list[int]:
        return vista.gather(*[target.increment.future() for _ in range(count)])

    @vista.native
    def post(self, target: vista.Ref, count: int) -> None:
        for number in range(count):
            target.write.post(number)

    @vista.native
    def cancel(self, gate: vista.Ref) -> str:
        call = gate.pass_through.future()
        call.cancel()
        return type(call.exception()).__name__

    @vista.native
    def note_ends(self, gate: vista.Ref, journal: vista.Ref) -> None:
        call = gate.pass_through.future("passed")
        call.add_done_callback(
            lambda future: journal.write.post([future.result(), threading.get_ident()])
        )

    @vista.native
    def create(self) -> None:
        """A hook may be native too."""
        self.made = True

    @vista.native
    def make(self) -> Any:
        return vista.create(Counter, 5)

    @vista.native
    def sleep(self, seconds: float) -> str:
        vista.sleep(seconds)
        return "slept"

    @vista.native
    def call_within(self, seconds: float, gate: vista.Ref) -> str:
        try:
            with vista.timeout(seconds):
                gate.pass_through()
        except CallTimeout:
            return "late"
        return "in time"

    @vista.native
    def wait_for_own_answer(self) -> str:
        try:
            vista.self_ref(self).answer.future().result()
        except DeadlockError:
            return "deadlock"
        return "answered"

    @vista.native
    def call_back(self, other: vista.Ref) -> str:
        try:
            other.call_answer(self)
        except DeadlockError:
            return "deadlock"
        return "answered"

    def call_answer(self, target: vista.Ref) -> Any:
        return target.answer()

    @vista.native
    def look_at_threads(self) -> list[str]:
        return [row.state for row in vista.threads() if row.method == "look_at_threads"]

    @vista.native
    def user(self) -> str:
        return vista.current_user()

    def thread_of_the_loop(self) -> int:
        return threading.get_ident()

    def answer(self) -> int:
        return 42


@pytest.fixture
def native(node: vista.Node) -> vista.Ref:
    return vista.create(Native)


def test_a_native_create_hook_has_run_when_the_object_is_there(native: vista.Ref) -> None:
    assert native.extract_instance_variables("made") == {"made": True}


@pytest.mark.parametrize("method", ["call_in_flight", "gather"])
def test_a_native_method_waits_for_calls_in_flight(native: vista.Ref, method: str) -> None:
    assert vista.send(native, method, vista.create(Counter), 30) == list(range(1, 31))


def test_posts_of_a_native_method_arrive_in_order(native: vista.Ref) -> None:
    journal = vista.create(Journal)
    native.post(journal, 30)
    until(lambda: len(journal.read()) == 30)
    assert journal.read() == list(range(30))


def test_a_native_method_cancels_a_call(native: vista.Ref) -> None:
    assert native.cancel(vista.create(Gate)) == "ThreadKilled"


def test_what_a_native_method_cancels_ends_though_nothing_else_wakes_the_loop(
    real_node: vista.Node,
) -> None:
    ended = threading.Event()

    class Sleeper(vista.Object):
        def sleep(self) -> None:
            try:
                vista.sleep(1000)
            finally:
                ended.set()

        @vista.native
        @vista.preemptable
        def cancel(self) -> bool:
            sleeping = vista.self_ref(self).sleep.future()
            vista.send(self, "touch")
            sleeping.cancel()
            return ended.wait(5)

        def touch(self) -> None:
            """Come after the sleep has begun."""

    assert vista.create(Sleeper).cancel()


def test_a_callback_added_by_a_native_method_is_called_on_the_loop(native: vista.Ref) -> None:
    gate, journal = vista.create(Gate), vista.create(Journal)
    native.note_ends(gate, journal)
    gate.open()
    assert until(journal.read) == [["passed", native.thread_of_the_loop()]]


def test_a_native_method_creates(native: vista.Ref) -> None:
    assert native.make().get() == 5


def test_a_native_method_sleeps_on_the_clock_of_its_world(native: vista.Ref) -> None:
    assert native.sleep(0.005) == "slept"


def test_a_native_method_bounds_its_calls(native: vista.Ref) -> None:
    gate = vista.create(Gate)
    assert native.call_within(0.01, gate) == "late"
    until(lambda: gate.count() == 0)


def test_a_native_method_that_waits_for_its_own_object_is_refused(native: vista.Ref) -> None:
    assert native.wait_for_own_answer() == "deadlock"
    assert native.answer() == 42


def test_a_chain_that_comes_back_to_a_native_method_is_refused(native: vista.Ref) -> None:
    assert native.call_back(vista.create(Native)) == "deadlock"
    assert native.answer() == 42


def test_a_native_method_is_native_in_the_list_while_it_waits(native: vista.Ref) -> None:
    assert native.look_at_threads() == ["native"]


def test_a_native_method_acts_for_the_user_who_called(node: vista.Node, native: vista.Ref) -> None:
    assert node.call(native.user, user="anna") == "anna"


def test_a_native_method_whose_caller_was_killed_may_still_send(native: vista.Ref) -> None:
    class Late(vista.Object):
        @vista.native
        def work(self, gate: vista.Ref, journal: vista.Ref) -> None:
            with contextlib.suppress(ThreadKilled):
                gate.pass_through()
            journal.write("written")

    gate, journal = vista.create(Gate), vista.create(Journal)
    working = vista.create(Late).work.future(gate, journal)
    until(lambda: gate.count() == 1)
    working.cancel()
    until(lambda: journal.read() == ["written"])
    with pytest.raises(ThreadKilled):
        working.result()


def test_more_native_methods_than_kernel_threads_take_turns(make_node: Any) -> None:
    make_node(native_threads_max=2)
    natives = [vista.create(Native) for _ in range(10)]
    counter = vista.create(Counter)
    calls = [native.call_in_flight.future(counter, 1) for native in natives]
    answers = [number for numbers in vista.gather(*calls) for number in numbers]
    assert sorted(answers) == list(range(1, 11))
