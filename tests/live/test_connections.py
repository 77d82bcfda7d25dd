"""Nodes that make their first link: where its socket is, and when the library is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from tests.live.process import ROOT, SECONDS_MAX, own_directories
from vista.errors import KeyFileError


@pytest.fixture(autouse=True)
def sockets() -> Iterator[Path]:
    """Where the directory of the sockets is to be; it is not there yet."""
    with own_directories() as directory:
        yield directory / "XDG_RUNTIME_DIR" / "vista"


def test_a_peer_may_be_started_before_the_first_one_that_accepts(sockets: Path) -> None:
    with vista.Node("early") as early, vista.Node("late") as late:
        link = early.call(vista.create, "ConnectToPeer", "ipc:late")
        assert sockets.stat().st_mode & 0o777 == 0o700
        late.call(vista.create, "AcceptPeerConnections", "ipc:late")
        early.call(lambda: link.wait(SECONDS_MAX))


def test_a_socket_in_a_missing_directory_of_another_place_is_refused(tmp_path: Path) -> None:
    with (
        vista.Node("early") as early,
        pytest.raises(KeyFileError, match=r"elsewhere: No such file or directory"),
    ):
        early.call(vista.create, "ConnectToPeer", f"ipc:{tmp_path}/elsewhere/late")


def test_a_directory_of_sockets_that_others_can_enter_is_refused(sockets: Path) -> None:
    sockets.mkdir()
    sockets.chmod(0o755)
    with vista.Node("early") as early, pytest.raises(KeyFileError, match=r"mend it: chmod 700 "):
        early.call(vista.create, "ConnectToPeer", "ipc:late")


WATCHED = """
import sys, threading, vista
loaded = []
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "zmq":
            loaded.append(threading.current_thread().name)
sys.meta_path.insert(0, Finder())
with vista.run(sys.argv[1]):
    print(*(name.partition("_")[0] for name in loaded))
"""


@pytest.mark.parametrize(
    ("line", "thread"),
    [
        ("AcceptPeerConnections ipc:late", "vista-native"),
        ("Standard.ConnectToPeer ipc:late", "vista-native"),
        ("ShutdownService", ""),
    ],
)
def test_zeromq_is_loaded_beside_the_loop_and_only_where_a_line_needs_it(
    tmp_path: Path, line: str, thread: str
) -> None:
    (tmp_path / "node.rc").write_text(f"{line}\n")
    ran = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "node.rc")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS_MAX,
        check=True,
    )
    assert ran.stdout == f"{thread}\n"
