"""Calls and threads end early in the same way, wherever their objects live."""

from __future__ import annotations

import random
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from tests.peers.places import Place
from tests.peers.travellers import (
    Chamber,
    Traveller,
    Whereabouts,
)
from vista.errors import (
    AccessDenied,
    CallTimeout,
    NoSuchMethod,
    NoSuchObject,
    ThreadKilled,
)

CALLS = 200


def row_there(place: Place, method: str) -> Any:
    """Return the row of the one live thread of the far node that runs ``method``."""
    at = place.creator
    until(lambda: any(row.method == method for row in vista.threads(at=at)))
    (row,) = [row for row in vista.threads(at=at) if row.method == method]
    return row


def runs_there(place: Place, method: str) -> bool:
    """Return whether a live thread of the far node runs ``method``."""
    return any(row.method == method for row in vista.threads(at=place.creator))


# --- timeouts ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "future", "async"])
def test_a_call_that_takes_too_long_ends_in_time_and_its_thread_too(place: Place, way: str) -> None:
    gate, own = place.create(Gate), vista.create(Traveller)

    def work() -> None:
        if way == "call":
            gate.pass_through()
        elif way == "future":
            gate.pass_through.future().result()
        else:
            own.ask_async(gate, "pass_through")

    start = place.world.time
    with pytest.raises(CallTimeout), vista.timeout(1.5):
        place.run(work)
    assert 1.5 <= place.world.time - start < 2.0
    until(lambda: gate.count() == 0)


def test_an_inner_timeout_bounds_a_call(place: Place) -> None:
    gate = place.create(Gate)

    def work() -> None:
        with vista.timeout(100), vista.timeout(0.5):
            gate.pass_through()

    start = place.world.time
    with pytest.raises(CallTimeout):
        place.run(work)
    assert 0.5 <= place.world.time - start < 1.0


def test_a_timeout_of_zero_ends_at_once(place: Place) -> None:
    gate = place.create(Gate)
    with pytest.raises(CallTimeout), vista.timeout(0):
        gate.pass_through()


def test_the_usual_bound_is_that_of_the_node_that_calls(make_place: Any) -> None:
    place = make_place(call_seconds=7.0)
    gate = place.create(Gate)
    start = place.world.time
    with pytest.raises(CallTimeout):
        gate.pass_through()
    assert 7.0 <= place.world.time - start < 8.0


def test_a_wait_for_a_future_may_end_before_the_call(place: Place) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future("through")
    with pytest.raises(CallTimeout):
        call.result(timeout=0.5)
    assert not call.done()
    gate.open()
    assert call.result() == "through"


def test_a_timeout_comes_through_the_objects_between(place: Place) -> None:
    gate, between = vista.create(Gate), place.create(Traveller)
    with pytest.raises(CallTimeout), vista.timeout(1.0):
        between.ask(gate, "pass_through")
    until(lambda: gate.count() == 0)


# --- cancelling ----------------------------------------------------------------------------


def test_a_future_that_is_cancelled_ends_its_thread(place: Place) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future()
    until(lambda: gate.count() == 1)
    call.cancel()
    assert isinstance(call.exception(), vista.ThreadKilled)
    until(lambda: gate.count() == 0)


def test_a_future_that_is_cancelled_before_it_runs_runs_never_or_ends(place: Place) -> None:
    gate = place.create(Gate)

    def work() -> Any:
        call = gate.pass_through.future()
        call.cancel()
        return call.exception()

    assert isinstance(place.run(work), ThreadKilled)
    vista.sleep(1.0)
    assert gate.count() == 0
    assert not runs_there(place, "pass_through")


