"""One client's connection and that to its server, as the loop sees them: bytes go both ways.

Four rules. Nobody is read faster than the other takes. The end of what one says is passed on, and
the other may still speak. As long as the client was told nothing, what it asked for is kept, if it
is a request that may be asked twice (RFC 9110, 9.2.2): then another server can be asked. Who takes
nothing, or says nothing for long, is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

BUFFER_BYTES = 65_536
"""Bytes that wait for either side before the other one is read no more."""

KEPT_BYTES_MAX = 65_536
"""Bytes of a request that are kept until its answer begins; a longer one is asked once."""

STALLED_SECONDS = 60.0
"""How long bytes may wait for a client or server that takes none of them."""

QUIET_SECONDS = 3_600.0
"""How long neither side may say a byte; servers of HTTP end what is idle long before."""

LINGER_SECONDS = 2.0
"""How long a client that was told the last is still read: what it sends meanwhile would make the
system take back the answer (RFC 9112, 9.6)."""

FIRST_SECONDS = 10.0
"""How long the first bytes of a client are waited for that there is no server for."""

_SAFE = re.compile(rb"(GET|HEAD) ")
_HEAD_END = re.compile(rb"\n\r?\n")
_HTTP = re.compile(rb"[A-Z]{3,20} [^ \r\n]+ HTTP/1\.|PRI \* HTTP/2")
_HTTP_PART = re.compile(rb"[A-Z]{0,20}|[A-Z]{3,20} [^ \r\n]*|[A-Z]{3,20} [^ \r\n]+ [HTP/1]{0,6}")


def is_safe(data: bytes) -> bool:
    """Tell whether a request may be asked again: it only reads, and no further one follows."""
    end = _HEAD_END.search(data)
    return _SAFE.match(data) is not None and (end is None or end.end() == len(data))


def is_http(data: bytes) -> bool:
    """Tell whether bytes begin a request of HTTP."""
    return _HTTP.match(data) is not None


def is_undecided(data: bytes | bytearray) -> bool:
    """Tell whether bytes may still become the beginning of a request of HTTP."""
    return _HTTP_PART.fullmatch(data) is not None


class Side(asyncio.Protocol):
    """One of the two connections; ``peer`` is the other one, None until there is one."""

    def __init__(self, splice: Splice) -> None:
        self.splice = splice
        self.transport: Any = None
        self.peer: Side | None = None
        self.full = False
        self.ended = False
        self.lost = False
        self.waiting_bytes = 0
        self.waiting_since = 0.0
        self._paused = False

    def connection_made(self, transport: Any) -> None:
        """Begin: nothing is read before both sides are there."""
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        self.splice.made(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self.splice.heard(self, data)

    def eof_received(self) -> bool:
        """Pass the end on; this side can still be written to."""
        self.ended = True
        self.splice.end_heard(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """See to the other side."""
        self.lost = True
        self.splice.lost(self, error)

    def pause_writing(self) -> None:
        """Read the other one no more: this one does not take what it is sent."""
        self.full = True
        if self.peer is not None:
            self.peer.pause()

    def resume_writing(self) -> None:
        """Read the other one again."""
        self.full = False
        if self.peer is not None:
            self.peer.resume()

    def pause(self) -> None:
        """Read no more for now."""
        if not (self._paused or self.lost or self.transport.is_closing()):
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not (self.lost or self.transport.is_closing()):
            self._paused = False
            self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes, unless the side is gone."""
        if not (self.lost or self.transport.is_closing()):
            self.transport.write(data)

    def end(self) -> None:
        """Say that no more comes."""
        if not (self.lost or self.transport.is_closing()):
            # Where the other end is gone already, asyncio lets the error of the system through.
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()

    def close(self) -> None:
        """Close after what was written is sent."""
        if self.transport is not None and not self.lost:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None and not self.lost:
            self.transport.abort()

    def takes_nothing(self, now: float) -> bool:
        """Tell whether bytes wait for this side and none was taken for long."""
        left = 0 if self.lost or self.transport is None else self.transport.get_write_buffer_size()
        if left < self.waiting_bytes or not (left and self.waiting_bytes):
            self.waiting_since = now
        self.waiting_bytes = left
        return left > 0 and now - self.waiting_since > STALLED_SECONDS


