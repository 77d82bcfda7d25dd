"""What an ASGI application sees: one request and its answer, and the life of the server.

Both ends of an exchange are coroutines of one loop: the application receives and sends messages,
whoever sends the answer reads it. Two rules. What waits for the client is bounded: an application
that sends more than the client takes waits in its ``send``. A message out of turn is an error in
the application that sent it, and changes nothing.

Source: the ASGI specification, version 3.0, with HTTP and Lifespan protocols 2.4 and 2.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from apps.http.errors import ApplicationError, ClientGone

_log = logging.getLogger("vista.http")

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""What ASGI calls an application."""

WAITING_BYTES_MAX = 65_536
"""Bytes of an answer that wait to be sent before the application waits too."""

_VERSIONS = {"version": "3.0", "spec_version": "2.4"}
# These say how an answer is sent, which is for the server to say.
_OF_THE_SERVER = frozenset({b"transfer-encoding", b"keep-alive", b"proxy-connection", b"upgrade"})

Pairs = tuple[tuple[str, str], ...]


def scope_of(kind: str, **told: Any) -> dict[str, Any]:
    """Return what an application is told of a request: ``http`` or ``websocket``."""
    return {"type": kind, "asgi": dict(_VERSIONS), "extensions": {}, **told}


class Exchange:
    """One request and the answer to it.

    The application is run by `run`; `answered` waits for the head of its answer and what belongs to
    it at once, `read` gives the body, and `disconnect` says that nobody reads it any longer.
    """

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.status = 0
        self.fields: Pairs = ()
        self.is_complete = False
        self._request: AsyncIterator[bytes] | None = body
        self._ahead: bytes | None = None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_open = False
        self._error: BaseException | None = None
        self._is_gone = asyncio.Event()
        self._is_readable = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    # --- the application's side ------------------------------------------------------------

    async def run(self, application: Application, scope: dict[str, Any]) -> None:
        """Have the application answer. Raises what it raises."""
        try:
            await application(scope, self._receive, self._send)
            if not self.is_complete and not self._is_gone.is_set():
                raise ApplicationError("the application returned before its answer was complete")
        except (asyncio.CancelledError, SystemExit, KeyboardInterrupt) as error:
            # asyncio would stop the whole loop for an exit; one request is not worth that.
            self._error = ApplicationError(f"the application was ended by {type(error).__name__}")
            if isinstance(error, asyncio.CancelledError):
                raise
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._is_readable.set()

    async def _receive(self) -> Message:
        """Return the body of the request, and then, once there is nothing more to do, the end."""
        body = self._request
        if body is None or self._is_gone.is_set():
            await self._is_gone.wait()
            return {"type": "http.disconnect"}
        # One piece ahead: with the last one the application is told that it is the last.
        piece = self._ahead if self._ahead is not None else await anext(body, b"")
        self._ahead = await anext(body, None) if piece else None
        if self._ahead is None:
            self._request = None
        return {"type": "http.request", "body": piece, "more_body": self._request is not None}

    async def _send(self, message: Message) -> None:
        kind = message.get("type") if isinstance(message, MutableMapping) else None
        if self._is_gone.is_set() and not self.is_complete:
            raise ClientGone("the client is gone")
        if kind == "http.response.start" and not self._is_open:
            self.status, self.fields = _head(message)
            self._is_open = True
        elif kind == "http.response.body" and self._is_open and not self.is_complete:
            await self._take(message)
        else:
            raise ApplicationError(f"{kind!r} was sent where it cannot be: {self._expected()}")

    async def _take(self, message: Message) -> None:
        body = message.get("body", b"")
        if not isinstance(body, bytes | bytearray | memoryview):
            raise ApplicationError(f"the body of an answer is bytes, not {type(body).__name__}")
        if body:
            self._pieces.append(bytes(body))
            self._waiting += len(body)
        if not message.get("more_body", False):
            self.is_complete = True
            self._is_gone.set()
        self._is_readable.set()
        if self._waiting > WAITING_BYTES_MAX and not self.is_complete:
            self._has_room.clear()
            await self._has_room.wait()
            if self._is_gone.is_set():
                raise ClientGone("the client is gone")

    def _expected(self) -> str:
        if self.is_complete:
            return "the answer is complete"
        return f"http.response.{'body' if self._is_open else 'start'} comes next"

    # --- the side of whoever sends the answer ----------------------------------------------

    async def answered(self) -> None:
        """Wait until the head of the answer is there, and the first piece of its body or its end.

        Raises what the application raises before that.
        """
        await self._is_readable.wait()
        if self._error is not None and not self.is_complete and not self._pieces:
            raise self._error

    def whole_body(self) -> bytes:
        """Return the body of an answer that is complete."""
        assert self.is_complete, "more may come"
        body = b"".join(self._pieces)
        self._pieces.clear()
        return body

    async def read(self, maximum: int) -> bytes:
        """Return the next bytes of the body, ``maximum`` at most; none at the end.

        Raises what the application raises in the middle of its answer.
        """
        while not self._pieces:
            if self.is_complete:
                return b""
            if self._error is not None:
                raise self._error
            if self._is_gone.is_set():
                raise ClientGone("the client is gone")
            self._is_readable.clear()
            await self._is_readable.wait()
        piece = self._pieces.popleft()
        if len(piece) > maximum:
            self._pieces.appendleft(piece[maximum:])
            piece = piece[:maximum]
        self._waiting -= len(piece)
        if self._waiting <= WAITING_BYTES_MAX:
            self._has_room.set()
        return piece

    def disconnect(self) -> None:
        """Nobody reads the answer any longer, or it has been read to its end."""
        self._is_gone.set()
        self._has_room.set()
        self._is_readable.set()


