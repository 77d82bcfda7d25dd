"""The object behind each connection: from the bytes of a request to those of its answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any

import vista
from apps.http.content.resources import (
    HTML,
    Request,
    Response,
    as_response,
    body_of,
    error_response,
    fields_of,
)
from apps.http.errors import AnswerError, HttpError
from apps.http.objects.connection import BODY, HEAD, IDLE, WRITE, Connection
from apps.http.objects.directory import Found
from apps.http.objects.profile import terms_of
from apps.http.objects.reply import await_reply
from apps.http.syntax.answers import AnswerWriter
from apps.http.syntax.requests import (
    CLOSED,
    NEED_DATA,
    NO_BODY,
    BodyData,
    BodyEnd,
    Rejected,
    RequestHead,
)

_log = logging.getLogger("vista.http")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TEXT_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {HTML}\r\nContent-Length: ".encode("ascii")
_PIECE_BYTES = 262_144

Pairs = tuple[tuple[str, str], ...]


class HTTPfastReceive(vista.Object, namespace="HTTP"):
    """One connection of a client: takes its requests and sends the answers, in order.

    `HTTPdaemon` makes one for each connection. ``create(descriptor, daemon, url_directory,
    virtual_host, limits, accept_id)``: ``descriptor`` is the number of a connected socket of this
    node, which the object owns from here; requests for hosts that the daemon knows no site of go to
    ``url_directory``, the site ``virtual_host``. ``limits`` are those of `HttpLimits` that are not
    as usual. It deletes itself when the connection is closed.

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
    ) -> None:
        """Take over the connection."""
        self.accept_id = accept_id
        self.daemon: vista.Ref | None = daemon
        self.default_directory = url_directory
        self.default_host = virtual_host
        self.requests = 0
        self.from_address = ""
        self._socket = socket.socket(fileno=descriptor)
        self._host: str | None = None
        self._site = virtual_host
        self._directory = url_directory
        self._logger: Any = None
        self._log_fields = False
        self._head: RequestHead | None = None
        self._body: list[bytes] = []
        terms = terms_of(limits)
        self._writer: AnswerWriter | None = None
        self._terms = terms
        self._connection: Connection | None = None
        self._draining = False
        self._meet_logger()
        vista.self_ref(self).open.post()

    def delete(self) -> None:
        """Close the connection."""
        if self.daemon is not None:
            # In flight and not waited for: the daemon may be gone, which is nobody's mistake.
            vista.future(self.daemon, "connection_ended", self.accept_id)
        if self._connection is None:
            self._socket.close()
        else:
            self._connection.drop()

    async def open(self) -> None:
        """Begin to read. `HTTPdaemon` has it sent."""
        if self._connection is not None:
            return
        me = vista.self_ref(self)
        self._connection = connection = Connection(self._terms, me.serve.post)
        try:
            self.from_address = _address(self._socket)
            self._socket.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: connection, self._socket)
            connection.staying = loop.create_task(connection.stay())
        except OSError as error:
            _log.debug("a connection was lost before it was served: %s", error)
            connection.lost = True
            me.serve.post()

    def drain(self) -> None:
        """Close the connection after the request that is being answered, at once if none is."""
        self._draining = True
        connection = self._connection
        if connection is not None and not connection.busy and self._head is None:
            connection.close()

    def daemon_deleted(self) -> None:
        """Go with the daemon, which posts it."""
        self.daemon = None
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
            connection.busy = False
            connection.transport.abort()
        if connection.lost:
            vista.post(vista.self_ref(self), "delete_yourself")

    # --- one step --------------------------------------------------------------------------

    def _step(self, connection: Connection) -> bool:
        """Do what is next; return whether there may be more to do."""
        if connection.lost or connection.closing:
            connection.busy = connection.lost
            return False
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
                connection.reader.next_event()
                self._answer(connection)
                if event.keep_alive and not (connection.reader.unread or self._draining):
                    return self._rest(connection)
            elif event.expects_continue:
                connection.transport.write(_CONTINUE)
        elif kind is BodyEnd:
            self._answer(connection)
        elif kind is BodyData:
            self._body.append(event.data)
            if connection.body_too_slow():
                connection.late = True
                return self._wait_for_more(connection)
        elif event is NEED_DATA:
            return self._wait_for_more(connection)
        elif event is CLOSED:
            connection.close()
            return False
        else:
            self._reject(connection, event)
            return False
        return True

    def _wait_for_more(self, connection: Connection) -> bool:
        if connection.late:
            connection.late = False
            part = "body" if self._head else "head"
            self._reject(connection, Rejected(408, f"The {part} of the request came too slowly."))
        elif self._head is not None:
            connection.rest(BODY)
        elif self._draining:
            connection.close()
        else:
            connection.rest(HEAD if connection.reader.unread else IDLE)
        return False

    def _rest(self, connection: Connection) -> bool:
        """Wait for the next request, unless the connection has something to say."""
        if connection.write_paused or connection.lost or connection.closing or connection.ended:
            return True
        connection.rest(IDLE)
        return False

    def _reject(self, connection: Connection, rejected: Rejected) -> None:
        """Give the last answer of a connection, to what is no request."""
        writer = AnswerWriter(self._terms.dates)
        writer.begin(None)
        response = self._error(rejected.status, rejected.explain)
        now = time.time()
        data = writer.whole(response.status, fields_of(response), body_of(response), now)
        connection.transport.write(data)
        self._log("-", "-", "-", response.status, len(data), (), now)
        self._head = None
        connection.linger()
        connection.busy = False

    # --- one request -----------------------------------------------------------------------

    def _answer(self, connection: Connection) -> None:
        """Find who answers a request that is whole, have it answered, and send the answer."""
        head = self._head
        assert head is not None, "a body ends after a head"
        connection.phase = IDLE
        self.requests += 1
        target = head.target
        path = "/" + "/".join(target.path)
        if target.host != self._host:
            self._choose_site(target.host)
        response, extra = self._response(head, path)
        now = time.time()
        if type(response) is str:
            if not extra and head.keep_alive and head.version[1] and not self._draining:
                sent = self._send_text(connection, head, response, now)
            else:
                sent = self._send(connection, head, Response(response), extra, now)
            status = 200
        else:
            sent, status = self._send(connection, head, response, extra, now), response.status
        self._head = None
        if self._body:
            self._body = []
        if self._logger is not None:
            place = target.raw_path.decode("latin-1")
            if target.query:
                place = f"{place}?{target.query}"
            version = "HTTP/1.1" if head.version[1] else "HTTP/1.0"
            fields = tuple(head.fields.combined.items()) if self._log_fields else ()
            self._log(head.method, place, version, status, sent, fields, now)

    def _choose_site(self, host: str | None) -> None:
        """Take the site of a host; unknown and missing ones get the daemon's own."""
        self._host = host
        daemon = self.daemon
        found = None if host is None or daemon is None else daemon.site_of(host)
        if found is None:
            self._site, self._directory = self.default_host, self.default_directory
        else:
            self._site, self._directory = found
        self._meet_logger()

    def _meet_logger(self) -> None:
        self._logger = None
        with contextlib.suppress(vista.NoSuchService):
            self._logger = vista.service(f"HTTPlogger:{self._site}")
            self._log_fields = self._logger.needs_fields()

    def _response(self, head: RequestHead, path: str, again: bool = True) -> tuple[Any, Pairs]:
        """Return the answer, a `Response` or a text, and the fields that the site adds to it."""
        extra: Pairs = ()
        target: Any = None
        result: Any = None
        message, asynchronous = "get_request", False
        try:
            target = self._directory.find(head.method, path)
            if type(target) is Found:
                extra, message = target.fields, target.message
                asynchronous, target = target.asynchronous, target.target
            if type(target) is Response:
                return self._with_page(target, head), extra
            request = self._request(head, path)
            with vista.timeout(self._terms.limits.request_seconds):
                if asynchronous:
                    result = await_reply(target, message, request)
                else:
                    result = vista.send(target, message, request)
        except vista.ThreadKilled:
            raise
        except Exception as error:  # whatever a handler raises ends this request only
            gone = isinstance(error, vista.NoSuchObject | vista.ObjectDeleted)
            if gone and again and target is not None and self._is_forgotten(path, target):
                return self._response(head, path, again=False)
            return self._failed(error, path), extra
        if type(result) is str:
            return result, extra
        response = as_response(result)
        if response is None:
            _log.error("%s: %s returned %s, which is no answer", path, message, type(result))
            return self._error(500, "The page could not be made."), extra
        return response, extra

    def _is_forgotten(self, path: str, target: Any) -> bool:
        """Have the directory forget an object that is gone; return whether it was the one."""
        forgotten: bool = self._directory.forget_object(path, target)
        return forgotten

    def _request(self, head: RequestHead, path: str) -> Request:
        target, fields, body = head.target, head.fields.combined, b"".join(self._body)
        return Request(
            head.method, path, target.query, "\n".join(fields), "\n".join(fields.values()), body,
            target.host or "", self._site, self.from_address, "1.1" if head.version[1] else "1.0",
        )  # fmt: skip

    def _failed(self, error: Exception, path: str) -> Response:
        """Return the answer for what a handler raised, or for what became of it."""
        _log.error("%s: no answer: %r", path, error, exc_info=error)
        if isinstance(error, vista.CallTimeout):
            return self._error(504, "The object that makes this page did not answer in time.")
        if isinstance(error, vista.PeerLost):
            return self._error(502, "The node that makes this page cannot be reached.")
        if isinstance(error, vista.Overloaded):
            return self._error(503, "The object that makes this page has too much to do.")
        return self._error(500, "The page could not be made.")

    def _error(self, status: int, explain: str) -> Response:
        return self._with_page(error_response(status, explain), None)

    def _with_page(self, response: Response, head: RequestHead | None) -> Response:
        """Put the site's own page in the place of the plain one of an error."""
        if response.status < 400 or (head is not None and head.method == "HEAD"):
            return response
        try:
            page = self._directory.get_error_page_source(response.status)
        except vista.VistaError as error:
            _log.error("the error page for %d: %r", response.status, error)
            return response
        return response if page is None else Response(page, response.status, response.fields)

    # --- sending ---------------------------------------------------------------------------

    def _send_text(self, connection: Connection, head: RequestHead, text: str, now: float) -> int:
        """Write a page that is nothing but a text; the hot path, 0.6 us where `_send` takes 4."""
        body = text.encode()
        size = len(body)
        if head.method == "HEAD":
            body = b""
        date = self._terms.date_line(now)
        connection.transport.write(b"".join((_TEXT_HEAD, b"%d\r\n" % size, date, b"\r\n", body)))
        return len(body)

    def _send(
        self,
        connection: Connection,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        now: float,
    ) -> int:
        """Write an answer; return the bytes of its body that were sent, about."""
        if response.prepared and not extra and head.keep_alive and not self._draining:
            date = self._terms.date_line(now)
            link = b"\r\n" if head.version[1] else b"Connection: keep-alive\r\n\r\n"
            body = b"" if head.method == "HEAD" or response.status == 304 else response.body
            connection.transport.write(b"".join((response.prepared, date, link, body)))  # type: ignore[arg-type]
            return len(body)
        writer = self._writer
        if writer is None or not writer.keep_alive:
            self._writer = writer = AnswerWriter(self._terms.dates)
        writer.begin(head)
        if response.source is not None:
            return self._stream(connection, writer, head, response, extra, now)
        body = body_of(response)
        try:
            fields = _unprepared(response) if response.prepared else fields_of(response)
            data = writer.whole(response.status, (*fields, *extra), body, now, close=self._draining)
        except AnswerError as error:
            _log.error("%s: the answer cannot be sent: %s", head.target.raw_path, error)
            plain = error_response(500, "The page could not be made.")
            data = writer.whole(500, fields_of(plain), body_of(plain), now)
        connection.transport.write(data)
        if not writer.keep_alive:
            connection.close()
        return 0 if head.method == "HEAD" else len(body)

    def _stream(
        self,
        connection: Connection,
        writer: AnswerWriter,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        now: float,
    ) -> int:
        """Send a body that another object gives piece by piece, as fast as the client takes it."""
        source, sent = response.source, 0
        write = connection.transport.write
        try:
            fields = (*fields_of(response), *extra)
            write(writer.head(response.status, fields, now, length=response.length))
            while head.method != "HEAD" and self._wait_for_room(connection):
                piece = source.read_bytes(_PIECE_BYTES)
                if not piece:
                    break
                write(b"".join(writer.data(piece)))
                sent += len(piece)
            if connection.lost:
                writer.abandon()
            else:
                write(b"" if head.method == "HEAD" else writer.end())
        except vista.ThreadKilled:
            raise
        except Exception as error:  # whatever the source raises ends this connection
            _log.error("%s: the body broke off: %r", head.target.raw_path, error)
            writer.abandon()
            connection.transport.abort()
        finally:
            vista.future(source, "delete_yourself")  # it may have gone by itself
        if head.method == "HEAD":
            self._writer = None
        if not writer.keep_alive:
            connection.close()
        return sent

    def _wait_for_room(self, connection: Connection) -> bool:
        """Wait until the client has taken enough; return whether it is still there."""
        if connection.write_paused and not connection.lost:
            connection.drained = connection.loop.create_future()
            try:
                vista.wait(connection.drained, self._terms.limits.write_idle_seconds)
            except TimeoutError:
                connection.transport.abort()
                return False
            finally:
                connection.drained = None
        return not connection.lost

    def _log(
        self,
        method: str,
        target: str,
        version: str,
        status: int,
        sent: int,
        fields: Pairs,
        now: float,
    ) -> None:
        if self._logger is not None:
            flat = tuple(part for pair in fields for part in pair)
            words = (method, target, version)
            self._logger.log_request.post(self.from_address, now, words, flat, status, sent)


def _unprepared(response: Response) -> tuple[tuple[str, str], ...]:
    """The fields of a head that was prepared, for the rare answer that is written anew."""
    lines = response.prepared.decode("latin-1").split("\r\n")[1:-1]
    pairs = (line.partition(": ") for line in lines)
    return tuple((name, value) for name, _, value in pairs if name != "Content-Length")


def _address(sock: socket.socket) -> str:
    name = sock.getpeername()
    return str(name[0]) if isinstance(name, tuple) else "unix:"
