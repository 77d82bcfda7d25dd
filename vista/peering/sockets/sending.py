"""The sending half of a channel: large parts without a copy, and a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from vista.errors import LocalProtocolError
from vista.peering.sockets.reading import MORE, NOBLOCK, Site
from vista.peering.transport import Part

CLOSING = b""
"""The message by which a listener asks its peer to close: no other message is empty."""


def _ignore(what: object = None) -> None:
    """What a channel calls until its owner has said what to call."""


class Sender:
    """The sending half of a channel: what is on the way, and when there is room again."""

    key: bytes | None = None
    words: str = ""

    def __init__(self, site: Site) -> None:
        self.receive: Callable[[list[Part]], None] = _ignore
        self.lost: Callable[[str], None] = _ignore
        self.writable: Callable[[], None] = _ignore
        self.unreached: Callable[[str], None] = _ignore
        self._site = site
        self._underway: deque[tuple[zmq.MessageTracker, int]] = deque()
        self._underway_bytes = 0
        self._is_over = False
        self._pauses = 0
        self._full: asyncio.TimerHandle | None = None

    def _has_room(self, size: int) -> bool:
        """Whether a message of so many bytes may be sent as far as bytes are concerned."""
        while self._underway and self._underway[0][0].done:
            self._underway_bytes -= self._underway.popleft()[1]
        # An empty queue takes any message, or one larger than the bound would never leave.
        most = self._site.bounds.channel_bytes_max
        return not self._underway or self._underway_bytes + size <= most

    def _put(self, outlet: zmq.Socket[bytes], head: bytes | None, parts: Sequence[Part]) -> bool:
        """Send without waiting; False when the queue is full, and then nothing was sent.

        Raises `LocalProtocolError` for a channel that is over and for a message without a byte.
        """
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        if self._is_over or not size:
            raise self._misuse()
        large = self._site.bounds.large_buffer_bytes
        if self._underway and not self._has_room(size):
            return self._wait_for_room()
        last = len(parts) - 1
        try:
            if head is not None:
                outlet.send(head, MORE)
            for number, part in enumerate(parts):
                flags = NOBLOCK if number == last else MORE
                if size >= large and (number == last or len(part) >= large):
                    tracker = outlet.send(part, flags, False, number == last)
                    if number == last:
                        # Parts leave in order: with the last one the whole message is gone.
                        self._underway.append((tracker, size))
                        self._underway_bytes += size
                else:
                    outlet.send(part, flags)
        except zmq.Again:
            return self._wait_for_room()
        self._pauses = 0
        return True

    def _misuse(self) -> LocalProtocolError:
        if self._is_over:
            return LocalProtocolError(f"send on a channel that is over, to {self.words}")
        return LocalProtocolError("a message needs a part that is not empty")

    def _wait_for_room(self) -> bool:
        # ZeroMQ has no notice of room for one peer of many, nor for bytes.
        if self._full is None:
            pause = self._site.bounds.full_seconds * 2 ** min(self._pauses, 6)
            self._pauses += 1
            self._full = self._site.loop.call_later(pause, self._try_again)
        return False

    def _try_again(self) -> None:
        self._full = None
        self.writable()

    def stop(self) -> None:
        """Nothing is sent or told from here on."""
        self._is_over = True
        if self._full is not None:
            self._full.cancel()
            self._full = None
