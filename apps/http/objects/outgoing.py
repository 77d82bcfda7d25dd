"""Answers of HTTP/2: the frames of each as its client takes them, and bodies that are pushed.

Two rules. What is sent of an answer goes by the window of its stream and by what the connection
takes: who waits for either is a thread of its own. What HTTP/1.1 could not send is not sent here
either: the same writer checks it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import vista
from apps.http.content.resources import (
    Feed,
    Response,
    body_of,
    check_source,
    error_response,
    fields_of,
    takes_trailers,
    trailer_field,
    unprepared,
)
from apps.http.errors import AnswerError
from apps.http.objects.afar import unwatch, watch, watched
from apps.http.objects.answering import Pairs
from apps.http.objects.bodies import RequestBody
from apps.http.objects.connection import Connection
from apps.http.objects.profile import Terms
from apps.http.syntax.answers import AnswerWriter, trailer_text
from apps.http.syntax.fields import Fields
from apps.http.syntax.http2 import CANCEL, INTERNAL, StreamRejected, StreamsCore
from apps.http.syntax.requests import RequestHead
from apps.http.syntax.websocket import without_switch

_log = logging.getLogger("vista.http")

FRAMES_IN_TURN = 16
"""Frames of one answer that are written before others get their turn: 256 KiB."""

KEPT_BYTES = 4_096
"""Bytes of what came on a stream that are put together while they wait: who sends them one by one
to a page that does not receive would have them take a hundred times as much."""

_PIECE_BYTES = 262_144


class Gone(Exception):
    """The client has withdrawn a request, or takes nothing of its answer."""


class Stream:
    """One request and its answer."""

    __slots__ = (
        "body", "ended", "feed", "has_last", "head", "held", "is_passed_on", "number", "out",
        "over", "pieces", "probe", "rejected", "sent", "status", "trailers", "watching",
    )  # fmt: skip

    def __init__(self, number: int, head: RequestHead | None, ended: bool) -> None:
        self.number = number
        self.head = head
        self.rejected: StreamRejected | None = None
        self.ended = ended
        self.pieces: deque[tuple[bytes, int]] = deque()
        self.body: RequestBody | None = None
        self.held = 0
        self.feed: Feed | None = None
        self.out = bytearray()
        self.over = self.has_last = False
        self.probe: Any = None
        self.sent = 0
        self.status = 0
        self.trailers = Fields()
        self.is_passed_on = False
        self.watching: vista.Ref | None = None

    def keep(self, data: bytes, size: int) -> None:
        """Keep a piece of the body until it is used; ``size`` as of `StreamData`."""
        pieces = self.pieces
        if pieces and len(pieces[-1][0]) + len(data) <= KEPT_BYTES:
            before, its_size = pieces[-1]
            pieces[-1] = (before + data, its_size + size)
        else:
            pieces.append((data, size))


class StreamSender:
    """Sends the answers of one connection of HTTP/2.

    ``receiver`` is the object behind the connection, to which feeds are pushed; ``is_over`` is
    called when a feed has ended.
    """

    def __init__(
        self,
        connection: Connection,
        core: StreamsCore,
        terms: Terms,
        receiver: vista.Ref,
        is_over: Callable[[Stream], None],
    ) -> None:
        self._connection = connection
        self._core = core
        self._terms = terms
        self._limits = terms.limits
        self._receiver = receiver
        self._is_over = is_over
        self._changed: asyncio.Future[None] = connection.loop.create_future()

    # --- the answer ------------------------------------------------------------------------

    def send(self, stream: Stream, head: RequestHead, response: Response, extra: Pairs) -> None:
        """Send an answer; what HTTP/1.1 could not send is not sent here either."""
        stream.status = response.status
        if self._connection.lost or not self._core.is_asked(stream.number):
            self.discard(stream, response)
            return
        if response.source is not None:
            self._send_source(stream, head, response, extra)
            return
        writer = AnswerWriter(self._terms.dates)
        writer.begin(head)
        now = time.time()
        try:
            body = body_of(response)
            length = None if response.status in (204, 304) and not body else len(body)
            fields = unprepared(response) if response.prepared else fields_of(response)
            text = writer.head(response.status, (*fields, *extra), now, length=length)
        except (AnswerError, TypeError, ValueError) as error:  # fields may be anything
            self._send_instead(stream, head, error)
            return
        data = b"".join(writer.data(body)) if body else b""
        self._core.head(stream.number, stream.status, _pairs(text), end=not data)
        if data:
            self.send_body(stream, data, end=True)
        self.flush()

    def _send_instead(self, stream: Stream, head: RequestHead, error: Exception) -> None:
        """Send what stands in the place of an answer that cannot be sent."""
        _log.error("%s: the answer cannot be sent: %s", head.target.sent_path, error)
        self.send(stream, head, error_response(500, "The page could not be made."), ())

    def _send_source(
        self, stream: Stream, head: RequestHead, response: Response, extra: Pairs
    ) -> None:
        """Send a body that another object gives piece by piece, or pushes."""
        if response.status == 101:
            fields_200 = without_switch(response.fields or ())
            response = replace(response, status=200, fields=fields_200)
            stream.status = 200
        writer = AnswerWriter(self._terms.dates)
        writer.begin(head)
        trailing = takes_trailers(response, head.fields, head.version)
        now, source = time.time(), response.source
        try:
            check_source(response)
            fields = (*fields_of(response), *extra, *trailer_field(response, trailing))
            text = writer.head(response.status, fields, now, length=response.length)
        except (AnswerError, TypeError, ValueError) as error:  # fields may be anything
            self.discard(stream, response)
            self._send_instead(stream, head, error)
            return
        try:
            bare = not writer.sends_body
            self._core.head(stream.number, response.status, _pairs(text), end=bare)
            self.flush()
            if type(source) is Feed:
                if bare:
                    self.discard(stream, response)
                else:
                    self._begin_feed(stream, source)
            elif not bare:
                with watched(self._receiver, stream.number, source):
                    self._send_pieces(stream, writer, source, trailing=trailing)
        except Gone:
            raise
        except Exception as error:  # whatever the source raises ends this stream only
            _log.error("%s: the body broke off: %r", head.target.sent_path, error)
            self._core.reset(stream.number, INTERNAL)
            if type(source) is Feed:
                self.discard(stream, response)
        finally:
            if type(source) is not Feed:
                self.discard(stream, response)

    def _send_pieces(
        self, stream: Stream, writer: AnswerWriter, source: Any, *, trailing: bool
    ) -> None:
        """Send what a source gives, and its trailers if they are ``trailing``."""
        while piece := source.read_bytes(_PIECE_BYTES):
            self.send_body(stream, b"".join(writer.data(piece)), end=False)
        writer.end()
        trailers = source.get_trailers() if trailing else ()
        if trailers:
            lines = trailer_text(trailers).encode("latin-1")
            self._core.trailers(stream.number, _pairs(lines))
            self.flush()
        else:
            self.send_body(stream, b"", end=True)

    def discard(self, stream: Stream, response: Response) -> None:
        """Have who gives the body of an answer go, or know that nobody takes it.

        In flight and not waited for: it may have gone by itself.
        """
        source: Any = response.source
        if type(source) is Feed:
            # A page that has accepted a WebSocket would wait for ever to be told that it is open.
            vista.future(source.target, "feed_closed", self._receiver, stream.number)
        elif isinstance(source, vista.Ref):
            vista.future(source, "delete_yourself")

    def send_body(self, stream: Stream, data: bytes, *, end: bool) -> None:
        """Send a piece of a body as the client takes it. Raises `Gone` when it does not."""
        core, connection = self._core, self._connection
        at = frames = 0
        while at < len(data) or end:
            if not connection.wait_for_room(self._limits.write_idle_seconds):
                raise Gone
            room = core.room(stream.number)
            if room < 0:
                raise Gone
            if not room and at < len(data):
                self.flush()
                if not self.wait(lambda: core.room(stream.number) != 0, stream, "write_idle"):
                    raise Gone  # which ends the stream
                continue
            piece = data[at : at + room]
            at += len(piece)
            last = end and at == len(data)
            core.data(stream.number, piece, end=last)
            stream.sent += len(piece)
            self.flush()
            if last:
                return
            frames += 1
            if frames % FRAMES_IN_TURN == 0:
                vista.sleep(0)

    # --- bodies that an object pushes ------------------------------------------------------

    def _begin_feed(self, stream: Stream, feed: Feed) -> None:
        if feed.takes_input and (stream.head is None or stream.head.upgrade is None):
            raise AnswerError("a body that takes input for a client that sends none")
        # Before the object is told: the first piece may come before it has answered.
        stream.feed = feed
        try:
            vista.send(feed.target, "feed_opened", feed.note, self._receiver, stream.number)
        except BaseException:
            stream.feed = None
            raise
        self._watch_feed(stream, feed)

    def _watch_feed(self, stream: Stream, feed: Feed) -> None:
        me, number = self._receiver, stream.number
        stream.watching = watch(me, number, feed.target, "feed_closed", me, number)
        if stream.feed is None:  # it was closed meanwhile
            unwatch(stream.watching)

    def push(self, stream: Stream, data: bytes) -> None:
        """Send a piece of a feed, or end it when too much waits for the client already."""
        if stream.feed is None or stream.over or stream.has_last:
            return
        if len(stream.out) + len(data) > self._limits.feed_bytes_max:
            _log.info("dropped a client that does not read")
            self._core.reset(stream.number, CANCEL)
            self.close_feed(stream)
        else:
            stream.out += data
            self.pump(stream)
        self.flush()

    def push_in_turn(self, stream: Stream, data: bytes, last: bool) -> bool:
        """Send a piece of a feed when the client has taken those before; whether it was sent.

        After the ``last`` piece no other one is sent.
        """
        if stream.feed is None:
            return False
        try:
            taken = self.wait(lambda: not stream.out or stream.feed is None, stream, "write_idle")
        except Gone:
            return False  # whoever pushes knows of no streams
        if not taken or stream.feed is None or stream.has_last:
            return False
        self.push(stream, data)
        stream.has_last = last
        return True

    def end_feed(self, stream: Stream) -> None:
        """End the body of a feed when what was pushed is sent."""
        if stream.feed is not None:
            stream.over = True
            self.pump(stream)
            self.flush()

    def pump(self, stream: Stream) -> None:
        """Send of a feed what the client takes at this moment."""
        core, out = self._core, stream.out
        while out and not self._connection.write_paused:
            room = core.room(stream.number)
            if room <= 0:
                break
            piece = bytes(out[:room])
            del out[:room]
            core.data(stream.number, piece)
            stream.sent += len(piece)
            self.flush()
        if stream.over and not out:
            core.data(stream.number, b"", end=True)
            self.close_feed(stream)

    def close_feed(self, stream: Stream) -> None:
        """Tell the object of a feed that it has ended."""
        feed, stream.feed = stream.feed, None
        if feed is not None:
            unwatch(stream.watching)
            # In flight and not waited for: the object may be gone, which is nobody's mistake.
            vista.future(feed.target, "feed_closed", self._receiver, stream.number)
            self._is_over(stream)

    # --- inside ----------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what is due."""
        data = self._core.to_send()
        if data and not (self._connection.lost or self._connection.closing):
            self._connection.transport.write(data)

    def note_change(self) -> None:
        """Wake who waits for windows and bodies; called when something came."""
        changed, self._changed = self._changed, self._connection.loop.create_future()
        changed.set_result(None)

    def wait(self, condition: Callable[[], Any], stream: Stream, bound: str) -> bool:
        """Wait until a condition holds; return whether it came to, within the bound.

        Raises `Gone` when the client has withdrawn the request meanwhile.
        """
        seconds = getattr(self._limits, f"{bound}_seconds")
        due = self._connection.loop.time() + seconds
        while not condition():
            if self._connection.lost or not self._core.is_asked(stream.number):
                raise Gone
            left = due - self._connection.loop.time()
            if left <= 0:
                return False
            try:
                # Shielded: who gives up must leave it to the others.
                vista.wait(asyncio.shield(self._changed), left)
            except TimeoutError:
                return False
        return True


def _pairs(text: bytes) -> list[tuple[str, str]]:
    """The fields of a head that was written for HTTP/1.1."""
    lines = text.decode("latin-1").split("\r\n")[1:-2]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
