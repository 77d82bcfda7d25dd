"""Order with preemptable messages: they stand in no line, and nothing overtakes them either."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, filled, runs, until
from vista.kernel.current import current
from vista.kernel.upgrade import _readdressed


class PreemptableLedger(vista.Object):
    """Is written by messages of every kind."""

    def create(self) -> None:
        self.entries: list[Any] = []

    def write(self, entry: Any) -> None:
        self.entries.append(entry)

    @vista.preemptable
    def jot(self, entry: Any) -> None:
        self.entries.append(entry)

    @vista.preemptable
    def jot_and_call(self, entry: Any, later: Any) -> None:
        self.entries.append(entry)
        vista.self_ref(self).jot(later)

    async def write_async(self, entry: Any) -> None:
        self.entries.append(entry)

    @vista.native
    def write_natively(self, entry: Any) -> None:
        self.entries.append(entry)

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    @vista.preemptable
    def read(self) -> list[Any]:
        return self.entries


@pytest.fixture
def ledger(node: vista.Node) -> vista.Ref:
    return vista.create(PreemptableLedger)


def send_by(style: str, ledger: vista.Ref, method: str, entry: int) -> None:
    """Send a message by a call, a post or a call in flight."""
    if style == "call":
        vista.send(ledger, method, entry)
    elif style == "post":
        vista.post(ledger, method, entry)
    else:
        vista.future(ledger, method, entry).result()


def jot_among_many(ledger: vista.Ref) -> tuple[int, int]:
    """Jot 1 while others have messages; how many of these are done then, and how many there are."""
    others = [vista.create(PreemptableLedger) for _ in range(100)]
    waiting = [one.write.future(0) for one in others]
    ledger.jot(1)
    done = sum(one.done() for one in waiting)
    vista.gather(*waiting)
    return done, len(waiting)


@pytest.mark.parametrize("second", ["write", "write_async", "write_natively", "jot"])
@pytest.mark.parametrize("style", ["call", "post", "future"])
def test_nothing_overtakes_a_preemptable_post_of_the_same_sender(
    node: vista.Node, ledger: vista.Ref, second: str, style: str
) -> None:
    def send_both() -> None:
        ledger.jot.post(1)
        send_by(style, ledger, second, 2)

    node.call(send_both)
    assert filled(ledger.read, 2) == [1, 2]


@pytest.mark.parametrize("style", ["call", "post", "future"])
def test_a_preemptable_message_does_not_overtake_what_is_ready_to_run(
    node: vista.Node, ledger: vista.Ref, style: str
) -> None:
    def send_both() -> None:
        ledger.write.post(1)
        send_by(style, ledger, "jot", 2)

    node.call(send_both)
    assert filled(ledger.read, 2) == [1, 2]


def test_a_preemptable_call_waits_for_nobody_elses_messages(
    node: vista.Node, ledger: vista.Ref
) -> None:
    def call_among_many() -> tuple[int, int]:
        ledger.jot.post(0)
        # What was posted before has passed.
        ledger.write(0)
        return jot_among_many(ledger)

    assert node.call(call_among_many) == (0, 100)


def test_a_preemptable_call_waits_for_nothing_that_waits_for_its_turn_in_the_object(
    node: vista.Node, ledger: vista.Ref
) -> None:
    gate = vista.create(Gate)
    keeping = ledger.keep.future(gate)
    until(lambda: gate.count() == 1)
    written = ledger.write.future(2)
    assert node.call(lambda: jot_among_many(ledger)) == (0, 100)
    assert not written.done()
    gate.open()
    vista.gather(keeping, written)
    assert ledger.read() == [1, 2]


def test_a_preemptable_call_does_not_overtake_a_post_among_hundreds_that_are_ready(
    node: vista.Node, ledger: vista.Ref
) -> None:
    def call_among_many() -> list[Any]:
        others = [vista.create(PreemptableLedger) for _ in range(100)]
        waiting = [one.write.future(0) for one in others]
        ledger.jot.post(1)
        ledger.jot(2)
        vista.gather(*waiting)
        entries: list[Any] = ledger.read()
        return entries

    assert node.call(call_among_many) == [1, 2]


def test_of_two_preemptable_posts_the_second_is_not_overtaken_either(
    node: vista.Node, ledger: vista.Ref
) -> None:
    def post_and_call() -> list[Any]:
        ledger.jot_and_call.post(1, 3)
        ledger.jot.post(2)
        return filled(ledger.read, 3)

    assert node.call(post_and_call) == [1, 2, 3]


def test_a_long_row_of_both_kinds_arrives_in_order(node: vista.Node, ledger: vista.Ref) -> None:
    def send_many() -> None:
        for number in range(50):
            (ledger.jot if number % 3 else ledger.write).post(number)
            if not number % 5:
                ledger.write(number + 1000)

    node.call(send_many)
    until(lambda: len(ledger.read()) == 60)
    # Those that take turns keep their order, and so do those that do not.
    entries = ledger.read()
    for kind in (lambda number: number % 3, lambda number: not number % 3):
        mine = [number for number in entries if number < 1000 and kind(number)]
        assert mine == sorted(mine)


def test_a_preemptable_post_that_was_cancelled_holds_nobody_up(ledger: vista.Ref) -> None:
    call = ledger.jot.future(1)
    call.cancel()
    ledger.write(2)
    assert ledger.read()[-1] == 2


def test_a_preemptable_message_does_not_wait_for_a_kept_object(ledger: vista.Ref) -> None:
    gate = vista.create(Gate)
    keeping = ledger.keep.future(gate)
    until(lambda: gate.count() == 1)
    ledger.jot.post(1)
    assert until(ledger.read) == [1]
    assert not keeping.done()
    gate.open()
    keeping.result()


def test_an_object_with_a_guard_keeps_the_order_too(node: vista.Node, ledger: vista.Ref) -> None:
    ledger.add_notify_when_modified("Nobody")

    def send_both() -> None:
        ledger.jot.post(1)
        ledger.write(2)

    node.call(send_both)
    assert filled(ledger.read, 2) == [1, 2]


def test_deleting_with_a_preemptable_message_under_way_harms_nobody(
    node: vista.Node, ledger: vista.Ref
) -> None:
    def post_and_delete() -> None:
        ledger.jot.post(1)
        ledger.delete_yourself()

    node.call(post_and_delete)
    until(lambda: not runs("jot"))
    assert vista.id_of(ledger) not in {row.id for row in vista.objects()}


def test_nothing_overtakes_a_preemptable_message_that_becomes_one_by_an_upgrade(
    node: vista.Node, ledger: vista.Ref
) -> None:
    kernel = node.kernel

    def upgrade_and_call() -> list[Any]:
        # Only the new version takes the message without a turn, which waited for one.
        record = kernel.record_of(ledger)
        method = record.entry.methods["jot"]
        waiting = kernel.invoker.message(current(), record, method, (1,), {}, None)
        assert _readdressed(kernel, deque([waiting])) == deque()
        ledger.jot(2)
        return list(ledger.read())

    assert node.call(upgrade_and_call) == [1, 2]
