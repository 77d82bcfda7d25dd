"""Bounds in time on the waits of a greenlet: one timer for each, kept from one wait to the next.

A thread that waits may be nested in calls that have bounds of their own, and the earliest of them
counts. Most threads that waited soon wait again. So a timer stays when the wait ends, and when it
is due it looks what counts by then: making one for each wait would take a tenth of a remote call.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from vista.errors import CallTimeout
from vista.kernel.current import METHOD, PARENT, RECORD, STARTED, Frame
from vista.kernel.killing import KillThread

if TYPE_CHECKING:
    from vista.kernel.threads import Worker

_EARLY: Final = 1e-6
"""Seconds by which the loop may call a timer before its time."""


def watch(worker: Worker) -> None:
    """See to it that a timer is there for the earliest bound on the wait that has begun."""
    worker.watched = worker.frame
    due, _ = _earliest(worker)
    if due is None or (worker.timer is not None and worker.timer.due <= due):
        return
    if worker.timer is not None:
        worker.timer.cancel()
    home: Any = worker.home
    worker.timer = home.timers.call_at(due, partial(_look, worker))


def forget(worker: Worker) -> None:
    """Watch no bound any longer: the greenlet has nothing to do."""
    worker.watched = None
    if worker.timer is not None:
        worker.timer.cancel()
        worker.timer = None


def _earliest(worker: Worker) -> tuple[float | None, Frame | None]:
    """Return the earliest bound on a wait, and the nested call around it that it is of.

    That is None for one that the innermost thread set itself. Of several that end together the
    outermost counts: its caller gave the bound to the rest.
    """
    due: float | None = None
    late: Frame | None = None
    frame, root = worker.frame, worker.root
    if not worker.scopes:
        # All calls have the same time then, and the outermost began first.
        while frame is not root:
            late, frame = frame, frame[PARENT]
        if late is not None:
            due = late[STARTED] + worker.home.limits.call_seconds  # type: ignore[union-attr]
        return due, late
    for owner, bound in reversed(worker.scopes):
        if owner is frame:
            due = bound
            break
    while frame is not root:
        bound = worker.deadline(frame[PARENT], frame[STARTED])
        if due is None or bound <= due:
            due, late = bound, frame
        frame = frame[PARENT]
    return due, late


def _look(worker: Worker) -> None:
    """End what is late, or watch the bound that counts by this time."""
    worker.timer = worker.watched = None
    home: Any = worker.home
    if worker not in home.threads.parked:
        return
    due, late = _earliest(worker)
    if due is None:
        return
    if due > home.hub.time() + _EARLY:
        watch(worker)
    elif late is None:
        # After the timer of the wait itself, if that is due as well: its error says more, and this
        # one may have been there before it.
        home.timers.call_at(due, partial(_end_wait, worker, worker.parking))
    else:
        text = f"{late[RECORD].entry.name}.{late[METHOD].name} did not answer in time"
        worker.throw(KillThread(late, CallTimeout(text)))


def _end_wait(worker: Worker, parking: int) -> None:
    """End a wait, if it still lasts, since the time of the enclosing timeout is over."""
    error = CallTimeout("the time of the enclosing timeout is over")
    worker.wake(parking, error=error)
