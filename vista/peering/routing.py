"""Routing: which nodes can be reached, over which link, by the path vector method.

A sans-io core: ``handle(event, now) -> effects`` and ``next_deadline()``. Neighbours tell one
another the path by which they reach each node. The rules:

1. The fewest hops win; then the epoch in use, the smaller identity of the neighbour, a link that
   does not yield, the younger link. At rest the tables are those of a breadth-first search.
2. A path through this node is never taken, and a neighbour is not told a path through itself.
3. A path through *another* neighbour is kept and not used. That neighbour tells a shorter one
   itself, or the path is out of date. Without this rule the end of a node in a full mesh has every
   path tried that can be written down (Labovitz et al., Delayed Internet Routing Convergence, 4).
4. Withdrawals and better paths are told at once, worse ones when they have stood for a moment:
   those who send here meanwhile are served by the worse path all the same. With rules 3 and 4 the
   end of a node costs a link of a torus of 36 nodes 19 messages, with 3 alone 66. A node that gets
   a link of its own is not withdrawn either, until it had the time to speak on it.
5. A link carries other nodes' traffic only if both ends want it to. Who does says so by its first
   message, which may be empty.

While words are on their way, the tables of different nodes may form a loop, which a bound of hops
in what is forwarded must end. At rest they cannot: each path is the neighbour's and one node more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.ids import NODE_BYTES
from vista.peering.paths import EPOCH_BYTES, Route, RoutingBounds, is_bytes, read_routes


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A link to ``peer`` (10 bytes), in its run ``epoch`` (8 bytes), was established.

    The number of a link is used once. Without ``transit`` only the peer itself is reached by the
    link and the peer is told of no other node. For ``yields`` see `LinkYields`.
    """

    link: int
    peer: bytes
    epoch: bytes
    transit: bool = True
    yields: bool = False


@dataclass(frozen=True, slots=True)
class LinkYields:
    """A link is to end: no node is reached over it that another link to its peer reaches as well.

    When it leads to none any longer, `Routing.leads` says so.
    """

    link: int


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A link ended."""

    link: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the peer's routing arrived, as the plain value that its `Tell` held."""

    link: int
    message: Any


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that ``next_deadline()`` named has come."""


Event = LinkUp | LinkYields | LinkDown | Heard | Tick


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the plain value ``message`` over the link, after all that was sent before."""

    link: int
    message: list[Any]


@dataclass(frozen=True, slots=True)
class Reached:
    """A node can be reached that could not be before."""

    node: bytes
    epoch: bytes
    via: int
    hops: int


@dataclass(frozen=True, slots=True)
class Rerouted:
    """The same run of a node is reached over another link or another number of hops."""

    node: bytes
    via: int
    hops: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A node can be reached no more, or runs again: then a `Reached` follows."""

    node: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two runs of one node are alive, as two nodes with one identity would be.

    ``vias`` holds the link by which each of ``epochs`` is seen. Told once, until it is over.
    """

    node: bytes
    epochs: tuple[bytes, ...]
    vias: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """The peer at the link sent what the protocol forbids; nothing of it was taken."""

    link: int
    error: RemoteProtocolError


Effect = Tell | Reached | Rerouted | Lost | Conflict | Reject


@dataclass(slots=True)
class _Link:
    number: int
    peer: bytes
    epoch: bytes
    transit: bool
    order: int
    yields: bool
    speaks: bool = False
    superseded: bool = False
    routes: dict[bytes, Route] = field(default_factory=dict)
    told: dict[bytes, Route] = field(default_factory=dict)

    @property
    def carries(self) -> bool:
        """Whether nodes beyond the peer are reached by this link."""
        return self.speaks and not self.superseded


