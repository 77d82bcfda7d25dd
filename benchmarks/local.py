"""What a local message costs. Each function runs in a vista thread and returns seconds for one."""

from __future__ import annotations

from time import perf_counter

import vista
from benchmarks.measure import expect
from benchmarks.objects import Counter, Watcher
from vista import Ref, gather, send

CROWD = 1_000
"""Objects with calls in flight to all of them; posts or tasks started before one is waited for."""


def crowd() -> list[Ref]:
    """Make a thousand objects and call each once: first calls have a row of their own."""
    counters = [vista.create(Counter) for _ in range(CROWD)]
    for counter in counters:
        counter.increment(0)
    return counters


def send_local(count: int) -> float:
    """``send`` to an idle object: value check, exclusion and statistics included."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        send(counter, "increment", 1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_ref(count: int) -> float:
    """The same send written through a Ref."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def calls_in_flight(count: int) -> float:
    """Calls in flight to a thousand objects at a time, until all of them have answered."""
    counters = crowd()
    started = perf_counter()
    for _ in range(count):
        answers = gather(*[counter.increment.future(1) for counter in counters])
    seconds = perf_counter() - started
    expect(answers, [count] * CROWD)
    return seconds / (count * CROWD)


def posts(count: int) -> float:
    """Method threads started and ended: posts, one to each of a thousand objects at a time."""
    counters = crowd()
    last = counters[-1]
    started = perf_counter()
    for number in range(count):
        for counter in counters:
            counter.increment.post(1)
        # The last object was posted to last; its answer comes when every thread before has ended.
        expect(last.increment(0), number + 1)
    seconds = perf_counter() - started
    expect([counter.increment(0) for counter in counters], [count] * CROWD)
    return seconds / (count * CROWD)


def posts_to_one(count: int) -> float:
    """The same posts, all to one object: they stand in its queue."""
    counter = vista.create(Counter)
    started = perf_counter()
    for number in range(1, count + 1):
        for _ in range(CROWD):
            counter.increment.post(1)
        expect(counter.increment(0), number * CROWD)
    seconds = perf_counter() - started
    return seconds / (count * CROWD)


def create(count: int) -> float:
    """Creates of an object whose ``create`` sets one attribute; they are deleted untimed."""
    made: list[Ref] = []
    started = perf_counter()
    for number in range(count):
        made.append(vista.create(Counter, number))
    seconds = perf_counter() - started
    expect(made[-1].increment(0), count - 1)
    for ref in made:
        vista.delete(ref)
    return seconds / count


def create_by_name(count: int) -> float:
    """The same creates with the class given by its name, as an rc file gives it."""
    made: list[Ref] = []
    started = perf_counter()
    for number in range(count):
        made.append(vista.create("Benchmarks.Counter", number))
    seconds = perf_counter() - started
    expect(made[-1].increment(0), count - 1)
    for ref in made:
        vista.delete(ref)
    return seconds / count


def first_calls(count: int) -> float:
    """The first call of a method of each of ``count`` objects, with what a Ref makes then."""
    counters = [vista.create(Counter) for _ in range(count)]
    started = perf_counter()
    for counter in counters:
        counter.increment(1)
    seconds = perf_counter() - started
    expect(sum(counter.increment(0) for counter in counters), count)
    for counter in counters:
        vista.delete(counter)
    return seconds / count


def call_exclusive(count: int) -> float:
    """Calls of an ``@exclusive`` method."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        counter.increment_exclusive(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_preemptable(count: int) -> float:
    """Calls of a ``@preemptable`` method."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        counter.increment_preemptable(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_async(count: int) -> float:
    """Calls of an ``async def`` method."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        counter.increment_async(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_native(count: int) -> float:
    """Calls of a ``@native`` method, which runs in a kernel thread."""
    counter = vista.create(Counter)
    started = perf_counter()
    for _ in range(count):
        counter.increment_native(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_with_acl(count: int) -> float:
    """Calls to an object with an access list."""
    counter = vista.create(Counter, acl=vista.make_default_acl(vista.current_user()))
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    return seconds / count


def call_watched(count: int) -> float:
    """Calls that change an object which one other object watches."""
    counter, watcher = vista.create(Counter), vista.create(Watcher)
    counter.add_notify_when_modified(watcher)
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    # The changes of which the watcher is told are posts; its answer comes after them.
    seen = watcher.count()
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    expect(seen, count)
    return seconds / count


def send_list(count: int) -> float:
    """``send`` with a list of ten numbers, of which the receiver gets a copy."""
    counter = vista.create(Counter)
    numbers = list(range(10))
    total = 0
    started = perf_counter()
    for _ in range(count):
        total += send(counter, "total", numbers)
    seconds = perf_counter() - started
    expect(total, 45 * count)
    return seconds / count
