"""The modules that an rc file names are imported before its node's loop runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import vista
from vista.standard.preloading import load_named_classes


class Installed:
    """An installed application: which of its modules were imported."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._classes: dict[str, str] = {}
        patch.syspath_prepend(str(directory))
        patch.setattr("vista.standard.installed._listed", lambda what: dict(self._classes))

    def add(self, name: str, module: str, source: str = "") -> None:
        """List a class and the module that has it."""
        (self._directory / f"{module}.py").write_text(source)
        self._classes[name] = module

    def imported(self) -> set[str]:
        """Return the modules of the listed classes that were imported."""
        return {module for module in self._classes.values() if module in sys.modules}

    def forget(self) -> None:
        """Let the process be as if none had been imported."""
        for module in self._classes.values():
            sys.modules.pop(module, None)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Installed(tmp_path, monkeypatch)
    yield made
    made.forget()


def load(path: Path) -> None:
    with vista.Node("harbour") as node:
        load_named_classes(node.kernel, str(path))


def test_classes_of_lines_and_of_arguments_are_imported(
    installed: Installed, tmp_path: Path
) -> None:
    for name in ("Crane", "Ferry", "Ghost"):
        installed.add(name, f"preloaded_{name.lower()}")
    (tmp_path / "harbour.rc").write_text("crane = Crane 7\nCreateOnEveryNode Ferry  # no Ghost\n")
    load(tmp_path / "harbour.rc")
    assert installed.imported() == {"preloaded_crane", "preloaded_ferry"}


@pytest.mark.parametrize("place", ["", "deep/", "../", "{directory}/"])
def test_bases_in_class_files_are_imported(
    installed: Installed, tmp_path: Path, place: str
) -> None:
    installed.add("Crane", "preloaded_crane")
    (tmp_path / "here" / "deep").mkdir(parents=True)
    name = f"{place}classes.py".format(directory=tmp_path)
    (tmp_path / "here" / name).write_text("from preloaded_crane import Crane\n")
    lines = [f'LoadClassFile "{name}"', "LoadClassFile gone.py", "LoadClassFile .py"]
    (tmp_path / "here" / "harbour.rc").write_text("\n".join(lines))
    load(tmp_path / "here" / "harbour.rc")
    assert installed.imported() == {"preloaded_crane"}


def test_what_cannot_be_read_or_imported_is_left_to_its_line(
    installed: Installed, tmp_path: Path
) -> None:
    installed.add("Crane", "preloaded_crane", "import no_such_library\n")
    installed.add("Ferry", "preloaded_ferry")
    (tmp_path / "harbour.rc").write_text("Crane\nFerry\n")
    load(tmp_path / "missing.rc")
    load(tmp_path / "harbour.rc")
    assert installed.imported() == {"preloaded_ferry"}
