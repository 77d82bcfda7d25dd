"""What nodes have given up, and what they may not know that this one has.

A call that its node gave up when a way broke may come late, over what is left of that way. It must
not run then, after calls that were sent later over the next way. Calls of one node are numbered in
their order, so one number says which are void.
"""

from __future__ import annotations


class Voids:
    """The numbers of calls of other nodes, by node, of ``nodes_max`` at most.

    ``seen`` are those of the calls that came last: all up to there may have had answers that are
    lost.
    """

    def __init__(self, nodes_max: int) -> None:
        self.seen: dict[bytes, int] = {}
        self._void: dict[bytes, int] = {}
        self._nodes_max = nodes_max

    def note(self, origin: bytes, number: int) -> None:
        """Take note that node ``origin`` gave up its calls up to a number."""
        if origin not in self._void and len(self._void) >= self._nodes_max:
            del self._void[next(iter(self._void))]
        self._void[origin] = max(number, self._void.get(origin, -1))

    def covers(self, origin: bytes, number: int) -> bool:
        """Return whether node ``origin`` gave up its call of a number."""
        return number <= self._void.get(origin, -1)

    def forget(self, node: bytes) -> None:
        """Forget what an earlier run of a node said and sent."""
        self._void.pop(node, None)
        self.seen.pop(node, None)
