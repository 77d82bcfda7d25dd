"""``--state DIRECTORY``: a node of the command line that is the same one after each start."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.process import COMMAND, ROOT, SECONDS_MAX, Process, own_directories, vista


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    """Directories of the test's own for keys and sockets."""
    with own_directories():
        yield


def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with something on its standard input."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def identity(hub: Process) -> str:
    """The identity of a node of rc/hub.rc that has just started."""
    hub.expect("peers may connect")
    (row,) = json.loads(run("ps", "--connect", "ipc:hub", "--json").stdout)
    node: str = row["node"]
    return node


def test_a_node_with_a_state_directory_is_the_same_after_a_kill(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path / "state"), "rc/hub.rc", "ipc:hub")
    with vista(*words) as hub:
        first = identity(hub)
        hub.signal(signal.SIGKILL)
        assert hub.end() == -signal.SIGKILL
    with vista(*words) as hub:
        assert identity(hub) == first


def test_a_state_directory_in_use_is_refused_with_2_and_the_process(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path), "rc/hub.rc", "ipc:hub")
    with vista(*words) as hub:
        identity(hub)
        second = run(*words)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        f"vista: {tmp_path} is in use by process {hub.process.pid}; a state directory belongs to "
        "one node\n"
    )


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_prompt_takes_a_state_directory_before_the_command_and_after(
    tmp_path: Path, before: bool
) -> None:
    option = ["--state", str(tmp_path / "state")]
    words = [*option, "repl"] if before else ["repl", *option]
    ran = [run(*words, typed="print(here())\n") for _ in range(2)]
    assert [one.returncode for one in ran] == [0, 0]
    assert ran[0].stdout.startswith("<ObjectCreator ")
    assert ran[0].stdout == ran[1].stdout
