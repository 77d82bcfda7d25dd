"""The channel of the side that connects: one DEALER that connects once and never again.

So nothing that was queued for a peer can reach the one that comes after it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import zmq
from zmq.utils import z85

from vista.peering.curve import public_key_of
from vista.peering.sockets.knocking import knock, knock_at_socket
from vista.peering.sockets.reading import Monitor, Reader, Site, endpoint, is_address
from vista.peering.sockets.sending import CLOSING, Sender
from vista.peering.transport import Part
from vista.peering.urls import PeerUrl, key_text

_EVENTS = int(
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What a socket cannot be made for when the process, or the system, has no more to give."""

# ZeroMQ adds a random part of as much again, and both together must stay below 2**31 ms.
_NEVER_MILLISECONDS = 2**30 - 1


class Connector(Sender):
    """The channel of the side that connects.

    Messages wait here until the handshake is done; a socket that fails before is thrown away and
    another one tried after a pause. One that stood and broke ends the channel.
    """

    def __init__(
        self, site: Site, url: PeerUrl, secret_key: bytes | None, open_ones: set[Connector]
    ) -> None:
        super().__init__(site)
        self.key = url.key
        self.words = endpoint(url)
        self._url = url
        self._secret_key = secret_key
        self._open_ones = open_ones
        self._waiting: deque[Sequence[Part]] = deque()
        self._waiting_bytes = 0
        self._endpoint = ""
        self._stands = False
        self._failures = 0
        self._why = ""
        self._unreached = ""
        self._knocking: asyncio.Task[None] | None = None
        self._ending: str | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._monitor: Monitor | None = None
        open_ones.add(self)
        self._begin()

    def send(self, parts: Sequence[Part]) -> bool:
        """Send a message; see `vista.peering.transport.Channel.send`."""
        if self._stands and self._reader is not None:
            sent = self._put(self._reader.socket, None, parts)
            self._reader.look()
            return sent
        return self._keep(parts)

    def close(self) -> None:
        """End the connection; see `vista.peering.transport.Channel.close`."""
        self.stop()
        self._stop_knocking()
        self._release(self._site.bounds.linger_seconds if self._stands else 0)
        self._open_ones.discard(self)

    def _keep(self, parts: Sequence[Part]) -> bool:
        size = sum(map(len, parts))
        if self._is_over or not size:
            raise self._misuse()
        bounds = self._site.bounds
        if self._waiting:
            if len(self._waiting) >= bounds.channel_messages_max:
                return self._wait_for_room()
            if self._waiting_bytes + size > bounds.channel_bytes_max:
                return self._wait_for_room()
        self._waiting.append(parts)
        self._waiting_bytes += size
        return True

    def _begin(self) -> None:
        self._retry = None
        if self._url.scheme == "ipc" or is_address(self._url.host):
            self._attempt(self.words)
        else:
            # ZeroMQ would ask the name server in its I/O thread and stop every channel meanwhile.
            self._resolving = self._site.loop.create_task(self._resolve())

    async def _resolve(self) -> None:
        try:
            found = await self._site.loop.getaddrinfo(
                self._url.host, self._url.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            self._tell_unreached(f"host {self._url.host} is not found: {error.strerror}")
            self._try_later()
        else:
            # Attempts take the addresses in turn: a name may have one that nobody answers at.
            address = found[self._failures % len(found)][4][0]
            self._attempt(endpoint(replace(self._url, host=str(address))))
        self._resolving = None

    def _attempt(self, endpoint: str) -> None:
        try:
            self._open(endpoint)
        except zmq.ZMQError as error:
            self._release(0)
            if error.errno not in _NO_ROOM:
                raise
            # Others may give theirs back: what is wrong here says nothing of the peer.
            self._try_later()

    def _open(self, endpoint: str) -> None:
        dealer = self._site.open(zmq.DEALER)
        dealer.reconnect_ivl = _NEVER_MILLISECONDS
        dealer.connect_timeout = int(self._site.bounds.handshake_seconds * 1000)
        dealer.ipv6 = "[" in endpoint
        if self._url.scheme == "tcp" and self._secret_key is not None and self.key is not None:
            dealer.curve_serverkey = z85.encode(self.key)
            dealer.curve_secretkey = z85.encode(self._secret_key)
            dealer.curve_publickey = z85.encode(public_key_of(self._secret_key))
        self._endpoint = endpoint
        self._reader = Reader(self._site, dealer, self._deliver, self._drained)
        self._monitor = Monitor(self._site, dealer, _EVENTS, self._happened)
        dealer.connect(endpoint)

    def _happened(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._stand()
        elif event == zmq.EVENT_CONNECT_RETRIED:
            if not self._stands and self._ending is None:
                self._release(0)
                self._ask_why()
                self._try_later()
        elif event == zmq.EVENT_DISCONNECTED:
            self._ending = self._why or f"the connection to {self.words} broke"
            if self._reader is not None:
                # What came before the break is still to be read.
                self._reader.schedule()
        else:
            self._why = self._refusal(event, value)

    def _stand(self) -> None:
        assert self._reader is not None
        self._stands = True
        self._stop_knocking()
        self._tell_unreached("")
        while self._waiting:
            is_sent = self._put(self._reader.socket, None, self._waiting.popleft())
            assert is_sent  # Both queues have the same bounds.
        self._reader.look()

    def _ask_why(self) -> None:
        """Find out why an attempt failed, once: ZeroMQ does not tell, and tries on."""
        if self._unreached or self._knocking is not None:
            return
        if self._url.scheme == "ipc":
            self._tell_unreached(knock_at_socket(self._url.path))
        else:
            self._knocking = self._site.loop.create_task(self._knock(self._endpoint))

    async def _knock(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        seconds = self._site.bounds.handshake_seconds
        self._tell_unreached(await knock(host.strip("[]"), int(port), seconds))
        self._knocking = None

    def _tell_unreached(self, reason: str) -> None:
        if reason != self._unreached:
            self._unreached = reason
            self.unreached(reason)

    def _stop_knocking(self) -> None:
        if self._knocking is not None:
            self._knocking.cancel()
            self._knocking = None

    def _refusal(self, event: int, value: int) -> str:
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            own = key_text(public_key_of(self._secret_key)) if self._secret_key else "KEY"
            return (
                f"the peer at {self.words} does not know this node's key; "
                f"there: vista authorize {own} USER call"
            )
        return (
            f"the peer at {self.words} ended the handshake: it is no node of vista's, it has "
            "another key than the URL says, or it stopped"
        )

    def _try_later(self) -> None:
        bounds = self._site.bounds
        pause = bounds.retry_seconds_min * 2 ** min(self._failures, 30)
        self._failures += 1
        self._retry = self._site.loop.call_later(min(pause, bounds.retry_seconds_max), self._begin)

    def _deliver(self, frames: list[zmq.Frame]) -> None:
        parts = self._site.parts(frames)
        if parts == [CLOSING]:
            self._ending = f"the peer at {self.words} closed the connection"
            self._drained()
        else:
            self.receive(parts)

    def _drained(self) -> None:
        if self._ending is not None:
            self.stop()
            self._release(0)
            self._open_ones.discard(self)
            self.lost(self._ending)

    def _release(self, linger_seconds: float) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._resolving is not None:
            self._resolving.cancel()
        if self._monitor is not None:
            self._monitor.close()
        if self._reader is not None:
            self._reader.close(linger_seconds)
        self._monitor = self._reader = None
