"""Two nodes in two processes and the link between them, on which the rows of peers run.

``python -m benchmarks.pair SCHEME DIRECTORY`` is the other process: it prints the URL by which it
is reached and serves until its input ends. The key of both is read from standard input.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import vista
from benchmarks.measure import Subject
from benchmarks.objects import Driver
from vista import Limits, Node, Ref
from vista.peering.curve import make_key_pair

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 30.0
CALM = Limits(slow_method_seconds=60.0)
"""The measuring method holds the loop by intention; the watchdog has nothing to say here."""


class Pair:
    """A node in this process and one in another, linked by ``scheme``: ``"ipc"`` or ``"tcp"``.

    Both start with the first measurement.
    """

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self._process: subprocess.Popen[str] | None = None
        self._node: Node | None = None

    def subject(self, function: Callable[..., float], name: str) -> Subject:
        """Return the subject that runs ``function(count, peer)`` in a vista thread of this side.

        ``peer`` is the ObjectCreator of the other node.
        """

        def run(count: int) -> float:
            driver, peer = self._linked()
            seconds: float = driver.run(function.__module__, function.__name__, count, peer)
            return seconds

        return Subject(name, run)

    def connecting(self, function: Callable[..., float], name: str) -> Subject:
        """Return the subject that runs ``function(1, url)`` on fresh nodes, ``count`` times.

        A node that was linked with the other one before would have less to say to it.
        """

        def run(count: int) -> float:
            self._linked()
            return sum(self._on_fresh_node(function) for _ in range(count)) / count

        return Subject(name, run)

    def _on_fresh_node(self, function: Callable[..., float]) -> float:
        with self._made("fresh") as node:
            return node.call(function, 1, self._url)

    def close(self) -> None:
        """Stop both nodes."""
        if self._node is not None:
            self._node.stop()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._directory.cleanup()

    def _linked(self) -> tuple[Ref, Ref]:
        if self._process is None:
            self._serve()
        if self._node is None:
            self._node = self._made("measuring").start()
            self._driver: Ref = self._node.call(vista.create, Driver)
            self._peer: Ref = self._node.call(link_with, self._url)
        return self._driver, self._peer

    def _made(self, name: str) -> Node:
        settings: dict[str, Any] = {"secret_key": self._secret}
        return Node(name, limits=CALM, settings=settings)

    def _serve(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        _, self._secret = make_key_pair()
        command = [sys.executable, "-m", "benchmarks.pair", self._scheme, self._directory.name]
        process = self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{self._secret.hex()}\n")
        process.stdin.flush()
        self._url = process.stdout.readline().strip()


def link_with(url: str) -> Ref:
    """Link this node with the one at a URL and return its ObjectCreator."""
    peer: Ref = vista.create("ConnectToPeer", url).wait(SECONDS_MAX)
    return peer


def listen(scheme: str, directory: str) -> str:
    """Let peers connect by ``"ipc"`` or ``"tcp"``; return the URL by which they do."""
    address = "tcp:127.0.0.1:0" if scheme == "tcp" else f"ipc:{directory}/peer"
    url: str = vista.create("AcceptPeerConnections", address).get_url()
    return url


def _main(scheme: str, directory: str) -> None:
    # The nodes that only try what a link costs go without a word.
    logging.disable(logging.WARNING)
    settings: dict[str, Any] = {"secret_key": bytes.fromhex(sys.stdin.readline())}
    with Node("called", limits=CALM, settings=settings) as node:
        print(node.call(listen, scheme, directory), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(*sys.argv[1:])
