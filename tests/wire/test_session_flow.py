"""Credit: how much a session sends before the other side has worked it off."""

from __future__ import annotations

import pytest

from tests.wire.session_pair import End, Pair, config, established_pair
from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.wire.credit import PART_COST, Credit, batch_cost
from vista.wire.session import Consumed, Kind, Received, Send, State

WINDOW = 1000
BODY = b"x" * (250 - 2 * PART_COST)  # four of these batches fill the window


def small_pair(**changes: int) -> Pair:
    """A pair whose windows hold four batches of `BODY`."""
    return established_pair(**{"window_bytes": WINDOW, "ack_seconds": 0.02, **changes})


def kinds(end: End) -> list[str]:
    """The kinds of messages an end sent since the handshake."""
    return [Kind(bytes(parts[0])[0]).name for parts in end.sent]


def test_a_batch_costs_its_bytes_and_a_share_for_each_part() -> None:
    assert batch_cost([b"ab", b"c"]) == 3 + 3 * PART_COST
    assert batch_cost([]) == PART_COST


def test_what_is_sent_and_not_consumed_takes_window() -> None:
    pair = small_pair()
    assert pair.initiator.session.window == WINDOW
    pair.send(pair.initiator, BODY)
    pair.settle()
    assert pair.initiator.session.window == WINDOW - 250


def test_each_end_has_the_window_the_other_grants() -> None:
    pair = Pair(config("i", window_bytes=700), config("a", window_bytes=900))
    assert [end.session.window for end in pair.ends] == [0, 0]
    pair.settle()
    assert [end.session.window for end in pair.ends] == [900, 700]


def test_a_batch_beyond_the_window_is_not_sent() -> None:
    pair = small_pair()
    for _ in range(4):
        pair.send(pair.initiator, BODY)
    assert not pair.initiator.session.fits([b""])
    with pytest.raises(LocalProtocolError, match=r"128 bytes of credit beside 1000 outstanding"):
        pair.send(pair.initiator, b"")
    pair.settle()
    assert len(pair.acceptor.delivered) == 4
    assert pair.initiator.session.batches_sent == 4


def test_a_batch_greater_than_the_window_goes_alone() -> None:
    pair = small_pair()
    large = b"x" * 5000
    pair.send(pair.initiator, large)
    assert pair.initiator.session.window == 0
    assert not pair.initiator.session.fits([b""])
    pair.settle()
    assert pair.acceptor.bodies() == [[large]]
    pair.consume(pair.acceptor)
    pair.settle()
    assert pair.initiator.session.window == WINDOW


def test_a_batch_greater_than_the_window_waits_for_all_before_it() -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    assert not pair.initiator.session.fits([b"x" * 5000])
    pair.settle()
    pair.consume(pair.acceptor)
    pair.advance(0.02)
    assert pair.initiator.windows_opened == 1
    assert pair.initiator.session.fits([b"x" * 5000])


def test_a_batch_greater_than_the_peer_takes_never_fits() -> None:
    pair = Pair(config("i"), config("a", batch_bytes_max=4000))
    pair.settle()
    assert pair.initiator.session.batch_bytes_max == 4000
    assert not pair.initiator.session.fits([b"x" * 4000])
    with pytest.raises(LocalProtocolError, match=r"its greatest batch 4000"):
        pair.send(pair.initiator, b"x" * 4000)
    assert pair.initiator.state is State.ESTABLISHED


def test_a_refused_batch_that_can_never_fit_keeps_no_other_from_opening_the_window() -> None:
    pair = small_pair(batch_bytes_max=WINDOW)
    assert not pair.initiator.session.fits([b"x" * 5000])
    for _ in range(4):
        pair.send(pair.initiator, BODY)
    pair.settle()
    pair.consume(pair.acceptor)
    pair.settle()
    assert pair.initiator.windows_opened == 1


def test_the_window_opens_once_what_did_not_fit_does() -> None:
    pair = small_pair()
    for _ in range(3):
        pair.send(pair.initiator, BODY)
    assert not pair.initiator.session.fits([b"x" * 600])
    pair.settle()
    first, *rest = pair.acceptor.delivered
    pair.do(pair.acceptor, Consumed(first.cost))
    pair.advance(0.02)
    assert (pair.initiator.session.window, pair.initiator.windows_opened) == (500, 0)
    for delivered in rest:
        pair.do(pair.acceptor, Consumed(delivered.cost))
    pair.settle()
    assert pair.initiator.windows_opened == 1


def test_no_window_opens_that_nobody_waits_for() -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.settle()
    pair.consume(pair.acceptor)
    pair.advance(0.02)
    assert (pair.initiator.session.window, pair.initiator.windows_opened) == (WINDOW, 0)


def test_consumed_bytes_are_told_at_once_at_half_of_the_window() -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.send(pair.initiator, BODY)
    pair.settle()
    pair.do(pair.acceptor, Consumed(250))
    assert kinds(pair.acceptor) == []
    pair.do(pair.acceptor, Consumed(250))
    assert kinds(pair.acceptor) == ["CREDIT"]


