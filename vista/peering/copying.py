"""Taking copies of other nodes' objects.

A copy has the Id of its original, and this node's messages for that Id go to the copy. Three rules.
An object that is about to move here is not taken as a copy as well. This node remembers where the
original is: when the copy is deleted, messages go there again. And a copy that came while a store
was closed gives way to what that store has; see `vista.peering.early`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista.errors import BadValueError
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.encoding import read_encoding, revive
from vista.peering.bringing import with_class_of
from vista.peering.moves import moves_of

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.refs import Ref


def take_copy(kernel: Kernel, data: bytes, acl: AccessControlList | None) -> Ref:
    """Make the copy that an encoding holds, guarded by ``acl`` if there is one.

    A class that is unknown here is asked for from the node that the calling thread runs for. Raises
    `BadValueError` when an object with its Id is here or about to come, and otherwise what
    `vista.import_object` raises.
    """
    acl, moves = checked_acl(acl), moves_of(kernel)
    entry, id, state = with_class_of(kernel, data, lambda: read_encoding(kernel, data))
    moves.check_free(id)
    if moves.is_coming(id):
        raise BadValueError(f"object {id} is here already or about to come, so no copy of it is")
    record = revive(kernel, entry, id, state)
    if acl is not None:
        kernel.guard_of(record).acl = acl
    moves.note_copy(record)
    if "object_imported" in entry.methods:
        kernel.post_quietly(kernel.ref_to(record), "object_imported")
    return kernel.ref_to(record)
