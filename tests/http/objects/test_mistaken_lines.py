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
