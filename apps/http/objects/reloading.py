"""Reading again what an operator has changed, at SIGHUP."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
import threading
from types import FrameType
from typing import Any

import vista

_log = logging.getLogger("vista.http")


class HTTPreload(vista.Object, namespace="HTTP"):
    """Has the sites of this node read their profiles and certificates again, and their logs reopen.

    rc line: ``HTTPreload``

    It happens when the process gets SIGHUP, which ends it otherwise, and when somebody sends
    ``reload`` to the service ``HTTPreload``. See `HTTPdaemon.reload` for what counts at once. A
    profile that cannot be used is told in the log, and its site goes on as it was. Requests are
    answered meanwhile, and no connection is closed.
    """

    def create(self) -> None:
        """Take over SIGHUP."""
        vista.register_service("HTTPreload", vista.self_ref(self))
        self._before: Any = None
        self._has_signal = False
        self._asked = False
        vista.self_ref(self).listen.post()

    def delete(self) -> None:
        """Leave SIGHUP to who had it."""
        if self._has_signal:
            signal.signal(signal.SIGHUP, self._before)

    async def listen(self) -> None:
        """Take the signal over; the object sends it to itself."""
        if threading.current_thread() is not threading.main_thread():
            _log.warning("SIGHUP reloads nothing here: this node is not the program's own")
            return
        self._loop = asyncio.get_running_loop()
        # What the loop calls runs in this context, which may post.
        self._context = contextvars.copy_context()
        self._before = signal.signal(signal.SIGHUP, self._handle)
        self._has_signal = True
        _log.info("SIGHUP has profiles, certificates and logs read again")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # In the main thread between two instructions of whatever runs there: hand on, no more.
        self._loop.call_soon_threadsafe(self._take_signal, context=self._context)

    def _take_signal(self) -> None:
        if not self._asked:
            # However often it comes before one is seen to, it says the same. Noted behind the
            # message: one that does not fit into the mailbox must not be the last.
            vista.self_ref(self).reload.post()
            self._asked = True

    def reload(self) -> list[str]:
        """Have everything read again; return what went wrong, a sentence each."""
        self._asked = False
        problems: list[str] = []
        here = vista.id_of(vista.here()).node
        rows = [row for row in vista.services() if row.object.node == here]
        for row in rows:
            if row.name.startswith("HTTPdaemon:"):
                daemon = vista.ref_of(row.object)
                _ask(problems, row.name, daemon, "reload")
                for other in _ask(problems, row.name, daemon, "get_joined") or ():
                    _ask(problems, f"{row.name}, a further site", other, "reload")
        for row in rows:
            if row.name.startswith("HTTPlogger:"):
                _ask(problems, row.name, vista.ref_of(row.object), "reopen")
        return problems


def _ask(problems: list[str], name: str, target: vista.Ref, message: str) -> Any:
    """Send a message; what goes wrong with one must not keep the others from theirs."""
    try:
        sent = vista.future(target, message)
        # Whatever it is: a site with a mistake in it is no reason to leave out the rest.
        error = sent.exception()
    except vista.VistaError as refused:
        error = refused
    if error is None:
        return sent.result()
    problems.append(f"{name}: {error}")
    _log.error("%s stays as it was: %s", name, error)
    return None
