"""What a replica keeps on disk: records in frames, and what reading them back tells.

A frame is a mark, the length, the frame's number and a checksum, then the record. A last frame that
is not whole was torn while it was written: nothing that depends on it has left the replica, so it
is dropped. A frame that is not whole with a whole one behind it was damaged later: the replica may
have forgotten what it promised, and must not vote (`Recovered.damaged`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

_HEAD = struct.Struct(">4sIQ16s")
_MARK = b"\xabSS1"


@dataclass(frozen=True)
class Recovered:
    """What was found on disk: the records in order, and the blobs by digest.

    ``damaged`` says that records are missing which once were safe.
    """

    records: tuple[bytes, ...] = ()
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)
    damaged: bool = False


def frame(number: int, record: bytes) -> bytes:
    """Return the bytes that stand in the log for its ``number``-th record."""
    return _HEAD.pack(_MARK, len(record), number, _checksum(number, record)) + record


def frames(records: Iterable[bytes]) -> bytes:
    """Return the bytes of a log that starts with ``records``."""
    return b"".join(frame(number, record) for number, record in enumerate(records))


def read_frames(data: bytes) -> tuple[list[bytes], bool]:
    """Return the whole records of a log, and whether one was damaged after it was safe."""
    records: list[bytes] = []
    at = 0
    while at < len(data):
        found = _frame_at(data, at)
        if found is None or found[0] != len(records):
            return records, _frame_behind(data, at, len(records))
        records.append(found[1])
        at += _HEAD.size + len(found[1])
    return records, False


def _frame_at(data: bytes, at: int) -> tuple[int, bytes] | None:
    if len(data) - at < _HEAD.size:
        return None
    mark, length, number, checksum = _HEAD.unpack_from(data, at)
    record = data[at + _HEAD.size : at + _HEAD.size + length]
    whole = mark == _MARK and len(record) == length and checksum == _checksum(number, record)
    return (number, record) if whole else None


def _frame_behind(data: bytes, at: int, number: int) -> bool:
    """Whether a whole frame of a later number starts at ``at`` or anywhere behind."""
    at = data.find(_MARK, at)
    while at >= 0:
        found = _frame_at(data, at)
        if found is not None and found[0] > number:
            return True
        at = data.find(_MARK, at + 1)
    return False


def _checksum(number: int, record: bytes) -> bytes:
    return blake2b(record, digest_size=16, key=number.to_bytes(8, "big")).digest()
