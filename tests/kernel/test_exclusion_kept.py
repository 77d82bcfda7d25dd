"""Objects that are kept while their thread waits, and chains that come back into them."""

from __future__ import annotations

import pytest

import vista
from tests.kernel.cast import Counter, Gate, until
from tests.kernel.test_exclusion import Caller, Room, assert_kept


@pytest.fixture
def room(node: vista.Node) -> vista.Ref:
    return vista.create(Room)


# --- calls that come back -------------------------------------------------------------------


def test_a_chain_may_come_back_into_its_object(room: vista.Ref) -> None:
    assert room.call_back(vista.create(Caller), "visit", "back") == "back"


def test_a_chain_that_came_back_may_wait_there(room: vista.Ref, gate: vista.Ref) -> None:
    caller = vista.create(Caller)
    calling = room.call_back.future(caller, "visit", "back", gate)
    until(lambda: gate.count() == 1)
    assert room.visit("other") == "other"
    gate.open()
    calling.result()
    assert room.look() == ["back", "other", "back again"]


def test_an_exclusive_method_that_a_chain_comes_back_to_keeps_the_object(
    room: vista.Ref, gate: vista.Ref
) -> None:
    caller = vista.create(Caller)
    assert_kept(room, room.call_back.future(caller, "keep", "back", gate), gate)
    assert room.look() == ["back", "visitor"]


def test_an_exclusive_method_that_waits_itself_keeps_the_object(
    room: vista.Ref, gate: vista.Ref
) -> None:
    class Keeping(vista.Object):
        def create(self) -> None:
            self.seen: list[str] = []

        @vista.exclusive
        def keep(self, gate: vista.Ref) -> None:
            # Waits in its own frame, with nothing nested.
            gate.pass_through.future().result()
            self.seen.append("kept")

        def visit(self) -> list[str]:
            self.seen.append("visited")
            return self.seen

    keeper = vista.create(Keeping)
    keeping = keeper.keep.future(gate)
    until(lambda: gate.count() == 1)
    visiting = keeper.visit.future()
    vista.sleep(0.01)
    assert not visiting.done()
    gate.open()
    assert vista.gather(keeping, visiting) == [None, ["kept", "visited"]]


def test_after_a_call_that_waited_the_caller_is_active_again(room: vista.Ref) -> None:
    class Waiter(vista.Object):
        def create(self) -> None:
            self.inside = 0
            self.most = 0

        def go(self, gate: vista.Ref) -> int:
            for _ in range(3):
                gate.pass_through()
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.inside -= 1
            return self.most

    waiter, gate = vista.create(Waiter), vista.create(Gate)
    calls = [waiter.go.future(gate) for _ in range(20)]
    until(lambda: gate.count() == 20)
    gate.open()
    assert set(vista.gather(*calls)) == {1}


# --- @exclusive -----------------------------------------------------------------------------


def test_an_exclusive_method_keeps_its_object_while_it_waits(
    room: vista.Ref, gate: vista.Ref
) -> None:
    assert_kept(room, room.keep.future("keeper", gate), gate)
    assert room.look() == ["keeper", "visitor"]


def test_an_exclusive_method_keeps_its_object_through_several_waits(room: vista.Ref) -> None:
    one, two = vista.create(Gate), vista.create(Gate)
    keeping = room.keep_twice.future("keeper", one, two)
    until(lambda: one.count() == 1)
    visiting = room.visit.future("visitor")
    one.open()
    until(lambda: two.count() == 1)
    vista.sleep(0.01)
    assert not visiting.done()
    two.open()
    vista.gather(keeping, visiting)
    assert room.look() == ["keeper", "visitor"]


def test_an_exclusive_method_lets_go_when_it_raises(room: vista.Ref) -> None:
    with pytest.raises(TypeError):
        room.keep("keeper")
    assert room.visit("next") == "next"


def test_an_exclusive_method_lets_go_when_it_is_killed(room: vista.Ref, gate: vista.Ref) -> None:
    keeping = room.keep.future("keeper", gate)
    until(lambda: gate.count() == 1)
    keeping.cancel()
    assert room.visit("next") == "next"


def test_an_exclusive_method_lets_others_of_its_chain_go(room: vista.Ref, gate: vista.Ref) -> None:
    caller = vista.create(Caller)
    calling = caller.call.future(room, "keep", "keeper", gate)
    until(lambda: gate.count() == 1)
    assert caller.call(vista.create(Counter, 5), "get") == 5
    gate.open()
    calling.result()


def test_a_preemptable_method_looks_into_an_object_that_is_kept(
    room: vista.Ref, gate: vista.Ref
) -> None:
    keeping = room.keep.future("keeper", gate)
    until(lambda: gate.count() == 1)
    assert room.look() == []
    gate.open()
    keeping.result()


def test_an_exclusive_method_may_call_a_preemptable_one_of_its_object(room: vista.Ref) -> None:
    assert room.keep_and_call(room, "look") == []


def test_a_chain_of_an_exclusive_method_may_come_back_to_a_preemptable_one(
    room: vista.Ref,
) -> None:
    assert room.keep_and_call_back(vista.create(Caller), "look") == []


def test_a_preemptable_method_that_waits_does_not_release_what_its_caller_keeps(
    room: vista.Ref, gate: vista.Ref
) -> None:
    assert_kept(room, room.keep_and_call.future(room, "look_and_wait", gate), gate)


def test_an_exclusive_method_may_ask_what_its_object_is(room: vista.Ref) -> None:
    assert room.keep_and_call(room, "class_of").name == "Room"
