"""Live updates: after each step, the parts of every open bridge that are not what they were.

Three rules. What several see is drawn once. Bridges are drawn a few at a time, and between them the
node sees to everything else. A client that takes too little is dropped by its connection, and comes
back by itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, NamedTuple

import vista
from apps.http.content.compressing import encoded_fields, varying
from apps.http.content.resources import Feed, Request, Response
from apps.http.errors import RequestRejected, WebSocketClosed
from apps.http.objects.events import HEARTBEAT_SECONDS, RETRY_SECONDS
from apps.http.syntax.events import EVENT_STREAM, HEARTBEAT, encode_event
from apps.starship.web.activity import Activity, tell_primary
from apps.starship.web.answers import Outcome, too_many
from apps.starship.web.audience import Audience, View, event, updates
from apps.starship.web.buckets import Counts
from apps.starship.web.drawing import commands, look_and_page
from apps.starship.web.given import Given
from apps.starship.web.limits import SiteLimits
from apps.starship.web.packing import GZIP, HEAD, pack, wants_gzip
from apps.starship.web.reading import read_sent

_log = logging.getLogger("vista.starship")

FIELDS = (
    ("Content-Type", EVENT_STREAM),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # servers on the way must not collect before they pass it on
)
VIEWS_AT_ONCE_MAX = 64
"""Bridges that are drawn in one go, however quick it was before."""

_PACKED_HEARTBEAT = pack(HEARTBEAT)

Client = tuple[Any, ...]
"""``(receiver, number)`` of a stream of events, ``(socket,)`` of a WebSocket."""


class Head(NamedTuple):
    """What every update of a step says: its number, the seconds to the next, another server.

    ``leaving`` says that those who look are to go there.
    """

    step: int
    next_in: float
    other: str
    leaving: bool


def _http(url: str) -> str:
    """Return an address of the web; ``""`` for what a server says its site is and is none."""
    return url if url.startswith(("http://", "https://")) else ""


class StarshipStreams(vista.Object, namespace="StarShip"):
    """The open bridges of a site, and what they are told; `StarshipSite` makes one.

    ``create(site, limits)``: ``site`` is who takes the orders that come by WebSocket. The server
    whose state is shown is told by `set_server`; it posts ``step_committed`` after each step.
    """

    def create(self, site: vista.Ref, limits: SiteLimits) -> None:
        """Begin without clients and without a server."""
        self.site = site
        self.limits = limits
        self.server: vista.Ref | None = None
        self.step = -1
        self._audiences: dict[View, Audience] = {}
        self._places: dict[Client, tuple[View, str]] = {}
        # Those of the clients that are sent gzip.
        self._packed: set[Client] = set()
        self._counts = Counts(limits.streams_per_address)
        self._given = Given()
        self._activity = Activity(limits.activity_seconds)
        # Views that are to be drawn, in the order in which it was asked for; None for the value.
        self._due: dict[View, None] = {}
        self._working = False
        self._at_once = 4
        self._timer = vista.create("RepeatingTimerEvent", vista.self_ref(self), HEARTBEAT_SECONDS)

    def delete(self) -> None:
        """End every stream."""
        # In flight and not waited for: they may be gone with the node.
        vista.future(self._timer, "delete_yourself")
        if self.server is not None:
            vista.future(self.server, "remove_watcher", vista.self_ref(self))
        for client in list(self._places):
            self._end(client)

    def set_server(self, server: vista.Ref) -> None:
        """Show the state of a server from here on."""
        self.server = server
        server.add_watcher(vista.self_ref(self))
        self.step_committed(server.get_step())

    def get_clients(self) -> int:
        """Return how many streams are open."""
        return len(self._places)

    def get_views(self) -> int:
        """Return how many different things the clients see: each is drawn once."""
        return len(self._audiences)

    # --- those who come --------------------------------------------------------------------

    def refuse(self, address: str) -> Response | None:
        """Return why an address gets no further stream, None if it does."""
        if len(self._places) >= self.limits.streams_max:
            retry = (("Retry-After", "10"), ("Content-Type", "text/plain"))
            return Response("Too many watch at this server.", 503, retry)
        if not self._counts.has_room(address):
            return too_many(10.0, "Your address has too many streams open.")
        return None

    def join(self, request: Request, view: View) -> Response:
        """Return the answer that has a client listen."""
        refused = self.refuse(request.client)
        if refused is not None:
            return refused
        packed = wants_gzip(request.field("accept-encoding") or "")
        fields = encoded_fields(FIELDS, GZIP, EVENT_STREAM) if packed else varying(FIELDS)
        note = view, request.client, packed
        return Response(fields=fields, source=Feed(vista.self_ref(self), note))

    def feed_opened(self, note: tuple[View, str, bool], receiver: vista.Ref, number: int) -> None:
        """Take a client; its connection sends it."""
        view, address, packed = note
        if not self._admit((receiver, number), view, address):
            receiver.end_feed.post(number)
            return
        first = encode_event(None, retry_seconds=RETRY_SECONDS)
        if packed:
            self._packed.add((receiver, number))
            first = HEAD + pack(first)
        receiver.push.post(number, first)

    def feed_closed(self, receiver: vista.Ref, number: int) -> None:
        """Forget a client; its connection sends it."""
        self._forget((receiver, number))

    def join_socket(self, view: View, address: str, socket: vista.Ref) -> Response | None:
        """Take a client that speaks WebSocket, or return why not."""
        refused = self.refuse(address)
        if refused is not None:
            return refused
        # First of all: its messages may be there before `deliver_to` returns.
        self._admit((socket,), view, address)
        try:
            socket.deliver_to(vista.self_ref(self))
        except WebSocketClosed:
            self._forget((socket,))
        return None

    def socket_closed(self, socket: vista.Ref, code: int, reason: str) -> None:
        """Forget a client; its socket posts it."""
        self._forget((socket,))

    def message_received(self, socket: vista.Ref, message: str | bytes) -> None:
        """Pass an order on, and tell what came of it; the socket sends it."""
        place = self._places.get((socket,))
        if place is None:
            return
        view, address = place
        key = ""
        try:
            fields, words = read_sent(message, self.limits)
            key, name = fields.get("key", ""), fields.get("command", "")
            outcome = self._order(view, address, key, name, words)
        except (RequestRejected, ValueError) as error:
            outcome = Outcome(False, "E_ARG", str(error)[:200])
        socket.tell.post(json.dumps({"answer": {**outcome._asdict(), "key": key}}))

    def _order(
        self, view: View, address: str, key: str, name: str, words: tuple[Any, ...]
    ) -> Outcome:
        return Outcome(*self.site.order(address, view.look.ship, view.captain, key, name, words))

    def _admit(self, client: Client, view: View, address: str) -> bool:
        if len(self._places) >= self.limits.streams_max or not self._counts.begin(address):
            return False
        self._places[client] = view, address
        self._audiences.setdefault(view, Audience(view)).new[client] = None
        self._draw(view)
        self._note_active(view)
        return True

    def _forget(self, client: Client) -> None:
        place = self._places.pop(client, None)
        if place is None:
            return
        view, address = place
        self._packed.discard(client)
        self._counts.end(address)
        audience = self._audiences.get(view)
        if audience is not None:
            audience.drop(client)
            if audience.is_empty():
                del self._audiences[view]

    # --- what is told ----------------------------------------------------------------------

    def step_committed(self, step: int) -> None:
        """Tell everybody what a step changed; the server posts it, also when a link is lost."""
        self.step = step
        for view in self._audiences:
            self._draw(view)
            self._note_active(view)

    def note_order(self, ship: str, step: int, left: int, order: str) -> None:
        """Take note of the primary's answer to an order, and show it; the site posts it.

        Where many bridges are open, their captains are told how many orders are left, and see the
        rest with the next step.
        """
        self._given.note(ship, step, left, order)
        views = [view for view in self._audiences if view.look.ship.lower() == ship.lower()]
        for view in views if order else ():
            if len(self._audiences) <= self.limits.redrawn_max:
                self._draw(view)
            elif self.server is not None and commands(self.server, view):
                text = json.dumps({"step": self.step, "left": left})
                self._send_all(list(self._audiences[view].clients), [text])

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Show every client a sign of life; the timer sends it."""
        for client, (view, _) in list(self._places.items()):
            if len(client) == 2:
                self._push(client, _PACKED_HEARTBEAT if client in self._packed else HEARTBEAT)
            self._note_active(view)

    def _draw(self, view: View) -> None:
        self._due[view] = None
        if not self._working:
            self._working = True
            vista.self_ref(self).work.post()

    def work(self) -> None:
        """Draw some of the views that are to be drawn; the object posts it to itself."""
        server = self.server
        if server is None:
            self._working = False
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        views = list(self._due)[: self._at_once]
        for view in views:
            del self._due[view]
        try:
            self._show(server, [view for view in views if view in self._audiences])
        except (vista.NoSuchObject, vista.ObjectDeleted):
            self.server = None  # the site looks for another, which is shown from its first step on
        finally:
            # Whatever went wrong with these, the next ones are drawn.
            each = (clock() - began) / max(1, len(views))
            wanted = int(self.limits.batch_seconds / max(each, 1e-6))
            self._at_once = max(1, min(VIEWS_AT_ONCE_MAX, wanted))
            self._working = bool(self._due)
            if self._working:
                vista.self_ref(self).work.post()

    def _show(self, server: vista.Ref, views: list[View]) -> None:
        other = _http(server.get_other_url())
        head = Head(server.get_step(), server.get_next_in(), other, server.is_leaving())
        ships = [view for view in views if view.look.ship]
        drawn: list[dict[str, str]] = []
        if ships:
            drawn = server.get_panels(
                [
                    (view.look.ship, *look_and_page(server, view, self._given, head.step))
                    for view in ships
                ]
            )
        parts = dict(zip(ships, drawn, strict=True))
        for view in views:
            audience = self._audiences.get(view)
            if audience is not None:
                self._tell(audience, head, parts.get(view))

    def _tell(self, audience: Audience, head: Head, parts: dict[str, str] | None) -> None:
        bytes_max = self.limits.frame_bytes_max
        step, next_in, other, leaving = head
        if parts is None:  # who watches the steps alone
            texts = whole = updates(step, next_in, {}, bytes_max)
        elif not parts:  # the ship is gone: its page says what became of it
            texts = whole = [json.dumps({"step": step, "next_in": next_in, "reload": True})]
        else:
            texts = updates(step, next_in, audience.changed(parts), bytes_max, other, leaving)
            whole = updates(step, next_in, parts, bytes_max, other, leaving) if audience.new else []
        self._send_all(list(audience.clients), texts)
        self._send_all(list(audience.admit()), whole)

    def _send_all(self, clients: list[Client], texts: list[str]) -> None:
        """Send all of some clients the same, which is written and compressed once."""
        plain = packed = b""
        for client in clients:
            if len(client) != 2:
                for text in texts:
                    client[0].tell.post(text)
                continue
            plain = plain or b"".join(map(event, texts))
            if client in self._packed:
                packed = packed or pack(plain)
            self._push(client, packed if client in self._packed else plain)

    def _push(self, client: Client, data: bytes) -> None:
        receiver, number = client
        try:
            receiver.push.post(number, data)
        except vista.CallError as error:  # its node is lost, or takes no more
            _log.info("a stream is lost: %r", error)
            self._forget(client)

    def _end(self, client: Client) -> None:
        if len(client) == 2:
            vista.future(client[0], "end_feed", client[1])
        else:
            vista.future(client[0], "close", 1001, "")

    def _note_active(self, view: View) -> None:
        if view.captain is None or view.look.scan:
            return
        if self._activity.is_due(view.captain, asyncio.get_running_loop().time()):
            tell_primary(view.captain, view.settings.interval)
