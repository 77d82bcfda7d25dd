"""A recording of a game as a file, which `apps.starship.rules.replay` plays again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import vista

_log = logging.getLogger("vista.starship")

ASIDE_MAX = 1_000
"""Older recordings of one name that are kept aside."""


class StarshipRecorder(vista.Object, namespace="StarShip"):
    """Writes the lines of a recording to a file; the primary makes it for ``record=FILE``.

    ``create(path, start)``: ``start`` is the first line. A file that is there is put aside as
    ``FILE.1``, ``FILE.2`` and so on: a recording begins with a state, so it cannot be gone on with.
    A line that cannot be written ends the recording, with a line in the log; the game goes on.
    """

    @vista.native
    def create(self, path: str, start: str) -> None:
        """Begin the file. Raises `BadValueError` if that cannot be."""
        self.path = path
        self.ended = False
        try:
            put_aside(Path(path))
            _append(path, start, os.O_EXCL)
        except OSError as error:
            raise vista.BadValueError(f"record={path}: {error.strerror}") from error

    @vista.native
    def write(self, line: str) -> None:
        """Add a line."""
        if self.ended:
            return
        try:
            _append(self.path, line, 0)
        except OSError as error:
            self.ended = True
            _log.error("%s: %s: the recording ends here", self.path, error.strerror)


def _append(path: str, line: str, flags: int) -> None:
    # Opened for each line: a step is seconds, and nothing is left open when the node ends.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line.encode("ascii") + b"\n")


def put_aside(path: Path) -> None:
    """Give a file that is there another name. Raises OSError."""
    if not path.exists():
        return
    for number in range(1, ASIDE_MAX + 1):
        other = path.with_name(f"{path.name}.{number}")
        if not other.exists():
            path.rename(other)
            return
    raise OSError(0, f"there are {ASIDE_MAX} older recordings of this name; move some away")
