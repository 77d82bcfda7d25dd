"""WebSockets as objects: what a page is given to talk with its client for as long as both like."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

import vista
from apps.http.content.resources import Feed, Request, Response, as_response, error_response
from apps.http.errors import RequestRejected, WebSocketClosed
from apps.http.objects.afar import unwatch, watch
from apps.http.syntax.heads import RequestHead
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.websocket import (
    FAILED,
    GOING_AWAY,
    LOST,
    NORMAL,
    NOTHING,
    Closed,
    MessageStream,
    PongReceived,
    Upgrade,
    accepting_fields,
    check_close,
    is_origin_allowed,
    read_upgrade,
    refusal_fields,
)

_log = logging.getLogger("vista.http")

INBOX_MESSAGES_MAX = 16
"""Messages of a client that wait to be received; then nothing more of it is read. Together they
have at most as many bytes as one may have, and one more."""

FOREVER_SECONDS = 1e9
"""Stands where a call may take as long as it likes: somebody else ends it."""

PINGS_MAX = 2
"""Pings in a row that a client may leave without any sign of life."""

Pairs = tuple[tuple[str, str], ...]


class HTTPwebSocket(vista.Object, namespace="HTTP"):
    """The connection of one client that speaks WebSocket.

    A page that has ``websocket_request(request, socket)`` gets the Ref of one. It may `accept` the
    client, choosing a subprotocol, or return a `Response` that refuses it; to send, to receive or
    to `deliver_to` accepts it as well. When the method returns, the socket is closed, unless its
    messages are delivered to an object.

    Example::

        from apps.http.objects.websocket import messages

        def websocket_request(self, request, socket):
            for message in messages(socket):
                socket.send_text(message.upper())

    Messages are str or bytes. `receive` waits for one and returns None when the client is gone; in
    a loop use `messages`, since a single call may take ``call_seconds`` only.

    Source: RFC 6455, RFC 7692.
    """

    def create(
        self,
        page: vista.Ref,
        request: Request,
        upgrade: tuple[Any, ...],
        bounds: tuple[float, ...],
    ) -> None:
        """Wait for what the page decides; ``upgrade`` and ``bounds`` as `open_websocket` says."""
        loop = asyncio.get_running_loop()
        self.page = page
        self.client = request.client
        self.path = request.path
        self._upgrade = Upgrade(*upgrade)
        self.subprotocols = self._upgrade.subprotocols
        self.code: int | None = None
        self.reason = ""
        self._request = request
        bytes_max, self._ping_seconds, self._close_seconds, self._waiting_max = bounds
        self._stream = MessageStream(int(bytes_max), deflate=bool(self._upgrade.extensions))
        self._inbox: deque[str | bytes] = deque()
        self._inbox_bytes = 0
        self._inbox_bytes_max = bytes_max
        self._receiver: vista.Ref | None = None
        self._number = 0
        self._answer: Response | None = None
        self._error: Exception | None = None
        self._accepted = False
        self._opened = False
        self._running = True
        self._target: vista.Ref | None = None
        self._watching: vista.Ref | None = None
        self._method = ""
        self._timer: vista.Ref | None = None
        self._silent = 0
        self._waiting_bytes = 0
        self._changed: asyncio.Future[None] = loop.create_future()

    def delete(self) -> None:
        """Close the connection."""
        self._finish(LOST, "")
        if self._receiver is not None:
            vista.future(self._receiver, "end_feed", self._number)

    # --- for the page ----------------------------------------------------------------------

    def accept(self, subprotocol: str = "", fields: Pairs = ()) -> None:
        """Take the client, which then may send; wait until it has been told.

        ``subprotocol`` is one of those that the client offers, `get_subprotocols`; ``fields`` go
        into the answer. Raises `AnswerError` for another subprotocol, `WebSocketClosed` when the
        client is gone.
        """
        if not self._accepted:
            answer = Response(
                status=101,
                fields=(*accepting_fields(self._upgrade, subprotocol), *fields),
                source=Feed(vista.self_ref(self), takes_input=True),
            )
            self._accepted = True
            self._decide(answer)
        self._wait_for(lambda: self._opened or self.code is not None)
        if not self._opened:
            raise WebSocketClosed(self.code or LOST, self.reason)

    def get_subprotocols(self) -> tuple[str, ...]:
        """Return what the client offers to speak, the one it likes best first."""
        return self.subprotocols

    def send_text(self, text: str) -> None:
        """Send a message of text; wait while the client has not taken enough of those before.

        Raises `WebSocketClosed` when it is closed, `vista.Overloaded` when too much waits already,
        and `AnswerError` for text that has no UTF-8.
        """
        self.accept()
        self._check_open()
        self._push(self._stream.text(text))

    def send_bytes(self, data: bytes) -> None:
        """Send a message of bytes, as `send_text` does."""
        self.accept()
        self._check_open()
        self._push(self._stream.data(data))

    def tell(self, message: str | bytes) -> bool:
        """Send a message if the client takes it; return whether it was sent.

        For whoever posts to many sockets and need not know which of them have just been closed, or
        have too much waiting for them.
        """
        if self._is_closing():
            return False
        try:
            if isinstance(message, str):
                self.send_text(message)
            else:
                self.send_bytes(message)
        except (WebSocketClosed, vista.Overloaded):
            return False
        return True

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """Return the next message; wait for it. None when the client is gone.

        Raises TimeoutError after ``timeout`` seconds, and as every call does after
        ``call_seconds``: in a loop use `messages`.
        """
        self.accept()
        self._wait_for(lambda: bool(self._inbox) or self.code is not None, timeout)
        if not self._inbox:
            return None
        message = self._inbox.popleft()
        self._inbox_bytes -= len(message)
        self._note_change()
        return message

    def deliver_to(self, target: vista.Ref, method: str = "message_received") -> None:
        """Have each message sent to an object: ``message_received(socket, message)``.

        The next one is sent when the object has finished with the one before. When the socket is
        closed, the object is posted ``socket_closed(socket, code, reason)``. Messages that wait
        already come first.
        """
        self.accept()
        self._target, self._method = vista.ref_of(target), method
        while self._inbox:
            message = self._inbox.popleft()
            self._inbox_bytes -= len(message)
            self._deliver(message)
        self._note_change()
        me = vista.self_ref(self)
        # The object would never be told by a node that is lost.
        unwatch(self._watching)
        self._watching = watch(me, 0, self._target, "socket_closed", me, LOST, "")
        if self.code is not None:  # it was closed meanwhile
            unwatch(self._watching)

    def is_reading(self, number: int) -> bool:
        """Tell whether messages may still come; a `HTTPreaderWatch` asks."""
        return self.code is None

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the connection; wait until the client agrees, for a short while.

        ``code`` is 1000 to 1003, 1007 to 1014 or 3000 to 4999, ``reason`` has at most 123 bytes.
        Closing again does nothing. Raises `AnswerError` for another code or a longer reason.
        """
        check_close(code, reason)
        self.accept()
        if not self._is_closing():
            frame = self._stream.close(code, reason)
            self._note_change()
            self._push(frame, last=True)
        try:
            self._wait_for(lambda: self.code is not None, self._close_seconds)
        except TimeoutError:
            self._finish(LOST, "the client did not close in time")
        self._end_feed()

    def get_close_code(self) -> int | None:
        """Return the code with which it was closed, 1006 without one, None while it is open."""
        return self.code

    # --- for who answers the request -------------------------------------------------------

    def wait_for_answer(self, acts_for: str = "") -> Response:
        """Call the page; return what the client is to be answered. Raises what the page raised.

        ``acts_for`` is the user in whose name the page is called.
        """
        vista.self_ref(self).run_page.post(acts_for)
        self._wait_for(lambda: self._answer is not None or self._error is not None)
        if self._error is not None:
            raise self._error
        assert self._answer is not None, "there is an answer or an error"
        return self._answer

    def run_page(self, acts_for: str = "") -> None:
        """Have the page talk with the client; the socket sends it to itself."""
        me = vista.self_ref(self)
        failure: Exception | None = None
        result: Any = None
        try:
            with vista.timeout(FOREVER_SECONDS):
                if acts_for:
                    with vista.acting_as(acts_for):
                        result = vista.send(self.page, "websocket_request", self._request, me)
                else:
                    result = vista.send(self.page, "websocket_request", self._request, me)
        except Exception as error:  # whatever a page raises ends this socket only
            failure = error
        self._running = False
        if not self._accepted:
            self._refuse(result, failure)
        elif failure is not None and not isinstance(failure, WebSocketClosed):
            _log.error("%s: the page failed: %r", self.path, failure, exc_info=failure)
            self._close_quietly(FAILED)
        elif self._target is None:
            self._close_quietly(NORMAL)
        self._leave()

    # --- for the connection ----------------------------------------------------------------

    def feed_opened(self, note: object, receiver: vista.Ref, number: int) -> None:
        """Begin to talk; the connection sends it."""
        self._receiver, self._number = receiver, number
        self._opened = True
        me = vista.self_ref(self)
        self._timer = vista.create("RepeatingTimerEvent", me, self._ping_seconds)
        self._note_change()

    def feed_data(self, receiver: vista.Ref, number: int, data: bytes) -> None:
        """Take what the client sent; returns when more can be taken."""
        self._silent = 0
        stream = self._stream
        stream.receive(data)
        while (event := stream.next_event()) is not NOTHING:
            replies = stream.to_send()
            if replies:
                receiver.push(number, replies)
            if isinstance(event, Closed):
                self._finish(event.code, event.reason)
                self._end_feed()
                return
            if not isinstance(event, PongReceived):
                assert isinstance(event, str | bytes), "the other events are messages"
                self._take(event)
        replies = stream.to_send()
        if replies:
            receiver.push(number, replies)

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        """Take note that the connection is closed; it sends it."""
        self._finish(LOST, "")
        self._receiver = None
        self._leave()

    def feed_draining(self, receiver: vista.Ref, number: int) -> None:
        """Close, since the site stops; the connection sends it."""
        self._close_quietly(GOING_AWAY)

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """See whether the client is still there; the timer sends it."""
        if self._receiver is None or self._stream.closing:
            return
        if self._silent >= PINGS_MAX and not self._is_full():
            self._finish(LOST, "the client answered no ping")
            self._end_feed()
            return
        self._silent += 1
        self._receiver.push.post(self._number, self._stream.ping())

    # --- inside ----------------------------------------------------------------------------

    def _take(self, message: str | bytes) -> None:
        """Keep a message, or deliver it; wait while too many wait."""
        self._wait_for(lambda: not self._is_full() or self._is_closing())
        if self._is_closing():
            return
        if self._target is not None:
            self._deliver(message)
            return
        self._inbox.append(message)
        self._inbox_bytes += len(message)
        self._note_change()

    def _is_closing(self) -> bool:
        return self.code is not None or self._stream.closing

    def _is_full(self) -> bool:
        return len(self._inbox) >= INBOX_MESSAGES_MAX or self._inbox_bytes >= self._inbox_bytes_max

    def _deliver(self, message: str | bytes) -> None:
        try:
            vista.send(self._target, self._method, vista.self_ref(self), message)
        except Exception as error:  # whatever the object raises ends this socket only
            _log.error("%s: %s failed: %r", self.path, self._method, error, exc_info=error)
            self._close_quietly(FAILED)

    def _push(self, frame: bytes, last: bool = False) -> None:
        receiver = self._receiver
        assert receiver is not None, "nothing is sent before the client was accepted"
        if self._waiting_bytes and self._waiting_bytes + len(frame) > self._waiting_max:
            raise vista.Overloaded(f"{self.path}: the client does not read what it is sent")
        self._waiting_bytes += len(frame)
        try:
            with vista.timeout(FOREVER_SECONDS):
                taken = receiver.push_in_turn(self._number, frame, last)
        except (vista.NoSuchObject, vista.ObjectDeleted):
            taken = False  # the connection ended while it waited
        finally:
            self._waiting_bytes -= len(frame)
        if not taken:
            self._finish(LOST, "")
            raise WebSocketClosed(self.code or LOST, self.reason)

    def _check_open(self) -> None:
        if self._is_closing():
            raise WebSocketClosed(self.code or NORMAL, self.reason)

    def _close_quietly(self, code: int) -> None:
        """Close by a thread of its own, which nobody waits for."""
        if self.code is None:
            vista.self_ref(self).close.post(code)

    def _decide(self, answer: Response) -> None:
        self._answer = answer
        self._note_change()

    def _refuse(self, result: Any, failure: Exception | None) -> None:
        response = as_response(result)
        if failure is None and response is None:
            _log.error("%s: websocket_request neither accepted nor answered", self.path)
            response = error_response(500, "The page could not be made.")
        self._answer, self._error = response, failure
        self._finish(LOST, "")

    def _finish(self, code: int, reason: str) -> None:
        """Take note once of how it ended, and tell who waits."""
        if self.code is not None:
            return
        self.code, self.reason = code, reason
        if self._timer is not None:
            # In flight and not waited for: it may be gone with the node.
            vista.future(self._timer, "delete_yourself")
        if self._target is not None:
            me = vista.self_ref(self)
            unwatch(self._watching)
            vista.future(self._target, "socket_closed", me, code, reason)
        self._note_change()

    def _end_feed(self) -> None:
        if self._receiver is not None:
            vista.future(self._receiver, "end_feed", self._number)

    def _leave(self) -> None:
        """Go when neither the page nor the connection needs this object."""
        # One that was refused goes when the answer was taken.
        gone = self.code is not None and self._receiver is None
        if gone and self._accepted and not self._running:
            vista.post(vista.self_ref(self), "delete_yourself")

    def _wait_for(self, condition: Any, seconds: float | None = None) -> None:
        """Wait until a condition holds; any number of threads may. Raises TimeoutError."""
        if condition():
            return
        loop = self._changed.get_loop()
        due = None if seconds is None else loop.time() + seconds
        while not condition():
            left = None if due is None else max(0.0, due - loop.time())
            # Shielded: who gives up must leave it to the others.
            vista.wait(asyncio.shield(self._changed), left)

    def _note_change(self) -> None:
        changed, self._changed = self._changed, self._changed.get_loop().create_future()
        if not changed.done():
            changed.set_result(None)


