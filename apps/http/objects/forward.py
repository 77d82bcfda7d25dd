"""A front end: clients connect to one address, and each is given to one of several servers.

What passes is bytes, both ways, whatever they mean. HTTP is spoken in two cases: to ask a server
whether it is well, and to tell a client that none is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import socket
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import vista
from apps.http.objects.forward_asking import (
    GONE_PAGE,
    UNAVAILABLE_PAGE,
    ask_server,
    read_address,
    reason_of,
)
from apps.http.objects.forward_servers import Server, Servers
from apps.http.objects.forward_splice import Side, Splice, is_http, is_safe

_log = logging.getLogger("vista.http")

CONNECT_SECONDS = 2.0
"""How long a server may take to accept a connection before the next one is asked."""

CONNECTIONS_MAX = 10_000
"""Clients connected at once; the next ones wait in the system. Each takes two descriptors and at
most a quarter of a megabyte."""

BACKLOG = 1_024
"""Connections that the system keeps until they are accepted."""

SWEEP_SECONDS = 5.0
"""How often those are looked for that take or say nothing."""

FULL_SECONDS = 0.2
"""How long nothing is accepted when the process has no descriptor left."""

STOP_SECONDS = 10.0
"""How long answers may go on when the front end stops; then they are cut off."""


class ForwardConnection(vista.Object, namespace="HTTP"):
    """Listens at an address and gives each client to the server that has the fewest.

    rc line: ``ForwardConnection tcp:0.0.0.0:80 tcp:10.0.0.7:8080 tcp:10.0.0.8:8080 /health/ready``

    ``create(listen_address, *servers)``: addresses are ``tcp:HOST:PORT``, with an IPv6 address in
    brackets, or ``unix:PATH``. A word among the servers that begins with a slash is a page that
    every one is asked for each second: 200 says that it wants clients. `HTTPhealth` is such a page.
    Without one a server is well while it accepts connections.

    Bytes pass both ways as they are, so TLS ends at the servers; no side is read faster than the
    other takes. A server that refuses a connection, says nothing in time, or is not well gets no
    clients until it is well again; clients that wait for one that says nothing are taken from it. A
    client whose server is lost before it answered goes to another one, if all that it has asked for
    is one GET or HEAD. Where no server is there, clients that speak HTTP get a page with status
    503, others are hung up on.

    Creating raises `BadValueError` for an address that is none, and OSError when it cannot listen
    there.

    The original's Local.ForwardConnection, which took its servers in turn.
    """

    def create(self, listen_address: str, *servers: str) -> None:
        """Listen, then begin to forward."""
        self.initialize(listen_address, *servers)

    def initialize(self, listen_address: str, *servers: str) -> None:
        """Do what `create` does, for classes that inherit from this one."""
        pages = [word for word in servers if word.startswith("/")]
        if len(pages) > 1:
            raise vista.BadValueError(f"a front end asks for one page, not for {', '.join(pages)}")
        self.health_page = pages[0] if pages else ""
        self.connections_max = CONNECTIONS_MAX
        self.clients_accepted = 0
        self._servers = Servers()
        self._splices: set[Splice] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._hurry: asyncio.Event | None = None
        for address in servers:
            if not address.startswith("/"):
                self.add_server(address)
        self._socket: socket.socket | None = _listen(listen_address)
        self.address = _name_of(self._socket, listen_address)
        with contextlib.suppress(vista.NoSuchService):
            vista.send("ShutdownService", "register", vista.self_ref(self))
        vista.self_ref(self).forward.post()
        _log.info("servers that clients of %s are given to: %d", self.address, len(self._servers))

    def delete(self) -> None:
        """Stop listening and drop every client."""
        running = getattr(self, "_running", None)
        if running is not None:
            self._loop.call_soon(running.cancel)
        elif getattr(self, "_socket", None) is not None:
            self._stop_listening()

    # --- the servers -----------------------------------------------------------------------

    def add_server(self, address: str, name: str = "") -> None:
        """Give clients to a further server; ``name`` is what the log calls it by.

        Raises `BadValueError` for an address that is none, `Overloaded` for too many servers.
        """
        read_address(address)
        self._servers.add(address, name)
        if self._hurry is not None:
            self._hurry.set()

    def remove_server(self, address: str) -> None:
        """Give no more clients to a server; those that it has stay."""
        self._servers.remove(address)

    def accuse(self, address: str, words: str) -> None:
        """Give no clients to a server from here on, and take it those it has; ``words`` say why."""
        server = self._servers.get(address)
        if server is not None and server.accusation != words:
            if not server.accusation:
                _log.warning("server %s is out: %s", server.name, words)
            server.accusation = words
            self._leave_server(server, math.inf)

    def acquit(self, address: str) -> None:
        """Take back what `accuse` said."""
        server = self._servers.get(address)
        if server is not None and server.accusation:
            server.accusation = ""
            _log.info("server %s is not accused any more", server.name)

    def get_servers(self) -> list[dict[str, Any]]:
        """Return how the servers are: address, name, state, clients open and served so far."""
        return [
            {
                "address": one.address,
                "name": one.name,
                "state": one.state,
                "open": one.open,
                "served": one.served,
            }
            for one in self._servers.rows()
        ]

    def get_address(self) -> str:
        """Return the address it listens at, with the port that was taken for port 0."""
        return self.address

    def get_url(self) -> str:
        """Return the address as a browser takes it."""
        kind, _, place = self.address.partition(":")
        if kind == "unix":
            return f"http+unix://{place}"
        host, _, port = place.rpartition(":")
        shown = "localhost" if host in ("0.0.0.0", "[::]") else host
        return f"http://{shown}:{port}/"

    def get_figures(self) -> dict[str, int]:
        """Return how many ``clients`` are connected, and ``clients_accepted`` so far."""
        return {"clients": len(self._splices), "clients_accepted": self.clients_accepted}

    # --- running ---------------------------------------------------------------------------

    async def forward(self) -> None:
        """Begin to accept and to look at the servers; the object sends it to itself."""
        if self._running is None and self._socket is not None:
            self._loop = asyncio.get_running_loop()
            self._room, self._hurry = asyncio.Event(), asyncio.Event()
            # Not this thread: a node that stops waits for its threads, and cancels its tasks.
            self._running = self._loop.create_task(self._run())

    def system_shutdown(self) -> None:
        """Accept no more and return when the answers under way have ended.

        ``ShutdownService`` sends it.
        """
        if self._running is not None:
            self._stop_listening()
            vista.wait(self._loop.create_task(self._see_them_out()))

    async def _see_them_out(self) -> None:
        for splice in list(self._splices):
            splice.leave()
        left = [splice.done for splice in self._splices]
        if left:
            await asyncio.wait(left, timeout=STOP_SECONDS)

    async def _run(self) -> None:
        work: list[Coroutine[Any, Any, None]] = [self._accept(), self._look(), self._sweep()]
        try:
            await asyncio.gather(*map(self._start, work))
        finally:
            self._stop_listening()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            left = [splice.done for splice in self._splices]
            for splice in list(self._splices):
                splice.abort()
            # A transport is closed one turn of the loop after it was told to.
            if left:
                await asyncio.wait(left, timeout=STOP_SECONDS)
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)
            await asyncio.sleep(0)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _stop_listening(self) -> None:
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if self._running is not None:
            self._loop.remove_reader(sock.fileno())
        name = sock.getsockname()
        sock.close()
        if isinstance(name, str) and name:
            Path(name).unlink(missing_ok=True)

    async def _accept(self) -> None:
        assert self._room is not None
        while (listening := self._socket) is not None:
            if len(self._splices) >= self.connections_max:
                self._room.clear()
                await self._room.wait()
                continue
            try:
                sock, _ = await _next_client(listening)
            except OSError as error:
                if self._socket is None:
                    return
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    _log.warning("%s: cannot accept for now: %s", self.address, error)
                    await asyncio.sleep(FULL_SECONDS)
                continue  # that client went away while it waited
            self.clients_accepted += 1
            splice = Splice(self._lost_server)
            self._splices.add(splice)
            splice.done.add_done_callback(partial(self._ended, splice))
            self._start(self._serve(splice, sock))

    def _ended(self, splice: Splice, done: asyncio.Future[None]) -> None:
        self._splices.discard(splice)
        self._release(splice)
        if self._room is not None:
            self._room.set()

    def _release(self, splice: Splice) -> None:
        server, splice.server = splice.server, None
        if server is not None:
            self._servers.leave(server)

    async def _serve(self, splice: Splice, sock: socket.socket) -> None:
        """Give a client to a server, or tell it that there is none."""
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(lambda: splice.client, sock)
            if not await self._connect(splice, []):
                await splice.say(UNAVAILABLE_PAGE)
        except OSError as error:
            _log.debug("a client was lost before it was served: %s", error)
        finally:
            if splice.client.transport is None:
                sock.close()
                if not splice.done.done():
                    splice.done.set_result(None)

    async def _connect(self, splice: Splice, tried: list[Server]) -> bool:
        """Connect a client to the first server that accepts; return whether there was one."""
        while (server := self._servers.choose(tried)) is not None:
            tried.append(server)
            # Counted before it stands: of clients that come at once not all go to the same one.
            self._servers.take(server)
            splice.server = server
            try:
                upstream = await _open(server.address, splice)
            except (OSError, TimeoutError) as error:
                self._release(splice)
                silent = isinstance(error, TimeoutError)
                fault = "accepts no connection in time" if silent else reason_of(error)
                self._note_fault(server, fault, silent=silent)
                continue
            except BaseException:
                self._release(splice)
                raise
            splice.join(upstream)
            if splice.client.lost:
                self._release(splice)
            return True
        return False

    def _lost_server(self, splice: Splice) -> None:
        """See to a client whose server went away before it answered."""
        lost = splice.server
        self._release(splice)
        self._start(self._serve_again(splice, lost))

    async def _serve_again(self, splice: Splice, lost: Server) -> None:
        if is_safe(splice.beginning):
            if not await self._connect(splice, [lost]):
                await splice.say(UNAVAILABLE_PAGE)
        elif is_http(splice.beginning):
            await splice.say(GONE_PAGE)
        else:
            splice.abort()

    # --- looking at servers ----------------------------------------------------------------

    async def _look(self) -> None:
        assert self._hurry is not None
        while True:
            for server in self._servers.due(self._loop.time()):
                self._start(self._look_at(server))
            self._hurry.clear()
            wait = self._servers.next_deadline() - self._loop.time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(max(wait, 0.01), SWEEP_SECONDS))

    async def _look_at(self, server: Server) -> None:
        """Ask a server whether it is well."""
        began = self._loop.time()
        try:
            await ask_server(server.address, self.health_page)
        except TimeoutError:
            self._note_fault(server, "says nothing", silent=True)
            self._leave_server(server, began)
        except OSError as error:
            self._note_fault(server, reason_of(error), silent=False)
        else:
            if self._servers.well(server, self._loop.time()):
                _log.info("server %s is in", server.name)
        if self._hurry is not None:
            self._hurry.set()

    def _note_fault(self, server: Server, fault: str, *, silent: bool) -> None:
        if self._servers.failed(server, fault, self._loop.time(), silent=silent):
            _log.warning("server %s is out: %s", server.name, fault)

    def _leave_server(self, server: Server, since: float) -> None:
        """Take clients from a server that has told them nothing ``since``."""
        for splice in list(self._splices):
            if splice.server is server and splice.answered_at < since:
                splice.cut()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._loop.time()
            for splice in list(self._splices):
                if splice.overdue(now):
                    splice.abort()


async def _next_client(listening: socket.socket) -> tuple[socket.socket, Any]:
    """Accept a connection; cancelled, it leaves the socket as it is on every kind of loop."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            sock, address = listening.accept()
            sock.setblocking(False)
            return sock, address
        ready = loop.create_future()
        descriptor = listening.fileno()
        loop.add_reader(descriptor, _note_ready, ready)
        try:
            await ready
        finally:
            if listening.fileno() == descriptor:  # else it is closed, and perhaps another one's
                loop.remove_reader(descriptor)


def _note_ready(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _open(address: str, splice: Splice) -> Side:
    """Connect to a server. Raises OSError and TimeoutError."""
    loop = asyncio.get_running_loop()
    kind, place = read_address(address)
    side = Side(splice)
    async with asyncio.timeout(CONNECT_SECONDS):
        if kind == "unix":
            await loop.create_unix_connection(lambda: side, place)
        else:
            await loop.create_connection(lambda: side, *place)
    return side


def _listen(address: str) -> socket.socket:
    kind, place = read_address(address)
    if kind == "unix":
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {address}: {error.strerror}") from error
    return sock


def _name_of(sock: socket.socket, address: str) -> str:
    name = sock.getsockname()
    if isinstance(name, str):
        return address
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"tcp:{host}:{name[1]}"
