"""One node of those whose number grows: ``python -m benchmarks.growth_node NUMBER DIRECTORY``.

It has a process to itself, does what it is told line by line on its standard input, and says what
came of it on its output: JSON both ways. The first line is the key that all of them have.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import vista
from benchmarks.children import resident_bytes
from benchmarks.measure import NothingMeasuredError, expect
from benchmarks.objects import Caller, Counter
from benchmarks.pair import CALM, link_with, listen
from vista import Node, NoSuchService, gather

SECONDS_MAX = 60.0
LOOKS = 3_000
PAUSE_SECONDS = 0.02
LOADED = "Load"


def start(number: int, directory: str) -> str:
    """Listen, and have a counter that the others find by its name; return the URL."""
    vista.create("AnnounceServices", "Growth/*", f"{LOADED}/*")
    vista.register_service(f"Growth/{number}", vista.create(Counter))
    return listen("ipc", f"{directory}/{number}")


def link(urls: list[str]) -> None:
    """Begin to connect to other nodes."""
    for url in urls:
        vista.create("ConnectToPeer", url)


def await_peers(count: int) -> None:
    """Return when so many other nodes are known, and the services of all of them."""
    _until(lambda: len(vista.peers()) == count)
    _until(lambda: len(_names("Growth")) == count + 1)


def resident() -> int:
    """Return the bytes of memory that the process has resident."""
    return resident_bytes()


def hops(number: int) -> int:
    """Return over how many links the node of this number is reached."""
    id = vista.id_of(vista.service(f"Growth/{number}"))
    [row] = [row for row in vista.here().describe_peers() if str(id).startswith(row.node)]
    found: int = row.hops
    return found


def latency(number: int, count: int) -> float:
    """Return the median of the seconds of calls to a node, one after the other."""
    counter = vista.service(f"Growth/{number}")
    for _ in range(count // 4):
        counter.increment(0)
    taken = []
    for _ in range(count):
        started = perf_counter()
        counter.increment(0)
        taken.append(perf_counter() - started)
    return statistics.median(taken)


def calls(number: int, threads: int, count: int) -> None:
    """Call a node from so many threads, ``count`` times from each."""
    counter = vista.service(f"Growth/{number}")
    callers = [vista.create(Caller) for _ in range(threads)]
    gather(*[caller.call.future(counter, count) for caller in callers])


def counted(number: int) -> int:
    """Return what the counter of a node stands at, and set it to nothing."""
    counter = vista.service(f"Growth/{number}")
    found: int = counter.increment(0)
    counter.increment(-found)
    return found


def announce(count: int) -> None:
    """Register so many services, an object each, which are announced."""
    for number in range(count):
        vista.register_service(f"{LOADED}/{number:05}", vista.create(Counter))


def withdraw(count: int) -> None:
    """Register none of them any more."""
    for number in range(count):
        vista.unregister_service(f"{LOADED}/{number:05}")


def await_services(count: int) -> None:
    """Return when all of so many services are known."""
    vista.wait_for_service(f"{LOADED}/{count - 1:05}", SECONDS_MAX)
    _until(lambda: len(_names(LOADED)) == count)


def await_withdrawal(count: int) -> None:
    """Return when none of so many services is known any more."""
    # The last one goes last; to look at all of them each time would take longer than they do.
    _until(lambda: not _is_known(f"{LOADED}/{count - 1:05}"))
    _until(lambda: not _names(LOADED))


def _is_known(name: str) -> bool:
    try:
        vista.service(name)
    except NoSuchService:
        return False
    return True


def _names(space: str) -> list[str]:
    return [row.name for row in vista.services() if row.name.startswith(f"{space}/")]


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(LOOKS):
        if holds():
            return
        vista.sleep(PAUSE_SECONDS)
    raise NothingMeasuredError("it did not come about within a minute")


def _link_once(node: Node, url: str, settings: dict[str, Any]) -> None:
    """Link another node with this one and let it end: what the first link loads is loaded then."""
    with Node("first", limits=CALM, settings=settings) as first:
        first.call(link_with, url)
    node.call(await_peers, 0)


TOLD: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        link, await_peers, resident, hops, latency, calls, counted, announce, withdraw,
        await_services, await_withdrawal,
    )
}  # fmt: skip


def main(number: int, directory: str) -> None:
    """Be a node, and do what the other side says until it closes the input."""
    # At the end one node after the other is killed, and each would tell of those it lost.
    logging.disable(logging.WARNING)
    settings: dict[str, Any] = {"secret_key": bytes.fromhex(sys.stdin.readline())}
    with Node(f"growth-{number}", limits=CALM, settings=settings) as node:
        url = node.call(start, number, directory)
        _link_once(node, url, dict(settings))
        print(json.dumps(url), flush=True)
        for line in sys.stdin:
            name, *given = json.loads(line)
            expect(name in TOLD, True)
            print(json.dumps(node.call(TOLD[name], *given)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
