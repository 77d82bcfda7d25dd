"""Class files: where they are looked for, and how their source becomes a module."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from pathlib import Path

import pytest

from vista.errors import BadValueError, ClassDefinitionError
from vista.mobility.loader import (
    classes_of,
    find_file,
    is_source,
    load_source,
    read_source,
    search_path,
)

SOURCE = """from vista.kernel.objects import Object

class Bell(Object):
    def ring(self):
        raise ValueError("cracked")

class Chime(Bell): pass
"""


def test_the_same_source_is_one_module_under_any_file_name() -> None:
    assert load_source(SOURCE, "one.py") is load_source(SOURCE, "two.py")


def test_another_content_is_another_module() -> None:
    assert load_source(SOURCE, "one.py") is not load_source(SOURCE + "\n", "one.py")


def test_a_source_is_run_once_only(tmp_path: Path) -> None:
    source = f"import os\nos.mkdir({str(tmp_path / 'made')!r})\n"
    load_source(source)
    load_source(source)
    assert (tmp_path / "made").is_dir()


def test_only_the_object_classes_of_the_file_itself_are_listed() -> None:
    source = SOURCE + "from vista.errors import NoSuchObject\nclass Plain: pass\nOther = Object\n"
    assert [cls.__name__ for cls in classes_of(load_source(source))] == ["Bell", "Chime"]


def test_tracebacks_show_the_source_as_it_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "bell.py"
    path.write_text(SOURCE + "# tracebacks\n")
    module = load_source(read_source(path), str(path))
    path.write_text("# something else\n" * 20)
    with pytest.raises(ValueError, match="cracked") as caught:
        module.Bell.ring(None)
    (frame,) = traceback.extract_tb(caught.value.__traceback__)[1:]
    assert (frame.filename, frame.lineno) == (str(path), 5)
    assert frame.line == 'raise ValueError("cracked")'


def test_source_without_a_file_can_be_shown_too() -> None:
    module = load_source(SOURCE + "# no file\n")
    assert inspect.getsource(module.Chime) == "class Chime(Bell): pass\n"


def test_a_source_that_fails_leaves_no_module_behind() -> None:
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        load_source("x = 1 / 0\n", "broken.py")
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def f(:\n", "broken.py:1:7: invalid syntax"),
        ("\nreturn 5\n", "broken.py:2:1: 'return' outside function"),
        (" x = 1\n", "broken.py:1:1: unexpected indent"),
    ],
)
def test_source_that_is_no_python_is_refused_with_its_place(source: str, text: str) -> None:
    with pytest.raises(ClassDefinitionError) as caught:
        load_source(source, "broken.py")
    assert str(caught.value) == text


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_bytes(b"x = '\xff'\n")
    with pytest.raises(ClassDefinitionError, match=re.escape(f"{path}:1:1: no Python source: ")):
        read_source(path)


def test_a_file_may_declare_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nname = 'größe'\n".encode("latin-1"))
    assert read_source(path) == "# coding: latin-1\nname = 'größe'\n"


@pytest.mark.parametrize(
    ("text", "expected"), [("a.py", False), ("file:a.py", False), ("x = 1\n", True), ("a\rb", True)]
)
def test_source_has_more_than_one_line(text: str, expected: bool) -> None:
    assert is_source(text) is expected


@pytest.mark.parametrize("name", ["bell.py", "file:bell.py", "file:bell.py,r"])
def test_a_file_is_found_in_the_first_directory_that_has_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "third").mkdir()
    (tmp_path / "second" / "bell.py").write_text("2")
    (tmp_path / "third" / "bell.py").write_text("3")
    directories = [str(tmp_path / part) for part in ("first", "second", "third")]
    assert find_file(name, directories) == tmp_path / "second" / "bell.py"


def test_an_absolute_name_needs_no_directory(tmp_path: Path) -> None:
    (tmp_path / "bell.py").write_text("")
    assert find_file(f"file:{tmp_path}/bell.py", ["elsewhere"]) == tmp_path / "bell.py"


def test_a_missing_file_is_reported_with_the_places_looked_at() -> None:
    with pytest.raises(BadValueError) as caught:
        find_file("nowhere.py", ["a", ".", "a"])
    assert str(caught.value) == 'no class file "nowhere.py"; looked for a/nowhere.py, nowhere.py'


def test_only_files_are_class_files() -> None:
    with pytest.raises(BadValueError) as caught:
        find_file("tcp:127.0.0.1:80", ["."])
    assert str(caught.value) == 'a class file is a path or a file: address, not "tcp:127.0.0.1:80"'


def test_the_search_path_ends_with_the_environment() -> None:
    assert search_path(["rc"], "/a::/b") == ["rc", ".", "/a", "/b"]
