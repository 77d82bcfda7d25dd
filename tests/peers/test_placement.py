"""Where objects of spread classes are made, and an object on each node of a mesh."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, add_node, chain, ended, join, listen, meet, peering
from vista.kernel.classes import ClassEntry
from vista.kernel.current import kernel
from vista.peering.mesh import Mesh
from vista.peering.placement import next_creator
from vista.testing import Partition, SimulatedNode, World


class SpreadBox(vista.Object):
    """One whose objects may be anywhere."""

    placement = "spread"

    def create(self, content: Any = None, fails: bool = False) -> None:
        if fails:
            raise ValueError("no box")
        self.content = content

    def get(self) -> Any:
        return self.content


class SlowSpreadBox(vista.Object):
    """One whose making takes a while."""

    placement = "spread"

    def create(self) -> None:
        vista.sleep(5.0)


class SpreadParent(vista.Object):
    """One that makes others."""

    def make(self) -> vista.Ref:
        return vista.create("SpreadBox")


class HomelyBox(vista.Object):
    """One whose objects are made where they are asked for."""


class StationKeeper(vista.Object):
    """One that there is to be on every node."""

    def create(self, word: str = "", number: int = 0) -> None:
        self.said = (word, number)

    def get(self) -> tuple[str, int]:
        return self.said


def mesh(*nodes: SimulatedNode) -> None:
    """Have each of the nodes count the others as its mesh."""
    for node in nodes:
        for other in nodes:
            if other is not node:
                peering(node).mesh.add(other.kernel.table.node)


def place_of(ref: vista.Ref, *nodes: SimulatedNode) -> str:
    """The name of the node where an object was made."""
    return {node.kernel.table.node: node.name for node in nodes}[ref._id.node]


def made(node: SimulatedNode, *args: Any, **kwargs: Any) -> vista.Ref:
    """An object that a node is asked for."""
    ref: vista.Ref = node.call(lambda: vista.create(*args, **kwargs))
    return ref


# --- the mesh ----------------------------------------------------------------------------------


def test_a_mesh_has_its_nodes_in_the_order_in_which_they_joined() -> None:
    found = Mesh(b"c")
    for node in (b"b", b"a"):
        found.add(node)
    assert (found.nodes, found.others) == ([b"c", b"b", b"a"], [b"b", b"a"])


def test_the_nodes_of_a_mesh_take_turns() -> None:
    found = Mesh(b"a")
    found.add(b"b")
    found.add(b"c")
    assert [found.next(lambda node: True) for _ in range(7)] == [
        *[b"a", b"b", b"c"] * 2,
        b"a",
    ]


def test_a_node_that_cannot_be_reached_keeps_its_turn() -> None:
    found = Mesh(b"a")
    found.add(b"b")
    found.add(b"c")
    assert [found.next(lambda node: node != b"b") for _ in range(4)] == [b"a", b"c", b"a", b"c"]
    assert found.next(lambda node: True) == b"b"


def test_a_node_that_joins_again_while_it_is_there_leaves_with_the_last_removal() -> None:
    found = Mesh(b"a")
    told: list[tuple[bytes, bool]] = []
    found.watchers.append(lambda node, joined: told.append((node, joined)))
    found.add(b"b")
    found.add(b"b")
    found.remove(b"b")
    assert found.nodes == [b"a", b"b"]
    found.remove(b"b")
    found.remove(b"b")
    assert found.nodes == [b"a"]
    assert found.next(lambda node: True) == found.next(lambda node: True) == b"a"
    assert told == [(b"b", True), (b"b", False)]


def test_a_node_never_leaves_its_own_mesh() -> None:
    found = Mesh(b"a")
    found.remove(b"a")
    assert found.nodes == [b"a"]


# --- spread classes ----------------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["everywhere", "Spread", "", None, 1])
def test_any_other_placement_is_refused_when_the_class_is_defined(placement: Any) -> None:
    with pytest.raises(vista.ClassDefinitionError, match=r"placement is 'here' or 'spread', not "):
        type("MisplacedBox", (vista.Object,), {"placement": placement})


def test_a_class_inherits_its_placement() -> None:
    heir = type("SpreadBoxHeir", (SpreadBox,), {})
    assert ClassEntry(heir).is_spread
    assert not ClassEntry(type("StayingBoxHeir", (SpreadBox,), {"placement": "here"})).is_spread


@pytest.mark.parametrize("specifier", ["SpreadBox", SpreadBox, "Local.SpreadBox"], ids=str)
def test_objects_of_a_spread_class_go_round_the_nodes_of_the_mesh(specifier: Any) -> None:
    with World(1) as world:
        nodes = chain(world, "abc")
        mesh(*nodes)
        boxes = [made(nodes[0], specifier, number) for number in range(7)]
        assert [place_of(box, *nodes) for box in boxes] == [*"abcabca"]
        assert [nodes[0].call(box.get) for box in boxes] == list(range(7))


def test_without_a_mesh_they_are_made_here() -> None:
    with World(1) as world:
        a, b = chain(world, "ab")
        assert {place_of(made(a, "SpreadBox"), a, b) for _ in range(4)} == {"a"}


def test_without_a_peer_they_are_made_here() -> None:
    with World(1) as world:
        a = add_node(world, "a")
        assert place_of(made(a, "SpreadBox"), a) == "a"


def test_objects_of_other_classes_are_made_here() -> None:
    with World(1) as world:
        nodes = chain(world, "ab")
        mesh(*nodes)
        assert {place_of(made(nodes[0], "HomelyBox"), *nodes) for _ in range(4)} == {"a"}


def test_a_spread_class_is_never_among_those_found_at_once() -> None:
    with World(1) as world:
        a = add_node(world, "a")
        for specifier in (SpreadBox, "SpreadBox", HomelyBox, "HomelyBox"):
            made(a, specifier)
        found = a.kernel.classes.found
        assert (SpreadBox in found, "SpreadBox" in found) == (False, False)
        assert (HomelyBox in found, "HomelyBox" in found) == (True, True)


def test_whoever_says_where_has_it_there() -> None:
    with World(1) as world:
        a, _b, c = nodes = chain(world, "abc")
        mesh(*nodes)
        at = [made(a, "SpreadBox", at=vista.Id.make(c.kernel.table.node, 0)) for _ in range(3)]
        here = [a.call(lambda: vista.create("SpreadBox", at=vista.here())) for _ in range(3)]
        assert {place_of(box, *nodes) for box in at} == {"c"}
        assert {place_of(box, *nodes) for box in here} == {"a"}


def test_whoever_says_where_has_it_there_also_from_deep_inside_other_calls() -> None:
    with World(1) as world:
        a, _b = nodes = chain(world, "ab")
        mesh(*nodes)
        deep = a.call(vista.create, DeepMaker)
        found = [a.call(deep.make, depth, deep) for depth in range(58, 70)]
        assert {place_of(box, *nodes) for box in found} == {"a"}


class DeepMaker(vista.Object):
    """One that makes a box from inside many nested calls."""

    @vista.preemptable
    def make(self, depth: int, other: vista.Ref) -> vista.Ref:
        if depth:
            ref: vista.Ref = other.make(depth - 1, other)
            return ref
        return vista.create("SpreadBox", at=vista.here())


def test_what_a_method_makes_is_spread_too() -> None:
    with World(1) as world:
        nodes = chain(world, "ab")
        mesh(*nodes)
        parent = made(nodes[0], "SpreadParent")
        boxes = [nodes[0].call(parent.make) for _ in range(4)]
        assert [place_of(box, *nodes) for box in boxes] == [*"abab"]


def test_an_error_of_create_comes_back_from_wherever_it_was() -> None:
    with World(1) as world:
        nodes = chain(world, "ab")
        mesh(*nodes)
        for _ in range(2):
            with pytest.raises(ValueError, match=r"no box"):
                made(nodes[0], "SpreadBox", fails=True)


def test_a_node_that_is_lost_is_left_out() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b, c = nodes = [*chain(world, "ab"), add_node(world, "c")]
        join(a, c)
        meet(a, [b, c])
        mesh(a, b)
        peering(a).mesh.add(c.kernel.table.node)
        world.crash("b")
        world.pass_time(1.0)
        assert [place_of(made(a, "SpreadBox"), *nodes) for _ in range(4)] == [*"acac"]
        turns = [next_creator(peering(a)) for _ in range(4)]
        assert [place_of(creator, *nodes) for creator in turns] == [*"acac"]


def test_a_node_that_is_lost_while_it_makes_the_object_fails_the_create_once() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _b = nodes = chain(world, "ab")
        mesh(*nodes)
        made(a, "SpreadBox")
        making = a.spawn(lambda: vista.create("SlowSpreadBox"))
        world.pass_time(1.0)
        world.crash("b")
        (error,) = ended(world, [making], 20.0)
        assert isinstance(error, vista.PeerLost)
        assert place_of(made(a, "SpreadBox"), *nodes) == "a"


def test_the_lines_of_an_rc_file_are_spread(tmp_path: Any) -> None:
    (tmp_path / "boxes.rc").write_text("SpreadBox 1\nSpreadBox 2\nHomelyBox\nSpreadBox 3\n")
    with World(1) as world:
        nodes = chain(world, "ab")
        mesh(*nodes)
        nodes[0].call(
            lambda: vista.send(
                vista.create("CreateObjects", str(tmp_path / "boxes.rc")), "get_line_total"
            )
        )
        counts = [len(_of_class(node, "SpreadBox")) for node in nodes]
        assert counts == [2, 1]
        assert len(_of_class(nodes[0], "HomelyBox")) == 1


def _of_class(node: SimulatedNode, name: str) -> list[vista.Id]:
    records = node.kernel.table.records.values()
    return [record.id for record in records if record.entry.full_name == f"Local.{name}"]


# --- an object on each node --------------------------------------------------------------------


def keeper(node: SimulatedNode, *args: Any) -> vista.Ref:
    """What keeps an object on each node of the mesh of a node."""
    return made(node, "CreateOnEveryNode", *args)


def stations(node: SimulatedNode, kept: vista.Ref, *nodes: SimulatedNode) -> str:
    """The names of the nodes where the objects are, those only that are there."""
    refs = node.call(kept.get_objects)
    there = [ref for ref in refs if _is_there(ref, *nodes)]
    return "".join(place_of(ref, *nodes) for ref in there)


def _is_there(ref: vista.Ref, *nodes: SimulatedNode) -> bool:
    return any(ref._id in node.kernel.table.records for node in nodes)


def test_there_is_an_object_on_each_node_when_create_returns() -> None:
    with World(1) as world:
        a, _b, _c = nodes = chain(world, "abc")
        mesh(*nodes)
        kept = keeper(a, "StationKeeper", "hello", 7)
        assert stations(a, kept, *nodes) == "abc"
        refs = a.call(kept.get_objects)
        assert [a.call(ref.get) for ref in refs] == [("hello", 7)] * 3


def test_the_words_of_an_rc_line_are_converted_as_the_class_has_it() -> None:
    with World(1) as world:
        a = add_node(world, "a")
        kept = keeper(a, "Local.StationKeeper", "5", "7")
        (ref,) = a.call(kept.get_objects)
        assert a.call(ref.get) == ("5", 7)


def test_words_that_do_not_fit_are_refused_as_on_an_rc_line() -> None:
    with World(1) as world:
        a = add_node(world, "a")
        with pytest.raises(vista.BadValueError, match=r'number must be an int, not "seven"'):
            keeper(a, "StationKeeper", "hello", "seven")


def test_a_class_that_nobody_knows_is_refused() -> None:
    with World(1) as world, pytest.raises(vista.NoSuchClass, match=r"StationKeeper"):
        keeper(add_node(world, "a"), "StationKeepr")


def test_a_spread_class_is_made_on_each_node_too() -> None:
    with World(1) as world:
        a, _b = nodes = chain(world, "ab")
        mesh(*nodes)
        assert stations(a, keeper(a, "SpreadBox"), *nodes) == "ab"


def test_an_error_on_one_node_is_raised_and_nothing_is_left() -> None:
    with World(1) as world:
        a, b = nodes = chain(world, "ab")
        mesh(*nodes)
        b.call(lambda: vista.register_service("only here", vista.here()))
        with pytest.raises(vista.VistaError, match=r"only here"):
            keeper(a, "ServiceHolder", "only here")
        world.pass_time(1.0)
        assert [_of_class(node, "ServiceHolder") for node in nodes] == [[], []]


class ServiceHolder(vista.Object):
    """One that takes a service name of its node."""

    def create(self, name: str) -> None:
        vista.register_service(name, self)


def test_a_node_that_joins_later_gets_its_object_then() -> None:
    with World(1) as world:
        a, b, c = nodes = chain(world, "abc")
        mesh(a, b)
        kept = keeper(a, "StationKeeper")
        assert stations(a, kept, *nodes) == "ab"
        peering(a).mesh.add(c.kernel.table.node)
        world.pass_time(5.0)
        assert stations(a, kept, *nodes) == "abc"


def test_a_node_that_returns_keeps_the_object_it_has() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = nodes = chain(world, "ab")
        mesh(*nodes)
        kept = keeper(a, "StationKeeper")
        before = a.call(kept.get_objects)
        world.network.lose("a", "b")
        world.pass_time(0.5)
        meet(a, [b])
        world.pass_time(5.0)
        assert a.call(kept.get_objects) == before
        assert len(_of_class(b, "StationKeeper")) == 1


def test_a_node_that_returns_without_its_object_gets_another_one() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = nodes = chain(world, "ab")
        mesh(*nodes)
        kept = keeper(a, "StationKeeper")
        world.network.lose("a", "b")
        (id,) = _of_class(b, "StationKeeper")
        b.call(vista.delete, id)
        meet(a, [b])
        world.pass_time(5.0)
        assert len(_of_class(b, "StationKeeper")) == 1
        assert stations(a, kept, *nodes) == "ab"


def keeper_that_is_not_answered(
    world: World, near: SimulatedNode, far: SimulatedNode
) -> tuple[vista.Ref, Partition]:
    """What keeps an object on each of two nodes; the far one has made it, and its answer is lost.

    The answer does not leave until what is returned with it heals.
    """
    kept = keeper(near, "StationKeeper")
    partition = world.network.partition("b", "a", one_way=True)
    mesh(near, far)
    world.drive(lambda: bool(_of_class(far, "StationKeeper")), 5.0)
    return kept, partition


@pytest.mark.parametrize("after_seconds", [0.0, 0.02, 0.2, 1.0, 3.0])
def test_there_is_one_object_on_a_node_that_was_lost_when_it_was_made(after_seconds: float) -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = nodes = chain(world, "ab")
        kept, partition = keeper_that_is_not_answered(world, a, b)
        world.pass_time(after_seconds)
        world.network.lose("a", "b")
        partition.heal()
        meet(a, [b])
        world.pass_time(5.0)
        assert len(_of_class(b, "StationKeeper")) == 1
        assert stations(a, kept, *nodes) == "ab"


def test_there_is_an_object_on_a_node_to_which_only_the_way_broke_when_it_was_made() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = nodes = chain(world, "ab")
        kept, partition = keeper_that_is_not_answered(world, a, b)
        # As when one of two links to it ends, which were opened from both sides at once.
        a.call(peering(a).ways._broke, b.kernel.table.node)
        partition.heal()
        world.pass_time(5.0)
        assert len(_of_class(b, "StationKeeper")) == 1
        assert stations(a, kept, *nodes) == "ab"


def made_once(node: SimulatedNode, token: bytes) -> vista.Ref:
    """Ask a node for an object as another one does."""
    return node.call(lambda: vista.here().create_object_once(token, "StationKeeper"))


def test_an_object_that_is_asked_for_again_is_the_one_that_there_is_or_another() -> None:
    with World(1) as world:
        a, _b = chain(world, "ab")
        first = made_once(a, b"token")
        assert made_once(a, b"token") == first
        assert made_once(a, b"other") != first
        a.call(vista.delete, first)
        assert made_once(a, b"token") != first
        assert len(_of_class(a, "StationKeeper")) == 2


class SlowStation(vista.Object):
    """One that takes a while to be made, or cannot be."""

    def create(self, fails: bool = False) -> None:
        vista.sleep(5.0)
        if fails:
            raise RuntimeError("no room")


def test_an_object_is_made_once_though_it_is_asked_for_while_it_is_made() -> None:
    with World(1) as world:
        a, _b = chain(world, "ab")
        asking = [
            a.spawn(lambda: vista.here().create_object_once(b"token", "SlowStation"))
            for _ in range(3)
        ]
        found = ended(world, asking)
        assert found == [found[0]] * 3
        assert len(_of_class(a, "SlowStation")) == 1


def test_when_whoever_asked_for_it_gives_up_another_one_makes_it() -> None:
    with World(1) as world:
        a, _b = chain(world, "ab")
        asking = [
            a.spawn(lambda: vista.here().create_object_once(b"token", "SlowStation"))
            for _ in range(2)
        ]
        world.pass_time(1.0)
        asking[0].cancel()
        assert isinstance(ended(world, asking)[1], vista.Ref)
        assert len(_of_class(a, "SlowStation")) == 1


def test_an_object_that_could_not_be_made_may_be_asked_for_again() -> None:
    with World(1) as world:
        a, _b = chain(world, "ab")
        for fails in (True, False):
            asking = a.spawn(
                lambda fails=fails: vista.here().create_object_once(
                    b"token", "SlowStation", None, fails
                )
            )
            (found,) = ended(world, [asking])
            assert isinstance(found, RuntimeError if fails else vista.Ref)


def test_no_more_tokens_are_remembered_than_the_limit_says() -> None:
    with World(1) as world:
        a, _b = chain(world, "ab", limits=vista.Limits(moves_remembered_max=2))
        first = made_once(a, b"1")
        for token in (b"2", b"3"):
            made_once(a, token)
        assert made_once(a, b"1") != first


def test_deleting_it_deletes_the_objects() -> None:
    with World(1) as world:
        a, _b = nodes = chain(world, "ab")
        mesh(*nodes)
        a.call(vista.delete, keeper(a, "StationKeeper"))
        world.pass_time(1.0)
        assert [_of_class(node, "StationKeeper") for node in nodes] == [[], []]


def test_a_node_that_joins_after_the_deletion_gets_nothing() -> None:
    with World(1) as world:
        a, b = nodes = chain(world, "ab")
        a.call(vista.delete, keeper(a, "StationKeeper"))
        mesh(*nodes)
        world.pass_time(5.0)
        assert _of_class(b, "StationKeeper") == []


class StubbornStation(vista.Object):
    """One that cannot be made as long as its node has errors for it."""

    def create(self) -> None:
        settings = kernel().settings
        vista.sleep(settings.get("pause", 0.0))
        errors = settings.get("errors")
        if errors:
            raise errors.pop()


@pytest.mark.parametrize("error", [vista.CallTimeout, vista.Overloaded, RuntimeError])
def test_an_object_that_cannot_be_made_for_a_while_is_made_then(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    with World(1) as world:
        a, b = nodes = chain(world, "ab")
        kept = keeper(a, "StubbornStation")
        errors = b.kernel.settings["errors"] = [error("not yet") for _ in range(6)]
        mesh(*nodes)
        world.pass_time(2.0)
        assert 0 < len(errors) < 6
        world.pass_time(30.0)
        assert stations(a, kept, *nodes) == "ab"
        assert len([text for text in caplog.messages if "no StubbornStation on node" in text]) == 1


def test_what_goes_wrong_on_a_node_that_joins_during_create_is_tried_again() -> None:
    with World(1) as world:
        a, b, c = nodes = chain(world, "abc")
        mesh(a, b)
        b.kernel.settings["pause"] = 3.0
        errors = c.kernel.settings["errors"] = [vista.CallTimeout("not yet")]
        making = a.spawn(lambda: vista.create("CreateOnEveryNode", "StubbornStation"))
        world.pass_time(1.0)
        peering(a).mesh.add(c.kernel.table.node)
        world.drive(lambda: not errors, 1.0)
        assert not making.done()
        (kept,) = ended(world, [making], 30.0)
        world.pass_time(30.0)
        assert stations(a, kept, *nodes) == "abc"


def test_a_node_that_left_the_mesh_is_not_tried_again() -> None:
    with World(1) as world:
        a, b = nodes = chain(world, "ab")
        kept = keeper(a, "StubbornStation")
        errors = b.kernel.settings["errors"] = [RuntimeError("never")] * 20
        mesh(*nodes)
        world.pass_time(2.0)
        peering(a).mesh.remove(b.kernel.table.node)
        world.pass_time(30.0)
        left = len(errors)
        world.pass_time(100.0)
        assert len(errors) == left > 0
        assert stations(a, kept, *nodes) == "a"


# --- the mesh of processes ---------------------------------------------------------------------


def processes(world: World, names: str) -> tuple[list[SimulatedNode], list[vista.Ref]]:
    """Nodes that keep links to each other as those of ``vista --processes`` do."""
    nodes = [add_node(world, name) for name in names]
    addresses = [f"tcp:127.0.0.1:{4500 + number}" for number in range(len(names))]
    keys = [listen(node).partition("@")[0] for node in nodes]
    urls = [
        f"{key}@127.0.0.1:{4500 + number}"
        for number, key in zip(range(len(names)), keys, strict=True)
    ]
    meshes = [
        made(node, "ProcessMesh", address, *(other for other in urls if other != url))
        for node, address, url in zip(nodes, addresses, urls, strict=True)
    ]
    return nodes, meshes


def members(node: SimulatedNode, *nodes: SimulatedNode) -> str:
    """The names of the nodes in the mesh of a node, in their order."""
    names = {other.kernel.table.node: other.name for other in nodes}
    return "".join(sorted(names.get(one, "?") for one in peering(node).mesh.nodes))


def test_processes_that_are_linked_are_one_mesh_with_one_link_for_each_two() -> None:
    with World(1) as world:
        nodes, meshes = processes(world, "abcd")
        for node, one in zip(nodes, meshes, strict=True):
            node.call(one.wait, 30.0)
        world.pass_time(5.0)
        assert [members(node, *nodes) for node in nodes] == ["abcd"] * 4
        assert [len(peering(node).links) for node in nodes] == [3] * 4


def test_a_process_that_is_not_there_is_named_when_it_is_waited_for() -> None:
    with World(1) as world:
        a = add_node(world, "a")
        url = listen(add_node(world, "b")).rpartition(":")[0]
        one = made(a, "ProcessMesh", "tcp:127.0.0.1:4500", f"{url}:4501")
        with pytest.raises(vista.CallTimeout, match=r"no link to tcp://.*:4501 in time"):
            a.call(one.wait, 5.0)
        assert list(a.call(one.get_state).values()) == [False]


def test_a_process_that_ends_leaves_the_mesh() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes, meshes = processes(world, "abc")
        for node, one in zip(nodes, meshes, strict=True):
            node.call(one.wait, 30.0)
        world.crash("c")
        world.pass_time(2.0)
        assert [members(node, *nodes) for node in nodes[:2]] == ["ab"] * 2


def test_a_process_that_is_started_again_is_in_the_mesh_as_soon_as_it_is_linked() -> None:
    with World(1, conditions=PROMPT) as world:
        (a, b), (mesh_a, _) = processes(world, "ab")
        a.call(mesh_a.wait, 30.0)
        url = str(peering(b).listeners[-1].url)
        own = str(peering(a).listeners[-1].url)
        world.crash("b")
        # By then the pauses between the attempts have grown to many seconds.
        world.pass_time(120.0)
        again = world.restart("b")
        again.kernel.settings["secret_key"] = a.kernel.settings["secret_key"]
        other = made(again, "ProcessMesh", "tcp:127.0.0.1:4501", own)
        again.call(other.wait, 30.0)
        world.pass_time(0.5)
        assert url.endswith(":4501")
        assert again.kernel.table.node in peering(a).mesh.nodes


def test_deleting_the_mesh_ends_its_links() -> None:
    with World(1, conditions=PROMPT) as world:
        nodes, meshes = processes(world, "ab")
        nodes[0].call(meshes[0].wait, 30.0)
        for node, one in zip(nodes, meshes, strict=True):
            node.call(vista.delete, one)
        world.pass_time(30.0)
        assert [len(peering(node).links) for node in nodes] == [0, 0]
        assert [members(node, *nodes) for node in nodes] == ["a", "b"]