def _head(message: Message) -> tuple[int, Pairs]:
    status = message.get("status")
    if type(status) is not int or not 200 <= status <= 599:
        raise ApplicationError(f"the status of an answer is a number from 200, not {status!r}")
    if message.get("trailers", False):
        raise ApplicationError("trailers are not sent by this server")
    return status, pairs_of(message)


def pairs_of(message: Message) -> Pairs:
    """Return the fields that a message of an application has, but those that are the server's.

    Raises `ApplicationError` for what are no fields.
    """
    pairs = []
    for pair in message.get("headers", ()):
        name, value = pair
        if not (isinstance(name, bytes) and isinstance(value, bytes)):
            raise ApplicationError(f"the headers of an answer are pairs of bytes, not {pair!r}")
        if name.lower() not in _OF_THE_SERVER:
            pairs.append((name.decode("latin-1"), value.decode("latin-1")))
    return tuple(pairs)


class Lifespan:
    """Tells an application that the server begins and ends, if it wants to know.

    `state` is what it leaves there for its requests.
    """

    def __init__(self, application: Application, name: str) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._name = name
        self._told: deque[str] = deque(["lifespan.startup"])
        self._stop = asyncio.Event()
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self, seconds: float) -> None:
        """Have the application start, ``seconds`` at most. Raises `ApplicationError`.

        One that knows nothing of this protocol has started.
        """
        loop = asyncio.get_running_loop()
        self._answers = {"startup": loop.create_future(), "shutdown": loop.create_future()}
        started = self._answers["startup"]
        self._task = loop.create_task(self._run())
        await _first_of(self._task, started, seconds)
        if started.done():
            if started.result():
                await self._end_task()
                raise ApplicationError(f"{self._name} did not start: {started.result()}")
        elif not self._task.done():
            await self._end_task()
            raise ApplicationError(f"{self._name} did not start in {seconds:g} s")
        else:
            await self._end_task()

    async def stop(self, seconds: float) -> None:
        """Have the application end, ``seconds`` at most; what goes wrong is logged."""
        task = self._task
        if task is None or task.done():
            return
        stopped = self._answers["shutdown"]
        self._told.append("lifespan.shutdown")
        self._stop.set()
        await _first_of(task, stopped, seconds)
        if stopped.done() and stopped.result():
            _log.error("%s did not end in good order: %s", self._name, stopped.result())
        elif not stopped.done() and not task.done():
            _log.error("%s did not end in %g s", self._name, seconds)
        else:
            await asyncio.wait({task}, timeout=1.0)
        await self._end_task()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio would stop the whole loop.
            raise ApplicationError(f"{self._name} ended with {type(error).__name__}") from error

    async def _receive(self) -> Message:
        while not self._told:
            self._stop.clear()
            await self._stop.wait()
        return {"type": self._told.popleft()}

    async def _send(self, message: Message) -> None:
        kind = str(message.get("type"))
        _, _, event = kind.partition("lifespan.")
        event, _, outcome = event.partition(".")
        answer = self._answers.get(event)
        if answer is None or answer.done() or outcome not in ("complete", "failed"):
            raise ApplicationError(f"{kind!r} was sent where it cannot be")
        words = str(message.get("message") or "it gave no reason")
        answer.set_result(words if outcome == "failed" else "")

    async def _end_task(self) -> None:
        """End the application's coroutine; what it raises after its part is only logged."""
        task = self._task
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None:
            _log.info("%s: the coroutine of its lifespan ended: %r", self._name, error)


async def _first_of(task: asyncio.Task[None], answer: asyncio.Future[str], seconds: float) -> None:
    """Wait until an application has answered or ended, ``seconds`` at most."""
    ends: set[asyncio.Future[Any]] = {task, answer}
    await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
