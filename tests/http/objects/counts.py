"""What a process holds on behalf of clients, counted: for tests that nothing is left of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from collections import Counter
from typing import Any

import vista
from apps.http.objects.answering import Answering
from apps.http.objects.bodies import RequestBody
from apps.http.objects.connection import Connection
from apps.http.syntax.requests import RequestReader
from vista.kernel.current import METHOD, RECORD

_KINDS = (Connection, RequestReader, Answering, RequestBody)
TURNS_MAX = 3000
WORKERS_BUSY_MAX = 2
COLLECTIONS_MAX = 30
TURN_SECONDS = 0.01


class Counts:
    """Counts what there is when it is made; `left` says what there is more when all has settled.

    There may be less: what others left is still going.
    """

    def __init__(self, node: vista.Node) -> None:
        self._node = node
        self._before = self._count()
        self._instances_before = _instances()

    def left(self) -> dict[str, Any]:
        """What is still there of all that was made since: nothing as soon as it is gone.

        By name, how many there were before and are after, 30 s later at most.
        """
        for _ in range(TURNS_MAX):
            if not (more := self._more()):
                break
            vista.sleep(TURN_SECONDS)
        else:
            return more
        # A worker that has not gone to rest still knows what it did last; nobody else may.
        for _ in range(COLLECTIONS_MAX):
            _forget_tracebacks()
            kept = _instances() - self._instances_before
            if all(count <= WORKERS_BUSY_MAX for count in kept.values()):
                return {}
            vista.sleep(TURN_SECONDS)
        return {"instances": kept}

    def _more(self) -> dict[str, Any]:
        found = self._count()
        both = {name: (before, found[name]) for name, before in self._before.items()}
        return {name: two for name, two in both.items() if not two[1] <= two[0]}

    def _count(self) -> dict[str, Any]:
        return {
            "objects": Counter(row.class_name for row in vista.objects()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": self._node.call(self._threads),
            "tasks": self._node.call(_tasks),
            "kernel threads": sum(not _is_of_pool(each) for each in threading.enumerate()),
        }

    def _threads(self) -> Counter[str]:
        # Not by `vista.threads`, which gives them Ids and so knows some of them when they are over.
        frames = [frame for each in self._node.kernel.threads.live() for frame in each.frames()]
        return Counter(f"{frame[RECORD].entry.name}.{frame[METHOD].name}" for frame in frames)


def _forget_tracebacks() -> None:
    """Take the tracebacks from the log that pytest keeps: they hold what the code had in hand."""
    for handler in logging.getLogger().handlers:
        for record in getattr(handler, "records", ()):
            record.msg, record.args, record.exc_info = record.getMessage(), None, None


def _instances() -> Counter[str]:
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in _KINDS)


def _is_of_pool(thread: threading.Thread) -> bool:
    """Whether a thread is one of a node's for ``@native``: it keeps them, so many at most."""
    return thread.name.startswith("vista-native")


def _tasks() -> int:
    return len(asyncio.all_tasks(asyncio.get_running_loop()))
