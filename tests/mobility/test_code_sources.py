"""Sources that travel: what they import, which of it goes along, and their digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from vista.errors import BadValueError, ClassDefinitionError
from vista.limits import Limits
from vista.mobility.sources import (
    ModuleCode,
    closure_digest,
    collect,
    find_source,
    make_code,
    needed_names,
    reachable,
)


def modules(**sources: str) -> dict[str, ModuleCode]:
    """Modules by name; ``__`` in a name stands for a dot."""
    codes = [make_code(name.replace("__", "."), text) for name, text in sources.items()]
    return {code.name: code for code in codes}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import one.two", {"one", "one.two"}),
        ("from one import two as three", {"one", "one.two"}),
        ("def late():\n    import one", {"one"}),
        ("try:\n    import one\nexcept ImportError:\n    pass", {"one"}),
        ("from . import near", {"pack.near"}),
        ("from .near import thing", {"pack.near", "pack.near.thing"}),
        ("from .... import beyond", set()),
        ("from one import *", {"one"}),
    ],
)
def test_every_import_of_a_source_is_found(source: str, names: set[str]) -> None:
    assert needed_names(make_code("pack.own", source)) == names | {"pack", "pack.own"}


def test_a_package_imports_relative_to_itself() -> None:
    code = make_code("pack", "from . import near", is_package=True)
    assert needed_names(code) == {"pack", "pack.near"}


def test_a_source_that_is_not_python_is_named_with_its_place() -> None:
    with pytest.raises(ClassDefinitionError, match=r"<own>:2:5: "):
        needed_names(make_code("own", "pass\ndef = 1\n"))


def test_what_is_imported_indirectly_is_reached_and_nothing_else() -> None:
    found = modules(one="import two", two="import three, one", three="", four="")
    assert reachable("one", found) == ["one", "three", "two"]


def test_the_digest_of_a_module_changes_with_what_it_imports() -> None:
    before = modules(one="import two", two="a = 1")
    after = modules(one="import two", two="a = 2")
    assert closure_digest("one", before) != closure_digest("one", after)


def test_the_digest_of_a_module_does_not_change_with_what_it_does_not_import() -> None:
    before = modules(one="import two", two="a = 1", three="b = 1")
    after = modules(one="import two", two="a = 1", three="b = 2")
    assert closure_digest("one", before) == closure_digest("one", after)


# --- finding them --------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package ``greenhouse_e``, on the path of modules."""
    package = tmp_path / "greenhouse_e"
    package.mkdir()
    (package / "__init__.py").write_text("import json, vista, pytest\n")
    (package / "beds.py").write_text("from greenhouse_e import soil\n")
    (package / "soil.py").write_text("raise AssertionError('it was run')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_source_is_found_without_running_it(project: Path) -> None:
    assert find_source("greenhouse_e.soil") == make_code(
        "greenhouse_e.soil", "raise AssertionError('it was run')\n"
    )


def test_a_package_without_a_file_of_its_own_has_an_empty_source(project: Path) -> None:
    (project / "bare_e").mkdir()
    assert find_source("bare_e") == make_code("bare_e", "", is_package=True)


def test_a_module_that_is_not_there_has_no_source(project: Path) -> None:
    assert find_source("greenhouse_e.nowhere") is None


def test_the_modules_of_the_project_go_along_and_no_others(project: Path) -> None:
    beds = find_source("greenhouse_e.beds")
    assert beds is not None
    found = collect(beds, limits=Limits())
    assert sorted(found) == ["greenhouse_e", "greenhouse_e.beds", "greenhouse_e.soil"]


def test_of_an_installed_package_its_own_modules_go_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "site-packages"
    for name in ("tools_e", "parts_e"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("")
    (packages / "tools_e" / "saw.py").write_text("from tools_e import blade\nimport parts_e\n")
    (packages / "tools_e" / "blade.py").write_text("")
    monkeypatch.syspath_prepend(str(packages))
    saw = find_source("tools_e.saw")
    assert saw is not None
    assert sorted(collect(saw, limits=Limits())) == ["tools_e", "tools_e.blade", "tools_e.saw"]


@pytest.mark.parametrize("limits", [Limits(code_modules_max=2), Limits(code_bytes_max=40)])
def test_more_code_than_the_limits_allow_is_refused(project: Path, limits: Limits) -> None:
    beds = find_source("greenhouse_e.beds")
    assert beds is not None
    with pytest.raises(BadValueError, match=r"limits code_modules_max, code_bytes_max"):
        collect(beds, limits=limits)
