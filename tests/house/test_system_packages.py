"""The script that installs system packages for the tests asks for little and never fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.house.source import ROOT

SCRIPT = ROOT / ".ci" / "system-packages"


def run_script(*pairs: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run the script with this search path for programs."""
    bash = shutil.which("bash") or "bash"
    command = [bash, str(SCRIPT), *pairs]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=30)


def test_program_that_is_there_needs_nothing() -> None:
    done = run_script("bash:bash", path=os.environ["PATH"])
    assert (done.returncode, done.stdout) == (0, "")


def test_without_apt_get_it_says_what_is_skipped_and_succeeds(tmp_path: Path) -> None:
    done = run_script("no-such-program:some-package", path=str(tmp_path))
    assert done.returncode == 0
    assert done.stdout == (
        "system packages not installed (no apt-get): some-package; "
        "the tests that need them are skipped\n"
    )
