"""The file behind a log: lines are added, never waited for, and old files go.

Two rules. Whoever is logged never pays: a disk that is full and a reader that sleeps cost lines,
which are counted and told of once. A file is put aside by one rename, so a crash at any moment
leaves every line in one file or the other.
"""

from __future__ import annotations

import logging
import os
import re
import select
import stat
import time
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger("vista.http")

UNSENT_BYTES_MAX = 1_048_576
"""Bytes that wait for the reader of a pipe; what comes then is lost."""
KEPT_MAX = 1_000
"""Files put aside that are kept at most."""

_PIPE_BYTES = 4_096  # a pipe that can be written to takes as many without waiting (pipe(7))
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_STAMP = re.compile(r"\.(\d{8}-\d{6})(?:-(\d{1,4}))?")


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a log goes on in another file, and how many old ones are kept.

    ``bytes_max`` is the size that no file passes, if any; ``daily`` begins one with each day (UTC).
    """

    kept: int
    bytes_max: int | None = None
    daily: bool = False


class LogFile:
    """A file, pipe or terminal to which lines are added.

    ``name`` is that of the file, ``/dev/stdout`` and ``/dev/stderr`` are those of the process;
    with ``""`` and ``-`` nothing is written. ``head`` is written when a file is opened.
    `lines_lost` counts what could not be written. Raises OSError when it cannot be opened.
    """

    def __init__(self, name: str, head: str = "") -> None:
        self.name = name
        self.lines_lost = 0
        self.rotation: Rotation | None = None
        self._head = head.encode()
        self._descriptor = -1
        self._is_file = False
        self._day = -1
        self._unsent = b""
        # What ends the line of which a part was written when it failed.
        self._owed = b""
        self._in_line = False
        self._lost = 0
        self._is_failing = self._is_stuck = False
        self._open()

    @property
    def is_open(self) -> bool:
        """Whether lines go anywhere."""
        return self._descriptor >= 0

    @property
    def waits(self) -> bool:
        """Whether something waits for a reader."""
        return bool(self._unsent)

    def write(self, lines: list[str], now: float) -> None:
        """Add lines, each with its end; ``now`` in seconds since 1970 decides about rotation."""
        if self._descriptor < 0:
            return
        data = "".join(lines).encode("utf-8", "backslashreplace")
        if self.rotation is not None and self._is_file and data:
            self._rotate_if_due(self.rotation, len(data), now)
        if self._unsent and len(self._unsent) + len(data) > UNSENT_BYTES_MAX:
            self._lose(len(lines), "its reader takes nothing")
            data = b""
        if data:
            self._unsent += self._owed + data
            self._owed = b""
        try:
            self._send()
        except BlockingIOError:
            return
        except OSError as error:
            lost, self._unsent = self._unsent, b""
            self._owed = b"\n" if self._in_line else b""
            # A line break that comes first ends a line of which the rest was written.
            lines_lost = lost.count(b"\n") - (self._in_line and lost[:1] == b"\n")
            self._lose(lines_lost, error.strerror or str(error))
        else:
            if self._is_failing and data and not self._unsent:
                _log.warning("%s: written again; lines lost: %d", self.name, self._lost)
                self._is_failing, self._lost = False, 0

    def follow(self) -> None:
        """Go on in a new file if somebody has moved or removed the one that is open."""
        if self._is_file and not self._is_still_there():
            self.rotate(0.0)

    def rotate(self, now: float) -> bool:
        """Put the file aside and go on in another one; return whether that was done.

        Its name gets the time in UTC at its end: ``http.log.20261121-163000``.
        """
        if not self._is_file:
            return False
        try:
            if self._is_still_there():
                os.rename(self.name, self._free_name(now))
            before = self._descriptor
            self._open()  # when this fails the file put aside is written on
            os.close(before)
            self._remove_old()
        except OSError as error:
            if not self._is_stuck:
                _log.error("%s: it cannot be put aside: %s", self.name, error)
            self._is_stuck = True
            return False
        self._is_stuck = False
        return True

    def close(self) -> None:
        """Write what waits, as far as it goes at once, and close."""
        if self._descriptor < 0:
            return
        self.write([], time.time())
        if self._unsent:
            self._lose(self._unsent.count(b"\n"), "closed before its reader took all")
            self._unsent = b""
        os.close(self._descriptor)
        self._descriptor = -1

    # --- the file --------------------------------------------------------------------------

    def _open(self) -> None:
        if self.name in ("", "-"):
            return
        if self.name in _STREAMS:
            # Opened by its name it could not be, where it is a socket.
            descriptor = os.dup(_STREAMS[self.name])
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            # A pipe without a reader is refused, where it would hold the node.
            descriptor = os.open(self.name, flags | os.O_NONBLOCK, 0o644)
        facts = os.fstat(descriptor)
        self._is_file = stat.S_ISREG(facts.st_mode) and self.name not in _STREAMS
        self._day = _day(facts.st_mtime) if facts.st_size else -1
        self._descriptor = descriptor
        self._in_line, self._owed = False, b""
        self._unsent = self._head + self._unsent

    def _send(self) -> None:
        """Write what waits; a pipe gets what it takes without waiting."""
        while self._unsent:
            piece = self._unsent
            if not self._is_file:
                if not self._can_write():
                    return
                piece = piece[:_PIPE_BYTES]
            count = os.write(self._descriptor, piece)
            self._in_line = piece[count - 1 : count] != b"\n"
            self._unsent = self._unsent[count:]

    def _can_write(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        # A reader that is gone makes it writable as well: writing then says so.
        return bool(poll.poll(0))

    def _lose(self, lines: int, why: str) -> None:
        if not self._is_failing:
            _log.error("%s: lines are lost: %s", self.name, why)
        self._is_failing = True
        self._lost += lines
        self.lines_lost += lines

    # --- rotation --------------------------------------------------------------------------

    def _rotate_if_due(self, rotation: Rotation, size: int, now: float) -> None:
        day = _day(now)
        present = os.fstat(self._descriptor).st_size
        if self._day < 0:
            self._day = day
        grown = rotation.bytes_max is not None and present and present + size > rotation.bytes_max
        if grown or (rotation.daily and present and day != self._day):
            self.rotate(now)
            self._day = day

    def _is_still_there(self) -> bool:
        """Whether the name is still that of the open file; else somebody put it aside already."""
        own = os.fstat(self._descriptor)
        try:
            named = os.stat(self.name)
        except OSError:
            return False
        return (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)

    def _free_name(self, now: float) -> str:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        numbers = [number for own, number, _ in self._put_aside() if own == stamp]
        # One more than the last: of a name that is used again nobody could tell the age.
        return f"{self.name}.{stamp}-{max(numbers) + 1}" if numbers else f"{self.name}.{stamp}"

    def _put_aside(self) -> list[tuple[str, int, Path]]:
        """Return time, number and path of the files put aside, the oldest first."""
        path = Path(self.name)
        found = []
        for entry in path.parent.iterdir():
            if not entry.name.startswith(path.name):
                continue
            stamp = _STAMP.fullmatch(entry.name[len(path.name) :])
            if stamp is not None:
                found.append((stamp[1], int(stamp[2] or 0), entry))
        return sorted(found)

    def _remove_old(self) -> None:
        kept = KEPT_MAX if self.rotation is None else self.rotation.kept
        old = self._put_aside()
        for *_, entry in old[: max(0, len(old) - kept)]:
            entry.unlink(missing_ok=True)


def _day(seconds: float) -> int:
    return int(seconds // 86_400)
