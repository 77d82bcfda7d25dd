"""Sessions that end because both sides have finished: every batch of both has arrived."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.session_pair import Pair, config
from vista.errors import LocalProtocolError
from vista.wire.session import COMPLETE, Closed, Finish, Kind, Lost, Received, State, Tick


def settled_pair(**changes: Any) -> Pair:
    """Two ends that have met; ``changes`` are of both."""
    pair = Pair(config("i", **changes), config("a", **changes))
    pair.settle()
    return pair


def test_who_has_finished_takes_what_the_peer_still_sends() -> None:
    pair = settled_pair()
    pair.send(pair.initiator, b"last")
    pair.do(pair.initiator, Finish())
    pair.settle()
    pair.send(pair.acceptor, b"one")
    pair.send(pair.acceptor, b"two")
    pair.settle()
    assert pair.acceptor.bodies() == [[b"last"]]
    assert pair.acceptor.peer_finished == 1
    assert pair.initiator.bodies() == [[b"one"], [b"two"]]
    assert [end.state for end in pair.ends] == [State.FINISHED, State.PEER_FINISHED]
    pair.do(pair.acceptor, Finish())
    assert pair.acceptor.closed == COMPLETE
    assert pair.initiator.closed is None
    pair.settle()
    assert pair.initiator.closed == COMPLETE


def test_both_may_finish_at_once() -> None:
    pair = settled_pair()
    for end in pair.ends:
        pair.send(end, b"last")
        pair.do(end, Finish())
    pair.settle()
    assert [end.closed for end in pair.ends] == [COMPLETE] * 2
    assert [end.bodies() for end in pair.ends] == [[[b"last"]]] * 2
    assert [end.peer_finished for end in pair.ends] == [0, 0]


def test_who_has_finished_cannot_send() -> None:
    pair = settled_pair()
    pair.do(pair.initiator, Finish())
    with pytest.raises(LocalProtocolError, match=r"Send in the state finished"):
        pair.send(pair.initiator, b"more")
    with pytest.raises(LocalProtocolError, match=r"Finish in the state finished"):
        pair.do(pair.initiator, Finish())


def test_a_batch_after_the_word_that_none_follows_ends_the_session() -> None:
    pair = settled_pair()
    pair.send(pair.initiator, b"late")
    late = pair.initiator.outbox.popleft()
    pair.do(pair.initiator, Finish())
    pair.settle()
    pair.do(pair.acceptor, Received(late))
    assert pair.acceptor.closed is not None
    assert str(pair.acceptor.closed.error) == "a BATCH in the state peer finished"
    assert not pair.acceptor.closed.complete


def test_credit_and_pings_go_on_until_both_have_finished() -> None:
    pair = settled_pair(window_bytes=1000)
    pair.do(pair.initiator, Finish())
    pair.settle()
    for number in range(20):
        assert pair.acceptor.session.fits([bytes(100)])
        pair.send(pair.acceptor, bytes(100))
        pair.settle()
        pair.consume(pair.initiator)
        pair.advance(1.0)
        pair.settle()
        assert len(pair.initiator.delivered) == 0, number
    pair.advance(30.0)
    assert [end.closed for end in pair.ends] == [None, None]
    assert pair.initiator.session.batches_received == 20
    assert min(end.session.pings_received for end in pair.ends) >= 3


@pytest.mark.parametrize("finishes", [True, False])
def test_a_peer_that_falls_silent_is_lost_though_one_has_finished(finishes: bool) -> None:
    pair = settled_pair()
    pair.do(pair.acceptor if finishes else pair.initiator, Finish())
    pair.settle()
    pair.advance(20.0, cut=True)
    assert pair.acceptor.closed is not None
    assert pair.acceptor.closed.lost
    assert not pair.acceptor.closed.complete


def test_a_broken_connection_is_not_complete() -> None:
    pair = settled_pair()
    pair.do(pair.initiator, Finish())
    pair.do(pair.initiator, Lost("cut"))
    assert pair.initiator.closed == Closed("cut", orderly=False)


def test_a_peer_without_the_feature_is_not_told() -> None:
    pair = Pair(config("i"), config("a", features=frozenset()))
    pair.settle()
    with pytest.raises(LocalProtocolError, match=r"does not have the feature"):
        pair.do(pair.initiator, Finish())
    assert pair.initiator.state is State.ESTABLISHED
    fin = bytes([Kind.FIN]) + pair.acceptor.session._token
    pair.do(pair.acceptor, Received([fin]))
    assert pair.acceptor.closed is not None
    assert "does not have the feature" in str(pair.acceptor.closed.error)


def test_the_deadline_of_one_who_has_finished_is_kept() -> None:
    pair = settled_pair()
    pair.do(pair.initiator, Finish())
    pair.settle()
    due = [end.session.next_deadline() for end in pair.ends]
    assert all(at is not None and at <= pair.now + 2.0 for at in due)
    pair.now += 2.0
    for end in pair.ends:
        pair.do(end, Tick())
    assert [bytes(end.outbox[-1][0])[0] for end in pair.ends] == [Kind.PING] * 2
