"""The identity of a node that outlives its process.

Its Ids must never be given again, so serial numbers are taken in blocks: the end of a block is on
the disk before the first number of it is given. What a process did not use of its block is lost.

The node also remembers which stores it had: until all of them are open it cannot say which objects
it has.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from vista.errors import StoreError
from vista.ids import NODE_BYTES, SERIAL_MAX

BLOCK: Final = 1 << 20
"""Serial numbers in a block. Taking one costs a sync of the disk, once in a million objects; there
are blocks for 268 million starts."""

STORES_MAX: Final = 1000
"""Stores that a node remembers: each is a service of its own, and a node has one or a few."""

_FILE: Final = "identity"
_LOCK: Final = "lock"
_STORES: Final = "stores"
_STORES_BYTES_MAX: Final = 4 * 1024 * 1024
_FORM: Final = re.compile(rf"vista-identity 1 ([0-9a-f]{{{2 * NODE_BYTES}}}) ([0-9]{{1,15}})\n")


class Identity(Protocol):
    """Who a node is. ``node`` are the 10 bytes with which its Ids begin.

    ``stores`` names the services that kept its objects in this run or an earlier one.
    """

    node: bytes
    stores: set[str]

    def take_block(self) -> range:
        """Return serial numbers that nobody was given, and never will be again."""

    def note_store(self, name: str) -> None:
        """Remember a store for all runs to come; it may block."""

    def close(self) -> None:
        """Let another process be this node."""


class FileIdentity:
    """The identity kept in the file ``identity`` of a state directory, which is made if need be.

    The stores are in the file ``stores`` beside it, a name in JSON on each line.

    One process has it at a time. Raises `StoreError` when another one has, when the directory
    cannot be used, and when the file is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / _FILE
        self._noting = threading.Lock()
        self._lock = _open_lock(directory)
        try:
            self._take_lock()
            self.node, self._end = self._read()
            self.stores = self._read_stores()
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

    def note_store(self, name: str) -> None:
        """Remember a store; when this returns its name is on the disk. Raises `StoreError`."""
        # Each store has a kernel thread of its own, and two may be opened at once.
        with self._noting:
            if name not in self.stores:
                self._note_store(name)

    def _note_store(self, name: str) -> None:
        path = self.path.with_name(_STORES)
        if len(self.stores) >= STORES_MAX:
            raise StoreError(
                f"{path} names {STORES_MAX} stores; stop the node and remove the lines of those "
                "that are not used"
            )
        names = sorted({*self.stores, name})
        self._put(path, "".join(f"{json.dumps(known)}\n" for known in names))
        self.stores.add(name)

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
        with _reported(self.path.with_name(_LOCK)):
            # For whoever is refused; the lock alone is what counts.
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode("ascii"), 0)

    def _read(self) -> tuple[bytes, int]:
        try:
            with _reported(self.path):
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

    def _read_stores(self) -> set[str]:
        path = self.path.with_name(_STORES)
        try:
            with _reported(path):
                lines = path.read_bytes()[:_STORES_BYTES_MAX].splitlines()
        except FileNotFoundError:
            return set()
        try:
            names = [json.loads(line) for line in lines if line.strip()]
        except (ValueError, RecursionError):
            names = [None]
        if not all(isinstance(name, str) for name in names):
            raise StoreError(
                f"{path} is damaged: it has a name in quotes on each line, of a service that keeps "
                "objects of this node; write those names there (an empty file is good where no "
                "object was about to move)"
            )
        return set(names)

    def _write(self, end: int) -> None:
        self._put(self.path, f"vista-identity 1 {self.node.hex()} {end}\n")

    def _put(self, path: Path, text: str) -> None:
        """Write a file so that at any instant it is the earlier one or the later one."""
        with _reported(path):
            temporary = path.with_suffix(".part")
            with temporary.open("w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            number = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(number)
            finally:
                os.close(number)


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Errors of the system as `StoreError`, but a missing file as itself."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _open_lock(directory: Path) -> int:
    """Make a state directory if need be, and open the file in it that stands for it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
