"""Classes that are refused, each with what is wrong and what to write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pytest

import vista
from tests.kernel.test_classes import PlainBox, define
from vista import ClassDefinitionError, NoSuchClass, Object

pytestmark = pytest.mark.usefixtures("real_node")

# --- classes that are refused ------------------------------------------------------------------


def test_a_class_that_does_not_inherit_object_is_refused_with_what_to_write() -> None:
    class Stranger:
        pass

    with pytest.raises(ClassDefinitionError, match=r"write class Stranger\(vista\.Object\)"):
        vista.create(Stranger)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [5, None, 1.5, {"a": 1}, object(), (), ("Local", "PlainBox")])
def test_what_names_no_class_is_refused(name: Any) -> None:
    with pytest.raises(NoSuchClass, match="does not name a class"):
        vista.create(name)


@pytest.mark.parametrize(
    "name",
    [
        ("Local", "PlainBox", "0"),
        ("Local", "PlainBox", True),
        ("Local", ["PlainBox"], 0),
        ("Local", None, 0),
        ([], "PlainBox", 0),
    ],
)
def test_the_three_parts_must_have_their_types(name: Any) -> None:
    with pytest.raises(NoSuchClass, match="does not name a class"):
        vista.create(name)


def test_an_unknown_class_error_names_near_misses() -> None:
    with pytest.raises(NoSuchClass, match='no class "PlianBox"; did you mean PlainBox'):
        vista.create("PlianBox")


def test_a_wrong_version_error_names_the_versions_there_are() -> None:
    kept = [define("Offered", 1), define("Offered", 3)]
    with pytest.raises(NoSuchClass, match="its versions here are 1, 3"):
        vista.create(("Local", "Offered", 2))
    assert len(kept) == 2


def test_a_wrong_name_space_error_names_the_right_one() -> None:
    with pytest.raises(NoSuchClass, match=r"did you mean Local\.PlainBox"):
        vista.create("Lokal.PlainBox")


def test_the_node_goes_on_after_an_unknown_class() -> None:
    with pytest.raises(NoSuchClass):
        vista.create("Nowhere")
    assert vista.create("PlainBox", 1).get() == 1


def test_an_abstract_class_is_refused_by_type() -> None:
    class Idea(Object, abstract=True):
        pass

    for _ in range(2):
        with pytest.raises(ClassDefinitionError, match="Idea is abstract"):
            vista.create(Idea)
    with pytest.raises(NoSuchClass):
        vista.create("Idea")


def test_an_abstract_class_is_not_found_by_name() -> None:
    class Notion(Object, abstract=True):
        pass

    with pytest.raises(NoSuchClass):
        vista.create("Notion")
    assert Notion.__name__ == "Notion"


def test_a_class_derived_from_an_abstract_one_is_created() -> None:
    class Sketch(Object, abstract=True):
        def get(self) -> int:
            return 1

    class Drawing(Sketch):
        pass

    assert vista.create(Drawing).get() == 1


def test_a_class_with_abstract_methods_leaves_no_object_behind() -> None:
    class Unfinished(Object, ABC):
        @abstractmethod
        def do(self) -> None: ...

    before = len(vista.objects())
    with pytest.raises(TypeError, match="abstract"):
        vista.create(Unfinished)
    assert len(vista.objects()) == before


def test_init_is_refused_where_the_class_is_written() -> None:
    with pytest.raises(ClassDefinitionError, match="not by __init__"):

        class Wrong(Object):
            def __init__(self) -> None: ...


def test_a_refused_class_does_not_take_the_name_of_its_base() -> None:
    # A class that __init_subclass__ refuses stays among its base's subclasses while the exception
    # lives; a table that looked there would register it under the name of the base.
    class Honest(Object):
        def get(self) -> str:
            return "honest"

    with pytest.raises(ClassDefinitionError) as kept:

        class Impostor(Honest):
            def __init__(self) -> None: ...

            def get(self) -> str:
                return "impostor"

    assert vista.create("Honest").get() == "honest"
    assert kept.value is not None


def test_two_methods_of_one_message_name_are_refused_where_the_class_is_written() -> None:
    with pytest.raises(ClassDefinitionError, match="get_total and getTotal are the same message"):

        class Double(Object):
            def get_total(self) -> int:
                return 1

            def getTotal(self) -> int:
                return 2


def test_one_refused_class_does_not_hide_the_others() -> None:
    with pytest.raises(ClassDefinitionError) as kept:

        class Refused(Object):
            def get_total(self) -> int:
                return 1

            def getTotal(self) -> int:
                return 2

    class Fine(Object):
        def get(self) -> int:
            return 1

    assert vista.create("Fine").get() == 1
    assert kept.value is not None and Fine.__name__ == "Fine"


@pytest.mark.parametrize("hook", ["create", "delete"])
def test_a_hook_that_is_no_function_is_refused_where_the_class_is_written(hook: str) -> None:
    with pytest.raises(ClassDefinitionError, match=f"{hook} must be a function"):
        type("Hookless", (Object,), {hook: None})


@pytest.mark.parametrize("version", [-1, "1", 1.5, True, None])
def test_a_version_that_is_no_count_is_refused(version: Any) -> None:
    with pytest.raises(ClassDefinitionError, match="version"):
        type("Versioned", (Object,), {}, version=version)  # type: ignore[call-overload]


@pytest.mark.parametrize("namespace", ["", "two words", "a.b", None, 5])
def test_a_name_space_that_is_no_name_is_refused(namespace: Any) -> None:
    with pytest.raises(ClassDefinitionError, match="name space"):
        type("Spaced", (Object,), {}, namespace=namespace)  # type: ignore[call-overload]


def test_a_dataclass_is_refused_because_its_init_would_never_run() -> None:
    @dataclass
    class Point(Object):
        x: int = 0

    with pytest.raises(ClassDefinitionError, match="not by __init__"):
        vista.create(Point)


def test_a_dataclass_does_not_hide_other_classes() -> None:
    @dataclass
    class Spot(Object):
        x: int = 0

    assert vista.create("PlainBox", 1).get() == 1
    assert Spot.__name__ == "Spot"


def test_calling_a_class_says_how_objects_are_made() -> None:
    with pytest.raises(ClassDefinitionError, match=r'write vista\.create\("PlainBox"'):
        PlainBox(5)
