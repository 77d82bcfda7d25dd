"""``async def`` methods beside others: interrupted, killed, late, and what they may do."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Journal, filled, row_of, runs, until
from vista.errors import CallTimeout, ObjectDeleted, ThreadKilled


class Kiosk(vista.Object):
    """Serves by coroutines."""

    def create(self) -> None:
        self.event = asyncio.Event()
        self.entries: list[str] = []

    async def wait_at_most(self, seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return "late"
        return "in time"

    async def serve(self) -> str:
        try:
            await self.event.wait()
        finally:
            self.entries.append("served")
        return "served"

    async def tidy_up_slowly(self) -> None:
        try:
            await self.event.wait()
        finally:
            await vista.aio.sleep(0.005)
            self.entries.append("tidy")

    async def post_to(self, target: Any, method: str, *args: Any) -> None:
        target.write.post("by Ref")
        vista.post(target, method, *args)

    async def call_in_flight(self, target: Any, method: str, *args: Any) -> list[Any]:
        return [
            await getattr(target, method).future(*args),
            await vista.future(target, method, *args),
        ]

    async def send_after(self, seconds: float, target: Any, method: str) -> Any:
        await vista.aio.sleep(seconds)
        return await vista.aio.send(target, method)

    async def create_after(self, seconds: float) -> Any:
        await vista.aio.sleep(seconds)
        return await vista.aio.create(Counter, 5)

    async def await_in_flight_after(self, seconds: float, target: Any) -> Any:
        await vista.aio.sleep(seconds)
        return await target.get.future()

    async def send_within(self, seconds: float, target: Any, method: str) -> str:
        try:
            with vista.timeout(seconds):
                await vista.aio.send(target, method)
        except CallTimeout:
            return "late"
        return "in time"

    async def await_within(self, seconds: float, target: Any) -> str:
        try:
            with vista.timeout(seconds):
                await target.pass_through.future()
        except CallTimeout:
            return "late"
        return "in time"

    async def sleep_within(self, seconds: float) -> str:
        try:
            with vista.timeout(seconds):
                await vista.aio.sleep(1000)
        except CallTimeout:
            return "late"
        return "in time"

    async def start_tasks(self, target: Any, count: int) -> list[int]:
        async def one() -> int:
            answer: int = await vista.aio.send(target, "increment")
            return answer

        tasks = [asyncio.create_task(one()) for _ in range(count)]
        return sorted(await asyncio.gather(*tasks))

    async def forever(self) -> None:
        while True:
            await asyncio.sleep(0)

    @vista.exclusive
    def keep(self, gate: vista.Ref) -> None:
        gate.pass_through()

    @vista.preemptable
    def open(self) -> None:
        self.event.set()

    @vista.preemptable
    def look(self) -> list[str]:
        return self.entries

    def answer(self) -> int:
        return 42


@pytest.fixture
def kiosk(node: vista.Node) -> vista.Ref:
    return vista.create(Kiosk)


def test_a_timeout_of_asyncio_interrupts_an_await(kiosk: vista.Ref) -> None:
    assert kiosk.wait_at_most(0.01) == "late"
    assert kiosk.answer() == 42


def test_a_timeout_of_asyncio_that_strikes_in_line_waits_for_the_object(
    kiosk: vista.Ref, gate: vista.Ref
) -> None:
    waiting = kiosk.wait_at_most.future(0.02)
    until(lambda: runs("wait_at_most"))
    keeping = kiosk.keep.future(gate)
    until(lambda: gate.count() == 1)
    kiosk.open()
    vista.sleep(0.05)
    assert not waiting.done()
    gate.open()
    keeping.result()
    assert waiting.result() in ("late", "in time")
    assert kiosk.answer() == 42


def test_a_killed_coroutine_ends_as_cancelled(kiosk: vista.Ref) -> None:
    serving = kiosk.serve.future()
    until(lambda: runs("serve"))
    vista.kill(row_of("serve").id)
    with pytest.raises(ThreadKilled):
        serving.result()
    until(lambda: kiosk.look() == ["served"])


def test_a_killed_coroutine_may_await_while_it_tidies_up(kiosk: vista.Ref) -> None:
    serving = kiosk.tidy_up_slowly.future()
    until(lambda: runs("tidy_up_slowly"))
    serving.cancel()
    until(lambda: kiosk.look() == ["tidy"])
    assert kiosk.answer() == 42


def test_a_call_cancelled_before_its_coroutine_begins_leaves_the_object_free(
    kiosk: vista.Ref,
) -> None:
    serving = kiosk.serve.future()
    serving.cancel()
    assert kiosk.answer() == 42
    assert isinstance(serving.exception(), ThreadKilled)


def test_an_object_deleted_ends_its_coroutines(kiosk: vista.Ref) -> None:
    serving = kiosk.serve.future()
    until(lambda: runs("serve"))
    kiosk.delete_yourself()
    with pytest.raises(ObjectDeleted):
        serving.result()


def test_an_object_deleted_ends_a_coroutine_in_its_line(kiosk: vista.Ref, gate: vista.Ref) -> None:
    serving = kiosk.serve.future()
    until(lambda: runs("serve"))
    keeping = kiosk.keep.future(gate)
    until(lambda: gate.count() == 1)
    deleting = kiosk.delete_yourself.future()
    kiosk.open()
    vista.sleep(0.005)
    gate.open()
    vista.gather(keeping, deleting)
    # It stood in line before or after the message that deleted the object.
    assert isinstance(serving.exception(), ObjectDeleted | None)


def test_a_coroutine_may_post(kiosk: vista.Ref) -> None:
    journal = vista.create(Journal)
    kiosk.post_to(journal, "write", "by post")
    assert filled(journal.read, 2) == ["by Ref", "by post"]


def test_a_coroutine_that_posts_to_an_idle_node_is_heard_soon(real_node: vista.Node) -> None:
    # Nothing else gives the loop a turn while the coroutine sleeps on and this thread waits.
    heard = threading.Event()

    class Poster(vista.Object):
        async def post_and_sleep(self, other: vista.Ref) -> None:
            await asyncio.sleep(0)
            other.hear.post()
            await vista.aio.sleep(1000)

    class Ear(vista.Object):
        def hear(self) -> None:
            heard.set()

    posting = vista.create(Poster).post_and_sleep.future(vista.create(Ear))
    is_heard = heard.wait(5.0)
    posting.cancel()
    assert is_heard


def test_a_coroutine_may_post_by_a_service_name(kiosk: vista.Ref) -> None:
    class Crier(vista.Object):
        async def cry(self) -> None:
            vista.post("Journal/main", "write", "hear")

    journal = vista.create(Journal)
    vista.register_service("Journal/main", journal)
    vista.create(Crier).cry()
    assert until(journal.read) == ["hear"]


def test_a_coroutine_may_start_calls_in_flight(kiosk: vista.Ref) -> None:
    assert kiosk.call_in_flight(vista.create(Counter), "increment") == [1, 2]


@pytest.mark.parametrize("style", ["send_after", "await_in_flight_after", "create_after"])
def test_a_call_after_a_long_await_has_its_full_time(virtual_node: vista.Node, style: str) -> None:
    # Its time counts from the call, not from the last turn of the loop, an hour ago.
    kiosk, counter = vista.create(Kiosk), vista.create(Counter, 5)
    with vista.timeout(10_000):
        if style == "send_after":
            assert kiosk.send_after(3600, counter, "get") == 5
        elif style == "create_after":
            assert kiosk.create_after(3600).get() == 5
        else:
            assert kiosk.await_in_flight_after(3600, counter) == 5


def test_a_send_in_a_coroutine_is_bounded_by_the_enclosing_timeout(
    kiosk: vista.Ref, gate: vista.Ref
) -> None:
    assert kiosk.send_within(0.01, gate, "pass_through") == "late"
    until(lambda: gate.count() == 0)


def test_an_await_of_a_call_in_flight_is_bounded_by_the_enclosing_timeout(
    kiosk: vista.Ref, gate: vista.Ref
) -> None:
    assert kiosk.await_within(0.01, gate) == "late"
    until(lambda: gate.count() == 0)


def test_a_sleep_in_a_coroutine_is_bounded_by_the_enclosing_timeout(kiosk: vista.Ref) -> None:
    assert kiosk.sleep_within(0.01) == "late"


def test_a_timeout_in_a_coroutine_may_be_longer_than_the_usual_bound(make_node: Any) -> None:
    make_node(call_seconds=0.03)

    class Patient(vista.Object):
        async def ask(self, target: vista.Ref) -> str:
            with vista.timeout(10):
                answers = [await target.nap.future(), await vista.aio.send(target, "nap")]
            return " ".join(answers)

    class Sleeper(vista.Object):
        def nap(self) -> str:
            vista.sleep(0.06)
            return "slept"

    patient, sleeper = vista.create(Patient), vista.create(Sleeper)
    with vista.timeout(10):
        assert patient.ask(sleeper) == "slept slept"


def test_tasks_that_a_coroutine_starts_may_send(kiosk: vista.Ref) -> None:
    assert kiosk.start_tasks(vista.create(Counter), 5) == [1, 2, 3, 4, 5]


def test_a_coroutine_that_never_rests_is_killed(kiosk: vista.Ref) -> None:
    serving = kiosk.forever.future()
    until(lambda: runs("forever"))
    assert kiosk.answer() == 42
    serving.cancel()
    until(lambda: not runs("forever"))


def test_a_hundred_coroutines_of_one_object_end(kiosk: vista.Ref) -> None:
    serving = [kiosk.serve.future() for _ in range(100)]
    until(lambda: sum(row.method == "serve" for row in vista.threads()) == 100)
    kiosk.open()
    assert vista.gather(*serving) == ["served"] * 100
