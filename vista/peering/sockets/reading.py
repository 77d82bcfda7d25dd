"""What every socket of ZeroMQ's here shares: its bounds, how it is read, and what is heard of it.

A socket's descriptor tells of changes only, so whoever sent or received looks at EVENTS again.
Sockets are read in bounded portions, so that other callbacks of the loop get their turn.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count
from typing import Any

import zmq

from vista.peering.transport import Part
from vista.peering.urls import PeerUrl

NOBLOCK = int(zmq.NOBLOCK)
MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_POLLIN = int(zmq.POLLIN)
_EVENTS = zmq.EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketBounds:
    """The bounds of a `ZeroMQNetwork`; the defaults are those of `vista.limits.Limits`."""

    frame_bytes_max: int = 64 * 1024 * 1024
    """Bytes one part may take; a peer that announces more is cut off before it is read."""

    large_buffer_bytes: int = 64 * 1024
    """Parts of this size and more are not copied: 17 us instead of 73 us for 64 KiB."""

    channel_messages_max: int = 256
    """Messages that wait in each direction of a channel, which are batches of a loop turn."""

    channel_bytes_max: int = 64 * 1024 * 1024
    """Bytes of large messages that wait to leave on a channel; one message more may begin."""

    connections_max: int = 10_000
    """Connections a listener holds, those that have said nothing among them; and never more than
    half of the descriptors the process may open."""

    handshake_seconds: float = 10.0
    """How long a connection may take to prove its key: a busy peer's loop has to answer."""

    linger_seconds: float = 1.0
    """How long what was sent may still leave after `close`."""

    retry_seconds_min: float = 0.05
    """The pause before a peer that is not there is tried again; each next one is twice as long."""

    retry_seconds_max: float = 5.0
    """The longest such pause: a peer that comes back is met after this time at the latest."""

    full_seconds: float = 0.001
    """The pause after a send that found the queue full; up to 64 times as long while it stays."""

    portion_messages: int = 64
    """Messages read from a socket before other callbacks get their turn."""

    portion_bytes: int = 1024 * 1024
    """Bytes read from a socket before other callbacks get their turn."""


def ignore() -> None:
    """What is called before and after reading until the owner has said what to call."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every socket of a network needs."""

    loop: asyncio.AbstractEventLoop
    bounds: SocketBounds
    context: zmq.Context[zmq.Socket[bytes]]
    numbers: Iterator[int] = field(default_factory=count)
    """For names that nothing in the context has had before."""
    begin: Callable[[], None] = ignore
    """Called before a portion of messages is handed on."""
    end: Callable[[], None] = ignore
    """Called after it."""

    def open(self, kind: int) -> zmq.Socket[bytes]:
        """Return a socket with the bounds set."""
        made = self.context.socket(kind)
        made.linger = 0
        made.copy_threshold = 0  # Who asks for no copy, and for its tracker, means it.
        made.sndhwm = made.rcvhwm = self.bounds.channel_messages_max
        made.maxmsgsize = self.bounds.frame_bytes_max
        made.handshake_ivl = int(self.bounds.handshake_seconds * 1000)
        return made

    def parts(self, frames: Sequence[zmq.Frame]) -> list[Part]:
        """Return received frames as parts, the large ones without a copy."""
        large = self.bounds.large_buffer_bytes
        return [
            frame.bytes if len(frame) < large else frame.buffer.toreadonly() for frame in frames
        ]


def peer_words(address: str) -> str:
    """Return for people what ZeroMQ says of where a peer is.

    That of IPv4 where it came to a socket for both, and the process where it came to one of the
    machine's own, of which ZeroMQ says ``localhost:USER:GROUP:PROCESS``.
    """
    host, *numbers = address.split(":")
    if host == "localhost" and len(numbers) == 3:
        return f"process {numbers[-1]}"
    return address.removeprefix("::ffff:")


