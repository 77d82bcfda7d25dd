"""The identity of a node that outlives its process.

Its Ids must never be given again, so serial numbers are taken in blocks: the end of a block is on
the disk before the first number of it is given. What a process did not use of its block is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from vista.errors import StoreError
from vista.ids import NODE_BYTES, SERIAL_MAX

BLOCK: Final = 1 << 20
"""Serial numbers in a block. Taking one costs a sync of the disk, once in a million objects; there
are blocks for 268 million starts."""

_FILE: Final = "identity"
_FORM: Final = re.compile(rf"vista-identity 1 ([0-9a-f]{{{2 * NODE_BYTES}}}) ([0-9]{{1,15}})\n")


class Identity(Protocol):
    """Who a node is. ``node`` are the 10 bytes with which its Ids begin."""

    node: bytes

    def take_block(self) -> range:
        """Return serial numbers that nobody was given, and never will be again."""

    def close(self) -> None:
        """Let another process be this node."""


class FileIdentity:
    """The identity kept in the file ``identity`` of a state directory, which is made if need be.

    One process has it at a time. Raises `StoreError` when another one has, when the directory
    cannot be used, and when the file is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / _FILE
        self._lock = _open_lock(directory)
        try:
            self._take_lock()
            self.node, self._end = self._read()
        except BaseException:
            os.close(self._lock)
            raise
        self._is_open = True

    def take_block(self) -> range:
        """Return serial numbers that nobody was given; their end is on the disk."""
        start, end = self._end, self._end + BLOCK
        if end > SERIAL_MAX:
            raise StoreError(f"{self.path}: the serial numbers of this node are used up")
        self._write(end)
        self._end = end
        return range(start, end)

    def close(self) -> None:
        """Let another process be this node; harmless when it may already."""
        if self._is_open:
            self._is_open = False
            os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"{self.path.parent} is in use by {_holder(self._lock)}; a state directory belongs "
                "to one node"
            ) from None
        with self._reported():
            # For whoever is refused; the lock alone is what counts.
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode("ascii"), 0)

    def _read(self) -> tuple[bytes, int]:
        try:
            with self._reported():
                text = self.path.read_bytes()[:256].decode("ascii", "replace")
        except FileNotFoundError:
            # 0 is the ObjectCreator's.
            return secrets.token_bytes(NODE_BYTES), 1
        match = _FORM.fullmatch(text)
        if match is None:
            raise StoreError(
                f"{self.path} is damaged; put a copy of it back, or remove it: then the node is "
                "another one to its peers"
            )
        return bytes.fromhex(match[1]), int(match[2])

    def _write(self, end: int) -> None:
        """Write the file so that at any instant it is the earlier one or the later one."""
        with self._reported():
            temporary = self.path.with_suffix(".part")
            with temporary.open("w", encoding="ascii") as file:
                file.write(f"vista-identity 1 {self.node.hex()} {end}\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            number = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(number)
            finally:
                os.close(number)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of the system as `StoreError`, but a missing file as itself."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error


def _open_lock(directory: Path) -> int:
    """Make a state directory if need be, and open the file in it that stands for it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(
            f"{directory} is no directory, and a state directory is to be one; name another"
        ) from None
    except OSError as error:
        raise StoreError(
            f"{directory} cannot be a state directory: {error.strerror}; name one that this user "
            "may write to"
        ) from None


def _holder(lock: int) -> str:
    """Return in words who has a state directory."""
    text = os.pread(lock, 32, 0).strip()
    return f"process {int(text)}" if text.isdigit() else "another process"
