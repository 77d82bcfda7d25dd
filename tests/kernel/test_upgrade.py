"""Upgrading live objects to another version of their class."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from vista import NoSuchMethod, Object

pytestmark = pytest.mark.usefixtures("node")


class Till(Object, version=1):
    """The first version: counts money in one number."""

    def create(self, amount: int = 0) -> None:
        self.amount = amount
        self.slips: list[int] = []

    def add(self, amount: int) -> int:
        self.amount += amount
        self.slips.append(amount)
        return self.amount

    def version(self) -> int:
        return 1

    def old_only(self) -> str:
        return "old"

    def wait_at(self, gate: Any) -> int:
        gate.pass_through()
        self.amount += 1
        return self.amount

    def upgrade_and_add(self) -> int:
        vista.send(self, "upgrade")
        self.amount += 1
        return self.amount

    def upgrade_directly(self) -> Any:
        return self.upgrade()

    def upgrade_later(self) -> None:
        vista.post(self, "upgrade")


OldTill = Till


class Till(Object, version=2):  # type: ignore[no-redef]
    """The second version takes the variables as they are."""

    def add(self, amount: int) -> int:
        self.amount += amount * 100
        return int(self.amount)

    def version(self) -> int:
        return 2

    def new_only(self) -> str:
        return "new"

    def slip_list(self) -> list[int]:
        return list(self.slips)


NewTill = Till


class Morphing(Object, version=0):
    """To be taken over by a hook."""

    def create(self) -> None:
        self.items = [1, 2]

    def get(self) -> Any:
        return self.items


OldHooked = Morphing


class Morphing(Object, version=1):  # type: ignore[no-redef]
    """Takes over by a hook."""

    def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
        self.came_from = version
        self.items = [*state["items"], "more"]

    def get(self) -> Any:
        return [self.came_from, self.items]


NewHooked = Morphing


class Morphing(Object, version=2):  # type: ignore[no-redef]
    """Spoils what it is given and fails."""

    def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
        state["items"].clear()
        raise RuntimeError("cannot take over")


# --- what changes ------------------------------------------------------------------------------


def test_upgrade_takes_the_newest_version() -> None:
    till = vista.create(OldTill)
    till.upgrade()
    assert vista.class_of(till).version == 2
    assert till.version() == 2


def test_upgrade_returns_the_class_as_it_is_after() -> None:
    assert vista.create(OldTill).upgrade() == vista.class_of(vista.create(NewTill))


def test_upgrade_to_an_explicit_version() -> None:
    hooked = vista.create(OldHooked)
    hooked.upgrade(1)
    assert vista.class_of(hooked).version == 1


def test_an_upgrade_may_go_back_to_an_older_version() -> None:
    till = vista.create(OldTill, 5)
    till.upgrade(2)
    till.upgrade(1)
    assert (till.version(), till.add(1)) == (1, 6)


def test_an_upgrade_to_the_version_it_has_changes_nothing() -> None:
    till = vista.create(OldTill, 5)
    assert till.upgrade(1).version == 1
    assert till.add(1) == 6


def test_new_messages_are_answered_and_old_ones_no_longer() -> None:
    till = vista.create(OldTill)
    assert till.old_only() == "old"
    till.upgrade()
    assert till.new_only() == "new"
    with pytest.raises(NoSuchMethod, match="old_only"):
        till.old_only()


def test_a_class_defined_again_under_the_same_version_can_be_upgraded_to() -> None:
    class Draft(Object):
        def text(self) -> str:
            return "first"

    draft = vista.create(Draft)
    kept = Draft

    class Draft(Object):  # type: ignore[no-redef]
        def text(self) -> str:
            return "second"

    draft.upgrade()
    assert draft.text() == "second"
    assert kept is not Draft


# --- variables ---------------------------------------------------------------------------------


def test_variables_are_kept_without_a_hook() -> None:
    till = vista.create(OldTill, 5)
    till.add(2)
    till.upgrade()
    assert till.extract_instance_variables() == {"amount": 7, "slips": [2]}


def test_the_hook_gets_the_old_version_and_the_variables() -> None:
    hooked = vista.create(OldHooked)
    hooked.upgrade(1)
    assert hooked.get() == [0, [1, 2, "more"]]


def test_only_what_the_hook_sets_is_kept() -> None:
    class Trimmed(Object, version=0):
        def create(self) -> None:
            self.a, self.b = 1, 2

    trimmed = vista.create(Trimmed)
    kept = Trimmed

    class Trimmed(Object, version=1):  # type: ignore[no-redef]
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            self.a = state["a"]

    trimmed.upgrade()
    assert trimmed.extract_instance_variables() == {"a": 1}
    assert kept is not Trimmed


def test_a_variable_that_is_no_value_is_handed_over_as_it_is() -> None:
    class Holder(Object, version=0):
        def create(self) -> None:
            self.thing = object()
            self.same = self.thing

    holder = vista.create(Holder)
    kept = Holder

    class Holder(Object, version=1):  # type: ignore[no-redef]
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            self.equal = state["thing"] is state["same"]

    holder.upgrade()
    assert holder.extract_instance_variables() == {"equal": True}
    assert kept is not Holder


def test_the_hook_of_a_base_class_serves() -> None:
    class Base(Object, abstract=True):
        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            self.note = f"from {version}"

    class Served(Object, version=0):
        pass

    served = vista.create(Served)
    kept = Served

    class Served(Base, version=1):  # type: ignore[no-redef]
        pass

    served.upgrade()
    assert served.extract_instance_variables() == {"note": "from 0"}
    assert kept is not Served


# --- what stays --------------------------------------------------------------------------------


def test_the_id_stays_and_refs_go_on() -> None:
    till = vista.create(OldTill)
    before = vista.id_of(till)
    till.upgrade()
    assert vista.id_of(till) == before
    assert vista.send(before, "version") == 2


def test_functions_saved_from_a_ref_go_on() -> None:
    till = vista.create(OldTill)
    add, version = till.add, till.version
    till.upgrade()
    assert (version(), add(1), add.future(1).result()) == (2, 100, 200)


def test_a_saved_post_goes_on() -> None:
    till = vista.create(OldTill)
    post = till.add.post
    till.upgrade()
    post(1)
    assert till.add(0) == 100


def test_a_function_saved_for_a_message_that_is_gone_says_so() -> None:
    till = vista.create(OldTill)
    old_only = till.old_only
    till.upgrade()
    with pytest.raises(NoSuchMethod, match="old_only"):
        old_only()


def test_a_saved_function_reaches_the_handler_of_unknown_messages() -> None:
    class Shy(Object, version=0):
        def ask(self) -> str:
            return "method"

    shy = vista.create(Shy)
    ask = shy.ask
    kept = Shy

    class Shy(Object, version=1):  # type: ignore[no-redef]
        def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> str:
            return f"handler of {name}"

    shy.upgrade()
    assert ask() == "handler of ask"
    assert kept is not Shy


def test_refs_inside_other_objects_go_on() -> None:
    class Pointer(Object):
        def create(self, target: Any) -> None:
            self.target = target

        def ask(self) -> Any:
            return self.target.version()

    till = vista.create(OldTill)
    pointer = vista.create(Pointer, till)
    assert pointer.ask() == 1
    till.upgrade()
    assert pointer.ask() == 2


def test_service_names_stay() -> None:
    till = vista.create(OldTill)
    vista.register_service("till/main", till)
    till.upgrade()
    assert vista.send("till/main", "version") == 2
    vista.unregister_service("till/main")


def test_service_names_vanish_with_the_upgraded_object() -> None:
    till = vista.create(OldTill)
    vista.register_service("till/brief", till)
    till.upgrade()
    vista.delete(till)
    assert "till/brief" not in [row.name for row in vista.services()]


def test_the_access_list_stays(node: vista.Node) -> None:
    till = vista.create(OldTill, acl=vista.AccessControlList.of("deny bob *", "allow * *"))
    till.upgrade()
    with pytest.raises(vista.AccessDenied):
        node.call(lambda: till.version(), user="bob")


def test_watchers_stay_and_are_told_of_later_changes() -> None:
    till, watcher = vista.create(OldTill), vista.create(Watching)
    till.add_notify_when_modified(watcher)
    till.upgrade()
    till.add(1)
    assert until(watcher.count) == 1


def test_an_upgrade_that_changes_nothing_is_no_modification() -> None:
    till, watcher = vista.create(OldTill), vista.create(Watching)
    till.add_notify_when_modified(watcher)
    till.upgrade()
    vista.sleep(0.01)
    assert watcher.count() == 0


def test_an_upgrade_that_changes_variables_is_a_modification() -> None:
    hooked, watcher = vista.create(OldHooked), vista.create(Watching)
    hooked.add_notify_when_modified(watcher)
    hooked.upgrade(1)
    until(lambda: watcher.count() == 1)
    hooked.get()
    vista.sleep(0.01)
    assert watcher.count() == 1


def test_the_meta_object_stays() -> None:
    till, meta = vista.create(OldTill), vista.create(Chronicler)
    till.set_meta(meta)
    assert meta.pass_on(till, "upgrade").version == 2
    assert till.version() == ["version", []]


def test_an_upgrade_passes_through_the_meta_object() -> None:
    class Passing(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return vista.send(target, name, *args)

    till = vista.create(OldTill)
    till.set_meta(vista.create(Passing))
    assert till.upgrade().version == 2
    assert till.version() == 2


def test_an_upgrade_does_not_wait_for_messages_that_the_meta_object_keeps() -> None:
    class Keeping(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            if name == "add":
                vista.send("keeping gate", "pass_through")
            return vista.send(target, name, *args)

    till, gate = vista.create(OldTill), vista.create(Gate)
    vista.register_service("keeping gate", gate)
    till.set_meta(vista.create(Keeping))
    adding = till.add.future(1)
    until(lambda: gate.count() == 1)
    assert till.upgrade().version == 2
    gate.open()
    assert adding.result() == 100


def test_a_message_on_its_way_to_the_meta_object_gets_there() -> None:
    class Actor(Object):
        def run(self, till: Any, meta: Any) -> None:
            till.add.post(1)
            meta.pass_on(till, "upgrade")

    till, meta = vista.create(OldTill), vista.create(Chronicler)
    till.set_meta(meta)
    vista.create(Actor).run(till, meta)
    assert until(meta.get_seen) == [["add", [1]]]


def test_objects_are_counted_under_their_version() -> None:
    till = vista.create(OldTill)
    till.upgrade()
    rows = {row.version: row.objects for row in vista.classes() if row.name == "Till"}
    assert rows == {1: 0, 2: 1}


# --- who may -----------------------------------------------------------------------------------


def test_another_user_may_not_upgrade_an_object_without_access_list(node: vista.Node) -> None:
    till = vista.create(OldTill)
    with pytest.raises(vista.AccessDenied, match="upgrade"):
        node.call(lambda: till.upgrade(), user="bob")
    assert till.version() == 1


class Watching(Object):
    """Counts the notifications it gets."""

    def create(self) -> None:
        self.modified = 0
        self.gone = 0

    def object_modified(self, id: vista.Id) -> None:
        self.modified += 1

    def object_deleted(self, id: vista.Id) -> None:
        self.gone += 1

    def count(self) -> int:
        return self.modified

    def deleted(self) -> int:
        return self.gone


class Chronicler(Object):
    """A meta object that answers with what it was to forward."""

    def create(self) -> None:
        self.seen: list[Any] = []

    def forward_method_invocation(
        self, target: vista.Ref, name: str, args: list[Any], sender: vista.Ref | None
    ) -> Any:
        self.seen.append([name, args])
        return [name, args]

    def get_seen(self) -> list[Any]:
        return self.seen

    def pass_on(self, target: vista.Ref, name: str, *args: Any) -> Any:
        return vista.send(target, name, *args)
