"""What must hold in a kernel: at every event, and when nothing is left to happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista.kernel.current import RECORD
from vista.kernel.table import GONE, QUEUED, Record

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel


def unrest(kernel: Kernel) -> list[str]:
    """Say in words what is left in a kernel that should be at rest; the empty list if nothing."""
    found = [
        f"{kind}: {count}"
        for kind, count in (
            ("ready", len(kernel.threads.ready)),
            ("live threads", len(kernel.threads.live())),
            ("timers", len(kernel.timers) - _own_timers(kernel)),
        )
        if count
    ]
    for worker in kernel.threads.idle:
        if worker.frame is not None or worker.scopes:
            found.append(f"an idle worker keeps {worker.frame or worker.scopes!r}")
    for record in (kernel.program, *kernel.table.records.values()):
        if record.state is not record.idle:
            found.append(f"{record} is {record.state!r}")
        if record.queue:
            found.append(f"{len(record.queue)} wait for {record}")
        if record.idle is GONE:
            found.append(f"{record} is gone and in the table")
    return found


def _own_timers(kernel: Kernel) -> int:
    """Return how many timers the thread that looks has for its own waits: see `kernel.bounds`."""
    running = kernel.threads.running
    return int(running is not None and running.timer is not None)


def contradictions(kernel: Kernel) -> list[str]:
    """Say in words where the tables of a kernel contradict one another at this moment.

    Use it in a watcher of a `World`, after every event.
    """
    return [
        words
        for record in kernel.table.records.values()
        if record.queue or record.state is QUEUED
        for words in _contradictions(kernel, record)
    ]


def _contradictions(kernel: Kernel, record: Record) -> list[str]:
    found = []
    queue = record.queue or ()
    if queue and record.state is record.idle:
        found.append(f"{len(queue)} wait for {record}, which is idle")
    if len({id(item) for item in queue}) != len(queue):
        found.append(f"somebody stands twice in the line of {record}")
    if record.state is QUEUED:
        standing = sum(
            type(item) is tuple and item[RECORD] is record and not item[1].preemptable
            for item in kernel.threads.ready
        )
        if standing != 1:
            found.append(f"{record} is queued and has {standing} messages ready")
    return found
