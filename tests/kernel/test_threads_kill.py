"""`kill` and cancelling: in every state a thread can be in, and what becomes of what it called."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, row_of, runs, until
from vista.errors import BadValueError, NoSuchObject, ThreadKilled


class Worker(vista.Object):
    """Waits in many ways and notes how that ended."""

    def create(self, journal: vista.Ref) -> None:
        self.journal = journal

    def pass_on(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def wait_at(self, gate: vista.Ref) -> str:
        try:
            gate.pass_through()
        except BaseException as error:
            self.journal.write.post(type(error).__name__)
            raise
        return "passed"

    def survive(self, gate: vista.Ref) -> str:
        try:
            gate.pass_through()
        except Exception:
            return "survived"
        return "passed"

    def swallow(self, gate: vista.Ref) -> str:
        try:
            gate.pass_through()
        except:  # noqa: E722 - what a careless author writes
            return "swallowed"
        return "passed"

    def catch_of_nested(self, other: vista.Ref, gate: vista.Ref) -> str:
        try:
            other.wait_at(gate)
        except ThreadKilled as error:
            return f"caught {error}"
        return "passed"

    def sleep(self) -> None:
        vista.sleep(1000)

    def wait_and_tidy_up(self, gate: vista.Ref) -> None:
        try:
            gate.pass_through()
        finally:
            vista.sleep(0.001)
            self.journal.write("tidy")

    def gather_from(self, *gates: vista.Ref) -> None:
        vista.gather(*[gate.pass_through.future() for gate in gates])

    def wait_for_service(self) -> None:
        vista.wait_for_service("Never")

    def kill_self(self) -> None:
        try:
            vista.kill(vista.current_thread())
        finally:
            self.journal.write("still here")

    def kill_caller(self, thread: vista.Id) -> None:
        vista.kill(thread)
        self.journal.write("still here")

    def call_killer(self, other: vista.Ref) -> None:
        other.kill_caller(vista.current_thread())

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    @vista.native
    def block(self, gate: vista.Ref) -> str:
        gate.pass_through()
        self.journal.write("native went on")
        return "native result"

    async def serve(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self._note("async ended")

    def _note(self, text: str) -> None:
        self.noted = text

    def noted_text(self) -> str:
        return getattr(self, "noted", "")

    async def be_stubborn(self, times: int) -> str:
        for _ in range(times):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
        return "done"

    def answer(self) -> int:
        return 42


@pytest.fixture
def worker(journal: vista.Ref) -> vista.Ref:
    return vista.create(Worker, journal)


def call_of_nested(worker: vista.Ref, journal: vista.Ref, gate: vista.Ref) -> vista.Future:
    """Have a worker call another one, which waits at a gate; return the call of the first."""
    other = vista.create(Worker, journal)
    calling: vista.Future = worker.catch_of_nested.future(other, gate)
    until(lambda: gate.count() == 1)
    return calling


def kill(method: str) -> None:
    vista.kill(row_of(method).id)


# --- what the caller gets -------------------------------------------------------------------


def test_the_caller_of_a_killed_thread_gets_the_named_error(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    kill("wait_at")
    with pytest.raises(ThreadKilled, match="wait_at"):
        waiting.result()


def test_an_object_works_on_after_its_thread_was_killed(worker: vista.Ref, gate: vista.Ref) -> None:
    worker.wait_at.post(gate)
    until(lambda: gate.count() == 1)
    kill("wait_at")
    assert worker.answer() == 42


def test_a_killed_post_is_no_failed_post(worker: vista.Ref, gate: vista.Ref) -> None:
    worker.wait_at.post(gate)
    until(lambda: gate.count() == 1)
    kill("wait_at")
    until(lambda: not runs("wait_at"))
    assert vista.statistics()["posts_failed"] == 0


def test_a_killed_thread_runs_its_finally_blocks(
    worker: vista.Ref, gate: vista.Ref, journal: vista.Ref
) -> None:
    worker.wait_and_tidy_up.post(gate)
    until(lambda: gate.count() == 1)
    kill("wait_and_tidy_up")
    assert until(journal.read) == ["tidy"]


def test_a_killed_thread_cannot_survive_by_catching_every_exception(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    waiting = worker.survive.future(gate)
    until(lambda: gate.count() == 1)
    kill("survive")
    with pytest.raises(ThreadKilled):
        waiting.result()


def test_killing_a_nested_thread_leaves_its_caller_alive(
    worker: vista.Ref, journal: vista.Ref, gate: vista.Ref
) -> None:
    calling = call_of_nested(worker, journal, gate)
    kill("wait_at")
    assert calling.result() == "caught the thread of Worker.wait_at was killed"


def test_killing_a_caller_kills_what_it_called(
    worker: vista.Ref, journal: vista.Ref, gate: vista.Ref
) -> None:
    calling = call_of_nested(worker, journal, gate)
    kill("catch_of_nested")
    with pytest.raises(ThreadKilled):
        calling.result()
    until(lambda: gate.count() == 0)
    assert not runs("wait_at")


def test_killing_a_caller_kills_what_it_called_in_another_greenlet(
    worker: vista.Ref, journal: vista.Ref, gate: vista.Ref
) -> None:
    other, second = vista.create(Worker, journal), vista.create(Gate)
    keeping = other.keep.future(second)
    until(lambda: second.count() == 1)
    calling = worker.catch_of_nested.future(other, gate)
    vista.sleep(0.005)
    second.open()
    keeping.result()
    until(lambda: gate.count() == 1)
    kill("catch_of_nested")
    with pytest.raises(ThreadKilled):
        calling.result()
    until(lambda: gate.count() == 0)


def test_killing_a_thread_kills_all_it_gathers(worker: vista.Ref) -> None:
    gates = [vista.create(Gate) for _ in range(3)]
    gathering = worker.gather_from.future(*gates)
    until(lambda: all(gate.count() == 1 for gate in gates))
    kill("gather_from")
    with pytest.raises(ThreadKilled):
        gathering.result()
    until(lambda: all(gate.count() == 0 for gate in gates))


# --- kills that meet ------------------------------------------------------------------------


def test_of_two_kills_that_meet_the_outer_one_counts(
    node: vista.Node, worker: vista.Ref, journal: vista.Ref, gate: vista.Ref
) -> None:
    calling = call_of_nested(worker, journal, gate)
    outer, inner = row_of("catch_of_nested").id, row_of("wait_at").id

    def kill_both() -> None:
        vista.kill(outer)
        vista.kill(inner)

    node.call(kill_both)
    with pytest.raises(ThreadKilled, match="catch_of_nested"):
        calling.result()


def test_a_thread_killed_twice_ends_once(worker: vista.Ref, gate: vista.Ref) -> None:
    waiting = worker.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    thread = row_of("wait_at").id
    vista.kill(thread)
    with contextlib.suppress(NoSuchObject):
        vista.kill(thread)
    with pytest.raises(ThreadKilled):
        waiting.result()
    assert worker.answer() == 42


def test_a_method_that_swallows_its_kill_does_not_take_the_object_from_others(
    worker: vista.Ref, gate: vista.Ref
) -> None:
    keeper, second = vista.create(Gate), vista.create(Gate)
    worker.swallow.post(gate)
    until(lambda: gate.count() == 1)
    keeping = worker.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    kill("swallow")
    until(lambda: not runs("swallow"))
    intruding = worker.wait_at.future(second)
    vista.sleep(0.01)
    assert second.count() == 0
    for each in (keeper, second):
        each.open()
    assert vista.gather(keeping, intruding) == [None, "passed"]


def test_a_nested_method_that_swallows_its_kill_does_not_take_the_object_from_others(
    worker: vista.Ref, gate: vista.Ref, journal: vista.Ref
) -> None:
    keeper, second = vista.create(Gate), vista.create(Gate)
    other = vista.create(Worker, journal)
    calling = other.pass_on.future(worker, "swallow", gate)
    until(lambda: gate.count() == 1)
    keeping = worker.keep.future(keeper)
    until(lambda: keeper.count() == 1)
    kill("swallow")
    calling.exception()
    intruding = worker.wait_at.future(second)
    vista.sleep(0.01)
    assert second.count() == 0
    for each in (keeper, second):
        each.open()
    assert vista.gather(keeping, intruding) == [None, "passed"]


# --- what is no live thread -----------------------------------------------------------------


def test_killing_a_thread_that_has_ended_is_refused(worker: vista.Ref, gate: vista.Ref) -> None:
    worker.wait_at.post(gate)
    until(lambda: gate.count() == 1)
    thread = row_of("wait_at").id
    gate.open()
    until(lambda: not runs("wait_at"))
    with pytest.raises(NoSuchObject):
        vista.kill(thread)


@pytest.mark.parametrize("thread", [None, "text", 5])
def test_killing_what_is_no_id_is_refused(node: vista.Node, thread: Any) -> None:
    with pytest.raises(BadValueError):
        vista.kill(thread)


# --- stopping the node ----------------------------------------------------------------------


def test_a_node_that_stops_kills_what_does_not_end() -> None:
    with vista.Node(limits=vista.Limits(drain_seconds=0.01)) as node:
        journal: list[str] = []

        class Last(vista.Object):
            def wait(self) -> None:
                try:
                    vista.sleep(1000)
                finally:
                    journal.append("ended")

        vista.create(Last).wait.post()
        node.call(lambda: until(lambda: runs("wait")))
    assert journal == ["ended"]
