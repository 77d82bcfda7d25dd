"""What replicated objects cost through the runtime: ``python -m benchmarks --only solidstate``.

Servers, and members from which users ask, are processes of one machine and share its processors.
Everything is there that an application has: links, letters with MACs, signatures, disks, and a call
of a method within bounds at every replica. `benchmarks.pbft` has the core alone, over plain
sockets.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.solidstate.objects.charter import mode_of
from apps.solidstate.objects.server import BUNDLE_OPERATIONS_MAX
from benchmarks.http_load import processor_seconds
from benchmarks.measure import (
    MILLISECONDS,
    THOUSANDS_A_SECOND,
    Row,
    Subject,
    Target,
    at_least,
    at_most,
    expect,
)
from benchmarks.pbft_group import Child
from benchmarks.report import rst_list
from benchmarks.solidstate_cart import CHUNK_BYTES


@dataclass(frozen=True)
class Scene:
    """What is measured.

    ``users`` call one cart, shared by the ``proxies`` of as many members, with ``payload`` bytes
    there and back; the cart's state has about ``state`` bytes besides. At most ``batch`` calls of
    one proxy go together. ``asks`` is the method that they call, ``reads`` how the group answers
    those that only read.
    """

    mode: str = "byzantine"
    faults: int = 1
    proxies: int = 1
    users: int = 1
    payload: int = 0
    state: int = 0
    batch: int = BUNDLE_OPERATIONS_MAX
    asks: str = "echo"
    reads: str = ""


class Pools:
    """The pool that the rows use, one at a time: others would share the machine with it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: tuple[tuple[str, str, int], Pool] | None = None

    def ask(self, scene: Scene, requests: int) -> Asked:
        """Have the users of a scene make so many requests, after some that do not count."""
        key = scene.mode, scene.reads, scene.proxies
        if self._running is None or self._running[0] != key:
            self.close()
            self._running = key, self._stack.enter_context(pool(scene))
        running = self._running[1]
        running.work(max(scene.users, requests // 10), scene)
        return running.work(requests, scene)

    def close(self) -> None:
        """End them."""
        self._stack.close()
        self._running = None


def solidstate_rows(pools: Pools) -> list[Row]:
    """Return the rows with what must be reached."""
    many, one = {"proxies": 2, "users": 2_000}, "replicated call, one user"
    return [
        _row(pools, "replicated calls, 2,000 users", Scene(**many), 15),
        _row(pools, "replicated calls, 200 users", Scene(users=200)),
        _row(pools, one, Scene(), 1.5),
        _row(pools, "replicated reads, 200 users", Scene(users=200, asks="peek")),
        _row(pools, "replicated read, one user", Scene(asks="peek")),
        _row(pools, "replicated calls, 2,000 users, crash-only", Scene("crash", **many), 25),
        _row(pools, "replicated calls, 200 users, crash-only", Scene("crash", users=200)),
        _row(pools, f"{one}, crash-only", Scene("crash"), 1.5),
    ]


def _row(pools: Pools, name: str, scene: Scene, bound: float | None = None) -> Row:
    """Return the row of a scene; ``bound`` is in thousands a second for many, or milliseconds."""
    many = scene.users > 1
    unit = THOUSANDS_A_SECOND if many else MILLISECONDS
    targets: tuple[Target, ...] = ()
    if bound is not None:
        targets = (at_least(bound, unit) if many else at_most(bound, unit),)

    def run(requests: int) -> float:
        found = pools.ask(scene, max(requests, scene.users))
        return 1 / found.per_second if many else found.median

    return Row(
        name, Subject(f"{scene.mode}, f = 1", run), targets=targets, unit=unit,
        count=max(20_000, 20 * scene.users) if many else 500, quick=1_000 if many else 50, rounds=5,
        group="solidstate",
    )  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What was measured of a scene: requests a second, seconds, processor seconds a request.

    ``processor`` is that of all processes, ``server`` that of one server, ``proxy`` that of one
    member from which users ask. ``together`` is how many requests a batch had.
    """

    scene: Scene
    per_second: float
    median: float
    slow: float
    processor: float
    server: float
    proxy: float
    together: float


class Pool:
    """The processes of a scene, with the cart that they share."""

    def __init__(self, scene: Scene, folder: Path, stack: ExitStack) -> None:
        self.scene = scene
        replicas = mode_of(scene.mode).replicas(scene.faults)
        # Servers are chosen by the names of their nodes, so those come first.
        names = [f"a-server-{number:02}" for number in range(replicas)]
        names += [f"b-front-{number:02}" for number in range(scene.proxies)]
        children: list[Child] = []
        urls: list[str] = []
        for name in names:
            children.append(Child("benchmarks.solidstate_node", name, str(folder), *urls))
            stack.callback(children[-1].end)
            urls.append(children[-1].said())
        self.servers, self.fronts = children[:replicas], children[replicas:]
        for child in children:
            expect(child.tell("meet", len(names)), len(names))
        for front in self.fronts:
            expect(front.tell("bundle", scene.batch), scene.batch)
        expect(self.fronts[0].tell("found", scene.mode, scene.faults, scene.reads), "cart")
        for front in self.fronts[1:]:
            expect(front.tell("come"), "cart")
        left = scene.state // CHUNK_BYTES
        while left:
            # In portions, as one call may execute a million lines.
            self.fronts[0].tell("fill", min(left, 1_000))
            left -= min(left, 1_000)

    def work(self, requests: int, scene: Scene | None = None) -> Asked:
        """Have all users make so many requests together; return what was measured.

        ``scene`` is another one for the same processes.
        """
        scene = scene or self.scene
        everybody = [*self.servers, *self.fronts]
        before = [processor_seconds(child.process.pid) for child in everybody]
        batches = self.fronts[0].tell("batches")
        parts = len(self.fronts)
        shares = [requests // parts + (number < requests % parts) for number in range(parts)]
        for front, share in zip(self.fronts, shares, strict=True):
            users = max(1, scene.users // parts)
            front.begin("work", users, share, scene.payload, scene.asks)
        told: list[dict[str, Any]] = [front.said() for front in self.fronts]
        after = [processor_seconds(child.process.pid) for child in everybody]
        took = sorted(one for part in told for one in part["took"])
        expect((len(took), sum(part["wrong"] for part in told)), (requests, 0))
        used = [(end - start) / requests for start, end in zip(before, after, strict=True)]
        seconds = max(part["ended"] for part in told) - min(part["began"] for part in told)
        return Asked(
            scene,
            requests / seconds,
            took[len(took) // 2],
            took[len(took) * 99 // 100],
            sum(used),
            statistics.mean(used[: len(self.servers)]),
            statistics.mean(used[len(self.servers) :]),
            requests / max(1, self.fronts[0].tell("batches") - batches),
        )


@contextmanager
def pool(scene: Scene) -> Iterator[Pool]:
    """Run the processes of a scene."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        yield Pool(scene, Path(folder), stack)


# --- how it moves --------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What is measured: scenes, and for how many seconds each."""

    scenes: tuple[Scene, ...]
    seconds: float = 2.0
    rounds: int = 3


def _scenes() -> tuple[Scene, ...]:
    modes = ("byzantine", "crash")
    payloads = [
        Scene(mode, users=users, payload=payload)
        for mode in modes
        for users in (1, 200)
        for payload in (0, 100, 1024)
    ]
    users = [Scene(mode, users=users) for mode in modes for users in (10, 50, 1_000, 2_000)]
    counted = [Scene("minbft", users=users) for users in (1, 10, 50, 200, 1_000, 2_000)]
    counted += [Scene("minbft", users=200, payload=payload) for payload in (100, 1024)]
    proxies = [
        Scene(mode, proxies=proxies, users=users)
        for mode in modes
        for proxies, users in ((4, 200), (2, 2_000))
    ]
    states = [
        Scene(mode, users=200, state=state)
        for mode in modes
        for state in (100_000, 1_000_000, 10_000_000)
    ]
    batches = [Scene(mode, users=2_000, batch=batch) for mode in modes for batch in (10, 50, 200)]
    faults = [
        Scene(mode, faults=faults, users=users)
        for mode in modes
        for faults in (2, 3)
        for users in (1, 200)
    ]
    return (*payloads, *users, *counted, *proxies, *states, *batches, *faults)


FULL = Plan(_scenes())
QUICK = Plan((Scene("crash", proxies=2, users=20, payload=100, state=2_000),), 0.2, 1)


def measure_all(plan: Plan) -> list[Asked]:
    """Measure every scene; of the rounds the one that was fastest in the middle."""
    return [measure_scene(scene, plan) for scene in plan.scenes]


def measure_scene(scene: Scene, plan: Plan) -> Asked:
    """Have the users ask for about so long, several times; return the median round."""
    least = 2 * scene.users
    with pool(scene) as running:
        running.work(least)
        pilot = running.work(least)
        requests = max(least, int(plan.seconds * pilot.per_second))
        found = [running.work(requests) for _ in range(plan.rounds)]
    return sorted(found, key=lambda one: one.per_second)[len(found) // 2]


HEADINGS = (
    "mode", "f", "proxies", "users", "payload", "state", "together", "requests", "median",
    "99 of 100 within", "processor time of a request", "of each server", "of each proxy",
    "in a batch",
)  # fmt: skip


def cells_of(found: Asked) -> tuple[str, ...]:
    """Return the cells of one row."""
    scene = found.scene
    return (
        scene.mode,
        str(scene.faults),
        str(scene.proxies),
        f"{scene.users:,}",
        f"{scene.payload:,} B",
        f"{scene.state // 1000:,} kB",
        str(scene.batch),
        f"{found.per_second:,.0f}/s",
        f"{found.median * 1e3:,.1f} ms",
        f"{found.slow * 1e3:,.1f} ms",
        f"{found.processor * 1e6:,.0f} us",
        f"{found.server * 1e6:,.0f} us",
        f"{found.proxy * 1e6:,.0f} us",
        f"{found.together:,.0f}",
    )


def rst_tables(found: Sequence[Asked], words: str) -> str:
    """Return the table as ``docs/benchmarks.rst`` includes it; ``words`` tell circumstances."""
    return f"{words}\n\n{rst_list(HEADINGS, [cells_of(one) for one in found])}"
