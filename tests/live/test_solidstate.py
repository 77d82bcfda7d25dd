"""rc/solidstate-cart.rc as real processes and disks: servers are killed, the cart is whole."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.process import COMMAND, ROOT, Process, own_directories, vista

FRONT = "ipc:solidstate-cart"
READY = "peers may connect: vista repl --connect ipc:"
BOUND_SECONDS = 60.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory for the disks of the servers, and keys and sockets that nobody else has."""
    with own_directories():
        yield tmp_path


def start(directory: Path) -> Any:
    """Four servers and a front end, whose shop is at a port that nobody has."""
    for path in (ROOT / "rc").glob("solidstate*cart*"):
        text = path.read_text("utf-8")
        (directory / path.name).write_text(text.replace("127.0.0.1:8090", "127.0.0.1:0"))
    return vista("--processes", "5", "solidstate-cart.rc", "disks", directory=directory)


def ask(*words: str) -> Any:
    """Have the command send a message to the cart, once."""
    told = subprocess.run(
        [*COMMAND, "send", "--connect", FRONT, "--timeout", "50", "--json", "cart", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def pids(process: Process) -> dict[int, int]:
    """The numbers of the processes, the latest of each."""
    found = {}
    for line in [*process.errors, *process.output]:
        told = re.search(r"solidstate-cart-(\d) runs as process (\d+)", line)
        if told:
            found[int(told[1])] = int(told[2])
    return found


@pytest.mark.timeout(300)  # a start of five processes, on a machine that does much else
def test_the_cart_survives_the_loss_of_one_server_and_of_all(directory: Path) -> None:
    with start(directory) as process:
        process.expect(READY)
        assert ask("add", "tea") == 1
        assert ask("add", "milk", "2") == 2
        first = pids(process)[3]
        os.kill(first, signal.SIGKILL)
        assert ask("add", "tea") == 2
        assert ask("list_items") == {"tea": 2, "milk": 2}
        # It is started again in a moment, and killed with the others.
        while pids(process)[3] == first:
            process.expect("cart-3 runs as process")
        for number in (2, 3, 4, 5):
            os.kill(pids(process)[number], signal.SIGKILL)
        assert ask("submit") == 1
        [order] = ask("list_orders")
        assert order["items"] == {"tea": 2, "milk": 2}
        told = subprocess.run(
            [*COMMAND, "solidstate", "status", FRONT],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=BOUND_SECONDS,
        )
        assert "group carts: byzantine, tolerates 1 fault" in told.stdout, told.stderr
        assert len(re.findall(r"^  [0-3] +solidstate-cart-[2-5] ", told.stdout, re.M)) == 4
        process.process.terminate()
        assert process.end() == 0
