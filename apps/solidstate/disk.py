"""What a replica keeps, on a real disk: its log, and the blobs of its checkpoints.

Three rules. What was written is safe when `Disk.sync` has returned, and not before; many writes
share one. The log is replaced as a whole, by renaming a file that is safe already. Blobs stand in
segments one after the other; a segment that is mostly dead is copied, one for each replaced log, so
that no write waits long and the files take at most about twice what is alive.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.durable import Recovered, frame, frames, read_frames
from apps.solidstate.pbft.effects import Append, Compact, Store

SEGMENT_BYTES = 16 * 1024 * 1024
"""Bytes after which the next segment is begun: what one step of cleaning copies at most."""

_BLOB_HEAD = struct.Struct(">4sI32s")
_BLOB_MARK = b"\xabSSB"


class Disk:
    """The folder of one replica.

    `recover` comes first and reads what was; then `write` takes the replica's effects, and `sync`
    makes them safe. Raises `OSError` as the file system does: a replica whose disk fails has to
    end.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log_path = folder / "log"
        self._blobs = _Blobs(folder)
        try:
            self._log = _open(self._log_path)
        except OSError:
            # A disk that is full is tried again and again: it is not to take all file numbers.
            self._blobs.close()
            raise
        self._count = 0
        self._waiting: list[bytes] = []
        # Bytes of whole records before damage that the replica has not taken note of yet.
        self._before_damage: int | None = None

    def recover(self) -> Recovered | None:
        """Return what is there; None for a folder in which no replica ever was."""
        records, damaged = read_frames(self._log_path.read_bytes())
        blobs = self._blobs.read()
        self._count = len(records)
        whole = len(frames(records))
        if damaged:
            # It stays until the replica's first records stand in its place, which say that it
            # abstains: a start that fails before, or is cut off, is not to forget the damage.
            self._before_damage = whole
        else:
            # What follows the whole records was torn: writing goes on in its place.
            os.ftruncate(self._log, whole)
            os.fdatasync(self._log)
        return Recovered(tuple(records), blobs, damaged) if records or damaged else None

    def write(self, effect: Append | Store | Compact) -> None:
        """Take a write."""
        if isinstance(effect, Append):
            self._waiting.append(frame(self._count, effect.record))
            self._count += 1
        elif isinstance(effect, Store):
            self._blobs.add(effect.blobs)
        else:
            self._replace(effect)

    def sync(self) -> None:
        """Return when everything written is safe."""
        self._blobs.sync()
        if self._waiting and self._before_damage is not None:
            self._write_anew([os.pread(self._log, self._before_damage, 0), *self._waiting])
        elif self._waiting:
            _write_all(self._log, self._waiting)
            self._waiting = []
            os.fdatasync(self._log)

    def close(self) -> None:
        """Let go of the files; what was not synced may be lost."""
        os.close(self._log)
        self._blobs.close()

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.stat().st_size for file in self._folder.iterdir())

    def _replace(self, effect: Compact) -> None:
        # What was appended before is in the records of the new log, or is not needed.
        self._blobs.sync()
        self._write_anew([frames(effect.records)])
        self._count = len(effect.records)
        self._blobs.keep(effect.blobs)

    def _write_anew(self, parts: Iterable[bytes]) -> None:
        """Have a log of these bytes in the place of the one that is there."""
        path = self._folder / "log.next"
        path.write_bytes(b"")
        log = _open(path)
        try:
            _write_all(log, parts)
            os.fsync(log)
            path.rename(self._log_path)
            _sync_folder(self._folder)
        except OSError:
            os.close(log)
            raise
        os.close(self._log)
        self._log = log
        self._waiting = []
        self._before_damage = None


