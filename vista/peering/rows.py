"""What a node tells of its peers and their services, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista.ids import node_text
from vista.kernel.rows import PeerRow, ServiceRow

if TYPE_CHECKING:
    from vista.peering.links import Link
    from vista.peering.paths import Route
    from vista.peering.peering import Peering


def service_rows(peering: Peering) -> list[ServiceRow]:
    """Return a row for each service that another node announces, by name, the nearest first."""
    announcements, hops_to = peering.announcements, peering.routing.hops_to
    return [
        ServiceRow(name=name, object=id, class_name="", node=node_text(node))
        for name in announcements.names()
        for node, id in announcements.nearest(name, hops_to)
        if node != peering.node
    ]


def peer_rows(peering: Peering) -> list[PeerRow]:
    """Return a row for each other node that can be reached, the nearest first."""
    routes = sorted(peering.routing.table(), key=lambda route: (route.hops, route.node))
    links = peering.links
    return [_peer_row(route, links[route.via]) for route in routes if route.via in links]


def _peer_row(route: Route, link: Link) -> PeerRow:
    near = route.hops == 1
    grant = link.grant if near else None
    return PeerRow(
        node=node_text(route.node),
        name=link.hello.name if near and link.hello is not None else "",
        hops=route.hops,
        link=link.channel.words,
        user="" if grant is None else grant.user,
        rights=() if grant is None else tuple(sorted(grant.rights)),
        messages_sent=link.messages_sent if near else None,
        messages_received=link.messages_received if near else None,
        bytes_sent=link.session.bytes_sent if near else None,
        bytes_received=link.session.bytes_received if near else None,
        messages_waiting=link.waiting_messages if near else None,
        round_trip_seconds=link.session.round_trip_seconds if near else None,
    )
