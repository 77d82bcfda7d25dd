"""What must hold for any bytes that arrive: used by the tests and by the fuzz target."""

from __future__ import annotations

from typing import Any

from tests.values.samples import Handle
from vista.errors import RemoteProtocolError
from vista.limits import Limits
from vista.records import find_record
from vista.values import copy_value
from vista.wire.codec import Codec
from vista.wire.frames import FIELDS, HEAD, Frames, Kind, Part

LIMITS = Limits(large_buffer_bytes=64)


def make_codec(limits: Limits = LIMITS) -> Codec:
    """A codec whose references are the tests' handles."""
    return Codec(Handle, find_record, limits)


def check_value_bytes(data: bytes) -> None:
    """Bytes give a value that may be sent on, or `RemoteProtocolError`."""
    codec = make_codec()
    try:
        value = codec.decode(data)
    except RemoteProtocolError:
        return
    copy_value(value)
    codec.decode(codec.encode(value))


def check_value_parts(parts: list[bytes]) -> None:
    """Parts give a value, and arguments, or `RemoteProtocolError`."""
    codec = make_codec()
    for read in (codec.decode_parts, codec.decode_arguments):
        try:
            copy_value(read(parts))
        except RemoteProtocolError:
            continue


def check_frame_parts(parts: list[bytes]) -> None:
    """Parts give messages that may be sent on as they are, or `RemoteProtocolError`."""
    frames = Frames(LIMITS)
    try:
        rows = frames.decode_batch(parts)
    except RemoteProtocolError:
        return
    again = frames.decode_batch(parts)
    buffers: list[Part] = []
    sent = [row_to_send(row, buffers) for row in again]
    assert frames.decode_batch(frames.encode_batch(sent, buffers)) == rows


def row_to_send(row: list[Any], buffers: list[Part]) -> list[Any]:
    """Return a row that arrived as it is sent on, its large buffers added to ``buffers``."""
    kind, *fields = row
    if kind == Kind.ROUTED:
        return [kind, *fields[:-1], row_to_send(fields[-1], buffers)]
    if "head" in FIELDS[Kind(kind)]:
        fields[0] = HEAD.pack(*fields[0])
    if "payload" in FIELDS[Kind(kind)]:
        payload, *own = fields[-1]
        fields[-1] = payload
        buffers += own
    return [kind, *fields]
