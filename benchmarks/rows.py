"""The rows of the table: what is measured, beside what, and what it must reach."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from time import perf_counter

import vista
from benchmarks import local, references, start, variants
from benchmarks.children import run_child
from benchmarks.erlang import subject as erlang
from benchmarks.http import Servers, http_rows
from benchmarks.measure import (
    BYTES,
    MICROSECONDS,
    MILLISECONDS,
    Row,
    Subject,
    Target,
    Unit,
    at_most,
    expect,
    per_second,
    times_faster,
    times_the_time,
)
from benchmarks.objects import Counter, Driver, driven
from benchmarks.pbft import pbft_rows
from benchmarks.rows_peers import Linked, kept_rows, peer_rows
from benchmarks.solidstate import Pools, solidstate_rows
from benchmarks.solidstate_page import Shop, page_rows
from benchmarks.starship import starship_rows
from benchmarks.starship_players import player_rows
from vista import Limits, Node, Ref

Measured = Callable[[int], float]

GROUPS = ("local", "peers", "persistence", "pbft", "solidstate", "http", "starship")
"""The tables."""


class World:
    """The node on which the rows run, with the object whose thread measures."""

    def __init__(self) -> None:
        # The measuring method holds the loop by intention; the watchdog has nothing to say here.
        self.node = Node("benchmarks", limits=Limits(slow_method_seconds=60.0)).start()
        self.driver: Ref = self.node.call(vista.create, Driver)
        self.counter: Ref = self.node.call(vista.create, Counter)
        self.linked = Linked()
        self.servers = Servers()
        self.pools = Pools()
        self.shop = Shop()

    def close(self) -> None:
        """Stop the node, and what else was started."""
        self.linked.close()
        self.servers.close()
        self.pools.close()
        self.shop.close()
        self.node.stop()

    def inside(self, function: Measured, name: str) -> Subject:
        """Return the subject that runs ``function`` in a vista thread of the driver."""
        return driven(lambda: self.driver, function, name)

    def from_outside(self, count: int) -> float:
        """Calls from an OS thread that is not the node's."""
        before = self.counter.increment(0)
        started = perf_counter()
        for _ in range(count):
            self.counter.increment(1)
        seconds = perf_counter() - started
        expect(self.counter.increment(0) - before, count)
        return seconds / count


def all_rows(world: World) -> list[Row]:
    """Return every row that can be measured here, in the table's order."""
    local = [*_messages(world), *_objects(world), *_memory(), *_start(), *_costs(world)]
    linked = [*peer_rows(world.linked), *kept_rows(world.linked)]
    played = [*starship_rows(), *player_rows()]
    agreed = [*pbft_rows(), *solidstate_rows(world.pools), *page_rows(world.shop)]
    return [*local, *linked, *agreed, *http_rows(world.servers), *played]


def _messages(world: World) -> list[Row]:
    send = world.inside(local.send_local, "send")
    posts = world.inside(local.posts, "posts")
    flight = world.inside(local.calls_in_flight, "1,000 in flight")
    tasks = Subject("asyncio.create_task", references.asyncio_tasks)
    gather = Subject("asyncio.gather", references.asyncio_gather)
    spawn = erlang("spawn", "spawn")
    rows = [
        Row(
            "local send",
            send,
            Subject("Pykka ask", references.pykka_ask),
            erlang("call", "gen_server:call"),
            (times_faster(60),),
        ),
        Row(
            "the same through a Ref",
            world.inside(local.call_ref, "ref.method()"),
            send,
            targets=(times_the_time(1.5),),
        ),
        Row(
            "1,000 in flight, a call",
            flight,
            gather,
            erlang("flight", "send_request"),
            (times_faster(2),),
            count=20,
            quick=2,
        ),
        Row("posts", posts, tasks, spawn, (times_faster(4),), count=20, quick=2),
        Row(
            "posts to one object",
            world.inside(local.posts_to_one, "posts"),
            tasks,
            spawn,
            count=20,
            quick=2,
        ),
    ]
    if importlib.util.find_spec("uvloop") is None:
        return rows
    on_uvloop = [
        Row("in flight, both on uvloop", flight, _on_uvloop(gather), count=20, quick=2),
        Row("posts, both on uvloop", posts, _on_uvloop(tasks), count=20, quick=2),
    ]
    return [*rows, *on_uvloop]


