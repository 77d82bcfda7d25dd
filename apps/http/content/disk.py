"""What a walk asks of the disk, and a file that it has opened.

Two rules. Names are always those below a directory that is held open; no link is followed. A file
is what it was when it was opened: one look at it then, and none later.
"""

from __future__ import annotations

import errno
import os
import time
from types import TracebackType

from apps.http.errors import FileChanged

_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)
_CANNOT_TELL = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Disk:
    """What a walk asks of the disk. Tests put another in its place, which changes files between."""

    def status(self, name: str, directory: int) -> os.stat_result:
        """Look at a name below an open directory, without following a link."""
        return os.stat(name, dir_fd=directory, follow_symlinks=False)

    def open(self, name: str, flags: int, directory: int | None = None) -> int:
        """Open a name below an open directory and return the descriptor."""
        return os.open(name, flags, dir_fd=directory)

    def state(self, directory: int) -> tuple[int, int, int]:
        """Return which one an open directory is, and when it or anything in it was changed."""
        found = os.fstat(directory)
        return found.st_dev, found.st_ino, found.st_ctime_ns

    def now_ns(self) -> int:
        """Return the time by which the disk notes changes, in nanoseconds since 1970."""
        return time.time_ns()

    def has(self, name: str, directory: int) -> bool:
        """Tell whether a name below an open directory is there and can be looked at.

        What `status` finds out, without the error that says why not, which takes 8 us.
        """
        return os.access(name, os.F_OK, dir_fd=directory, effective_ids=True, follow_symlinks=False)

    def read_link(self, name: str, directory: int) -> str:
        """Return where a symbolic link leads."""
        return os.readlink(name, dir_fd=directory)

    def names(self, directory: int) -> list[str]:
        """Return the names in an open directory."""
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)


class OpenFile:
    """A regular file that is open for reading, and what it was when it was opened.

    A file that is replaced meanwhile is read on as it was: the descriptor stays with it. A file
    that is changed in place may give bytes of both states; one that is truncated raises
    `FileChanged` where its bytes end, since a length that was announced can no longer be kept. Use
    it in a ``with`` statement or call `close`.
    """

    __slots__ = ("_descriptor", "index", "inode", "modified_ns", "root", "size")

    def __init__(
        self, descriptor: int, found: os.stat_result, root: str, index: str | None
    ) -> None:
        self._descriptor = descriptor
        self.size = found.st_size
        """Bytes it had."""
        self.modified_ns = found.st_mtime_ns
        """When it was changed, in nanoseconds since 1970."""
        self.inode = found.st_ino
        """Its number on the file system, for its entity tag."""
        self.root = root
        """The root it was found in, as given."""
        self.index = index
        """The index name that stood for its directory; None when it was named itself."""

    def read(self, start: int, count: int) -> bytes:
        """Return ``count`` bytes from position ``start``, fewer only where the announced size ends.

        Waits for the disk. Raises `FileChanged` when the file has become shorter than it was, and
        `OSError` when the disk fails.
        """
        count = min(count, self.size - start)
        pieces: list[bytes] = []
        while count > 0:
            piece = os.pread(self._descriptor, count, start)
            if not piece:
                raise FileChanged(f"the file ends at {start} where it had {self.size} bytes")
            pieces.append(piece)
            start += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_ready(self, start: int, count: int) -> bytes | None:
        """Return what `read` does if the system has it in memory; None if the disk must be waited
        for.

        Raises as `read` does. Where the system cannot tell, it is read and waited for.
        """
        count = min(count, self.size - start)
        if count <= 0:
            return b""
        buffer = bytearray(count)
        try:
            got = os.preadv(self._descriptor, (buffer,), start, _NO_WAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _CANNOT_TELL:
                raise
            return self.read(start, count)
        if got == count:
            return bytes(buffer)
        # The rest is on the disk, or nowhere: the one as the other is found out by reading on.
        return None

    def fileno(self) -> int:
        """Return the descriptor, which stays this object's to close."""
        return self._descriptor

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
