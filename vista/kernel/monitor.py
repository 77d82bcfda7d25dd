"""Mutual exclusion: at most one thread is active in an object.

A thread that waits is suspended: it lets the next one in and becomes active again in its turn.
Waiting threads and messages stand in one queue per object, first come first served.

A thread that makes a nested call keeps its objects in name only: nobody else can run before it
comes back or parks, so they are released when its greenlet parks and not before. That is why a
call that comes back into an object of its own chain finds it held by its own `Worker`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from vista.errors import Overloaded
from vista.kernel.current import METHOD, PARENT, RECORD, Frame, current
from vista.kernel.table import GONE, QUEUED, Record

if TYPE_CHECKING:
    from vista.kernel.threads import Worker


_ROOM_FRAMES: Final = 40
"""Python frames that ending a thread may take: handing the object over, telling watchers."""


def release(record: Record) -> None:
    """End the holder's turn: hand the object to whoever waits next, or let it idle."""
    queue = record.queue
    if queue is None:
        record.state = record.idle
    elif queue:
        head = queue.popleft()
        if type(head) is tuple:
            record.state = QUEUED
            # Not just ready.append: a coroutine that lets go is not in a turn of the loop.
            record.kernel.threads.make_ready(head)
        else:
            record.state = head
            head.admitted()
    else:
        record.state = record.idle
        if record.guard is None:
            record.queue = None


def new_queue() -> deque[Any]:
    """Return an empty queue for a record."""
    return deque()


def try_enter(record: Record, holder: Any) -> bool:
    """Make ``holder`` the active one if the object is free (or gone: then nothing is kept)."""
    state = record.state
    if state is holder or state is GONE:
        return True
    if state is record.idle:
        record.state = holder
        return True
    return False


def line_up(record: Record, waiter: Any) -> None:
    """Put a waiting thread or a message at the end of the object's queue."""
    if record.queue is None:
        record.queue = new_queue()
    record.queue.append(waiter)


def release_chain(worker: Worker, innermost: Frame, *, keep: bool = False) -> None:
    """Release what the frames of a greenlet that leaves hold, from ``innermost`` outwards.

    Objects that an exclusive method keeps stay held, and with ``keep`` that of ``innermost``.
    Frames of preemptable methods hold nothing: if their object is held, then by one further out.
    """
    root, frame = worker.root, innermost
    kept: list[Record] | None = None
    while True:
        record, method = frame[RECORD], frame[METHOD]
        record.was_left = True
        if record.state is worker and not method.preemptable:
            if method.exclusive or (keep and frame is innermost):
                kept = [*(kept or ()), record]
            elif kept is None and record.queue is None:
                # Nobody waits, and nothing is to be noted: see `vista.kernel.table`.
                record.state = record.idle
            elif kept is None or record not in kept:
                leave(record, frame)
        if frame is root:
            return
        frame = frame[PARENT]


def leave(record: Record, frame: Frame) -> None:
    """End an active stretch of ``frame``: note changes for watchers, then release."""
    guard = record.guard
    if guard is not None and (guard.watchers or guard.keeper is not None):
        guard.note_changes(record, frame)
    release(record)


def finish(record: Record, frame: Frame) -> None:
    """End the thread ``frame`` in its object: as `leave`, and tell the watchers of changes.

    A method that swallowed its own end may return without holding its object: others keep it.
    """
    guard = record.guard
    worker: Any = current()
    # The thread with which a greenlet began ends where the stack is all but empty.
    if frame is not worker.root and (record.queue or guard is not None) and not has_room():
        worker.owed = (record, frame, worker.owed)
        return
    if record.state is worker:
        leave(record, frame)
    elif guard is not None:
        guard.note_changes(record, frame)
    if guard is not None:
        guard.thread_ended(record, frame)


def has_room(frames: int = _ROOM_FRAMES) -> bool:
    """Return whether so many Python frames are left for what must not stop half way."""
    try:
        _descend(frames)
    except RecursionError:
        return False
    return True


def _descend(frames: int) -> None:
    if frames:
        _descend(frames - 1)


def release_owed(worker: Worker) -> None:
    """Release what threads that ended with no frame left for it hold still."""
    owed, frames = worker.owed, None
    while owed is not None:
        record, frame, owed = owed
        frames = frames or worker.frames()
        # One that its greenlet is in again is released with the others.
        if record.state is worker and not any(live[RECORD] is record for live in frames):
            leave(record, frame)


def settle_owed(worker: Worker) -> None:
    """End the threads that had no frame left for it, when their greenlet has come back."""
    owed, worker.owed = worker.owed, None
    while owed is not None:
        record, frame, owed = owed
        if frame[METHOD] is record.entry.create:
            record.kernel.remove_record(record)
        else:
            finish(record, frame)


def refuse_endless(frame: Frame | None, calls_max: int) -> None:
    """Raise `Overloaded` when ``calls_max`` calls or more wait for one another up to ``frame``."""
    count, innermost = 0, frame
    while frame is not None:
        count += 1
        frame = frame[PARENT]
    if count >= calls_max and innermost is not None:
        raise Overloaded(
            f"a chain of {count} calls wait for one another (limit chain_calls_max); "
            f"does {innermost[METHOD]} call itself without end?"
        )
