"""Records and the object table: what a node knows of each of its objects.

The table maps Ids to records, many to one. The hot path tests one word of the record, ``state``:

====================  ==============================================================
``state``             meaning
====================  ==============================================================
the kernel            idle, nothing queued, nothing to check: a call may run at once
a `Context`           held by that thread (`Worker` or coroutine)
`QUEUED`              its next message stands in the kernel's ready queue
`PASSING`             idle, but a preemptable message stands there and must come first
`GUARDED`             idle, but an access list, a watcher or a meta object to be asked
`DEPARTING`           on its way to another node: nobody gets in, preemptable or not
`ARRIVED`             come from there, but what was sent to its old home must come first
`GONE`                deleted, or replaced by the record in ``successor``
====================  ==============================================================

``idle`` is the state to which the record returns: the kernel, `GUARDED` or `GONE`. ``queue`` is
None as long as nothing waits and nothing is to be checked at the end of an invocation; so the end
of a call on the hot path costs one test.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from vista.errors import Overloaded
from vista.ids import NODE_BYTES, SERIAL_BYTES, SERIAL_MAX, Id

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.guard import Guard
    from vista.kernel.identity import Identity
    from vista.kernel.kernel import Kernel
    from vista.kernel.objects import Object
    from vista.kernel.refs import Ref

_SPAN: Final = 1 << 16
"""Serial numbers whose reservations are the bits of one integer."""

RESERVED_SPANS_MAX: Final = 1_000
"""Integers of such bits, 8 MB at most: 65 million objects, where they were made one after another.
"""


class State:
    """A named state of a record."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


QUEUED: Final = State("QUEUED")
"""The next message for the object stands in the kernel's ready queue."""
PASSING: Final = State("PASSING")
"""A preemptable message stands in the ready queue; what its sender sends next comes after it."""
GUARDED: Final = State("GUARDED")
"""Idle, with a guard: access list, watchers or a meta object."""
DEPARTING: Final = State("DEPARTING")
"""On its way to another node, so nobody gets in: what is changed here would not go along."""
ARRIVED: Final = State("ARRIVED")
"""Come from another node, and not let loose before what was sent to its old home is there."""
GONE: Final = State("GONE")
"""Deleted or replaced."""


class Record:
    """What the node keeps for one object. See the module's text for ``state``."""

    __slots__ = (
        "entry",
        "guard",
        "idle",
        "instance",
        "kernel",
        "key",
        "queue",
        "ref",
        "services",
        "state",
        "successor",
        "was_left",
    )

    def __init__(self, kernel: Kernel, key: bytes, entry: ClassEntry, instance: Object) -> None:
        self.state: Any = kernel
        self.idle: Any = kernel
        self.queue: deque[Any] | None = None
        self.kernel = kernel
        self.key = key
        self.entry = entry
        self.instance = instance
        self.guard: Guard | None = None
        self.ref: Ref | None = None
        # A dict from the second name on: of many, each is found and withdrawn at once. Most objects
        # have none.
        self.services: tuple[str, ...] | dict[str, None] = ()
        self.successor: Record | None = None
        # Whether a thread that was in it has left for the loop, since somebody last looked.
        self.was_left = False

    @property
    def id(self) -> Id:
        """The object's Id. ``key`` has the same bytes; an `Id` takes 130 ns to make."""
        return Id(self.key)

    def __repr__(self) -> str:
        return f"{self.entry.full_name} {self.id}"


class Absent:
    """What stands for an object that is not here: all that is known is its Id."""

    __slots__ = ("id", "kernel", "key")

    idle: Final = GONE
    state: Final = GONE
    entry: Final = None
    successor: Final = None
    services: Final[tuple[str, ...]] = ()

    def __init__(self, kernel: Kernel, id: Id) -> None:
        self.kernel = kernel
        self.id = self.key = id


def make_table(identity: bytes | Identity) -> Table:
    """Return the empty table of a node that is known by ``identity``."""
    if isinstance(identity, bytes):
        return Table(identity)
    return Table(identity.node, identity.take_block)


class Table:
    """The objects of one node by Id.

    ``node`` is the node's identity (10 bytes); `new_id` counts its serial numbers, which
    ``take_block`` gives in blocks where the identity outlives the process. Those below
    ``run_start`` were given by earlier runs.
    """

    __slots__ = (
        "_block_end",
        "_checked_from",
        "_reserved",
        "_serial",
        "_take_block",
        "node",
        "records",
        "run_start",
    )

    def __init__(self, node: bytes, take_block: Callable[[], range] | None = None) -> None:
        assert len(node) == NODE_BYTES
        self.node = node
        self.records: dict[bytes, Record] = {}
        self._take_block = take_block
        block = range(1, SERIAL_MAX) if take_block is None else take_block()
        self.run_start = block.start
        self._serial = block.start - 1
        self._block_end = self._checked_from = block.stop
        self._reserved: dict[int, int] = {}

    @property
    def serial(self) -> int:
        """The last serial number given."""
        return self._serial

    def new_key(self) -> bytes:
        """Return the bytes of an Id nobody ever had."""
        self._serial = serial = self._serial + 1
        if serial >= self._checked_from:
            self._serial = serial = self._checked(serial)
        return self.node + serial.to_bytes(SERIAL_BYTES, "big")

    def reserve(self, id: Id) -> None:
        """Never give an Id again that came from elsewhere.

        A node that keeps its identity over a restart gets objects back which it made before. Those
        of numbers that are not given yet come only where its identity was put back from an older
        copy, or where a peer makes Ids up. Raises `Overloaded` for too many of the latter.
        """
        if id.node != self.node or id.serial <= self._serial:
            return
        span, bit = divmod(id.serial, _SPAN)
        if span not in self._reserved and len(self._reserved) >= RESERVED_SPANS_MAX:
            raise Overloaded(
                f"object {id} is of this node and was never made by it, as were objects of "
                f"{RESERVED_SPANS_MAX:,} ranges of its Ids; a peer makes Ids up"
            )
        self._reserved[span] = self._reserved.get(span, 0) | 1 << bit
        self._checked_from = min(self._checked_from, span * _SPAN)

    def _checked(self, serial: int) -> int:
        """Return the next serial number that may be given."""
        while serial >= self._block_end or self._is_reserved(serial):
            if serial >= self._block_end:
                assert self._take_block is not None
                block = self._take_block()
                serial, self._block_end = block.start, block.stop
            else:
                serial += 1
        if self._reserved:
            # Those that were passed, or left out with the rest of a block, are needed no more.
            for span in [span for span in self._reserved if span < serial // _SPAN]:
                del self._reserved[span]
        first = min(self._reserved, default=self._block_end) * _SPAN
        self._checked_from = min(first, self._block_end)
        return serial

    def _is_reserved(self, serial: int) -> bool:
        span, bit = divmod(serial, _SPAN)
        return bool(self._reserved.get(span, 0) >> bit & 1)

    def new_id(self) -> Id:
        """Return an Id nobody ever had."""
        return Id(self.new_key())
