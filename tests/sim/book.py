"""The book of a storm: what was sent, what ran, and who was where.

Every message of a storm carries a ticket: its number, the number of the visit that sent it, and how
many messages may follow one another from it. From the tickets the book tells whether the promises
of vista are kept:

- exclusion: nobody comes into an object in which a thread is active, or that a thread keeps;
- order: messages of one sender to one object start in the order they were sent;
- once: no message runs twice, a post runs, and each answer belongs to its question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vista
from vista.kernel.current import kernel
from vista.kernel.table import GONE
from vista.testing import World

Ticket = tuple[int, int, int]

STYLES = (
    *("plain", "plain", "plain", "touch", "keeping", "beside"),
    *("native", "waiting", "stubborn"),
)
"""The methods of an actor that a storm sends; the most usual one three times."""

KEEPING = frozenset({"keeping", "native"})
"""The methods that keep their object while they wait."""

EXPECTED = (
    vista.CallTimeout,
    vista.DeadlockError,
    vista.NoSuchObject,
    vista.ObjectBusy,
    vista.ThreadKilled,
    ArithmeticError,
    TimeoutError,
)
"""What a storm itself brings about."""


class Book:
    """What is known of one storm. ``blowing`` is True until the calm."""

    def __init__(self, world: World) -> None:
        self.dice = random.Random(f"storm {world.seed}")
        self.complain = world.complain
        self.blowing = True
        self.actors: list[vista.Ref] = []
        self.warden: vista.Ref
        self.runs: dict[int, int] = {}
        self.gone: set[str] = set()
        self._posts: dict[int, str] = {}
        self._ends: dict[int, int] = {}
        self._inside: dict[str, Visit] = {}
        self._last: dict[tuple[int, str], int] = {}
        self._count = 0

    def any_actor(self) -> vista.Ref:
        """Return one of the actors."""
        return self.dice.choice(self.actors)

    def next_number(self) -> int:
        """Return a number for a message or a visit."""
        self._count += 1
        return self._count

    # --- messages --------------------------------------------------------------------------

    def note_post(self, ticket: Ticket, target: vista.Ref) -> None:
        """Note that a one-way message was sent."""
        self._posts[ticket[0]] = str(vista.id_of(target))

    def note_future(self, ticket: Ticket, future: vista.Future) -> None:
        """Note that a call is in flight."""
        number = ticket[0]
        self._ends[number] = 0

        def note_end(_: vista.Future) -> None:
            self._ends[number] += 1

        future.add_done_callback(note_end)

    def check(self, ticket: Ticket, answer: Any) -> None:
        """Check that a call was answered by the method it started."""
        if answer != ticket[0] or self.runs.get(ticket[0]) != 1:
            self.complain(f"message {ticket[0]} was answered with {answer!r}")

    def note_gone(self, place: str) -> None:
        """Note that an object is being deleted."""
        self.gone.add(place)
        self._inside.pop(place, None)

    def note_start(self, visit: Visit) -> None:
        """Note that the method of a message starts."""
        number, sender, _ = visit.ticket
        self.runs[number] = self.runs.get(number, 0) + 1
        if self.runs[number] > 1:
            self.complain(f"message {number} runs for the second time")
        if visit.style not in ("beside", "waiting"):
            # A coroutine may be suspended before its first step.
            line = (sender, visit.place)
            if number <= self._last.get(line, 0):
                self.complain(f"message {number} comes to {visit.place} after {self._last[line]}")
            self._last[line] = number

    # --- exclusion -------------------------------------------------------------------------

    def come_in(self, visit: Visit) -> None:
        """Note that a thread becomes active in its object."""
        place = visit.place
        if visit.actor is None or visit.style == "beside" or place in self.gone:
            return
        other = self._inside.get(place)
        if other is not None:
            self.complain(f"{visit} comes into {place}, where {other} is active")
        self._inside[place] = visit
        if visit.actor._record.idle is GONE:
            self.complain(f"{visit} runs in what {place} was before its upgrade")

    def go_out(self, visit: Visit) -> None:
        """Note that a thread is no longer active in its object."""
        if self._inside.get(visit.place) is visit:
            del self._inside[visit.place]

    # --- the end ---------------------------------------------------------------------------

    def unkept(self) -> list[str]:
        """Say what was promised and has not come about, when all is at rest."""
        found = [
            f"post {number} to {place} never ran"
            for number, place in self._posts.items()
            if number not in self.runs and place not in self.gone
        ]
        found += [
            f"call {number} ended {count} times"
            for number, count in self._ends.items()
            if count != 1
        ]
        return found + [f"{visit} is still in {place}" for place, visit in self._inside.items()]


class Visit:
    """One running method of a storm. ``style`` is the name of the method.

    ``actor`` is None for the threads with which a storm begins.
    """

    def __init__(self, book: Book, actor: Any, ticket: Ticket, style: str) -> None:
        self.book = book
        self.actor = actor
        self.place = "" if actor is None else str(actor._record.id)
        self.ticket = ticket
        self.style = style
        self.number = book.next_number()

    def __str__(self) -> str:
        return f"message {self.ticket[0]} ({self.style})"

    def __enter__(self) -> Visit:
        if self.actor is not None:
            self.book.note_start(self)
            self.book.come_in(self)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.book.go_out(self)
        if isinstance(error, Exception) and not isinstance(error, EXPECTED):
            self.book.complain(f"{self} raises {error!r}")

    @contextmanager
    def away(self) -> Iterator[None]:
        """A stretch in which the thread waits, and lets others in unless it keeps its object."""
        if self.style in KEEPING:
            yield
            return
        self.book.go_out(self)
        try:
            yield
        except Exception:
            self.book.come_in(self)
            raise
        # A thread that is killed goes without coming in again.
        self.book.come_in(self)

    def swallows_its_end(self) -> None:
        """From here on the thread may run beside others, as one that is killed does."""
        self.book.go_out(self)

    def ticket_for(self, depth: int) -> Ticket:
        """Return a ticket for a message that this visit sends."""
        return (self.book.next_number(), self.number, depth)

    def message(self) -> tuple[vista.Ref, str, Ticket]:
        """Return a message to send: target, method and ticket.

        One from which no more messages may follow is ``touch``, which sends none.
        """
        dice, depth = self.book.dice, self.ticket[2]
        style = dice.choice(STYLES) if depth > 0 else "touch"
        return self.book.any_actor(), style, self.ticket_for(depth - 1)


def book_here() -> Book:
    """Return the book of the storm in which the caller runs."""
    book: Book = kernel().settings["book"]
    return book
