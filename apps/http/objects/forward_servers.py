"""Which of several servers the next client gets: what is known of each, and when it is looked at.

Three rules. The server with the fewest connections is chosen, of equal ones the one whose turn is
longest ago. One that failed gets no client until a look finds it well; looks at it come at growing
distances. One that somebody accuses gets none until that is taken back, however well it looks.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import vista

SERVERS_MAX = 1_000
"""Servers of one front end; each is asked every few seconds whether it is well."""

LOOK_SECONDS = 1.0
"""How long a server that is well is left before the next look at it."""

PAUSE_SECONDS_MIN = 0.5
"""How long a server that failed is left before the first look at it; then twice as long each time,
so one that is gone for good costs next to nothing."""

PAUSE_SECONDS_MAX = 8.0
"""The longest of these pauses: what a server that is back may wait for its first client."""


@dataclass(eq=False)
class Server:
    """A server: ``open`` are its connections, ``served`` how many it had in all.

    ``fault`` says why it is left out, and is empty while it is not; ``silent`` that it is out for
    saying nothing, and not for refusing. ``accusation`` is why it is not to be used whatever it
    answers.
    """

    address: str
    name: str
    open: int = 0
    served: int = 0
    failures: int = 0
    fault: str = ""
    silent: bool = False
    accusation: str = ""
    look_at: float = 0.0
    turn: int = 0

    @property
    def state(self) -> str:
        """How it is, in words."""
        if self.accusation:
            return f"out: {self.accusation}"
        return f"out: {self.fault}" if self.fault else "in"


class Servers:
    """The servers of a front end, by their addresses."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}
        self._turns = 0

    def __len__(self) -> int:
        return len(self._servers)

    def rows(self) -> list[Server]:
        """Return the servers in the order in which they were added."""
        return list(self._servers.values())

    def get(self, address: str) -> Server | None:
        """Return the server at an address, None if there is none."""
        return self._servers.get(address)

    def add(self, address: str, name: str = "") -> Server:
        """Return the server at an address, which is a further one if it was not there.

        Raises `vista.Overloaded` for too many.
        """
        known = self._servers.get(address)
        if known is None:
            if len(self._servers) >= SERVERS_MAX:
                raise vista.Overloaded(f"a front end has {SERVERS_MAX} servers at most")
            known = self._servers[address] = Server(address, name or address)
        known.name = name or known.name
        return known

    def remove(self, address: str) -> Server | None:
        """Forget a server; return it, None if there was none."""
        return self._servers.pop(address, None)

    def choose(self, tried: Collection[Server] = ()) -> Server | None:
        """Return who gets the next client, None where nobody can; ``tried`` are left out.

        Where all are out, one that was only silent is better than none: all of them are slow.
        """
        rest = [one for one in self._servers.values() if not one.accusation and one not in tried]
        chosen = [one for one in rest if not one.fault] or [one for one in rest if one.silent]
        return min(chosen, key=lambda one: (one.open, one.turn), default=None)

    def take(self, server: Server) -> None:
        """Count a connection that is made."""
        self._turns += 1
        server.open += 1
        server.served += 1
        server.turn = self._turns

    def leave(self, server: Server) -> None:
        """Count a connection that has ended."""
        server.open -= 1

    def failed(self, server: Server, fault: str, now: float, *, silent: bool = False) -> bool:
        """Leave a server out; return whether it was in until then."""
        was_in = not server.fault
        server.fault, server.silent = fault, silent
        pause = min(PAUSE_SECONDS_MIN * 2.0 ** min(server.failures, 30), PAUSE_SECONDS_MAX)
        server.failures += 1
        server.look_at = now + pause
        return was_in

    def well(self, server: Server, now: float) -> bool:
        """Use a server again; return whether it was out until then."""
        was_out = bool(server.fault)
        server.fault, server.silent, server.failures = "", False, 0
        server.look_at = now + LOOK_SECONDS
        return was_out

    def due(self, now: float) -> list[Server]:
        """Return the servers that are to be looked at; each is put off, until the look is over."""
        found = [one for one in self._servers.values() if one.look_at <= now]
        for one in found:
            one.look_at = math.inf
        return found

    def next_deadline(self) -> float:
        """Return when the next look is due."""
        return min((one.look_at for one in self._servers.values()), default=math.inf)
