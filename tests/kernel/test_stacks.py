"""The stack that is logged of a method which holds the loop."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vista.kernel.node import stack_of


def test_the_stack_of_an_import_has_no_frames_of_the_import_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    probe = SimpleNamespace(tell=lambda: told.append(stack_of(sys._getframe(1))))
    monkeypatch.setitem(sys.modules, "stack_probe", probe)  # type: ignore[arg-type]
    (tmp_path / "stack_outer.py").write_text("import stack_inner\n")
    (tmp_path / "stack_inner.py").write_text("import stack_probe\nstack_probe.tell()\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("stack_outer")
    (stack,) = told
    assert "importlib" not in stack
    places = [line.split('"')[1] for line in stack.splitlines() if line.startswith("  File ")]
    assert [Path(place).name for place in places[-3:]] == [
        "test_stacks.py",
        "stack_outer.py",
        "stack_inner.py",
    ]
