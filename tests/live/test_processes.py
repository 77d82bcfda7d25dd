"""``vista --processes N FILE`` as real processes: output, restarts, the end, and placement."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.process import COMMAND, ROOT, SECONDS_MAX, Process, own_directories, vista
from vista.peering.keys import socket_directory

CLASSES = """
import os
import vista

class TownHouse(vista.Object):
    placement = "spread"

    def get_pid(self):
        return os.getpid()

class TownHall(vista.Object):
    def create(self):
        print("hall opens", flush=True)

    def system_shutdown(self):
        print("hall closes, house in", self.house.get_pid(), flush=True)

    def watch(self):
        vista.send("ShutdownService", "register", vista.self_ref(self))

class TownCensus(vista.Object):
    def create(self, count: int):
        houses = [vista.create("TownHouse") for _ in range(count)]
        print("pids", *(house.get_pid() for house in houses))

class TownBell(vista.Object):
    def create(self, word: str = "rings"):
        print("bell", word, "in", os.getpid())

class TownRest(vista.Object):
    def create(self):
        vista.post(vista.self_ref(self), "rest")

    def rest(self):
        print("resting")
        vista.post("ShutdownService", "shutdown", "all is done")

class TownStubborn(vista.Object):
    def create(self):
        vista.post(vista.self_ref(self), "hold")

    def hold(self):
        print("holds", flush=True)
        while True:
            pass

class TownCrash(vista.Object):
    def create(self):
        os._exit(3)

class TownShout(vista.Object):
    def create(self):
        print("x" * 300_000)
        print("last words", end="", flush=True)
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory with a class file, and keys and sockets of its own."""
    (tmp_path / "town_classes.py").write_text(CLASSES)
    with own_directories():
        yield tmp_path


def write(directory: Path, *lines: str) -> str:
    """Write an rc file with these lines and return its name."""
    (directory / "town.rc").write_text("\n".join(("LoadClassFile town_classes.py", *lines)) + "\n")
    return "town.rc"


def pids(process: Process, name: str) -> list[int]:
    """The process numbers of a process that was started, in order, as the supervisor tells."""
    found = re.findall(rf"{name} runs as process (\d+)", "\n".join(process.errors))
    return [int(pid) for pid in found]


def all_pids(process: Process) -> list[int]:
    """The process numbers of all that were started."""
    return pids(process, r"[\w.]+-\d")


def lives(pid: int) -> bool:
    """Whether a process runs. One that has ended may wait for its parent, or for the system."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, within the bound."""
    due = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < due, "it does not come about"
        time.sleep(0.01)


def printed(process: Process, text: str) -> Callable[[], list[str]]:
    """What tells the lines of the standard output that have a text."""
    return lambda: [line for line in process.output if text in line]


def logged(process: Process, text: str) -> Callable[[], list[str]]:
    """What tells the lines of the standard error that have a text."""
    return lambda: [line for line in process.errors if text in line]


def test_spread_objects_land_in_all_processes_and_each_line_names_its_own(directory: Path) -> None:
    file = write(directory, "TownCensus 6", "CreateOnEveryNode TownBell tolls", "TownHall")
    with vista("--processes", "3", file, directory=directory) as process:
        until(printed(process, "hall opens"))
        until(lambda: len(printed(process, "bell")()) == 3)
        (line,) = printed(process, "pids")()
        started = [pids(process, f"town-{number}")[0] for number in (1, 2, 3)]
        assert sorted(map(int, line.removeprefix("town-1 | pids ").split())) == sorted(2 * started)
        bells = [f"town-{at} | bell tolls in {pid}" for at, pid in enumerate(started, 1)]
        assert sorted(printed(process, "bell")()) == bells


