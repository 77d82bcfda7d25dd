"""``@native`` methods: they run in a kernel thread, keep their object and may send."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, runs, until
from vista.errors import CallTimeout


class MethodsNative(vista.Object):
    """Has methods that block."""

    def create(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    @vista.native
    def thread_name(self) -> str:
        return threading.current_thread().name

    @vista.native
    def add(self, counter: vista.Ref, by: int) -> Any:
        return counter.increment(by)

    @vista.native
    def fail(self) -> None:
        raise LookupError("natively")

    @vista.native
    def block(self) -> str:
        self.entered.set()
        assert self.released.wait(30)
        return "released"

    @vista.native
    @vista.preemptable
    def block_beside(self) -> str:
        self.entered.set()
        assert self.released.wait(30)
        return "released"

    @vista.preemptable
    def has_entered(self) -> bool:
        return self.entered.is_set()

    @vista.preemptable
    def release(self) -> None:
        self.released.set()

    @vista.native
    def who(self) -> Any:
        sender = vista.from_object()
        return (None if sender is None else vista.id_of(sender)), vista.current_user()

    def ask_who(self, other: vista.Ref) -> Any:
        return other.who()

    def answer(self) -> int:
        return 42


def test_a_native_method_runs_in_a_kernel_thread(real_node: vista.Node) -> None:
    assert vista.create(MethodsNative).thread_name().startswith("vista-native")


def test_a_native_method_sends(node: vista.Node) -> None:
    assert vista.create(MethodsNative).add(vista.create(Counter, 1), 2) == 3


def test_a_native_method_raises_its_exception(node: vista.Node) -> None:
    with pytest.raises(LookupError, match="natively"):
        vista.create(MethodsNative).fail()


def test_a_native_method_knows_its_sender_and_user(node: vista.Node) -> None:
    asker, native = vista.create(MethodsNative), vista.create(MethodsNative)
    assert asker.ask_who(native) == (vista.id_of(asker), "operator")


def test_a_native_method_keeps_its_object(real_node: vista.Node) -> None:
    native = vista.create(MethodsNative)
    blocked = native.block.future()
    until(native.has_entered)
    waiting = native.answer.future()
    with pytest.raises(CallTimeout):
        waiting.result(timeout=0.01)
    native.release()
    assert (blocked.result(), waiting.result()) == ("released", 42)


def test_a_preemptable_native_method_lets_others_in(real_node: vista.Node) -> None:
    native = vista.create(MethodsNative)
    blocked = native.block_beside.future()
    until(native.has_entered)
    assert native.answer() == 42
    native.release()
    assert blocked.result() == "released"


def test_other_objects_work_while_a_native_method_blocks(real_node: vista.Node) -> None:
    native, counter = vista.create(MethodsNative), vista.create(Counter)
    blocked = native.block.future()
    until(native.has_entered)
    assert counter.increment(1) == 1
    native.release()
    assert blocked.result() == "released"


def test_the_caller_of_a_native_method_is_not_late(real_node: vista.Node) -> None:
    native = vista.create(MethodsNative)
    with pytest.raises(CallTimeout), vista.timeout(0.02):
        native.block()
    assert runs("block")
    native.release()
    until(lambda: not runs("block"))
    assert native.answer() == 42
