"""The Erlang column: the scenarios of ``local.escript``, where Erlang is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import Subject

SCRIPT = Path(__file__).with_name("local.escript")
SECONDS_MAX = 120.0


def subject(scenario: str, name: str) -> Subject | None:
    """Return the subject for a scenario of the script, called ``name``; None without Erlang."""
    program = shutil.which("escript")
    if program is None:
        return None

    def run(count: int) -> float:
        command = [program, str(SCRIPT), scenario, str(count)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        return float(done.stdout) / 1e9

    return Subject(name, run)