def test_consumed_bytes_ride_on_a_batch() -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.settle()
    pair.consume(pair.acceptor)
    pair.send(pair.acceptor, b"reply")
    pair.settle()
    assert pair.initiator.session.window == WINDOW
    pair.advance(1.0)
    assert kinds(pair.acceptor) == ["BATCH"]


def test_consumed_bytes_are_told_alone_when_nothing_is_sent_for_a_while() -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.settle()
    pair.consume(pair.acceptor)
    assert pair.acceptor.session.next_deadline() == pair.now + 0.02
    pair.advance(0.019)
    assert kinds(pair.acceptor) == []
    pair.advance(0.001)
    assert kinds(pair.acceptor) == ["CREDIT"]
    assert pair.initiator.session.window == WINDOW


def test_what_is_consumed_later_does_not_put_the_word_of_it_off() -> None:
    pair = small_pair()
    pair.send(pair.initiator, b"1")
    pair.send(pair.initiator, b"2")
    pair.settle()
    first, second = pair.acceptor.delivered
    pair.do(pair.acceptor, Consumed(first.cost))
    pair.advance(0.015)
    pair.do(pair.acceptor, Consumed(second.cost))
    pair.advance(0.005)
    assert kinds(pair.acceptor) == ["CREDIT"]
    assert pair.initiator.session.window == WINDOW


def test_a_peer_that_sends_beyond_its_credit_is_closed() -> None:
    pair = Pair(config("i"), config("a", window_bytes=WINDOW))
    pair.settle()
    # The initiator believes in more credit than the acceptor granted.
    pair.initiator.session._credit.meet(10**6, 10**6)
    for _ in range(5):
        pair.send(pair.initiator, BODY)
    pair.settle()
    assert len(pair.acceptor.delivered) == 4
    assert pair.acceptor.closed is not None
    assert isinstance(pair.acceptor.closed.error, RemoteProtocolError)
    assert "beside 1000 outstanding; the window is 1000" in pair.acceptor.closed.reason


def test_credit_that_was_not_told_is_none() -> None:
    pair = Pair(config("i"), config("a", window_bytes=WINDOW))
    pair.settle()
    pair.initiator.session._credit.meet(10**6, 10**6)
    for _ in range(4):
        pair.send(pair.initiator, BODY)
    pair.settle()
    pair.do(pair.acceptor, Consumed(250))
    pair.send(pair.initiator, BODY)
    pair.settle()
    assert isinstance(pair.acceptor.closed and pair.acceptor.closed.error, RemoteProtocolError)


def test_empty_batches_beyond_the_credit_are_closed_too() -> None:
    pair = Pair(config("i"), config("a", window_bytes=WINDOW))
    pair.settle()
    pair.initiator.session._credit.meet(10**6, 10**6)
    for _ in range(100):
        pair.do(pair.initiator, Send([]))
    pair.settle()
    assert len(pair.acceptor.delivered) == WINDOW // PART_COST
    assert pair.acceptor.state is State.CLOSED


def test_a_batch_greater_than_this_side_takes_is_closed() -> None:
    pair = Pair(config("i"), config("a", batch_bytes_max=4000))
    pair.settle()
    pair.initiator.session._credit.meet(10**6, 10**6)
    pair.send(pair.initiator, b"x" * 4000)
    pair.settle()
    assert pair.acceptor.delivered == []
    assert isinstance(pair.acceptor.closed and pair.acceptor.closed.error, RemoteProtocolError)


@pytest.mark.parametrize("consumed", [251, 2**64 - 1, 0], ids=["more", "most", "less"])
def test_a_peer_that_claims_to_have_consumed_what_cannot_be_is_closed(consumed: int) -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.settle()
    pair.consume(pair.acceptor)
    pair.advance(0.02)  # 250 bytes are told
    told = bytes(pair.acceptor.sent[-1][0])
    pair.do(pair.initiator, Received([told[:17] + consumed.to_bytes(8)]))
    assert pair.initiator.closed is not None
    assert f"the peer consumed {consumed} bytes in all, of 250 sent" in pair.initiator.closed.reason


@pytest.mark.parametrize("cost", [251, -1])
def test_more_consumed_than_came_is_this_sides_mistake(cost: int) -> None:
    pair = small_pair()
    pair.send(pair.initiator, BODY)
    pair.settle()
    with pytest.raises(LocalProtocolError, match=rf"{cost} bytes consumed of 250 delivered"):
        pair.do(pair.acceptor, Consumed(cost))


def test_a_long_stream_flows_through_a_small_window() -> None:
    pair = small_pair()
    sent = 0
    for _ in range(2000):
        while sent < 1000 and pair.initiator.session.fits([BODY]):
            pair.send(pair.initiator, BODY)
            sent += 1
        pair.settle()
        pair.consume(pair.acceptor)
        pair.settle()
    assert pair.acceptor.session.batches_received == 1000
    # One word of credit for each half of a window.
    assert kinds(pair.acceptor) == ["CREDIT"] * 500


def test_credit_before_the_peer_granted_any_admits_nothing() -> None:
    assert not Credit(1000, 1000).has_room(1)
