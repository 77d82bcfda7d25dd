"""The Erlang column: the scenarios of the two scripts, where Erlang is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Subject, expect

SCRIPT = Path(__file__).with_name("local.escript")
PEERS_SCRIPT = Path(__file__).with_name("peers.escript")
SECONDS_MAX = 120.0


def subject(scenario: str, name: str) -> Subject | None:
    """Return the subject for a scenario of the script, called ``name``; None without Erlang."""
    program = shutil.which("escript")
    if program is None:
        return None

    def run(count: int) -> float:
        command = [program, str(SCRIPT), scenario, str(count)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        return float(done.stdout) / 1e9

    return Subject(name, run)


def between_nodes(scenario: str, name: str) -> Subject | None:
    """Return the subject for a scenario of two Erlang nodes; None without Erlang."""
    program = shutil.which("escript")
    if program is None:
        return None

    def run(count: int) -> float:
        with _serving(program) as ask:
            return ask(scenario, count) / 1e9

    return Subject(name, run)


@contextmanager
def _serving(program: str) -> Iterator[Callable[[str, int], float]]:
    """Run the node that is called, and give what measures a scenario with another one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Told the port, neither node needs Erlang's daemon that keeps the list of ports.
    flags = f"-start_epmd false -erl_epmd_port {port} -setcookie benchmarks"
    serving = subprocess.Popen(
        [program, str(PEERS_SCRIPT), "serve"],
        env={**os.environ, "ERL_FLAGS": f"-name called@127.0.0.1 {flags}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(scenario: str, count: int) -> float:
        done = subprocess.run(
            [program, str(PEERS_SCRIPT), scenario, str(count), "called@127.0.0.1"],
            env={**os.environ, "ERL_FLAGS": f"-name caller@127.0.0.1 -dist_listen false {flags}"},
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        return float(done.stdout)

    try:
        assert serving.stdout is not None
        expect(serving.stdout.readline().strip(), "called@127.0.0.1")
        yield ask
    finally:
        serving.kill()
        serving.communicate()
