"""Bodies that an object pushes piece by piece, for as long as client and object like.

A `Response` whose ``source`` is a `Feed` is sent this way: the connection tells the object of the
feed that it has begun, and from then on the object sends the pieces, as messages. No thread waits
meanwhile, so a client that listens for hours costs its connection and nothing else. Two rules. What
waits for a client is bounded, and one that takes nothing is dropped. Whoever pushes is told once
that the feed is closed, however it ends.

The object of a feed answers three messages:

``feed_opened(note, receiver, number)``
    the client has the head. Pieces go to ``receiver`` by ``push(number, data)``, which drops a
    client that has too much waiting for it, or ``push_in_turn(number, data)``, which waits for it;
    ``end_feed(number)`` ends the body.
``feed_data(receiver, number, data)``
    what the client sent, of a feed that takes input; the next piece is read when it has returned.
``feed_draining(receiver, number)``
    the site stops, and a feed that takes input is to end; others are ended.
``feed_closed(receiver, number)``
    nothing can be pushed any longer.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

import vista
from apps.http.content.resources import Feed, Response, fields_of
from apps.http.objects.afar import unwatch, watch
from apps.http.objects.answering import Answering, Pairs
from apps.http.objects.connection import FEED, Connection
from apps.http.objects.raw import RawReader
from apps.http.objects.websocket import FOREVER_SECONDS
from apps.http.syntax.answers import AnswerWriter
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import RequestHead

_log = logging.getLogger("vista.http")


class Feeding:
    """One feed on a connection of HTTP/1.1, from its head to its end.

    ``sent`` counts the bytes that were pushed.
    """

    __slots__ = (
        "_closed",
        "_connection",
        "_limits",
        "_over",
        "_watching",
        "_writer",
        "feed",
        "head",
        "number",
        "sent",
        "status",
    )

    def __init__(
        self,
        connection: Connection,
        writer: AnswerWriter,
        limits: HttpLimits,
        feed: Feed,
        head: RequestHead,
        status: int,
        number: int,
    ) -> None:
        self.feed = feed
        self.head = head
        self.status = status
        self.number = number
        self.sent = 0
        self._over = self._closed = False
        self._watching: vista.Ref | None = None
        self._connection = connection
        self._writer = writer
        self._limits = limits
        if feed.takes_input:
            connection.reader = RawReader(connection.reader.upgrade(), limits)  # type: ignore[assignment]
        _watch_peer(connection.transport, limits.write_idle_seconds)

    @classmethod
    def begin(
        cls,
        connection: Connection,
        writer: AnswerWriter,
        limits: HttpLimits,
        head: RequestHead,
        response: Response,
        extra: Pairs,
        receiver: vista.Ref,
        number: int,
        *,
        now: float,
        close: bool,
    ) -> Feeding | None:
        """Write the head of an answer whose body is pushed; None if no body follows it.

        Raises `AnswerError` for a head that cannot be written. The object is told in either case
        that it has nothing to push.
        """
        feed, status = response.source, response.status
        try:
            data = writer.head(status, (*fields_of(response), *extra), now, close=close)
            connection.write_now(data)
            if writer.sends_body or status == 101:
                return cls(connection, writer, limits, feed, head, status, number)
            writer.end()
        except Exception:  # whoever called answers with 500 in its place
            vista.future(feed.target, "feed_closed", receiver, number)
            raise
        # In flight and not waited for: the object may be gone, which is nobody's mistake.
        vista.future(feed.target, "feed_closed", receiver, number)
        return None

    def open(self, receiver: vista.Ref) -> None:
        """Have the object of the feed begin; without it the connection is over."""
        try:
            vista.send(self.feed.target, "feed_opened", self.feed.note, receiver, self.number)
        except vista.VistaError as error:
            _log.error("%s: the feed did not begin: %r", self.head.target.sent_path, error)
            self._connection.transport.abort()
            return
        target, number = self.feed.target, self.number
        self._watching = watch(receiver, number, target, "feed_closed", receiver, number)
        if self._closed:  # it was closed meanwhile
            unwatch(self._watching)

    def drain(self, receiver: vista.Ref) -> None:
        """Have it come to its end, since the site stops."""
        if self.feed.takes_input:
            self.feed.target.feed_draining.post(receiver, self.number)
        else:
            # In flight and not waited for: the connection may end before.
            vista.future(receiver, "end_feed", self.number)

    def close(self, receiver: vista.Ref, answering: Answering) -> None:
        """Tell the object that nothing can be pushed any longer, and the log what was."""
        self._closed = True
        unwatch(self._watching)
        # In flight and not waited for: the object may be gone, which is nobody's mistake.
        vista.future(self.feed.target, "feed_closed", receiver, self.number)
        answering.log_answer(self.head, self.status, self.sent, time.time())

    def push(self, data: bytes) -> None:
        """Send a piece, or drop the client when too much waits for it already."""
        connection = self._connection
        waiting = connection.transport.get_write_buffer_size()
        if waiting + len(data) > self._limits.feed_bytes_max:
            _log.info("%s: dropped a client that does not read", self.head.target.sent_path)
            connection.transport.abort()
        else:
            self._write(data)

    def push_in_turn(self, data: bytes, last: bool) -> bool:
        """Send a piece when the client has taken enough; return whether it was sent."""
        connection = self._connection
        if not connection.wait_for_room(self._limits.write_idle_seconds):
            return False
        if self._over or connection.lost or connection.closing:
            return False
        self._write(data)
        self._over = last
        return True

    def _write(self, data: bytes) -> None:
        connection = self._connection
        if self._over or connection.lost or connection.closing:
            return
        self.sent += len(data)
        if self.feed.takes_input:
            connection.write_now(data)
        else:
            connection.write_now(b"".join(self._writer.data(data)))

    def step(self, receiver: vista.Ref) -> bool:
        """Pass on what the client sent; return whether there may be more to do."""
        connection = self._connection
        reader: Any = connection.reader
        if connection.late:
            connection.late = False
            return self._is_fed()
        if self.feed.takes_input and reader.unread:
            taken = self._pass_on(receiver, reader.take())
            if reader.unread:
                vista.sleep(0)  # messages may be small, and many
            return taken
        if connection.ended:
            # A client may end its side and read on, but those that listen do not; taken for one
            # that reads on, a client that is gone would be found out at the second heartbeat.
            connection.close()
            return False
        connection.rest(FEED)
        return False

    def _pass_on(self, receiver: vista.Ref, data: bytes) -> bool:
        with vista.timeout(FOREVER_SECONDS):
            return self._ask("feed_data", receiver, self.number, data)

    def _is_fed(self) -> bool:
        """See whether the object that pushes is still there: its node may be lost."""
        return self._ask("class_of")

    def _ask(self, message: str, *args: object) -> bool:
        """Send the object of the feed a message; without it the connection has no end in sight."""
        try:
            vista.send(self.feed.target, message, *args)
        except vista.VistaError as error:
            _log.info("%s: who feeds it is gone: %r", self.head.target.sent_path, error)
            self._connection.busy = False
            self._connection.transport.abort()
            return False
        return True

    def end(self) -> bool:
        """End the body; return whether the connection takes another request."""
        connection = self._connection
        if connection.lost or connection.closing:
            return False
        if self.feed.takes_input:
            if connection.transport.can_write_eof():
                connection.linger()
            else:
                connection.close()
            return False
        connection.write_now(self._writer.end())
        if self._writer.keep_alive:
            return True
        connection.close(lingers=self.head.keep_alive)
        return False


def _watch_peer(transport: Any, seconds: float) -> None:
    """Have the system end a connection whose other side takes nothing for so long, where it can.

    Without it a host that has vanished is found out after a quarter of an hour.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    sock = transport.get_extra_info("socket")
    if option is not None and sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
