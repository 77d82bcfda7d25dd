"""The simulated world itself: its clock, nodes, kernel threads, trace, and what makes it fail."""

from __future__ import annotations

import asyncio
import doctest
import itertools
import re
import threading
from collections import deque

import pytest

import vista
from tests.house.source import ROOT
from vista import testing
from vista.kernel.table import QUEUED
from vista.testing import (
    Event,
    Failure,
    SimulatedHub,
    World,
    contradictions,
    first_difference,
    run_seed,
    run_seeds,
    unrest,
)


class Counter(vista.Object, namespace="Simulation"):
    """Counts, at once or later, here or in a kernel thread."""

    def create(self, start: int = 0) -> None:
        self.value = start

    def increment(self, by: int = 1) -> int:
        self.value += by
        return self.value

    def increment_later(self, seconds: float) -> int:
        vista.sleep(seconds)
        return self.increment()

    @vista.native
    def increment_in_a_kernel_thread(self) -> int:
        self.value += 1
        return self.value

    @vista.native
    def ask(self, other: vista.Ref, seconds: float) -> int:
        answer: int = other.increment_later(seconds)
        return answer

    @vista.native
    def ask_in_time(self, other: vista.Ref, seconds: float, bound: float) -> int:
        answer: int = other.increment_later.future(seconds).result(bound)
        return answer

    @vista.native
    def name_of_thread(self) -> str:
        return threading.current_thread().name

    @vista.native
    def fail_in_a_kernel_thread(self) -> None:
        raise ArithmeticError("it was to fail")


# --- time ----------------------------------------------------------------------------------


def test_an_hour_passes_at_once() -> None:
    with World(0) as world:
        world.run(vista.sleep, 50.0)
        assert 50.0 <= world.time < 50.1


def test_the_clock_stands_while_nobody_moves_the_world() -> None:
    with World(0) as world:
        node = world.node()
        ended = node.spawn(vista.sleep, 1.0)
        assert world.time < 0.1
        assert not ended.done()
        world.pass_time(2.0)
        assert ended.done()


def test_passing_time_ends_when_it_is_over_though_more_is_to_come() -> None:
    with World(0) as world:
        world.node().spawn(vista.sleep, 10.0)
        world.pass_time(1.0)
        assert 1.0 <= world.time < 1.1


def test_entropy_and_dice_come_from_the_seed() -> None:
    def draws(seed: int) -> tuple[bytes, float]:
        with World(seed) as world:
            return world.hub.entropy(8), world.hub.random.random()

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


# --- nodes ---------------------------------------------------------------------------------


def test_a_ref_used_outside_moves_the_world() -> None:
    with World(0) as world:
        counter = world.node().call(vista.create, Counter, 5)
        assert counter.increment_later(3.0) == 6
        assert world.time >= 3.0


def test_functions_of_vista_work_with_the_node_of_the_enclosing_block() -> None:
    with World(0) as world, world.node():
        counter = vista.create(Counter, 1)
        assert vista.send(counter, "increment") == 2
        with vista.timeout(1.0), pytest.raises(vista.CallTimeout):
            counter.increment_later(2.0)
        assert 1.0 <= world.time < 1.1


def test_a_future_awaited_outside_ends_at_its_bound() -> None:
    with World(0) as world:
        counter = world.node().call(vista.create, Counter)
        future = counter.increment_later.future(2.0)
        with pytest.raises(vista.CallTimeout):
            future.result(timeout=1.0)
        assert 1.0 <= world.time < 1.1
        assert future.result() == 1


def test_nodes_of_one_world_have_objects_of_their_own() -> None:
    with World(0) as world:
        first, second = world.node("first"), world.node("second")
        one, other = first.call(vista.create, Counter), second.call(vista.create, Counter, 10)
        assert (one.increment(), other.increment()) == (1, 11)
        assert vista.id_of(one).node != vista.id_of(other).node


def test_two_nodes_of_one_name_are_refused() -> None:
    with World(0) as world:
        world.node("first")
        with pytest.raises(vista.BadValueError):
            world.node("first")


def test_a_node_that_is_asked_to_stop_lets_its_threads_finish() -> None:
    with World(0) as world:
        node = world.node()
        counter = node.call(vista.create, Counter)
        future = counter.increment_later.future(1.0)
        node.stop()
        assert future.result() == 1


def test_a_node_that_stops_kills_threads_that_do_not_finish() -> None:
    with World(0) as world:
        node = world.node(limits=vista.Limits(drain_seconds=2.0))
        ended = node.spawn(vista.sleep, 1000.0)
        world.pass_time(1.0)
        node.stop()
        assert isinstance(ended.exception(), vista.ThreadKilled)
        assert world.time < 10.0


