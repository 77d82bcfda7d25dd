"""Upgrading a live object to another version of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.errors import ClassDefinitionError, ObjectBusy
from vista.kernel import monitor
from vista.kernel.current import RECORD, current
from vista.kernel.encoding import variables_of
from vista.kernel.refs import point
from vista.kernel.table import GONE, QUEUED, Record

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel

_LOOK_AGAIN_SECONDS = 0.01


def upgrade(kernel: Kernel, record: Record, version: int | None, seconds: float) -> Record:
    """Replace ``record`` by one of another version, as the thread active in it.

    Waits up to ``seconds`` for other threads in the object, then raises `ObjectBusy`.
    """
    old = record.entry
    entry = kernel.find_class((old.namespace, old.name, version))
    if entry is old:
        return record
    due = kernel.hub.time() + seconds
    while _others(kernel, record):
        if kernel.hub.time() >= due:
            raise ObjectBusy(f"{record} has {_others(kernel, record)} threads that do not end")
        kernel.sleep(_LOOK_AGAIN_SECONDS)
    successor = Record(kernel, record.id, entry, _new_instance(entry))
    _take_state(record, successor)
    _replace(kernel, record, successor)
    return successor


def _others(kernel: Kernel, record: Record) -> int:
    """Count the threads in the object that are not of the calling chain."""
    chain = []
    frame = current().frame
    while frame is not None:
        chain.append(id(frame))
        frame = frame[2]
    return sum(
        frame[RECORD] is record and id(frame) not in chain
        for worker in kernel.threads.live()
        for frame in worker.frames()
    )


def _new_instance(entry: ClassEntry) -> Any:
    return object.__new__(entry.cls)


def _take_state(record: Record, successor: Record) -> None:
    """Hand the variables to the new instance, by its hook where it has one."""
    state = variables_of(record.instance)
    instance: Any = successor.instance
    instance._record = successor
    hook = successor.entry.upgraded_from
    if hook is None:
        for name, value in state.items():
            setattr(instance, name, value)
    elif hook.is_async or hook.native:
        raise ClassDefinitionError(f"{hook} must be a plain method")
    else:
        hook.run(instance, record.entry.version, state)


def _replace(kernel: Kernel, record: Record, successor: Record) -> None:
    """Put ``successor`` in the place of ``record``: table, services, Ref, guard and queue."""
    record.entry.deleted += 1
    successor.entry.created += 1
    kernel.table.records[record.id] = successor
    successor.services, record.services = record.services, ()
    successor.guard = record.guard
    successor.queue, record.queue = record.queue, None
    successor.ref = record.ref
    if record.ref is not None:
        point(record.ref, successor)
    record.state = record.idle = GONE
    record.successor = successor
    if successor.guard is not None:
        kernel.guard_of(successor)
    successor.state = QUEUED
    monitor.release(successor)
