"""The requests of one connection, in the order they came (RFC 9112).

A stream core: `RequestReader.receive` takes the bytes, `RequestReader.next_event` gives what they
mean. Each request is a `RequestHead`, any number of `BodyData` and a `BodyEnd`. Four rules. Nothing
a client sends raises: at worst it gives `Rejected`. The next request stays unparsed until it is
asked for, so that a bad one never takes the answer of the good one before it, and a client cannot
have more requests worked on than the server wants. The events do not depend on where the network
cut the bytes. What is kept unread is bounded, if no more is received while `RequestReader.full`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from apps.http.errors import OutOfTurnError, RequestRejected
from apps.http.syntax.chunks import ChunkReader, ChunkState
from apps.http.syntax.fields import Fields
from apps.http.syntax.framing import CHUNKED, NO_BODY, Framing
from apps.http.syntax.heads import KNOWN_BYTES_MAX, HeadParser, KnownHeads, RequestHead
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.lines import LineScanner

__all__ = [
    "CHUNKED",
    "CLOSED",
    "KEPT_OF",
    "NEED_DATA",
    "NO_BODY",
    "BodyData",
    "BodyEnd",
    "Framing",
    "Rejected",
    "RequestEvent",
    "RequestHead",
    "RequestReader",
    "Signal",
]


@dataclass(frozen=True, slots=True)
class BodyData:
    """A piece of the body of a request, never empty; how it is cut means nothing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The request is whole. ``trailers`` are the fields after a chunked body, empty for others.

    They are kept apart from the fields of the head: whoever merged them would let a client change
    what was decided by the head (RFC 9110, section 6.5.1).
    """

    trailers: Fields


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last event of a connection: answer ``status``, after the answers due, and close it.

    ``explain`` is a sentence for whoever made the request; it repeats nothing that was sent.
    """

    status: int
    explain: str


class Signal(Enum):
    """That there is no event."""

    NEED_DATA = "more bytes are needed"
    CLOSED = "no request follows on this connection"


NEED_DATA: Final = Signal.NEED_DATA
"""Call `RequestReader.receive`, then `RequestReader.next_event` again."""

CLOSED: Final = Signal.CLOSED
"""No request follows: the input ended, or the last request or its answer ends the connection."""

RequestEvent = RequestHead | BodyData | BodyEnd | Rejected | Signal
"""What `RequestReader.next_event` returns."""

KEPT_OF: Final = 8
"""Of so many heads that a connection has had to read the first is known from there on. Who asks for
all files of a tree would otherwise have each of them kept for nothing, which costs the processor
its caches; of who asks again and again for a few each is known soon, and a connection that asks
once counts at once."""

_END_OF_PLAIN_BODY: Final = BodyEnd(Fields())


class _State(Enum):
    """What the reader awaits.

    ::

        HEAD -- a head --> LENGTH or CHUNKS -- the body whole --> HEAD or CLOSED
        any -- a fault, after which Rejected is returned --> CLOSED
        HEAD -- the end of the input between requests --> CLOSED
        any -- upgrade() --> CLOSED
    """

    HEAD = "the head of a request"
    LENGTH = "a body of a known length, or none"
    CHUNKS = "a chunked body"
    CLOSED = "nothing"


_HEAD: Final = _State.HEAD  # looking a member up in its Enum takes 0.1 us
_LENGTH: Final = _State.LENGTH


