"""Readers of connections that speak something else than HTTP/1.1, or may.

Each has of `RequestReader` what the connection uses.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from apps.http.syntax.heads import KnownHeads
from apps.http.syntax.http2 import PREFACE
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import NEED_DATA, RequestEvent, RequestReader

TAKEN_BYTES_MAX = 16_384
"""Bytes that are seen to before others get their turn: at worst a thousand frames, 50 ms."""


class RawReader:
    """Takes what comes after the last request of a connection, unread; see `RequestReader`."""

    def __init__(self, data: bytes, limits: HttpLimits) -> None:
        self._unread = bytearray(data)
        self._limits = limits

    @property
    def full(self) -> bool:
        """Whether as much waits as may."""
        return len(self._unread) >= self._limits.unread_bytes_max

    @property
    def unread(self) -> int:
        """How many bytes wait."""
        return len(self._unread)

    def receive(self, data: bytes) -> None:
        """Take bytes that came."""
        self._unread += data

    def take(self) -> bytes:
        """Return the next bytes that wait, `TAKEN_BYTES_MAX` at most."""
        data = bytes(self._unread[:TAKEN_BYTES_MAX])
        del self._unread[:TAKEN_BYTES_MAX]
        return data


class PrefaceEvent(Enum):
    """What a `PrefaceReader` tells beside the events of HTTP/1.1."""

    PREFACE_CAME = "the client speaks HTTP/2"


PREFACE_CAME: Final = PrefaceEvent.PREFACE_CAME
"""Call `PrefaceReader.take`: what came is HTTP/2."""


class PrefaceReader:
    """Reads a connection that may begin with the preface of HTTP/2, else as `RequestReader` does.

    Source: RFC 9113, section 3.3.
    """

    def __init__(self, limits: HttpLimits, known: KnownHeads | None = None) -> None:
        self._requests = RequestReader(limits, known)
        self._begun = bytearray()
        self._decided = False

    @property
    def full(self) -> bool:
        """Whether as much waits as may."""
        return self._requests.full

    @property
    def unread(self) -> int:
        """How many bytes wait."""
        return len(self._begun) + self._requests.unread

    def receive(self, data: bytes) -> None:
        """Take bytes that came, ``b""`` for the end."""
        if self._decided:
            self._requests.receive(data)
            return
        self._begun += data
        size = min(len(self._begun), len(PREFACE))
        whole = size == len(PREFACE)
        if not data or self._begun[:size] != PREFACE[:size]:
            self._decided = True
            if self._begun:
                self._requests.receive(bytes(self._begun))
            if not data:
                self._requests.receive(b"")
            self._begun.clear()
        else:
            self._decided = whole

    def next_event(self) -> RequestEvent | PrefaceEvent:
        """Return what comes next, as `RequestReader.next_event` does, or `PREFACE_CAME`."""
        if self._begun:
            return PREFACE_CAME if self._decided else NEED_DATA
        return self._requests.next_event()

    def skip_end(self) -> None:
        """Take the end of a request without body, as `RequestReader.skip_end` does."""
        self._requests.skip_end()

    def take(self) -> bytes:
        """Return what came, after `PREFACE_CAME`."""
        return bytes(self._begun)

    def upgrade(self) -> bytes:
        """End the reading of requests, as `RequestReader.upgrade` does."""
        return self._requests.upgrade()
