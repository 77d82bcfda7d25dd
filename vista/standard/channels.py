"""Channels: the operating system's descriptors as IOobject uses them.

A channel never blocks the loop and reads nothing ahead. What the system can watch (sockets, pipes,
terminals) is tried at once and waited for only when it is not ready; what it cannot watch (files,
some devices) is read and written in a kernel thread. So a writer is as fast as its reader, and no
byte waits in a buffer nobody asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from vista.api import wait
from vista.errors import Overloaded
from vista.kernel.hub import Hub
from vista.standard.bounds import VECTORS_MAX, WRITE_STALL_SECONDS, WRITE_WAITING_BYTES_MAX
from vista.standard.turns import Turns

Counter = Callable[[str], None]
"""Called with the name of a statistics attribute that goes up by one."""


def closed_error(name: str) -> OSError:
    """The error of an operation on a channel, or a direction of it, that is closed."""
    return OSError(errno.EBADF, f"{name}: it is closed")


def named_error(name: str, error: OSError) -> OSError:
    """The same error with the address in its text.

    The text and not the ``filename``, which is no argument of the exception and so no part of the
    value that travels.
    """
    return OSError(error.errno or errno.EIO, f"{name}: {error.strerror or error}")


class Readiness:
    """Waiting until a descriptor can be read, or written; each wait is for one event."""

    __slots__ = ("_arm", "_disarm", "_loop", "_waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        arm: Callable[..., Any],
        disarm: Callable[[int], Any],
    ) -> None:
        self._loop = loop
        self._arm = arm
        self._disarm = disarm
        self._waiting: dict[asyncio.Future[None], int] = {}

    def ready(self, descriptor: int) -> asyncio.Future[None]:
        """Return a future that ends when the descriptor is ready or its channel closes."""
        future: asyncio.Future[None] = self._loop.create_future()
        if not self._waiting:
            self._arm(descriptor, self._fire)
        self._waiting[future] = descriptor
        future.add_done_callback(self._forget)
        return future

    def _fire(self) -> None:
        for future in list(self._waiting):
            if not future.done():
                future.set_result(None)
        self.stop()

    def _forget(self, future: asyncio.Future[None]) -> None:
        descriptor = self._waiting.pop(future, None)
        if descriptor is not None and not self._waiting:
            self._disarm(descriptor)

    def stop(self) -> None:
        """Watch the descriptor no more and let everybody who waits look for himself."""
        waiting, self._waiting = self._waiting, {}
        for future, descriptor in waiting.items():
            self._disarm(descriptor)
            if not future.done():
                future.set_result(None)


class Channel(ABC):
    """One open descriptor of either kind: what the kinds have in common.

    ``name`` is the address, for messages; ``kind`` (``File`` or ``Socket``) goes into the names of
    the statistics attributes. ``on_closed`` is called once, when both directions are closed.
    ``selecting`` is who waits to be told that it is ready.
    """

    kind = "Socket"

    def __init__(
        self, hub: Hub, count: Counter, name: str, descriptor: int, *, reads: bool, writes: bool
    ) -> None:
        self._hub = hub
        self._count = count
        self._descriptor = descriptor
        self._turns = Turns(hub.loop)
        self._waiting_bytes = 0
        self.name = name
        self.reads = reads
        self.writes = writes
        self.on_closed: list[Callable[[], None]] = []
        self.selecting: set[Any] = set()
        count("IOtotalDescriptorsCreated")
        count(f"IOtotal{self.kind}sCreated")

    @property
    def descriptor(self) -> int:
        """The operating system's descriptor, or -1 when it is closed."""
        return self._descriptor

    def read(self, bytes_max: int) -> bytes:
        """Read what is there, at most ``bytes_max`` bytes; nothing means the end. Waits."""
        self._count(f"IOtotal{self.kind}Reads")
        return self._read(bytes_max)

    def write(self, parts: Sequence[bytes]) -> int:
        """Write all parts in order and return their bytes. Waits until the system took them.

        Raises `Overloaded` when too much waits before it, and OSError when it fails.
        """
        self._count(f"IOtotal{self.kind}{'Writes' if len(parts) == 1 else 'WriteVectors'}")
        total = sum(map(len, parts))
        if self._waiting_bytes and self._waiting_bytes + total > WRITE_WAITING_BYTES_MAX:
            raise Overloaded(
                f"{self.name}: {self._waiting_bytes} bytes wait for its reader, "
                f"{WRITE_WAITING_BYTES_MAX} may"
            )
        self._waiting_bytes += total
        try:
            with self._turns.turn():
                self._write_whole([memoryview(part) for part in parts if part], total)
        finally:
            self._waiting_bytes -= total
        return total

    def _write_whole(self, views: list[memoryview], total: int) -> None:
        left = total
        try:
            while views:
                taken = self._write(views[:VECTORS_MAX])
                left -= taken
                _advance(views, taken)
        finally:
            if 0 < left < total:
                # Cut off in the middle: what anybody wrote after it would be taken for its rest.
                self.close_for_write()

    def when_ready(self, *, to_write: bool, callback: Callable[[], object]) -> None:
        """Have ``callback`` called on the loop, once, when reading (writing) will not wait."""
        self._count(f"IOtotal{self.kind}Select{'Write' if to_write else 'Read'}")
        self._watch(to_write, callback)

    def close_for_read(self) -> None:
        """Read no more. Closing both directions closes the descriptor. Harmless when done twice."""
        if self.reads:
            self.reads = False
            self._after_closing(socket.SHUT_RD)

    def close_for_write(self) -> None:
        """Write no more: the reader sees the end. Harmless when done twice."""
        if self.writes:
            self.writes = False
            self._after_closing(socket.SHUT_WR)

    def close(self) -> None:
        """Close both directions."""
        self.close_for_read()
        self.close_for_write()

    def _after_closing(self, direction: int) -> None:
        if self.reads or self.writes:
            self._shut(direction)
            return
        self._release()
        self._count("IOtotalDescriptorsDeleted")
        self._count(f"IOtotal{self.kind}sDeleted")
        for callback in self.on_closed:
            callback()

    def _require(self, is_open: bool) -> None:
        if not is_open:
            raise closed_error(self.name)

    @abstractmethod
    def _read(self, bytes_max: int) -> bytes:
        """Wait for bytes and return them."""

    @abstractmethod
    def _write(self, views: list[memoryview]) -> int:
        """Wait until some bytes are taken and return how many."""

    @abstractmethod
    def _watch(self, to_write: bool, callback: Callable[[], object]) -> None:
        """Have ``callback`` called when the direction is ready."""

    @abstractmethod
    def _shut(self, direction: int) -> None:
        """End one direction while the other stays open."""

    @abstractmethod
    def _release(self) -> None:
        """Give the descriptor back to the system."""


