"""The lecture's workload on files: five phases, against whatever keeps the files.

After the Andrew benchmark as OSDI 1999, section 7.3, has it: make directories, copy a tree, look at
all files, read all of them, and work with them, which was a compiler there and is an index of words
here.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import vista
from apps.solidstate.files.client import FileClient
from benchmarks.measure import expect

PHASES = ("make directories", "copy a tree", "stat all", "read all", "build an index")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Tree:
    """The files of one client: ``directories`` with so many ``files`` each."""

    directories: int = 16
    files: int = 6
    bytes_min: int = 200
    bytes_max: int = 40_000

    @property
    def folders(self) -> list[str]:
        """The directories, below the root of a client; every fourth one lies in the one before."""
        names = [f"/{number:02}" for number in range(self.directories)]
        return [
            f"{names[place - 1]}{name}" if place % 4 == 3 else name
            for place, name in enumerate(names)
        ]

    def contents(self) -> dict[str, bytes]:
        """Return the files by their paths below the root: texts of made up words."""
        dice = Random(1)
        words = ["".join(dice.choices(LETTERS, k=dice.randint(2, 9))) for _ in range(2_000)]
        made = {}
        for folder in self.folders:
            for number in range(self.files):
                size = round(self.bytes_min * (self.bytes_max / self.bytes_min) ** dice.random())
                text = " ".join(dice.choices(words, k=size // 6 + 1))
                made[f"{folder}/{number}.txt"] = text[:size].encode()
        return made


class Disk(Protocol):
    """What keeps files: each method asks for all that it is given."""

    def make_directories(self, paths: Sequence[str]) -> None:
        """Make directories."""

    def write_files(self, files: dict[str, bytes]) -> None:
        """Write files."""

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return the bytes of files."""

    def read_files(self, paths: Sequence[str]) -> list[bytes]:
        """Return files."""


class VistaDisk:
    """The file service."""

    def __init__(self, files: vista.Ref, in_flight: int) -> None:
        self._client = FileClient(files, in_flight)

    def make_directories(self, paths: Sequence[str]) -> None:
        """Make directories."""
        self._client.run(("make_directory", path, True) for path in paths)

    def write_files(self, files: dict[str, bytes]) -> None:
        """Write files."""
        self._client.write_files(files)

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return the bytes of files."""
        return [told["size"] for told in self._client.run(("stat", path) for path in paths)]

    def read_files(self, paths: Sequence[str]) -> list[bytes]:
        """Return files."""
        return self._client.read_files(paths)


class Workload:
    """The phases of one client, whose tree is below ``root``."""

    def __init__(self, disk: Disk, root: str, tree: Tree) -> None:
        self._disk = disk
        self._root = root
        self._folders = [root, *(root + folder for folder in tree.folders), f"{root}/index"]
        self._files = {root + path: data for path, data in tree.contents().items()}
        self._phases: dict[str, Callable[[], int]] = dict(
            zip(PHASES, (self._make, self._copy, self._look, self._read, self._index), strict=True)
        )

    def run(self, phase: str) -> int:
        """Do a phase; return how many requests it takes."""
        return self._phases[phase]()

    def _make(self) -> int:
        self._disk.make_directories(self._folders)
        return len(self._folders)

    def _copy(self) -> int:
        self._disk.write_files(self._files)
        return len(self._files)

    def _look(self) -> int:
        found = self._disk.sizes(list(self._files))
        expect(found, [len(data) for data in self._files.values()])
        return len(found)

    def _read(self) -> int:
        found = self._disk.read_files(list(self._files))
        expect(found == list(self._files.values()), True)
        return len(found)

    def _index(self) -> int:
        places: dict[str, dict[str, int]] = defaultdict(dict)
        texts = self._disk.read_files(list(self._files))
        for path, text in zip(self._files, texts, strict=True):
            for word in text.decode().split():
                places[word][path] = places[word].get(path, 0) + 1
        pages: dict[str, dict[str, int]] = {letter: {} for letter in LETTERS}
        for word in sorted(places):
            pages[word[0]][word] = len(places[word])
        made = {f"{self._root}/index/{one}": json.dumps(pages[one]).encode() for one in LETTERS}
        self._disk.write_files(made)
        return len(texts) + len(made)


class FileUser(vista.Object, namespace="Benchmarks"):
    """A client of the file service."""

    def create(self, files: vista.Ref) -> None:
        """Have nothing to do yet."""
        self.files = files
        self._workload: Any = None

    def begin(self, root: str, in_flight: int, directories: int, files: int) -> None:
        """Have a workload below a root."""
        self._workload = Workload(VistaDisk(self.files, in_flight), root, Tree(directories, files))

    def run(self, phase: str) -> int:
        """Do a phase; return how many requests it takes."""
        requests: int = self._workload.run(phase)
        return requests


class FileCrowd(vista.Object, namespace="Benchmarks"):
    """The clients of one node."""

    def create(self, files: vista.Ref) -> None:
        """Begin without clients."""
        self.files = files
        self.users: list[vista.Ref] = []

    def begin(self, roots: list[str], in_flight: int, directories: int, files: int) -> int:
        """Have a client for each root."""
        self.users = [vista.create(FileUser, self.files) for _ in roots]
        for user, root in zip(self.users, roots, strict=True):
            user.begin(root, in_flight, directories, files)
        return len(self.users)

    def run(self, phase: str) -> tuple[int, float]:
        """Have all clients do a phase; return how many requests it takes, and the seconds."""
        began = time.monotonic()
        with vista.timeout(600):
            done = vista.gather(*[vista.future(user, "run", phase) for user in self.users])
        return sum(done), time.monotonic() - began

    def clear(self, roots: list[str]) -> int:
        """Remove what was made; return how many trees that were."""
        with vista.timeout(600):
            for root in roots:
                FileClient(self.files).remove_tree(root)
        return len(roots)
