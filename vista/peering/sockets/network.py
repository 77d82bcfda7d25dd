"""The network itself, and who may come in: ZeroMQ asks about every key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq

from vista.errors import LocalProtocolError
from vista.peering.sockets.connector import Connector
from vista.peering.sockets.listener import Listener
from vista.peering.sockets.reading import Reader, Site, SocketBounds, endpoint, ignore, peer_words
from vista.peering.transport import Channel
from vista.peering.urls import PeerUrl


class ZeroMQNetwork:
    """Opens channels over ZeroMQ; implements `vista.peering.transport.Network`.

    Everything is called on ``loop``, asyncio's or uvloop's. Each network has a ZeroMQ context with
    an I/O thread of its own, so several may live in one process. ``begin`` and ``end`` are called
    around each portion of messages that is read.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bounds: SocketBounds | None = None,
        *,
        begin: Callable[[], None] = ignore,
        end: Callable[[], None] = ignore,
    ) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._site = Site(loop, bounds or SocketBounds(), context, begin=begin, end=end)
        # One socket of ZeroMQ's for each peer and two for its monitor; its own bound is 1,023.
        most = self._site.context.get(zmq.SOCKET_LIMIT)
        self._site.context.set(zmq.MAX_SOCKETS, min(most, 3 * self._site.bounds.connections_max))
        self._admission: _Admission | None = None
        self._listeners: list[Listener] = []
        self._connectors: set[Connector] = set()

    def listen(
        self,
        url: PeerUrl,
        *,
        secret_key: bytes | None,
        admits: Callable[[bytes, str], bool],
        accept: Callable[[Channel], None],
    ) -> Listener:
        """Let peers connect at ``url``; see `vista.peering.transport.Network.listen`."""
        if url.scheme == "tcp":
            if secret_key is None:
                raise LocalProtocolError(f"listening at {endpoint(url)} needs a secret key")
            if self._admission is None:
                self._admission = _Admission(self._site)
        listener = Listener(self._site, url, secret_key, accept)
        if self._admission is not None:
            self._admission.admits[listener.domain] = admits
        self._listeners.append(listener)
        return listener

    def connect(self, url: PeerUrl, *, secret_key: bytes | None) -> Channel:
        """Open a channel to a peer; see `vista.peering.transport.Network.connect`."""
        url.check_connectable()
        if url.scheme == "tcp" and secret_key is None:
            raise LocalProtocolError(f"connecting to {endpoint(url)} needs a secret key")
        return Connector(self._site, url, secret_key, self._connectors)

    def close(self) -> None:
        """Close every listener and channel; returns within the bound of lingering."""
        for connector in list(self._connectors):
            connector.close()
        for listener in self._listeners:
            listener.end()
        if self._admission is not None:
            self._admission.reader.close(0)
        self._site.context.term()


class _Admission:
    """Answers ZeroMQ's question whether a peer that proved its key may connect (RFC 27, ZAP)."""

    def __init__(self, site: Site) -> None:
        self.admits: dict[bytes, Callable[[bytes, str], bool]] = {}
        replier = site.context.socket(zmq.ROUTER)
        replier.bind("inproc://zeromq.zap.01")
        self.reader = Reader(site, replier, self._answer)

    def _answer(self, frames: list[zmq.Frame]) -> None:
        back, _, version, request, domain, where, _, mechanism, *credentials = (
            frame.bytes for frame in frames
        )
        status, user = b"400", b""
        try:
            admits = self.admits.get(domain)
            if admits is not None and mechanism == b"CURVE" and len(credentials) == 1:
                if admits(credentials[0], peer_words(where.decode("ascii"))):
                    status, user = b"200", credentials[0].hex().encode("ascii")
        finally:
            # An error of the owner's refuses the peer.
            answer = [back, b"", version, request, status, b"", user, b""]
            self.reader.socket.send_multipart(answer)
            self.reader.look()
