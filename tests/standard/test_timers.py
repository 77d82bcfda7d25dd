"""TimerEvent and RepeatingTimerEvent, in virtual time under several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import vista
from tests.conftest import world_seed
from tests.standard.listener import Listener
from vista.errors import BadValueError
from vista.kernel.current import kernel
from vista.testing import World

SOON = 0.2


@pytest.fixture(params=range(3), autouse=True)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with one node, which the functions of vista use."""
    with World(world_seed(request)) as made, made.node():
        yield made


@pytest.fixture
def listener(world: World) -> vista.Ref:
    """An object that hears notifications."""
    return vista.create(Listener)


class Clock(vista.Object):
    """Notes when it is told, in hub seconds since it was made, and can be slow."""

    def create(self, slow_seconds: float = 0.0) -> None:
        """Take ``slow_seconds`` for each tick."""
        self.start = kernel().hub.time()
        self.slow_seconds = slow_seconds
        self.times: list[float] = []
        self.active = 0
        self.active_most = 0

    def timer_expired(self, timer: vista.Ref, extra_data: object) -> None:
        """Note the time."""
        self.times.append(kernel().hub.time() - self.start)
        self.active += 1
        self.active_most = max(self.active, self.active_most)
        vista.sleep(self.slow_seconds)
        self.active -= 1


class Faulty(Listener):
    """Hears and raises."""

    def timer_expired(self, timer: vista.Ref, extra_data: object) -> None:
        """Keep it, then fail."""
        self.handle_unknown_message("timer_expired", [timer, extra_data], {})
        raise RuntimeError("no time")


def is_gone(ref: vista.Ref) -> bool:
    """Whether the object was deleted."""
    try:
        ref.class_of()
    except vista.NoSuchObject:
        return True
    return False


def test_a_timer_tells_its_client_and_is_gone(listener: vista.Ref) -> None:
    timer = vista.create("TimerEvent", listener, 0.01, {"tide": "in"})
    assert listener.hear("timer_expired") == [timer, {"tide": "in"}]
    assert is_gone(timer)


def test_a_timer_waits_its_time(world: World) -> None:
    clock = vista.create(Clock)
    vista.create("TimerEvent", clock, 100)
    world.pass_time(200)
    (time,) = clock.extract_instance_variables("times")["times"]
    assert time == pytest.approx(100, abs=SOON)


def test_a_client_may_be_a_service_or_an_id(listener: vista.Ref) -> None:
    vista.register_service("Harbour", listener)
    for target in ("Harbour", vista.id_of(listener)):
        timer = vista.create("TimerEvent", target, 0)
        assert listener.hear("timer_expired") == [timer, None]


def test_deleting_a_timer_cancels_it(world: World, listener: vista.Ref) -> None:
    vista.create("TimerEvent", listener, 10).delete_yourself()
    world.pass_time(20)
    assert listener.names() == []
    world.check_rest()


def test_a_timer_for_nobody_goes_all_the_same(world: World) -> None:
    timer = vista.create("TimerEvent", "Nobody", 10)
    world.pass_time(20)
    assert is_gone(timer)


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, "soon"])
def test_a_time_that_makes_no_sense_is_refused(listener: vista.Ref, seconds: object) -> None:
    with pytest.raises(BadValueError, match="timeout_seconds is a number of seconds from 0"):
        vista.create("TimerEvent", listener, seconds)


def test_a_timer_acts_as_the_user_who_made_it(world: World) -> None:
    class Guest(Listener):
        def timer_expired(self, timer: vista.Ref, extra_data: object) -> None:
            self.handle_unknown_message("user", [vista.current_user()], {})

    guest = vista.create(Guest)
    timer = world.nodes[0].call(lambda: vista.create("TimerEvent", guest, 1), user="alice")
    assert guest.hear("user") == ["alice"]
    world.pass_time(1)
    assert is_gone(timer)


# --- again and again ----------------------------------------------------------------------------


