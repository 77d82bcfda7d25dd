"""Machines of a pool that stand still, have no room, another time, or the store of another."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.solidstate_yard import Machine, Yard, until, yard

LONG = pytest.mark.skipif(
    "config.getoption('--kill-rounds') < 10", reason="--kill-rounds 10 runs it"
)
"""For what takes half a minute, and shows what the tests of the core show as well."""
TMPFS_BYTES = 16 * 1024 * 1024
COMPILER = shutil.which("cc")

pytestmark = pytest.mark.timeout(900)  # with minutes of standing still, on a busy machine


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A group that each test leaves as well as it found it."""
    with yard(tmp_path_factory.mktemp("disks")) as made:
        yield made


@pytest.mark.parametrize("place", [pytest.param("backup", marks=LONG), "primary"])
def test_a_machine_that_stood_still_catches_up(
    pool: Yard, place: str, request: pytest.FixtureRequest
) -> None:
    primary = pool.look(0)["primary"]
    machine = pool.machines[primary if place == "primary" else primary - 1]
    pool.begin(0, 1)
    pool.await_answers(2)
    machine.signal(signal.SIGSTOP)
    time.sleep(request.config.getoption("--stop-seconds"))
    pool.await_answers()
    machine.signal(signal.SIGCONT)
    pool.await_answers()
    assert pool.faults(pool.end()) == []
    executed = [one["executed"] for one in pool.settle()]
    assert executed == executed[:1] * len(pool.machines)


def fill(folder: Path) -> None:
    """Leave no room on a file system."""
    file = os.open(folder / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (65_536, 4_096):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    os.close(file)


def move_to_small_disk(machine: Machine, stack: ExitStack) -> None:
    """Give a machine a file system of its own for all it has. Skips where one may not."""
    if shutil.which("mount") is None:
        pytest.skip("there is no program mount")
    machine.kill()
    aside = machine.folder.with_name(f"{machine.name}.aside")
    words = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(machine.folder)]
    machine.folder.rename(aside)
    machine.folder.mkdir(0o700)
    if subprocess.run(words, capture_output=True).returncode:
        machine.folder.rmdir()
        aside.rename(machine.folder)
        machine.start()
        pytest.skip("only root may mount a file system")
    # Whatever fails from here on: nothing is left mounted.
    stack.callback(move_back, machine)
    shutil.copytree(aside, machine.folder, dirs_exist_ok=True)
    machine.start()


def move_back(machine: Machine) -> None:
    """Have a machine where it was before, with what it has."""
    machine.kill()
    aside = machine.folder.with_name(f"{machine.name}.aside")
    try:
        (machine.folder / "ballast").unlink(missing_ok=True)
        shutil.rmtree(aside)
        shutil.copytree(machine.folder, aside)
    finally:
        subprocess.run(["umount", str(machine.folder)], check=True)
    machine.folder.rmdir()
    aside.rename(machine.folder)
    machine.start()


@pytest.fixture
def small_disks(pool: Yard) -> Iterator[Yard]:
    """The same group on file systems that are soon full."""
    try:
        with ExitStack() as stack:
            for machine in pool.machines:
                move_to_small_disk(machine, stack)
            pool.settle()
            yield pool
    finally:
        pool.settle()


