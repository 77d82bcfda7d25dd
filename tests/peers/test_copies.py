"""Copies of objects: on their own node other objects, on another one replicas with the same Id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vista
from tests.peers.places import Place
from tests.peers.system import (
    add_node,
    chain,
    join,
    meet,
    peering,
    seen,
    stranger,
)
from vista import AccessControlList, AccessDenied, BadValueError
from vista.errors import NotAValueError, PeerLost
from vista.kernel.kernel import creator_id
from vista.testing import SimulatedNode, World

HOST = b"h" * 32
GUEST = b"g" * 32
TOKEN = b"t" * 16


class CopiedScroll(vista.Object):
    """Something written that is copied."""

    def create(self, *lines: Any) -> None:
        self.lines = list(lines)

    def write(self, line: Any) -> int:
        self.lines.append(line)
        return len(self.lines)

    def read(self) -> list[Any]:
        return self.lines

    def where(self) -> vista.Id:
        return vista.id_of(vista.here())

    def keep_a_lock(self) -> None:
        self.lock = iter([])

    def copy_itself(self, to: vista.Ref | None = None) -> vista.Ref:
        return vista.copy(self, to)


class IlluminatedScroll(vista.Object):
    """Says what of it is copied, and hears that it was."""

    def create(self, text: str) -> None:
        self.text, self.gold, self.imports = text, "gold", 0

    def encode(self) -> dict[str, Any]:
        return {"text": self.text, "imports": self.imports}

    def object_imported(self) -> None:
        self.imports += 1

    def look(self) -> list[Any]:
        return [self.text, getattr(self, "gold", None), self.imports]


class ScrollReader(vista.Object):
    """Is told of changes."""

    def create(self) -> None:
        self.notices: list[vista.Id] = []

    def object_modified(self, id: vista.Id) -> None:
        self.notices.append(id)

    def list_notices(self) -> list[vista.Id]:
        return self.notices


@pytest.fixture
def nodes(world: World) -> list[SimulatedNode]:
    """Three kin nodes in a row."""
    return chain(world, "abc")


def creator(node: SimulatedNode) -> vista.Id:
    return creator_id(node.kernel.table.node)


def scroll_at(node: SimulatedNode, *lines: Any) -> vista.Ref:
    made: vista.Ref = node.call(lambda: vista.create(CopiedScroll, *lines))
    return made


def copy(node: SimulatedNode, ref: vista.Ref, to: SimulatedNode | None = None) -> vista.Ref:
    """Have a node copy an object."""
    at = None if to is None else creator(to)
    made: vista.Ref = node.call(lambda: vista.copy(seen(node, ref), at))
    return made


def read(node: SimulatedNode, ref: vista.Ref) -> list[Any]:
    found: list[Any] = node.call(lambda: seen(node, ref).read())
    return found


def write(node: SimulatedNode, ref: vista.Ref, line: Any) -> None:
    node.call(lambda: seen(node, ref).write(line))


# --- wherever the object is ----------------------------------------------------------------


def test_a_copy_beside_its_original_is_another_object(place: Place) -> None:
    scroll = place.create(CopiedScroll, "one", [2])
    copied = vista.copy(scroll)
    assert copied != scroll
    assert copied.where() == scroll.where()
    copied.write("three")
    assert (scroll.read(), copied.read()) == (["one", [2]], ["one", [2], "three"])


def test_a_copy_to_the_originals_own_node_is_another_object(place: Place) -> None:
    scroll = place.create(CopiedScroll, "one")
    assert vista.copy(scroll, place.creator) != scroll
    assert vista.copy(scroll, scroll) != scroll


def test_a_copy_at_another_node_has_the_id(place: Place) -> None:
    scroll = place.create(CopiedScroll, "one")
    third = place.third()
    if third == place.creator:
        pytest.skip("one node alone")
    assert vista.copy(scroll, third) == scroll
    held = [row.id for row in vista.objects(at=third)]
    assert vista.id_of(scroll) in held


def test_an_object_may_copy_itself(place: Place) -> None:
    scroll = place.create(CopiedScroll, "one")
    copied = scroll.copy_itself()
    assert copied != scroll
    assert copied.read() == ["one"]


def test_hooks_say_what_is_copied_and_hear_of_it(place: Place) -> None:
    scroll = place.create(IlluminatedScroll, "text")
    assert vista.copy(scroll).look() == ["text", None, 1]
    assert scroll.look() == ["text", "gold", 0]


def test_a_copy_takes_the_access_list_along(place: Place) -> None:
    scroll = place.create(
        CopiedScroll, "one", acl=AccessControlList.of("allow anna *", "allow * read")
    )
    copied = place.run(lambda: vista.copy(scroll), user="anna")
    with pytest.raises(AccessDenied):
        place.run(lambda: copied.write("no"), user="bob")
    assert place.run(lambda: copied.write("yes"), user="anna") == 2


def test_copying_administers_the_object(place: Place) -> None:
    scroll = place.create(CopiedScroll, "one")
    with pytest.raises(AccessDenied, match=r"copy_to"):
        place.run(lambda: vista.copy(scroll), user="eve")


def test_what_cannot_be_encoded_is_not_copied(place: Place) -> None:
    scroll = place.create(CopiedScroll)
    scroll.keep_a_lock()
    before = len(vista.objects(at=place.creator))
    with pytest.raises(NotAValueError, match=r"lock"):
        vista.copy(scroll)
    assert len(vista.objects(at=place.creator)) == before


def test_an_object_is_copied_to_nothing_but_a_node(place: Place) -> None:
    scroll = place.create(CopiedScroll)
    with pytest.raises(BadValueError, match=r"to an ObjectCreator, not to 5"):
        scroll.copy_to(5)


def test_names_and_watchers_stay_with_the_original(place: Place) -> None:
    scroll = place.create(CopiedScroll)
    reader = place.create(ScrollReader)
    scroll.add_notify_when_modified(reader)
    place.run_there(lambda: vista.register_service("Scrolls/one", vista.id_of(scroll)))
    copied = vista.copy(scroll)
    copied.write("copied")
    scroll.write("original")
    place.world.pass_time(5.0)
    assert reader.list_notices() == [vista.id_of(scroll)]
    assert place.run_there(lambda: vista.id_of("Scrolls/one")) == vista.id_of(scroll)


# --- replicas ------------------------------------------------------------------------------


def test_who_sends_from_the_replicas_node_reaches_the_replica(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    assert copy(c, scroll, b) == scroll
    write(b, scroll, "at b")
    write(c, scroll, "at a")
    assert read(b, scroll) == ["one", "at b"]
    assert read(a, scroll) == read(c, scroll) == ["one", "at a"]


def test_a_ref_that_was_used_before_reaches_the_replica_without_links(
    nodes: list[SimulatedNode],
) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a)
    ref = seen(b, scroll)
    b.call(lambda: ref.write("far"))
    copy(b, scroll, b)
    assert b.call(lambda: ref.where()) == creator(b)
    before = peering(b).calls.last_number
    b.call(lambda: ref.write("near"))
    assert peering(b).calls.last_number == before


def test_a_replica_takes_the_access_list_along(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a, "one")
    a.call(lambda: scroll.set_acl(AccessControlList.of("allow operator *", "allow * read")))
    copy(a, scroll, b)
    assert b.call(lambda: seen(b, scroll).read(), user="eve") == ["one"]
    with pytest.raises(AccessDenied):
        b.call(lambda: seen(b, scroll).write("no"), user="eve")


def test_a_replica_hears_that_it_was_copied(world: World, nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    scroll = a.call(lambda: vista.create(IlluminatedScroll, "text"))
    copy(a, scroll, b)
    assert b.call(lambda: seen(b, scroll).look()) == ["text", None, 1]


def test_a_second_copy_in_one_place_is_refused(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a)
    copy(a, scroll, b)
    with pytest.raises(BadValueError, match=r"delete it before another one comes"):
        copy(a, scroll, b)


def test_a_replica_may_be_copied_back_from_where_it_is(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, b)
    write(b, scroll, "at b")
    copy(b, scroll, c)
    assert read(c, scroll) == ["one", "at b"]
    assert read(a, scroll) == ["one"]


def test_where_a_replica_was_deleted_the_original_answers_again(
    nodes: list[SimulatedNode],
) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a, "one")
    ref = seen(b, scroll)
    copy(b, scroll, b)
    b.call(lambda: ref.write("at b"))
    assert b.call(lambda: ref.read()) == ["one", "at b"]
    b.call(lambda: vista.delete(ref))
    assert b.call(lambda: ref.read()) == ["one"]
    assert read(b, scroll) == ["one"]
    assert read(a, scroll) == ["one"]


def test_a_deleted_original_leaves_its_replicas(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, b)
    a.call(lambda: vista.delete(scroll))
    assert read(b, scroll) == ["one"]
    with pytest.raises(vista.NoSuchObject):
        read(c, scroll)


def test_the_original_moves_on_and_its_replica_stays(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, b)
    a.call(lambda: vista.move(scroll, creator(c)))
    assert a.call(lambda: scroll.where()) == creator(c)
    assert b.call(lambda: seen(b, scroll).where()) == creator(b)


def test_the_original_does_not_move_to_where_a_replica_is(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, b)
    write(b, scroll, "at b")
    with pytest.raises(BadValueError, match=r"or a copy of it is here already"):
        a.call(lambda: vista.move(scroll, creator(b)))
    assert read(a, scroll) == ["one"]
    assert read(b, scroll) == ["one", "at b"]


def test_a_replica_moves_and_its_node_sends_after_it(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, b)
    write(b, scroll, "at b")
    b.call(lambda: vista.move(seen(b, scroll), creator(c)))
    assert read(b, scroll) == read(c, scroll) == ["one", "at b"]
    assert read(a, scroll) == ["one"]


def test_a_replica_of_what_had_moved_comes_to_the_birth_node(nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    a.call(lambda: vista.move(scroll, creator(b)))
    copy(a, scroll, a)
    write(a, scroll, "at a")
    assert read(a, scroll) == ["one", "at a"]
    a.call(lambda: vista.delete(scroll))
    assert read(a, scroll) == read(c, scroll) == ["one"]


def test_a_replica_answers_for_an_original_whose_node_is_lost(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    scroll = scroll_at(a, "one")
    copy(a, scroll, c)
    world.crash("a")
    world.drive(lambda: creator(a).node not in peering(b).nodes(), 60.0)
    assert read(b, scroll) == ["one"]


def prepare(near: SimulatedNode, scroll: vista.Ref, far: SimulatedNode) -> tuple[vista.Ref, bytes]:
    """Begin a move to a node as the node that an object leaves does; return the other's Ref.

    With it comes the object's state.
    """
    data: bytes = near.call(lambda: vista.encode_object(scroll))
    there = seen(near, far.call(vista.here))
    near.call(lambda: there.prepare_object(data, None, [], [], TOKEN))
    return there, data


def test_a_copy_does_not_come_while_the_object_itself_does(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a, "one")
    there, _ = prepare(a, scroll, b)
    with pytest.raises(BadValueError, match=r"here already"):
        copy(a, scroll, b)
    a.call(lambda: there.discard_object(vista.id_of(scroll), TOKEN))
    assert copy(a, scroll, b) == scroll


def test_an_object_that_was_imported_meanwhile_keeps_the_original_at_home(
    nodes: list[SimulatedNode],
) -> None:
    a, b, _ = nodes
    scroll = scroll_at(a, "one")
    there, data = prepare(a, scroll, b)
    b.call(lambda: vista.import_object(data))
    with pytest.raises(BadValueError, match=r"here already"):
        a.call(lambda: there.commit_object(vista.id_of(scroll), TOKEN))


def test_a_fence_to_a_replica_follows_what_was_passed_on_before_it_came(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    join(c, a)
    scroll = scroll_at(b)
    b.call(lambda: vista.move(scroll, creator(a)))
    data = a.call(lambda: vista.encode_object(seen(a, scroll)))
    world.network.slow("a", "b", 2000.0)
    world.network.slow("b", "c", 200.0)
    # What c sends goes by b to a, which takes long; c is told, and a replica comes to b meanwhile.
    c.call(lambda: seen(c, scroll).write.post(1))
    world.drive(lambda: bool(peering(b).moves._told), 10.0)
    b.call(lambda: vista.here().take_copy(data, None))
    world.drive(lambda: bool(peering(c).moves.fences), 10.0)
    c.call(lambda: seen(c, scroll).write.post(2))
    world.pass_time(30.0)
    assert read(a, scroll) == [1, 2]


def test_an_object_is_not_copied_to_a_node_nobody_knows(
    world: World, nodes: list[SimulatedNode]
) -> None:
    scroll = scroll_at(nodes[0])
    alone = add_node(world, "alone")
    with pytest.raises(vista.NoSuchObject, match=r"no node"):
        copy(nodes[0], scroll, alone)


def test_an_object_is_not_copied_to_a_node_that_is_lost(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, _, c = nodes
    scroll = scroll_at(a)
    world.crash("c")
    world.drive(lambda: creator(c).node not in peering(a).nodes(), 60.0)
    with pytest.raises(PeerLost):
        copy(a, scroll, c)


# --- rights --------------------------------------------------------------------------------


def visit(world: World, directory: Path, rights: str) -> list[SimulatedNode]:
    """A host that grants its guest some rights."""
    host = stranger(world, directory, "host", HOST, {GUEST: f"anna {rights}"})
    guest = stranger(world, directory, "guest", GUEST, {})
    join(guest, host)
    meet(guest, [host])
    return [host, guest]


def test_a_guest_copies_to_its_host_with_the_right_to_create(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "call,create")
    scroll = scroll_at(guest, "one")
    copy(guest, scroll, host)
    assert read(host, scroll) == ["one"]


def test_a_guest_copies_nothing_to_its_host_without_it(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "call")
    scroll = scroll_at(guest, "one")
    with pytest.raises(AccessDenied, match=r"no right to create"):
        copy(guest, scroll, host)
    assert scroll._id not in host.kernel.table.records
