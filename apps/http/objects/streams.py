"""HTTP/2 on one connection: each request in a thread of its own, all of them on one connection.

The object behind the connection (`HTTPfastReceive`) has a `Streams` where its client speaks HTTP/2,
and lends it its threads: one that takes what comes, and one for each request until its answer has
been sent. Two rules. A client that takes nothing of one answer holds up that answer only. What is
begun counts until it is over, though its client withdraws it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import vista
from apps.http.content.resources import Response, body_of, fields_of
from apps.http.errors import HttpError, RequestRejected
from apps.http.objects.answering import Answering
from apps.http.objects.bodies import RequestBody
from apps.http.objects.connection import FEED, Connection
from apps.http.objects.outgoing import Gone, Stream, StreamSender
from apps.http.objects.profile import Terms
from apps.http.objects.websocket import FOREVER_SECONDS
from apps.http.syntax.framing import check_total
from apps.http.syntax.http2 import (
    CANCEL,
    INTERNAL,
    NO_ERROR,
    REFUSED,
    Broken,
    Farewell,
    StreamData,
    StreamEnd,
    StreamEvent,
    StreamGone,
    StreamRejected,
    StreamRequest,
    StreamsCore,
)

_log = logging.getLogger("vista.http")

HOSTS_MAX = 16
"""Hosts of one connection whose sites are kept at hand; certificates seldom name more."""


class Streams:
    """The streams of one connection; ``make_answering`` makes what answers for one host.

    ``receiver`` is the object behind the connection: it is sent ``serve_stream(number)`` for each
    request, and calls `run`.
    """

    def __init__(
        self,
        connection: Connection,
        terms: Terms,
        receiver: vista.Ref,
        make_answering: Callable[[], Answering],
    ) -> None:
        self.requests = 0
        self._connection = connection
        self._terms = terms
        self._limits = terms.limits
        self._receiver = receiver
        self._make_answering = make_answering
        self._answering: dict[str | None, Answering] = {}
        self._core = StreamsCore(terms.limits)
        self._streams: dict[int, Stream] = {}
        self._held = 0
        self._leaving = self._is_last = False
        self._idle_since = connection.loop.time()
        self._sender = StreamSender(connection, self._core, terms, receiver, self._end_fed)
        self._sender.flush()

    # --- what comes ------------------------------------------------------------------------

    def step(self) -> bool:
        """See to what came; return whether there may be more to do."""
        connection = self._connection
        if connection.lost or connection.closing:
            connection.busy = connection.lost
            return False
        if connection.late:
            connection.late = False
            self._look_around()
        reader: Any = connection.reader
        if reader.unread and not connection.write_paused:
            for event in self._core.receive(reader.take()):
                self._take(event)
            for event in self._core.judge():
                self._take(event)
            self._sender.flush()
            self._note_change()
            if reader.unread:
                vista.sleep(0)  # frames may be small, and many
            return True
        self._note_change()
        if connection.ended:
            self._end_feeds()
            if not self._streams:
                connection.close()
                return False
        connection.rest(FEED)
        return False

    def _end_feeds(self) -> None:
        """End what is pushed to a client that has ended its side: it is gone, or about to go."""
        for stream in list(self._streams.values()):
            if stream.feed is not None:
                self._core.reset(stream.number, CANCEL)
                self._sender.close_feed(stream)

    def _take(self, event: StreamEvent) -> None:
        if isinstance(event, StreamRequest | StreamRejected):
            self._begin(event)
            return
        if isinstance(event, Broken):
            _log.info("a connection of HTTP/2 was closed: %s", event.explain)
            self._sender.flush()
            # Read on for a while: a reset would take the farewell from the client.
            self._connection.close(lingers=True)
            return
        if isinstance(event, Farewell):
            self._is_last = True
            self._close_if_over()
            return
        stream = self._streams.get(event.number)
        if isinstance(event, StreamData):
            if stream is None or not self._core.is_asked(event.number):
                self._core.use(event.number, event.size)
            else:
                stream.keep(event.data, event.size)
                self._have_passed_on(stream)
        elif stream is not None and isinstance(event, StreamEnd):
            stream.ended = True
            stream.trailers = event.trailers
            self._have_passed_on(stream)
        elif stream is not None and isinstance(event, StreamGone) and stream.feed is not None:
            self._sender.close_feed(stream)

    def _begin(self, event: StreamRequest | StreamRejected) -> None:
        if len(self._streams) >= self._limits.http2_streams_max:
            # Those that were withdrawn count: their pages are still at work.
            self._core.reset(event.number, REFUSED)
            return
        if isinstance(event, StreamRequest):
            stream = Stream(event.number, event.head, event.ended)
        else:
            stream = Stream(event.number, None, event.ended)
            stream.rejected = event
        self._streams[event.number] = stream
        self.requests += 1
        self._receiver.serve_stream.post(event.number)

    def _look_around(self) -> None:
        """Close a connection without requests, and end the feeds whose object is gone."""
        idle = self._connection.loop.time() - self._idle_since
        if not self._streams and idle >= self._limits.keep_alive_seconds:
            self.drain()
            return
        for stream in list(self._streams.values()):
            if stream.feed is None:
                continue
            if stream.probe is not None and stream.probe.done() and stream.probe.exception():
                self._core.reset(stream.number, INTERNAL)
                self._sender.close_feed(stream)
            elif stream.probe is None or stream.probe.done():
                stream.probe = vista.future(stream.feed.target, "class_of")
        self._sender.flush()

    def drain(self) -> None:
        """Take no more requests, and close when those that were taken are answered."""
        self._leaving = True
        self._core.leave()
        for stream in list(self._streams.values()):
            self._drain_feed(stream)
        self._sender.flush()
        self._close_if_over()

    def _drain_feed(self, stream: Stream) -> None:
        """Have a feed come to its end, since the site stops."""
        feed = stream.feed
        if feed is not None and feed.takes_input:
            feed.target.feed_draining.post(self._receiver, stream.number)
        elif feed is not None:
            self._sender.end_feed(stream)

    def close(self) -> None:
        """Take note that the connection is gone."""
        for stream in list(self._streams.values()):
            if stream.feed is not None:
                self._sender.close_feed(stream)
            self._end_body(stream)
        self._streams.clear()
        for answering in self._answering.values():
            answering.end()

    def is_open(self, number: int) -> bool:
        """Tell whether the answer of a stream is still sent."""
        return number in self._streams

    # --- one request -----------------------------------------------------------------------

    def run(self, number: int) -> None:
        """Answer a request; the calling thread is its own."""
        stream = self._streams.get(number)
        if stream is None:
            return
        try:
            self._run(stream)
        except Gone:
            pass
        except (HttpError, OSError) as error:
            _log.warning("an answer of HTTP/2 broke off: %s", error)
            self._core.reset(number, INTERNAL)
        finally:
            self._end_body(stream)
            if stream.feed is None:
                self._end(stream)
            elif self._connection.ended:
                self._end_feeds()  # the client has gone before the feed began
                self._sender.flush()
            else:
                self._have_passed_on(stream)  # what came before the feed began
                if self._leaving:  # it came too late to be told with the others
                    self._drain_feed(stream)

    def _run(self, stream: Stream) -> None:
        head = stream.head
        if head is None:
            self._refuse(stream, self._answering_of(None))
            return
        answering = self._answering_of(head.target.host)
        refused = None
        if head.upgrade is None and (stream.pieces or not stream.ended):
            refused = self._take_body(stream, answering)
        if refused is not None:
            self._sender.send(stream, head, refused, ())
            answering.log_refused(head, refused.status, stream.sent, time.time())
            return
        response, extra = answering.answer(head, stream.body)
        try:
            self._sender.send(
                stream, head, Response(response) if type(response) is str else response, extra
            )
        finally:
            # What was done is in the log, though its client takes nothing of the answer.
            if stream.feed is None:
                answering.log_answer(head, stream.status, stream.sent, time.time())

    def _refuse(self, stream: Stream, answering: Answering) -> None:
        rejected = stream.rejected
        assert rejected is not None, "a stream without a request was refused"
        response = answering.error(rejected.status, rejected.explain)
        fields = [*fields_of(response), ("Date", self._terms.dates.line(time.time())[6:-2])]
        body = b"" if rejected.is_head else body_of(response)
        self._core.head(stream.number, response.status, fields, end=not body)
        if body:
            self._sender.send_body(stream, body, end=True)
        self._sender.flush()
        answering.log_refused(None, response.status, stream.sent, time.time())

    def _answering_of(self, host: str | None) -> Answering:
        """What answers for a host: one that waits for a page must not be turned to another site."""
        found = self._answering.get(host)
        if found is None:
            found = self._make_answering()
            if len(self._answering) < HOSTS_MAX:
                self._answering[host] = found
        return found

    def _end(self, stream: Stream) -> None:
        """A stream is over: its place is free."""
        self._streams.pop(stream.number, None)
        if stream.head is not None:
            answering = self._answering.get(stream.head.target.host)
            if answering is not None:
                answering.forget_user(stream.head)  # one that was refused is in no log
        if not self._connection.lost:
            if self._core.is_asked(stream.number):
                self._core.reset(stream.number, CANCEL)
            elif not stream.ended:
                self._core.reset(stream.number, NO_ERROR)  # RFC 9113, 8.1: the rest is not needed
            for _, size in stream.pieces:
                self._core.use(stream.number, size)
            self._sender.flush()
        if not self._streams:
            self._idle_since = self._connection.loop.time()
            self._close_if_over()

    def _close_if_over(self) -> None:
        over = self._leaving or self._is_last or self._connection.ended
        if over and not self._streams:
            self._connection.close(lingers=True)

    # --- the body of a request -------------------------------------------------------------

    def _take_body(self, stream: Stream, answering: Answering) -> Response | None:
        """Take the body as it comes; return the answer to give in place of the page's, if any."""
        head = stream.head
        assert head is not None, "a body has its head"
        stream.body = body = RequestBody(answering, self._limits, head)
        large = not isinstance(head.body, int) or head.body > self._limits.body_memory_bytes_max
        if head.expects_continue:
            refused = answering.look_ahead(head) if large else None
            if refused is not None:
                return refused
            self._core.head(stream.number, 100, (), end=False)
            self._sender.flush()
        since, total = self._connection.loop.time(), 0
        while True:
            if not stream.pieces:
                if stream.ended:
                    return body.end(stream.trailers)
                if self._is_silent():
                    raise Gone
                if not self._sender.wait(
                    lambda: stream.pieces or stream.ended or self._is_silent(), stream, "body_idle"
                ):
                    return answering.error(408, "The body of the request came too slowly.")
                continue
            data, size = stream.pieces.popleft()
            total += len(data)
            try:
                check_total(total, self._limits)
            except RequestRejected as fault:
                return answering.error(fault.status, fault.explain)
            refused = body.append(data)
            self._core.use(stream.number, size)
            self._sender.flush()
            if refused is not None:
                return refused
            if self._holds_too_much(stream, len(data)):
                return answering.error(503, "Too much is being sent at the same time.")
            seconds = self._connection.loop.time() - since
            if self._is_slow(seconds, total):
                return answering.error(408, "The body of the request came too slowly.")

    def _is_silent(self) -> bool:
        """Tell whether nothing can come any longer: the client has ended its side."""
        return self._connection.ended and not self._connection.reader.unread

    def _is_slow(self, seconds: float, total: int) -> bool:
        limits = self._limits
        return seconds >= limits.body_idle_seconds and total < seconds * limits.body_rate_min

    def _holds_too_much(self, stream: Stream, size: int) -> bool:
        """Count what the bodies of all streams hold in memory."""
        assert stream.body is not None, "what is counted belongs to a body"
        before = stream.held
        stream.held = 0 if stream.body.is_on_disk else before + size
        self._held += stream.held - before
        return self._held > self._limits.http2_bodies_bytes_max

    def _end_body(self, stream: Stream) -> None:
        body, stream.body = stream.body, None
        self._held -= stream.held
        stream.held = 0
        if body is not None:
            body.close()

    # --- bodies that an object pushes ------------------------------------------------------

    def _have_passed_on(self, stream: Stream) -> None:
        """Have what came passed on to the object of a feed that takes it."""
        feed = stream.feed
        if feed is not None and feed.takes_input and not stream.is_passed_on:
            stream.is_passed_on = True
            self._receiver.serve_input.post(stream.number)

    def pass_on(self, number: int) -> None:
        """Pass on what came to the object of a feed; the client may send as much again then."""
        stream = self._streams.get(number)
        if stream is None:
            return
        try:
            with vista.timeout(FOREVER_SECONDS):
                while stream.pieces and stream.feed is not None:
                    data, size = stream.pieces.popleft()
                    target = stream.feed.target
                    vista.send(target, "feed_data", self._receiver, number, data)
                    self._core.use(number, size)
                    self._sender.flush()
        except Exception as error:  # whatever it raises ends this stream only
            _log.info("who takes what came on a stream is gone: %r", error)
            self._core.reset(number, INTERNAL)
            self._sender.close_feed(stream)
            self._sender.flush()
        stream.is_passed_on = False
        if stream.ended and not stream.pieces:
            self._sender.end_feed(stream)

    def push(self, number: int, data: bytes) -> None:
        """Send a piece of a feed; see `HTTPfastReceive.push`."""
        stream = self._streams.get(number)
        if stream is not None:
            self._sender.push(stream, data)

    def push_in_turn(self, number: int, data: bytes, last: bool) -> bool:
        """Send a piece of a feed when there is room; see `HTTPfastReceive.push_in_turn`."""
        stream = self._streams.get(number)
        return stream is not None and self._sender.push_in_turn(stream, data, last)

    def end_feed(self, number: int) -> None:
        """End a feed; see `HTTPfastReceive.end_feed`."""
        stream = self._streams.get(number)
        if stream is not None:
            self._sender.end_feed(stream)

    def _end_fed(self, stream: Stream) -> None:
        head = stream.head
        assert head is not None, "a feed answers a request"
        answering = self._answering_of(head.target.host)
        answering.log_answer(head, stream.status, stream.sent, time.time())
        self._end(stream)

    def _note_change(self) -> None:
        """Have all go on that waited for what came, or for room."""
        self._sender.note_change()
        for stream in list(self._streams.values()):
            if stream.feed is not None and stream.out:
                self._sender.pump(stream)
        self._sender.flush()
