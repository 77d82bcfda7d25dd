"""The bound on calls to other nodes, which one timer sees to for all of them."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import PROMPT, assert_rest, bell, chain, ended, peering, seen
from vista.limits import Limits
from vista.testing import World
from vista.wire.frames import CALL, HEAD, NOBODY

BOUND = Limits(call_seconds=5.0)


def test_a_call_that_a_thread_is_parked_for_ends_when_its_time_is_over() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=BOUND)
        far = seen(a, bell(b))
        began = world.hub.time()
        with pytest.raises(vista.CallTimeout, match=r"^ring of .* did not answer in time$"):
            far.ring(1_000.0)
        assert world.hub.time() - began == pytest.approx(5.0, abs=0.05)
        world.pass_time(1.0)
        assert_rest(a, b)


def test_each_of_several_calls_has_its_own_time() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=BOUND)
        far = seen(a, bell(b))
        calls = []
        for _ in range(4):
            calls.append(a.spawn(far.ring, 1_000.0))
            world.pass_time(1.0)
        world.pass_time(0.5)
        assert [call.done() for call in calls] == [False] * 4
        world.pass_time(1.0)
        assert [call.done() for call in calls] == [True, False, False, False]
        assert all(isinstance(end, vista.CallTimeout) for end in ended(world, calls))
        world.pass_time(1.0)
        assert_rest(a, b)


def test_a_call_that_was_held_back_has_no_more_time_than_others() -> None:
    # Nobody asks after a call that the other node knows by another number.
    bound = Limits(call_seconds=5.0, ring_seconds=1_000.0)
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=bound)
        far, found = seen(a, bell(b)), peering(a).calls
        calls = [a.spawn(far.ring, 1_000.0)]
        world.pass_time(2.0)
        calls.append(a.spawn(far.ring, 1_000.0))
        world.pass_time(1.0)
        (first, _) = found.pending.values()
        found.renumbered((CALL, HEAD.pack(first.number, 0, NOBODY, NOBODY)), first)
        world.pass_time(2.5)
        assert [call.done() for call in calls] == [True, False]


def test_a_call_in_flight_that_nobody_waits_for_is_not_ended() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=BOUND)
        far = seen(a, bell(b))
        alone = a.call(lambda: far.ring.future(8.0))
        waited = a.spawn(far.ring, 1_000.0)
        world.pass_time(7.0)
        assert waited.done() and not alone.done()
        world.pass_time(2.0)
        assert alone.done() and alone._value == "rung"


def test_waiting_for_many_calls_takes_one_timer() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=BOUND)
        far = seen(a, bell(b))
        a.spawn(far.ring, 3.0)
        world.pass_time(0.5)
        before = len(a.kernel.timers)
        calls = [a.spawn(far.ring, 1.0) for _ in range(50)]
        world.pass_time(0.5)
        assert len(a.kernel.timers) <= before + 1
        assert set(ended(world, calls)) == {"rung"}


def test_a_shorter_bound_around_a_call_counts() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=BOUND)
        far = seen(a, bell(b))

        def hurried() -> None:
            with vista.timeout(2.0):
                far.ring(1_000.0)

        began = world.hub.time()
        with pytest.raises(vista.CallTimeout):
            a.call(hurried)
        assert world.hub.time() - began == pytest.approx(2.0, abs=0.05)
