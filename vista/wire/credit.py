"""The credit of a session: how many bytes of batches each side may have sent and not consumed.

Both sides count from the start of the session and tell one another totals, so a word that comes
late, or together with another one, is never wrong. Two rules. A batch that takes more than the
whole window goes alone, when all before it were consumed. Who receives judges by what it has told,
and who sends by what it has heard, which is never more: so an honest sender is never refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from vista.errors import LocalProtocolError, RemoteProtocolError

PART_COST = 64
"""Bytes of credit each part takes besides its own, the header's too: what holding it takes. Without
this a window would admit millions of empty batches."""

BATCH_COST_MIN = 2 * PART_COST
"""The credit of the smallest batch: a header and an empty part."""


def batch_cost(parts: Sequence[bytes | memoryview]) -> int:
    """Bytes of credit that a batch of these parts takes, its header included."""
    return sum(map(len, parts)) + PART_COST * (1 + len(parts))


class Credit:
    """Both directions of one session, in bytes as `batch_cost` counts them.

    ``window`` and ``batch_max`` are what this side grants. What the peer grants is given to `meet`;
    before it nothing may be sent. The totals may be read: ``sent`` and ``sent_consumed`` of the way
    out, ``came``, ``consumed`` and ``told`` (what the peer knows of the latter) of the way in.
    """

    __slots__ = (
        "_awaited",
        "_batch_max",
        "_window",
        "came",
        "consumed",
        "peer_batch_max",
        "peer_window",
        "sent",
        "sent_consumed",
        "told",
    )

    def __init__(self, window: int, batch_max: int) -> None:
        self._window, self._batch_max = window, batch_max
        self.peer_window = self.peer_batch_max = 0
        self.sent = self.sent_consumed = 0
        self.came = self.consumed = self.told = 0
        self._awaited = 0  # what the owner waits for; 0 when it does not

    def meet(self, window: int, batch_max: int) -> None:
        """Take what the peer grants."""
        self.peer_window, self.peer_batch_max = window, batch_max

    def has_room(self, cost: int) -> bool:
        """Whether a batch of this cost may be sent."""
        outstanding = self.sent - self.sent_consumed
        if outstanding and outstanding + cost > self.peer_window:
            return False
        return cost <= self.peer_batch_max

    def await_room(self, cost: int) -> bool:
        """The same, and remember to tell when it may, unless it never may."""
        if self.has_room(cost):
            return True
        if cost <= self.peer_batch_max:
            self._awaited = cost
        return False

    def spend(self, cost: int) -> None:
        """A batch is sent. Raises `LocalProtocolError` when it may not."""
        outstanding = self.sent - self.sent_consumed
        if (outstanding and outstanding + cost > self.peer_window) or cost > self.peer_batch_max:
            raise LocalProtocolError(
                f"a batch that takes {cost} bytes of credit beside {outstanding} outstanding; the "
                f"peer's window is {self.peer_window}, its greatest batch {self.peer_batch_max}"
            )
        self.sent += cost
        if not self._awaited and outstanding + cost > self.peer_window - BATCH_COST_MIN:
            self._awaited = BATCH_COST_MIN

    def is_plain(self, consumed: int) -> bool:
        """Whether the peer's total is a right one that opens no window which is awaited."""
        return not self._awaited and self.sent_consumed <= consumed <= self.sent

    def may_arrive(self, cost: int) -> bool:
        """Whether the peer may have sent a batch of this cost."""
        outstanding = self.came - self.told
        return cost <= self._batch_max and not (outstanding and outstanding + cost > self._window)

    def granted(self, consumed: int) -> bool:
        """The peer's total of what it consumed; gives whether the window opened that was awaited.

        Raises `RemoteProtocolError` for a total that shrinks or is more than was sent.
        """
        if not self.sent_consumed <= consumed <= self.sent:
            raise RemoteProtocolError(
                f"the peer consumed {consumed} bytes in all, of {self.sent} sent, after "
                f"{self.sent_consumed}"
            )
        self.sent_consumed = consumed
        if not self._awaited or not self.has_room(self._awaited):
            return False
        self._awaited = 0
        return True

    def arrive(self, cost: int) -> None:
        """A batch came. Raises `RemoteProtocolError` when the peer may not have sent it."""
        if not self.may_arrive(cost):
            outstanding = self.came - self.told
            raise RemoteProtocolError(
                f"a batch that takes {cost} bytes of credit beside {outstanding} outstanding; the "
                f"window is {self._window}, the greatest batch {self._batch_max}"
            )
        self.came += cost

    def consume(self, cost: int) -> None:
        """Batches that came were worked off.

        Raises `LocalProtocolError` for more than came, or less than nothing.
        """
        if not 0 <= cost <= self.came - self.consumed:
            raise LocalProtocolError(
                f"{cost} bytes consumed of {self.came - self.consumed} delivered"
            )
        self.consumed += cost

    def is_pressing(self) -> bool:
        """Whether the peer should hear at once what was consumed: half of its window."""
        return 2 * (self.consumed - self.told) >= self._window
