"""Mutual exclusion: one active thread per object, which lets others in while it waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, row_of, until


class Room(vista.Object):
    """Notes who is active in it."""

    def create(self) -> None:
        self.inside: list[str] = []
        self.entries: list[str] = []
        self.crowded = False

    def _stretch(self, name: str) -> None:
        """Be active, giving the processor away in the midst of it."""
        self.inside.append(name)
        self.crowded |= len(self.inside) > 1
        self.entries.append(name)
        self.inside.remove(name)

    def visit(self, name: str, gate: vista.Ref | None = None) -> str:
        self._stretch(name)
        if gate is not None:
            gate.pass_through()
            self._stretch(f"{name} again")
        return name

    @vista.exclusive
    def keep(self, name: str, gate: vista.Ref) -> str:
        self.inside.append(name)
        gate.pass_through()
        self.crowded |= len(self.inside) > 1
        self.inside.remove(name)
        self.entries.append(name)
        return name

    @vista.exclusive
    def keep_twice(self, name: str, gate: vista.Ref, other: vista.Ref) -> None:
        gate.pass_through()
        other.pass_through()
        self.entries.append(name)

    def many_sends(self, counter: vista.Ref, count: int) -> bool:
        """Send so often that the loop is given its turn; whether somebody else came in."""
        self.inside.append("sender")
        for _ in range(count):
            counter.increment()
        alone = self.inside == ["sender"]
        self.inside.remove("sender")
        return alone

    def intrude(self) -> None:
        self.crowded |= bool(self.inside)

    def call_back(self, other: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(other, "call", vista.self_ref(self), method, *args)

    @vista.exclusive
    def keep_and_call_back(self, other: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(other, "call", vista.self_ref(self), method, *args)

    @vista.exclusive
    def keep_and_call(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.preemptable
    def look(self) -> list[str]:
        return self.entries

    @vista.preemptable
    def look_and_wait(self, gate: vista.Ref) -> list[str]:
        gate.pass_through()
        return self.entries

    def was_crowded(self) -> bool:
        return self.crowded


class Caller(vista.Object):
    """Passes calls on."""

    def call(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def call_in_turn(self, target: vista.Ref, method: str, count: int) -> list[Any]:
        return [vista.send(target, method) for _ in range(count)]


@pytest.fixture
def room(node: vista.Node) -> vista.Ref:
    return vista.create(Room)


def assert_kept(room: vista.Ref, keeping: vista.Future, gate: vista.Ref) -> None:
    """A room lets nobody in until the call that keeps it, and waits at a gate, has ended."""
    until(lambda: gate.count() == 1)
    visiting = room.visit.future("visitor")
    vista.sleep(0.01)
    assert not visiting.done()
    gate.open()
    vista.gather(keeping, visiting)


# --- released while suspended ---------------------------------------------------------------


def test_a_thread_that_waits_lets_the_next_one_in(room: vista.Ref, gate: vista.Ref) -> None:
    waiting = room.visit.future("first", gate)
    until(lambda: gate.count() == 1)
    assert room.visit("second") == "second"
    gate.open()
    waiting.result()
    assert room.look() == ["first", "second", "first again"]


def test_a_thread_that_sleeps_lets_the_next_one_in(node: vista.Node) -> None:
    class Sleeper(vista.Object):
        def sleep(self) -> None:
            vista.sleep(0.05)

        def answer(self) -> int:
            return 42

    sleeper = vista.create(Sleeper)
    sleeping = sleeper.sleep.future()
    until(lambda: row_of("sleep").state == "sleeping")
    assert sleeper.answer() == 42
    assert not sleeping.done()
    sleeping.result()


def test_a_thread_goes_on_only_when_the_one_that_came_in_has_ended(
    room: vista.Ref, gate: vista.Ref
) -> None:
    second = vista.create(Gate)
    waiting = room.visit.future("first", gate)
    until(lambda: gate.count() == 1)
    keeping = room.keep.future("keeper", second)
    until(lambda: second.count() == 1)
    gate.open()
    until(lambda: gate.count() == 0)
    vista.sleep(0.01)
    assert not waiting.done()
    second.open()
    vista.gather(waiting, keeping)
    assert room.look() == ["first", "keeper", "first again"]


def test_waiting_threads_go_on_in_the_order_in_which_they_could(room: vista.Ref) -> None:
    keeper, gates = vista.create(Gate), [vista.create(Gate) for _ in range(5)]
    visits = [room.visit.future(str(number), gate) for number, gate in enumerate(gates)]
    until(lambda: all(gate.count() == 1 for gate in gates))
    keeping = room.keep.future("keeper", keeper)
    until(lambda: keeper.count() == 1)
    for number in (3, 1, 4, 0, 2):
        gates[number].open()
        until(lambda number=number: gates[number].count() == 0)
        vista.sleep(0.01)
    keeper.open()
    vista.gather(keeping, *visits)
    again = [entry for entry in room.look() if entry.endswith("again")]
    assert again == ["3 again", "1 again", "4 again", "0 again", "2 again"]


def test_messages_that_wait_for_an_object_run_first_come_first_served(
    room: vista.Ref, gate: vista.Ref
) -> None:
    keeping = room.keep.future("keeper", gate)
    until(lambda: gate.count() == 1)
    for number in range(10):
        room.visit.post(str(number))
        vista.sleep(0.001)
    gate.open()
    keeping.result()
    until(lambda: len(room.look()) == 11)
    assert room.look() == ["keeper", *map(str, range(10))]


def test_a_woken_thread_and_a_message_stand_in_one_line(room: vista.Ref, gate: vista.Ref) -> None:
    keeper = vista.create(Gate)
    visit = room.visit.future("visitor", gate)
    until(lambda: gate.count() == 1)
    keeping = room.keep.future("keeper", keeper)
    until(lambda: keeper.count() == 1)
    before = room.visit.future("before")
    vista.sleep(0.01)
    gate.open()
    until(lambda: gate.count() == 0)
    vista.sleep(0.01)
    after = room.visit.future("after")
    keeper.open()
    vista.gather(visit, keeping, before, after)
    assert room.look() == ["visitor", "keeper", "before", "visitor again", "after"]


def test_a_hundred_threads_that_wait_in_one_object_are_never_active_together(
    room: vista.Ref, gate: vista.Ref
) -> None:
    visits = [room.visit.future(str(number), gate) for number in range(100)]
    until(lambda: gate.count() == 100)
    gate.open()
    vista.gather(*visits)
    assert not room.was_crowded()


def test_an_object_lets_others_in_while_its_thread_waits_for_an_answer(room: vista.Ref) -> None:
    gate, caller = vista.create(Gate), vista.create(Caller)
    asking = caller.call.future(gate, "pass_through")
    until(lambda: gate.count() == 1)
    assert caller.call(room, "visit", "meanwhile") == "meanwhile"
    gate.open()
    asking.result()


def test_objects_of_a_whole_chain_let_others_in(room: vista.Ref, gate: vista.Ref) -> None:
    first, second = vista.create(Caller), vista.create(Caller)
    asking = first.call.future(second, "call", room, "visit", "deep", gate)
    until(lambda: gate.count() == 1)
    for caller in (first, second):
        assert caller.call(room, "look") == ["deep"]
    gate.open()
    assert asking.result() == "deep"


def test_objects_that_call_each_other_crosswise_do_not_stop_each_other(node: vista.Node) -> None:
    class Peer(vista.Object):
        def greet(self, other: vista.Ref) -> str:
            vista.sleep(0.002)
            return str(other.answer())

        def answer(self) -> str:
            vista.sleep(0.001)
            return "hello"

    one, other = vista.create(Peer), vista.create(Peer)
    calls = [ref.greet.future(back) for ref, back in ((one, other), (other, one)) for _ in range(5)]
    assert vista.gather(*calls) == ["hello"] * 10


# --- giving the loop its turn ---------------------------------------------------------------


def test_a_thread_that_gives_the_loop_its_turn_keeps_its_object(real_node: vista.Node) -> None:
    # Not in a simulated world: there a call may be queued, and a caller that waits lets others in.
    room = vista.create(Room)
    sending = room.many_sends.future(vista.create(Counter), 30_000)
    for _ in range(20):
        room.intrude.post()
        vista.sleep(0.001)
    assert sending.result()
    assert not room.was_crowded()


def test_a_thread_called_back_keeps_its_object_when_it_gives_the_loop_its_turn(
    real_node: vista.Node,
) -> None:
    room = vista.create(Room)
    # room -> caller -> room: the outer thread of the chain must not let go what the inner one uses.
    counter, caller = vista.create(Counter), vista.create(Caller)
    sending = room.call_back.future(caller, "many_sends", counter, 30_000)
    for _ in range(20):
        room.intrude.post()
        vista.sleep(0.001)
    assert sending.result()
    assert not room.was_crowded()


# --- @preemptable ---------------------------------------------------------------------------


def test_preemptable_threads_run_beside_each_other(room: vista.Ref, gate: vista.Ref) -> None:
    looks = [room.look_and_wait.future(gate) for _ in range(3)]
    until(lambda: gate.count() == 3)
    assert [row.method for row in vista.threads()].count("look_and_wait") == 3
    gate.open()
    assert vista.gather(*looks) == [[]] * 3


def test_a_preemptable_thread_keeps_nobody_out(room: vista.Ref, gate: vista.Ref) -> None:
    looking = room.look_and_wait.future(gate)
    until(lambda: gate.count() == 1)
    assert room.visit("visitor") == "visitor"
    gate.open()
    assert looking.result() == ["visitor"]


def test_a_preemptable_thread_called_back_leaves_its_chain_in_order(
    room: vista.Ref, gate: vista.Ref
) -> None:
    calling = room.call_back.future(vista.create(Caller), "look_and_wait", gate)
    until(lambda: gate.count() == 1)
    assert room.visit("other") == "other"
    gate.open()
    assert calling.result() == ["other"]


# --- async methods --------------------------------------------------------------------------


class ExclusionKiosk(vista.Object):
    """Has ``async def`` methods."""

    def create(self) -> None:
        self.events: dict[str, asyncio.Event] = {}
        self.entries: list[str] = []

    async def serve(self, name: str) -> str:
        self.entries.append(f"{name} in")
        event = self.events[name] = asyncio.Event()
        await event.wait()
        self.entries.append(f"{name} out")
        return name

    @vista.exclusive
    async def serve_alone(self, name: str) -> str:
        return await ExclusionKiosk.serve(self, name)

    @vista.preemptable
    def let_go(self, name: str) -> None:
        self.events.pop(name).set()

    @vista.preemptable
    def look(self) -> list[str]:
        return self.entries

    def visit(self, name: str) -> None:
        self.entries.append(name)

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()
        self.entries.append("kept")


def test_an_async_method_lets_others_in_at_an_await(node: vista.Node) -> None:
    kiosk = vista.create(ExclusionKiosk)
    serving = kiosk.serve.future("one")
    until(lambda: kiosk.look() == ["one in"])
    kiosk.visit("other")
    kiosk.let_go("one")
    assert serving.result() == "one"
    assert kiosk.look() == ["one in", "other", "one out"]


def test_a_message_that_came_while_an_async_method_was_active_runs_at_its_await(
    node: vista.Node,
) -> None:
    # Both messages are there before the coroutine takes its first step.
    kiosk = vista.create(ExclusionKiosk)
    serving, visiting = kiosk.serve.future("one"), kiosk.visit.future("other")
    visiting.result()
    assert not serving.done()
    until(lambda: "one in" in kiosk.look())
    kiosk.let_go("one")
    serving.result()


def test_an_async_method_goes_on_only_when_the_object_is_free(gate: vista.Ref) -> None:
    kiosk = vista.create(ExclusionKiosk)
    serving = kiosk.serve.future("one")
    until(lambda: kiosk.look() == ["one in"])
    keeping = kiosk.keep.future(gate)
    until(lambda: gate.count() == 1)
    kiosk.let_go("one")
    vista.sleep(0.01)
    assert kiosk.look() == ["one in"]
    gate.open()
    vista.gather(serving, keeping)
    assert kiosk.look() == ["one in", "kept", "one out"]


def test_an_exclusive_async_method_keeps_its_object_at_an_await(node: vista.Node) -> None:
    kiosk = vista.create(ExclusionKiosk)
    serving = kiosk.serve_alone.future("one")
    until(lambda: kiosk.look() == ["one in"])
    visiting = kiosk.visit.future("other")
    vista.sleep(0.01)
    assert not visiting.done()
    kiosk.let_go("one")
    vista.gather(serving, visiting)
    assert kiosk.look() == ["one in", "one out", "other"]


def test_two_async_methods_of_one_object_take_turns(node: vista.Node) -> None:
    kiosk = vista.create(ExclusionKiosk)
    one, two = kiosk.serve.future("one"), kiosk.serve.future("two")
    until(lambda: len(kiosk.look()) == 2)
    kiosk.let_go("two")
    kiosk.let_go("one")
    assert vista.gather(one, two) == ["one", "two"]


# --- objects that wait while watched or listed ----------------------------------------------


def test_an_object_that_is_watched_is_exclusive_too(room: vista.Ref, gate: vista.Ref) -> None:
    class Watcher(vista.Object):
        def object_modified(self, id: vista.Id) -> None:
            journal.write("modified")

    journal = vista.create(Journal)
    room.add_notify_when_modified(vista.create(Watcher))
    keeping = room.keep.future("keeper", gate)
    assert_kept(room, keeping, gate)
    until(lambda: journal.read() == ["modified"] * 2)


def test_an_object_that_gets_a_guard_as_its_answer_is_told_is_let_go(node: vista.Node) -> None:
    room = vista.create(Room)

    def call() -> Any:
        visit = room.visit.future("early")
        visit.on_done(lambda _: node.kernel.guard_of(room._record))
        return visit.result()

    assert node.call(call) == "early"
    with vista.timeout(2):
        assert room.visit("late") == "late"
