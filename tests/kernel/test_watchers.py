"""Who watches an object: adding, removing and losing watchers."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, filled, until
from tests.kernel.test_notification import Subject, Watcher, settled, watched
from vista import Object

pytestmark = pytest.mark.usefixtures("node")

# --- deletion ----------------------------------------------------------------------------------


def test_a_watcher_is_told_of_the_deletion() -> None:
    subject, watcher, _ = watched()
    vista.delete(subject)
    assert until(watcher.get_notes) == [["deleted", vista.id_of(subject)]]


def test_a_change_by_the_thread_that_deletes_is_not_told_after_the_deletion() -> None:
    subject, watcher, _ = watched()
    subject.set_and_delete(1)
    until(watcher.get_notes)
    assert settled(watcher) == [["deleted", vista.id_of(subject)]]


def test_a_suspended_change_is_not_told_after_the_deletion() -> None:
    (subject, watcher, _), gate = watched(), vista.create(Gate)
    changing = subject.set_and_wait.future(1, gate)
    until(lambda: gate.count() == 1)
    vista.delete(subject)
    assert isinstance(changing.exception(), vista.ObjectDeleted)
    until(lambda: len(watcher.get_notes()) >= 1)
    assert settled(watcher) == [["deleted", vista.id_of(subject)]]


def test_a_deletion_is_told_once_though_two_ask_for_it() -> None:
    subject, watcher, _ = watched()
    first, second = subject.delete_yourself.future(), subject.delete_yourself.future()
    first.exception()
    second.exception()
    until(watcher.get_notes)
    assert len(settled(watcher)) == 1


def test_a_create_that_fails_tells_the_watchers_it_added() -> None:
    class Doomed(Object):
        def create(self, watcher: Any) -> None:
            self.add_notify_when_modified(watcher)
            raise RuntimeError("no")

    watcher = vista.create(Watcher)
    with pytest.raises(RuntimeError):
        vista.create(Doomed, watcher)
    until(lambda: [note[0] for note in watcher.get_notes()] == ["deleted"])


# --- watchers ----------------------------------------------------------------------------------


def test_many_watchers_are_told() -> None:
    subject = vista.create(Subject)
    watchers = [vista.create(Watcher) for _ in range(5)]
    subject.add_notify_when_modified(*watchers)
    subject.set(1)
    told = [until(watcher.get_notes) for watcher in watchers]
    assert told == [[["modified", vista.id_of(subject)]]] * 5


def test_a_watcher_that_is_added_twice_is_told_once() -> None:
    subject, watcher, once = watched()
    subject.add_notify_when_modified(watcher, watcher)
    subject.add_notify_when_modified(vista.id_of(watcher))
    subject.set(1)
    until(watcher.get_notes)
    assert settled(watcher) == once


def test_a_watcher_that_is_removed_hears_nothing_more() -> None:
    subject, watcher, _ = watched()
    subject.remove_notify_when_modified(watcher)
    subject.set(1)
    vista.delete(subject)
    assert settled(watcher) == []


def test_removing_one_that_does_not_watch_is_passed_over() -> None:
    subject, watcher, once = watched()
    subject.remove_notify_when_modified(vista.create(Watcher), "nobody")
    subject.set(1)
    assert until(watcher.get_notes) == once


def test_a_service_name_may_watch() -> None:
    subject, watcher = vista.create(Subject), vista.create(Watcher)
    vista.register_service("the watcher", watcher)
    subject.add_notify_when_modified("the watcher")
    subject.set(1)
    assert until(watcher.get_notes) == [["modified", vista.id_of(subject)]]


def test_a_service_name_that_watches_is_looked_up_at_each_change() -> None:
    subject, first, second = vista.create(Subject), vista.create(Watcher), vista.create(Watcher)
    subject.add_notify_when_modified("on duty")
    vista.register_service("on duty", first)
    subject.set(1)
    until(lambda: len(first.get_notes()) == 1)
    vista.unregister_service("on duty")
    vista.register_service("on duty", second)
    subject.set(2)
    until(lambda: len(second.get_notes()) == 1)
    assert len(first.get_notes()) == 1


def test_a_watcher_that_is_gone_is_counted_and_disturbs_nobody() -> None:
    subject, watcher, _ = watched()
    other = vista.create(Watcher)
    subject.add_notify_when_modified(other, "nobody")
    vista.delete(watcher)
    before = vista.statistics()["posts_lost"]
    subject.set(1)
    until(lambda: len(other.get_notes()) == 1)
    assert vista.statistics()["posts_lost"] == before + 2


def test_a_watcher_without_the_method_disturbs_nobody() -> None:
    subject, watcher, once = watched()
    subject.add_notify_when_modified(vista.create(Counter))
    subject.set(1)
    assert until(watcher.get_notes) == once


@pytest.mark.parametrize("method", ["add_notify_when_modified", "remove_notify_when_modified"])
def test_what_is_no_target_cannot_watch(method: str) -> None:
    subject = vista.create(Subject)
    with pytest.raises(vista.BadValueError, match="no target"):
        vista.send(subject, method, 5)


def test_a_mistake_among_several_watchers_adds_none() -> None:
    subject, watcher = vista.create(Subject), vista.create(Watcher)
    with pytest.raises(vista.BadValueError):
        subject.add_notify_when_modified(watcher, 5)
    subject.set(1)
    assert settled(watcher) == []


def test_an_object_may_watch_itself() -> None:
    told = []

    class Narcissus(Object):
        def create(self) -> None:
            self.value = 0
            self.add_notify_when_modified(self)

        def change(self) -> None:
            self.value = 1

        def object_modified(self, id: vista.Id) -> None:
            # Below 3 this is a change too: told once more, until nothing changes any more.
            self.value = min(self.value + 1, 3)
            told.append(id)

    narcissus = vista.create(Narcissus)
    narcissus.change()
    assert filled(lambda: told, 3) == [vista.id_of(narcissus)] * 3


def test_a_watcher_may_read_the_object_that_changed() -> None:
    class Reader(Object):
        def create(self) -> None:
            self.values: list[int] = []

        def object_modified(self, id: vista.Id) -> None:
            self.values.append(vista.send(id, "read"))

        def get_values(self) -> list[int]:
            return self.values

    subject, reader = vista.create(Subject), vista.create(Reader)
    subject.add_notify_when_modified(reader)
    subject.set(7)
    assert until(reader.get_values) == [7]
