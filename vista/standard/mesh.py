"""Meshes: nodes that find one another without being told where, each linked with all others."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista.api import create, post
from vista.errors import BadValueError, PeerAddressError
from vista.ids import node_text
from vista.kernel.current import kernel
from vista.kernel.objects import Object
from vista.peering.beacons import (
    Announce,
    Beacons,
    Connect,
    Effect,
    Event,
    Forget,
    Heard,
    LinkDown,
    LinkUp,
    Met,
    Started,
    Stranger,
    Tick,
)
from vista.peering.connections import Connection, listen_url, peering_of
from vista.peering.datagrams import (
    EVERYWHERE,
    GROUP,
    GROUP_IPV6,
    LOOPBACK,
    DatagramNetwork,
    Datagrams,
    Group,
    MulticastNetwork,
)
from vista.peering.keys import socket_directory
from vista.peering.urls import PeerUrl

if TYPE_CHECKING:
    from vista.kernel.refs import Ref
    from vista.kernel.timers import Timer
    from vista.peering.links import Link
    from vista.peering.peering import Peering

_log = logging.getLogger("vista.peering")


class AutomaticIPCMesh(Object, namespace="Standard"):
    """Links this node with all others of its kind on this machine or in the LAN, by itself.

    rc line: ``AutomaticIPCMesh``, ``AutomaticIPCMesh 0.0.0.0``, ``AutomaticIPCMesh tcp:HOST:PORT``

    ``create(address, domain, interval_seconds, multicast)`` does what AcceptPeerConnections does
    for the address, announces it to a multicast group, and connects to those it hears there.

    - ``address``: ``ipc`` (the default) or ``ipc:NAME`` for the nodes of this user on this machine;
      ``0.0.0.0`` or ``tcp:PORT`` for those of the LAN, at each interface; ``tcp:HOST:PORT`` at one.
      ``::`` or an IPv6 address meet by IPv6. A host alone means any free port.
    - ``domain``: a name; nodes of other domains are ignored.
    - ``interval_seconds``: how often it announces itself; ``limits.mesh_interval_seconds`` if left
      out.
    - ``multicast``: the group, as ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``.

    Who may link is decided as for any link: by the key, or on ``ipc`` by the directory of sockets.
    A node with another key is let in when it stands in ``authorized_peers`` here, and this one
    there; the log has the line. Linked nodes with this node's own key take part in ``spread``
    placement and CreateOnEveryNode. Deleting the object ends the links it opened.

    Raises `PeerAddressError` for an address or a group that cannot be used, `BadValueError` for a
    domain or an interval that cannot be, and `KeyFileError`.

    The original's AutomaticIPCMesh, whose ``localSecret`` the keys replace.
    """

    def create(
        self,
        address: str = "ipc",
        domain: str = "vista",
        interval_seconds: float | None = None,
        multicast: str | None = None,
    ) -> None:
        """Listen at the address, announce it and connect to those that are heard."""
        for word in (address, domain, "" if multicast is None else multicast):
            if not isinstance(word, str):
                raise BadValueError(
                    "address, domain and multicast group of a mesh are texts, none is "
                    f"{word!r:.80}; write such as AutomaticIPCMesh 0.0.0.0 vista 5 {GROUP}"
                )
        node = kernel()
        address = _whole_address(address)
        host = _interface(listen_url(node, address))
        group = _group_of(host, multicast)
        peering = peering_of(node)
        if interval_seconds is None:
            interval_seconds = node.limits.mesh_interval_seconds
        beacons = Beacons(
            peering.node,
            peering.session_config.epoch,
            peering.trust.own_key,
            domain=domain,
            interval_seconds=interval_seconds,
            limits=node.limits,
            admits=lambda key: peering.trust.grant_of(key) is not None,
            has_socket=lambda path: datagrams.has_socket(path),
            dice=node.hub.random,
        )
        network: DatagramNetwork = node.settings.get("datagrams") or MulticastNetwork(node.hub.loop)
        datagrams = network.join(group, host, node.limits.mesh_datagram_bytes_max)
        try:
            self._accepting: Ref = create("AcceptPeerConnections", address)
            url = PeerUrl.parse(self._accepting.get_url())
        except BaseException:
            datagrams.close()
            raise
        self._member = _Member(peering, beacons, datagrams, f"the mesh {domain} at {group}")
        self._member.start(url)

    def get_url(self) -> str:
        """Return the URL by which peers connect."""
        url: str = self._accepting.get_url()
        return url

    def get_state(self) -> dict[str, Any]:
        """Return what is known of the mesh.

        ``domain``, ``interval_seconds``; ``urls`` that are announced; ``contacts``, which are the
        nodes that were heard: for each ``node``, ``linked``, ``urls``, ``trying`` (the URL that
        this node tries to connect to, or None) and ``heard_seconds_ago``; ``linked``, those of them
        with a link; how many datagrams were ``announced``, how many ``heard`` and believed, and how
        many ``ignored`` for which reason, see `vista.peering.beacons.REASONS`.
        """
        return self._member.state()

    def delete(self) -> None:
        """Announce nothing any more, let nobody in and end the links that this object opened."""
        self._member.close()
        post(self._accepting, "delete_yourself")


def _whole_address(text: str) -> str:
    """Return an address with the port that a host alone leaves out: any."""
    address = _address(text)
    if isinstance(address, IPv6Address):
        return f"tcp:[{text}]:0"
    return text if address is None and text not in EVERYWHERE else f"tcp:{text}:0"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _group_of(host: str, multicast: str | None) -> Group:
    """Return the group of a mesh whose nodes are at ``host`` and the like.

    Raises `PeerAddressError` for one that cannot be.
    """
    usual = GROUP_IPV6 if ":" in host else GROUP
    group = usual if multicast is None else Group.parse(multicast)
    if group.is_ipv6 is not usual.is_ipv6:
        raise PeerAddressError(
            f"multicast group {group}: a mesh at {host} needs one such as {usual}"
        )
    return group


def _interface(url: PeerUrl) -> str:
    """Return the host at whose interface who listens at ``url`` joins the group.

    Raises `PeerAddressError` for what cannot be announced.
    """
    if url.scheme == "ipc":
        directory = socket_directory()
        if Path(url.path).parent != directory:
            raise PeerAddressError(
                f"{url}: the sockets of a mesh are in {directory}, where its nodes look; write "
                "ipc or ipc:NAME"
            )
        return LOOPBACK
    address = _address(url.host)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise PeerAddressError(
            f"{url}: an address of one link means something else on each node; write another one "
            "of the interface, or :: for all"
        )
    if url.host in EVERYWHERE or address is not None:
        return url.host if address is None else str(address)
    try:
        return socket.gethostbyname(url.host)
    except OSError as error:
        raise PeerAddressError(f"{url}: {error.strerror or error}") from None


class _Member:
    """A node's part in a mesh: carries out what its `Beacons` decide.

    ``words`` say for the log which mesh it is. Of each URL there is one connection, also when two
    nodes are heard there one after the other, as when a node was started again.
    """

    def __init__(
        self, peering: Peering, beacons: Beacons, datagrams: Datagrams, words: str
    ) -> None:
        self._peering = peering
        self._kernel = peering.kernel
        self._beacons = beacons
        self._datagrams = datagrams
        self._words = words
        self._url = PeerUrl("ipc", path="/none")
        self._wanted: dict[bytes, PeerUrl] = {}
        self._connections: dict[PeerUrl, Connection] = {}
        self._added: set[bytes] = set()
        self._timer: Timer | None = None
        self._due: float | None = None
        self._closed = False

    def start(self, url: PeerUrl) -> None:
        """Take part as a node that can be reached at ``url``, whose host may be any of its own."""
        self._url = url
        self._datagrams.receive = lambda data, source: self._handle(Heard(data, source))
        self._peering.rivals.on_settled.append(self._settled)
        self._kernel.on_close.insert(0, self._end)
        for link in list(self._peering.links.values()):
            if link.is_established:
                self._settled(link)
        self._handle(Started(self._urls()))

    def _urls(self) -> dict[str, PeerUrl]:
        places = self._datagrams.places
        if self._url.scheme == "ipc":
            return dict.fromkeys(places, self._url)
        return {place: replace(self._url, host=place) for place in places}

    def close(self) -> None:
        """Take part no more."""
        self._kernel.on_close.remove(self._end)
        self._end()
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        for node in self._added:
            self._peering.mesh.remove(node)
        self._added.clear()

    def _end(self) -> None:
        """Hear and announce nothing more; when the node stops, its links end anyhow."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._datagrams.close()
        self._peering.rivals.on_settled.remove(self._settled)

    # --- what happens ----------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        for effect in self._beacons.handle(event, self._kernel.hub.time()):
            self._do(effect)
        due = self._beacons.next_deadline()
        if due is None or due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._kernel.timers.call_at(due, self._tick)

    def _tick(self) -> None:
        self._due = None
        if self._datagrams.refresh():
            self._handle(Started(self._urls()))
        self._handle(Tick())
        self._drop_unwanted()

    def _settled(self, link: Link) -> None:
        assert link.hello is not None, "messages can cross it"
        link.on_end.append(lambda reason: self._ended(link))
        self._beacons.handle(LinkUp(link.node, link.hello.epoch), self._kernel.hub.time())
        self._join(link.node)

    def _ended(self, link: Link) -> None:
        node = link.node
        if self._closed:
            return
        if self._link_to(node) is None and node in self._beacons.linked:
            self._handle(LinkDown(node))
            self._leave(node)

    def _link_to(self, node: bytes) -> Link | None:
        for link in self._peering.links.values():
            if link.node == node and link.is_established:
                return link
        return None

    def _do(self, effect: Effect) -> None:
        match effect:
            case Announce(place, data):
                self._datagrams.send(place, data)
            case Met(node):
                self._join(node)
            case Connect(node, url):
                self._connect(node, url)
            case Forget(node):
                self._wanted.pop(node, None)
                self._drop_unwanted()
            case Stranger(key, url):
                where = f"{self._words}, {replace(url, key=None)}"
                _log.warning("refused a peer: %s", self._peering.trust.refusal(key, where))

    # --- what follows ----------------------------------------------------------------------

    def _connect(self, node: bytes, url: PeerUrl) -> None:
        self._wanted[node] = url
        known = self._connections.get(url)
        if known is None:
            self._connections[url] = Connection(self._peering, url)
        else:
            # It may pause for long, and who is heard is there.
            known.hurry()
        self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        """Close the connections to URLs at which nobody is heard, unless somebody is there."""
        wanted = set(self._wanted.values())
        for url, connection in list(self._connections.items()):
            if url not in wanted and not connection.is_linked:
                connection.close()
                del self._connections[url]

    def _join(self, node: bytes) -> None:
        """Have a node take part in placement that was heard, is linked, and is kin."""
        link = self._link_to(node)
        if link is None or not link.is_kin or node in self._added:
            return
        if node in self._beacons.contacts:
            self._added.add(node)
            self._peering.mesh.add(node)

    def _leave(self, node: bytes) -> None:
        if node in self._added:
            self._added.remove(node)
            self._peering.mesh.remove(node)

    def state(self) -> dict[str, Any]:
        """Return what is known of the mesh; see `AutomaticIPCMesh.get_state`."""
        found = self._beacons
        now = self._kernel.hub.time()
        contacts = [
            {
                "node": node_text(contact.node),
                "linked": contact.node in found.linked,
                "urls": [str(url) for url in contact.urls],
                "trying": None if contact.trying is None else str(contact.trying),
                "heard_seconds_ago": now - contact.heard_at,
            }
            for contact in found.contacts.values()
        ]
        return {
            "domain": found.domain,
            "interval_seconds": found.interval_seconds,
            "urls": [str(url) for url in self._urls().values()],
            "contacts": contacts,
            "linked": [contact["node"] for contact in contacts if contact["linked"]],
            "announced": found.announced,
            "heard": found.heard,
            "ignored": {reason: count for reason, count in found.ignored.items() if count},
        }
