"""Signals of the command: the first one asks for an orderly end, the second one ends at once.

Python-level handlers, not the loop's: a method that holds the loop for ever must not keep the
second signal from working. Handlers run in the main thread between two instructions of whatever
runs there, so they do nothing but hand on, or end the process.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Callable
from contextvars import Context
from types import FrameType

from vista.errors import VistaError
from vista.kernel.kernel import Kernel
from vista.kernel.node import Node
from vista.standard.notices import notify

SERVICE = "ShutdownService"
KILLED_BY_SIGNAL = 128
"""Added to a signal's number: the exit code of a command it ended, as shells have it."""

_log = logging.getLogger("vista.command")


class StopSignals:
    """Stops a kernel in good order at SIGTERM and SIGINT. Call `install` in the main thread.

    The service ``ShutdownService`` is told if there is one, so that its subscribers are; else the
    kernel is stopped directly. `received` is the signal that came first, or None.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.received: signal.Signals | None = None
        self._arrivals = itertools.count()

    def install(self) -> None:
        """Take over SIGTERM and SIGINT of this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # One step, for a signal may interrupt the handler of another before it has noted anything.
        if next(self._arrivals) > 0:
            # Nothing is flushed or joined: whoever asks twice has waited long enough.
            os._exit(KILLED_BY_SIGNAL + number)
        self.received = signal.Signals(number)
        # An empty context: the handler may have interrupted any vista thread.
        self._kernel.hub.loop.call_soon_threadsafe(self._stop, context=Context())

    def _stop(self) -> None:
        assert self.received is not None, "it is set before this is scheduled"
        reason = self.received.name
        _log.info("%s: stopping; send it again to stop at once", reason)
        stop_in_good_order(self._kernel, reason)


def stop_in_good_order(kernel: Kernel, reason: str) -> None:
    """Have ``ShutdownService`` tell its subscribers and stop the node, or stop it if there is none.

    Called on the loop; nothing is waited for.
    """
    service = kernel.services.get_local(SERVICE)
    if service is None:
        kernel.request_stop(reason)
    else:
        notify(kernel, kernel.user, service, "shutdown", reason)


class LeaveSignals:
    """Ends a prompt at SIGTERM and at SIGHUP, which a terminal that is closed sends.

    Whatever the main thread does, reading a line or running what was typed, ends with `SystemExit`;
    ``leave`` is called before, so that nobody who catches that asks for another line. Call
    `install` in the main thread.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._arrivals = itertools.count()

    def install(self) -> None:
        """Take over SIGTERM and SIGHUP of this process."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if next(self._arrivals) > 0:
            os._exit(KILLED_BY_SIGNAL + number)
        self._leave()
        raise SystemExit


def tell_subscribers(node: Node, reason: str) -> None:
    """Have ``ShutdownService``, if there is one, tell its subscribers and stop the node."""
    kernel = node.kernel
    if node.call(kernel.services.get_local, SERVICE) is None:
        return
    try:
        node.call(lambda: kernel.method_of(SERVICE, "shutdown")(reason))
    except VistaError as error:
        _log.warning("the subscribers of %s are not told: %s", SERVICE, error)
