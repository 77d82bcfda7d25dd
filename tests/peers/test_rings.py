"""Deadlocks that independent chains of calls close, wherever their objects live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from tests.peers.places import Place
from vista.errors import CallTimeout, DeadlockError


class RingKeeper(vista.Object):
    """Keeps itself from a gate on, and then calls."""

    @vista.exclusive
    def keep_then_call(self, gate: vista.Ref, target: Any, method: str, *args: Any) -> Any:
        gate.pass_through()
        return vista.send(target, method, *args)

    @vista.exclusive
    def keep_then_gather(self, gate: vista.Ref, *targets: Any) -> list[Any]:
        gate.pass_through()
        return vista.gather(*[vista.future(target, "touch") for target in targets])

    @vista.exclusive
    async def keep_then_send(self, gate: vista.Ref, target: Any, method: str) -> Any:
        await vista.aio.send(gate, "pass_through")
        return await vista.aio.send(target, method)

    def call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.native
    def call_natively(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> str:
        gate.pass_through()
        return "kept"

    def touch(self) -> str:
        return "touched"


def ends_of(gates: Sequence[vista.Ref], calls: Sequence[vista.Future]) -> list[Any]:
    """Open the gates when somebody stands at each, and return how the calls end."""
    until(lambda: all(gate.count() == 1 for gate in gates))
    for gate in gates:
        gate.open()
    return vista.gather(*calls, return_exceptions=True)


def check_one_gave_way(ends: Sequence[Any]) -> None:
    """Fail unless one call ended by the deadlock and the others got what they wanted."""
    errors = [end for end in ends if isinstance(end, BaseException)]
    assert [type(error) for error in errors] == [DeadlockError]
    assert all(end in ("touched", ["touched"]) for end in ends if end not in errors)


@pytest.mark.parametrize("style", ["keep_then_call", "keep_then_send"])
def test_of_two_chains_that_want_each_other_one_gives_way(place: Place, style: str) -> None:
    keepers = [vista.create(RingKeeper), place.create(RingKeeper)]
    gates = [vista.create(Gate), place.create(Gate)]
    calls = [vista.future(keepers[at], style, gates[at], keepers[1 - at], "touch") for at in (0, 1)]
    check_one_gave_way(ends_of(gates, calls))


def test_the_error_says_who_waits_for_whom(place: Place) -> None:
    keepers = [vista.create(RingKeeper), place.create(RingKeeper)]
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        keepers[at].keep_then_call.future(gates[at], keepers[1 - at], "touch") for at in (0, 1)
    ]
    errors = [str(end) for end in ends_of(gates, calls) if isinstance(end, DeadlockError)]
    assert len(errors) == 1
    assert "would wait for ever" in errors[0]
    assert "is kept by RingKeeper.keep_then_call" in errors[0]


def test_of_three_chains_on_three_nodes_one_gives_way(place: Place) -> None:
    keepers = [
        vista.create(RingKeeper),
        place.create(RingKeeper),
        vista.create(RingKeeper, at=place.third()),
    ]
    gates = [vista.create(Gate) for _ in keepers]
    calls = [
        keepers[at].keep_then_call.future(gates[at], keepers[(at + 1) % 3], "touch")
        for at in range(3)
    ]
    ends = ends_of(gates, calls)
    assert any(isinstance(end, DeadlockError) for end in ends)
    assert not any(isinstance(end, CallTimeout) for end in ends)


@pytest.mark.parametrize("between", ["call", "call_natively"])
def test_a_ring_through_an_object_that_keeps_nothing_is_found(place: Place, between: str) -> None:
    near, far, third = vista.create(RingKeeper), place.create(RingKeeper), place.create(RingKeeper)
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        near.keep_then_call.future(gates[0], third, between, far, "touch"),
        far.keep_then_call.future(gates[1], near, "touch"),
    ]
    check_one_gave_way(ends_of(gates, calls))


def test_a_ring_by_one_of_several_calls_is_found(place: Place) -> None:
    near, far, free = vista.create(RingKeeper), place.create(RingKeeper), place.create(RingKeeper)
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        near.keep_then_gather.future(gates[0], free, far),
        far.keep_then_gather.future(gates[1], near),
    ]
    ends = ends_of(gates, calls)
    assert any(isinstance(end, DeadlockError) for end in ends)
    assert not any(isinstance(end, CallTimeout) for end in ends)


def test_a_ring_through_a_call_that_was_passed_on_is_found(place: Place) -> None:
    # The third node takes the object to be where it was born, from where its call is passed on.
    moved = vista.create(RingKeeper)
    vista.move(moved, place.creator)
    third = vista.create(RingKeeper, at=place.third())
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        third.keep_then_call.future(gates[0], moved, "touch"),
        moved.keep_then_call.future(gates[1], third, "touch"),
    ]
    check_one_gave_way(ends_of(gates, calls))


def test_a_wait_for_somebody_who_only_works_long_is_no_ring(place: Place) -> None:
    near, far, gate = vista.create(RingKeeper), place.create(RingKeeper), place.create(Gate)
    keeping = far.keep.future(gate)
    until(lambda: gate.count() == 1)
    waiting = near.call.future(far, "touch")
    vista.sleep(5)
    assert not waiting.done()
    gate.open()
    assert vista.gather(keeping, waiting) == ["kept", "touched"]
