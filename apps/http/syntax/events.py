"""Server-sent events as bytes (WHATWG HTML, section 9.2).

A core without a socket or clock. Two rules. A line break in the data begins another line of data,
and there is no other way to begin a line. What a client would misread is refused.
"""

from __future__ import annotations

import re

from apps.http.errors import AnswerError

EVENT_STREAM = "text/event-stream"
"""The Content-Type of a stream of events, always in UTF-8."""

HEARTBEAT = b":\n\n"
"""A comment, which clients skip: it shows whether they are still there."""

EVENT_BYTES_MAX = 65_536
"""Bytes of one event; a larger one is refused. Each waits once for every client that is slow, and
what is larger is better fetched from an address that the event names."""

_LINE_BREAK = re.compile("\r\n|\r|\n")
_DATA_LINE = "\ndata: "
_NO_LINE = re.compile("[\r\n\0]")


def encode_event(
    data: str | None,
    event: str | None = None,
    id: str | None = None,
    retry_seconds: float | None = None,
) -> bytes:
    r"""Return the bytes of one event.

    ``data`` is any text; with None the client's page sees no event, but the client keeps ``id`` and
    ``retry_seconds``, how long it waits before it connects again. ``event`` is the name of the
    event, ``message`` if None. Raises `AnswerError` for a line break or NUL in event or id, for an
    event of more than `EVENT_BYTES_MAX`, for text that has no UTF-8 and for a time that is none.

    >>> encode_event("two\nlines", event="note", id="7")
    b'event: note\nid: 7\ndata: two\ndata: lines\n\n'
    """
    lines = []
    for name, value in (("event", event), ("id", id)):
        if value is not None:
            if not isinstance(value, str) or _NO_LINE.search(value):
                raise AnswerError(
                    f"the {name} of an event is text without line breaks and NUL, not {value!r:.80}"
                )
            lines.append(f"{name}: {value}\n")
    if retry_seconds is not None:
        if not 0 <= retry_seconds < 1e9:
            raise AnswerError(f"retry is a number of seconds from 0, not {retry_seconds!r}")
        lines.append(f"retry: {int(retry_seconds * 1000)}\n")
    if data is not None:
        if not isinstance(data, str):
            raise AnswerError(f"the data of an event is text, not {type(data).__name__}")
        if len(data) > EVENT_BYTES_MAX:
            raise _too_large()
        lines.append(f"data: {_LINE_BREAK.sub(_DATA_LINE, data)}\n")
    try:
        encoded = ("".join(lines) + "\n").encode()
    except UnicodeEncodeError as error:
        raise AnswerError(f"an event has a character that has no UTF-8: {error.reason}") from error
    if len(encoded) > EVENT_BYTES_MAX:
        raise _too_large()
    return encoded


def _too_large() -> AnswerError:
    return AnswerError(
        f"an event has at most {EVENT_BYTES_MAX} bytes; send the address of what is larger"
    )
