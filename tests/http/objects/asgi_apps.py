"""ASGI applications that tests mount: plain ones, each with one habit, and one of Starlette."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import vista
from tests.http.objects.served import wait_until

TOLD: list[str] = []
"""What the applications did, in its order; a test clears it first."""


async def tells_scope(scope: Any, receive: Any, send: Any) -> None:
    """Answers with all that it is told."""
    if scope["type"] != "http":
        raise NotImplementedError
    told = {key: value for key, value in scope.items() if key not in ("state", "extensions")}
    first = await receive()
    body = json.dumps(
        {"scope": told, "first": first}, default=lambda value: value.decode("latin-1")
    )
    await start(send, 200, (b"Content-Type", b"application/json"))
    await send({"type": "http.response.body", "body": body.encode()})


async def tells_pieces(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the sizes of the pieces in which the body came."""
    if scope["type"] != "http":
        return
    sizes = []
    more = True
    while more:
        message = await receive()
        sizes.append(len(message["body"]))
        more = message["more_body"]
    await start(send, 200)
    await piece(send, json.dumps(sizes).encode(), False)


async def start(send: Any, status: int, *headers: tuple[bytes, bytes]) -> None:
    """Send the head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def piece(send: Any, body: bytes, more: bool = True) -> None:
    """Send a piece of an answer."""
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def has_habits(scope: Any, receive: Any, send: Any) -> None:
    """Does what the query says."""
    if scope["type"] == "lifespan":
        return
    habit = scope["query_string"].decode()
    try:
        await HABITS[habit](receive, send)
    except BaseException as error:
        TOLD.append(f"{habit}: {type(error).__name__}: {error}")
        raise


async def _returns(receive: Any, send: Any) -> None:
    return


async def _returns_in_the_middle(receive: Any, send: Any) -> None:
    await start(send, 200)
    await piece(send, b"some")


async def _raises(receive: Any, send: Any) -> None:
    raise ValueError("a secret of the author")


async def _raises_in_the_middle(receive: Any, send: Any) -> None:
    await start(send, 200, (b"content-length", b"100"))
    await piece(send, b"some")
    await asyncio.sleep(0)
    raise ValueError("a secret of the author")


async def _raises_after_its_head(receive: Any, send: Any) -> None:
    await start(send, 200)
    raise ValueError("a secret of the author")


async def _raises_at_the_end(receive: Any, send: Any) -> None:
    await start(send, 200)
    await piece(send, b"all", False)
    raise ValueError("too late")


async def _exits(receive: Any, send: Any) -> None:
    sys.exit(3)


async def _never_answers(receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def _begins_with_the_body(receive: Any, send: Any) -> None:
    await piece(send, b"x")


async def _starts_twice(receive: Any, send: Any) -> None:
    await start(send, 200)
    await start(send, 200)


async def _sends_after_the_end(receive: Any, send: Any) -> None:
    await start(send, 200)
    await piece(send, b"all", False)
    await piece(send, b"more")


async def _has_no_status(receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "headers": []})


async def _has_text_headers(receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [("a", "b")]})


async def _has_a_text_body(receive: Any, send: Any) -> None:
    await start(send, 200)
    await send({"type": "http.response.body", "body": "text"})


async def _splits(receive: Any, send: Any) -> None:
    await start(send, 200, (b"x-word", b"a\r\nset-cookie: b"))
    await piece(send, b"x", False)


async def _lies_about_length(receive: Any, send: Any) -> None:
    await start(send, 200, (b"content-length", b"3"))
    await piece(send, b"abcdef", False)


async def _chunks_by_itself(receive: Any, send: Any) -> None:
    await start(send, 200, (b"Transfer-Encoding", b"chunked"), (b"x-word", b"kept"))
    await piece(send, b"body", False)


async def _sets_cookies(receive: Any, send: Any) -> None:
    await start(send, 200, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))
    await piece(send, b"", False)


async def _streams_without_end(receive: Any, send: Any) -> None:
    await start(send, 200, (b"content-type", b"text/plain"))
    count = 0
    try:
        while True:
            await piece(send, b"x" * 10_000)
            count += 1
    finally:
        TOLD.append(f"pieces: {count}")


async def _waits_for_the_disconnect(receive: Any, send: Any) -> None:
    await start(send, 200)
    await piece(send, b"first")
    kinds = [(await receive())["type"] for _ in range(2)]
    TOLD.append(" ".join(kinds))


async def _asks_after_its_answer(receive: Any, send: Any) -> None:
    await start(send, 200)
    await piece(send, b"all", False)
    kinds = [(await receive())["type"] for _ in range(2)]
    TOLD.append(" ".join(kinds))


HABITS = {
    name.removeprefix("_"): habit
    for name, habit in list(globals().items())
    if name.startswith("_") and asyncio.iscoroutinefunction(habit)
}


async def speaks_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Talks as the query says."""
    if scope["type"] != "websocket":
        return
    habit = scope["query_string"].decode()
    first = await receive()
    TOLD.append(f"{first['type']} {scope['scheme']} {scope['path']} {scope['subprotocols']}")
    if habit == "refuses":
        await send({"type": "websocket.close"})
        return
    if habit in ("returns", "raises"):
        if habit == "raises":
            raise ValueError("a secret of the author")
        return
    protocol = next(iter(scope["subprotocols"]), None)
    accept = {"type": "websocket.accept", "subprotocol": protocol, "headers": [(b"x-word", b"yes")]}
    await send(accept)
    await TALKS.get(habit, _echoes)(receive, send)


