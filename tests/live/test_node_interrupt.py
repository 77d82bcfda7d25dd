"""Ctrl-C while code outside waits for a node, and nodes that have stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from vista.errors import ThreadKilled, WrongContextError
from vista.kernel.hub import AsyncioHub


def interrupt_when(ready: Callable[[], bool]) -> threading.Thread:
    """Press Ctrl-C in the main thread as soon as ``ready()``."""
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        for _ in range(5000):
            if ready():
                break
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


WAYS: list[Callable[[vista.Ref], Any]] = [
    lambda gate: gate.pass_through(),
    lambda gate: gate.pass_through.future().result(),
    lambda gate: gate.pass_through.future().result(timeout=50),
    lambda gate: vista.gather(gate.pass_through.future()),
    lambda gate: vista.send(gate, "pass_through"),
]


@pytest.mark.parametrize("wait", WAYS)
def test_ctrl_c_ends_the_wait_and_cancels_the_call(wait: Callable[[vista.Ref], Any]) -> None:
    with vista.Node():
        gate = vista.create(Gate)
        pressing = interrupt_when(lambda: gate._record.instance.waiting == 1)
        with pytest.raises(KeyboardInterrupt):
            wait(gate)
        pressing.join(10)
        until(lambda: gate.count() == 0)


SCRIPT = """
import signal, threading, time
import vista

ended = []

class Sleeper(vista.Object):
    def sleep(self):
        try:
            vista.sleep(60)
        finally:
            ended.append("woken")

sleeper = vista.create(Sleeper)
main = threading.main_thread().ident
threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
try:
    sleeper.sleep()
except KeyboardInterrupt:
    print("interrupted")
while not ended:
    time.sleep(0.01)
print(ended[0])
print(vista.create(Sleeper).class_of().name)
"""


def test_a_script_goes_on_after_ctrl_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["interrupted", "woken", "Sleeper"]
    assert (done.stderr, done.returncode) == ("", 0)


class InterruptedHandOver(asyncio.SelectorEventLoop):
    """A loop with which Ctrl-C comes just when code outside has handed a call to it."""

    armed: Callable[[], bool] | None = None

    def call_soon_threadsafe(self, callback: Any, *args: Any, **options: Any) -> Any:
        handle = super().call_soon_threadsafe(callback, *args, **options)
        armed, main = self.armed, threading.main_thread()
        if armed is not None and threading.current_thread() is main:
            self.armed = None
            until(armed)
            signal.raise_signal(signal.SIGINT)
        return handle


@pytest.mark.parametrize("wait", WAYS[:2])
def test_ctrl_c_while_a_call_is_handed_over_cancels_it(wait: Callable[[vista.Ref], Any]) -> None:
    loop = InterruptedHandOver()
    with vista.Node(hub=AsyncioHub(loop)):
        gate = vista.create(Gate)
        loop.armed = lambda: gate._record.instance.waiting == 1
        with pytest.raises(KeyboardInterrupt):
            wait(gate)
        until(lambda: gate.count() == 0)
    loop.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda gate: gate.count(),
        lambda gate: gate.open.post(),
        lambda gate: gate.count.future(),
        lambda gate: gate.pass_through(1),
    ],
)
def test_a_ref_of_a_node_that_has_stopped_says_so(use: Callable[[vista.Ref], Any]) -> None:
    with vista.Node():
        gate = vista.create(Gate)
    with pytest.raises(WrongContextError, match="stopped"):
        use(gate)


def test_a_call_in_flight_ends_when_its_node_stops() -> None:
    with vista.Node(limits=vista.Limits(drain_seconds=0.05)):
        gate = vista.create(Gate)
        call = gate.pass_through.future()
        until(lambda: gate.count() == 1)
    with pytest.raises(ThreadKilled):
        call.result()


def test_a_thread_that_blocks_outside_hears_that_the_node_stopped() -> None:
    ends: list[BaseException] = []

    def work(gate: vista.Ref) -> None:
        try:
            gate.pass_through()
        except (ThreadKilled, WrongContextError) as error:
            ends.append(error)

    with vista.Node(limits=vista.Limits(drain_seconds=0.05)):
        gate = vista.create(Gate)
        working = threading.Thread(target=work, args=(gate,))
        working.start()
        until(lambda: gate.count() == 1)
    working.join(20)
    assert len(ends) == 1


def test_a_hundred_nodes_one_after_another_leave_no_os_thread() -> None:
    before = threading.active_count()
    for _ in range(100):
        with vista.Node():
            assert vista.create(Gate).count() == 0
    assert threading.active_count() <= before


def test_a_future_may_be_awaited_by_two_loops_at_once() -> None:
    with vista.Node():
        gate = vista.create(Gate)
        call = gate.pass_through.future("passed")
        results: list[Any] = []

        async def wait() -> Any:
            return await call

        waiting = [
            threading.Thread(target=lambda: results.append(asyncio.run(wait()))) for _ in "ab"
        ]
        for thread in waiting:
            thread.start()
        until(lambda: gate.count() == 1)
        gate.open()
        for thread in waiting:
            thread.join(20)
        assert results == ["passed"] * 2


def test_a_loop_that_ends_before_its_call_harms_no_node() -> None:
    with vista.Node():
        gate = vista.create(Gate)

        async def start() -> None:
            call = asyncio.ensure_future(vista.aio.send(gate, "pass_through"))
            while not await vista.aio.send(gate, "count"):
                await asyncio.sleep(0.001)
            assert not call.done()

        asyncio.run(start())
        until(lambda: gate.count() == 0)


def test_a_program_that_gives_up_cancels_its_call() -> None:
    with vista.Node():
        gate = vista.create(Gate)

        async def give_up() -> None:
            async with asyncio.timeout(0.1):
                await vista.aio.send(gate, "pass_through")

        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
        until(lambda: gate.count() == 0)


def test_a_call_from_another_loop_after_a_long_rest_has_its_full_time() -> None:
    with vista.Node(limits=vista.Limits(call_seconds=0.3)):
        gate = vista.create(Gate)
        time.sleep(0.5)
        assert asyncio.run(vista.aio.send(gate, "count")) == 0