def test_a_machine_whose_disk_is_full_says_so_and_comes_back_when_there_is_room(
    small_disks: Yard,
) -> None:
    pool = small_disks
    first = pool.machines[pool.look(0)["primary"]]
    pool.begin(0, 2)
    pool.await_answers(2)
    fill(first.folder)
    told = until(lambda: first.lines("its disk fails: "), f"{first.name} says what ails it")
    assert "[Errno 28] No space left on device" in told[0]
    pool.await_answers()
    for machine in pool.machines:
        fill(machine.folder)
    until(lambda: sum(bool(one.get("runs")) for one in pool.looks()) < 3, "nothing can be agreed")
    for machine in pool.machines:
        (machine.folder / "ballast").unlink()
    pool.await_answers()
    until(lambda: all(one.get("runs") for one in pool.looks()), "all run again")
    assert pool.faults(pool.end()) == []


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What gives a process a clock of its own when it is preloaded."""
    made = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    words = [str(COMPILER), "-O2", "-shared", "-fPIC", "-o", made, source]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("the compiler of C makes no library")
    return made


@pytest.mark.skipif(COMPILER is None, reason="there is no compiler of C")
@pytest.mark.parametrize("mode", ["byzantine", pytest.param("crash", marks=LONG)])
def test_clocks_may_be_hours_off_and_jump(clock: Path, tmp_path: Path, mode: str) -> None:
    with yard(tmp_path, mode, clock) as pool:
        pool.begin(0, 3)
        pool.await_answers(2)
        everybody = (*pool.readers, *pool.machines)
        for machine, hours in zip(everybody, (-2, 7, 5, -3, -4, -0.2), strict=False):
            pool.set_clock(machine, hours)
            pool.await_answers(5)
        first = pool.look(0)["primary"]
        for machine in (pool.machines[first], pool.machines[first - 1]):
            # The others have to notice that it is late, each by a clock of its own.
            machine.kill()
            pool.await_answers()
            # It takes the time that its clock shows when it starts.
            machine.start()
            until(lambda: all(one.get("runs") for one in pool.looks()), "all run again")
        shown = [one["time"] for one in pool.looks()]
        assert max(shown) - min(shown) > 3_600, "the clocks are those of the test"
        for machine in pool.machines:
            pool.set_clock(machine, 0)
        pool.await_answers(5)
        assert pool.faults(pool.end()) == []


def swap(machine: Machine, source: Path, part: str = "") -> None:
    """Have a machine start with other files in the place of its own."""
    machine.kill()
    target = machine.folder / part
    shutil.rmtree(target)
    shutil.copytree(source / part, target)
    machine.start()


def test_the_folder_of_another_machine_is_refused(pool: Yard, tmp_path: Path) -> None:
    machine, other = pool.machines[3], pool.machines[2]
    other.kill()
    shutil.copytree(machine.folder, tmp_path / "own")
    swap(machine, other.folder)
    other.start()
    until(lambda: machine.lines("is that of node 'machine-2'"), "it is refused")
    pool.begin(0, 4)
    pool.await_answers()
    swap(machine, tmp_path / "own")
    pool.await_answers()
    assert pool.faults(pool.end()) == []


def await_vote(pool: Yard, number: int) -> None:
    """Wait until a replica votes again, which takes some checkpoints."""
    until(lambda: pool.look(number).get("voting"), "it does not vote", 300.0)


@LONG
def test_the_log_of_another_replica_is_refused_and_its_own_is_made_anew(pool: Yard) -> None:
    machine = pool.machines[3]
    [group] = [path.name for path in machine.folder.glob("group-*")]
    pool.begin(0, 5)
    swap(machine, pool.machines[2].folder, f"{group}/replica")
    until(lambda: machine.lines("is that of another replica"), "it is refused")
    pool.await_answers()
    shutil.rmtree(machine.folder / group / "replica")
    await_vote(pool, 3)
    assert machine.lines("rejoined: ")
    assert pool.faults(pool.end()) == []


@LONG
def test_an_old_copy_of_its_own_folder_is_found_out_and_repaired(
    pool: Yard, tmp_path: Path
) -> None:
    machine = pool.machines[2]
    pool.begin(0, 6)
    machine.kill()
    shutil.copytree(machine.folder, tmp_path / "old")
    machine.start()
    begun = until(lambda: pool.look(2).get("checkpoint"), "it runs")
    until(lambda: pool.look(2).get("checkpoint", 0) > begun + 128, "it has checkpoints", 300.0)
    swap(machine, tmp_path / "old")
    until(lambda: machine.lines("damaged: it signed the state at"), "it is found out")
    await_vote(pool, 2)
    assert pool.faults(pool.end()) == []