class _Blobs:
    """The blobs, by digest, in segments: ``_places`` says where each stands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[bytes, tuple[int, int, int]] = {}
        self._alive: dict[int, int] = {}
        self._files: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._dirty = False
        try:
            for path in sorted(folder.glob("blobs-*")):
                if path.stat().st_size:
                    self._add_segment(int(path.name.removeprefix("blobs-")))
                else:
                    # Begun at a start after which nothing was written; there may be many.
                    path.unlink()
            if not self._files:
                self._begin_segment()
        except OSError:
            self.close()
            raise

    def read(self) -> dict[bytes, bytes]:
        """Return all blobs that are whole."""
        found: dict[bytes, bytes] = {}
        for segment in sorted(self._files):
            data = (self._folder / f"blobs-{segment:06}").read_bytes()
            at = 0
            while at + _BLOB_HEAD.size <= len(data):
                mark, length, digest = _BLOB_HEAD.unpack_from(data, at)
                at += _BLOB_HEAD.size
                blob = data[at : at + length]
                if mark != _BLOB_MARK:
                    # The rest cannot be told apart; what it was is fetched from others.
                    break
                if digest_of(blob) == digest:
                    found[digest] = blob
                    self._place(digest, segment, at, length)
                at += length
        self._begin_segment()
        return found

    def add(self, blobs: Mapping[bytes, bytes]) -> None:
        """Write blobs that are not here."""
        segment = max(self._files)
        parts: list[bytes] = []
        at = self._sizes[segment]
        for digest, blob in blobs.items():
            if digest in self._places:
                continue
            if at >= SEGMENT_BYTES:
                self._append(segment, parts)
                segment, parts, at = self._begin_segment(), [], 0
            parts += [_BLOB_HEAD.pack(_BLOB_MARK, len(blob), digest), blob]
            self._place(digest, segment, at + _BLOB_HEAD.size, len(blob))
            at += _BLOB_HEAD.size + len(blob)
        self._append(segment, parts)

    def keep(self, digests: frozenset[bytes]) -> None:
        """Forget all others, and make room."""
        for digest in [digest for digest in self._places if digest not in digests]:
            segment, _, length = self._places.pop(digest)
            self._alive[segment] -= length
        newest = max(self._files)
        for segment in [one for one in self._files if one != newest and not self._alive[one]]:
            self._drop(segment)
        self._clean(newest)

    def _clean(self, newest: int) -> None:
        """Copy what is alive in the oldest segment that is mostly dead."""
        for segment in sorted(self._files):
            if segment != newest and 2 * self._alive[segment] < self._sizes[segment]:
                places = [(d, p) for d, p in self._places.items() if p[0] == segment]
                blobs = {d: os.pread(self._files[segment], p[2], p[1]) for d, p in places}
                for digest in blobs:
                    del self._places[digest]
                self.add(blobs)
                self.sync()
                self._drop(segment)
                break

    def sync(self) -> None:
        """Make what was added safe."""
        if self._dirty:
            self._dirty = False
            os.fdatasync(self._files[max(self._files)])

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            os.close(file)

    def _place(self, digest: bytes, segment: int, at: int, length: int) -> None:
        if digest not in self._places:
            self._places[digest] = (segment, at, length)
            self._alive[segment] += length

    def _append(self, segment: int, parts: list[bytes]) -> None:
        if parts:
            self._sizes[segment] += _write_all(self._files[segment], parts)
            self._dirty = True

    def _begin_segment(self) -> int:
        self.sync()
        number = max(self._files, default=0) + 1
        self._add_segment(number)
        _sync_folder(self._folder)
        return number

    def _add_segment(self, number: int) -> None:
        path = self._folder / f"blobs-{number:06}"
        self._files[number] = _open(path)
        self._sizes[number] = path.stat().st_size
        self._alive[number] = 0

    def _drop(self, segment: int) -> None:
        os.close(self._files.pop(segment))
        del self._alive[segment], self._sizes[segment]
        (self._folder / f"blobs-{segment:06}").unlink()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _write_all(file: int, parts: Iterable[bytes]) -> int:
    data = memoryview(b"".join(parts))
    total = len(data)
    while data:
        data = data[os.write(file, data) :]
    return total


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
