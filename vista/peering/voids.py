"""What nodes have given up, and what they may not know that this one has.

A message that its node gave up when a way broke may come late, over what is left of that way. It
must not run then, after messages that were sent later over the next way. Calls and posts of one
node are numbered in their order, so one number says which are void, and what comes after a later
one is late even before its node says so.
"""

from __future__ import annotations


class Voids:
    """The numbers of calls and posts of other nodes, by node, of ``nodes_max`` at most.

    ``seen`` are those that came last; ``given_up`` are this node's own numbers: of its calls to a
    node those up to there are ended.
    """

    def __init__(self, nodes_max: int) -> None:
        self.seen: dict[bytes, int] = {}
        self.given_up: dict[bytes, int] = {}
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

    def admits(self, origin: bytes, number: int) -> bool:
        """Take note of a message of node ``origin`` that came; return whether it is not late."""
        if number < self.seen.get(origin, -1) or number <= self._void.get(origin, -1):
            return False
        self.seen[origin] = number
        return True

    def forget(self, node: bytes) -> None:
        """Forget what an earlier run of a node said and sent."""
        self._void.pop(node, None)
        self.seen.pop(node, None)
        self.given_up.pop(node, None)
