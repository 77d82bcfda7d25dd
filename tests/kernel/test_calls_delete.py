"""Deleting objects by message, while they are at rest, busy or being made."""

from __future__ import annotations

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from tests.kernel.test_calls import ids
from vista.errors import (
    ObjectDeleted,
    ThreadKilled,
)

pytestmark = pytest.mark.usefixtures("node")

# --- delete --------------------------------------------------------------------------------


def test_delete_takes_the_object_away() -> None:
    counter = vista.create(Counter)
    vista.delete(counter)
    assert vista.id_of(counter) not in ids()


def test_delete_takes_a_service_name() -> None:
    vista.register_service("Counters/main", vista.create(Counter))
    vista.delete("Counters/main")
    assert [row.name for row in vista.services()] == ["ObjectCreator"]


def test_a_call_to_a_deleted_object_names_it() -> None:
    counter = vista.create(Counter)
    counter.delete_yourself()
    with pytest.raises(ObjectDeleted, match=str(vista.id_of(counter))):
        counter.get()


def test_a_call_by_id_to_a_deleted_object_says_it_was_deleted() -> None:
    counter = vista.create(Counter)
    counter.delete_yourself()
    with pytest.raises(ObjectDeleted):
        vista.send(vista.id_of(counter), "get")


def test_a_function_kept_of_a_deleted_object_says_it_was_deleted() -> None:
    counter = vista.create(Counter)
    increment = counter.increment
    increment()
    counter.delete_yourself()
    with pytest.raises(ObjectDeleted):
        increment()
    with pytest.raises(ObjectDeleted):
        increment.future().result()


class Mortal(vista.Object):
    """Deletes itself, waits, or is deleted meanwhile."""

    def end(self) -> str:
        vista.self_ref(self).delete_yourself()
        return "last words"

    def end_and_wait(self) -> str:
        vista.self_ref(self).delete_yourself()
        vista.sleep(0.001)
        return "last words"

    def end_and_send(self) -> str:
        own = vista.self_ref(self)
        own.delete_yourself()
        return str(own.end())

    def wait_at(self, gate: vista.Ref) -> None:
        gate.pass_through()

    def answer(self) -> int:
        return 42

    @vista.exclusive
    def wait_alone_at(self, gate: vista.Ref) -> None:
        gate.pass_through()


def test_a_method_that_deletes_its_object_goes_on_to_its_end() -> None:
    assert vista.create(Mortal).end() == "last words"


def test_a_method_that_deletes_its_object_may_still_wait() -> None:
    assert vista.create(Mortal).end_and_wait() == "last words"


def test_a_method_that_deleted_its_object_gets_the_error_when_it_calls_it() -> None:
    with pytest.raises(ObjectDeleted):
        vista.create(Mortal).end_and_send()


def test_a_thread_suspended_in_an_object_ends_with_it() -> None:
    mortal, gate = vista.create(Mortal), vista.create(Gate)
    waiting = mortal.wait_at.future(gate)
    until(lambda: gate.count() == 1)
    mortal.delete_yourself()
    with pytest.raises(ObjectDeleted):
        waiting.result()
    until(lambda: gate.count() == 0)


def test_messages_that_wait_for_an_object_end_with_it() -> None:
    mortal, gate = vista.create(Mortal), vista.create(Gate)
    keeping = mortal.wait_alone_at.future(gate)
    until(lambda: gate.count() == 1)
    deleting, asking = mortal.delete_yourself.future(), mortal.answer.future()
    mortal.answer.post()
    gate.open()
    keeping.result()
    deleting.result()
    with pytest.raises(ObjectDeleted):
        asking.result()


class Slow(vista.Object):
    """Takes its time to go."""

    def create(self, journal: vista.Ref, gate: vista.Ref) -> None:
        self.journal, self.gate = journal, gate

    def delete(self) -> None:
        self.journal.write("delete")
        self.gate.pass_through()


def test_two_deletions_at_once_run_the_delete_hook_once() -> None:
    journal, gate = vista.create(Journal), vista.create(Gate)
    slow = vista.create(Slow, journal, gate)
    one = slow.delete_yourself.future()
    until(lambda: gate.count() == 1)
    other = slow.delete_yourself.future()
    gate.open()
    assert [one.result(), other.exception()] == [None, None]
    assert journal.read() == ["delete"]


class Eager(vista.Object):
    """Hands itself out and waits while it is created."""

    def create(self, journal: vista.Ref, gate: vista.Ref) -> None:
        journal.write(self)
        gate.pass_through()

    def ask(self, gate: vista.Ref) -> None:
        gate.pass_through()


class Maker(vista.Object):
    """Makes an `Eager`."""

    def make(self, journal: vista.Ref, gate: vista.Ref) -> vista.Ref:
        return vista.create(Eager, journal, gate)


def test_a_create_that_is_cancelled_leaves_no_object() -> None:
    journal, gate, maker = vista.create(Journal), vista.create(Gate), vista.create(Maker)
    before = ids()
    making = maker.make.future(journal, gate)
    until(lambda: gate.count() == 1)
    making.cancel()
    with pytest.raises(ThreadKilled):
        making.result()
    until(lambda: gate.count() == 0)
    assert ids() == before


def test_who_waits_in_an_object_whose_create_fails_hears_that_it_is_gone() -> None:
    journal, gate, maker = vista.create(Journal), vista.create(Gate), vista.create(Maker)
    making = maker.make.future(journal, gate)
    until(lambda: gate.count() == 1)
    (eager,) = journal.read()
    asking = eager.ask.future(gate)
    until(lambda: gate.count() == 2)
    making.cancel()
    with pytest.raises(ObjectDeleted):
        asking.result()
    with pytest.raises(ObjectDeleted):
        eager.ask(gate)
