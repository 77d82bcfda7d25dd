"""The session of a link: its handshake, its batches and its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.session_pair import End, Pair, config, established_pair
from vista.errors import BadValueError, LocalProtocolError, RemoteProtocolError
from vista.wire.codec import pack_plain
from vista.wire.hello import BYTES_MAX, decode_fields, encode_hello
from vista.wire.session import (
    MAGIC,
    Admit,
    Close,
    Closed,
    Consumed,
    Event,
    Finish,
    Kind,
    Lost,
    Opened,
    Part,
    Received,
    Refuse,
    Send,
    Session,
    State,
    Tick,
    Transmit,
)
from vista.wire.session_states import TABLE, state_table


def greeting(kind: Kind, token: bytes, **changes: Any) -> bytes:
    """A HELLO or WELCOME of a node that is not in the pair, with some fields changed."""
    told = pack_plain({**fields_of_hello(), **changes})
    return bytes([kind]) + token + b"p" * 16 + told


def fields_of_hello() -> dict[str, Any]:
    """The fields of a hello that is as it should be."""
    return decode_fields(encode_hello(config("p")))


def acceptor() -> End:
    """An acceptor that awaits its hello."""
    end = End(config("a"), initiator=False)
    end.take(end.session.handle(Opened(), 0.0))
    return end


# ---- the handshake


def test_both_ends_are_established_after_three_messages() -> None:
    pair = Pair()
    pair.settle()
    assert [end.state for end in pair.ends] == [State.ESTABLISHED] * 2
    kinds = [[Kind(bytes(parts[0])[0]).name for parts in end.sent] for end in pair.ends]
    assert kinds == [["HELLO", "CONFIRM"], ["WELCOME"]]


def test_each_end_learns_who_the_other_is_and_what_it_grants() -> None:
    pair = Pair(config("i", software="vista 1"), config("a", software="vista 2"))
    pair.initiator.grant = Admit("guest", frozenset({"call"}))
    pair.acceptor.grant = Admit("ada", frozenset({"call", "code"}))
    pair.settle()
    (of_acceptor,), (of_initiator,) = pair.initiator.established, pair.acceptor.established
    assert (of_acceptor.hello.node, of_acceptor.hello.epoch) == (b"a" * 10, b"a" * 8)
    assert (of_acceptor.hello.name, of_acceptor.hello.software) == ("node a", "vista 2")
    assert (of_initiator.hello.node, of_initiator.hello.software) == (b"i" * 10, "vista 1")
    assert of_acceptor.granted_user == "ada"
    assert of_acceptor.granted_rights == {"call", "code"}
    assert of_initiator.granted_user == "guest"
    assert of_initiator.granted_rights == {"call"}


def test_nothing_but_the_hello_leaves_before_the_owner_admits() -> None:
    pair = Pair()
    pair.acceptor.admits = False
    pair.settle()
    assert (len(pair.acceptor.introduced), pair.acceptor.sent) == (1, [])
    assert pair.acceptor.state is State.INTRODUCED


def test_the_highest_common_version_wins() -> None:
    pair = Pair(config("i", versions=(1, 2, 3)), config("a", versions=(4, 2, 1)))
    pair.settle()
    assert [end.session.version for end in pair.ends] == [2, 2]


def test_without_a_common_version_the_refusal_names_both_lists() -> None:
    pair = Pair(config("i", versions=(2, 3)), config("a", versions=(1,)))
    pair.settle()
    words = "no protocol version in common: the initiator speaks 2, 3, the acceptor 1"
    assert pair.acceptor.closed == Closed(words, orderly=True)
    assert pair.initiator.closed == Closed(f"the peer refused: {words}", orderly=True)


def test_of_a_later_version_only_the_list_of_versions_is_read() -> None:
    end = acceptor()
    hello = bytes([Kind.HELLO]) + MAGIC + b"p" * 16 + pack_plain({"versions": [9], "node": "x"})
    end.take(end.session.received([hello], 0.0))
    assert end.closed is not None
    assert (end.closed.orderly, end.closed.error) == (True, None)


def test_the_features_are_those_of_both_ends() -> None:
    one = config("i", features=frozenset({"code", "copy"}))
    pair = Pair(one, config("a", features=frozenset({"copy", "move"})))
    pair.settle()
    assert [end.session.features for end in pair.ends] == [{"copy"}, {"copy"}]


def test_fields_that_are_not_known_are_passed_over() -> None:
    end = acceptor()
    end.take(end.session.received([greeting(Kind.HELLO, MAGIC, colour="red")], 0.0))
    assert end.state is State.INTRODUCED


def test_header_bytes_of_a_later_minor_version_are_passed_over() -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"body")
    header, body = pair.initiator.outbox.pop()
    pair.initiator.outbox.append([bytes(header) + b"more", body])
    pair.settle()
    assert pair.acceptor.bodies() == [[b"body"]]


def test_a_node_refuses_itself() -> None:
    pair = Pair(config("x"), config("x"))
    pair.settle()
    assert pair.acceptor.closed == Closed("the peer is this node itself", orderly=True)
    assert pair.initiator.closed is not None
    assert pair.initiator.introduced == pair.acceptor.introduced == []


def test_another_run_with_the_same_identity_is_left_to_the_owner() -> None:
    pair = Pair(config("x"), config("x", epoch=b"later 01"))
    pair.settle()
    assert pair.acceptor.introduced[0].hello.epoch == b"x" * 8


def test_an_acceptor_that_refuses_tells_the_initiator_why() -> None:
    pair = Pair()
    pair.acceptor.admits = False
    pair.settle()
    pair.do(pair.acceptor, Refuse("unknown key"))
    pair.settle()
    assert pair.acceptor.closed == Closed("unknown key", orderly=True)
    assert pair.initiator.closed == Closed("the peer refused: unknown key", orderly=True)


def test_an_initiator_that_refuses_tells_the_acceptor_why() -> None:
    pair = Pair()
    pair.initiator.admits = False
    pair.settle()
    pair.do(pair.initiator, Refuse("two nodes with one identity"))
    pair.settle()
    words = "the peer refused: two nodes with one identity"
    assert pair.acceptor.closed == Closed(words, orderly=True)


@pytest.mark.parametrize(
    ("user", "rights"),
    [("u" * 256, {"call"}), ("a\nb", {"call"}), ("ada", {""}), ("ada", {"no blank"})],
)
def test_a_grant_out_of_bounds_is_this_sides_mistake(user: str, rights: set[str]) -> None:
    pair = Pair()
    pair.acceptor.admits = False
    pair.settle()
    with pytest.raises(BadValueError, match=r"a peer cannot act as user"):
        pair.do(pair.acceptor, Admit(user, frozenset(rights)))
    assert pair.acceptor.state is State.INTRODUCED


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": []},
        {"versions": [0]},
        {"versions": [True]},
        {"versions": ["1"]},
        {"versions": [1] * 17},
        {"versions": 1},
        {"features": ["f"] * 65},
        {"features": ["f" * 33]},
        {"features": ["a b"]},
        {"features": [1]},
        {"features": {"f": 1}},
        {"node": b"short"},
        {"node": "n" * 10},
        {"epoch": b"e" * 9},
        {"name": "n" * 65},
        {"name": "\x1b[31m"},
        {"name": b"n"},
        {"software": "line\nline"},
        {"window_bytes": 0},
        {"window_bytes": BYTES_MAX + 1},
        {"window_bytes": True},
        {"batch_bytes_max": 1.5},
    ],
    ids=str,
)
def test_a_hello_with_a_wrong_field_is_refused_with_its_name(changes: dict[str, Any]) -> None:
    end = acceptor()
    end.take(end.session.received([greeting(Kind.HELLO, MAGIC, **changes)], 0.0))
    (name,) = changes
    assert end.closed is not None
    assert isinstance(end.closed.error, RemoteProtocolError)
    assert f"the {name} " in end.closed.reason
    assert end.introduced == []


@pytest.mark.parametrize("name", sorted(fields_of_hello()))
def test_a_hello_without_a_field_is_refused_with_its_name(name: str) -> None:
    told = {key: value for key, value in fields_of_hello().items() if key != name}
    end = acceptor()
    end.take(end.session.received([bytes([1]) + MAGIC + b"p" * 16 + pack_plain(told)], 0.0))
    assert end.closed is not None
    assert end.closed.reason == f"a header without the field {name}"


@pytest.mark.parametrize("changes", [{"version": 2}, {"user": 1}, {"rights": [1]}, {"rights": "c"}])
def test_a_welcome_with_a_wrong_field_is_refused(changes: dict[str, Any]) -> None:
    end = End(config("i"), initiator=True)
    end.take(end.session.handle(Opened(), 0.0))
    token = bytes(end.outbox[0][0])[17:33]
    fields = {"version": 1, "user": "ada", "rights": ["call"], **changes}
    end.take(end.session.received([greeting(Kind.WELCOME, token, **fields)], 0.0))
    assert end.closed is not None
    assert isinstance(end.closed.error, RemoteProtocolError)
    assert end.introduced == []


def test_a_hello_of_too_many_bytes_is_not_read() -> None:
    end = acceptor()
    end.take(end.session.received([greeting(Kind.HELLO, MAGIC, more="x" * 8192)], 0.0))
    assert end.closed is not None
    assert "a header of kind 1 of" in end.closed.reason


def test_what_does_not_start_with_a_hello_is_closed() -> None:
    end = acceptor()
    end.take(end.session.received([b"GET / HTTP/1.1\r\n"], 0.0))
    assert end.closed is not None
    assert end.closed.reason == "the peer did not start with a vista hello"


@pytest.mark.parametrize(
    "changes",
    [
        {"node": b"n"},
        {"epoch": b""},
        {"name": "n" * 65},
        {"versions": ()},
        {"features": frozenset({"a b"})},
        {"window_bytes": 0},
        {"ping_seconds": 0.0},
        {"hello_seconds": float("inf")},
        {"loss_seconds": 5.0},
    ],
    ids=str,
)
def test_settings_out_of_bounds_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadValueError, match=r"a session's "):
        config("i", **changes)


# ---- batches


def test_batches_arrive_once_and_in_order_both_ways() -> None:
    pair = established_pair()
    for number in range(3):
        pair.send(pair.initiator, b"i%d" % number, b"large")
        pair.send(pair.acceptor, b"a%d" % number)
    pair.settle()
    assert pair.acceptor.bodies() == [[b"i0", b"large"], [b"i1", b"large"], [b"i2", b"large"]]
    assert pair.initiator.bodies() == [[b"a0"], [b"a1"], [b"a2"]]


def test_parts_are_handed_on_uncopied() -> None:
    pair = established_pair()
    part = b"x" * 100_000
    pair.send(pair.initiator, part)
    pair.settle()
    assert pair.acceptor.bodies()[0][0] is part


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([1, 1], "batch 1 where batch 2 was expected"), ([2], "batch 2 where batch 1 was expected")],
)
def test_a_repeated_or_missing_batch_ends_the_session(numbers: list[int], words: str) -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"1")
    pair.send(pair.initiator, b"2")
    messages = list(pair.initiator.outbox)
    pair.initiator.outbox.clear()
    pair.initiator.outbox.extend(messages[number - 1] for number in numbers)
    pair.settle()
    assert pair.acceptor.closed is not None
    assert isinstance(pair.acceptor.closed.error, RemoteProtocolError)
    assert pair.acceptor.closed.reason == words
    assert pair.initiator.closed == Closed(f"the peer said goodbye: {words}", orderly=True)


def test_a_message_with_another_token_is_dropped_and_counted() -> None:
    earlier, pair = established_pair(), established_pair(node=b"n" * 10)
    earlier.send(earlier.initiator, b"old")
    earlier.do(earlier.initiator, Close("done"))
    stray: list[list[Part]] = [*earlier.initiator.outbox, [], [b""], [b"\x04"]]
    for parts in stray:
        pair.do(pair.acceptor, Received(parts))
    assert pair.acceptor.session.stale == 5
    assert pair.acceptor.delivered == []
    pair.send(pair.initiator, b"fresh")
    pair.settle()
    assert pair.acceptor.bodies() == [[b"fresh"]]


def test_a_token_is_good_for_one_direction_only() -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"mirrored")
    pair.do(pair.initiator, Received(pair.initiator.outbox.pop()))
    assert (pair.initiator.session.stale, pair.initiator.delivered) == (1, [])


@pytest.mark.parametrize("kind", [Kind.HELLO, Kind.WELCOME, Kind.CONFIRM])
def test_a_handshake_message_once_established_ends_the_session(kind: Kind) -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"")
    token = bytes(pair.initiator.outbox.pop()[0])[1:17]
    pair.do(pair.acceptor, Received([greeting(kind, token)]))
    assert pair.acceptor.closed is not None
    assert pair.acceptor.closed.reason == f"a {kind.name} in the state established"


def test_parts_behind_a_message_that_has_no_body_end_the_session() -> None:
    pair = established_pair()
    pair.do(pair.initiator, Close("done"))
    pair.do(pair.acceptor, Received([*pair.initiator.outbox.pop(), b"more"]))
    assert pair.acceptor.closed is not None
    assert pair.acceptor.closed.reason == "a BYE of 2 parts instead of one"


def test_the_counters_count() -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"12", b"345")
    pair.settle()
    sender, receiver = pair.initiator.session, pair.acceptor.session
    assert (sender.batches_sent, sender.bytes_sent, sender.batches_received) == (1, 5, 0)
    assert (receiver.batches_received, receiver.bytes_received, receiver.stale) == (1, 5, 0)
    assert receiver.established_at == 1000.0


# ---- the end


def test_a_goodbye_tells_its_reason() -> None:
    pair = established_pair()
    pair.send(pair.initiator, b"last")
    pair.do(pair.initiator, Close("node stops"))
    pair.settle()
    assert pair.initiator.closed == Closed("node stops", orderly=True)
    assert pair.acceptor.closed == Closed("the peer said goodbye: node stops", orderly=True)
    assert pair.acceptor.bodies() == [[b"last"]]


def test_a_goodbye_before_the_peer_is_known_sends_nothing() -> None:
    end = acceptor()
    assert end.session.handle(Close("stop"), 1.0) == [Closed("stop", orderly=True)]


def test_words_of_the_peer_are_safe_to_show_and_short() -> None:
    pair = established_pair()
    pair.do(pair.initiator, Close("\x1b[2J" + "x" * 1000))
    pair.settle()
    assert pair.acceptor.closed is not None
    assert pair.acceptor.closed.reason == "the peer said goodbye: ?[2J" + "x" * 496


def test_a_broken_connection_ends_the_session_without_a_word() -> None:
    pair = established_pair()
    pair.do(pair.initiator, Lost("connection reset"))
    assert pair.initiator.closed == Closed("connection reset", orderly=False)
    assert pair.initiator.closed.lost
    assert not pair.initiator.outbox


def test_a_closed_session_passes_over_everything() -> None:
    pair = established_pair()
    session = pair.initiator.session
    pair.do(pair.initiator, Close("done"))
    events: list[Event] = [
        Opened(), Received([b"x"]), Admit("u", frozenset()), Refuse("no"), Send([b"x"]),
        Consumed(5), Finish(), Close("again"), Lost("too late"), Tick(),
    ]  # fmt: skip
    assert [session.handle(event, pair.now) for event in events] == [[]] * len(events)
    assert session.send([b"x"], pair.now) == []
    assert session.next_deadline() is None


# ---- the table

LOCAL: list[Event] = [
    Opened(), Admit("u", frozenset()), Refuse("no"), Send([b"x"]), Consumed(0), Finish(), Tick(),
]  # fmt: skip
STAGES = {
    State.INITIATOR: 0,
    State.ACCEPTOR: 0,
    State.HELLO_AWAITED: 1,
    State.WELCOME_AWAITED: 1,
    State.INTRODUCED: 2,
    State.CONFIRM_AWAITED: 3,
    State.WELCOMED: 4,
    State.ESTABLISHED: 5,
    State.FINISHED: 6,
    State.PEER_FINISHED: 7,
}


def session_in(state: State) -> Session:
    """A session that went as far as this state."""
    if STAGES[state] == 0:
        return Session(config("x"), bytes, initiator=state is State.INITIATOR)
    pair = Pair()
    pair.acceptor.admits = pair.initiator.admits = False
    if STAGES[state] > 1:
        pair.settle()
    if STAGES[state] > 2:
        pair.do(pair.acceptor, pair.acceptor.grant)
    if STAGES[state] > 3:
        pair.settle()
    if STAGES[state] > 4:
        pair.do(pair.initiator, pair.initiator.grant)
    if STAGES[state] > 5:
        pair.settle()
        pair.do(pair.initiator, Finish())
    if STAGES[state] > 6:
        pair.carry(pair.initiator)
    (session,) = [end.session for end in pair.ends if end.state is state]
    return session


@pytest.mark.parametrize("state", STAGES)
@pytest.mark.parametrize("event", LOCAL, ids=lambda event: type(event).__name__)
def test_events_follow_the_table(state: State, event: Event) -> None:
    session = session_in(state)
    follows = TABLE[state].get(type(event))
    if follows is None:
        with pytest.raises(LocalProtocolError, match=rf"in the state {state.value}"):
            session.handle(event, 1000.0)
    else:
        session.handle(event, 1000.0)
    assert session.state is (follows or state)


def test_bytes_before_opened_are_this_sides_mistake() -> None:
    with pytest.raises(LocalProtocolError, match=r"before Opened"):
        session_in(State.ACCEPTOR).received([b"x"], 0.0)


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(State)


def test_the_table_can_be_printed() -> None:
    lines = state_table().splitlines()
    assert "hello awaited    HELLO    -> introduced" in lines
    assert "established      BYE      -> closed" in lines
    assert not any("Tick" in line for line in lines)


def test_send_as_an_event_and_as_a_method_give_the_same() -> None:
    one, other = established_pair(), established_pair()
    by_event = one.initiator.session.handle(Send([b"x"]), one.now)
    assert by_event == [Transmit(other.initiator.session.send([b"x"], other.now))]
