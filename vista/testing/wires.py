"""What lies between two simulated nodes: how slow it is, how much it holds, when it is cut.

A `Wire` leads from one node to another, the way back is another wire. A `Stream` is one direction
of one connection on it. As with TCP a stream keeps its order and drops nothing as long as it
lasts; what cannot pass a partition waits for its end.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import asyncio

    from vista.testing.hub import SimulatedHub


def call_at(hub: SimulatedHub, due: float, callback: Callable[..., Any], *args: Any) -> Any:
    """Have the loop call something at ``due``, in nobody's name: not in that of who sends."""
    return hub.loop.call_at(due, callback, *args, context=Context())


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a wire behaves; every time is in virtual seconds.

    A message takes ``delay_seconds`` and up to ``jitter_seconds`` more, and with ``tail_chance``
    besides a time that is ``tail_seconds`` in the mean and may be much longer.
    ``bytes_per_second`` is shared by all that goes the same way between two nodes.
    `Channel.send` returns False while ``queue_messages_max`` messages of a channel or
    ``queue_bytes_max`` bytes have not arrived.

    When a connection breaks, an end learns of it within ``notice_seconds``; with ``late_chance``
    within ``late_seconds`` and with ``half_open_chance`` never. What cannot pass a partition for
    about ``patience_seconds`` breaks the connection for who sent it. A closed channel tries for
    ``linger_seconds`` to bring away what was sent. Who connects to nobody tries again, at first
    after ``retry_seconds``, at last after ``retry_seconds_max``.
    """

    delay_seconds: float = 0.0005
    jitter_seconds: float = 0.0005
    tail_chance: float = 0.0
    tail_seconds: float = 0.1
    bytes_per_second: float = 1e8
    queue_messages_max: int = 1000
    queue_bytes_max: int = 64 * 1024 * 1024
    notice_seconds: float = 0.05
    late_chance: float = 0.2
    late_seconds: float = 10.0
    half_open_chance: float = 0.1
    patience_seconds: float = 20.0
    linger_seconds: float = 1.0
    retry_seconds: float = 0.05
    retry_seconds_max: float = 5.0

    @classmethod
    def drawn(cls, dice: random.Random) -> Self:
        """Draw conditions, from steps that lie far apart: a fast wire, a far one, a bad one."""
        delay = dice.choice((0.00005, 0.001, 0.05))
        return cls(
            delay_seconds=delay,
            jitter_seconds=delay * dice.choice((0.0, 0.5, 5.0)),
            tail_chance=dice.choice((0.0, 0.0, 0.01, 0.1)),
            tail_seconds=dice.choice((0.01, 0.1, 1.0)),
            bytes_per_second=dice.choice((1e9, 1e8, 1e6)),
            queue_messages_max=dice.choice((2, 50, 1000)),
        )


class Wire:
    """The way from the node ``source`` to the node ``target``.

    ``slowness`` multiplies every time on it, see `slow`; ``blocks`` counts the partitions across
    it, see `block` and `lift`. ``busy`` are the streams that have something under way.
    """

    def __init__(self, hub: SimulatedHub, source: str, target: str, conditions: Conditions) -> None:
        self.hub = hub
        self.source = source
        self.target = target
        self.conditions = conditions
        self.slowness = 1.0
        self.blocks = 0
        self.busy: dict[Stream, None] = {}
        self._free_at = 0.0
        self._held: dict[Stream, None] = {}

    def delay(self) -> float:
        """Draw how long something is under way."""
        now, dice = self.conditions, self.hub.dice
        seconds = now.delay_seconds + dice.random() * now.jitter_seconds
        if now.tail_chance and dice.random() < now.tail_chance:
            seconds += dice.expovariate(1.0 / now.tail_seconds)
        return seconds * self.slowness

    def arrival(self, size: int) -> float:
        """Return when ``size`` bytes arrive that are sent at this moment."""
        start = max(self.hub.now, self._free_at)
        self._free_at = start + size * self.slowness / self.conditions.bytes_per_second
        return self._free_at + self.delay()

    def slow(self, factor: float) -> None:
        """Let every time be ``factor`` times that of the conditions, also of what is under way."""
        now, change = self.hub.now, factor / self.slowness
        self.slowness = factor
        self._free_at = now + max(0.0, self._free_at - now) * change
        for stream in self.busy:
            stream.stretch(now, change)

    def block(self) -> None:
        """Let nothing pass until `lift` was called as often."""
        self.blocks += 1

    def lift(self) -> None:
        """Undo one `block`; after the last one what was held goes on."""
        self.blocks -= 1
        if not self.blocks:
            held, self._held = self._held, {}
            for stream in held:
                stream.go_on()

    def hold(self, stream: Stream) -> None:
        """Have a stream go on when the wire is no longer blocked."""
        self._held[stream] = None


class _Passage:
    """A message under way, or the end of the stream if ``parts`` is None."""

    __slots__ = ("due", "parts", "size", "words")

    def __init__(self, parts: list[bytes] | None, words: str = "") -> None:
        self.parts = parts
        self.words = words
        self.size = 0 if parts is None else sum(map(len, parts))
        self.due = 0.0


class Stream:
    """One direction of a connection: what was sent and has not arrived.

    ``deliver(parts)`` is called for each message, in order, and ``ended(words)`` after the last;
    ``room()`` when something may be sent again; ``expired()`` when nothing passed for too long.
    Until `start` names the wire everything waits.
    """

    def __init__(
        self,
        hub: SimulatedHub,
        conditions: Conditions,
        *,
        room: Callable[[], None],
        expired: Callable[[], None],
    ) -> None:
        self.deliver: Callable[[list[bytes]], None] = _ignore
        self.ended: Callable[[str], None] = _ignore
        self.patience = conditions.patience_seconds
        self._conditions = conditions
        self._room = room
        self._expired = expired
        self._hub = hub
        self._wire: Wire | None = None
        self._passages: deque[_Passage] = deque()
        self._count = 0
        self._bytes = 0
        self._last_due = 0.0
        self._full = False
        self._broken = False
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None

    def start(self, wire: Wire) -> None:
        """Carry what was sent and will be."""
        self._wire = wire
        self._conditions = wire.conditions
        for passage in self._passages:
            self._schedule(passage)
        self._arm()

    def push(self, parts: Sequence[bytes | memoryview]) -> bool:
        """Send a message; False when the stream is full."""
        passage = _Passage([bytes(part) for part in parts])
        bounds = self._conditions
        if self._count and (
            self._count >= bounds.queue_messages_max
            or self._bytes + passage.size > bounds.queue_bytes_max
        ):
            self._full = True
            return False
        self._count += 1
        self._bytes += passage.size
        # A broken stream takes what it has room for, as a socket does whose peer is gone.
        if not self._broken:
            self._append(passage)
        return True

    def push_end(self, words: str, after: float = 0.0) -> None:
        """Have the other end told that nothing more comes, ``after`` seconds or later."""
        passage = _Passage(None, words)
        self._last_due = max(self._last_due, self._hub.now + after)
        self._append(passage)
        self._broken = True

    def cut(self, kept: int) -> None:
        """Lose all that is under way but the first ``kept``, and all that is sent from now on."""
        while len(self._passages) > kept:
            self._passages.pop()
        self._last_due = self._passages[-1].due if self._passages else 0.0
        self._broken = True
        if not self._passages:
            self._disarm()

    def stop(self) -> None:
        """Deliver nothing more."""
        self.cut(0)

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def empty(self) -> bool:
        """Whether everything that was sent arrived."""
        return not self._passages

    def _append(self, passage: _Passage) -> None:
        self._passages.append(passage)
        if self._wire is not None:
            self._schedule(passage)
            if len(self._passages) == 1:
                self._arm()

    def _schedule(self, passage: _Passage) -> None:
        assert self._wire is not None
        passage.due = self._last_due = max(self._last_due, self._wire.arrival(passage.size))

    def _arm(self) -> None:
        if self._passages and self._timer is None and self._expiry is None:
            assert self._wire is not None
            self._wire.busy[self] = None
            self._timer = call_at(self._hub, self._passages[0].due, self._arrive)

    def stretch(self, now: float, change: float) -> None:
        """Let what is under way take ``change`` times the time it still needs."""
        for passage in self._passages:
            passage.due = now + max(0.0, passage.due - now) * change
        self._last_due = now + max(0.0, self._last_due - now) * change
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._arm()

    def _disarm(self) -> None:
        if self._wire is not None:
            self._wire.busy.pop(self, None)
        for handle in (self._timer, self._expiry):
            if handle is not None:
                handle.cancel()
        self._timer = self._expiry = None

    def _arrive(self) -> None:
        """Deliver the first one, if the wire lets it pass."""
        self._timer = None
        wire = self._wire
        assert wire is not None
        if wire.blocks:
            wire.hold(self)
            patience = self.patience * (0.5 + self._hub.dice.random())
            self._expiry = call_at(self._hub, self._hub.now + patience, self._expire)
            return
        passage = self._passages.popleft()
        if passage.parts is None:
            self.ended(passage.words)
        else:
            self._count -= 1
            self._bytes -= passage.size
            self.deliver(passage.parts)
        self._tell_room()
        self._arm()
        if not self._passages:
            wire.busy.pop(self, None)

    def _tell_room(self) -> None:
        bounds = self._conditions
        if (
            self._full
            and not self._broken
            and self._count * 2 <= bounds.queue_messages_max
            and self._bytes * 2 <= bounds.queue_bytes_max
        ):
            self._full = False
            call_at(self._hub, self._hub.now, self._room)

    def _expire(self) -> None:
        self._expiry = None
        self._expired()

    def go_on(self) -> None:
        """Called when the wire is free again."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._arm()


def _ignore(_: Any) -> None:
    """Nobody wants to know."""
