"""What administrators ask for besides reconfigurations; it is ordered like any other request.

Three wishes: that another replica leads from here on (`HandOver`), that a replica starts again from
its disk (`Renewal`), and that nothing happens at some number (`PASS`), which brings the next
checkpoint nearer. Because they are ordered, all replicas hear of them at the same place, and nobody
but an administrator can have them done.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack


@dataclass(frozen=True, slots=True)
class HandOver:
    """``successor`` shall lead in the place of the primary of ``view``."""

    view: int
    successor: int

    @property
    def operation(self) -> bytes:
        """The operation that asks for it."""
        return pack(["hand-over", self.view, self.successor])


@dataclass(frozen=True, slots=True)
class Renewal:
    """Replica ``number`` shall start again from its disk (proactive recovery)."""

    number: int

    @property
    def operation(self) -> bytes:
        """The operation that asks for it."""
        return pack(["renew", self.number])


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing shall be done."""

    @property
    def operation(self) -> bytes:
        """The operation that asks for it."""
        return pack(["pass"])


PASS = Pass()

Wish = HandOver | Renewal | Pass


def read_wish(operation: bytes) -> Wish | None:
    """Return what an administrator asks for, None for what has to be a reconfiguration."""
    try:
        match unpack(operation):
            case ["hand-over", int(view), int(successor)]:
                return HandOver(view, successor)
            case ["renew", int(number)]:
                return Renewal(number)
            case ["pass"]:
                return PASS
    except MalformedMessage:
        pass
    return None
