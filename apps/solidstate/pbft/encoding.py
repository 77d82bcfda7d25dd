"""Messages to bytes and back: what comes from outside is a whole record or `MalformedMessage`.

`encode` and `decode` know the shape of every field. What a record means, and whether its signatures
are any good, is decided where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.solidstate.pbft.canonical import DIGEST_BYTES, MalformedMessage, pack, unpack
from apps.solidstate.pbft.messages import (
    KINDS,
    Account,
    Admission,
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Counted,
    Decided,
    FetchBatches,
    FetchBlobs,
    FetchHandovers,
    FetchStanding,
    Handover,
    Handovers,
    History,
    Member,
    Membership,
    Message,
    NewView,
    Opened,
    Opening,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
    Reply,
    Request,
    Stable,
    Standing,
    Status,
    ViewChange,
)

NUMBER_MAX = 2**63 - 1
"""The greatest view, sequence number or timestamp."""

NAME_CHARACTERS_MAX = 255
"""Characters of a client's name."""

SIGNATURE_BYTES_MAX = 256
"""Bytes of a signature of any kind."""

KEY_BYTES_MAX = 256
"""Bytes of a public key of any kind."""

Check = Callable[[Any], Any]


def encode(message: Message) -> bytes:
    """Return the bytes of a message: its tag and its fields."""
    return pack([message.TAG, *message.row])


def decode(data: bytes) -> Message:
    """Return the message in ``data``; raises `MalformedMessage` and nothing else."""
    found = unpack(data)
    if type(found) is list and found and type(found[0]) is str:
        read = _READERS.get(found[0])
        if read is not None:
            message: Message = read(found[1:])
            return message
    raise MalformedMessage("not a message of this protocol")


def _number(value: Any) -> int:
    if type(value) is int and 0 <= value <= NUMBER_MAX:
        return value
    raise MalformedMessage("a number from 0 to 2**63 - 1 is expected")


def _flag(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise MalformedMessage("a bool is expected")


def _name(value: Any) -> str:
    if type(value) is str and len(value) <= NAME_CHARACTERS_MAX:
        return value
    raise MalformedMessage(f"a name of up to {NAME_CHARACTERS_MAX} characters is expected")


def _bytes(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    raise MalformedMessage("bytes are expected")


def _digest(value: Any) -> bytes:
    if type(value) is bytes and len(value) in (0, DIGEST_BYTES):
        return value
    raise MalformedMessage(f"a digest of {DIGEST_BYTES} bytes is expected")


def _signature(value: Any) -> bytes:
    if type(value) is bytes and len(value) <= SIGNATURE_BYTES_MAX:
        return value
    raise MalformedMessage(f"a signature of up to {SIGNATURE_BYTES_MAX} bytes is expected")


def _key(value: Any) -> bytes:
    if type(value) is bytes and len(value) <= KEY_BYTES_MAX:
        return value
    raise MalformedMessage(f"a key of up to {KEY_BYTES_MAX} bytes is expected")


def _optional(check: Check) -> Check:
    def read(value: Any) -> Any:
        return None if value is None else check(value)

    return read


def _several(check: Check) -> Check:
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise MalformedMessage("a list is expected")
        return tuple(check(item) for item in value)

    return read


def _record(kind: type[Message]) -> Check:
    def read(value: Any) -> Message:
        checks = _FIELDS[kind]
        if type(value) is not list or len(value) != len(checks):
            raise MalformedMessage(f"{kind.TAG} has {len(checks)} fields")
        # What calling the class does, in a third of the time: records are frozen.
        message: Message = object.__new__(kind)
        fields = message.__dict__
        for name, check, item in zip(kind.FIELDS, checks, value):  # noqa: B905
            fields[name] = check(item)
        # Every value in it was checked to be of just its type, so packing it again is canonical.
        fields["row"] = value
        return message

    return read


_FIELDS: dict[type[Message], tuple[Check, ...]] = {
    Request: (_name, _number, _bytes, _flag, _number, _signature),
    Batch: (_number, _bytes, _several(_record(Request))),
    PrePrepare: (_number, _number, _digest, _signature),
    Proposal: (_record(PrePrepare), _record(Batch)),
    Prepare: (_number, _number, _digest, _number, _signature),
    Commit: (_number, _number, _digest),
    Prepared: (_record(PrePrepare), _several(_record(Prepare))),
    Counted: (_name, _number, _number, _digest, _number, _signature),
    History: (_several(_record(Counted)),),
    Checkpoint: (
        _number,
        _digest,
        _number,
        _number,
        _digest,
        _several(_record(Counted)),
        _signature,
    ),
    Stable: (_number, _digest, _several(_record(Checkpoint))),
    Member: (_number, _key),
    Admission: (_name, _key),
    Membership: (
        _number,
        _number,
        _number,
        _several(_record(Member)),
        _several(_record(Admission)),
    ),
    Handover: (_record(Membership), _record(Stable)),
    Handovers: (_several(_record(Handover)),),
    FetchHandovers: (_number,),
    Opening: (_number, _digest, _number, _signature),
    Opened: (_number, _number, _several(_digest), _several(_record(Opening))),
    Account: (_record(Stable), _several(_record(Counted)), _several(_record(Opened))),
    ViewChange: (
        _number,
        _record(Stable),
        _several(_record(Prepared)),
        _number,
        _optional(_record(Account)),
        _signature,
    ),
    NewView: (_number, _several(_record(ViewChange)), _several(_record(PrePrepare)), _signature),
    Reply: (_number, _name, _number, _flag, _digest, _optional(_bytes), _flag),
    Status: (_number, _flag, _number, _number, _flag, _flag, _several(_number)),
    Decided: (_number, _digest),
    FetchBatches: (_several(_digest),),
    FetchBlobs: (_digest, _several(_digest)),
    Blobs: (_digest, _several(_bytes)),
    FetchStanding: (_digest,),
    Standing: (_digest, _number, _number),
}
_READERS = {kind.TAG: _record(kind) for kind in KINDS}
