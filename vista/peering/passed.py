"""For whom messages were passed on over one link: who is told when it ends.

Nodes come and go beside a link that stays, so pairs with a node that was lost are forgotten. Not at
once: what was passed on for it may still be on the link, and its sender may reach it in another way
and wait. So they are set aside until a fence has come back over the link, behind which nothing of
theirs is left on it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

PAIRS_KEPT: Final = 256
"""Pairs that a link may have before lost nodes are looked for, and at least: 50 kB. To look costs
as much as passing on so many messages does besides, and is done each time that they have doubled.
"""


class Passed:
    """The pairs of nodes, origin and target, whose messages were passed on over one link."""

    __slots__ = ("_looked_at", "_pairs", "_set_aside")

    def __init__(self) -> None:
        self._pairs: set[tuple[bytes, bytes]] = set()
        self._set_aside: set[tuple[bytes, bytes]] = set()
        self._looked_at = PAIRS_KEPT

    def __len__(self) -> int:
        return len(self._pairs) + len(self._set_aside)

    def add(self, origin: bytes, node: bytes) -> bool:
        """Take note of a message; return whether it is time to look for lost nodes."""
        self._pairs.add((origin, node))
        return len(self._pairs) >= self._looked_at and not self._set_aside

    def set_aside(self, known: Container[bytes]) -> bool:
        """Set the pairs aside of which a node is not known; return whether there are any."""
        self._set_aside = {
            pair for pair in self._pairs if pair[0] not in known or pair[1] not in known
        }
        self._pairs -= self._set_aside
        self._looked_at = max(2 * len(self._pairs), PAIRS_KEPT)
        return bool(self._set_aside)

    def settle(self, *, is_heard: bool) -> None:
        """Forget what was set aside, or take it back when the fence did not come."""
        if not is_heard:
            self._pairs |= self._set_aside
        self._set_aside = set()

    def all(self) -> list[tuple[bytes, bytes]]:
        """Return all pairs, in order."""
        return sorted(self._pairs | self._set_aside)
