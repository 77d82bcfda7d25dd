"""The simulated hub: a virtual clock, one seed, and a loop that waits for nothing.

The loop is asyncio's own. Only its selector is another one: where a real one would wait, this one
moves the clock. The clock also moves a little at every look at it and at every pass of the loop, by
an amount the seed draws, so that turns have a length and timers are sometimes late.

What the seed draws: how fast the clock moves, how long native methods take, in which order ready
threads run, which calls are queued though they could run nested, and all randomness of the node.
"""

from __future__ import annotations

import asyncio
import itertools
import operator
import random
import selectors
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, NoReturn

from vista.errors import WrongContextError
from vista.kernel.current import RECORD, current
from vista.testing.failure import Failure
from vista.testing.natives import NativeThreads
from vista.testing.trace import Trace

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

START: Final = 1_000_000_000.0
"""The wall clock of a simulated world at its start, in seconds since 1970."""

_PERMUTED_MAX: Final = 64
"""How many of the ready threads are put in another order in one turn."""


_NOTHING_OUTSIDE: Final = "there are no sockets, pipes and processes in a simulated world"


class SimulatedHub:
    """A world in which a seed decides everything; see `vista.kernel.hub.Hub` for the methods.

    ``native_threads_max`` bounds the kernel threads. Several kernels may live on one hub; each is
    added to ``kernels``. ``trace`` notes what happens. A hub belongs to the OS thread that made it.

    Network and disks belong to the `World`; they draw from ``dice`` and deliver by timers of the
    loop.
    """

    def __init__(self, seed: int, *, native_threads_max: int = 32) -> None:
        self.seed = seed
        self.dice = random.Random(f"vista {seed} scheduling")
        self.random = random.Random(f"vista {seed} application")
        self._entropy = random.Random(f"vista {seed} entropy")
        self.trace = Trace()
        self.kernels: list[Kernel] = []
        self.crashed: list[Kernel] = []
        self.now = 0.0
        self.errors: list[BaseException] = []
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], Kernel] = (
            weakref.WeakKeyDictionary()
        )
        self._ordered: dict[int, list[Any]] = {}
        self._look_seconds = self.dice.choice((1e-6, 2e-5, 4e-4))
        self._pass_seconds = self.dice.choice((1e-6, 1e-4, 2e-3))
        self._spread_chance = self.dice.choice((0.0, 0.1, 0.5))
        self._native_seconds = self.dice.choice((0.0, 0.001, 0.1))
        self._orderly = self.dice.random() < 0.1
        self._until: Callable[[], bool] = lambda: False
        self._due: float | None = None
        self.idle = False
        self._loop_thread = 0
        self.loop: asyncio.AbstractEventLoop = _VirtualLoop(self)
        self.natives = NativeThreads(self.loop, self._native_delay, native_threads_max)

    # --- what a kernel asks ----------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the world began; each look finds it a little later."""
        self.now += self.dice.random() * self._look_seconds
        return self.now

    def wall_time(self) -> float:
        """`START` and the virtual seconds since."""
        return START + self.time()

    def entropy(self, count: int) -> bytes:
        """``count`` bytes that the seed decides."""
        return self._entropy.randbytes(count)

    def order(self, ready: deque[Any]) -> None:
        """Put what became ready since the last turn into an order the seed draws.

        What was there before goes first, so that chance starves nobody. Messages to one object
        keep their order: an object has one message at most in line, but messages that need no
        exclusion stand here as well, and they arrive as they were sent.
        """
        known = self._ordered.get(id(ready), [])
        left = _still_there(known, ready)
        count = min(len(ready), left + _PERMUTED_MAX)
        if count - left > 1 and not self._orderly:
            items = [ready.popleft() for _ in range(count)]
            items[left:] = _shuffled(items[left:], self.dice)
            ready.extendleft(reversed(items))
        self._ordered[id(ready)] = list(itertools.islice(ready, count))

    def spread(self) -> bool:
        """Now and then a call that could run nested is queued, so that others come first."""
        return self._spread_chance > 0 and self.dice.random() < self._spread_chance

    def run_native(self, context: Context, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run ``function`` in a kernel thread at a time the seed draws, all others at rest."""
        return self.natives.run(context, function)

    def block(self, ended: threading.Event, seconds: float | None) -> bool:
        """Let virtual time pass until ``ended``, ``seconds`` at most; return whether it ended.

        Code outside of vista moves the world itself, a native method lets the world move.
        """
        native = self.natives.here()
        if native is not None:
            return native.block(ended, seconds)
        if self.drive(ended.is_set, seconds):
            return True
        if seconds is None:
            raise Failure("what is waited for never comes: nothing is left to happen")
        return False

    def close(self) -> None:
        """End the kernel threads and close the loop."""
        if not self.loop.is_closed():
            self.natives.close()
            self.loop.close()

    def _native_delay(self) -> float:
        return self.dice.random() * self._native_seconds

    # --- moving the world ------------------------------------------------------------------

    def drive(self, until: Callable[[], bool], seconds: float | None = None) -> bool:
        """Run the loop until ``until()``; return whether it is true.

        It is false when ``seconds`` of virtual time are over or nothing is left to happen: then
        ``idle`` is true. Raises what a callback of the loop raised, and `Failure` for the first
        complaint of a watcher of the trace.
        """
        if self.loop.is_running():
            raise WrongContextError("the world moves already: only its threads may wait in it")
        self._until = until
        self._due = None if seconds is None else self.now + seconds
        self.idle = False
        self._set_loop_thread(threading.get_ident())
        try:
            while not (until() or self.idle or self._is_over()):
                self.loop.run_forever()
                if self.errors:
                    raise self.errors.pop(0)
                if self.trace.complaints:
                    raise Failure(self.trace.complaints.pop(0))
        finally:
            self._set_loop_thread(0)
        return until()

    def adopt(self, kernel: Kernel) -> None:
        """Have a kernel live in this world; the loop may run already."""
        self.kernels.append(kernel)
        kernel.loop_thread = self._loop_thread

    def _set_loop_thread(self, identity: int) -> None:
        self._loop_thread = identity
        for kernel in self.kernels:
            kernel.loop_thread = identity

    def _is_over(self) -> bool:
        return self._due is not None and self.now >= self._due

    def pass_time(self, seconds: float | None) -> None:
        """Move the clock to the next timer of the loop, in ``seconds``; None: there is none.

        The loop calls this once a pass, where a real one would wait for the world.
        """
        if self._is_over() or self.trace.complaints or self._until():
            self.loop.stop()
            return
        if self.natives.look():
            # What they did may have made something due that the loop has not counted in.
            return
        if seconds is None:
            self.idle = True
            self.loop.stop()
        elif seconds > 0:
            self.now += seconds if self._due is None else min(seconds, self._due - self.now)
        self.now += self.dice.random() * self._pass_seconds

    # --- crashes ---------------------------------------------------------------------------

    def make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        """Make a task of the loop and remember whose it is."""
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        home = home_of(options.get("context"))
        if home is not None:
            self._tasks[task] = home
        return task

    def end_tasks(self, kernel: Kernel) -> None:
        """Cancel what runs on the loop for a kernel: its tasks and the timers they made."""
        for task, home in list(self._tasks.items()):
            if home is kernel and not task.done():
                task.cancel()
        for handle in list(self.loop._scheduled):  # type: ignore[attr-defined]
            if not handle.cancelled() and home_of(handle._context) is kernel:
                handle.cancel()

    def note_error(self, context: dict[str, Any]) -> None:
        """Keep what a callback of the loop raised, for `drive` to raise, and stop the loop.

        How the tasks of a node end that has crashed is nobody's concern.
        """
        task = context.get("task") or context.get("future")
        home = self._tasks.get(task) if isinstance(task, asyncio.Task) else None
        if home is not None and home in self.crashed:
            return
        error = context.get("exception")
        self.errors.append(error if error is not None else RuntimeError(str(context["message"])))
        self.loop.stop()


def home_of(context: Context | None) -> Kernel | None:
    """Return the kernel in whose name code runs within ``context``, by default the present one."""
    # A copy, as one that is entered already cannot be entered.
    found = current() if context is None else context.copy().run(current)
    return found.home


def _still_there(known: list[Any], ready: deque[Any]) -> int:
    """Count those at the head of ``ready`` that were at the end of ``known``."""
    if ready:
        for start, item in enumerate(known):
            if item is ready[0]:
                rest = known[start:]
                if len(rest) <= len(ready) and all(map(operator.is_, rest, ready)):
                    return len(rest)
    return 0


def _shuffled(items: list[Any], dice: random.Random) -> list[Any]:
    """Return items in another order, in which those of one line keep theirs."""
    places = list(range(len(items)))
    dice.shuffle(places)
    places_of: dict[int, list[int]] = {}
    for place, item in zip(places, items, strict=True):
        places_of.setdefault(_line_of(item), []).append(place)
    for line in places_of.values():
        line.sort(reverse=True)
    placed: list[Any] = [None] * len(items)
    for item in items:
        placed[places_of[_line_of(item)].pop()] = item
    return placed


def _line_of(item: Any) -> int:
    """Tell apart the lines of those that must keep their order: one line per object called."""
    return id(item[RECORD]) if type(item) is tuple else id(item)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on the clock of a hub."""

    def __init__(self, hub: SimulatedHub) -> None:
        self._hub = hub
        selector = _VirtualSelector(hub)
        super().__init__(selector)
        selector.sealed = True
        self.set_debug(False)
        self.set_task_factory(hub.make_task)
        self.set_exception_handler(lambda _, context: hub.note_error(context))

    def time(self) -> float:
        return self._hub.now

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        # Only one OS thread of the world moves at a time, so there is no loop to be woken.
        return self.call_soon(callback, *args, context=context)

    async def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        # Else asyncio would open real ones and leave them open when the selector refuses them.
        raise WrongContextError(_NOTHING_OUTSIDE)

    create_connection = create_server = create_datagram_endpoint = _refuse
    create_unix_connection = create_unix_server = _refuse
    connect_read_pipe = connect_write_pipe = _refuse
    subprocess_exec = subprocess_shell = _refuse

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        return self._hub.run_native(Context(), lambda: function(*args))


class _VirtualSelector(selectors.BaseSelector):
    """A selector for which nothing outside exists: to wait is to move the clock."""

    def __init__(self, hub: SimulatedHub) -> None:
        self._hub = hub
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self.sealed = False

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.sealed:
            raise WrongContextError(_NOTHING_OUTSIDE)
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._hub.pass_time(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys
