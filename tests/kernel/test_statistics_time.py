"""Statistics of time, in a world where time is virtual and exact."""

from __future__ import annotations

import pytest

import vista
from tests.kernel.cast import runs, until
from vista import Object


def test_timed_seconds_tell_what_a_method_took(virtual_node: vista.Node) -> None:
    class Sleeper(Object):
        def nap(self) -> None:
            vista.sleep(0.5)

    sleeper = vista.create(Sleeper)
    for _ in range(40):
        sleeper.nap.post()
    until(lambda: not runs("nap"))
    nap = vista.statistics()["methods"]["Local.Sleeper/0.nap"]
    assert nap["timed_calls"] > 0
    assert nap["timed_seconds"] == pytest.approx(0.5 * nap["timed_calls"], rel=0.01)
    assert nap["longest_seconds"] == pytest.approx(0.5, rel=0.01)
