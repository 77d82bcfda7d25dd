"""Messages of views that this replica is not in yet (OSDI 1999, section 4.4).

They come where somebody else was faster to enter a view. Nobody's word says that the view will
begin, so what one sender can have kept is bounded by number and by bytes. What is beyond makes the
oldest give way, and is sent again after a status.
"""

from __future__ import annotations

from collections import deque

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import Commit, Prepare, Proposal

EARLY_MESSAGES_MAX = 64
"""Messages kept for each sender."""

EARLY_BATCHES_MAX = 4
"""Batches of the largest size that may be kept for each sender; smaller ones in their place."""

Order = Proposal | Prepare | Commit


class Early:
    """What came too early, by sender; batches of one may have ``batch_bytes_max`` bytes each."""

    def __init__(self, batch_bytes_max: int) -> None:
        self._bytes_max = EARLY_BATCHES_MAX * batch_bytes_max
        self._batch_bytes_max = batch_bytes_max
        self._kept: dict[Principal, deque[Order]] = {}
        self._bytes: dict[Principal, int] = {}

    def keep(self, sender: Principal, message: Order) -> None:
        """Keep a message; one that no view can use, as it is too large, is dropped."""
        size = _size(message)
        if size > self._batch_bytes_max:
            return
        kept = self._kept.setdefault(sender, deque())
        kept.append(message)
        total = self._bytes.get(sender, 0) + size
        while len(kept) > EARLY_MESSAGES_MAX or total > self._bytes_max:
            total -= _size(kept.popleft())
        self._bytes[sender] = total

    def take(self) -> list[tuple[Principal, Order]]:
        """Return everything, sender by sender in the order it came, and forget it."""
        kept, self._kept, self._bytes = self._kept, {}, {}
        return [(sender, message) for sender, messages in kept.items() for message in messages]

    def size(self) -> int:
        """Return the most messages kept for one sender."""
        return max((len(messages) for messages in self._kept.values()), default=0)


def _size(message: Order) -> int:
    return message.batch.size if isinstance(message, Proposal) else 0
