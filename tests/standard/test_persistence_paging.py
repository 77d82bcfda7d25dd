"""Objects that come back when they are referenced, from this node and from another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from tests.conftest import world_seed
from tests.persistence.simulated import Shelf, ready, restart, settings_of
from vista.errors import NoSuchMethod, NoSuchObject, ObjectDeleted, StoreError
from vista.persistence.paging import StorePager
from vista.standard.persistence import PersistentObject
from vista.testing import SimulatedNode, World

WHEN_REFERENCED = 1


class Scroll(PersistentObject):
    """Keeps lines; comes back when it is referenced."""

    def create(self, service: str = "") -> None:
        """Begin empty, under a service name if one is given."""
        self.lines: list[str] = []
        if service:
            vista.register_service(service, self)
        self.initialize(flags=WHEN_REFERENCED, durable=True)

    def write(self, line: str) -> int:
        """Add a line and return how many there are."""
        self.lines.append(line)
        return len(self.lines)

    def read(self) -> list[str]:
        """Return the lines."""
        return self.lines


class Clerk(vista.Object):
    """Sends from inside of vista."""

    def write_in_order(self, scroll: vista.Ref) -> list[str]:
        """Post, call and post without looking where the scroll is."""
        futures = []
        for number in range(10):
            scroll.write.post(f"post {number}")
            futures.append(scroll.write.future(f"future {number}"))
        scroll.write("call")
        vista.gather(*futures)
        lines: list[str] = scroll.read()
        return lines

    async def write_from_a_coroutine(self, scroll: vista.Ref) -> int:
        """Await the answer."""
        written: int = await scroll.write.future("awaited")
        return written

    @vista.native
    def write_from_a_kernel_thread(self, scroll: vista.Ref) -> int:
        """Block a kernel thread for the answer."""
        written: int = scroll.write("blocked")
        return written


@pytest.fixture
def world(request: pytest.FixtureRequest, shelf: Shelf) -> Iterator[World]:
    """A world with one node, which has a PersistenceService whenever it lives."""
    with World(world_seed(request)) as made:
        made.node("library", settings=settings_of(shelf, "library"), boot=begin)
        ready(made.nodes[0])
        yield made


def begin(node: SimulatedNode) -> None:
    """Make the service and tell of others."""
    vista.create("PersistenceService")
    vista.create("AnnounceServices")


def again(world: World, shelf: Shelf) -> SimulatedNode:
    """Let the machine fall and come back, and wait until the node has booted."""
    return ready(restart(world, shelf, "library"))


def make(world: World, *arguments: str) -> vista.Ref:
    """Make a scroll with one line."""
    node = world.nodes[0]
    made: vista.Ref = node.call(lambda: vista.create(Scroll, *arguments))
    made.write("first")
    return made


def is_here(node: SimulatedNode, ref: vista.Ref) -> bool:
    """Whether the object is in the table of the node."""
    return vista.id_of(ref) in node.kernel.table.records


def test_an_object_stays_in_the_store_until_it_is_referenced(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    node = again(world, shelf)
    world.pass_time(10.0)
    assert not is_here(node, scroll)
    here = node.kernel.ref(vista.id_of(scroll))
    assert here.write("second") == 2
    assert is_here(node, scroll)
    assert here.read() == ["first", "second"]


@pytest.mark.parametrize("number", range(5))
def test_messages_to_an_object_that_is_brought_keep_their_order(
    world: World, shelf: Shelf, number: int
) -> None:
    scroll = make(world)
    node = again(world, shelf)
    here = node.kernel.ref(vista.id_of(scroll))
    clerk = node.call(lambda: vista.create(Clerk))
    expected = [f"{kind} {place}" for place in range(10) for kind in ("post", "future")]
    assert clerk.write_in_order(here) == ["first", *expected, "call"]


def test_an_object_is_brought_from_every_place_that_sends(world: World, shelf: Shelf) -> None:
    scrolls = [make(world) for _ in range(3)]
    node = again(world, shelf)
    here = [node.kernel.ref(vista.id_of(scroll)) for scroll in scrolls]
    clerk = node.call(lambda: vista.create(Clerk))
    assert clerk.write_from_a_coroutine(here[0]) == 2
    assert clerk.write_from_a_kernel_thread(here[1]) == 2
    assert here[2].write.future("in flight").result() == 2


def test_several_who_want_an_object_get_the_same_one(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    node = again(world, shelf)
    here = node.kernel.ref(vista.id_of(scroll))
    assert sorted(vista.gather(*(here.write.future("more") for _ in range(20)))) == [*range(2, 22)]


def test_a_service_name_means_an_object_that_is_not_here_yet(world: World, shelf: Shelf) -> None:
    scroll = make(world, "Scrolls/one")
    node = again(world, shelf)
    rows = {row.name: row.object for row in node.call(vista.services)}
    assert rows["Scrolls/one"] == vista.id_of(scroll)
    assert not is_here(node, scroll)
    assert node.call(lambda: vista.send("Scrolls/one", "write", "second")) == 2
    assert node.kernel.table.records[vista.id_of(scroll)].services == ("Scrolls/one",)
    again_there = again(world, shelf)
    assert again_there.call(lambda: vista.send("Scrolls/one", "write", "third")) == 3


def test_an_unknown_message_is_refused_as_usual(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    node = again(world, shelf)
    with pytest.raises(NoSuchMethod, match=r"did you mean write\?"):
        node.kernel.ref(vista.id_of(scroll)).wriet("second")


def test_a_store_that_cannot_be_read_fails_the_call_and_the_next_one_tries_again(
    world: World, shelf: Shelf
) -> None:
    scroll = make(world)
    node = again(world, shelf)
    user, shelf.user = shelf.user, None
    here = node.kernel.ref(vista.id_of(scroll))
    with pytest.raises(StoreError, match=r"is closed"):
        here.read()
    shelf.user = user
    assert here.read() == ["first"]


def test_a_post_to_an_object_that_cannot_be_brought_is_counted(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    node = again(world, shelf)
    shelf.user = None
    lost = node.kernel.counters.posts_lost
    node.kernel.ref(vista.id_of(scroll)).write.post("nobody reads it")
    world.pass_time(5.0)
    assert node.kernel.counters.posts_lost == lost + 1


def test_an_object_that_was_brought_and_deleted_does_not_come_back(
    world: World, shelf: Shelf
) -> None:
    scroll = make(world)
    node = again(world, shelf)
    here = node.kernel.ref(vista.id_of(scroll))
    here.delete_yourself()
    with pytest.raises(ObjectDeleted):
        here.read()
    assert shelf.safe == {}


def test_a_stored_object_that_is_deleted_gives_up_its_service_names(
    world: World, shelf: Shelf
) -> None:
    scroll = make(world, "Scrolls/first")
    node = again(world, shelf)
    reader = world.node("reader", settings={"secret_key": b"k" * 32})
    url = node.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
    reader.call(lambda: vista.create("ConnectToPeer", url).wait())
    world.drive(lambda: reader.kernel.services.get("Scrolls/first") is not None, 60.0)
    node.call(lambda: vista.send("/ObjectPager", "object_deleted", vista.id_of(scroll)))
    assert node.kernel.services.get_local("Scrolls/first") is None
    world.drive(lambda: reader.kernel.services.get("Scrolls/first") is None, 60.0)
    assert reader.kernel.services.get("Scrolls/first") is None
    other = node.call(lambda: vista.create(Scroll, "Scrolls/first"))
    assert vista.id_of(node.kernel.services.lookup("Scrolls/first")) == vista.id_of(other)


def test_the_name_that_another_object_has_stays_when_a_stored_one_is_deleted(
    world: World, shelf: Shelf
) -> None:
    scroll = make(world, "Scrolls/first")
    node = again(world, shelf)
    node.call(vista.unregister_service, "Scrolls/first")
    other = node.call(lambda: vista.create(Scroll, "Scrolls/first"))
    node.call(lambda: vista.send("/ObjectPager", "object_deleted", vista.id_of(scroll)))
    assert vista.id_of(node.kernel.services.lookup("Scrolls/first")) == vista.id_of(other)


def test_an_object_that_is_deleted_when_its_row_was_read_does_not_come_back(
    world: World, shelf: Shelf
) -> None:
    scroll = make(world)
    node = again(world, shelf)
    id = vista.id_of(scroll)
    ended: list[BaseException | None] = []

    def bring_and_delete() -> None:
        [pager] = (one for one in node.kernel.pagers if isinstance(one, StorePager))
        pager.bring(id, ended.append, shelf.rows[bytes(id)])
        # As `object_deleted` does, and before another thread has a turn.
        assert pager.forget(id)

    node.call(bring_and_delete)
    world.drive(lambda: bool(ended), 60.0)
    assert isinstance(ended[0], NoSuchObject)
    assert not is_here(node, scroll)


# --- from another node --------------------------------------------------------------------------


def _reader(world: World) -> SimulatedNode:
    """A second node, linked to the first."""
    reader = world.node("reader", settings={"secret_key": b"k" * 32})
    url = world.nodes[0].call(
        lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()
    )
    reader.call(lambda: vista.create("ConnectToPeer", url).wait(100.0))
    return reader


def test_a_call_from_another_node_brings_the_object(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    node = again(world, shelf)
    remote = _reader(world).kernel.ref(vista.id_of(scroll))
    assert remote.write("from afar") == 2
    assert is_here(node, scroll)


def test_messages_from_another_node_keep_their_order(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    again(world, shelf)
    reader = _reader(world)
    remote = reader.kernel.ref(vista.id_of(scroll))
    clerk = reader.call(lambda: vista.create(Clerk))
    expected = [f"{kind} {place}" for place in range(10) for kind in ("post", "future")]
    assert clerk.write_in_order(remote) == ["first", *expected, "call"]


def test_another_node_is_told_why_an_object_cannot_be_brought(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    again(world, shelf)
    remote = _reader(world).kernel.ref(vista.id_of(scroll))
    shelf.user = None
    with pytest.raises(StoreError, match=r"is closed"):
        remote.read()
    remote.write.post("nobody reads it")
    world.pass_time(5.0)


def test_the_reply_to_another_node_waits_for_the_commit(world: World, shelf: Shelf) -> None:
    scroll = make(world)
    remote = _reader(world).kernel.ref(vista.id_of(scroll))
    shelf.full = True
    with pytest.raises(StoreError, match=r"is full"):
        remote.write("lost")
