"""The page about SolidState, typed in from top to bottom, and the command it names."""

from __future__ import annotations

import doctest
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from apps.solidstate import simulate
from apps.solidstate.simulator.plan import FAULTS, MODES, STRATEGIES
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "solidstate.rst"


def test_everything_on_the_page_gives_what_it_shows() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 10 and failed == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_of_fault_is_on_the_page(fault: str) -> None:
    assert f"``{fault}``" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("mode", MODES)
def test_the_command_runs_seeds(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seeds", "3", "--mode", mode]) == 0
    assert "3 runs" in capsys.readouterr().out


def test_runs_that_are_interrupted_say_how_they_went_and_where_to_go_on() -> None:
    command = [sys.executable, "-m", "apps.solidstate.simulate", "--seeds", "100000"]
    terminal, end = pty.openpty()
    with subprocess.Popen([*command, "--faults", "none"], cwd=ROOT, stdout=end) as run:
        os.close(end)
        try:
            said = read_until(terminal, " runs, 0 failed")
            run.send_signal(signal.SIGINT)
            said += read_until(terminal, "--first ")
            assert run.wait(60) == 1
        finally:
            run.kill()
    os.close(terminal)
    (told,) = re.findall(r"(\d+) runs, .* the first one that was not run is --first (\d+)", said)
    assert told[0] == told[1] and int(told[0]) >= simulate.CHUNK


def read_until(terminal: int, words: str) -> str:
    """Read a line further than ``words``, within two minutes."""
    said, bound = "", time.monotonic() + 120
    while words not in said or not said.endswith(("\n", "failed")):
        left = bound - time.monotonic()
        assert left > 0 and select.select([terminal], [], [], left)[0], said
        said += os.read(terminal, 4096).decode().replace("\r\n", "\n")
    return said


def test_the_command_prints_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seeds", "1", "--faults", "none", "--trace"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("r0 -> r1  proposal view=0 sequence=1" in line for line in lines)


@pytest.mark.parametrize(
    ("option", "word"), [("--faults", "rain"), ("--strategies", "novel"), ("--seeds", "many")]
)
def test_an_option_that_is_wrong_is_refused(
    option: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        simulate.main([option, word])
    assert word in capsys.readouterr().err


def test_help_names_all_strategies() -> None:
    command = [sys.executable, "-m", "apps.solidstate.simulate", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    words = "".join(run.stdout.split())
    assert all(strategy in words for strategy in STRATEGIES)
