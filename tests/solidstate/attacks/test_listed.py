"""The list of attacks in the documentation: it names tests that are there, and all of these."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.source import ROOT

PAGE = (ROOT / "docs/design/replicas.rst").read_text("utf-8")
HERE = Path(__file__).parent


def listed() -> dict[str, set[str]]:
    """The tests that the page names, by their modules."""
    table = PAGE.partition(":widths: 40")[2].partition("**Found by these tests**")[0]
    found: dict[str, set[str]] = {}
    module = ""
    for word, colon in re.findall(r"``([\w/]+)``(:?)", table):
        if (colon and word.startswith("test_")) or "/" in word:
            module = word if "/" in word else f"tests/solidstate/attacks/{word}"
            found.setdefault(module, set())
        elif module and word not in ("call", "code", "users"):
            found[module].add(f"test_{word}")
    return found


def those_of(module: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", (ROOT / f"{module}.py").read_text("utf-8"), re.M))


def test_every_attack_has_a_test_that_is_there() -> None:
    assert {module: names - those_of(module) for module, names in listed().items()} == {
        module: set() for module in listed()
    }


def test_every_module_of_attacks_is_on_the_list() -> None:
    own = {f"tests/solidstate/attacks/{path.stem}" for path in HERE.glob("test_*.py")}
    assert own - set(listed()) == {"tests/solidstate/attacks/test_listed"}
