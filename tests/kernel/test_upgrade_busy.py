"""Upgrades of objects that are busy or have messages waiting."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, runs, until
from tests.kernel.test_upgrade import OldTill
from vista import Object, ObjectBusy

pytestmark = pytest.mark.usefixtures("node")

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


def test_a_thread_that_waits_in_the_object_itself_keeps_it_busy() -> None:
    class Dozing(Object, version=0):
        def doze(self, gate: Any) -> Any:
            # Waits in its own frame, with nothing nested.
            return gate.pass_through.future("woken").result()

    gate, dozing = vista.create(Gate), vista.create(Dozing)
    waiting = dozing.doze.future(gate)
    until(lambda: gate.count() == 1)
    for _ in range(2):
        with pytest.raises(ObjectBusy, match=r"doze"):
            dozing.upgrade(None, 0.0)
    gate.open()
    assert waiting.result() == "woken"
    dozing.upgrade()


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
    until(lambda: till.version() != 1)
    assert (till.version(), till.add(1)) == (2, 100)
