"""The tutorial, typed in from top to bottom."""

from __future__ import annotations

from pathlib import Path

from tests.docs.transcripts import run_transcript
from vista import Node

ROOT = Path(__file__).resolve().parents[2]


def test_everything_in_the_tutorial_gives_what_it_shows() -> None:
    text = (ROOT / "docs" / "tutorial.rst").read_text(encoding="utf-8")
    with Node("tutorial"):
        assert run_transcript(text, {"__name__": "tutorial"}, "tutorial.rst") == []
