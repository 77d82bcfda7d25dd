"""Bounds on waits of a thread that follow one another: the timer of one is kept for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from vista.errors import CallTimeout
from vista.testing import World


class PatientCaller(vista.Object):
    """Waits within bounds, and tells after how many seconds each wait had ended."""

    def nap(self, seconds: float) -> None:
        vista.sleep(seconds)

    def wait_twice(self, first: float, second: float) -> list[float]:
        clock = self._record.kernel.hub.time
        begun, ends = clock(), []
        with vista.timeout(first):
            vista.sleep(1)
        ends.append(clock() - begun)
        try:
            with vista.timeout(second):
                vista.sleep(50)
        except CallTimeout:
            ends.append(clock() - begun)
        return ends

    def wait_and_call(self, first: float, second: float) -> float:
        clock = self._record.kernel.hub.time
        begun = clock()
        with vista.timeout(first):
            vista.sleep(1)
            try:
                with vista.timeout(second):
                    vista.create(PatientCaller).nap(50)
            except CallTimeout:
                return float(clock() - begun)
        return 0.0


@pytest.fixture
def caller() -> Iterator[vista.Ref]:
    """An object of a node in virtual time."""
    with World(1) as world:
        yield world.node("a").call(vista.create, PatientCaller)


@pytest.mark.parametrize(("first", "second"), [(30.0, 2.0), (2.0, 30.0), (2.0, 2.0)])
def test_a_later_wait_of_a_thread_has_its_own_bound(
    caller: vista.Ref, first: float, second: float
) -> None:
    assert caller.wait_twice(first, second) == pytest.approx([1.0, 1.0 + second], abs=0.1)


def test_a_call_within_a_nearer_bound_ends_at_that(caller: vista.Ref) -> None:
    assert caller.wait_and_call(30.0, 2.0) == pytest.approx(3.0, abs=0.1)
