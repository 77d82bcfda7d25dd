"""An address at which peers connect: one ROUTER, and a channel for each peer."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import secrets
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import zmq
from zmq.utils import z85

from vista.errors import PeerAddressError
from vista.peering.curve import public_key_of
from vista.peering.sockets.reading import (
    MORE,
    NOBLOCK,
    Monitor,
    Reader,
    Site,
    endpoint,
    is_address,
    peer_words,
)
from vista.peering.sockets.sending import CLOSING, Sender
from vista.peering.transport import Channel, Part
from vista.peering.urls import PeerUrl

_EVENTS = int(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
_ROUTING_ID_BYTES = 5


class _Accepted(Sender):
    """The channel of the side that listens: one routing id of the listener's ROUTER."""

    def __init__(
        self, site: Site, listener: Listener, routing_id: bytes, descriptor: int, first: zmq.Frame
    ) -> None:
        super().__init__(site)
        self._listener = listener
        self.routing_id = routing_id
        self.descriptor = descriptor
        self.user = listener.user_of(first)
        self.key = bytes.fromhex(self.user) if self.user else None
        self.words = f"{peer_words(str(first.get('Peer-Address')))} over {listener.words}"
        self.ending: str | None = None

    def send(self, parts: Sequence[Part]) -> bool:
        """Send a message; see `vista.peering.transport.Channel.send`."""
        reader = self._listener.reader
        try:
            sent = self._put(reader.socket, self.routing_id, parts)
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            # It left, and the monitor has not told yet: the loss tells what became of this.
            self._listener.expect_end(self, f"the connection of {self.words} broke")
            return True
        reader.look()
        return sent

    def close(self) -> None:
        """End the connection; see `vista.peering.transport.Channel.close`."""
        if self._is_over:
            return
        self.stop()
        self._listener.dismiss(self)

    def end(self) -> None:
        """Say that the connection is gone, unless its owner closed it."""
        if not self._is_over:
            self.stop()
            self.lost(self.ending or f"the connection of {self.words} broke")

    def deliver(self, parts: list[Part]) -> None:
        """Hand a message on; what comes after the end is nobody's."""
        if not self._is_over:
            self.receive(parts)


