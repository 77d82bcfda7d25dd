"""Pyro5 beside which remote calls are measured; ``python -m benchmarks.pyro PATH`` is its server.

With a path it listens at a Unix socket, else at a TCP port, which it does not encrypt.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measure import Subject, expect
from benchmarks.references import Plain

ROOT = Path(__file__).parents[1]
WARM_UP = 200


def subject(scheme: str) -> Subject | None:
    """Return the subject of one Pyro5 call after the other; None where it is not installed."""
    if importlib.util.find_spec("Pyro5") is None:
        return None
    return Subject("Pyro5", _over(scheme))


def _over(scheme: str) -> Callable[[int], float]:
    def run(count: int) -> float:
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/pyro" if scheme == "ipc" else ""
            command = [sys.executable, "-m", "benchmarks.pyro", path]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            try:
                assert process.stdout is not None
                return _calls(count, process.stdout.readline().strip())
            finally:
                process.kill()
                process.communicate()

    return run


def _calls(count: int, uri: str) -> float:
    from Pyro5 import config
    from Pyro5.api import Proxy

    config.SERIALIZER = "msgpack"
    with Proxy(uri) as counter:
        for _ in range(WARM_UP):
            counter.increment(0)
        started = perf_counter()
        for _ in range(count):
            counter.increment(1)
        seconds = perf_counter() - started
        expect(counter.increment(0), count)
    return seconds / count


def _serve(path: str) -> None:
    from Pyro5.api import Daemon, expose

    exposed: Any = expose(type("Counter", (Plain,), {"increment": Plain.increment}))
    daemon = Daemon(unixsocket=path) if path else Daemon(host="127.0.0.1")
    print(daemon.register(exposed()), flush=True)
    daemon.requestLoop()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
