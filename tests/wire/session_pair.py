"""Two real sessions over a link that keeps order: each end, what is under way, and the clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vista.wire.hello import FINISH
from vista.wire.session import (
    Admit,
    Closed,
    Consumed,
    Deliver,
    Effect,
    Established,
    Event,
    Introduced,
    Opened,
    Part,
    PeerFinished,
    Received,
    Send,
    Session,
    SessionConfig,
    State,
    Tick,
    Transmit,
    WindowOpen,
)

STEPS_MAX = 10_000


def config(letter: str, **changes: Any) -> SessionConfig:
    """The settings of a node whose identity and epoch are made of one letter."""
    made = SessionConfig(
        letter.encode() * 10, letter.encode() * 8, f"node {letter}", features=frozenset({FINISH})
    )
    return replace(made, **changes)


class End:
    """One session, what it was told to do and what came out of it."""

    def __init__(self, settings: SessionConfig, *, initiator: bool) -> None:
        dice = random.Random(settings.node)
        self.session = Session(settings, dice.randbytes, initiator=initiator)
        self.grant = Admit(f"user of {settings.name}", frozenset({"call"}))
        self.admits = True
        self.outbox: deque[list[Part]] = deque()
        self.sent: list[list[Part]] = []
        self.introduced: list[Introduced] = []
        self.established: list[Established] = []
        self.delivered: list[Deliver] = []
        self.windows_opened = 0
        self.peer_finished = 0
        self.closed: Closed | None = None

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self.session.state

    def bodies(self) -> list[Sequence[Part]]:
        """The batches delivered so far."""
        return [delivered.parts for delivered in self.delivered]

    def take(self, effects: list[Effect]) -> None:
        """Note what the session wants done; nothing may follow its end."""
        for effect in effects:
            assert self.closed is None, f"{effect} after {self.closed}"
            match effect:
                case Transmit(parts):
                    self.outbox.append(parts)
                    self.sent.append(parts)
                case Introduced():
                    self.introduced.append(effect)
                case Established():
                    self.established.append(effect)
                case Deliver():
                    self.delivered.append(effect)
                case WindowOpen():
                    self.windows_opened += 1
                case PeerFinished():
                    self.peer_finished += 1
                case Closed():
                    self.closed = effect


class Pair:
    """An initiator and an acceptor; messages move when `carry`, `settle` or `advance` say so."""

    def __init__(
        self, initiator: SessionConfig | None = None, acceptor: SessionConfig | None = None
    ) -> None:
        self.initiator = End(initiator or config("i"), initiator=True)
        self.acceptor = End(acceptor or config("a"), initiator=False)
        self.ends = (self.initiator, self.acceptor)
        self.now = 1000.0
        for end in self.ends:
            self.do(end, Opened())

    def other(self, end: End) -> End:
        """The end on the other side."""
        return self.acceptor if end is self.initiator else self.initiator

    def do(self, end: End, event: Event) -> None:
        """Tell an end what happened; who is introduced is admitted, where the end admits."""
        known = len(end.introduced)
        end.take(end.session.handle(event, self.now))
        if len(end.introduced) > known and end.admits:
            self.do(end, end.grant)

    def carry(self, end: End) -> None:
        """Carry the oldest message that this end sent."""
        self.do(self.other(end), Received(end.outbox.popleft()))

    def settle(self) -> None:
        """Carry everything, both ways, until nothing is under way."""
        for _ in range(STEPS_MAX):
            waiting = [end for end in self.ends if end.outbox]
            if not waiting:
                return
            for end in waiting:
                self.carry(end)
        raise AssertionError("the ends never fall silent")

    def advance(self, seconds: float, *, cut: bool = False) -> None:
        """Let time pass, with a `Tick` at each deadline; messages take no time, or are all cut."""
        until = self.now + seconds
        for _ in range(STEPS_MAX):
            deadlines = [end.session.next_deadline() for end in self.ends]
            due = min((at for at in deadlines if at is not None), default=until)
            if due > until:
                break
            self.now = max(self.now, due)
            for end in self.ends:
                self.do(end, Tick())
                if cut:
                    end.outbox.clear()
            self.settle()
            if due == until and not any(deadlines):
                break
        self.now = until

    def send(self, end: End, *parts: bytes) -> None:
        """Send a batch of these parts."""
        self.do(end, Send(parts))

    def consume(self, end: End) -> None:
        """Work off all that was delivered to an end."""
        for delivered in end.delivered:
            self.do(end, Consumed(delivered.cost))
        end.delivered.clear()


def established_pair(**changes: Any) -> Pair:
    """A pair after its handshake, both ends with the same changes of their settings."""
    pair = Pair(config("i", **changes), config("a", **changes))
    pair.settle()
    assert pair.initiator.state is pair.acceptor.state is State.ESTABLISHED
    for end in pair.ends:
        end.sent.clear()
    return pair
