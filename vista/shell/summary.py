"""``vista ps``: a node and its peers, each in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import vista
from vista.counted import counted
from vista.errors import CallError
from vista.ids import node_text
from vista.records import record

if TYPE_CHECKING:
    from vista.kernel.futures import Future
    from vista.kernel.refs import Ref
    from vista.kernel.rows import PeerRow

NODES_MAX = 256
"""Nodes that are asked: as many rows fill several screens, and all are asked at once."""


@record
@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node: its identity and name, how long it runs, and what it has.

    ``calls`` counts the methods that ran since its start, ``links`` those to its neighbours. A node
    that does not tell has an empty name and no figures.
    """

    node: str
    name: str
    uptime_seconds: float | None
    objects: int | None
    threads: int | None
    calls: int | None
    links: int | None


def node_rows(peer: Ref) -> tuple[list[NodeRow], list[str]]:
    """Ask a node and its peers; return a row for each, the node first, and what went wrong.

    The asking node itself is left out. Raises `CallError` when the node itself does not answer.
    """
    own = vista.id_of(vista.here())
    others = [creator for creator in peer.list_peers() if vista.id_of(creator) != own]
    asked = [_ask(creator) for creator in [peer, *others[: NODES_MAX - 1]]]
    rows, troubles = [], []
    for creator, *futures in asked:
        try:
            rows.append(_row(creator, *(future.result() for future in futures)))
        except CallError as error:
            if creator is peer:
                raise
            node = node_text(vista.id_of(creator).node)
            rows.append(NodeRow(node, "", None, None, None, None, None))
            troubles.append(f"node {node} does not tell: {error}")
    if len(others) >= NODES_MAX:
        more = counted(len(others) + 1 - NODES_MAX, "node more is", "nodes more are")
        troubles.append(f"{more} not asked")
    return rows, troubles


def other_rows(rows: list[PeerRow]) -> list[PeerRow]:
    """Return the rows of peers without that of the asking node."""
    own = node_text(vista.id_of(vista.here()).node)
    return [row for row in rows if row.node != own]


def _ask(creator: Ref) -> tuple[Ref, Future, Future, Future]:
    return (
        creator,
        creator.get_name.future(),
        creator.get_statistics.future(),
        creator.describe_peers.future(),
    )


def _row(creator: Ref, name: str, statistics: dict[str, Any], peers: list[PeerRow]) -> NodeRow:
    return NodeRow(
        node=node_text(vista.id_of(creator).node),
        name=name,
        uptime_seconds=statistics["uptime_seconds"],
        objects=statistics["objects"],
        threads=statistics["threads_live"],
        calls=statistics["threads_started"],
        links=sum(row.hops == 1 for row in other_rows(peers)),
    )
