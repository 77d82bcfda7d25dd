"""Threads: invocations run by pooled greenlets on the hub's loop. Greenlet is used only here.

A `Worker` is a greenlet that runs one message after another. Calls it makes to idle objects run
nested in it: each is a vista thread of its own (a frame), not a greenlet of its own. When code
waits, its worker parks: control goes back to the loop, and `Worker.wake` brings it back.

A worker is in one of three conditions: running, parked (waiting for `wake`), or woken (in the
ready queue, or lined up for the object it was active in). Only a parked worker can be woken, and
each parking has a number, so a late wake of an earlier wait is ignored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import greenlet

from vista.errors import ThreadKilled, VistaError
from vista.kernel import bounds, deadlock, monitor
from vista.kernel.current import METHOD, PARENT, RECORD, Context, Frame, enter
from vista.kernel.gathering import Gathering
from vista.kernel.killing import KillThread, enter_for_end, outer_kill
from vista.kernel.passing import Passing
from vista.kernel.pool import Pool
from vista.kernel.timers import Timer

if TYPE_CHECKING:
    from vista.kernel.futures import Future
    from vista.kernel.kernel import Kernel
from vista.kernel.table import Record

RUNNING: Final = "running"
PARKED: Final = "parked"
WOKEN: Final = "woken"

_SWITCHES_MAX: Final = 128
"""Threads that a turn resumes at most. What they send leaves as one batch: with 64 of them a remote
call among 200 threads takes an eighth more of both nodes, and with 256 two nodes would wait for one
another in turn."""

STAYING: Final = ""
"""What a worker that leaves for the loop lets go: nothing, it does not leave."""
STANDING: Final = "stands by"
"""Nothing: it waits for its turn in an object or in the ready queue."""
KEEPING: Final = "keeps the innermost object"
RELEASING: Final = "releases its objects"


class Worker(Context):
    """A pooled greenlet that runs invocations; while it runs, the context of their code."""

    __slots__ = (
        "_error",
        "_killed",
        "_value",
        "condition",
        "coroutine",
        "frozen",
        "future",
        "greenlet",
        "held_back",
        "in_kernel_thread",
        "leaving",
        "left",
        "message",
        "native_thread",
        "owed",
        "parking",
        "root",
        "scopes",
        "sending",
        "timer",
        "wants",
        "watched",
        "why",
    )

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel, None, kernel.user)
        self.kernel = kernel
        self.root: Any = None
        self.left = 0
        self.message: Any = None
        self.future: Future | None = None
        self.scopes: list[tuple[Frame, float]] | None = None
        self.condition = WOKEN
        self.parking = 0
        self.leaving = STAYING
        # For the earliest bound on a wait, and the innermost frame when it was looked for.
        self.timer: Timer | None = None
        self.watched: Any = None
        self.owed: Any = None
        # What `vista.peering` found out of the frame that sends: it is asked for at each call.
        self.sending: Any = None
        self.why: Any = ""
        self.wants: Sequence[Future] = ()
        self.coroutine: Any = None
        self.frozen = False
        self.held_back: Callable[[], None] | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._killed: BaseException | None = None
        self.in_kernel_thread = False
        self.native_thread = 0
        self.greenlet = greenlet.greenlet(self._run, kernel.threads.loop_greenlet)

    def _run(self) -> None:
        enter(self)
        self.condition = RUNNING
        self.home.work(self)  # type: ignore[union-attr]

    # --- parking ---------------------------------------------------------------------------

    def park(self, why: Any, *, keep: bool = False, wants: Sequence[Future] = ()) -> Any:
        """Wait until `wake` is called; return its value or raise its error.

        ``why`` says for what: a str, or a callable that makes one; ``wants`` are the calls it
        waits for, if it does. Objects of the greenlet's frames are released, the innermost one only
        unless ``keep``. The earliest bound on a call of the chain is watched meanwhile.
        """
        threads = self.home.threads  # type: ignore[union-attr]
        self.parking += 1
        self.wants = wants
        self.why = why
        self.condition = PARKED
        self.leaving = KEEPING if keep else RELEASING
        threads.parked[self] = None
        # Methods that recurse without end come here too. When not one frame is left, nothing has
        # happened that is not undone below.
        try:
            threads.loop_greenlet.switch()
        finally:
            self.condition = RUNNING
            self.leaving = STAYING
            self.wants = ()
            del threads.parked[self]
        value, error = self._value, self._error
        self._value = self._error = None
        if error is not None:
            raise error
        return value

    def settle(self) -> None:
        """On the loop, when the greenlet has left: release its objects and watch its bounds."""
        leaving, self.leaving = self.leaving, STAYING
        frame = self.frame
        record, method = frame[RECORD], frame[METHOD]
        if (
            record.queue is None
            and record.state is self
            and frame is self.root
            and leaving is RELEASING
            and not (method.exclusive or method.preemptable or self.scopes or self.owed)
        ):
            # What most threads do: nothing nested, nobody waits, and no bound to watch.
            record.state = record.idle
            record.was_left = True
            return
        if leaving is STANDING:
            for standing in self.frames():
                standing[RECORD].was_left = True
        else:
            monitor.release_chain(self, frame, keep=leaving is KEEPING)
            if self.owed is not None:
                monitor.release_owed(self)
        if self.timer is None or self.watched is not frame or self.scopes:
            bounds.watch(self)

    def wake(self, parking: int, value: Any = None, error: BaseException | None = None) -> bool:
        """End the wait number ``parking`` with a value or an error; whether it still lasted."""
        if self.condition is not PARKED or self.parking != parking:
            return False
        self._value = value
        self._error = error
        self.condition = WOKEN
        frame, home = self.frame, self.home
        record = frame[RECORD]
        if self.frozen:
            self._hold_back()
        elif record.state is home and not frame[METHOD].preemptable:
            # Idle, and nothing is to be asked of it: what `_enter` does.
            record.state = self
            threads = home.threads
            threads.ready.append(self)
            if not threads.is_awaited and threads.running is None:
                threads.schedule()
        else:
            self._enter()
        return True

    def _enter(self) -> None:
        """Become active again in the object of the innermost frame, in its turn."""
        frame = self.frame
        record = frame[RECORD]
        if frame[METHOD].preemptable or monitor.try_enter(record, self):
            self.admitted()
        else:
            monitor.line_up(record, self)
            deadlock.break_ring(frame, record)

    def admitted(self) -> None:
        """Stand in the ready queue; the object is held."""
        if self.frozen:
            self._hold_back()
        else:
            self.home.threads.make_ready(self)  # type: ignore[union-attr]

    def _hold_back(self) -> None:
        """Wait, frozen, for `thaw`; others may use the objects meanwhile."""
        self.held_back = self._enter
        monitor.release_chain(self, self.frame)

    def reenter(self, frame: Frame) -> None:
        """Become active again in the object of ``frame`` after a nested call came back."""
        if frame[METHOD].preemptable:
            return
        record = frame[RECORD]
        if not monitor.try_enter(record, self):
            monitor.line_up(record, self)
            deadlock.break_ring(frame, record)
            self._stand_by(f"its turn in {record.entry.name}", STANDING)

    def _stand_by(self, why: str, leaving: str) -> None:
        """Let the loop run; whoever takes this worker from a queue resumes it."""
        threads = self.home.threads  # type: ignore[union-attr]
        self.condition = WOKEN
        self.why = why
        self.leaving = leaving
        threads.parked[self] = None
        try:
            threads.loop_greenlet.switch()
        finally:
            self.condition = RUNNING
            self.leaving = STAYING
            del threads.parked[self]
        error, self._error = self._error, None
        if error is not None:
            raise error

    def give_way(self) -> None:
        """Let other threads, timers and I/O run; the innermost object stays held."""
        self.home.threads.ready.append(self)  # type: ignore[union-attr]
        self._stand_by("the processor", KEEPING)

    def park_native(self, running: asyncio.Future[Any], keep: bool, wants: Sequence[Future]) -> Any:
        """Wait for a kernel thread. A kill takes effect when it returns, not before.

        The kernel thread works on the object, which must not be let go under its hands. ``wants``
        are the calls that it waits for itself.
        """
        number = self.parking + 1
        running.add_done_callback(lambda _: self.wake(number))
        self.in_kernel_thread = True
        try:
            self.park("its kernel thread", keep=keep, wants=wants)
        except BaseException:
            number = 0
            raise
        finally:
            self.in_kernel_thread = False
        killed, self._killed = self._killed, None
        if killed is not None:
            running.exception()
            raise killed
        return running.result()

    # --- bounds in time --------------------------------------------------------------------

    def deadline(self, frame: Frame, started: float) -> float:
        """Return when a call made by ``frame`` at ``started`` must have ended."""
        for owner, due in reversed(self.scopes or ()):
            if owner is frame:
                return due
        return started + self.home.limits.call_seconds  # type: ignore[union-attr]

    # --- control ---------------------------------------------------------------------------

    def throw(self, error: KillThread) -> None:
        """Raise ``error`` in the greenlet as soon as it runs again, wherever it waits."""
        if self.condition is RUNNING:
            raise error
        if self.in_kernel_thread:
            self._killed = outer_kill(self, self._killed, error)
            # A killed caller cancels what it calls. Then the kernel thread can end soon as well.
            for wanted in list(self.wants):
                wanted.abandon()
            return
        standing = self.condition is WOKEN and self.held_back is None and not self._leave_line()
        self._error = outer_kill(self, self._error, error)
        self.frozen = False
        self.held_back = None
        enter_for_end(self, error.frame)
        if not standing:
            # It does not wait for its turn: a kill must not hang on an object others keep.
            self.condition = WOKEN
            self.home.threads.make_ready(self)  # type: ignore[union-attr]

    def lined_up_for(self) -> Record | None:
        """Return the object in whose line it stands to go back into it, if it does."""
        if self.coroutine is not None:
            stands: Record | None = self.coroutine.lined_up_for()
            return stands
        if self.condition is not WOKEN:
            return None
        record: Record = self.frame[RECORD]
        return record if record.queue is not None and self in record.queue else None

    def _leave_line(self) -> bool:
        """Leave the line of the object it was active in; return whether it stood there."""
        queue = self.frame[RECORD].queue
        if queue is None or self not in queue:
            return False
        queue.remove(self)
        return True

    def kill(self, frame: Frame, outcome: VistaError) -> None:
        """End the thread ``frame`` of this greenlet; its caller gets ``outcome``."""
        self.throw(KillThread(frame, outcome))

    def freeze(self) -> None:
        """Hold the greenlet from now on until `thaw`; a running one stops here."""
        self.frozen = True
        if self.condition is RUNNING:
            self.held_back = self._enter
            self._stand_by("vista.resume", RELEASING)

    def thaw(self) -> None:
        """Let a frozen greenlet go on."""
        self.frozen = False
        held_back, self.held_back = self.held_back, None
        if held_back is not None:
            held_back()

    # --- looking at it ---------------------------------------------------------------------

    def frames(self) -> list[Frame]:
        """Return the invocations nested in this greenlet, innermost first."""
        found: list[Frame] = []
        frame, root = self.frame, self.root
        while frame is not None:
            found.append(frame)
            if frame is root:
                break
            frame = frame[PARENT]
        return found

    @property
    def stack(self) -> FrameType | None:
        """The innermost Python frame of a parked greenlet."""
        frame: FrameType | None = self.greenlet.gr_frame
        return frame


class Threads:
    """The ready queue of a kernel, its workers, and the turn of the loop that runs them.

    An item of ``ready`` is a woken `Worker` or a message (a tuple; see `vista.kernel.invoke`).
    ``make_worker`` makes the workers; simulations put one there that notes what its threads do.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.make_worker: Callable[[Kernel], Worker] = Worker
        self.ready: deque[Any] = deque()
        self.passing = Passing()
        self.pool = Pool(kernel)
        self.idle = self.pool.workers
        self.parked: dict[Any, None] = {}
        self.running: Worker | None = None
        self.turns = 0
        self.turn_end = 0.0
        self.checks_left = 0
        self.loop_greenlet = greenlet.getcurrent()
        self._scheduled = 0.0
        self.is_awaited = False
        self.gathering = Gathering(self)
        self.stopped = self.ending = False

    def make_ready(self, item: Any) -> None:
        """Append to the ready queue and see to it that the loop takes a turn."""
        self.ready.append(item)
        if not self.is_awaited and self.running is None:
            self.schedule()

    def schedule(self) -> None:
        """Ask the loop for a turn."""
        if not self.is_awaited:
            self.is_awaited = True
            hub = self.kernel.hub
            self._scheduled = hub.time()
            if self.gathering.is_reading:
                self.gathering.is_owed = True
            else:
                hub.loop.call_soon(self.turn)

    def turn(self) -> None:
        """Run what is ready, for a bounded time, then let the loop see to timers and I/O."""
        kernel, ready = self.kernel, self.ready
        self.is_awaited = False
        self.loop_greenlet = greenlet.getcurrent()
        time = kernel.hub.time
        kernel.now = now = time()
        kernel.counters.note_lag(now - self._scheduled)
        self.turns += 1
        self.turn_end = now + kernel.limits.turn_seconds
        self.checks_left = _SWITCHES_MAX
        kernel.hub.order(ready)
        self.gathering.is_in_turn = True
        try:
            self._run_ready(time)
        finally:
            # Also after a mistake of vista's own, which the loop logs: the others go on.
            self.running = None
            if ready:
                self.schedule()
            self.gathering.end_turn()

    def _run_ready(self, time: Callable[[], float]) -> None:
        kernel, ready = self.kernel, self.ready
        while ready:
            item = ready.popleft()
            if type(item) is tuple:
                worker = self.idle.pop() if self.idle else self.make_worker(kernel)
                worker.message = item
            else:
                worker = item
                if worker.frozen:
                    worker.admitted()
                    continue
            self.running = worker
            worker.greenlet.switch()
            if worker.leaving:
                worker.settle()
            self.checks_left = left = self.checks_left - 1
            if left <= 0 or time() >= self.turn_end:
                return

    def turn_is_over(self) -> bool:
        """Whether the loop must have its turn: by the clock, or by the number of looks at it.

        A worker looks after 16 messages, which count as two threads: of messages alone a turn has
        1,024 at most. It does not look where a woken thread comes next, so with one after each 15
        messages it is twice as many.
        """
        self.checks_left -= 2
        kernel = self.kernel
        kernel.now = now = kernel.hub.time()
        return self.checks_left <= 0 or now >= self.turn_end

    def rest(self, worker: Worker) -> None:
        """Switch from an idle worker to the loop, until it gets a message."""
        self.loop_greenlet.switch()

    def live(self) -> list[Any]:
        """Return every worker and coroutine that has an invocation: the running one, the parked."""
        running = [] if self.running is None or self.running.frame is None else [self.running]
        return running + [worker for worker in self.parked if worker not in running]

    def kill_all(self) -> None:
        """End every thread: the node stops."""
        self.ending = True
        for worker in list(self.parked):
            frames = worker.frames()
            if frames:
                worker.kill(frames[-1], ThreadKilled("the node stops"))

    def close(self) -> None:
        """Let the idle greenlets end."""
        self.stopped = True
        self.pool.close()
