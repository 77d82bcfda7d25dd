"""Changing, handing over and saving a group of real processes with the command."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.solidstate.objects.backup import read_backup
from tests.live.process import COMMAND, ROOT, own_directories, vista

FRONT = "ipc:solidstate-operations"
READY = "peers may connect: vista repl --connect ipc:"
BOUND_SECONDS = 120.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory for the disks of the servers, and keys and sockets that nobody else has."""
    with own_directories():
        yield tmp_path


def run(*words: str) -> str:
    """Run the command, and return what it prints."""
    told = subprocess.run(
        [*COMMAND, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


RC = """
LoadClassFile {classes}
ShutdownService
CreateOnEveryNode ReplicaPoolMember carts {disks}
CreateReplicasOnServers carts 1 Cart cart "" ReplicaClientProxy "" "" minbft
AcceptPeerConnections ipc:solidstate-operations
"""


@pytest.mark.timeout(300)  # four processes and as many commands, on a machine that does much else
def test_a_server_is_replaced_another_leads_and_the_state_is_saved(directory: Path) -> None:
    file, rc = directory / "carts.backup", directory / "operations.rc"
    classes = ROOT / "rc" / "solidstate_cart_classes.py"
    rc.write_text(RC.format(classes=classes, disks=directory / "disks"))
    with vista("--processes", "4", str(rc), directory=directory) as process:
        process.expect(READY)
        send = ("send", "--connect", FRONT, "--timeout", "100", "cart")
        assert run(*send, "add", "tea") == "1\n"
        # The front end itself is the one machine that is no replica yet.
        told = run("solidstate", "replace", FRONT, "1", "operations-1")
        assert told == "operations-1 as replica 3 took the place of replica 1\n"
        assert run("solidstate", "handover", FRONT, "2").startswith("replica 2 leads")
        assert "group carts up to batch " in run("solidstate", "backup", FRONT, str(file))
        shown = run("solidstate", "status", FRONT)
        assert re.search(r"^  3 +operations-1 +ok", shown, re.M), shown
        process.process.terminate()
        assert process.end() == 0
    read_backup(file.read_bytes()).verify()
