"""A site on a node in the background, and clients that speak to it byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.loader import URLfileLoader

SECONDS_MAX = 30.0
Seen = TypeVar("Seen")


class Site:
    """A daemon, its directory, and the node they live on."""

    def __init__(self, node: vista.Node, daemon: vista.Ref, name: str) -> None:
        self.node = node
        self.daemon = daemon
        self.directory = vista.service(f"URLdirectory:{name}")
        host, _, port = daemon.get_address().partition(":")[2].rpartition(":")
        self.place = (host.strip("[]"), int(port))

    def connect(self) -> socket.socket:
        """A connection of a client."""
        return socket.create_connection(self.place, SECONDS_MAX)

    def talk(self, *requests: bytes) -> bytes:
        """Send requests in one piece, end the sending, and return all that is answered."""
        with self.connect() as client:
            client.sendall(b"".join(requests))
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def get(self, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        """The answer to one request; ``fields`` as ``Name: value``."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return Answer(self.talk(("\r\n".join(lines) + "\r\n\r\n").encode() + body))


class Answer:
    """An answer taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = {name.lower(): value for name, _, value in (s.partition(": ") for s in lines)}


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, 30 s at most; the node's own clock turns meanwhile."""
    for _ in range(3000):
        if condition():
            return
        vista.sleep(0.01)
    raise AssertionError("it never came to hold")


def at_last(look: Callable[[], Seen], wanted: Seen) -> Seen:
    """What is seen when it is as wanted, or 30 s later; the node's own clock turns meanwhile."""
    for _ in range(3000):
        if (seen := look()) == wanted:
            return seen
        vista.sleep(0.01)
    return seen


def read_until(client: socket.socket, end: bytes) -> bytes:
    """Everything until ``end`` has come."""
    data = b""
    while end not in data:
        piece = client.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def get(path: str, host: str = "localhost", *fields: str, version: str = "1.1") -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/{version}", f"Host: {host}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextmanager
def served(
    root: Path | None = None,
    profile: str = "-",
    name: str = "localhost",
    address: str = "tcp:127.0.0.1:0",
    settings: dict[str, Any] | None = None,
) -> Iterator[Site]:
    """A site on a node of its own, with the files of ``root``."""
    with vista.Node("http", settings=settings) as node:
        daemon = vista.create(HTTPdaemon, profile, address, name)
        if root is not None:
            vista.create(URLfileLoader, name, "HTTPcachedFile", "/", None, str(root))
        yield Site(node, daemon, name)
