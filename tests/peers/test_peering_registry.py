"""PeerRegistry: who asks for it is told of nodes that come and go."""

from __future__ import annotations

import vista
from tests.peers.system import PROMPT, add_node, bell, chain, join
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
