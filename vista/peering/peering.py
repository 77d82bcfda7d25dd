"""The peers of a node: its links, which of them leads where, and what comes over them.

A node has one `Peering`, made when its first link is asked for. Three rules. A peer acts as the
user that its key stands for. Only a peer with this node's own key, which is the same user's, is
believed when it names another user, passes on what others sent, or tells of nodes behind it. And a
link that does not believe this node carries only what this node's own user sends: nobody shall act
there with more rights than his own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from vista.errors import (
    AccessDenied,
    CallError,
    NoSuchObject,
    Overloaded,
    PeerLost,
    RemoteProtocolError,
)
from vista.ids import Id
from vista.kernel.kernel import Kernel, creator_id
from vista.kernel.refs import Ref
from vista.kernel.seldom import SeldomLog
from vista.kernel.table import Record
from vista.limits import Limits
from vista.peering import announcements as services
from vista.peering import placement, routing, rows
from vista.peering.announcements import Announcements
from vista.peering.calls import Calls
from vista.peering.creations import Creations
from vista.peering.departures import Departures
from vista.peering.links import Link
from vista.peering.mesh import Mesh
from vista.peering.met import Met
from vista.peering.moves import Moves
from vista.peering.paths import routing_bounds
from vista.peering.publishing import Publishing
from vista.peering.remote import RemoteMethod
from vista.peering.represent import represent
from vista.peering.rights import refusal_of
from vista.peering.rivals import Rivals
from vista.peering.routing import Routing
from vista.peering.transport import Channel, Listener, Network
from vista.peering.trust import Grant, Trust
from vista.peering.urls import PeerUrl
from vista.peering.ways import Ways
from vista.peering.words import announcement_bounds
from vista.wire.frames import (
    CALL,
    CANCEL,
    FAILURE,
    FENCE,
    FENCED,
    HEAD,
    MOVED,
    POST,
    PROBE,
    REPLY,
    ROUTED,
    ROUTES,
    SERVICES,
    Frames,
    Part,
    Row,
)
from vista.wire.hello import FINISH
from vista.wire.session import SessionConfig

_WITH_PAYLOAD: Final = frozenset({CALL, POST, REPLY, FAILURE})

REFUSED_SECONDS: Final = 600.0
"""For how long a peer that was refused is not logged again at first: it goes on trying."""

REFUSED_MAX: Final = 32
"""Peers that are told apart meanwhile, by key and address: anybody can invent keys."""

_log = logging.getLogger("vista.peering")

Watcher = Callable[[bytes, bytes | None], None]
"""Called with (node, the neighbour that leads to it), or (node, None) when it is lost."""


class Peering:
    """Reaches the objects of other nodes; implements `vista.kernel.elsewhere.Elsewhere`.

    ``network`` opens channels; ``secret_key`` (32 bytes) is this node's and ``trust`` says whom it
    lets in. ``name`` and ``software`` are for people at the other end.
    """

    def __init__(
        self, kernel: Kernel, network: Network, secret_key: bytes, trust: Trust, name: str
    ) -> None:
        self.kernel = kernel
        self.network = network
        self.trust = trust
        self.node = kernel.table.node
        epoch = kernel.hub.entropy(8)
        limits = kernel.limits
        self.session_config = _session_config(self.node, epoch, name, limits)
        self.frames = Frames(limits)
        self.links: dict[int, Link] = {}
        # Where what this node sends may go as it is: to kin, over a link of its own, not held.
        self.near: dict[bytes, Link] = {}
        self.listeners: list[Listener] = []
        self.rivals = Rivals(self)
        self.ways = Ways(self)
        self.watchers: list[Watcher] = []
        self.mesh = Mesh(self.node)
        self.moves = Moves(self)
        self.calls = Calls(self)
        self.departures = Departures(self, self.moves)
        self.settle, self.end_departure = self.departures.settle, self.departures.end
        self.withdraw_copies = self.moves.early_copies.withdraw
        self.send_on = self.calls.send_on
        self.creations = Creations(kernel)
        self.routing = Routing(self.node, routing_bounds(limits))
        self.announcements = Announcements(self.node, epoch, announcement_bounds(limits))
        self._secret_key = secret_key
        self._numbers = 0
        self._hops_max = limits.route_hops_max
        self.connections: dict[int, Ref] = {}
        self._met = Met(limits.met_nodes_max)
        self._refused = SeldomLog(
            _log, "refused a peer", seconds=REFUSED_SECONDS, reasons_max=REFUSED_MAX
        )
        self._timers: dict[Any, Any] = {}
        kernel.elsewhere = self
        kernel.on_close.append(self.close)
        made = Publishing(self)
        self.on_service, self.publish, self.retire = made.on_service, made.publish, made.retire
        self.publish(None)

    # --- links -----------------------------------------------------------------------------

    def listen(self, url: PeerUrl) -> Listener:
        """Let peers connect at ``url``. Raises `PeerAddressError` when that cannot be."""
        listener = self.network.listen(
            url, secret_key=self._secret_key, admits=self._admits, accept=self._accept
        )
        self.listeners.append(listener)
        return listener

    def stop_listening(self, listener: Listener) -> None:
        """Let no more peers connect there; links that are open stay."""
        if listener in self.listeners:
            self.listeners.remove(listener)
            listener.close()

    def connect(self, url: PeerUrl, on_end: Callable[[str], None]) -> Link:
        """Open a link to a peer and return it at once; ``on_end(reason)`` is called at its end."""
        channel = self.network.connect(url, secret_key=self._secret_key)
        return self._make_link(channel, on_end, initiator=True)

    def _admits(self, key: bytes, where: str) -> bool:
        if self.trust.grant_of(key) is not None:
            return True
        self._refused.note(self.trust.refusal(key, where), self.kernel.hub.time())
        return False

    def _accept(self, channel: Channel) -> None:
        self._make_link(channel, initiator=False)

    def _make_link(self, channel: Channel, *on_end: Callable[[str], None], initiator: bool) -> Link:
        self._numbers += 1
        link = Link(self, self._numbers, channel, initiator=initiator)
        link.on_end += on_end
        self.links[link.number] = link
        link.open()
        return link

    def judge(self, link: Link) -> Grant | str:
        """Return what the peer of a link may do here, or why it is refused."""
        refusal = self.rivals.refusal(link)
        if refusal is not None:
            return refusal
        grant = self.trust.grant_of(link.channel.key)
        if grant is None:
            if not link.initiator:
                return "the peer's key is not known here"
            # Whom this node calls need not be able to call it.
            grant = Grant("", frozenset(), kin=False)
        return grant

    def link_up(self, link: Link) -> None:
        """Take note that messages can cross a link."""
        hello = link.hello
        assert hello is not None, "it was introduced before"
        _log.info("linked with %s", link.words)
        yields = self.rivals.is_needless(link)
        up = routing.LinkUp(link.number, hello.node, hello.epoch, link.is_kin, yields)
        # Before others to the same node end, so that the node counts as reached throughout.
        self.route(up)
        self.announce(up)
        self.rivals.supersede(link)
        if link.number in self.links and not yields:
            represent(self, link)

    def link_down(self, link: Link, reason: str) -> None:
        """Take note that a link has ended."""
        self.links.pop(link.number, None)
        self.near.clear()
        made = self.connections.pop(link.number, None)
        if made is not None:
            self.kernel.spawn(lambda: self.kernel.post_quietly(made, "delete_yourself"))
        if link.hello is not None and link.session.established_at is not None:
            _log.info("the link with %s ended: %s", link.words, reason)
            self.rivals.ended(link)
            down = routing.LinkDown(link.number)
            self.announce(down)
            self.route(down, reason)
            self.ways.link_down(link.number, complete=link.complete)

    def close(self) -> None:
        """End everything: the node stops."""
        for link in list(self.links.values()):
            link.close("the node stops")
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        self.network.close()
        self.kernel.elsewhere = None

    # --- where things are ------------------------------------------------------------------

    def node_of(self, id: Id) -> bytes:
        """Return the identity of the node where an object is thought to be."""
        return self.moves.node_of(id)

    def has_moved(self, id: bytes) -> bool:
        """Whether an object that is not here went to another node, which is known."""
        return self.moves.has_moved(id)

    def call(self, id: Id, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a message to an object elsewhere and wait for the result, as a vista thread."""
        return RemoteMethod(self.calls, id, name)(*args, **kwargs)

    def forward(self, message: Any) -> None:
        """Pass on a message whose object went elsewhere."""
        self.calls.forward(message)

    def move(self, record: Record, creator: Ref, seconds: float) -> Ref:
        """Move an object to the node of ``creator``, as the thread active in it."""
        return self.departures.move(record, creator, seconds)

    def link_to(self, node: bytes) -> Link | None:
        """Return the link that leads to a node, None when it cannot be reached."""
        number = self.routing.route_to(node)
        return None if number is None else self.links.get(number)

    def nodes(self) -> list[bytes]:
        """Return the identities of the other nodes that can be reached, in their order."""
        return [route.node for route in self.routing.table()]

    def creators(self) -> list[Ref]:
        """Return the ObjectCreators of the other nodes that can be reached."""
        return [self.kernel.ref(creator_id(node)) for node in self.nodes()]

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object elsewhere."""
        return self.calls.bind(ref, name)

    def unreachable(self, node: bytes) -> CallError:
        """Return the error for a message to a node that no link leads to."""
        if node in self._met:
            return PeerLost(f"node {_words(node)} cannot be reached any longer")
        return NoSuchObject(f"no node {_words(node)} is known, so no object of it is")

    # --- sending ---------------------------------------------------------------------------

    def send(self, node: bytes, row: Row, buffers: Sequence[Part], user: str) -> None:
        """Have a message leave for a node, on behalf of ``user``.

        Raises `PeerLost` or `NoSuchObject` when the node cannot be reached, `Overloaded` when too
        much waits, and `AccessDenied` when the link is not for this user.
        """
        near = link = self.near.get(node)
        if near is None:
            if node == self.node:
                self._loop_back(row, buffers, user)
                return
            link = self.link_to(node)
        if link is None:
            raise self.unreachable(node)
        if near is None and not link.is_kin and user != self.kernel.user and row[0] in (CALL, POST):
            raise AccessDenied(
                f"user {user!r} may not use the link to {link.words}: this node acts there as "
                f"{link.acting_user!r}"
            )
        try:
            if near is not None:
                near.append(row, buffers, force=row[0] not in _WITH_PAYLOAD)
            elif node in self.ways.holds:
                self.ways.hold(node, self.node, self._hops_max, row, buffers)
            elif link.node == node:
                if link.is_kin:
                    self.near[node] = link
                link.append(row, buffers, force=row[0] not in _WITH_PAYLOAD)
            else:
                routed = (ROUTED, node, self.node, self._hops_max, row)
                link.append(routed, buffers, force=row[0] not in _WITH_PAYLOAD)
        except Overloaded as error:
            if row[0] not in (REPLY, FAILURE):
                raise
            self.ways.answer_overloaded(link, node, self.node, row[1], error)
        if row[0] == POST:
            self.note_post(node, row)

    def note_post(self, node: bytes, row: Row) -> None:
        """Take note of a post of this node that leaves for another one."""
        self.moves.posted.note(HEAD.unpack(row[1])[2], node, self.kernel.now)

    def _loop_back(self, row: Row, buffers: Sequence[Part], user: str) -> None:
        """Take a message to this node itself: its object came here while it was held back."""
        taken = [*row[:-1], [row[-1], *buffers]]
        if row[0] == CALL:
            taken[1] = HEAD.unpack(row[1])
            self.calls.serve(self.node, taken, user)
        elif row[0] == POST:
            taken[1] = HEAD.unpack(row[1])
            self.calls.take_post(self.node, taken, user)
        elif row[0] in (REPLY, FAILURE):
            self.calls.take_answer(self.node, taken)
        elif row[0] == CANCEL:
            self.calls.take_cancel(self.node, row[1])

    # --- receiving -------------------------------------------------------------------------

    def take(self, link: Link, row: list[Any]) -> None:
        """Take a message that came over a link. Raises `RemoteProtocolError`."""
        kind = row[0]
        if kind == ROUTED:
            self._take_routed(link, row)
        elif kind == ROUTES:
            self.route(routing.Heard(link.number, row[1]))
        elif kind == SERVICES:
            self.announce(routing.Heard(link.number, row[1]))
        else:
            self._take_own(link, link.node, row)

    def _take_own(self, link: Link, origin: bytes, row: list[Any]) -> None:
        kind = row[0]
        if kind in (REPLY, FAILURE):
            self.calls.take_answer(origin, row)
        elif kind == CANCEL:
            self.calls.take_cancel(origin, row[1])
        elif kind == FENCE:
            self.moves.take_fence(origin, row[1], Id(row[2]))
        elif kind == FENCED:
            self.moves.take_fenced(origin, row[1], is_kin=link.is_kin)
        elif kind == MOVED:
            if link.is_kin:
                self.moves.take_moved(origin, Id(row[1]), row[2])
        elif kind == PROBE:
            if link.is_kin:
                self.calls.rings.take_probe(origin, row)
        else:
            grant = link.grant
            assert grant is not None, "it was admitted before"
            refusal = None if grant.kin else refusal_of(self.kernel, link, row)
            if refusal is not None:
                self.calls.refuse(origin, row, refusal)
                return
            user = (row[3] or grant.user) if grant.kin else grant.user
            if kind == CALL:
                self.calls.serve(origin, row, user)
            else:
                self.calls.take_post(origin, row, user)

    def _take_routed(self, link: Link, row: list[Any]) -> None:
        _, destination, origin, hops, inner = row
        if not link.is_kin:
            raise RemoteProtocolError("only a peer with this node's key passes on messages")
        if destination == self.node:
            self._take_own(link, origin, inner)
            return
        kind, parts = inner[0], inner[-1]
        plain, buffers = inner, ()
        if kind in _WITH_PAYLOAD:
            plain, buffers = [*inner[:-1], parts[0]], parts[1:]
        if kind in (CALL, POST):
            plain[1] = _pack_head(inner)
        self.ways.pass_on(destination, origin, hops - 1, plain, buffers)

    # --- routes and services ---------------------------------------------------------------

    def route(self, event: routing.Event, reason: str = "it is lost") -> None:
        """Tell the core of routing what happened, and do what it says; ``reason`` is of a loss."""
        now = self.kernel.hub.time()
        effects = self.routing.handle(event, now)
        self.near.clear()
        for effect in effects:
            match effect:
                case routing.Tell(number, message):
                    self._tell(number, ROUTES, message)
                case routing.Reached(node, epoch, via, hops):
                    self._met.note(node)
                    self.ways.reached(node, epoch, via, hops)
                    self.announce(effect)
                    self._report(node, self.links[via].node)
                case routing.Lost(node):
                    self._met.note(node)
                    self.ways.lost(node, reason)
                    self.announce(effect)
                    self._report(node, None)
                case routing.Rerouted(node, via, hops):
                    self.ways.changed(node, via, hops)
                case routing.Reject(number, error):
                    self._accuse(number, error)
                case routing.Conflict(node, epochs, _):
                    _log.error(
                        "%d nodes run with the identity %s: give each a state directory of its own",
                        len(epochs),
                        _words(node),
                    )
        self._arm(self.routing, self.route)
        self.rivals.let_go()

    def announce(self, event: services.Event) -> None:
        """Tell the core of announced services what happened, and do what it says."""
        now = self.kernel.hub.time()
        for effect in self.announcements.handle(event, now):
            match effect:
                case routing.Tell(number, message):
                    self._tell(number, SERVICES, message)
                case services.Appeared(name, _, _):
                    self.kernel.services.appeared(name)
                case routing.Reject(number, error):
                    self._accuse(number, error)
        self._arm(self.announcements, self.announce)

    def _arm(self, core: Any, handle: Callable[[Any], None]) -> None:
        timer = self._timers.pop(core, None)
        if timer is not None:
            timer.cancel()
        due = core.next_deadline()
        if due is not None:
            self._timers[core] = self.kernel.timers.call_at(due, lambda: handle(routing.Tick()))

    def _tell(self, number: int, kind: int, message: Any) -> None:
        link = self.links.get(number)
        if link is not None and link.is_established:
            link.append((kind, message), (), force=True)

    def _accuse(self, number: int, error: RemoteProtocolError) -> None:
        link = self.links.get(number)
        if link is not None:
            link.accuse(error)

    def _report(self, node: bytes, via: bytes | None) -> None:
        for watcher in list(self.watchers):
            watcher(node, via)

    def provider(self, name: str) -> Ref | None:
        """Return the nearest object elsewhere that provides a service, or None."""
        for node, id in self.announcements.nearest(name, self.routing.hops_to):
            if node != self.node:
                return self.kernel.ref(id)
        return None

    create_spread = placement.create_spread
    service_rows = rows.service_rows
    peer_rows = rows.peer_rows


def _session_config(node: bytes, epoch: bytes, name: str, limits: Limits) -> SessionConfig:
    return SessionConfig(
        node,
        epoch,
        name[:64],
        features=frozenset({FINISH}),
        window_bytes=limits.link_window_bytes,
        # Of the two bounds the peer is told one.
        batch_bytes_max=min(limits.batch_bytes_max, limits.frame_bytes_max),
        ping_seconds=limits.ping_seconds,
        loss_seconds=limits.loss_seconds,
        hello_seconds=limits.hello_seconds,
        ack_seconds=limits.ack_seconds,
        pong_seconds=limits.pong_seconds,
    )


def _words(node: bytes) -> str:
    return str(creator_id(node)).partition("-")[0]


def _pack_head(row: list[Any]) -> bytes:
    head: bytes = HEAD.pack(*row[1])
    return head
