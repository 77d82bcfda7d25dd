"""What waits while an object moves: what a sender holds, and what comes before the object opens.

And what was given up, behind which all of that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from vista.errors import Overloaded
from vista.kernel.current import METHOD

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.table import Record
    from vista.kernel.timers import Timer


SETTLERS_MIN: Final = 64
"""Objects that moved here among which those that went are not looked for."""


class Fence:
    """What waits until a FENCE has come back: messages for one object, as what sends them.

    It went to node ``old``, and the messages go to ``new``. A search has neither.
    """

    __slots__ = ("held", "id", "new", "number", "old", "timer")

    def __init__(self, id: Id, old: bytes, new: bytes) -> None:
        self.id = id
        self.old = old
        self.new = new
        self.held: deque[Callable[[], None]] = deque()
        self.number = 0
        self.timer: Timer | None = None

    def cancel_timer(self) -> None:
        """Let time end it no longer."""
        if self.timer is not None:
            self.timer.cancel()


class Settled:
    """Objects of other nodes that moved here, to be told from copies of them.

    ``records`` are those of the node by Id. What is not among them any longer is forgotten when
    there are twice as many as there were, and `SETTLERS_MIN` at least.
    """

    def __init__(self, records: Mapping[bytes, Any]) -> None:
        self._records = records
        self._ids: dict[bytes, None] = {}
        self._looked_at = 2 * SETTLERS_MIN

    def add(self, id: bytes) -> None:
        """Take note that an object has moved here."""
        if len(self._ids) >= self._looked_at:
            self._ids = {known: None for known in self._ids if known in self._records}
            self._looked_at = 2 * max(len(self._ids), SETTLERS_MIN)
        self._ids[id] = None

    def __contains__(self, id: bytes) -> bool:
        return id in self._ids


class Posted:
    """Objects to which posts of this node left in the last ``seconds``, and in those before.

    By the nodes for which they left. Nobody is told of the end of a post, so it is taken to be on
    its way for so long. ``objects_max`` are kept, twice; of more only the nodes.
    """

    def __init__(self, objects_max: int, seconds: float) -> None:
        self._objects_max = objects_max
        self._seconds = seconds
        # The inner ones are sets that have an order.
        self._latest: dict[bytes, dict[bytes, None]] = {}
        self._before: dict[bytes, dict[bytes, None]] = {}
        self._count = 0
        self._ends = 0.0

    def note(self, id: bytes, node: bytes, now: float) -> None:
        """Take note that a post to an object leaves for ``node``."""
        if now >= self._ends:
            self._turn(now)
        ids = self._latest.get(node)
        if ids is None:
            ids = self._latest[node] = {}
        if id not in ids:
            self._count += 1
            ids[id if self._count <= self._objects_max else node] = None

    def to(self, node: bytes, now: float) -> list[bytes]:
        """Return the objects to which posts may be on their way to a node.

        Among them is the node itself when there were more.
        """
        if now >= self._ends:
            self._turn(now)
        return list({**self._before.get(node, {}), **self._latest.get(node, {})})

    def _turn(self, now: float) -> None:
        # Else those are as old as twice as much.
        self._before = self._latest if now < self._ends + self._seconds else {}
        self._latest = {}
        self._count = 0
        self._ends = now + self._seconds


class GivenUp:
    """Objects of which messages of this node were given up that may still be on their way.

    Each with the node where it was thought to be, for ``seconds``; ``objects_max`` of them at most.
    Of the earliest beyond that only the node is kept: whatever is thought to be there may be one.
    """

    def __init__(self, objects_max: int, seconds: float) -> None:
        self._objects_max = objects_max
        self._seconds = seconds
        # Both in the order in which they are due.
        self._found: dict[bytes, tuple[bytes, float]] = {}
        self._nodes: dict[bytes, float] = {}

    def note(self, id: bytes, node: bytes, now: float) -> None:
        """Take note that a call or post to an object at ``node`` was given up.

        ``id`` may be the node itself, when nobody knows to which of its objects.
        """
        if id == node:
            self._note_node(node, now + self._seconds)
            return
        self._found.pop(id, None)
        self._forget(now)
        if len(self._found) >= self._objects_max:
            self._note_node(*self._found.pop(next(iter(self._found))))
        self._found[id] = (node, now + self._seconds)

    def _note_node(self, node: bytes, due: float) -> None:
        self._nodes.pop(node, None)
        if len(self._nodes) >= self._objects_max:
            del self._nodes[next(iter(self._nodes))]
        self._nodes[node] = due

    def of(self, id: bytes, thought: bytes, now: float) -> tuple[bytes, float]:
        """Return the node to which they were sent, and until when they may be on their way.

        ``thought`` is where the object is thought to be. ``(b"", now)`` when none may be.
        """
        self._forget(now)
        found = self._found.get(id)
        if found is None and thought in self._nodes:
            found = (thought, self._nodes[thought])
        return (b"", now) if found is None else found

    def _forget(self, now: float) -> None:
        while self._found:
            id = next(iter(self._found))
            if self._found[id][1] > now:
                break
            del self._found[id]
        while self._nodes:
            node = next(iter(self._nodes))
            if self._nodes[node] > now:
                break
            del self._nodes[node]


class Arrivals:
    """Messages for an object that came from node ``home`` and does not answer yet.

    First are those that ``home`` passes on, and ``before``, where this node, ``here``, believed the
    object; and those that this node held back itself. What others send comes behind: earlier
    messages of theirs may have gone by this node, and be on their way back. Last are those that
    objects of this node have sent since it came, which stand in its queue: earlier ones may come
    back by any node.
    """

    __slots__ = ("_first", "_nodes", "_others", "_record")

    def __init__(self, record: Record, home: bytes, before: bytes, here: bytes) -> None:
        self._first: deque[Any] = deque()
        self._others: deque[Any] = deque()
        self._record = record
        self._nodes = (home, before, here)

    def append(self, message: Any, origin: bytes) -> None:
        """Take a message of node ``origin``. Raises `Overloaded` when too many wait."""
        kernel = self._record.kernel
        if len(self) >= kernel.messages_max:
            kernel.counters.overloads += 1
            raise Overloaded(f"{len(self)} messages wait for an object that has just come here")
        (self._first if origin in self._nodes else self._others).append(message)

    def in_order(self) -> list[Any]:
        """Return the messages in the order in which they are to be run."""
        return [*self._first, *self._others, *(self._record.queue or ())]

    def __len__(self) -> int:
        return len(self._first) + len(self._others)


def is_preemptable(item: Any) -> bool:
    """Return whether what waits for an object is a message that takes no turn in it."""
    return type(item) is tuple and bool(item[METHOD].preemptable)
