"""One process of a measured file service: ``python -m benchmarks.solidstate_files_node ...``.

As `benchmarks.solidstate_node`, with files in the place of a cart; and one process that keeps the
same object alone.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import vista
from benchmarks.measure import NothingMeasuredError
from benchmarks.solidstate_files_work import FileCrowd
from benchmarks.solidstate_node import POOL, WAIT_SECONDS, Part, main

SERVICE = "measured-files"


class FilesPart(Part):
    """What a process does when it is told to."""

    deeds = ("meet", "batches", "replicate", "keep", "find", "begin", "run", "clear")

    def __init__(self) -> None:
        super().__init__()
        self._files: Any = None

    def replicate(self, mode: str) -> str:
        """Found a group that keeps the files; return how it agrees."""
        made = vista.create("CreateReplicasOnServers")
        files = made.initialize(POOL, 1, "ReplicatedFiles", "files", mode=mode)
        self._files = vista.create(FileCrowd, files)
        return mode

    def keep(self) -> str:
        """Keep the files alone."""
        vista.register_service(SERVICE, vista.create("ReplicatedFiles"))
        return SERVICE

    def find(self) -> str:
        """Use the files of a server that keeps them alone."""
        give_up = time.monotonic() + WAIT_SECONDS
        while not any(row.name == SERVICE for row in vista.services()):
            if time.monotonic() > give_up:
                raise NothingMeasuredError("no server with files was found")
            vista.sleep(0.01)
        self._files = vista.create(FileCrowd, vista.service(SERVICE))
        return SERVICE

    def begin(self, roots: list[str], in_flight: int, directories: int, files: int) -> Any:
        """Have a client for each root."""
        return self._files.begin(roots, in_flight, directories, files)

    def run(self, phase: str) -> Any:
        """Have all clients do a phase; return how many requests it takes, and the seconds."""
        return self._files.run(phase)

    def clear(self, roots: list[str]) -> Any:
        """Remove what was made."""
        return self._files.clear(roots)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(FilesPart(), sys.argv[1], sys.argv[2], sys.argv[3:])
