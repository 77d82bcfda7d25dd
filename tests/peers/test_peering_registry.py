"""PeerRegistry: who asks for it is told of nodes that come and go."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, add_node, bell, chain, join, peering, seen
from tests.persistence.simulated import SimulatedIdentity
from vista.ids import NODE_BYTES
from vista.standard.bounds import SUBSCRIBERS_MAX
from vista.testing import SimulatedNode, World


class RegistryClient(vista.Object):
    """Somebody who is told of nodes, and raises what it is given or takes its time."""

    def create(self, error: Exception | None = None, seconds: float = 0.0) -> None:
        self.error, self.seconds = error, seconds
        self.heard: list[vista.Ref] = []

    @vista.exclusive
    def peer_registered(self, creator: vista.Ref) -> None:
        self.heard.append(creator)
        if self.error is not None:
            raise self.error
        vista.sleep(self.seconds)

    def peer_unregistered(self, creator: vista.Ref) -> None:
        """Heed nobody that goes."""

    @vista.preemptable
    def list_heard(self) -> list[vista.Ref]:
        return self.heard


def creator(node: SimulatedNode) -> str:
    """The Id of a node's ObjectCreator."""
    return str(node.call(lambda: vista.id_of(vista.here())))


def told(watcher: vista.Ref) -> list[tuple[str, str | None]]:
    """What a watcher was told, with the Ids of the ObjectCreators."""
    return [
        (word, None if ref is None else str(vista.id_of(ref))) for word, ref in watcher.list_heard()
    ]


def test_nodes_that_come_and_go_are_told_also_those_behind_others() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b, c = (add_node(world, name) for name in "abc")
        watcher = bell(a)
        registry = a.call(vista.create, "PeerRegistry")
        a.call(lambda: registry.add_notify_when_peer_registered(watcher))
        join(b, c)
        join(a, b)
        world.pass_time(1.0)
        came = [("registered", creator(b)), ("registered", creator(c))]
        assert told(watcher) == came
        gone = ("unregistered", creator(c))
        c.stop()
        world.pass_time(1.0)
        assert told(watcher) == [*came, gone]


def test_a_registry_says_by_which_neighbour_a_node_is_reached() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b, c = chain(world, "abc")
        registry = a.call(vista.create, "PeerRegistry")
        found = [str(vista.id_of(registry.get_via_peer(creator(node)))) for node in (b, c)]
        assert found == [creator(b)] * 2
        b.stop()
        world.pass_time(1.0)
        assert [registry.get_via_peer(creator(node)) for node in (a, b, c)] == [None] * 3


def test_the_present_nodes_are_told_first_when_asked_for() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        watcher = bell(a)
        registry = a.call(vista.create, "PeerRegistry")
        a.call(lambda: registry.add_notify_when_peer_registered(watcher, True))
        world.pass_time(1.0)
        assert told(watcher) == [("registered", creator(b)), ("registered", None)]


def test_who_asks_no_more_is_told_no_more() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        watcher = bell(a)
        registry = a.call(vista.create, "PeerRegistry")
        a.call(lambda: registry.add_notify_when_peer_registered(watcher))
        a.call(lambda: registry.remove_notify_when_peer_registered(watcher))
        b.stop()
        world.pass_time(1.0)
        assert told(watcher) == []


def test_no_more_clients_are_notified_than_the_bound_says() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _ = chain(world, "ab")
        registry = a.call(vista.create, "PeerRegistry")
        node = a.kernel.table.node

        def fill() -> None:
            for serial in range(1, SUBSCRIBERS_MAX + 2):
                registry.add_notify_when_peer_registered(vista.Id.make(node, 10**6 + serial))

        with pytest.raises(vista.Overloaded, match=r"at most 1000 clients"):
            a.call(fill)
        # Who is a client already may ask again.
        again = vista.Id.make(node, 10**6 + 1)
        a.call(lambda: registry.add_notify_when_peer_registered(again))


def test_a_client_that_was_deleted_makes_room_for_another() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _ = chain(world, "ab")
        registry = a.call(vista.create, "PeerRegistry")
        node, watcher, other = a.kernel.table.node, bell(a), bell(a)

        def fill() -> None:
            for client in (watcher, vista.id_of(other)):
                registry.add_notify_when_peer_registered(client)
            for serial in range(3, SUBSCRIBERS_MAX + 1):
                registry.add_notify_when_peer_registered(vista.Id.make(node, 10**6 + serial))
            for client in (watcher, other):
                client.delete_yourself()
            for serial in range(2):
                registry.add_notify_when_peer_registered(vista.Id.make(node, 10**7 + serial))

        a.call(fill)
        one_more = vista.Id.make(node, 10**7 + 2)
        with pytest.raises(vista.Overloaded, match=r"at most 1000 clients"):
            a.call(lambda: registry.add_notify_when_peer_registered(one_more))


