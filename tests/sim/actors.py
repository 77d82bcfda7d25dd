"""The objects of a storm: each method does a few things drawn by the seed, to random others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import vista
from tests.sim.book import EXPECTED, Book, Ticket, Visit, book_here
from vista.kernel.inspection import kill_thread, resume_thread, suspend_thread

STYLES = ("plain", "plain", "plain", "keeping", "beside", "native", "waiting")
"""The methods of `Actor`; the most usual kind three times."""


class Actor(vista.Object, namespace="Storm", version=0):
    """An object of a storm; each kind of method there is, and all do the same."""

    def create(self) -> None:
        self.changes = 0

    def delete(self) -> None:
        book_here().gone.add(str(vista.id_of(self)))

    def plain(self, ticket: Ticket) -> int:
        return self._act(ticket, "plain")

    @vista.exclusive
    def keeping(self, ticket: Ticket) -> int:
        return self._act(ticket, "keeping")

    @vista.preemptable
    def beside(self, ticket: Ticket) -> int:
        return self._act(ticket, "beside")

    @vista.native
    def native(self, ticket: Ticket) -> int:
        return self._act(ticket, "native")

    async def waiting(self, ticket: Ticket) -> int:
        with Visit(book_here(), self, ticket, "waiting") as visit:
            for _ in range(visit.book.dice.randint(0, 2)):
                await _step_of_a_coroutine(visit)
        return ticket[0]

    def object_modified(self, id: vista.Id) -> None:
        self.changes += 1

    def _act(self, ticket: Ticket, style: str) -> int:
        with Visit(book_here(), self, ticket, style) as visit:
            self.changes += 1
            wander(visit, visit.book.dice.randint(0, 2))
        return ticket[0]


class LaterActor(Actor, namespace="Storm", version=1):
    """What an `Actor` becomes by an upgrade."""


LaterActor.__vista_class__ = vista.ClassName("Storm", "Actor", 1)


def wander(visit: Visit, steps: int) -> None:
    """Do ``steps`` things drawn by the seed, as long as the storm blows."""
    book = visit.book
    for _ in range(steps):
        if not book.blowing:
            return
        try:
            book.dice.choice(_steps_for(visit))(visit)
        except EXPECTED:
            # What was asked for failed in a way the storm brings about; half of the callers mind.
            if book.dice.random() < 0.5 and visit.actor is not None:
                raise
