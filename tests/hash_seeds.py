"""Other processes, whose hashes of texts have a seed of their own: so sets have another order."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.house.source import ROOT

SECONDS_MAX = 240


def printed_under(hash_seed: str, *words: str) -> str:
    """What a Python process prints that runs under a PYTHONHASHSEED, in the tree's directory.

    ``words`` stand behind the interpreter's name, as in ``-m tests.sim.digests 0 10``.
    """
    run = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
