"""What an operator reads who wrote a wrong address or directory, or lacks a library."""

from __future__ import annotations

import logging
import runpy
import socket
import sys
from pathlib import Path

import pytest

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.listening import open_listener
from apps.http.objects.loader import URLfileLoader
from apps.http.syntax import heads
from tests.http.objects.served import Site
from vista.shell.check import check_file


@pytest.mark.parametrize(
    ("family", "host", "written"),
    [
        (socket.AF_INET, "127.0.0.1", r"127\.0\.0\.1:"),
        (socket.AF_INET6, "::1", r"\[::1\]:"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_an_address_that_is_taken_is_told_as_it_is_written(
    family: socket.AddressFamily, host: str, written: str
) -> None:
    with open_listener(family, (host, 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen at {written}{port}: "):
            open_listener(family, (host, port))


def test_a_directory_that_is_not_there_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "vista.http"), vista.Node("mistaken"):
        vista.create(HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        places = (str(tmp_path), str(tmp_path / "siet"))
        vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/", None, *places)
    assert [record.getMessage() for record in caplog.records] == [
        f"no directory {tmp_path / 'siet'}: nothing of it is served"
    ]


def test_without_its_library_the_server_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "httptools", None)
    with pytest.raises(ImportError, match=r"pip install vista\[http\]"):
        runpy.run_path(str(heads.__file__))


LOADER = "URLfileLoader localhost {} / nil {}\n"
OWN_FILE = (
    "import vista\n\n"
    "class MistakenOwnFile(vista.Object):\n"
    "    def create(self, directory, path, page, data) -> None:\n"
    "        pass\n\n"
    "    def get_size(self) -> int:\n"
    "        return 1\n\n"
    "    def get_request(self, request) -> str:\n"
    "        return 'made by another class'\n"
)


def rc_file(directory: Path, *lines: str) -> str:
    """A file with a site and these lines."""
    path = directory / "web.rc"
    path.write_text("\n".join(("daemon = HTTPdaemon - tcp:127.0.0.1:0 localhost", *lines)))
    return str(path)


@pytest.mark.parametrize(
    ("line", "place", "told"),
    [
        (
            "URLfileLoader localhost HTTPcahcedFile / nil .",
            "2:25",
            'no class "HTTPcahcedFile"; did you mean HTTPcachedFile?',
        ),
        (
            "HTTPcreateApplicationSession localhost /bridge MistakenNobody",
            "2:48",
            'no class "MistakenNobody"',
        ),
        ("URLfileLoader localhost HTTP.HTTPnobody / nil .", "2:25", 'no class "HTTP.HTTPnobody"'),
    ],
)
def test_a_class_that_a_line_names_for_later_is_looked_for_at_the_end_of_the_file(
    tmp_path: Path, line: str, place: str, told: str
) -> None:
    name = rc_file(tmp_path, line, "AllocateSessionID")
    with pytest.raises(vista.RcError) as raised:
        vista.run(name)
    checked = check_file(name, (), {})
    for words in (str(raised.value), *checked):
        assert words.startswith(f"{name}:{place}: {told}")
        assert "\n" not in words
    assert len(checked) == 1


@pytest.mark.parametrize("line", ["LoadClassFile own.py", "AutomaticClassLoader {}"])
def test_a_class_that_a_later_line_loads_makes_the_objects(tmp_path: Path, line: str) -> None:
    (tmp_path / "own.py").write_text(OWN_FILE)
    (tmp_path / "a.css").write_text("a")
    loader = LOADER.format("MistakenOwnFile", tmp_path)
    name = rc_file(tmp_path, loader, line.format(tmp_path))
    assert check_file(name, (), {}) == []
    with vista.run(name) as node:
        rows = node.call(vista.objects)
        daemon = next(row.id for row in rows if "HTTPdaemon" in row.class_name)
        site = Site(node, node.call(lambda: vista.ref_of(daemon)), "localhost")
        assert site.get("/a.css").body == b"made by another class"
