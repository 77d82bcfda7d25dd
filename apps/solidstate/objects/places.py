"""Where a member of a pool keeps what outlives it, and where its time and its dice come from.

`Place` is the real one: a folder that one process has, with a folder in it for each group. Tests
have one on a simulated disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random, SystemRandom
from typing import Protocol

from apps.solidstate.disk import Disk
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Append, Compact, Store
from vista import BadValueError

Write = Append | Store | Compact


class ReplicaDisk(Protocol):
    """The log and the pages of one replica; what is awaited raises `OSError` as a disk does."""

    def recover(self) -> Awaitable[Recovered | None]:
        """Read what is there; it comes first."""

    def commit(self, effects: Sequence[Write]) -> Awaitable[None]:
        """Write, and end when all of it is safe."""

    def close(self) -> None:
        """Let go of it."""


class AnyPlace(Protocol):
    """What a member of a pool needs of the world."""

    def wall(self) -> float:
        """Return the machine's time, in seconds since 1970."""

    def entropy(self) -> Random:
        """Return dice."""

    def read(self, path: str) -> bytes | None:
        """Return what is in a file, None where there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Make a file of ``data``, which is safe when this returns."""

    def folders(self) -> list[str]:
        """Return the names of the folders of groups, sorted."""

    def disk(self, folder: str) -> ReplicaDisk:
        """Return the disk of the replica of a group."""


def folder_of(group: str) -> str:
    """Return the name of the folder of a group."""
    return f"group-{digest_of(group.encode()).hex()[:16]}"


class Place:
    """A folder on a disk. Raises `OSError` when it cannot be made."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def wall(self) -> float:
        """Return the machine's time."""
        return time.time()

    def entropy(self) -> Random:
        """Return the operating system's dice."""
        return SystemRandom()

    def read(self, path: str) -> bytes | None:
        """Return what is in a file, None where there is none."""
        try:
            return (self._directory / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Make a file of ``data``: after a crash it is there whole, or as it was."""
        whole = self._directory / path
        whole.parent.mkdir(mode=0o700, exist_ok=True)
        part = whole.with_name(f"{whole.name}.{secrets.token_hex(4)}")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
        part.rename(whole)
        for folder in (whole.parent, self._directory):
            _sync(folder)

    def folders(self) -> list[str]:
        """Return the names of the folders of groups, sorted."""
        return sorted(path.name for path in self._directory.glob("group-*") if path.is_dir())

    def disk(self, folder: str) -> FolderDisk:
        """Return the disk of the replica of a group."""
        return FolderDisk(self._directory / folder / "replica")


class Claim:
    """Holds a folder for this process: of two that use one, each would forget what it promised.

    Raises `BadValueError` when another process has it.
    """

    def __init__(self, directory: str) -> None:
        Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(Path(directory) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise BadValueError(
                f"folder {directory} is in use by another process: give each server its own"
            ) from error

    def release(self) -> None:
        """Let others have it."""
        with contextlib.suppress(OSError):
            os.close(self._file)


class FolderDisk:
    """A `Disk` whose work is done in an OS thread of its own, one piece after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="solidstate-disk")
        self._disk: Disk | None = None

    def recover(self) -> Awaitable[Recovered | None]:
        """Read what is there."""
        return asyncio.get_running_loop().run_in_executor(self._worker, self._recover)

    def commit(self, effects: Sequence[Write]) -> Awaitable[None]:
        """Write, and end when all of it is safe."""
        return asyncio.get_running_loop().run_in_executor(self._worker, self._commit, effects)

    def close(self) -> None:
        """Let go of the files, after what is under way."""
        self._worker.submit(self._close)
        self._worker.shutdown(wait=False)

    def _recover(self) -> Recovered | None:
        self._disk = Disk(self._folder)
        return self._disk.recover()

    def _commit(self, effects: Sequence[Write]) -> None:
        assert self._disk is not None, "recover comes first"
        for effect in effects:
            self._disk.write(effect)
        self._disk.sync()

    def _close(self) -> None:
        if self._disk is not None:
            self._disk.close()
            self._disk = None


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
