"""The object behind each connection: from the bytes of a request to those of its answer.

This is HTTP/1.1: the requests of one connection in their order. Who answers them, and with what, is
the same for every version of HTTP and stands in `answering`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any

import vista
from apps.http.content.proxies import NOBODY, Believed
from apps.http.content.resources import (
    HTML,
    Feed,
    Response,
    body_of,
    error_response,
    fields_of,
    unprepared,
)
from apps.http.errors import AnswerError, HttpError
from apps.http.objects.afar import watched
from apps.http.objects.answering import Answering, Pairs
from apps.http.objects.bodies import RequestBody
from apps.http.objects.connection import BODY, HEAD, IDLE, WRITE, Connection, address_of
from apps.http.objects.feeding import Feeding
from apps.http.objects.profile import CLEARTEXT, OVER_TLS, terms_of
from apps.http.objects.raw import PREFACE_CAME, PrefaceReader
from apps.http.objects.streaming import send_source
from apps.http.objects.streams import Streams
from apps.http.objects.tls import Identity, handshake_of
from apps.http.syntax.answers import AnswerWriter
from apps.http.syntax.fields import Fields
from apps.http.syntax.requests import CLOSED, NEED_DATA, NO_BODY, BodyData, BodyEnd, RequestHead

_log = logging.getLogger("vista.http")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TEXT_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {HTML}\r\nContent-Length: ".encode("ascii")


class HTTPfastReceive(vista.Object, namespace="HTTP"):
    """One connection of a client: takes its requests and sends the answers, in order.

    `HTTPdaemon` makes one for each connection. ``create(descriptor, daemon, url_directory,
    virtual_host, limits, accept_id)``: ``descriptor`` is the number of a connected socket of this
    node, which the object owns from here; requests for hosts that the daemon knows no site of go to
    ``url_directory``, the site ``virtual_host``. ``limits`` are those of `HttpLimits` that are not
    as usual. With ``identities`` the client is to speak TLS; they say where the certificates are.
    ``http2`` is ``yes`` for HTTP/2 over TLS, ``cleartext`` for without as well, or ``no``;
    ``proxies`` as `Profile.proxies` has it. It deletes itself when the connection is closed.

    The original's HTTPfastReceive, whose ``sendResult`` and ``returnError`` a handler finds at the
    object it is told to reply to.
    """

    def create(
        self,
        descriptor: int,
        daemon: vista.Ref,
        url_directory: vista.Ref,
        virtual_host: str,
        limits: tuple[tuple[str, float], ...] = (),
        accept_id: int = 0,
        identities: tuple[Identity, ...] = (),
        http2: str = OVER_TLS,
        proxies: Believed = NOBODY,
    ) -> None:
        """Take over the connection."""
        self.accept_id = accept_id
        self.daemon: vista.Ref | None = daemon
        self.requests = 0
        self.from_address = ""
        self._status = 0
        self._head: RequestHead | None = None
        self._body: RequestBody | None = None
        terms = self._terms = terms_of(limits)
        self._writer: AnswerWriter | None = None
        self._answering = Answering(terms, daemon, url_directory, virtual_host)
        self._answering.secure = bool(identities)
        self._proxies = proxies
        self._connection: Connection | None = None
        self._identities, self._http2 = identities, http2
        self._streams: Streams | None = None
        self._virtual_host = (virtual_host, url_directory)
        self._draining = False
        self._feeding: Feeding | None = None
        vista.self_ref(self).open.post()
        # At the last: of an object that is not made the descriptor stays with who has opened it.
        self._socket = socket.socket(fileno=descriptor)

    def delete(self) -> None:
        """Close the connection."""
        if self.daemon is not None:
            # In flight and not waited for: the daemon may be gone, which is nobody's mistake.
            vista.future(self.daemon, "connection_ended", self.accept_id)
        if self._connection is None:
            self._socket.close()
        else:
            self._connection.drop()
        self._close_feed()
        self._end_body()
        self._answering.end()
        if self._streams is not None:
            self._streams.close()

    async def open(self) -> None:
        """Begin to read. `HTTPdaemon` has it sent."""
        if self._connection is not None:
            return
        me = vista.self_ref(self)
        connection = Connection(self._terms, me.serve.post, me.serve_streams.post)
        self._connection = connection
        if self._http2 == CLEARTEXT and not self._identities:
            reader: Any = PrefaceReader(self._terms.limits, self._terms.heads)
            connection.reader = reader
        try:
            self.from_address = address_of(self._socket)
            self._answering.come_from(self.from_address, self._proxies)
            handshake = handshake_of(self._identities, self._http2, self._terms.limits)
        except OSError as error:
            _log.warning("a connection cannot be served: %s", error)
            self._socket.close()
            connection.lost = True
            connection.wake()
            return
        self._socket.setblocking(False)
        stay = connection.stay(self._socket, handshake)
        connection.staying = asyncio.get_running_loop().create_task(stay)

    def drain(self) -> None:
        """Close the connection after the next answer, or when no request comes for a moment."""
        self._draining = True
        if self._streams is not None:
            self._streams.drain()
            return
        if self._feeding is not None:
            self._feeding.drain(vista.self_ref(self))
        if self._connection is not None:
            self._connection.retire()

    def daemon_deleted(self) -> None:
        """Go with the daemon, which posts it."""
        self.daemon = self._answering.daemon = None
        vista.post(vista.self_ref(self), "delete_yourself")

    def serve(self) -> None:
        """See to what came; the connection posts it."""
        connection = self._connection
        if connection is None:
            return
        try:
            while self._step(connection):
                pass
        except (HttpError, OSError) as error:
            _log.warning("a connection was closed: %s", error)
            # Its loss is to be seen to, once the transport tells it.
            connection.give_up()
        except Exception:  # a mistake of this side: the client must not wait for its end
            connection.give_up()
            raise
        if connection.closing:
            self._answering.end()
        if connection.lost:
            vista.post(vista.self_ref(self), "delete_yourself")

    # --- HTTP/2 ----------------------------------------------------------------------------

    def serve_streams(self) -> None:
        """See to what came of HTTP/2; the connection posts it."""
        connection = self._connection
        if connection is None:
            return
        streams = self._streams
        if streams is None and connection.transport is not None:
            me = vista.self_ref(self)
            streams = self._streams = Streams(connection, self._terms, me, self._make_answering)
        try:
            while streams is not None and streams.step():
                pass
        except Exception:  # as in `serve`
            connection.give_up()
            raise
        if connection.lost:
            vista.post(vista.self_ref(self), "delete_yourself")

    def serve_stream(self, number: int) -> None:
        """Answer one request of HTTP/2; what `serve_streams` took has it posted."""
        if self._streams is not None:
            self._streams.run(number)

    def serve_input(self, number: int) -> None:
        """Pass on what came for a feed of HTTP/2; its streams have it posted."""
        if self._streams is not None:
            self._streams.pass_on(number)

    def _make_answering(self) -> Answering:
        site, url_directory = self._virtual_host
        answering = Answering(self._terms, self.daemon, url_directory, site)
        answering.come_from(self.from_address, self._proxies)
        answering.secure = self._answering.secure
        return answering

    # --- a body that an object pushes ------------------------------------------------------

    def push(self, number: int, data: bytes) -> None:
        """Send a piece of the body of feed ``number``; a client that does not read is dropped."""
        feeding = self._feeding
        if self._streams is not None:
            self._streams.push(number, data)
        elif feeding is not None and feeding.number == number:
            feeding.push(data)

    def push_in_turn(self, number: int, data: bytes, last: bool = False) -> bool:
        """Send a piece of feed ``number`` when there is room; return whether it was sent.

        It waits while the client has not taken enough of what was sent before. After the ``last``
        piece no other one is sent.
        """
        if self._streams is not None:
            return self._streams.push_in_turn(number, data, last)
        feed = self._feeding
        return feed is not None and feed.number == number and feed.push_in_turn(data, last)

    def end_feed(self, number: int) -> None:
        """End the body of feed ``number``; the connection then takes the next request."""
        feeding = self._feeding
        if self._streams is not None:
            self._streams.end_feed(number)
        elif feeding is not None and feeding.number == number:
            goes_on = feeding.end()
            self._close_feed()
            if goes_on and self._connection is not None:
                self._connection.phase = IDLE
                self._connection.wake()

    def _begin_feed(
        self,
        connection: Connection,
        writer: AnswerWriter,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        now: float,
    ) -> int:
        """Write the head, then have the object begin; return what was sent as `_send` does."""
        me = vista.self_ref(self)
        feeding = Feeding.begin(
            connection, writer, self._terms.limits, head, response, extra, me, self.requests,
            now=now, close=self._draining,
        )  # fmt: skip
        if feeding is None:
            if not writer.keep_alive:
                connection.close(lingers=head.keep_alive)
            return 0
        # Before the object is told: the first piece may come before it has answered.
        self._feeding = feeding
        feeding.open(me)
        if self._draining:  # it came too late to be told with the others
            feeding.drain(me)
        return -1

    def is_reading(self, number: int) -> bool:
        """Tell whether the body of answer ``number`` is still sent; a `HTTPreaderWatch` asks."""
        if self._streams is not None:
            return self._streams.is_open(number)
        return number == self.requests and bool(self._head or self._feeding)

    def _close_feed(self) -> None:
        feeding, self._feeding = self._feeding, None
        if feeding is not None:
            feeding.close(vista.self_ref(self), self._answering)

    # --- one step --------------------------------------------------------------------------

    def _step(self, connection: Connection) -> bool:
        """Do what is next; return whether there may be more to do."""
        if connection.lost or connection.closing:
            connection.busy = connection.lost
            return False
        if self._feeding is not None:
            return self._feeding.step(vista.self_ref(self))
        if connection.write_paused:
            connection.rest(WRITE)
            return False
        event: Any = connection.reader.next_event()
        kind = type(event)
        if kind is RequestHead:
            self._head = event
            connection.phase = IDLE
            if event.body is NO_BODY:
                # Nearly all of them: what ends it is known, and often nothing waits behind it.
                connection.reader.skip_end()
                self._answer(connection)
                if event.keep_alive and not (connection.reader.unread or self._draining):
                    return self._rest(connection)
            elif event.expects_continue and not self._is_refused(connection, event):
                connection.write_now(_CONTINUE)
        elif kind is BodyEnd:
            refused = self._finish_body(event.trailers)
            if refused is not None:
                self._reject(connection, refused)
                return False
            self._answer(connection)
        elif kind is BodyData:
            refused = self._take_body(event.data)
            if refused is not None:
                self._reject(connection, refused)
                return False
            if connection.body_too_slow():
                connection.late = True
                return self._wait_for_more(connection)
        elif event is NEED_DATA:
            return self._wait_for_more(connection)
        elif event is CLOSED:
            connection.close()
            return False
        elif event is PREFACE_CAME:
            connection.multiplex()
            return False
        else:
            self._reject(connection, self._answering.error(event.status, event.explain))
            return False
        return True

    def _wait_for_more(self, connection: Connection) -> bool:
        if connection.late:
            connection.late = False
            part = "body" if self._head else "head"
            explain = f"The {part} of the request came too slowly."
            self._reject(connection, self._answering.error(408, explain))
        elif self._head is not None:
            connection.rest(BODY)
        else:
            connection.rest(HEAD if connection.reader.unread else IDLE)
        return False

    def _rest(self, connection: Connection) -> bool:
        """Wait for the next request, unless the connection has something to say."""
        if connection.write_paused or connection.lost or connection.closing or connection.ended:
            return True
        if self._feeding is not None:
            return True
        connection.rest(IDLE)
        return False

    def _is_refused(self, connection: Connection, head: RequestHead) -> bool:
        """Refuse at once what would be refused after a large body; return whether it is."""
        size = head.body
        if not isinstance(size, int) or size > self._terms.limits.body_memory_bytes_max:
            refused = self._answering.look_ahead(head)
            if refused is not None:
                self._reject(connection, refused)
                return True
            self._begin_body(head)
        return False

    def _take_body(self, data: bytes) -> Response | None:
        """Take a piece of a body; return the answer to give at once, if any."""
        assert self._head is not None, "a body follows a head"
        body = self._body or self._begin_body(self._head)
        return body.append(data)

    def _finish_body(self, trailers: Fields) -> Response | None:
        """Take the end of a body; return the answer to give in place of the page's, if any."""
        if self._body is None and not trailers.combined:
            return None
        assert self._head is not None, "a body follows a head"
        body = self._body or self._begin_body(self._head)
        return body.end(trailers)

    def _begin_body(self, head: RequestHead) -> RequestBody:
        self._body = RequestBody(self._answering, self._terms.limits, head)
        return self._body

    def _end_body(self) -> None:
        """Have the files of a request go that nobody kept."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _reject(self, connection: Connection, response: Response) -> None:
        """Give the last answer of a connection, to what is no request or is not taken as one."""
        self._end_body()
        writer = AnswerWriter(self._terms.dates)
        writer.begin(self._head)
        now, body = time.time(), body_of(response)
        data = writer.whole(response.status, fields_of(response), body, now, close=True)
        connection.write(data)
        self._answering.log_refused(self._head, response.status, len(body), now)
        self._head = None
        connection.linger()
        connection.busy = False

    # --- one request -----------------------------------------------------------------------

    def _answer(self, connection: Connection) -> None:
        """Have a request answered that is whole, and send the answer."""
        head = self._head
        assert head is not None, "a body ends after a head"
        connection.phase = IDLE
        self.requests += 1
        answering = self._answering
        response, extra = answering.answer(head, self._body)
        now = time.time()
        self._status = 200 if type(response) is str else response.status
        if type(response) is not str:
            sent = self._send(connection, head, response, extra, now)
        elif not extra and head.keep_alive and head.version[1] and not self._draining:
            sent = self._send_text(connection, head, response, now)
        else:
            sent = self._send(connection, head, Response(response), extra, now)
        self._head = None
        if self._body is not None:
            self._end_body()
        if sent >= 0:  # else the answer goes on, and is logged at its end
            answering.log_answer(head, self._status, sent, now)

    # --- sending ---------------------------------------------------------------------------

    def _send_text(self, connection: Connection, head: RequestHead, text: str, now: float) -> int:
        """Write a page that is nothing but a text; the hot path, 0.6 us where `_send` takes 4."""
        try:
            body = text.encode()
        except UnicodeEncodeError:
            return self._send(connection, head, Response(text), (), now)
        size = len(body)
        if head.method == "HEAD":
            body = b""
        date = self._terms.date_line(now)
        connection.write(b"%b%d\r\n%b\r\n%b" % (_TEXT_HEAD, size, date, body))
        return len(body)

    def _send(
        self,
        connection: Connection,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        now: float,
    ) -> int:
        """Write an answer; return the bytes of its body that were sent, -1 if it is a feed."""
        if response.prepared and not extra and head.keep_alive and not self._draining:
            date = self._terms.date_line(now)
            link = b"\r\n" if head.version[1] else b"Connection: keep-alive\r\n\r\n"
            body = b"" if head.method == "HEAD" or response.status == 304 else response.body
            connection.write(b"%b%b%b" % (response.prepared, date, link), body)  # type: ignore[arg-type]
            return len(body)
        writer = self._writer
        if writer is None or not writer.keep_alive:
            self._writer = writer = AnswerWriter(self._terms.dates)
        writer.begin(head)
        try:
            if type(response.source) is Feed:
                return self._begin_feed(connection, writer, head, response, extra, now)
            if response.source is not None:
                return self._send_source(connection, writer, head, response, extra, now)
            body = body_of(response)
            fields = unprepared(response) if response.prepared else fields_of(response)
            data = writer.whole(response.status, (*fields, *extra), body, now, close=self._draining)
        except (AnswerError, TypeError, ValueError) as error:  # fields may be anything
            _log.error("%s: the answer cannot be sent: %s", head.target.sent_path, error)
            plain = error_response(500, "The page could not be made.")
            self._status, body = 500, body_of(plain)
            data = writer.whole(500, fields_of(plain), body, now)
        connection.write(data)
        if not writer.keep_alive:
            connection.close(lingers=head.keep_alive)
        return 0 if head.method == "HEAD" else len(body)

    def _send_source(
        self,
        connection: Connection,
        writer: AnswerWriter,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        now: float,
    ) -> int:
        patience = self._terms.limits.write_idle_seconds
        close = self._draining
        with watched(vista.self_ref(self), self.requests, response.source):
            sent = send_source(
                connection, writer, head, response, extra, now, patience=patience, close=close
            )
        if not writer.keep_alive:
            connection.close(lingers=head.keep_alive)
        return sent