class Listener:
    """A ROUTER and the channels of its peers.

    ZeroMQ tells a loss by the descriptor of the connection, and each message tells on which one it
    came. Routing ids are never a peer's choice: they would let one claim the channel of another,
    or the id that ZeroMQ gives next, which ends the process (libzmq 4.3.5, socket_base.cpp:2113).
    """

    def __init__(
        self,
        site: Site,
        url: PeerUrl,
        secret_key: bytes | None,
        accept: Callable[[Channel], None],
    ) -> None:
        self._site = site
        self._accept = accept
        self._is_secured = url.scheme == "tcp"
        self._channels: dict[bytes, _Accepted] = {}
        self._by_descriptor: dict[int, _Accepted] = {}
        self._connections: dict[int, int] = {}
        self._ending: list[_Accepted] = []
        self._is_accepting = True
        self._connections_max = min(site.bounds.connections_max, _descriptors_max() // 2)
        _shuffle_routing_ids()
        router = site.open(zmq.ROUTER)
        self.domain = f"listener-{next(site.numbers)}".encode("ascii")
        router.router_mandatory = True
        router.backlog = 1024
        if secret_key is not None and self._is_secured:
            router.curve_server = True
            router.curve_secretkey = z85.encode(secret_key)
            router.zap_domain = self.domain
            url = replace(url, key=public_key_of(secret_key))
        self._monitor = Monitor(site, router, _EVENTS, self._happened)
        self.reader = Reader(site, router, self._deliver, self._drained)
        try:
            self.url = _bind(router, url)
        except PeerAddressError:
            self._monitor.close()
            self.reader.close(0)
            raise
        self.words = endpoint(self.url)
        self._file = _file(self.url.path)

    def close(self) -> None:
        """Accept no more peers; see `vista.peering.transport.Listener.close`.

        A tcp port stays taken until the last channel is gone, and who connects to it is cut off:
        ZeroMQ's unbind would break the connections too.
        """
        if self._is_accepting:
            self._is_accepting = False
            _remove(self.url.path, self._file)
            self._end_when_empty()

    def end(self) -> None:
        """Close everything; what was sent may still leave."""
        self._is_accepting = False
        for channel in [*self._channels.values(), *self._ending]:
            channel.stop()
        self._ending.clear()
        self._channels.clear()
        self._by_descriptor.clear()
        if not self.reader.is_closed:
            self._monitor.close()
            self.reader.close(self._site.bounds.linger_seconds)
            _remove(self.url.path, self._file)

    def expect_end(self, channel: _Accepted, why: str = "") -> None:
        """Tell the channel's owner of the loss, after what is still to be read."""
        if channel.ending is None:
            channel.ending = why or f"the connection of {channel.words} broke"
            self._ending.append(channel)
            self.reader.schedule()
            # Other peers may leave no moment in which everything is read.
            self._site.loop.call_later(self._site.bounds.linger_seconds, self._drained)

    def dismiss(self, channel: _Accepted) -> None:
        """Ask the peer to close the connection, and cut it when the time of lingering is over."""
        with contextlib.suppress(zmq.ZMQError):  # Full or gone: the cut, or nothing, is left.
            self.reader.socket.send(channel.routing_id, MORE)
            self.reader.socket.send(CLOSING, NOBLOCK)
        self.reader.look()
        self._site.loop.call_later(self._site.bounds.linger_seconds, self._cut_channel, channel)

    def user_of(self, frame: zmq.Frame) -> str:
        """The key of the peer that a frame came from, in hexadecimal; empty on ipc."""
        return str(frame.get("User-Id")) if self._is_secured else ""

    def _deliver(self, frames: list[zmq.Frame]) -> None:
        head = frames.pop(0)
        routing_id = head.bytes
        channel = self._channels.get(routing_id)
        if channel is not None and self._is_secured and self.user_of(head) != channel.user:
            # Ids cannot be guessed, and a wrong key would be the end of all rights: so it is
            # looked at for every message, which costs 0.9 us.
            self._finish(channel)
            channel = None
        if channel is None:
            channel = self._admit(routing_id, head)
        if channel is not None:
            parts = self._site.parts(frames)
            if parts == [CLOSING]:
                self._cut(channel.descriptor)
            else:
                channel.deliver(parts)

    def _admit(self, routing_id: bytes, head: zmq.Frame) -> _Accepted | None:
        self._monitor.catch_up()
        descriptor = int(head.get(zmq.SRCFD))
        if not self._is_accepting or len(routing_id) != _ROUTING_ID_BYTES or routing_id[0]:
            self._cut(descriptor)
            return None
        before = self._by_descriptor.get(descriptor)
        if before is not None:
            # The connection ended unseen, before its first message was read.
            self._finish(before)
        channel = _Accepted(self._site, self, routing_id, descriptor, head)
        self._channels[routing_id] = self._by_descriptor[descriptor] = channel
        if descriptor not in self._connections:
            self.expect_end(channel)
        is_taken = False
        try:
            self._accept(channel)
            is_taken = True
        finally:
            if not is_taken:
                channel.close()
        return channel

    def _happened(self, event: int, descriptor: int) -> None:
        if event == zmq.EVENT_ACCEPTED:
            self._connections[descriptor] = _inode(descriptor)
            if not self._is_accepting or len(self._connections) > self._connections_max:
                self._cut(descriptor)
        else:
            self._connections.pop(descriptor, None)
            channel = self._by_descriptor.get(descriptor)
            if channel is not None:
                self.expect_end(channel)

    def _drained(self) -> None:
        while self._ending:
            self._finish(self._ending[0])

    def _finish(self, channel: _Accepted) -> None:
        if channel in self._ending:
            self._ending.remove(channel)
        if self._channels.get(channel.routing_id) is channel:
            del self._channels[channel.routing_id]
        if self._by_descriptor.get(channel.descriptor) is channel:
            del self._by_descriptor[channel.descriptor]
        channel.end()
        self._end_when_empty()

    def _end_when_empty(self) -> None:
        if not self._is_accepting and not self._channels:
            self.end()

    def _cut_channel(self, channel: _Accepted) -> None:
        if self._by_descriptor.get(channel.descriptor) is channel:
            self._cut(channel.descriptor)

    def _cut(self, descriptor: int) -> None:
        """End a connection from this side, for which ZeroMQ has no call.

        By the time this runs the descriptor may be another file's: so a copy of it is compared
        with what was accepted, and the copy is what is shut down.
        """
        with contextlib.suppress(OSError):
            copy = socket.socket(fileno=os.dup(descriptor))
            with copy:
                if _inode(copy.fileno()) == self._connections.get(descriptor):
                    copy.shutdown(socket.SHUT_RDWR)


def _inode(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:  # It is closed already.
        return 0


def _descriptors_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize


def _shuffle_routing_ids() -> None:
    # libzmq counts its ids up from rand() and never calls srand(): the first would be the same in
    # every process, and whoever knows it can claim the next (see `Listener`).
    ctypes.CDLL(None).srand(ctypes.c_uint(secrets.randbits(32)))


def _bind(router: zmq.Socket[bytes], url: PeerUrl) -> PeerUrl:
    """Bind and return the URL with its real port. Raises `PeerAddressError`."""
    words = endpoint(url)
    try:
        if url.scheme == "ipc":
            with _claimed(Path(url.path)):
                router.bind(words)
            return url
        host = url.host if url.host == "*" or is_address(url.host) else _address_of(url)
        # Every interface is that of both protocols, where the system has both.
        router.ipv6 = host == "*" or ":" in host
        router.bind(endpoint(replace(url, host=host)))
    except (OSError, zmq.ZMQError) as error:
        raise PeerAddressError(f"cannot listen at {words}: {error.strerror}") from None
    return replace(url, port=int(_last(router).rpartition(":")[2]))


def _address_of(url: PeerUrl) -> str:
    """Return the address of a host that is named, one of IPv4 if it has any."""
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def _last(router: zmq.Socket[bytes]) -> str:
    bound = router.get(zmq.LAST_ENDPOINT)
    assert isinstance(bound, bytes)
    return bound.rstrip(b"\0").decode()


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold the directory while a socket file is made: ZeroMQ replaces also that of a live node."""
    with contextlib.ExitStack() as stack:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, directory)
        fcntl.flock(directory, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise FileExistsError(errno.EEXIST, "a file that is no socket is there")
            probe = stack.enter_context(socket.socket(socket.AF_UNIX))
            probe.setblocking(False)
            if probe.connect_ex(str(path)) not in (errno.ECONNREFUSED, errno.ENOENT):
                raise FileExistsError(errno.EADDRINUSE, "another process listens there")
        yield


def _file(path: str) -> int:
    return os.stat(path).st_ino if path else 0


def _remove(path: str, inode: int) -> None:
    """Remove the socket file unless another process has put its own there."""
    with contextlib.suppress(FileNotFoundError):
        if path and _file(path) == inode:
            os.unlink(path)