def test_every_call_ends_once_whatever_is_cancelled(place: Place) -> None:
    gates = [place.create(Gate) for _ in range(3)]
    dice, ended = random.Random(place.world.seed), []

    def work() -> None:
        calls = []
        for number in range(CALLS):
            calls.append(dice.choice(gates).pass_through.future(number))
            calls[-1].on_done(lambda call, number=number: ended.append((number, call)))
            if dice.random() < 0.3:
                dice.choice(calls).cancel()
            if dice.random() < 0.1:
                vista.sleep(dice.random() / 10)
        for gate in gates:
            gate.open.post()
        errors = [call.exception() for call in calls]
        assert {type(error) for error in errors} == {type(None), vista.ThreadKilled}
        assert all(call.result() == number for number, call in ended if call._error is None)

    place.run(work)
    assert sorted(number for number, _ in ended) == list(range(CALLS))
    until(lambda: all(gate.count() == 0 for gate in gates))


def test_the_end_of_a_caller_ends_all_that_it_called(place: Place) -> None:
    gate, between, own = vista.create(Gate), place.create(Traveller), vista.create(Traveller)
    call = own.ask.future(between, "ask", gate, "pass_through")
    until(lambda: gate.count() == 1)
    (row,) = [
        row for row in vista.threads() if row.method == "ask" and row.object == vista.id_of(own)
    ]
    vista.kill(row.id)
    assert isinstance(call.exception(), vista.ThreadKilled)
    until(lambda: gate.count() == 0)
    until(lambda: not [row for row in place.far.call(vista.threads) if row.method == "ask"])


# --- threads -------------------------------------------------------------------------------


def test_a_thread_that_is_killed_ends_its_call(place: Place) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future()
    row = row_there(place, "pass_through")
    assert row.object == vista.id_of(gate)
    assert row.user == "operator"
    vista.kill(row.id)
    assert isinstance(call.exception(), ThreadKilled)
    until(lambda: gate.count() == 0)


def test_a_thread_may_be_named_by_text(place: Place) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future()
    vista.kill(str(row_there(place, "pass_through").id))
    assert isinstance(call.exception(), ThreadKilled)


def test_a_thread_that_is_killed_ends_what_it_called(place: Place) -> None:
    chamber, gate = place.create(Chamber), vista.create(Gate)
    call = chamber.call.future(gate, "pass_through")
    until(lambda: gate.count() == 1)
    vista.kill(row_there(place, "call").id)
    assert isinstance(call.exception(), ThreadKilled)
    until(lambda: gate.count() == 0)


def test_a_suspended_thread_goes_on_when_it_is_resumed(place: Place) -> None:
    chamber, gate = place.create(Chamber), vista.create(Gate)
    call = chamber.visit.future("first", gate)
    until(lambda: gate.count() == 1)
    id = row_there(place, "visit").id
    vista.suspend(id)
    gate.open()
    vista.sleep(1.0)
    assert not call.done()
    assert chamber.look() == ["first"]
    vista.resume(id)
    assert call.result() == "first"


def test_a_thread_that_is_not_there_is_not_found(place: Place) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future()
    id = row_there(place, "pass_through").id
    gate.open()
    call.result()
    until(lambda: not runs_there(place, "pass_through"))
    with pytest.raises(NoSuchObject):
        vista.kill(id)


@pytest.mark.parametrize("action", ["kill_thread", "suspend_thread", "resume_thread"])
def test_only_the_nodes_user_touches_its_threads(place: Place, action: str) -> None:
    gate = place.create(Gate)
    call = gate.pass_through.future()
    id = row_there(place, "pass_through").id
    creator = place.creator
    with pytest.raises(AccessDenied):
        place.run(lambda: vista.send(creator, action, id), user="bob")
    gate.open()
    assert call.result() is None


def test_a_thread_knows_its_own_id(place: Place) -> None:
    teller = place.create(Whereabouts)
    assert teller.tell_thread().node == place.far.kernel.table.node


def test_a_method_runs_where_its_object_lives(place: Place) -> None:
    assert place.create(Whereabouts).tell_node() == place.creator


def test_an_unknown_message_of_a_creator_is_answered(place: Place) -> None:
    with pytest.raises(NoSuchMethod):
        vista.send(place.creator, "destroy_everything")