def test_a_client_that_was_deleted_is_posted_nothing() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        registry, watcher = a.call(vista.create, "PeerRegistry"), bell(a)
        a.call(lambda: registry.add_notify_when_peer_registered(watcher))
        a.call(watcher.delete_yourself)
        b.stop()
        world.pass_time(1.0)
        assert a.kernel.counters.posts_lost == 0


def test_a_client_that_moved_to_another_node_is_told_there() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        registry, watcher = a.call(vista.create, "PeerRegistry"), bell(a)
        a.call(lambda: registry.add_notify_when_peer_registered(watcher))
        there = seen(a, b.call(vista.here))
        a.call(lambda: vista.move(watcher, there))
        c = add_node(world, "c")
        join(a, c)
        world.pass_time(1.0)
        assert a.call(lambda: told(watcher)) == [("registered", creator(c))]


def test_a_client_of_an_earlier_run_is_kept_while_nobody_can_be_asked_for_it() -> None:
    identity = SimulatedIdentity("a")
    identity.end = 1_000
    with World(1, conditions=PROMPT) as world:
        a, b = add_node(world, "a", settings={"identity": identity}), add_node(world, "b")
        join(a, b)
        registry = a.call(vista.create, "PeerRegistry")
        earlier = vista.Id.make(a.kernel.table.node, 7)
        a.call(lambda: registry.add_notify_when_peer_registered(earlier))
        b.stop()
        world.pass_time(1.0)
        assert a.kernel.counters.posts_lost == 1


def test_a_service_is_looked_up_on_the_registrys_own_node_alone() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        registry = b.call(vista.create, "PeerRegistry")
        near, far = bell(a), bell(b)
        a.call(vista.create, "AnnounceServices")
        a.call(vista.register_service, "near", near)
        b.call(vista.register_service, "far", far)
        world.pass_time(1.0)
        assert b.call(vista.service, "near") == near
        found = [
            a.call(lambda name=name: a.kernel.ref(registry._id).lookup_local_service(name))
            for name in ("far", "near", "nobody")
        ]
        assert found == [far, None, None]


def clients_of(node: SimulatedNode, registry: vista.Ref) -> list[vista.Id]:
    """Who is notified by a registry."""
    return [
        vista.id_of(client) for client in node.kernel.table.records[registry._id].instance._clients
    ]


def watched(world: World, *args: Any) -> tuple[list[SimulatedNode], vista.Ref, vista.Ref]:
    """Nodes a and b, a registry of a, and its client, which lives at b."""
    nodes = a, b = chain(world, "ab")
    registry = a.call(vista.create, "PeerRegistry")
    client = b.call(vista.create, RegistryClient, *args)
    a.call(lambda: registry.add_notify_when_peer_registered(seen(a, client)))
    return nodes, registry, client


def test_a_client_that_was_deleted_on_another_node_is_forgotten_at_the_next_notification() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, b), registry, client = watched(world)
        b.call(client.delete_yourself)
        join(add_node(world, "c"), a)
        world.pass_time(1.0)
        assert clients_of(a, registry) == []


def test_a_client_on_another_node_that_itself_misses_an_object_stays() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, _), registry, client = watched(world, vista.NoSuchObject("no object of mine"))
        join(add_node(world, "c"), a)
        world.pass_time(1.0)
        assert clients_of(a, registry) == [client._id]
        assert len(client.list_heard()) == 1


def test_a_client_whose_node_cannot_be_reached_stays() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, b), registry, client = watched(world)
        partition = world.network.partition("a", "b")
        world.drive(lambda: peering(a).nodes() == [], 60.0)
        c = add_node(world, "c")
        join(c, a)
        world.pass_time(1.0)
        assert clients_of(a, registry) == [client._id]
        partition.heal()
        world.drive(lambda: len(peering(a).nodes()) == 2, 60.0)
        world.pass_time(1.0)
        assert str(vista.id_of(client.list_heard()[-1])) in (creator(b), creator(c))


def test_a_client_on_another_node_that_takes_its_time_is_told_all_and_waited_for_once() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, _), _, client = watched(world, None, 5.0)
        others = [add_node(world, name) for name in "cde"]
        for other in others:
            join(other, a)
        world.pass_time(1.0)
        waiting = [call.name for call in peering(a).calls.pending.values()]
        assert waiting == ["peer_registered"]
        world.pass_time(20.0)
        assert [str(vista.id_of(one)) for one in client.list_heard()] == [*map(creator, others)]
        assert peering(a).calls.pending == {}


def test_of_nodes_that_come_in_one_turn_a_client_on_another_node_is_waited_for_once() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, _), registry, client = watched(world, None, 5.0)
        note = a.kernel.table.records[registry._id].instance._note
        others = [bytes([number]) * NODE_BYTES for number in (1, 2, 3)]
        a.call(lambda: [note(other, other) for other in others])
        world.pass_time(1.0)
        waiting = [call.name for call in peering(a).calls.pending.values()]
        assert waiting == ["peer_registered"]
        world.pass_time(20.0)
        assert [vista.id_of(one).node for one in client.list_heard()] == others
        assert peering(a).calls.pending == {}
