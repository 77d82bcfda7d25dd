"""`suspend` and `resume`: in every state a thread can be in."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Journal, row_of, runs, until, wait_in_line
from vista.errors import BadValueError, CallTimeout, NoSuchObject, ThreadKilled


class SuspendWorker(vista.Object):
    """Waits in many ways."""

    def create(self) -> None:
        self.entries: list[str] = []

    def wait_at(self, gate: vista.Ref) -> str:
        gate.pass_through()
        self.entries.append("passed")
        return "passed"

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> str:
        gate.pass_through()
        return "kept"

    def call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def call_within(self, seconds: float, target: Any, method: str, *args: Any) -> Any:
        with vista.timeout(seconds):
            return vista.send(target, method, *args)

    def stop_self(self) -> str:
        vista.suspend(vista.current_thread())
        return "went on"

    @vista.native
    def block(self, gate: vista.Ref) -> str:
        gate.pass_through()
        return "native result"

    async def serve(self, gate: vista.Ref) -> str:
        self.entries.append("in")
        await vista.aio.send(gate, "pass_through")
        self.entries.append("out")
        return "served"

    async def be_busy(self) -> None:
        while "stop" not in self.entries:
            self.entries.append("tick")
            await vista.aio.sleep(0.001)

    @vista.preemptable
    def note(self, text: str) -> None:
        self.entries.append(text)

    @vista.preemptable
    def look(self) -> list[str]:
        return self.entries

    def answer(self) -> int:
        return 42


@pytest.fixture
def worker(node: vista.Node) -> vista.Ref:
    return vista.create(SuspendWorker)


def suspend(method: str) -> vista.Id:
    id = row_of(method).id
    vista.suspend(id)
    return id


def stays(future: vista.Future) -> bool:
    """Return whether a call is still in flight after a while."""
    vista.sleep(0.01)
    return not future.done()


def test_a_suspended_thread_stays_until_it_is_resumed(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("wait_at")
    gate.open()
    assert stays(waiting)
    vista.resume(thread)
    assert waiting.result() == "passed"


def test_a_thread_resumed_before_its_wait_ends_waits_on(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    vista.resume(suspend("wait_at"))
    assert stays(waiting)
    gate.open()
    assert waiting.result() == "passed"


def test_the_object_of_a_suspended_thread_lets_others_in(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("wait_at")
    gate.open()
    vista.sleep(0.005)
    assert worker.answer() == 42
    vista.resume(thread)
    waiting.result()


def test_a_thread_suspended_in_the_line_of_its_object_does_not_hold_it(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting, keeper, keeping = wait_in_line(worker, gate)
    thread = suspend("wait_at")
    keeper.open()
    keeping.result()
    assert worker.answer() == 42
    assert stays(waiting)
    vista.resume(thread)
    assert waiting.result() == "passed"


def test_a_thread_suspended_between_wake_and_run_does_not_hold_its_object(
    node: vista.Node, worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = row_of("wait_at").id

    def wake_and_suspend() -> None:
        gate.open()
        vista.suspend(thread)

    node.call(wake_and_suspend)
    assert worker.answer() == 42
    assert stays(waiting)
    vista.resume(thread)
    assert waiting.result() == "passed"


def test_a_suspended_exclusive_thread_keeps_its_object(worker: vista.Ref, gate: vista.Ref) -> None:
    keeping = worker.keep.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("keep")
    answering = worker.answer.future()
    gate.open()
    assert stays(answering)
    vista.resume(thread)
    assert vista.gather(keeping, answering) == ["kept", 42]


def test_a_thread_in_the_ready_queue_is_suspended_and_lets_others_in(
    real_node: vista.Node,
) -> None:
    class Runner(vista.Object):
        def create(self) -> None:
            self.stopped = False

        def run(self) -> str:
            counter = vista.create(Counter)
            while not self.stopped:
                counter.increment()
            return "stopped"

        def stop(self) -> None:
            self.stopped = True

    runner = vista.create(Runner)
    running = runner.run.future()
    until(lambda: runs("run"))
    thread = suspend("run")
    runner.stop()
    assert stays(running)
    vista.resume(thread)
    assert running.result() == "stopped"


def test_suspending_a_called_thread_suspends_its_caller(worker: vista.Ref, gate: vista.Ref) -> None:
    other = vista.create(SuspendWorker)
    calling = other.call.future(worker, "wait_at", gate)
    until(lambda: gate.count() == 1)
    thread = suspend("wait_at")
    gate.open()
    assert stays(calling)
    vista.resume(thread)
    assert calling.result() == "passed"


def test_a_thread_suspends_itself(worker: vista.Ref) -> None:
    stopping = worker.stop_self.future()
    until(lambda: runs("stop_self") and row_of("stop_self").state == "suspended")
    assert worker.answer() == 42
    assert stays(stopping)
    vista.resume(row_of("stop_self").id)
    assert stopping.result() == "went on"


def test_a_suspended_native_method_is_held_when_it_returns(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    blocking = worker.block.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("block")
    gate.open()
    assert stays(blocking)
    assert worker.answer() == 42
    vista.resume(thread)
    assert blocking.result() == "native result"


def test_a_suspended_async_method_is_held_at_its_await(worker: vista.Ref, gate: vista.Ref) -> None:
    serving = worker.serve.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("serve")
    gate.open()
    assert stays(serving)
    assert worker.look() == ["in"]
    vista.resume(thread)
    assert serving.result() == "served"


def test_an_async_method_that_runs_on_and_on_is_suspended(worker: vista.Ref) -> None:
    busy = worker.be_busy.future()
    until(lambda: "tick" in worker.look())
    thread = suspend("be_busy")
    vista.sleep(0.01)
    count = len(worker.look())
    vista.sleep(0.02)
    assert len(worker.look()) == count
    worker.note("stop")
    vista.resume(thread)
    busy.result()


def test_a_suspended_async_method_is_killed(worker: vista.Ref, gate: vista.Ref) -> None:
    serving = worker.serve.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("serve")
    gate.open()
    vista.sleep(0.005)
    vista.kill(thread)
    with pytest.raises(ThreadKilled):
        serving.result()
    assert worker.answer() == 42


def test_a_thread_suspended_twice_is_resumed_once(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    suspend("wait_at")
    thread = suspend("wait_at")
    gate.open()
    vista.sleep(0.005)
    vista.resume(thread)
    assert waiting.result() == "passed"


def test_resuming_a_thread_that_is_not_suspended_does_nothing(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    vista.resume(row_of("wait_at").id)
    gate.open()
    assert waiting.result() == "passed"


def test_a_call_to_a_suspended_thread_is_bounded_in_time(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    caller = vista.create(SuspendWorker)
    calling = caller.call_within.future(0.05, worker, "wait_at", gate)
    until(lambda: gate.count() == 1)
    suspend("wait_at")
    gate.open()
    with pytest.raises(CallTimeout):
        calling.result()


def test_a_call_to_a_thread_that_suspends_itself_is_bounded_in_time(worker: vista.Ref) -> None:
    caller = vista.create(SuspendWorker)
    with pytest.raises(CallTimeout):
        caller.call_within(0.05, worker, "stop_self")
    assert worker.answer() == 42


def test_deleting_an_object_ends_its_suspended_threads(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    suspend("wait_at")
    vista.delete(worker)
    assert isinstance(waiting.exception(), NoSuchObject)
    until(lambda: gate.count() == 0)


def test_a_suspended_thread_ends_with_its_node() -> None:
    journal: list[str] = []

    class Stuck(vista.Object):
        def wait(self) -> None:
            try:
                vista.suspend(vista.current_thread())
            finally:
                journal.append("ended")

    with vista.Node(limits=vista.Limits(drain_seconds=0.01)):
        vista.create(Stuck).wait.post()
        until(lambda: runs("wait") and row_of("wait").state == "suspended")
    assert journal == ["ended"]


def test_a_watched_object_tells_of_a_change_made_before_a_suspension(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    class Watcher(vista.Object):
        def object_modified(self, id: vista.Id) -> None:
            journal.write("modified")

    journal = vista.create(Journal)
    worker.add_notify_when_modified(vista.create(Watcher))
    serving = worker.serve.future(gate)
    until(lambda: gate.count() == 1)
    thread = suspend("serve")
    gate.open()
    vista.sleep(0.005)
    assert journal.read() == []
    vista.resume(thread)
    serving.result()
    until(lambda: journal.read() == ["modified"])


@pytest.mark.parametrize("function", [vista.suspend, vista.resume])
def test_a_thread_that_has_ended_is_refused(
    worker: vista.Ref, gate: vista.Ref, function: Any
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = row_of("wait_at").id
    gate.open()
    waiting.result()
    until(lambda: not runs("wait_at"))
    with pytest.raises(NoSuchObject):
        function(thread)


@pytest.mark.parametrize("function", [vista.suspend, vista.resume])
def test_what_is_no_id_is_refused(node: vista.Node, function: Any) -> None:
    with pytest.raises(BadValueError):
        function("text")
