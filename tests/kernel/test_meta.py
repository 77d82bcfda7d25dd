"""Meta objects: one object in charge of another."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from vista import Object

pytestmark = pytest.mark.usefixtures("node")


class Recorder(Object):
    """A meta object that answers by itself and keeps what it was to forward."""

    def create(self) -> None:
        self.seen: list[Any] = []

    def forward_method_invocation(
        self, target: vista.Ref, name: str, args: list[Any], sender: vista.Ref | None
    ) -> Any:
        self.seen.append([target, name, args, sender])
        return f"instead of {name}"

    @vista.preemptable
    def get_seen(self) -> list[Any]:
        return self.seen

    def free(self, target: Any) -> None:
        target.set_meta(None)


class Doubler(Object):
    """A meta object that passes messages on with every number doubled."""

    def forward_method_invocation(
        self,
        target: vista.Ref,
        name: str,
        args: list[Any],
        sender: vista.Ref | None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return vista.send(target, name, *(2 * number for number in args), **(kwargs or {}))


class Through(Object):
    """A meta object that passes messages on by a call, by a post or by another object."""

    def create(self, way: str) -> None:
        self.way = way
        self.count = 0

    def forward_method_invocation(
        self, target: vista.Ref, name: str, args: list[Any], sender: vista.Ref | None
    ) -> Any:
        self.count += 1
        if self.way == "post":
            vista.post(target, name, *args)
            return None
        if self.way == "future":
            return vista.future(target, name, *args).result()
        if self.way == "other":
            return vista.create(Middleman).ask(target, name, args)
        return vista.send(target, name, *args)

    @vista.preemptable
    def forwarded(self) -> int:
        return self.count


class Middleman(Object):
    """Sends for others."""

    def ask(self, target: Any, name: str, args: list[Any]) -> Any:
        return vista.send(target, name, *args)


# --- what is forwarded -------------------------------------------------------------------------


def test_a_message_goes_to_the_meta_object_and_its_answer_is_the_answer() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    assert counter.increment(5) == "instead of increment"


def test_the_meta_object_gets_object_name_arguments_and_sender() -> None:
    counter, meta, sender = vista.create(Counter), vista.create(Recorder), vista.create(Middleman)
    counter.set_meta(meta)
    sender.ask(counter, "increment", [5])
    assert meta.get_seen() == [[counter, "increment", [5], sender]]


def test_the_sender_of_a_call_from_outside_is_none() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    counter.get()
    assert meta.get_seen() == [[counter, "get", [], None]]


def test_a_post_goes_to_the_meta_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    counter.increment.post(3)
    assert until(meta.get_seen) == [[counter, "increment", [3], None]]


def test_a_call_in_flight_goes_to_the_meta_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    assert counter.increment.future(3).result() == "instead of increment"


def test_functions_saved_before_go_to_the_meta_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    increment = counter.increment
    assert increment() == 1
    counter.set_meta(meta)
    assert increment() == "instead of increment"


def test_what_every_object_answers_goes_to_the_meta_object_too() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    assert counter.describe() == "instead of describe"
    assert counter.delete_yourself() == "instead of delete_yourself"
    assert vista.id_of(counter) in [row.id for row in vista.objects()]


def test_messages_the_class_does_not_answer_go_to_the_meta_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    assert counter.no_such_thing(1) == "instead of no_such_thing"


def test_messages_for_the_handler_of_unknown_ones_are_forwarded_under_their_name() -> None:
    class Answering(Object):
        def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
            return [name, args]

    answering, meta = vista.create(Answering), vista.create(Through, "send")
    answering.set_meta(meta)
    assert answering.whatever(1) == ["whatever", [1]]
    assert meta.forwarded() == 1


def test_keyword_arguments_are_forwarded() -> None:
    counter, meta = vista.create(Counter), vista.create(Doubler)
    counter.set_meta(meta)
    assert counter.increment(by=5) == 5
    assert counter.increment(5) == 15


def test_a_forwarded_message_gets_copies_of_its_arguments() -> None:
    journal, meta = vista.create(Journal), vista.create(Through, "send")
    journal.set_meta(meta)
    entry = [1]
    journal.write(entry)
    entry.append(2)
    assert journal.read() == [[1]]


def test_an_error_of_the_meta_object_reaches_the_sender() -> None:
    class Refusing(Object):
        def forward_method_invocation(self, *args: Any) -> Any:
            raise PermissionError("not today")

    counter = vista.create(Counter)
    counter.set_meta(vista.create(Refusing))
    with pytest.raises(PermissionError, match="not today"):
        counter.get()


def test_an_exclusive_method_can_be_forwarded() -> None:
    class Careful(Object):
        @vista.exclusive
        def work(self) -> str:
            return "done"

    careful, meta = vista.create(Careful), vista.create(Through, "send")
    careful.set_meta(meta)
    assert careful.work() == "done"


def test_a_native_method_can_be_forwarded() -> None:
    class Heavy(Object):
        @vista.native
        def work(self) -> str:
            return "done"

    heavy, meta = vista.create(Heavy), vista.create(Through, "send")
    heavy.set_meta(meta)
    assert heavy.work() == "done"


def test_an_async_method_can_be_forwarded() -> None:
    class Patient(Object):
        async def work(self) -> str:
            await vista.aio.sleep(0)
            return "done"

    patient, meta = vista.create(Patient), vista.create(Through, "send")
    patient.set_meta(meta)
    assert patient.work() == "done"


def test_posts_are_forwarded_in_their_order() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)

    class Poster(Object):
        def post_many(self, target: Any) -> None:
            for number in range(20):
                target.increment.post(number)

    vista.create(Poster).post_many(counter)
    until(lambda: len(meta.get_seen()) == 20)
    assert [seen[2] for seen in meta.get_seen()] == [[number] for number in range(20)]


# --- what reaches the object -------------------------------------------------------------------


@pytest.mark.parametrize("way", ["send", "future", "other"])
def test_what_the_meta_object_sends_reaches_the_object(way: str) -> None:
    counter, meta = vista.create(Counter), vista.create(Through, way)
    counter.set_meta(meta)
    assert counter.increment(4) == 4
    assert meta.forwarded() == 1


def test_what_the_meta_object_posts_reaches_the_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Through, "post")
    counter.set_meta(meta)
    counter.increment(4)
    counter.set_meta(None)
    assert counter.get() == 4
    assert meta.forwarded() == 1


def test_what_an_async_meta_object_sends_reaches_the_object() -> None:
    class Patient(Object):
        async def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return await vista.aio.send(target, name, *args)

    counter = vista.create(Counter)
    counter.set_meta(vista.create(Patient))
    assert counter.increment(4) == 4


def test_set_meta_reaches_the_object_from_anybody_who_may() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    counter.set_meta(None)
    assert counter.increment() == 1
    assert meta.get_seen() == []


def test_the_meta_object_may_free_its_object() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    meta.free(counter)
    assert counter.increment() == 1


def test_another_meta_object_takes_the_place_of_the_first() -> None:
    counter, first, second = vista.create(Counter), vista.create(Recorder), vista.create(Doubler)
    counter.set_meta(first)
    counter.set_meta(second)
    assert counter.increment(3) == 6


def test_messages_sent_before_reach_the_object_and_those_after_the_meta_object() -> None:
    class Switcher(Object):
        def run(self, counter: Any, meta: Any) -> None:
            counter.increment.post(1)
            counter.set_meta(meta)
            counter.increment.post(10)

    counter, meta = vista.create(Counter), vista.create(Recorder)
    vista.create(Switcher).run(counter, meta)
    until(lambda: len(meta.get_seen()) == 1)
    counter.set_meta(None)
    assert counter.get() == 1


def test_an_object_in_charge_of_itself_sees_its_own_messages() -> None:
    class Selfish(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return ["seen", vista.send(self, name, *args)]

        def work(self) -> str:
            return "done"

    selfish = vista.create(Selfish)
    selfish.set_meta(selfish)
    assert selfish.work() == ["seen", "done"]


def test_two_objects_in_charge_of_each_other_do_not_loop() -> None:
    class Partner(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return ["through", vista.send(target, name, *args)]

        def work(self) -> str:
            return "done"

    one, other = vista.create(Partner), vista.create(Partner)
    one.set_meta(other)
    other.set_meta(one)
    assert one.work() == ["through", "done"]


def test_the_object_lets_others_in_while_its_meta_object_waits() -> None:
    class Slow(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            if name == "increment":
                vista.send("meta gate", "pass_through")
            return vista.send(target, name, *args)

    gate, counter = vista.create(Gate), vista.create(Counter)
    vista.register_service("meta gate", gate)
    counter.set_meta(vista.create(Slow))
    waiting = counter.increment.future()
    until(lambda: gate.count() == 1)
    assert counter.get() == 0
    gate.open()
    assert waiting.result() == 1


def test_a_message_is_forwarded_although_the_object_is_kept_by_another_thread() -> None:
    class Keeper(Object):
        @vista.exclusive
        def keep(self, gate: Any) -> None:
            gate.pass_through()

        def look(self) -> str:
            return "looked"

    class Noting(Object):
        def create(self) -> None:
            self.names: list[str] = []

        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            self.names.append(name)
            return vista.send(target, name, *args)

        @vista.preemptable
        def get_names(self) -> list[str]:
            return self.names

    gate, keeper, meta = vista.create(Gate), vista.create(Keeper), vista.create(Noting)
    keeper.set_meta(meta)
    keeping = keeper.keep.future(gate)
    until(lambda: gate.count() == 1)
    looking = keeper.look.future()
    until(lambda: meta.get_names() == ["keep", "look"])
    assert not looking.done()
    gate.open()
    assert (keeping.result(), looking.result()) == (None, "looked")


# --- mistakes ----------------------------------------------------------------------------------


def test_a_deleted_meta_object_is_named_until_it_is_removed() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    counter.set_meta(meta)
    vista.delete(meta)
    with pytest.raises(vista.ObjectDeleted, match=str(vista.id_of(meta))):
        counter.get()
    counter.set_meta(None)
    assert counter.get() == 0


def test_a_meta_object_without_the_method_says_so() -> None:
    counter, meta = vista.create(Counter), vista.create(Counter)
    counter.set_meta(meta)
    with pytest.raises(vista.NoSuchMethod, match="forward_method_invocation"):
        counter.get()


@pytest.mark.parametrize("meta", [5, [1], 1.5])
def test_what_is_no_object_cannot_be_a_meta_object(meta: Any) -> None:
    counter = vista.create(Counter)
    with pytest.raises(vista.BadValueError, match="no target"):
        counter.set_meta(meta)
    assert counter.get() == 0


def test_a_service_that_is_not_there_cannot_be_a_meta_object() -> None:
    counter = vista.create(Counter)
    with pytest.raises(vista.NoSuchService):
        counter.set_meta("nobody")
    assert counter.get() == 0


def test_the_name_of_a_service_means_the_object_that_has_it_then() -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    vista.register_service("overseer", meta)
    counter.set_meta("overseer")
    vista.unregister_service("overseer")
    assert counter.get() == "instead of get"


# --- access ------------------------------------------------------------------------------------


def test_the_access_list_of_the_object_is_asked_before_the_meta_object(node: vista.Node) -> None:
    counter = vista.create(Counter, acl=vista.AccessControlList.of("deny bob *", "allow * *"))
    meta = vista.create(Recorder)
    counter.set_meta(meta)
    with pytest.raises(vista.AccessDenied):
        node.call(lambda: counter.get(), user="bob")
    assert meta.get_seen() == []


@pytest.mark.parametrize("method", ["delete_yourself", "upgrade"])
def test_an_object_in_charge_of_itself_lends_nobody_its_rights(
    node: vista.Node, method: str
) -> None:
    class Open(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return vista.send(target, name, *args)

    open_to_all = vista.create(Open)
    open_to_all.set_meta(open_to_all)
    with pytest.raises(vista.AccessDenied, match=method):
        node.call(lambda: vista.send(open_to_all, method), user="bob")
    assert open_to_all.class_of().name == "Open"


def test_another_user_may_not_set_the_meta_object(node: vista.Node) -> None:
    counter, meta = vista.create(Counter), vista.create(Recorder)
    with pytest.raises(vista.AccessDenied, match="set_meta"):
        node.call(lambda: counter.set_meta(meta), user="bob")
    assert counter.get() == 0
