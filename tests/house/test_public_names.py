"""What vista exports is a decision, kept in public_names.txt; ``--rewrite`` records another one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import vista

KEPT = Path(__file__).with_name("public_names.txt")


def test_public_names_are_the_kept_ones(rewrite: bool) -> None:
    names = "".join(f"{name}\n" for name in sorted(vista.__all__))
    if rewrite:
        KEPT.write_text(names, "utf-8")
    assert names == KEPT.read_text("utf-8")


def test_every_public_name_exists() -> None:
    assert [name for name in vista.__all__ if not hasattr(vista, name)] == []


def test_no_public_name_is_listed_twice() -> None:
    assert len(vista.__all__) == len(set(vista.__all__))


def test_what_keeps_objects_is_loaded_when_it_is_asked_for() -> None:
    loaded = "'vista.persistence.keeping' in sys.modules"
    program = f"import sys, vista; print({loaded}); vista.PersistentObject; print({loaded})"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]


def test_what_is_loaded_when_it_is_asked_for_is_listed_all_the_same() -> None:
    assert set(vista.__all__) <= set(dir(vista))
