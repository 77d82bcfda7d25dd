"""Every bound of the HTTP server, with its unit and its reason.

``HttpLimits()`` holds the values that suit most sites; ``HttpLimits(body_bytes_max=1000)`` changes
one; `HttpLimits.validate` checks how they relate and is called by the daemon that gets them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from apps.http.errors import BadLimitError


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """The bounds of one HTTP server. Every field is positive; units stand at the end of the names.

    The bytes of a line are counted without its line end.
    """

    method_bytes_max: int = 32
    """Bytes of a method; a longer one gets 501 (RFC 9112, section 3). The longest one registered,
    UPDATEREDIRECTREF, has 17."""

    target_bytes_max: int = 8_192
    """Bytes of a request target; a longer one gets 414. RFC 9112, section 3, wants 8,000 at
    least."""

    field_bytes_max: int = 16_384
    """Bytes of one field line; a longer one gets 431. Cookies of 4 KiB come several in a line."""

    head_bytes_max: int = 65_536
    """Bytes of the head of a request with its line ends; a larger one gets 431. A connection holds
    as much while its head arrives: 640 MB with 10,000 of them, if each sends all it may."""

    fields_max: int = 128
    """Field lines in a head; one more gets 431. Browsers send 10 to 25."""

    empty_lines_max: int = 4
    """Empty lines before a request that are skipped (RFC 9112, section 2.2, wants one); one more
    gets 400. Some clients send one after a body."""

    trailers_max: int = 32
    """Field lines after a chunked body; one more gets 431."""

    trailer_bytes_max: int = 8_192
    """Bytes of all field lines after a chunked body with their line ends; more get 431."""

    chunk_extension_bytes_max: int = 256
    """Bytes of the extensions of one chunk; more get 400. Nobody is known to use any; a signature
    of a chunk takes about 90."""

    chunk_extensions_bytes_max: int = 16_384
    """Bytes of the extensions of all chunks of a body; more get 400. Without this bound a body of
    one byte a chunk makes the server read 260 times what it counts."""

    body_bytes_max: int = 64 * 1024 * 1024
    """Bytes of the body of a request; a larger one gets 413, before any of it is read if its length
    was told."""

    body_memory_bytes_max: int = 1024 * 1024
    """Bytes of the body of a request that are kept in memory; a larger one goes to disk as it
    comes. Whoever makes forms and messages stays below; 10,000 connections that each send as much
    hold 10 GB."""

    form_memory_bytes_max: int = 256 * 1024
    """Bytes of all files together, of a form that goes to disk, that are kept in memory; the next
    one goes to disk itself."""

    form_files_max: int = 64
    """Files of a form that go to disk; one more gets 413. Each is a descriptor as long as the
    request is answered."""

    urlencoded_bytes_max: int = 1024 * 1024
    """Bytes of a form that is not multipart, or of a query; a larger one gets 413. Such a form is
    read whole, so it is kept in memory; long texts of people have less."""

    form_fields_max: int = 1_000
    """Names with values in a form, or parts of a multipart one; more get 413. Each costs a string
    and a table entry, whose hashes a client may try to make collide."""

    form_part_fields_max: int = 8
    """Field lines in the head of one part of a form; more get 400. Browsers send two."""

    form_part_field_bytes_max: int = 4_096
    """Bytes of one field line in the head of a part; more get 400. It holds the longest file name
    there is, 255 characters of which each may take 12 bytes when escaped."""

    ranges_max: int = 32
    """Parts that one request may ask for; one that asks for more gets the whole. Viewers of PDF
    files ask for about 20, attackers for 1,300 (CVE-2011-3192)."""

    unread_bytes_max: int = 262_144
    """Bytes that may wait behind the request being answered before the connection is no longer
    read: what asyncio reads at once. They hold the next head and the start of its body."""

    handshake_seconds: float = 10.0
    """How long the handshake of a TLS connection may take; then it is closed. One takes two round
    trips and 1 ms of this side's CPU."""

    head_seconds: float = 15.0
    """How long a head may take from its first byte; a slower one gets 408. Slow clients with bad
    links need about three."""

    body_idle_seconds: float = 30.0
    """How long nothing of an awaited body may come; then 408."""

    body_rate_min: int = 500
    """Bytes a second of a body, on average after body_idle_seconds; a slower one gets 408. A modem
    of the last century sends 4,000; a client that wants to hold the connection sends one."""

    write_idle_seconds: float = 30.0
    """How long a client may take none of the answer that waits for it; then the connection is
    closed."""

    feed_bytes_max: int = 262_144
    """Bytes of pushed events or messages that may wait for one client; one for which more would is
    dropped. A client that takes nothing for write_idle_seconds is dropped before it."""

    websocket_message_bytes_max: int = 1024 * 1024
    """Bytes of one message of a WebSocket, without compression; a longer one ends it with code
    1009. Objects get messages whole, in memory."""

    websocket_ping_seconds: float = 20.0
    """How often a client of a WebSocket is asked whether it is still there; one that gives no sign
    twice is dropped. Servers on the way close what is silent for 60 s."""

    http2_streams_max: int = 100
    """Requests of one connection of HTTP/2 that are worked on at the same time, those included that
    their client has withdrawn: what it has begun goes on. RFC 9113, section 6.5.2, wants 100 at
    least."""

    http2_resets_max: int = 200
    """Requests that a client may withdraw more than it lets be answered; then the connection is
    closed (CVE-2023-44487). Who leaves a page withdraws what was still coming, 50 or so. Requests
    that are refused, since too many come at a time, count as well."""

    http2_control_frames_max: int = 1_000
    """Frames of HTTP/2 that ask for nothing (pings, settings, empty data) before the connection is
    closed; a request is worth 20 of them, a piece of a body 1 or 2. Each costs 30 us."""

    http2_bodies_bytes_max: int = 4 * 1024 * 1024
    """Bytes of unfinished requests of one connection in memory; a request that would take more gets
    503. Without it one connection could hold a body for each of its streams."""

    keep_alive_seconds: float = 75.0
    """How long a connection may stay without a request. Longer than the 60 s for which common
    proxies keep theirs, so that the side that sends is the one that closes."""

    request_seconds: float = 60.0
    """How long an object may take for its answer; then the client gets 504."""

    stop_seconds: float = 4.0
    """How long requests may go on when the server stops; then their connections are cut off. Less
    than the 5 s that a node takes for its orderly end."""

    retire_seconds: float = 0.5
    """How long a connection without a request stays when the server stops: a request that is on its
    way is still answered. Ten times the way to a client on the next continent."""

    drain_seconds: float = 2.0
    """How long what a refused client still sends is read and thrown away before the connection is
    closed. Closed at once, the reset would take the answer from the client (RFC 9112, 9.6)."""

    def validate(self) -> None:
        """Check each bound and how they relate. Raises `BadLimitError` naming the first mistake."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise BadLimitError(f"limit {field.name} must be a positive number, not {value!r}")
            if type(value) is float and not field.name.endswith("_seconds"):
                raise BadLimitError(f"limit {field.name} must be a whole number, not {value!r}")
        if self.head_bytes_max < self.method_bytes_max + self.target_bytes_max + 13:
            raise BadLimitError(
                "limit head_bytes_max must hold a request line: at least method_bytes_max + "
                "target_bytes_max + 13, or a long target would get 431 in place of 414"
            )
        if self.head_bytes_max < self.field_bytes_max:
            raise BadLimitError("limit head_bytes_max must be at least field_bytes_max")
        if self.unread_bytes_max < self.head_bytes_max:
            raise BadLimitError(
                "limit unread_bytes_max must be at least head_bytes_max, or a large head would "
                "never be read to its end"
            )
        if self.chunk_extensions_bytes_max < self.chunk_extension_bytes_max:
            raise BadLimitError(
                "limit chunk_extensions_bytes_max must be at least chunk_extension_bytes_max"
            )
