"""Rights: which messages of a peer need more than the right to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vista.errors import AccessDenied
from vista.kernel.current import kernel as kernel_here
from vista.kernel.methods import message_name
from vista.peering.bringing import BRINGING, CODE, denial
from vista.wire.frames import NOBODY

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.peering.links import Link

CREATING: Final = frozenset(
    {
        "commit_object",
        "create_object",
        "create_object_once",
        "create_temporary_object",
        "discard_object",
        "import_object",
        "map_jobs",
        "perform_job",
        "prepare_object",
        "queue_job",
        "run_job",
        "take_copy",
        "take_object",
        "took_object",
    }
)
"""Messages that need the right ``create``, when they go to an object of a class in `_JUDGED`."""

_JUDGED: Final = frozenset({"JobController", "JobServer", "ObjectCreator", "PeerConnection"})


def is_peers_user(user: str) -> bool:
    """Tell whether peers with keys of their own send to the calling code's node as ``user``.

    For objects that do for some what they do not do for others: users of whom this is not true are
    the node's own, or are whom its objects act as (`acting_as`), or those of nodes that have the
    same key. It is true of who stands in ``authorized_peers``, and of whoever stood there and was
    linked while the node runs; it tells nothing about who sent the message that is carried out.
    Raises `WrongContextError` when called outside of a vista thread.
    """
    peering: Any = kernel_here().elsewhere
    return peering is not None and bool(peering.trust.is_peers_user(user))


def refusal_of(kernel: Kernel, link: Link, row: list[Any]) -> AccessDenied | None:
    """Return why the peer of a link may not send a CALL or POST to this node, None when it may."""
    grant = link.grant
    assert grant is not None, "it was admitted before"
    if row[1][2] == NOBODY:
        # What peerings tell each other is about their own messages and runs nothing.
        return None
    if "call" not in grant.rights:
        return AccessDenied(f"{_peer_of(grant.user)} has no right to call")
    record = kernel.table.records.get(row[1][2])
    judged = record is not None and record.entry.name in _JUDGED
    message = message_name(row[2]) if judged else ""
    if message in CREATING and "create" not in grant.rights:
        return AccessDenied(f"{_peer_of(grant.user)} has no right to create")
    if message in BRINGING and CODE not in grant.rights:
        return denial(grant.user, link.channel.key)
    return None


def _peer_of(user: str) -> str:
    """Say whose peer it is; one that was only called, and may nothing here, is nobody's."""
    return (
        f"the peer of user {user!r}"
        if user
        else "the peer, whose key authorized_peers does not name,"
    )
