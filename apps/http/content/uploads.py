"""The files of what clients send, until somebody keeps them.

Each lies in one directory under a name of its own and is locked by the process that writes it. A
lock goes with its process, however that ends, so what is not locked is left over and can go. All of
this waits for the disk and belongs into a kernel thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

NAME_START = "upload-"
"""How the names of files begin that somebody is sending."""
PIECE_BYTES = 262_144
"""Bytes that are read or copied at a time."""
NAMES_MAX = 100_000
"""Names of a directory that are looked at when it is cleaned: the rest waits for the next start."""

_KEPT_NAME_BYTES_MAX = 255
_TRIES = 16


class SpoolFile:
    """A file that is being sent. It is gone when it is closed, unless `keep` was called."""

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self._directory = directory
        self._path, self._descriptor = _made(directory)

    def write(self, data: bytes) -> None:
        """Add bytes at the end. Raises OSError, after which the file holds what it held before."""
        start = self.size
        view = memoryview(data)
        try:
            while view:
                view = view[os.pwrite(self._descriptor, view, start + len(data) - len(view)) :]
        except OSError:
            # Half a piece would be room that nobody counts.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, start)
            raise
        self.size += len(data)

    def read(self, start: int, count: int) -> bytes:
        """Return up to ``count`` bytes from position ``start``; none at the end."""
        return os.pread(self._descriptor, count, start)

    def keep(self, place: Path, replace: bool) -> None:
        """Give the file a name of its own; it is on the disk when this returns, and stays.

        Raises `FileExistsError` when there is such a file, unless ``replace``.
        """
        os.fsync(self._descriptor)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if replace:
                self._path.replace(place)
            else:
                # A link fails where a file is, which a rename replaces.
                os.link(self._path, place, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM):
                raise
            self._copy(place, replace)
        _sync_directory(place.parent)
        self.close()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # Before the lock goes, or another process might clean it away meanwhile.
            self._path.unlink(missing_ok=True)
            os.close(descriptor)

    def _copy(self, place: Path, replace: bool) -> None:
        """Keep the file on another file system; under its name it is whole or not there."""
        made = place.with_name(f".{secrets.token_hex(8)}")
        try:
            with self._path.open("rb") as source, made.open("xb") as target:
                os.chmod(target.fileno(), 0o600)
                shutil.copyfileobj(source, target, PIECE_BYTES)
                target.flush()
                os.fsync(target.fileno())
            if replace:
                made.replace(place)
            else:
                os.link(made, place, follow_symlinks=False)
        finally:
            made.unlink(missing_ok=True)


def prepare_directory(directory: Path) -> None:
    """Make the directory if it is not there. Raises OSError when it cannot be used.

    In a directory that all may write, such as ``/tmp``, another user might have made it, to read
    what comes or to have it written elsewhere.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        text = "uploads need a directory of this user's own"
        raise PermissionError(errno.EPERM, text, str(directory))


def clean_directory(directory: Path) -> int:
    """Remove the files that no process is writing, and return how many there were."""
    removed = 0
    for path in _left_over(directory):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue  # gone, or no file of ours
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            removed += 1
        except OSError:
            continue  # somebody writes it
        finally:
            os.close(descriptor)
    return removed


def kept_path(directory: Path, name: str) -> Path:
    """Return where a file of this name is kept. Raises ValueError for what is no plain name.

    Names are often those that a client sent.
    """
    parts = name.split("/")
    for part in parts:
        plain = part.isprintable() and not part.startswith(".") and "\\" not in part
        if not part or not plain or len(part.encode()) > _KEPT_NAME_BYTES_MAX:
            raise ValueError(
                f"a kept file has a plain name, without a dot at its beginning, or several with / "
                f"between them; not {name!r}"
            )
    return directory.joinpath(*parts)


def _left_over(directory: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(directory) as found:
        for count, entry in enumerate(found):
            if count >= NAMES_MAX:
                return
            if entry.name.startswith(NAME_START):
                yield directory / entry.name


def _made(directory: Path) -> tuple[Path, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_TRIES):
        path = directory / f"{NAME_START}{secrets.token_hex(16)}"
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
        except BlockingIOError:
            pass
        except BaseException:  # such as a file system that knows no locks
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        # Between the two lines somebody has cleaned it away.
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "the directory of uploads is cleaned all the time", str(directory))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
