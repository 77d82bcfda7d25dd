"""Threads that never wait give way: others, timers and the outside get their turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, row_of, runs, until
from vista.errors import Overloaded


class Restless(vista.Object):
    """Never waits of its own will."""

    def by_sends(self, target: Any) -> None:
        while True:
            target.increment()

    def by_sends_to_itself(self, _: Any) -> None:
        own = vista.self_ref(self)
        while True:
            own.nothing()

    def by_preemptable_sends(self, target: Any) -> None:
        while True:
            target.class_of()

    def by_creating(self, _: Any) -> None:
        while True:
            vista.create(Counter).delete_yourself()

    def by_calls_in_flight(self, target: Any) -> None:
        while True:
            target.increment.future().result()

    def by_posts(self, target: Any) -> None:
        while True:
            try:
                target.increment.post()
            except Overloaded:
                vista.sleep(0)

    def by_sleeping_no_time(self, _: Any) -> None:
        while True:
            vista.sleep(0)

    async def by_awaits(self, _: Any) -> None:
        while True:
            await asyncio.sleep(0)

    async def by_awaiting_sends(self, target: Any) -> None:
        while True:
            await vista.aio.send(target, "increment")

    @vista.preemptable
    def by_sends_beside(self, target: Any) -> None:
        while True:
            target.increment()

    def nothing(self) -> None:
        """Do nothing."""


LOOKS_EVERY = 4
"""Sends between two looks at the clock; with the usual 128 a simulated turn may take a million."""

WAYS = [name for name in vars(Restless) if name.startswith("by_")]


@pytest.mark.parametrize("way", WAYS)
def test_a_thread_that_never_rests_lets_others_work(make_node: Any, way: str) -> None:
    make_node(mailbox_messages_max=100, sends_between_checks=LOOKS_EVERY)
    restless, counter = vista.create(Restless), vista.create(Counter)
    vista.post(restless, way, vista.create(Counter))
    until(lambda: runs(way))
    for number in range(1, 3):
        vista.sleep(0.001)
        assert counter.increment() == number
    vista.kill(row_of(way).id)
    until(lambda: not runs(way))


def test_ten_threads_that_never_rest_share_the_processor(make_node: Any) -> None:
    make_node(sends_between_checks=LOOKS_EVERY)
    counters = [vista.create(Counter) for _ in range(10)]
    for counter in counters:
        vista.create(Restless).by_sends.post(counter)
    until(lambda: all(counter.get() > 0 for counter in counters))
    restless = [row.id for row in vista.threads() if row.method == "by_sends"]
    # None of them had to end before another one began.
    assert len(restless) == len(counters)
    for id in restless:
        vista.kill(id)
    until(lambda: not runs("by_sends"))


def test_a_thread_that_gives_way_goes_on_in_its_turn(real_node: vista.Node) -> None:
    # Looks at the clock and at the queue of threads, whatever a turn takes on this machine.
    turns = real_node.kernel.threads.turns
    counter = vista.create(Counter)

    class Sender(vista.Object):
        def send(self, count: int) -> None:
            for _ in range(count):
                counter.increment()

    vista.create(Sender).send(200_000)
    assert counter.get() == 200_000
    assert real_node.kernel.threads.turns - turns > 5
