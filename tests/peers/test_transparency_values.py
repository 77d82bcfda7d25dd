"""What a message carries arrives the same, wherever its object lives."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vista
from tests.peers.places import Place
from tests.values.samples import CodedError
from tests.values.strategies import identical, values
from vista.errors import NotAValueError, RemoteFailure

# A test's place lasts through all its examples.
FEW = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LARGE = 256 * 1024


class LookingGlass(vista.Object):
    """Gives back what it gets, and keeps it."""

    def create(self) -> None:
        self.kept: Any = None

    def give_back(self, *args: Any, **kwargs: Any) -> Any:
        return [list(args), kwargs]

    def keep(self, value: Any) -> Any:
        self.kept = value
        return self.kept

    def get_kept(self) -> Any:
        return self.kept

    def change(self, value: list[Any]) -> None:
        value.append("changed")

    def pass_to(self, other: vista.Ref, value: Any) -> Any:
        return other.keep(value)

    def give_back_self(self) -> Any:
        return self

    def give_back_what_is_no_value(self) -> Any:
        return object()

    def name_of(self, value: Any) -> str:
        return type(value).__name__

    def depth_of(self, value: Any) -> int:
        depth = 0
        while value:
            (value,) = value
            depth += 1
        return depth

    def nested(self, depth: int, inmost: Any) -> Any:
        return nested(depth, inmost)


def nested(depth: int, inmost: Any) -> Any:
    """Something in a list in a list, ``depth`` of them."""
    value: Any = inmost
    for _ in range(depth):
        value = [value]
    return value


class Thrower(vista.Object):
    """Raises what it is told to."""

    def throw(self, error: Exception) -> None:
        raise error

    def throw_unknown(self) -> None:
        class NobodyElsesError(Exception):
            """Its class is found by no name."""

        raise NobodyElsesError("only here")

    def throw_from(self, error: Exception, cause: Exception) -> None:
        raise error from cause

    def throw_through(self, other: vista.Ref, error: Exception) -> None:
        other.throw(error)

    def throw_coded(self) -> None:
        raise CodedError(7, place="the far end")

    def leave(self) -> None:
        raise SystemExit(3)

    async def throw_async(self, error: Exception) -> None:
        raise error

    @vista.native
    def throw_native(self, error: Exception) -> None:
        raise error


def sendable() -> st.SearchStrategy[Any]:
    """Any values but the references of the tests, which no node can make."""
    return values().filter(lambda value: "Handle object" not in repr(value))


# --- values --------------------------------------------------------------------------------


@FEW
@given(value=sendable())
def test_every_value_comes_back_the_same(place: Place, value: Any) -> None:
    mirror = place.create(LookingGlass)
    assert identical(mirror.give_back(value), [[value], {}])


@FEW
@given(args=st.lists(sendable(), max_size=3), kwargs=st.dictionaries(st.text("abc"), sendable()))
def test_arguments_arrive_by_place_and_by_name(
    place: Place, args: list[Any], kwargs: dict[str, Any]
) -> None:
    kwargs.pop("", None)
    mirror = place.create(LookingGlass)
    assert identical(mirror.give_back(*args, **kwargs), [args, kwargs])


@FEW
@given(value=sendable())
def test_a_value_passes_through_a_third_node(place: Place, value: Any) -> None:
    mirror, other = place.create(LookingGlass), vista.create(LookingGlass, at=place.third())
    assert identical(mirror.pass_to(other, value), value)
    assert identical(other.get_kept(), value)


@pytest.mark.parametrize("value", [bytearray(b"ab"), memoryview(b"ab")], ids=["array", "view"])
def test_changeable_buffers_arrive_as_bytes(place: Place, value: Any) -> None:
    assert place.create(LookingGlass).name_of(value) == "bytes"


@pytest.mark.parametrize("count", [1, 3])
def test_large_buffers_come_back_the_same(place: Place, count: int) -> None:
    buffers = [bytes([number]) * (LARGE + number) for number in range(count)]
    assert place.create(LookingGlass).give_back(buffers, 1) == [[buffers, 1], {}]


def test_a_large_buffer_arrives_by_post_and_by_future(place: Place) -> None:
    mirror = place.create(LookingGlass)
    mirror.keep.post(b"p" * LARGE)
    assert mirror.get_kept() == b"p" * LARGE
    assert mirror.give_back.future(b"f" * LARGE).result() == [[b"f" * LARGE], {}]


def test_a_large_buffer_that_can_change_arrives_as_it_was_when_sent(place: Place) -> None:
    mirror, buffer = place.create(LookingGlass), bytearray(b"a" * LARGE)
    mirror.keep.post(buffer)
    buffer[:] = b"b" * LARGE
    assert mirror.get_kept() == b"a" * LARGE


@pytest.mark.parametrize(
    "argument",
    [object(), print, [1, {2: print}], {object(): 1}],
    ids=["object", "function", "deep inside", "key"],
)
def test_what_is_no_value_is_refused_with_the_place_in_the_arguments(
    place: Place, argument: Any
) -> None:
    mirror, local = place.create(LookingGlass), vista.create(LookingGlass)
    with pytest.raises(NotAValueError) as expected:
        local.give_back(1, argument)
    with pytest.raises(NotAValueError) as raised:
        mirror.give_back(1, argument)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize("way", ["post", "future"])
def test_what_is_no_value_is_refused_where_it_is_sent(place: Place, way: str) -> None:
    mirror = place.create(LookingGlass)
    with pytest.raises(NotAValueError, match=r"args\[0\]"):
        getattr(mirror.keep, way)(object())
    assert mirror.get_kept() is None


DEPTH_MAX = vista.Limits().value_depth_max


@pytest.mark.parametrize("inmost", [[], (), {}], ids=repr)
def test_arguments_and_results_may_be_as_deep_as_values_may(place: Place, inmost: Any) -> None:
    mirror = place.create(LookingGlass)
    assert mirror.depth_of(nested(DEPTH_MAX - 1, inmost)) == DEPTH_MAX - 1
    assert mirror.depth_of(value=nested(DEPTH_MAX - 1, inmost)) == DEPTH_MAX - 1
    assert mirror.nested(DEPTH_MAX - 1, inmost) == nested(DEPTH_MAX - 1, inmost)


def test_what_is_nested_too_deep_is_refused_where_it_is_sent(place: Place) -> None:
    mirror = place.create(LookingGlass)
    with pytest.raises(NotAValueError, match=r"args\[0\]\[0\]"):
        mirror.depth_of(nested(DEPTH_MAX, []))
    with pytest.raises(NotAValueError, match=r"result\[0\]\[0\]"):
        mirror.nested(DEPTH_MAX, [])


def test_a_result_that_is_no_value_is_refused(place: Place) -> None:
    mirror = place.create(LookingGlass)
    with pytest.raises(NotAValueError, match="object is not a value"):
        mirror.give_back_what_is_no_value()


# --- copies --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "post", "future"])
def test_a_change_after_the_sending_is_not_seen(place: Place, way: str) -> None:
    def work() -> Any:
        mirror, value = place.create(LookingGlass), [[1]]
        if way == "call":
            mirror.keep(value)
        elif way == "post":
            mirror.keep.post(value)
        else:
            call = mirror.keep.future(value)
        value[0].append(2)
        if way == "future":
            call.result()
        return mirror.get_kept()

    assert place.run(work) == [[1]]


def test_a_change_to_an_argument_is_not_seen_by_the_caller(place: Place) -> None:
    value = [1]
    place.create(LookingGlass).change(value)
    assert value == [1]


def test_a_change_to_a_result_is_not_seen_by_the_object(place: Place) -> None:
    mirror = place.create(LookingGlass)
    mirror.keep([1]).append(2)
    assert mirror.get_kept() == [1]


def test_a_list_at_two_places_arrives_as_two_lists(place: Place) -> None:
    mirror, one = place.create(LookingGlass), [1]
    (pair,), _ = mirror.give_back([one, one])
    assert pair == [[1], [1]]
    assert pair[0] is not pair[1]


# --- Refs and Ids --------------------------------------------------------------------------


def test_a_ref_comes_back_equal_and_with_the_same_hash(place: Place) -> None:
    mirror, other = place.create(LookingGlass), place.create(LookingGlass)
    ((back,), _) = mirror.give_back(other)
    assert back == other
    assert hash(back) == hash(other)
    assert {back: 1}[other] == 1
    assert back != mirror


def test_a_ref_of_a_near_object_comes_back_as_the_same(place: Place) -> None:
    own = vista.create(LookingGlass)
    ((back,), _) = place.create(LookingGlass).give_back(own)
    assert back == own
    assert back.keep(1) == 1


def test_an_object_passes_its_ref_when_it_passes_itself(place: Place) -> None:
    mirror = place.create(LookingGlass)
    assert mirror.give_back_self() == mirror


def test_an_id_comes_back_as_an_id(place: Place) -> None:
    mirror = place.create(LookingGlass)
    ((back,), _) = mirror.give_back(vista.id_of(mirror))
    assert type(back) is vista.Id
    assert back == vista.id_of(mirror)


def test_a_ref_passed_through_a_third_node_reaches_its_object(place: Place) -> None:
    target, third = place.create(LookingGlass), vista.create(LookingGlass, at=place.third())
    third.keep([target])
    (back,) = third.get_kept()
    assert back == target
    assert back.keep("over there") == "over there"
    assert target.get_kept() == "over there"


def test_a_third_node_sends_to_an_object_it_was_told_of(place: Place) -> None:
    target, third = place.create(LookingGlass), vista.create(LookingGlass, at=place.third())
    assert third.pass_to(target, 5) == 5
    assert target.get_kept() == 5


def test_the_far_object_sends_to_a_near_one(place: Place) -> None:
    own = vista.create(LookingGlass)
    assert place.create(LookingGlass).pass_to(own, [1]) == [1]
    assert own.get_kept() == [1]


# --- exceptions ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["throw", "throw_async", "throw_native"])
def test_an_exception_comes_with_type_arguments_and_notes(place: Place, method: str) -> None:
    error = KeyError("a", ["b", 3])
    error.add_note("written here")
    with pytest.raises(KeyError) as raised:
        vista.send(place.create(Thrower), method, error)
    assert raised.value.args == ("a", ["b", 3])
    assert "written here" in raised.value.__notes__


def test_an_exception_has_its_attributes(place: Place) -> None:
    with pytest.raises(CodedError) as raised:
        place.create(Thrower).throw_coded()
    assert (raised.value.code, raised.value.place) == (7, "the far end")
    assert str(raised.value) == "code 7 at the far end"


def test_an_exception_comes_through_another_object(place: Place) -> None:
    thrower, other = place.create(Thrower), vista.create(Thrower, at=place.third())
    with pytest.raises(LookupError, match="far from here"):
        other.throw_through(thrower, LookupError("far from here"))


def test_an_exception_group_comes_whole(place: Place) -> None:
    group = ExceptionGroup("two", [ValueError(1), KeyError("k")])
    with pytest.raises(ExceptionGroup) as raised:
        place.create(Thrower).throw(group)
    assert [type(one) for one in raised.value.exceptions] == [ValueError, KeyError]


def test_a_printed_exception_names_the_methods_it_came_through(place: Place) -> None:
    thrower, other = place.create(Thrower), vista.create(Thrower, at=place.third())
    with pytest.raises(LookupError) as raised:
        other.throw_through(thrower, LookupError("far"))
    text = "".join(traceback.format_exception(raised.value))
    assert "in throw_through\n" in text
    assert "in throw\n" in text
    assert "raise error" in text


def test_a_printed_exception_names_its_cause(place: Place) -> None:
    with pytest.raises(ValueError, match="effect") as raised:
        place.create(Thrower).throw_from(ValueError("effect"), KeyError("the cause"))
    assert "KeyError: 'the cause'" in "".join(traceback.format_exception(raised.value))


def test_an_exception_of_a_future_is_the_same(place: Place) -> None:
    error = place.create(Thrower).throw.future(OSError(2, "no entry", "a.txt")).exception()
    assert type(error) is FileNotFoundError
    assert (error.errno, error.strerror, error.filename) == (2, "no entry", "a.txt")


def test_an_exception_unknown_here_says_what_it_was(place: Place) -> None:
    with pytest.raises(Exception, match="only here") as raised:
        place.create(Thrower).throw_unknown()
    text = "".join(traceback.format_exception(raised.value))
    assert "NobodyElsesError" in text
    assert "in throw_unknown" in text
    # Between nodes its class cannot be found; in this process the caller has it.
    assert isinstance(raised.value, RemoteFailure) is bool(place.hops)


def test_a_method_that_leaves_by_system_exit_is_a_failure_of_its_call(place: Place) -> None:
    with pytest.raises((RemoteFailure, SystemExit)) as raised:
        place.create(Thrower).leave()
    assert "3" in str(raised.value)
