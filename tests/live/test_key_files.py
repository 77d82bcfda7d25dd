"""Processes that want the same key files at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.live.process import ROOT, SECONDS_MAX
from vista.peering.keys import load_key
from vista.peering.trust import read_peers
from vista.peering.urls import key_text

PROCESSES = 6
LISTED_BY_EACH = 5

MAKE_KEY = """
import sys
from pathlib import Path
from vista.peering.keys import load_or_make_key
from vista.peering.urls import key_text
import vista.peering.curve
print("ready", flush=True)
sys.stdin.readline()
print(key_text(load_or_make_key(Path(sys.argv[1])).public))
"""

LIST_PEERS = """
import sys
from pathlib import Path
from vista.peering.trust import ALL_RIGHTS, authorize_peer
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    key = bytes([int(sys.argv[2]), number]) + bytes(30)
    authorize_peer(Path(sys.argv[1]), key, "ann", ALL_RIGHTS)
"""


def run_at_once(program: str, directory: Path, *arguments: str) -> list[str]:
    """Run the program in several processes, start all when all are ready; what each prints.

    Each gets the directory, its number and the arguments.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(directory), str(number), *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        printed = [process.communicate(timeout=SECONDS_MAX)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(SECONDS_MAX)
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return printed


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    directory = tmp_path / "vista"
    printed = run_at_once(MAKE_KEY, directory)
    pair = load_key(directory)
    assert pair is not None
    assert printed == [f"{key_text(pair.public)}\n"] * PROCESSES
    assert (directory / "public_key").read_text() == printed[0]
    assert sorted(os.listdir(directory)) == ["public_key", "secret_key"]


def test_processes_that_authorize_at_once_lose_no_peer(tmp_path: Path) -> None:
    path = tmp_path / "vista" / "authorized_peers"
    run_at_once(LIST_PEERS, path, str(LISTED_BY_EACH))
    listed = {peer.key[:2] for peer in read_peers(path)}
    assert listed == {bytes([i, j]) for i in range(PROCESSES) for j in range(LISTED_BY_EACH)}
