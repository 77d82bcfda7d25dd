"""Upgrading a live object to another version of its class.

Three rules. No thread is left behind in the old version: the upgrade waits for those suspended in
the object. Nobody notices: Id, Refs, saved functions, service names, watchers, access list, meta
object and waiting messages stay. An upgrade that fails changes nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from vista.errors import ClassDefinitionError, NotAValueError, ObjectBusy
from vista.kernel import monitor
from vista.kernel.current import METHOD, PARENT, RECORD, current
from vista.kernel.encoding import set_variables, variables_of
from vista.kernel.methods import MethodEntry
from vista.kernel.refs import point
from vista.kernel.table import GONE, QUEUED, Record
from vista.values import copy_value

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

_LOOK_AGAIN_SECONDS = 0.01


def upgrade(kernel: Kernel, record: Record, version: int | None, seconds: float) -> Record:
    """Replace ``record`` by one of another version, as the thread active in it.

    Waits up to ``seconds`` for other threads in the object, then raises `ObjectBusy`.
    """
    due = kernel.hub.time() + seconds
    quiesce(kernel, record, seconds, "upgrade")
    if record.idle is GONE:
        # Another upgrade was faster: this one takes its turn in what stands in the object's place.
        ref = kernel.ref_to(record)
        ref.upgrade(version, max(0.0, due - kernel.hub.time()))
        return kernel.record_of(ref)
    old = record.entry
    entry = kernel.find_class((old.namespace, old.name, version))
    if entry is old:
        return record
    successor = Record(kernel, record.key, entry, object.__new__(entry.cls))
    # What the hook says of itself must be the object that everybody knows.
    successor.ref = kernel.ref_to(record)
    instance: Any = successor.instance
    instance._record = successor
    _take_state(record, successor)
    _replace(kernel, record, successor)
    return successor


def quiesce(kernel: Kernel, record: Record, seconds: float, what: str) -> None:
    """Wait until no other thread is in an object, as the thread ``what`` active in it.

    Threads that do ``what`` themselves do not count. Raises `ObjectBusy` after ``seconds``, and at
    once when a method of the object waits for this thread.
    """
    _refuse_own_chain(record, what)
    due = kernel.hub.time() + seconds
    while others := _others(kernel, record, what):
        if kernel.hub.time() >= due:
            raise ObjectBusy(f"{record} has threads that do not end: {', '.join(others)}")
        kernel.sleep(_LOOK_AGAIN_SECONDS)


def _refuse_own_chain(record: Record, what: str) -> None:
    """Raise `ObjectBusy` when a method of the object waits for ``what`` or called it directly.

    It would go on in an instance that is the object no more, where nobody sees what it does.
    """
    frame = current().frame
    if frame[METHOD].name == what:
        frame = frame[PARENT]
    while frame is not None:
        if frame[RECORD] is record and not frame[METHOD].forwards:
            raise ObjectBusy(
                f"{record}.{frame[METHOD].name} waits for {what} and would go on in what the "
                f'object was before; write vista.post(self, "{what}")'
            )
        frame = frame[PARENT]


def _others(kernel: Kernel, record: Record, what: str) -> list[str]:
    """Name the threads in the object that do not ``what`` nor are on their way to a meta object."""
    if not record.was_left:
        # Else a thousand threads that each move an object would look at a thousand each.
        return []
    frames = [
        frame
        for worker in kernel.threads.live()
        for frame in worker.frames()
        if frame[RECORD] is record and worker is not kernel.threads.running
    ]
    record.was_left = bool(frames)
    return [
        frame[METHOD].name
        for frame in frames
        if frame[METHOD].name != what and not frame[METHOD].forwards
    ]


def _take_state(record: Record, successor: Record) -> None:
    """Hand the variables to the new instance, by its hook where it has one."""
    state = variables_of(record.instance)
    if successor.entry.upgraded_from is not None:
        state = {name: _copied(value) for name, value in state.items()}
    take_over(record, successor, record.entry.version, state)


def take_over(held: Record, successor: Record, version: int, state: dict[str, Any]) -> None:
    """Give an object the variables that one of another class version had, as the calling thread.

    ``held`` is the one of the two that the thread keeps. The class's ``upgraded_from`` takes them
    where it has one; what that raises is raised here.
    """
    hook = successor.entry.upgraded_from
    if hook is None:
        set_variables(successor.instance, state)
        return
    if hook.is_async or hook.native:
        raise ClassDefinitionError(f"{hook} must be a plain method")
    worker: Any = current()
    # Exclusive: while the hook waits for something nobody may change what it was given.
    keeping = MethodEntry(hook.name, hook.function, hook.run, hook.class_name)
    keeping.exclusive = True
    kernel = held.kernel
    worker.frame = frame = (held, keeping, worker.frame, kernel.now)
    try:
        hook.run(successor.instance, version, state)
    except BaseException as error:
        raise kernel.invoker.failed(worker, frame, error, False) from None
    worker.frame = frame[PARENT]


def _copied(value: Any) -> Any:
    """Return a copy, so that a hook that fails leaves the old version as it was; else the thing."""
    try:
        return copy_value(value)
    except NotAValueError:
        return value


def _replace(kernel: Kernel, record: Record, successor: Record) -> None:
    """Put ``successor`` in the place of ``record``: table, services, Ref, guard and queue."""
    record.entry.deleted += 1
    successor.entry.created += 1
    kernel.table.records[record.key] = successor
    successor.services, record.services = record.services, ()
    successor.guard = record.guard
    queue, record.queue = record.queue, None
    record.state = record.idle = GONE
    record.successor = successor
    point(successor.ref, successor)  # type: ignore[arg-type]
    successor.queue = _readdressed(kernel, queue)
    if successor.guard is not None:
        kernel.guard_of(successor)
        successor.guard.note_changes(successor, current().frame)
    successor.state = QUEUED
    monitor.release(successor)


def _readdressed(kernel: Kernel, queue: deque[Any] | None) -> deque[Any] | None:
    """Return the waiting messages for the new version, in their order.

    A message that the new version does not answer ends here with `NoSuchMethod`. A thread in the
    queue is another upgrade that wants its turn in the old version: it finds that gone.
    """
    if queue is None:
        return None
    kept = monitor.new_queue()
    for item in queue:
        if type(item) is not tuple:
            item.admitted()
            continue
        message = kernel.invoker.readdressed(item)
        if message is None:
            continue
        if message[METHOD].preemptable:
            kernel.threads.passing.begin(message)
            kernel.threads.make_ready(message)
        else:
            kept.append(message)
    return kept
