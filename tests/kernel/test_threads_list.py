"""`vista.threads`: which threads live, in which state, for whom they wait, and their Ids."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, row_of, runs, until
from vista.testing import World


class ListWorker(vista.Object):
    """Waits in many ways."""

    def create(self) -> None:
        self.event = asyncio.Event()

    def sleep(self) -> None:
        vista.sleep(1000)

    def wait_for_awaitable(self) -> None:
        vista.wait(self.event.wait())

    def wait_for_service(self) -> None:
        vista.wait_for_service("Late")

    def call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def call_in_flight(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    def gather(self, *gates: vista.Ref) -> None:
        vista.gather(*[gate.pass_through.future() for gate in gates])

    def wait_at(self, gate: vista.Ref) -> None:
        gate.pass_through()

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    @vista.native
    def block(self, gate: vista.Ref) -> None:
        gate.pass_through()

    async def serve(self) -> None:
        await self._inner_wait()

    async def _inner_wait(self) -> None:
        await self.event.wait()

    def rows(self) -> list[Any]:
        return vista.threads()

    def own_id(self) -> vista.Id:
        return vista.current_thread()

    def two_ids(self) -> list[vista.Id]:
        return [vista.current_thread(), vista.current_thread()]

    def own_and_called_id(self, other: vista.Ref) -> list[vista.Id]:
        return [vista.current_thread(), other.own_id()]


@pytest.fixture
def worker(node: vista.Node) -> vista.Ref:
    return vista.create(ListWorker)


def end(*methods: str) -> None:
    """Kill threads and wait until they are gone."""
    for method in methods:
        vista.kill(row_of(method).id)
    until(lambda: not any(runs(method) for method in methods))


def test_a_row_names_object_class_and_method(worker: vista.Ref) -> None:
    worker.sleep.post()
    until(lambda: runs("sleep"))
    row = row_of("sleep")
    assert (row.object, row.class_name) == (vista.id_of(worker), "Local.ListWorker")
    end("sleep")


def test_a_thread_that_sleeps_is_sleeping(worker: vista.Ref) -> None:
    worker.sleep.post()
    until(lambda: runs("sleep"))
    row = row_of("sleep")
    assert (row.state, row.waiting_for) == ("sleeping", "")
    end("sleep")


def test_the_thread_that_asks_is_running(worker: vista.Ref) -> None:
    (row,) = [row for row in worker.rows() if row.method == "rows"]
    assert (row.state, row.waiting_for, row.stack) == ("running", "", "")


def test_a_thread_that_awaits_is_waiting_for_an_awaitable(worker: vista.Ref) -> None:
    worker.wait_for_awaitable.post()
    until(lambda: runs("wait_for_awaitable"))
    row = row_of("wait_for_awaitable")
    assert (row.state, row.waiting_for) == ("waiting", "an awaitable")
    end("wait_for_awaitable")


def test_a_thread_that_waits_for_a_service_names_it(worker: vista.Ref) -> None:
    worker.wait_for_service.post()
    until(lambda: runs("wait_for_service"))
    row = row_of("wait_for_service")
    assert (row.state, row.waiting_for) == ("waiting", "service 'Late'")
    end("wait_for_service")


def test_a_caller_waits_for_the_answer_of_the_thread_nested_in_it(real_node: vista.Node) -> None:
    worker, gate = vista.create(ListWorker), vista.create(Gate)
    worker.wait_at.post(gate)
    until(lambda: gate.count() == 1)
    row = row_of("wait_at")
    assert (row.state, row.waiting_for) == ("waiting", "the answer of Gate.pass_through")
    assert row_of("pass_through").waiting_for == "an awaitable"
    end("wait_at")


def test_a_caller_waits_for_the_answer_of_a_thread_elsewhere(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    worker.call_in_flight.post(gate, "pass_through")
    until(lambda: gate.count() == 1)
    row = row_of("call_in_flight")
    assert (row.state, row.waiting_for) == ("waiting", "the answer of Gate.pass_through")
    end("call_in_flight")


def test_a_thread_that_gathers_says_for_how_many(worker: vista.Ref) -> None:
    gates = [vista.create(Gate) for _ in range(3)]
    worker.gather.post(*gates)
    until(lambda: all(gate.count() == 1 for gate in gates))
    assert row_of("gather").waiting_for == "the answers of 3 calls"
    gates[0].open()
    until(lambda: row_of("gather").waiting_for == "the answers of 2 calls")
    end("gather")


def test_a_thread_woken_that_waits_for_its_object_is_ready(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    keeper = vista.create(Gate)
    worker.wait_at.post(gate)
    until(lambda: gate.count() == 1)
    keeping = worker.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    gate.open()
    until(lambda: gate.count() == 0 and row_of("wait_at").state == "ready")
    assert row_of("wait_at").waiting_for == "its turn in ListWorker"
    keeper.open()
    keeping.result()
    until(lambda: not runs("wait_at"))


def test_a_native_thread_is_native(worker: vista.Ref, gate: vista.Ref) -> None:
    blocking = worker.block.future(gate)
    until(lambda: gate.count() == 1)
    assert row_of("block").state == "native"
    gate.open()
    blocking.result()


def test_a_suspended_thread_is_suspended(worker: vista.Ref) -> None:
    worker.sleep.post()
    until(lambda: runs("sleep"))
    vista.suspend(row_of("sleep").id)
    row = row_of("sleep")
    assert (row.state, row.waiting_for) == ("suspended", "vista.resume")
    end("sleep")


def test_the_stack_of_a_parked_thread_shows_the_line_where_it_waits(worker: vista.Ref) -> None:
    worker.sleep.post()
    until(lambda: runs("sleep"))
    stack = row_of("sleep").stack
    assert "vista.sleep(1000)" in stack
    assert "/vista/kernel/" not in stack
    end("sleep")


def test_the_stack_of_an_async_method_shows_the_await_it_is_at(worker: vista.Ref) -> None:
    worker.serve.post()
    until(lambda: runs("serve") and "event.wait()" in row_of("serve").stack)
    stack = row_of("serve").stack
    assert stack.index("await self._inner_wait()") < stack.index("await self.event.wait()")
    assert "/vista/kernel/" not in stack
    end("serve")


def test_the_stack_of_a_native_method_shows_where_it_runs(real_node: vista.Node) -> None:
    worker, gate = vista.create(ListWorker), vista.create(Gate)
    blocking = worker.block.future(gate)
    until(lambda: gate.count() == 1)
    assert "gate.pass_through()" in row_of("block").stack
    gate.open()
    blocking.result()


def test_a_row_names_the_user(node: vista.Node, worker: vista.Ref) -> None:
    node.call(worker.sleep.post, user="anna")
    until(lambda: runs("sleep"))
    assert row_of("sleep").user == "anna"
    end("sleep")


def test_the_age_counts_from_the_start_of_the_thread(
    virtual_node: vista.Node,
) -> None:
    worker = vista.create(ListWorker)
    worker.sleep.post()
    until(lambda: runs("sleep"))
    vista.sleep(30)
    assert row_of("sleep").age_seconds == pytest.approx(30, abs=1)
    end("sleep")


def test_a_thread_has_one_id_as_long_as_it_lives(worker: vista.Ref) -> None:
    one, other = worker.two_ids()
    assert one == other


def test_a_called_thread_has_an_id_of_its_own(worker: vista.Ref) -> None:
    own, called = worker.own_and_called_id(vista.create(ListWorker))
    assert own != called


def test_two_threads_of_one_object_have_different_ids(worker: vista.Ref) -> None:
    assert worker.own_id() != worker.own_id()


def test_the_id_in_the_list_is_the_id_the_thread_sees(worker: vista.Ref, gate: vista.Ref) -> None:
    class Teller(vista.Object):
        def tell(self, journal: vista.Ref, gate: vista.Ref) -> None:
            journal.write(vista.current_thread())
            gate.pass_through()

    journal = vista.create(Journal)
    telling = vista.create(Teller).tell.future(journal, gate)
    until(lambda: gate.count() == 1)
    assert journal.read() == [row_of("tell").id]
    gate.open()
    telling.result()


def test_the_rows_of_objects_count_their_threads_and_messages(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    keeping = worker.keep.future(gate)
    until(lambda: gate.count() == 1)
    waiting = [worker.own_id.future() for _ in range(3)]
    (row,) = [row for row in vista.objects() if row.id == vista.id_of(worker)]
    assert (row.threads, row.messages_queued) == (1, 3)
    gate.open()
    vista.gather(keeping, *waiting)


def test_ids_of_threads_that_ended_are_forgotten(node: vista.Node, worker: vista.Ref) -> None:
    for _ in range(200):
        worker.own_id()
    worker.own_id()
    assert len(node.kernel.thread_ids._known) < 100


def test_ten_thousand_parked_threads_are_listed(real_node: vista.Node) -> None:
    # Each row must not look at all others: that took minutes.
    gate = vista.create(Gate)
    waiting = [gate.pass_through.future(number) for number in range(10_000)]
    until(lambda: gate.count() == 10_000)
    rows = [row for row in vista.threads() if row.method == "pass_through"]
    assert len({row.id for row in rows}) == 10_000
    gate.open()
    assert vista.gather(*waiting) == list(range(10_000))


def test_the_list_works_on_while_threads_come_and_go(node: vista.Node, gate: vista.Ref) -> None:
    counter = vista.create(Counter)

    def come_and_go() -> set[str]:
        states = set()
        for _ in range(20):
            calls = [counter.increment.future() for _ in range(5)]
            states |= {row.state for row in vista.threads()}
            vista.gather(*calls)
        return states

    assert node.call(come_and_go) <= {"running", "ready", "waiting", "sleeping"}


class ListSleeper(vista.Object):
    """Sleeps, and has another one sleep after a rest in which its node does nothing."""

    def sleep(self, seconds: float) -> None:
        vista.sleep(seconds)

    def sleep_too(self, _word: str, seconds: float) -> None:
        vista.sleep(seconds)

    async def rest_and_send(self, other: vista.Ref) -> None:
        await vista.aio.sleep(100.0)
        other.sleep.post(50.0)
        other.sleep_too.post("while it is not idle", 50.0)
        await vista.aio.send(other, "sleep", 50.0)


def test_the_age_of_a_thread_counts_from_its_message_also_after_a_rest_of_its_node() -> None:
    with World(1) as world, world.node("a") as node:
        resting, sleeping = vista.create(ListSleeper), vista.create(ListSleeper)
        resting.rest_and_send.post(sleeping)
        world.pass_time(102.0)
        ages: dict[str, list[float]] = {row.method: [] for row in vista.threads()}
        for row in vista.threads():
            ages[row.method].append(row.age_seconds)
        assert ages["rest_and_send"] == pytest.approx([102.0], abs=0.5)
        assert ages["sleep"] == pytest.approx([2.0, 2.0], abs=0.5)
        assert ages["sleep_too"] == pytest.approx([2.0], abs=0.5)
        resting.sleep.post(900.0)
        world.pass_time(300.0)
        made = node.spawn(vista.threads)
        world.pass_time(1.0)
        rows = {row.method: row.age_seconds for row in made.result()}
        assert rows == pytest.approx({"outside": 0.0, "sleep": 300.0}, abs=0.5)
