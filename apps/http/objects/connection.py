"""One connection as the loop sees it: bytes in, bytes out, and how long each may take.

The object behind it (`HTTPfastReceive`) is posted one message when there is something to do, which
for HTTP/2 is another one than for HTTP/1.1; all
that is decided by the clock is decided here. Two rules. There is one timer for each connection, and
it is set anew only when it is due or must be due earlier: a request costs none. Whatever posts a
message does so in the context in which the connection was made, since callbacks of a transport may
run in the one of whoever wrote last.

==========  ===============================================  =====================
phase       waits for                                        when it is over
==========  ===============================================  =====================
IDLE        the first byte of a request                      close
HEAD        the rest of a head                               408, then LINGER
BODY        the next bytes of a body                         408, then LINGER
WRITE       the client to take some of the answer            abort
LINGER      the client to close, after its last answer       close
FEED        an object that pushes, or a client's message     abort if nothing was taken
==========  ===============================================  =====================
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import vista
from apps.http.objects.gone import GONE
from apps.http.objects.profile import Terms
from apps.http.objects.raw import PrefaceReader, RawReader
from apps.http.objects.tls import HTTP2, peer_protocol
from apps.http.syntax.requests import RequestReader

_log = logging.getLogger("vista.http")

WRITE_BUFFER_BYTES = 65_536
"""Bytes that may wait for a client to take them before the next answer waits too."""

AT_ONCE_BYTES = 16_384
"""Bytes that wait for the end of a turn of the loop at most; with more they are sent at once."""

BUSY_SECONDS = 1.0
"""How often a timer that is due looks whether the object still works on a request."""


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "a request"
    HEAD = "the head of a request"
    BODY = "the body of a request"
    WRITE = "the client to read"
    LINGER = "the client to close"
    FEED = "an object that pushes"


IDLE: Final = Phase.IDLE  # looking a member up in its Enum takes 0.1 us
HEAD: Final = Phase.HEAD
BODY: Final = Phase.BODY
WRITE: Final = Phase.WRITE
LINGER: Final = Phase.LINGER
FEED: Final = Phase.FEED


class Connection(asyncio.Protocol):
    """One connection. ``serve`` is called without arguments when there is something to do.

    It is called again only after ``busy`` was cleared.
    """

    __slots__ = (
        "_alone", "_body_bytes", "_body_since", "_context", "_due", "_gone", "_read_paused",
        "_serve", "_serve_streams", "_timer", "_to_write", "_unsent", "_unsent_bytes", "busy",
        "closing", "drained", "ended", "late", "loop", "lost", "phase", "reader", "retiring",
        "staying", "terms", "transport", "write_paused",
    )  # fmt: skip

    def __init__(
        self, terms: Terms, serve: Callable[[], Any], serve_streams: Callable[[], Any]
    ) -> None:
        self.terms = terms
        self.reader = RequestReader(terms.limits, terms.heads)
        self.transport: Any = None
        self.loop: Any = None
        self.busy = False
        self.lost = False
        self.ended = False
        self.closing = False
        self.late = False
        self.retiring = False
        self.write_paused = False
        self.phase = IDLE
        self.drained: asyncio.Future[None] | None = None
        self._serve = serve
        self._serve_streams = serve_streams
        self._context = contextvars.copy_context()
        self._read_paused = False
        self._timer: Any = None
        self.staying: asyncio.Task[None] | None = None
        self._due = 0.0
        self._gone: asyncio.Future[None] | None = None
        self._to_write = 0
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._alone = False
        self._body_bytes = 0
        self._body_since = 0.0

    # --- called by the transport -----------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.await_phase(IDLE, self._idle_seconds())
        if self.closing:
            transport.close()
        elif peer_protocol(transport) == HTTP2:
            self.multiplex()

    def data_received(self, data: bytes) -> None:
        """Take what came and have it seen to."""
        phase = self.phase
        if phase is LINGER or self.closing:
            return
        if phase is BODY:
            self._body_bytes += len(data)
        terms, number = self.terms, id(self)
        self._alone = terms.heard == number
        terms.heard = number
        self.reader.receive(data)
        if not self.busy:
            self.wake()
        elif self.reader.full:
            self._read_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """No more will come: the requests that came are still answered.

        Not over TLS, whose end is the end of both directions for the loop.
        """
        if self.phase is LINGER or self.closing:
            return False
        self.ended = True
        self.reader.receive(b"")
        self.wake()
        half: bool = self.transport.can_write_eof()
        return half

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed: nobody reads what is written."""
        self.lost = True
        self.transport = GONE
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._let_writers_go()
        self.wake()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        self.write_paused = True
        if self.phase is IDLE and not self.closing:
            # Of an answer that was sent at the end of the turn: its object has gone on already.
            self.wake()

    def resume_writing(self) -> None:
        """The client took enough."""
        self.write_paused = False
        self._let_writers_go()
        self.wake()

    # --- called by its object --------------------------------------------------------------

    async def stay(self, sock: socket.socket, handshake: dict[str, Any]) -> None:
        """Begin, and wait until the connection is lost.

        ``handshake`` are the arguments of the loop's ``connect_accepted_socket`` for TLS. A node
        that stops cancels this, which aborts the connection; it would wait for a thread.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self, sock, **handshake)
            self._gone = loop.create_future()
            if not self.lost:
                await self._gone
        except OSError as error:
            _log.debug("a connection was lost before it was served: %s", error)
        finally:
            if self.transport is None:
                sock.close()
                self.lost = True
                self.wake()
            elif not self.lost:
                self.transport.abort()

    def write(self, data: bytes, body: bytes = b"") -> None:
        """Send bytes, and ``body`` behind them, at the end of this turn of the loop at the latest.

        A client that waits is woken up by what it is sent, which takes the system longer than the
        sending. What the threads of a turn answer leaves together, so most clients are awake.
        """
        unsent, size = self._unsent, len(data) + len(body)
        if self._unsent_bytes + size > AT_ONCE_BYTES:
            self.write_now(data, body)
            return
        if self._alone and not unsent and self.terms.heard == id(self) and not self.reader.unread:
            # Nobody else has asked since the client did before: nothing leaves together with it.
            if not self.transport.is_closing():
                self.transport.write(data + body if body else data)
            return
        if not unsent:
            # Not in this connection's context, in which `pause_writing` has its object woken up.
            self.loop.call_soon(self._write_unsent, context=contextvars.Context())
        self._unsent_bytes += size
        unsent.append(data)
        if body:
            unsent.append(body)

    def write_now(self, data: bytes, body: bytes = b"") -> None:
        """Send bytes, and ``body`` behind them, after those that wait."""
        self._write_unsent()
        if body:
            self.transport.writelines((data, body))
        else:
            self.transport.write(data)

    def _write_unsent(self) -> None:
        """Send what waits for the end of the turn."""
        unsent = self._unsent
        if unsent:
            data = unsent[0] if len(unsent) == 1 else b"".join(unsent)
            unsent.clear()
            self._unsent_bytes = 0
            # Not to one that was aborted since.
            if not self.transport.is_closing():
                self.transport.write(data)

    def wait_for_room(self, seconds: float) -> bool:
        """Wait in a thread until the client has taken enough; return whether it is still there.

        Any number of threads may wait. A client that takes nothing for ``seconds`` is dropped.
        """
        while self.write_paused and not self.lost:
            drained = self.drained
            if drained is None:
                drained = self.drained = self.loop.create_future()
            try:
                # Shielded: who gives up must leave it to the others.
                vista.wait(asyncio.shield(drained), seconds)
            except TimeoutError:
                self.transport.abort()
                return False
        return not self.lost

    def wake(self) -> None:
        """Have the object look at the connection, if it does not already."""
        if not self.busy:
            self.busy = True
            self._context.run(self._serve)

    def multiplex(self) -> None:
        """Have the other of the two messages posted from here on: the client speaks HTTP/2."""
        came = self.reader.take() if isinstance(self.reader, PrefaceReader) else b""
        self.reader = RawReader(came, self.terms.limits)  # type: ignore[assignment]
        self._serve = self._serve_streams
        self.busy = False
        self.wake()

    def rest(self, phase: Phase) -> None:
        """Say what is waited for, everything that came being seen to; the clock decides from here.

        ``phase`` is IDLE, HEAD, BODY, WRITE or FEED.
        """
        self.busy = False
        limits = self.terms.limits
        if phase is WRITE:
            self._stop_reading_when_full()
            self._write_unsent()  # later it would look as if the client had taken nothing
            left = self.transport.get_write_buffer_size()
            if self.phase is not WRITE or left < self._to_write:
                self.await_phase(phase, limits.write_idle_seconds)
            self._to_write = left
            return
        if phase is FEED and self._stop_reading_when_full():
            pass
        elif self._read_paused:
            self._read_paused = False
            # Not at once: reading would go on in the context of this thread.
            self.loop.call_soon(self._resume_reading, context=self._context)
        if phase is HEAD:
            if self.phase is not HEAD:
                self.await_phase(phase, limits.head_seconds)
        elif phase is BODY:
            if self.phase is not BODY:
                self._body_since, self._body_bytes = self.loop.time(), 0
            self.await_phase(phase, limits.body_idle_seconds)
        elif phase is FEED:
            if self.phase is not FEED:
                self._to_write = 0
                self.await_phase(phase, limits.write_idle_seconds)
        else:
            self.await_phase(phase, self._idle_seconds())

    def await_phase(self, phase: Phase, seconds: float) -> None:
        """Wait for something, ``seconds`` at most."""
        self.phase = phase
        self._due = due = self.loop.time() + seconds
        timer = self._timer
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            self._timer = self._alarm(due)

    def linger(self) -> None:
        """Close after what was written is sent, and read on for a while.

        Closed with bytes unread, the reset would take the answer from the client (RFC 9112, 9.6).
        """
        if self.lost or self.closing or self.phase is LINGER:
            return
        if self.ended:
            self.close()  # there is nothing to read on
            return
        self._write_unsent()
        self.closing = True
        if self.transport.can_write_eof():
            # Where the client is gone already, asyncio lets the error of the system through.
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        self.await_phase(LINGER, self.terms.limits.drain_seconds)

    def close(self, *, lingers: bool = False) -> None:
        """Close after what was written is sent, which may take as long as the client reads.

        With ``lingers`` it is read on for a while as in `linger`: for clients that did not ask for
        the end, and may be sending the next request.
        """
        if self.lost or self.closing:
            return
        self._write_unsent()
        self.closing = True
        if self.transport is None:
            return  # it is closed as soon as its handshake is over
        self.rest(WRITE)
        if self.ended or not (lingers and self.transport.can_write_eof()):
            self.transport.close()
            return
        with contextlib.suppress(OSError):
            self.transport.write_eof()
        if self._read_paused:
            self._read_paused = False
            self.loop.call_soon(self._read_on, context=self._context)
        if not self._to_write:
            self.await_phase(LINGER, self.terms.limits.drain_seconds)

    def retire(self) -> None:
        """Close when no request comes for a moment: one may be on its way."""
        self.retiring = True
        if self.phase is IDLE and self.transport is not None and not (self.lost or self.closing):
            self.await_phase(IDLE, self._idle_seconds())

    def _idle_seconds(self) -> float:
        limits = self.terms.limits
        return limits.retire_seconds if self.retiring else limits.keep_alive_seconds

    def give_up(self) -> None:
        """Close at once; its loss is to be seen to, once the transport tells it."""
        self.busy = False
        if self.transport is not None:
            self._write_unsent()
            self.transport.abort()

    def drop(self) -> None:
        """Close at once, and tell nobody: the object behind it is gone."""
        self._serve = _nothing
        if self.transport is None:
            if self.staying is not None:
                self.staying.cancel()
        elif not self.lost:
            self._write_unsent()
            self.transport.abort()

    # --- by the clock ----------------------------------------------------------------------

    def _alarm(self, due: float) -> Any:
        # In a context of its own: asyncio keeps that of a timer that was cancelled until its time
        # has come, and this one's would hold the object of a connection that is closed.
        return self.loop.call_at(due, self._timer_expired, context=contextvars.Context())

    def _timer_expired(self) -> None:
        self._timer = None
        if self.lost:
            return
        now = self.loop.time()
        if self.busy:
            # An object works on a request, for which another bound holds: look again later.
            self._timer = self._alarm(now + BUSY_SECONDS)
        elif now < self._due:
            self._timer = self._alarm(self._due)
        elif self.phase is WRITE:
            self._look_at_writing()
        elif self.phase is FEED:
            self._look_at_feed()
        elif self.phase is IDLE:
            self.close(lingers=self.retiring)
        elif self.phase is LINGER:
            self.transport.abort()
        else:
            self.late = True
            self.wake()

    def _look_at_writing(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left < self._to_write:
            self._to_write = left
            self.await_phase(WRITE, self.terms.limits.write_idle_seconds)
        else:
            self.transport.abort()

    def _look_at_feed(self) -> None:
        """Drop a client for which more waits than at the last look, and much at both.

        Else have the object see whether the one that pushes is still there.
        """
        left = self.transport.get_write_buffer_size() if self.write_paused else 0
        if left and left >= self._to_write > 0:
            self.transport.abort()
        else:
            self._to_write = left
            self.await_phase(FEED, self.terms.limits.write_idle_seconds)
            self.late = True
            self.wake()

    def body_too_slow(self) -> bool:
        """Tell whether a body comes slower than it must, on average after the first seconds."""
        limits = self.terms.limits
        if self.phase is not BODY:
            return False
        seconds = self.loop.time() - self._body_since
        if seconds < limits.body_idle_seconds:
            return False
        expected: float = seconds * limits.body_rate_min
        return self._body_bytes < expected

    def _stop_reading_when_full(self) -> bool:
        """Read no more where as much waits as may, and nobody takes it; return whether it is so.

        Else a client that sends and does not read would fill the memory.
        """
        if not self.reader.full:
            return False
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()
        return True

    def _read_on(self) -> None:
        """Read what comes after the last answer, and throw it away."""
        if not self.lost:
            self.transport.resume_reading()

    def _resume_reading(self) -> None:
        if not (self.lost or self.phase is LINGER):
            self.transport.resume_reading()

    def _let_writers_go(self) -> None:
        if self.drained is not None:
            self.drained.set_result(None)
            self.drained = None


def address_of(sock: socket.socket) -> str:
    """Return the address of the other side. Raises OSError when it is gone already."""
    name = sock.getpeername()
    return str(name[0]) if isinstance(name, tuple) else "unix:"


def _nothing() -> None:
    """What a connection does that has no object any longer."""
