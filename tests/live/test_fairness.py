"""Fairness, watchdog and bounds at full size, on the real clock and with wide bounds."""

from __future__ import annotations

import logging
import resource
import time

import pytest

import vista
from vista.errors import Overloaded


class Busy1(vista.Object):
    """Sends and sends."""

    def create(self) -> None:
        self.count = 0

    def note(self) -> int:
        self.count += 1
        return self.count

    def send_many(self, target: vista.Ref, count: int) -> int:
        for _ in range(count):
            target.note()
        return count

    def post_many(self, target: vista.Ref, count: int) -> int:
        """Post until there is no room; return how many there was room for."""
        for number in range(count):
            try:
                target.note.post()
            except Overloaded:
                return number
        return count

    def hold_the_loop(self, turns: int) -> int:
        return sum(number * number for number in range(turns))

    def answer(self) -> int:
        return 42


class Ticker(vista.Object):
    """Sleeps ten milliseconds again and again and keeps what the node computed meanwhile."""

    def create(self) -> None:
        self.late: list[float] = []
        self.stopped = False

    def tick(self, clock: vista.Ref) -> None:
        while not self.stopped:
            before = clock.now()
            vista.sleep(0.01)
            self.late.append(clock.now() - before)

    def stop(self) -> list[float]:
        self.stopped = True
        return self.late


class LoopClock(vista.Object):
    """Tells how long the node has computed: other programs of the machine do not count."""

    @vista.preemptable
    def now(self) -> float:
        return time.thread_time()


def test_a_million_local_sends_do_not_hold_a_timer_up() -> None:
    with vista.Node():
        ticker, clock = vista.create(Ticker), vista.create(LoopClock)
        ticker.tick.post(clock)
        busy, target = vista.create(Busy1), vista.create(Busy1)
        with vista.timeout(100):
            assert busy.send_many(target, 1_000_000) == 1_000_000
        late = sorted(ticker.stop())
        # The sends take half a second at the least; a turn of the loop takes five milliseconds.
        assert len(late) >= 10
        assert late[len(late) // 2] < 0.06


def test_a_million_posts_meet_the_bound_and_not_the_memory() -> None:
    with vista.Node() as node:
        busy, target = vista.create(Busy1), vista.create(Busy1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with vista.timeout(100):
            taken = busy.post_many(target, 1_000_000)
            assert taken <= 1_000_000
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            assert target.note() == taken + 1
        assert node.kernel.limits.mailbox_messages_max <= taken
        assert grown < 150, f"{grown:.0f} MiB"


def test_a_method_that_holds_the_loop_is_logged_with_its_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        vista.Node(limits=vista.Limits(slow_method_seconds=0.02)),
        caplog.at_level(logging.WARNING),
    ):
        busy = vista.create(Busy1)
        busy.hold_the_loop(5_000_000)
        assert busy.answer() == 42
        assert vista.statistics()["slow_methods"] >= 1
    told = [record.getMessage() for record in caplog.records if record.name == "vista.node"]
    assert any("Busy1.hold_the_loop" in text and "number * number" in text for text in told)


def test_ten_thousand_threads_wait_at_once() -> None:
    with vista.Node():
        room = vista.create(WaitingRoom)
        calls = [room.wait_here.future() for _ in range(10_000)]
        while room.count() < 10_000:
            vista.sleep(0.01)
        room.let_go()
        with vista.timeout(100):
            assert vista.gather(*calls) == ["gone"] * 10_000


class WaitingRoom(vista.Object):
    """Where many wait for one answer."""

    def create(self) -> None:
        self.waiting = 0
        self.open = vista.self_ref(self).stand.future()

    def stand(self) -> None:
        vista.wait_for_service("Open", timeout=100)

    def wait_here(self) -> str:
        self.waiting += 1
        self.open.result()
        return "gone"

    @vista.preemptable
    def count(self) -> int:
        return self.waiting

    def let_go(self) -> None:
        vista.register_service("Open", self)