class Routing:
    """The routing of the node ``node`` (10 bytes).

    Every event gives the effects to carry out in their order. What a peer sent never raises;
    `LocalProtocolError` is raised for an event that its owner must not make. An event of a link
    that is not up has no effect: its last messages may come after its end.

    >>> routing = Routing(node)
    >>> routing.handle(LinkUp(1, peer, epoch), now=0.0)
    [Reached(node=..., epoch=..., via=1, hops=1), Tell(link=1, message=[[], []])]
    >>> routing.route_to(peer)
    1

    The original's PeerRegistry is told ``newPeer(creator, viaPeer)`` for each `Reached`.
    """

    def __init__(self, node: bytes, bounds: RoutingBounds | None = None) -> None:
        self._node = node
        self._bounds = bounds or RoutingBounds()
        self._links: dict[int, _Link] = {}
        self._links_made = 0
        self._table: dict[bytes, Route] = {}
        self._vias: dict[bytes, int] = {}
        self._shares: dict[int, int] = {}
        self._neighbours: frozenset[bytes] = frozenset()
        self._settling: dict[bytes, float] = {}
        self._doubted: dict[bytes, float] = {}
        self._conflicts: set[bytes] = set()
        self._crowded: set[bytes] = set()
        # What the event at hand has done so far.
        self._effects: list[Effect] = []
        self._touched: set[bytes] = set()

    def route_to(self, node: bytes) -> int | None:
        """The link that leads to the node, None when it cannot be reached."""
        return self._vias.get(node)

    def path_to(self, node: bytes) -> tuple[bytes, ...]:
        """The nodes on the way to a node, itself at the end; none when it cannot be reached."""
        route = self._table.get(node)
        return () if route is None else route.path

    def leads(self, link: int) -> bool:
        """Whether any node is reached over a link."""
        return link in self._shares

    def hops_to(self, node: bytes) -> int | None:
        """The number of links to the node: 0 for this one, None when it cannot be reached."""
        if node == self._node:
            return 0
        route = self._table.get(node)
        return None if route is None else route.hops

    def table(self) -> list[Route]:
        """How each node is reached, in the order of their identities."""
        return [self._table[node] for node in sorted(self._table)]

    def next_deadline(self) -> float | None:
        """When the next `Tick` is due; None when nothing is waited for."""
        doubts = (
            since + self._bounds.conflict_seconds
            for node, since in self._doubted.items()
            if node not in self._conflicts
        )
        return min((*self._settling.values(), *doubts), default=None)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take an event at the time ``now`` (monotonic seconds) and say what is to be done.

        Each link gets one `Tell` at most, several only when `RoutingBounds.told_nodes_max` is
        passed. Raises `LocalProtocolError` for a link that is up already or has a malformed peer.
        """
        self._effects = []
        self._touched = self._settled(now)
        changed: set[bytes] = set()
        fresh = None
        match event:
            case LinkUp():
                changed, fresh = self._link_up(event)
            case LinkYields(number):
                changed = self._link_yields(number)
            case LinkDown(number):
                changed = self._link_down(number)
            case Heard(number, message):
                changed = self._heard(number, message)
            case Tick():
                pass
        for node in sorted(changed):
            self._choose(node, now)
        self._fill(now)
        self._find_conflicts(now)
        self._tell(fresh)
        return self._effects

    # --- events ---------------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> tuple[set[bytes], _Link | None]:
        if event.link in self._links:
            raise LocalProtocolError(f"link {event.link} is up already")
        if not (is_bytes(event.peer, NODE_BYTES) and is_bytes(event.epoch, EPOCH_BYTES)):
            raise LocalProtocolError(
                f"a peer has {NODE_BYTES} bytes of identity and {EPOCH_BYTES} of epoch, "
                f"not {event.peer!r:.60} and {event.epoch!r:.60}"
            )
        if event.peer == self._node:
            error = RemoteProtocolError("the peer has this node's own identity")
            self._effects.append(Reject(event.link, error))
            return set(), None
        self._links_made += 1
        link = _Link(
            event.link, event.peer, event.epoch, event.transit, self._links_made, event.yields
        )
        link.routes[link.peer] = Route(link.peer, link.epoch, 1, link.number, (link.peer,))
        self._links[link.number] = link
        return {link.peer} | self._links_changed(link.peer), link

    def _link_yields(self, number: int) -> set[bytes]:
        link = self._links.get(number)
        if link is None:
            return set()
        link.yields = True
        return set(link.routes)

    def _link_down(self, number: int) -> set[bytes]:
        link = self._links.pop(number, None)
        if link is None:
            return set()
        return set(link.routes) | self._links_changed(link.peer)

    def _heard(self, number: int, message: Any) -> set[bytes]:
        link = self._links.get(number)
        if link is None:
            return set()
        try:
            announced, withdrawn = read_routes(message, number, link.peer, self._bounds)
            self._check_count(link, announced, withdrawn)
        except RemoteProtocolError as error:
            self._effects.append(Reject(number, error))
            return set()
        if not link.transit:
            return set()
        changed = {route.node for route in announced}.union(withdrawn)
        if not link.speaks:
            link.speaks = True
            changed |= {link.peer} | self._links_changed(link.peer)
        for node in withdrawn:
            link.routes.pop(node, None)
        for route in announced:
            if self._node in route.path:
                link.routes.pop(route.node, None)
            else:
                link.routes[route.node] = route
        return changed

    def _check_count(self, link: _Link, announced: list[Route], withdrawn: list[bytes]) -> None:
        nodes = link.routes.keys() | {route.node for route in announced}
        if len(nodes.difference(withdrawn)) > self._bounds.nodes_max:
            raise RemoteProtocolError(f"routes to more than {self._bounds.nodes_max} nodes")

    def _links_changed(self, peer: bytes) -> set[bytes]:
        """Note which links to the peer count; the nodes whose routes may change by that."""
        changed: set[bytes] = set()
        links = [link for link in self._links.values() if link.peer == peer]
        for link in links:
            # Who runs again has left the links of the earlier run, also those not known to be dead.
            superseded = link.epoch != links[-1].epoch
            if superseded != link.superseded:
                link.superseded = superseded
                changed.update(link.routes)
        if (peer in self._neighbours) != any(link.carries for link in links):
            self._neighbours ^= {peer}
            self._settling.pop(peer, None)
            self._touched.add(peer)
            for link in self._links.values():
                changed.update(node for node, route in link.routes.items() if peer in route.path)
        return changed

    # --- choosing -------------------------------------------------------------------------------

    def _choose(self, node: bytes, now: float) -> None:
        """Take the best route to the node, and say what became of the node by that."""
        self._crowded.discard(node)
        old = self._table.get(node)
        best = self._best(node, old, now)
        if best == old:
            return
        if old is None and best is not None and not self._make_room(best):
            self._crowded.add(node)
            return
        self._put(node, best)
        if old is not None and (best is None or best.epoch != old.epoch):
            self._effects.append(Lost(node))
            self._settling.pop(node, None)
            old = None
        if best is None:
            return
        if old is None:
            self._effects.append(Reached(node, best.epoch, best.via, best.hops))
            return
        if (best.via, best.hops) != (old.via, old.hops):
            self._effects.append(Rerouted(node, best.via, best.hops))
        if best.hops > old.hops:
            self._settling.setdefault(node, now + self._bounds.settle_seconds)
        elif best.hops == 1 and node not in self._neighbours:
            # It has just been linked and will speak soon. Withdrawn now, it would be lost for those
            # who send here, and with it the calls that they await from it.
            self._settling.setdefault(node, now + self._bounds.speak_seconds)

    def _best(self, node: bytes, old: Route | None, now: float) -> Route | None:
        best: Route | None = None
        best_rank: tuple[int, bool, bool, bytes, bool, int] | None = None
        epochs = set()
        for link in self._links.values():
            route = link.routes.get(node)
            if route is None:
                continue
            epochs.add(route.epoch)
            if link.superseded or not self._neighbours.isdisjoint(route.path[1:]):
                continue
            other = old is not None and route.epoch != old.epoch
            rank = (route.hops, not link.speaks, other, link.peer, link.yields, -link.order)
            if best_rank is None or rank < best_rank:
                best, best_rank = route, rank
        if len(epochs) > 1:
            self._doubted.setdefault(node, now)
        elif node in self._doubted:
            del self._doubted[node]
            self._conflicts.discard(node)
        return best

    def _put(self, node: bytes, route: Route | None) -> None:
        self._touched.add(node)
        old = self._table.pop(node, None)
        if old is not None:
            self._shares[old.via] -= 1
            if not self._shares[old.via]:
                del self._shares[old.via]
        if route is None:
            self._vias.pop(node, None)
            return
        self._table[node] = route
        self._vias[node] = route.via
        self._shares[route.via] = self._shares.get(route.via, 0) + 1

    def _make_room(self, route: Route) -> bool:
        """Whether the table has room for one more node.

        In a full table the link that leads to most nodes gives way: a neighbour that invents nodes
        pushes out those of its own link.
        """
        if len(self._table) < self._bounds.nodes_max:
            return True
        most = max(self._shares, key=lambda via: (self._shares[via], via))
        if self._shares[most] <= self._shares.get(route.via, 0) + 1:
            return False
        last = max(
            (old for old in self._table.values() if old.via == most),
            key=lambda old: (old.hops, old.node),
        )
        self._put(last.node, None)
        self._settling.pop(last.node, None)
        self._effects.append(Lost(last.node))
        self._crowded.add(last.node)
        return True

    def _fill(self, now: float) -> None:
        """Take nodes for which there was no room."""
        if self._crowded and len(self._table) < self._bounds.nodes_max:
            for node in sorted(self._crowded)[: self._bounds.nodes_max - len(self._table)]:
                self._choose(node, now)

    def _settled(self, now: float) -> set[bytes]:
        settled = {node for node, due in self._settling.items() if due <= now}
        for node in settled:
            del self._settling[node]
        return settled

    def _find_conflicts(self, now: float) -> None:
        for node in sorted(self._doubted.keys() - self._conflicts):
            if now - self._doubted[node] >= self._bounds.conflict_seconds:
                self._conflicts.add(node)
                vias: dict[bytes, tuple[int, int]] = {}
                for link in self._links.values():
                    if (route := link.routes.get(node)) is not None:
                        seen = (route.hops, link.number)
                        vias[route.epoch] = min(seen, vias.get(route.epoch, seen))
                epochs = tuple(sorted(vias))
                self._effects.append(
                    Conflict(node, epochs, tuple(vias[epoch][1] for epoch in epochs))
                )

    # --- telling --------------------------------------------------------------------------------

    def _tell(self, fresh: _Link | None) -> None:
        """Tell each link what changed for it, and the link ``fresh`` everything."""
        touched = sorted(self._touched)
        for link in self._links.values():
            if link.transit and (touched or link is fresh):
                words = list(self._news(link, sorted(self._table) if link is fresh else touched))
                if not words and link is fresh:
                    self._effects.append(Tell(link.number, [[], []]))
                for start in range(0, len(words), self._bounds.told_nodes_max):
                    chunk = words[start : start + self._bounds.told_nodes_max]
                    announced = [word for word in chunk if type(word) is list]
                    withdrawn = [word for word in chunk if type(word) is bytes]
                    self._effects.append(Tell(link.number, [announced, withdrawn]))

    def _news(self, link: _Link, nodes: Iterable[bytes]) -> Iterator[list[bytes] | bytes]:
        for node in nodes:
            old = link.told.get(node)
            route = self._told_to(link, node)
            if route is None:
                if old is not None and not (node in self._settling and self._is_silent(node)):
                    del link.told[node]
                    yield node
            elif old is None or (old.epoch, old.path) != (route.epoch, route.path):
                if node not in self._settling:
                    link.told[node] = route
                    yield [route.epoch, b"".join(route.path)]

    def _is_silent(self, node: bytes) -> bool:
        """Whether a node is reached over a link of its own that carries nothing for others yet."""
        route = self._table.get(node)
        return route is not None and route.hops == 1 and node not in self._neighbours

    def _told_to(self, link: _Link, node: bytes) -> Route | None:
        """The route to the node as far as the link's peer can use it."""
        route = self._table.get(node)
        if route is None or link.peer in route.path or route.hops >= self._bounds.hops_max:
            return None
        return route if route.hops > 1 or node in self._neighbours else None
