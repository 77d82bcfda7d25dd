"""Requests on their way to a log: all that are due go there together, in one message.

The connections of a node that have the same log share a `LogLines`. Three rules. Whoever is logged
never waits. One message is under way at a time, and what is logged meanwhile goes with the next
one, `GATHERED_SECONDS` later: so a busy site sends a hundred messages a second however many
requests it answers, and a request that comes alone is not kept back. What waits is bounded; what
comes when there is no room is lost, which is counted.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import weakref
from collections.abc import Callable
from typing import Any

import vista

_log = logging.getLogger("vista.http")

LINES_NOT_TAKEN = "HTTPlogLinesNotTaken"
"""Counts the requests that a log did not take, since too much waits for it or it is gone."""

ITEMS = 8
"""What is told of a request, one after another: address, seconds, request, names and values of its
fields, status, bytes, user; see `RequestLog.log_request`."""
WAITING_MAX = 4_096
"""Requests that wait for a log before the next ones are lost: about 1 MB. Of a log on this node it
is what is answered in 0.1 s, of one on another node what is while a message is there and back."""
WAITING_CHARS_MAX = 4 * 1024 * 1024
"""Characters of requests and fields that wait for a log before the next requests are lost. Clients
may send 64 KiB of fields each: of 4,096 such requests no message would hold."""
GATHERED_SECONDS = 0.01
"""How long requests wait for more of them to be logged together, where others were just before. A
message takes 20 us, a line 3; a log itself writes after half a second."""

Told = tuple[str, float, str, str, str, int, int, str]
"""What is told of one request: as many as `ITEMS`."""


class LogLines:
    """What the connections of a node have for one log.

    ``takes_many`` says whether it is sent ``log_requests`` for many requests, or ``log_request``
    for each, as the original does.
    """

    __slots__ = (
        "__weakref__",
        "_chars",
        "_counters",
        "_failed",
        "_hurried",
        "_logger",
        "_many",
        "_rests",
        "_sent",
        "_waiting",
    )

    def __init__(self, logger: vista.Ref, takes_many: bool) -> None:
        self._logger = logger
        self._many = takes_many
        self._counters = vista.counters()
        self._waiting: list[Any] = []
        self._chars = 0
        self._sent = 0
        self._rests = self._hurried = False
        self._failed = False

    def add(self, told: Told) -> None:
        """Log a request; nothing is waited for and nothing raised."""
        chars = len(told[2]) + len(told[3]) + len(told[4]) + self._chars
        if not self._many:
            self._post(told)
        elif len(self._waiting) >= ITEMS * WAITING_MAX or chars > WAITING_CHARS_MAX:
            self._counters[LINES_NOT_TAKEN] += 1
        else:
            self._waiting += told
            self._chars = chars
            if not (self._sent or self._rests):
                self._pass_on()

    def hurry(self) -> None:
        """Send what waits without waiting for more: a connection that ends may be the last."""
        if self._sent:
            self._hurried = True
        elif self._waiting:
            self._pass_on()

    def is_of(self, counters: object) -> bool:
        """Tell whether it belongs to the node with these counters."""
        return self._counters is counters

    def _post(self, told: Told) -> None:
        try:
            self._logger.log_request.post(*told)
        except vista.VistaError:
            self._counters[LINES_NOT_TAKEN] += 1

    def _pass_on(self) -> None:
        """Send what waits, flat: a message of texts and numbers is looked at by one call in C."""
        told, self._waiting, self._chars = tuple(self._waiting), [], 0
        self._sent = len(told) // ITEMS
        try:
            sending = self._logger.log_requests.future(told)
        except vista.VistaError as error:
            self._end(error)
        else:
            sending.add_done_callback(self._passed)

    def _passed(self, sending: vista.Future) -> None:
        self._end(sending.exception())
        if self._hurried:
            self._hurried = False
            self.hurry()
        elif not self._rests:
            self._rests = True
            # In the context of this callback, in which calls may be started.
            asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._rested)

    def _rested(self) -> None:
        self._rests = False
        self.hurry()

    def _end(self, error: BaseException | None) -> None:
        """Take note of what became of a message; the first that fails is told."""
        if error is not None:
            self._counters[LINES_NOT_TAKEN] += self._sent
            if not self._failed:
                _log.error("requests are not logged: %r", error)
        self._failed = error is not None
        self._sent = 0


class _Place:
    """Where the connections of a node find what they share, which goes with the last of them."""

    __slots__ = ("found", "takes_many")

    def __init__(self) -> None:
        self.found: Callable[[], LogLines | None] = _nothing
        self.takes_many: bool | None = None


def lines_to(logger: vista.Ref) -> LogLines:
    """Return what takes requests to a log. It may wait: the log is asked what it takes."""
    place = _place_of(vista.id_of(vista.here()), vista.id_of(logger))
    if place.takes_many is None:
        place.takes_many = "log_requests" in vista.send(logger, "methods")
    lines = place.found()
    # A node that was started again in the same process may have the names of the one before.
    if lines is None or not lines.is_of(vista.counters()):
        lines = LogLines(logger, place.takes_many)
        place.found = weakref.ref(lines)
    return lines


@functools.lru_cache(maxsize=1024)
def _place_of(here: vista.Id, logger: vista.Id) -> _Place:
    return _Place()


def _nothing() -> None:
    """What is found where nothing was put."""
