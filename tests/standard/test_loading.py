"""LoadClassFile and AutomaticClassLoader."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vista
from vista.standard.loading import AutomaticClassLoader, LoadClassFile

BELL = """
import vista

class {name}(vista.Object, version={version}):
    def ring(self):
        return "{sound}"
"""


def write(path: Path, name: str, sound: str, version: int = 0) -> str:
    """Write a class file with one class; returns its path."""
    path.write_text(BELL.format(name=name, sound=sound, version=version))
    return str(path)


# --- LoadClassFile -------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["{}", "file:{}", "file:{},r"])
def test_a_file_is_loaded_by_path_or_address(
    node: vista.Node, tmp_path: Path, address: str
) -> None:
    path = write(tmp_path / "bell.py", "PathBell", "ding")
    vista.create(LoadClassFile, address.format(path))
    assert vista.create("PathBell").ring() == "ding"


def test_source_itself_is_loaded(node: vista.Node) -> None:
    vista.create(LoadClassFile, BELL.format(name="SourceBell", sound="dong", version=0))
    assert vista.create("SourceBell").ring() == "dong"


def test_the_environment_names_directories(
    node: vista.Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "bell.py", "EnvironmentBell", "ding")
    monkeypatch.setenv("VISTA_PATH", f"/nowhere{os.pathsep}{tmp_path}")
    vista.create(LoadClassFile, "bell.py")
    assert vista.create("EnvironmentBell").ring() == "ding"


def test_the_loader_deletes_itself_unless_it_is_to_stay(node: vista.Node, tmp_path: Path) -> None:
    path = write(tmp_path / "bell.py", "StayBell", "ding")
    stays = vista.create(LoadClassFile, path, True)
    goes = vista.create(LoadClassFile, path)
    assert stays.get_result_code() == 0
    with pytest.raises(vista.NoSuchObject):
        goes.get_result_code()


def test_loading_the_same_content_again_is_harmless(node: vista.Node, tmp_path: Path) -> None:
    path = write(tmp_path / "bell.py", "TwiceBell", "ding")
    vista.create(LoadClassFile, path)
    bell = vista.create("TwiceBell")
    again = vista.create(LoadClassFile, path, True)
    assert again.get_result_code() == 1
    assert vista.class_of(vista.create("TwiceBell")) == vista.class_of(bell)


def test_two_versions_from_two_files_live_side_by_side(node: vista.Node, tmp_path: Path) -> None:
    vista.create(LoadClassFile, write(tmp_path / "one.py", "VersionBell", "ding", 1))
    old = vista.create("VersionBell")
    vista.create(LoadClassFile, write(tmp_path / "two.py", "VersionBell", "dong", 2))
    new = vista.create("VersionBell")
    assert [old.ring(), new.ring()] == ["ding", "dong"]
    assert vista.create(["Local", "VersionBell", 1]).ring() == "ding"


def test_a_changed_file_of_the_same_version_makes_new_objects_new(
    node: vista.Node, tmp_path: Path
) -> None:
    vista.create(LoadClassFile, write(tmp_path / "bell.py", "ChangedBell", "ding"))
    vista.create(LoadClassFile, write(tmp_path / "bell.py", "ChangedBell", "dong"))
    assert vista.create("ChangedBell").ring() == "dong"


def test_the_content_loaded_last_counts_also_when_it_was_loaded_before(
    node: vista.Node, tmp_path: Path
) -> None:
    vista.create(LoadClassFile, write(tmp_path / "a.py", "BackBell", "ding"))
    vista.create(LoadClassFile, write(tmp_path / "b.py", "BackBell", "dong"))
    vista.create(LoadClassFile, str(tmp_path / "a.py"))
    assert vista.create("BackBell").ring() == "ding"


def test_source_that_is_no_python_is_refused_with_its_place(
    node: vista.Node, tmp_path: Path
) -> None:
    path = tmp_path / "bad.py"
    path.write_text("x = 1\nclass (:\n")
    with pytest.raises(vista.ClassDefinitionError) as caught:
        vista.create(LoadClassFile, str(path))
    assert str(caught.value) == f"{path}:2:7: invalid syntax"


def test_a_file_without_classes_is_refused(node: vista.Node, tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("# nothing here\n")
    with pytest.raises(vista.ClassDefinitionError) as caught:
        vista.create(LoadClassFile, str(path))
    text = f"{path}:1:1: no object class here; write class Name(vista.Object)"
    assert str(caught.value) == text


def test_what_the_file_raises_arrives_and_nothing_is_left(node: vista.Node, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import vista\nclass BrokenBell(vista.Object): pass\n1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        vista.create(LoadClassFile, str(path))
    assert [row.class_name for row in vista.objects()] == ["Standard.ObjectCreator"]


# --- AutomaticClassLoader ------------------------------------------------------------------


def test_a_class_is_found_in_a_directory_when_it_is_named(node: vista.Node, tmp_path: Path) -> None:
    write(tmp_path / "bell.py", "FoundBell", "ding")
    vista.create(AutomaticClassLoader, str(tmp_path))
    assert vista.create("FoundBell").ring() == "ding"


def test_only_the_file_that_has_the_class_is_run(node: vista.Node, tmp_path: Path) -> None:
    write(tmp_path / "bell.py", "OnlyBell", "ding")
    ran = tmp_path / "ran"
    (tmp_path / "other.py").write_text(
        f"import os, vista\nos.mkdir({str(ran)!r})\nclass OtherBell(vista.Object): pass\n"
    )
    loader = vista.create(AutomaticClassLoader, str(tmp_path))
    assert loader.find_and_load_class("OnlyBell") is True
    assert "OtherBell" in loader.class_names()
    assert not ran.exists()
    assert loader.find_and_load_class("OtherBell") is True
    assert ran.exists()


def test_a_file_that_is_no_python_hides_no_other(node: vista.Node, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class (")
    write(tmp_path / "bell.py", "BraveBell", "ding")
    vista.create(AutomaticClassLoader, str(tmp_path))
    assert vista.create("BraveBell").ring() == "ding"


def test_the_newest_version_is_loaded_unless_another_is_asked_for(
    node: vista.Node, tmp_path: Path
) -> None:
    write(tmp_path / "a.py", "NewestBell", "new", 2)
    write(tmp_path / "b.py", "NewestBell", "old", 1)
    vista.create(AutomaticClassLoader, str(tmp_path))
    assert vista.create("NewestBell").ring() == "new"
    assert vista.create(["Local", "NewestBell", 1]).ring() == "old"


def test_a_name_space_can_be_asked_for(node: vista.Node, tmp_path: Path) -> None:
    write(tmp_path / "bell.py", "SpaceBell", "ding")
    vista.create(AutomaticClassLoader, str(tmp_path))
    with pytest.raises(vista.NoSuchClass):
        vista.create("Elsewhere.SpaceBell")
    assert vista.create("Local.SpaceBell").ring() == "ding"


def test_a_class_it_cannot_find_is_answered_with_the_near_miss(
    node: vista.Node, tmp_path: Path
) -> None:
    write(tmp_path / "bell.py", "NearBell", "ding")
    vista.create(AutomaticClassLoader, str(tmp_path))
    with pytest.raises(vista.NoSuchClass) as caught:
        vista.create("NearBel")
    assert str(caught.value) == 'no class "NearBel"; did you mean NearBell?'


def test_a_directory_must_exist(node: vista.Node) -> None:
    with pytest.raises(NotADirectoryError) as caught:
        vista.create(AutomaticClassLoader, "/nowhere")
    assert str(caught.value) == 'no directory "/nowhere" to look for class files in'


def test_a_node_has_one_loader(node: vista.Node) -> None:
    vista.create(AutomaticClassLoader)
    with pytest.raises(vista.ServiceTaken):
        vista.create(AutomaticClassLoader)
