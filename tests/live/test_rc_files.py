"""The command boots rc files as real processes, every file of ``rc/`` among them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live.process import COMMAND, ROOT, Process, own_directories, vista

ARGUMENTS = {"demo.rc": ["2"], "jobs.rc": ["docs"]}
"""What makes each file of ``rc/`` end by itself that can."""

READY = {
    "hub.rc": "peers may connect: vista repl --connect ipc:",
    "mesh.rc": "peers may connect: vista repl --connect ipc:",
}
"""What each of the others says when it has booted and runs until it is told to stop."""

ELSEWHERE = [
    "browser.rc", "http.rc", "solidstate-cart.rc", "solidstate-files.rc",
    "starship-secondary.rc", "starship.rc", "starship-solidstate.rc", "starship-tty.rc",
]  # fmt: skip
"""Run by tests of their own, since they have ports of their own or need several processes:
test_rc.py in tests/http, and test_starship_servers.py, test_starship_solidstate.py,
test_solidstate.py and test_replicated_files.py here."""

RC_FILES = sorted(path.name for path in (ROOT / "rc").glob("*.rc"))


@pytest.mark.parametrize("name", RC_FILES)
def test_every_rc_file_is_in_order(name: str) -> None:
    with vista("check", f"rc/{name}") as process:
        assert process.end() == 0
    assert process.output == [f"rc/{name}: no mistakes found"]


def test_every_rc_file_is_run() -> None:
    assert sorted([*ARGUMENTS, *READY, *ELSEWHERE]) == RC_FILES


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_rc_file_runs_and_ends_in_good_order(name: str) -> None:
    with vista("--log-level", "warning", f"rc/{name}", *ARGUMENTS[name]) as process:
        assert process.end() == 0
    # A machine that is busy with other things may take long over an import; that is said, once.
    assert [line for line in process.errors if "holds the loop" not in line] == []


@pytest.mark.parametrize("name", READY)
def test_every_rc_file_that_runs_on_is_stopped_in_good_order(name: str) -> None:
    with own_directories(), vista(f"rc/{name}") as process:
        process.expect(READY[name])
        process.process.terminate()
        assert process.end() == 0
    assert [line for line in process.errors if " error " in line] == []


def test_the_demo_shows_its_work_and_says_what_to_type_next() -> None:
    with vista("rc/demo.rc", "3") as process:
        assert process.end() == 0
    shown = "\n".join(process.output)
    assert "01:00 ~~~~~            2.4 m  Albatross\n" in shown
    assert "Leviathan waits: 5.0 m of water is too little for a keel of 6.5 m" in shown
    assert (
        'vista repl rc/demo.rc        the same harbour with a prompt: send("Harbour", "berths")'
        in shown
    )
    assert (ROOT / "docs" / "tutorial.rst").exists()
    assert "docs/tutorial.rst" in shown


def test_the_demo_runs_from_any_directory(tmp_path: Path) -> None:
    with vista(str(ROOT / "rc" / "demo.rc"), "1", directory=tmp_path) as process:
        assert process.end() == 0
    assert any(line.startswith("01:00") for line in process.output)


def test_an_rc_file_is_a_script(tmp_path: Path) -> None:
    command = tmp_path / "vista"
    python, option, program = COMMAND
    command.write_text(f"#!/bin/sh\nexec {python} {option} '{program}' \"$@\"\n")
    command.chmod(0o755)
    script = tmp_path / "hello.rc"
    script.write_text(
        "#!/usr/bin/env vista\nVirtualConsole $1\nConsoleDisplay VirtualConsole:$1 $2\nXyzzy\n"
    )
    script.chmod(0o755)
    path = f"PATH={tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = Process(("env", path, str(script), "tower"), tmp_path)
    assert process.end() == 2
    assert process.errors == [
        f"{script}:3:34: $2 is not set: 1 argument was given after the file's name"
    ]


def test_a_failing_line_ends_with_2_and_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.rc").write_text("VirtualConsole\nVirtualConsol\n")
    with vista("bad.rc", directory=tmp_path) as process:
        assert process.end() == 2
    assert process.errors[-1] == (
        'bad.rc:2:1: no class "VirtualConsol"; did you mean VirtualConsole?'
    )


def test_keep_going_logs_the_failing_line_and_runs_on(tmp_path: Path) -> None:
    (tmp_path / "bad.rc").write_text(
        "VirtualConsol\nShutdownService\nTimerEvent ShutdownService x\n"
    )
    with vista("--keep-going", "bad.rc", directory=tmp_path) as process:
        process.expect('error vista.rc: bad.rc:1:1: no class "VirtualConsol"')
        process.expect("error vista.rc: bad.rc:3:28: timeout_seconds must be a number")
        process.process.terminate()
        assert process.end() == 0


def test_an_object_stops_the_node_through_its_creator(tmp_path: Path) -> None:
    (tmp_path / "stop.py").write_text(
        "from vista import Object, post\n"
        "class Stop(Object):\n"
        "    def create(self):\n"
        "        post('ObjectCreator', 'shutdown')\n"
    )
    (tmp_path / "stop.rc").write_text("LoadClassFile stop.py\nStop\n")
    with vista("stop.rc", directory=tmp_path) as process:
        assert process.end() == 0
