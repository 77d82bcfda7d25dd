"""One process of ``vista --processes``: how it joins the others, and how it ends.

The supervisor says which process it is by one word of the command line, and holds the other end of
a pipe, the lifeline: a byte that comes over it says that the process is to end in good order, and
its end that the supervisor is gone, however that came about. Ctrl-C in a terminal reaches every
process; here it is left to the supervisor, which asks for an end in the right order.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
from contextvars import Context
from dataclasses import dataclass
from types import FrameType
from typing import Final

from vista.api import create, send
from vista.kernel.kernel import Kernel
from vista.shell.options import FAILED
from vista.shell.signals import stop_in_good_order

STOPPING: Final = frozenset({signal.SIGINT, signal.SIGTERM})
"""The signals that the supervisor keeps back from a process until it can take them."""

_WORD = re.compile(r"([0-9]+)/([0-9]+):([\w.-]+):([0-9]+)")

_log = logging.getLogger("vista.command")


@dataclass(frozen=True, slots=True)
class Member:
    """Process ``number`` of ``count``, from 1; ``mesh`` begins the names of their sockets, and
    ``lifeline`` is the descriptor of the pipe that the supervisor holds."""

    number: int
    count: int
    mesh: str
    lifeline: int

    @classmethod
    def parse(cls, text: str) -> Member:
        """Read what ``str`` makes of a member. Raises `argparse.ArgumentTypeError`."""
        found = _WORD.fullmatch(text)
        if found is None:
            raise argparse.ArgumentTypeError("only vista --processes gives this option")
        return cls(int(found[1]), int(found[2]), found[3], int(found[4]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}:{self.mesh}:{self.lifeline}"

    @property
    def runs_file(self) -> bool:
        """Whether it is the process that runs the file."""
        return self.number == 1

    def address(self, number: int) -> str:
        """Return the address of a process of the mesh."""
        return f"ipc:{self.mesh}-{number}"

    def join(self, seconds: float) -> None:
        """Join the others, as a vista thread of this process's node.

        The process that runs the file waits until it is linked with all, ``seconds`` at most; the
        others find classes through their peers. Raises `CallTimeout`, `PeerAddressError`,
        `KeyFileError`.
        """
        others = [self.address(n) for n in range(1, self.count + 1) if n != self.number]
        mesh = create("ProcessMesh", self.address(self.number), *others)
        if self.runs_file:
            send(mesh, "wait", seconds)
        else:
            create("AutomaticClassLoader", "peers:")


class MemberSignals:
    """Ends a process of the mesh in good order: when the supervisor says so, when it is gone, and
    at SIGTERM. Call `install` in the main thread.

    `received` says why it ends, or is None. Unlike `StopSignals` it never ends the process at once
    at a second signal: who stops all processes of a group sends each of them several.
    """

    def __init__(self, kernel: Kernel, member: Member) -> None:
        self._kernel = kernel
        self._lifeline = member.lifeline
        self.received: str | None = None

    def install(self) -> None:
        """Take over SIGTERM and SIGINT, which come through from here on, and watch the lifeline."""
        os.set_inheritable(self._lifeline, False)
        # Into a pipe Python gathers lines; whoever watches several processes wants each at once.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        signal.signal(signal.SIGTERM, self._handle)
        # Not SIG_IGN: programs that this process starts would inherit that.
        signal.signal(signal.SIGINT, _leave_to_supervisor)
        threading.Thread(target=self._watch, name="vista-lifeline", daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._ask(signal.Signals(number).name)

    def _watch(self) -> None:
        if os.read(self._lifeline, 1):
            self._ask("the supervisor says so")
        # From its word on it sees to the end itself, unless it is gone too.
        while os.read(self._lifeline, 1):
            pass
        self._ask("the supervisor is gone")
        threading.Event().wait(self._kernel.limits.process_stop_seconds)
        # The loop is held by a method, or a thread will not end: nobody else is left to end it.
        os._exit(FAILED)

    def _ask(self, reason: str) -> None:
        if self.received is None:
            self.received = reason
            try:
                # An empty context: a signal may have interrupted any vista thread.
                self._kernel.hub.loop.call_soon_threadsafe(self._stop, context=Context())
            except RuntimeError:
                # The loop is closed: the process ends already.
                return

    def _stop(self) -> None:
        assert self.received is not None, "it is set before this is scheduled"
        _log.info("stopping: %s", self.received)
        stop_in_good_order(self._kernel, self.received)


def _leave_to_supervisor(number: int, frame: FrameType | None) -> None:
    """The supervisor has the signal too."""