def test_a_repeating_timer_tells_as_often_as_asked_and_is_gone(
    world: World, listener: vista.Ref
) -> None:
    timer = vista.create("RepeatingTimerEvent", listener, 1, "tick", 3)
    for _ in range(3):
        assert listener.hear("timer_expired") == [timer, "tick"]
    world.pass_time(10)
    assert listener.names() == []
    assert is_gone(timer)
    world.check_rest()


def test_ticks_fall_on_multiples_of_the_interval(world: World) -> None:
    clock = vista.create(Clock, 0.4)
    timer = vista.create("RepeatingTimerEvent", clock, 1)
    world.pass_time(1000.5)
    times = clock.extract_instance_variables("times")["times"]
    assert times == [pytest.approx(tick, abs=SOON) for tick in range(1, 1001)]
    assert (timer.get_told(), timer.get_missed()) == (1000, 0)


def test_a_slow_client_is_never_told_twice_at_a_time_and_the_missed_are_counted(
    world: World,
) -> None:
    clock = vista.create(Clock, 2.5)
    timer = vista.create("RepeatingTimerEvent", clock, 1)
    world.pass_time(30)
    seen = clock.extract_instance_variables("times", "active_most")
    assert seen["active_most"] == 1
    assert seen["times"] == [pytest.approx(tick, abs=SOON) for tick in range(1, 30, 3)]
    assert (timer.get_told(), timer.get_missed()) == (10, 18)


def test_a_client_may_take_longer_than_any_call(world: World) -> None:
    clock = vista.create(Clock, 1000)
    vista.create("RepeatingTimerEvent", clock, 1)
    world.pass_time(1500)
    seen = clock.extract_instance_variables("active", "times")
    assert (seen["active"], len(seen["times"])) == (1, 2)


def test_deleting_a_repeating_timer_ends_it(world: World, listener: vista.Ref) -> None:
    timer = vista.create("RepeatingTimerEvent", listener, 1)
    listener.hear("timer_expired")
    timer.delete_yourself()
    world.pass_time(10)
    assert listener.names() == []
    world.check_rest()


def test_deleting_a_repeating_timer_while_its_client_is_busy_ends_it(world: World) -> None:
    clock = vista.create(Clock, 5)
    timer = vista.create("RepeatingTimerEvent", clock, 1)
    world.pass_time(2)
    timer.delete_yourself()
    world.pass_time(20)
    assert len(clock.extract_instance_variables("times")["times"]) == 1
    world.check_rest()


def test_a_client_may_delete_its_timer(world: World) -> None:
    class Once(Listener):
        def timer_expired(self, timer: vista.Ref, extra_data: object) -> None:
            timer.delete_yourself()
            self.handle_unknown_message("ended", [timer], {})

    once = vista.create(Once)
    timer = vista.create("RepeatingTimerEvent", once, 1, None, 1)
    assert once.hear("ended") == [timer]
    world.pass_time(10)
    assert once.names() == []
    assert is_gone(timer)
    assert vista.statistics()["posts_lost"] == 0


def test_a_client_that_raises_is_told_again(world: World) -> None:
    faulty = vista.create(Faulty)
    vista.create("RepeatingTimerEvent", faulty, 1)
    world.pass_time(3.5)
    assert faulty.names() == ["timer_expired"] * 3


def test_a_service_that_comes_later_is_told_then(world: World, listener: vista.Ref) -> None:
    timer = vista.create("RepeatingTimerEvent", "Harbour", 1)
    world.pass_time(2.5)
    vista.register_service("Harbour", listener)
    world.pass_time(2)
    assert listener.names() == ["timer_expired"] * 2
    assert timer.get_told() == 4


def test_a_client_that_was_deleted_ends_the_timer(world: World, listener: vista.Ref) -> None:
    timer = vista.create("RepeatingTimerEvent", listener, 1)
    listener.delete_yourself()
    world.pass_time(2)
    assert is_gone(timer)


@pytest.mark.parametrize("arguments", [(0.0,), (-1.0,), (1.0, None, 0)])
def test_a_repetition_that_makes_no_sense_is_refused(
    listener: vista.Ref, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(BadValueError):
        vista.create("RepeatingTimerEvent", listener, *arguments)
