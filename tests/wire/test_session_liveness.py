"""Liveness: pings, round trips, loss, pauses of the own process, and the bound of the handshake."""

from __future__ import annotations

import pytest

from tests.wire.session_pair import End, Pair, config, established_pair
from vista.errors import RemoteProtocolError
from vista.wire.session import Close, Closed, Effect, Kind, Lost, Received, Send, State, Tick


def kinds(end: End) -> list[str]:
    """The kinds of messages an end sent since the handshake."""
    return [Kind(bytes(parts[0])[0]).name for parts in end.sent]


def tick(pair: Pair, end: End, now: float) -> list[Effect]:
    """Tell one end that it is so late; its messages stay under way."""
    pair.now = now
    count = len(end.sent)
    pair.do(end, Tick())
    return [*end.sent[count:], *([end.closed] if end.closed else [])]  # type: ignore[list-item]


def test_an_idle_link_lives_by_pings() -> None:
    pair = established_pair()
    pair.advance(100.0)
    assert [end.state for end in pair.ends] == [State.ESTABLISHED] * 2
    assert pair.initiator.session.pings_sent >= 25


def test_a_ping_leaves_when_nothing_was_sent_for_a_while() -> None:
    pair = established_pair()
    assert pair.initiator.session.next_deadline() == 1002.0
    assert tick(pair, pair.initiator, 1001.999) == []
    tick(pair, pair.initiator, 1002.0)
    assert kinds(pair.initiator) == ["PING"]
    assert pair.initiator.session.next_deadline() == 1004.0


def test_what_is_sent_puts_the_ping_off() -> None:
    pair = established_pair()
    pair.now = 1001.0
    pair.send(pair.initiator, b"batch")
    assert pair.initiator.session.next_deadline() == 1003.0


def test_a_silent_peer_is_lost() -> None:
    pair = established_pair()
    pair.advance(7.999, cut=True)
    assert [end.closed for end in pair.ends] == [None, None]
    pair.advance(0.001, cut=True)
    assert pair.initiator.closed == Closed("silent for 8 s", orderly=False)
    assert pair.initiator.closed.lost


def test_a_lost_peer_is_told_in_case_it_hears() -> None:
    pair = established_pair()
    pair.initiator.session._liveness.heard_at = pair.now - 8.0
    pair.do(pair.initiator, Tick())
    pair.settle()
    assert pair.acceptor.closed == Closed("the peer said goodbye: silent for 8 s", orderly=True)


def test_a_batch_is_a_sign_of_life() -> None:
    pair = established_pair()
    for _ in range(10):
        pair.advance(1.0, cut=True)
        pair.send(pair.acceptor, b"x")
        pair.settle()
    assert pair.initiator.state is State.ESTABLISHED


def test_a_message_with_another_token_is_no_sign_of_life() -> None:
    pair = established_pair()
    for _ in range(8):
        pair.advance(1.0, cut=True)
        pair.do(pair.initiator, Received([bytes([Kind.PING]) + bytes(24)]))
    assert pair.initiator.closed is not None
    assert pair.initiator.closed.lost


def test_the_round_trip_is_measured_by_pings_and_smoothed() -> None:
    pair = established_pair()
    session = pair.initiator.session
    assert session.round_trip_seconds is None
    for sent_at, took in ((1002.0, 0.25), (1005.0, 1.25)):
        tick(pair, pair.initiator, sent_at)
        pair.carry(pair.initiator)
        pair.now += took
        pair.settle()
    assert session.round_trip_seconds == 0.25 + (1.25 - 0.25) / 8


def test_a_round_trip_longer_than_the_pause_between_pings_is_measured() -> None:
    pair = established_pair()
    for now in (1002.0, 1004.0):
        tick(pair, pair.initiator, now)
    pair.now = 1005.0
    pair.settle()
    assert pair.initiator.session.round_trip_seconds == 3.0


def test_a_ping_the_peer_passed_over_measures_nothing() -> None:
    pair = established_pair()
    for now in (1002.0, 1004.0):
        tick(pair, pair.initiator, now)
    pair.initiator.outbox.popleft()
    pair.settle()
    assert pair.initiator.session.round_trip_seconds is None
    tick(pair, pair.initiator, 1006.0)
    pair.settle()
    assert pair.initiator.session.round_trip_seconds == 0.0


def test_a_repeated_answer_keeps_no_later_ping_from_being_timed() -> None:
    pair = established_pair()
    tick(pair, pair.initiator, 1002.0)
    pair.carry(pair.initiator)
    pong = pair.acceptor.outbox[0]
    pair.settle()
    tick(pair, pair.initiator, 1004.0)
    pair.do(pair.initiator, Received(pong))
    pair.now += 0.8
    pair.settle()
    assert pair.initiator.session.round_trip_seconds == pytest.approx(0.1)


def test_an_answer_to_a_ping_never_sent_ends_the_session() -> None:
    pair = established_pair()
    tick(pair, pair.initiator, 1002.0)
    pair.carry(pair.initiator)
    pong = bytes(pair.acceptor.outbox.pop()[0])
    pair.do(pair.initiator, Received([pong[:17] + (2).to_bytes(8)]))
    assert pair.initiator.closed is not None
    assert isinstance(pair.initiator.closed.error, RemoteProtocolError)
    assert pair.initiator.closed.reason == "an answer to ping 2 of 1"


