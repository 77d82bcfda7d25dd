"""Objects are made, called and missed the same, wherever they live."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from tests.peers.places import Place
from tests.peers.travellers import (
    Pliant,
    Stillborn,
    Traveller,
)
from vista.errors import (
    BadValueError,
    NoSuchClass,
    NoSuchMethod,
    NoSuchObject,
    ObjectDeleted,
)


def missing_id(place: Place) -> vista.Id:
    """An Id of the far node that no object has had."""
    return vista.Id.make(place.far.kernel.table.node, 2**40)


# --- where it is ---------------------------------------------------------------------------


def test_the_object_lives_where_the_test_says(place: Place) -> None:
    counter = place.create(Counter)
    near, far = place.near.kernel, place.far.kernel
    assert vista.id_of(counter).node == far.table.node
    assert vista.id_of(counter) in far.table.records
    assert (vista.id_of(counter) in near.table.records) is not bool(place.hops)
    if place.hops:
        link = near.elsewhere.link_to(far.table.node)
        assert (link.node == far.table.node) is (place.hops == 1)


# --- creating ------------------------------------------------------------------------------


def test_create_passes_arguments_by_place_and_by_name(place: Place) -> None:
    assert place.create(Traveller, "ada", mood="merry").introduce() == ["ada", "merry"]


@pytest.mark.parametrize("specifier", ["Traveller", "Local.Traveller", ["Local", "Traveller", 0]])
def test_a_class_may_be_named(place: Place, specifier: Any) -> None:
    assert place.create(specifier).introduce() == ["traveller", "fine"]


def test_what_create_raises_is_raised(place: Place) -> None:
    with pytest.raises(LookupError, match="not today"):
        place.create(Stillborn, LookupError("not today"))


def test_a_class_there_is_none_of_is_named_with_near_misses(place: Place) -> None:
    with pytest.raises(NoSuchClass, match="did you mean Traveller"):
        place.create("Traveler")


def test_an_object_made_by_a_far_one_is_reached(place: Place) -> None:
    made = place.create(Traveller).make("child")
    assert made.introduce() == ["child", "fine"]
    assert vista.id_of(made).node == place.far.kernel.table.node


# --- methods -------------------------------------------------------------------------------


def test_send_reaches_by_ref_id_and_text(place: Place) -> None:
    counter = place.create(Counter, 5)
    id = vista.id_of(counter)
    assert [vista.send(target, "get") for target in (counter, id, str(id))] == [5, 5, 5]


def test_names_in_camel_case_are_the_same_messages(place: Place) -> None:
    traveller = place.create(Traveller)
    assert traveller.sayItInCamelCase("a") == "a"
    assert traveller.say_it_in_camel_case(theWords="b") == "b"
    assert vista.send(traveller, "askSelf", "introduce") == ["traveller", "fine"]


def test_keyword_arguments_arrive(place: Place) -> None:
    counter = place.create(Counter, start=3)
    assert counter.increment(by=4) == 7
    assert vista.send(counter, "increment", by=1) == 8
    assert counter.increment.future(by=1).result() == 9
    counter.increment.post(by=1)
    assert counter.get() == 10


@pytest.mark.parametrize("method", ["take", "take_native"])
def test_no_name_of_an_argument_is_taken(place: Place, method: str) -> None:
    names = dict.fromkeys(("self", "args", "kwargs", "target", "method", "function", "a b", ""), 1)
    pliant = place.create(Pliant)
    assert getattr(pliant, method)(**names) == names
    assert getattr(pliant, method).future(**names).result() == names


@pytest.mark.parametrize("name", ["has space", "a-b", "1st", "é", "m" * 255])
def test_a_name_that_no_method_can_have_is_handled_as_unknown(place: Place, name: str) -> None:
    assert vista.send(place.create(Pliant), name) == name


def test_an_unknown_method_is_answered_with_near_misses(place: Place) -> None:
    counter, local = place.create(Counter), vista.create(Counter)
    with pytest.raises(NoSuchMethod) as expected:
        local.incremnt()
    with pytest.raises(NoSuchMethod, match="did you mean increment") as raised:
        counter.incremnt()
    assert str(raised.value) == str(expected.value)


def test_an_unknown_method_ends_a_future(place: Place) -> None:
    error = place.create(Counter).incremnt.future().exception()
    assert isinstance(error, NoSuchMethod)


@pytest.mark.parametrize("name", ["_private", "", "__init__", 7, None])
def test_a_name_with_an_underscore_is_no_message(place: Place, name: Any) -> None:
    with pytest.raises(NoSuchMethod, match="is no message"):
        vista.send(place.create(Counter), name)


@pytest.mark.parametrize("name", ["has space", "ends.", "1st", "a\nb", "\ud800", "m" * 300])
def test_a_name_that_no_method_can_have_is_answered(place: Place, name: str) -> None:
    with pytest.raises(NoSuchMethod):
        vista.send(place.create(Counter), name)


@pytest.mark.parametrize("name", ["create", "delete", "handle_unknown_message"])
def test_what_the_runtime_calls_by_itself_is_no_message(place: Place, name: str) -> None:
    with pytest.raises(NoSuchMethod, match="the runtime calls"):
        vista.send(place.create(Counter), name)


@pytest.mark.parametrize(("args", "kwargs"), [((1, 2, 3), {}), ((), {"to": 1}), ((1,), {"by": 1})])
def test_wrong_arguments_are_a_type_error(place: Place, args: Any, kwargs: Any) -> None:
    counter, local = place.create(Counter), vista.create(Counter)
    with pytest.raises(TypeError) as expected:
        local.increment(*args, **kwargs)
    with pytest.raises(TypeError) as raised:
        counter.increment(*args, **kwargs)
    assert str(raised.value) == str(expected.value)


# --- objects that are not there ------------------------------------------------------------


def test_a_deleted_object_says_so(place: Place) -> None:
    counter = place.create(Counter)
    id = vista.id_of(counter)
    vista.delete(counter)
    for target in (counter, id):
        with pytest.raises(ObjectDeleted, match="was deleted"):
            vista.send(target, "get")
    assert isinstance(counter.get.future().exception(), ObjectDeleted)


def test_a_ref_made_before_the_deletion_says_so(place: Place) -> None:
    counter = place.create(Counter)
    counter.get()
    place.run_there(lambda: vista.delete(vista.id_of(counter)))
    with pytest.raises(ObjectDeleted):
        counter.get()


def test_a_call_under_way_ends_when_its_object_is_deleted(place: Place) -> None:
    gate = place.create(Gate)
    waiting = gate.pass_through.future()
    until(lambda: gate.count() == 1)
    vista.delete(gate)
    assert isinstance(waiting.exception(), ObjectDeleted)


def test_an_object_that_never_was_is_not_found(place: Place) -> None:
    with pytest.raises(NoSuchObject, match="no object") as raised:
        vista.send(missing_id(place), "get")
    assert type(raised.value) is NoSuchObject


def test_a_post_to_an_object_that_never_was_is_counted(place: Place) -> None:
    before = place.far.call(vista.statistics)["posts_lost"]
    vista.post(missing_id(place), "get")
    until(lambda: place.far.call(vista.statistics)["posts_lost"] > before)
    assert place.far.call(vista.statistics)["posts_lost"] == before + 1


def test_an_id_of_no_node_is_not_found(place: Place) -> None:
    with pytest.raises(NoSuchObject) as raised:
        vista.send(vista.Id.make(b"nowhere---", 5), "get")
    assert type(raised.value) is NoSuchObject


# --- posts, futures, gathering -------------------------------------------------------------


def test_a_post_is_done(place: Place) -> None:
    counter = place.create(Counter)
    counter.increment.post(5)
    vista.post(counter, "increment", 2)
    until(lambda: counter.get() > 5)
    assert counter.get() == 7


def test_a_post_whose_method_raises_is_counted_there(place: Place) -> None:
    counter = place.create(Counter)
    before = place.far.call(vista.statistics)["posts_failed"]
    counter.increment.post("no number")
    until(lambda: place.far.call(vista.statistics)["posts_failed"] == before + 1)
    assert counter.get() == 0


def test_a_future_brings_the_result(place: Place) -> None:
    call = place.create(Counter).increment.future(5)
    assert call.result() == 5
    assert call.done()
    assert call.exception() is None
    assert call.result() == 5


def test_a_future_calls_back(place: Place) -> None:
    counter, journal = place.create(Counter), vista.create(Journal)
    call = counter.increment.future(5)
    call.add_done_callback(lambda done: journal.write.post(done.result()))
    assert until(journal.read) == [5]


def test_calls_in_flight_run_side_by_side(place: Place) -> None:
    gates = [place.create(Gate) for _ in range(5)]
    calls = [gate.pass_through.future(number) for number, gate in enumerate(gates)]
    until(lambda: all(gate.count() == 1 for gate in gates))
    for gate in reversed(gates):
        gate.open()
    assert vista.gather(*calls) == [0, 1, 2, 3, 4]


def test_gathering_raises_the_error_of_one(place: Place) -> None:
    counter = place.create(Counter)
    calls = [counter.increment.future(1), counter.increment.future("no number")]
    with pytest.raises(TypeError):
        vista.gather(*calls)


def test_gathering_may_give_errors_as_results(place: Place) -> None:
    counter = place.create(Counter)
    calls = [counter.increment.future(1), counter.increment.future("no number")]
    one, error = vista.gather(*calls, return_exceptions=True)
    assert one == 1
    assert isinstance(error, TypeError)


def test_a_far_object_gathers_calls_to_near_ones(place: Place) -> None:
    own = [vista.create(Counter, number) for number in range(4)]
    assert place.create(Traveller).ask_all(own, "get") == [0, 1, 2, 3]


# --- mistakes of the caller ----------------------------------------------------------------


def test_something_that_is_no_target_is_refused(place: Place) -> None:
    with pytest.raises(BadValueError, match="is no target"):
        place.run(lambda: vista.send(3.5, "get"))
