"""Nodes: a kernel and the OS thread that runs its loop.

Several nodes may live in one process. ``with Node() as node:`` runs one in the background, and the
functions of `vista` called in that block use it. Without one, the first such call in a process
starts a node in the background, and the end of the process stops it.
"""

from __future__ import annotations

import asyncio
import atexit
import getpass
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar, Token
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from vista.counted import counted
from vista.errors import WrongContextError
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.current import current
from vista.kernel.hub import AsyncioHub, Hub
from vista.kernel.identity import FileIdentity
from vista.kernel.kernel import Kernel
from vista.kernel.stopping import wind_down
from vista.limits import Limits

Result = TypeVar("Result")

_log = logging.getLogger("vista.node")

_IMPORTING = "<frozen importlib"
"""What the file names of the import system's frames begin with."""

_node: ContextVar[Node | None] = ContextVar("vista_node", default=None)


class Node:
    """One node: a kernel, its loop and the OS thread that runs it.

    ``name`` is for logs; ``hub`` the world (`AsyncioHub` by default); ``limits`` the bounds;
    ``user`` the name in which code outside of vista threads acts (the operating system's by
    default); ``settings`` are free for those who boot the node. ``default_acl`` guards every object
    that is made without an access list of its own; with None everybody may do everything.

    ``state_directory`` is where the node keeps what outlives its process: who it is to its peers,
    and the stores of persistent objects. Without it the node is another one each time. Raises
    `StoreError` when the directory cannot be used or another process uses it.

    >>> with vista.Node("counting") as node:
    ...     counter = vista.create(Counter, 5)
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        hub: Hub | None = None,
        limits: Limits | None = None,
        user: str | None = None,
        settings: dict[str, Any] | None = None,
        default_acl: AccessControlList | None = None,
        state_directory: str | Path | None = None,
    ) -> None:
        limits = limits or Limits()
        # Before there is a loop to close.
        limits.validate()
        acl = checked_acl(default_acl)
        self.name = name or "node"
        settings = {} if settings is None else settings
        identity = settings.get("identity")
        if state_directory is not None:
            settings["state_directory"] = str(state_directory)
            identity = FileIdentity(Path(state_directory))
        self._owns_hub = hub is None
        hub = hub or AsyncioHub(native_threads_max=limits.native_threads_max)
        self.kernel = Kernel(
            hub, limits, user or _user_name(), identity=identity, settings=settings
        )
        if isinstance(identity, FileIdentity):
            self.kernel.on_close.append(identity.close)
        self.kernel.name = self.name
        self.kernel.default_acl = acl
        self.kernel.stop_requested = self._note_stop_request
        self.kernel.spawn(self.kernel.make_creator)
        self.stop_reason: str | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._watchdog = _Watchdog(self.kernel)
        self._token: Token[Node | None] | None = None
        self._stopped = False

    # --- in the background -----------------------------------------------------------------

    def start(self) -> Self:
        """Run the loop in an OS thread of its own and return when it runs."""
        if self._thread is not None or self._stopped:
            raise WrongContextError(f"node {self.name} was started before")
        running = threading.Event()

        def body() -> None:
            self.kernel.hub.loop.call_soon(running.set)
            self._run_until_stopped()

        self._thread = threading.Thread(target=body, name=f"vista-{self.name}", daemon=True)
        self._thread.start()
        running.wait()
        return self

    def stop(self) -> None:
        """Withdraw the services, let threads finish, kill what is left and end the loop.

        Within ``limits.farewell_seconds`` for the first and ``limits.drain_seconds`` for the
        second.
        """
        if self._thread is None or self._stopped:
            return
        if self.kernel.on_loop():
            raise WrongContextError("a thread of the node cannot wait for its end: request_stop()")
        self._stopped = True
        self.kernel.hub.loop.call_soon_threadsafe(self._note_stop_request, "stop")
        self._thread.join()

    def __enter__(self) -> Self:
        if self._thread is None:
            self.start()
        self._token = _node.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _node.reset(self._token)
            self._token = None
        self.stop()

    # --- running things --------------------------------------------------------------------

    def call(self, function: Callable[..., Result], *args: Any, user: str | None = None) -> Result:
        """Run a plain function as a vista thread of the node, wait, and return its result.

        ``user`` is the name it acts in, by default the node's.
        """
        result: Result = self.kernel.from_outside(current(), function, args, {}, user)
        return result

    def run_main(self, function: Callable[[], Result] | None = None) -> Result | None:
        """Run the loop in the calling OS thread, with ``function`` as the first vista thread.

        Returns what ``function`` returned, after the node was asked to stop; when ``function``
        raises, the node stops and the error is raised here.
        """
        outcome: list[Any] = []

        def first() -> None:
            try:
                outcome.append((None if function is None else function(), None))
            except BaseException as error:
                outcome.append((None, getattr(error, "outcome", error)))
                self.kernel.request_stop("the first thread failed")
                raise

        if function is not None:
            self.kernel.spawn(first)
        token = _node.set(self)
        try:
            self._run_until_stopped()
        finally:
            _node.reset(token)
        if not outcome:
            return None
        result, error = outcome[0]
        if error is not None:
            raise error
        kept: Result = result
        return kept

    def _note_stop_request(self, reason: str) -> None:
        if self.stop_reason is None:
            self.stop_reason = reason
            self._stopping.set()

    def _run_until_stopped(self) -> None:
        kernel = self.kernel
        loop = kernel.hub.loop
        kernel.loop_thread = threading.get_ident()
        asyncio.set_event_loop(loop)
        self._watchdog.start()
        try:
            loop.run_until_complete(self._live())
        finally:
            self._watchdog.stop()
            kernel.close()
            if self._owns_hub:
                kernel.hub.close()
            asyncio.set_event_loop(None)
            self._stopped = True

    async def _live(self) -> None:
        kernel = self.kernel
        kernel.threads.schedule()
        await self._stopping.wait()
        left = await wind_down(kernel)
        if left:
            _log.warning("%s did not end in time: killed", counted(left, "thread"))
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Watchdog:
    """Logs a method that holds the loop too long, with its stack.

    An OS thread looks at the number of turns, a few times in the permitted span; the hot path pays
    nothing for it.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if isinstance(self._kernel.hub, AsyncioHub):
            self._thread = threading.Thread(target=self._watch, name="vista-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        threads = self._kernel.threads
        bound = self._kernel.limits.slow_method_seconds
        turn, since, told = -1, 0.0, True
        while not self._end.wait(bound / 2):
            now = time.monotonic()
            if threads.running is None or threads.turns != turn:
                turn, since, told = threads.turns, now, False
            elif not told and now - since >= bound:
                told = True
                self._tell(now - since)

    def _tell(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._kernel.loop_thread)
        stack = stack_of(frame) if frame is not None else ""
        worker = self._kernel.threads.running
        what = "?" if worker is None or worker.frame is None else repr(worker.frame[1])
        self._kernel.counters.slow_methods += 1
        _log.warning("%s holds the loop for %.2f s already:\n%s", what, seconds, stack)


def stack_of(frame: FrameType) -> str:
    """Return the stack of a frame as text, without the frames of the import system.

    These tell nothing, and of a module that imports many there are five for each.
    """
    rows = traceback.extract_stack(frame)
    return "".join(
        traceback.format_list(row for row in rows if not row.filename.startswith(_IMPORTING))
    )


class _Default:
    """The node that the first call in a process starts; one a process, as there is one atexit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._node: Node | None = None

    def get(self) -> Node:
        with self._lock:
            if self._node is None or self._node._stopped:
                self._node = Node("default").start()
                atexit.register(self._node.stop)
            return self._node


_default = _Default()


def node_here() -> Node:
    """Return the node of the enclosing ``with Node()`` block, else the process's own node."""
    return _node.get() or _default.get()


def kernel_here() -> Kernel:
    """Return the kernel that the calling code uses."""
    return current().home or node_here().kernel


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "nobody"
