"""What is no value is refused with a text that names where it stands, by copying and encoding."""

from __future__ import annotations

import array
import collections
import enum
import io
import pathlib
import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.values.samples import (
    Handle,
    Pair,
    Position,
    Undeclared,
    UndeclaredChild,
    UndeclaredColour,
    UndeclaredRow,
)
from tests.values.strategies import ZONE_KEYS
from vista.errors import NotAValueError
from vista.limits import Limits
from vista.records import find_record
from vista.values import copy_arguments, copy_exception, copy_value
from vista.wire.codec import Codec


class Number(int):
    """A subclass of an allowed type."""


class Nowhere(tzinfo):
    """A time zone of one's own."""

    def utcoffset(self, moment: datetime | None) -> None:
        """No offset."""

    def dst(self, moment: datetime | None) -> None:
        """No daylight saving."""

    def tzname(self, moment: datetime | None) -> None:
        """No name."""


def contains_itself() -> list[Any]:
    """A list with itself at its second place."""
    items: list[Any] = [0]
    items.append(items)
    return items


def released() -> memoryview:
    """A memoryview nobody can read any more."""
    view = memoryview(b"a")
    view.release()
    return view


def unset() -> Position:
    """A record one of whose fields is not there."""
    position = Position(1, 2)
    del position.x
    return position


def changed_args() -> Exception:
    """An exception whose args its type does not take."""
    error = UnicodeDecodeError("utf-8", b"", 0, 1, "bad")
    error.args = (1,)
    return error


def unreadable_zone() -> ZoneInfo:
    """A zone read from a file, which has no key."""
    return ZoneInfo.from_file(io.BytesIO(TZIF))


# The smallest time zone file there is: version 1, no transitions, one type named UTC.
TZIF = (
    b"TZif" + b"\0" * 16 + bytes((0, 0, 0, 0) * 4 + (0, 0, 0, 1, 0, 0, 0, 4)) + b"\0" * 6 + b"UTC\0"
)

TIMES = ("noon", "midnight")
USE_RECORD = "declare its class with @vista.record"
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (object, "value: object is not a value"),
    (lambda: [1, {"a": (1, 2, 3, io.StringIO())}], 'value[1]["a"][3]: StringIO is not a value'),
    (lambda: {1: object()}, "value[1]: object is not a value"),
    (lambda: {(1, "a"): object()}, "value[(1, 'a')]: object is not a value"),
    (lambda: {'say "a"\n': object()}, 'value["say \\"a\\"\\n"]: object is not a value'),
    (lambda: {(1, object): 2}, "value{key}[1]: type is not a value; send its name"),
    (lambda: {object()}, "value{element}: object is not a value"),
    (lambda: frozenset({(object(),)}), "value{element}[0]: object is not a value"),
    (lambda: Position(1, object()), "value.y: object is not a value"),
    (lambda: Pair([object()]), "value.left[0]: object is not a value"),
    (lambda: ValueError(1, object()), "value.args[1]: object is not a value"),
    (contains_itself, "value[1]: contains itself"),
    (lambda: {"a": contains_itself()}, 'value["a"][1]: contains itself'),
    (lambda: [[[[]]]], "value[0][0][0]: nested deeper than 3 containers"),
    (lambda: [[Pair(1, (2,))]], "value[0][0].right: nested deeper than 3 containers"),
    (lambda: [((), ([],))], "value[0][1][0]: nested deeper than 3 containers"),
    (unset, "value: field x of Position is not set"),
    (released, "value: its buffer was released"),
    (changed_args, "value: UnicodeDecodeError cannot be made from its args"),
    (unreadable_zone, "value: a ZoneInfo without a key is not a value"),
    (lambda: datetime(2000, 1, 1, tzinfo=Nowhere()), "value.tzinfo: Nowhere is not a value"),
    (lambda: [time(1, tzinfo=Nowhere())], "value[0].tzinfo: Nowhere is not a value"),
    (lambda: Number(1), "value: Number is not a value; use int(...)"),
    (collections.OrderedDict, "value: OrderedDict is not a value; use dict(...)"),
    (lambda: types.MappingProxyType({}), "value: mappingproxy is not a value; use dict(...)"),
    (lambda: 1j, "value: complex is not a value; use a tuple of two floats"),
    (lambda: range(2), "value: range is not a value; use list(...)"),
    (lambda: (name for name in TIMES), "value: generator is not a value; use list(...)"),
    (lambda: array.array("b"), "value: array is not a value"),
    (lambda: int, "value: type is not a value; send its name"),
    (lambda: types, "value: module is not a value; send its name"),
    (lambda: unset, "value: function is not a value; send an object and the name of its method"),
    (lambda: pathlib.PurePosixPath("a"), "value: PurePosixPath is not a value; use str(...)"),
    (KeyboardInterrupt, "value: KeyboardInterrupt is not a value"),
    (Undeclared, f"value: Undeclared is not a value; {USE_RECORD}"),
    (lambda: UndeclaredChild(1), "value: UndeclaredChild is not a value"),
    (lambda: UndeclaredRow(1), f"value: UndeclaredRow is not a value; {USE_RECORD}"),
    (lambda: UndeclaredColour.GREEN, f"value: UndeclaredColour is not a value; {USE_RECORD}"),
]
TEXTS = [text for _, text in REFUSED]
SMALL = Limits(value_depth_max=3)


