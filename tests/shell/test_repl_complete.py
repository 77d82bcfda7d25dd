"""What TAB offers, given what there is."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from vista.shell.complete import CANDIDATES_MAX, Completer, Completion, find_value
from vista.values import Reference


class Counter(Reference):
    """A Ref to a counter, as far as completion looks."""


COUNTER = Counter()
COUNTER_ID = "4r7q2v9kzm1x8c5t-1f"


class Town:
    """A small node: two services, two objects, two classes and a thread."""

    def services(self) -> Iterable[str]:
        return ["Counters/main", "Clock"]

    def classes(self) -> Iterable[str]:
        return ["Counter", "Local.Counter", "Clock"]

    def ids(self) -> Iterable[str]:
        return [COUNTER_ID, "4r7q2v9kzm1x8c5t-2a"]

    def threads(self) -> Iterable[str]:
        return ["4r7q2v9kzm1x8c5t-9z"]

    def methods(self, target: object) -> Iterable[str]:
        known: tuple[object, ...] = (COUNTER, "Counters/main", COUNTER_ID)
        return ["describe", "increment", "decrement"] if target in known else []


def completed(text: str) -> Completion:
    namespace: dict[str, object] = {
        "counter": COUNTER,
        "numbers": [1, COUNTER],
        "box": SimpleNamespace(counter=COUNTER),
        "text": "abc",
    }
    return Completer(Town(), namespace).complete(text)


def test_a_refs_methods_are_offered_after_its_dot() -> None:
    assert completed("counter.") == Completion("", ("decrement", "describe", "increment"), True)


def test_the_part_that_is_typed_chooses_among_methods() -> None:
    assert completed("x = counter.inc") == Completion("inc", ("increment",), True)


def test_a_method_can_be_posted_and_made_a_future() -> None:
    assert completed("counter.increment.") == Completion("", ("future", "post"), True)


def test_what_is_no_method_has_nothing_after_its_dot() -> None:
    assert completed("counter.nothing.") == Completion()


@pytest.mark.parametrize("text", ["numbers[1].inc", "box.counter.inc"])
def test_a_ref_is_found_in_lists_and_attributes(text: str) -> None:
    assert completed(text).candidates == ("increment",)


@pytest.mark.parametrize("text", ["text.up", "numbers.app", "nothing.x", "f().x", "numbers[7].x"])
def test_what_is_no_ref_is_left_to_python(text: str) -> None:
    assert completed(text) == Completion()


@pytest.mark.parametrize("function", ["send", "post", "future", "vista.send", "aio.send"])
def test_services_and_ids_are_offered_where_a_target_stands(function: str) -> None:
    found = completed(f'{function}("').candidates
    assert found == (COUNTER_ID, "4r7q2v9kzm1x8c5t-2a", "Clock", "Counters/main")


def test_an_id_that_is_begun_in_a_string_is_completed() -> None:
    assert completed('delete("4r7q2v9kzm1x8c5t-1') == Completion(
        "4r7q2v9kzm1x8c5t-1", (COUNTER_ID,), True
    )


def test_a_target_without_quotes_gets_them() -> None:
    assert completed("send(4r7q").candidates == (f'"{COUNTER_ID}"', '"4r7q2v9kzm1x8c5t-2a"')


def test_variables_that_hold_refs_are_offered_where_a_target_stands() -> None:
    assert "counter" in completed("send(").candidates
    assert "text" not in completed("send(").candidates


@pytest.mark.parametrize("target", ["counter", '"Counters/main"', f'"{COUNTER_ID}"', "numbers[1]"])
def test_the_second_argument_of_send_is_a_method_of_the_first(target: str) -> None:
    assert completed(f'send({target}, "de').candidates == ("decrement", "describe")


def test_create_takes_class_names() -> None:
    assert completed('create("Co').candidates == ("Counter",)


def test_names_of_services_are_offered_and_ids_are_not_where_only_a_service_can_stand() -> None:
    assert completed('service("').candidates == ("Clock", "Counters/main")


def test_kill_takes_threads() -> None:
    assert completed('kill("').candidates == ("4r7q2v9kzm1x8c5t-9z",)


def test_a_string_of_any_other_call_may_be_a_service_and_python_may_add_to_it() -> None:
    assert completed('print("Cl') == Completion("Cl", ("Clock",), False)


def test_an_empty_string_of_any_other_call_gets_no_suggestions() -> None:
    assert completed('print("') == Completion()


def test_a_method_that_happens_to_be_called_send_takes_no_targets() -> None:
    assert completed("socket.send(") == Completion()


def test_candidates_are_bounded() -> None:
    class City(Town):
        def services(self) -> Iterable[str]:
            return [f"s{number}" for number in range(10 * CANDIDATES_MAX)]

    assert len(Completer(City(), {}).complete('service("').candidates) == CANDIDATES_MAX


def test_looking_for_a_value_runs_no_code_of_it() -> None:
    class Trap:
        @property
        def value(self) -> object:
            raise AssertionError("the property ran")

        def __getitem__(self, key: object) -> object:
            raise AssertionError("the subscript ran")

        def __getattr__(self, name: str) -> object:
            raise AssertionError("the attribute ran")

    for expression in ("trap.value", "trap[0]", "trap.other"):
        with pytest.raises(LookupError):
            find_value(expression, {"trap": Trap()})
