"""What must hold for any bytes that arrive: used by the tests and by the fuzz target."""

from __future__ import annotations

from tests.values.samples import Handle
from vista.errors import RemoteProtocolError
from vista.limits import Limits
from vista.records import find_record
from vista.values import copy_value
from vista.wire.codec import Codec
from vista.wire.frames import Frames

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
        messages = frames.decode_batch(parts)
    except RemoteProtocolError:
        return
    assert frames.decode_batch(frames.encode_batch(messages)) == messages
