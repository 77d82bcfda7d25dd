"""One file as its object is given it, and large files that are sent piece by piece."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import vista
from apps.http.content.disk import OpenFile
from apps.http.content.files import FileFacts
from apps.http.content.paths import CODINGS, Refusal, Roots, refusal_of, resolve
from apps.http.content.resources import Response, error_response
from apps.http.errors import FileChanged

_log = logging.getLogger("vista.http")

CACHED_FILE_BYTES_MAX = 1024 * 1024
"""Bytes of a file that is kept in memory; larger ones are read for each request."""

UNREAD_SECONDS = 3_600.0
"""How long nobody reads a body until it is closed: who sends it deletes it, unless that node is
lost. Clients that take nothing are dropped after a small part of that (``write_idle_seconds``)."""


@vista.record
@dataclass(frozen=True, slots=True)
class FileData:
    """A file when it was looked at; ``data`` is None for one that is too large to keep.

    ``directories``, ``index_names``, ``hidden`` and ``closed`` are those of the loader,
    ``segments`` its path below them, ``name`` the one by whose ending its type is known.
    """

    directories: tuple[str, ...]
    index_names: tuple[str, ...]
    hidden: bool
    segments: tuple[str, ...]
    name: str
    root: str
    inode: int
    size: int
    modified_ns: int
    data: bytes | None
    closed: tuple[tuple[str, ...], ...] = ()

    @property
    def facts(self) -> FileFacts:
        """What the file was."""
        return FileFacts(self.inode, self.size, self.modified_ns)

    def roots(self) -> Roots:
        """Return where the file was found."""
        return Roots(self.directories, self.index_names, self.hidden, closed=self.closed)


def file_data(
    roots: Roots, segments: tuple[str, ...], file: OpenFile, known: FileData | None = None
) -> FileData:
    """Return what an open file holds. It is not read again if it is still the one ``known``."""
    facts = FileFacts.of(file)
    if known is not None and known.facts == facts:
        return known
    data = read_whole(file) if file.size <= CACHED_FILE_BYTES_MAX else None
    return FileData(
        tuple(roots.directories), tuple(roots.index_names), roots.hidden, segments,
        file.index or segments[-1], file.root, file.inode, file.size, file.modified_ns, data,
        roots.closed,
    )  # fmt: skip


def read_whole(file: OpenFile) -> bytes:
    """Return the bytes of an open file; what is not in memory is read aside of the loop.

    Raises `FileChanged` when the file has become shorter than it was, OSError when the disk fails.
    """
    data = file.read_ready(0, file.size)
    if data is not None:
        return data
    reader = vista.create(HTTPfileReader, os.dup(file.fileno()))
    try:
        read: bytes = reader.read(file.size)
    finally:
        vista.post(reader, "delete_yourself")
    if len(read) < file.size:
        raise FileChanged(f"the file ends at {len(read)} where it had {file.size} bytes")
    return read


def has_forms(root: str, segments: tuple[str, ...]) -> bool:
    """Tell whether precompressed forms of a file seem to lie beside it.

    A look at the names, which costs 1 us each, before the walk that is safe, which costs 30. By
    access(), which raises nothing for names that cannot be: these may be too long.
    """
    name = "/".join((root, *segments))
    return any(os.access(name + ending, os.F_OK) for _, ending in CODINGS)


class HTTPfileReader(vista.Object, namespace="HTTP"):
    """Reads one file in a kernel thread, while the node goes on.

    ``create(descriptor)``: the number of a file that is open for reading, which the object owns
    from here.
    """

    def create(self, descriptor: int) -> None:
        """Take the file over."""
        self._descriptor = descriptor

    def delete(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    # Not preemptable: were the file closed meanwhile, its number could be that of another one.
    @vista.native
    def read(self, count: int) -> bytes:
        """Return the first ``count`` bytes, fewer only where the file ends."""
        pieces, left = [], count
        while left and (piece := os.pread(self._descriptor, left, count - left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


def refused(refusal: Refusal, path: str) -> Response:
    """Return the answer for an address that leads to no file."""
    if refusal is not Refusal.WITHOUT_SLASH:
        retry = (("Retry-After", "1"),) if refusal.status == 503 else ()
        text = _EXPLAINED.get(refusal) or _EXPLAINED[refusal.status]
        return error_response(refusal.status, text, retry)
    # With two slashes at its beginning it would name another host.
    location = "/" + quote(path.strip("/")) + "/"
    where = (("Location", location),)
    return error_response(301, "The address of a directory ends with a slash.", where)


def failed(error: OSError, path: str) -> Response:
    """Return the answer for a file that the disk did not give; why not is in the log."""
    _log.error("%s: %s", path, error)
    return refused(refusal_of(error), path)


_EXPLAINED: dict[object, str] = {
    Refusal.BEING_CHANGED: "The file is being changed.",
    403: "This file may not be read.",
    404: "There is nothing at this address.",
    500: "The file cannot be read.",
    503: "The server is too busy to open the file.",
}


class HTTPfileBody(vista.Object, namespace="HTTP"):
    """The body of one answer out of a large file, read piece by piece; after an IOobject.

    ``create(file, pieces)``: ``file`` is a `FileData`; ``pieces`` are bytes, sent as they are, and
    (first byte, number of bytes) of the file. Raises `FileChanged` when the file is another one.
    It deletes itself when it was not read for an hour.
    """

    def create(self, file: FileData, pieces: tuple[Any, ...]) -> None:
        """Open the file."""
        self._file: OpenFile | None = None
        found = resolve(file.roots(), file.segments)
        if isinstance(found, Refusal):
            raise FileChanged(found.explain)
        self._file = found
        if FileFacts.of(found) != file.facts:
            found.close()
            raise FileChanged("the file was replaced")
        self._left = list(pieces)[::-1]
        self._loop = asyncio.get_running_loop()
        # What the loop calls runs in this context, which may post.
        self._context = contextvars.copy_context()
        self._read_at = self._loop.time()
        self._timer = self._await_reader(UNREAD_SECONDS)

    def delete(self) -> None:
        """Close the file."""
        self._timer.cancel()
        if self._file is not None:
            self._file.close()

    def _await_reader(self, seconds: float) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, self._look, context=self._context)

    def _look(self) -> None:
        left = self._read_at + UNREAD_SECONDS - self._loop.time()
        if left > 0:
            self._timer = self._await_reader(left)
        else:
            vista.self_ref(self).delete_yourself.post()

    def read_bytes(self, maximum: int) -> bytes:
        """Return the next bytes, ``maximum`` at most; none at the end.

        Raises `FileChanged` when the file was truncated meanwhile, OSError when the disk fails.
        """
        if not self._left or self._file is None:
            return b""
        self._read_at = self._loop.time()
        piece = self._left.pop()
        if isinstance(piece, bytes):
            return piece
        first, count = piece
        ready = self._file.read_ready(first, min(count, maximum))
        data: bytes = ready if ready is not None else self._read_aside(first, min(count, maximum))
        if count > len(data):
            self._left.append((first + len(data), count - len(data)))
        return data

    def _read_aside(self, first: int, count: int) -> bytes:
        data: bytes = vista.self_ref(self).read_from_disk(first, count)
        return data

    @vista.native
    def read_from_disk(self, first: int, count: int) -> bytes:
        """Read and wait for the disk; the object sends it to itself."""
        return b"" if self._file is None else self._file.read(first, count)