@pytest.mark.parametrize(("make", "text"), REFUSED, ids=TEXTS)
def test_copying_names_what_is_no_value(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(NotAValueError) as caught:
        copy_value(make(), depth_max=SMALL.value_depth_max)
    assert str(caught.value) == text


@pytest.mark.parametrize("method", ["encode", "encode_parts", "encode_canonical"])
@pytest.mark.parametrize(("make", "text"), REFUSED, ids=TEXTS)
def test_encoding_names_what_is_no_value(make: Callable[[], Any], text: str, method: str) -> None:
    codec = Codec(Handle, find_record, SMALL)
    with pytest.raises(NotAValueError) as caught:
        getattr(codec, method)(make())
    assert str(caught.value) == text


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((1, {"a": [0, object()]}), {}, 'args[1]["a"][1]: object is not a value'),
    ((1, [2]), {"x": 1, "y": [object()]}, 'kwargs["y"][0]: object is not a value'),
    (((contains_itself(),),), {}, "args[0][0][1]: contains itself"),
    ((), {"x": [[[[]]]]}, 'kwargs["x"][0][0][0]: nested deeper than 3 containers'),
]


@pytest.mark.parametrize(("args", "kwargs", "text"), ARGUMENTS, ids=[row[2] for row in ARGUMENTS])
def test_copying_arguments_names_the_argument(
    args: tuple[Any, ...], kwargs: dict[str, Any], text: str
) -> None:
    with pytest.raises(NotAValueError) as caught:
        copy_arguments(args, kwargs, SMALL.value_depth_max)
    assert str(caught.value) == text


@pytest.mark.parametrize(("args", "kwargs", "text"), ARGUMENTS, ids=[row[2] for row in ARGUMENTS])
def test_encoding_arguments_names_the_argument(
    args: tuple[Any, ...], kwargs: dict[str, Any], text: str
) -> None:
    with pytest.raises(NotAValueError) as caught:
        Codec(Handle, find_record, SMALL).encode_arguments(args, kwargs)
    assert str(caught.value) == text


def test_a_list_whose_parts_contain_each_other_many_times_is_refused_at_once() -> None:
    items: list[Any] = []
    items += [items] * 1000
    with pytest.raises(NotAValueError, match=r"^value\[0\]: contains itself$"):
        copy_value(items)


def test_the_zones_of_the_database_are_tested_where_there_are_any() -> None:
    assert all(copy_value(ZoneInfo(key)).key == key for key in ZONE_KEYS)


def test_a_dataclass_in_a_function_is_named_by_its_class() -> None:
    @dataclass
    class Inner:
        x: int = 0

    with pytest.raises(NotAValueError, match="Inner is not a value; declare its class"):
        copy_value(Inner())


def test_an_undeclared_enum_of_integers_is_told_to_declare_itself() -> None:
    size = enum.IntEnum("size", ["SMALL"])
    with pytest.raises(NotAValueError, match=r"declare its class with @vista\.record"):
        copy_value(size(1))


def shared_twice(levels: int) -> list[Any]:
    """A few lists that stand for 2 ** levels numbers, as each holds the next one twice."""
    value: list[Any] = [1]
    for _ in range(levels):
        value = [value, value]
    return value


def test_a_value_of_too_many_items_is_refused() -> None:
    with pytest.raises(NotAValueError, match=r"value: more than 16,777,216 items"):
        copy_value([0] * 16_777_216)


@pytest.fixture
def few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that is reached in no time."""
    monkeypatch.setattr("vista.values.ITEMS_MAX", 10_000)


@pytest.mark.usefixtures("few_items")
def test_a_value_that_stands_for_too_many_items_is_refused() -> None:
    with pytest.raises(NotAValueError, match=r"value: more than [\d,]+ items"):
        copy_value(shared_twice(60))


@pytest.mark.usefixtures("few_items")
@pytest.mark.parametrize("where", ["args", "kwargs"])
def test_arguments_that_stand_for_too_many_items_are_refused(where: str) -> None:
    value = shared_twice(60)
    args, kwargs = ((value,), {}) if where == "args" else ((), {"value": value})
    with pytest.raises(NotAValueError, match=r"value_items_max"):
        copy_arguments(args, kwargs)


@pytest.mark.usefixtures("few_items")
def test_an_exception_keeps_no_attribute_of_too_many_items() -> None:
    error = ValueError("kept")
    error.value = shared_twice(60)  # type: ignore[attr-defined]
    error.other = 1  # type: ignore[attr-defined]
    copied = copy_exception(error)
    assert vars(copied) == {"other": 1}


def test_a_list_of_numbers_counts_its_items_once() -> None:
    value = [0] * 1_000_000
    assert copy_value([value, value]) == [value, value]
