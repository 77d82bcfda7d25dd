"""The examples of docs/prompt.rst, run as they stand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from vista import Node
from vista.shell.script import Script
from vista.shell.session import Session

PAGE = Path(__file__).parents[2] / "docs" / "prompt.rst"
BLOCK = re.compile(r"\.\. code-block:: pycon\n\n((?:   .*\n|\n)+)")


def examples() -> list[tuple[str, str]]:
    """Return what is typed and what is printed, in the order of the page."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(PAGE.read_text("utf-8")):
        for part in re.split(r"^   >>> ", block, flags=re.MULTILINE)[1:]:
            lines = part.rstrip().split("\n")
            typed = [lines[0], *(line[7:] for line in lines[1:] if line.startswith("   ..."))]
            printed = [line[3:] for line in lines[1:] if not line.startswith("   ...")]
            found.append(("\n".join(typed) + "\n", "\n".join(printed)))
    return found


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 6


def test_the_examples_of_the_page_print_what_it_says() -> None:
    with Node() as node:
        session = Session(node, {}, None)
        for typed, expected in examples():
            output, errors = io.StringIO(), io.StringIO()
            Script(session.module, output, errors).run(typed)
            printed = output.getvalue() + errors.getvalue().removeprefix("<stdin>:1: ")
            assert (typed, printed.strip()) == (typed, expected)


@pytest.mark.parametrize("function", ["kill", "suspend", "resume", "create", "service", "send"])
def test_the_page_says_after_which_functions_tab_completes(function: str) -> None:
    assert f"{function}(" in PAGE.read_text("utf-8")
