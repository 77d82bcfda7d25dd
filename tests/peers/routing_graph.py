"""A graph of nodes that run nothing but routing and announcements, joined by links that keep order.

Whoever drives it draws which message arrives next. What each node's effects say is kept in a view
of its own and compared with the tables after every event; `truth` and `services` are what the
tables should say when nothing is on its way any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from vista.errors import RemoteProtocolError
from vista.ids import Id
from vista.peering import announcements, routing
from vista.peering.announcements import Announcements, Appeared, Publish, Vanished, Withdraw
from vista.peering.paths import RoutingBounds
from vista.peering.routing import (
    Conflict,
    Heard,
    LinkDown,
    LinkUp,
    Lost,
    Reached,
    Reject,
    Rerouted,
    Routing,
    Tell,
    Tick,
)
from vista.peering.words import AnnouncementBounds
from vista.wire.codec import pack_plain, unpack_plain

ROUTES, SERVICES = "routes", "services"
EVENTS_MAX = 2_000_000
HOPS_MAX = RoutingBounds().hops_max


def identity(number: int) -> bytes:
    """The identity of a numbered node."""
    return number.to_bytes(10, "big")


def run_of(number: int) -> bytes:
    """The epoch of a numbered run. Later runs have no greater epochs, as random ones have none."""
    return (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big")


def service(node: int, serial: int) -> Id:
    """The Id of a numbered object of a numbered node."""
    return Id.make(identity(node), serial)


@dataclass
class GraphNode:
    """One node and what its effects said so far."""

    number: int
    identity: bytes
    epoch: bytes
    routing: Routing
    announcements: Announcements
    published: dict[str, Id] = field(default_factory=dict)
    reached: dict[bytes, tuple[bytes, int, int]] = field(default_factory=dict)
    provided: dict[tuple[str, bytes], Id] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)

    def cores(self) -> tuple[Routing, Announcements]:
        """What the node runs."""
        return self.routing, self.announcements


@dataclass
class GraphLink:
    """A link between two nodes; each end has a queue of what is on its way to it."""

    ends: tuple[int, int]
    transit: tuple[bool, bool]
    queues: tuple[deque[tuple[str, Any]], deque[tuple[str, Any]]]
    up: list[bool]


class Graph:
    """Nodes, numbered from 0 on, and links between them.

    ``messages`` and ``octets`` count what was told, by ``ROUTES`` and ``SERVICES``.
    """

    def __init__(
        self,
        nodes: int,
        edges: Iterable[tuple[int, int]] = (),
        *,
        random: Random | None = None,
        routing_bounds: RoutingBounds | None = None,
        announcement_bounds: AnnouncementBounds | None = None,
    ) -> None:
        self.random = random or Random(0)
        self.bounds = (routing_bounds, announcement_bounds)
        self.now = 0.0
        self.runs = 0
        self.nodes: dict[int, GraphNode] = {}
        self.links: dict[int, GraphLink] = {}
        self.links_made = 0
        self.messages = {ROUTES: 0, SERVICES: 0}
        self.octets = {ROUTES: 0, SERVICES: 0}
        for number in range(nodes):
            self.start(number)
        for one, other in edges:
            self.link(one, other)

    # --- what happens to the graph --------------------------------------------------------------

    def start(self, number: int, twin_of: int | None = None) -> GraphNode:
        """Start a node, of which nothing is remembered; with the identity of another if said."""
        self.runs += 1
        name, epoch = identity(number if twin_of is None else twin_of), run_of(self.runs)
        self.nodes[number] = node = GraphNode(
            number,
            name,
            epoch,
            Routing(name, self.bounds[0]),
            Announcements(name, epoch, self.bounds[1]),
        )
        return node

    def stop(self, number: int) -> None:
        """End a node; the other ends of its links hear of it in their time."""
        for link in self.links_of(number):
            self.cut(link, silent=number)
        del self.nodes[number]

    def link(self, one: int, other: int, transit: tuple[bool, bool] = (True, True)) -> int:
        """Join two nodes and return the number of the link; both hear of it in their time."""
        self.links_made += 1
        link = GraphLink((one, other), transit, (deque(), deque()), [False, False])
        self.links[self.links_made] = link
        for side in (0, 1):
            peer = self.nodes[link.ends[1 - side]]
            up = LinkUp(self.links_made, peer.identity, peer.epoch, transit[side])
            link.queues[side].append(("up", up))
        return self.links_made

    def cut(self, number: int, silent: int | None = None) -> None:
        """End a link; what is on its way is lost. The node ``silent`` hears nothing of it."""
        link = self.links[number]
        for side in (0, 1):
            link.queues[side].clear()
            if link.up[side] and link.ends[side] != silent:
                link.queues[side].append(("down", LinkDown(number)))
        link.transit = (False, False)
        if not any(link.queues):
            del self.links[number]

    def links_of(self, number: int) -> list[int]:
        """The links that lead to the node and are not cut."""
        return [
            name
            for name, link in self.links.items()
            if number in link.ends and not self.is_cut(link)
        ]

    def is_cut(self, link: GraphLink) -> bool:
        """Whether the link only waits for an end to hear that it is gone."""
        return any(queue and queue[0][0] == "down" for queue in link.queues)

    def publish(self, number: int, name: str, id: Id) -> None:
        """Let a node provide a service."""
        self.nodes[number].published[name] = id
        self.announce(self.nodes[number], Publish(name, id))

    def withdraw(self, number: int, name: str) -> None:
        """Let a node provide a service no more."""
        self.nodes[number].published.pop(name, None)
        self.announce(self.nodes[number], Withdraw(name))

    # --- delivery -------------------------------------------------------------------------------

    def deliver(self) -> bool:
        """Let one drawn end hear what is next on its way to it; False when nothing is."""
        waiting = [
            (name, side)
            for name, link in self.links.items()
            for side in (0, 1)
            if link.queues[side]
        ]
        if waiting:
            self.deliver_to(*self.random.choice(waiting))
        return bool(waiting)

    def deliver_to(self, name: int, side: int) -> None:
        """Let one end of a link hear what is next on its way to it."""
        link = self.links[name]
        word, content = link.queues[side].popleft()
        node = self.nodes[link.ends[side]]
        if word == "up":
            link.up[side] = True
        if word == "down" and not any(link.queues):
            del self.links[name]
        if word == SERVICES:
            self.announce(node, Heard(name, unpack_plain(content)))
        elif word == ROUTES:
            self.route(node, Heard(name, unpack_plain(content)))
        else:
            self.route(node, content)
            self.announce(node, content)

    def calm(self) -> None:
        """Let everything arrive and every deadline pass."""
        for _ in range(EVENTS_MAX):
            if not self.deliver() and not self.tick():
                return
        raise AssertionError("the nodes never came to rest")

    def tick(self) -> bool:
        """Let the next deadline come; False when there is none."""
        cores = [core for node in self.nodes.values() for core in node.cores()]
        due = [time for core in cores if (time := core.next_deadline()) is not None]
        if due:
            self.pass_time(max(0.0, min(due) - self.now))
        return bool(due)

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, and every node look at it."""
        self.now += seconds
        for node in list(self.nodes.values()):
            self.route(node, Tick())
            self.announce(node, Tick())

    def route(self, node: GraphNode, event: routing.Event) -> None:
        """Let a node's routing handle an event, and check its effects."""
        for effect in node.routing.handle(event, self.now):
            match effect:
                case Tell(link, message):
                    self.send(node, link, ROUTES, message)
                case Reached(name, epoch, via, hops):
                    assert name not in node.reached
                    node.reached[name] = (epoch, via, hops)
                    self.announce(node, effect)
                case Rerouted(name, via, hops):
                    epoch, *before = node.reached[name]
                    assert before != [via, hops]
                    node.reached[name] = (epoch, via, hops)
                case Lost(name):
                    del node.reached[name]
                    self.announce(node, effect)
                case Conflict():
                    node.conflicts.append(effect)
                case Reject():
                    node.rejected.append(effect)
        table = {row.node: (row.epoch, row.via, row.hops) for row in node.routing.table()}
        assert table == node.reached

    def announce(self, node: GraphNode, event: announcements.Event) -> None:
        """Let a node's announcements handle an event, and check its effects."""
        for effect in node.announcements.handle(event, self.now):
            match effect:
                case Tell(link, message):
                    self.send(node, link, SERVICES, message)
                case Appeared(name, provider, id):
                    assert (name, provider) not in node.provided
                    node.provided[name, provider] = id
                case Vanished(name, provider, id):
                    assert node.provided.pop((name, provider)) == id
                case Reject():
                    node.rejected.append(effect)

    def send(self, node: GraphNode, number: int, word: str, message: list[Any]) -> None:
        """Put a message on its way; on a link that is cut it is lost."""
        link = self.links.get(number)
        if link is None or self.is_cut(link):
            return
        data = pack_plain(message)
        self.messages[word] += 1
        self.octets[word] += len(data)
        link.queues[1 - link.ends.index(node.number)].append((word, data))

    # --- what should be -------------------------------------------------------------------------

    def truth(self, number: int) -> dict[bytes, tuple[bytes, int]]:
        """The nodes that the node should reach, with their epochs and hops."""
        return {
            identity(other): (node.epoch, hops)
            for other, node in self.nodes.items()
            if (hops := self.distances(other).get(number, 0))
        }

    def known(self, number: int) -> dict[bytes, tuple[bytes, int]]:
        """The nodes that the node reaches by its table, with their epochs and hops."""
        return {row.node: (row.epoch, row.hops) for row in self.nodes[number].routing.table()}

    def distances(self, to: int) -> dict[int, int]:
        """How far it is to a node from each that reaches it, by breadth first search.

        Who is linked to it directly takes that way, and then does not let others through if the
        link is without transit.
        """
        carrying = [link.ends for link in self.links.values() if all(link.transit)]
        direct = [self.links[name].ends for name in self.links_of(to)]
        hops = {to: 0} | {sum(ends) - to: 1 for ends in direct}
        queue = deque(node for node in hops if node != to and {node, to} in map(set, carrying))
        while queue:
            at = queue.popleft()
            for ends in carrying:
                other = sum(ends) - at
                if at in ends and other not in hops and hops[at] < HOPS_MAX:
                    hops[other] = hops[at] + 1
                    queue.append(other)
        return hops

    def services(self, number: int) -> dict[tuple[str, bytes], Id]:
        """The services of other nodes that the node should know."""
        truth = self.truth(number)
        return {
            (name, other.identity): id
            for other in self.nodes.values()
            if other.identity in truth
            for name, id in other.published.items()
        }

    def walk(self, start: int, to: int) -> list[int]:
        """The nodes a message passes by their tables, up to the first that it meets again."""
        way = [start]
        while way[-1] != to and way[-1] not in way[:-1]:
            via = self.nodes[way[-1]].routing.route_to(identity(to))
            if via is None or via not in self.links:
                break
            following = sum(self.links[via].ends) - way[-1]
            if following not in self.nodes:
                break
            way.append(following)
        return way

    def loops(self) -> int:
        """How many pairs of nodes have a loop between them at this moment."""
        ways = (self.walk(start, to) for start in self.nodes for to in self.nodes)
        return sum(way[-1] in way[:-1] for way in ways)

    def check_rest(self) -> None:
        """Check that every node knows the truth and that messages arrive by the shortest way."""
        for number, node in self.nodes.items():
            truth = self.truth(number)
            assert self.known(number) == truth
            assert node.provided == self.services(number)
            for other in self.nodes:
                if identity(other) in truth:
                    way = self.walk(number, other)
                    assert way[-1] == other
                    assert len(way) == 1 + truth[identity(other)][1]


def full_mesh(nodes: int) -> list[tuple[int, int]]:
    """The edges between each two nodes."""
    return [(one, other) for one in range(nodes) for other in range(one)]


def chain(nodes: int) -> list[tuple[int, int]]:
    """The edges of nodes in a row."""
    return [(number, number + 1) for number in range(nodes - 1)]


def ring(nodes: int) -> list[tuple[int, int]]:
    """The edges of a row whose ends are joined."""
    return [*chain(nodes), (nodes - 1, 0)]


def error_of(effects: Iterable[object]) -> RemoteProtocolError:
    """The error of the only effect, a rejection."""
    (effect,) = effects
    assert isinstance(effect, Reject)
    return effect.error
