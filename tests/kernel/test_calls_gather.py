"""`gather` and futures: several calls in flight, waited for in a method, outside and in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, until
from vista.errors import CallTimeout, ThreadKilled, WrongContextError

Run = Callable[[Callable[[], Any]], Any]


class Passage(vista.Object):
    """Waits at gates, fails, or answers."""

    def pass_gate(self, gate: vista.Ref, result: Any) -> Any:
        return gate.pass_through(result)

    def fail_after(self, gate: vista.Ref) -> None:
        gate.pass_through()
        raise LookupError("failed after the gate")

    def answer(self, number: int) -> int:
        return number


@pytest.fixture(params=["outside", "in a method"])
def run(request: pytest.FixtureRequest, node: vista.Node) -> Run:
    """Run a function where futures are waited for in another way."""
    if request.param == "outside":
        return lambda function: function()
    return lambda function: node.call(function)


@pytest.fixture
def passage(node: vista.Node) -> vista.Ref:
    return vista.create(Passage)


def open_later(gate: vista.Ref) -> None:
    """Open a gate when whoever gathers waits already."""

    class Porter(vista.Object):
        def open(self, gate: vista.Ref) -> None:
            vista.sleep(0.005)
            gate.open()

    vista.create(Porter).open.post(gate)


def test_gather_of_nothing_is_empty(run: Run) -> None:
    assert run(lambda: vista.gather()) == []


def test_results_stand_in_the_order_of_the_futures(run: Run, passage: vista.Ref) -> None:
    slow, quick = vista.create(Gate), vista.create(Gate)
    calls = [passage.pass_gate.future(slow, 1), passage.pass_gate.future(quick, 2)]
    quick.open()
    open_later(slow)
    assert run(lambda: vista.gather(*calls)) == [1, 2]


def test_a_future_may_stand_twice(run: Run, passage: vista.Ref) -> None:
    gate = vista.create(Gate)
    call = passage.pass_gate.future(gate, 1)
    open_later(gate)
    assert run(lambda: vista.gather(call, call)) == [1, 1]


def test_futures_that_have_ended_are_gathered_too(run: Run, passage: vista.Ref) -> None:
    ended, gate = passage.answer.future(1), vista.create(Gate)
    ended.result()
    pending = passage.pass_gate.future(gate, 2)
    open_later(gate)
    assert run(lambda: vista.gather(ended, pending)) == [1, 2]


def test_the_first_error_is_raised_before_the_others_end(run: Run, passage: vista.Ref) -> None:
    never, gate = vista.create(Gate), vista.create(Gate)
    calls = [passage.pass_gate.future(never, 1), passage.fail_after.future(gate)]
    open_later(gate)
    with pytest.raises(LookupError, match="after the gate"):
        run(lambda: vista.gather(*calls))
    assert not calls[0].done()
    never.open()
    assert calls[0].result() == 1


def test_an_error_that_is_there_already_is_raised_at_once(run: Run, passage: vista.Ref) -> None:
    never, gate = vista.create(Gate), vista.create(Gate)
    gate.open()
    failed = passage.fail_after.future(gate)
    failed.exception()
    calls = [passage.pass_gate.future(never, 1), failed]
    with pytest.raises(LookupError):
        run(lambda: vista.gather(*calls))
    never.open()


def test_errors_stand_in_the_list_when_asked_for(run: Run, passage: vista.Ref) -> None:
    gate = vista.create(Gate)
    calls = [passage.fail_after.future(gate), passage.pass_gate.future(gate, 2)]
    open_later(gate)
    error, result = run(lambda: vista.gather(*calls, return_exceptions=True))
    assert isinstance(error, LookupError)
    assert result == 2


def test_a_wait_that_is_over_leaves_the_calls_alone(run: Run, passage: vista.Ref) -> None:
    gate = vista.create(Gate)
    calls = [passage.pass_gate.future(gate, number) for number in range(3)]
    with pytest.raises(CallTimeout):
        run(lambda: vista.gather(*calls, timeout=0.01))
    gate.open()
    assert vista.gather(*calls) == [0, 1, 2]


def test_a_wait_that_is_over_stands_in_the_list_beside_the_results(
    run: Run, passage: vista.Ref
) -> None:
    gate = vista.create(Gate)
    calls = [passage.pass_gate.future(gate, 1), passage.answer.future(2)]
    until(lambda: gate.count() == 1)
    late, result = run(lambda: vista.gather(*calls, timeout=0.02, return_exceptions=True))
    assert isinstance(late, CallTimeout)
    assert result == 2
    gate.open()
    assert calls[0].result() == 1


def test_the_wait_is_bounded_as_a_whole(virtual_node: vista.Node) -> None:
    passage = vista.create(Passage)
    gates = [vista.create(Gate) for _ in range(10)]
    calls = [passage.pass_gate.future(gate, 1) for gate in gates]

    def gather_and_measure() -> float:
        time = virtual_node.kernel.hub.time
        start = time()
        with pytest.raises(CallTimeout):
            vista.gather(*calls, timeout=3)
        return time() - start

    for seconds in (gather_and_measure(), virtual_node.call(gather_and_measure)):
        assert seconds == pytest.approx(3, abs=1)
    for gate in gates:
        gate.open()


def test_a_call_past_its_own_time_is_cancelled_and_the_later_one_is_not(
    virtual_node: vista.Node,
) -> None:
    passage, gate = vista.create(Passage), vista.create(Gate)
    early = passage.pass_gate.future(gate, 1)
    vista.sleep(50)
    later = passage.pass_gate.future(gate, 2)

    def gather() -> list[Any]:
        with pytest.raises(CallTimeout):
            vista.gather(early, later)
        return [early.done(), later.done()]

    assert virtual_node.call(gather) == [True, False]
    gate.open()
    assert later.result() == 2


def test_a_late_call_has_one_end_for_all_who_ask(make_node: Any) -> None:
    make_node(call_seconds=0.02)
    passage, gate = vista.create(Passage), vista.create(Gate)
    call = passage.pass_gate.future(gate, 1)
    for _ in range(2):
        with pytest.raises(CallTimeout):
            call.result()
    until(lambda: gate.count() == 0)
    assert isinstance(call.exception(), CallTimeout)


def test_the_error_of_a_late_call_is_returned_when_asked_for(make_node: Any) -> None:
    node = make_node(call_seconds=0.02)
    passage, gate = vista.create(Passage), vista.create(Gate)
    for ask in (lambda call: call.exception(), lambda call: node.call(call.exception)):
        assert isinstance(ask(passage.pass_gate.future(gate, 1)), CallTimeout)
    until(lambda: gate.count() == 0)


def test_whoever_looks_again_and_again_leaves_nothing_behind(
    node: vista.Node, passage: vista.Ref
) -> None:
    gate = vista.create(Gate)
    call = passage.pass_gate.future(gate, 1)

    def poll() -> None:
        for _ in range(50):
            with pytest.raises(CallTimeout):
                call.result(timeout=0.0001)

    node.call(poll)
    assert call._waiters is None
    gate.open()
    assert call.result() == 1


def test_two_threads_wait_for_one_future(node: vista.Node, passage: vista.Ref) -> None:
    gate = vista.create(Gate)
    call = passage.pass_gate.future(gate, 7)

    class Waiter(vista.Object):
        def wait(self) -> Any:
            return call.result()

    waiting = [vista.create(Waiter).wait.future() for _ in range(3)]
    until(lambda: sum(row.method == "wait" for row in vista.threads()) == 3)
    gate.open()
    assert vista.gather(*waiting) == [7, 7, 7]


def test_a_cancelled_call_ends_a_gather(run: Run, passage: vista.Ref) -> None:
    gate, other = vista.create(Gate), vista.create(Gate)
    calls = [passage.pass_gate.future(gate, 1), passage.pass_gate.future(other, 2)]
    until(lambda: gate.count() == 1)
    calls[0].cancel()
    with pytest.raises(ThreadKilled):
        run(lambda: vista.gather(*calls))
    other.open()
    assert calls[1].result() == 2


def test_a_future_in_a_coroutine_says_what_to_write(node: vista.Node, passage: vista.Ref) -> None:
    class Server(vista.Object):
        async def serve(self, gate: vista.Ref) -> str:
            call = gate.pass_through.future()
            try:
                vista.gather(call)
            except WrongContextError as error:
                return str(error)
            finally:
                call.cancel()
            return "it blocked the loop"

    assert "await future" in vista.create(Server).serve(vista.create(Gate))


def test_a_future_of_another_node_is_refused_in_a_method() -> None:
    with vista.Node("first"):
        gate = vista.create(Gate)
        call = gate.pass_through.future(1)
        with vista.Node("second") as second:
            for wait in (call.result, lambda: vista.gather(call)):
                with pytest.raises(WrongContextError, match="another node"):
                    second.call(wait)
        gate.open()
        assert call.result() == 1


def test_futures_of_two_nodes_are_gathered_outside() -> None:
    with vista.Node("first") as first, vista.Node("second") as second:
        counters = [node.call(vista.create, Counter, 5) for node in (first, second)]
        assert vista.gather(*[counter.get.future() for counter in counters]) == [5, 5]


def test_many_os_threads_wait_for_futures_that_end_meanwhile(real_node: vista.Node) -> None:
    # Each registers its wait while the loop ends the call: no wake may be lost.
    counter = vista.create(Counter)
    results: list[int] = []

    def work() -> None:
        results.extend(counter.increment.future().result(timeout=20) for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == list(range(1, 401))
