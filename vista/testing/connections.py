"""Connections between simulated nodes: two ends, and how they break.

An end is what the interface of networks calls a channel; see
`vista.peering.transport.Channel`. When
a connection breaks, what is under way arrives in part, a beginning of it, and each end learns of
the loss by itself: soon, late or never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from vista.errors import LocalProtocolError
from vista.testing.wires import Conditions, Stream

if TYPE_CHECKING:
    from vista.peering.transport import Part
    from vista.testing.network import NodeNetwork, SimulatedListener

OPEN: Final = "open"
CLOSED: Final = "closed"
LOST: Final = "lost"
SEVERED: Final = "severed"
"""The end of a node that crashed: what its dying threads still say goes nowhere."""


class End:
    """One end of a connection, or of one to be; a `vista.peering.transport.Channel`.

    ``node`` is the network of the node it belongs to, ``key`` and ``words`` are those of the other
    side. ``listener`` is set at the accepting side until the first message comes.
    """

    def __init__(
        self, node: NodeNetwork, key: bytes | None, words: str, conditions: Conditions
    ) -> None:
        self.node = node
        self.key = key
        self.words = words
        self.receive: Callable[[list[Part]], None] = _ignore
        self.lost: Callable[[str], None] = _ignore
        self.writable: Callable[[], None] = _nothing
        self.unreached: Callable[[str], None] = _ignore
        self.condition = OPEN
        self.other: End | None = None
        self.listener: SimulatedListener | None = None
        self.broken = False
        self.out = Stream(node.hub, conditions, room=self._tell_room, expired=self._expire)
        node.ends[self] = None

    # --- for its holder --------------------------------------------------------------------

    def send(self, parts: Sequence[Part]) -> bool:
        """Send a message; False when the queue is full or the channel of no more use."""
        if not parts:
            raise LocalProtocolError("a message has one part at least; this one has none")
        if self.condition is SEVERED:
            return True
        return self.condition is OPEN and self.out.push(parts)

    def close(self) -> None:
        """End the connection; what was sent still leaves if it can, for ``linger_seconds``."""
        if self.condition is not OPEN:
            return
        self._leave(CLOSED)
        if self.other is None:
            self.node.linger(self)
        elif not self.broken:
            self.out.patience = self.node.conditions_to(self.other.node).linger_seconds
            self.out.push_end("the peer closed the connection")

    # --- what happens to it ----------------------------------------------------------------

    def join(self, other: End) -> None:
        """Stand from now on: carry to ``other`` what was sent, also by an end closed meanwhile."""
        for end, far in ((self, other), (other, self)):
            end.other = far
            end.out.deliver = far._take
            end.out.ended = far.tell
            end.out.start(end.node.wire_to(far.node))
        if self.condition is CLOSED:
            self.out.push_end("the peer closed the connection")

    def tell(self, words: str) -> None:
        """Let the holder know that the connection is gone."""
        if self.condition is not OPEN:
            return
        self._leave(LOST)
        if self.listener is None:
            self.node.note(f"{self.words}: {words}")
            self.lost(words)

    def sever(self) -> None:
        """Belong to a node that has crashed."""
        if self.condition is OPEN:
            self._leave(SEVERED)
        self.break_off("the peer's process ended")

    def break_off(self, words: str) -> None:
        """Lose the connection: a beginning of what is under way arrives, and the ends get notice.

        Without effect on one that is broken already or does not stand.
        """
        other = self.other
        if other is None or self.broken:
            if self.condition is SEVERED:
                self.out.stop()
            return
        self.broken = other.broken = True
        for end in (self, other):
            end.out.cut(end.node.hub.dice.randint(0, len(end.out)))
            assert end.other is not None
            notice = self._draw_notice(end.node.conditions_to(end.other.node))
            if notice is not None:
                end.out.push_end(words, notice)

    def _draw_notice(self, conditions: Conditions) -> float | None:
        """Draw after how many seconds an end learns of a loss; None is never."""
        dice = self.node.hub.dice
        roll = dice.random()
        if roll < conditions.half_open_chance:
            return None
        late = roll < conditions.half_open_chance + conditions.late_chance
        return dice.random() * (conditions.late_seconds if late else conditions.notice_seconds)

    def _leave(self, condition: str) -> None:
        self.condition = condition
        self.node.ends.pop(self, None)

    def _take(self, parts: list[bytes]) -> None:
        """Get a message from the other end."""
        if self.condition is not OPEN:
            return
        listener, self.listener = self.listener, None
        if listener is not None and listener.closed:
            self.close()
        elif listener is not None:
            self.node.note(f"accepts {self.words}")
            listener.accept(self)
        if self.condition is OPEN:
            self.receive(list(parts))

    def _tell_room(self) -> None:
        if self.condition is OPEN and not self.broken:
            self.writable()

    def _expire(self) -> None:
        """What was sent could not pass for too long."""
        if self.broken:
            # What is held is only word of the loss, for the other end.
            return
        if self.condition is OPEN:
            self.break_off("no answer from the peer")
            self.tell("no answer from the peer")
        else:
            self.broken = True
            self.out.stop()


def _ignore(_: Any) -> None:
    """What nobody has set yet."""


def _nothing() -> None:
    """What nobody has set yet."""
