"""Methods that recurse for ever, in Python or by messages, get an error; the node works on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, until
from vista.errors import CallTimeout, Overloaded


class Diver(vista.Object):
    """Goes deeper and deeper."""

    def create(self) -> None:
        self.depth = 0
        self.inside = 0

    def in_python(self) -> None:
        self._deeper()

    def _deeper(self) -> None:
        self._deeper()

    @vista.native
    def in_python_natively(self) -> None:
        self._deeper()

    async def in_python_async(self) -> None:
        self._deeper()

    def sending_at_each_step(self, target: vista.Ref, method: str) -> None:
        """Send at every depth, also where hardly a frame is left."""
        vista.send(target, method)
        self.sending_at_each_step(target, method)

    def sending_at_the_bottom(self, target: vista.Ref, frames: int) -> str:
        """Send with ``frames`` left and go on with what came of it."""
        try:
            self._descend(target.increment, frames)
        except RecursionError:
            return "no room"
        return "done"

    def waiting_at_the_bottom(self, first: vista.Ref, second: vista.Ref, frames: int) -> Any:
        """Wait with ``frames`` left, then at another gate."""
        call = first.pass_through.future()
        with contextlib.suppress(RecursionError):
            self._descend(call.result, frames)
        return second.pass_through("second")

    def gathering_at_the_bottom(self, first: vista.Ref, second: vista.Ref, frames: int) -> Any:
        """Gather with ``frames`` left, then wait at another gate."""
        call = first.pass_through.future()
        with contextlib.suppress(RecursionError):
            self._descend(lambda: vista.gather(call), frames)
        return second.pass_through("second")

    def sleeping_at_the_bottom(self, frames: int) -> str:
        """Sleep with ``frames`` left, too few, and then with enough."""
        try:
            self._descend(lambda: vista.sleep(1000), frames)
        except RecursionError:
            vista.sleep(0.001)
        return "woken"

    def _descend(self, action: Callable[[], Any], frames: int) -> None:
        limit, here, frame = sys.getrecursionlimit(), 0, sys._getframe()
        while frame is not None:
            frame, here = frame.f_back, here + 1
        self._go_down(limit - here - frames, action)

    def _go_down(self, steps: int, action: Callable[[], Any]) -> None:
        if steps > 0:
            self._go_down(steps - 1, action)
        else:
            action()

    def by_sends(self) -> None:
        vista.self_ref(self).by_sends()

    def by_sends_with_python_between(self, frames: int) -> None:
        self._between(frames)

    def _between(self, frames: int) -> None:
        if frames:
            self._between(frames - 1)
        else:
            vista.self_ref(self).by_sends_with_python_between(25)

    def to_each_other(self, other: vista.Ref) -> None:
        other.to_each_other(self)

    def by_futures(self) -> None:
        vista.self_ref(self).by_futures.future().result()

    async def by_aio(self) -> None:
        await vista.aio.send(self, "by_aio")

    @vista.preemptable
    def by_preemptable_sends(self) -> None:
        vista.self_ref(self).by_preemptable_sends()

    def depth_of(self, count: int) -> int:
        return 0 if count == 0 else int(vista.self_ref(self).depth_of(count - 1)) + 1

    def answer(self) -> int:
        return 42


class Endless(vista.Object):
    """Makes another of its kind when it is made."""

    def create(self) -> None:
        vista.create(Endless)


class Chain(vista.Object):
    """Makes so many of its kind."""

    def create(self, count: int) -> None:
        self.next = vista.create(Chain, count - 1) if count else None


@pytest.fixture
def diver(node: vista.Node) -> vista.Ref:
    return vista.create(Diver)


@pytest.mark.parametrize("method", ["in_python", "in_python_natively", "in_python_async"])
def test_endless_python_recursion_is_the_error_of_the_call(diver: vista.Ref, method: str) -> None:
    with pytest.raises(RecursionError):
        vista.send(diver, method)
    assert diver.answer() == 42


def test_a_post_that_recurses_for_ever_harms_nobody(diver: vista.Ref) -> None:
    diver.in_python.post()
    until(lambda: vista.statistics()["posts_failed"] == 1)
    assert diver.answer() == 42


@pytest.mark.parametrize("method", ["increment", "get", "class_of"])
def test_recursion_that_sends_at_each_step_leaves_the_other_object_free(
    diver: vista.Ref, method: str
) -> None:
    counter = vista.create(Counter)
    with pytest.raises(RecursionError):
        diver.sending_at_each_step(counter, method)
    assert diver.answer() == 42
    assert vista.send(counter, method) is not None


def test_recursion_that_sends_to_a_watched_object_leaves_it_free(diver: vista.Ref) -> None:
    counter = vista.create(Counter)
    counter.add_notify_when_modified("Nobody")
    with pytest.raises(RecursionError):
        diver.sending_at_each_step(counter, "increment")
    assert counter.get() > 0


@pytest.mark.parametrize("frames", range(1, 40))
def test_a_send_with_hardly_a_frame_left_fails_or_works(real_node: vista.Node, frames: int) -> None:
    diver, counter = vista.create(Diver), vista.create(Counter)
    assert diver.sending_at_the_bottom(counter, frames) in ("no room", "done")
    assert vista.gather(counter.increment.future(), diver.answer.future())[1] == 42


@pytest.mark.parametrize("style", ["waiting_at_the_bottom", "gathering_at_the_bottom"])
@pytest.mark.parametrize("frames", range(1, 30))
def test_a_wait_with_hardly_a_frame_left_disturbs_no_later_wait(
    real_node: vista.Node, frames: int, style: str
) -> None:
    diver, first, second = vista.create(Diver), vista.create(Gate), vista.create(Gate)
    waiting = vista.future(diver, style, first, second, frames)
    until(lambda: first.count() + second.count() >= 1)
    first.open()
    until(lambda: second.count() == 1)
    vista.sleep(0.001)
    assert not waiting.done()
    second.open()
    assert waiting.result() == "second"


@pytest.mark.parametrize("frames", range(1, 15))
def test_a_sleep_with_hardly_a_frame_left_leaves_no_timer(
    real_node: vista.Node, frames: int
) -> None:
    sleeping = vista.create(Diver).sleeping_at_the_bottom.future(frames)
    with contextlib.suppress(CallTimeout):
        assert sleeping.result(timeout=0.5) == "woken"
    sleeping.cancel()


@pytest.mark.parametrize("method", ["by_sends", "by_futures", "by_aio", "by_preemptable_sends"])
def test_an_endless_chain_of_calls_is_overloaded(make_node: Any, method: str) -> None:
    make_node(chain_calls_max=200)
    diver = vista.create(Diver)
    with pytest.raises(Overloaded, match="chain_calls_max"):
        vista.send(diver, method)
    assert diver.answer() == 42


def test_an_endless_chain_at_the_usual_bound_is_overloaded(real_node: vista.Node) -> None:
    diver = vista.create(Diver)
    with pytest.raises(Overloaded, match="chain_calls_max"):
        diver.by_sends()
    assert diver.answer() == 42


def test_two_objects_that_call_each_other_for_ever_are_overloaded(make_node: Any) -> None:
    make_node(chain_calls_max=200)
    one, other = vista.create(Diver), vista.create(Diver)
    with pytest.raises(Overloaded):
        one.to_each_other(other)
    assert vista.gather(one.answer.future(), other.answer.future()) == [42, 42]


def test_a_chain_with_python_frames_between_its_calls_gets_an_error(
    real_node: vista.Node,
) -> None:
    diver = vista.create(Diver)
    with pytest.raises((RecursionError, Overloaded)):
        diver.by_sends_with_python_between(25)
    assert vista.gather(diver.answer.future(), diver.answer.future()) == [42, 42]


def test_a_chain_deeper_than_one_greenlet_returns(diver: vista.Ref) -> None:
    assert diver.depth_of(700) == 700


def test_objects_that_make_each_other_for_ever_leave_nothing(node: vista.Node) -> None:
    before = vista.objects()
    with pytest.raises((Overloaded, RecursionError)):
        vista.create(Endless)
    assert vista.objects() == before


def test_objects_that_make_each_other_in_a_long_chain_are_made(node: vista.Node) -> None:
    before = len(vista.objects())
    vista.create(Chain, 300)
    assert len(vista.objects()) == before + 301
