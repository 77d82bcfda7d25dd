"""Choosing a node that is behind the peer, by its name or the beginning of its identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import vista
from vista.errors import CallError, PeerAddressError
from vista.ids import node_text
from vista.shell.summary import NODES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vista.kernel.refs import Ref

NAME_SECONDS = 2.0
"""How long the names of all nodes are waited for: one that is silent has none to choose it by."""

NAMED_MAX = 20
"""Nodes that a message lists: as many lines as a screen holds."""


@dataclass(frozen=True, slots=True)
class _Found:
    creator: Ref
    identity: str
    name: str


def node_at(peer: Ref, wanted: str | None) -> Ref:
    """Return the ObjectCreator of a node that the peer reaches, or of the peer itself.

    ``wanted`` is the name of the node or the beginning of its identity, both as ``vista ps`` shows
    them; a name comes first. With None it is the peer. Raises `PeerAddressError`, with the nodes
    there are, when none or several are meant.
    """
    if wanted is None:
        return peer
    own = vista.id_of(vista.here())
    others = [creator for creator in peer.list_peers() if vista.id_of(creator) != own]
    found = _named([peer, *others[: NODES_MAX - 1]])
    meant = [one for one in found if one.name == wanted]
    if not meant:
        meant = [one for one in found if wanted and one.identity.startswith(wanted)]
    if len(meant) == 1:
        return meant[0].creator
    if meant:
        raise PeerAddressError(
            f"{len(meant)} nodes are meant by {wanted!r}; say more of the identity of one: "
            f"{_listed(meant)}"
        )
    raise PeerAddressError(f"no node {wanted!r} is reached; there are {_listed(found)}")


def _named(creators: Sequence[Ref]) -> list[_Found]:
    asked = [creator.get_name.future() for creator in creators]
    found = []
    with vista.timeout(NAME_SECONDS):
        for creator, answer in zip(creators, asked, strict=True):
            try:
                name = answer.result()
            except CallError:
                name = ""
            found.append(_Found(creator, node_text(vista.id_of(creator).node), name))
    return found


def _listed(found: Sequence[_Found]) -> str:
    words = [f"{one.identity} ({one.name or 'which does not tell its name'})" for one in found]
    more = "" if len(words) <= NAMED_MAX else f" and {len(words) - NAMED_MAX} more"
    return ", ".join(words[:NAMED_MAX]) + more
