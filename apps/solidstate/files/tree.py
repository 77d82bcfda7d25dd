"""A tree of files that a group of replicas keeps.

Three rules. Each call is one step: it is done whole or, with an error, not at all. A call carries
one piece of a file at most, so a large file is several calls; `client` puts them together. What a
call adds is counted before it is added, so a tree that is full refuses and does not break.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from apps.solidstate.errors import ConflictError, StateTooLargeError
from apps.solidstate.files.paths import bytes_of, names_of
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from vista import BadValueError

PIECE_BYTES = 64 * 1024
"""Bytes of a file that one call carries, and that are kept together: some of them fit into a bundle
of requests, and one into an answer."""
FILE_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one file."""
SPACE_BYTES_MAX = 24 * 1024 * 1024
"""Bytes of a tree, names and what they cost included: a state variable has 32 MiB at most."""
ENTRIES_MAX = 100_000
"""Files and directories of a tree."""
LISTED_MAX = 500
"""Names that one call returns: of the longest ones no more fit into an answer."""
ENTRY_BYTES = 128
"""What a name counts besides its bytes: its place in two tables, size, time, version."""
PIECE_COST_BYTES = 32
"""What a piece counts besides its bytes."""

_ROOT = 1
# Of a file: [bytes, when it was changed, number of its last write, number of each piece by its
# place].
_SIZE, _FILE_CHANGED, _VERSION, _PIECES = range(4)
# Of a directory: [when it was changed, number of each entry by its name].
_CHANGED, _ENTRIES = range(2)

_Row = list[Any]


