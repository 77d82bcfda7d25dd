"""Records: which classes can be one, and how they are found by name."""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from typing import Any

import pytest

from tests.values.samples import Colour, Loud, Position, Row, Undeclared, UndeclaredChild
from vista.errors import ClassDefinitionError
from vista.records import find_record, form_of, is_record, record, record_name


def test_a_decorated_class_is_a_record() -> None:
    assert [is_record(cls) for cls in (Position, Row, Colour)] == [True, True, True]


def test_a_subclass_of_a_record_is_none_until_it_says_so() -> None:
    assert not is_record(UndeclaredChild)


def test_the_name_of_a_record_is_module_and_class() -> None:
    assert record_name(Position) == "tests.values.samples:Position"


def test_a_record_is_found_by_its_name() -> None:
    assert find_record(record_name(Position)) is Position


def test_an_exception_class_is_found_by_its_name() -> None:
    assert find_record("builtins:ValueError") is ValueError
    assert find_record("vista.errors:AccessDenied").__name__ == "AccessDenied"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "builtins",
        "builtins:",
        "builtins:int",
        "builtins:SystemExit",
        "builtins:KeyboardInterrupt",
        "os:error",
        "nowhere.at.all:Thing",
        "tests.values.samples:Undeclared",
        "tests.values.samples:Nothing",
        "tests.values.samples:Position.x",
        "tests.values.samples:Position.__init__.__globals__",
        "tests.values.samples:.",
    ],
)
def test_what_is_neither_record_nor_exception_is_not_found(name: str) -> None:
    assert find_record(name) is None


def test_finding_imports_nothing() -> None:
    assert "this" not in sys.modules
    assert find_record("this:Zen") is None
    assert "this" not in sys.modules


def test_finding_runs_no_code_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError("loaded")

    monkeypatch.setitem(sys.modules, "lazy_module", Lazy("lazy_module"))
    assert find_record("lazy_module:Thing") is None


@pytest.mark.parametrize("odd", [None, object()], ids=["None", "object"])
def test_what_stands_for_a_module_but_is_none_has_no_records(
    odd: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "odd_module", odd)
    assert find_record("odd_module:Thing") is None


def test_a_class_inside_a_function_cannot_be_a_record() -> None:
    @dataclasses.dataclass
    class Inner:
        x: int

    with pytest.raises(ClassDefinitionError, match="must be defined at the top level of a module"):
        record(Inner)


def test_a_plain_class_cannot_be_a_record() -> None:
    plain = type("Plain", (), {"__qualname__": "Plain"})
    with pytest.raises(ClassDefinitionError, match="write @record above @dataclass"):
        record(plain)


def test_a_class_that_only_inherits_being_a_dataclass_cannot_be_a_record() -> None:
    child = type("Child", (Undeclared,), {"__qualname__": "Child"})
    with pytest.raises(ClassDefinitionError, match="neither a dataclass"):
        record(child)


def test_a_dataclass_that_is_a_list_too_cannot_be_a_record() -> None:
    child = dataclasses.make_dataclass("Child", ["x"], bases=(list,))
    with pytest.raises(ClassDefinitionError, match="inherits list"):
        record(child)


def test_a_form_tells_fields_defaults_and_whether_it_is_frozen() -> None:
    form = form_of(Position)
    assert form is not None
    assert (form.fields, form.frozen, form.is_enum) == (("x", "y"), False, False)
    assert {name: make() for name, make in form.defaults.items()} == {"y": 0}


def test_a_form_makes_an_instance_without_its_constructor() -> None:
    form = form_of(Loud)
    assert form is not None
    assert form.make({"value": 99}).value == 99


def test_an_enum_made_by_calling_can_be_a_record() -> None:
    Sizes = enum.Enum("Sizes", ["SMALL"], module=__name__)
    assert is_record(record(Sizes))
