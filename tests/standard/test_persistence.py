"""PersistentObject and PersistenceService over a simulated store, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

import vista
from tests.conftest import world_seed
from tests.persistence.simulated import Shelf, open_store, ready, restart, settings_of
from vista.errors import (
    AccessDenied,
    BadValueError,
    NoSuchClass,
    NoSuchObject,
    NotAValueError,
    ObjectDeleted,
    StoreError,
)
from vista.kernel.access import AccessControlList
from vista.kernel.encoding import parts_of_encoding
from vista.standard.persistence import PersistentObject
from vista.testing import SimulatedNode, World


class Purse(PersistentObject):
    """Holds coins; made with flags and whether it is durable."""

    def create(self, flags: int = 0, durable: bool | None = None) -> None:
        """Begin empty."""
        self.coins = 0
        self.imported = 0
        self.initialize(flags=flags, durable=durable)

    def put(self, coins: int) -> int:
        """Add coins and return how many there are."""
        self.coins += coins
        return self.coins

    def count(self) -> int:
        """Return how many coins there are."""
        return self.coins

    def put_and_fail(self, coins: int) -> None:
        """Add coins and raise."""
        self.coins += coins
        raise RuntimeError("a hole")

    def put_slowly(self, coins: int) -> None:
        """Add coins, wait, add as many again."""
        self.coins += coins
        vista.sleep(1000)
        self.coins += coins

    @vista.exclusive
    def put_exclusively(self, coins: int) -> None:
        """Add coins, wait and let nobody in, add as many again."""
        self.put_slowly(coins)

    def object_imported(self) -> None:
        """Count how often it was restored."""
        self.imported += 1

    def keep_a_lock(self) -> None:
        """Have a variable that is no value."""
        self.lock = object()

    def drop_the_lock(self) -> None:
        """Have none any more."""
        del self.lock

    def stop_keeping(self) -> None:
        """Be no longer persistent."""
        self.disable_persistence()


class Locket(vista.Object):
    """Knows nothing of persistence."""

    def create(self, picture: object = None) -> None:
        """Keep a picture."""
        self.picture = picture

    def keep_itself(self) -> None:
        """Ask for it in the midst of a method, and change after that."""
        vista.send("/ObjectPager", "make_persistent", self, 0, True)
        self.picture = "changed after it was asked for"


@pytest.fixture
def world(request: pytest.FixtureRequest, shelf: Shelf) -> Iterator[World]:
    """A world with one node, which has a PersistenceService whenever it lives."""
    with World(world_seed(request)) as made:
        made.node("bank", settings=settings_of(shelf, "bank"), boot=open_store)
        ready(made.nodes[0])
        yield made


def again(world: World, shelf: Shelf, kept: int = 0) -> SimulatedNode:
    """Let the machine fall and come back, and wait until the node has booted."""
    return ready(restart(world, shelf, "bank", kept))


def purse(world: World, flags: int = 0, durable: bool | None = None) -> vista.Ref:
    """Make a purse on the node."""
    made: vista.Ref = world.nodes[0].call(lambda: vista.create(Purse, flags, durable))
    return made


def found(node: SimulatedNode, ref: vista.Ref) -> vista.Ref:
    """Return a Ref on a node of what a Ref of an earlier life meant."""
    return node.kernel.ref(vista.id_of(ref))


def stored(world: World, shelf: Shelf) -> list[int]:
    """Return the coins in the purses of the store."""
    home = world.nodes[0].kernel
    return [parts_of_encoding(home, row.data)[4]["coins"] for row in shelf.rows.values()]


# --- what is stored -----------------------------------------------------------------------------


def test_a_durable_object_outlives_the_fall_of_its_machine(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    first.put(5)
    node = again(world, shelf)
    assert found(node, first).put(2) == 7


def test_a_reply_of_a_durable_object_leaves_after_the_commit(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    reply = first.put.future(5)
    world.drive(reply.done)
    # At the very moment of the reply, without a step of the world more.
    assert [
        parts_of_encoding(world.nodes[0].kernel, row.data)[4]["coins"]
        for row in shelf.safe.values()
    ] == [5]


def test_a_nested_call_of_a_durable_object_returns_after_the_commit(
    world: World, shelf: Shelf
) -> None:
    first = purse(world, durable=True)

    def call() -> list[int]:
        first.put(5)
        return stored(world, shelf)

    assert world.nodes[0].call(call) == [5]
    assert shelf.later == []


def test_creating_a_durable_object_returns_after_the_commit(world: World, shelf: Shelf) -> None:
    def call() -> int:
        vista.create(Purse, 0, True)
        return len(shelf.safe)

    assert world.nodes[0].call(call) == 1


def test_what_reads_an_uncommitted_state_waits_for_the_commit_too(
    world: World, shelf: Shelf
) -> None:
    first = purse(world, durable=True)
    for number in range(1, 20):
        first.put.post(1)
        # Whatever it has seen is safe.
        assert first.count() == stored(world, shelf)[0] <= number
        assert shelf.later == []


def test_deleting_a_durable_object_returns_when_it_is_out_of_the_store(
    world: World, shelf: Shelf
) -> None:
    first = purse(world, durable=True)
    first.delete_yourself()
    assert shelf.safe == {}
    node = again(world, shelf)
    with pytest.raises(NoSuchObject):
        found(node, first).count()


def test_changes_that_are_not_durable_are_written_together_after_the_delay(
    world: World, shelf: Shelf
) -> None:
    purses = [purse(world) for _ in range(3)]
    for one in purses:
        one.put(1)
        one.put(1)
    assert shelf.commits == []
    world.pass_time(5.0)
    (batch,) = shelf.commits
    assert len(batch.rows) == 3
    assert stored(world, shelf) == [2, 2, 2]


def test_a_method_that_raises_has_its_changes_stored_and_its_error_told(
    world: World, shelf: Shelf
) -> None:
    first = purse(world, durable=True)
    with pytest.raises(RuntimeError, match="a hole"):
        first.put_and_fail(3)
    world.pass_time(1.0)
    assert stored(world, shelf) == [3]


def test_a_method_that_only_reads_writes_nothing(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    commits = len(shelf.commits)
    first.count()
    first.describe()
    world.pass_time(5.0)
    assert len(shelf.commits) == commits


def test_an_object_is_not_stored_in_the_midst_of_an_exclusive_method(
    world: World, shelf: Shelf
) -> None:
    first = purse(world)
    world.pass_time(5.0)
    first.put_exclusively.post(3)
    first.describe()
    world.pass_time(500.0)
    assert stored(world, shelf) == [0]
    world.pass_time(1000.0)
    assert stored(world, shelf) == [6]


def test_a_state_that_others_can_see_is_stored_while_the_method_waits(
    world: World, shelf: Shelf
) -> None:
    first = purse(world)
    first.put_slowly.post(3)
    world.pass_time(500.0)
    assert stored(world, shelf) == [3]


def test_any_object_may_be_kept(world: World, shelf: Shelf) -> None:
    locket = world.nodes[0].call(lambda: vista.create(Locket, "Emma"))
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "make_persistent", locket, 0, True))
    node = again(world, shelf)
    assert found(node, locket).extract_instance_variables() == {"picture": "Emma"}


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("in_flight", [False, True])
def test_what_a_method_changes_after_asking_to_be_kept_is_safe_at_its_reply(
    world: World, shelf: Shelf, in_flight: bool, number: int
) -> None:
    def call() -> list[object]:
        locket = vista.create(Locket)
        if in_flight:
            locket.keep_itself.future().result()
        else:
            locket.keep_itself()
        return [
            parts_of_encoding(world.nodes[0].kernel, row.data)[4]["picture"]
            for row in shelf.safe.values()
        ]

    assert world.nodes[0].call(call) == ["changed after it was asked for"]


def test_a_service_name_given_from_outside_is_stored_too(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    world.nodes[0].call(lambda: vista.register_service("Purses/first", first))
    world.pass_time(5.0)
    assert [row.services for row in shelf.safe.values()] == [("Purses/first",)]


def test_an_object_that_is_kept_no_more_goes_from_the_store(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    first.stop_keeping()
    first.put(1)
    world.pass_time(5.0)
    assert shelf.rows == {}


def test_the_service_writes_what_waits_when_its_node_stops(world: World, shelf: Shelf) -> None:
    purse(world).put(4)
    home = world.nodes[0].kernel
    world.nodes[0].stop()
    assert [parts_of_encoding(home, row.data)[4]["coins"] for row in shelf.safe.values()] == [4]


def test_a_flush_writes_what_waits(world: World, shelf: Shelf) -> None:
    first = purse(world)
    first.put(4)
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "flush"))
    assert stored(world, shelf) == [4]


def test_a_flush_does_not_wait_for_what_others_go_on_to_change(world: World, shelf: Shelf) -> None:
    first, others = purse(world), [purse(world, durable=True) for _ in range(3)]

    def go_on(other: vista.Ref) -> None:
        for _ in range(200):
            other.put(1)

    for other in others:
        world.nodes[0].spawn(partial(go_on, other))
    first.put(4)
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "flush"))
    assert 4 in stored(world, shelf)
    assert max(other.count() for other in others) < 200


def test_deleting_the_service_writes_what_waits_and_leaves_the_objects(
    world: World, shelf: Shelf
) -> None:
    first = purse(world)
    first.put(4)
    world.nodes[0].call(lambda: vista.delete("/ObjectPager"))
    assert first.put(1) == 5
    world.pass_time(5.0)
    assert stored(world, shelf) == [4]
    assert shelf.user is None


# --- faults of the store ------------------------------------------------------------------------


def test_a_call_that_needs_a_full_store_fails_and_nothing_else(world: World, shelf: Shelf) -> None:
    durable, lazy = purse(world, durable=True), purse(world)
    shelf.full = True
    with pytest.raises(StoreError, match=r"the simulated store is full"):
        durable.put(5)
    assert lazy.put(3) == 3
    assert world.nodes[0].call(lambda: vista.create(Locket)).class_of().name == "Locket"
    shelf.full = False
    # The change was made, and the next commit takes it along.
    assert durable.count() == 5
    world.pass_time(100.0)
    assert sorted(stored(world, shelf)) == [3, 5]


def test_a_store_that_has_room_again_takes_what_it_refused_unasked(
    world: World, shelf: Shelf
) -> None:
    lazy = purse(world)
    shelf.full = True
    lazy.put(3)
    world.pass_time(100.0)
    assert shelf.rows == {}
    shelf.full = False
    world.pass_time(100.0)
    assert stored(world, shelf) == [3]


def test_an_object_that_the_store_refuses_holds_up_no_other(world: World, shelf: Shelf) -> None:
    bad, good = purse(world, durable=True), purse(world, durable=True)
    shelf.refused.add(bytes(vista.id_of(bad)))
    with pytest.raises(StoreError):
        bad.put(1)
    for number in range(5):
        assert good.put(1) == number + 1
    with pytest.raises(StoreError):
        bad.count()


def test_an_object_that_cannot_be_stored_when_it_is_made_is_not_made(
    world: World, shelf: Shelf
) -> None:
    shelf.full = True
    before = len(world.nodes[0].kernel.table.records)
    with pytest.raises(StoreError):
        purse(world, durable=True)
    assert len(world.nodes[0].kernel.table.records) == before
    shelf.full = False
    world.pass_time(100.0)
    assert shelf.rows == {}


def test_a_variable_that_is_no_value_fails_the_calls_until_it_is_gone(world: World) -> None:
    first = purse(world)
    with pytest.raises(StoreError, match=r"cannot be kept: .*Purse.*lock"):
        first.keep_a_lock()
    with pytest.raises(StoreError, match=r"cannot be kept"):
        first.put(1)
    first.drop_the_lock()
    assert first.put(1) == 2


def test_asking_to_keep_what_is_no_value_is_refused_at_once(world: World) -> None:
    class Lockbox(vista.Object):
        def create(self) -> None:
            self.lock = object()

    node = world.nodes[0]
    box = node.call(lambda: vista.create(Lockbox))
    with pytest.raises(NotAValueError):
        node.call(lambda: vista.send("/ObjectPager", "make_persistent", box))


def test_flags_that_do_not_exist_are_refused(world: World) -> None:
    with pytest.raises(BadValueError, match=r"flags are 0 \(always\), 1 \(when referenced\) or 2"):
        purse(world, flags=3)


def test_a_node_without_the_service_says_where_it_comes_from() -> None:
    with (
        World(1) as world,
        pytest.raises(vista.NoSuchService, match="it comes from an rc line PersistenceService"),
    ):
        world.node().call(lambda: vista.create(Purse))


# --- rights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["disable_persistence", "initialize", "enable_persistence"])
def test_another_user_may_not_change_how_an_object_is_kept(world: World, message: str) -> None:
    first = purse(world)
    with pytest.raises(AccessDenied, match=r"user 'alice' may not send"):
        world.nodes[0].call(lambda: vista.send(first, message), user="alice")


@pytest.mark.parametrize("message", ["make_persistent", "disable_persistence"])
def test_another_user_may_not_ask_the_service_for_it_either(world: World, message: str) -> None:
    first = purse(world)
    with pytest.raises(AccessDenied, match=r"user 'alice' may not send"):
        world.nodes[0].call(lambda: vista.send("/ObjectPager", message, first), user="alice")


def test_an_object_keeps_itself_whoever_makes_it(world: World) -> None:
    made = world.nodes[0].call(lambda: vista.create(Purse, 0, True), user="alice")
    assert world.nodes[0].call(lambda: made.stop_keeping(), user="alice") is None


# --- what comes back ----------------------------------------------------------------------------


def test_an_object_comes_back_with_id_access_list_and_services(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    acl = AccessControlList.of("allow operator *", "deny * put", "allow * *")
    first.set_acl(acl)
    world.nodes[0].call(lambda: vista.register_service("Purses/first", first))
    first.put(9)
    node = again(world, shelf)
    assert node.call(lambda: vista.id_of("Purses/first")) == vista.id_of(first)
    assert node.call(lambda: vista.send("Purses/first", "get_acl")) == acl
    assert node.call(lambda: vista.send("Purses/first", "count"), user="bob") == 9
    with pytest.raises(AccessDenied):
        node.call(lambda: vista.send("Purses/first", "put", 1), user="bob")


def test_a_service_name_that_was_withdrawn_does_not_come_back(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    world.nodes[0].call(lambda: vista.register_service("Purses/first", first))
    world.nodes[0].call(lambda: vista.unregister_service("Purses/first"))
    world.pass_time(5.0)
    node = again(world, shelf)
    assert node.kernel.services.get("Purses/first") is None


def test_object_imported_is_sent_after_each_restore(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    for number in range(1, 4):
        node = again(world, shelf)
        node.call(lambda: vista.sleep(5.0))
        variables = found(node, first).extract_instance_variables("imported")
        assert variables == {"imported": number}


def test_a_transient_object_does_not_come_back(world: World, shelf: Shelf) -> None:
    first = purse(world, flags=2, durable=True)
    assert len(shelf.rows) == 1
    node = again(world, shelf)
    with pytest.raises(NoSuchObject):
        found(node, first).count()
    world.pass_time(5.0)
    assert shelf.rows == {}


def test_restored_objects_that_do_not_change_are_not_written_again(
    world: World, shelf: Shelf
) -> None:
    locket = world.nodes[0].call(lambda: vista.create(Locket, "Emma"))
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "make_persistent", locket, 0, True))
    commits = len(shelf.commits)
    node = again(world, shelf)
    found(node, locket).extract_instance_variables()
    found(node, locket).encode_object()
    world.pass_time(5.0)
    assert len(shelf.commits) == commits


def test_no_id_is_given_again_in_another_life(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    node = again(world, shelf)
    second = node.call(lambda: vista.create(Purse))
    assert vista.id_of(second).node == vista.id_of(first).node
    assert vista.id_of(second) > vista.id_of(first)


def test_a_reference_in_a_variable_means_the_restored_object(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    locket = world.nodes[0].call(lambda: vista.create(Locket, first))
    world.nodes[0].call(lambda: vista.send("/ObjectPager", "make_persistent", locket, 0, True))
    node = again(world, shelf)
    inside = found(node, locket).extract_instance_variables()["picture"]
    assert inside.put(3) == 3


def test_a_restored_object_that_was_deleted_is_deleted(world: World, shelf: Shelf) -> None:
    first = purse(world, durable=True)
    node = again(world, shelf)
    found(node, first).delete_yourself()
    assert shelf.safe == {}
    with pytest.raises(ObjectDeleted):
        found(node, first).count()


def test_objects_that_are_restored_at_the_start_are_read_together(
    world: World, shelf: Shelf
) -> None:
    purses = [purse(world, durable=True) for _ in range(150)]
    for number, one in enumerate(purses):
        one.put(number)
    shelf.questions = 0
    node = again(world, shelf)
    assert [found(node, one).put(0) for one in purses] == list(range(150))
    assert shelf.questions <= 3


def test_a_row_that_cannot_be_read_keeps_no_other_object_away(world: World, shelf: Shelf) -> None:
    purses = [purse(world, durable=True) for _ in range(5)]
    shelf.damaged = {bytes(vista.id_of(purses[2]))}
    node = again(world, shelf)
    here = [vista.id_of(one) in node.kernel.table.records for one in purses]
    assert here == [True, True, False, True, True]
    failures = node.call(lambda: vista.send("/ObjectPager", "get_failures"))
    assert failures == {vista.id_of(purses[2]): "damaged"}
    shelf.damaged = set()
    assert found(node, purses[2]).put(3) == 3


# --- classes that changed -----------------------------------------------------------------------


def _define(version: int, factor: int | None) -> type[vista.Object]:
    """Define a version of the class Coffer; its upgrade multiplies the gold, or raises."""

    class Coffer(PersistentObject, version=version):
        def create(self) -> None:
            self.gold = 10
            self.initialize(durable=True)

        def upgraded_from(self, version: int, state: dict[str, int]) -> None:
            if factor is None:
                raise RuntimeError("the lid is stuck")
            vista.sleep(1.0)
            self.gold = state["gold"] * factor
            self.came_from = version

        def look(self) -> int:
            return self.gold

    return Coffer


def _let_classes_vanish(node: SimulatedNode, keep: type[vista.Object] | None) -> None:
    """Let a node know Coffer only in the version of ``keep``, as after a change of its program."""
    resolve = node.kernel.classes.resolve

    def limited(specifier: object) -> object:
        entry = resolve(specifier)  # type: ignore[arg-type]
        if entry.name != "Coffer" or entry.cls is keep:
            return entry
        if keep is not None and isinstance(specifier, str):
            return resolve(keep)
        raise NoSuchClass(f"no class {specifier!r}")

    node.kernel.classes.resolve = limited  # type: ignore[method-assign, assignment]


def _life(world: World, shelf: Shelf, keep: type[vista.Object] | None) -> SimulatedNode:
    """Let the node come back with other classes."""
    kept = world._boots["bank"]
    changed = kept._replace(boot=lambda node: (_let_classes_vanish(node, keep), open_store(node)))
    world._boots["bank"] = changed
    return again(world, shelf)


def test_an_object_of_an_earlier_version_is_upgraded_when_it_is_restored(
    world: World, shelf: Shelf
) -> None:
    old, newer = _define(1, None), _define(2, 3)
    chest = world.nodes[0].call(lambda: vista.create(old))
    node = _life(world, shelf, newer)
    assert found(node, chest).look() == 30
    assert found(node, chest).class_of().version == 2
    assert found(node, chest).extract_instance_variables("came_from") == {"came_from": 1}
    (row,) = shelf.safe.values()
    assert parts_of_encoding(node.kernel, row.data)[2] == 2


def test_an_object_whose_class_is_not_here_stays_in_the_store_and_says_so(
    world: World, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    kind = _define(1, 2)
    chest = world.nodes[0].call(lambda: vista.create(kind))
    before = dict(shelf.safe)
    node = _life(world, shelf, None)
    assert "1 stored object was not restored" in caplog.text
    with pytest.raises(
        NoSuchClass, match=r"is of class Local\.Coffer version 1, which is not here"
    ):
        found(node, chest).look()
    failures = node.call(lambda: vista.send("/ObjectPager", "get_failures"))
    assert list(failures) == [vista.id_of(chest)]
    world.pass_time(50.0)
    assert shelf.safe == before
    assert found(_life(world, shelf, kind), chest).look() == 10


def test_an_upgrade_that_fails_leaves_the_object_in_the_store(world: World, shelf: Shelf) -> None:
    old, broken = _define(1, None), _define(2, None)
    chest = world.nodes[0].call(lambda: vista.create(old))
    before = dict(shelf.safe)
    node = _life(world, shelf, broken)
    with pytest.raises(StoreError, match=r"cannot be restored: RuntimeError\('the lid is stuck'\)"):
        found(node, chest).look()
    assert shelf.safe == before


def test_an_object_of_a_later_version_is_not_taken_back(world: World, shelf: Shelf) -> None:
    old, newer = _define(1, 2), _define(5, 3)
    chest = world.nodes[0].call(lambda: vista.create(newer))
    node = _life(world, shelf, old)
    with pytest.raises(NoSuchClass, match=r"version 5, and the newest one here is 1"):
        found(node, chest).look()


def test_a_stored_object_that_nobody_can_restore_may_be_deleted(world: World, shelf: Shelf) -> None:
    kind = _define(1, 2)
    chest = world.nodes[0].call(lambda: vista.create(kind))
    node = _life(world, shelf, None)
    id = vista.id_of(chest)
    with pytest.raises(AccessDenied):
        node.call(lambda: vista.send("/ObjectPager", "object_deleted", id), user="alice")
    node.call(lambda: vista.send("/ObjectPager", "object_deleted", id))
    assert shelf.rows == {}
