"""What waits while an object moves: what a sender holds, and what comes before the object opens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.kernel.current import FUTURE, METHOD
from vista.peering.remote import Served

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.table import Record
    from vista.kernel.timers import Timer


class Fence:
    """What waits until a FENCE has come back: messages for one object, as what sends them.

    It went to node ``old``, and the messages go to ``new``. A search has neither.
    """

    __slots__ = ("held", "id", "new", "old", "timer")

    def __init__(self, id: Id, old: bytes, new: bytes) -> None:
        self.id = id
        self.old = old
        self.new = new
        self.held: deque[Callable[[], None]] = deque()
        self.timer: Timer | None = None


class Arrivals:
    """Messages for an object that came from node ``home`` and does not answer yet.

    First are those that ``home`` passes on, and those that this node, ``here``, held back itself.
    What others send comes behind: earlier messages of theirs may have gone by this node to
    ``home``, and be on their way back.
    """

    __slots__ = ("_first", "_here", "_home", "_record", "origin")

    def __init__(self, record: Record, home: bytes, here: bytes) -> None:
        self.origin = here
        self._first: deque[Any] = deque()
        self._record = record
        self._home = home
        self._here = here

    def append(self, message: Any) -> None:
        """Take a message; a post is of the node in ``origin``, a call of the one that it names."""
        future = message[FUTURE]
        origin = future.origin if isinstance(future, Served) else self.origin
        if origin in (self._home, self._here) or self._record.queue is None:
            self._first.append(message)
        else:
            self._record.queue.append(message)

    def in_order(self) -> list[Any]:
        """Return the messages in the order in which they are to be run, those of here included."""
        return [*self._first, *(self._record.queue or ())]

    def __len__(self) -> int:
        return len(self._first)


def is_preemptable(item: Any) -> bool:
    """Return whether what waits for an object is a message that takes no turn in it."""
    return type(item) is tuple and bool(item[METHOD].preemptable)
