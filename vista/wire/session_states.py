"""The states of a session and the table that says what may happen in which of them.

`TABLE` is read by `vista.wire.session.Session` and by the docs. What it does not name is
`LocalProtocolError` for an event of this side and ends the session for a message of the peer.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from vista.wire.session_events import (
    Admit,
    Close,
    Consumed,
    Event,
    Finish,
    Lost,
    Opened,
    Refuse,
    Send,
    Tick,
)


class State(Enum):
    """Where a session stands."""

    INITIATOR = "initiator"
    """Made by the side that connects; nothing was said yet."""
    ACCEPTOR = "acceptor"
    """Made by the side that was connected to; nothing was said yet."""
    HELLO_AWAITED = "hello awaited"
    """The acceptor waits for the first word."""
    WELCOME_AWAITED = "welcome awaited"
    """The initiator said who it is."""
    INTRODUCED = "introduced"
    """The acceptor knows who is there, and its owner decides."""
    WELCOMED = "welcomed"
    """The initiator was let in, and its owner decides in turn."""
    CONFIRM_AWAITED = "confirm awaited"
    """The acceptor let the initiator in and waits for the same."""
    ESTABLISHED = "established"
    """Batches flow both ways."""
    FINISHED = "finished"
    """This side sends no batches any more, the peer does."""
    PEER_FINISHED = "peer finished"
    """The peer sends no batches any more, this side does."""
    CLOSED = "closed"
    """Over; whatever happens is passed over in silence."""


class Kind(IntEnum):
    """What a message of the session is. The numbers are for ever."""

    HELLO = 1
    """The magic in place of a token, the token of its sender and a map of fields."""
    WELCOME = 2
    """The token of its sender and a map: a hello, the chosen version and a grant."""
    CONFIRM = 3
    """A map with a grant."""
    BATCH = 4
    """Its number, counted from 1, and all bytes consumed so far; the body follows as parts."""
    CREDIT = 5
    """All bytes consumed so far."""
    PING = 6
    """Its number, which the answer repeats."""
    PONG = 7
    """The number of the ping."""
    BYE = 8
    """A map with the reason: a refusal before the session is established, a goodbye then."""
    FIN = 9
    """No batch follows; of the feature `FINISH`."""


What = type[Event] | Kind
"""What a row of the table names: an event of this side, or a kind of message of the peer."""

_ENDS: dict[What, State] = {Close: State.CLOSED, Lost: State.CLOSED}

TABLE: dict[State, dict[What, State]] = {
    State.INITIATOR: {Opened: State.WELCOME_AWAITED, **_ENDS},
    State.ACCEPTOR: {Opened: State.HELLO_AWAITED, **_ENDS},
    State.HELLO_AWAITED: {
        Kind.HELLO: State.INTRODUCED,
        Tick: State.HELLO_AWAITED,
        **_ENDS,
    },
    State.WELCOME_AWAITED: {
        Kind.WELCOME: State.WELCOMED,
        Kind.BYE: State.CLOSED,
        Tick: State.WELCOME_AWAITED,
        **_ENDS,
    },
    State.INTRODUCED: {
        Admit: State.CONFIRM_AWAITED,
        Refuse: State.CLOSED,
        Tick: State.INTRODUCED,
        **_ENDS,
    },
    State.WELCOMED: {
        Admit: State.ESTABLISHED,
        Refuse: State.CLOSED,
        Kind.BYE: State.CLOSED,
        Tick: State.WELCOMED,
        **_ENDS,
    },
    State.CONFIRM_AWAITED: {
        Kind.CONFIRM: State.ESTABLISHED,
        Kind.BYE: State.CLOSED,
        Tick: State.CONFIRM_AWAITED,
        **_ENDS,
    },
    State.ESTABLISHED: {
        Send: State.ESTABLISHED,
        Consumed: State.ESTABLISHED,
        Kind.BATCH: State.ESTABLISHED,
        Kind.CREDIT: State.ESTABLISHED,
        Kind.PING: State.ESTABLISHED,
        Kind.PONG: State.ESTABLISHED,
        Kind.BYE: State.CLOSED,
        Finish: State.FINISHED,
        Kind.FIN: State.PEER_FINISHED,
        Tick: State.ESTABLISHED,
        **_ENDS,
    },
    State.FINISHED: {
        Consumed: State.FINISHED,
        Kind.BATCH: State.FINISHED,
        Kind.CREDIT: State.FINISHED,
        Kind.PING: State.FINISHED,
        Kind.PONG: State.FINISHED,
        Kind.BYE: State.CLOSED,
        Kind.FIN: State.CLOSED,
        Tick: State.FINISHED,
        **_ENDS,
    },
    State.PEER_FINISHED: {
        Send: State.PEER_FINISHED,
        Consumed: State.PEER_FINISHED,
        Kind.CREDIT: State.PEER_FINISHED,
        Kind.PING: State.PEER_FINISHED,
        Kind.PONG: State.PEER_FINISHED,
        Kind.BYE: State.CLOSED,
        Finish: State.CLOSED,
        Tick: State.PEER_FINISHED,
        **_ENDS,
    },
    State.CLOSED: {},
}
"""The state that follows, for each state and what may happen in it. A deadline that passed, or
something wrong that the peer sent, leads to `State.CLOSED` from everywhere."""


def what_name(what: What) -> str:
    """How the table's text and the errors name an event or a kind of message."""
    return what.name if isinstance(what, Kind) else what.__name__


def state_table() -> str:
    """The table as lines of text: a state, what happens, the state that follows.

    ``Tick`` is left out, which changes no state.
    """
    rows = [
        f"{state.value:<16} {what_name(what):<8} -> {target.value}"
        for state, row in TABLE.items()
        for what, target in row.items()
        if what is not Tick
    ]
    return "\n".join(rows)


LIVE = frozenset({State.ESTABLISHED, State.FINISHED, State.PEER_FINISHED})
"""The states in which each side is to hear of the other every few seconds."""

OVERDUE = {
    State.HELLO_AWAITED: "no hello",
    State.WELCOME_AWAITED: "no answer to the hello",
    State.INTRODUCED: "not admitted",
    State.WELCOMED: "not admitted",
    State.CONFIRM_AWAITED: "no confirmation",
}
"""How a state that waits too long is told of."""
