"""Objects whose memory is given back until somebody wants them, and stores that are tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

import vista
from tests.conftest import world_seed
from tests.persistence.simulated import Shelf, open_store, ready, restart, settings_of
from vista.errors import AccessDenied, BadValueError, NoSuchObject, ObjectBusy, StoreError
from vista.kernel.access import AccessControlList
from vista.kernel.encoding import parts_of_encoding
from vista.standard.persistence import PersistentObject
from vista.testing import World


class Atlas(PersistentObject):
    """Holds what is worth its memory."""

    def create(self, flags: int = 0, durable: bool = False, service: str = "") -> None:
        """Begin empty."""
        self.pages: list[int] = []
        if service:
            vista.register_service(service, self)
        self.initialize(flags=flags, durable=durable)

    def draw(self, page: int) -> int:
        """Add a page and return how many there are."""
        self.pages.append(page)
        return len(self.pages)

    def read(self) -> list[int]:
        """Return the pages."""
        return self.pages

    @vista.preemptable
    def count(self) -> int:
        """Return how many pages there are, whoever is in it."""
        return len(self.pages)

    def rest(self, seconds: float) -> None:
        """Stay in it."""
        vista.sleep(seconds)

    @vista.exclusive
    def rest_alone(self, seconds: float) -> None:
        """Stay in it and let nobody in."""
        vista.sleep(seconds)

    def leave(self) -> None:
        """Ask to be sent out in the midst of a method."""
        vista.send("/ObjectPager", "page_out", self)


class SlottedAtlas(Atlas):
    """Has a place of its own for one variable."""

    __slots__ = ("cover",)

    def create(self) -> None:
        """Have a cover."""
        self.cover = "leather"
        super().create()

    def look(self) -> str:
        """Return the cover."""
        return self.cover


class AtlasReader(vista.Object):
    """Sends from inside of vista, and hears of changes."""

    def draw_all(self, atlas: vista.Ref, pages: int) -> None:
        """Post pages by a function that was kept, and by the Ref, in turns."""
        kept = atlas.draw
        for page in range(0, pages, 2):
            kept.post(page)
            atlas.draw.post(page + 1)
            atlas.count()
            vista.sleep(page % 7 / 3)

    def object_modified(self, atlas: object) -> None:
        """Hear of a change."""


@pytest.fixture
def world(request: pytest.FixtureRequest, shelf: Shelf) -> Iterator[World]:
    """A world with one node, which has a PersistenceService whenever it lives."""
    with World(world_seed(request)) as made:
        ready(made.node("reading-room", settings=settings_of(shelf, "room"), boot=open_store))
        yield made


def atlas(world: World, *arguments: object) -> vista.Ref:
    """Make one with a page."""
    made: vista.Ref = world.nodes[0].call(lambda: vista.create(Atlas, *arguments))
    made.draw(1)
    return made


def page_out(world: World, target: object, user: str | None = None) -> None:
    """Have an object sent out."""
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "page_out", target), user=user)


def is_here(world: World, ref: vista.Ref) -> bool:
    """Whether the object is in the table of the node."""
    return vista.id_of(ref) in world.nodes[0].kernel.table.records


def stored(world: World, shelf: Shelf, ref: vista.Ref) -> list[int]:
    """The pages that the store has."""
    pages: list[int] = parts_of_encoding(
        world.nodes[0].kernel, shelf.rows[bytes(vista.id_of(ref))].data
    )[4]["pages"]
    return pages


# --- what is given back -------------------------------------------------------------------------


def test_an_object_that_is_sent_out_leaves_the_memory_and_its_state_is_stored(
    world: World, shelf: Shelf
) -> None:
    sent = atlas(world)
    instance = sent._record.instance
    page_out(world, sent)
    assert not is_here(world, sent)
    assert (stored(world, shelf, sent), vars(instance)) == ([1], {})


def test_the_next_message_brings_it(world: World) -> None:
    sent = atlas(world)
    page_out(world, sent)
    assert sent.draw(2) == 2
    assert is_here(world, sent)
    assert sent.read() == [1, 2]


def test_its_encoding_is_not_imported_beside_it(world: World) -> None:
    sent = atlas(world)
    earlier = sent.encode_object()
    sent.draw(2)
    page_out(world, sent)
    with pytest.raises(BadValueError, match=r"is here already"):
        world.nodes[0].call(vista.import_object, earlier)
    assert sent.read() == [1, 2]


def test_it_goes_out_and_comes_back_as_often_as_asked(world: World) -> None:
    sent = atlas(world)
    for page in range(2, 20):
        page_out(world, sent)
        assert sent.draw(page) == page


def test_a_change_that_waited_for_others_is_written_first(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    assert shelf.rows == {}
    page_out(world, sent)
    (batch,) = shelf.commits
    assert not batch.durable
    assert stored(world, shelf, sent) == [1]


def test_it_does_not_wait_for_the_delay_of_the_store(shelf: Shelf) -> None:
    with World(1) as world:
        node = world.node("reading-room", settings=settings_of(shelf, "room"))
        node.call(lambda: vista.create("PersistenceService", delay_seconds=3000.0))
        sent = atlas(world)
        page_out(world, sent)
        assert stored(world, shelf, sent) == [1]


def test_what_is_safe_already_is_not_written_again(world: World, shelf: Shelf) -> None:
    sent = atlas(world, 0, True)
    commits = len(shelf.commits)
    page_out(world, sent)
    assert len(shelf.commits) == commits


def test_service_names_and_the_access_list_stay(world: World) -> None:
    sent = atlas(world, 0, False, "Atlases/north")
    acl = AccessControlList.of("allow bob *", "deny * *")
    node = world.nodes[0]
    node.call(lambda: sent.set_acl(acl))
    page_out(world, "Atlases/north")
    assert not is_here(world, sent)
    rows = {row.name: row.object for row in node.call(vista.services)}
    assert rows["Atlases/north"] == vista.id_of(sent)
    with pytest.raises(AccessDenied):
        node.call(lambda: vista.send("Atlases/north", "read"), user="eve")
    assert node.call(lambda: vista.send("Atlases/north", "read"), user="bob") == [1]


def test_variables_in_slots_come_back(world: World) -> None:
    sent = world.nodes[0].call(vista.create, SlottedAtlas)
    page_out(world, sent)
    assert sent.look() == "leather"


def test_a_function_that_was_kept_reaches_the_object_that_came_back(world: World) -> None:
    sent = atlas(world)
    draw, count = sent.draw, sent.count
    page_out(world, sent)
    assert draw(2) == 2
    page_out(world, sent)
    assert count() == 2
    page_out(world, sent)
    assert draw.future(3).result() == 3
    page_out(world, sent)
    draw.post(4)
    world.pass_time(1.0)
    assert sent.read() == [1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(5))
def test_no_message_is_lost_or_overtaken_while_it_goes_out_and_comes_back(
    seed: int, shelf: Shelf
) -> None:
    with World(seed) as world:
        node = ready(world.node("room", settings=settings_of(shelf, "room"), boot=open_store))
        sent = node.call(vista.create, Atlas)
        reader = node.call(vista.create, AtlasReader)
        drawing = node.spawn(lambda: reader.draw_all(sent, 60))
        while not drawing.done():
            with suppress(ObjectBusy):
                page_out(world, sent)
            world.pass_time(0.05)
        drawing.result()
        assert sent.read() == list(range(60))
        assert node.kernel.find_class("Atlas").deleted > 10, "it hardly ever went"


def test_a_message_from_another_node_brings_it(world: World) -> None:
    sent = atlas(world)
    reader = world.node("reader", settings={"secret_key": b"k" * 32})
    url = world.nodes[0].call(
        lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()
    )
    reader.call(lambda: vista.create("ConnectToPeer", url).wait(100.0))
    remote = reader.kernel.ref(vista.id_of(sent))
    assert remote.draw(2) == 2
    page_out(world, sent)
    assert remote.draw(3) == 3


def test_a_change_while_it_is_written_is_not_lost(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    going = world.nodes[0].spawn(lambda: vista.send("/ObjectPager", "page_out", sent))
    drawn = world.nodes[0].spawn(lambda: sent.draw(2))
    world.drive(lambda: going.done() and drawn.done(), 10.0)
    page_out(world, sent)
    assert stored(world, shelf, sent) == [1, 2]


def test_after_a_fall_it_is_restored_as_its_flag_says(world: World, shelf: Shelf) -> None:
    always, referenced, transient = (atlas(world, flags, True) for flags in (0, 1, 2))
    for sent in (always, referenced, transient):
        page_out(world, sent)
    assert transient.draw(2) == 2
    page_out(world, transient)
    node = ready(restart(world, shelf, "reading-room"))
    here = [vista.id_of(ref) in node.kernel.table.records for ref in (always, referenced)]
    assert here == [True, False]
    with pytest.raises(NoSuchObject):
        node.kernel.ref(vista.id_of(transient)).read()


def test_one_that_was_sent_out_and_deleted_is_deleted_in_the_store(
    world: World, shelf: Shelf
) -> None:
    sent = atlas(world)
    page_out(world, sent)
    world.nodes[0].call(vista.delete, sent)
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "flush"))
    assert shelf.rows == {}


def test_to_keep_it_no_more_brings_it(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    page_out(world, sent)
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "disable_persistence", sent))
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "flush"))
    assert (is_here(world, sent), shelf.rows) == (True, {})
    assert sent.read() == [1]


def test_to_keep_it_in_another_way_brings_it(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    page_out(world, sent)
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "make_persistent", sent, 1, True))
    row = shelf.rows[bytes(vista.id_of(sent))]
    assert (is_here(world, sent), row.flags, row.durable) == (True, 1, True)


# --- when it stays ------------------------------------------------------------------------------


def test_twice_is_as_once(world: World) -> None:
    sent = atlas(world)
    page_out(world, sent)
    page_out(world, sent)
    assert not is_here(world, sent)


@pytest.mark.parametrize("method", ["rest", "rest_alone"])
def test_an_object_with_a_thread_in_it_stays(world: World, method: str) -> None:
    sent = atlas(world)
    resting = world.nodes[0].spawn(lambda: vista.send(sent, method, 5.0))
    world.pass_time(1.0)
    with pytest.raises(ObjectBusy, match=rf"has threads: {method}; wait for their end"):
        page_out(world, sent)
    assert is_here(world, sent)
    world.drive(resting.done, 10.0)
    page_out(world, sent)
    assert not is_here(world, sent)


def test_an_object_that_asks_for_itself_stays(world: World) -> None:
    sent = atlas(world)
    with pytest.raises(ObjectBusy, match=r"has threads: leave; "):
        sent.leave()
    assert sent.read() == [1]


def test_an_object_that_is_not_stored_stays(world: World) -> None:
    other = world.nodes[0].call(vista.create, AtlasReader)
    with pytest.raises(BadValueError, match=r"is not stored in the simulated store"):
        page_out(world, other)
    assert is_here(world, other)


def test_an_object_that_is_watched_or_has_a_meta_object_stays(world: World) -> None:
    node = world.nodes[0]
    watched, ruled = atlas(world), atlas(world)
    reader = node.call(vista.create, AtlasReader)
    node.call(lambda: watched.add_notify_when_modified(reader))
    node.call(lambda: ruled.set_meta(reader))
    for sent, words in ((watched, "is watched"), (ruled, "has a meta object")):
        with pytest.raises(BadValueError, match=words):
            page_out(world, sent)
        assert is_here(world, sent)


def test_an_object_that_cannot_be_written_stays_and_works(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    shelf.full = True
    with pytest.raises(StoreError, match=r"is full"):
        page_out(world, sent)
    assert sent.draw(2) == 2
    shelf.full = False
    page_out(world, sent)
    assert stored(world, shelf, sent) == [1, 2]


def test_another_user_may_not_send_objects_out(world: World) -> None:
    sent = atlas(world)
    with pytest.raises(AccessDenied, match=r"user 'eve' may not send page_out"):
        page_out(world, sent, "eve")
    assert is_here(world, sent)


def test_what_is_no_object_is_an_error(world: World) -> None:
    with pytest.raises(NoSuchObject):
        page_out(world, vista.Id.make(b"n" * 10, 3))


# --- database_connected -------------------------------------------------------------------------


def connected(world: World, user: str | None = None) -> None:
    """Tell the service that its store is in order again."""
    world.nodes[0].call(
        lambda: vista.send("/ObjectPager", "database_connected", "the operator"), user=user
    )


def test_a_store_that_was_mended_gets_at_once_what_waits(world: World, shelf: Shelf) -> None:
    sent = atlas(world)
    shelf.full = True
    world.pass_time(300.0)
    assert shelf.rows == {}
    with pytest.raises(StoreError, match=r"is full"):
        connected(world)
    shelf.full = False
    connected(world)
    assert stored(world, shelf, sent) == [1]


def test_objects_that_could_not_be_restored_are_restored(world: World, shelf: Shelf) -> None:
    sent = atlas(world, 0, True)
    key = bytes(vista.id_of(sent))
    row, shelf.safe[key] = shelf.safe[key], shelf.safe[key]
    damaged = type(row)(row.key, row.flags, row.durable, row.services, row.acl, b"damaged")
    shelf.safe[key] = damaged
    ready(restart(world, shelf, "reading-room"))
    assert not is_here(world, sent)
    shelf.safe[key] = row
    connected(world)
    assert is_here(world, sent)
    assert world.nodes[0].call(lambda: vista.send("/ObjectPager", "get_failures")) == {}


def test_what_was_sent_out_stays_out(world: World) -> None:
    sent = atlas(world)
    page_out(world, sent)
    connected(world)
    assert not is_here(world, sent)


def test_another_user_may_not_tell_of_the_store(world: World) -> None:
    with pytest.raises(AccessDenied, match=r"user 'eve' may not send database_connected"):
        connected(world, "eve")
