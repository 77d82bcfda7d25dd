"""ASGI applications beside vista objects: FastAPI, Starlette, Django and others, on one site."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import vista
from apps.http.content.resources import Request, Response, error_response
from apps.http.errors import ApplicationError
from apps.http.objects.asgi_exchange import Application, Exchange, Lifespan, scope_of
from apps.http.objects.asgi_socket import SocketExchange
from apps.http.objects.found import service_name

Result = TypeVar("Result")

_log = logging.getLogger("vista.http")

STARTUP_SECONDS = 30.0
"""How long an application may take to start: it may have to wait for its database."""
SHUTDOWN_SECONDS = 3.0
"""How long it may take to end; what a node takes for its orderly end is 5 s."""
DRAIN_SECONDS = 3.0
"""How long its requests may go on before it is told to end."""
GONE_SECONDS = 10.0
"""How long it may go on with a request whose client is gone, before it is cancelled."""

UNREAD_SECONDS = 60.0
"""How long the body of an answer waits for its first reader, who comes at once or never."""

PIECE_BYTES = 65_536
"""Bytes of a large body that an application gets at a time."""

_SAFE = "/:@!$&'()*+,;=~[]|^{}"


class HTTPasgiBody(vista.Object, namespace="HTTP"):
    """The body of one answer of a mounted application, read while the application sends it.

    ``create(mount, number)``: the `HTTPmountASGI` and the number of the request there. It deletes
    itself when nobody has begun to read it for a minute: the time of the request was over.
    """

    def create(self, mount: vista.Ref, number: int) -> None:
        """Stand for the body."""
        self.mount = mount
        self.number = number
        # What the loop calls runs in this context, which may post.
        go, context = vista.self_ref(self).delete_yourself.post, contextvars.copy_context()
        loop = asyncio.get_running_loop()
        self._unread = loop.call_later(UNREAD_SECONDS, go, context=context)

    def delete(self) -> None:
        """The client has all of it, or is gone."""
        self._unread.cancel()
        # In flight and not waited for: the mount may be gone, which is nobody's mistake.
        vista.future(self.mount, "end_exchange", self.number)

    def read_bytes(self, maximum: int) -> bytes:
        """Return the next bytes; none at the end. Raises what the application raised."""
        self._unread.cancel()
        piece: bytes = self.mount.read_piece(self.number, maximum)
        return piece


class HTTPmountASGI(vista.Object, namespace="HTTP"):
    """Has an ASGI application answer for an address of a site and all below it.

    rc line: ``HTTPmountASGI localhost /api shop.main:app``

    ``create(site, path, application, directory=".")``: ``application`` names a module and what is
    in it, ``MODULE:NAME``; Python looks for the module in ``directory`` too. Any application of
    ASGI 3 will do, such as one of FastAPI or Starlette. It runs on the loop of the node, as asyncio
    tasks, and calls vista objects by ``await vista.aio.send(...)``; one that blocks holds the node.

    The application is told that the node starts and stops (lifespan); one that fails to start makes
    creating fail. Its answers are streamed as it sends them. What it raises is a 500, and what it
    does not answer in ``request_seconds`` a 504, after which its coroutine is cancelled. It gets
    the body of a request when all of it has come, from memory or, where the profile allows larger
    ones, from the disk piece by piece; of such a size forms are refused. Clients that speak
    WebSocket are passed on.

    Raises `ApplicationError`.
    """

    def create(self, site: str, path: str, application: str, directory: str = ".") -> None:
        """Load the application, have it start, and register for the addresses."""
        if not path.startswith("/"):
            raise vista.BadValueError(f"an address of a site begins with a slash, not {path!r}")
        self.root_path = path.rstrip("/")
        self.application = application
        self.site = site
        self.stopping = False
        self._exchanges: dict[int, tuple[Exchange, asyncio.Task[None]]] = {}
        self._number = 0
        self._running: set[asyncio.Task[Any]] = set()
        self.url_directory = vista.service(service_name(site))
        self._server = _server(self.url_directory, site)
        self._application = load_application(application, directory)
        self._lifespan = Lifespan(self._application, application)
        vista.wait(self._lifespan.start(STARTUP_SECONDS))
        me = vista.self_ref(self)
        self.url_directory.register_directory_handler(path, me)
        if self.root_path:
            self.url_directory.register_object(self.root_path, me)
        with contextlib.suppress(vista.NoSuchService):
            vista.send("ShutdownService", "register", me)

    def delete(self) -> None:
        """Leave the directory, end what runs, and have the application end."""
        if not hasattr(self, "_lifespan"):
            return
        me = vista.self_ref(self)
        for exchange, _ in self._exchanges.values():
            exchange.disconnect()
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_directory_handler", self.root_path + "/", me)
        vista.future(self.url_directory, "unregister_object", self.root_path, me)
        vista.wait(self._end())

    async def system_shutdown(self) -> None:
        """Let requests end, then have the application end; ``ShutdownService`` sends it."""
        self.stopping = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=DRAIN_SECONDS)
        await self._end()

    def handler_replaced(self, path: str) -> None:
        """Somebody else answers for its addresses from here on: go."""
        vista.post(vista.self_ref(self), "delete_yourself")

    def load_object(self, path: str) -> vista.Ref:
        """Return who answers for an address: the application, which knows its own ones."""
        return vista.self_ref(self)

    async def any_request(self, request: Request) -> Response:
        """Have the application answer."""
        if self.stopping:
            return error_response(503, "The server is going down.", (("Retry-After", "5"),))
        if request.parts:
            return error_response(413, "The form is too large.")
        exchange = Exchange(_body_of(request))
        scope = self._scope("http", request, method=request.method)
        task = self._start(exchange.run(self._application, scope))
        task.add_done_callback(lambda task: self._note_end(task, exchange))
        number = 0
        try:
            await exchange.answered()
            if exchange.is_complete:
                return Response(exchange.whole_body(), exchange.status, exchange.fields)
            number = self._number = self._number + 1
            self._exchanges[number] = (exchange, task)
            body = await vista.aio.create(HTTPasgiBody, vista.self_ref(self), number)
        except BaseException:  # the time is over, mostly
            self._exchanges.pop(number, None)
            exchange.disconnect()
            task.cancel()
            raise
        return Response(b"", exchange.status, exchange.fields, body)

    async def websocket_request(self, request: Request, socket: vista.Ref) -> Response | None:
        """Have the application talk with a client that speaks WebSocket."""
        if self.stopping:
            return error_response(503, "The server is going down.", (("Retry-After", "5"),))
        offered = await vista.aio.send(socket, "get_subprotocols")
        scope = self._scope("websocket", request, subprotocols=list(offered))
        task = self._start(SocketExchange(socket).run(self._application, scope))
        try:
            await asyncio.wait({task})
        except BaseException:
            task.cancel()
            raise
        if task.cancelled():
            raise ApplicationError("the application was ended by CancelledError")
        return task.result()

    async def read_piece(self, number: int, maximum: int) -> bytes:
        """Return the next bytes of an answer; `HTTPasgiBody` sends it."""
        found = self._exchanges.get(number)
        if found is None:
            raise vista.BadValueError(f"no answer {number} is being sent")
        return await found[0].read(maximum)

    async def end_exchange(self, number: int) -> None:
        """Take note that nobody reads an answer any longer; `HTTPasgiBody` sends it.

        An application that is not done with it is told, and cancelled if it takes no notice.
        """
        found = self._exchanges.pop(number, None)
        if found is None:
            return
        exchange, task = found
        exchange.disconnect()
        if not exchange.is_complete and not task.done():
            asyncio.get_running_loop().call_later(GONE_SECONDS, task.cancel)

    # --- the application's coroutines ------------------------------------------------------

    def _start(self, talk: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(talk)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _note_end(self, task: asyncio.Task[None], exchange: Exchange) -> None:
        error = None if task.cancelled() else task.exception()
        # What it raises before, whoever reads the answer is told.
        if error is not None and exchange.is_complete:
            _log.error("%s raised after its answer: %r", self.application, error, exc_info=error)

    def _scope(self, kind: str, request: Request, **others: Any) -> dict[str, Any]:
        names, values = request.header_names, request.header_values
        fields = []
        if names:
            pairs = zip(names.split("\n"), values.split("\n"), strict=True)
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        scheme = {"http": "http", "websocket": "ws"}[kind]
        return scope_of(
            kind,
            http_version=request.version,
            scheme=f"{scheme}s" if request.secure else scheme,
            path=request.path,
            headers=fields,
            raw_path=quote(request.path, safe=_SAFE).encode("ascii"),
            query_string=request.query.encode("latin-1"),
            root_path=self.root_path,
            # Which port a client sends from says nothing, and is not kept.
            client=(request.client, 0) if request.client else None,
            server=self._server,
            state=self._lifespan.state.copy(),
            **others,
        )

    async def _end(self) -> None:
        """Cancel what still runs, and have the application end."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=SHUTDOWN_SECONDS)
        await self._lifespan.stop(SHUTDOWN_SECONDS)


