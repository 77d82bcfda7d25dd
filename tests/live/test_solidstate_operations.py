"""Changing, handing over and saving a group of real processes with the command."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from apps.solidstate.objects.backup import read_backup
from tests.live.process import COMMAND, ROOT, Process, own_directories, vista

FRONT = "ipc:solidstate-operations"
READY = "peers may connect: vista repl --connect ipc:"
BOUND_SECONDS = 120.0
LINK = re.compile(r"the object browser of localhost: (http://\S+)")


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
HTTPdaemon - tcp:127.0.0.1:0 localhost
HTTPmetrics localhost /metrics
HTTPcreateObjectBrowserSession localhost /browser
"""


class Visitor:
    """Somebody who was told the link of the object browser."""

    def __init__(self, process: Process) -> None:
        process.expect("the object browser of localhost: ")
        [link] = [found[1] for line in process.errors if (found := LINK.search(line))]
        self.root = link.partition("/browser/")[0]
        self._opener = build_opener(HTTPCookieProcessor())
        self.get(link.removeprefix(self.root))

    def get(self, path: str) -> str:
        """Return the page at a path."""
        with self._opener.open(self.root + path, timeout=BOUND_SECONDS) as answer:
            return str(answer.read().decode())


@pytest.mark.timeout(300)  # four processes and as many commands, on a machine that does much else
def test_a_server_is_replaced_another_leads_and_fresh_servers_go_on_from_what_was_saved(
    directory: Path,
) -> None:
    file, rc = directory / "carts.backup", directory / "operations.rc"
    classes = ROOT / "rc" / "solidstate_cart_classes.py"
    rc.write_text(RC.format(classes=classes, disks=directory / "disks"))
    with vista("--processes", "4", str(rc), directory=directory) as process:
        process.expect(READY)
        visitor = Visitor(process)
        send = ("send", "--connect", FRONT, "--timeout", "100", "cart")
        assert run(*send, "add", "tea") == "1\n"
        # The front end itself is the one machine that is no replica yet.
        told = run("solidstate", "replace", FRONT, "1", "operations-1")
        assert told == "operations-1 as replica 3 took the place of replica 1\n"
        assert run("solidstate", "handover", FRONT, "2").startswith("replica 2 leads")
        told = run("solidstate", "backup", FRONT, str(file))
        assert "group carts up to batch " in told
        digest = told.split()[-1]
        shown = run("solidstate", "status", FRONT)
        assert re.search(r"^  3 +operations-1 +ok", shown, re.M), shown
        figures = visitor.get("/metrics").splitlines()
        labels = '{group="carts",replica="3"}'
        for name in ("runs", "voting", "epoch"):
            assert f"vista_solidstate_{name}{labels} 1.0" in figures
        page = visitor.get("/browser/find?q=SolidState/carts/3")
        assert "SolidState.ReplicaServer" in page
        for name in ("state", "view", "behind", "suspected", "diverged", "report_0"):
            assert f">{name}<" in page
        process.process.terminate()
        assert process.end() == 0
    read_backup(file.read_bytes()).verify()
    # As when everything was lost: the line that founds a group is left out until it is restored.
    found = next(line for line in RC.splitlines() if line.startswith("CreateReplicasOnServers"))
    fresh = RC.format(classes=classes, disks=directory / "fresh")
    rc.write_text(fresh.replace(found, ""))
    with vista("--processes", "4", str(rc), directory=directory) as process:
        process.expect(READY)
        told = run("solidstate", "restore", FRONT, str(file), "--digest", digest)
        assert told.startswith("group 'carts' goes on from batch ")
        process.process.terminate()
        assert process.end() == 0
    rc.write_text(fresh)
    with vista("--processes", "4", str(rc), directory=directory) as process:
        process.expect(READY)
        assert run(*send, "add", "tea") == "2\n"
        process.process.terminate()
        assert process.end() == 0
