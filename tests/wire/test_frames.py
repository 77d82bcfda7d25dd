"""Frames: batches of messages as parts, and back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.checks import check_frame_parts, make_codec, row_to_send
from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.limits import Limits
from vista.wire.frames import (
    BUFFERS_MAX,
    CHAIN_LINK_BYTES,
    FIELDS,
    HEAD,
    HOPS_MAX,
    NUMBER_MAX,
    WORDS_MAX,
    Frames,
    Kind,
    Part,
)
from vista.wire.plain import SMALL_MAX, WIDTH_MAX

FRAMES = Frames(Limits())
NAME_MAX = Limits().name_characters_max
TARGET, SENDER = b"target".ljust(16), b"sender".ljust(16)
HERE, THERE = b"here".ljust(10), b"there".ljust(10)
OBJECT_IDS = st.binary(min_size=16, max_size=16)
NODES = st.binary(min_size=10, max_size=10)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(0, NUMBER_MAX) | st.binary(max_size=9) | st.text(),
    lambda parts: st.lists(parts, max_size=3),
    max_leaves=5,
)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "head": st.tuples(st.integers(0, NUMBER_MAX), st.just(0), OBJECT_IDS, OBJECT_IDS),
    "number": st.integers(0, NUMBER_MAX),
    "buffers": st.just(0),
    "method": st.text(max_size=10),
    "user": st.text(max_size=10),
    "chain": st.integers(0, 3).map(lambda links: bytes(links * CHAIN_LINK_BYTES)),
    "payload": st.lists(st.binary(max_size=20), min_size=1, max_size=4),
    "destination": NODES,
    "origin": NODES,
    "hops": st.integers(0, HOPS_MAX),
    "message": PLAIN,
    "target": OBJECT_IDS,
    "start": st.binary(min_size=CHAIN_LINK_BYTES, max_size=CHAIN_LINK_BYTES),
    "round": st.integers(0, NUMBER_MAX),
    "words": st.text(max_size=10),
}
SERIES = {Kind.CALLS, Kind.POSTS, Kind.REPLIES}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), NUMBER_MAX)
    | st.floats(allow_nan=False)
    | st.text(st.characters(max_codepoint=127), max_size=SMALL_MAX)
    | st.binary(max_size=SMALL_MAX)
)
FOR_NEIGHBOURS = [Kind.ROUTED, Kind.ROUTES, Kind.SERVICES]
INNER = [kind for kind in Kind if kind not in (*FOR_NEIGHBOURS, *SERIES)]


@st.composite
def series(draw: st.DrawFn, kind: Kind) -> list[Any]:
    """Any series: its columns fit together."""
    count = draw(st.integers(1, 4))
    width = 1 if kind is Kind.REPLIES else draw(st.integers(0, WIDTH_MAX))
    numbers = draw(
        st.lists(COLUMNS["number"], min_size=count, max_size=count, unique=True).map(sorted)
    )
    values = draw(st.lists(SCALARS, min_size=count * width, max_size=count * width))
    if kind is Kind.REPLIES:
        return [int(kind), draw(st.permutations(numbers)), values]
    senders = draw(st.lists(OBJECT_IDS, min_size=count, max_size=count))
    names = [draw(COLUMNS[name]) for name in ("target", "method", "user")]
    return [int(kind), *names, numbers, senders, values]


@st.composite
def arrivals(draw: st.DrawFn, kinds: Any = tuple(Kind)) -> list[Any]:
    """Any row as it arrives: heads as tuples, payloads as lists of parts."""
    kind = draw(st.sampled_from(kinds))
    if kind in SERIES:
        return draw(series(kind))
    fields = [
        draw(arrivals(INNER)) if name == "inner" else draw(COLUMNS[name]) for name in FIELDS[kind]
    ]
    row = [int(kind), *fields]
    if "payload" in FIELDS[kind]:
        count = len(row[-1]) - 1
        if "head" in FIELDS[kind]:
            row[1] = (row[1][0], count, *row[1][2:])
        else:
            row[2] = count
    return row


def encode(rows: list[list[Any]]) -> list[Part]:
    """The parts of a frame that arrives as ``rows``."""
    buffers: list[Part] = []
    sent = [row_to_send(row, buffers) for row in rows]
    return FRAMES.encode_batch(sent, buffers)


def call(buffers: int = 0, number: int = 7) -> list[Any]:
    """A call that is as it should be."""
    head = HEAD.pack(number, buffers, TARGET, SENDER)
    return [1, head, "increment", "ada", bytes(CHAIN_LINK_BYTES), b"\x92\x90\x80"]


SAMPLES: dict[str, Any] = {
    "head": HEAD.pack(7, 0, TARGET, SENDER),
    "number": 7,
    "buffers": 0,
    "method": "increment",
    "user": "ada",
    "payload": b"\x01",
    "destination": THERE,
    "origin": HERE,
    "hops": 3,
    "inner": call(),
    "message": ["any", 1],
    "target": TARGET,
    "start": bytes(CHAIN_LINK_BYTES),
    "round": 1,
    "words": "which waits for increment",
    "numbers": [7, 9],
    "senders": [SENDER, SENDER],
    "values": [2, None],
}


def correct(kind: Kind) -> list[Any]:
    """A row of a kind that is as it should be."""
    if kind is Kind.CALL:
        return call()
    return [int(kind), *[SAMPLES[name] for name in FIELDS[kind]]]


def changed(kind: Kind, name: str, value: Any) -> list[Any]:
    """A row of a kind with one field changed."""
    row = correct(kind)
    row[1 + FIELDS[kind].index(name)] = value
    return row


# --- there and back ------------------------------------------------------------------------


@given(st.lists(arrivals(), max_size=5))
def test_messages_arrive_as_they_were_sent_and_in_order(batch: list[list[Any]]) -> None:
    assert FRAMES.decode_batch(encode(batch)) == batch


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_carried(kind: Kind) -> None:
    (row,) = FRAMES.decode_batch(FRAMES.encode_batch([correct(kind)]))
    assert row_to_send(row, []) == correct(kind)


def test_every_kind_has_a_row_of_fields() -> None:
    assert set(FIELDS) == set(Kind)
    names = {name for fields in FIELDS.values() for name in fields}
    assert names == {*COLUMNS, "inner", "numbers", "senders", "values"}


def test_a_row_may_begin_with_its_kind() -> None:
    row = [Kind.REPLY, 7, 0, b"\x01"]
    assert FRAMES.decode_batch(FRAMES.encode_batch([row])) == [[3, 7, 0, [b"\x01"]]]


def test_the_head_of_a_call_comes_as_what_is_in_it() -> None:
    (row,) = FRAMES.decode_batch(FRAMES.encode_batch([call()]))
    assert row[1] == (7, 0, TARGET, SENDER)


def test_the_head_of_a_post_comes_as_what_is_in_it() -> None:
    (row,) = FRAMES.decode_batch(FRAMES.encode_batch([correct(Kind.POST)]))
    assert row[1] == (7, 0, TARGET, SENDER)


@given(st.lists(arrivals(), min_size=1, max_size=3), st.data())
def test_changed_frames_give_messages_or_a_protocol_error(
    batch: list[list[Any]], data: st.DataObject
) -> None:
    header, *buffers = encode(batch)
    spoiled = bytearray(header)
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    check_frame_parts([bytes(spoiled), *map(bytes, buffers)])


def test_a_frame_may_arrive_as_memory_that_is_not_bytes() -> None:
    parts = [memoryview(bytes(part)) for part in FRAMES.encode_batch([call(1)], [b"buffer"])]
    (row,) = FRAMES.decode_batch(parts)
    assert row[-1] == [b"\x92\x90\x80", parts[1]]


def test_a_payload_nobody_here_can_read_is_passed_on() -> None:
    (row,) = FRAMES.decode_batch(FRAMES.encode_batch([[3, 7, 1, b"\xc1 no value"]], [b"buffer"]))
    assert row[-1] == [b"\xc1 no value", b"buffer"]


# --- large buffers -------------------------------------------------------------------------


def test_large_buffers_are_parts_of_their_own_uncopied() -> None:
    one, other = b"x" * 64, b"y" * 64
    codec = make_codec()
    rows, buffers = [], []
    for buffer in (one, other):
        payload, *own = codec.encode_arguments((buffer,), {})
        rows.append([*call(len(own))[:-1], payload])
        buffers += own
    header, *parts = FRAMES.encode_batch(rows, buffers)
    assert parts[0] is one
    assert parts[1] is other
    arrived = FRAMES.decode_batch([header, *parts])
    assert [codec.decode_arguments(row[-1]) for row in arrived] == [((one,), {}), ((other,), {})]


def test_large_buffers_are_handed_on_as_they_came() -> None:
    buffer = memoryview(b"x" * 64)
    (row,) = FRAMES.decode_batch([*FRAMES.encode_batch([call(1)]), buffer])
    assert row[-1][1] is buffer


def test_a_message_inside_another_has_its_buffers() -> None:
    rows = [[6, THERE, HERE, 3, call(2)], [3, 7, 1, b"\x01"]]
    routed, reply = FRAMES.decode_batch(FRAMES.encode_batch(rows, [b"a", b"b", b"c"]))
    assert routed[-1][-1] == [b"\x92\x90\x80", b"a", b"b"]
    assert reply[-1] == [b"\x01", b"c"]


COUNTED = [
    call(2),
    [6, THERE, HERE, 3, call(2)],
    *[[3, 7, count, b""] for count in (-1, 2, BUFFERS_MAX + 1, 2**60)],
]


@pytest.mark.parametrize("row", COUNTED, ids=repr)
def test_a_message_whose_buffers_did_not_come_is_refused(row: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="buffers did not come with it"):
        FRAMES.decode_batch(FRAMES.encode_batch([row], [b"only one"]))


def test_buffers_that_belong_to_no_message_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="2 buffers belong to no message"):
        FRAMES.decode_batch(FRAMES.encode_batch([call()], [b"", b""]))


def test_a_frame_of_too_many_bytes_is_neither_sent_nor_read() -> None:
    small = Frames(Limits(frame_bytes_max=100, large_buffer_bytes=50))
    buffers = [b"x" * 101]
    with pytest.raises(LocalProtocolError, match="more than 100 bytes"):
        small.encode_batch([[3, 7, 1, b""]], buffers)
    with pytest.raises(RemoteProtocolError, match="more than 100 bytes"):
        small.decode_batch(FRAMES.encode_batch([[3, 7, 1, b""]], buffers))


# --- what is wrong -------------------------------------------------------------------------

WRONG: list[tuple[Kind, str, Any]] = [
    (Kind.CALL, "head", b"short"),
    (Kind.CALL, "head", bytes(HEAD.size + 1)),
    (Kind.CALL, "head", None),
    (Kind.CALL, "head", "a" * HEAD.size),
    (Kind.CALL, "method", "m" * (NAME_MAX + 1)),
    (Kind.CALL, "method", None),
    (Kind.CALL, "method", b"increment"),
    (Kind.CALL, "user", "u" * (NAME_MAX + 1)),
    (Kind.CALL, "user", b"ada"),
    (Kind.CALL, "chain", bytes(CHAIN_LINK_BYTES + 1)),
    (Kind.CALL, "chain", "a" * CHAIN_LINK_BYTES),
    (Kind.CALL, "chain", None),
    (Kind.CALL, "payload", "text"),
    (Kind.CALL, "payload", None),
    (Kind.POST, "head", bytes(HEAD.size - 1)),
    (Kind.POST, "head", 7),
    (Kind.POST, "method", "m" * (NAME_MAX + 1)),
    (Kind.POST, "user", None),
    (Kind.POST, "payload", []),
    (Kind.REPLY, "number", -1),
    (Kind.REPLY, "number", True),
    (Kind.REPLY, "number", "1"),
    (Kind.REPLY, "number", 1.0),
    (Kind.REPLY, "buffers", -1),
    (Kind.REPLY, "buffers", True),
    (Kind.REPLY, "buffers", BUFFERS_MAX + 1),
    (Kind.REPLY, "payload", "text"),
    (Kind.FAILURE, "number", -1),
    (Kind.FAILURE, "buffers", "1"),
    (Kind.FAILURE, "payload", None),
    (Kind.CANCEL, "number", -1),
    (Kind.CANCEL, "number", None),
    (Kind.FENCE, "target", b"short"),
    (Kind.FENCED, "number", -1),
    (Kind.MOVED, "target", "a" * 16),
    (Kind.MOVED, "origin", None),
    (Kind.PROBE, "start", b"short"),
    (Kind.PROBE, "start", "a" * CHAIN_LINK_BYTES),
    (Kind.PROBE, "round", -1),
    (Kind.PROBE, "words", "w" * (WORDS_MAX + 1)),
    (Kind.PROBE, "words", b"words"),
    (Kind.ROUTED, "destination", b"short"),
    (Kind.ROUTED, "destination", "a" * 10),
    (Kind.ROUTED, "origin", bytes(16)),
    (Kind.ROUTED, "hops", -1),
    (Kind.ROUTED, "hops", HOPS_MAX + 1),
    (Kind.ROUTED, "hops", True),
    (Kind.CALLS, "target", b"short"),
    (Kind.CALLS, "method", b"increment"),
    (Kind.CALLS, "user", "u" * (NAME_MAX + 1)),
    (Kind.CALLS, "numbers", []),
    (Kind.CALLS, "numbers", [-1, 7]),
    (Kind.CALLS, "numbers", [True, 7]),
    (Kind.CALLS, "numbers", b"\x07\x09"),
    (Kind.CALLS, "senders", [SENDER, b"short"]),
    (Kind.CALLS, "senders", ["s" * 16, SENDER]),
    (Kind.CALLS, "senders", None),
    (Kind.CALLS, "values", ["t" * (SMALL_MAX + 1), 1]),
    (Kind.CALLS, "values", ["\xe9", 1]),
    (Kind.CALLS, "values", [bytes(SMALL_MAX + 1), 1]),
    (Kind.POSTS, "values", [[1], 2]),
    (Kind.POSTS, "values", None),
    (Kind.POSTS, "numbers", ["7", "9"]),
    (Kind.REPLIES, "numbers", [7.0, 9.0]),
    (Kind.REPLIES, "values", [{}, 1]),
    (Kind.REPLIES, "values", "ab"),
]
WRONG_WORDS = [f"{kind.name} {name} {value!r:.20}" for kind, name, value in WRONG]


@pytest.mark.parametrize(("kind", "name", "value"), WRONG, ids=WRONG_WORDS)
def test_a_wrong_field_is_found_before_it_is_sent(kind: Kind, name: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"a {kind.name} with the {name} "):
        FRAMES.check_row(changed(kind, name, value))


# A count of buffers that may be right is compared with those that came.
ARRIVE = [case for case in WRONG if case[1:] != ("buffers", -1)]
ARRIVE = [case for case in ARRIVE if case[1:] != ("buffers", BUFFERS_MAX + 1)]


@pytest.mark.parametrize(("kind", "name", "value"), ARRIVE, ids=repr)
def test_a_wrong_field_that_arrives_is_refused(kind: Kind, name: str, value: Any) -> None:
    data = msgpack.packb([changed(kind, name, value)])
    with pytest.raises(RemoteProtocolError, match=f"a {kind.name} with the {name} "):
        FRAMES.decode_batch([data])


@pytest.mark.parametrize(("kind", "name", "value"), ARRIVE, ids=repr)
def test_a_wrong_field_inside_another_message_is_refused(kind: Kind, name: str, value: Any) -> None:
    row = changed(kind, name, value)
    with pytest.raises(RemoteProtocolError):
        FRAMES.decode_batch([msgpack.packb([[6, THERE, HERE, 3, row]])])


UNEVEN: list[tuple[list[Any], str]] = [
    ([13, TARGET, "m", "", [7, 9], [SENDER], [1, 2]], "a series of 2 messages with 1 senders"),
    ([13, TARGET, "m", "", [7, 9], [SENDER, SENDER], [1, 2, 3]], "2 senders and 3 values"),
    ([14, TARGET, "m", "", [7], [SENDER], [1] * (WIDTH_MAX + 1)], "1 senders and 5 values"),
    ([13, TARGET, "m", "", [9, 7], [SENDER, SENDER], []], "whose numbers do not ascend"),
    ([14, TARGET, "m", "", [7, 7], [SENDER, SENDER], []], "whose numbers do not ascend"),
    ([15, [7, 9], [1]], "1 results of 2 calls"),
]


@pytest.mark.parametrize(("row", "words"), UNEVEN, ids=[words for _, words in UNEVEN])
def test_a_series_whose_columns_do_not_fit_is_refused(row: list[Any], words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        FRAMES.decode_batch([msgpack.packb([row])])


@pytest.mark.parametrize("kind", sorted(SERIES))
def test_a_series_is_not_passed_on(kind: Kind) -> None:
    with pytest.raises(RemoteProtocolError, match="none that is routed"):
        FRAMES.decode_batch([msgpack.packb([[6, THERE, HERE, 3, correct(kind)]])])


UNPACKABLE: list[tuple[Kind, str, Any]] = [
    (Kind.REPLY, "number", NUMBER_MAX + 1),
    (Kind.CANCEL, "number", NUMBER_MAX + 1),
    (Kind.CALL, "method", "\ud800"),
    (Kind.POST, "user", "\ud800"),
    (Kind.REPLY, "payload", object()),
]


@pytest.mark.parametrize(("kind", "name", "value"), UNPACKABLE)
def test_a_field_that_cannot_be_packed_is_named(kind: Kind, name: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"a {kind.name} with the {name} "):
        FRAMES.encode_batch([call(), changed(kind, name, value)])


def test_a_message_for_neighbours_that_cannot_be_packed_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="cannot be packed"):
        FRAMES.encode_batch([[7, object()]])


def test_a_message_for_neighbours_that_contains_itself_is_not_sent() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(LocalProtocolError, match="cannot be packed"):
        FRAMES.encode_batch([[8, endless]])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("change", ["less", "more"])
def test_another_number_of_fields_is_refused(kind: Kind, change: str) -> None:
    row = correct(kind)[:-1] if change == "less" else [*correct(kind), b""]
    with pytest.raises(RemoteProtocolError, match=f"a {kind.name} of {len(row)} fields"):
        FRAMES.decode_batch([msgpack.packb([row])])


@pytest.mark.parametrize(
    "kind", [0, max(Kind) + 1, 99, -1, None, True, 1.0, "1", b"1", [], {}], ids=repr
)
def test_a_kind_there_is_none_of_is_refused(kind: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="a message of kind "):
        FRAMES.decode_batch([msgpack.packb([[kind, *call()[1:]]])])


@pytest.mark.parametrize("kind", [True, 3.0, 4.0], ids=repr)
def test_a_kind_that_only_equals_one_is_none(kind: Any) -> None:
    row = [kind, *(call() if kind is True else [3, 7, 0, b"\x01"])[1:]]
    with pytest.raises(RemoteProtocolError, match="a message of kind "):
        FRAMES.decode_batch([msgpack.packb([row])])


@pytest.mark.parametrize(
    "inner",
    [
        *(None, 1, {}, [], [[]], [{}], [None, 1], [99, 1], [True, *call()[1:]], [3.0, 7, 0, b""]),
        *map(correct, FOR_NEIGHBOURS),
    ],
    ids=lambda inner: repr(inner)[:30],
)
def test_an_inner_message_that_is_none_of_those_routed_is_refused(inner: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="inner message is none that is routed"):
        FRAMES.decode_batch([msgpack.packb([[6, THERE, HERE, 3, inner]])])


@pytest.mark.parametrize(
    "rows",
    [1, {}, None, b"rows", [1], [[]], [{}], [b""], [[5, msgpack.ExtType(2, b"x" * 16)]]],
    ids=repr,
)
def test_a_frame_in_another_shape_is_refused(rows: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        FRAMES.decode_batch([msgpack.packb(rows)])


def test_a_frame_of_no_parts_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="no parts"):
        FRAMES.decode_batch([])


def test_one_wrong_message_refuses_its_whole_frame() -> None:
    with pytest.raises(RemoteProtocolError):
        FRAMES.decode_batch([msgpack.packb([call(), [5, -1]])])


def test_names_are_bounded_each_by_itself() -> None:
    row = call()
    row[2], row[3] = "m" * NAME_MAX, "u" * NAME_MAX
    ((_, _, method, user, _, _),) = FRAMES.decode_batch(FRAMES.encode_batch([row]))
    assert (len(method), len(user)) == (NAME_MAX, NAME_MAX)
