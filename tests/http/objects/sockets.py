"""A client that speaks WebSocket, and pages that do."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.websocket import messages
from tests.http.objects.served import Answer, Site, read_until
from tests.http.syntax.frames import CLOSE, close, split

KEY = base64.b64encode(b"0123456789abcdef").decode()


def upgrade(*fields: str, path: str = "/socket") -> bytes:
    """The bytes of a request for a WebSocket."""
    usual = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13",
    ]  # fmt: skip
    return "\r\n".join([*usual, *fields, "", ""]).encode()


class Client:
    """The other side of a WebSocket."""

    def __init__(self, connection: socket.socket, request: bytes) -> None:
        self.connection = connection
        connection.sendall(request)
        head, _, self._rest = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
        self.answer = Answer(head + b"\r\n\r\n")
        self._frames: list[tuple[int, bytes]] = []

    def send(self, *frames: bytes) -> None:
        """Send frames in one piece."""
        self.connection.sendall(b"".join(frames))

    def next(self) -> tuple[int, bytes]:
        """The first byte and the payload of the next frame; (0, b"") at the end."""
        while not self._frames:
            self._frames, self._rest = split(self._rest)
            if not self._frames:
                piece = self.connection.recv(65536)
                if not piece:
                    return 0, b""
                self._rest += piece
        return self._frames.pop(0)

    def closed(self) -> int:
        """The code with which the server closes; it is answered and the connection ends."""
        while (frame := self.next())[0] not in (0x80 | CLOSE, 0):
            pass
        code = int.from_bytes(frame[1][:2], "big")
        if frame[0]:
            self.send(close(code or None))
            assert self.next() == (0, b"")
        return code


@contextmanager
def talking(site: Site, *fields: str, path: str = "/socket") -> Iterator[Client]:
    """A client whose request was accepted."""
    with site.connect() as connection:
        client = Client(connection, upgrade(*fields, path=path))
        assert client.answer.status == 101
        yield client


class HttpEchoSocketPage(vista.Object):
    """Sends each message back until the client closes."""

    def create(self) -> None:
        self.code: int | None = None
        self.ended = 0

    def websocket_request(self, request: Request, socket: vista.Ref) -> None:
        for message in messages(socket):
            if isinstance(message, str):
                socket.send_text(message)
            else:
                socket.send_bytes(message)
        self.code = socket.get_close_code()
        self.ended += 1

    def get_request(self, request: Request) -> str:
        return "a page"

    def get_code(self) -> int | None:
        return self.code

    def get_ended(self) -> int:
        return self.ended


class HttpChoosingSocketPage(vista.Object):
    """Does with the client what the query says."""

    def create(self) -> None:
        pass

    def websocket_request(self, request: Request, socket: vista.Ref) -> Any:
        if request.query == "refuse":
            return Response("not you", 403)
        if request.query == "raise":
            raise ValueError("a secret of the author")
        if request.query == "nothing":
            return None
        if request.query == "wait":
            vista.sleep(1000)
        if request.query == "split":
            socket.accept("", (("X-Word", "a\r\nSet-Cookie: b"),))
        socket.accept(socket.get_subprotocols()[-1] if socket.get_subprotocols() else "")
        if request.query == "late":
            raise ValueError("a secret of the author")
        if request.query == "close":
            socket.close(3001, "enough")
        if request.query == "flood":
            for _ in range(1000):
                socket.send_bytes(bytes(100_000))
        return None


class HttpChatSocketPage(vista.Object):
    """Tells everybody what anybody says; no thread of it waits for a client."""

    def create(self) -> None:
        self.sockets: list[vista.Ref] = []
        self.closed: list[tuple[int, str]] = []

    def websocket_request(self, request: Request, socket: vista.Ref) -> None:
        self.sockets.append(socket)
        socket.deliver_to(vista.self_ref(self))

    def message_received(self, socket: vista.Ref, message: str | bytes) -> None:
        if message == "fail":
            raise ValueError("a secret of the author")
        for each in self.sockets:
            each.tell.post(message)

    def socket_closed(self, socket: vista.Ref, code: int, reason: str) -> None:
        self.sockets.remove(socket)
        self.closed.append((code, reason))

    def get_closed(self) -> list[tuple[int, str]]:
        return self.closed


class HttpSlowSocketPage(vista.Object):
    """Takes a message when it is told to."""

    def create(self) -> None:
        self.socket: vista.Ref | None = None
        self.over = False

    def websocket_request(self, request: Request, socket: vista.Ref) -> None:
        socket.accept()
        self.socket = socket
        while not self.over:
            vista.sleep(0.01)

    def take(self) -> Any:
        assert self.socket is not None
        return self.socket.receive(30.0)

    def get_socket(self) -> vista.Ref | None:
        return self.socket

    def leave(self) -> None:
        self.over = True
