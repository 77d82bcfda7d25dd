"""Calls that would wait for ever fail at once, with the chain in words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, open_together, until
from vista.errors import CallTimeout, DeadlockError


class Keeper(vista.Object):
    """Keeps itself while it calls others."""

    def create(self) -> None:
        self.value = 0

    @vista.exclusive
    def keep_and_call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.exclusive
    def keep_and_wait_for_call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    @vista.exclusive
    def keep_and_gather(self, target: Any, method: str, *args: Any) -> Any:
        return vista.gather(vista.future(target, method, *args))

    @vista.exclusive
    def keep_then_call(self, gate: vista.Ref, target: Any, method: str, *args: Any) -> Any:
        gate.pass_through()
        return vista.send(target, method, *args)

    @vista.exclusive
    def keep_and_post(self, target: Any, method: str) -> None:
        vista.post(target, method)

    @vista.exclusive
    async def keep_and_send(self, target: Any, method: str, *args: Any) -> Any:
        return await vista.aio.send(target, method, *args)

    @vista.exclusive
    async def keep_then_send(self, gate: vista.Ref, target: Any, method: str) -> Any:
        await vista.aio.send(gate, "pass_through")
        return await vista.aio.send(target, method)

    @vista.exclusive
    @vista.native
    def keep_natively_and_call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def call(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.native
    def call_natively(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def wait_for_event(self) -> str:
        self.event = asyncio.Event()
        vista.wait(self.event.wait())
        return "home"

    @vista.preemptable
    def set_event(self) -> None:
        self.event.set()

    async def send(self, target: Any, method: str, *args: Any) -> Any:
        return await vista.aio.send(target, method, *args)

    def increment(self) -> int:
        self.value += 1
        return self.value

    async def answer_async(self) -> int:
        return 42

    @vista.exclusive
    def catch(self, target: Any, method: str, *args: Any) -> str:
        try:
            vista.send(target, method, *args)
        except DeadlockError as error:
            return str(error)
        return "no deadlock"


@pytest.fixture
def keeper(node: vista.Node) -> vista.Ref:
    return vista.create(Keeper)


# --- a chain that comes back ----------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        "keep_and_call",
        "keep_and_wait_for_call",
        "keep_and_gather",
        "keep_and_send",
        "keep_natively_and_call",
    ],
)
@pytest.mark.parametrize("called", ["increment", "answer_async", "keep_and_post", "catch"])
def test_a_call_of_an_exclusive_method_to_its_own_object_is_refused(
    keeper: vista.Ref, method: str, called: str
) -> None:
    with pytest.raises(DeadlockError):
        vista.send(keeper, method, keeper, called)
    assert keeper.increment() == 1


@pytest.mark.parametrize("between", ["call", "call_natively", "send"])
def test_a_chain_that_comes_back_to_an_exclusive_method_is_refused(
    keeper: vista.Ref, between: str
) -> None:
    other = vista.create(Keeper)
    with pytest.raises(DeadlockError):
        keeper.keep_and_call(other, between, keeper, "increment")
    assert [keeper.increment(), other.increment()] == [1, 1]


def test_the_error_tells_the_chain_in_words(keeper: vista.Ref) -> None:
    class Middle(vista.Object):
        def pass_on(self, target: vista.Ref) -> None:
            target.increment()

    with pytest.raises(DeadlockError) as caught:
        keeper.keep_and_call(vista.create(Middle), "pass_on", keeper)
    words = "Keeper.keep_and_call -> Middle.pass_on -> Keeper.increment"
    assert words in str(caught.value)


def test_the_error_of_a_long_chain_leaves_its_middle_out(keeper: vista.Ref) -> None:
    class Link(vista.Object):
        def pass_on(self, target: vista.Ref, count: int) -> None:
            if count:
                vista.create(Link).pass_on(target, count - 1)
            else:
                target.increment()

    with pytest.raises(DeadlockError, match="more") as caught:
        keeper.keep_and_call(vista.create(Link), "pass_on", keeper, 100)
    assert len(str(caught.value)) < 1000
    assert keeper.increment() == 1


def test_an_exclusive_method_may_catch_the_error_and_go_on(keeper: vista.Ref) -> None:
    assert "Keeper.catch -> Keeper.increment" in keeper.catch(keeper, "increment")
    assert keeper.increment() == 1


def test_an_exclusive_method_may_post_to_its_own_object(keeper: vista.Ref) -> None:
    keeper.keep_and_post(keeper, "increment")
    assert keeper.increment() == 2


def test_an_exclusive_method_may_call_others(keeper: vista.Ref) -> None:
    assert keeper.keep_and_call(vista.create(Counter, 5), "get") == 5


# --- chains that wait for each other --------------------------------------------------------


@pytest.mark.parametrize("style", ["keep_then_call", "keep_then_send"])
def test_two_exclusive_chains_that_want_each_other_do_not_wait_for_ever(
    keeper: vista.Ref, style: str
) -> None:
    other = vista.create(Keeper)
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        vista.future(keeper, style, gates[0], other, "increment"),
        vista.future(other, style, gates[1], keeper, "increment"),
    ]
    open_together(gates)
    ends = vista.gather(*calls, return_exceptions=True)
    # One chain gives way with the error; then the other gets what it wants.
    assert sorted(type(end) for end in ends if not isinstance(end, int)) == [DeadlockError]
    assert [end for end in ends if isinstance(end, int)] == [1]


def test_the_error_of_two_chains_tells_who_waits_for_whom(keeper: vista.Ref) -> None:
    class Vault(vista.Object):
        @vista.exclusive
        def keep_then_call(self, gate: vista.Ref, target: vista.Ref) -> int:
            gate.pass_through()
            return int(target.increment())

        def increment(self) -> int:
            return 1

    vault, gates = vista.create(Vault), [vista.create(Gate), vista.create(Gate)]
    first = keeper.keep_then_call.future(gates[0], vault, "increment")
    second = vault.keep_then_call.future(gates[1], keeper)
    until(lambda: all(gate.count() == 1 for gate in gates))
    gates[0].open()
    until(lambda: gates[0].count() == 0)
    vista.sleep(0.005)
    gates[1].open()
    error = second.exception()
    assert isinstance(error, DeadlockError)
    assert "Vault.keep_then_call -> Keeper.increment" in str(error)
    assert "which waits for Vault" in str(error)
    assert first.result() == 1


def assert_ring_is_found(calls: list[vista.Future], gates: list[vista.Ref]) -> None:
    """Chains that go on when each of them waits at its gate end by the error, not by time."""
    open_together(gates)
    ends = vista.gather(*calls, return_exceptions=True)
    assert any(isinstance(end, DeadlockError) for end in ends)
    assert not any(isinstance(end, CallTimeout) for end in ends)


def test_three_exclusive_chains_in_a_ring_do_not_wait_for_ever(node: vista.Node) -> None:
    keepers = [vista.create(Keeper) for _ in range(3)]
    gates = [vista.create(Gate) for _ in range(3)]
    calls = [
        keepers[index].keep_then_call.future(gates[index], keepers[(index + 1) % 3], "increment")
        for index in range(3)
    ]
    assert_ring_is_found(calls, gates)


@pytest.mark.parametrize("call", ["call", "call_natively"], ids=["", "in another greenlet"])
def test_a_ring_through_an_object_that_keeps_nothing_is_found(keeper: vista.Ref, call: str) -> None:
    # keeper -> between -> other, and other -> keeper: between is released while it waits.
    other, between = vista.create(Keeper), vista.create(Keeper)
    gates = [vista.create(Gate), vista.create(Gate)]
    calls = [
        keeper.keep_then_call.future(gates[0], between, call, other, "increment"),
        other.keep_then_call.future(gates[1], keeper, "increment"),
    ]
    assert_ring_is_found(calls, gates)


def test_a_thread_that_cannot_go_back_into_its_object_does_not_wait_for_ever(
    keeper: vista.Ref,
) -> None:
    # 1. keeper keeps itself and calls guest, which waits at a gate and is released.
    # 2. visitor enters guest, keeps it, and calls keeper: it waits for the first chain.
    # 3. The gate opens: the first chain must go back into guest, which visitor keeps.
    guest, gate, second = vista.create(Keeper), vista.create(Gate), vista.create(Gate)
    first = keeper.keep_and_call.future(guest, "call", gate, "pass_through", "home")
    until(lambda: gate.count() == 1)
    visitor = guest.keep_then_call.future(second, keeper, "increment")
    until(lambda: second.count() == 1)
    second.open()
    until(lambda: second.count() == 0)
    vista.sleep(0.005)
    gate.open()
    ends = vista.gather(first, visitor, return_exceptions=True)
    assert ends[0] == "home"
    assert isinstance(ends[1], DeadlockError)


def test_a_woken_thread_that_cannot_go_back_does_not_wait_for_ever(keeper: vista.Ref) -> None:
    # As before, but guest itself waits and not what it called.
    guest, second = vista.create(Keeper), vista.create(Gate)
    first = keeper.keep_and_call.future(guest, "wait_for_event")
    until(lambda: "event" in guest.describe_instance_variables())
    visitor = guest.keep_then_call.future(second, keeper, "increment")
    until(lambda: second.count() == 1)
    second.open()
    until(lambda: second.count() == 0)
    vista.sleep(0.005)
    guest.set_event()
    ends = vista.gather(first, visitor, return_exceptions=True)
    assert ends[0] == "home"
    assert isinstance(ends[1], DeadlockError)


def test_waiting_for_an_exclusive_object_whose_keeper_sleeps_is_no_deadlock(
    keeper: vista.Ref,
) -> None:
    gate = vista.create(Gate)
    keeping = keeper.keep_and_call.future(gate, "pass_through", "kept")
    until(lambda: gate.count() == 1)
    other = vista.create(Keeper)
    waiting = other.keep_and_call.future(keeper, "increment")
    vista.sleep(0.005)
    assert not waiting.done()
    gate.open()
    assert vista.gather(keeping, waiting) == ["kept", 1]


def test_an_async_method_that_keeps_two_objects_in_turn_is_no_deadlock(keeper: vista.Ref) -> None:
    class Server(vista.Object):
        @vista.exclusive
        async def serve(self, target: vista.Ref) -> list[int]:
            await asyncio.sleep(0)
            return [await vista.aio.send(target, "increment") for _ in range(3)]

    servers = [vista.create(Server) for _ in range(3)]
    calls = [server.serve.future(keeper) for server in servers for _ in range(2)]
    served = [number for numbers in vista.gather(*calls) for number in numbers]
    assert sorted(served) == list(range(1, 19))
