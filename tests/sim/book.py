"""The book of a storm: what was sent, what ran, who was where. It knows nothing of the kernel.

Every message of a storm carries a ticket: its number, the number of the visit that sent it, and how
many messages may follow from it. From the tickets the book tells whether the promises were kept:

- exclusion: nobody comes into an object while another thread is active in it or keeps it;
- order: messages of one sender to one object start in the order they were sent;
- once: no message runs twice, and each answer belongs to its question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vista
from vista.kernel.current import kernel
from vista.kernel.table import GONE
from vista.testing import SimulatedNode, World

Ticket = tuple[int, int, int]

EXPECTED = (
    vista.CallTimeout,
    vista.DeadlockError,
    vista.NoSuchObject,
    vista.ObjectBusy,
    vista.ThreadKilled,
    ArithmeticError,
)
"""How calls of a storm may end: what the storm itself brings about."""


class Book:
    """What is known of one storm. ``blowing`` is True until the calm."""

    def __init__(self, world: World, node: SimulatedNode) -> None:
        self.world = world
        self.node = node
        self.dice = random.Random(f"storm {world.seed}")
        self.blowing = True
        self.actors: list[vista.Ref] = []
        self.gone: set[str] = set()
        self.runs: dict[int, int] = {}
        self.posts: dict[int, str] = {}
        self.answers: dict[int, int] = {}
        self._inside: dict[str, Visit] = {}
        self._last: dict[tuple[int, str], int] = {}
        self._count = 0

    def next_number(self) -> int:
        """Return a number for a message or a visit."""
        self._count += 1
        return self._count

    def complain(self, text: str) -> None:
        """Say what promise was broken; the world stops."""
        self.world.complain(text)

    def start(self, visit: Visit) -> None:
        """Note that the method of a message starts."""
        number, sender, _ = visit.ticket
        self.runs[number] = self.runs.get(number, 0) + 1
        if self.runs[number] > 1:
            self.complain(f"message {number} runs for the second time")
        if visit.style != "beside":
            line = (sender, visit.place)
            if number <= self._last.get(line, 0):
                self.complain(f"message {number} comes to {visit.place} after {self._last[line]}")
            self._last[line] = number

    def come_in(self, visit: Visit) -> None:
        """Note that a thread is active in its object."""
        place = visit.place
        if visit.style == "beside" or place in self.gone:
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

    def unkept(self) -> list[str]:
        """Say what was promised and has not come about, when all is at rest."""
        found = [
            f"post {number} to {place} never ran"
            for number, place in self.posts.items()
            if number not in self.runs and place not in self.gone
        ]
        found += [
            f"call {number} ended {count} times"
            for number, count in self.answers.items()
            if count != 1
        ]
        return found + [f"{visit} is still in {place}" for place, visit in self._inside.items()]


class Visit:
    """One running method of a storm. ``style`` is the name of the method.

    ``place`` is the Id of the object as text, the empty text for the storm's own threads.
    """

    def __init__(self, book: Book, actor: Any, ticket: Ticket, style: str) -> None:
        self.book = book
        self.actor = actor
        self.place = "" if actor is None else str(vista.id_of(actor))
        self.ticket = ticket
        self.style = style
        self.number = book.next_number()

    def __str__(self) -> str:
        return f"message {self.ticket[0]} ({self.style})"

    def __enter__(self) -> Visit:
        if self.actor is not None:
            self.book.start(self)
            self.book.come_in(self)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.book.go_out(self)
        if isinstance(error, Exception) and not isinstance(error, EXPECTED):
            self.book.complain(f"{self} raises {error!r}")

    @contextmanager
    def away(self) -> Iterator[None]:
        """A stretch in which the thread waits, and lets others in unless it keeps its object."""
        if self.actor is None or self.style in ("beside", "keeping", "native"):
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

    def ticket_for(self, depth: int) -> Ticket:
        """Return a ticket for a message that this visit sends."""
        return (self.book.next_number(), self.number, depth)


def book_here() -> Book:
    """Return the book of the node on which the caller runs."""
    book: Book = kernel().settings["book"]
    return book
