"""What a form brought, as its handler gets it: values, and files that are read or kept.

All of it is records, so the handler may live on another node; the bytes of a large file stay where
they came in until somebody reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import vista
from apps.http.errors import RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.forms import (
    FORM_END,
    NEED_DATA,
    FormValues,
    MultipartReader,
    PartData,
    PartStart,
    parse_urlencoded,
)
from apps.http.syntax.limits import HttpLimits

PIECE_BYTES = 262_144
"""Bytes of a file that are read at a time unless something else is said."""
MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"


@vista.record
@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that a client sent; it is gone when the request is over, unless somebody keeps it.

    ``name`` is that of the form's field, ``filename`` and ``content_type`` are what the client says
    of it: never open a file of that name, and never believe that type. ``size`` is in bytes. Small
    files come along as ``data``; of others ``source`` is the object that has them.
    """

    name: str
    filename: str
    content_type: str
    size: int
    data: bytes | None = None
    source: Any = None

    def pieces(self, maximum: int = PIECE_BYTES) -> Iterator[bytes]:
        """Return the bytes piece by piece, ``maximum`` at most at a time, from the beginning."""
        if self.data is not None:
            for start in range(0, self.size, maximum):
                yield self.data[start : start + maximum]
            return
        for start in range(0, self.size, maximum):
            piece: bytes = self.source.read_at(start, min(maximum, self.size - start))
            yield piece

    def read(self) -> bytes:
        """Return all bytes at once; for files whose size you have looked at."""
        return b"".join(self.pieces())

    def keep(self, name: str, replace: bool = False) -> str:
        """Keep the file as ``name`` in the site's directory for kept uploads; return its path.

        That is one on the machine of the node that serves the site, where the file is safely on
        the disk when this returns. Raises `FileExistsError` if there is one, unless ``replace``,
        and `vista.BadValueError` for a name that leads elsewhere.
        """
        kept: str
        if self.data is not None:
            kept = self.source.keep_bytes(self.data, name, replace)
        else:
            kept = self.source.keep(name, replace)
        return kept


class Form(FormValues):
    """What a form brought: values by name, as in `FormValues`, and files by name."""

    __slots__ = ("_files",)

    def __init__(
        self, pairs: tuple[tuple[str, str], ...], files: tuple[UploadedFile, ...] = ()
    ) -> None:
        super().__init__(pairs)
        self._files = files

    def file(self, name: str) -> UploadedFile | None:
        """Return the first file of a field, None if there is none."""
        return next((file for file in self._files if file.name == name), None)

    def files(self, name: str | None = None) -> tuple[UploadedFile, ...]:
        """Return the files of a field, or all of them, in the order sent."""
        return tuple(file for file in self._files if name in (None, file.name))


def form_of(parts: Iterable[Any]) -> Form:
    """Return the form of parts: (name, value) pairs and `UploadedFile` records."""
    values, files = [], []
    for part in parts:
        if isinstance(part, UploadedFile):
            files.append(part)
        else:
            values.append((part[0], part[1]))
    return Form(tuple(values), tuple(files))


def parse_form(content_type: str, body: bytes, uploads: Any) -> Form:
    """Return what a form holds that is in memory as a whole; ``uploads`` keeps its files.

    Raises `RequestRejected`: 415 for what is no form, 400 for one that is malformed, 413 for one
    with too many fields. Raised by a handler, that is what the client gets.
    """
    kind = media_type(content_type)
    if kind == URLENCODED:
        return Form(parse_urlencoded(body, HttpLimits()).items())
    if kind != MULTIPART:
        raise RequestRejected(415, f"a form is sent as {URLENCODED} or {MULTIPART}")
    reader = MultipartReader(content_type, HttpLimits())
    reader.receive(body)
    reader.receive(b"")
    parts: list[Any] = []
    start: PartStart | None = None
    data: list[bytes] = []
    while (event := reader.next_event()) is not FORM_END:
        if isinstance(event, PartStart):
            start, data = event, []
        elif isinstance(event, PartData):
            data.append(event.data)
        elif start is not None and event is not NEED_DATA:
            parts += _part(start, b"".join(data), uploads)
    return form_of(parts)


def media_type(content_type: str) -> str:
    """Return the type itself, in lower case and without its parameters."""
    return content_type.partition(";")[0].strip(" \t").lower()


def content_type_of(fields: Fields) -> str:
    """Return what the fields of a request say of its body's type."""
    return fields.get("content-type") or ""


def _part(start: PartStart, data: bytes, uploads: Any) -> list[Any]:
    if start.filename is None:
        return [(start.name, data.decode("utf-8", "replace"))]
    if not start.filename and not data:
        return []  # a field for a file, into which nobody put one
    kind = start.content_type
    return [UploadedFile(start.name, start.filename, kind, len(data), data, uploads)]