def test_a_closed_world_leaves_no_thread_behind() -> None:
    ended: list[str] = []

    def wait_long() -> None:
        try:
            vista.sleep(1000.0)
        finally:
            ended.append("ended")

    before = threading.active_count()
    with World(0) as world:
        node = world.node()
        node.spawn(wait_long)
        counter = node.call(vista.create, Counter)
        counter.ask.future(node.call(vista.create, Counter), 1000.0)
        world.pass_time(1.0)
    assert ended == ["ended"]
    assert threading.active_count() == before


def test_a_world_has_no_sockets() -> None:
    async def listen() -> None:
        await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)

    with World(0) as world:
        with pytest.raises(vista.WrongContextError, match="no sockets"):
            world.run(lambda: vista.wait(listen()))
        with pytest.raises(vista.WrongContextError, match="no sockets"):
            world.hub.loop.add_reader(0, listen)


# --- kernel threads ------------------------------------------------------------------------


def test_a_native_method_runs_in_a_thread_of_its_own() -> None:
    with World(0) as world:
        counter = world.node().call(vista.create, Counter)
        assert counter.name_of_thread() != threading.current_thread().name


def test_a_native_method_that_sends_lets_virtual_time_pass() -> None:
    with World(0) as world:
        node = world.node()
        counter, other = node.call(vista.create, Counter), node.call(vista.create, Counter)
        assert counter.ask(other, 20.0) == 1
        assert world.time >= 20.0


def test_a_native_method_that_waits_with_a_bound_gets_its_timeout() -> None:
    with World(0) as world:
        node = world.node()
        counter, other = node.call(vista.create, Counter), node.call(vista.create, Counter)
        with pytest.raises(vista.CallTimeout):
            counter.ask_in_time(other, 20.0, 5.0)
        assert 5.0 <= world.time < 5.5


def test_the_error_of_a_native_method_reaches_its_caller() -> None:
    with World(0) as world:
        counter = world.node().call(vista.create, Counter)
        with pytest.raises(ArithmeticError, match="it was to fail"):
            counter.fail_in_a_kernel_thread()


def test_native_methods_wait_for_a_kernel_thread_when_all_are_taken() -> None:
    with World(0) as world:
        world.hub.natives._count_max = 1
        node = world.node()
        first, second, other = (node.call(vista.create, Counter) for _ in range(3))
        asked = first.ask.future(other, 10.0)
        world.pass_time(1.0)
        waiting = second.increment_in_a_kernel_thread.future()
        world.pass_time(5.0)
        assert not waiting.done()
        assert (asked.result(), waiting.result()) == (1, 1)


# --- the order of what is ready ------------------------------------------------------------


def _hub_that_permutes() -> SimulatedHub:
    for seed in itertools.count():
        hub = SimulatedHub(seed)
        if not hub._orderly:
            return hub
        hub.close()
    raise AssertionError


def test_order_keeps_the_messages_of_one_object_in_line() -> None:
    hub = _hub_that_permutes()
    one, other = object(), object()
    ready = deque([(one, 1), (other, 1), (one, 2), (one, 3), (other, 2), (other, 3)])
    came_first = set()
    for _ in range(50):
        permuted = deque(ready)
        hub.order(permuted)
        assert [item for item in permuted if item[0] is one] == [(one, n) for n in (1, 2, 3)]
        assert [item for item in permuted if item[0] is other] == [(other, n) for n in (1, 2, 3)]
        came_first.add(permuted[0])
    assert came_first == {(one, 1), (other, 1)}
    hub.close()


def test_order_lets_nobody_wait_for_more_than_one_round() -> None:
    hub = _hub_that_permutes()
    ready = deque((object(), number) for number in range(20))
    for _ in range(30):
        hub.order(ready)
        before = list(ready)
        for _ in range(5):
            ready.popleft()
        ready.extend((object(), 0) for _ in range(5))
        hub.order(ready)
        assert list(ready)[:15] == before[5:]
    hub.close()


# --- what makes a world fail ---------------------------------------------------------------


def test_waiting_for_what_never_comes_fails() -> None:
    with World(0) as world:
        never = world.hub.loop.create_future()
        with pytest.raises(Failure, match="nothing is left to happen"):
            world.run(lambda: vista.wait(never))


def test_a_condition_that_is_not_met_in_time_fails() -> None:
    with World(0) as world:
        world.node().spawn(vista.sleep, 50.0)
        with pytest.raises(Failure, match=r"10\.0 s have passed"):
            world.drive(lambda: False, 10.0)


def test_a_world_that_never_rests_fails() -> None:
    def go_on() -> None:
        while True:
            vista.sleep(1.0)

    with World(0) as world:
        world.node().spawn(go_on)
        with pytest.raises(Failure, match="live threads: 1"):
            world.run_until_idle(30.0)


