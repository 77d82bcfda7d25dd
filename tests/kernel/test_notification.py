"""Notification: object_modified after the thread that changed variables ended; object_deleted."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, runs, until
from vista import Object

pytestmark = pytest.mark.usefixtures("node")


class Watcher(Object):
    """Keeps the notifications it gets, in order."""

    def create(self) -> None:
        self.notes: list[Any] = []

    def object_modified(self, id: vista.Id) -> None:
        self.notes.append(["modified", id])

    def object_deleted(self, id: vista.Id) -> None:
        self.notes.append(["deleted", id])

    @vista.preemptable
    def get_notes(self) -> list[Any]:
        return self.notes


class Subject(Object):
    """Changes itself in many ways."""

    def create(self) -> None:
        self.value = 0
        self.items: list[Any] = [[1], {"a": {"b": 1}}]
        self.tool: Any = object()

    def set(self, value: int) -> None:
        self.value = value

    def set_and_back(self) -> None:
        self.value += 1
        self.value -= 1

    def change_deep(self) -> None:
        self.items[1]["a"]["b"] += 1

    def add_variable(self) -> None:
        self.extra = 1

    def remove_variable(self) -> None:
        del self.value

    def replace_tool(self) -> None:
        self.tool = object()

    def set_and_raise(self, value: int) -> None:
        self.value = value
        raise RuntimeError("after the change")

    def set_and_wait(self, value: int, gate: Any) -> None:
        self.value = value
        gate.pass_through()

    def wait_and_set(self, value: int, gate: Any) -> None:
        gate.pass_through()
        self.value = value

    def set_and_call_self(self, value: int) -> list[Any]:
        self.value = value
        vista.send(self, "read")
        notes = vista.send("watcher", "get_notes")
        return list(notes)

    def set_between(self, value: int) -> None:
        vista.send(self, "set", value)

    def read(self) -> int:
        return self.value

    @vista.preemptable
    def set_beside(self, value: int) -> None:
        self.value = value

    @vista.preemptable
    def set_beside_and_raise(self, value: int) -> None:
        self.value = value
        raise RuntimeError("after the change")

    async def set_async(self, value: int, gate: Any) -> None:
        self.value = value
        await vista.aio.send(gate, "pass_through")

    @vista.native
    def set_native(self, value: int) -> None:
        self.value = value

    @vista.exclusive
    def set_exclusive(self, value: int, gate: Any) -> None:
        self.value = value
        gate.pass_through()

    def watch_me(self, value: int, watcher: Any) -> None:
        self.value = value
        self.add_notify_when_modified(watcher)

    def set_and_delete(self, value: int) -> None:
        self.value = value
        self.delete_yourself()


def watched() -> tuple[vista.Ref, vista.Ref, list[Any]]:
    """Return a subject, its watcher, and the notes after one change."""
    subject, watcher = vista.create(Subject), vista.create(Watcher)
    subject.add_notify_when_modified(watcher)
    return subject, watcher, [["modified", vista.id_of(subject)]]


def settled(watcher: vista.Ref) -> list[Any]:
    """Return the notes when nothing that was posted is left."""
    vista.sleep(0.005)
    notes: list[Any] = watcher.get_notes()
    return notes


# --- what is a change --------------------------------------------------------------------------


def test_a_watcher_is_told_of_a_change() -> None:
    subject, watcher, once = watched()
    subject.set(1)
    assert until(watcher.get_notes) == once


def test_a_change_by_a_post_counts() -> None:
    subject, watcher, once = watched()
    subject.set.post(1)
    assert until(watcher.get_notes) == once


def test_a_change_by_a_call_in_flight_counts() -> None:
    subject, watcher, once = watched()
    subject.set.future(1).result()
    assert until(watcher.get_notes) == once


@pytest.mark.parametrize(
    "method", ["change_deep", "add_variable", "remove_variable", "replace_tool"]
)
def test_any_change_of_variables_counts(method: str) -> None:
    subject, watcher, once = watched()
    vista.send(subject, method)
    assert until(watcher.get_notes) == once


def test_a_thread_that_changes_nothing_is_not_told() -> None:
    subject, watcher, _ = watched()
    subject.read()
    subject.set(0)
    assert settled(watcher) == []


def test_a_change_that_was_undone_is_not_told() -> None:
    subject, watcher, _ = watched()
    subject.set_and_back()
    assert settled(watcher) == []


def test_each_thread_that_changed_something_is_told_once() -> None:
    subject, watcher, once = watched()
    for value in (1, 2, 3):
        subject.set(value)
    until(lambda: len(watcher.get_notes()) >= 3)
    assert settled(watcher) == once * 3


def test_a_change_before_the_method_raised_counts() -> None:
    subject, watcher, once = watched()
    with pytest.raises(RuntimeError):
        subject.set_and_raise(1)
    assert until(watcher.get_notes) == once


def test_a_change_before_a_posted_method_raised_counts() -> None:
    subject, watcher, once = watched()
    subject.set_and_raise.post(1)
    assert until(watcher.get_notes) == once


def test_a_change_made_before_the_watcher_came_does_not_count() -> None:
    subject, watcher = vista.create(Subject), vista.create(Watcher)
    subject.set(1)
    subject.add_notify_when_modified(watcher)
    subject.read()
    assert settled(watcher) == []


def test_a_method_that_registers_a_watcher_is_not_told_of_what_it_did_before() -> None:
    subject, watcher = vista.create(Subject), vista.create(Watcher)
    subject.watch_me(5, watcher)
    assert settled(watcher) == []


def test_a_change_made_while_nobody_watched_does_not_count_later() -> None:
    subject, watcher, _ = watched()
    subject.remove_notify_when_modified(watcher)
    subject.set(1)
    subject.add_notify_when_modified(watcher)
    subject.read()
    assert settled(watcher) == []


def test_a_suspended_change_from_before_the_watcher_came_back_does_not_count() -> None:
    (subject, watcher, _), gate = watched(), vista.create(Gate)
    changing = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    subject.remove_notify_when_modified(watcher)
    subject.add_notify_when_modified(watcher)
    gate.open()
    changing.result()
    assert settled(watcher) == []


def test_an_object_without_variables_can_be_watched() -> None:
    plain, watcher = vista.create(Object), vista.create(Watcher)
    plain.add_notify_when_modified(watcher)
    plain.describe()
    vista.delete(plain)
    assert until(watcher.get_notes) == [["deleted", vista.id_of(plain)]]


# --- when it is told ---------------------------------------------------------------------------


def test_nothing_is_told_before_the_thread_that_changed_something_ends() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    assert settled(watcher) == []
    gate.open()
    changing.result()
    assert until(watcher.get_notes) == once


def test_a_thread_that_changes_nothing_does_not_tell_of_one_that_is_suspended() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    assert subject.read() == 1
    assert settled(watcher) == []
    gate.open()
    changing.result()
    assert until(watcher.get_notes) == once


def test_a_change_after_a_suspension_counts() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = subject.wait_and_set.future(1, gate)
    until(lambda: gate.count() == 1)
    gate.open()
    changing.result()
    assert until(watcher.get_notes) == once


def test_a_change_before_a_call_into_the_own_object_is_told_when_the_outer_thread_ends() -> None:
    subject, watcher, once = watched()
    vista.register_service("watcher", watcher)
    assert subject.set_and_call_self(1) == []
    until(watcher.get_notes)
    assert settled(watcher) == once


def test_a_change_by_a_call_into_the_own_object_is_told_once() -> None:
    subject, watcher, once = watched()
    subject.set_between(3)
    until(watcher.get_notes)
    assert settled(watcher) == once


def test_a_killed_thread_is_told_of_what_it_changed() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    changing.cancel()
    assert until(watcher.get_notes) == once


def test_a_nested_thread_killed_by_a_timeout_is_told_of_what_it_changed() -> None:
    class Caller(Object):
        def run(self, subject: Any, gate: Any) -> bool:
            try:
                with vista.timeout(0.01):
                    subject.set_and_wait(1, gate)
            except vista.CallTimeout:
                return True
            return False

    (subject, watcher, once), gate = watched(), vista.create(Gate)
    assert vista.create(Caller).run(subject, gate)
    assert until(watcher.get_notes) == once


def test_a_killed_thread_that_others_keep_waiting_is_told_of_what_it_changed() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    other = vista.create(Gate)
    first = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    keeping = subject.set_exclusive.future(1, other)
    until(lambda: other.count() == 1)
    first.cancel()
    assert until(watcher.get_notes) == once
    other.open()
    keeping.result()


# --- every kind of method ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["set_beside", "set_native"])
@pytest.mark.parametrize("way", ["call", "post", "future"])
def test_changes_by_methods_of_other_kinds_are_told_once(method: str, way: str) -> None:
    subject, watcher, once = watched()
    if way == "call":
        vista.send(subject, method, 1)
    elif way == "post":
        vista.post(subject, method, 1)
    else:
        vista.future(subject, method, 1).result()
    until(watcher.get_notes)
    assert settled(watcher) == once


@pytest.mark.parametrize("way", ["call", "post"])
def test_a_preemptable_method_that_raises_is_told_of_what_it_changed(way: str) -> None:
    subject, watcher, once = watched()
    if way == "call":
        with pytest.raises(RuntimeError):
            subject.set_beside_and_raise(1)
    else:
        subject.set_beside_and_raise.post(1)
    assert until(watcher.get_notes) == once


@pytest.mark.parametrize("method", ["set_async", "set_exclusive"])
def test_changes_by_methods_that_wait_are_told_at_their_end(method: str) -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = vista.future(subject, method, 1, gate)
    until(lambda: gate.count() == 1)
    assert settled(watcher) == []
    gate.open()
    changing.result()
    assert until(watcher.get_notes) == once


def test_a_preemptable_thread_does_not_tell_of_the_one_it_interrupted() -> None:
    (subject, watcher, once), gate = watched(), vista.create(Gate)
    changing = subject.set_exclusive.future(1, gate)
    until(lambda: gate.count() == 1)
    subject.describe()
    assert settled(watcher) == []
    gate.open()
    changing.result()
    assert until(watcher.get_notes) == once


# --- cost --------------------------------------------------------------------------------------


def test_an_object_nobody_watches_stays_on_the_hot_path(node: vista.Node) -> None:
    subject = vista.create(Subject)
    subject.set(1)
    subject.describe()
    subject.get_acl()
    subject.remove_notify_when_modified("nobody")
    record = node.kernel.table.records[vista.id_of(subject)]
    assert record.guard is None
    assert record.idle is record.state is node.kernel


def test_a_watched_object_leaves_the_hot_path(node: vista.Node) -> None:
    subject, _, _ = watched()
    record = node.kernel.table.records[vista.id_of(subject)]
    assert record.idle is not node.kernel
    assert record.state is record.idle


def test_a_variable_too_large_to_encode_does_not_disturb_the_object() -> None:
    class Large(Object):
        def grow(self) -> int:
            self.data = [b"x" * (1 << 20)] * 70
            return len(self.data)

    large, watcher = vista.create(Large), vista.create(Watcher)
    large.add_notify_when_modified(watcher)
    assert large.grow() == 70
    until(lambda: len(watcher.get_notes()) == 1)
    assert not runs("grow")
