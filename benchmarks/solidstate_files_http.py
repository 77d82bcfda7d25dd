"""A plain directory over the HTTP server, and clients of it, a process each.

``python -m benchmarks.solidstate_files_http serve DIRECTORY`` prints the port, and serves until its
input ends. ``... ask PORT`` is told by lines of JSON what its clients are to do. Each client is a
thread with one connection.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import vista
from apps.http.content.resources import Request, Response
from benchmarks.measure import expect
from benchmarks.solidstate_files_work import Tree, Workload
from vista import Limits, Node

CALM = Limits(slow_method_seconds=60.0)


class DirectoryWriter(vista.Object, namespace="Benchmarks"):
    """Takes what is written into a directory: ``PUT /write?path=...``, ``POST`` for directories."""

    def create(self, directory: str) -> None:
        """Write below a directory."""
        self.directory = directory

    def put_request(self, request: Request) -> Response:
        """Write a file."""
        self._path(request).write_bytes(request.body)
        return Response(b"", 204)

    def post_request(self, request: Request) -> Response:
        """Make a directory."""
        self._path(request).mkdir(parents=True, exist_ok=True)
        return Response(b"", 204)

    def delete_request(self, request: Request) -> Response:
        """Remove all below a path."""
        shutil.rmtree(self._path(request))
        return Response(b"", 204)

    def _path(self, request: Request) -> Path:
        return Path(self.directory) / request.parameter("path").lstrip("/")


def serve(directory: str) -> int:
    """Serve a directory; return the port."""
    daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "localhost")
    vista.create("URLfileLoader", "localhost", "HTTPcachedFile", "/", None, directory)
    pages = vista.service("URLdirectory:localhost")
    pages.register_object("/write", vista.create(DirectoryWriter, directory))
    address: str = daemon.get_address()
    return int(address.rpartition(":")[2])


class HttpDisk:
    """The directory as a client has it."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def make_directories(self, paths: Sequence[str]) -> None:
        """Make directories."""
        for path in paths:
            self._ask("POST", f"/write?path={quote(path)}")

    def write_files(self, files: dict[str, bytes]) -> None:
        """Write files."""
        for path, data in files.items():
            self._ask("PUT", f"/write?path={quote(path)}", data)

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return the bytes of files."""
        return [int(self._ask("HEAD", quote(path))[0]) for path in paths]

    def read_files(self, paths: Sequence[str]) -> list[bytes]:
        """Return files."""
        return [self._ask("GET", quote(path))[1] for path in paths]

    def remove(self, path: str) -> None:
        """Remove all below a path."""
        self._ask("DELETE", f"/write?path={quote(path)}")

    def _ask(self, method: str, address: str, body: bytes | None = None) -> tuple[str, bytes]:
        self._connection.request(method, address, body)
        answer = self._connection.getresponse()
        data = answer.read()
        expect(answer.status in (200, 204), True)
        return answer.getheader("Content-Length", ""), data


class Asking:
    """What the clients' process does when it is told to."""

    deeds = ("begin", "run", "clear")

    def __init__(self, port: int) -> None:
        self._port = port
        self._workloads: list[Workload] = []

    def begin(self, roots: list[str], in_flight: int, directories: int, files: int) -> int:
        """Have a client for each root."""
        expect(in_flight, 1)
        tree = Tree(directories, files)
        self._workloads = [Workload(HttpDisk(self._port), root, tree) for root in roots]
        return len(roots)

    def run(self, phase: str) -> tuple[int, float]:
        """Have all clients do a phase; return how many requests it takes, and the seconds."""
        with ThreadPoolExecutor(len(self._workloads)) as pool:
            began = time.monotonic()
            done = sum(pool.map(lambda one: one.run(phase), self._workloads))
            return done, time.monotonic() - began

    def clear(self, roots: list[str]) -> int:
        """Remove what was made."""
        for root in roots:
            HttpDisk(self._port).remove(root)
        return len(roots)


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def _main(what: str, where: str) -> None:
    if what == "serve":
        with Node("files", limits=CALM) as node:
            _say(node.call(serve, where))
            sys.stdin.read()
        return
    asking = Asking(int(where))
    _say("ready")
    for line in sys.stdin:
        deed, *words = json.loads(line)
        expect(deed in asking.deeds, True)
        _say(getattr(asking, deed)(*words))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    _main(*sys.argv[1:])
