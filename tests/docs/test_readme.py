"""The README's program and transcript, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.transcripts import run_transcript
from vista import Node

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found is not None, f"the README has no {language} block"
    return found[1]


def test_the_class_and_the_transcript_do_what_they_show() -> None:
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(_block("python"), "README.md", "exec"), names)
    with Node("readme"):
        assert run_transcript(_block("pycon"), names, "README.md") == []


def test_the_class_has_at_most_twelve_lines_of_code() -> None:
    body = _block("python").split("class ", 1)[1]
    assert len([line for line in body.splitlines() if line.strip()]) <= 12


def test_the_first_screen_has_the_commands_the_class_and_the_transcript() -> None:
    screen = README.splitlines()[:55]
    text = "\n".join(screen)
    assert "make run" in text and "make test" in text
    assert "class Counter" in text and ">>> vista.gather" in text
