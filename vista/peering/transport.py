"""What carries parts between two nodes: the interface of the real and of the simulated network.

A `Channel` is one connection to one peer. It keeps the order of what it carries and drops nothing
as long as it lasts; when it is lost it says so once and is of no more use. Who wants the peer back
opens another one. Everything is called on the node's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from vista.peering.urls import PeerUrl

Part = bytes | memoryview
"""One piece of a message; what was received is read only and may be kept."""


class Channel(Protocol):
    """One connection to one peer.

    ``key`` is the peer's public key (32 bytes), proven by the handshake, or None on a link that
    the socket directory protects. ``words`` says for logs where the peer is. Whoever is given a
    channel sets ``receive``, ``lost``, ``writable`` and, of one that connects, ``unreached`` before
    it returns to the loop.
    """

    key: bytes | None
    words: str
    receive: Callable[[list[Part]], None]
    """Called with the parts of each message that arrives."""
    lost: Callable[[str], None]
    """Called once, with the reason in words, when the connection is known to be gone; not after
    `close`."""
    writable: Callable[[], None]
    """Called when `send` may work again after it returned False."""
    unreached: Callable[[str], None]
    """Called with the reason in words when it is known why nobody is reached, which is tried again;
    and with an empty text when the connection stands after that."""

    def send(self, parts: Sequence[Part]) -> bool:
        """Send a message of one part or more; False when the queue to the peer is full.

        Then nothing was sent. The parts must not be changed afterwards: large ones are not copied.
        """

    def close(self) -> None:
        """End the connection; what was sent still leaves if the peer reads, within a bound."""


class Listener(Protocol):
    """An address at which peers may connect."""

    url: PeerUrl
    """What a peer needs to connect: the port is the real one, the key is in it."""

    def close(self) -> None:
        """Accept no more peers; channels that are open stay open."""


class Network(Protocol):
    """What opens channels."""

    def listen(
        self,
        url: PeerUrl,
        *,
        secret_key: bytes | None,
        admits: Callable[[bytes, str], bool],
        accept: Callable[[Channel], None],
    ) -> Listener:
        """Let peers connect at ``url``.

        ``secret_key`` (32 bytes) is this node's, needed for tcp. ``admits(key, where)`` is asked
        for each tcp peer that proved its key; refused ones never get a channel. ``accept`` gets a
        channel for each peer, not before its first message came. Raises `PeerAddressError` when
        the address cannot be used.
        """

    def connect(self, url: PeerUrl, *, secret_key: bytes | None) -> Channel:
        """Open a channel to a peer and return it at once.

        It takes messages immediately and carries them when the peer is there, which it waits for
        without bound, trying again and again with growing pauses. Once the connection stood and
        broke, the channel is lost. Raises `PeerAddressError` for a URL that cannot be used.
        """

    def close(self) -> None:
        """Close every listener and channel."""
