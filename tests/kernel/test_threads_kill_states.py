"""A thread is killed whatever it does at the moment."""

from __future__ import annotations

import asyncio
import threading

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, row_of, runs, until, wait_in_line
from tests.kernel.test_threads_kill import Worker, kill
from vista.errors import CallTimeout, ThreadKilled


@pytest.fixture
def worker(journal: vista.Ref) -> vista.Ref:
    return vista.create(Worker, journal)


# --- in which state it is -------------------------------------------------------------------


def test_a_sleeping_thread_is_killed(worker: vista.Ref) -> None:
    sleeping = worker.sleep.future()
    until(lambda: runs("sleep"))
    kill("sleep")
    with pytest.raises(ThreadKilled):
        sleeping.result()


def test_a_thread_that_waits_for_a_service_is_killed(worker: vista.Ref) -> None:
    waiting = worker.wait_for_service.future()
    until(lambda: runs("wait_for_service"))
    kill("wait_for_service")
    with pytest.raises(ThreadKilled):
        waiting.result()


def test_a_thread_that_waits_for_its_object_is_killed_at_once(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting, keeper, keeping = wait_in_line(worker, gate)
    kill("wait_at")
    with pytest.raises(ThreadKilled):
        waiting.result()
    assert not keeping.done()
    keeper.open()
    keeping.result()


def test_a_kill_between_wake_and_run_is_not_lost(
    node: vista.Node, worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = row_of("wait_at").id

    def wake_and_kill() -> None:
        gate.open()
        vista.kill(thread)

    node.call(wake_and_kill)
    with pytest.raises(ThreadKilled):
        waiting.result()


def test_a_message_that_has_not_started_is_cancelled(
    worker: vista.Ref, gate: vista.Ref, journal: vista.Ref
) -> None:
    keeper = vista.create(Gate)
    keeping = worker.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    waiting, after = worker.wait_at.future(gate), worker.answer.future()
    waiting.cancel()
    with pytest.raises(ThreadKilled):
        waiting.result()
    keeper.open()
    assert vista.gather(keeping, after) == [None, 42]
    assert gate.count() == 0


def test_a_suspended_thread_is_killed(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    vista.suspend(row_of("wait_at").id)
    kill("wait_at")
    with pytest.raises(ThreadKilled):
        waiting.result()


def test_a_thread_that_stopped_with_its_answer_ready_is_killed(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    vista.suspend(row_of("wait_at").id)
    gate.open()
    vista.sleep(0.005)
    kill("wait_at")
    with pytest.raises(ThreadKilled):
        waiting.result()


def test_a_thread_kills_itself(worker: vista.Ref, journal: vista.Ref) -> None:
    with pytest.raises(ThreadKilled):
        worker.kill_self()
    assert journal.read() == ["still here"]
    assert worker.answer() == 42


def test_a_thread_kills_its_caller_and_ends_with_it(worker: vista.Ref, journal: vista.Ref) -> None:
    other = vista.create(Worker, journal)
    with pytest.raises(ThreadKilled, match="call_killer"):
        worker.call_killer(other)
    vista.sleep(0.01)
    assert journal.read() in ([], ["still here"])
    assert [worker.answer(), other.answer()] == [42, 42]


class Blocked(vista.Object):
    """Blocks its kernel thread where no kill reaches it."""

    def create(self, journal: vista.Ref) -> None:
        self.journal = journal
        self._begun, self._released = threading.Event(), threading.Event()

    @vista.native
    def block(self) -> str:
        self._begun.set()
        self._released.wait(30)
        self.journal.write("native went on")
        return "native result"

    @vista.preemptable
    def has_begun(self) -> bool:
        return self._begun.is_set()

    @vista.preemptable
    def release(self) -> None:
        self._released.set()

    def answer(self) -> int:
        return 42


def test_a_native_method_that_is_killed_ends_when_it_returns(real_node: vista.Node) -> None:
    journal = vista.create(Journal)
    blocked = vista.create(Blocked, journal)
    blocking = blocked.block.future()
    until(blocked.has_begun)
    kill("block")
    vista.sleep(0.01)
    assert not blocking.done()
    blocked.release()
    with pytest.raises(ThreadKilled):
        blocking.result()
    assert journal.read() == ["native went on"]


def test_a_native_method_that_is_killed_keeps_its_object_to_its_end(
    real_node: vista.Node,
) -> None:
    blocked = vista.create(Blocked, vista.create(Journal))
    blocking = blocked.block.future()
    until(blocked.has_begun)
    kill("block")
    answering = blocked.answer.future()
    vista.sleep(0.01)
    assert not answering.done()
    blocked.release()
    assert answering.result() == 42
    assert isinstance(blocking.exception(), ThreadKilled)


def test_a_native_method_that_is_killed_cancels_what_it_calls(
    worker: vista.Ref, gate: vista.Ref, journal: vista.Ref
) -> None:
    blocking = worker.block.future(gate)
    until(lambda: gate.count() == 1)
    kill("block")
    with pytest.raises(ThreadKilled):
        blocking.result()
    until(lambda: gate.count() == 0)
    assert journal.read() == []


def test_a_native_method_whose_caller_gives_up_cancels_what_it_calls(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    with pytest.raises(CallTimeout), vista.timeout(0.01):
        worker.block(gate)
    until(lambda: gate.count() == 0)


def test_a_native_call_in_flight_that_is_cancelled_ends_for_its_holder_at_once(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    blocking = worker.block.future(gate)
    until(lambda: gate.count() == 1)
    blocking.cancel()
    with pytest.raises(ThreadKilled):
        blocking.result()
    gate.open()


def test_an_async_method_is_cancelled(worker: vista.Ref) -> None:
    serving = worker.serve.future()
    until(lambda: runs("serve"))
    kill("serve")
    with pytest.raises(ThreadKilled):
        serving.result()
    until(lambda: worker.noted_text() == "async ended")


def test_an_async_method_that_has_not_begun_is_cancelled(
    node: vista.Node, worker: vista.Ref
) -> None:
    def start_and_kill() -> vista.Future:
        serving = worker.serve.future()
        while not runs("serve"):
            vista.sleep(0)
        kill("serve")
        return serving

    with pytest.raises(ThreadKilled):
        node.call(start_and_kill).result()
    assert worker.answer() == 42


def test_an_async_method_that_resists_its_end_does_not_block_its_object(
    worker: vista.Ref,
) -> None:
    serving = worker.be_stubborn.future(1)
    until(lambda: runs("be_stubborn"))
    kill("be_stubborn")
    with pytest.raises(ThreadKilled):
        serving.result()
    assert worker.answer() == 42


def test_an_async_method_that_waits_for_its_object_is_cancelled(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    class Server(vista.Object):
        def create(self) -> None:
            self.event = asyncio.Event()

        async def serve(self) -> None:
            await self.event.wait()

        @vista.preemptable
        def release(self) -> None:
            self.event.set()

        @vista.exclusive
        def keep(self, gate: vista.Ref) -> None:
            gate.pass_through()

    server = vista.create(Server)
    serving = server.serve.future()
    until(lambda: runs("serve"))
    keeping = server.keep.future(gate)
    until(lambda: gate.count() == 1)
    server.release()
    vista.sleep(0.005)
    kill("serve")
    with pytest.raises(ThreadKilled):
        serving.result()
    assert not keeping.done()
    gate.open()
    keeping.result()


def test_a_thread_in_the_ready_queue_is_killed(real_node: vista.Node) -> None:
    counter, worker = vista.create(Counter), vista.create(Worker, vista.create(Journal))

    class Runner(vista.Object):
        def run(self) -> None:
            while True:
                counter.increment()

    running = vista.create(Runner).run.future()
    until(lambda: runs("run"))
    kill("run")
    with pytest.raises(ThreadKilled):
        running.result()
    assert worker.answer() == 42
