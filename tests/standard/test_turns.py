"""Turns and Ending, in virtual time under several seeds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from tests.conftest import world_seed
from vista.kernel.current import kernel
from vista.standard.turns import Ending, Turns
from vista.testing import World


class Booth(vista.Object):
    """One visitor at a time, who stays a while."""

    def create(self) -> None:
        """Begin empty."""
        self.turns = Turns(kernel().hub.loop)
        self.visits: list[str] = []
        self.ending = Ending(kernel().hub.loop)

    def visit(self, name: str) -> None:
        """Come in, stay a second and leave."""
        with self.turns.turn():
            self.visits.append(f"{name} in")
            vista.sleep(1)
            self.visits.append(f"{name} out")

    def fail(self) -> None:
        """Come in and fall."""
        with self.turns.turn():
            raise RuntimeError("fell")

    def get_visits(self) -> list[str]:
        """Who came and left."""
        return self.visits

    def close(self, result: str) -> None:
        """End it."""
        self.ending.end(result)

    def close_badly(self) -> None:
        """End it with an error."""
        self.ending.end(error=RuntimeError("burnt down"))

    def wait_until_closed(self, timeout: float | None = None) -> object:
        """Wait for the end."""
        return self.ending.wait(timeout)


@pytest.fixture(params=range(3), autouse=True)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with one node, which the functions of vista use."""
    with World(world_seed(request)) as made, made.node():
        yield made


@pytest.fixture
def booth(world: World) -> vista.Ref:
    """A booth to visit."""
    return vista.create(Booth)


def visits_of(*names: str) -> list[str]:
    """What is seen when each in turn comes in and leaves."""
    return [f"{name} {way}" for name in names for way in ("in", "out")]


def test_turns_are_had_one_at_a_time_in_the_order_of_coming(booth: vista.Ref) -> None:
    vista.gather(*[booth.visit.future(name) for name in "abc"])
    assert booth.get_visits() == visits_of("a", "b", "c")


def test_an_error_gives_the_turn_back(booth: vista.Ref) -> None:
    with pytest.raises(RuntimeError):
        booth.fail()
    booth.visit("a")
    assert booth.get_visits() == visits_of("a")


def test_who_is_killed_in_the_line_is_passed_over(world: World, booth: vista.Ref) -> None:
    first, second, third = (booth.visit.future(name) for name in "abc")
    world.pass_time(0.5)
    second.cancel()
    vista.gather(first, third)
    assert booth.get_visits() == visits_of("a", "c")


def test_who_is_killed_in_his_turn_gives_it_back(world: World, booth: vista.Ref) -> None:
    first, second = booth.visit.future("a"), booth.visit.future("b")
    world.pass_time(0.5)
    first.cancel()
    second.result()
    assert booth.get_visits() == ["a in", *visits_of("b")]


@pytest.mark.parametrize("step", range(12))
def test_a_kill_at_any_moment_loses_no_turn(world: World, booth: vista.Ref, step: int) -> None:
    first, second, third = (booth.visit.future(name) for name in "abc")
    world.pass_time(0.9 + step * 0.02)
    second.cancel()
    vista.gather(first, third)
    assert booth.get_visits()[-2:] == visits_of("c")


def test_an_end_is_waited_for_before_and_after(booth: vista.Ref) -> None:
    before = booth.wait_until_closed.future()
    booth.close("dusk")
    booth.close("dawn")
    assert (before.result(), booth.wait_until_closed()) == ("dusk", "dusk")


def test_the_error_of_an_end_is_raised_for_everybody(booth: vista.Ref) -> None:
    before = booth.wait_until_closed.future()
    booth.close_badly()
    for waiting in (before, booth.wait_until_closed.future()):
        with pytest.raises(RuntimeError, match="burnt down"):
            waiting.result()


def test_waiting_for_an_end_has_a_bound(booth: vista.Ref) -> None:
    with pytest.raises(TimeoutError):
        booth.wait_until_closed(5.0)
    booth.close("dusk")
    assert booth.wait_until_closed(5.0) == "dusk"
