"""The command ``vista`` as a process of its own, every wait bounded."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (
    sys.executable,
    "-c",
    "import sys; from vista.shell.command import main; sys.exit(main())",
)
SECONDS_MAX = 30.0


@contextmanager
def own_directories() -> Iterator[Path]:
    """Give the environment directories for keys, sockets and state that nobody else has.

    They are not pytest's, whose paths are long: that of a socket has 107 bytes at most.
    """
    with tempfile.TemporaryDirectory(prefix="vista") as name, pytest.MonkeyPatch.context() as patch:
        for variable in ("VISTA_CONFIG_DIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            directory = Path(name) / variable
            directory.mkdir(mode=0o700)
            patch.setenv(variable, str(directory))
        yield Path(name)


class Process:
    """A running command; both its outputs are read as lines."""

    def __init__(self, words: tuple[str, ...], directory: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            words,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.output: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            self._read(self.process.stdout, self.output),
            self._read(self.process.stderr, self.errors),
        ]

    def _read(self, stream: IO[str] | None, kept: list[str]) -> threading.Thread:
        assert stream is not None

        def body() -> None:
            with stream:
                for line in stream:
                    kept.append(line.rstrip("\n"))
                    self.lines.put(line)

        reader = threading.Thread(target=body, daemon=True)
        reader.start()
        return reader

    def expect(self, text: str) -> None:
        """Wait for a line that contains ``text`` on either output."""
        try:
            while text not in self.lines.get(timeout=SECONDS_MAX):
                pass
        except queue.Empty:
            raise AssertionError(f"no line with {text!r} in {self.output} {self.errors}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit code, minus the number for a signal."""
        code = self.process.wait(SECONDS_MAX)
        for reader in self._readers:
            reader.join(SECONDS_MAX)
        return code


@contextmanager
def vista(*words: str, directory: Path = ROOT) -> Iterator[Process]:
    """Run ``vista`` with these words; it is killed at the end of the block if it still runs."""
    process = Process((*COMMAND, *words), directory)
    try:
        yield process
    except BaseException:
        # Whatever failed: what the process told is the first thing that is asked for.
        print(f"vista {' '.join(words)} printed:", *process.output, sep="\n")
        print("and to its standard error:", *process.errors, sep="\n")
        raise
    finally:
        process.process.kill()
        process.end()
