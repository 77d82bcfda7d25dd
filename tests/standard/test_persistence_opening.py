"""A PersistenceService whose creation is given up, and objects deleted while they are restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from tests.conftest import world_seed
from tests.persistence.simulated import Shelf, restart, settings_of
from vista.errors import CallTimeout, NoSuchObject, StoreError
from vista.persistence.paging import StorePager
from vista.standard.persistence import PersistentObject
from vista.testing import SimulatedNode, World


class Casket(PersistentObject):
    """Holds jewels."""

    def create(self, flags: int = 0) -> None:
        """Begin with one."""
        self.jewels = 1
        self.initialize(flags=flags, durable=True)

    def add(self) -> int:
        """Add one and return how many there are."""
        self.jewels += 1
        return self.jewels


@pytest.fixture
def world(request: pytest.FixtureRequest, shelf: Shelf) -> Iterator[World]:
    """A world with one node."""
    with World(world_seed(request)) as made:
        made.node("vault", settings=settings_of(shelf, "vault"))
        yield made


def stored(world: World, shelf: Shelf, flags: int = 0) -> vista.Ref:
    """Make a casket, and let its node fall and come back without the service."""
    node = world.nodes[0]
    node.call(vista.create, "PersistenceService")
    made = node.call(vista.create, Casket, flags)
    node = restart(world, shelf, "vault")
    ref: vista.Ref = node.kernel.ref(vista.id_of(made))
    return ref


def open_within(node: SimulatedNode, seconds: float) -> bool:
    """Make the service, if that takes no longer; whether it did not."""

    def make() -> None:
        with vista.timeout(seconds):
            vista.create("PersistenceService")

    try:
        node.call(make)
    except CallTimeout:
        return False
    return True


def test_a_creation_that_is_given_up_at_any_time_lets_the_store_go(
    world: World, shelf: Shelf
) -> None:
    casket = stored(world, shelf)
    node = world.nodes[0]
    closing = list(node.kernel.on_close)
    # Before a kernel thread does something, and before that is known.
    world.hub.natives.delay = lambda: 0.01
    given_up = 0
    while not open_within(node, 0.005 * (given_up + 1)):
        # What is under way in a kernel thread comes to its end.
        world.pass_time(5.0)
        assert shelf.user is None
        assert not any(isinstance(pager, StorePager) for pager in node.kernel.pagers)
        assert node.kernel.on_close == closing
        given_up += 1
        assert given_up < 100
    assert given_up > 10
    assert casket.add() == 2
    assert restart(world, shelf, "vault").call(vista.create, "PersistenceService")
    assert world.nodes[0].kernel.ref(vista.id_of(casket)).add() == 3


def test_an_object_that_is_deleted_while_it_is_restored_does_not_come_back(
    world: World, shelf: Shelf
) -> None:
    casket = stored(world, shelf, flags=1)
    node = world.nodes[0]
    node.call(vista.create, "PersistenceService")
    resolve = node.kernel.classes.resolve

    def resolve_slowly(specifier: object) -> object:
        entry = resolve(specifier)  # type: ignore[arg-type]
        if entry.name == "Casket":
            vista.sleep(5.0)
        return entry

    node.kernel.classes.resolve = resolve_slowly  # type: ignore[method-assign, assignment]
    call = casket.add.future()
    world.pass_time(3.0)
    node.call(lambda: vista.send("/ObjectPager", "object_deleted", vista.id_of(casket)))
    with pytest.raises(NoSuchObject, match=r"was deleted from the simulated store meanwhile"):
        call.result()
    assert vista.id_of(casket) not in node.kernel.table.records
    assert shelf.rows == {}
    assert node.call(lambda: vista.send("/ObjectPager", "get_failures")) == {}


def test_a_store_that_cannot_be_closed_keeps_nothing_else_from_its_end(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    node = world.nodes[0]
    closed: list[str] = []
    node.kernel.on_close.append(lambda: closed.append("what comes after the store"))
    service = node.call(vista.create, "PersistenceService")
    store: Any = node.kernel.record_of(service).instance._keeper.store

    def fail() -> None:
        raise StoreError("input/output error")

    store.close = fail
    node.stop()
    assert closed == ["what comes after the store"]
    assert "is not closed in good order: input/output error" in caplog.text