def _on_uvloop(subject: Subject) -> Subject:
    return Subject(f"{subject.name} on uvloop", references.on_uvloop(subject.run))


def _objects(world: World) -> list[Row]:
    plain = Subject("plain object in a table", references.plain_create)
    create = erlang("create", "gen_server:start")
    return [
        Row(
            "create",
            world.inside(local.create, "create"),
            plain,
            create,
            (per_second(300_000), times_the_time(5)),
        ),
        Row("create by class name", world.inside(local.create_by_name, "create"), plain, create),
        Row(
            "first call of an object's method",
            world.inside(local.first_calls, "ref.method()"),
            world.inside(local.call_ref, "later calls"),
        ),
    ]


class _Child:
    """A process that measures several figures; each row takes its own from the same processes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unread: dict[str, list[float]] = {}

    def subject(self, figure: str) -> Subject:
        """Return the subject that takes ``figure`` from a process, a new one if none has it."""
        self._unread[figure] = []

        def run(count: int) -> float:
            if not self._unread[figure]:
                for name, value in run_child(self._name, count).items():
                    self._unread.setdefault(name, []).append(value)
            return self._unread[figure].pop(0)

        return Subject(self._name, run)


def _memory() -> list[Row]:
    idle, parked = _Child("idle"), _Child("parked")
    small = (at_most(700, BYTES),)
    return [
        _in_child("idle object", idle.subject("idle"), small, BYTES),
        _in_child("idle object, called once", idle.subject("called"), small, BYTES),
        _in_child("parked thread", parked.subject("bytes"), (at_most(8 * 1024, BYTES),), BYTES),
        _in_child(
            "resume of a parked thread",
            parked.subject("resume_seconds"),
            (at_most(10, MICROSECONDS),),
            MICROSECONDS,
        ),
        _in_child(
            "start of a thread that parks", parked.subject("start_seconds"), (), MICROSECONDS
        ),
    ]


def _in_child(name: str, ours: Subject, targets: tuple[Target, ...], unit: Unit) -> Row:
    return Row(
        name, ours, targets=targets, unit=unit, count=100_000, quick=10_000, least=100, rounds=3
    )


def _start() -> list[Row]:
    command = Subject("vista", start.vista_command)
    library = Subject("python", start.vista_library)
    return [
        _process("vista first.rc to first object", command, (at_most(500, MILLISECONDS),)),
        _process("import vista, first object", library, ()),
    ]


def _process(name: str, ours: Subject, targets: tuple[Target, ...]) -> Row:
    python = Subject("python, import asyncio", start.bare_python)
    return Row(name, ours, python, targets=targets, unit=MILLISECONDS, count=3, quick=1, rounds=5)


def _costs(world: World) -> list[Row]:
    call = world.inside(local.call_ref, "ref.method()")
    task = Subject("asyncio.create_task, awaited", references.asyncio_awaited_tasks)
    executor = Subject("asyncio run_in_executor", references.asyncio_executor)
    return [
        Row("plain method call", Subject("plain", references.plain_call), call),
        Row(
            "call without statistics",
            world.inside(variants.call_uncounted, "uncounted"),
            world.inside(variants.call_counted, "counted"),
        ),
        Row("with an access list", world.inside(local.call_with_acl, "acl"), call),
        Row("with a watcher", world.inside(local.call_watched, "watched"), call),
        Row("@exclusive", world.inside(local.call_exclusive, "exclusive"), call),
        Row("@preemptable", world.inside(local.call_preemptable, "preemptable"), call),
        Row("async def", world.inside(local.call_async, "async"), task, count=2_000, quick=200),
        Row("@native", world.inside(local.call_native, "native"), executor, count=1_000, quick=100),
        Row(
            "call from another OS thread",
            Subject("outside", world.from_outside),
            Subject("run_coroutine_threadsafe", references.asyncio_from_thread),
            count=1_000,
            quick=100,
        ),
        Row(
            "send of a list of ten",
            world.inside(local.send_list, "send"),
            Subject("copy.deepcopy", references.deep_copy),
        ),
    ]
