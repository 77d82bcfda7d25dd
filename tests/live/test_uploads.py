"""Uploads and the process that takes them: killed half way, and without room on its disk."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.process import Process, own_directories, vista

SECONDS_MAX = 30.0

PAGE = """
import vista

class LiveUploadPage(vista.Object):
    def create(self, site: str, path: str) -> None:
        vista.service(f"URLdirectory:{site}").register_object(path, vista.self_ref(self))

    def post_request(self, request) -> str:
        return f"{request.upload.size if request.upload else len(request.body)} bytes"
"""


@contextmanager
def serving(directory: Path) -> Iterator[tuple[Process, tuple[str, int]]]:
    """A process that serves a page for uploads, and where."""
    (directory / "page.py").write_text(PAGE)
    (directory / "http.profile").write_text(
        "uploads spool\nbody_memory_bytes_max 10000\nbody_bytes_max 100000000\n"
    )
    (directory / "up.rc").write_text(
        "LoadClassFile page.py\n"
        f"HTTPdaemon {directory}/http.profile tcp:127.0.0.1:0 localhost\n"
        "LiveUploadPage localhost /up\n"
    )
    with own_directories(), vista("up.rc", directory=directory) as process:
        process.expect("localhost is served at")
        line = next(line for line in process.errors + process.output if "is served at" in line)
        port = int(line.rpartition(":")[2].strip("/ "))
        yield process, ("127.0.0.1", port)


def head(length: int) -> bytes:
    return f"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def post(place: tuple[str, int], size: int) -> bytes:
    """Send a body and return the first line and the end of the answer."""
    with socket.create_connection(place, SECONDS_MAX) as client:
        # Refused half way, the answer is there all the same.
        with contextlib.suppress(ConnectionError):
            client.sendall(head(size) + bytes(size))
        data = b""
        while b"bytes" not in data and b"</html>" not in data:
            piece = client.recv(65536)
            if not piece:
                break
            data += piece
        return data


def spooled(directory: Path) -> list[Path]:
    return list((directory / "spool").glob("upload-*"))


def await_spooled(directory: Path, some: bool) -> None:
    """Wait until there are files that are being sent, or none."""
    end = time.monotonic() + SECONDS_MAX
    while bool(spooled(directory)) is not some:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, place), socket.create_connection(place) as client:
        client.sendall(head(1_000_000) + bytes(500_000))
        await_spooled(tmp_path, True)
        process.process.kill()
        process.end()
    assert spooled(tmp_path)
    with serving(tmp_path) as (_, place):
        await_spooled(tmp_path, False)
        assert post(place, 50_000).endswith(b"50000 bytes")


def test_a_disk_without_room_gets_507_and_nothing_else_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, place):
        try:
            # No file of that process may be longer: a write then fails as on a full disk.
            resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        except PermissionError:
            pytest.skip("this user may not bound the files of a process")
        assert post(place, 20_000_000).startswith(b"HTTP/1.1 507 ")
        await_spooled(tmp_path, False)
        assert post(place, 50_000).endswith(b"50000 bytes")
        assert post(place, 500).endswith(b"500 bytes")
