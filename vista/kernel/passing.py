"""Preemptable messages in the ready queue: no call of a preemptable method may overtake one.

They stand in no object's line, so how many there are of each object is counted. Looking through the
queue would do as well while it is short; among hundreds of threads that were woken together, each
call would look at all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.kernel.current import RECORD

if TYPE_CHECKING:
    from vista.kernel.table import Record


class Passing:
    """Counts the preemptable messages to each object that stand in a kernel's ready queue."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Record, int] = {}

    def __contains__(self, record: Record) -> bool:
        return record in self._counts

    def begin(self, message: tuple[Any, ...]) -> None:
        """Count a message that is put into the queue."""
        record = message[RECORD]
        self._counts[record] = self._counts.get(record, 0) + 1

    def end(self, record: Record) -> None:
        """Count a message no longer: it was taken out."""
        left = self._counts.pop(record, 1) - 1
        if left:
            self._counts[record] = left
