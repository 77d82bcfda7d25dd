"""SIGTERM and SIGINT end the command in good order; a second one ends it at once."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.live.process import ROOT, Process, vista

INTERRUPTED_WHILE_LOADING = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

from vista_command import main
module, sys.argv[1] = sys.argv[1], "--version"
sys.meta_path.insert(0, Interrupter())
sys.exit(main())
"""
"""The program as its script begins it; Ctrl-C comes when it loads the module that is named."""

CLASSES = """
import vista

class Host(vista.Object):
    def create(self, kind: str):
        vista.send("ShutdownService", "register", vista.self_ref(self))
        vista.post(vista.self_ref(self), kind)

    def polite(self):
        print("ready", flush=True)

    def stubborn(self):
        print("ready", flush=True)
        while True:
            pass

    def slow(self):
        print("ready", flush=True)
        vista.sleep(60)

    def system_shutdown(self):
        print("told", flush=True)

class Boots(vista.Object):
    def create(self):
        print("ready", flush=True)
        vista.sleep(60)
"""

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a class file and rc files."""
    (tmp_path / "hosts.py").write_text(CLASSES)
    service = "LoadClassFile hosts.py\nShutdownService\nHost $1\n"
    (tmp_path / "host.rc").write_text(service)
    (tmp_path / "boots.rc").write_text("LoadClassFile hosts.py\nBoots\n")
    return tmp_path


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_tells_the_subscribers_and_ends_with_0(
    directory: Path, number: signal.Signals
) -> None:
    with vista("host.rc", "polite", directory=directory) as process:
        process.expect("ready")
        process.signal(number)
        assert process.end() == 0
    assert process.output == ["ready", "told"]
    assert f"info vista.command: {number.name}: stopping" in "\n".join(process.errors)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_node_without_a_shutdown_service(
    directory: Path, number: signal.Signals
) -> None:
    (directory / "plain.rc").write_text("Xyzzy\n")
    with vista("--keep-going", "plain.rc", directory=directory) as process:
        process.expect('no class "Xyzzy"')
        process.signal(number)
        assert process.end() == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_at_once_even_a_method_that_holds_the_loop(
    directory: Path, number: signal.Signals
) -> None:
    with vista("host.rc", "stubborn", directory=directory) as process:
        process.expect("ready")
        process.signal(number)
        process.signal(number)
        # Two signals of a kind sent together may arrive as one.
        process.signal(signal.SIGTERM if number is signal.SIGINT else signal.SIGINT)
        assert process.end() in (128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_a_thread_that_does_not_end_is_killed_within_the_bound(directory: Path) -> None:
    with vista("host.rc", "slow", directory=directory) as process:
        process.expect("ready")
        process.signal(signal.SIGTERM)
        assert process.end() == 0
    assert "1 thread did not end in time" in "\n".join(process.errors)


@pytest.mark.parametrize("module", ["vista", "vista.kernel.kernel", "vista.shell.options"])
def test_ctrl_c_while_the_command_is_loaded_ends_it_quietly_with_130(module: str) -> None:
    process = Process((sys.executable, "-c", INTERRUPTED_WHILE_LOADING, module), ROOT)
    assert process.end() == 130
    assert (process.output, process.errors) == ([], [])


def test_ctrl_c_that_is_ignored_stays_ignored_while_the_command_is_loaded() -> None:
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    words = (sys.executable, "-c", ignored + INTERRUPTED_WHILE_LOADING, "vista.kernel.kernel")
    process = Process(words, ROOT)
    assert process.end() == 0
    assert process.output[0].startswith("vista ")


def test_a_signal_during_the_boot_ends_it_with_0(directory: Path) -> None:
    with vista("boots.rc", directory=directory) as process:
        process.expect("ready")
        process.signal(signal.SIGTERM)
        assert process.end() == 0
