"""The short way of a batch through a session: what goes it, and what must not."""

from __future__ import annotations

import pytest

from tests.wire.session_pair import established_pair
from vista.wire.session import Closed, Consumed, Deliver, State, WindowOpen, batch_cost
from vista.wire.session_headers import BATCH


def test_a_batch_in_its_turn_is_accepted_at_its_cost() -> None:
    a, b = established_pair().ends
    message = a.session.send([b"one", b"two"], 1.0)
    assert b.session.accept(message, 1.0) == batch_cost([b"one", b"two"])
    assert (b.session.batches_received, b.session.bytes_received) == (1, 6)


def test_what_was_accepted_is_consumed_as_what_was_delivered_is() -> None:
    a, b = established_pair().ends
    cost = b.session.accept(a.session.send([b"one"], 1.0), 1.0)
    b.session.handle(Consumed(cost), 1.0)
    back = b.session.send([b"back"], 1.0)
    assert a.session.accept(back, 1.0) == batch_cost([b"back"])
    assert BATCH.unpack(back[0])[3] == cost


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda code, token, number, told: (code, token, number + 1, told), id="ahead"),
        pytest.param(lambda code, token, number, told: (code, b"?" * 16, number, told), id="stale"),
        pytest.param(lambda code, token, number, told: (code + 1, token, number, told), id="kind"),
        pytest.param(lambda code, token, number, told: (code, token, number, told + 1), id="total"),
    ],
)
def test_a_batch_with_a_wrong_header_changes_nothing_on_the_short_way(change: object) -> None:
    a, b = established_pair().ends
    head, body = a.session.send([b"one"], 1.0)
    assert callable(change)
    wrong = BATCH.pack(*change(*BATCH.unpack(head)))
    assert b.session.accept([wrong, body], 1.0) == 0
    assert (b.session.batches_received, b.session.state) == (0, State.ESTABLISHED)
    assert b.session.accept([head, body], 1.0) > 0


def test_a_batch_beyond_the_credit_is_not_accepted_and_ends_the_session() -> None:
    a, b = established_pair().ends
    head, _ = a.session.send([b"one"], 1.0)
    huge = [head, bytes(b.session._config.batch_bytes_max + 1)]
    assert b.session.accept(huge, 1.0) == 0
    assert any(isinstance(one, Closed) for one in b.session.received(huge, 1.0))


def test_a_batch_that_opens_an_awaited_window_takes_the_long_way() -> None:
    a, b = established_pair().ends
    half = b"x" * (a.session.window // 2)
    sent = 0
    costs = []
    while a.session.fits([half]):
        costs.append(b.session.accept(a.session.send([half], 1.0), 1.0))
        sent += 1
    assert sent > 0 and all(costs)
    for cost in costs:
        b.session._credit.consume(cost)
    back = b.session.send([b"back"], 1.0)
    assert a.session.accept(back, 1.0) == 0
    kinds = [type(effect) for effect in a.session.received(back, 1.0)]
    assert kinds == [WindowOpen, Deliver]


def test_nothing_is_due_before_a_time_only_if_the_deadline_is_not() -> None:
    a, b = established_pair().ends
    due = b.session.next_deadline()
    assert due is not None
    assert b.session.is_due_after(due) and not b.session.is_due_after(due + 0.001)
    cost = b.session.accept(a.session.send([b"one"], 1.0), 1.0)
    b.session.handle(Consumed(cost), 1.0)
    soon = b.session.next_deadline()
    assert soon is not None and soon < due
    assert b.session.is_due_after(soon) and not b.session.is_due_after(soon + 0.001)
