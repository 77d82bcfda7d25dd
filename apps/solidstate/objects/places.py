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
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random, SystemRandom
from typing import Protocol, TypeVar

from apps.solidstate.disk import Disk
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Append, Compact, Store
from apps.solidstate.pbft.usig import certify
from apps.solidstate.trusted_counter import ProcessUsig
from vista import BadValueError

Write = Append | Store | Compact
Result = TypeVar("Result")

SLOW_SECONDS = 0.05
"""A write that takes longer shows a disk that would hold up its node: half of what a node logs as a
slow method. On a busy machine one that is quick waits some 10 ms for a processor."""

MEAN_SECONDS = 0.005
"""What writes for which the node waits may take in the mean: as long as Python lets one thread have
the processor. A hard disk takes two to four times as long, and its node would do nothing else."""

QUICK_WRITES = 16
"""Writes that have to be quick one after the other before the next one is waited for; after each
time that the disk was slow then, twice as many as before."""

QUICK_WRITES_MAX = 65_536
"""As many at most: then a disk that is slow again and again holds up its node some times a day."""

SMALL_BYTES = 256 * 1024
"""Bytes of records that are written while the node waits: a tenth of a millisecond besides the
``fdatasync``."""


class ReplicaDisk(Protocol):
    """The log and the pages of one replica; what is awaited raises `OSError` as a disk does."""

    def recover(self) -> Awaitable[Recovered | None]:
        """Read what is there; it comes first."""

    def commit(self, effects: Sequence[Write]) -> Awaitable[None] | None:
        """Write, and end when all of it is safe; None when it is safe already."""

    def close(self) -> None:
        """Let go of it."""


class Counter(Protocol):
    """The trusted counter of one replica; what is awaited raises `vista.StoreError`."""

    def identity(self) -> Awaitable[tuple[int, bytes]]:
        """Return its epoch and public key; it comes first, and starts it."""

    def certify(self, counter: int, body: bytes) -> Awaitable[bytes]:
        """Return the UI with a number for a statement, made before or made by this."""

    def forget(self, counter: int) -> Awaitable[None]:
        """Forget the UIs up to a number."""

    def end(self) -> Awaitable[None]:
        """Let go of it; it can be started again when this has returned."""

    def close(self) -> None:
        """Let go of it, after what is under way."""


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

    def counter(self, folder: str) -> Counter:
        """Return the trusted counter of the replica of a group."""


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
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(file, view) :]
                os.fsync(file)
            finally:
                os.close(file)
            part.rename(whole)
        except OSError:
            # A disk that is full is tried again and again: it is not to fill with these.
            part.unlink(missing_ok=True)
            raise
        for folder in (whole.parent, self._directory):
            _sync(folder)

    def folders(self) -> list[str]:
        """Return the names of the folders of groups, sorted."""
        return sorted(path.name for path in self._directory.glob("group-*") if path.is_dir())

    def disk(self, folder: str) -> FolderDisk:
        """Return the disk of the replica of a group."""
        return FolderDisk(self._directory / folder / "replica")

    def counter(self, folder: str) -> FolderCounter:
        """Return the trusted counter of the replica of a group: a stand-in for hardware."""
        return FolderCounter(self._directory / folder / "counter")


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
    """A `Disk` that does small writes at once while it is quick, and else in an OS thread.

    A thread costs more than a write to a good disk takes: handing it over and back takes 1.5 ms of
    a node that is busy, and ``fdatasync`` 0.17 ms. A disk that is slow must not hold up the node,
    so after one write that was, or many that were a little, those that follow are the thread's
    until enough of them were quick.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        self._folder = folder
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="solidstate-disk")
        self._disk: Disk | None = None
        self._quick = 0
        self._wanted = QUICK_WRITES
        self._waited = 0
        self._mean = 0.0

    def recover(self) -> Awaitable[Recovered | None]:
        """Read what is there."""
        return asyncio.get_running_loop().run_in_executor(self._worker, self._recover)

    def commit(self, effects: Sequence[Write]) -> Awaitable[None] | None:
        """Write, and end when all of it is safe; None when it is safe already."""
        if self._quick >= self._wanted and _are_small(effects):
            self._judge(self._commit(effects))
            return None
        return asyncio.get_running_loop().run_in_executor(self._worker, self._try, effects)

    def close(self) -> None:
        """Let go of the files, after what is under way."""
        self._worker.submit(self._close)
        self._worker.shutdown(wait=False)

    def _recover(self) -> Recovered | None:
        self._disk = Disk(self._folder)
        return self._disk.recover()

    def _commit(self, effects: Sequence[Write]) -> float:
        """Make writes safe; return how many seconds it took."""
        assert self._disk is not None, "recover comes first"
        began = self._clock()
        for effect in effects:
            self._disk.write(effect)
        self._disk.sync()
        return self._clock() - began

    def _try(self, effects: Sequence[Write]) -> None:
        """Write in the thread, and see whether the node may wait for the disk."""
        seconds = self._commit(effects)
        self._quick = 0 if seconds > SLOW_SECONDS else min(self._quick + 1, QUICK_WRITES_MAX)

    def _judge(self, seconds: float) -> None:
        """See whether the node may go on waiting for a disk that took so long."""
        self._waited += 1
        self._mean += (seconds - self._mean) / QUICK_WRITES
        if seconds > SLOW_SECONDS or self._mean > MEAN_SECONDS:
            self._quick, self._waited, self._mean = 0, 0, 0.0
            self._wanted = min(2 * self._wanted, QUICK_WRITES_MAX)
        elif self._waited >= self._wanted:
            self._waited = 0
            self._wanted = max(QUICK_WRITES, self._wanted // 2)

    def _close(self) -> None:
        if self._disk is not None:
            self._disk.close()
            self._disk = None


def _are_small(effects: Sequence[Write]) -> bool:
    """Tell whether writes are records of a log, and few bytes."""
    left = SMALL_BYTES
    for effect in effects:
        if not isinstance(effect, Append):
            return False
        left -= len(effect.record)
    return left >= 0


class FolderCounter:
    """A `ProcessUsig` that is asked in an OS thread of its own, as it waits for its disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="solidstate-counter")
        self._usig: ProcessUsig | None = None

    def identity(self) -> Awaitable[tuple[int, bytes]]:
        """Start the device, and return its epoch and public key."""
        return self._do(self._identity)

    def certify(self, counter: int, body: bytes) -> Awaitable[bytes]:
        """Return the UI with a number for a statement."""
        return self._do(self._certify, counter, body)

    def forget(self, counter: int) -> Awaitable[None]:
        """Forget the UIs up to a number."""
        return self._do(self._forget, counter)

    def end(self) -> Awaitable[None]:
        """End the device, after what is under way."""
        ended = self._do(self._end)
        self._worker.shutdown(wait=False)
        return ended

    def close(self) -> None:
        """End the device in a while."""
        self._worker.submit(self._end)
        self._worker.shutdown(wait=False)

    def _do(self, function: Callable[..., Result], *args: object) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._worker, function, *args)

    def _identity(self) -> tuple[int, bytes]:
        if self._usig is None:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._usig = ProcessUsig(self._folder)
        return self._usig.epoch, self._usig.public_key

    def _certify(self, counter: int, body: bytes) -> bytes:
        assert self._usig is not None, "identity comes first"
        return certify(self._usig, counter, body)

    def _forget(self, counter: int) -> None:
        assert self._usig is not None, "identity comes first"
        self._usig.forget(counter)

    def _end(self) -> None:
        usig, self._usig = self._usig, None
        if usig is not None:
            usig.close()


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
