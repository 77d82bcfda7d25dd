"""PeerRegistry: who asks for it is told of nodes that come and go."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import PROMPT, add_node, bell, chain, join, seen
from tests.persistence.simulated import SimulatedIdentity
from vista.standard.bounds import SUBSCRIBERS_MAX
from vista.testing import SimulatedNode, World


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
