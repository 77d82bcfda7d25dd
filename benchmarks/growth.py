"""How costs grow with nodes, links and services: ``python -m benchmarks --only growth``.

Every node has a process to itself, all links are ``ipc``, and what many nodes do at the same time
they do on the processors there are: with more nodes than these, the same work is shared by more.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measure import expect
from benchmarks.report import rst_list
from vista.peering.curve import make_key_pair

ROOT = Path(__file__).parents[1]
THREADS = 20

Edges = Callable[[int], list[tuple[int, int]]]


def full_mesh(nodes: int) -> list[tuple[int, int]]:
    """A link between any two."""
    return [(one, other) for one in range(nodes) for other in range(one + 1, nodes)]


def chain(nodes: int) -> list[tuple[int, int]]:
    """A link from each node to the next."""
    return [(number, number + 1) for number in range(nodes - 1)]


SHAPES: dict[str, Edges] = {"full mesh": full_mesh, "chain": chain}


@dataclass(frozen=True)
class Plan:
    """How much is done: rounds, numbers of nodes and services, calls one by one and by a thread."""

    rounds: int = 3
    nodes: tuple[int, ...] = (2, 4, 8, 16)
    services: tuple[int, ...] = (10, 100, 1_000, 10_000)
    service_nodes: int = 8
    calls: int = 200
    thread_calls: int = 20


QUICK = Plan(rounds=1, nodes=(3,), services=(5,), service_nodes=3, calls=20, thread_calls=2)


@dataclass(frozen=True)
class Formed:
    """What was measured of nodes in a shape: seconds, calls a second and bytes."""

    shape: str
    nodes: int
    links: int
    hops: int
    form_seconds: float
    call_seconds: float
    calls_per_second: float
    bytes_per_link: float


@dataclass(frozen=True)
class Announced:
    """What was measured of services of one node that all others come to know."""

    shape: str
    nodes: int
    services: int
    known_seconds: float
    gone_seconds: float
    bytes_per_service: float


Grown = tuple[list[Formed], list[Announced]]


class Nodes:
    """Processes with a node each, in one shape."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes
        self.urls: list[str] = [self._said(number) for number in range(len(processes))]

    def tell(self, number: int, name: str, *given: Any) -> Any:
        """Have one node do something and return what came of it."""
        self._send(number, name, *given)
        return self._said(number)

    def tell_all(self, name: str, *given: Callable[[int], Any]) -> list[Any]:
        """Have all nodes do something at the same time; ``given`` say with what, by the number."""
        everybody = range(len(self._processes))
        for number in everybody:
            self._send(number, name, *[make(number) for make in given])
        return [self._said(number) for number in everybody]

    def resident(self) -> int:
        """Return the bytes of memory that all of them have resident together."""
        return sum(self.tell_all("resident"))

    def link(self, edges: list[tuple[int, int]]) -> float:
        """Link the nodes; return the seconds until all know all."""
        count = len(self._processes)
        started = perf_counter()
        self.tell_all("link", lambda me: [self.urls[to] for one, to in edges if one == me])
        self.tell_all("await_peers", lambda _: count - 1)
        return perf_counter() - started

    def _send(self, number: int, *words: Any) -> None:
        pipe = self._processes[number].stdin
        assert pipe is not None
        pipe.write(json.dumps(words) + "\n")
        pipe.flush()

    def _said(self, number: int) -> Any:
        pipe = self._processes[number].stdout
        assert pipe is not None
        line = pipe.readline()
        # One that failed has said why on its standard error.
        expect(bool(line), True)
        return json.loads(line)


@contextmanager
def nodes_running(count: int) -> Iterator[Nodes]:
    """Run so many nodes, not linked yet."""
    secret = make_key_pair()[1].hex()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        processes = []
        for number in range(count):
            Path(directory, str(number)).mkdir(mode=0o700)
            command = [sys.executable, "-m", "benchmarks.growth_node", str(number), directory]
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(_end, process)
            assert process.stdin is not None
            process.stdin.write(f"{secret}\n")
            process.stdin.flush()
            processes.append(process)
        yield Nodes(processes)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def measure_nodes(shape: str, count: int, plan: Plan) -> Formed:
    """Link ``count`` nodes and measure what a call and a link cost among them."""
    edges = SHAPES[shape](count)
    last = count - 1
    with nodes_running(count) as nodes:
        before = nodes.resident()
        form_seconds = nodes.link(edges)
        taken = nodes.resident() - before
        hops = nodes.tell(0, "hops", last)
        call_seconds = nodes.tell(0, "latency", last, plan.calls)
        # Each calls the next one, the last one its neighbour before: all over one link.
        started = perf_counter()
        nodes.tell_all(
            "calls",
            lambda me: me + 1 if me < last else me - 1,
            lambda _: THREADS,
            lambda _: plan.thread_calls,
        )
        seconds = perf_counter() - started
        total = count * THREADS * plan.thread_calls
        expect(sum(nodes.tell_all("counted", lambda me: me)), total)
    return Formed(
        shape,
        count,
        len(edges),
        hops,
        form_seconds,
        call_seconds,
        total / seconds,
        taken / len(edges),
    )


