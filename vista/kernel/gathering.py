"""What peers send and what they are sent, joined with the turns of the loop.

Two rules. What was read from a peer is run as soon as all of it has been read, in the same call of
the loop: another round of the loop, with its questions to the operating system, takes longer than a
short method. And what the threads of a turn send leaves at its end, together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vista.kernel.threads import Threads


class Gathering:
    """Says when a turn is taken and what is done at its end.

    ``is_in_turn`` is True while threads run; ``is_reading`` while what came from peers is handed
    on, and then ``is_owed`` says that a turn is to follow.
    """

    def __init__(self, threads: Threads) -> None:
        self.is_in_turn = self.is_reading = self.is_owed = False
        self._threads = threads
        self._endings: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Hold back the turn until `end`: what came from peers is being read."""
        self.is_reading = True

    def end(self) -> None:
        """Take the turn that what was read asks for, and see to what is to be sent."""
        self.is_reading = False
        if self.is_owed:
            self.is_owed = False
            self._threads.turn()
        elif self._endings:
            self.end_turn()

    def at_end(self, action: Callable[[], None]) -> None:
        """Call ``action`` on the loop when the turn or the reading ends; soon if there is none."""
        if self.is_in_turn or self.is_reading:
            self._endings.append(action)
        else:
            self._threads.kernel.hub.loop.call_soon(action, context=Context())

    def end_turn(self) -> None:
        """Do what was left for the end of the turn."""
        self.is_in_turn = False
        endings, self._endings = self._endings, []
        for action in endings:
            # In the name of no thread, not of the one that asked for the turn.
            Context().run(action)
