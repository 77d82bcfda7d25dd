"""Copies of values: equal, of the same types, and with nothing in common that can change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.values.samples import (
    CodedError,
    Colour,
    Handle,
    Loud,
    NotedThing,
    Pair,
    Position,
    Row,
    Thing,
    UnspeakableError,
)
from tests.values.strategies import changeable_parts, identical, values
from vista.errors import AccessDenied, CallTimeout, RemoteFailure
from vista.values import ATOMS, copy_arguments, copy_exception, copy_value


@given(values())
def test_a_copy_equals_its_original(value: Any) -> None:
    assert identical(copy_value(value), value)


@given(values())
def test_a_copy_shares_no_part_that_can_change(value: Any) -> None:
    originals = {id(part) for part in changeable_parts(value)}
    assert not any(id(part) in originals for part in changeable_parts(copy_value(value)))


@given(values())
def test_a_value_that_cannot_change_is_not_copied(value: Any) -> None:
    if not list(changeable_parts(value)):
        assert copy_value(value) is value


@pytest.mark.parametrize(
    "value",
    [(1, "a"), frozenset({1, 2}), ((1, 2), (3,)), Pair(1, (2,)), Row("a", 1), Colour.RED],
    ids=repr,
)
def test_an_immutable_container_of_atoms_comes_back_itself(value: Any) -> None:
    assert copy_value(value) is value


def test_a_tuple_that_holds_a_list_is_copied_with_it() -> None:
    value = (1, [2])
    copied = copy_value(value)
    copied[1].append(3)
    assert value == (1, [2])


def test_a_list_that_stands_at_two_places_arrives_as_two() -> None:
    shared: list[int] = []
    one, other = copy_value([shared, shared])
    one.append(1)
    assert other == []


def test_a_bytearray_becomes_bytes() -> None:
    assert identical(copy_value(bytearray(b"ab")), b"ab")


def test_a_memoryview_in_steps_becomes_bytes() -> None:
    assert identical(copy_value(memoryview(b"abcdef")[::2]), b"ace")


def test_an_object_becomes_its_reference() -> None:
    assert copy_value([Thing()]) == [Thing().__reference__()]


def test_what_is_passed_by_reference_is_so_though_it_was_declared_a_record() -> None:
    assert copy_value([NotedThing()]) == [Thing().__reference__()]


def test_a_reference_is_passed_as_it_is() -> None:
    handle = Thing().__reference__()
    assert copy_value(handle) is handle


def test_a_record_is_copied_without_constructing_it_again() -> None:
    loud = Loud(1)
    loud.value = 10
    assert copy_value([loud])[0].value == 10


def test_the_copy_of_a_record_changes_alone() -> None:
    original = Position([1], 2)
    copied = copy_value(original)
    copied.x.append(3)
    assert original == Position([1], 2)


def test_a_frozen_record_with_a_list_is_copied() -> None:
    original = Pair(1, [2])
    assert copy_value(original).right is not original.right
    assert copy_value(original) == replace(original)


def test_nesting_as_deep_as_the_limit_is_copied() -> None:
    assert copy_value([[[]]], depth_max=3) == [[[]]]


def test_atoms_are_exact_types_without_parts() -> None:
    assert all(copy_value(value) is value for value in (None, True, 1, 1.0, "a", b"a"))
    assert not {list, tuple, dict, set, frozenset} & ATOMS


def test_arguments_that_are_atoms_come_back_themselves() -> None:
    args, kwargs = (1, "a"), {"x": 2.0}
    copied, named = copy_arguments(args, kwargs)
    assert copied is args
    assert named is kwargs


def test_arguments_are_copied_each_by_itself() -> None:
    inner: list[int] = []
    args, kwargs = copy_arguments((inner, 1), {"x": inner, "y": 2})
    inner.append(1)
    assert (args, kwargs) == (([], 1), {"x": [], "y": 2})


def test_the_copy_of_an_exception_keeps_type_args_attributes_and_notes() -> None:
    error = CodedError(7, place="here")
    error.add_note("while testing")
    copied = copy_exception(error)
    assert copied is not error
    assert identical(copied, error)


def test_the_copy_of_an_exception_has_its_own_arguments() -> None:
    error = ValueError([1])
    copy_exception(error).args[0].append(2)
    assert error.args == ([1],)


def test_the_copy_of_an_exception_keeps_traceback_and_cause_for_whoever_prints_it() -> None:
    with pytest.raises(ValueError) as caught:
        raise ValueError("bad") from KeyError("k")
    copied = copy_exception(caught.value)
    assert copied.__traceback__ is caught.value.__traceback__
    assert isinstance(copied.__cause__, KeyError)


def test_an_attribute_of_an_exception_that_is_no_value_is_left_out() -> None:
    error = CodedError(7, place="here")
    error.code = object()  # type: ignore[assignment]
    copied = copy_exception(error)
    assert vars(copied) == {"place": "here"}


def test_the_copy_of_an_os_error_keeps_its_file_names() -> None:
    copied = copy_exception(OSError(2, "gone", "/a", None, "/b"))
    assert isinstance(copied, FileNotFoundError)
    assert (copied.filename, copied.filename2) == ("/a", "/b")
    assert str(copied) == "[Errno 2] gone: '/a' -> '/b'"


def test_the_copy_of_a_decoding_error_keeps_its_fields() -> None:
    copied = copy_exception(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"))
    assert isinstance(copied, UnicodeDecodeError)
    assert (copied.object, copied.reason) == (b"\xff", "bad")


def test_exceptions_of_vista_with_two_parents_are_copied() -> None:
    copied = copy_exception(CallTimeout("after 3 s"))
    assert type(copied) is CallTimeout
    assert str(copied) == "after 3 s"


def test_the_copy_of_an_exception_group_keeps_its_members() -> None:
    copied = copy_exception(ExceptionGroup("two", [ValueError(1), AccessDenied("no")]))
    assert isinstance(copied, ExceptionGroup)
    assert [type(member) for member in copied.exceptions] == [ValueError, AccessDenied]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(object), "ValueError: <class 'object'>"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (UnspeakableError(object()), "UnspeakableError: <exception str() failed>"),
    ],
    ids=["argument is a class", "SystemExit", "KeyboardInterrupt", "no text"],
)
def test_an_exception_that_is_no_value_becomes_a_remote_failure(
    error: BaseException, text: str
) -> None:
    error.add_note("kept")
    copied = copy_exception(error)
    assert type(copied) is RemoteFailure
    assert str(copied) == text
    assert copied.__notes__ == ["kept"]


def test_a_handle_is_what_its_parts_say() -> None:
    handle = Thing().__reference__()
    assert Handle(*handle.__reference_parts__()) == handle
