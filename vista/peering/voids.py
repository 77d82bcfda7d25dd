"""What nodes have given up, and what they may not know that this one has.

A message that its node gave up when a way broke may come late, over what is left of that way. It
must not run then, after messages that were sent later over the next way. Calls and posts of one
node are numbered in their order, so one number says which are void, and what comes after a later
one is late even before its node says so.

The first bits of a number are of the run of its node. Each run is an order of its own: a node that
was started again may count lower than before, and its first messages may come before the word that
it runs again.
"""

from __future__ import annotations

from typing import Final

COUNT_BITS: Final = 44
"""Bits of a number that count. At 250,000 messages a second they last for two years, after which
the next number is of another run."""

START_BYTES: Final = 5
"""Bytes of the number from which a run counts."""


def first_number(epoch: bytes, chance: bytes) -> int:
    """Return the number before the first one of the run ``epoch`` (8 bytes) of a node.

    It begins to count by ``chance``, `START_BYTES` of it: an answer to an earlier run must fit no
    call of this one.
    """
    return (_run_of(epoch) << COUNT_BITS) + int.from_bytes(chance, "big")


def _run_of(epoch: bytes) -> int:
    # As many bits as a number of 64 has besides.
    return int.from_bytes(epoch[:3], "big") >> 4


class Voids:
    """The numbers of calls and posts, by node, of ``nodes_max`` at most."""

    def __init__(self, nodes_max: int) -> None:
        # Numbers of this node's own.
        self._given_up: dict[bytes, int] = {}
        # Of the run of each node that was heard last; those of other runs are in ``_other``.
        self._seen: dict[bytes, int] = {}
        self._void: dict[bytes, int] = {}
        self._other: dict[tuple[bytes, int], tuple[int, int]] = {}
        self._nodes_max = nodes_max

    def give_up(self, node: bytes, number: int) -> None:
        """Take note that this node has ended its calls to another one up to a number."""
        if node not in self._given_up and len(self._given_up) >= self._nodes_max:
            del self._given_up[next(iter(self._given_up))]
        self._given_up[node] = number

    def is_later(self, node: bytes, number: int) -> bool:
        """Return whether this node sent its message of a number after what it has given up.

        Which is never so for one of an earlier run.
        """
        given_up = self._given_up.get(node, number)
        return number > given_up and not (number ^ given_up) >> COUNT_BITS

    def note(self, origin: bytes, number: int) -> None:
        """Take note that node ``origin`` gave up its calls up to a number."""
        self._turn_to(origin, number)
        self._void[origin] = max(number, self._void[origin])

    def covers(self, origin: bytes, number: int) -> bool:
        """Return whether node ``origin`` gave up its call of a number."""
        self._turn_to(origin, number)
        return number <= self._void[origin]

    def admits(self, origin: bytes, number: int) -> bool:
        """Take note of a message of node ``origin`` that came; return whether it is not late."""
        seen = self._seen.get(origin, -1)
        if seen < 0 or (number ^ seen) >> COUNT_BITS:
            self._turn_to(origin, number)
            seen = self._seen[origin]
        if number < seen or number <= self._void[origin]:
            return False
        self._seen[origin] = number
        return True

    def last_of(self, origin: bytes, epoch: bytes) -> int | None:
        """Return the number of the message that came last of a run of a node, None without one."""
        first = _run_of(epoch) << COUNT_BITS
        seen = self._seen.get(origin, -1)
        if seen >> COUNT_BITS != first >> COUNT_BITS:
            seen = self._other.get((origin, first >> COUNT_BITS), (first, -1))[0]
        return seen if seen > first else None

    def _turn_to(self, origin: bytes, number: int) -> None:
        """Have ``_seen`` and ``_void`` of a node be those of the run that a number is of."""
        run, seen = number >> COUNT_BITS, self._seen.pop(origin, -1)
        void = self._void.pop(origin, -1)
        if seen < 0:
            if len(self._seen) >= self._nodes_max:
                oldest = next(iter(self._seen))
                del self._seen[oldest], self._void[oldest]
        elif seen >> COUNT_BITS != run:
            if len(self._other) >= self._nodes_max:
                del self._other[next(iter(self._other))]
            self._other[origin, seen >> COUNT_BITS] = seen, void
            seen = -1
        if seen < 0:
            seen, void = self._other.pop((origin, run), (run << COUNT_BITS, -1))
        self._seen[origin], self._void[origin] = seen, void
