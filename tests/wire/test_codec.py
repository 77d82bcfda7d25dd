"""Values through the codec: what comes out is what a local copy would be."""

from __future__ import annotations

import math
import struct
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given

from tests.values.samples import Colour, Handle, Loud, Pair, Position, Rights, Row, Thing
from tests.values.strategies import identical, values
from tests.wire.checks import make_codec
from vista.errors import BadValueError, NotAValueError, RemoteProtocolError
from vista.limits import Limits
from vista.records import find_record
from vista.values import Reference, copy_value
from vista.wire.codec import DEPTH_LIMIT, Codec

CODEC = make_codec()


@given(values())
def test_a_value_arrives_as_its_local_copy(value: Any) -> None:
    assert identical(CODEC.decode(CODEC.encode(value)), copy_value(value))


@given(values())
def test_a_value_in_parts_arrives_as_its_local_copy(value: Any) -> None:
    assert identical(CODEC.decode_parts(CODEC.encode_parts(value)), copy_value(value))


@given(values())
def test_a_value_arrives_from_its_canonical_bytes(value: Any) -> None:
    assert identical(CODEC.decode(CODEC.encode_canonical(value)), copy_value(value))


@given(values(), values())
def test_arguments_arrive_as_a_tuple_and_a_dict(one: Any, other: Any) -> None:
    parts = CODEC.encode_arguments((one,), {"x": other})
    assert identical(CODEC.decode_arguments(parts), ((copy_value(one),), {"x": copy_value(other)}))


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        1.0,
        Decimal(1),
        -0.0,
        math.nan,
        struct.unpack(">d", b"\xff\xf8\x00\x00\x00\x00\x12\x34")[0],
        2**64 - 1,
        2**64,
        -(2**63),
        -(2**63) - 1,
        1 << 5000,
        "\ud800",
        "\udc00\ud800",
        "",
        b"\x7f\xc1t",
        (),
        [],
        [()],
        {(): [()]},
        {(1, (2,)): {frozenset({1}): 2}},
        {1: 1, "1": 2, b"1": 3, None: 4, 1.5: 5},
        {True: 1},
        [127, 0xC1, "\x7f", b"\xc1", 0x7FC1],
        Rights.READ | Rights.WRITE,
        Rights(0),
        Colour.RED,
        Row("a"),
        Pair(Position(1), {2: (3,)}),
    ],
    ids=repr,
)
def test_this_value_arrives_unchanged(value: Any) -> None:
    assert identical(CODEC.decode(CODEC.encode(value)), value)


def test_an_object_arrives_as_its_reference() -> None:
    assert CODEC.decode(CODEC.encode([Thing()])) == [Thing().__reference__()]


def test_a_bytearray_arrives_as_bytes() -> None:
    assert identical(CODEC.decode(CODEC.encode(bytearray(b"ab"))), b"ab")


def test_a_memoryview_in_steps_arrives_as_bytes() -> None:
    assert identical(CODEC.decode(CODEC.encode([memoryview(b"abcdef")[::2]])), [b"ace"])


def test_a_record_arrives_without_being_constructed_again() -> None:
    loud = Loud(1)
    loud.value = 10
    assert CODEC.decode(CODEC.encode(loud)).value == 10


def test_a_field_that_older_bytes_lack_gets_its_default() -> None:
    data = _record_bytes("Position", {"x": 1})
    assert CODEC.decode(data) == Position(1, 0)


def test_each_record_gets_a_default_of_its_own() -> None:
    one, other = (CODEC.decode(_record_bytes("Pair", {"left": 1})) for _ in range(2))
    assert one.right == []
    assert one.right is not other.right


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("Position", {"y": 1}, "came without its field x"),
        ("Position", {"x": 1, "z": 2}, "came with a field it does not have here"),
        ("Position", {"x": 1, 5: 2}, "came with a field it does not have here"),
        ("Undeclared", {"x": 1}, "no record tests.values.samples:Undeclared is known here"),
        ("Missing", {}, "no record tests.values.samples:Missing is known here"),
        ("CodedError", {}, "no record tests.values.samples:CodedError is known here"),
        ("Colour", {}, "record tests.values.samples:Colour is an enum here"),
    ],
)
def test_a_record_in_another_shape_is_refused(name: str, fields: dict[Any, Any], text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=text):
        CODEC.decode(_record_bytes(name, fields))