def measure_services(shape: str, count: int, plan: Plan) -> Announced:
    """Announce ``count`` services on the first node until all know them, and withdraw them."""
    with nodes_running(plan.service_nodes) as nodes:
        nodes.link(SHAPES[shape](plan.service_nodes))
        before = nodes.resident()
        started = perf_counter()
        nodes.tell(0, "announce", count)
        nodes.tell_all("await_services", lambda _: count)
        known_seconds = perf_counter() - started
        taken = nodes.resident() - before
        started = perf_counter()
        nodes.tell(0, "withdraw", count)
        nodes.tell_all("await_withdrawal", lambda _: count)
        gone_seconds = perf_counter() - started
    each = taken / (count * plan.service_nodes)
    return Announced(shape, plan.service_nodes, count, known_seconds, gone_seconds, each)


def median_of(rounds: Sequence[Any]) -> Any:
    """Return what has the median of the rounds in each of its figures."""
    kind, names = type(rounds[0]), rounds[0].__dataclass_fields__
    first = rounds[0]
    figures = {
        name: statistics.median(getattr(found, name) for found in rounds)
        if isinstance(getattr(first, name), float)
        else getattr(first, name)
        for name in names
    }
    return kind(**figures)


NODE_HEADINGS = (
    "shape", "nodes", "links", "all know all", "call to the farthest", "hops", "by the hop",
    "all call: calls", "memory by the link",
)  # fmt: skip
SERVICE_HEADINGS = (
    "shape", "nodes", "services", "all know them", "by the service", "all know them gone",
    "memory by service and node",
)  # fmt: skip


def node_cells(found: Formed) -> tuple[str, ...]:
    """Return the cells of one row about nodes."""
    return (
        found.shape,
        str(found.nodes),
        str(found.links),
        f"{found.form_seconds * 1e3:,.0f} ms",
        f"{found.call_seconds * 1e6:,.0f} us",
        str(found.hops),
        f"{found.call_seconds / found.hops * 1e6:,.0f} us",
        f"{found.calls_per_second / 1e3:,.1f} k/s",
        f"{found.bytes_per_link / 1024:,.0f} KiB",
    )


def service_cells(found: Announced) -> tuple[str, ...]:
    """Return the cells of one row about services."""
    # Of fewer the pages that a process takes anyhow say more than what they take.
    memory = f"{found.bytes_per_service:,.0f} B" if found.services >= 1_000 else ""
    return (
        found.shape,
        str(found.nodes),
        f"{found.services:,}",
        f"{found.known_seconds * 1e3:,.0f} ms",
        f"{found.known_seconds / found.services * 1e6:,.0f} us",
        f"{found.gone_seconds * 1e3:,.0f} ms",
        memory,
    )


def measure_all(plan: Plan) -> Grown:
    """Measure every shape and number; the rounds are taken in turn, not one after the other."""
    formed: dict[tuple[str, int], list[Formed]] = {}
    announced: dict[tuple[str, int], list[Announced]] = {}
    for _ in range(plan.rounds):
        for shape in SHAPES:
            for count in plan.nodes:
                formed.setdefault((shape, count), []).append(measure_nodes(shape, count, plan))
            for count in plan.services:
                found = measure_services(shape, count, plan)
                announced.setdefault((shape, count), []).append(found)
    return (
        [median_of(rounds) for rounds in formed.values()],
        [median_of(rounds) for rounds in announced.values()],
    )


def rst_tables(formed: Sequence[Formed], announced: Sequence[Announced], words: str) -> str:
    """Return both tables as ``docs/benchmarks.rst`` includes them; ``words`` tell circumstances."""
    nodes = rst_list(NODE_HEADINGS, [node_cells(found) for found in formed])
    services = rst_list(SERVICE_HEADINGS, [service_cells(found) for found in announced])
    return f"{words}\n\n{nodes}\n{services}"