def _advance(views: list[memoryview], taken: int) -> None:
    """Drop the first ``taken`` bytes."""
    while views and taken >= len(views[0]):
        taken -= len(views[0])
        views.pop(0)
    if taken:
        views[0] = views[0][taken:]


class WatchedChannel(Channel):
    """A descriptor the system can watch: a socket, a pipe, a terminal.

    ``sock`` is the socket it belongs to, if it is one; the channel closes what it was given.
    """

    def __init__(
        self,
        hub: Hub,
        count: Counter,
        name: str,
        descriptor: int | socket.socket,
        *,
        reads: bool = True,
        writes: bool = True,
    ) -> None:
        self._socket = None if isinstance(descriptor, int) else descriptor
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        os.set_blocking(number, False)
        loop = hub.loop
        self._readable = Readiness(loop, loop.add_reader, loop.remove_reader)
        self._writable = Readiness(loop, loop.add_writer, loop.remove_writer)
        super().__init__(hub, count, name, number, reads=reads, writes=writes)

    @property
    def socket(self) -> socket.socket | None:
        """The socket, or None for a pipe or a terminal."""
        return self._socket

    def _read(self, bytes_max: int) -> bytes:
        while True:
            self._require(self.reads)
            try:
                return os.read(self._descriptor, bytes_max)
            except BlockingIOError:
                ready = self._readable.ready(self._descriptor)
            except OSError as error:
                raise named_error(self.name, error) from None
            wait(ready)

    def _write(self, views: list[memoryview]) -> int:
        while True:
            self._require(self.writes)
            try:
                return os.writev(self._descriptor, views)
            except BlockingIOError:
                ready = self._writable.ready(self._descriptor)
            except OSError as error:
                raise named_error(self.name, error) from None
            self._wait_for_reader(ready)

    def _wait_for_reader(self, ready: asyncio.Future[None]) -> None:
        stalled = self._hub.loop.call_later(WRITE_STALL_SECONDS, ready.cancel)
        try:
            wait(ready)
        except asyncio.CancelledError:
            raise TimeoutError(
                errno.ETIMEDOUT,
                f"{self.name}: its reader took nothing for {WRITE_STALL_SECONDS:g} s",
            ) from None
        finally:
            stalled.cancel()

    def _watch(self, to_write: bool, callback: Callable[[], object]) -> None:
        self._require(self.writes if to_write else self.reads)
        readiness = self._writable if to_write else self._readable
        readiness.ready(self._descriptor).add_done_callback(lambda _future: callback())

    def _shut(self, direction: int) -> None:
        readiness = self._readable if direction == socket.SHUT_RD else self._writable
        readiness.stop()
        if self._socket is not None:
            # The other side may have gone already: then there is nothing left to end.
            with contextlib.suppress(OSError):
                self._socket.shutdown(direction)

    def _release(self) -> None:
        self._readable.stop()
        self._writable.stop()
        descriptor, self._descriptor = self._descriptor, -1
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(descriptor)


