"""Workers at rest: what they ran last is not kept alive by them."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from vista import Object, Ref

pytestmark = pytest.mark.usefixtures("node")

GUESTS = 8
TURNS_MAX = 20


class Lodging(Object):
    """Keeps a worker of its own busy while the gate is closed."""

    def create(self, gate: Ref) -> None:
        self.gate = gate

    def stay(self) -> None:
        self.gate.pass_through()

    @vista.exclusive
    def stay_alone(self) -> None:
        self.gate.pass_through()

    @vista.preemptable
    def stay_beside(self) -> None:
        self.gate.pass_through()

    def stay_in_time(self) -> None:
        with vista.timeout(1000):
            self.gate.pass_through()

    def stay_and_fail(self) -> None:
        self.gate.pass_through()
        raise LookupError("on purpose")


def lodgings() -> int:
    """How many instances the process still knows."""
    gc.collect()
    return sum(type(each) is Lodging for each in gc.get_objects())


def have_guests(method: str, *, by_future: bool) -> None:
    """Have as many threads as guests end together, and delete their objects."""
    gate = vista.create(Gate)
    refs = [vista.create(Lodging, gate) for _ in range(GUESTS)]
    futures: list[Any] = []
    for ref in refs:
        sent = getattr(ref, method)
        futures.append(sent.future() if by_future else sent.post())
    until(lambda: gate.count() == GUESTS)
    gate.open()
    until(lambda: gate.count() == 0)
    for future in futures if by_future else ():
        with contextlib.suppress(LookupError):
            future.result()
    for ref in refs:
        vista.delete(ref)


# The log of a post that failed would keep its traceback, so that one is asked for by futures only.
@pytest.mark.parametrize(
    ("method", "by_future"),
    [
        ("stay", False),
        ("stay", True),
        ("stay_alone", False),
        ("stay_alone", True),
        ("stay_beside", False),
        ("stay_beside", True),
        ("stay_in_time", False),
        ("stay_in_time", True),
        ("stay_and_fail", True),
    ],
)
def test_no_idle_worker_keeps_an_object_that_was_deleted(method: str, by_future: bool) -> None:
    have_guests(method, by_future=by_future)
    for _ in range(TURNS_MAX):
        if not (kept := lodgings()):
            break
        vista.sleep(0.001)
    assert kept == 0