def test_a_timestamp_of_msgpack_is_read_as_a_moment() -> None:
    moment = datetime(2001, 2, 3, tzinfo=UTC)
    assert CODEC.decode(msgpack.packb(moment, datetime=True)) == moment


@pytest.mark.parametrize(
    "make",
    [lambda depth: _nested(depth), lambda depth: _nested(depth, wrap=lambda part: (part,))],
    ids=["lists", "tuples"],
)
def test_what_nests_deeper_than_the_limit_is_refused_both_ways(
    make: Callable[[int], Any],
) -> None:
    limit = Limits().value_depth_max
    assert CODEC.decode(CODEC.encode(make(limit))) == make(limit)
    deep = make_codec(Limits(value_depth_max=limit + 1)).encode(make(limit + 1))
    with pytest.raises(RemoteProtocolError, match="nested deeper"):
        CODEC.decode(deep)
    with pytest.raises(NotAValueError, match="nested deeper than 100 containers"):
        CODEC.encode(make(limit + 1))


def test_a_wide_value_is_not_mistaken_for_a_deep_one() -> None:
    wide = [[number, {"a": [number]}] for number in range(1000)]
    assert CODEC.decode(CODEC.encode(wide)) == wide
    marked = [(number, [number]) for number in range(1000)]
    assert CODEC.decode(CODEC.encode(marked)) == marked


def test_records_nest_as_deep_as_a_codec_may_be_told() -> None:
    codec = make_codec(Limits(value_depth_max=DEPTH_LIMIT))
    value = _nested(DEPTH_LIMIT, wrap=Position)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 8 * DEPTH_LIMIT)
    try:
        assert codec.decode(codec.encode(value)) == value
    finally:
        sys.setrecursionlimit(limit)


def test_a_codec_refuses_a_depth_that_msgpack_cannot_do() -> None:
    with pytest.raises(BadValueError, match="value_depth_max"):
        make_codec(Limits(value_depth_max=DEPTH_LIMIT + 1))


@pytest.mark.parametrize("method", ["encode", "encode_parts", "encode_canonical"])
def test_a_value_of_too_many_bytes_is_not_encoded(method: str) -> None:
    codec = make_codec(Limits(value_bytes_max=50, large_buffer_bytes=30))
    assert getattr(codec, method)(b"x" * 20)
    with pytest.raises(NotAValueError, match="limit value_bytes_max is 50"):
        getattr(codec, method)([b"x" * 40, "y" * 40])


def test_a_value_of_too_many_bytes_is_not_decoded() -> None:
    codec = make_codec(Limits(value_bytes_max=50))
    with pytest.raises(RemoteProtocolError, match="more than 50 bytes"):
        codec.decode(CODEC.encode(b"x" * 60))
    with pytest.raises(RemoteProtocolError, match="more than 50 bytes"):
        codec.decode_parts([b"\x01", b"x" * 60])


def test_the_head_of_a_list_is_read_without_what_stands_behind_it() -> None:
    data = CODEC.encode([1, "two", b"3", Position(4), {"five": {6}}])
    nobody = Codec(Handle, lambda name: None, Limits())
    with pytest.raises(RemoteProtocolError, match="no record"):
        nobody.decode(data)
    assert nobody.decode_atoms(data, 3) == [1, "two", b"3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2], "not a list of 3 items or more"),
        ({1: 2}, "not a list of 3 items or more"),
        ("abc", "not a list of 3 items or more"),
        ((1, 2, 3), "begins with 3 atoms"),
        ([1, 2, [3]], "begins with 3 atoms"),
        ([1, 2, {}], "begins with 3 atoms"),
        ([1, Position(2), 3], "begins with 3 atoms"),
    ],
)
def test_another_head_is_refused(value: Any, text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=text):
        CODEC.decode_atoms(CODEC.encode(value), 3)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02", b"\x91" * 2_000 + b"\x01"])
def test_a_head_that_is_no_value_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        CODEC.decode_atoms(data, 1)


def test_a_head_of_too_many_bytes_is_not_read() -> None:
    data = CODEC.encode([1, b"x" * 60])
    with pytest.raises(RemoteProtocolError, match="more than 50 bytes"):
        make_codec(Limits(value_bytes_max=50)).decode_atoms(data, 1)


