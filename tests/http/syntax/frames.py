"""Frames of WebSocket as a client writes them, good and bad, byte by byte (RFC 6455, section 5)."""

from __future__ import annotations

import struct
import zlib

MASK = b"\x01\x02\x03\x04"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True
) -> bytes:
    """One frame; ``rsv`` are the three reserved bits."""
    size = len(payload)
    bit = 0x80 if mask else 0
    head = bytes((fin << 7 | rsv << 4 | opcode,))
    if size < 126:
        head += bytes((bit | size,))
    elif size < 65_536:
        head += bytes((bit | 126,)) + struct.pack("!H", size)
    else:
        head += bytes((bit | 127,)) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    masked = bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))
    return head + MASK + masked


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    """A close."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def deflated(data: bytes) -> bytes:
    """What permessage-deflate makes of a message (RFC 7692, section 7.2.1)."""
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server at the start of ``data``, and the rest.

    A frame is its first byte and its payload.
    """
    found = []
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        if size == 126 and len(data) >= 4:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127 and len(data) >= 10:
            size, at = int.from_bytes(data[2:10], "big"), 10
        elif size > 125:
            break
        if len(data) < at + size:
            break
        found.append((data[0], data[at : at + size]))
        data = data[at + size :]
    return found, data
