"""Order: messages from one thread to one object arrive in the order sent, however they are sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vista
from tests.kernel.cast import Gate, Journal, until
from vista.testing import World


class Sender(vista.Object):
    """Sends numbered messages to journals, as it is told."""

    def send_all(self, name: str, plan: list[tuple[int, str]], journals: list[vista.Ref]) -> None:
        """Send message ``number`` of ``plan`` to a journal: by call, post or call in flight."""
        pending: list[vista.Future] = []
        for number, (journal, how) in enumerate(plan):
            target = journals[journal]
            entry = (name, number)
            if how == "send":
                target.write(entry)
            elif how == "post":
                target.write.post(entry)
            else:
                pending.append(target.write.future(entry))
        vista.gather(*pending)


PLANS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["send", "post", "future"])), max_size=25
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(plans=st.lists(PLANS, min_size=1, max_size=3), seed=st.integers(0, 2**16))
def test_each_senders_messages_arrive_in_the_order_sent(plans: list[Any], seed: int) -> None:
    sent = [
        [[number for number, (target, _) in enumerate(plan) if target == which] for which in (0, 1)]
        for plan in plans
    ]
    with World(seed) as world:
        assert world.run(received, plans) == sent


def received(plans: list[Any]) -> list[list[list[int]]]:
    """Send as planned; return the numbers that came of each sender, for each of two journals."""
    journals = [vista.create(Journal), vista.create(Journal)]
    senders = [vista.create(Sender) for _ in plans]
    calls = [
        sender.send_all.future(f"s{index}", plan, journals)
        for index, (sender, plan) in enumerate(zip(senders, plans, strict=True))
    ]
    vista.gather(*calls)
    total = sum(len(plan) for plan in plans)
    until(lambda: sum(len(journal.read()) for journal in journals) >= total)
    return [
        [[number for name, number in one.read() if name == f"s{index}"] for one in journals]
        for index in range(len(plans))
    ]


def test_a_call_does_not_overtake_the_senders_own_posts(node: vista.Node) -> None:
    journal = vista.create(Journal)

    def work() -> list[Any]:
        for number in range(5):
            journal.write.post(number)
        journal.write("call")
        entries: list[Any] = journal.read()
        return entries

    assert node.call(work) == [0, 1, 2, 3, 4, "call"]


def test_messages_that_wait_for_their_turn_run_in_the_order_they_came(node: vista.Node) -> None:
    gate, keeper = vista.create(Gate), vista.create(Kept)
    keeper.keep.post(gate)
    until(lambda: gate.count() == 1)
    calls = [keeper.note.future(number) for number in range(20)]
    gate.open()
    vista.gather(*calls)
    assert keeper.noted() == list(range(20))


class Kept(vista.Object):
    """Can be kept from taking notes."""

    def create(self) -> None:
        self.notes: list[int] = []

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    def note(self, number: int) -> None:
        self.notes.append(number)

    def noted(self) -> list[int]:
        return self.notes


def test_posts_from_outside_arrive_in_the_order_sent(node: vista.Node) -> None:
    journal = vista.create(Journal)
    for number in range(50):
        journal.write.post(number)
    journal.write("last")
    assert journal.read() == [*range(50), "last"]


@pytest.mark.parametrize("count", [3, 30])
def test_a_coroutine_that_sends_side_by_side_keeps_its_order(node: vista.Node, count: int) -> None:
    journal, pen = vista.create(Journal), vista.create(Pen)
    pen.write_all(journal, count)
    assert journal.read() == list(range(count))


class Pen(vista.Object):
    """Writes from a coroutine."""

    async def write_all(self, journal: vista.Ref, count: int) -> None:
        await vista.aio.gather(*[journal.write.future(number) for number in range(count)])
