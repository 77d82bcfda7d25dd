"""Files as resources: their type, their entity tag, and the answer to one request for them.

Two rules. What a file was is told by one look at it when it was opened (`OpenFile`), never by a
second one. A large file is described, not read: whoever sends it reads the pieces.
"""

from __future__ import annotations

import functools
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass

from apps.http.content.disk import OpenFile
from apps.http.content.resources import Response, error_response
from apps.http.syntax.conditions import FAILED, NOT_MODIFIED, evaluate
from apps.http.syntax.dates import format_date
from apps.http.syntax.etags import EntityTag, file_etag
from apps.http.syntax.fields import Fields
from apps.http.syntax.ranges import (
    UNSATISFIABLE,
    ByteRange,
    MultipartRanges,
    Selection,
    content_range,
    select_ranges,
    unsatisfied_content_range,
)

_TYPES = mimetypes.MimeTypes(())
_MODERN = {
    ".avif": "image/avif",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".shtml": "text/html",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_VARY = "Vary: Accept-Encoding\r\n"
_AS_TEXT = frozenset({"application/json", "application/xml", "image/svg+xml"})

ENDINGS_MAX = 256
"""Endings of names whose types are known at once, at most 300 bytes each; with more, those that
were not asked for lately are looked up anew."""

CONDITIONAL = frozenset(
    "if-match if-none-match if-modified-since if-unmodified-since range".split()
)
"""The fields with which a request may get something else than the whole file."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file without reading it. Times are nanoseconds since 1970."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, file: OpenFile) -> FileFacts:
        """What an open file was when it was opened."""
        return cls(file.inode, file.size, file.modified_ns)

    @property
    def modified(self) -> int:
        """When it was changed, in seconds."""
        return self.modified_ns // 1_000_000_000

    def etag(self, now: float) -> EntityTag:
        """Its entity tag; weak while the file is so young that it may change unseen."""
        return file_etag(self.inode, self.size, self.modified_ns, int(now * 1e9))


def content_type(name: str) -> str:
    """Return the type of a file by the ending of its name; texts are UTF-8.

    >>> content_type("index.html")
    'text/html; charset=utf-8'
    """
    dot = name.rfind(".")
    return _type_of(name[dot:]) if dot >= 0 else _type_of("")


@functools.lru_cache(maxsize=ENDINGS_MAX)
def _type_of(ending: str) -> str:
    ending = ending.lower()
    # The endings of archives are types of their own: what .tar.gz holds is not decoded on the way.
    found = _MODERN.get(ending) or _TYPES.types_map[1].get(ending) or "application/octet-stream"
    textual = found.startswith("text/") or found in _AS_TEXT
    return f"{found}; charset=utf-8" if textual else found


def file_fields(
    kind: str, etag: EntityTag, modified: int, coding: str | None, varies: bool
) -> tuple[tuple[str, str], ...]:
    """Return the fields that describe a file: ``coding`` it is stored in, and whether it varies."""
    fields = [
        ("Content-Type", kind),
        ("ETag", str(etag)),
        ("Last-Modified", format_date(modified)),
        ("Accept-Ranges", "bytes"),
    ]
    if coding is not None:
        fields.append(("Content-Encoding", coding))
    if varies:
        fields.append(("Vary", "Accept-Encoding"))
    return tuple(fields)


def whole_file(data: bytes, kind: str, etag: str, modified: int, varies: bool) -> Response:
    """Return the answer of a whole file with its head written, as `prepare` writes it.

    In a quarter of the time: nothing in this head is anybody's but the server's. ``etag`` is the
    text of its entity tag.
    """
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nETag: {etag}\r\n"
        f"Last-Modified: {format_date(modified)}\r\nAccept-Ranges: bytes\r\n"
        f"{_VARY if varies else ''}Content-Length: {len(data)}\r\n"
    )
    return Response(data, 200, prepared=head.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Selected:
    """What of a file answers a request: the head, and pieces: bytes, or parts to copy from it."""

    status: int
    fields: tuple[tuple[str, str], ...]
    pieces: tuple[bytes | ByteRange, ...]

    @property
    def length(self) -> int:
        """The bytes of all pieces."""
        return sum(
            len(piece) if isinstance(piece, bytes) else piece.length for piece in self.pieces
        )


def select(
    method: str,
    request: Fields,
    size: int,
    described: tuple[tuple[str, str], ...],
    etag: EntityTag,
    modified: int,
    now: float,
    ranges_max: int,
    boundary: Callable[[], str],
) -> Selected | Response:
    """Decide what a request gets of a file: all of it, parts, 304, 412 or 416.

    ``request`` are the fields of the request, ``described`` those of `file_fields`; ``boundary``
    draws the line between several parts. Source: RFC 9110, sections 13 and 14.
    """
    outcome = evaluate(method, request, etag, modified, int(now))
    if outcome is FAILED:
        return error_response(412, "The file is not in the state that was asked for.")
    if outcome is NOT_MODIFIED:
        kept = ("etag", "vary", "last-modified")
        return Response(b"", 304, tuple(pair for pair in described if pair[0].lower() in kept))
    parts = select_ranges(method, request, size, etag, modified, int(now), ranges_max)
    if parts is UNSATISFIABLE:
        where = (("Content-Range", unsatisfied_content_range(size)),)
        return error_response(416, "The file has no such bytes.", where)
    if isinstance(parts, Selection):
        return Selected(200, described, (ByteRange(0, size - 1),) if size else ())
    if len(parts) == 1:
        fields = (*described, ("Content-Range", content_range(parts[0], size)))
        return Selected(206, fields, parts)
    kind = dict(described)["Content-Type"]
    multipart = MultipartRanges(parts, size, kind, boundary())
    others = tuple(pair for pair in described if pair[0] != "Content-Type")
    fields = (("Content-Type", multipart.content_type), *others)
    return Selected(206, fields, tuple(multipart.pieces()))


def from_memory(selected: Selected, data: bytes) -> Response:
    """Return the answer for a file whose bytes are at hand."""
    body = b"".join(
        piece if isinstance(piece, bytes) else data[piece.first : piece.last + 1]
        for piece in selected.pieces
    )
    return Response(body, selected.status, selected.fields)
