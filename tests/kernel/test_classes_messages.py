"""What a message is: snake_case and camelCase names, unknown ones, near misses."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from vista import NoSuchMethod, Object

pytestmark = pytest.mark.usefixtures("node")


class Ledger(Object):
    """Has methods in both spellings."""

    def create(self) -> None:
        self.total = 0

    def add_amount(self, amount: int) -> int:
        self.total += amount
        return self.total

    def getTotal(self) -> int:
        return self.total

    def _secret(self) -> int:
        return 1


class Answering(Object):
    """Answers every message with what it was asked."""

    def create(self) -> None:
        self.heard: list[Any] = []

    def known(self) -> str:
        return "known"

    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        self.heard.append([name, args, kwargs])
        return [name, args, kwargs]

    @vista.preemptable
    def get_heard(self) -> list[Any]:
        return self.heard


# --- names -------------------------------------------------------------------------------------


def test_a_snake_case_method_answers_its_camel_case_name() -> None:
    assert vista.create(Ledger).addAmount(3) == 3


def test_a_camel_case_method_answers_its_snake_case_name() -> None:
    assert vista.create(Ledger).get_total() == 0


def test_a_camel_case_name_may_be_spelled_out_in_send_post_and_future() -> None:
    ledger = vista.create(Ledger)
    vista.send(ledger, "addAmount", 1)
    vista.post(ledger, "addAmount", 2)
    assert vista.future(ledger, "addAmount", 4).result() == 7


def test_the_original_names_of_what_every_object_answers_work() -> None:
    ledger = vista.create(Ledger)
    data = ledger.encodeObject()
    ledger.deleteYourself()
    assert vista.import_object(data).extractInstanceVariables("total") == {"total": 0}


def test_the_list_of_methods_has_each_message_once_in_snake_case() -> None:
    names = list(vista.create(Ledger).methods())
    assert "get_total" in names and "getTotal" not in names


@pytest.mark.parametrize("name", ["_secret", "__init__", "_record", ""])
def test_names_with_a_leading_underscore_are_no_messages(name: str) -> None:
    with pytest.raises(NoSuchMethod, match="is no message"):
        vista.send(vista.create(Ledger), name)


def test_a_ref_has_no_attribute_with_a_leading_underscore() -> None:
    with pytest.raises(AttributeError, match="_secret"):
        vista.create(Ledger)._secret()


@pytest.mark.parametrize("name", [5, None, b"get_total"])
def test_a_message_name_that_is_no_text_is_refused(name: Any) -> None:
    with pytest.raises(NoSuchMethod, match="is no message"):
        vista.send(vista.create(Ledger), name)


@pytest.mark.parametrize("name", ["create", "delete", "upgraded_from", "handle_unknown_message"])
def test_what_the_runtime_calls_by_itself_is_no_message(name: str) -> None:
    with pytest.raises(NoSuchMethod, match="the runtime calls"):
        vista.send(vista.create(Ledger), name)


def test_the_hooks_are_no_messages_where_a_class_answers_unknown_ones_either() -> None:
    with pytest.raises(NoSuchMethod, match="the runtime calls"):
        vista.send(vista.create(Answering), "create")


# --- no method ---------------------------------------------------------------------------------


def test_a_call_of_an_unknown_message_names_near_misses() -> None:
    with pytest.raises(NoSuchMethod, match=r"Local\.Ledger has no method 'add_amuont'; did you"):
        vista.create(Ledger).add_amuont(1)


def test_an_unknown_message_with_nothing_near_says_only_that() -> None:
    with pytest.raises(NoSuchMethod) as caught:
        vista.create(Ledger).zzz()
    assert str(caught.value) == "Local.Ledger has no method 'zzz'"


def test_the_future_of_an_unknown_message_ends_with_the_error() -> None:
    in_flight = vista.create(Ledger).add_amuont.future(1)
    assert isinstance(in_flight.exception(), NoSuchMethod)


def test_a_post_of_an_unknown_message_is_counted_as_lost() -> None:
    ledger = vista.create(Ledger)
    before = vista.statistics()["posts_lost"]
    ledger.add_amuont.post(1)
    assert vista.statistics()["posts_lost"] == before + 1


def test_a_post_of_an_unknown_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ledger = vista.create(Ledger)
    ledger.add_amuont.post(1)
    assert "has no method 'add_amuont'" in caplog.text


def test_an_object_goes_on_after_an_unknown_message() -> None:
    ledger = vista.create(Ledger)
    with pytest.raises(NoSuchMethod):
        ledger.zzz()
    assert ledger.add_amount(2) == 2


# --- handle_unknown_message --------------------------------------------------------------------


def test_unknown_calls_are_handled() -> None:
    assert vista.create(Answering).whatever(1, [2], x=3) == ["whatever", [1, [2]], {"x": 3}]


def test_unknown_posts_are_handled() -> None:
    answering = vista.create(Answering)
    answering.whatever.post(1)
    assert answering.other() == ["other", [], {}]
    assert answering.get_heard()[0] == ["whatever", [1], {}]


def test_unknown_calls_in_flight_are_handled() -> None:
    assert vista.create(Answering).whatever.future(1).result() == ["whatever", [1], {}]


def test_the_handler_gets_the_name_in_snake_case() -> None:
    assert vista.create(Answering).whatEver()[0] == "what_ever"


def test_a_message_that_a_method_answers_is_not_handled() -> None:
    assert vista.create(Answering).known() == "known"


def test_a_name_with_a_leading_underscore_is_not_handled() -> None:
    with pytest.raises(NoSuchMethod):
        vista.send(vista.create(Answering), "_whatever")


def test_the_handler_gets_copies_of_the_arguments() -> None:
    items = [1]
    answering = vista.create(Answering)
    answering.keep(items)
    items.append(2)
    assert answering.get_heard() == [["keep", [[1]], {}]]


def test_unknown_messages_keep_their_place_in_the_order_of_their_sender() -> None:
    answering = vista.create(Answering)
    for number in range(20):
        vista.post(answering, f"message_{number}")
    answering.last()
    names = [name for name, _, _ in answering.get_heard()]
    assert names == [*(f"message_{number}" for number in range(20)), "last"]


def test_the_handler_may_raise_no_such_method_itself() -> None:
    class Choosy(Object):
        def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
            raise NoSuchMethod(f"not even {name}")

    with pytest.raises(NoSuchMethod, match="not even whatever"):
        vista.create(Choosy).whatever()


def test_an_async_handler_is_awaited() -> None:
    class Waiting(Object):
        async def handle_unknown_message(
            self, name: str, args: list[Any], kwargs: dict[str, Any]
        ) -> Any:
            await vista.aio.sleep(0)
            return name

    assert vista.create(Waiting).whatever() == "whatever"


def test_a_native_handler_runs_in_a_kernel_thread() -> None:
    class Heavy(Object):
        @vista.native
        def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
            return name

    assert vista.create(Heavy).whatever() == "whatever"


def test_handled_messages_are_counted_as_calls_of_the_handler() -> None:
    answering = vista.create(Answering)
    for _ in range(3):
        answering.whatever()
    methods = vista.statistics()["methods"]
    assert methods["Local.Answering/0.handle_unknown_message"]["calls"] == 3


# --- results and arguments ---------------------------------------------------------------------


def test_a_method_that_returns_no_value_names_its_type() -> None:
    class Careless(Object):
        def open_up(self) -> Any:
            return {"lock": [object()]}

        def fine(self) -> int:
            return 1

    careless = vista.create(Careless)
    with pytest.raises(vista.NotAValueError, match=r'result\["lock"\]\[0\]: object is not a value'):
        careless.open_up()
    assert careless.fine() == 1


def test_a_generator_method_says_what_to_return_instead() -> None:
    class Lazy(Object):
        def numbers(self) -> Any:
            yield 1

    with pytest.raises(vista.NotAValueError, match=r"use list\(\.\.\.\)"):
        vista.create(Lazy).numbers()


def test_wrong_arguments_name_the_method_and_leave_the_object_usable() -> None:
    ledger = vista.create(Ledger)
    with pytest.raises(TypeError, match="add_amount"):
        ledger.add_amount()
    assert ledger.add_amount(1) == 1
