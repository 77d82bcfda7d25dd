"""Coroutines: ``async def`` methods, `vista.wait` and `vista.aio`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from vista.errors import CallTimeout, NoSuchMethod, ThreadKilled, WrongContextError


class Async(vista.Object):
    """Has methods that are coroutines."""

    def create(self) -> None:
        self.active = 0
        self.most_active = 0

    async def double(self, number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def add(self, counter: vista.Ref, by: int) -> Any:
        return await vista.aio.send(counter, "increment", by)

    async def make(self) -> Any:
        counter = await vista.aio.create(Counter, 7)
        return await vista.aio.send(counter, "get")

    async def fail(self) -> None:
        await vista.aio.sleep(0)
        raise LookupError("asynchronously", 3)

    async def send_plainly(self, counter: vista.Ref) -> str:
        try:
            counter.increment(1)
        except WrongContextError as error:
            return str(error)
        return "it blocked the loop"

    async def segment(self) -> None:
        """Be active twice, with a wait between."""
        for _ in range(2):
            self.active += 1
            self.most_active = max(self.most_active, self.active)
            self.active -= 1
            await asyncio.sleep(0)

    def seen(self) -> int:
        return self.most_active

    async def who(self) -> Any:
        sender = vista.from_object()
        return (None if sender is None else vista.id_of(sender)), vista.current_user()

    def ask_who(self) -> Any:
        return vista.self_ref(self).who()


@pytest.fixture
def coroutines(node: vista.Node) -> vista.Ref:
    return vista.create(Async)


def test_an_async_method_is_called_like_any_other(coroutines: vista.Ref) -> None:
    assert coroutines.double(4) == 8


def test_a_coroutine_sends_with_aio(coroutines: vista.Ref) -> None:
    assert coroutines.add(vista.create(Counter, 1), 2) == 3


def test_a_coroutine_creates_with_aio(coroutines: vista.Ref) -> None:
    assert coroutines.make() == 7


def test_an_async_method_raises_its_exception(coroutines: vista.Ref) -> None:
    with pytest.raises(LookupError) as caught:
        coroutines.fail()
    assert caught.value.args == ("asynchronously", 3)


def test_a_plain_send_in_a_coroutine_says_what_to_write(coroutines: vista.Ref) -> None:
    text = coroutines.send_plainly(vista.create(Counter))
    assert "await vista.aio.send(...)" in text


def test_async_methods_of_one_object_take_turns_between_awaits(coroutines: vista.Ref) -> None:
    vista.gather(*[coroutines.segment.future() for _ in range(10)])
    assert coroutines.seen() == 1


def test_an_async_method_knows_its_sender_and_user(coroutines: vista.Ref) -> None:
    assert coroutines.ask_who() == (vista.id_of(coroutines), "operator")
    assert coroutines.who() == (None, "operator")


def test_an_async_method_is_bounded_like_any_call(node: vista.Node) -> None:
    gate, waiter = vista.create(Gate), vista.create(Waiter)
    with pytest.raises(CallTimeout), vista.timeout(0.01):
        waiter.pass_through(gate)
    until(lambda: gate.count() == 0)
    assert waiter.was_cancelled()


class Waiter(vista.Object):
    """Waits in a coroutine."""

    def create(self) -> None:
        self.cancelled = False

    async def pass_through(self, gate: vista.Ref) -> None:
        try:
            await vista.aio.send(gate, "pass_through")
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    def was_cancelled(self) -> bool:
        return self.cancelled


def test_wait_awaits_in_a_plain_method(node: vista.Node) -> None:
    async def answer() -> int:
        await vista.aio.sleep(0.001)
        return 42

    assert node.call(lambda: vista.wait(answer())) == 42


def test_wait_raises_what_the_awaitable_raises(node: vista.Node) -> None:
    async def fail() -> None:
        raise LookupError("in the awaitable")

    with pytest.raises(LookupError, match="in the awaitable"):
        node.call(lambda: vista.wait(fail()))


class Pledge(vista.Object):
    """Waits for a future of asyncio's."""

    def create(self) -> None:
        self.future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting = 0

    def hear(self) -> Any:
        self.waiting += 1
        return vista.wait(self.future)

    def count(self) -> int:
        return self.waiting

    def keep(self, word: str) -> None:
        self.future.set_result(word)

    def break_it(self, word: str) -> None:
        self.future.set_exception(LookupError(word))

    def is_cancelled(self) -> bool:
        return self.future.cancelled()


