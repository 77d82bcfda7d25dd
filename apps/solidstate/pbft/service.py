"""What is replicated: the interface of a service, and what it is told with each request.

Two rules. A service is a function of the requests it executed and of their contexts; it asks no
clock, dice or world. What `snapshot` returns is the whole of its state, and the same state gives
the same pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Context:
    """What was agreed with a request. Nobody changes one: being frozen would cost 0.7 us.

    ``time`` is in microseconds and never goes back; a faulty primary may let it stand, or run ahead
    by ``clock_skew_seconds``. ``random`` are 32 bytes that clients cannot foresee; a faulty primary
    can choose among several.
    """

    client: str
    sequence: int
    time: int
    random: bytes


class Service(Protocol):
    """A replicated service."""

    def execute(self, operation: bytes, context: Context) -> bytes:
        """Carry out an operation and return its result; bad operations have results as well."""

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Return the result of an operation that changes nothing, None for one that would.

        Equal results have to come of one state: where values may come back, they name a version.
        """

    def snapshot(self) -> Sequence[bytes]:
        """Return the pages of the state.

        Pages that did not change since the last time should be the same objects: those are not
        digested again.
        """

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over the state that `snapshot` of another replica returned."""
