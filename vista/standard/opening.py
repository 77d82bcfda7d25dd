"""Opening: from a transport address to a channel, or a clear error and nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import os
import socket
import stat
from typing import Any

from vista.api import wait
from vista.kernel.hub import Hub
from vista.standard.addresses import Address
from vista.standard.bounds import CONNECT_SECONDS, LISTEN_BACKLOG
from vista.standard.channels import (
    Channel,
    Counter,
    FileChannel,
    ListeningChannel,
    WatchedChannel,
    named_error,
)

_FILE_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "rw": os.O_RDWR | os.O_CREAT,
}
_FILE_RIGHTS = 0o666


def open_channel(hub: Hub, count: Counter, address: Address) -> Channel:
    """Open what ``address`` names. Waits.

    Raises OSError (a missing file, a refused connection, no such host) that names the address.
    """
    if address.scheme == "file":
        return _open_file(hub, count, address)
    if address.listens:
        return _listen(hub, count, address)
    return adopt_socket(hub, count, str(address), wait(_connect(hub.loop, address)))


def adopt_socket(hub: Hub, count: Counter, name: str, sock: socket.socket) -> WatchedChannel:
    """Make a channel of a connected socket; the channel closes it."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return WatchedChannel(hub, count, name, sock)


def address_of(sock: socket.socket, *, peer: bool = False) -> str:
    """The address text of a socket's own end, or of the other one. Empty when it has none."""
    name = sock.getpeername() if peer else sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}" if name else ""
    return str(Address("tcp", host=name[0], port=name[1]))


# --- files --------------------------------------------------------------------------------------


def _open_file(hub: Hub, count: Counter, address: Address) -> Channel:
    descriptor = _open_descriptor(hub, address)
    reads, writes = address.option in ("r", "rw"), address.option != "r"
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, f"{address}: it is a directory")
    watched = stat.S_ISFIFO(mode) or os.isatty(descriptor)
    kind = WatchedChannel if watched else FileChannel
    return kind(hub, count, str(address), descriptor, reads=reads, writes=writes)


def _open_descriptor(hub: Hub, address: Address) -> int:
    # Without O_NONBLOCK opening a named pipe waits for its other end, for ever if need be.
    flags = _FILE_FLAGS[address.option] | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    opening = hub.run_native(
        contextvars.copy_context(), lambda: os.open(address.path, flags, _FILE_RIGHTS)
    )
    claimed = False
    try:
        descriptor: int = wait(asyncio.shield(opening))
        claimed = True
    except OSError as error:
        raise named_error(str(address), error) from None
    finally:
        if not claimed:
            # The thread that waited was killed; the kernel thread may still open the file.
            opening.add_done_callback(_close_opened)
    return descriptor


def _close_opened(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


# --- connections --------------------------------------------------------------------------------


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.scheme == "unix":
                return await _connect_to(loop, socket.AF_UNIX, address.path)
            return await _connect_to_any(loop, address)
    except TimeoutError:
        text = f"{address}: no connection within {CONNECT_SECONDS:g} s"
        raise TimeoutError(errno.ETIMEDOUT, text) from None
    except socket.gaierror as error:
        raise named_error(str(address), error) from None
    except OSError as error:
        # The loop's own text repeats the address in another form.
        text = f"{address}: {os.strerror(error.errno or errno.EIO)}"
        raise OSError(error.errno, text) from None


async def _connect_to_any(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    """Try the addresses of a host in the order the resolver gives them."""
    failure: OSError | None = None
    for family, _, _, _, place in await _places(loop, address):
        try:
            return await _connect_to(loop, family, place)
        except OSError as error:
            failure = failure or error
    assert failure is not None
    raise failure


async def _places(loop: asyncio.AbstractEventLoop, address: Address) -> list[Any]:
    flags = socket.AI_PASSIVE if address.listens else 0
    found = await loop.getaddrinfo(
        address.host or None, address.port, type=socket.SOCK_STREAM, flags=flags
    )
    return list(found)


async def _connect_to(loop: asyncio.AbstractEventLoop, family: int, place: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        sock.setblocking(False)
        await loop.sock_connect(sock, place)
        # Linux refuses a Unix-domain connection to a full backlog with the error that means "in
        # progress" elsewhere; asking for the peer tells the two apart.
        sock.getpeername()
        undo.pop_all()
    return sock


# --- listening ----------------------------------------------------------------------------------


def _listen(hub: Hub, count: Counter, address: Address) -> ListeningChannel:
    try:
        if address.scheme == "unix":
            sock = _bind_unix(address.path)
        else:
            places = wait(_places(hub.loop, address))
            sock = _bind_tcp(address, places[0])
    except OSError as error:
        raise named_error(str(address), error) from None
    unix_path = os.path.abspath(address.path) if address.scheme == "unix" else ""
    return ListeningChannel(hub, count, str(address), sock, unix_path)


def _bind_tcp(address: Address, place: Any) -> socket.socket:
    if not address.host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", address.port),
            family=socket.AF_INET6,
            dualstack_ipv6=True,
            backlog=LISTEN_BACKLOG,
        )
    return socket.create_server(place[4][:2], family=place[0], backlog=LISTEN_BACKLOG)


def _bind_unix(path: str) -> socket.socket:
    _remove_stale_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        sock.bind(path)
        sock.listen(LISTEN_BACKLOG)
        undo.pop_all()
    return sock


def _remove_stale_socket(path: str) -> None:
    """Remove a socket file whose listener is gone: a process that was killed leaves it behind."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            return
