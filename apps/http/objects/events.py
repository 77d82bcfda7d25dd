"""Server-sent events: one object sends, any number of clients listen."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from typing import Any

import vista
from apps.http.content.resources import Feed, Request, Response, error_response
from apps.http.objects.found import service_name
from apps.http.syntax.events import EVENT_STREAM, HEARTBEAT, encode_event

_log = logging.getLogger("vista.http")

CLIENTS_MAX = 1_000
"""Clients of one stream; the next one gets 503. Each costs its connection of 8 KiB and 18 us of CPU
for each event, most of it the system's."""
HISTORY_MAX = 100
"""Events that are kept for clients that come back."""
HISTORY_BYTES_MAX = 131_072
"""Bytes of the events that are kept: a client that comes back gets them at once, and they must be
less than what may wait for a client."""
HEARTBEAT_SECONDS = 15.0
"""How often each client is sent a comment. Servers on the way close what is silent for 60 s."""
RETRY_SECONDS = 3.0
"""How long a client waits before it connects again."""

_FIELDS = (
    ("Content-Type", EVENT_STREAM),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # servers on the way must not collect before they pass it on
)

Key = tuple[vista.Ref, int]


class HTTPeventStream(vista.Object, namespace="HTTP"):
    """Server-sent events: what is sent to this object reaches every client that listens.

    rc line: ``HTTPeventStream www.harbour.example /tide``

    ``create(site="", url="", history_max=100, heartbeat_seconds=15.0, clients_max=1000)``: with
    ``site`` it answers for the address ``url`` of that site; without, a page of one's own answers
    with what `join` returns. ``history_max`` events are kept for clients that were cut off: they
    say which one they saw last (Last-Event-ID) and get those that came after it. A client is sent a
    comment every ``heartbeat_seconds``, and one that takes too little is dropped; it connects again
    by itself.

    Example::

        tide = vista.create("HTTPeventStream", "www.harbour.example", "/tide")
        tide.send_event("2.4 m", event="level")

    In the browser: ``new EventSource("/tide").addEventListener("level", e => show(e.data))``.

    Source: WHATWG HTML, section 9.2.
    """

    def create(
        self,
        site: str = "",
        url: str = "",
        history_max: int = HISTORY_MAX,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clients_max: int = CLIENTS_MAX,
    ) -> None:
        """Begin without clients; register for the address."""
        if not heartbeat_seconds > 0:
            raise vista.BadValueError(
                f"heartbeat_seconds is a number above 0, not {heartbeat_seconds!r}"
            )
        if history_max < 0 or clients_max < 1:
            raise vista.BadValueError("history_max is a number from 0, clients_max one from 1")
        self.events_sent = 0
        self.clients_max = clients_max
        self.heartbeat_seconds = heartbeat_seconds
        self.page_name = url
        self.url_directory: vista.Ref | None = None
        self._history: deque[tuple[str, bytes]] = deque(maxlen=history_max)
        self._history_bytes = 0
        # Ids of an earlier run must not be taken for those of this one.
        self._run = secrets.token_hex(4)
        self._clients: dict[Key, Any] = {}
        self._timer: vista.Ref | None = None
        if site:
            self.url_directory = vista.service(service_name(site))
            self.url_directory.register_object(url, vista.self_ref(self))

    def delete(self) -> None:
        """End every client's stream, and leave the directory."""
        if self.url_directory is not None:
            me = vista.self_ref(self)
            # In flight and not waited for: the directory may be gone, which is nobody's mistake.
            vista.future(self.url_directory, "unregister_object", self.page_name, me)
        for receiver, number in self._clients:
            vista.future(receiver, "end_feed", number)
        self._stop_timer()

    # --- for who sends ---------------------------------------------------------------------

    def send_event(
        self,
        data: str | None,
        event: str | None = None,
        id: str | None = None,
        retry: float | None = None,
    ) -> int:
        """Send an event to every client; return how many there are.

        ``data`` is any text. ``event`` is its name, ``message`` if None. ``id`` is what clients
        that come back name as the last one they saw; left out, the events are numbered. ``retry``
        is how many seconds clients wait before they connect again. With None as ``data`` pages see
        no event. Nothing is waited for. Raises `AnswerError` for a line break in event or id, and
        for an event of more than 64 KiB.
        """
        number = self.events_sent + 1
        if id is None and self._history.maxlen:
            id = f"{self._run}-{number}"
        encoded = encode_event(data, event, id, retry)
        self.events_sent = number
        if id is not None:
            self._keep(id, encoded)
        for receiver, feed in list(self._clients):
            try:
                receiver.push.post(feed, encoded)
            except vista.CallError as error:  # its node is lost, or takes no more
                self._lose((receiver, feed), error)
        return len(self._clients)

    def get_clients(self) -> int:
        """Return how many clients listen."""
        return len(self._clients)

    # --- for who answers -------------------------------------------------------------------

    def join(self, request: Request, data: str | None = None, event: str | None = None) -> Response:
        """Return the answer that has a client listen; a page's own ``get_request`` returns it.

        ``data`` and ``event`` are an event for this client alone, before all others: how things
        stand, which later events change. Raises as `send_event` does.
        """
        if len(self._clients) >= self.clients_max:
            return error_response(503, "Too many listen at this address.", (("Retry-After", "10"),))
        opening = encode_event(None, retry_seconds=RETRY_SECONDS)
        if data is not None:
            opening += encode_event(data, event)
        note = (request.field("Last-Event-ID"), opening)
        return Response(fields=_FIELDS, source=Feed(vista.self_ref(self), note))

    def get_request(self, request: Request) -> Response:
        """Have a client listen."""
        return self.join(request)

    # --- for connections -------------------------------------------------------------------

    def feed_opened(self, note: tuple[str, bytes], receiver: vista.Ref, number: int) -> None:
        """Take a client; its connection sends it."""
        if len(self._clients) >= self.clients_max:
            receiver.end_feed.post(number)
            return
        last, opening = note
        self._clients[receiver, number] = None
        receiver.push.post(number, opening + b"".join(self._missed(last)))
        if self._timer is None:
            me = vista.self_ref(self)
            self._timer = vista.create("RepeatingTimerEvent", me, self.heartbeat_seconds)

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        """Forget a client; its connection sends it."""
        self._clients.pop((receiver, number), None)
        if not self._clients:
            self._stop_timer()

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Send every client a comment, and forget those whose connection is gone."""
        for key, beat in list(self._clients.items()):
            if beat is not None and beat.done() and beat.exception() is not None:
                self._lose(key, beat.exception())
        for key in list(self._clients):
            # A call, whose end tells whether the node of the connection can still be reached.
            beat = vista.future(key[0], "push", key[1], HEARTBEAT)
            if key in self._clients:
                self._clients[key] = beat

    def _lose(self, key: Key, error: Exception) -> None:
        _log.info("%s: a client is lost: %r", self.page_name, error)
        self.feed_closed(*key)

    def _keep(self, id: str, encoded: bytes) -> None:
        history = self._history
        while history and (
            len(history) == history.maxlen or self._history_bytes + len(encoded) > HISTORY_BYTES_MAX
        ):
            self._history_bytes -= len(history.popleft()[1])
        if history.maxlen:
            history.append((id, encoded))
            self._history_bytes += len(encoded)

    def _missed(self, last: str) -> list[bytes]:
        """The events after the one a client saw last; none when it is not known any longer."""
        kept = list(self._history)
        for place in range(len(kept) - 1, -1, -1):
            if last and kept[place][0] == last:
                return [encoded for _, encoded in kept[place + 1 :]]
        return []

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            # In flight and not waited for: it may be gone with the node.
            vista.future(timer, "delete_yourself")
