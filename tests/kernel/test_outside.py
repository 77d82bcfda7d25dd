"""Code outside of vista threads: scripts, other OS threads, several nodes in one process."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, until
from vista.errors import WrongContextError


def test_many_os_threads_call_one_object_at_once(real_node: vista.Node) -> None:
    counter = vista.create(Counter)

    def work() -> None:
        for _ in range(50):
            counter.increment(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.get() == 400


def test_an_os_thread_waits_for_a_future(real_node: vista.Node) -> None:
    gate = vista.create(Gate)
    call = gate.pass_through.future("through")
    results: list[Any] = []
    waiting = threading.Thread(target=lambda: results.append(call.result(30)))
    waiting.start()
    gate.open()
    waiting.join(30)
    assert results == ["through"]


def test_node_call_runs_a_function_as_a_vista_thread(node: vista.Node) -> None:
    assert isinstance(node.call(vista.current_thread), vista.Id)


def test_node_call_returns_what_is_no_value(node: vista.Node) -> None:
    thing = object()
    assert node.call(lambda: thing) is thing


def test_node_call_raises_what_the_function_raises(node: vista.Node) -> None:
    def fail() -> None:
        raise LookupError("in the function")

    with pytest.raises(LookupError, match="in the function"):
        node.call(fail)


def test_node_call_acts_for_a_user(node: vista.Node) -> None:
    assert node.call(vista.current_user, user="alice") == "alice"


def test_two_nodes_of_one_process_are_apart() -> None:
    with vista.Node("first") as first:
        counter = vista.create(Counter)
        vista.register_service("Counters/first", counter)
        with vista.Node("second") as second:
            assert [row.name for row in vista.services()] == ["ObjectCreator"]
            assert first.call(vista.here) != second.call(vista.here)
        assert vista.send("Counters/first", "increment", 2) == 2


def test_a_ref_of_another_node_is_refused_in_a_method() -> None:
    with vista.Node("first"):
        counter = vista.create(Counter)
        refused = pytest.raises(WrongContextError, match="another node")
        with vista.Node("second") as second, refused:
            second.call(lambda: counter.increment(1))
        assert counter.get() == 0


def test_a_node_that_stopped_says_so(real_node: vista.Node) -> None:
    with vista.Node("short") as node:
        counter = vista.create(Counter)
    with pytest.raises((WrongContextError, RuntimeError)):
        counter.increment(1)
    assert node.stop_reason is not None


def test_a_node_runs_once(real_node: vista.Node) -> None:
    with vista.Node("once") as node:
        assert node.call(vista.current_user)
    with pytest.raises(WrongContextError, match="started before"):
        node.start()


def test_run_main_returns_what_its_function_returned() -> None:
    node = vista.Node()

    def main() -> int:
        node.kernel.request_stop("done")
        return 42

    assert node.run_main(main) == 42


def test_run_main_raises_what_its_function_raises() -> None:
    def main() -> None:
        raise LookupError("in main")

    with pytest.raises(LookupError, match="in main"):
        vista.Node().run_main(main)


def test_a_node_that_stops_ends_threads_that_wait(real_node: vista.Node) -> None:
    with vista.Node("stopping", limits=vista.Limits(drain_seconds=0.05)):
        gate = vista.create(Gate)
        call = gate.pass_through.future()
        until(lambda: gate.count() == 1)
    assert isinstance(call.exception(), vista.ThreadKilled)


SCRIPT = """
import vista

class Hello(vista.Object):
    def greet(self, name):
        return "hello " + name

print(vista.create("Hello").greet("world"))
"""


def test_a_script_needs_no_ceremony() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("hello world\n", "", 0)
