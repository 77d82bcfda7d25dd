"""What clients send that is too large for memory: files on the disk until a page keeps them."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import vista
from apps.http.content.uploads import (
    PIECE_BYTES,
    SpoolFile,
    clean_directory,
    kept_path,
    prepare_directory,
)
from apps.http.objects.profile import Profile

_log = logging.getLogger("vista.http")

UPLOAD_BYTES_MAX = 1024 * 1024 * 1024
"""Bytes of files that are being sent to a site, unless its profile says otherwise."""
KEPT = "kept"
"""The directory below that of the uploads for those that are kept, if nothing else is said."""


def service_of(site: str) -> str:
    """Return the service name of the uploads of a site."""
    return f"HTTPuploads:{site}"


class HTTPuploads(vista.Object, namespace="HTTP"):
    """Where a site puts what is sent to it; the service ``HTTPuploads:SITE``.

    `HTTPdaemon` makes it. ``create(site, directory, bytes_max, kept_directory)``: ``directory`` is
    made when it is needed first; what an earlier process left there is removed at the start.
    ``bytes_max`` bounds the bytes of all files together that are being sent or looked at.
    """

    def create(
        self,
        site: str,
        directory: str,
        bytes_max: int = UPLOAD_BYTES_MAX,
        kept_directory: str = "",
    ) -> None:
        """Register the service; the directory is cleaned aside."""
        self.site = site
        self.directory = directory
        self.kept_directory = kept_directory or str(Path(directory, KEPT))
        self.bytes_max = bytes_max
        self.bytes = 0
        vista.register_service(service_of(site), vista.self_ref(self))
        if Path(directory).is_dir():
            vista.self_ref(self).clean.post()

    @vista.native
    @vista.preemptable
    def clean(self) -> int:
        """Remove what processes left behind that ended; return how many files there were."""
        try:
            prepare_directory(Path(self.directory))
        except OSError as error:
            _log.warning("%s: not cleaned: %s", self.directory, error)
            return 0
        removed = clean_directory(Path(self.directory))
        if removed:
            _log.info("%s: files of broken uploads removed: %d", self.directory, removed)
        return removed

    def open_upload(self) -> vista.Ref:
        """Return an `HTTPupload` to write to. Raises OSError when the disk does not take it."""
        made: vista.Ref = vista.create(HTTPupload, vista.self_ref(self))
        try:
            made.open(self.directory, self.kept_directory)
        except BaseException:
            vista.post(made, "delete_yourself")
            raise
        return made

    def reserve(self, count: int) -> bool:
        """Take room for ``count`` bytes; return whether there is so much left."""
        if self.bytes + count > self.bytes_max:
            return False
        self.bytes += count
        return True

    def release(self, count: int) -> None:
        """Give room back."""
        self.bytes -= count

    def get_bytes(self) -> int:
        """Return how many bytes are being sent or looked at."""
        return self.bytes

    @vista.native
    @vista.preemptable
    def keep_bytes(self, data: bytes, name: str, replace: bool = False) -> str:
        """Keep a small file; see `HTTPupload.keep`."""
        prepare_directory(Path(self.directory))
        place = _kept_path(self.kept_directory, name)
        file = SpoolFile(Path(self.directory))
        try:
            file.write(data)
            file.keep(place, replace)
        finally:
            file.close()
        return str(place)


class HTTPupload(vista.Object, namespace="HTTP"):
    """One file that a client sends, or sent: it is gone with its request unless somebody keeps it.

    `HTTPuploads` makes it. What waits for the disk does so in a kernel thread; nothing else of the
    node waits with it.
    """

    def create(self, uploads: vista.Ref) -> None:
        """Stand for a file; `open` makes it."""
        self.uploads = uploads
        self.reserved = 0
        self.kept_directory = ""
        self._file: SpoolFile | None = None

    def delete(self) -> None:
        """Remove the file, unless it was kept."""
        if self._file is not None:
            self._file.close()
        if self.reserved:
            # In flight and not waited for: the uploads may be gone, which is nobody's mistake.
            vista.future(self.uploads, "release", self.reserved)

    @vista.native
    def open(self, directory: str, kept_directory: str) -> None:
        """Make the file; `HTTPuploads` sends it."""
        prepare_directory(Path(directory))
        self.kept_directory = kept_directory
        self._file = SpoolFile(Path(directory))

    def write_bytes(self, data: bytes) -> bool:
        """Add bytes at the end; return whether there was room for them.

        Raises OSError when the disk does not take them.
        """
        if not self.uploads.reserve(len(data)):
            return False
        self.reserved += len(data)
        vista.self_ref(self).write_to_disk(data)
        return True

    # Not preemptable: were the file closed meanwhile, its number could be that of another one.
    @vista.native
    def write_to_disk(self, data: bytes) -> None:
        """Write; the file sends it to itself, in the turn of `write_bytes`."""
        self._opened().write(data)

    @vista.native
    def read_at(self, start: int, count: int) -> bytes:
        """Return up to ``count`` bytes from position ``start``; none at the end."""
        return self._opened().read(start, min(count, 4 * PIECE_BYTES))

    def get_size(self) -> int:
        """Return how many bytes there are."""
        return 0 if self._file is None else self._file.size

    @vista.native
    def keep(self, name: str, replace: bool = False) -> str:
        """Keep the file as ``name`` below the site's directory for kept uploads; return its path.

        It can no longer be read here. Raises `FileExistsError` if there is one, unless ``replace``,
        `vista.BadValueError` for a name that leads elsewhere, OSError when the disk fails.
        """
        file, place = self._opened(), _kept_path(self.kept_directory, name)
        file.keep(place, replace)
        self._file = None
        return str(place)

    def _opened(self) -> SpoolFile:
        if self._file is None:
            raise vista.BadValueError("this upload was kept or is not open; read it before")
        return self._file


def uploads_directory(profile: Profile) -> str:
    """Return where a profile has uploads put: ``uploads``, else where temporary files are."""
    named = profile.paths("uploads")
    return named[0] if named else str(Path(tempfile.gettempdir(), f"vista-uploads-{os.geteuid()}"))


def status_of(error: Any) -> int:
    """Return the status that fits what became of an upload: 507 for a full disk, 503 for one that
    is slow and for too many open files, 500 for what else a disk has against it."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return 507
    busy = number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    return 503 if busy or isinstance(error, vista.CallTimeout | vista.Overloaded) else 500


def _kept_path(directory: str, name: str) -> Path:
    try:
        return kept_path(Path(directory), name)
    except ValueError as error:
        raise vista.BadValueError(str(error)) from None
