"""What a kill is, and what a greenlet needs that is to end by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista.errors import VistaError
from vista.kernel import monitor
from vista.kernel.current import METHOD, RECORD, Frame

if TYPE_CHECKING:
    from vista.kernel.threads import Worker


class KillThread(BaseException):
    """Thrown into a greenlet to end the thread ``frame`` and all that is nested in it.

    Where the frame was called, ``outcome`` is raised instead. Not an `Exception`: methods that
    catch everything must not survive being killed.
    """

    def __init__(self, frame: Frame, outcome: VistaError) -> None:
        super().__init__(str(outcome))
        self.frame = frame
        self.outcome = outcome


def outer_kill(worker: Worker, known: BaseException | None, error: KillThread) -> KillThread:
    """Return which of two kills ends more of a greenlet."""
    if type(known) is KillThread:
        for frame in worker.frames():
            if frame is known.frame:
                return error
            if frame is error.frame:
                return known
    return error


def enter_for_end(worker: Worker, last: Frame) -> None:
    """Take what is free of the objects whose threads end, up to ``last``.

    In the others it runs its ``finally`` blocks beside whoever is there, and a method that
    swallows its end may even return. It must not let go then what others hold: a guard takes
    the object off the hot path, where nobody looks.
    """
    for frame in worker.frames():
        record = frame[RECORD]
        if not frame[METHOD].preemptable and not monitor.try_enter(record, worker):
            record.kernel.guard_of(record)
        if frame is last:
            return
