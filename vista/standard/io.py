"""Input and output: one class for every transport, and listening for connections.

`IOobject` and `AcceptConnection`; `ReadBuffer` and `SendFile`, which work with any object that
answers an IOobject's messages, are in `vista.standard.streams` and can be had from here too.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from vista.api import create, current_user, post, self_ref, send
from vista.errors import BadValueError, CallError, UsageError
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.standard.addresses import parse_address
from vista.standard.bounds import (
    ACCEPT_PAUSE_SECONDS,
    CONNECTIONS_MAX,
    READ_BYTES_DEFAULT,
    READ_BYTES_MAX,
)
from vista.standard.channel_table import channel_table
from vista.standard.channels import Channel, ListeningChannel, WatchedChannel, closed_error
from vista.standard.notices import Target, client_or_sender, notify, start_thread
from vista.standard.opening import address_of, adopt_socket, open_channel
from vista.standard.streams import ReadBuffer, SendFile

__all__ = ["AcceptConnection", "IOobject", "ReadBuffer", "SendFile"]

_log = logging.getLogger(__name__)


class IOobject(Object, namespace="Standard"):
    """A file or a connection: reads and writes bytes, and tells when it can.

    rc line: ``log = IOobject file:/tmp/log.txt,a``

    ``create(name)`` takes a transport address and opens it:

    - ``file:PATH,OPTION``: OPTION is ``r`` (when left out), ``w`` (made empty or made), ``a``
      (appended to) or ``rw`` (made if absent, kept if not);
    - ``tcp:HOST:PORT``, ``unix:PATH``: connects; gives up after 30 seconds;
    - ``tcp:HOST:PORT,l``, ``unix:PATH,l``, ``tcp:0.0.0.0:PORT``: listens. Port 0 takes a free one;
      see `get_address`.

    Creating raises OSError (FileNotFoundError, ConnectionRefusedError ...) with the address in its
    text, or `BadValueError` for a text that is no address; no object is left then.

    Reading and writing wait in their own thread only. A write returns when the system has taken
    every byte, so a slow reader slows the writer; several writers take turns. Nothing is read
    ahead. An object that is deleted closes its descriptor.

    Notifications, each after one ``select_for_...``: ``can_read(io)``, ``can_write(io)``; from one
    that listens ``connection_accepted(io)`` with the IOobject of the new connection.

    The original's IOobject.
    """

    def create(self, name: str | int) -> None:
        """Open ``name``: a transport address."""
        self.initialize(name)

    def initialize(self, name: str | int) -> int:
        """Open ``name``; a derived class calls this from its own ``create``.

        Besides an address, ``name`` may be the number of a channel of this node that no object
        has. Returns the number that `get_id` returns.
        """
        self.address = "it"
        self.io_id = -1
        self.delete_on_close = False
        table = channel_table(kernel())
        if not isinstance(name, int):
            name = table.add(open_channel(kernel().hub, table.count, parse_address(name)))
        self.address = table.claim(name).name
        self.io_id = name
        return name

    def delete(self) -> None:
        """Close the descriptor."""
        self._close(Channel.close)

    def get_id(self) -> int:
        """Return the number of the open channel on its node, or -1 when it is closed."""
        return self.io_id

    def get_descriptor(self) -> int:
        """Return the operating system's descriptor, or -1 when it is closed."""
        return self._channel().descriptor if self.io_id >= 0 else -1

    def get_address(self) -> str:
        """Return the address it has, with the port that was taken for port 0.

        For a connection it is this side's end.
        """
        sock = self._socket()
        return self.address if sock is None else address_of(sock) or self.address

    def get_peer_address(self) -> str | None:
        """Return the address of the other side of a connection, or None when it has none."""
        sock = self._socket()
        if sock is None or isinstance(self._channel(), ListeningChannel):
            return None
        return address_of(sock, peer=True) or None

    def set_delete_on_close(self) -> None:
        """Have the object delete itself once it is closed; use it when handing the object over."""
        self.delete_on_close = True

    def clear_delete_on_close(self) -> None:
        """Have the object stay when it is closed, as it does unless told otherwise."""
        self.delete_on_close = False

    def select_for_read(self, client: Target | None = None) -> None:
        """Post ``can_read(io)`` to ``client``, once, when there are bytes, or the end, to read.

        One that listens accepts one connection and posts ``connection_accepted(io)`` instead.
        ``client`` is the sender when left out. Asking twice for the same client is asking once.
        Raises OSError when it is closed.
        """
        self._select(self._channel(), client_or_sender(client), to_write=False)

    def select_for_write(self, client: Target | None = None) -> None:
        """Post ``can_write(io)`` to ``client``, once, when the system would take bytes.

        ``client`` is the sender when left out. Raises OSError when it is closed.
        """
        self._select(self._channel(), client_or_sender(client), to_write=True)

    def read_bytes(self, maximum: int | None = None) -> bytes:
        """Read what is there and return it; nothing (``b""``) is the end. Waits for the first byte.

        Returns at most ``maximum`` bytes: 65,536 when left out, and never more than 1,048,576.
        Raises OSError when it is closed or the connection broke.
        """
        if maximum is None:
            maximum = READ_BYTES_DEFAULT
        elif maximum < 1:
            raise BadValueError(f"read_bytes takes 1 byte or more, not {maximum}")
        return self._channel().read(min(maximum, READ_BYTES_MAX))

    def write_bytes(self, data: bytes | str) -> int:
        """Write all of ``data`` (a str as UTF-8) and return its number of bytes.

        Waits until the system took them. Raises OSError when it is closed, the reader went away or
        took nothing for 60 seconds, and `Overloaded` when more than 16 MiB of other writes wait. A
        write that was cut off in the middle closes the writing side.
        """
        return self._channel().write([_bytes_of(data)])

    def write_vector_of_bytes(self, vector: list[bytes | str]) -> int:
        """Write all parts in order, as one write, and return their bytes. See `write_bytes`."""
        return self._channel().write([_bytes_of(part) for part in vector])

    def close(self) -> None:
        """Close both directions; threads that wait for it get OSError. Harmless done twice."""
        self._close_and_perhaps_delete(Channel.close)

    def close_for_read(self) -> None:
        """Read no more. What can only be read is closed by it."""
        self._close_and_perhaps_delete(Channel.close_for_read)

    def close_for_write(self) -> None:
        """Write no more: the other side reads the end. What can only be written is closed by it."""
        self._close_and_perhaps_delete(Channel.close_for_write)

    def _close_and_perhaps_delete(self, closing: Callable[[Channel], None]) -> None:
        self._close(closing)
        if self.io_id < 0 and self.delete_on_close:
            # As a message from the object to itself: that is allowed whoever asked for the closing.
            send(self_ref(self), "delete_yourself")

    def _close(self, closing: Callable[[Channel], None]) -> None:
        if self.io_id >= 0:
            channel = self._channel()
            closing(channel)
            if not (channel.reads or channel.writes):
                self.io_id = -1

    def _channel(self) -> Channel:
        channel = channel_table(kernel()).find(self.io_id)
        if channel is None:
            self.io_id = -1
            raise closed_error(self.address)
        return channel

    def _socket(self) -> socket.socket | None:
        channel = self._channel() if self.io_id >= 0 else None
        return channel.socket if isinstance(channel, WatchedChannel) else None

    def _select(self, channel: Channel, target: Target, *, to_write: bool) -> None:
        me, home, user = self_ref(self), kernel(), current_user()
        key = (to_write, target)
        if key in channel.selecting:
            return

        def tell() -> None:
            channel.selecting.discard(key)
            if not (channel.writes if to_write else channel.reads):
                return
            if isinstance(channel, ListeningChannel):
                start_thread(home, user, lambda: self._accept_one(channel, target))
            else:
                notify(home, user, target, "can_write" if to_write else "can_read", me)

        channel.when_ready(to_write=to_write, callback=tell)
        channel.selecting.add(key)

    def _accept_one(self, channel: ListeningChannel, target: Target) -> None:
        sock = channel.accept()
        if sock is None:
            # Somebody else was quicker; the next one is waited for.
            self._select(channel, target, to_write=False)
        else:
            self._hand_over(sock, target)

    def _hand_over(self, sock: socket.socket, target: Target) -> Channel:
        """Make an IOobject of a new connection and give it to the client."""
        table = channel_table(kernel())
        channel = adopt_socket(kernel().hub, table.count, f"connection to {self.address}", sock)
        home, accepted, is_taken = kernel(), None, False
        try:
            accepted = create(IOobject, table.add(channel))
            accepted.set_delete_on_close()
            is_taken = self._is_taken(accepted, target)
        finally:
            # Open still when the thread is killed: then nobody else would ever close it.
            if not is_taken and channel.descriptor >= 0:
                if accepted is None:
                    channel.close()
                else:
                    home.post_quietly(accepted, "delete_yourself")
        return channel

    def _is_taken(self, accepted: Ref, target: Target) -> bool:
        """Give a new connection to the client; return whether there is one."""
        try:
            post(target, "connection_accepted", accepted)
        except (CallError, UsageError) as error:
            _log.warning("%s: a connection was closed, nobody takes it: %s", self.address, error)
            accepted.close()
            return False
        return True


