"""A group of replicas and its clients, each replica in a process of its own, on one machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import expect
from benchmarks.pbft_wire import Setting

ROOT = Path(__file__).parents[1]


class Child:
    """A process that is told what to do by lines of JSON, and answers with such lines."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, *words: object) -> Any:
        """Have it do something, and return its answer."""
        self.begin(*words)
        return self.said()

    def begin(self, *words: object) -> None:
        """Have it do something, and do not wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def said(self) -> Any:
        """Return what it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        # One that failed has said why on its standard error.
        expect(bool(line), True)
        return json.loads(line)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


class Running:
    """A group that runs; a replica of ``setting.empty`` waits until it is told to join."""

    def __init__(self, setting: Setting, folder: Path, stack: ExitStack) -> None:
        self.setting = setting
        self.replicas = []
        for number in range(setting.replicas):
            words = [str(setting), str(number), str(folder / str(number))]
            self.replicas.append(Child("benchmarks.pbft_node", *words))
            stack.callback(self.replicas[-1].end)
        self.ports, self.devices = zip(*[one.said() for one in self.replicas], strict=True)
        for number in range(setting.replicas):
            if number != setting.empty:
                self.join(number)
        self.clients = Child("benchmarks.pbft_clients", str(setting), json.dumps(self.ports))
        stack.callback(self.clients.end)
        expect(self.clients.said(), "connected")

    def join(self, number: int) -> None:
        """Connect a replica to the others."""
        expect(self.replicas[number].tell("join", self.ports, self.devices), "joined")

    def begin(self, requests: int, doomed: int | None = None) -> None:
        """Have the clients make so many requests; `answered` waits for them.

        Of replica ``doomed``, which will be killed, no processor time is counted. A trusted counter
        is a process of its own, and counts with its replica.
        """
        kept = [number for number in range(len(self.replicas)) if number != doomed]
        pids = [self.replicas[number].process.pid for number in kept]
        pids += [self.devices[number]["pid"] for number in kept if self.devices[number]]
        self.clients.begin(requests, pids)

    def answered(self, requests: int) -> dict[str, Any]:
        """Return the figures of what was begun."""
        figures: dict[str, Any] = self.clients.said()
        expect(len(figures["took"]), requests)
        return figures

    def work(self, requests: int) -> dict[str, Any]:
        """Have the clients make so many requests, and return the figures."""
        self.begin(requests)
        return self.answered(requests)


@contextmanager
def running(setting: Setting) -> Iterator[Running]:
    """Run a group."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        yield Running(setting, Path(folder), stack)
