"""What vista is compared with: plain Python, asyncio and Pykka, doing the same work.

Each function returns seconds for one operation. Those that need a loop start it before the clock.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

from benchmarks.local import CROWD
from benchmarks.measure import expect


class Plain:
    """A plain object that counts."""

    def __init__(self, start: int = 0) -> None:
        self.value = start

    def increment(self, by: int = 1) -> int:
        """Add ``by`` and return the sum."""
        self.value += by
        return self.value

    async def increment_async(self, by: int = 1) -> int:
        """Add ``by`` in a coroutine."""
        self.value += by
        return self.value


def plain_call(count: int) -> float:
    """Plain method calls."""
    counter = Plain()
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    seconds = perf_counter() - started
    expect(counter.value, count)
    return seconds / count


def plain_create(count: int) -> float:
    """Plain objects put into a table under a key of 16 bytes of their own, like an Id."""
    node, table = b"0123456789", {}
    started = perf_counter()
    for number in range(count):
        table[node + number.to_bytes(6, "big")] = Plain(number)
    seconds = perf_counter() - started
    expect(len(table), count)
    return seconds / count


def deep_copy(count: int) -> float:
    """``copy.deepcopy`` of a list of ten numbers, and their sum."""
    numbers = list(range(10))
    total = 0
    started = perf_counter()
    for _ in range(count):
        total += sum(copy.deepcopy(numbers))
    seconds = perf_counter() - started
    expect(total, 45 * count)
    return seconds / count


# --- Pykka ---------------------------------------------------------------------------------


def pykka_ask(count: int) -> float:
    """Asks of a Pykka actor, whose message handler does the same addition."""
    import pykka

    class Actor(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self.value = 0

        def on_receive(self, message: int) -> int:
            self.value += message
            return self.value

    actor = Actor.start()
    try:
        started = perf_counter()
        for _ in range(count):
            actor.ask(1)
        seconds = perf_counter() - started
        expect(actor.ask(0), count)
    finally:
        actor.stop()
    return seconds / count


# --- asyncio -------------------------------------------------------------------------------


def on_uvloop(run: Callable[[int], float]) -> Callable[[int], float]:
    """Return ``run`` with uvloop's loop in place of asyncio's own."""

    def with_uvloop(count: int) -> float:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured: Coroutine[Any, Any, float] = _COROUTINES[run](count)
            return runner.run(measured)

    return with_uvloop


async def _gather(count: int) -> float:
    counters = [Plain() for _ in range(CROWD)]
    started = perf_counter()
    for _ in range(count):
        tasks = [asyncio.create_task(counter.increment_async(1)) for counter in counters]
        answers = await asyncio.gather(*tasks)
    seconds = perf_counter() - started
    expect(answers, [count] * CROWD)
    return seconds / (count * CROWD)


def asyncio_gather(count: int) -> float:
    """``asyncio.gather`` over ``create_task`` of a thousand coroutines at a time."""
    return asyncio.run(_gather(count))


async def _tasks(count: int) -> float:
    counters = [Plain() for _ in range(CROWD)]
    started = perf_counter()
    for _ in range(count):
        # The loop holds its tasks weakly, so its documentation asks everybody for a list of them.
        tasks = [asyncio.create_task(counter.increment_async(1)) for counter in counters]
        await tasks[-1]
    seconds = perf_counter() - started
    expect([counter.value for counter in counters], [count] * CROWD)
    return seconds / (count * CROWD)


def asyncio_tasks(count: int) -> float:
    """``asyncio.create_task`` of a thousand coroutines at a time, until the last one has ended."""
    return asyncio.run(_tasks(count))


async def _awaited_tasks(count: int) -> float:
    counter = Plain()
    started = perf_counter()
    for _ in range(count):
        await asyncio.create_task(counter.increment_async(1))
    seconds = perf_counter() - started
    expect(counter.value, count)
    return seconds / count


def asyncio_awaited_tasks(count: int) -> float:
    """``await asyncio.create_task`` of one coroutine after the other."""
    return asyncio.run(_awaited_tasks(count))


async def _in_executor(count: int) -> float:
    counter, loop = Plain(), asyncio.get_running_loop()
    await loop.run_in_executor(None, counter.increment, 0)
    started = perf_counter()
    for _ in range(count):
        await loop.run_in_executor(None, counter.increment, 1)
    seconds = perf_counter() - started
    expect(counter.value, count)
    return seconds / count


def asyncio_executor(count: int) -> float:
    """``run_in_executor`` of one method call after the other."""
    return asyncio.run(_in_executor(count))


def asyncio_from_thread(count: int) -> float:
    """``run_coroutine_threadsafe(...).result()`` from another OS thread than the loop's."""
    loop, counter = asyncio.new_event_loop(), Plain()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        started = perf_counter()
        for _ in range(count):
            asyncio.run_coroutine_threadsafe(counter.increment_async(1), loop).result()
        seconds = perf_counter() - started
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    expect(counter.value, count)
    return seconds / count


_COROUTINES: dict[Callable[[int], float], Callable[[int], Coroutine[Any, Any, float]]] = {
    asyncio_gather: _gather,
    asyncio_tasks: _tasks,
}
