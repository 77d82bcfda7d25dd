"""Taking an object out of a node: its names, waiting messages, suspended threads and watchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista.errors import ObjectDeleted
from vista.kernel.current import FUTURE, PARENT, RECORD, current
from vista.kernel.table import GONE

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record


def remove(kernel: Kernel, record: Record) -> None:
    """Take an object out of the node, without its delete hook; does nothing when it is gone.

    Messages that wait for it and threads suspended in it end with `ObjectDeleted`; the chain of
    calls that deletes it goes on.
    """
    if record.idle is GONE:
        return
    kernel.table.records.pop(record.key, None)
    record.entry.deleted += 1
    kernel.services.forget(record)
    record.state = record.idle = GONE
    queue, record.queue = record.queue, None
    gone = ObjectDeleted(f"{record} was deleted")
    for item in queue or ():
        if type(item) is not tuple:
            item.admitted()
        elif item[FUTURE] is not None:
            item[FUTURE].fail(gone)
        else:
            kernel.note_lost_post(str(gone))
    _end_threads_in(kernel, record, gone)
    guard = record.guard
    if guard is not None:
        guard.object_deleted(record)


def _end_threads_in(kernel: Kernel, record: Record, gone: ObjectDeleted) -> None:
    """Kill the threads suspended in a deleted object, except the chain that deletes it."""
    own = set()
    frame = current().frame
    while frame is not None:
        own.add(id(frame))
        frame = frame[PARENT]
    for worker in list(kernel.threads.parked):
        for frame in reversed(worker.frames()):
            if frame[RECORD] is record and id(frame) not in own:
                worker.kill(frame, gone)
                break
