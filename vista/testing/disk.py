"""Simulated disks: what a crash leaves of what was written, and disks that fail.

Two rules. What was written is read back at once, but only what was synced is sure to be there after
a crash: of the rest the seed draws what is lost, kept or torn. The content of a file and its name
are synced apart: the name by a sync of the directory.

The interface is one that a real directory serves as well: `SimulatedDisk.write` is ``open`` with
``"wb"`` and ``write``; `append` ``"ab"``; `overwrite` ``os.pwrite``; `rename` ``os.rename``;
`remove` ``os.unlink``; `names` ``os.listdir``; and `sync` is ``os.open`` (of a file or a
directory), ``os.fsync`` and ``os.close`` in a kernel thread, which the caller awaits. Directories
are made where they are needed, which a real disk does by ``os.makedirs`` and a sync of the parents.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextvars import Context
from typing import TYPE_CHECKING, Final, NamedTuple

from vista.errors import BadValueError
from vista.testing.torn import File, survivors
from vista.testing.trace import Event

if TYPE_CHECKING:
    from vista.testing.hub import SimulatedHub

_SYNC_SECONDS: Final = (0.0, 0.0005, 0.02)


class _Entry(NamedTuple):
    """One change of a directory: ``gone`` is no name any more, ``name`` is one of ``file``."""

    gone: str
    name: str
    file: File | None


class Medium:
    """What a disk keeps while nodes come and go, and what is wrong with it.

    ``capacity_bytes`` bounds the sum of all files, None: nothing does. ``unreadable`` are the paths
    that give read errors; writing a file anew mends it. ``failing_syncs`` is how many of the next
    syncs fail: as on Linux what such a sync was to bring to the disk stays unwritten for ever,
    though it is read back until the crash.
    """

    def __init__(self, hub: SimulatedHub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.capacity_bytes: int | None = None
        self.unreadable: set[str] = set()
        self.failing_syncs = 0
        self.sync_seconds = hub.dice.choice(_SYNC_SECONDS)
        self.files: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._journals: dict[str, list[_Entry]] = {}

    @property
    def used_bytes(self) -> int:
        """Bytes in all files."""
        return sum(len(file.data) for file in self.files.values())

    def enter(self, gone: str, name: str, file: File | None) -> None:
        """Change the directory of ``name`` or ``gone``: atomic, but durable only when synced."""
        entry = _Entry(gone, name, file)
        _apply(entry, self.files)
        self._journals.setdefault(_directory(name or gone), []).append(entry)

    def entries(self, directory: str) -> int:
        """Return how many changes of a directory are not durable."""
        return len(self._journals.get(directory, ()))

    def commit(self, directory: str, count: int) -> None:
        """Make the first ``count`` changes of a directory durable."""
        journal = self._journals.get(directory, [])
        for entry in journal[:count]:
            _apply(entry, self._durable)
        del journal[:count]

    def crash(self) -> None:
        """Draw what is left: the first few changes of each directory, and of each file a part."""
        dice = self.hub.dice
        for directory, journal in self._journals.items():
            self.commit(directory, dice.randint(0, len(journal)))
        self._journals.clear()
        for file in self._durable.values():
            file.settle(survivors(file, dice))
        self.files = dict(self._durable)

    # --- faults ----------------------------------------------------------------------------

    def fill(self) -> None:
        """Let the disk be full as it is."""
        self.capacity_bytes = self.used_bytes
        self._note("is full")

    def empty(self) -> None:
        """Let the disk have room again, without bound."""
        self.capacity_bytes = None
        self._note("has room")

    def fail_sync(self) -> None:
        """Let the next sync fail."""
        self.failing_syncs += 1
        self._note("will fail a sync")

    def spoil(self) -> str:
        """Make a file unreadable that the seed draws; return its path, empty if there is none."""
        path = self._draw()
        if path:
            self.unreadable.add(path)
            self._note(f"cannot read {path}")
        return path

    def corrupt(self, path: str = "") -> str:
        """Flip a bit of a file, by default of one the seed draws; return its path.

        The path is empty if there is no file with anything in it.
        """
        path = path or self._draw()
        file = self.files.get(path)
        if file is None or not file.data:
            return ""
        place = self.hub.dice.randrange(len(file.data) * 8)
        file.flip(place)
        self._note(f"has bit {place} of {path} flipped")
        return path

    def heal(self) -> None:
        """Have room, read every file and sync; flipped bits stay as they are."""
        self.capacity_bytes = None
        self.unreadable.clear()
        self.failing_syncs = 0

    def _draw(self) -> str:
        return self.hub.dice.choice(sorted(self.files)) if self.files else ""

    def _note(self, words: str) -> None:
        text = f"the disk {words}"
        self.hub.trace.add(Event(self.hub.now, "fault", self.name, 0, "", "", text))


class SimulatedDisk:
    """A small store of files, as one process sees it; ``kernel.settings["disk"]`` is one.

    ``world.disk(name)`` is the view of the test, which lasts; that of a node is unmounted when the
    node crashes. Paths are relative, their parts divided by ``/``. Everything raises `OSError`
    with the number that the operating system would give: ``ENOENT``, ``ENOSPC``, ``EIO``.
    """

    def __init__(self, medium: Medium) -> None:
        self.medium = medium
        self.mounted = True

    def write(self, path: str, data: bytes) -> None:
        """Make a file of ``data``, or empty the one that is there and write it anew.

        After a crash in the midst it may be empty or torn: write another one, sync and rename it.
        """
        file = self.medium.files.get(self._checked(path))
        self._make_room(path, len(data) - (0 if file is None else len(file.data)))
        if file is None:
            file = File()
            self.medium.enter("", path, file)
        else:
            file.truncate()
        file.write(0, data)
        self.medium.unreadable.discard(path)

    def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, which is made if there is none."""
        file = self.medium.files.get(self._checked(path))
        if file is None:
            self.write(path, data)
        else:
            self.overwrite(path, len(file.data), data)

    def overwrite(self, path: str, offset: int, data: bytes) -> None:
        """Write in the midst of a file that is there; what lies between its end and it is zero."""
        if offset < 0:
            raise BadValueError(f"an offset is 0 or more, not {offset}")
        file = self._file(path)
        self._make_room(path, offset + len(data) - len(file.data))
        file.write(offset, data)

    def read(self, path: str) -> bytes:
        """Return what is in a file."""
        file = self._file(path)
        if path in self.medium.unreadable:
            raise _error(errno.EIO, path)
        return bytes(file.data)

    def rename(self, path: str, to: str) -> None:
        """Give a file another name in its directory, in one step; ``to`` is replaced.

        Which of the two there is after a crash is certain only when the directory was synced.
        """
        file = self._file(path)
        if _directory(path) != _directory(self._checked(to)):
            raise _error(errno.EXDEV, to)
        if path != to:
            self.medium.enter(path, to, file)
            spoilt = self.medium.unreadable
            (spoilt.add if path in spoilt else spoilt.discard)(to)
            spoilt.discard(path)

    def remove(self, path: str) -> None:
        """Remove a file; durable when the directory was synced."""
        self._file(path)
        self.medium.enter(path, "", None)
        self.medium.unreadable.discard(path)

    def names(self, directory: str = "") -> list[str]:
        """Return the names of the files in a directory, sorted; none if it is not there."""
        self._check()
        return sorted(
            path.rpartition("/")[2] for path in self.medium.files if _directory(path) == directory
        )

    async def sync(self, path: str = "") -> None:
        """Wait until what was written to a file so far, or the names in a directory, are durable.

        ``path`` is a file or a directory; the empty one is where relative paths begin.
        """
        self._check()
        medium = self.medium
        file = medium.files.get(path)
        count = medium.entries(path) if file is None else len(file.changes)
        hub = medium.hub
        done = hub.loop.create_future()
        seconds = medium.sync_seconds * (0.5 + hub.dice.random())
        timer = hub.loop.call_at(hub.now + seconds, _set, done, context=Context())
        try:
            await done
        finally:
            timer.cancel()
        self._check()
        if medium.failing_syncs:
            medium.failing_syncs -= 1
            if file is not None:
                file.forget(count)
            raise _error(errno.EIO, path)
        if file is None:
            medium.commit(path, count)
        else:
            file.commit(count)

    def unmount(self) -> None:
        """Let the process that had this view have crashed; the medium draws what is left."""
        if self.mounted:
            self.mounted = False
            self.medium.crash()

    def _check(self) -> None:
        if not self.mounted:
            raise _error(errno.EIO, "the node has crashed")

    def _checked(self, path: str) -> str:
        self._check()
        parts = path.split("/")
        if not all(parts) or any(part in (".", "..") for part in parts):
            raise BadValueError(f"{path!r} is no relative path of a file")
        return path

    def _file(self, path: str) -> File:
        file = self.medium.files.get(self._checked(path))
        if file is None:
            raise _error(errno.ENOENT, path)
        return file

    def _make_room(self, path: str, more: int) -> None:
        medium = self.medium
        if medium.capacity_bytes is None or more <= 0:
            return
        if medium.used_bytes + more > medium.capacity_bytes:
            raise _error(errno.ENOSPC, path)


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _apply(entry: _Entry, files: dict[str, File]) -> None:
    files.pop(entry.gone, None)
    if entry.file is not None:
        files[entry.name] = entry.file
