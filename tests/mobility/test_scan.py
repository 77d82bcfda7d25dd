"""What can be known of a class file without running it."""

from __future__ import annotations

import pytest

from vista.errors import ClassDefinitionError
from vista.mobility.scan import scan_source
from vista.standard.rc_arguments import describe_signature


def scanned(source: str) -> list[str]:
    """Each class of a source as one line of text."""
    return [
        f"{found.line} {found.namespace}.{found.name}.{found.version} "
        + ("?" if found.create is None else describe_signature("", found.create))
        for found in scan_source(source, "some.py")
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from vista import Object\nclass A(Object): pass", ["2 Local.A.0 ()"]),
        ("import vista\nclass A(vista.Object): pass", ["2 Local.A.0 ()"]),
        ("import vista as v\nclass A(v.Object): pass", ["2 Local.A.0 ()"]),
        ("from vista import Object as O\nclass A(O): pass", ["2 Local.A.0 ()"]),
        (
            'from vista import Object\nclass A(Object, namespace="Site", version=3): pass',
            ["2 Site.A.3 ()"],
        ),
        (
            "from vista import Object\nclass A(Object):\n def create(self, n: int, *m: str): pass",
            ["2 Local.A.0 (n: int, *m: str)"],
        ),
        (
            "from vista import Object\nclass A(Object):\n"
            " async def create(self, n: 'int | None' = None, /, *, k=1): pass",
            ["2 Local.A.0 (n: int | None = None)"],
        ),
        (
            "from vista import Object\nclass A(Object):\n def create(self, n=[1]): pass\n"
            "class B(A): pass",
            ["2 Local.A.0 (n=[1])", "4 Local.B.0 (n=[1])"],
        ),
        (
            "from vista import Object\nclass A(Object, version=1):\n def create(self, n): pass\n"
            "class A(Object, version=2):\n def create(self, n, m): pass\n",
            ["2 Local.A.1 (n)", "4 Local.A.2 (n, m)"],
        ),
        (
            "from vista import Object\nclass A(Object): pass\nclass A(A, version=1): pass",
            ["2 Local.A.0 ()", "3 Local.A.1 ()"],
        ),
        ("from elsewhere import Base\nclass A(Base): pass", ["2 Local.A.0 ?"]),
        (
            "from vista import Object\nfrom elsewhere import Mixin\nclass A(Object, Mixin): pass",
            ["3 Local.A.0 ?"],
        ),
        ("class A: pass\nclass B(A): pass", []),
        ("from enum import Enum\nclass A(Enum): pass\nclass E(ValueError): pass", []),
        ("from vista import record\n@record\nclass A: pass", []),
        ("class A(A): pass", []),
        ("class A(B): pass\nclass B(A): pass", []),
        ("def f():\n from vista import Object\n class A(Object): pass", []),
        ("raise SystemExit('never run')", []),
    ],
)
def test_object_classes_are_found_without_running_the_file(
    source: str, expected: list[str]
) -> None:
    assert scanned(source) == expected


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        ("int", "int"),
        ("list[int]", "list[int]"),
        ("int | None", "int | None"),
        ("Optional[int]", "int | None"),
        ("typing.Literal['a', 'b']", "Literal['a', 'b']"),
        ("dict[str, int]", "dict[str, int]"),
        ("tuple[int, ...]", "tuple[int, ...]"),
        ("Ref", "Ref"),
        ("vista.Ref | str", "Ref | str"),
        ("Colour", "Any"),
        ("list[Colour]", "Any"),
        ("f(x)", "Any"),
        ("5", "Any"),
    ],
)
def test_annotations_are_known_as_far_as_they_are_built_in(annotation: str, shown: str) -> None:
    source = f"from vista import Object\nclass A(Object):\n def create(self, it: {annotation}): 0"
    assert scanned(source) == [f"2 Local.A.0 (it: {shown})"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1\nclass A(:\n", "some.py:2:9: invalid syntax"),
        ("x = 1\n\treturn", "some.py:2:1: unexpected indent"),
    ],
)
def test_source_that_is_no_python_is_refused_with_its_place(source: str, text: str) -> None:
    with pytest.raises(ClassDefinitionError) as caught:
        scan_source(source, "some.py")
    assert str(caught.value) == text