def test_the_first_complaint_of_a_watcher_stops_the_world() -> None:
    def look(event: Event) -> str:
        return "it counts" if event.method == "increment" else ""

    with World(0) as world:
        counter = world.node().call(vista.create, Counter)
        world.watch(look)
        with pytest.raises(Failure, match=r"it counts .*Counter#\d+\.increment"):
            counter.increment()


def test_an_error_in_a_callback_of_the_loop_is_raised_where_the_world_is_moved() -> None:
    def fail() -> None:
        raise ArithmeticError("in the loop")

    with World(0) as world:
        world.hub.loop.call_later(1.0, fail)
        with pytest.raises(ArithmeticError, match="in the loop"):
            world.pass_time(2.0)


def test_moving_a_world_from_its_own_loop_is_refused() -> None:
    with World(0) as world:
        world.hub.loop.call_soon(world.pass_time, 1.0)
        with pytest.raises(vista.WrongContextError):
            world.pass_time(1.0)


def test_what_is_left_at_rest_is_named() -> None:
    with World(0) as world:
        node = world.node()
        counter = node.call(vista.create, Counter)
        counter.increment_later.future(5.0)
        world.pass_time(1.0)
        with pytest.raises(Failure, match=r"live threads: 1; node: timers: \d"):
            world.check_rest()
        world.run_until_idle()
        world.check_rest()
        counter._record.state = QUEUED
        assert [words.split(" ", 2)[2] for words in unrest(node.kernel)] == ["is QUEUED"]
        counter._record.state = counter._record.idle


def test_tables_that_contradict_one_another_are_named() -> None:
    with World(0) as world:
        node = world.node()
        record = node.call(vista.create, Counter)._record
        assert contradictions(node.kernel) == []
        record.state = QUEUED
        assert "is queued and has 0 messages ready" in contradictions(node.kernel)[0]
        waiter = object()
        record.queue, record.state = deque([waiter, waiter]), record.idle
        idle, twice = contradictions(node.kernel)
        assert "2 wait for" in idle
        assert "stands twice" in twice
        record.queue = None


# --- traces and seeds ----------------------------------------------------------------------


def _count(world: World) -> None:
    counter = world.node().call(vista.create, Counter)
    calls = [counter.increment_later.future(world.hub.random.random()) for _ in range(3)]
    world.note(f"answers {[call.result() for call in calls]}")
    world.run_until_idle()


def test_equal_seeds_give_equal_traces_and_others_others() -> None:
    one, again, other = (run_seed(_count, seed) for seed in (1, 1, 2))
    assert one.events == again.events
    assert one.digest() == again.digest() != other.digest()
    assert first_difference(one, again) == ""
    assert "was once" in first_difference(one, other)


def test_a_trace_tells_how_a_thread_lived() -> None:
    with World(0) as world:
        counter = world.node().call(vista.create, Counter)
        counter.increment_later(1.0)
        lived = [event for event in world.trace.events if event.method == "increment_later"]
    kinds = [(event.kind, event.detail) for event in lived]
    assert kinds == [
        ("started", ""),
        ("parked", "sleep"),
        ("woken", ""),
        ("resumed", ""),
        ("ended", "returned"),
    ]
    assert len({event.thread for event in lived}) == 1


def test_a_scenario_that_a_seed_does_not_decide_fails() -> None:
    runs = itertools.count()

    def scenario(world: World) -> None:
        world.note(f"run {next(runs)}")

    with pytest.raises(Failure, match=r"two runs of one seed differ: event 0 was once .* run 0"):
        run_seeds(scenario, [5])


def test_a_failing_seed_is_named_with_the_command_that_replays_it() -> None:
    def scenario(world: World) -> None:
        world.note("so far so good")
        if world.seed == 3:
            raise ArithmeticError("it was to fail")

    with pytest.raises(ArithmeticError) as caught:
        run_seeds(scenario, range(5), "pytest this --seeds-from {seed} --seeds 1")
    notes = "\n".join(caught.value.__notes__)
    assert "seed 3 failed" in notes
    assert "so far so good" in notes
    assert "pytest this --seeds-from 3 --seeds 1" in notes


def test_each_seed_has_its_digest() -> None:
    digests = run_seeds(_count, range(3))
    assert list(digests) == [0, 1, 2]
    assert len(set(digests.values())) == 3


def test_the_examples_of_the_page_on_testing_run() -> None:
    page = ROOT / "docs" / "testing.rst"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 5
    assert failed == 0


def test_what_is_exported_for_tests_of_applications_is_documented() -> None:
    page = (ROOT / "docs" / "testing.rst").read_text("utf-8")
    words = set(re.findall(r"\w+", page))
    assert [name for name in testing.__all__ if name not in words] == []
