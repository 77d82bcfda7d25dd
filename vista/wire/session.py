"""The session of a link: one peer, one connection, from the hello to the goodbye.

Each message starts with a header of its own: a byte for its `Kind`, a token of 16 bytes and what
the kind needs. The parts of a batch follow it untouched. The initiator is the side that connected::

    initiator                                           acceptor
        HELLO: the magic, its token, who it is     ->   Introduced, Admit
    Introduced, Admit   <-   WELCOME: its token, who it is, what it grants
        CONFIRM: what it grants                    ->   Established
    Established

Three rules. Every message carries the token that its receiver drew. Without it a message is counted
as stale and changes nothing: what is left of an earlier connection, or was made up by somebody
else, does no harm. What `TABLE` does not allow, a number out of turn or bytes beyond the credit end
the session. Nothing that a peer sends raises: it gives effects, at worst `Closed` with the error.

Hot path, `Session.send` and `Session.received`: for a batch of one part of 100 bytes they take
1.0 us and 1.2 us, its `Consumed` 1.1 us and `Session.next_deadline` 0.3 us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.wire.codec import pack_plain
from vista.wire.credit import PART_COST, Credit, batch_cost
from vista.wire.hello import (
    FINISH,
    HELLO_BYTES_MAX,
    Hello,
    SessionConfig,
    decode_fields,
    decode_grant,
    decode_hello,
    decode_reason,
    decode_version,
    decode_versions,
    encode_grant,
    encode_hello,
    encode_reason,
    version_refusal,
)
from vista.wire.liveness import Liveness
from vista.wire.session_events import (
    COMPLETE,
    Admit,
    Close,
    Closed,
    Consumed,
    Deliver,
    Effect,
    Established,
    Event,
    Finish,
    Introduced,
    Lost,
    Opened,
    Part,
    PeerFinished,
    Received,
    Refuse,
    Send,
    Tick,
    Transmit,
    WindowOpen,
)
from vista.wire.session_headers import (
    BATCH,
    BATCH_BYTES,
    BATCH_CODE,
    FORMS,
    GREETING,
    MAGIC,
    NUMBER,
    PREFIX,
    TOKEN_BYTES,
    read_kind,
)
from vista.wire.session_states import LIVE, OVERDUE, TABLE, Kind, State, What, what_name

__all__ = [
    "Admit",
    "Close",
    "Closed",
    "Consumed",
    "Deliver",
    "Effect",
    "Established",
    "Event",
    "Finish",
    "Hello",
    "Introduced",
    "Kind",
    "Lost",
    "Opened",
    "Part",
    "PeerFinished",
    "Received",
    "Refuse",
    "Send",
    "Session",
    "SessionConfig",
    "State",
    "TABLE",
    "Tick",
    "Transmit",
    "WindowOpen",
    "batch_cost",
]


class Session:
    """The session of one link, told what happens and at what time; see the module's text.

    ``handle(event, now)`` takes an `Event` and gives the effects in the order in which they are to
    be carried out; ``now`` is in seconds of any clock that never goes back. After each call
    `next_deadline` says when a `Tick` is due. ``entropy(count)`` gives that many random bytes.

    The owner answers `Introduced` with `Admit` or `Refuse`, and gives the cost of each `Deliver`
    back by `Consumed` when the batch was worked off. A batch goes out by `send` if `fits` says so;
    otherwise a `WindowOpen` follows. The attributes may be read: ``state``; ``peer``, the `Hello`
    of the other side, or None; ``version`` and ``features``, what both sides speak;
    ``round_trip_seconds``, smoothed, or None before the first ping was answered; the counters
    ``batches_sent``, ``batches_received``, ``bytes_sent``, ``bytes_received`` (of bodies),
    ``pings_sent``, ``pings_received`` and ``stale``; and ``established_at``, or None.
    """

    def __init__(
        self, config: SessionConfig, entropy: Callable[[int], bytes], *, initiator: bool
    ) -> None:
        self.state = State.INITIATOR if initiator else State.ACCEPTOR
        self.peer: Hello | None = None
        self.version = 0
        self.features: frozenset[str] = frozenset()
        self.batches_sent = self.batches_received = self.bytes_sent = self.bytes_received = 0
        self.pings_received = self.stale = 0
        self.established_at: float | None = None
        self._config = config
        self._entropy = entropy
        self._token = b""
        self._peer_token = b""
        self._grant: tuple[str, frozenset[str]] = ("", frozenset())
        self._credit = Credit(config.window_bytes, config.batch_bytes_max)
        self._liveness = Liveness(config.ping_seconds, config.loss_seconds)
        self._hello_due = self._ack_due = 0.0
        self._ponged_at = float("-inf")

    # ---- what the owner asks

    @property
    def window(self) -> int:
        """Bytes of credit that are left for batches."""
        credit = self._credit
        return max(0, credit.peer_window - credit.sent + credit.sent_consumed)

    @property
    def round_trip_seconds(self) -> float | None:
        """How long a ping and its answer take, smoothed; None before the first answer."""
        return self._liveness.round_trip_seconds

    @property
    def heard_at(self) -> float:
        """When the last message of the peer came, in seconds of the clock."""
        return self._liveness.heard_at

    @property
    def pings_sent(self) -> int:
        """Pings sent."""
        return self._liveness.pings_sent

    @property
    def batch_bytes_max(self) -> int:
        """The greatest `batch_cost` the peer takes; 0 before it said so."""
        return self._credit.peer_batch_max

    def fits(self, parts: Sequence[Part]) -> bool:
        """Whether `send` takes these parts as a batch; if not, `WindowOpen` tells when it does.

        A batch of more than the whole window goes alone, when all before it were consumed. No
        `WindowOpen` comes for one of more than `batch_bytes_max`.
        """
        return self._credit.await_room(batch_cost(parts))

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, in seconds of the clock; None when only events can do anything."""
        if self.state is State.ESTABLISHED or self.state in LIVE:
            due, credit = self._liveness.due(), self._credit
            return min(due, self._ack_due) if credit.consumed > credit.told else due
        return self._hello_due if self.state in OVERDUE else None

    def is_due_after(self, time: float) -> bool:
        """Whether nothing can be due before ``time``, as far as it can be told at once."""
        is_told = self._credit.consumed == self._credit.told or self._ack_due >= time
        return is_told and self.state is State.ESTABLISHED and self._liveness.is_quiet_until(time)

    # ---- what happens

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take an event and give its effects.

        Raises `LocalProtocolError` for an event that `TABLE` does not allow in this state, for a
        batch that does not fit and for more consumed than came, and `BadValueError` for a grant out
        of bounds; the session stays as it was. Once it is closed it passes over everything.
        """
        if isinstance(event, Consumed) and self.state is State.ESTABLISHED:
            self._liveness.notice(now)
            return self._consume(event, now)
        if isinstance(event, Received):
            return self.received(event.parts, now)
        if isinstance(event, Send):
            parts = self.send(event.parts, now)
            return [Transmit(parts)] if parts else []
        if self.state is State.CLOSED:
            return []
        follows = self._follows(type(event))
        self._liveness.notice(now)
        return self._step(follows, _HANDLERS[type(event)](self, event, now))

    def send(self, parts: Sequence[Part], now: float) -> list[Part]:
        """The message that carries a batch, for who wants no `Send` and `Transmit` made.

        No parts once the session is closed. Raises as `handle` does.
        """
        if self.state is not State.ESTABLISHED:
            if self.state is State.CLOSED:
                return []
            self._follows(Send)
        credit, liveness = self._credit, self._liveness
        size = sum(map(len, parts))
        credit.spend(size + PART_COST * (1 + len(parts)))
        liveness.notice(now)
        liveness.sent_at = now
        self.bytes_sent += size
        self.batches_sent = number = self.batches_sent + 1
        consumed = credit.told = credit.consumed
        return [BATCH.pack(BATCH_CODE, self._peer_token, number, consumed), *parts]

    def received(self, parts: Sequence[Part], now: float) -> list[Effect]:
        """The effects of a message that came, for who wants no `Received` made.

        Never raises for what the parts hold; before `Opened` there cannot be any, which is
        `LocalProtocolError`.
        """
        cost = self.accept(parts, now)
        return [Deliver(parts[1:], cost)] if cost else self._judge(parts, now)

    def accept(self, parts: Sequence[Part], now: float) -> int:
        """The cost of a batch that calls for nothing but to `Deliver` ``parts[1:]``.

        0 for any other message, which has changed nothing yet: give it to `received`.
        """
        if self.state is not State.ESTABLISHED or not parts or len(parts[0]) != BATCH_BYTES:
            return 0
        kind, token, number, consumed = BATCH.unpack(parts[0])
        credit = self._credit
        is_ours = kind == BATCH_CODE and token == self._token
        if not is_ours or number != self.batches_received + 1 or not credit.is_plain(consumed):
            return 0
        size = sum(map(len, parts)) - BATCH_BYTES
        cost = size + PART_COST * len(parts)
        if not credit.may_arrive(cost):
            return 0
        self._liveness.handled_at = self._liveness.heard_at = now
        credit.sent_consumed = consumed
        credit.came += cost
        self.batches_received = number
        self.bytes_received += size
        return cost

    # ---- messages of the peer

    def _judge(self, parts: Sequence[Part], now: float) -> list[Effect]:
        """What the fast path did not take: a message that is no batch, or something wrong."""
        if self.state is State.CLOSED:
            return []
        if not self._token:
            raise LocalProtocolError("a message of the peer before Opened")
        self._liveness.notice(now)
        start = bytes(parts[0][: PREFIX.size]) if parts else b""
        hello_awaited = self.state is State.HELLO_AWAITED
        if start[1:] != (MAGIC if hello_awaited else self._token):
            if hello_awaited:
                return self._fail(RemoteProtocolError("the peer did not start with a vista hello"))
            self.stale += 1
            return []
        self._liveness.heard_at = now
        try:
            return self._take(parts, now)
        except RemoteProtocolError as error:
            return self._fail(error)

    def _take(self, parts: Sequence[Part], now: float) -> list[Effect]:
        kind = read_kind(parts)
        if kind not in TABLE[self.state]:
            raise RemoteProtocolError(f"a {kind.name} in the state {self.state.value}")
        if kind is Kind.BATCH:
            _, _, number, consumed = BATCH.unpack_from(parts[0])
            return self._take_batch(number, consumed, parts[1:])
        header, (bound, form) = bytes(parts[0]), FORMS[kind]
        values = form.unpack_from(header)[2:]
        told = decode_fields(header[form.size :]) if bound == HELLO_BYTES_MAX else {}
        effects = _HANDLERS[kind](self, (*values, told), now)
        return self._step(TABLE[self.state].get(kind, self.state), effects)

    def _take_hello(self, values: tuple[bytes, dict[Any, Any]], now: float) -> list[Effect]:
        self._peer_token, told = values
        theirs, ours = decode_versions(told), self._config.versions
        if not set(theirs) & set(ours):
            return self._end(version_refusal(theirs, ours))
        self.version = max(set(theirs) & set(ours))
        return self._meet(decode_hello(told))

    def _take_welcome(self, values: tuple[bytes, dict[Any, Any]], now: float) -> list[Effect]:
        self._peer_token, told = values
        self.version = decode_version(told, self._config.versions)
        self._grant = decode_grant(told)
        return self._meet(decode_hello(told))

    def _take_confirm(self, values: tuple[dict[Any, Any]], now: float) -> list[Effect]:
        self._grant = decode_grant(values[0])
        return self._establish(now)

    def _take_batch(self, number: int, consumed: int, body: Sequence[Part]) -> list[Effect]:
        if number != self.batches_received + 1:
            raise RemoteProtocolError(
                f"batch {number} where batch {self.batches_received + 1} was expected"
            )
        size = sum(map(len, body))
        cost = size + PART_COST * (1 + len(body))
        credit = self._credit
        credit.arrive(cost)
        effects: list[Effect] = []
        if consumed != credit.sent_consumed and credit.granted(consumed):
            effects.append(WindowOpen())
        self.batches_received = number
        self.bytes_received += size
        effects.append(Deliver(body, cost))
        return effects

    def _take_credit(self, values: tuple[int, dict[Any, Any]], now: float) -> list[Effect]:
        return [WindowOpen()] if self._credit.granted(values[0]) else []

    def _take_ping(self, values: tuple[int, dict[Any, Any]], now: float) -> list[Effect]:
        self.pings_received += 1
        if now - self._ponged_at < self._config.pong_seconds:
            return []
        self._ponged_at = self._liveness.sent_at = now
        return [self._transmit_number(Kind.PONG, values[0])]

    def _take_pong(self, values: tuple[int, dict[Any, Any]], now: float) -> list[Effect]:
        self._liveness.answered(values[0], now)
        return []

    def _take_bye(self, values: tuple[dict[Any, Any]], now: float) -> list[Effect]:
        word = "said goodbye" if self.state in LIVE else "refused"
        return [Closed(f"the peer {word}: {decode_reason(values[0])}", orderly=True)]

    def _take_fin(self, values: tuple[dict[Any, Any]], now: float) -> list[Effect]:
        if FINISH not in self.features:
            raise RemoteProtocolError("a FIN of a peer that does not have the feature")
        if self.state is State.FINISHED:
            return [COMPLETE]
        return [PeerFinished()]

    # ---- events of this side

    def _open(self, _event: Opened, now: float) -> list[Effect]:
        self._hello_due = now + self._config.hello_seconds
        self._token = self._entropy(TOKEN_BYTES)
        if self.state is State.ACCEPTOR:
            return []
        greeting = GREETING.pack(Kind.HELLO, MAGIC, self._token)
        return [Transmit([greeting + encode_hello(self._config)])]

    def _admit(self, event: Admit, now: float) -> list[Effect]:
        granted = encode_grant(event.user, event.rights)
        if self.state is State.INTRODUCED:
            greeting = GREETING.pack(Kind.WELCOME, self._peer_token, self._token)
            told = encode_hello(self._config, version=self.version, **granted)
            return [Transmit([greeting + told])]
        confirm = PREFIX.pack(Kind.CONFIRM, self._peer_token) + pack_plain(granted)
        return [Transmit([confirm]), *self._establish(now)]

    def _close(self, event: Close | Refuse, now: float) -> list[Effect]:
        return self._end(event.reason)

    def _finish(self, _event: Finish, now: float) -> list[Effect]:
        if FINISH not in self.features:
            raise LocalProtocolError("Finish for a peer that does not have the feature")
        self._liveness.sent_at = now
        sent = Transmit([PREFIX.pack(Kind.FIN, self._peer_token)])
        return [sent] if self.state is State.ESTABLISHED else [sent, COMPLETE]

    def _lose(self, event: Lost, now: float) -> list[Effect]:
        self.state = State.CLOSED
        return [Closed(event.reason, orderly=False)]

    def _consume(self, event: Consumed, now: float) -> list[Effect]:
        credit = self._credit
        if credit.consumed == credit.told:
            self._ack_due = now + self._config.ack_seconds
        credit.consume(event.bytes)
        return [self._tell_credit(now)] if credit.is_pressing() else []

    def _tick(self, _event: Tick, now: float) -> list[Effect]:
        if self.state not in LIVE:
            return self._tick_handshake(now)
        liveness, credit = self._liveness, self._credit
        if liveness.is_lost(now):
            return self._end(f"silent for {self._config.loss_seconds:g} s", orderly=False)
        effects: list[Effect] = []
        if liveness.wants_ping(now):
            effects.append(self._transmit_number(Kind.PING, liveness.ping(now)))
        if credit.consumed > credit.told and now >= self._ack_due:
            effects.append(self._tell_credit(now))
        return effects

    def _tick_handshake(self, now: float) -> list[Effect]:
        if self.state not in OVERDUE or now < self._hello_due:
            return []
        if now > self._hello_due + self._config.ping_seconds:
            # This process was stopped: what the peer said meanwhile is still to be read.
            self._hello_due = now + self._config.ping_seconds
            return []
        words = OVERDUE[self.state]
        return self._end(f"{words} within {self._config.hello_seconds:g} s", orderly=False)

    # ---- steps

    def _follows(self, what: What) -> State:
        if what not in TABLE[self.state]:
            raise LocalProtocolError(f"{what_name(what)} in the state {self.state.value}")
        return TABLE[self.state][what]

    def _step(self, follows: State, effects: list[Effect]) -> list[Effect]:
        """Go to the state of the table, unless what happened closed the session."""
        if self.state is not State.CLOSED:
            self.state = follows
        return effects

    def _meet(self, hello: Hello) -> list[Effect]:
        if (hello.node, hello.epoch) == (self._config.node, self._config.epoch):
            return self._end("the peer is this node itself")
        self.peer = hello
        self.features = self._config.features & hello.features
        return [Introduced(hello)]

    def _establish(self, now: float) -> list[Effect]:
        assert self.peer is not None
        self.established_at = now
        self._liveness.start(now)
        self._credit.meet(self.peer.window_bytes, self.peer.batch_bytes_max)
        return [Established(self.peer, *self._grant)]

    def _tell_credit(self, now: float) -> Effect:
        self._liveness.sent_at = now
        self._credit.told = self._credit.consumed
        return self._transmit_number(Kind.CREDIT, self._credit.told)

    def _transmit_number(self, kind: Kind, number: int) -> Effect:
        return Transmit([NUMBER.pack(kind, self._peer_token, number)])

    def _fail(self, error: RemoteProtocolError) -> list[Effect]:
        return self._end(str(error), orderly=False, error=error)

    def _end(
        self, reason: str, *, orderly: bool = True, error: RemoteProtocolError | None = None
    ) -> list[Effect]:
        """Close the session, and say why to a peer whose token is known."""
        self.state = State.CLOSED
        closed = Closed(reason, orderly, error)
        if not self._peer_token:
            return [closed]
        return [
            Transmit([PREFIX.pack(Kind.BYE, self._peer_token) + encode_reason(reason)]),
            closed,
        ]


_HANDLERS: dict[What, Callable[[Session, Any, float], list[Effect]]] = {
    Opened: Session._open,
    Admit: Session._admit,
    Refuse: Session._close,
    Close: Session._close,
    Finish: Session._finish,
    Lost: Session._lose,
    Consumed: Session._consume,
    Tick: Session._tick,
    Kind.HELLO: Session._take_hello,
    Kind.WELCOME: Session._take_welcome,
    Kind.CONFIRM: Session._take_confirm,
    Kind.CREDIT: Session._take_credit,
    Kind.PING: Session._take_ping,
    Kind.PONG: Session._take_pong,
    Kind.BYE: Session._take_bye,
    Kind.FIN: Session._take_fin,
}