class AcceptConnection(IOobject, namespace="Standard"):
    """Listens on an address and hands every connection to a client.

    rc line: ``AcceptConnection tcp:0.0.0.0:4321 MyService``

    ``create(address, client=None, connections_max=1000)``: ``address`` is ``tcp:HOST:PORT`` or
    ``unix:PATH`` (a stale socket file is replaced), ``client`` a Ref or a service name, the sender
    when left out. At ``connections_max`` open connections it accepts no more until one closes;
    128 more wait in the system's backlog. Deleting or closing it stops listening; connections that
    were handed over stay.

    Notification: ``connection_accepted(io)``, a fresh IOobject that deletes itself when closed
    (see `IOobject.clear_delete_on_close`). When the client cannot be reached the connection is
    closed and the log says so. When a thread that accepts is killed, or fails, the log says that
    too, and it accepts again a second later; only what the thread had in hand is closed.

    Creating raises OSError, with the address in its text, when it cannot listen there.

    The original's AcceptConnection, whose page is lost; its users show what it did.
    """

    def create(  # type: ignore[override]
        self,
        address: str,
        client: Target | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        """Listen on ``address``."""
        if connections_max < 1:
            raise BadValueError(f"connections_max must be 1 or more, not {connections_max}")
        self.client: Target = client_or_sender(client)
        self.connections_max = connections_max
        self.connections = 0
        self.initialize(str(parse_address(address, listens=True)))
        self._user = current_user()
        self._await_connection()

    def get_connections(self) -> int:
        """Return how many of the connections it accepted are open."""
        return self.connections

    def select_for_read(self, client: Target | None = None) -> None:
        """Refused: it accepts by itself. Raises `BadValueError`."""
        raise BadValueError("an AcceptConnection accepts by itself; use an IOobject that listens")

    def _await_connection(self) -> None:
        channel = self._listening()
        if channel is not None:
            channel.when_ready(to_write=False, callback=self._start_accepting)

    def _start_accepting(self) -> None:
        home = self._record.kernel
        start_thread(home, self._user, self._accept_waiting).on_done(self._go_on_if_failed)

    def _go_on_if_failed(self, ended: Future) -> None:
        if ended.exception() is not None and self._listening() is not None:
            _log.warning("%s: connections are accepted again in a moment", self.address)
            self._accept_later()

    def _accept_later(self) -> None:
        self._record.kernel.timers.call_later(ACCEPT_PAUSE_SECONDS, self._start_accepting)

    def _listening(self) -> ListeningChannel | None:
        channel = channel_table(self._record.kernel).find(self.io_id)
        return channel if isinstance(channel, ListeningChannel) else None

    def _accept_waiting(self) -> None:
        """Accept all that wait, as far as there is room; then wait for more."""
        while self.connections < self.connections_max:
            channel = self._listening()
            if channel is None:
                return
            try:
                sock = channel.accept()
            except OSError as error:
                _log.warning("%s: cannot accept for now: %s", self.address, error)
                self._accept_later()
                return
            if sock is None:
                self._await_connection()
                return
            self._count_and_hand_over(sock)

    def _count_and_hand_over(self, sock: socket.socket) -> None:
        def closed() -> None:
            self.connections -= 1
            if self.connections == self.connections_max - 1:
                self._start_accepting()

        self.connections += 1
        try:
            channel = self._hand_over(sock, self.client)
        except BaseException:
            # What had it is gone, and with it the connection.
            self.connections -= 1
            raise
        if channel.descriptor < 0:
            closed()
        else:
            channel.on_closed.append(closed)


def _bytes_of(data: bytes | str) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if not isinstance(data, bytes):
        raise BadValueError(f"only bytes and str can be written, not {type(data).__name__}")
    return data
