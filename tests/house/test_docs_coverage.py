"""What exists is documented: each public name, error, limit and rc file appears in the docs."""

from __future__ import annotations

import configparser
import dataclasses
import re

import vista
from tests.house.source import ROOT
from vista import errors
from vista.limits import Limits
from vista.standard import CLASSES

WORDS = frozenset(
    word
    for page in sorted((ROOT / "docs").rglob("*.rst"))
    for word in re.findall(r"\w+", page.read_text("utf-8"))
)


def undocumented(names: list[str]) -> list[str]:
    """The names that no page in docs/ has as a word of its own."""
    return sorted(set(names) - WORDS)


def test_public_names_are_documented() -> None:
    assert undocumented(list(vista.__all__)) == []


def test_errors_are_documented() -> None:
    kinds = [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.VistaError)
    ]
    assert undocumented(kinds) == []


def test_limits_are_documented() -> None:
    assert undocumented([field.name for field in dataclasses.fields(Limits)]) == []


def test_each_class_of_standard_has_its_documentation_on_a_page() -> None:
    # The bare name stands in many a text that does not say what the class takes and answers.
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.rst")]
    shown = set(re.findall(r"^\.\. autoclass:: (\S+)$", "\n".join(pages), re.MULTILINE))
    wanted = {f"{module}.{name}" for name, module in CLASSES.items()}
    assert sorted(wanted - shown) == []


def test_rc_files_are_documented() -> None:
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.rst")]
    names = [f"rc/{path.name}" for path in (ROOT / "rc").glob("*.rc")]
    assert [name for name in sorted(names) if not any(name in page for page in pages)] == []


def test_a_name_no_page_has_is_found_undocumented() -> None:
    assert undocumented(["Limits", "no_page_has_this_name"]) == ["no_page_has_this_name"]


def test_dependencies_are_documented_with_their_reasons() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    needed = settings["options"]["install_requires"]
    extras = settings["options.extras_require"].values()
    names = re.findall(r"^([\w-]+)", "\n".join([needed, *extras]), re.MULTILINE)
    page = (ROOT / "docs" / "dependencies.rst").read_text("utf-8")
    assert [name for name in names if f"     - {name}\n" not in page] == []
