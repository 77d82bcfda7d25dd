"""The body of one request while it comes: in memory, and on the disk when there is too much of it.

A connection, or a stream of one, has a `RequestBody` from the first piece of a body until its
request is answered or breaks off. Two rules. What is held in memory is bounded whatever comes. A
form is read while it comes, so each of its files is a file of its own.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import Any, Protocol

import vista
from apps.http.content.forms import MULTIPART, UploadedFile, content_type_of, media_type
from apps.http.content.resources import Response
from apps.http.errors import RequestRejected
from apps.http.objects.answering import Answering
from apps.http.objects.uploads import service_of, status_of
from apps.http.syntax.fields import Fields
from apps.http.syntax.forms import (
    FORM_END,
    NEED_DATA,
    PART_END,
    MultipartReader,
    PartData,
    PartStart,
)
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.requests import RequestHead

_log = logging.getLogger("vista.http")

WRITE_BYTES = 262_144
"""Bytes of a file that are gathered before they are written: a write aside takes 50 us of CPU."""


class _Sink(Protocol):
    """Takes the pieces of a body that is too large for memory."""

    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None: ...


class RequestBody:
    """Takes the body of one request, piece by piece; ``answering`` will answer it.

    `append` returns the answer that ends the request, if it may not go on. Then, `take` gives what
    has come; `close` is called when the request is answered or breaks off, and removes every file
    that nobody kept.
    """

    __slots__ = ("_answering", "_head", "_held", "_limits", "_sink", "trailers")

    def __init__(self, answering: Answering, limits: HttpLimits, head: RequestHead) -> None:
        self._answering = answering
        self._limits = limits
        self._head = head
        # One text and no list of pieces: of a body in chunks of one byte each would take 42.
        self._held = bytearray()
        self._sink: Any = None
        self.trailers = Fields()
        """The fields that followed the body."""

    def append(self, data: bytes) -> Response | None:
        """Take a piece. It may wait for the disk. Returns None, or the answer to give at once."""
        if self._sink is None:
            self._held += data
            if len(self._held) <= self._limits.body_memory_bytes_max:
                return None
            refused = self._answering.look_ahead(self._head)
            if refused is not None:
                return refused
            data, self._held = bytes(self._held), bytearray()
        try:
            if self._sink is None:
                self._sink = self._make_sink()
            self._sink.write(data)
        except RequestRejected as fault:
            return self._answering.error(fault.status, fault.explain)
        except (OSError, vista.VistaError) as error:
            return self._failed(error)
        return None

    def end(self, trailers: Fields) -> Response | None:
        """Take the end of the body and the fields behind it. Returns as `append` does."""
        self.trailers = trailers
        if self._sink is None:
            return None
        try:
            self._sink.end()
        except RequestRejected as fault:
            return self._answering.error(fault.status, fault.explain)
        except (OSError, vista.VistaError) as error:
            return self._failed(error)
        return None

    def whole(self) -> bytes:
        """Return the body if it is in memory, else ``b""``."""
        return bytes(self._held)

    @property
    def uploads(self) -> vista.Ref | None:
        """What keeps the files of a form that is in memory; None for anything else."""
        kind = media_type(content_type_of(self._head.fields))
        if kind != MULTIPART or self._sink is not None:
            return None
        with contextlib.suppress(vista.NoSuchService):
            return self._uploads()
        return None

    @property
    def is_on_disk(self) -> bool:
        """Whether the body was too large for memory."""
        return self._sink is not None

    @property
    def upload(self) -> UploadedFile | None:
        """The body as a file, if it is on the disk and no form."""
        return self._sink.upload if isinstance(self._sink, _FileSink) else None

    @property
    def parts(self) -> tuple[Any, ...]:
        """The parts of a form that was read while it came."""
        return tuple(self._sink.parts) if isinstance(self._sink, _FormSink) else ()

    def close(self) -> None:
        """Have the files go that nobody kept."""
        self._answering.forget(self._head)
        if self._sink is not None:
            self._sink.close()

    def _uploads(self) -> vista.Ref:
        return vista.service(service_of(self._answering.site_of(self._head)))

    def _make_sink(self) -> _Sink:
        content_type = content_type_of(self._head.fields)
        uploads = _Uploads(self._uploads())
        if media_type(content_type) == MULTIPART:
            return _FormSink(uploads, content_type, self._limits)
        return _FileSink(uploads, content_type)

    def _failed(self, error: Exception) -> Response:
        status = status_of(error)
        _log.error("what was sent cannot be put on the disk: %r", error)
        return self._answering.error(status, "There is no room for what was sent.")


class _Uploads:
    """The uploads of a site, and the files that one request has there."""

    def __init__(self, uploads: vista.Ref) -> None:
        self.uploads = uploads
        self._open: list[vista.Ref] = []

    def open(self) -> vista.Ref:
        made: vista.Ref = self.uploads.open_upload()
        self._open.append(made)
        return made

    def write(self, upload: vista.Ref, data: bytes) -> None:
        """Write. Raises `RequestRejected` with 507 when all uploads together are too large."""
        if data and not upload.write_bytes(data):
            raise RequestRejected(507, "Too much is being sent at the same time.")

    def close(self) -> None:
        for upload in self._open:
            # In flight and not waited for: it goes by itself when it is kept.
            vista.future(upload, "delete_yourself")
        self._open = []


class _Gathered:
    """A file on the disk, written to in pieces that are worth it."""

    def __init__(self, uploads: _Uploads) -> None:
        self._uploads = uploads
        self.upload = uploads.open()
        self.size = 0
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        self._held += data
        self.size += len(data)
        if len(self._held) >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        data, self._held = bytes(self._held), bytearray()
        self._uploads.write(self.upload, data)


class _FileSink:
    """A body that is one file."""

    def __init__(self, uploads: _Uploads, content_type: str) -> None:
        self._uploads = uploads
        self._type = content_type
        self._file = _Gathered(uploads)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def end(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._uploads.close()

    @property
    def upload(self) -> UploadedFile:
        """The body as its handler gets it."""
        file = self._file
        return UploadedFile("", "", self._type, file.size, None, file.upload)


class _FormSink:
    """A form that is read while it comes: values in memory, files too as long as they are small."""

    def __init__(self, uploads: _Uploads, content_type: str, limits: HttpLimits) -> None:
        self._uploads = uploads
        self._limits = limits
        self._reader = MultipartReader(content_type, limits)
        self._start: PartStart | None = None
        self._held = bytearray()
        self._file: _Gathered | None = None
        self._values = self._memory = 0
        self._files = 0
        self.parts: list[Any] = []

    def write(self, data: bytes) -> None:
        self._reader.receive(data)
        self._read()

    def end(self) -> None:
        self._reader.receive(b"")
        self._read()

    def close(self) -> None:
        self._uploads.close()

    def _read(self) -> None:
        while (event := self._reader.next_event()) is not NEED_DATA and event is not FORM_END:
            if isinstance(event, PartStart):
                self._start, self._held, self._file = event, bytearray(), None
            elif isinstance(event, PartData):
                self._take(event.data)
            elif event is PART_END:
                self._end_part()

    def _take(self, data: bytes) -> None:
        assert self._start is not None, "data belong to a part"
        if self._file is not None:
            self._file.write(data)
            return
        self._held += data
        if self._start.filename is None:
            self._values += len(data)
            most = self._limits.urlencoded_bytes_max
            if self._values > most:
                raise RequestRejected(413, f"the values of the form have more than {most} bytes")
            return
        self._memory += len(data)
        if self._memory > self._limits.form_memory_bytes_max:
            self._move_to_disk()

    def _move_to_disk(self) -> None:
        """Go on with a file on the disk, as soon as all in memory together are too large."""
        self._files += 1
        if self._files > self._limits.form_files_max:
            most = self._limits.form_files_max
            raise RequestRejected(413, f"the form has more than {most} large files")
        self._file = _Gathered(self._uploads)
        self._memory -= len(self._held)
        data, self._held = bytes(self._held), bytearray()
        self._file.write(data)

    def _end_part(self) -> None:
        start, data = self._start, bytes(self._held)
        assert start is not None, "a part that ends has begun"
        if start.filename is None:
            self.parts.append((start.name, data.decode("utf-8", "replace")))
            return
        if not start.filename and not data and self._file is None:
            return  # a field for a file, into which nobody put one
        kind, uploads = start.content_type, self._uploads.uploads
        made = UploadedFile(start.name, start.filename, kind, len(data), data, uploads)
        if self._file is not None:
            self._file.flush()
            made = replace(made, size=self._file.size, data=None, source=self._file.upload)
        self.parts.append(made)
