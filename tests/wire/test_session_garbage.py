"""Bytes for a session, whole, cut, changed and drawn: effects, or its end with a named error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.session_pair import End, Pair
from vista.errors import RemoteProtocolError
from vista.wire.codec import pack_plain
from vista.wire.session import MAGIC, Close, Closed, Finish, Kind, Received, State, Tick

STAGES = ("acceptor hello", "initiator welcome", "acceptor confirm", "established")


def end_at(stage: str) -> tuple[Pair, End]:
    """A pair, and the end of it that awaits what the stage says."""
    pair = Pair()
    if stage == "initiator welcome":
        return pair, pair.initiator
    if stage == "acceptor confirm":
        pair.carry(pair.initiator)
    if stage == "established":
        pair.settle()
    return pair, pair.acceptor


def token_of(end: End) -> bytes:
    """What a message must carry to be heard by this end."""
    return MAGIC if end.state is State.HELLO_AWAITED else end.session._token


def assert_borne(pair: Pair, end: End, messages: list[list[bytes]]) -> None:
    """Nothing is raised; the end lives on, or is closed by a goodbye or the peer's mistake."""
    for message in messages:
        pair.do(end, Received(message))
        if end.state is State.ESTABLISHED and not end.session.batches_sent:
            pair.send(end, b"request")
            pair.now += 2.0
            pair.do(end, Tick())  # a ping, so that there may be an answer to it
    if end.closed is None:
        return
    assert end.closed.reason
    assert end.closed.orderly == (end.closed.error is None)
    assert end.closed.error is None or type(end.closed.error) is RemoteProtocolError


def traffic() -> list[list[bytes]]:
    """A message of each kind, as they are in a session, for the acceptor."""
    pair = Pair()
    pair.settle()
    pair.send(pair.acceptor, b"request")
    pair.settle()
    pair.consume(pair.initiator)
    pair.advance(0.1)
    pair.send(pair.initiator, b"batch", b"buffer")
    pair.now += 2.0
    for end in pair.ends:
        pair.do(end, Tick())
    pair.settle()
    pair.do(pair.initiator, Finish())
    pair.do(pair.initiator, Close("done"))
    return [[bytes(part) for part in message] for message in pair.initiator.sent]


def fields() -> st.SearchStrategy[object]:
    """What msgpack may hold."""
    leaves = st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.text() | st.binary()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )


@pytest.mark.parametrize("stage", STAGES)
@given(messages=st.lists(st.lists(st.binary(max_size=60), max_size=3), max_size=4))
def test_garbage_is_borne(stage: str, messages: list[list[bytes]]) -> None:
    assert_borne(*end_at(stage), messages)


@pytest.mark.parametrize("stage", STAGES)
@given(
    code=st.integers(0, 10), rest=st.binary(max_size=300), more=st.lists(st.binary(), max_size=2)
)
def test_garbage_that_carries_the_token_is_borne(
    stage: str, code: int, rest: bytes, more: list[bytes]
) -> None:
    pair, end = end_at(stage)
    assert_borne(pair, end, [[bytes([code]) + token_of(end) + rest, *more]])


@pytest.mark.parametrize("stage", STAGES)
@given(
    code=st.sampled_from([Kind.HELLO, Kind.WELCOME, Kind.CONFIRM, Kind.BYE]),
    told=st.dictionaries(
        st.sampled_from(
            "versions features node epoch name software window_bytes batch_bytes_max version user "
            "rights reason".split()
        )
        | st.text(max_size=3),
        fields(),
    ),
    token=st.just(b"") | st.binary(min_size=16, max_size=16),
)
def test_any_fields_are_borne(
    stage: str, code: Kind, told: dict[str, object], token: bytes
) -> None:
    pair, end = end_at(stage)
    assert_borne(pair, end, [[bytes([code]) + token_of(end) + token + pack_plain(told)]])


@given(st.data())
def test_changed_traffic_is_borne(data: st.DataObject) -> None:
    messages = traffic()
    message = data.draw(st.sampled_from(messages))
    header = bytearray(message[0])
    for _ in range(data.draw(st.integers(1, 3))):
        header[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    message[0] = bytes(header)
    pair = Pair()
    assert_borne(pair, pair.acceptor, messages)


@given(st.data())
def test_cut_traffic_is_borne(data: st.DataObject) -> None:
    messages = traffic()
    message = data.draw(st.sampled_from(messages))
    message[0] = message[0][: data.draw(st.integers(0, len(message[0]) - 1))]
    pair = Pair()
    assert_borne(pair, pair.acceptor, messages)


@given(st.permutations(range(len(traffic()))), st.data())
def test_traffic_in_another_order_is_borne(order: list[int], data: st.DataObject) -> None:
    messages = traffic()
    pair = Pair()
    assert_borne(pair, pair.acceptor, [messages[at] for at in order])


def test_the_traffic_is_understood_when_nobody_changes_it() -> None:
    messages = traffic()
    pair = Pair()
    assert_borne(pair, pair.acceptor, messages)
    assert {Kind(message[0][0]) for message in messages} == set(Kind) - {Kind.WELCOME}
    assert pair.acceptor.closed == Closed("the peer said goodbye: done", orderly=True)
    assert pair.acceptor.session.stale == 0


def test_parts_may_be_views_of_memory() -> None:
    pair, end = end_at("established")
    pair.send(pair.initiator, b"body")
    pair.do(end, Received([memoryview(part) for part in pair.initiator.outbox.pop()]))
    assert [bytes(part) for part in end.bodies()[0]] == [b"body"]
