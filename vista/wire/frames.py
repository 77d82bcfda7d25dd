"""Frames: a batch of messages as one multipart unit, and back.

A message is a row: the number of its `Kind` and the fields of that kind in the order of `FIELDS`,
at last the payload, if it has one: the bytes that `vista.wire.codec` made. The first part of a
frame is a msgpack array of rows; the large buffers of all messages follow as parts of their own, in
order. A *series* is a row that stands for several messages, whose values are plain
(`vista.wire.plain`): calls or posts that follow one another to one method of one object, or results
of calls. What they have in common is packed, checked and looked up once.

Three rules. The payload stays closed here: a node that only passes a message on needs none of its
classes, and a payload that cannot be read fails one call and not the link. What arrives is checked
field by field: the rows, or `RemoteProtocolError`. What is to be sent is checked when it cannot be
packed, with `LocalProtocolError`: the fields of a row come from this node's own code.

Hot path, `Frames.encode_batch` and `Frames.decode_batch`: among 256 messages a call takes 0.14 and
0.50 us, of which packing and unpacking take 0.14 each, and its answer 0.09 and 0.27. A message
object for each call would take 1.5 and 2.6 us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from itertools import islice
from operator import lt
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from vista.counted import counted
from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.ids import ID_BYTES, NODE_BYTES, Id
from vista.limits import Limits
from vista.wire.codec import plain_packer, unpack_plain
from vista.wire.plain import NUMERIC, WIDTH_MAX, is_plain

NUMBER_MAX = 2**64 - 1

CHAIN_LINK_BYTES = NODE_BYTES + 8
"""Bytes of one call in the field ``chain``: the node that waits, and its number of the call."""

HOPS_MAX = 255

Part = bytes | memoryview
Row = Sequence[Any]
"""A message: (kind, field, ...)."""


class Kind(IntEnum):
    """What a message is for. The numbers are for ever."""

    CALL = 1
    """Run a method; a `REPLY` or a `FAILURE` of the same number is awaited."""
    POST = 2
    """Run a method; nothing is awaited."""
    REPLY = 3
    """The result of the call of this number; the payload is one value."""
    FAILURE = 4
    """The exception that ended the call of this number; the payload is the exception."""
    CANCEL = 5
    """Nobody awaits the call of this number any more: its thread is to end."""
    ROUTED = 6
    """A message for a node further on: the inner row goes on as it is."""
    ROUTES = 7
    """What the neighbour's routing tells this one's; see `vista.peering.routing`."""
    SERVICES = 8
    """What the neighbour's announcements tell this one's; see `vista.peering.announcements`."""
    FENCE = 9
    """Answer by `FENCED` when all that came by this way for the object has been handed on."""
    FENCED = 10
    """The answer to the fence of this number."""
    MOVED = 11
    """The object is at the node ``origin``; see `vista.peering.moves`."""
    PROBE = 12
    """Follow what a call waits for, should it be the call ``start``; see `vista.peering.rings`."""
    CALLS = 13
    """A series of CALLs."""
    POSTS = 14
    """A series of POSTs."""
    REPLIES = 15
    """A series of REPLYs."""


FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.CALL: ("head", "method", "user", "chain", "payload"),
    Kind.POST: ("head", "method", "user", "payload"),
    Kind.REPLY: ("number", "buffers", "payload"),
    Kind.FAILURE: ("number", "buffers", "payload"),
    Kind.CANCEL: ("number",),
    Kind.ROUTED: ("destination", "origin", "hops", "inner"),
    Kind.ROUTES: ("message",),
    Kind.SERVICES: ("message",),
    Kind.FENCE: ("number", "target"),
    Kind.FENCED: ("number",),
    Kind.MOVED: ("target", "origin"),
    Kind.PROBE: ("start", "round", "number", "hops", "words"),
    Kind.CALLS: ("target", "method", "user", "numbers", "senders", "values"),
    Kind.POSTS: ("target", "method", "user", "numbers", "senders", "values"),
    Kind.REPLIES: ("numbers", "values"),
}
"""The fields of each kind, in their order on the wire.