def test_sigterm_stops_all_in_good_order_and_leaves_no_process(directory: Path) -> None:
    # The third line keeps a house of another process, which is there still when the first is told.
    (directory / "hall.py").write_text(
        CLASSES + "\nclass TownMayor(TownHall):\n    def create(self):\n"
        "        self.house = [vista.create('TownHouse') for _ in range(2)][1]\n"
        "        self.watch()\n        print('mayor is in')\n"
    )
    (directory / "town.rc").write_text("LoadClassFile hall.py\nShutdownService\nTownMayor\n")
    with vista("--processes", "3", "town.rc", directory=directory) as process:
        until(printed(process, "mayor is in"))
        started = all_pids(process)
        process.signal(signal.SIGTERM)
        assert process.end() == 0
        assert len(started) == 3
        assert not any(map(lives, started))
        # Which of the two it is depends on who came first.
        others = [pid for name in ("town-2", "town-3") for pid in pids(process, name)]
        (line,) = printed(process, "closes")()
        assert line in [f"town-1 | hall closes, house in {pid}" for pid in others]


def test_ctrl_c_which_reaches_all_processes_stops_them_in_good_order(directory: Path) -> None:
    file = write(directory, "ShutdownService", "TownHall")
    words = (*COMMAND, "--processes", "2", file)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as group:
        try:
            assert group.stdout is not None
            seen = b""
            while b"hall opens" not in seen:
                assert select.select([group.stdout], [], [], SECONDS_MAX)[0]
                seen += os.read(group.stdout.fileno(), 4096)
            os.killpg(group.pid, signal.SIGINT)
            rest, _ = group.communicate(timeout=SECONDS_MAX)
            assert group.returncode == 0
            text = (seen + rest).decode()
            assert "Traceback" not in text
            assert "started again" not in text
            told = re.findall(r"(town-\d) .* stopping: the supervisor says so", text)
            assert told == ["town-1", "town-2"]
        finally:
            if group.poll() is None:
                os.killpg(group.pid, signal.SIGKILL)


def test_a_second_signal_ends_all_at_once(directory: Path) -> None:
    file = write(directory, "TownStubborn")
    with vista("--name", "stubborn", "--processes", "2", file, directory=directory) as process:
        until(printed(process, "holds"))
        started = all_pids(process)
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        assert process.end() in (128 + signal.SIGTERM, 128 + signal.SIGINT)
        assert not list(socket_directory().glob("stubborn-*"))
        until(lambda: not any(map(lives, started)))


def test_a_killed_process_is_started_again_and_joins(directory: Path) -> None:
    file = write(directory, "CreateOnEveryNode TownBell", "TownHall")
    with vista("--processes", "3", file, directory=directory) as process:
        until(printed(process, "hall opens"))
        (first,) = pids(process, "town-2")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(printed(process, "town-2 | bell")()) == 2)
        second = pids(process, "town-2")[1]
        assert printed(process, "town-2 | bell")()[1] == f"town-2 | bell rings in {second}"
        assert not Path(f"/proc/{first}").exists(), "it is a zombie"
        assert logged(process, "town-2 ended by SIGKILL; it is started again in 0.5 s")()
        # The others went on.
        assert (len(pids(process, "town-1")), len(pids(process, "town-3"))) == (1, 1)
        process.signal(signal.SIGTERM)
        assert process.end() == 0
        assert not any(map(lives, all_pids(process)))


def test_with_the_first_process_all_start_anew(directory: Path) -> None:
    file = write(directory, "CreateOnEveryNode TownBell", "TownHall")
    with vista("--processes", "2", file, directory=directory) as process:
        until(printed(process, "hall opens"))
        os.kill(pids(process, "town-1")[0], signal.SIGKILL)
        until(lambda: len(printed(process, "hall opens")()) == 2)
        assert len(pids(process, "town-2")) == 2
        until(lambda: len(printed(process, "bell")()) == 4)