def messages(socket: vista.Ref) -> Iterator[str | bytes]:
    """Return the messages of a socket one after another, until it is closed.

    It waits for each as long as it takes; ``with vista.timeout(...)`` around `receive` bounds that.
    """
    while True:
        with vista.timeout(FOREVER_SECONDS):
            message = socket.receive()
        if message is None:
            return
        yield message


def open_websocket(
    head: RequestHead,
    page: vista.Ref,
    request: Request,
    limits: HttpLimits,
    origins: tuple[str, ...],
    acts_for: str = "",
) -> Response:
    """Have a page decide about a client that asks for a WebSocket; return the answer.

    Raises what the page raised, and `vista.CallTimeout` after ``request_seconds``.
    """
    try:
        upgrade = read_upgrade(head)
    except RequestRejected as fault:
        return error_response(fault.status, fault.explain, refusal_fields(fault.status))
    target = head.target
    if not is_origin_allowed(upgrade.origin, target.host, target.port, origins):
        _log.warning("%s: no WebSocket for a page from %.200r", request.path, upgrade.origin)
        return error_response(403, "Pages from elsewhere may not do this.")
    bounds = (
        limits.websocket_message_bytes_max,
        limits.websocket_ping_seconds,
        limits.drain_seconds,
        limits.feed_bytes_max,
    )
    socket = vista.create(HTTPwebSocket, page, request, tuple(upgrade), bounds)
    try:
        with vista.timeout(limits.request_seconds):
            answer: Response = socket.wait_for_answer(acts_for)
    except BaseException:
        vista.future(socket, "delete_yourself")
        raise
    if answer.status != 101:
        vista.future(socket, "delete_yourself")
    return answer
