"""Frames: a batch of messages as one multipart unit, and back.

A kind of message is a row of `FIELDS`: which header fields it has, in which order. On the wire the
first part is a msgpack array of messages, each an array of its kind's number, the fields, the
number of large buffers and the payload; the large buffers of all messages follow as parts of their
own, in order.

Three rules. The payload is the bytes `vista.wire.codec` made and stays closed here: a node that
only passes a message on needs none of its classes, and a payload that cannot be read fails one call
and not the link. What arrives is checked field by field: the messages, or `RemoteProtocolError`.
What is to be sent is checked alike, with `LocalProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.ids import ID_BYTES, Id
from vista.limits import Limits
from vista.wire.codec import pack_plain, unpack_plain

NUMBER_MAX = 2**64 - 1


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
    NOTIFY = 6
    """The runtime's own word about an object to one that watches it: no user, no access check."""


@dataclass(slots=True)
class Message:
    """One message. Which fields count is said by the row of its kind in `FIELDS`.

    ``number`` pairs a call with its answer, counted by the caller's side; ``target`` and ``sender``
    are objects, the sender None when no object sent it; ``user`` is who it runs as;
    ``deadline_seconds`` is how long the answer is awaited from arrival on, None for ever;
    ``payload`` is what `Codec.encode_arguments` or `Codec.encode_parts` made: a message and its
    large buffers.
    """

    kind: Kind
    number: int = 0
    target: Id | None = None
    method: str = ""
    sender: Id | None = None
    user: str = ""
    deadline_seconds: float | None = None
    payload: Sequence[bytes] = ()


FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.CALL: ("number", "target", "method", "sender", "user", "deadline_seconds", "payload"),
    Kind.POST: ("target", "method", "sender", "user", "payload"),
    Kind.REPLY: ("number", "payload"),
    Kind.FAILURE: ("number", "payload"),
    Kind.CANCEL: ("number",),
    Kind.NOTIFY: ("target", "method", "sender", "payload"),
}
"""The header fields of each kind, in their order on the wire."""


class Frames:
    """Joins messages into frames and takes them apart, within the bounds of a node.

    ``limits.frame_bytes_max`` bounds all parts of a batch together and
    ``limits.name_characters_max`` the names of methods and users.
    """

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.frame_bytes_max
        self._name_max = limits.name_characters_max
        self._checks: dict[str, Callable[[Any], bool]] = {
            "number": _is_number,
            "target": _is_id,
            "method": self._is_name,
            "sender": _is_id_or_none,
            "user": self._is_name,
            "deadline_seconds": _is_deadline,
        }
        self._rows = {
            int(kind): (kind, fields[:-1] if "payload" in fields else fields, "payload" in fields)
            for kind, fields in FIELDS.items()
        }

    def encode_batch(self, messages: Sequence[Message]) -> list[bytes]:
        """The parts of one frame that carries the messages, in their order.

        Raises `LocalProtocolError` for a field that its kind does not allow and for a batch of
        more bytes than a frame may have.
        """
        rows = []
        buffers: list[bytes] = []
        for message in messages:
            rows.append(self._encode_message(message, buffers))
        parts = [pack_plain(rows), *buffers]
        if sum(map(len, parts)) > self._bytes_max:
            raise LocalProtocolError(f"a batch of more than {self._bytes_max} bytes")
        return parts

    def decode_batch(self, parts: Sequence[bytes]) -> list[Message]:
        """The messages of one frame, in their order; a part may be any bytes-like object.

        Large buffers are handed on as they came, not copied. Raises `RemoteProtocolError` when
        the parts are no frame.
        """
        if sum(map(len, parts)) > self._bytes_max:
            raise RemoteProtocolError(f"a frame of more than {self._bytes_max} bytes")
        if not parts:
            raise RemoteProtocolError("a frame of no parts")
        rows = unpack_plain(parts[0])
        if type(rows) is not list:
            raise RemoteProtocolError("a frame starts with an array of messages")
        messages = []
        at = 1
        for row in rows:
            message, count = self._decode_message(row)
            if count:
                if count > len(parts) - at:
                    raise RemoteProtocolError("a message whose buffers did not come with it")
                message.payload = (*message.payload, *parts[at : at + count])
                at += count
            messages.append(message)
        if at != len(parts):
            raise RemoteProtocolError(f"{len(parts) - at} buffers that belong to no message")
        return messages

    def _encode_message(self, message: Message, buffers: list[bytes]) -> list[Any]:
        kind, fields, has_payload = self._rows[message.kind]
        row: list[Any] = [int(kind)]
        for name in fields:
            value = getattr(message, name)
            if not self._checks[name](value):
                raise LocalProtocolError(_wrong(kind, name, value))
            row.append(value)
        if has_payload:
            if not message.payload:
                raise LocalProtocolError(_wrong(kind, "payload", message.payload))
            row += (len(message.payload) - 1, message.payload[0])
            buffers += message.payload[1:]
        return row

    def _decode_message(self, row: Any) -> tuple[Message, int]:
        if type(row) is not list or not row or type(row[0]) is not int or row[0] not in self._rows:
            raise RemoteProtocolError("a message starts with the number of its kind")
        kind, fields, has_payload = self._rows[row[0]]
        if len(row) != 1 + len(fields) + 2 * has_payload:
            raise RemoteProtocolError(f"a {kind.name} has another number of fields")
        message = Message(kind)
        for name, value in zip(fields, row[1:], strict=False):
            if not self._checks[name](value):
                raise RemoteProtocolError(_wrong(kind, name, value))
            setattr(message, name, Id(value) if type(value) is bytes else value)
        if not has_payload:
            return message, 0
        count, payload = row[-2:]
        if type(payload) is not bytes or type(count) is not int or count < 0:
            raise RemoteProtocolError(_wrong(kind, "payload", payload))
        message.payload = (payload,)
        return message, count

    def _is_name(self, value: Any) -> bool:
        return type(value) is str and len(value) <= self._name_max and _is_utf8(value)


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


def _is_id(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == ID_BYTES


def _is_id_or_none(value: Any) -> bool:
    return value is None or _is_id(value)


def _is_deadline(value: Any) -> bool:
    return value is None or (type(value) is float and 0.0 <= value < float("inf"))


def _wrong(kind: Kind, name: str, value: Any) -> str:
    return f"a {kind.name} with the {name} {value!r:.60}"
