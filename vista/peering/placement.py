"""Where objects are made whose class leaves it open: the nodes of the mesh take turns.

The class says ``placement = "spread"``; a message to an ObjectCreator says where, and so does
``at=``. A node that cannot be reached when its turn comes is left out. Once the message has left
there is no second attempt: a node that is lost then may have made the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vista.api import create
from vista.kernel.access import AccessControlList
from vista.kernel.classes import ClassEntry
from vista.kernel.current import METHOD, PARENT, RECORD
from vista.kernel.kernel import creator_id
from vista.kernel.refs import Ref

if TYPE_CHECKING:
    from vista.peering.peering import Peering

_TOLD_WHERE: Final = frozenset({"Standard.ObjectCreator", "Standard.PeerConnection"})
"""Classes whose objects make others on their own node: who asked them has chosen it."""


def next_creator(peering: Peering) -> Ref:
    """Return the ObjectCreator of the node whose turn it is, which may be this one's."""
    node = peering.mesh.next(lambda node: peering.link_to(node) is not None)
    return peering.kernel.ref(creator_id(node))


def create_spread(
    peering: Peering,
    worker: Any,
    entry: ClassEntry,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    acl: AccessControlList | None,
) -> Ref | None:
    """Make an object of a spread class where it is the turn, None when it is to be made here.

    ``worker`` is the thread that asks for it, which waits. Raises what `vista.create` does.
    """
    if _is_told_where(peering, worker.frame):
        return None
    own = creator_id(peering.node)
    # Each turn that is lost to a node which went away takes that node out of the next one.
    for _ in range(2 * len(peering.mesh.nodes)):
        creator = next_creator(peering)
        if creator._id == own:
            return None
        peering.calls.await_room(worker, creator._id)
        if peering.link_to(creator._id.node) is not None:
            return create(entry.cls, *args, acl=acl, at=creator, **kwargs)
    return None


def _is_told_where(peering: Peering, frame: Any) -> bool:
    while frame is not None and frame[METHOD] is peering.kernel.outside:
        frame = frame[PARENT]
    return frame is not None and frame[RECORD].entry.full_name in _TOLD_WHERE