class ListeningChannel(WatchedChannel):
    """A listening socket. ``unix_path`` is the path to remove when it closes, or nothing."""

    def __init__(
        self, hub: Hub, count: Counter, name: str, sock: socket.socket, unix_path: str = ""
    ) -> None:
        super().__init__(hub, count, name, sock, writes=False)
        self._unix_path = unix_path

    def accept(self) -> socket.socket | None:
        """Return the socket of a connection that waits, or None when none does.

        Raises OSError when it cannot be accepted, for want of descriptors as a rule.
        """
        assert self._socket is not None
        while True:
            try:
                return self._socket.accept()[0]
            except BlockingIOError:
                return None
            except ConnectionAbortedError:
                # It was reset while it stood in the backlog: the next one may be there already.
                continue

    def _read(self, bytes_max: int) -> bytes:
        raise OSError(errno.ENOTCONN, f"{self.name}: it listens and has no bytes to read")

    def _release(self) -> None:
        if self._unix_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._unix_path)
        super()._release()


class FileChannel(Channel):
    """A file, or a device the system cannot watch: every operation takes a kernel thread."""

    kind = "File"

    def __init__(
        self, hub: Hub, count: Counter, name: str, descriptor: int, *, reads: bool, writes: bool
    ) -> None:
        super().__init__(hub, count, name, descriptor, reads=reads, writes=writes)
        self._busy = 0
        self._released = False

    def _read(self, bytes_max: int) -> bytes:
        self._require(self.reads)
        descriptor = self._descriptor
        data = self._run(lambda: os.read(descriptor, bytes_max))
        assert isinstance(data, bytes)
        return data

    def _write(self, views: list[memoryview]) -> int:
        self._require(self.writes)
        descriptor = self._descriptor
        taken = self._run(lambda: os.writev(descriptor, views))
        assert isinstance(taken, int)
        return taken

    def _run(self, operation: Callable[[], object]) -> object:
        """Run it in a kernel thread and wait.

        When the waiting thread is killed the operation goes on, so the descriptor stays open until
        it has ended: closed before, its number could belong to another file.
        """
        self._busy += 1
        operating = self._hub.run_native(contextvars.copy_context(), operation)
        operating.add_done_callback(self._operated)
        try:
            return wait(asyncio.shield(operating))
        except OSError as error:
            raise named_error(self.name, error) from None

    def _operated(self, _operating: asyncio.Future[object]) -> None:
        self._busy -= 1
        if self._released:
            self._release()

    def _watch(self, to_write: bool, callback: Callable[[], object]) -> None:
        # A file is always ready, as it is for select() and poll().
        self._require(self.writes if to_write else self.reads)
        self._hub.loop.call_soon(callback)

    def _shut(self, direction: int) -> None:
        """A file knows no half-closing: the descriptor stays for the other direction."""

    def _release(self) -> None:
        self._released = True
        if not self._busy and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
