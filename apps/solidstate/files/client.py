"""What a program uses the file service by: whole files and trees, many requests at a time.

A request of its own waits for the replicas to agree, and a hundred that are under way together wait
hardly longer, since they are agreed on together. So whatever has many parts is asked for at once.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import vista
from apps.solidstate.errors import ConflictError
from apps.solidstate.files.paths import joined, names_of
from apps.solidstate.files.tree import ENTRIES_MAX, FILE_BYTES_MAX, LISTED_MAX, PIECE_BYTES

IN_FLIGHT = 32
"""Requests that a client has under way at a time: 2 MiB of pieces."""
IN_FLIGHT_MAX = 1_000
"""The most that one may have: a proxy takes 10,000 of all its callers."""
READ_AGAIN = 8
"""How often a file that is written while it is read is begun anew."""

Call = tuple[Any, ...]
"""The name of a method and its arguments."""
Row = list[Any]
"""What is in a directory: name, kind and size."""

_One = TypeVar("_One")


class FileClient:
    """A `ReplicatedFiles` for programs: whole files and trees, ``in_flight`` requests at a time.

    ``files`` is its Ref or service name.

    >>> disk = FileClient("files")
    >>> disk.copy_in("letters", "/letters")
    >>> disk.read_file("/letters/may.txt")
    """

    def __init__(self, files: vista.Ref | str, in_flight: int = IN_FLIGHT) -> None:
        if not 1 <= in_flight <= IN_FLIGHT_MAX:
            raise vista.BadValueError(f"in_flight is 1 to {IN_FLIGHT_MAX}, not {in_flight}")
        self._files = vista.service(files) if isinstance(files, str) else files
        self._in_flight = in_flight

    def run(self, calls: Iterable[Call]) -> list[Any]:
        """Make calls, some at a time, and return their results in the order of the calls.

        Raises the first error, once no call is under way; later ones are not made then.
        """
        results: list[Any] = []
        under_way: deque[vista.Future] = deque()
        try:
            for method, *args in calls:
                if len(under_way) >= self._in_flight:
                    results.append(under_way.popleft().result())
                under_way.append(vista.future(self._files, method, *args))
            while under_way:
                results.append(under_way.popleft().result())
        finally:
            for one in under_way:
                one.exception()
        return results

    # --- files -----------------------------------------------------------------------------

    def read_file(self, path: str) -> bytes:
        """Return a whole file, as it was at one moment.

        Raises `ConflictError` when it is written again and again meanwhile.
        """
        return self.read_files([path])[0]

    def read_files(self, paths: Sequence[str]) -> list[bytes]:
        """Return whole files, each as it was at a moment of its own."""
        found = self.run(("read", path) for path in paths)
        # What fills a piece may have more of them.
        return [
            data if len(data) < PIECE_BYTES else self._read_large(path)
            for path, data in zip(paths, found, strict=True)
        ]

    def _read_large(self, path: str) -> bytes:
        for _ in range(READ_AGAIN):
            told = self._files.stat(path)
            size, version = told["size"], told.get("version")
            if size > FILE_BYTES_MAX:
                raise vista.BadValueError(f"{path} is told to have {size} bytes, which no file has")
            places = range(0, size, PIECE_BYTES)
            try:
                found = self.run(("read", path, at, PIECE_BYTES, version) for at in places)
            except ConflictError:
                continue
            return b"".join(found)
        raise ConflictError(f"{path} was written {READ_AGAIN} times while it was read: try again")

    def write_file(self, path: str, data: bytes) -> None:
        """Make a file be ``data``, in one step: readers see all of it or what was there before.

        A large one is written beside it, as ``.part-`` and random letters, and renamed when it is
        whole. A client that is stopped in between leaves that behind.
        """
        self.write_files({path: data})

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Make files be what they are given, by their paths; each in one step."""
        small = {path: data for path, data in files.items() if len(data) <= PIECE_BYTES}
        self.run(("write", path, data) for path, data in small.items())
        for path, data in files.items():
            if path not in small:
                self._write_large(path, data)

    def _write_large(self, path: str, data: bytes) -> None:
        if len(data) > FILE_BYTES_MAX:
            raise vista.BadValueError(f"{path}: a file has {FILE_BYTES_MAX} bytes at most")
        folder = "/".join(["", *names_of(path)[:-1]])
        beside = joined(folder, _name_of_part())
        places = range(0, len(data), PIECE_BYTES)
        try:
            self.run(("write", beside, data[at : at + PIECE_BYTES], at) for at in places)
            self._files.rename(beside, path)
        except BaseException:
            # In flight and not waited for: it may not be there at all.
            vista.future(self._files, "remove", beside)
            raise

    # --- trees -----------------------------------------------------------------------------

    def list_all(self, path: str = "/") -> list[Row]:
        """Return all that is in a directory, as `ReplicatedFiles.list` has it."""
        return self._list_all([path])[0]

    def _list_all(self, paths: Sequence[str]) -> list[list[Row]]:
        """Return the rows of directories; those that are long are asked for the rest."""
        found: list[list[Row]] = self.run(("list", path) for path in paths)
        for path, rows in zip(paths, found, strict=True):
            more = rows
            while len(more) == LISTED_MAX:
                more = self._files.list(path, more[-1][0])
                rows += more
                if len(rows) > ENTRIES_MAX:
                    raise vista.BadValueError(f"{path} does not end after {ENTRIES_MAX} names")
        return found

    def walk(self, path: str = "/") -> Iterator[tuple[str, str, int]]:
        """Go through all that is below a directory: path, kind and size of each, nearest first.

        Raises `BadValueError` for a name that no file has, whoever keeps the files: what is copied
        out stays where it is to go.
        """
        level, left = [path], ENTRIES_MAX
        while level:
            below = []
            for folder, rows in self._rows_of(level):
                left -= len(rows)
                if left < 0:
                    raise vista.BadValueError(f"{path} has more than {ENTRIES_MAX} names")
                for name, kind, size in rows:
                    one = joined(folder, name)
                    if names_of(one)[-1:] != [name]:
                        raise vista.BadValueError(f"{folder}: {name!r:.60} is no name of a file")
                    if kind == "directory":
                        below.append(one)
                    yield one, kind, size
            level = below

    def _rows_of(self, folders: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
        """Go through directories and their rows, so many at a time as are asked for together."""
        for at in range(0, len(folders), self._in_flight):
            some = folders[at : at + self._in_flight]
            yield from zip(some, self._list_all(some), strict=True)

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that is in it; the root cannot be."""
        if not names_of(path):
            raise vista.BadValueError("the root stays as it is: remove what is in it one by one")
        found = list(self.walk(path))
        self.run(("remove", one) for one, kind, _ in found if kind == "file")
        depths: dict[int, list[str]] = {}
        for one, kind, _ in found:
            if kind == "directory":
                depths.setdefault(one.count("/"), []).append(one)
        for depth in sorted(depths, reverse=True):
            self.run(("remove", one) for one in depths[depth])
        self._files.remove(path)

    def copy_in(self, source: str | Path, path: str) -> int:
        """Copy a directory of this machine to a path, with all that is in it; return the files.

        Links and what is neither file nor directory are left out. The node waits for the disk.
        """
        root = Path(source)
        if not root.is_dir():
            raise NotADirectoryError(f"{source} is no directory of this machine")
        self._files.make_directory(path, True)
        level, count = [(root, path)], 0
        while level:
            entries = [
                (entry, joined(target, entry.name))
                for folder, target in level
                for entry in sorted(folder.iterdir())
                if not entry.is_symlink()
            ]
            level = [one for one in entries if one[0].is_dir()]
            self.run(("make_directory", target, True) for _, target in level)
            files = [one for one in entries if one[0].is_file()]
            sizes = [entry.stat().st_size for entry, _ in files]
            for some in self._portions(files, sizes):
                self.write_files({target: _read_local(entry) for entry, target in some})
            count += len(files)
        return count

    def copy_out(self, path: str, target: str | Path) -> int:
        """Copy all below a directory to one of this machine; return the files.

        Files that are there are replaced, each in one step, and so are links to files; there is no
        copying into a directory below ``target`` that is a link. A process that is killed meanwhile
        leaves ``.part-`` and random letters behind. The node waits for the disk.
        """
        root = Path(target)
        root.mkdir(parents=True, exist_ok=True)
        sizes = {}
        skipped = len(path.rstrip("/")) + 1
        for one, kind, size in self.walk(path):
            if kind == "directory":
                _make_local_folder(root / one[skipped:])
            else:
                sizes[one] = size
        for some in self._portions(list(sizes), list(sizes.values())):
            for one, data in zip(some, self.read_files(some), strict=True):
                _replace_local(root / one[skipped:], data)
        return len(sizes)

    def _portions(self, files: Sequence[_One], sizes: Sequence[int]) -> Iterator[list[_One]]:
        """Cut files into portions of ``in_flight`` pieces at most; a larger file is one alone.

        A portion is in the memory of this machine.
        """
        portion: list[_One] = []
        room = self._in_flight
        for file, size in zip(files, sizes, strict=True):
            pieces = max(1, -(-size // PIECE_BYTES))
            if portion and pieces > room:
                yield portion
                portion, room = [], self._in_flight
            portion.append(file)
            room -= pieces
        if portion:
            yield portion


# --- the disk of this machine --------------------------------------------------------------


def _name_of_part() -> str:
    """Return a name for what is not whole yet."""
    return f".part-{secrets.token_hex(8)}"


def _read_local(file: Path) -> bytes:
    """Return a file, or so much of it that it is seen to be too large."""
    with file.open("rb") as opened:
        return opened.read(FILE_BYTES_MAX + 1)


def _make_local_folder(folder: Path) -> None:
    if folder.is_symlink():
        raise NotADirectoryError(f"{folder} is a link: nothing is copied through it, remove it")
    folder.mkdir(exist_ok=True)


def _replace_local(file: Path, data: bytes) -> None:
    """Make a file be ``data``; what was there is not written into, be it a link or a pipe."""
    beside = file.with_name(_name_of_part())
    try:
        with beside.open("xb") as opened:
            opened.write(data)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
