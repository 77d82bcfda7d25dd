"""The page on persistence, typed in from top to bottom."""

from __future__ import annotations

from pathlib import Path

from tests.docs.transcripts import run_transcript

ROOT = Path(__file__).resolve().parents[2]


def test_everything_in_the_page_gives_what_it_shows() -> None:
    text = (ROOT / "docs" / "persistence.rst").read_text(encoding="utf-8")
    assert run_transcript(text, {"__name__": "persistence"}, "persistence.rst") == []
