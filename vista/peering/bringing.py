"""Code between nodes: who may bring it, and asking for it.

To take code is to run any program as the user of the node. So it comes only from peers with the
right ``code``, which those with this node's own key have. Three rules. Of what a peer sends unasked
the right is judged before the message is decoded. A node asks only peers whose code it would run.
And a user who acts here for a peer brings code by no other way either: not by an object that loads
a file for him.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vista.api import timeout, wait
from vista.errors import AccessDenied, NoSuchClass, PeerLost, RemoteProtocolError
from vista.kernel.classes import ClassEntry, ClassSpecifier, parts_of
from vista.kernel.encoding import head_of_encoding
from vista.kernel.kernel import creator_id
from vista.mobility.code import ClassCode, check_code, class_code, take_class
from vista.mobility.kept import keep_code
from vista.peering.moves import sender_node
from vista.peering.urls import key_text

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.refs import Ref

CODE: Final = "code"

BRINGING: Final = frozenset({"offer_class_code"})
"""Messages to an ObjectCreator that need the right ``code``."""

Taken = TypeVar("Taken")

_log = logging.getLogger("vista.peering")


def denial(user: str, key: bytes | None) -> AccessDenied:
    """Return the error for code of a peer that has not the right, with what to type for it."""
    shown = "KEY" if key is None else key_text(key)
    return AccessDenied(
        f"the peer of user {user!r} has no right to bring code; to give it, on this node's "
        f"machine: vista authorize {shown} {user} call,create,code; it counts for links opened "
        "after that"
    )


def check_user(kernel: Kernel, user: str) -> None:
    """Raise `AccessDenied` when a user acts here for peers that may not bring code.

    The node's own user may; so may anybody on a node that has never had a peer.
    """
    peering: Any = kernel.elsewhere
    if user == kernel.user or peering is None:
        return
    if not peering.trust.peers.allows(user, CODE):
        raise denial(user, None)


# --- to another node -----------------------------------------------------------------------


def bring_class(kernel: Kernel, creator: Ref, specifier: ClassSpecifier) -> bool:
    """Have another node take a class that is known here; whether it lacked it and has it now.

    ``creator`` is the other node's ObjectCreator. False also for a class that is unknown here.
    Raises `AccessDenied` when that node takes no code of this one, and what `take_class` raises
    there.
    """
    if creator._id == creator_id(kernel.table.node):
        return False
    try:
        entry = kernel.classes.resolve(specifier)
    except NoSuchClass:
        return False
    name = specifier if isinstance(specifier, str) else list(parts_of(entry.class_name))
    if creator.knows_class(name):
        return False
    creator.offer_class_code(class_code(entry.cls, kernel.limits))
    return True


# --- from another node ---------------------------------------------------------------------


def check_source(kernel: Kernel, node: bytes) -> None:
    """Raise `AccessDenied` when code of a node is not to be run here.

    A node that is reached over several links is kin: others are reached directly only.
    """
    peering: Any = kernel.elsewhere
    link = None if peering is None else peering.link_to(node)
    if link is None or link.grant is None:
        raise AccessDenied("no link leads to the node, so nothing says whether its code may run")
    if CODE not in link.grant.rights:
        raise denial(link.grant.user or "USER", link.channel.key)


def fetch_class(kernel: Kernel, node: bytes, specifier: ClassSpecifier) -> ClassEntry:
    """Ask a node for a class and make it known here. Waits for the answer.

    ``node`` is its identity (10 bytes). Raises `AccessDenied` before anything is sent when its code
    is not to be run here, `NoSuchClass` when it has no such class, and what `take_class` raises.
    """
    check_source(kernel, node)
    parts = None if isinstance(specifier, str) else parts_of(specifier)
    code = kernel.ref(creator_id(node)).get_class_code(specifier if parts is None else list(parts))
    if type(code) is not ClassCode or not _is_asked_for(code, specifier, parts):
        raise RemoteProtocolError(f"asked for the code of {specifier}, a node sent something else")
    # Many modules are parsed for it, and what was found is remembered. The loop would stand still.
    wait(kernel.hub.run_native(Context(), lambda: check_code(code, kernel.limits)))
    entry = take_class(kernel, code)
    keep_code(kernel, code)
    return entry


def _is_asked_for(code: ClassCode, specifier: ClassSpecifier, parts: Any) -> bool:
    if parts is None:
        namespace, _, name = str(specifier).rpartition(".")
        parts = (namespace or None, name, None)
    own = (code.namespace, code.name, code.version)
    return all(part in (None, mine) for part, mine in zip(parts, own, strict=True))


def with_class_of(kernel: Kernel, data: bytes, take: Callable[[], Taken]) -> Taken:
    """Return what ``take()`` does with an encoded object, once its class is known here.

    An unknown one is asked for from the node that the calling thread runs for. Raises `NoSuchClass`
    when it is not to be had, with the reason, and what ``take`` raises.
    """
    try:
        return take()
    except NoSuchClass as unknown:
        node = sender_node(kernel)
        if node == kernel.table.node:
            raise
        specifier = head_of_encoding(kernel, data)[1:]
        try:
            fetch_class(kernel, node, specifier)
        except AccessDenied as denied:
            raise NoSuchClass(f"{unknown}, and it is not fetched: {denied}") from denied
    return take()


def fetch_from_peers(kernel: Kernel, specifier: ClassSpecifier) -> bool:
    """Ask the peers for a class, one after the other, until it is known here; whether it is.

    Only those are asked whose code may run here, ``limits.code_peers_asked_max`` at most, and for
    ``limits.call_seconds`` together. Raises what `take_class` does with what one of them sends.
    """
    with timeout(kernel.limits.call_seconds):
        for creator in _trusted(kernel):
            try:
                fetch_class(kernel, creator._id.node, specifier)
            except (NoSuchClass, PeerLost) as error:
                # Usual where several are asked: who gets the class from none says so itself.
                _log.debug("%s does not send class %s: %s", creator, specifier, error)
            else:
                return True
    return False


def names_at_peers(kernel: Kernel) -> set[str]:
    """Return the names of the classes that peers know whose code may run here."""
    found: set[str] = set()
    with timeout(kernel.limits.call_seconds):
        for creator in _trusted(kernel):
            try:
                found.update(row.name for row in creator.list_classes())
            except PeerLost as error:
                _log.info("%s does not tell its classes: %s", creator, error)
    return found


def _trusted(kernel: Kernel) -> list[Ref]:
    """The ObjectCreators of the nodes whose code may run here, as many as are asked."""
    peering: Any = kernel.elsewhere
    found: list[Ref] = []
    for creator in [] if peering is None else peering.creators():
        link = peering.link_to(creator._id.node)
        if link is not None and link.grant is not None and CODE in link.grant.rights:
            found.append(creator)
    return found[: kernel.limits.code_peers_asked_max]
