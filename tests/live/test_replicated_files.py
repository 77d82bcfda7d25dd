"""rc/solidstate-files.rc as real processes and disks: a server is killed, the files are whole."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

import vista
from apps.solidstate.files.client import FileClient
from tests.live.process import ROOT, Process, own_directories
from tests.live.process import vista as command
from vista import Node

READY = "peers may connect: vista repl --connect ipc:"
BOUND_SECONDS = 60.0
TREE = {f"{folder}/{number}.txt": b"%d\n" % number * number for folder in "ab" for number in (1, 9)}


def pids(process: Process) -> dict[int, int]:
    """The numbers of the processes, the latest of each."""
    found = {}
    for line in [*process.errors, *process.output]:
        told = re.search(r"solidstate-files-(\d) runs as process (\d+)", line)
        if told:
            found[int(told[1])] = int(told[2])
    return found


def files_at(peer: vista.Ref) -> vista.Ref:
    """The files as the front end has them."""
    own = vista.id_of(peer).node
    rows = [row for row in vista.services(peer) if row.name == "files"]
    return vista.ref_of(next(row.object for row in rows if row.object.node == own))


def copy_and_read(files: vista.Ref, directory: Path, path: str) -> dict[str, bytes]:
    """Copy a directory in, and read all that is there."""
    with vista.timeout(BOUND_SECONDS):
        client = FileClient(files)
        client.copy_in(directory, path)
        paths = [path for path, kind, _ in client.walk() if kind == "file"]
        return dict(zip(paths, client.read_files(paths), strict=True))


@pytest.mark.timeout(300)  # a start of five processes, on a machine that does much else
def test_files_outlive_a_server(tmp_path: Path) -> None:
    for name, data in TREE.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    rc = str(ROOT / "rc" / "solidstate-files.rc")
    with own_directories(), command("--processes", "5", rc, "disks", directory=tmp_path) as process:
        process.expect(READY)
        with Node("visitor") as node:
            files = files_at(vista.connect("ipc:solidstate-files"))
            first = node.call(copy_and_read, files, tmp_path / "tree", "/one")
            os.kill(pids(process)[3], signal.SIGKILL)
            both = node.call(copy_and_read, files, tmp_path / "tree", "/two")
        process.process.terminate()
        assert process.end() == 0
    assert first == {f"/one/{name}": data for name, data in TREE.items()}
    assert both == first | {f"/two/{name}": data for name, data in TREE.items()}
