"""What seeds of the storm found, each as the small test that shows it."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

import vista
from tests.sim.conftest import Simulate
from vista.kernel.inspection import resume_thread, suspend_thread
from vista.testing import SimulatedNode, World


@pytest.fixture(scope="module", autouse=True)
def little_to_look_through() -> None:
    """Have full collections, of which scenarios make many, pass over what other tests left.

    After ten thousand tests each takes 0.1 s, and those of one test a minute.
    """
    gc.collect()
    gc.freeze()


class Worked(vista.Object, namespace="Simulation"):
    """Has the methods that the tests of this file send."""

    def create(self) -> None:
        self.inside = ""
        self.met = ""

    async def rest(self, seconds: float) -> None:
        await vista.aio.sleep(seconds)

    async def rest_and_fail_when_killed(self) -> None:
        try:
            await vista.aio.sleep(10.0)
        except asyncio.CancelledError:
            raise ArithmeticError("instead of its end") from None

    def wait_and_fail_when_killed(self) -> None:
        vista.wait(Worked.rest_and_fail_when_killed(self))

    async def rest_in_time(self, seconds: float, bound: float) -> None:
        try:
            async with asyncio.timeout(bound):
                await vista.aio.sleep(seconds)
        except TimeoutError:
            self.met = self.inside

    @vista.exclusive
    def keep(self, seconds: float) -> None:
        self.inside = "keep"
        vista.sleep(seconds)
        self.inside = ""

    def wait_for_coroutine(self, seconds: float) -> None:
        vista.wait(vista.aio.sleep(seconds))

    def nap(self, seconds: float) -> None:
        vista.sleep(seconds)

    def fail(self) -> None:
        raise ArithmeticError("it was to fail")

    def read_met(self) -> str:
        return self.met


def _started(world: World) -> tuple[SimulatedNode, vista.Ref]:
    node = world.node()
    return node, node.call(vista.create, Worked)


def _cancel_before_the_first_step(node: SimulatedNode, call: vista.Future) -> None:
    """Have the thread of ``call`` killed in the turn in which it parks for its coroutine."""
    node.spawn(call.cancel)


def test_a_coroutine_killed_before_its_first_step_lets_its_object_go(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        node, worked = _started(world)
        node.call(lambda: _cancel_before_the_first_step(node, worked.rest.future(1.0)))
        world.pass_time(0.1)
        world.check_rest()

    simulate(scenario)


def test_a_wait_killed_before_its_first_step_warns_of_nothing(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        node, worked = _started(world)
        call = node.call(lambda: worked.wait_for_coroutine.future(1.0))
        node.call(_cancel_before_the_first_step, node, call)
        node.call(
            lambda: _cancel_before_the_first_step(node, worked.wait_for_coroutine.future(1.0))
        )
        world.run_until_idle()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        simulate(scenario)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_killed_coroutine_that_fails_instead_does_not_trouble_the_loop(
    simulate: Simulate,
) -> None:
    def scenario(world: World) -> None:
        node, worked = _started(world)
        for method in ("rest_and_fail_when_killed", "wait_and_fail_when_killed"):
            call = node.call(vista.future, worked, method)
            world.pass_time(1.0)
            call.cancel()
            # An exception nobody asks for goes to the loop, and the world would raise it here.
            world.pass_time(1.0)
            assert isinstance(call.exception(), vista.ThreadKilled)
            del call
            gc.collect()
            assert world.hub.errors == []
        world.check_rest()

    simulate(scenario)


def test_a_thread_that_kills_itself_at_its_start_ends_at_once(simulate: Simulate) -> None:
    went_on: list[int] = []

    def kill_oneself() -> None:
        vista.kill(vista.current_thread())
        went_on.append(1)

    def scenario(world: World) -> None:
        node = world.node()
        ended = node.spawn(kill_oneself)
        world.run_until_idle()
        assert isinstance(ended.exception(), vista.ThreadKilled)
        world.check_rest()

    simulate(scenario)
    assert went_on == []


def test_a_coroutine_that_is_interrupted_in_line_keeps_its_place(simulate: Simulate) -> None:
    def scenario(world: World) -> None:
        node, worked = _started(world)
        node.call(worked.rest_in_time.post, 0.2, 0.5)
        world.pass_time(0.1)
        # At 0.2 s the coroutine stands in line, at 0.5 s its own timeout interrupts it there.
        node.call(worked.keep.post, 1.0)
        world.run_until_idle()
        # It did not come in beside a thread that keeps the object.
        assert worked.read_met() == ""
        world.check_rest()

    simulate(scenario)


def test_a_killed_coroutine_that_is_then_suspended_ends_when_it_is_resumed(
    simulate: Simulate,
) -> None:
    def scenario(world: World) -> None:
        node, worked = _started(world)
        call = node.call(lambda: worked.rest.future(1.0))
        world.pass_time(0.1)
        (thread,) = [row.id for row in node.call(vista.threads) if row.method == "rest"]

        def kill_and_suspend() -> None:
            call.cancel()
            suspend_thread(node.kernel, thread)

        node.call(kill_and_suspend)
        world.pass_time(2.0)
        node.call(resume_thread, node.kernel, thread)
        world.run_until_idle()
        world.check_rest()

    simulate(scenario)


def test_gather_with_errors_in_its_list_does_not_take_a_late_call_for_answered(
    simulate: Simulate,
) -> None:
    def gather(worked: vista.Ref, other: vista.Ref) -> list[object]:
        calls = (worked.fail.future(), other.nap.future(10.0))
        return vista.gather(*calls, timeout=1.0, return_exceptions=True)

    def scenario(world: World) -> None:
        node, worked = _started(world)
        gathering = node.spawn(gather, worked, node.call(vista.create, Worked))
        world.run_until_idle()
        assert [type(end) for end in gathering.result()] == [ArithmeticError, vista.CallTimeout]

    simulate(scenario)


def test_the_timeout_of_gather_outside_of_a_node_bounds_the_whole_wait(
    simulate: Simulate,
) -> None:
    def scenario(world: World) -> None:
        node, _ = _started(world)
        nappers = [node.call(vista.create, Worked) for _ in range(3)]
        calls = [napper.nap.future(10.0) for napper in nappers]
        began = world.time
        ends = vista.gather(*calls, timeout=4.0, return_exceptions=True)
        assert 4.0 <= world.time - began < 4.1
        assert [type(end) for end in ends] == [vista.CallTimeout] * 3

    simulate(scenario)
