"""Making, calling and deleting objects: `create`, `send`, `post`, `future`, `delete` and Refs."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, filled, runs, until
from vista.errors import (
    BadValueError,
    NoSuchMethod,
    NoSuchObject,
    NoSuchService,
    NotAValueError,
    ObjectDeleted,
)

pytestmark = pytest.mark.usefixtures("node")


class Teller(vista.Object):
    """Tells who called it and passes calls on."""

    def sender(self) -> vista.Ref | None:
        return vista.from_object()

    def own_ref(self) -> Any:
        return self

    def ask(self, target: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return vista.send(target, method, *args, **kwargs)

    def ask_later(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    def tell(self, target: Any, method: str, *args: Any) -> None:
        vista.post(target, method, *args)

    def note_sender(self, journal: vista.Ref) -> None:
        journal.write(repr(vista.from_object()))

    def call_own(self) -> str:
        return str(vista.self_ref(self).answer(1, loud=True))

    def answer(self, *args: int, loud: bool = False) -> str:
        return f"{args} {loud}"

    def make(self, start: int) -> vista.Ref:
        return vista.create(Counter, start)


class Fragile(vista.Object):
    """Its create, or its delete hook, fails when told to."""

    def create(self, journal: vista.Ref, fails: bool = False, name: str = "") -> None:
        self.journal = journal
        if name:
            vista.register_service(name, self)
        if fails:
            raise ValueError("not today")

    def delete(self) -> None:
        self.journal.write("deleted")


def ids() -> set[vista.Id]:
    return {row.id for row in vista.objects()}


# --- create --------------------------------------------------------------------------------


def test_create_passes_its_arguments_to_the_hook() -> None:
    assert vista.create(Counter, 5).get() == 5
    assert vista.create(Counter, start=6).get() == 6


def test_create_returns_a_ref_of_the_object() -> None:
    counter = vista.create(Counter)
    assert isinstance(counter, vista.Ref)
    assert vista.id_of(counter) in ids()


def test_create_that_raises_leaves_no_object() -> None:
    journal = vista.create(Journal)
    before = ids()
    with pytest.raises(ValueError, match="not today"):
        vista.create(Fragile, journal, fails=True)
    assert ids() == before


def test_create_that_raises_leaves_no_service_name() -> None:
    journal = vista.create(Journal)
    with pytest.raises(ValueError, match="not today"):
        vista.create(Fragile, journal, fails=True, name="Brief")
    assert [row.name for row in vista.services()] == ["ObjectCreator"]


def test_create_that_raises_runs_no_delete_hook() -> None:
    journal = vista.create(Journal)
    with pytest.raises(ValueError, match="not today"):
        vista.create(Fragile, journal, fails=True)
    assert journal.read() == []


def test_create_with_arguments_for_a_class_that_takes_none_leaves_no_object() -> None:
    before = ids()
    with pytest.raises(TypeError):
        vista.create(Teller, 5)
    assert ids() == before


def test_create_with_too_many_arguments_leaves_no_object() -> None:
    before = ids()
    with pytest.raises(TypeError):
        vista.create(Counter, 5, 6)
    assert ids() == before


def test_create_with_an_argument_that_is_no_value_leaves_no_object() -> None:
    before = ids()
    with pytest.raises(NotAValueError):
        vista.create(Counter, object())
    assert ids() == before


def test_create_works_in_a_method_and_its_ref_outside() -> None:
    assert vista.create(Teller).make(8).get() == 8


# --- send ----------------------------------------------------------------------------------


def test_a_ref_sends_by_a_method_call() -> None:
    counter = vista.create(Counter, 5)
    assert counter.increment(2) == 7


def test_send_is_the_same_message() -> None:
    counter = vista.create(Counter, 5)
    assert vista.send(counter, "increment", by=2) == 7


def test_send_takes_an_id() -> None:
    counter = vista.create(Counter, 5)
    assert vista.send(vista.id_of(counter), "get") == 5


def test_send_takes_the_text_of_an_id() -> None:
    counter = vista.create(Counter, 5)
    assert vista.send(str(vista.id_of(counter)), "get") == 5


def test_send_takes_a_service_name() -> None:
    vista.register_service("Counters/main", vista.create(Counter, 5))
    assert vista.send("Counters/main", "increment") == 6


def test_a_service_name_wins_over_the_text_of_an_id() -> None:
    one, other = vista.create(Counter, 1), vista.create(Counter, 2)
    vista.register_service(str(vista.id_of(one)), other)
    assert vista.send(str(vista.id_of(one)), "get") == 2


def test_a_method_sends_to_a_service_name_and_an_id() -> None:
    counter, teller = vista.create(Counter, 5), vista.create(Teller)
    vista.register_service("Counters/main", counter)
    assert teller.ask("Counters/main", "get") == 5
    assert teller.ask(vista.id_of(counter), "get") == 5


def test_send_passes_positional_and_keyword_arguments() -> None:
    assert vista.create(Teller).answer(1, 2, loud=True) == "(1, 2) True"


def test_a_method_may_send_to_its_own_object() -> None:
    assert vista.create(Teller).call_own() == "(1,) True"


def test_self_passed_as_a_value_is_the_ref() -> None:
    teller = vista.create(Teller)
    assert teller.own_ref() == teller


def test_a_message_with_wrong_arguments_is_a_type_error_of_the_caller() -> None:
    counter = vista.create(Counter)
    with pytest.raises(TypeError, match="by"):
        counter.increment(1, by=2)
    assert counter.get() == 0


# --- post ----------------------------------------------------------------------------------


def test_a_post_returns_nothing_and_arrives() -> None:
    journal = vista.create(Journal)
    assert journal.write.post("one") is None
    assert vista.post(journal, "write", "two") is None
    until(lambda: len(journal.read()) == 2)
    assert journal.read() == ["one", "two"]


def test_a_post_waits_for_nothing() -> None:
    gate = vista.create(Gate)
    gate.pass_through.post()
    assert until(gate.count) == 1
    gate.open()


def test_a_post_to_a_service_name_and_an_id_arrives() -> None:
    journal = vista.create(Journal)
    vista.register_service("Journal/main", journal)
    vista.post("Journal/main", "write", 1)
    vista.post(vista.id_of(journal), "write", 2)
    assert filled(journal.read, 2) == [1, 2]


def test_a_post_copies_its_arguments_when_it_is_sent(node: vista.Node) -> None:
    journal = vista.create(Journal)

    def post_and_change() -> None:
        entry = [1]
        journal.write.post(entry)
        entry.append(2)

    node.call(post_and_change)
    assert until(journal.read) == [[1]]


def test_a_post_that_raises_is_counted_and_nobody_hears_of_it() -> None:
    counter = vista.create(Counter)
    failed = vista.statistics()["posts_failed"]
    counter.increment.post("text")
    until(lambda: vista.statistics()["posts_failed"] == failed + 1)
    assert counter.get() == 0


def test_a_post_to_an_object_that_is_gone_is_counted_and_nobody_hears_of_it() -> None:
    counter = vista.create(Counter)
    counter.delete_yourself()
    lost = vista.statistics()["posts_lost"]
    counter.increment.post()
    assert vista.statistics()["posts_lost"] == lost + 1


def test_a_post_of_an_unknown_message_is_counted_and_nobody_hears_of_it() -> None:
    counter = vista.create(Counter)
    lost = vista.statistics()["posts_lost"]
    counter.incremental.post()
    assert vista.statistics()["posts_lost"] == lost + 1


# --- who sent it ---------------------------------------------------------------------------


def test_a_call_from_outside_has_no_sender() -> None:
    assert vista.create(Teller).sender() is None


def test_the_sender_of_a_call_is_the_object_that_sent_it() -> None:
    one, other = vista.create(Teller), vista.create(Teller)
    assert one.ask(other, "sender") == one


def test_the_sender_of_a_call_in_flight_is_the_object_that_sent_it() -> None:
    one, other = vista.create(Teller), vista.create(Teller)
    assert one.ask_later(other, "sender") == one


def test_a_post_has_no_sender() -> None:
    one, other, journal = vista.create(Teller), vista.create(Teller), vista.create(Journal)
    one.tell(other, "note_sender", journal)
    assert until(journal.read) == ["None"]


# --- what is not there ---------------------------------------------------------------------


def stranger() -> vista.Id:
    return vista.Id(b"\xff" * 16)


def test_a_call_to_an_id_that_nobody_has_is_refused() -> None:
    with pytest.raises(NoSuchObject) as caught:
        vista.send(stranger(), "get")
    assert not isinstance(caught.value, ObjectDeleted)
    assert str(stranger()) in str(caught.value)


def test_a_future_of_an_id_that_nobody_has_ends_with_the_error() -> None:
    waiting = vista.future(stranger(), "get")
    with pytest.raises(NoSuchObject):
        waiting.result()


def test_a_post_to_an_id_that_nobody_has_is_counted() -> None:
    lost = vista.statistics()["posts_lost"]
    vista.post(stranger(), "get")
    assert vista.statistics()["posts_lost"] == lost + 1


def test_a_service_name_that_nobody_has_is_refused() -> None:
    vista.register_service("Counters/main", vista.create(Counter))
    with pytest.raises(NoSuchService, match="Counters/main"):
        vista.send("Counters/man", "get")


def test_an_unknown_message_is_refused_with_the_near_miss() -> None:
    counter = vista.create(Counter)
    with pytest.raises(NoSuchMethod, match="increment"):
        counter.incremnt()
    assert counter.increment() == 1


@pytest.mark.parametrize("target", [None, 5, b"bytes", ["list"]])
def test_what_is_no_target_is_refused(target: Any) -> None:
    with pytest.raises(BadValueError):
        vista.send(target, "get")


@pytest.mark.parametrize("name", ["_private", "__init__", "", None, 5])
def test_what_is_no_message_name_is_refused(name: Any) -> None:
    counter = vista.create(Counter)
    with pytest.raises(NoSuchMethod):
        vista.send(counter, name)


@pytest.mark.parametrize("hook", ["create", "delete"])
def test_the_hooks_are_no_messages(hook: str) -> None:
    counter = vista.create(Counter, 3)
    with pytest.raises(NoSuchMethod):
        vista.send(counter, hook)
    assert counter.get() == 3


# --- Refs ----------------------------------------------------------------------------------


def test_two_refs_of_one_object_are_equal() -> None:
    counter = vista.create(Counter)
    other = vista.ref_of(vista.id_of(counter))
    assert other == counter
    assert len({other, counter}) == 1


def test_refs_of_different_objects_differ() -> None:
    assert vista.create(Counter) != vista.create(Counter)


def test_a_ref_cannot_be_given_variables() -> None:
    counter = vista.create(Counter)
    with pytest.raises(AttributeError):
        counter.value = 7


def test_a_ref_has_no_private_names() -> None:
    counter = vista.create(Counter)
    with pytest.raises(AttributeError):
        _ = counter._hidden


def test_a_ref_travels_in_arguments_and_results() -> None:
    journal, counter = vista.create(Journal), vista.create(Counter, 5)
    journal.write({"which": [counter]})
    assert journal.read()[0]["which"][0].get() == 5


def test_a_mutable_argument_is_copied() -> None:
    journal = vista.create(Journal)
    entry = [1]
    journal.write(entry)
    entry.append(2)
    assert journal.read() == [[1]]


def test_a_mutable_result_is_copied() -> None:
    journal = vista.create(Journal)
    journal.write(1)
    journal.read().append(2)
    assert journal.read() == [1]


def test_no_thread_is_left_after_a_call() -> None:
    vista.create(Counter).increment()
    assert not runs("increment")