def test_a_large_buffer_travels_as_a_part_of_its_own_uncopied() -> None:
    large = b"x" * 64
    message, *buffers = CODEC.encode_parts({"a": [large, (large, 1)], "b": Position(large)})
    assert len(message) < 200
    assert [buffer is large for buffer in buffers] == [True, True, True]


def test_a_large_buffer_that_may_change_is_copied_once() -> None:
    large = bytearray(64)
    _, buffer = CODEC.encode_parts([large])
    large[0] = 1
    assert buffer == bytes(64)


def test_a_large_buffer_is_counted_in_bytes_and_not_in_items() -> None:
    numbers = memoryview(bytes(64)).cast("q")
    assert len(CODEC.encode_parts(numbers)) == 2


def test_many_small_buffers_stay_in_the_message() -> None:
    assert len(CODEC.encode_parts([b"x" * 63] * 10)) == 1


def test_parts_may_be_memoryviews() -> None:
    parts = CODEC.encode_parts([b"x" * 64, 1])
    decoded = CODEC.decode_parts([memoryview(part) for part in parts])  # type: ignore[misc]
    assert identical(decoded, [b"x" * 64, 1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_buffer_that_did_not_come_is_refused(count: int) -> None:
    message, *_ = CODEC.encode_parts([b"x" * 64] * 4)
    with pytest.raises(RemoteProtocolError, match="did not come"):
        CODEC.decode_parts([message, *[b"y"] * count])


@pytest.mark.parametrize("value", [1, [], [[]], [[], []], [{}, []], [[], {1: 2}], [[], {}, 1]])
def test_arguments_in_another_shape_are_refused(value: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="arguments are"):
        CODEC.decode_arguments([CODEC.encode(value)])


def test_a_reference_that_cannot_be_made_is_refused() -> None:
    class Wrong(Handle):
        __slots__ = ()

        def __reference_parts__(self) -> tuple[Any, ...]:
            return self.id, 5

    data = CODEC.encode(Wrong(Thing().__reference__().id, "a"))
    with pytest.raises(RemoteProtocolError, match="no reference"):
        CODEC.decode(data)


def test_a_reference_is_not_made_of_parts_that_are_no_atoms() -> None:
    lenient = Codec(lambda id, *_: Handle(id, "any"), find_record, Limits())

    class Wrong(Handle):
        __slots__ = ()

        def __reference_parts__(self) -> tuple[Any, ...]:
            return self.id, [1]

    with pytest.raises(RemoteProtocolError, match="no parts but atoms"):
        lenient.decode(lenient.encode(Wrong(Thing().__reference__().id, "a")))


def test_a_large_message_leaves_no_large_buffer_behind() -> None:
    codec = make_codec()
    value = "x" * 4_000_000
    tracemalloc.start()
    try:
        codec.encode(value)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_encoding_may_start_another_value_meanwhile() -> None:
    codec = make_codec()

    class Nosy(Reference):
        __slots__ = ()

        def __reference_parts__(self) -> tuple[Any, ...]:
            codec.encode(["other", ("value",)])
            return Thing().__reference__().__reference_parts__()

    assert codec.decode(codec.encode([1, Nosy(), 2])) == [1, Thing().__reference__(), 2]


def test_a_failed_encoding_leaves_no_trace_in_the_next() -> None:
    codec = make_codec()
    before = codec.encode([1, (2,)])
    with pytest.raises(NotAValueError):
        codec.encode(["left behind", object()])
    assert codec.encode([1, (2,)]) == before


def test_the_default_finder_of_records_is_enough_for_a_codec() -> None:
    codec = Codec(Handle, find_record, Limits())
    assert codec.decode(codec.encode(Position(1))) == Position(1)


def _nested(depth: int, wrap: Callable[[Any], Any] = lambda part: [part]) -> Any:
    value = wrap(0)
    for _ in range(depth - 1):
        value = wrap(value)
    return value


def _record_bytes(name: str, fields: dict[Any, Any]) -> bytes:
    mark = msgpack.ExtType(127, b"\xc1r")
    return bytes(msgpack.packb([mark, f"tests.values.samples:{name}", fields]))