class ReplicatedFiles(ReplicatedObject, namespace="SolidState"):
    """A tree of files that a group of replicas keeps.

    rc line: ``CreateReplicasOnServers disks 1 ReplicatedFiles files``

    ``create()`` makes an empty one. Paths are texts such as ``/letters/2026/may``. A call carries
    64 KiB of a file at most; `FileClient` reads and writes whole files and trees. What is wrong
    with a path is said as Python says it: `FileNotFoundError`, `FileExistsError`,
    `NotADirectoryError`, `IsADirectoryError`. Values of the wrong kind raise `BadValueError`, and a
    tree that is full raises `StateTooLargeError`.
    """

    def create(self) -> None:
        """Begin with an empty root."""
        # Variables are kept in the order of their names: contents come first, in the order in which
        # they were written, so most of the pages of the state do not change. What is written anew
        # goes to the end: files that change often are together there.
        self.contents: dict[int, bytes] = {}
        self.files: dict[int, _Row] = {}
        self.folders: dict[int, _Row] = {_ROOT: [self.agreed_time, {}]}
        self.made = _ROOT
        self.used = 0

    # --- changing --------------------------------------------------------------------------

    def make_directory(self, path: str, parents: bool = False) -> None:
        """Make a directory; with ``parents`` also those it lies in.

        One that is there raises `FileExistsError`, unless ``parents`` is true.
        """
        names = names_of(path)
        depth, folder = self._deepest(names, path)
        missing = names[depth:]
        if not missing and not parents:
            raise FileExistsError(f"{path} is there already")
        if len(missing) > 1 and not parents:
            raise FileNotFoundError(f"{path}: there is no {missing[0]!r}")
        self._make_room(len(missing), sum(map(bytes_of, missing)))
        for name in missing:
            number = self._add(folder, name)
            folder = self.folders[number] = [self.agreed_time, {}]

    def write(self, path: str, data: bytes | str, at: int | None = None) -> int:
        """Write into a file, which is made if it is not there; return the bytes it has then.

        Without ``at`` the file is ``data`` and nothing else afterwards. With it ``data`` goes to
        the bytes from ``at`` on, and what lies between the end and there is zeros. A text is kept
        as UTF-8; 64 KiB at most.
        """
        content = _content(data)
        start = 0 if at is None else _whole("at", at)
        end = start + len(content)
        if end > FILE_BYTES_MAX:
            raise BadValueError(f"{path!r:.60}: a file has {FILE_BYTES_MAX} bytes at most")
        folder, name = self._place(path)
        number = folder[_ENTRIES].get(name)
        if number in self.folders:
            raise IsADirectoryError(f"{path} is a directory")
        row: _Row = [0, 0.0, 0, {}] if number is None else self.files[number]
        before: dict[int, int] = {} if at is None else row[_PIECES]
        pieces = self._cut(before, start, content)
        added = _cost(pieces.values()) - self._cost_of(row, None if at is None else pieces)
        self._make_room(number is None, added + (bytes_of(name) if number is None else 0))
        if number is None:
            self.files[self._add(folder, name)] = row
        if at is None:
            self._drop_pieces(row)
            row[_SIZE] = 0
        for place, piece in pieces.items():
            self._keep(row, place, piece)
        row[_SIZE] = max(row[_SIZE], end)
        row[_FILE_CHANGED] = self.agreed_time
        # Of the whole tree, not of the file: another one may take its place and its path.
        self.made += 1
        row[_VERSION] = self.made
        size: int = row[_SIZE]
        return size

    def remove(self, path: str) -> None:
        """Remove a file, or a directory that is empty."""
        folder, name = self._place(path)
        number = self._entry(folder, name, path)
        found = self.folders.get(number)
        if found is not None and found[_ENTRIES]:
            raise BadValueError(f"{path} is not empty: it has {len(found[_ENTRIES])} entries")
        self._forget(folder, name)

    def rename(self, path: str, new_path: str) -> None:
        """Give a file or directory another path, with all that is in it.

        A file takes the place of one that is there, in one step; nothing else is replaced. What
        has too many names for a path then is reached again after another rename.
        """
        folder, name = self._place(path)
        number = self._entry(folder, name, path)
        old_names, new_names = names_of(path), names_of(new_path)
        if old_names == new_names:
            return
        if new_names[: len(old_names)] == old_names:
            raise BadValueError(f"{path} cannot be moved into itself, to {new_path}")
        target, new_name = self._place(new_path)
        replaced = target[_ENTRIES].get(new_name)
        if replaced is not None and not (number in self.files and replaced in self.files):
            raise FileExistsError(f"{new_path} is there already")
        if replaced is None:
            self._make_room(0, bytes_of(new_name) - bytes_of(name))
        else:
            self._forget(target, new_name)
            self.used += bytes_of(new_name) - bytes_of(name)
        del folder[_ENTRIES][name]
        target[_ENTRIES][new_name] = number
        folder[_CHANGED] = target[_CHANGED] = self.agreed_time

    # --- looking ---------------------------------------------------------------------------

    @read_only
    def read(
        self, path: str, at: int = 0, most: int = PIECE_BYTES, version: int | None = None
    ) -> bytes:
        """Return the bytes of a file from ``at`` on, 64 KiB or ``most`` of them at most.

        Fewer, or none, at its end. With ``version``, as `stat` tells it, raises `ConflictError` if
        the file was written meanwhile, or there is another one.
        """
        row = self._file(path)
        if version is not None and version != row[_VERSION]:
            raise ConflictError(f"{path} was written meanwhile: begin to read it anew")
        start = _whole("at", at)
        end = min(start + min(_whole("most", most), PIECE_BYTES), row[_SIZE])
        found = b""
        while start + len(found) < end:
            place, first = divmod(start + len(found), PIECE_BYTES)
            last = min(PIECE_BYTES, end - place * PIECE_BYTES)
            piece = self.contents.get(row[_PIECES].get(place), b"")
            found += piece[first:last].ljust(last - first, b"\0")
        return found

    @read_only
    def stat(self, path: str) -> dict[str, Any]:
        """Return what is at a path.

        Keys: kind, ``file`` or ``directory``; size, its bytes or how many entries it has; changed,
        in seconds since 1970; of a file version, a number that no other write of the tree gives.
        """
        names = names_of(path)
        if not names:
            return _told_folder(self.folders[_ROOT])
        folder, name = self._place(path)
        number = self._entry(folder, name, path)
        if number in self.folders:
            return _told_folder(self.folders[number])
        row = self.files[number]
        told = {"kind": "file", "size": row[_SIZE], "changed": row[_FILE_CHANGED]}
        return {**told, "version": row[_VERSION]}

    @read_only
    def exists(self, path: str) -> bool:
        """Tell whether there is a file or directory."""
        try:
            self.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @read_only
    def list(self, path: str = "/", after: str = "", most: int = LISTED_MAX) -> Sequence[_Row]:
        """Return what is in a directory behind the name ``after``, in the order of the names.

        Each as [name, kind, size], with kind and size as `stat` has them; 500 or ``most`` at most.
        """
        if not isinstance(after, str):
            raise BadValueError(f"names are listed behind a text, not {after!r:.60}")
        folder = self._folder(names_of(path), path)
        # Nothing here goes by lines of Python for each name: a call has a bound of those.
        found = filter(after.__lt__, folder[_ENTRIES]) if after else iter(folder[_ENTRIES])
        names = heapq.nsmallest(min(_whole("most", most), LISTED_MAX), found)
        return [self._listed(name, folder[_ENTRIES][name]) for name in names]

    @read_only
    def usage(self) -> dict[str, int]:
        """Return how much there is: files, directories, bytes that count, and bytes_max."""
        return {
            "files": len(self.files),
            "directories": len(self.folders),
            "bytes": self.used,
            "bytes_max": SPACE_BYTES_MAX,
        }

    # --- places ----------------------------------------------------------------------------

    def _folder(self, names: Sequence[str], path: str) -> _Row:
        """Return the directory of these names; ``path`` is what errors call it."""
        folder = self.folders[_ROOT]
        for name in names:
            number = self._entry(folder, name, path)
            if number not in self.folders:
                raise NotADirectoryError(f"{path}: {name!r} is a file")
            folder = self.folders[number]
        return folder

    def _place(self, path: str) -> tuple[_Row, str]:
        """Return the directory in which a path ends, and its last name."""
        names = names_of(path)
        if not names:
            raise BadValueError("the root stays as it is")
        return self._folder(names[:-1], path), names[-1]

    def _entry(self, folder: _Row, name: str, path: str) -> int:
        number: int | None = folder[_ENTRIES].get(name)
        if number is None:
            raise FileNotFoundError(f"{path}: there is no {name!r}")
        return number

    def _file(self, path: str) -> _Row:
        folder, name = self._place(path)
        number = self._entry(folder, name, path)
        if number in self.folders:
            raise IsADirectoryError(f"{path} is a directory")
        return self.files[number]

    def _listed(self, name: str, number: int) -> _Row:
        row = self.files.get(number)
        if row is None:
            return [name, "directory", len(self.folders[number][_ENTRIES])]
        return [name, "file", row[_SIZE]]

    def _deepest(self, names: Sequence[str], path: str) -> tuple[int, _Row]:
        """Return how many of the names are there as directories, and the last of them."""
        folder = self.folders[_ROOT]
        for depth, name in enumerate(names):
            number = folder[_ENTRIES].get(name)
            if number is None:
                return depth, folder
            if number not in self.folders:
                raise NotADirectoryError(f"{path}: {name!r} is a file")
            folder = self.folders[number]
        return len(names), folder

    def _make_room(self, entries: int, more: int) -> None:
        """Count so many names more, and bytes. Raises `StateTooLargeError` before it does."""
        if entries and len(self.files) + len(self.folders) + entries > ENTRIES_MAX:
            raise StateTooLargeError(f"a tree has {ENTRIES_MAX} names at most: remove some")
        more += entries * ENTRY_BYTES
        if more > 0 and self.used + more > SPACE_BYTES_MAX:
            raise StateTooLargeError(
                f"{self.used} of {SPACE_BYTES_MAX} bytes are in use, and there is no room for "
                f"{more} more: remove some files"
            )
        self.used += more

    def _add(self, folder: _Row, name: str) -> int:
        """Put a name into a directory; return its number."""
        self.made += 1
        folder[_ENTRIES][name] = self.made
        folder[_CHANGED] = self.agreed_time
        return self.made

    def _forget(self, folder: _Row, name: str) -> None:
        """Take an entry out of a directory, and with it a file's pieces."""
        number = folder[_ENTRIES].pop(name)
        folder[_CHANGED] = self.agreed_time
        row = self.files.pop(number, None)
        self.used -= ENTRY_BYTES + bytes_of(name)
        if row is None:
            del self.folders[number]
        else:
            self.used -= self._cost_of(row, None)
            self._drop_pieces(row)

    # --- pieces ----------------------------------------------------------------------------

    def _cut(self, before: dict[int, int], start: int, data: bytes) -> dict[int, bytes]:
        """Return the pieces as they are with ``data`` from byte ``start`` on, by their places."""
        made = {}
        end = start + len(data)
        for place in range(start // PIECE_BYTES, -(-end // PIECE_BYTES)):
            first = place * PIECE_BYTES
            lower, upper = max(start, first), min(end, first + PIECE_BYTES)
            old = self.contents.get(before.get(place, 0), b"")
            front = old[: lower - first].ljust(lower - first, b"\0")
            made[place] = front + data[lower - start : upper - start] + old[upper - first :]
        return made

    def _cost_of(self, row: _Row, places: dict[int, bytes] | None) -> int:
        """Return what the pieces of a file count, those at some places or all of them."""
        numbers = row[_PIECES]
        chosen = numbers.values() if places is None else map(numbers.get, places)
        return _cost([self.contents[one] for one in chosen if one is not None])

    def _keep(self, row: _Row, place: int, piece: bytes) -> None:
        number = row[_PIECES].get(place)
        if number is None:
            self.made += 1
            number = row[_PIECES][place] = self.made
        self.contents[number] = piece

    def _drop_pieces(self, row: _Row) -> None:
        for number in row[_PIECES].values():
            del self.contents[number]
        row[_PIECES] = {}


def _cost(pieces: Any) -> int:
    """Return what pieces count: with what each takes besides its bytes."""
    sizes = [len(piece) for piece in pieces]
    return sum(sizes) + PIECE_COST_BYTES * len(sizes)


def _told_folder(row: _Row) -> dict[str, Any]:
    return {"kind": "directory", "size": len(row[_ENTRIES]), "changed": row[_CHANGED]}


def _content(data: Any) -> bytes:
    content = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if not isinstance(content, bytes):
        raise BadValueError(f"a file has bytes or text, not {data!r:.60}")
    if len(content) > PIECE_BYTES:
        raise BadValueError(
            f"one call writes {PIECE_BYTES} bytes at most, not {len(content)}: "
            f"FileClient.write_file writes larger files"
        )
    return content


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadValueError(f"{name} is a number of bytes from 0 on, not {value!r:.60}")
    return value
