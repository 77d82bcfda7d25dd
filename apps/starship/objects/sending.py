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

WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes that wait while a state is sent, half of what a link takes: a minute of a huge galaxy.

Who takes longer for a state cannot follow the game.
"""


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


class Letter(NamedTuple):
    """A message as it is posted: the method, its words, and how many bytes they have."""

    method: str
    words: tuple[Any, ...]
    size: int


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
        self._waiting: deque[Letter | Snapshot] = deque()
        self._waiting_bytes = 0
        self._snapshot: Snapshot | None = None

    def put(self, message: Snapshot | StepBegin | StepUpdate | Made) -> bool:
        """Send a message; return True when a state waits for `send_state`.

        What comes before the first state is dropped: while a step is saved, a server may have come
        back in the place of the one for which that was decided, with a state of long ago.
        Raises `Overloaded` when the link takes no more, or too much waits for a state to be sent.
        """
        self._has_begun = self._has_begun or isinstance(message, Snapshot)
        if not self._has_begun:
            return False
        found = message if isinstance(message, Snapshot) else self._letter(message)
        if self.is_busy:
            self._keep(found)
            return False
        return self._send(found)

    def _keep(self, found: Letter | Snapshot) -> None:
        """Keep a message until the state that is being sent is there."""
        if isinstance(found, Snapshot):
            # All that waits is in it.
            self._waiting.clear()
            self._waiting_bytes = 0
        else:
            self._waiting_bytes += found.size
        if self._waiting_bytes > WAITING_BYTES_MAX:
            raise vista.Overloaded(
                f"{WAITING_BYTES_MAX} bytes of steps wait for it to take a state: its link, or the"
                " machine, is too slow for this game"
            )
        self._waiting.append(found)

    def _letter(self, message: StepBegin | StepUpdate | Made) -> Letter:
        """Return a message as it is posted; texts are shared with the letters to others."""
        if isinstance(message, StepBegin):
            line, units = write_begin(message)
            words: tuple[Any, ...] = (message.epoch, message.t, line, units)
            return Letter("begin_step", words, len(line) + len(units))
        if isinstance(message, StepUpdate):
            text = self._letters.text_of(message)
            return Letter("stage_results", (message.epoch, message.t, text), len(text))
        done = message.message
        line = write_commit(done)
        size = len(line) + len(message.news) + sum(map(len, message.objects))
        words = (done.epoch, done.t, line, message.objects, message.news)
        return Letter("commit_step", words, size)

    def _send(self, found: Letter | Snapshot) -> bool:
        if isinstance(found, Snapshot):
            self.is_busy, self._snapshot = True, found
            return True
        vista.post(self.server, found.method, *found.words)
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
                found = self._waiting.popleft()
                self._waiting_bytes -= 0 if isinstance(found, Snapshot) else found.size
                self._send(found)

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
