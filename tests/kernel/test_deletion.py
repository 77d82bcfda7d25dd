"""Deleting objects: the delete hook, and what is left."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, Journal, until
from vista import Object, ObjectDeleted

pytestmark = pytest.mark.usefixtures("node")


class Tidy(Object):
    """Writes in a journal when it is deleted."""

    def create(self, journal: Any, gate: Any = None) -> None:
        self.journal = journal
        self.gate = gate

    def delete(self) -> None:
        if self.gate is not None:
            self.gate.pass_through()
        self.journal.write("deleted")

    def ping(self) -> str:
        return "pong"


class Clumsy(Object):
    """Raises when it is deleted."""

    def delete(self) -> None:
        raise RuntimeError("cannot tidy up")


def ids() -> list[vista.Id]:
    """Return the Ids of the node's objects."""
    return [row.id for row in vista.objects()]


def test_the_delete_hook_runs_once() -> None:
    journal = vista.create(Journal)
    tidy = vista.create(Tidy, journal)
    vista.delete(tidy)
    with pytest.raises(ObjectDeleted):
        vista.delete(tidy)
    assert journal.read() == ["deleted"]


def test_the_delete_hook_runs_once_though_another_deletion_comes_while_it_waits() -> None:
    journal, gate = vista.create(Journal), vista.create(Gate)
    tidy = vista.create(Tidy, journal, gate)
    first = tidy.delete_yourself.future()
    until(lambda: gate.count() == 1)
    vista.delete(tidy)
    gate.open()
    first.result()
    assert journal.read() == ["deleted"]
    assert vista.id_of(tidy) not in ids()


def test_an_object_answers_while_its_delete_hook_waits() -> None:
    journal, gate = vista.create(Journal), vista.create(Gate)
    tidy = vista.create(Tidy, journal, gate)
    deleting = tidy.delete_yourself.future()
    until(lambda: gate.count() == 1)
    assert tidy.ping() == "pong"
    gate.open()
    deleting.result()
    with pytest.raises(ObjectDeleted):
        tidy.ping()


def test_a_delete_hook_that_raises_does_not_keep_the_object() -> None:
    clumsy = vista.create(Clumsy)
    with pytest.raises(RuntimeError, match="cannot tidy up"):
        vista.delete(clumsy)
    assert vista.id_of(clumsy) not in ids()


def test_a_delete_hook_whose_time_is_over_does_not_keep_the_object() -> None:
    tidy = vista.create(Tidy, vista.create(Journal), vista.create(Gate))
    with pytest.raises(vista.CallTimeout), vista.timeout(0.01):
        vista.delete(tidy)
    until(lambda: vista.id_of(tidy) not in ids())


def test_a_failed_create_runs_no_delete_hook() -> None:
    class Doomed(Tidy):
        def create(self, journal: Any, gate: Any = None) -> None:
            super().create(journal)
            raise RuntimeError("no")

    journal = vista.create(Journal)
    with pytest.raises(RuntimeError):
        vista.create(Doomed, journal)
    assert journal.read() == []


def test_delete_hooks_of_several_bases_cooperate() -> None:
    class Upper(Tidy):
        def delete(self) -> None:
            self.journal.write("upper")
            super().delete()

    journal = vista.create(Journal)
    vista.delete(vista.create(Upper, journal))
    assert journal.read() == ["upper", "deleted"]


def test_an_async_delete_hook_is_awaited() -> None:
    class Slow(Tidy):
        async def delete(self) -> None:  # type: ignore[override]
            await vista.aio.sleep(0)
            await vista.aio.send(self.journal, "write", "slowly")

    journal = vista.create(Journal)
    slow = vista.create(Slow, journal)
    vista.delete(slow)
    assert journal.read() == ["slowly"]
    assert vista.id_of(slow) not in ids()


def test_an_object_with_a_guard_is_deleted_whole(node: vista.Node) -> None:
    tidy = vista.create(Tidy, vista.create(Journal), acl=vista.make_default_acl())
    tidy.add_notify_when_modified(vista.create(Journal))
    vista.delete(tidy)
    assert vista.id_of(tidy) not in ids()
    with pytest.raises(ObjectDeleted):
        tidy.ping()
