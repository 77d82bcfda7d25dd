"""What happens to a session of a link, and what it wants done: its events and effects.

Events and effects are values without behaviour. `vista.wire.session.TABLE` says which event is
allowed when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vista.errors import RemoteProtocolError
from vista.wire.hello import Hello

Part = bytes | memoryview
"""One piece of a message. It is read only: nobody changes it after it was handed on."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The connection stands, or was asked for: the time of the handshake starts to count."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message came through the connection. The event calls `Session.received`."""

    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Admit:
    """The peer that was `Introduced` may act here as ``user``, with ``rights``."""

    user: str
    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refuse:
    """The peer that was `Introduced` may not act here; it is told the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """A batch is to go to the peer. The event calls `Session.send`."""

    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Consumed:
    """Delivered batches were worked off; ``bytes`` is the sum of their `Deliver.cost`."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Close:
    """This side wants no more; the peer is told the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """This side sends no batch any more and takes those of the peer until it finishes too.

    Only for a peer that knows the feature `FINISH`.
    """


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection broke, as its carrier says: nothing more can be told to the peer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that `Session.next_deadline` gave has come; sooner does no harm."""


Event = Opened | Received | Admit | Refuse | Send | Consumed | Close | Finish | Lost | Tick


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a message of these parts through the connection, behind those before it."""

    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Introduced:
    """The peer said who it is: answer with `Admit` or `Refuse` before ``hello_seconds`` end."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Established:
    """Batches may flow. The peer lets this side act as ``granted_user``."""

    hello: Hello
    granted_user: str
    granted_rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deliver:
    """A batch arrived, each once and in order. `Consumed` is to give ``cost`` back later."""

    parts: Sequence[Part]
    cost: int


@dataclass(frozen=True, slots=True)
class WindowOpen:
    """What `Session.fits` refused last may be sent, or some bytes after the window was shut."""


@dataclass(frozen=True, slots=True)
class PeerFinished:
    """No batch of the peer comes any more. Answer with `Finish` when all is sent."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over, and with it the connection: close it once all is transmitted.

    ``orderly`` means that one side told the other why, ``complete`` that both have finished, so
    that every batch has arrived. ``error`` is set when the peer did what the protocol forbids. With
    none of them the peer is `lost`.
    """

    reason: str
    orderly: bool
    error: RemoteProtocolError | None = None
    complete: bool = False

    @property
    def lost(self) -> bool:
        """Whether the peer fell silent or the connection broke."""
        return not self.orderly and self.error is None


COMPLETE = Closed("both sides have finished", orderly=True, complete=True)
"""How a session ends whose sides have both finished."""

Effect = Transmit | Introduced | Established | Deliver | WindowOpen | PeerFinished | Closed
