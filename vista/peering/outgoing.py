"""What waits to leave over a link: messages in batches, those that are alike in series.

Two rules. What waits is bounded: past ``limits.link_messages_max`` or ``link_bytes_max`` a message
is refused with `Overloaded`, and from a quarter of that on calls wait before they are sent. And
messages leave in the order in which they came: a series ends with the next one that is not like it.

Hot path: `Outgoing.append_call` and its two neighbours. A message of a series takes 65 bytecodes
here, one of its own twice that and another hundred at the other end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from vista.errors import Overloaded
from vista.wire.codec import pack_plain
from vista.wire.credit import PART_COST
from vista.wire.frames import (
    CALL,
    CALLS,
    FAILURE,
    POST,
    POSTS,
    REPLIES,
    REPLY,
    ROUTED,
    ROUTES,
    SERVICES,
    Part,
    Row,
)
from vista.wire.plain import PLAIN_BYTES

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.peering.remote import RemoteMethod
    from vista.wire.frames import Frames

ROW_BYTES: Final = 128
"""Bytes a message is counted for besides its payload: its head, names and places in lists."""

SMALL_BYTES: Final = ROW_BYTES + PLAIN_BYTES
"""Bytes a message of a series is counted for, whatever its values are."""

BATCH_BYTES: Final = 256 * 1024
"""Bytes of messages after which a batch is closed and another one begun: large enough that headers
do not count, small enough that the other side starts to work while the rest is packed."""

NAMES_BYTES_MAX: Final = 2048
"""Bytes that a message takes at most beyond what it is counted for: its names in UTF-8."""


def size_of(row: Row) -> int:
    """Return for how many bytes a message is counted, without its large buffers."""
    kind = row[0]
    if kind == ROUTED:
        row = row[4]
        kind = row[0]
    if kind == CALL:
        return ROW_BYTES + len(row[4]) + len(row[5])
    if kind in (ROUTES, SERVICES):
        return ROW_BYTES + len(pack_plain(row[1]))
    return ROW_BYTES + len(row[-1]) if kind in (POST, REPLY, FAILURE) else ROW_BYTES


class Outgoing:
    """The messages that wait to leave over one link.

    ``flush_soon`` is called when the first one waits; whoever flushes sets ``is_flush_due`` back.
    ``words`` returns where they go, for people. ``note_post`` is called with the object's Id for
    posts in series, once in a turn for each method.
    """

    # Of more than 30 attributes Python finds none fast unless they are slots.
    __slots__ = (
        "_batch_bytes",
        "_buffers",
        "_bytes_max",
        "_calls",
        "_counters",
        "_flush_soon",
        "_frame_bytes_max",
        "_frames",
        "_full",
        "_full_bytes",
        "_full_messages",
        "_kernel",
        "_many_messages",
        "_message_bytes_max",
        "_messages_max",
        "_much_bytes",
        "_note_post",
        "_noted_at",
        "_noting",
        "_open_bytes",
        "_open_messages",
        "_posts",
        "_replies",
        "_rows",
        "_series_bytes_max",
        "_words",
        "is_flush_due",
    )

    def __init__(
        self,
        kernel: Kernel,
        frames: Frames,
        flush_soon: Callable[[], None],
        words: Callable[[], str],
        note_post: Callable[[bytes], None],
    ) -> None:
        limits = kernel.limits
        self.is_flush_due = False
        self._flush_soon = flush_soon
        self._words = words
        self._note_post = note_post
        self._kernel = kernel
        self._noted_at = 0.0
        self._noting = object()
        self._frames = frames
        self._counters = kernel.counters
        self._frame_bytes_max = limits.frame_bytes_max
        self._messages_max, self._bytes_max = limits.link_messages_max, limits.link_bytes_max
        self._much_bytes, self._many_messages = self._bytes_max // 4, self._messages_max // 4
        # Batches that are closed, with their messages and bytes; behind them is the open one.
        self._full: deque[tuple[list[Row], list[Part], int, int]] = deque()
        self._full_messages = self._full_bytes = 0
        self._rows: list[Row] = []
        self._buffers: list[Part] = []
        self._open_bytes = self._open_messages = 0
        # The columns of the last row if it is a series, of one of three kinds. Its messages are not
        # among ``_open_messages`` yet.
        self._calls: tuple[Any, ...] | None = None
        self._posts: tuple[Any, ...] | None = None
        self._replies: tuple[list[int], list[Any]] | None = None
        self.bound(limits.frame_bytes_max)

    def bound(self, frame_bytes_max: int) -> None:
        """Take nothing that is more than a frame of this node or a batch of the peer may be."""
        most = min(frame_bytes_max, self._frame_bytes_max)
        self._batch_bytes = min(BATCH_BYTES, most // 16)
        self._message_bytes_max = most - NAMES_BYTES_MAX
        self._note_room()

    @property
    def waiting_messages(self) -> int:
        """How many messages wait."""
        return self._count_open() + self._full_messages

    @property
    def waiting_bytes(self) -> int:
        """How many bytes they are counted for."""
        return self._full_bytes + self._open_bytes

    @property
    def is_congested(self) -> bool:
        """Whether so much waits that calls should wait before they are sent."""
        if self._full_bytes + self._open_bytes > self._much_bytes:
            return True
        return self._full_messages + self._count_open() > self._many_messages

    # --- putting in ------------------------------------------------------------------------

    def append(self, row: Row, buffers: Sequence[Part], *, force: bool = False) -> None:
        """Have a message leave. Raises `Overloaded` when too much waits, unless ``force``."""
        size = size_of(row)
        if buffers:
            size += sum(map(len, buffers)) + PART_COST * len(buffers)
        if size > self._message_bytes_max:
            raise Overloaded(
                f"a message of {size} bytes is more than a frame to {self._words()} takes "
                "(limit frame_bytes_max)"
            )
        self._end_series()
        count, waiting = self._full_messages + self._open_messages, self.waiting_bytes
        if not force and (count >= self._messages_max or waiting + size > self._bytes_max):
            self._counters.overloads += 1
            raise Overloaded(
                f"{count} messages of {waiting} bytes wait for the link to {self._words()} "
                "(limits link_messages_max, link_bytes_max)"
            )
        names = NAMES_BYTES_MAX * len(self._rows)
        if self._rows and self._open_bytes + size + names > self._message_bytes_max:
            self._close_batch()
        self._rows.append(row)
        if buffers:
            self._buffers += buffers
        self._open_messages += 1
        self._open_bytes += size
        if not self.is_flush_due:
            self.is_flush_due = True
            self._flush_soon()
        if self._open_bytes >= self._batch_bytes:
            self._close_batch()

    def append_call(
        self, method: RemoteMethod, user: str, number: int, sender: bytes, args: Sequence[Any]
    ) -> bool:
        """Have a call with plain arguments leave.

        Returns False, and has done nothing, when `append` has to be asked whether there is room.
        """
        size = self._open_bytes + SMALL_BYTES
        if size > self._series_bytes_max:
            return False
        self._open_bytes = size
        series = self._calls
        if series is not None:
            what, who, width, numbers, senders, values = series
            if method is what and user == who and len(args) == width:
                numbers.append(number)
                senders.append(sender)
                values += args
                return True
        self._calls = self._begin_series(CALLS, method, user, number, sender, args)
        return True

    def append_post(
        self, method: RemoteMethod, user: str, number: int, sender: bytes, args: Sequence[Any]
    ) -> bool:
        """As `append_call`, for a post."""
        size = self._open_bytes + SMALL_BYTES
        if size > self._series_bytes_max:
            return False
        self._open_bytes = size
        series = self._posts
        if series is not None:
            what, who, width, numbers, senders, values = series
            if method is what and user == who and len(args) == width:
                numbers.append(number)
                senders.append(sender)
                values += args
                return True
        now = self._kernel.now
        if now != self._noted_at:
            self._noted_at, self._noting = now, object()
        if method.noted is not self._noting:
            method.noted = self._noting
            self._note_post(method.id)
        self._posts = self._begin_series(POSTS, method, user, number, sender, args)
        return True

    def append_reply(self, number: int, value: Any) -> bool:
        """As `append_call`, for the plain result of a call."""
        size = self._open_bytes + SMALL_BYTES
        if size > self._series_bytes_max:
            return False
        self._open_bytes = size
        series = self._replies
        if series is None:
            series = ([], [])
            self._begin_row((REPLIES, *series))
            self._replies = series
        series[0].append(number)
        series[1].append(value)
        return True

    def _begin_series(
        self,
        kind: int,
        method: RemoteMethod,
        user: str,
        number: int,
        sender: bytes,
        args: Sequence[Any],
    ) -> tuple[Any, ...]:
        numbers, senders, values = [number], [sender], [*args]
        self._begin_row((kind, method.id, method.name, user, numbers, senders, values))
        return method, user, len(args), numbers, senders, values

    def _begin_row(self, row: Row) -> None:
        self._end_series()
        self._rows.append(row)
        if not self.is_flush_due:
            self.is_flush_due = True
            self._flush_soon()

    def _end_series(self) -> None:
        """Let the next message begin another row."""
        if self._calls or self._posts or self._replies:
            self._open_messages = self._count_open()
            self._calls = self._posts = self._replies = None

    def _count_open(self) -> int:
        """Return how many messages the open batch has."""
        series = self._calls or self._posts
        count: int = 0 if series is None else len(series[3])
        if self._replies is not None:
            count = len(self._replies[0])
        return self._open_messages + count

    # --- taking out ------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self._rows or self._full)

    def take(self) -> tuple[list[Part], int]:
        """Return the parts of the first batch and how many messages it has."""
        if not self._full:
            self._close_batch()
        rows, buffers, count, size = self._full.popleft()
        self._full_messages -= count
        self._full_bytes -= size
        self._note_room()
        return self._frames.encode_batch(rows, buffers), count

    def end(self) -> None:
        """Forget what waits, and take nothing more in series."""
        self._full.clear()
        self._full_messages = self._full_bytes = 0
        self._begin_batch()
        self._series_bytes_max = 0

    def _close_batch(self) -> None:
        self._end_series()
        self._full.append((self._rows, self._buffers, self._open_messages, self._open_bytes))
        self._full_messages += self._open_messages
        self._full_bytes += self._open_bytes
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._rows, self._buffers = [], []
        self._open_bytes = self._open_messages = 0
        self._calls = self._posts = self._replies = None
        self._note_room()

    def _note_room(self) -> None:
        """Work out how full the open batch may get by messages of series."""
        few = self._many_messages - self._full_messages
        is_free = few > 0 and self._full_bytes < self._much_bytes
        self._series_bytes_max = min(self._batch_bytes, SMALL_BYTES * few) if is_free else 0
