"""SIGTERM to a web server under load: whatever it accepted it answers, and nobody gets a reset."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
import time
from pathlib import Path

from tests.live.process import ROOT
from tests.live.process import vista as command

CLIENTS = 12
SECONDS_MAX = 30.0

PAGE = '''
import time
from vista import Object, self_ref, service, sleep

class DrainedSlowPage(Object):
    """Takes its time."""

    def create(self, site: str, path: str, seconds: float) -> None:
        """Register."""
        self.seconds = seconds
        service(f"URLdirectory:{site}").register_object(path, self_ref(self))

    def get_request(self, request) -> str:
        """Answer later."""
        sleep(self.seconds)
        return "slow " * 1000
'''

RC = """
LoadClassFile page.py
ShutdownService
HTTPdaemon - tcp:127.0.0.1:0 localhost
URLfileLoader localhost HTTPcachedFile / nil $*
DrainedSlowPage localhost /slow 0.05
HTTPhealth localhost /health
"""


class Client:
    """One that sends one request after another on its connection until it is told to stop."""

    def __init__(self, place: tuple[str, int], path: str) -> None:
        self.answers = 0
        self.was_told = False
        self.trouble = ""
        self._place = place
        self._path = path
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with socket.create_connection(self._place, SECONDS_MAX) as connection:
                while not self.was_told:
                    self._ask(connection)
        except (OSError, AssertionError) as error:
            self.trouble = f"{self._path} after {self.answers} answers: {error!r}"

    def _ask(self, connection: socket.socket) -> None:
        connection.sendall(f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        is_told = self._path == "/health" and head.startswith(b"HTTP/1.1 503 ")
        assert is_told or head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._some(connection)
        assert len(body) == length
        self.answers += 1
        self.was_told = b"Connection: close" in head
        if self.was_told:
            assert connection.recv(1) == b"", "more came after the last answer"

    def _some(self, connection: socket.socket) -> bytes:
        piece = connection.recv(65_536)
        assert piece, "closed before the whole answer had come"
        return piece


def await_health(place: tuple[str, int]) -> None:
    """Wait until the last line of the rc file was carried out."""
    for _ in range(round(SECONDS_MAX / 0.1)):
        with socket.create_connection(place, SECONDS_MAX) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if connection.recv(65_536).startswith(b"HTTP/1.1 200 "):
                return
        time.sleep(0.1)
    raise AssertionError("there is no /health")


def test_a_server_under_load_ends_without_a_reset(tmp_path: Path) -> None:
    tree = tmp_path / "site"
    tree.mkdir()
    (tree / "large.bin").write_bytes(bytes(3_000_000))
    (tree / "small.txt").write_text("small")
    (tmp_path / "page.py").write_text(PAGE)
    (tmp_path / "http.rc").write_text(RC)
    with command(str(tmp_path / "http.rc"), str(tree)) as process:
        process.expect("is served at http://localhost:")
        line = next(line for line in process.errors + process.output if "is served at" in line)
        place = ("127.0.0.1", int(line.rstrip("/").rpartition(":")[2]))
        await_health(place)
        paths = ("/small.txt", "/slow", "/large.bin", "/health")
        clients = [Client(place, paths[number % len(paths)]) for number in range(CLIENTS)]
        with socket.create_connection(place, SECONDS_MAX) as idle:
            for client in clients:
                while client.answers < 3 and not client.trouble:
                    client.thread.join(0.01)
            process.signal(signal.SIGTERM)
            assert idle.recv(1) == b""
        for client in clients:
            client.thread.join(SECONDS_MAX)
        assert [client.trouble for client in clients if client.trouble] == []
        assert all(client.was_told for client in clients)
        assert process.end() == 0
        assert not [line for line in process.errors if "cut off" in line or "Traceback" in line]


def test_the_rc_file_ends_while_a_browser_keeps_its_connection(tmp_path: Path) -> None:
    text = (ROOT / "rc" / "http.rc").read_text().replace(":4321", ":0")
    (tmp_path / "http.rc").write_text(text)
    shutil.copy(ROOT / "rc" / "http_page.py", tmp_path)
    with command(str(tmp_path / "http.rc"), str(tmp_path)) as process:
        process.expect("is served at http://localhost:")
        line = next(line for line in process.errors + process.output if "is served at" in line)
        place = ("127.0.0.1", int(line.rstrip("/").rpartition(":")[2]))
        with socket.create_connection(place, SECONDS_MAX) as browser:
            browser.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert browser.recv(65_536).startswith(b"HTTP/1.1 200 ")
            process.signal(signal.SIGTERM)
            assert process.end() == 0
