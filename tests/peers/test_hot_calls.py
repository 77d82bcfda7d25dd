"""Simple calls to other nodes, one after the other from one thread, which share their future."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import assert_rest, bell, peering, seen
from vista.errors import PeerLost, ThreadKilled
from vista.kernel.threads import Worker
from vista.peering.remote import RemoteFuture
from vista.testing import SimulatedNode, World
from vista.wire.frames import PROBE, REPLIES


class HotCaller(vista.Object):
    """Calls a bell again and again."""

    def call(self, far: vista.Ref, count: int) -> list[Any]:
        return [far.echo(number) for number in range(count)]

    def call_and_wait(self, far: vista.Ref) -> Any:
        far.echo(1)
        return far.ring(1_000.0)

    def call_again_after_an_end(self, far: vista.Ref) -> list[Any]:
        ends: list[Any] = []
        for seconds in (1_000.0, 0.0):
            try:
                ends.append(far.ring(seconds))
            except vista.VistaError as error:
                ends.append(type(error).__name__)
        return ends

    def call_and_rest(self, far: vista.Ref) -> None:
        # The first one finds the link.
        for number in range(1, 4):
            far.echo(number)
        vista.sleep(1_000.0)

    def meet(self) -> str:
        return "met"


def parked_in(node: SimulatedNode, method: str) -> Worker:
    """The worker whose thread runs ``method``."""
    (found,) = [one for one in node.kernel.threads.parked if one.frame[1].name == method]
    assert isinstance(found, Worker)
    return found


def caller_that_waits(world: World, pair: list[SimulatedNode]) -> tuple[vista.Ref, Any]:
    """An object of the first node that waits for its second simple call, and what called it."""
    a, b = pair
    caller: vista.Ref = a.call(vista.create, HotCaller)
    call = a.spawn(caller.call_and_wait, seen(a, bell(b)))
    world.pass_time(1.0)
    return caller, call


def test_each_call_of_a_thread_gets_its_own_answer(pair: list[SimulatedNode]) -> None:
    a, b = pair
    caller = a.call(vista.create, HotCaller)
    assert caller.call(seen(a, bell(b)), 5) == [0, 1, 2, 3, 4]
    assert_rest(a, b)


def test_the_object_of_a_thread_that_waits_for_a_simple_call_lets_others_in(
    world: World, pair: list[SimulatedNode]
) -> None:
    caller, _ = caller_that_waits(world, pair)
    assert caller.meet() == "met"


def test_who_is_killed_in_a_later_call_gives_up_that_one(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    caller, call = caller_that_waits(world, pair)
    worker = parked_in(a, "call_and_wait")
    a.call(lambda: worker.kill(worker.root, ThreadKilled("by the test")))
    world.pass_time(1.0)
    assert isinstance(call.exception(), ThreadKilled)
    assert caller.meet() == "met"
    # The bell rings no longer.
    assert_rest(a, b)


def test_a_thread_whose_call_was_lost_calls_again(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    caller, far = a.call(vista.create, HotCaller), seen(a, bell(b))
    # The first one finds the link.
    caller.call(far, 1)
    call = a.spawn(caller.call_again_after_an_end, far)
    world.pass_time(1.0)
    (future,) = peering(a).calls.pending.values()
    a.call(lambda: future.fail(PeerLost("by the test")))
    world.pass_time(1.0)
    assert call.result() == ["PeerLost", "rung"]


def test_a_call_that_was_suspected_and_has_ended_is_not_probed_as_a_later_one(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    calls, far = peering(a).calls, seen(a, bell(b))
    caller = a.call(vista.create, HotCaller)
    sent: list[Any] = []
    send = peering(a).send

    def note(node: bytes, row: Any, *rest: Any, **options: Any) -> None:
        sent.append(row[0])
        send(node, row, *rest, **options)

    call = a.spawn(caller.call_and_wait, far)
    world.pass_time(0.3)
    (future,) = calls.pending.values()
    # As it would be if it had been suspected during the call before this one.
    calls.rings._suspects = {future.number - 1: future}
    peering(a).send = note  # type: ignore[method-assign]
    calls.rings._sweep()
    assert PROBE not in sent
    call.cancel()


def test_a_trace_tells_of_simple_calls(world: World, pair: list[SimulatedNode]) -> None:
    a, b = pair
    caller = a.call(vista.create, HotCaller)
    caller.call(seen(a, bell(b)), 1)
    lived = [one for one in world.trace.events if one.method == "call" and one.node == "a"]
    kinds = [event.kind for event in lived]
    assert kinds == ["started", "parked", "woken", "resumed", "ended"]
    assert "the answer of echo" in lived[1].detail


def test_who_waits_for_a_simple_call_is_woken_though_one_who_hears_of_the_next_end_fails(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, _ = pair
    _, call = caller_that_waits(world, pair)
    calls = peering(a).calls
    (first,) = calls.pending.values()
    second = RemoteFuture(calls, first.number + 1, first.node, first.target, "ring", None)
    second.on_done(lambda _: 1 / 0)
    calls.pending[second.number] = second
    row = (REPLIES, [first.number, second.number], ["rung here", None])

    def take() -> None:
        with pytest.raises(ZeroDivisionError):
            calls.hot.take_replies(first.node, row)

    a.hub.loop.call_soon(take)
    world.pass_time(1.0)
    assert call.result() == "rung here"
    calls.cancel(first)


def test_no_thread_keeps_the_result_of_its_last_simple_call(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    caller = a.call(vista.create, HotCaller)
    call = a.spawn(caller.call_and_rest, seen(a, bell(b)))
    world.pass_time(1.0)
    worker = parked_in(a, "call_and_rest")
    assert worker.sending[3]._value is None
    call.cancel()
