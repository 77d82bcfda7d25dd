"""One file as its object is given it, and large files that are sent piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import vista
from apps.http.content.files import FileFacts
from apps.http.content.paths import OpenFile, Refusal, Roots, resolve
from apps.http.content.resources import Response, error_response
from apps.http.errors import FileChanged

CACHED_FILE_BYTES_MAX = 1024 * 1024
"""Bytes of a file that is kept in memory; larger ones are read for each request."""


@vista.record
@dataclass(frozen=True, slots=True)
class FileData:
    """A file when it was looked at; ``data`` is None for one that is too large to keep.

    ``directories``, ``index_names`` and ``hidden`` are those of the loader, ``segments`` its path
    below them, ``name`` the one by whose ending its type is known.
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

    @property
    def facts(self) -> FileFacts:
        """What the file was."""
        return FileFacts(self.inode, self.size, self.modified_ns)

    def roots(self) -> Roots:
        """Return where the file was found."""
        return Roots(self.directories, self.index_names, self.hidden)


def file_data(
    roots: Roots, segments: tuple[str, ...], file: OpenFile, known: FileData | None = None
) -> FileData:
    """Return what an open file holds. It is not read again if it is still the one ``known``."""
    facts = FileFacts.of(file)
    if known is not None and known.facts == facts:
        return known
    data = file.read(0, file.size) if file.size <= CACHED_FILE_BYTES_MAX else None
    return FileData(
        tuple(roots.directories), tuple(roots.index_names), roots.hidden, segments,
        file.index or segments[-1], file.root, file.inode, file.size, file.modified_ns, data,
    )  # fmt: skip


def refused(refusal: Refusal, path: str) -> Response:
    """Return the answer for an address that leads to no file."""
    if refusal is not Refusal.WITHOUT_SLASH:
        retry = (("Retry-After", "1"),) if refusal.status == 503 else ()
        return error_response(refusal.status, _EXPLAINED[refusal.status], retry)
    # With two slashes at its beginning it would name another host.
    location = "/" + quote(path.strip("/")) + "/"
    where = (("Location", location),)
    return error_response(301, "The address of a directory ends with a slash.", where)


_EXPLAINED = {
    403: "This file may not be read.",
    404: "There is nothing at this address.",
    500: "The file cannot be read.",
    503: "The server is too busy to open the file.",
}


class HTTPfileBody(vista.Object, namespace="HTTP"):
    """The body of one answer out of a large file, read piece by piece; after an IOobject.

    ``create(file, pieces)``: ``file`` is a `FileData`; ``pieces`` are bytes, sent as they are, and
    (first byte, number of bytes) of the file. Raises `FileChanged` when the file is another one.
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

    def delete(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def read_bytes(self, maximum: int) -> bytes:
        """Return the next bytes, ``maximum`` at most; none at the end.

        Raises `FileChanged` when the file was truncated meanwhile, OSError when the disk fails.
        """
        if not self._left or self._file is None:
            return b""
        piece = self._left.pop()
        if isinstance(piece, bytes):
            return piece
        first, count = piece
        data = self._file.read(first, min(count, maximum))
        if count > len(data):
            self._left.append((first + len(data), count - len(data)))
        return data