def test_killing_the_supervisor_leaves_no_process(directory: Path) -> None:
    file = write(directory, "TownHall")
    with vista("--processes", "3", file, directory=directory) as process:
        until(printed(process, "hall opens"))
        started = all_pids(process)
        process.signal(signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
        until(lambda: not any(map(lives, started)))


def test_a_mistake_in_the_file_ends_it_with_2_at_once(directory: Path) -> None:
    file = write(directory, "TownHal")
    with vista("--processes", "2", file, directory=directory) as process:
        assert process.end() == 2
        assert len(all_pids(process)) == 2
        assert not any(map(lives, all_pids(process)))
    assert 'town-1 | town.rc:2:1: no class "TownHal"; did you mean TownHall?' in process.errors


def test_a_program_that_ends_by_itself_ends_the_command_with_its_exit_code(directory: Path) -> None:
    file = write(directory, "ShutdownService", "TownRest")
    with vista("--processes", "2", file, directory=directory) as process:
        assert process.end() == 0
        assert not any(map(lives, all_pids(process)))
    assert printed(process, "resting")() == ["town-1 | resting"]


def test_one_process_is_enough(directory: Path) -> None:
    file = write(directory, "ShutdownService", "TownCensus 2", "TownRest")
    with vista("--name", "hamlet", "--processes", "1", file, directory=directory) as process:
        assert process.end() == 0
        (pid,) = pids(process, "hamlet-1")
    assert process.output == [f"hamlet-1 | pids {pid} {pid}", "hamlet-1 | resting"]


def test_a_program_that_cannot_start_ends_the_command_with_1(directory: Path) -> None:
    file = write(directory, "TownCrash")
    with vista("--processes", "1", file, directory=directory) as process:
        assert process.end() == 1
        assert len(pids(process, "town-1")) == 5
    (error,) = logged(process, "error vista.processes")()
    assert error.endswith(
        "town-1 ended 5 times in a row, the last time with exit code 3: all processes are stopped"
    )


def test_no_line_of_a_process_that_is_killed_is_torn_or_lost(directory: Path) -> None:
    file = write(directory, "TownShout")
    with vista("--processes", "1", file, directory=directory) as process:
        until(printed(process, "last words"))
        process.signal(signal.SIGKILL)
        process.end()
    first, second, third = process.output[:3]
    assert first == "town-1 | " + "x" * 262_144
    assert second == "town-1 | " + "x" * (300_000 - 262_144)
    assert third == "town-1 | last words"


def test_a_json_log_stays_json_and_names_the_node(directory: Path) -> None:
    file = write(directory, "ShutdownService", "TownRest")
    with vista("--log-json", "--processes", "2", file, directory=directory) as process:
        assert process.end() == 0
    nodes = {json.loads(line)["node"] for line in process.errors}
    assert nodes == {"town", "town-1", "town-2"}


def test_two_runs_of_one_file_do_not_meet(directory: Path) -> None:
    file = write(directory, "TownCensus 4", "TownHall")
    with (
        vista("--processes", "2", file, directory=directory) as one,
        vista("--processes", "2", file, directory=directory) as other,
    ):
        for process in (one, other):
            until(printed(process, "hall opens"))
            own = set(all_pids(process))
            (line,) = printed(process, "pids")()
            assert set(map(int, line.removeprefix("town-1 | pids ").split())) == own


def test_on_a_terminal_the_first_process_has_it_for_itself(directory: Path) -> None:
    (directory / "bar.py").write_text(
        "import sys, vista\n\nclass TownBar(vista.Object):\n    def create(self):\n"
        "        print('terminal', sys.stdout.isatty())\n"
        "        print('\\r50 %', end='', flush=True)\n"
    )
    (directory / "bar.rc").write_text("LoadClassFile bar.py\nTownBar\n")
    master, slave = os.openpty()
    words = (*COMMAND, "--processes", "2", "bar.rc")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        words, cwd=directory, env=environment, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    try:
        seen = b""
        while b"50 %" not in seen:
            assert select.select([master], [], [], SECONDS_MAX)[0]
            seen += os.read(master, 4096)
        assert seen == b"terminal True\r\n\r50 %"
        process.terminate()
        assert process.wait(SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait(SECONDS_MAX)
        os.close(master)
