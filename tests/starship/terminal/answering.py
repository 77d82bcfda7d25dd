"""A server that sends prepared bytes, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import threading


class Answering:
    """Sends one answer on each connection, then hangs up; then listens no more."""

    def __init__(self, answers: list[bytes]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30.0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, args=(answers,), daemon=True)
        self._thread.start()

    def _serve(self, answers: list[bytes]) -> None:
        for answer in answers:
            client, _ = self._listener.accept()
            with client:
                client.settimeout(30.0)
                self.requests.append(_read_request(client))
                client.sendall(answer)
        self._listener.close()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self._thread.join(30.0)


def _read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for row in head.lower().split(b"\r\n"):
        if row.startswith(b"content-length:"):
            length = int(row.partition(b":")[2])
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: int, body: object, *fields: str) -> bytes:
    """The bytes of an answer; what is no bytes is sent as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(text)}", "Connection: close", *fields]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + text
