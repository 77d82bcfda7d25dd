"""The liveness of a session: when to ping, when the peer is lost, how long a round trip takes.

Each side pings when it sent nothing for a while; whatever is heard is a sign of life. Two rules. A
ping is timed only if no earlier one awaits its answer, so round trips longer than the pause between
pings are measured too. The silence of a peer counts only while this process ran, see
`Liveness.notice`.
"""

from __future__ import annotations

from vista.errors import RemoteProtocolError


class Liveness:
    """The times of one session, in seconds of the clock its events carry.

    ``sent_at`` and ``heard_at`` are when something was last sent and heard, ``handled_at`` when the
    session was last told anything; ``pings_sent`` counts the pings and ``round_trip_seconds`` is
    smoothed, None before the first answer.
    """

    __slots__ = (
        "_loss",
        "_owed",
        "_ping",
        "_timed",
        "handled_at",
        "heard_at",
        "pings_sent",
        "round_trip_seconds",
        "sent_at",
    )

    def __init__(self, ping_seconds: float, loss_seconds: float) -> None:
        self._ping, self._loss = ping_seconds, loss_seconds
        self.handled_at = self.heard_at = self.sent_at = 0.0
        self.pings_sent = 0
        self.round_trip_seconds: float | None = None
        self._owed = False
        self._timed: tuple[int, float] | None = None  # the ping whose answer is timed: number, when

    def start(self, now: float) -> None:
        """The session is established: silence counts from here on."""
        self.heard_at = self.sent_at = now
        self._owed = False

    def notice(self, now: float) -> None:
        """See a pause of this process, and then give the peer one more round of a ping.

        1. `due` is never further ahead than the pause between pings. Twice that without any event
           means that this process was stopped, suspended with its machine, or kept by a method.
        2. What the peer sent meanwhile may stand unread in the connection, and the timer comes
           first: the silence was our own.
        3. So a ping is owed at once, and the peer is lost if it stays silent for as long again as
           lies between two pings. Whatever is heard ends the doubt.
        """
        if now - self.handled_at > 2 * self._ping:
            self._owed = True
            self.heard_at = max(self.heard_at, now - self._loss + self._ping)
        self.handled_at = now

    def due(self) -> float:
        """When the next ping or the loss is due."""
        if self._owed:
            return self.handled_at
        return min(self.sent_at + self._ping, self.heard_at + self._loss)

    def is_quiet_until(self, time: float) -> bool:
        """Whether nothing is due before ``time``."""
        ping, loss = self.sent_at + self._ping, self.heard_at + self._loss
        return not self._owed and ping >= time and loss >= time

    def is_lost(self, now: float) -> bool:
        """Whether the peer was silent for too long."""
        return now >= self.heard_at + self._loss

    def wants_ping(self, now: float) -> bool:
        """Whether a ping is due."""
        return self._owed or now >= self.sent_at + self._ping

    def ping(self, now: float) -> int:
        """A ping is sent: its number, counted from 1."""
        self._owed = False
        self.sent_at = now
        self.pings_sent += 1
        if self._timed is None:
            self._timed = (self.pings_sent, now)
        return self.pings_sent

    def answered(self, number: int, now: float) -> None:
        """The peer answered a ping. Raises `RemoteProtocolError` for one that was never sent."""
        if not 1 <= number <= self.pings_sent:
            raise RemoteProtocolError(f"an answer to ping {number} of {self.pings_sent}")
        if self._timed is None or number < self._timed[0]:
            return
        timed, sent_at = self._timed
        self._timed = None
        if number > timed:
            return  # the peer passed over the timed one
        # Smoothed as TCP does (RFC 6298, section 2): one late answer moves it by an eighth.
        before = self.round_trip_seconds
        took = now - sent_at
        self.round_trip_seconds = took if before is None else before + (took - before) / 8
