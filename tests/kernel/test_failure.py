"""How a call ends: by a result, the exception of the method or one named error, once."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, runs, until
from vista.errors import (
    NotAValueError,
    ObjectDeleted,
    RemoteFailure,
    ThreadKilled,
)


class OwnError(Exception):
    """An exception with attributes of its own."""

    def __init__(self, text: str, *, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Failing(vista.Object):
    """Fails in many ways, as each kind of method."""

    def fail(self, error: BaseException) -> None:
        raise error

    @vista.exclusive
    def fail_exclusive(self, error: BaseException) -> None:
        raise error

    @vista.preemptable
    def fail_preemptable(self, error: BaseException) -> None:
        raise error

    @vista.native
    def fail_native(self, error: BaseException) -> None:
        raise error

    async def fail_async(self, error: BaseException) -> None:
        raise error

    async def fail_async_later(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    def fail_waiting(self, error: BaseException) -> None:
        async def failing() -> None:
            raise error

        vista.wait(failing())

    def fail_with(self, kind: str) -> None:
        kinds = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "stop": StopIteration(5)}
        raise kinds[kind]

    @vista.native
    def fail_native_with(self, kind: str) -> None:
        Failing.fail_with(self, kind)

    async def fail_async_with(self, kind: str) -> None:
        Failing.fail_with(self, kind)

    def fail_waiting_with(self, kind: str) -> None:
        async def failing() -> None:
            Failing.fail_with(self, kind)

        vista.wait(failing())

    async def cancel_itself(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    def fail_with_notes(self) -> None:
        error = ValueError("first", 2)
        error.add_note("seen at the mill")
        raise error

    def fail_because(self) -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise ValueError("effect") from error

    def fail_with_what_is_no_value(self) -> None:
        raise ValueError(object())

    def fail_with_local_class(self) -> None:
        class LocalError(Exception):
            pass

        raise LocalError("text")

    def fail_with_own(self) -> None:
        raise OwnError("text", code=7)

    def return_no_value(self) -> Any:
        return {"sockets": [object()]}

    def catch(self, target: vista.Ref, method: str, *args: Any) -> Any:
        try:
            return vista.send(target, method, *args)
        except Exception as error:
            return repr(error)

    def pass_on(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def answer(self) -> int:
        return 42


METHODS = [
    "fail",
    "fail_exclusive",
    "fail_preemptable",
    "fail_native",
    "fail_async",
    "fail_async_later",
    "fail_waiting",
]


@pytest.fixture
def failing(node: vista.Node) -> vista.Ref:
    return vista.create(Failing)


# --- the method's own exception -------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_reaches_the_caller_with_its_type_and_arguments(
    failing: vista.Ref, method: str
) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        vista.send(failing, method, ZeroDivisionError("by", 0))
    assert caught.value.args == ("by", 0)
    assert failing.answer() == 42


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_ends_a_call_in_flight(failing: vista.Ref, method: str) -> None:
    waiting = vista.future(failing, method, ZeroDivisionError("by", 0))
    assert isinstance(waiting.exception(), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        waiting.result()
    assert failing.answer() == 42


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_of_a_post_is_counted_and_the_object_works_on(
    failing: vista.Ref, method: str
) -> None:
    vista.post(failing, method, ZeroDivisionError("by", 0))
    until(lambda: vista.statistics()["posts_failed"] == 1)
    assert failing.answer() == 42


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_reaches_a_calling_method(failing: vista.Ref, method: str) -> None:
    caller = vista.create(Failing)
    assert caller.catch(failing, method, ValueError("why")) == "ValueError('why')"


def test_an_exception_passes_through_a_chain(failing: vista.Ref) -> None:
    one, other = vista.create(Failing), vista.create(Failing)
    with pytest.raises(ValueError, match="why"):
        one.pass_on(other, "pass_on", failing, "fail", ValueError("why"))


def test_an_exception_keeps_its_attributes(failing: vista.Ref) -> None:
    with pytest.raises(OwnError, match="text") as caught:
        failing.fail_with_own()
    assert caught.value.code == 7


def test_an_exception_keeps_its_notes(failing: vista.Ref) -> None:
    with pytest.raises(ValueError) as caught:
        failing.fail_with_notes()
    assert caught.value.__notes__ == ["seen at the mill"]


def test_an_exception_shows_the_line_that_raised_it(failing: vista.Ref) -> None:
    with pytest.raises(ValueError) as caught:
        failing.fail_with_notes()
    lines = [line.line for line in traceback.extract_tb(caught.value.__traceback__)]
    assert "raise error" in lines


def test_an_exception_of_a_queued_call_shows_the_line_that_raised_it(failing: vista.Ref) -> None:
    error = failing.fail_with_notes.future().exception()
    assert error is not None
    lines = [line.line for line in traceback.extract_tb(error.__traceback__)]
    assert "raise error" in lines


def test_an_exception_keeps_its_cause(failing: vista.Ref) -> None:
    with pytest.raises(ValueError, match="effect") as caught:
        failing.fail_because()
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_exception_whose_arguments_are_no_values_becomes_a_remote_failure(
    failing: vista.Ref,
) -> None:
    with pytest.raises(RemoteFailure, match="ValueError"):
        failing.fail_with_what_is_no_value()
    assert failing.answer() == 42


def test_the_caller_gets_a_copy_of_the_exception(node: vista.Node) -> None:
    class Keeper(vista.Object):
        def create(self) -> None:
            self.error = ValueError("kept")

        def fail(self) -> None:
            raise self.error

        def own(self) -> tuple[Any, ...]:
            return self.error.args

    keeper = vista.create(Keeper)
    with pytest.raises(ValueError) as caught:
        keeper.fail()
    caught.value.args = ("changed",)
    assert keeper.own() == ("kept",)


def test_two_waits_for_one_failed_call_get_the_same_error(failing: vista.Ref) -> None:
    waiting = failing.fail.future(ValueError("why"))
    for _ in range(2):
        with pytest.raises(ValueError, match="why"):
            waiting.result()


# --- what is no ordinary exception ----------------------------------------------------------


KINDS = [
    ("exit", RemoteFailure, "SystemExit"),
    ("interrupt", RemoteFailure, "KeyboardInterrupt"),
]


@pytest.mark.parametrize("method", ["fail_with", "fail_native_with", "fail_async_with"])
@pytest.mark.parametrize(("kind", "error", "text"), KINDS)
def test_an_exit_raised_by_a_method_ends_its_call_and_not_the_node(
    failing: vista.Ref, method: str, kind: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        vista.send(failing, method, kind)
    assert failing.answer() == 42


@pytest.mark.parametrize(("kind", "error", "text"), KINDS)
def test_an_exit_raised_by_an_awaitable_ends_the_call_and_not_the_node(
    failing: vista.Ref, kind: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        failing.fail_waiting_with(kind)
    assert failing.answer() == 42


@pytest.mark.parametrize("method", ["fail_with", "fail_native_with"])
def test_a_stop_iteration_reaches_the_caller(failing: vista.Ref, method: str) -> None:
    with pytest.raises(StopIteration) as caught:
        vista.send(failing, method, "stop")
    assert caught.value.args == (5,)
    assert failing.answer() == 42


def test_a_stop_iteration_of_an_async_method_is_a_runtime_error(failing: vista.Ref) -> None:
    # As Python has it for every coroutine (PEP 479).
    with pytest.raises(RuntimeError, match="StopIteration"):
        failing.fail_async_with("stop")


def test_an_async_method_that_cancels_itself_ends_as_killed(failing: vista.Ref) -> None:
    with pytest.raises(ThreadKilled, match="cancel_itself"):
        failing.cancel_itself()
    assert failing.answer() == 42


# --- results that are no values -------------------------------------------------------------


def test_a_result_that_is_no_value_is_the_error_of_the_call(failing: vista.Ref) -> None:
    with pytest.raises(NotAValueError, match=r'result\["sockets"\]\[0\]'):
        failing.return_no_value()
    assert failing.answer() == 42


def test_a_result_that_is_no_value_is_the_error_of_a_call_in_flight(failing: vista.Ref) -> None:
    with pytest.raises(NotAValueError, match=r'result\["sockets"\]\[0\]'):
        failing.return_no_value.future().result()
    assert failing.answer() == 42


@pytest.mark.parametrize("style", ["call", "post", "future", "keyword"])
def test_an_argument_that_is_no_value_is_refused_before_anything_is_sent(
    node: vista.Node, style: str
) -> None:
    counter = vista.create(Counter)
    with pytest.raises(NotAValueError):
        if style == "call":
            counter.increment(object())
        elif style == "post":
            counter.increment.post(object())
        elif style == "future":
            counter.increment.future(object())
        else:
            counter.increment(by=object())
    assert counter.increment() == 1


# --- one end for each call ------------------------------------------------------------------


def test_a_future_that_ended_cannot_be_cancelled(node: vista.Node) -> None:
    waiting = vista.create(Counter, 5).get.future()
    assert waiting.result() == 5
    waiting.cancel()
    assert waiting.result() == 5


def test_a_future_that_was_cancelled_has_no_result_later(node: vista.Node) -> None:
    gate = vista.create(Gate)
    waiting = gate.pass_through.future("late")
    until(lambda: gate.count() == 1)
    waiting.cancel()
    gate.open()
    until(lambda: not runs("pass_through"))
    assert isinstance(waiting.exception(), ThreadKilled)


def test_a_future_tells_whether_it_is_done(node: vista.Node) -> None:
    gate = vista.create(Gate)
    waiting = gate.pass_through.future()
    until(lambda: gate.count() == 1)
    assert not waiting.done()
    gate.open()
    waiting.result()
    assert waiting.done()


def test_the_callback_of_a_future_is_called_when_the_call_ends(node: vista.Node) -> None:
    gate, ended = vista.create(Gate), []
    waiting = gate.pass_through.future(5)
    waiting.add_done_callback(lambda future: ended.append(future.result()))
    until(lambda: gate.count() == 1)
    assert ended == []
    gate.open()
    assert until(lambda: ended) == [5]


def test_the_callback_of_a_future_that_has_ended_is_called(node: vista.Node) -> None:
    waiting, ended = vista.create(Counter, 5).get.future(), []
    waiting.result()
    waiting.add_done_callback(lambda future: ended.append(future.result()))
    assert until(lambda: ended) == [5]


def test_a_callback_added_in_a_method_may_send(node: vista.Node) -> None:
    journal = vista.create(Journal)

    class Adder(vista.Object):
        def add(self, gate: vista.Ref, journal: vista.Ref) -> None:
            waiting = gate.pass_through.future(5)
            waiting.add_done_callback(lambda future: journal.write.post(future.result()))

    gate, adder = vista.create(Gate), vista.create(Adder)
    adder.add(gate, journal)
    gate.open()
    assert until(journal.read) == [5]


def test_a_callback_that_raises_harms_nobody(real_node: vista.Node) -> None:
    gate, ended = vista.create(Gate), []
    waiting = gate.pass_through.future(5)

    def fail(_: vista.Future) -> None:
        raise ValueError("a careless callback")

    waiting.add_done_callback(fail)
    waiting.add_done_callback(ended.append)
    gate.open()
    assert waiting.result() == 5
    until(lambda: ended == [waiting])
    assert vista.create(Counter, 5).get() == 5


# --- methods that end their object or thread ------------------------------------------------


def test_messages_after_the_one_that_deleted_the_object_hear_that_it_is_gone(
    node: vista.Node,
) -> None:
    failing = vista.create(Failing)

    def delete_and_ask() -> tuple[Any, Any]:
        deleting, asking = failing.delete_yourself.future(), failing.answer.future()
        return deleting.exception(), asking.exception()

    deleted, asked = node.call(delete_and_ask)
    assert deleted is None
    assert isinstance(asked, ObjectDeleted)
