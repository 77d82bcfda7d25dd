"""What the pages on rc files and the command say is so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from vista.shell.check import check_file
from vista.shell.command import COMMANDS, HELP
from vista.standard.rc_arguments import NO, YES
from vista.standard.rc_grammar import ESCAPES

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text()


def block(text: str, name: str) -> str:
    """The code block of that name."""
    found = re.search(rf"   :name: {name}\n\n((?:   .*\n|\n)+)", text)
    assert found is not None
    return textwrap.dedent(found[1]).strip("\n") + "\n"


def test_the_page_on_the_command_shows_its_help() -> None:
    assert block(page("commands.rst"), "command-help") == HELP


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_on_the_command_explains_each_command(name: str) -> None:
    assert f"``vista {name}" in page("commands.rst")


def test_the_page_on_rc_files_shows_the_mistakes_of_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page("rc.rst")
    monkeypatch.chdir(tmp_path)
    Path("boot.rc").write_text(block(text, "rc-mistaken"))
    assert check_file("boot.rc", (), {}) == block(text, "rc-mistakes").splitlines()


@pytest.mark.parametrize("escape", ESCAPES)
def test_the_page_on_rc_files_lists_each_escape(escape: str) -> None:
    assert f"``\\{escape}``" in page("rc.rst")


@pytest.mark.parametrize("word", [*YES, *NO])
def test_the_page_on_rc_files_lists_the_words_for_yes_and_no(word: str) -> None:
    (line,) = re.findall(r"^``bool`` .*$", page("rc.rst"), re.MULTILINE)
    assert f"``{word}``" in line
