"""The page about files: what it lists is there, and what it shows works."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.files.tree import ReplicatedFiles
from apps.solidstate.objects.classes import ReplicatedClass
from tests.house.source import ROOT
from vista.testing import World

PAGE = (ROOT / "docs" / "solidstate-files.rst").read_text("utf-8")


def test_every_message_is_on_the_page() -> None:
    listed = re.findall(r"^``(\w+)\(", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(ReplicatedClass(ReplicatedFiles).methods)


def test_the_program_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.css").write_text("b{}")
    monkeypatch.chdir(tmp_path)
    found = re.search(r"code-block:: python\n\n((?:   .*\n|\n)+)", PAGE)
    assert found is not None
    names: dict[str, Any] = {"page": b"<p>" * 50_000}

    def run(program: str) -> Any:
        vista.register_service("files", vista.create(ReplicatedFiles))
        exec(program, names)
        return names["disk"].list_all()

    with World(3) as world:
        assert world.node().call(run, textwrap.dedent(found[1])) == []
    assert (tmp_path / "copy" / "index.html").read_bytes() == names["page"]
    assert (tmp_path / "copy" / "a.css").read_text() == "b{}"


def test_what_is_typed_at_the_prompt_gives_what_is_shown() -> None:
    first, second = re.findall(r"^    >>> (files\..*)$", PAGE, re.MULTILINE)
    shown = re.search(r"^    (\(\[.*)$", PAGE, re.MULTILINE)
    assert shown is not None

    def run() -> str:
        names = {"files": vista.create(ReplicatedFiles)}
        exec(first, names)
        return repr(eval(second, names))

    with World(3) as world:
        assert world.node().call(run) == shown[1]
