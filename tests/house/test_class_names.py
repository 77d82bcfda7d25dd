"""Object classes of tests have names of their own: a class is found by its name in a process."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.house.source import ROOT

BASES = frozenset({"Object", "PersistentObject", "vista.Object", "vista.PersistentObject"})


def names_of(text: str) -> list[str]:
    """The classes of a module that are found by their bare name."""
    return [
        item.name
        for item in ast.parse(text).body
        if isinstance(item, ast.ClassDef)
        and BASES.intersection(map(ast.unparse, item.bases))
        and not any(keyword.arg in ("namespace", "abstract") for keyword in item.keywords)
    ]


def test_classes_are_found_by_their_bases() -> None:
    text = "class A(vista.Object): pass\nclass B(Object, namespace='X'): pass\nclass C(A): pass\n"
    assert names_of(text) == ["A"]


def test_no_two_modules_define_an_object_class_of_one_name() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for name in names_of(path.read_text("utf-8")):
            homes[name].add(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