def test_wait_returns_what_a_future_is_given_to_all_who_wait(node: vista.Node) -> None:
    pledge = vista.create(Pledge)
    heard = [pledge.hear.future(), pledge.hear.future()]
    until(lambda: pledge.count() == 2)
    pledge.keep("kept")
    assert [one.result() for one in heard] == ["kept", "kept"]
    assert pledge.hear() == "kept"


def test_wait_raises_what_a_future_ends_with(node: vista.Node) -> None:
    pledge = vista.create(Pledge)
    heard = pledge.hear.future()
    until(lambda: pledge.count() == 1)
    pledge.break_it("broken")
    with pytest.raises(LookupError, match="broken"):
        heard.result()


def test_a_future_is_cancelled_when_the_thread_that_waits_for_it_is_killed(
    node: vista.Node,
) -> None:
    pledge = vista.create(Pledge)
    heard = pledge.hear.future()
    until(lambda: pledge.count() == 1)
    [row] = [row for row in vista.threads() if row.method == "hear"]
    vista.kill(row.id)
    with pytest.raises(vista.ThreadKilled):
        heard.result()
    assert pledge.is_cancelled()


def test_wait_refuses_a_future_of_another_loop(node: vista.Node) -> None:
    other = asyncio.new_event_loop()

    def wait() -> Any:
        with vista.timeout(5.0):
            return vista.wait(other.create_future())

    with pytest.raises(RuntimeError, match=r"attached to a different loop"):
        node.call(wait)
    other.close()


def test_others_enter_an_object_that_waits_for_an_awaitable(node: vista.Node) -> None:
    gate = vista.create(Gate)
    passing = gate.pass_through.future("through")
    until(lambda: gate.count() == 1)
    gate.open()
    assert passing.result() == "through"


def test_a_program_with_its_own_loop_sends_with_aio(real_node: vista.Node) -> None:
    counter = vista.create(Counter)

    async def program() -> list[Any]:
        first = await vista.aio.send(counter, "increment", 2)
        made = await vista.aio.create(Counter, 5)
        calls = await vista.aio.gather(made.increment.future(1), made.increment.future(1))
        return [first, calls]

    assert asyncio.run(program()) == [2, [6, 7]]


def test_an_error_reaches_a_program_with_its_own_loop(real_node: vista.Node) -> None:
    counter = vista.create(Counter)
    with pytest.raises(NoSuchMethod):
        asyncio.run(vista.aio.send(counter, "incremnt"))


def test_a_future_can_be_awaited_in_a_method(node: vista.Node) -> None:
    journal, pen = vista.create(Journal), vista.create(Quill)
    assert pen.write_and_read(journal) == ["by await"]


class Quill(vista.Object):
    """Awaits futures."""

    async def write_and_read(self, journal: vista.Ref) -> Any:
        await journal.write.future("by await")
        return await journal.read.future()


def test_aio_in_a_plain_method_says_what_to_write(node: vista.Node) -> None:
    counter = vista.create(Counter)

    def plain() -> None:
        vista.aio.send(counter, "increment").send(None)

    with pytest.raises(WrongContextError, match=r"vista\.send"):
        node.call(plain)


TASKS: list[asyncio.Task[Any]] = []


class AioMade(vista.Object):
    """Has whoever makes it cancelled as soon as it is there."""

    def create(self) -> None:
        TASKS[-1].cancel()


class AioMaker(vista.Object):
    """Makes an object, whose Ref never reaches it."""

    def create(self) -> None:
        pass

    async def make(self) -> vista.Ref:
        task = asyncio.current_task()
        assert task is not None
        TASKS.append(task)
        try:
            return await vista.aio.create(AioMade)
        finally:
            TASKS.pop()


def test_an_object_whose_maker_was_cancelled_before_it_got_its_ref_is_deleted() -> None:
    with vista.Node("cancelled") as node:
        maker = vista.create(AioMaker)
        with pytest.raises(ThreadKilled):
            maker.make()
        until(lambda: not [row for row in node.call(vista.objects) if "AioMade" in row.class_name])
