"""Start-up: from the start of a process to the first object, and Python's own part of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.measure import expect

RC_FILE = Path(__file__).with_name("first.rc")
SECONDS_MAX = 30.0

# What the installed ``vista`` does, but also where it is not on the path.
_COMMAND = "import sys; from vista.shell.command import main; sys.exit(main())"

_LIBRARY = """
import vista
from benchmarks.first_class import First
vista.create(First)
"""


def vista_command(count: int) -> float:
    """``vista first.rc`` until its object prints a line."""
    return _mean([sys.executable, "-c", _COMMAND, str(RC_FILE)], "created", count)


def vista_library(count: int) -> float:
    """``python -c`` with an import of vista and one create, until the object prints a line."""
    return _mean([sys.executable, "-c", _LIBRARY], "created", count)


def bare_python(count: int) -> float:
    """``python -c`` that imports asyncio and prints a line."""
    return _mean([sys.executable, "-c", "import asyncio; print('up', flush=True)"], "up", count)


def _mean(command: list[str], line: str, count: int) -> float:
    return sum(_seconds_until(command, line) for _ in range(count)) / count


def _seconds_until(command: list[str], line: str) -> float:
    """Start a process and return the seconds until its first line, which must be ``line``."""
    started = perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=RC_FILE.parents[1],
    )
    try:
        assert process.stdout is not None
        found = process.stdout.readline().strip()
        seconds = perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    expect(found, line)
    return seconds