async def _body_of(request: Request) -> AsyncIterator[bytes]:
    """Give the body of a request piece by piece."""
    upload = request.upload
    if upload is None or upload.data is not None:
        yield request.body if upload is None else upload.data or b""
        return
    for start in range(0, upload.size, PIECE_BYTES):
        count = min(PIECE_BYTES, upload.size - start)
        piece: bytes = await vista.aio.send(upload.source, "read_at", start, count)
        yield piece


def load_application(words: str, directory: str = ".") -> Application:
    """Return the application that ``MODULE:NAME`` names; NAME may have dots.

    The directory is searched first, and stays in ``sys.path``, since the application may import
    more of it later. Raises `ApplicationError` saying which part was not found.
    """
    module_name, colon, name = words.partition(":")
    if not (module_name and colon and name):
        raise ApplicationError(f"an application is named MODULE:NAME, not {words!r}")
    place = str(Path(directory).resolve())
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # something that the module imports
        raise ApplicationError(f"{words}: no module {error.name!r} in {place}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ApplicationError(f"{words}: there is no {part!r} in {found!r}")
        found = getattr(found, part)
    if not callable(found):
        raise ApplicationError(f"{words}: {type(found).__name__} is no application of ASGI")
    application: Application = found
    return application


def _server(url_directory: vista.Ref, site: str) -> tuple[str, int | None] | None:
    """Return host and port at which a site is served, or the path of its socket and None."""
    node = vista.id_of(vista.here()).node
    for row in vista.services():
        if not row.name.startswith("HTTPdaemon:") or row.object.node != node:
            continue
        found = vista.send(row.object, "site_of", site)
        if found is not None and found[1] == url_directory:
            kind, _, place = row.name.removeprefix("HTTPdaemon:").partition(":")
            if kind == "unix":
                return place, None
            host, _, port = place.rpartition(":")
            return host.strip("[]"), int(port)
    return None