class Splice:
    """A client and its server. ``server`` is whatever the owner says that it is.

    ``on_lost`` is called with this when the server went away and nothing of its answer had come,
    though the client waits for one. ``told`` says whether the client was sent anything at all,
    ``waits`` whether it has said something since.
    """

    def __init__(self, on_lost: Callable[[Splice], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.client = Side(self)
        self.upstream: Side | None = None
        self.server: Any = None
        self.kept: bytearray | None = bytearray()
        self.told = False
        self.waits = False
        self.closing = False
        self.leaving = False
        self.heard_at = self.answered_at = self.loop.time()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.first: asyncio.Future[None] = self.loop.create_future()
        self._on_lost = on_lost

    @property
    def beginning(self) -> bytes:
        """The first bytes that the client said, as long as they are kept."""
        return bytes(self.kept or b"")

    def join(self, upstream: Side) -> None:
        """Connect the client with a server, which is told what the client has said already."""
        self.upstream = upstream
        self.client.peer, upstream.peer = upstream, self.client
        if self.closing or self.client.lost:
            upstream.abort()
            return
        if self.kept:
            upstream.write(bytes(self.kept))
        if self.client.ended:
            upstream.end()
        if not upstream.full:
            self.client.resume()

    # --- called by the sides ---------------------------------------------------------------

    def made(self, side: Side) -> None:
        """Wait for the other one before a client is read; what a server says is passed on."""
        if self.closing:
            side.abort()
        elif side is self.client:
            side.pause()

    def heard(self, side: Side, data: bytes) -> None:
        """Pass bytes on."""
        self.heard_at = self.loop.time()
        if side is self.client:
            self._heard_client(data)
        elif side is self.upstream:
            self.told, self.waits, self.kept = True, False, None
            self.answered_at = self.heard_at
            self.client.write(data)

    def _heard_client(self, data: bytes) -> None:
        self.waits = True
        if self.kept is not None:
            self.kept += data
            if len(self.kept) > KEPT_BYTES_MAX:
                self.kept = None
            if not (self.first.done() or (self.kept and is_undecided(self.kept))):
                self.first.set_result(None)
        if self.upstream is not None and not self.closing:
            self.upstream.write(data)

    def end_heard(self, side: Side) -> None:
        """Pass the end on, and close when both have ended."""
        if side is self.client and not self.first.done():
            self.first.set_result(None)
        if side is self.upstream and self._asks_another():
            return
        other = side.peer
        if self.closing or self.leaving or (other is not None and other.ended):
            self.close()
        elif other is not None:
            other.end()

    def lost(self, side: Side, error: Exception | None) -> None:
        """Close the other one after what it is still to be sent."""
        if side is self.client:
            if not self.first.done():
                self.first.set_result(None)
            if self.upstream is not None:
                self.upstream.close() if error is None else self.upstream.abort()
            if not self.done.done():
                self.done.set_result(None)
        elif side is self.upstream and not self._asks_another():
            self.client.close()

    def _asks_another(self) -> bool:
        """Have the owner see to a client whose server ended before it answered."""
        upstream = self.upstream
        if self.told or self.closing or not self.waits or self.client.lost or upstream is None:
            return False
        self.upstream = self.client.peer = None
        upstream.peer = None
        upstream.abort()
        self.client.pause()
        self._on_lost(self)
        return True

    # --- called by the owner ---------------------------------------------------------------

    def leave(self) -> None:
        """Close as soon as an answer that the client waits for has ended."""
        self.leaving = True
        if not self.waits:
            self.close()

    def cut(self) -> None:
        """Leave a server that says nothing; the client's request goes to another one if it can."""
        if not self._asks_another():
            self.abort()

    def close(self) -> None:
        """Close both, after what was written is sent."""
        self.closing = True
        self.client.close()
        if self.upstream is not None:
            self.upstream.close()

    def abort(self) -> None:
        """Close both at once."""
        self.closing = True
        self.client.abort()
        if self.upstream is not None:
            self.upstream.abort()

    async def say(self, page: bytes) -> None:
        """Tell the client the last, if it speaks HTTP, and close."""
        self.client.resume()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await asyncio.shield(self.first)
        if is_http(self.beginning):
            self.closing = True
            self.client.write(page)
            self.client.end()
            if not self.client.ended:
                await asyncio.wait((self.done,), timeout=LINGER_SECONDS)
        self.close()

    def overdue(self, now: float) -> bool:
        """Tell whether one side has taken nothing for long, or none said anything for longer."""
        sides = [self.client] if self.upstream is None else [self.client, self.upstream]
        stalled = [side.takes_nothing(now) for side in sides]
        return any(stalled) or now - self.heard_at > QUIET_SECONDS
