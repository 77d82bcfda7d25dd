"""Copying objects: a second one from the encoding of the first.

Two rules. On its own node a copy is another object, with an Id of its own: an Id means one object
there. On another node it has the Id of the first: whoever sends from there reaches the copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.errors import BadValueError
from vista.kernel.encoding import encode_record, parts_of_encoding, revive
from vista.kernel.refs import Ref

if TYPE_CHECKING:
    from vista.kernel.table import Record


def copy_record(record: Record, creator: Any) -> Ref:
    """Copy an object to the node of an ObjectCreator, None for its own, and return the copy's Ref.

    Raises `NotAValueError` when the object cannot be encoded, and what the other node raises.
    """
    kernel = record.kernel
    if creator is None:
        return _duplicate(record)
    if not isinstance(creator, Ref):
        raise BadValueError(f"an object is copied to an ObjectCreator, not to {creator!r}")
    if creator._id.node == kernel.table.node:
        return _duplicate(record)
    acl = None if record.guard is None else record.guard.acl
    copied: Ref = creator.take_copy(encode_record(record), acl)
    return copied


def _duplicate(record: Record) -> Ref:
    kernel = record.kernel
    *_, state = parts_of_encoding(kernel, encode_record(record))
    # Not the newest class of that name, which may have other variables.
    copied = revive(kernel, record.entry, kernel.table.new_id(), state)
    if record.guard is not None and record.guard.acl is not None:
        kernel.guard_of(copied).acl = record.guard.acl
    if "object_imported" in copied.entry.methods:
        kernel.post_quietly(kernel.ref_to(copied), "object_imported")
    return kernel.ref_to(copied)
