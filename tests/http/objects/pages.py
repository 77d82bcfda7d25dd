"""Object classes of these tests: handlers good and bad."""

from __future__ import annotations

from typing import Any

import vista
from apps.http.content.resources import Request, Response


class HttpEchoPage(vista.Object):
    """Answers with what it was asked."""

    def create(self, site: str = "", path: str = "") -> None:
        self.seen = 0
        if site:
            directory = vista.service(f"URLdirectory:{site}")
            directory.register_object(path, vista.self_ref(self))

    def get_request(self, request: Request) -> str:
        self.seen += 1
        return f"{request.method} {request.path}?{request.query} {request.field('X-Word')}"

    def post_request(self, request: Request) -> Response:
        return Response(request.body, 201, (("Content-Type", "text/plain"),))

    def count(self) -> int:
        return self.seen


class HttpReplyingPage(vista.Object):
    """Answers in the original's form."""

    def create(self) -> None:
        pass

    def get_request(
        self, request_data: Any, options: Any, reply_method: str, reply_dest: Any
    ) -> None:
        text = f"{request_data[1]} for {options['host']}"
        vista.post(reply_dest, reply_method, 200, "OK", {"X-Form": "old"}, text)


class HttpSilentPage(vista.Object):
    """Takes requests of the original's form and never answers."""

    def create(self) -> None:
        pass

    def get_request(
        self, request_data: Any, options: Any, reply_method: str, reply_dest: Any
    ) -> None:
        pass


class HttpFailingPage(vista.Object):
    """Fails in the way that the query names."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Any:
        if request.query == "raise":
            raise ValueError("a secret of the author")
        if request.query == "nothing":
            return None
        if request.query == "split":
            return Response("x", 200, (("X-Word", "a\r\nSet-Cookie: b"),))
        if request.query == "surrogate":
            return "\ud800"
        if request.query == "number":
            return Response(5)  # type: ignore[arg-type]
        if request.query == "triple":
            return Response("x", 200, (("X-Word", "a", "b"),))  # type: ignore[arg-type]
        if request.query == "sleep":
            vista.sleep(1000)
        raise vista.ObjectDeleted("another object was deleted")


class HttpFeaturePage(vista.Object):
    """Answers a method that no browser knows."""

    def create(self) -> None:
        pass

    def propfind_request(self, request: Request) -> str:
        return "found"


class HttpEndlessSource(vista.Object):
    """Gives a body of which nobody knows the length."""

    def create(self, pieces: int, failing: bool = False) -> None:
        self.left = pieces
        self.failing = failing

    def read_bytes(self, maximum: int) -> bytes:
        self.left -= 1
        if self.left < 0 and self.failing:
            raise OSError("the disk failed")
        return b"piece " if self.left >= 0 else b""


class HttpStreamingPage(vista.Object):
    """Answers with a body that comes piece by piece."""

    def create(self, broken: bool = False, failing: bool = False) -> None:
        self.broken = broken
        self.failing = failing

    def get_request(self, request: Request) -> Response:
        length = 1000 if self.broken else None
        return Response(source=vista.create(HttpEndlessSource, 3, self.failing), length=length)


class HttpBadStreamPage(vista.Object):
    """Answers with a stream and a field that cannot be sent."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        source = vista.create(HttpEndlessSource, 3)
        return Response(fields=(("X-Bad", "a\nb"),), source=source)


class HttpLastPage(vista.Object):
    """Answers with much, and ends the connection."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> Response:
        return Response(bytes(5_000_000), 200, (("Connection", "close"),))
