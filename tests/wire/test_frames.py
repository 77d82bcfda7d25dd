"""Frames: batches of messages as parts, and back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.strategies import ids
from tests.wire.checks import check_frame_parts, make_codec
from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.ids import Id
from vista.limits import Limits
from vista.wire.frames import FIELDS, NUMBER_MAX, Frames, Kind, Message

FRAMES = Frames(Limits())
NAMES = st.text(max_size=10)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(0, NUMBER_MAX),
    "target": ids(),
    "method": NAMES,
    "sender": st.none() | ids(),
    "user": NAMES,
    "deadline_seconds": st.none() | st.floats(0, 1e9),
    "payload": st.lists(st.binary(max_size=20), min_size=1, max_size=4).map(tuple),
}
TARGET = Id(b"target".ljust(16))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message, with the fields of its kind."""
    kind = draw(st.sampled_from(Kind))
    fields: dict[str, Any] = {name: draw(COLUMNS[name]) for name in FIELDS[kind]}
    return Message(kind, **fields)


def call(**changes: Any) -> Message:
    """A call that is as it should be, but for the changes."""
    fields: dict[str, Any] = {
        "number": 7,
        "target": TARGET,
        "method": "increment",
        "user": "ada",
        "deadline_seconds": 60.0,
        "payload": (b"\x92\x90\x80",),
    }
    return Message(Kind.CALL, **{**fields, **changes})


@given(st.lists(messages(), max_size=5))
def test_messages_arrive_as_they_were_sent_and_in_order(batch: list[Message]) -> None:
    assert FRAMES.decode_batch(FRAMES.encode_batch(batch)) == batch


@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_changed_frames_give_messages_or_a_protocol_error(
    batch: list[Message], data: st.DataObject
) -> None:
    parts = FRAMES.encode_batch(batch)
    changed = bytearray(parts[0])
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    check_frame_parts([bytes(changed), *parts[1:]])


def test_ids_arrive_as_ids() -> None:
    (message,) = FRAMES.decode_batch(FRAMES.encode_batch([call(sender=TARGET)]))
    assert (type(message.target), type(message.sender)) == (Id, Id)


def test_large_buffers_are_parts_of_their_own_uncopied() -> None:
    one, other = b"x" * 64, b"y" * 64
    codec = make_codec()
    batch = [call(payload=codec.encode_arguments((buffer,), {})) for buffer in (one, other)]
    header, *buffers = FRAMES.encode_batch(batch)
    assert buffers[0] is one
    assert buffers[1] is other
    arrived = FRAMES.decode_batch([header, *buffers])
    assert [codec.decode_arguments(message.payload) for message in arrived] == [
        ((one,), {}),
        ((other,), {}),
    ]


def test_a_payload_nobody_here_can_read_is_passed_on() -> None:
    sealed = call(payload=(b"\xc1 no value", b"buffer"))
    (message,) = FRAMES.decode_batch(FRAMES.encode_batch([sealed]))
    assert message == sealed


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"number": -1}, "number"),
    ({"number": NUMBER_MAX + 1}, "number"),
    ({"number": True}, "number"),
    ({"number": "1"}, "number"),
    ({"target": None}, "target"),
    ({"target": b"short"}, "target"),
    ({"target": "a" * 16}, "target"),
    ({"sender": b""}, "sender"),
    ({"method": "m" * 256}, "method"),
    ({"method": None}, "method"),
    ({"user": b"ada"}, "user"),
    ({"deadline_seconds": -1.0}, "deadline_seconds"),
    ({"deadline_seconds": float("nan")}, "deadline_seconds"),
    ({"deadline_seconds": float("inf")}, "deadline_seconds"),
    ({"deadline_seconds": 1}, "deadline_seconds"),
]


@pytest.mark.parametrize(("changes", "name"), WRONG, ids=[str(changes) for changes, _ in WRONG])
def test_a_wrong_field_is_not_sent(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"a CALL with the {name} "):
        FRAMES.encode_batch([call(**changes)])


# msgpack itself cannot carry the number that is too great.
CARRIED = [row for row in WRONG if row[0] != {"number": NUMBER_MAX + 1}]


@pytest.mark.parametrize(("changes", "name"), CARRIED, ids=[str(row[0]) for row in CARRIED])
def test_a_wrong_field_that_arrives_is_refused(changes: dict[str, Any], name: str) -> None:
    message = call(**changes)
    row = [1, *[getattr(message, field) for field in FIELDS[Kind.CALL][:-1]], 0, b""]
    data = msgpack.packb([row])
    with pytest.raises(RemoteProtocolError, match=f"a CALL with the {name} "):
        FRAMES.decode_batch([data])


def test_a_message_without_the_payload_of_its_kind_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="payload"):
        FRAMES.encode_batch([call(payload=())])


def test_a_name_with_lone_surrogates_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="method"):
        FRAMES.encode_batch([call(method="\ud800")])


@pytest.mark.parametrize(
    "rows",
    [
        1,
        {},
        [1],
        [[]],
        [[0]],
        [[99, 1]],
        [[True, 1]],
        [["1", 1]],
        [[5]],
        [[5, 1, 2]],
        [[3, 1, 0]],
        [[3, 1, 0, "payload"]],
        [[3, 1, -1, b""]],
        [[3, 1, True, b""]],
        [[3, 1, 1, b""]],
        [[3, 1, 2**60, b""]],
        [[5, msgpack.ExtType(2, b"x" * 16)]],
    ],
    ids=repr,
)
def test_a_frame_in_another_shape_is_refused(rows: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        FRAMES.decode_batch([msgpack.packb(rows)])


def test_a_frame_of_no_parts_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="no parts"):
        FRAMES.decode_batch([])


def test_a_message_whose_buffers_did_not_come_is_refused() -> None:
    header, *buffers = FRAMES.encode_batch([call(payload=(b"a", b"b", b"c"))])
    with pytest.raises(RemoteProtocolError, match="buffers did not come with it"):
        FRAMES.decode_batch([header, *buffers[:1]])


def test_buffers_that_belong_to_no_message_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="2 buffers that belong to no message"):
        FRAMES.decode_batch([*FRAMES.encode_batch([call()]), b"", b""])


def test_a_frame_of_too_many_bytes_is_neither_sent_nor_read() -> None:
    small = Frames(Limits(frame_bytes_max=100, large_buffer_bytes=50))
    batch = [call(payload=(b"a", b"x" * 100))]
    with pytest.raises(LocalProtocolError, match="more than 100 bytes"):
        small.encode_batch(batch)
    with pytest.raises(RemoteProtocolError, match="more than 100 bytes"):
        small.decode_batch(FRAMES.encode_batch(batch))


def test_every_kind_has_a_row_of_fields() -> None:
    assert set(FIELDS) == set(Kind)
    assert all(set(fields) <= set(COLUMNS) for fields in FIELDS.values())
