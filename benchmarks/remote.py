"""What a message to a node in another process costs.

Each function runs in a vista thread and returns seconds for one operation; ``peer`` is the
ObjectCreator of the other node.
"""

from __future__ import annotations

from time import perf_counter

import vista
from benchmarks.measure import expect
from benchmarks.objects import Caller, Counter
from vista import Ref, gather

CALLERS = 200
"""Threads that call at the same time."""

POSTS = 1_000
"""Posts after which the poster gives way; one that never did would keep them all on its node."""

LARGE = 2**20
WARM_UP = 200


def counter_at(peer: Ref) -> Ref:
    """Make a counter on the other node and call it until nothing is done for the first time."""
    counter = vista.create("Benchmarks.Counter", at=peer)
    for _ in range(WARM_UP):
        counter.increment(0)
    return counter


def call(count: int, peer: Ref) -> float:
    """One call after the other."""
    counter = counter_at(peer)
    started = perf_counter()
    for _ in range(count):
        counter.increment(1)
    seconds = perf_counter() - started
    expect(counter.increment(0), count)
    vista.delete(counter)
    return seconds / count


def calls_in_flight(count: int, peer: Ref) -> float:
    """Calls from two hundred threads, each of which waits for its answers one by one."""
    counter = counter_at(peer)
    callers = [vista.create(Caller) for _ in range(CALLERS)]
    started = perf_counter()
    gather(*[caller.call.future(counter, count) for caller in callers])
    seconds = perf_counter() - started
    expect(counter.increment(0), count * CALLERS)
    for ref in (counter, *callers):
        vista.delete(ref)
    return seconds / (count * CALLERS)


def posts(count: int, peer: Ref) -> float:
    """Posts to one object, until all of them have been carried out."""
    counter = counter_at(peer)
    started = perf_counter()
    for _ in range(count):
        for _ in range(POSTS):
            counter.increment.post(1)
        vista.sleep(0)
    # The answer comes when every post before has been carried out.
    expect(counter.increment(0), count * POSTS)
    seconds = perf_counter() - started
    vista.delete(counter)
    return seconds / (count * POSTS)


def large(count: int, peer: Ref) -> float:
    """Calls with an argument of 1 MiB."""
    counter, data = counter_at(peer), bytes(LARGE)
    total = counter.size(data) - LARGE
    started = perf_counter()
    for _ in range(count):
        total += counter.size(data)
    seconds = perf_counter() - started
    expect(total, count * LARGE)
    vista.delete(counter)
    return seconds / count


def moves(count: int, peer: Ref) -> float:
    """Moves of small objects to the other node, one after the other."""
    refs = [vista.create(Counter, number) for number in range(count)]
    started = perf_counter()
    for ref in refs:
        vista.move(ref, peer)
    seconds = perf_counter() - started
    _check_moved(refs, peer)
    return seconds / count


def moves_in_flight(count: int, peer: Ref) -> float:
    """Moves from two hundred threads."""
    refs = [vista.create(Counter, number) for number in range(count * CALLERS)]
    callers = [vista.create(Caller) for _ in range(CALLERS)]
    parts = [refs[number::CALLERS] for number in range(CALLERS)]
    started = perf_counter()
    gather(*[caller.move.future(part, peer) for caller, part in zip(callers, parts, strict=True)])
    seconds = perf_counter() - started
    _check_moved(refs, peer)
    for caller in callers:
        vista.delete(caller)
    return seconds / len(refs)


def _check_moved(refs: list[Ref], peer: Ref) -> None:
    here = {row.id for row in vista.objects()}
    expect(sum(vista.id_of(ref) in here for ref in refs), 0)
    expect([ref.increment(0) for ref in refs], list(range(len(refs))))
    for ref in refs:
        vista.delete(ref)


def link(count: int, url: str) -> float:
    """From the wish for a link to the first answer over it."""
    started = perf_counter()
    connection = vista.create("ConnectToPeer", url)
    name = connection.wait(30.0).get_name()
    seconds = perf_counter() - started
    expect(name, "called")
    vista.delete(connection)
    return seconds / count