def test_a_flood_of_pings_gets_few_answers() -> None:
    pair = established_pair()
    tick(pair, pair.initiator, 1002.0)
    ping = pair.initiator.outbox.pop()
    for _ in range(1000):
        pair.now += 0.001
        pair.do(pair.acceptor, Received(ping))
    assert pair.acceptor.session.pings_received == 1000
    assert len(pair.acceptor.outbox) <= 11


# ---- pauses of this process


def test_a_pause_of_this_process_gives_the_peer_one_more_ping_round() -> None:
    pair = established_pair()
    tick(pair, pair.initiator, 2000.0)
    assert kinds(pair.initiator) == ["PING"]
    assert pair.initiator.closed is None
    assert pair.initiator.session.next_deadline() == 2002.0
    pair.settle()
    pair.now = 2002.0
    pair.do(pair.initiator, Tick())
    assert pair.initiator.closed is None


def test_a_peer_silent_after_a_pause_is_lost_within_one_ping_round() -> None:
    pair = established_pair()
    tick(pair, pair.initiator, 2000.0)
    assert tick(pair, pair.initiator, 2001.999) == []
    tick(pair, pair.initiator, 2002.0)
    assert pair.initiator.closed == Closed("silent for 8 s", orderly=False)


def test_a_pause_that_ends_with_a_send_counts_too() -> None:
    pair = established_pair()
    pair.now = 2000.0
    pair.do(pair.initiator, Send([b"1"]))
    pair.do(pair.initiator, Send([b"2"]))
    assert pair.initiator.session.next_deadline() == 2000.0
    pair.do(pair.initiator, Tick())
    assert pair.initiator.closed is None
    assert kinds(pair.initiator) == ["BATCH", "BATCH", "PING"]


def test_a_pause_that_ends_with_a_message_of_somebody_else_counts_too() -> None:
    pair = established_pair()
    pair.now = 2000.0
    pair.do(pair.initiator, Received([bytes(33)]))
    pair.do(pair.initiator, Tick())
    assert pair.initiator.closed is None


def test_ticks_that_come_in_time_but_a_little_late_are_no_pause() -> None:
    pair = established_pair()
    now = pair.now
    for _ in range(5):
        now += 2.1
        tick(pair, pair.initiator, now)
        pair.initiator.outbox.clear()
    assert pair.initiator.closed is not None
    assert pair.initiator.closed.lost


def test_messages_that_come_are_no_pause() -> None:
    pair = established_pair()
    tick(pair, pair.acceptor, 1002.0)
    ping = pair.acceptor.outbox.pop()
    for now in (1002.0, 1003.9, 1005.8):
        pair.now = now
        pair.do(pair.initiator, Received(ping))
    assert tick(pair, pair.initiator, 1007.0) == []


def test_both_processes_may_pause_together() -> None:
    pair = established_pair()
    pair.now = 5000.0
    for end in pair.ends:
        pair.do(end, Tick())
    pair.settle()
    pair.advance(20.0)
    assert [end.closed for end in pair.ends] == [None, None]


# ---- the handshake takes no longer than it may


def test_a_hello_that_never_comes_closes_the_acceptor() -> None:
    pair = Pair(acceptor=config("a", hello_seconds=3.0))
    assert pair.acceptor.session.next_deadline() == 1003.0
    tick(pair, pair.acceptor, 1002.999)
    assert pair.acceptor.closed is None
    tick(pair, pair.acceptor, 1003.0)
    assert pair.acceptor.closed == Closed("no hello within 3 s", orderly=False)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.WELCOME_AWAITED, "no answer to the hello within 10 s"),
        (State.INTRODUCED, "not admitted within 10 s"),
        (State.WELCOMED, "not admitted within 10 s"),
        (State.CONFIRM_AWAITED, "no confirmation within 10 s"),
    ],
)
def test_each_step_of_the_handshake_has_to_come_in_time(state: State, words: str) -> None:
    pair = Pair()
    pair.acceptor.admits = state in (State.CONFIRM_AWAITED, State.WELCOMED)
    pair.initiator.admits = False
    if state is not State.WELCOME_AWAITED:
        pair.settle()
    (end,) = [end for end in pair.ends if end.state is state]
    tick(pair, end, 1009.999)
    assert end.closed is None
    tick(pair, end, 1010.0)
    assert end.closed == Closed(words, orderly=False)


def test_a_pause_of_this_process_during_the_handshake_is_forgiven_once() -> None:
    pair = Pair()
    tick(pair, pair.acceptor, 1100.0)
    assert pair.acceptor.session.next_deadline() == 1102.0
    tick(pair, pair.acceptor, 1102.0)
    assert pair.acceptor.closed is not None


@pytest.mark.parametrize("event", [Close("x"), Lost("x")], ids=["Close", "Lost"])
def test_a_closed_session_has_no_deadline(event: Close | Lost) -> None:
    pair = established_pair()
    pair.do(pair.initiator, event)
    assert pair.initiator.session.next_deadline() is None
