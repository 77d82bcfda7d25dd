"""Bodies that another object gives piece by piece, sent over HTTP/1.1."""

from __future__ import annotations

import logging
from typing import Any

import vista
from apps.http.content.resources import (
    Response,
    check_source,
    fields_of,
    takes_trailers,
    trailer_field,
)
from apps.http.objects.connection import Connection
from apps.http.syntax.answers import AnswerWriter
from apps.http.syntax.requests import RequestHead

_log = logging.getLogger("vista.http")

PIECE_BYTES = 262_144
"""Bytes of a body that its object is asked for at a time."""

Pairs = tuple[tuple[str, str], ...]


def send_source(
    connection: Connection,
    writer: AnswerWriter,
    head: RequestHead,
    response: Response,
    extra: Pairs,
    now: float,
    *,
    patience: float,
    close: bool,
) -> int:
    """Send an answer whose body is a ``source``, as fast as the client takes it.

    ``patience`` is how long it may take nothing, in seconds. Returns the bytes of the body that
    were sent. Raises what keeps the head from being written; what goes wrong later ends the
    connection.
    """
    source: Any = response.source
    sent = 0
    trailing = takes_trailers(response, head.fields, head.version)
    try:
        check_source(response)
        fields = (*fields_of(response), *extra, *trailer_field(response, trailing))
        length = response.length
        data = writer.head(response.status, fields, now, length=length, close=close)
    except Exception:  # whoever called answers with 500 in its place
        if isinstance(source, vista.Ref):
            vista.future(source, "delete_yourself")
        raise
    try:
        connection.write_now(data)
        sends = writer.sends_body
        while sends and connection.wait_for_room(patience):
            piece = source.read_bytes(PIECE_BYTES)
            if not piece:
                break
            connection.write_now(b"".join(writer.data(piece)))
            sent += len(piece)
        if connection.lost:
            writer.abandon()
        else:
            trailers = source.get_trailers() if trailing and sends else ()
            connection.write_now(writer.end(trailers))
    except Exception as error:  # whatever the source raises ends this connection
        _log.error("%s: the body broke off: %r", head.target.sent_path, error)
        writer.abandon()
        connection.transport.abort()
    finally:
        vista.future(source, "delete_yourself")  # it may have gone by itself
    return sent