async def _echoes(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            TOLD.append(f"{message['type']} {message['code']}")
            return
        await send({**message, "type": "websocket.send"})


async def _closes(receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": 3001, "reason": "enough"})


async def _fails(receive: Any, send: Any) -> None:
    raise ValueError("a secret of the author")


async def _exits_from_a_socket(receive: Any, send: Any) -> None:
    sys.exit(3)


async def _sends_on(receive: Any, send: Any) -> None:
    await receive()
    try:
        while True:
            await send({"type": "websocket.send", "text": "x" * 1000})
    except OSError as error:
        TOLD.append(f"{type(error).__name__}: {error}")


TALKS = {"closes": _closes, "fails": _fails, "exits": _exits_from_a_socket, "sends_on": _sends_on}


async def refuses_to_start(scope: Any, receive: Any, send: Any) -> None:
    """Says that it cannot start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def never_starts(scope: Any, receive: Any, send: Any) -> None:
    """Starts for ever."""
    await asyncio.Event().wait()


async def never_ends(scope: Any, receive: Any, send: Any) -> None:
    """Starts, and does not end."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.Event().wait()


async def fails_to_end(scope: Any, receive: Any, send: Any) -> None:
    """Starts, and says that it cannot end."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "stuck"})


GATES: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
"""What the requests for ``slow`` wait for."""


def open_gates(count: int) -> None:
    """Let so many requests for ``slow`` go on, once they wait."""
    wait_until(lambda: len(GATES) == count)
    while GATES:
        loop, gate = GATES.pop()
        loop.call_soon_threadsafe(gate.set)


not_callable = 7
"""What is no application."""


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """The life of the shop."""
    TOLD.append("started")
    yield {"harbour": "north"}
    TOLD.append("ended")


async def home(request: Request) -> Response:
    """Tell where one is."""
    return JSONResponse({"path": request.url.path, "harbour": request.state.harbour})


async def echo(request: Request) -> Response:
    """Send the body back."""
    return PlainTextResponse(await request.body(), 201)


async def slow(request: Request) -> Response:
    """Answer when a test opens the gate, and then tell that it did."""
    gate = asyncio.Event()
    GATES.append((asyncio.get_running_loop(), gate))
    await gate.wait()
    return PlainTextResponse("done", background=BackgroundTask(TOLD.append, "background"))


async def stream(request: Request) -> Response:
    """Stream a text that takes its time."""

    async def pieces() -> AsyncIterator[str]:
        for number in range(20):
            await vista.aio.sleep(0.001)
            yield f"piece {number}\n"

    return StreamingResponse(pieces(), media_type="text/plain")


async def from_vista(request: Request) -> Response:
    """Ask a vista object."""
    return PlainTextResponse(str(await vista.aio.send("Echo", "count")))


def from_vista_in_a_thread(request: Request) -> Response:
    """Ask a vista object, as Starlette runs plain functions: in a kernel thread."""
    return PlainTextResponse(str(vista.send("Echo", "count")))


async def talk(socket: WebSocket) -> None:
    """Send back what comes, louder."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text.upper())
    TOLD.append("over")


shop = Starlette(
    routes=[
        WebSocketRoute("/talk", talk),
        Route("/", home),
        Route("/home", home, methods=["GET", "PATCH", "BREW"]),
        Route("/echo", echo, methods=["POST"]),
        Route("/slow", slow),
        Route("/stream", stream),
        Route("/vista", from_vista),
        Route("/vista-thread", from_vista_in_a_thread),
    ],
    lifespan=lifespan,
)
"""An application of Starlette."""
