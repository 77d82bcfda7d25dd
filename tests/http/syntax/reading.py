"""How the tests read requests: whole, a byte at a time, and cut where somebody says."""

from __future__ import annotations

from collections.abc import Iterable

from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import (
    CLOSED,
    NEED_DATA,
    BodyData,
    BodyEnd,
    Rejected,
    RequestEvent,
    RequestHead,
    RequestReader,
)

HOST = b"Host: a.example\r\n"
POST = b"POST / HTTP/1.1"
CHUNKS = b"Transfer-Encoding: chunked\r\n"


def request(lines: bytes = b"", *, first: bytes = b"GET / HTTP/1.1", body: bytes = b"") -> bytes:
    """A request with a host, field lines (each with its end) and a body."""
    return first + b"\r\n" + HOST + lines + b"\r\n" + body


def chunked(body: bytes, lines: bytes = CHUNKS) -> bytes:
    """A request with a chunked body."""
    return request(lines, first=POST, body=body)


def of_length(length: bytes, body: bytes = b"") -> bytes:
    """A request whose field Content-Length has that value."""
    return request(b"Content-Length: " + length + b"\r\n", first=POST, body=body)


def take(reader: RequestReader) -> list[RequestEvent]:
    """All events that are there, without `NEED_DATA`; `CLOSED` is the last one."""
    found: list[RequestEvent] = []
    while (event := reader.next_event()) is not NEED_DATA:
        found.append(event)
        if event is CLOSED:
            break
    return found


def read_pieces(
    pieces: Iterable[bytes], limits: HttpLimits | None = None, *, end: bool = False
) -> list[RequestEvent]:
    """The events of bytes that come in pieces, neighbouring pieces of a body joined."""
    reader = RequestReader(limits or HttpLimits())
    found: list[RequestEvent] = []
    for piece in pieces:
        reader.receive(piece)
        found += take(reader)
    if end:
        reader.receive(b"")
        found += take(reader)
    if CLOSED in found:
        found = [event for event in found if event is not CLOSED] + [CLOSED]
    joined: list[RequestEvent] = []
    for event in found:
        if isinstance(event, BodyData) and joined and isinstance(joined[-1], BodyData):
            joined[-1] = BodyData(joined[-1].data + event.data)
        else:
            joined.append(event)
    return joined


def read(data: bytes, limits: HttpLimits | None = None, *, end: bool = False) -> list[RequestEvent]:
    """The events of bytes that come at once."""
    return read_pieces([data] if data else [], limits, end=end)


def single(data: bytes) -> list[bytes]:
    """Bytes, one by one."""
    return [data[at : at + 1] for at in range(len(data))]


def read_head(data: bytes, limits: HttpLimits | None = None) -> RequestHead:
    """The head that bytes start with."""
    event = read(data, limits)[0]
    assert isinstance(event, RequestHead), event
    return event


def rejected(data: bytes, limits: HttpLimits | None = None) -> Rejected:
    """The refusal that bytes end in, the same one when they come one by one."""
    events = read(data, limits)
    assert read_pieces(single(data), limits) == events
    assert events[-1] is CLOSED
    refusal = events[-2]
    assert isinstance(refusal, Rejected), refusal
    return refusal


def status_of(data: bytes, limits: HttpLimits | None = None) -> int:
    """The status bytes are refused with; 200 for whole requests, which must come out of any cut."""
    events = read(data, limits)
    assert read_pieces(single(data), limits) == events
    for event in events:
        if isinstance(event, Rejected):
            return event.status
    assert any(isinstance(event, BodyEnd) for event in events), events
    return 200
