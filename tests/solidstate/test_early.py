"""What is kept of views that a replica is not in yet, and how much of it."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.early import EARLY_BATCHES_MAX, EARLY_MESSAGES_MAX, Early, Order
from apps.solidstate.pbft.messages import Batch, Commit, PrePrepare, Proposal, Request

BATCH_BYTES = 1000


@pytest.fixture
def early() -> Early:
    return Early(BATCH_BYTES)


def proposal(sequence: int, size: int = BATCH_BYTES) -> Proposal:
    batch = Batch(1, b"salt", (Request("ann", sequence, b"x" * size, False, 0),))
    return Proposal(PrePrepare(1, sequence, batch.digest), batch)


def sequences(taken: list[tuple[object, Order]]) -> list[int]:
    found = []
    for _, message in taken:
        order = message.pre_prepare if isinstance(message, Proposal) else message
        found.append(order.sequence)
    return found


def test_messages_come_out_in_the_order_of_their_sender_once(early: Early) -> None:
    early.keep(1, proposal(1))
    early.keep(2, Commit(1, 7, b"d" * 32))
    early.keep(1, proposal(2))
    taken = early.take()
    assert sequences(taken) == [1, 2, 7] and [sender for sender, _ in taken] == [1, 1, 2]
    assert early.take() == [] and early.size() == 0


def test_of_one_sender_the_latest_are_kept(early: Early) -> None:
    for sequence in range(EARLY_MESSAGES_MAX + 5):
        early.keep(1, Commit(1, sequence, b"d" * 32))
    early.keep(2, Commit(1, 500, b"d" * 32))
    assert early.size() == EARLY_MESSAGES_MAX
    assert sequences(early.take()) == [*range(5, EARLY_MESSAGES_MAX + 5), 500]


def test_of_one_sender_no_more_bytes_are_kept_than_a_few_batches_may_have(early: Early) -> None:
    for sequence in range(10):
        early.keep(1, proposal(sequence))
    early.keep(2, proposal(20))
    assert sequences(early.take()) == [*range(10 - EARLY_BATCHES_MAX, 10), 20]


def test_bytes_are_counted_anew_after_messages_gave_way_and_after_they_were_taken(
    early: Early,
) -> None:
    for _ in range(2):
        for sequence in range(2 * EARLY_BATCHES_MAX):
            early.keep(1, proposal(sequence))
        for sequence in range(10, 20):
            early.keep(1, proposal(sequence, BATCH_BYTES // 10))
        assert sequences(early.take()) == [*range(EARLY_BATCHES_MAX + 1, 8), *range(10, 20)]


def test_a_batch_that_is_too_large_for_any_view_makes_nothing_give_way(early: Early) -> None:
    for sequence in range(EARLY_BATCHES_MAX):
        early.keep(1, proposal(sequence))
    early.keep(1, proposal(9, BATCH_BYTES + 1))
    assert sequences(early.take()) == list(range(EARLY_BATCHES_MAX))
