"""Upgrading live objects to another version of their class."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, Journal, runs, until
from vista import NoSuchClass, NoSuchMethod, Object, ObjectBusy

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
    until(lambda: watcher.count() == 1)


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
    until(lambda: meta.get_seen() == [["add", [1]]])


def test_objects_are_counted_under_their_version() -> None:
    till = vista.create(OldTill)
    till.upgrade()
    rows = {row.version: row.objects for row in vista.classes() if row.name == "Till"}
    assert rows == {1: 0, 2: 1}


# --- messages that wait ------------------------------------------------------------------------


def test_waiting_messages_survive_in_their_order() -> None:
    class Book(Object, version=0):
        def create(self) -> None:
            self.lines: list[Any] = []

        def write(self, line: Any) -> None:
            self.lines.append(line)

        def renew_after_ten(self) -> None:
            for number in range(10):
                vista.post(self, "write", number)
            vista.post(self, "upgrade")
            for number in range(10, 20):
                vista.post(self, "write", number)

        def read(self) -> Any:
            return self.lines

    book = vista.create(Book)
    kept = Book

    class Book(kept, version=1):  # type: ignore[no-redef, valid-type, misc]
        def write(self, line: Any) -> None:
            self.lines.append([line])

    book.renew_after_ten()
    assert book.read() == [*range(10), *([number] for number in range(10, 20))]


def test_calls_that_wait_are_answered_by_the_new_version() -> None:
    gate, till = vista.create(Gate), vista.create(OldTill, 5)
    waiting = till.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    upgrading = till.upgrade.future()
    until(lambda: runs("upgrade"))
    gate.open()
    assert (waiting.result(), upgrading.result().version, till.version()) == (6, 2, 2)


def test_a_waiting_call_that_the_new_version_does_not_answer_ends_with_an_error() -> None:
    class Caller(Object):
        def run(self, till: Any) -> Any:
            upgrade = till.upgrade.future()
            call = till.old_only.future()
            post_before = vista.statistics()["posts_lost"]
            till.old_only.post()
            upgrade.result()
            error = call.exception()
            return [type(error).__name__, vista.statistics()["posts_lost"] - post_before]

    assert vista.create(Caller).run(vista.create(OldTill)) == ["NoSuchMethod", 1]


def test_a_waiting_message_that_became_preemptable_is_answered() -> None:
    class Mood(Object, version=0):
        def look(self) -> str:
            return "in line"

    class Asker(Object):
        def run(self, mood: Any) -> Any:
            upgrade = mood.upgrade.future()
            looks = [mood.look.future() for _ in range(3)]
            upgrade.result()
            return [
                *(look.result() for look in looks),
                mood.look(),
                mood.describe()["class"].version,
            ]

    mood = vista.create(Mood)
    kept = Mood

    class Mood(Object, version=1):  # type: ignore[no-redef]
        @vista.preemptable
        def look(self) -> str:
            return "beside"

    assert vista.create(Asker).run(mood) == ["beside"] * 4 + [1]
    assert kept is not Mood


def test_a_waiting_message_that_ceased_to_be_preemptable_is_answered() -> None:
    class Mind(Object, version=0):
        @vista.preemptable
        def look(self) -> str:
            return "beside"

    class Asker(Object):
        def run(self, mind: Any) -> Any:
            upgrade = mind.upgrade.future()
            looks = [mind.look.future() for _ in range(3)]
            upgrade.result()
            return [look.result() for look in looks][-1], mind.look()

    mind = vista.create(Mind)
    kept = Mind

    class Mind(Object, version=1):  # type: ignore[no-redef]
        def look(self) -> str:
            return "in line"

    assert vista.create(Asker).run(mind)[1] == "in line"
    assert kept is not Mind


# --- busy objects ------------------------------------------------------------------------------


def test_an_upgrade_waits_for_threads_suspended_in_the_object() -> None:
    gate, till = vista.create(Gate), vista.create(OldTill)
    waiting = till.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    upgrading = till.upgrade.future()
    until(lambda: runs("upgrade"))
    assert not upgrading.done()
    gate.open()
    assert waiting.result() == 1
    assert upgrading.result().version == 2


def test_object_busy_names_the_threads_that_do_not_end() -> None:
    gate, till = vista.create(Gate), vista.create(OldTill)
    waiting = till.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    with pytest.raises(ObjectBusy, match="wait_at"):
        till.upgrade(timeout=0.05)
    assert till.version() == 1
    gate.open()
    assert waiting.result() == 1


def test_an_object_that_was_busy_can_be_upgraded_later() -> None:
    gate, till = vista.create(Gate), vista.create(OldTill)
    waiting = till.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    with pytest.raises(ObjectBusy):
        till.upgrade(timeout=0.01)
    gate.open()
    waiting.result()
    assert till.upgrade().version == 2


def test_two_upgrades_at_once_both_succeed() -> None:
    gate, till = vista.create(Gate), vista.create(OldTill)
    waiting = till.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    both = [till.upgrade.future(), till.upgrade.future()]
    gate.open()
    assert [future.result().version for future in both] == [2, 2]
    assert (waiting.result(), till.version()) == (1, 2)
    rows = {row.version: row.objects for row in vista.classes() if row.name == "Till"}
    assert rows == {1: 0, 2: 1}


def test_an_object_cannot_wait_for_its_own_upgrade() -> None:
    till = vista.create(OldTill, 5)
    with pytest.raises(ObjectBusy, match=r'vista\.post\(self, "upgrade"\)'):
        till.upgrade_and_add()
    assert (till.version(), till.add(1)) == (1, 6)


def test_an_object_cannot_upgrade_itself_by_a_plain_call() -> None:
    till = vista.create(OldTill)
    with pytest.raises(ObjectBusy, match=r'vista\.post\(self, "upgrade"\)'):
        till.upgrade_directly()


def test_an_object_upgrades_itself_by_a_post() -> None:
    till = vista.create(OldTill)
    till.upgrade_later()
    until(lambda: till.version() == 2)


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
