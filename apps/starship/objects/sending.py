"""What a primary sends its servers: one message after another, a state in pieces.

Two rules. A server gets everything in the order in which it was decided: while it is sent a state,
what comes after that waits. A server that cannot be sent anything any more is let go, and the
others never notice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import vista
from apps.starship.game.messages import Snapshot, StepBegin, StepCommit, StepUpdate
from apps.starship.game.texts import write_begin, write_commit, write_deltas
from apps.starship.rules.encoding import encode_head, encode_things
from apps.starship.rules.objects import Thing

PIECE_THINGS = 100
"""Objects in one piece of a state: to write them takes 10 ms, and as long to read them."""

Message = Snapshot | StepBegin | StepUpdate | StepCommit


class Letters:
    """The texts of results that are passed on, each written once for all servers.

    One that came from a server as a text is passed on as it came.
    """

    def __init__(self) -> None:
        self._last: tuple[StepUpdate | None, str] = (None, "")

    def keep(self, update: StepUpdate, text: str) -> None:
        """Take note of the text of a message."""
        self._last = update, text

    def text_of(self, update: StepUpdate) -> str:
        """Return the text of a message; one server after another is sent it."""
        if self._last[0] is not update:
            self.keep(update, write_deltas(update.deltas, update.t))
        return self._last[1]


class Made(NamedTuple):
    """A commit with what was decided of it when it was: the objects made, encoded, and the news."""

    message: StepCommit
    objects: tuple[bytes, ...]
    news: str


class Outbox:
    """What waits to be sent to one server, and whether a state is being sent to it.

    The primary's ``own`` server is told everything by the primary itself. ``letters`` are those of
    all outboxes of a primary.
    """

    def __init__(
        self, server: vista.Ref, own: bool = False, letters: Letters | None = None
    ) -> None:
        self.server = server
        self.own = own
        self._letters = letters or Letters()
        self.is_busy = False
        self._has_begun = False
        self._waiting: deque[Message | Made] = deque()
        self._snapshot: Snapshot | None = None

    def put(self, message: Message | Made) -> bool:
        """Send a message; return True when a state waits for `send_state`.

        What comes before the first state is dropped: while a step is saved, a server may have come
        back in the place of the one for which that was decided, with a state of long ago.
        Raises `Overloaded` when the link takes no more.
        """
        self._has_begun = self._has_begun or isinstance(message, Snapshot)
        if not self._has_begun:
            return False
        if self.is_busy:
            self._waiting.append(message)
            return False
        return self._send(message)

    def _send(self, message: Message | Made) -> bool:
        if isinstance(message, Snapshot):
            self.is_busy, self._snapshot = True, message
            return True
        server = self.server
        if isinstance(message, StepBegin):
            vista.post(server, "begin_step", message.epoch, message.t, *write_begin(message))
        elif isinstance(message, StepUpdate):
            text = self._letters.text_of(message)
            vista.post(server, "stage_results", message.epoch, message.t, text)
        elif isinstance(message, Made):
            done = message.message
            line = write_commit(done)
            vista.post(
                server, "commit_step", done.epoch, done.t, line, message.objects, message.news
            )
        return False

    def send_state(
        self, head: Callable[[Snapshot], str], things: Mapping[int, vista.Ref]
    ) -> Iterator[vista.Future]:
        """Go through the calls by which a state is sent; each is to be waited for.

        ``head`` gives what goes before the pieces besides the state's own head, ``things`` are the
        vista objects by number. Afterwards what waited meanwhile is sent.
        """
        while self._snapshot is not None:
            message, self._snapshot = self._snapshot, None
            yield from self._pieces(message, head(message), things)
            self.is_busy = False
            while self._waiting and not self.is_busy:
                self._send(self._waiting.popleft())

    def _pieces(
        self, message: Snapshot, more: str, objects: Mapping[int, vista.Ref]
    ) -> Iterator[vista.Future]:
        state, epoch = message.state, message.epoch
        things = sorted(state.objects.values(), key=lambda thing: thing.meta.id)
        pieces = [things[n : n + PIECE_THINGS] for n in range(0, len(things), PIECE_THINGS)]
        node, text = vista.here(), encode_head(state)
        server = self.server
        yield vista.future(
            server, "begin_snapshot", epoch, text, more, message.hash, node, len(pieces)
        )
        for number, piece in enumerate(pieces):
            made = encoded(piece, objects)
            text = encode_things(piece)
            yield vista.future(server, "take_piece", epoch, message.hash, number, text, made)


def encoded(things: list[Thing], objects: Mapping[int, vista.Ref]) -> tuple[bytes, ...]:
    """Return the vista objects of things as they travel; one that is gone meanwhile is left out."""
    found: list[Any] = [objects.get(thing.meta.id) for thing in things]
    return tuple(vista.encode_object(ref) for ref in found if ref is not None)