The head is fixed bytes, `HEAD`, so that one step reads and checks it: the number of the call or
post, the number of large buffers, the Ids of target and sender (`NOBODY` when no object sent it).
``number`` (0 to 2**64 - 1) pairs a call with its answer: 20 bits are of the run of the caller's
node and 44 it counts, see `vista.peering.voids`; ``method`` and ``user`` are texts; ``chain`` names
the calls that wait for this one, outermost first, `CHAIN_LINK_BYTES` for each; ``destination`` and
``origin`` are node identities (10 bytes); ``hops`` is how many links it may still take; ``inner``
is a row of another kind; ``message`` a plain value; ``start`` names a call as a chain does,
``round`` counts its probes; ``words`` are for people. Of a series ``numbers`` are those of its
messages, which ascend in CALLS and POSTS, and ``senders`` the Ids of who sent each; ``values`` are
the arguments of all, as many for each message, or the results.
"""

HEAD: Final = Struct(f">QH{ID_BYTES}s{ID_BYTES}s")
NOBODY: Final = bytes(ID_BYTES)
"""The sender of a message that no object sent."""

WORDS_MAX: Final = 1_000
"""Characters of ``words``: a way over some ten calls."""

_KEPT_BYTES: Final = 512 * 1024
"""Bytes of a batch after which the packer is made anew: it keeps the memory of its largest."""

BUFFERS_MAX: Final = 65_535
"""Large buffers of one message; more of them are packed into it."""

CALL: Final = 1
POST: Final = 2
REPLY: Final = 3
FAILURE: Final = 4
CANCEL: Final = 5
ROUTED: Final = 6
ROUTES: Final = 7
SERVICES: Final = 8
FENCE: Final = 9
FENCED: Final = 10
MOVED: Final = 11
PROBE: Final = 12
CALLS: Final = 13
POSTS: Final = 14
REPLIES: Final = 15
# As plain numbers: an IntEnum is packed and compared four times slower.

_INTEGERS: Final[frozenset[type]] = frozenset({int})
_BYTES: Final[frozenset[type]] = frozenset({bytes, Id})
_ID_LENGTHS: Final = frozenset({ID_BYTES})
_INNER = frozenset({CALL, POST, REPLY, FAILURE, CANCEL, FENCE, FENCED, MOVED, PROBE})
_SERIES = frozenset({CALLS, POSTS, REPLIES})
_LENGTHS = {int(kind): 1 + len(fields) for kind, fields in FIELDS.items()}


class Frames:
    """Joins messages into frames and takes them apart, within the bounds of a node.

    ``limits.frame_bytes_max`` bounds all parts of a batch together and
    ``limits.name_characters_max`` the names of methods and users.
    """

    def __init__(self, limits: Limits) -> None:
        # Making one for each batch takes 3 us.
        self._pack = plain_packer()
        self._bytes_max = limits.frame_bytes_max
        self._name_max = limits.name_characters_max
        self._checks: dict[str, Callable[[Any], bool]] = {
            "head": _is_head,
            "number": _is_number,
            "round": _is_number,
            "start": _is_call,
            "words": _are_words,
            "buffers": lambda value: type(value) is int and 0 <= value <= BUFFERS_MAX,
            "method": self._is_name,
            "user": self._is_name,
            "chain": lambda value: _is_bytes(value) and not len(value) % CHAIN_LINK_BYTES,
            "payload": _is_bytes,
            "target": lambda value: _is_bytes(value) and len(value) == ID_BYTES,
            "destination": _is_node,
            "origin": _is_node,
            "hops": lambda value: type(value) is int and 0 <= value <= HOPS_MAX,
            "inner": lambda value: True,  # checked as the row it is
            "message": lambda value: True,  # checked by those who understand it
            "numbers": _are_numbers,
            "senders": _are_ids,
            "values": _are_values,
        }

    def encode_batch(self, rows: Sequence[Row], buffers: Sequence[Part] = ()) -> list[Part]:
        """The parts of one frame that carries the rows, and the buffers of all of them, in order.

        Raises `LocalProtocolError` for a field that its kind does not allow, if it cannot be
        packed, and for a batch of more bytes than a frame may have.
        """
        try:
            data = self._pack(rows)
            if len(data) > _KEPT_BYTES:
                self._pack = plain_packer()
            parts: list[Part] = [data, *buffers]
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            for row in rows:
                self.check_row(row)
            raise LocalProtocolError(f"a batch that cannot be packed: {error}") from error
        if sum(map(len, parts)) > self._bytes_max:
            raise LocalProtocolError(f"a batch of more than {self._bytes_max} bytes")
        return parts

    def decode_batch(self, parts: Sequence[Part]) -> list[list[Any]]:
        """The rows of one frame, in their order; a part may be any bytes-like object.

        A head comes as the tuple of what is in it, and a payload as the list of its parts; large
        ones are handed on as they came, not copied. Raises `RemoteProtocolError` when the parts are
        no frame.
        """
        if sum(map(len, parts)) > self._bytes_max:
            raise RemoteProtocolError(f"a frame of more than {self._bytes_max} bytes")
        if not parts:
            raise RemoteProtocolError("a frame of no parts")
        rows = unpack_plain(bytes(parts[0]))
        if type(rows) is not list:
            raise RemoteProtocolError("a frame starts with an array of messages")
        at = 1
        for row in rows:
            at = self._take_row(row, parts, at)
        if at != len(parts):
            left = counted(len(parts) - at, "buffer belongs", "buffers belong")
            raise RemoteProtocolError(f"{left} to no message")
        return rows

    def _take_row(self, row: Any, parts: Sequence[Part], at: int) -> int:
        """Check a row and give it its buffers; return where the next one's begin."""
        try:
            kind = row[0]
            if kind == REPLY:
                _, number, count, payload = row
                if (
                    type(kind) is type(number) is type(count) is int
                    and type(payload) is bytes
                    and number >= 0
                ):
                    return _give_buffers(row, count, parts, at)
            elif kind == CALL:
                _, head, method, user, chain, payload = row
                if (
                    type(kind) is int  # and not True or 1.0, which are equal to it
                    and type(method) is type(user) is str
                    and type(chain) is type(payload) is bytes
                    and len(method) + len(user) <= self._name_max
                    and not (chain and len(chain) % CHAIN_LINK_BYTES)
                ):
                    row[1] = head = HEAD.unpack(head)
                    return _give_buffers(row, head[1], parts, at)
            elif kind == POST:
                _, head, method, user, payload = row
                if (
                    type(kind) is int
                    and type(method) is type(user) is str
                    and type(payload) is bytes
                    and len(method) + len(user) <= self._name_max
                ):
                    row[1] = head = HEAD.unpack(head)
                    return _give_buffers(row, head[1], parts, at)
            elif self._is_series(row) or _is_fence(row):
                return at
        except (TypeError, ValueError, LookupError, StructError):
            pass
        return self._take_other(row, parts, at)

    def _is_series(self, row: Any) -> bool:
        """Whether a row is a series that is as it should be."""
        if row[0] == REPLIES:
            kind, numbers, values = row
            is_right = type(kind) is int and len(numbers) == len(values)
            return is_right and _are_numbers(numbers) and _are_values(values)
        if row[0] != CALLS and row[0] != POSTS:
            return False
        kind, target, method, user, numbers, senders, values = row
        return (
            type(kind) is int
            and type(target) is bytes
            and len(target) == ID_BYTES
            and type(method) is type(user) is str
            and len(method) + len(user) <= self._name_max
            and _are_numbers(numbers)
            and _are_ids(senders)
            and _are_values(values)
            and not _misfit(numbers, senders, values)
        )

    def _take_other(self, row: Any, parts: Sequence[Part], at: int) -> int:
        """As `_take_row`, for what is not frequent and for what is wrong."""
        if type(row) is not list or not row:
            raise RemoteProtocolError("a message starts with the number of its kind")
        try:
            self.check_row(row)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None
        match row[0]:
            case 1 | 2:
                row[1] = HEAD.unpack(row[1])
                return _give_buffers(row, row[1][1], parts, at)
            case 3 | 4:
                return _give_buffers(row, row[2], parts, at)
            case 6:
                inner = row[4]
                kind = inner[0] if type(inner) is list and inner else None
                if type(kind) is not int or kind not in _INNER:
                    raise RemoteProtocolError("a ROUTED whose inner message is none that is routed")
                return self._take_row(inner, parts, at)
            case kind if kind in _SERIES:
                _check_series(row)
        return at

    def check_row(self, row: Row) -> None:
        """Check a row before it is sent: `LocalProtocolError` names its first wrong field."""
        kind = row[0] if row else None
        if type(kind) not in (int, Kind) or kind not in _LENGTHS:
            raise LocalProtocolError(f"a message of kind {kind!r:.60}, which there is none of")
        name = Kind(kind).name
        if len(row) != _LENGTHS[kind]:
            raise LocalProtocolError(f"a {name} of {len(row)} fields instead of {_LENGTHS[kind]}")
        for field, value in zip(FIELDS[Kind(kind)], row[1:], strict=True):
            if not self._checks[field](value):
                raise LocalProtocolError(f"a {name} with the {field} {value!r:.60}")

    def _is_name(self, value: Any) -> bool:
        return type(value) is str and len(value) <= self._name_max and _is_utf8(value)


