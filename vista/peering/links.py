"""Links: what joins a channel, its session and the messages that cross it.

Messages sent in one turn of the loop leave as one batch, or several where they are large; see
`vista.peering.outgoing`. Two rules. What a session calls for is carried out in order. A link ends
once, and says why.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from vista.errors import CallTimeout, PeerLost, RemoteProtocolError
from vista.peering.outgoing import Outgoing
from vista.peering.transport import Channel
from vista.peering.trust import Grant
from vista.wire.frames import (
    CALL,
    CALLS,
    POST,
    POSTS,
    REPLIES,
    REPLY,
    Part,
    Row,
)
from vista.wire.hello import FINISH
from vista.wire.plain import in_rows
from vista.wire.session import (
    Admit,
    Close,
    Closed,
    Consumed,
    Deliver,
    Effect,
    Established,
    Finish,
    Hello,
    Introduced,
    Lost,
    Opened,
    PeerFinished,
    Refuse,
    Session,
    State,
    Tick,
    Transmit,
    WindowOpen,
)
from vista.wire.session_states import Kind

if TYPE_CHECKING:
    from vista.kernel.timers import Timer
    from vista.peering.peering import Peering

_CREDIT: Final = int(Kind.CREDIT)

_WORDS: Final = frozenset({_CREDIT, int(Kind.PING), int(Kind.PONG)})

_log = logging.getLogger("vista.peering")


def _as_nobody(function: Callable[..., None], *args: Any) -> None:
    """Call what the loop calls in the name of no thread, not of the one that opened the channel."""
    Context().run(function, *args)


class Link:
    """One link to one peer, from the channel's opening to its end.

    ``number`` is used once on a node. ``hello`` is what the peer said of itself, None before that;
    ``grant`` what it may do here; ``acting_user`` and ``acting_rights`` what this node may do
    there. ``is_congested`` says that calls are to wait. ``ended`` is why it ended, or None, and
    ``complete`` that everything had arrived then which was sent.
    """

    def __init__(self, peering: Peering, number: int, channel: Channel, *, initiator: bool) -> None:
        self.number = number
        self.channel = channel
        self.initiator = initiator
        self.session = Session(
            peering.session_config, peering.kernel.hub.entropy, initiator=initiator
        )
        self.hello: Hello | None = None
        self.grant: Grant | None = None
        self.acting_user = ""
        self.acting_rights: frozenset[str] = frozenset()
        self.ended: str | None = None
        self.complete = False
        self.messages_sent = self.messages_received = 0
        self.on_up: Callable[[], None] = lambda: None
        self.on_end: list[Callable[[str], None]] = []
        self.on_unreached: Callable[[str], None] = lambda reason: None
        self._peering = peering
        self._kernel = peering.kernel
        self._messages_max = peering.kernel.limits.link_messages_max
        self.outgoing = Outgoing(
            peering.kernel, peering.frames, self._flush_soon, lambda: self.words, self._note_post
        )
        self._batch: list[Part] | None = None
        # Why the link is to end when all has left, or None.
        self._finishing: str | None = None
        self._unsent: deque[list[Part]] = deque()
        # Words of the session for which there was no room, by kind. Of each the last one is enough.
        self._words: dict[int, list[Part]] = {}
        self._timer: Timer | None = None
        self._waiting: list[Callable[[], None]] = []
        channel.receive = partial(_as_nobody, self._receive)
        channel.lost = partial(_as_nobody, self._lost)
        channel.writable = partial(_as_nobody, self._writable)
        channel.unreached = lambda reason: _as_nobody(self.on_unreached, reason)

    def open(self) -> None:
        """Begin the handshake."""
        self._handle(Opened())

    @property
    def node(self) -> bytes:
        """The identity of the peer, empty before it said so."""
        return b"" if self.hello is None else self.hello.node

    @property
    def is_kin(self) -> bool:
        """Whether the peer has this node's own key, and so is the same user's."""
        return self.grant is not None and self.grant.kin

    @property
    def is_established(self) -> bool:
        """Whether messages cross it."""
        return self.session.state is State.ESTABLISHED

    @property
    def waiting_messages(self) -> int:
        """How many messages wait to leave."""
        return self.outgoing.waiting_messages

    @property
    def waiting_bytes(self) -> int:
        """For how many bytes they are counted."""
        return self.outgoing.waiting_bytes

    @property
    def is_congested(self) -> bool:
        """Whether so much waits to leave that calls should wait before they are sent."""
        return self.outgoing.is_congested

    def close(self, reason: str) -> None:
        """End the link; the peer is told the reason."""
        self._handle(Close(reason))

    @property
    def is_finishing(self) -> bool:
        """Whether `finish` was called."""
        return self._finishing is not None

    @property
    def can_finish(self) -> bool:
        """Whether it can end by `finish`: the peer of an older version cannot."""
        return FINISH in self.session.features

    def finish(self, reason: str) -> None:
        """End the link when all has left that waits, and all has come that the peer sends.

        From now on nothing is to be sent over it. The peer is asked to do the same.
        """
        if self._finishing is None and self.ended is None:
            self._finishing = reason
            self._flush_soon()

    # --- sending ---------------------------------------------------------------------------

    def append(self, row: Row, buffers: Sequence[Part], *, force: bool = False) -> None:
        """Have a message leave at the end of the turn.

        Raises `Overloaded` when too much waits, unless ``force``, and `PeerLost` after the end.
        """
        if self.ended is not None:
            raise PeerLost(f"the link to {self.words} is lost: {self.ended}")
        self.outgoing.append(row, buffers, force=force)

    def _note_post(self, id: bytes) -> None:
        self._peering.moves.posted.note(id, self.node, self._kernel.now)

    def _flush_soon(self) -> None:
        self._kernel.threads.gathering.at_end(self._flush)

    def await_room(self, worker: Any, due: float) -> None:
        """Park a thread until the link is less congested or has ended, at most until ``due``.

        Raises `CallTimeout` then.
        """
        while self.is_congested and self.ended is None:
            number = worker.parking + 1
            wake = partial(worker.wake, number)
            late = CallTimeout(f"the link to {self.words} stayed congested")
            timer = self._kernel.timers.call_at(due, partial(worker.wake, number, error=late))
            self._waiting.append(wake)
            try:
                worker.park(f"room on the link to {self.words}")
            finally:
                timer.cancel()
                if wake in self._waiting:
                    self._waiting.remove(wake)

    def _flush(self) -> None:
        outgoing = self.outgoing
        outgoing.is_flush_due = False
        if not self.is_established and self.session.state is not State.PEER_FINISHED:
            return
        while (outgoing or self._batch) and not self._unsent:
            batch, self._batch = self._batch, None
            if batch is None:
                batch, count = outgoing.take()
                self.messages_sent += count
            if not self.session.fits(batch):
                self._batch = batch
                break
            parts = self.session.send(batch, self._kernel.hub.time())
            # The batch says it, and what it says later must not be followed by less.
            self._words.pop(_CREDIT, None)
            self._transmit(parts)
        self._arm()
        if self._waiting and not self.is_congested:
            waiting, self._waiting = self._waiting, []
            for wake in waiting:
                wake()
        if self._finishing is not None and not (outgoing or self._batch or self._unsent):
            self._handle(Finish())

    def _transmit(self, parts: list[Part]) -> None:
        if not parts:
            return
        kind = parts[0][0]
        if self._unsent or kind in self._words or not self.channel.send(parts):
            if kind in _WORDS:
                # Else a channel that carries little would carry nothing but them.
                self._words[kind] = parts
                return
            if len(self._unsent) >= self._messages_max:
                self._end(f"{len(self._unsent)} messages of the session wait to leave", tell=False)
                return
            self._unsent.append(parts)

    def _writable(self) -> None:
        while self._unsent:
            if not self.channel.send(self._unsent[0]):
                return
            self._unsent.popleft()
        self._flush()
        while self._words and not self._unsent:
            kind, parts = next(iter(self._words.items()))
            if not self.channel.send(parts):
                return
            del self._words[kind]

    # --- the session -----------------------------------------------------------------------

    def _receive(self, parts: list[Part]) -> None:
        # Between two turns nobody keeps the kernel's time up to date, and threads begin by it.
        now = self._kernel.now = self._kernel.hub.time()
        cost = self.session.accept(parts, now)
        if cost:
            self._deliver(parts[1:], cost)
        else:
            self._perform(self.session.received(parts, now))
        self._arm()

    def _lost(self, reason: str) -> None:
        self._handle(Lost(reason))

    def _handle(self, event: Any) -> None:
        self._perform(self.session.handle(event, self._kernel.hub.time()))
        self._arm()

    def _arm(self) -> None:
        """See to it that the session hears of the time it named."""
        if self._timer is not None and self.session.is_due_after(self._timer.due):
            return
        due = None if self.ended is not None else self.session.next_deadline()
        timer = self._timer
        if timer is not None:
            if due is not None and timer.due <= due:
                return
            timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._kernel.timers.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._handle(Tick())

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Deliver(parts, cost):
                    self._deliver(parts, cost)
                case Transmit(parts):
                    self._transmit(parts)
                case WindowOpen():
                    self._flush()
                case Introduced(hello):
                    self._introduce(hello)
                case Established(_, user, rights):
                    self.acting_user, self.acting_rights = user, rights
                    self.outgoing.bound(self.session.batch_bytes_max)
                    self._peering.link_up(self)
                    self._flush()
                    self.on_up()
                case PeerFinished():
                    self._peering.rivals.peer_finished(self)
                case Closed():
                    self._closed(effect)

    def _deliver(self, parts: Sequence[Part], cost: int) -> None:
        try:
            peering = self._peering
            rows = peering.frames.decode_batch(parts)
            self.messages_received += len(rows)
            calls, hot, node = peering.calls, peering.calls.hot, self.node
            user = "" if self.grant is None or not self.grant.kin else self.grant.user
            for row in rows:
                kind = row[0]
                # Those that are frequent and need no rights, without three functions between.
                if kind == REPLIES:
                    self.messages_received += len(row[1]) - 1
                    hot.take_replies(node, row)
                elif kind in (CALLS, POSTS):
                    self.messages_received += len(row[4]) - 1
                    if not (user and hot.take_series(node, row, row[3] or user)):
                        self._take_apart(row)
                elif kind == REPLY:
                    calls.take_answer(node, row)
                elif kind == CALL and user:
                    calls.serve(node, row, row[3] or user)
                else:
                    peering.take(self, row)
                if self.ended is not None:
                    # What was sent to a link that this side ended counts as lost there.
                    return
        except RemoteProtocolError as error:
            self.accuse(error)
            return
        if self.ended is None:
            self._perform(self.session.handle(Consumed(cost), self._kernel.hub.time()))

    def _take_apart(self, series: Sequence[Any]) -> None:
        """Take the messages of a series one by one."""
        kind, target, name, user, numbers, senders, values = series
        for number, sender, args in zip(
            numbers, senders, in_rows(values, len(numbers)), strict=True
        ):
            head, payload = (number, 0, target, sender), [args]
            if self.ended is not None:
                return
            if kind == CALLS:
                self._peering.take(self, [CALL, head, name, user, b"", payload])
            else:
                self._peering.take(self, [POST, head, name, user, payload])

    def accuse(self, error: RemoteProtocolError) -> None:
        """End the link because of what the peer sent."""
        _log.warning("%s sent what the protocol forbids: %s", self.words, error)
        self.close(f"protocol error: {error}"[:200])

    def _introduce(self, hello: Hello) -> None:
        self.hello = hello
        verdict = self._peering.judge(self)
        if isinstance(verdict, Grant):
            self.grant = verdict
            self._handle(Admit(verdict.user, verdict.rights))
        else:
            self._handle(Refuse(verdict))

    def _closed(self, closed: Closed) -> None:
        if closed.error is not None:
            _log.warning("%s sent what the protocol forbids: %s", self.words, closed.error)
        self.complete = closed.complete
        reason = self._finishing if closed.complete and self._finishing else closed.reason
        self._end(reason, tell=True)

    def _end(self, reason: str, *, tell: bool) -> None:
        if self.ended is not None:
            return
        self.ended = reason
        if tell:
            while self._unsent and self.channel.send(self._unsent[0]):
                self._unsent.popleft()
        self.channel.close()
        self.outgoing.end()
        self._unsent.clear()
        self._words.clear()
        self._batch = None
        self._arm()
        self._peering.link_down(self, reason)
        for wake in self._waiting:
            wake()
        self._waiting = []
        for tell_end in self.on_end:
            tell_end(reason)

    @property
    def words(self) -> str:
        """Who the peer is, for people."""
        name = "" if self.hello is None else f"{self.hello.name} at "
        return f"{name}{self.channel.words}"

    def __repr__(self) -> str:
        return f"<Link {self.number} to {self.words} {self.session.state.value}>"