def is_address(host: str) -> bool:
    """Whether a host is an IP address, for which nobody needs to be asked."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def endpoint(url: PeerUrl) -> str:
    """Return where a URL points to as ZeroMQ writes it, which is without the key."""
    if url.scheme == "ipc":
        return f"ipc://{url.path}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"tcp://{host}:{url.port}"


class Reader:
    """Reads a socket whenever there is something, in portions, and hands on the frames.

    ``drained`` is called each time that everything there was has been read. What ``deliver``
    raises reaches the loop's exception handler, and the reading goes on.
    """

    def __init__(
        self,
        site: Site,
        source: zmq.Socket[bytes],
        deliver: Callable[[list[zmq.Frame]], None],
        drained: Callable[[], None] | None = None,
    ) -> None:
        self.socket = source
        self._site = site
        self._deliver = deliver
        self._drained = drained
        self._descriptor = int(source.get(zmq.FD))
        self._events: Callable[[int], Any] = source.getsockopt
        self._is_scheduled = False
        self._is_reading = False
        self.is_closed = False
        site.loop.add_reader(self._descriptor, self._run)
        self.schedule()

    def look(self) -> None:
        """Look whether there is something to read: after each send, which may have eaten the
        notice."""
        if not (self._is_scheduled or self._is_reading) and self._events(_EVENTS) & _POLLIN:
            self.schedule()

    def schedule(self) -> None:
        """Read in the next turn of the loop."""
        if not self._is_scheduled and not self.is_closed:
            self._is_scheduled = True
            self._site.loop.call_soon(self._run_scheduled)

    def close(self, linger_seconds: float) -> None:
        """Read no more and close the socket; what was sent may leave for so long."""
        if not self.is_closed:
            self.is_closed = True
            self._site.loop.remove_reader(self._descriptor)
            self.socket.close(int(linger_seconds * 1000))

    def _run_scheduled(self) -> None:
        self._is_scheduled = False
        self._run()

    def _run(self) -> None:
        if self.is_closed:
            return
        self._site.begin()
        is_drained = False
        try:
            is_drained = self.read_portion()
            if is_drained and self._drained is not None and not self.is_closed:
                self._drained()
        finally:
            # Also after an error of the owner's, which goes on to the loop from here.
            if not is_drained:
                self.schedule()
            self._site.end()

    def read_portion(self) -> bool:
        """Read until there is nothing more or the portion is full; whether nothing is left."""
        try:
            # Not asked before: a notice nearly always means a message, and EVENTS costs 1.5 us.
            frame = self.socket.recv(NOBLOCK, False)
        except zmq.Again:
            return True
        self._is_reading = True
        try:
            return self._read_from(frame)
        finally:
            self._is_reading = False

    def _read_from(self, frame: zmq.Frame) -> bool:
        events, receive, bounds = self._events, self.socket.recv, self._site.bounds
        room = bounds.portion_bytes
        left = bounds.portion_messages
        while True:
            frames = [frame]
            while frames[-1].more:
                frames.append(receive(NOBLOCK, False))
            room -= sum(map(len, frames))
            self._deliver(frames)
            # Asked before each further one: the exception for nothing there costs 3.5 us.
            if self.is_closed or not events(_EVENTS) & _POLLIN:
                return True
            left -= 1
            if room <= 0 or not left:
                return False
            frame = receive(NOBLOCK, False)


class Monitor:
    """Tells what happens to the connections of a socket, as numbers: the event and its value."""

    def __init__(
        self, site: Site, watched: zmq.Socket[bytes], events: int, tell: Callable[[int, int], None]
    ) -> None:
        self._watched = watched
        self._tell = tell
        address = f"inproc://monitor-{next(site.numbers)}"
        watched.monitor(address, events)
        ear = site.context.socket(zmq.PAIR)
        # No bound: a full queue would stop the I/O thread, and with it every channel. What fills
        # it is bounded by the connections, which end only when these events are read.
        ear.rcvhwm = 0
        ear.connect(address)
        self._reader = Reader(site, ear, self._read)

    def _read(self, frames: list[zmq.Frame]) -> None:
        event, value = struct.unpack("=HI", frames[0].bytes)
        self._tell(event, value)

    def catch_up(self) -> None:
        """Tell at once all that happened until here."""
        while not self._reader.read_portion():
            pass

    def close(self) -> None:
        """Hear no more. Before the watched socket is closed."""
        # First the mouth, then the ear: the other way round the I/O thread waits for the ear.
        self._watched.disable_monitor()
        self._reader.close(0)