def _give_buffers(row: list[Any], count: int, parts: Sequence[Part], at: int) -> int:
    """Make the payload, the last field of a row, the list of its parts."""
    if not count:
        row[-1] = [row[-1]]
        return at
    if not 0 < count <= len(parts) - at:
        raise RemoteProtocolError("a message whose buffers did not come with it")
    row[-1] = [row[-1], *parts[at : at + count]]
    return at + count


def _is_fence(row: Any) -> bool:
    """Whether a row is a fence or the answer to one; a move has one of each."""
    if type(row[0]) is not int or not (row[0] == FENCE or row[0] == FENCED):
        return False
    if len(row) != _LENGTHS[row[0]] or not _is_number(row[1]):
        return False
    return row[0] == FENCED or (type(row[2]) is bytes and len(row[2]) == ID_BYTES)


def _check_series(row: list[Any]) -> None:
    """Check that the columns of a series fit together."""
    if row[0] != REPLIES:
        misfit = _misfit(*row[4:])
    elif len(row[1]) != len(row[2]):
        misfit = f"{len(row[2])} results of {len(row[1])} calls"
    else:
        misfit = ""
    if misfit:
        raise RemoteProtocolError(misfit)


def _misfit(numbers: list[Any], senders: list[Any], values: list[Any]) -> str:
    """Return what is wrong with the columns of calls or posts, the empty text if nothing is."""
    count = len(numbers)
    if len(senders) != count or len(values) % count or len(values) > WIDTH_MAX * count:
        return f"a series of {count} messages with {len(senders)} senders and {len(values)} values"
    if count > 1 and not all(map(lt, numbers, islice(numbers, 1, None))):
        return "a series of messages whose numbers do not ascend"
    return ""


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    return True


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= NUMBER_MAX


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes)


def _is_node(value: Any) -> bool:
    return _is_bytes(value) and len(value) == NODE_BYTES


def _are_words(value: Any) -> bool:
    return type(value) is str and len(value) <= WORDS_MAX and _is_utf8(value)


def _is_call(value: Any) -> bool:
    return _is_bytes(value) and len(value) == CHAIN_LINK_BYTES


def _are_numbers(value: Any) -> bool:
    # Larger ones than NUMBER_MAX cannot be packed.
    if type(value) is not list or not value:
        return False
    return _INTEGERS.issuperset(map(type, value)) and min(value) >= 0


def _are_ids(value: Any) -> bool:
    if type(value) is not list or not _BYTES.issuperset(map(type, value)):
        return False
    return _ID_LENGTHS.issuperset(map(len, value))


def _are_values(value: Any) -> bool:
    if type(value) is not list:
        return False
    return NUMERIC.issuperset(map(type, value)) or all(map(is_plain, value))


def _is_head(value: Any) -> bool:
    return _is_bytes(value) and len(value) == HEAD.size