class RequestReader:
    """Reads the requests of one connection. ``known`` are heads that need not be read again.

    >>> reader = RequestReader(HttpLimits())
    >>> reader.receive(b"GET / HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n")
    >>> reader.next_event().method
    'GET'
    >>> reader.next_event()
    BodyEnd(trailers=Fields([]))
    >>> reader.next_event() is NEED_DATA
    True
    """

    def __init__(self, limits: HttpLimits, known: KnownHeads | None = None) -> None:
        self._limits = limits
        self._known = known
        self._unread = bytearray()
        self._ended = False
        self._state = _HEAD
        self._heads = HeadParser(limits, known)
        self._scanner: LineScanner | None = None
        self._searched = 0
        self._parsed = 0
        self._empty_lines = 0
        self._body_left = 0
        self._chunks: ChunkReader | None = None
        self._keep_alive = True

    @property
    def unread(self) -> int:
        """How many bytes wait to be parsed: those of an unfinished event, or of later requests."""
        return len(self._unread)

    @property
    def full(self) -> bool:
        """Whether as much waits as may: read no more of the connection until events are taken."""
        return len(self._unread) >= self._limits.unread_bytes_max

    def receive(self, data: bytes) -> None:
        """Take bytes that came; ``b""`` says that no more will come.

        Raises `OutOfTurnError` for bytes after the end. What comes after the last event of the
        connection is dropped.
        """
        if self._ended:
            raise OutOfTurnError("receive() after the end of the input")
        if not data:
            self._ended = True
        elif self._state is not _State.CLOSED:
            self._unread += data

    def next_event(self) -> RequestEvent:
        """Return what comes next, `NEED_DATA` or `CLOSED`; see the module's text."""
        try:
            if self._state is _HEAD:
                event = self._next_head()
            elif self._state is _LENGTH:
                event = self._next_of_length()
            elif self._state is _State.CHUNKS:
                event = self._next_of_chunks()
            else:
                return CLOSED
            if event is NEED_DATA and self._ended:
                raise RequestRejected(400, "the request ended before it was whole")
        except RequestRejected as fault:
            self._close()
            return Rejected(fault.status, fault.explain)
        return event

    def skip_end(self) -> None:
        """Take the `BodyEnd` of a request that has no body, after its head, as `next_event` does.

        Raises `OutOfTurnError` where the next event is another one.
        """
        if self._state is not _LENGTH or self._body_left:
            raise OutOfTurnError("skip_end() after anything but the head of a request without body")
        self._finish_request()

    def upgrade(self) -> bytes:
        """End the reading of requests; return the bytes that came after the last one.

        Called when the answer hands the connection to another protocol. Raises `OutOfTurnError`
        unless the request before was read to its `BodyEnd`.
        """
        if self._state in (_LENGTH, _State.CHUNKS):
            raise OutOfTurnError("upgrade() before the end of the request's body")
        rest = bytes(self._unread)
        self._close()
        return rest

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._unread = bytearray()

    def _next_head(self) -> RequestEvent:
        unread = self._unread
        came = b""
        if self._known is not None and len(unread) <= KNOWN_BYTES_MAX and not self._empty_lines:
            came = bytes(unread)
            known = self._known.get(came)
            if known is not None:
                unread.clear()
                return self._begin_body(known)
        if unread.startswith(b"\r"):
            self._skip_empty_lines()
        end = unread.find(b"\r\n\r\n", self._searched)
        if end < 0:
            return self._await_head()
        data = came if end + 4 == len(came) == len(unread) else bytes(unread[: end + 4])
        head = self._heads.parse(data)
        if self._known is not None:
            if not self._parsed % KEPT_OF:
                self._known.keep(data, head)
            self._parsed += 1
        del unread[: end + 4]
        return self._begin_body(head)

    def _begin_body(self, head: RequestHead) -> RequestHead:
        self._searched = self._empty_lines = 0
        self._scanner = None
        self._keep_alive = head.keep_alive
        if head.body is CHUNKED:
            self._chunks = ChunkReader(self._limits)
            self._state = _State.CHUNKS
        else:
            self._body_left = 0 if isinstance(head.body, Framing) else head.body
            self._state = _LENGTH
        return head

    def _skip_empty_lines(self) -> None:
        """Skip what RFC 9112, section 2.2, lets stand before a request line."""
        unread = self._unread
        while unread.startswith(b"\r\n"):
            del unread[:2]
            self._empty_lines += 1
            if self._empty_lines > self._limits.empty_lines_max:
                raise RequestRejected(400, "there are too many empty lines before a request")

    def _await_head(self) -> Signal:
        """See whether what is there of a head can still become one."""
        unread = self._unread
        if not unread or unread == b"\r":
            if not self._ended:
                return NEED_DATA
            self._close()
            return CLOSED
        if self._scanner is None:
            self._scanner = LineScanner(self._limits)
        self._scanner.scan(unread)
        self._searched = max(0, len(unread) - 3)
        return NEED_DATA

    def _next_of_length(self) -> RequestEvent:
        left = self._body_left
        if not left:
            self._finish_request()
            return _END_OF_PLAIN_BODY
        if not self._unread:
            return NEED_DATA
        piece = bytes(self._unread[:left])
        del self._unread[: len(piece)]
        self._body_left = left - len(piece)
        return BodyData(piece)

    def _next_of_chunks(self) -> RequestEvent:
        chunks = self._chunks
        assert chunks is not None, "a chunked body has its reader"
        piece = chunks.read(self._unread)
        if piece is not None:
            return BodyData(piece)
        if chunks.state is not ChunkState.DONE:
            return NEED_DATA
        self._chunks = None
        self._finish_request()
        return BodyEnd(chunks.trailers)

    def _finish_request(self) -> None:
        if self._keep_alive:
            self._state = _HEAD
        else:
            self._state = _State.CLOSED
