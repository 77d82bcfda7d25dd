"""Bytes from outside: whole, cut anywhere, changed anywhere, and garbage."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.strategies import values
from tests.wire.checks import (
    check_frame_parts,
    check_value_bytes,
    check_value_parts,
    make_codec,
)
from vista.errors import RemoteProtocolError
from vista.wire.frames import HEAD, Kind

CODEC = make_codec()


def marked(letter: bytes, *items: Any) -> bytes:
    """A marked array."""
    return bytes(msgpack.packb([msgpack.ExtType(127, b"\xc1" + letter), *items]))


def leaf(code: int, data: bytes) -> bytes:
    """An extension."""
    return bytes(msgpack.packb(msgpack.ExtType(code, data)))


MARK = msgpack.ExtType(127, b"\xc1t")
COLOUR = "tests.values.samples:Colour"
RIGHTS = "tests.values.samples:Rights"
BAD = [
    b"",
    b"\xc1",
    b"\x01\x01",
    b"\x92\x01",
    b"\xa1\xff",
    b"\xd9\x05abc",
    b"\xdd\xff\xff\xff\xff\x01",
    b"\xdf\xff\xff\xff\xff\x01",
    b"\xc6\xff\xff\xff\xff\x01",
    b"\xdb\xff\xff\xff\xff\x01",
    b"\xc9\xff\xff\xff\xff\x01\x01",
    b"\x81\x90\x01",
    b"\x81\x80\x01",
    b"\x91" * 2000,
    b"\x91" * 1000 + b"\xc0",
    b"\xc7\x0c\xff" + b"\xff" * 12,
    leaf(127, b""),
    leaf(127, b"\xc1t"),
    leaf(127, b"\xc1z"),
    leaf(127, b"tt"),
    leaf(99, b"1"),
    leaf(2, b"short"),
    leaf(3, b"not a number"),
    leaf(3, b"\xff"),
    leaf(4, b"short"),
    leaf(5, b"\0\0\0\0"),
    leaf(5, b"\xff\xff\xff\xff"),
    leaf(6, b"\0\x18\0\0\0\0\0\0"),
    leaf(6, b"\0\0\0\0\0\0\0\0z"),
    leaf(7, b""),
    leaf(7, b"\0\0\0\x01\x05\0\0\0\0\0\0\0"),
    leaf(8, b"\x7f\xff\xff\xff\0\0\0\0\0\0\0\0"),
    leaf(9, b"\x7f" * 8),
    leaf(10, b""),
    leaf(10, b"../../etc/passwd"),
    leaf(10, b"/etc/localtime"),
    leaf(10, b"No/Such"),
    leaf(10, b"Europe"),
    leaf(10, b"a\0b"),
    marked(b"z"),
    marked(b"t", MARK),
    marked(b"s", []),
    marked(b"s", {}),
    marked(b"f", [[MARK, []]]),
    marked(b"t", {MARK: 1}),
    marked(b"t", {(): 1}),
    marked(b"b"),
    marked(b"b", 0),
    marked(b"b", -1),
    marked(b"b", True),
    marked(b"o"),
    marked(b"o", 1),
    marked(b"o", msgpack.ExtType(2, b"x" * 16)),
    marked(b"o", msgpack.ExtType(2, b"x" * 16), 7),
    marked(b"o", msgpack.ExtType(2, b"x" * 16), "a", "b"),
    marked(b"o", msgpack.ExtType(2, b"x" * 16), [MARK]),
    marked(b"r"),
    marked(b"r", 1, {}),
    marked(b"r", "tests.values.samples:Position", []),
    marked(b"r", "tests.values.samples:Position", {"x": 1, "y": MARK}),
    marked(b"e", COLOUR),
    marked(b"e", COLOUR, "GREEN"),
    marked(b"e", COLOUR, 0),
    marked(b"e", COLOUR, "__class__"),
    marked(b"e", RIGHTS, 64),
    marked(b"e", RIGHTS, "READ"),
    marked(b"e", "tests.values.samples:Position", "x"),
    marked(b"x"),
    marked(b"x", "builtins:ValueError", "", [], {}, []),
    marked(b"x", "builtins:ValueError", "", [], {}, [1], ""),
    marked(b"x", "builtins:ValueError", "", [], {"__class__": 1}, [], ""),
    marked(b"x", "builtins:ValueError", "", [], {1: 1}, [], ""),
    marked(b"x", "builtins:ValueError", "", [MARK], {}, [], ""),
    marked(b"x", "builtins:ValueError", "", [], {}, [], b""),
]


@pytest.mark.parametrize("data", BAD, ids=[f"{at} {data[:40]!r}" for at, data in enumerate(BAD)])
def test_these_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        CODEC.decode(data)


@given(st.binary())
def test_garbage_gives_a_value_or_a_protocol_error(data: bytes) -> None:
    check_value_bytes(data)


@given(values(), st.data())
def test_cut_bytes_are_refused(value: Any, data: st.DataObject) -> None:
    whole = CODEC.encode(value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(RemoteProtocolError):
        CODEC.decode(cut)


@given(values(), st.binary(min_size=1, max_size=3))
def test_bytes_that_follow_a_value_are_refused(value: Any, more: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        CODEC.decode(CODEC.encode(value) + more)


@given(values(), st.data())
def test_changed_bytes_give_a_value_or_a_protocol_error(value: Any, data: st.DataObject) -> None:
    changed = bytearray(CODEC.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    check_value_bytes(bytes(changed))


@given(st.lists(st.one_of(st.binary(), values().map(CODEC.encode)), max_size=3))
def test_garbage_parts_give_a_value_or_a_protocol_error(parts: list[bytes]) -> None:
    check_value_parts(parts)


@given(st.lists(st.one_of(st.binary(), values().map(CODEC.encode)), max_size=3))
def test_garbage_frames_give_messages_or_a_protocol_error(parts: list[bytes]) -> None:
    check_frame_parts(parts)


FIELD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=9),
    st.sampled_from([0, 10, 16, 18, HEAD.size]).map(bytes),
)
ROWS = st.recursive(
    st.tuples(st.sampled_from(Kind), st.lists(FIELD, max_size=6)).map(
        lambda row: [*row[:1], *row[1]]
    ),
    lambda rows: st.lists(FIELD | rows, max_size=6),
    max_leaves=4,
)


@given(st.lists(ROWS, max_size=3), st.lists(st.binary(max_size=9), max_size=2))
def test_rows_of_garbage_give_messages_or_a_protocol_error(
    rows: list[Any], buffers: list[bytes]
) -> None:
    check_frame_parts([bytes(msgpack.packb(rows)), *buffers])


@pytest.mark.parametrize("field", [None, True, 1.0, -1, 2**64 - 1, "text", b"", [], {}, [[]], [{}]])
@pytest.mark.parametrize("kind", Kind)
def test_any_field_of_any_kind_may_be_anything(kind: Kind, field: Any) -> None:
    right = [bytes(HEAD.size), "method", "user", b"", b""]
    for at in range(7):
        for length in range(at, 7):
            row = [kind, *right[: length - 1]]
            row[at:at] = [field]
            check_frame_parts([bytes(msgpack.packb([row, [6, bytes(10), bytes(10), 1, row]]))])


@pytest.mark.parametrize(
    "header",
    [b"\xdd\xff\xff\xff\xff", b"\xdd\x00\x01\x00\x00", b"\xdc\xff\xff", b"\xdf\x00\x00\x80\x00"],
    ids=["4 G items", "64 Ki items", "short header", "32 Ki pairs"],
)
def test_headers_that_claim_much_take_little_memory(header: bytes) -> None:
    data = header * 1000 + b"\x01" * 100_000
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            CODEC.decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 128 * 1024 * 1024


def test_a_buffer_named_a_thousand_times_is_copied_once() -> None:
    named = [msgpack.ExtType(127, b"\xc1b"), 0]
    message = bytes(msgpack.packb([named] * 1000))
    decoded = CODEC.decode_parts([message, memoryview(bytes(1_000_000))])  # type: ignore[list-item]
    assert len({id(buffer) for buffer in decoded}) == 1
