"""The clock on the wall may jump: only the log, and who asks a hub for it, reads it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
READERS = {"vista/kernel/hub.py", "vista/testing/hub.py", "vista/shell/log.py"}
"""The modules that may read it; what waits, retries or expires goes by ``Hub.time``."""

WORDS = {"wall_time", "utcnow", "today"}


def reads_wall_clock(tree: ast.AST) -> bool:
    """Whether a module asks for the time of day."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        whose = node.value.id if isinstance(node.value, ast.Name) else ""
        if node.attr in WORDS or (node.attr == "time" and whose == "time"):
            return True
        if node.attr == "now" and whose in ("datetime", "date"):
            return True
    return False


def test_nothing_that_waits_or_expires_goes_by_the_clock_on_the_wall() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "vista").rglob("*.py"))
        if reads_wall_clock(ast.parse(path.read_text("utf-8")))
    }
    assert found <= READERS
    assert "vista/kernel/hub.py" in found, "it is not found where it is"
