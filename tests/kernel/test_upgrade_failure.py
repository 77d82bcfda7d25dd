"""Upgrades that fail, and upgrades whose hook waits."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, Journal, runs, until
from tests.kernel.test_upgrade import OldHooked, OldTill, Watching
from vista import NoSuchClass, Object

pytestmark = pytest.mark.usefixtures("node")

# --- upgrades that fail ------------------------------------------------------------------------


def test_an_unknown_version_leaves_the_object_as_it_was() -> None:
    till = vista.create(OldTill, 5)
    with pytest.raises(NoSuchClass, match="its versions here are"):
        till.upgrade(99)
    assert till.add(1) == 6


def test_a_hook_that_raises_leaves_the_old_version_intact() -> None:
    hooked = vista.create(OldHooked)
    with pytest.raises(RuntimeError, match="cannot take over"):
        hooked.upgrade(2)
    assert vista.class_of(hooked).version == 0
    assert hooked.get() == [1, 2]  # although the hook emptied the list it was given


def test_an_upgrade_that_fails_leaves_services_watchers_and_queue() -> None:
    hooked, watcher = vista.create(OldHooked), vista.create(Watching)
    vista.register_service("hooked", hooked)
    hooked.add_notify_when_modified(watcher)
    upgrading, waiting = hooked.upgrade.future(2), hooked.get.future()
    assert isinstance(upgrading.exception(), RuntimeError)
    assert waiting.result() == [1, 2]
    assert vista.send("hooked", "get") == [1, 2]
    vista.delete(hooked)
    until(lambda: watcher.deleted() == 1)


def test_a_class_without_place_for_a_variable_is_refused() -> None:
    class Roomy(Object, version=0):
        def create(self) -> None:
            self.x = 1

        def get(self) -> int:
            return self.x

    roomy = vista.create(Roomy)
    kept = Roomy

    class Roomy(Object, version=1):  # type: ignore[no-redef]
        __slots__ = ("y",)

    with pytest.raises(vista.BadValueError, match="no place for variable 'x'"):
        roomy.upgrade()
    assert roomy.get() == 1
    assert kept is not Roomy


def test_an_async_hook_is_refused() -> None:
    class Patient(Object, version=0):
        def get(self) -> int:
            return 0

    patient = vista.create(Patient)
    kept = Patient

    class Patient(Object, version=1):  # type: ignore[no-redef]
        async def upgraded_from(self, version: int, state: dict[str, Any]) -> None: ...

    with pytest.raises(vista.ClassDefinitionError, match="must be a plain method"):
        patient.upgrade()
    assert patient.get() == 0
    assert kept is not Patient


# --- hooks that wait ---------------------------------------------------------------------------


def test_nobody_gets_into_the_object_while_its_hook_waits() -> None:
    class Slow(Object, version=0):
        def create(self) -> None:
            self.value = 1

        def set(self, value: int) -> None:
            self.value = value

        def get(self) -> int:
            return self.value

    slow, gate = vista.create(Slow), vista.create(Gate)
    vista.register_service("upgrade gate", gate)
    kept = Slow

    class Slow(kept, version=1):  # type: ignore[no-redef, valid-type, misc]
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            vista.send("upgrade gate", "pass_through")
            self.value = state["value"]

    upgrading = slow.upgrade.future()
    until(lambda: gate.count() == 1)
    slow.set.post(7)
    gate.open()
    assert upgrading.result().version == 1
    assert slow.get() == 7


def test_a_hook_whose_time_is_over_leaves_the_old_version_intact() -> None:
    class Stuck(Object, version=0):
        def get(self) -> str:
            return "old"

    stuck, gate = vista.create(Stuck), vista.create(Gate)
    vista.register_service("closed gate", gate)
    kept = Stuck

    class Stuck(Object, version=1):  # type: ignore[no-redef]
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            vista.send("closed gate", "pass_through")

    with pytest.raises(vista.CallTimeout), vista.timeout(0.05):
        stuck.upgrade()
    until(lambda: not runs("upgraded_from"))
    assert stuck.get() == "old"
    assert kept is not Stuck


def test_what_the_hook_says_of_itself_is_the_object() -> None:
    class Announced(Object, version=0):
        pass

    journal = vista.create(Journal)
    vista.register_service("upgrade journal", journal)
    announced = vista.create(Announced)
    kept = Announced

    class Announced(Object, version=1):  # type: ignore[no-redef]
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            vista.send("upgrade journal", "write", self)

        def get(self) -> str:
            return "upgraded"

    announced.upgrade()
    [said] = journal.read()
    assert (said, said.get()) == (announced, "upgraded")
    assert kept is not Announced
