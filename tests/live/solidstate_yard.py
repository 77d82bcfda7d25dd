"""A pool of real machines, those who ask it, and what is checked of what they were answered.

A round: callers on two machines ask without rest while the others are killed, stopped or starved;
then they stop, and everything they were answered is compared with what the group holds.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import vista
from apps.solidstate.objects.charter import mode_of
from apps.solidstate.objects.mail import service_name
from apps.solidstate.simulator.linearizability import Operation, linearization
from tests.live.process import ROOT, own_directories
from tests.live.solidstate_machines import CALLERS_SERVICE, POOL, READ_AT_ONCE, Row

SECONDS_MAX = 60.0
"""How long anything may take: these machines are shared."""
READERS = ("reader-0", "reader-1")


def until(condition: Callable[[], Any], words: str, seconds: float = SECONDS_MAX) -> Any:
    """Wait until something is so, and return what it was."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, words
        time.sleep(0.02)
    return found


class Machine:
    """A process of the pool, or what is left of it."""

    def __init__(self, name: str, order: dict[str, Any], yard: Yard) -> None:
        self.name = name
        self.order = order
        self._yard = yard
        self._pidfd = -1
        self.pid = 0

    @property
    def folder(self) -> Path:
        """Where it keeps everything."""
        return Path(self.order["disks"]) / self.name

    def start(self) -> None:
        """Fork it; it may still be starting when this returns."""
        self.pid = self._yard.fork(self.order)
        self._pidfd = os.pidfd_open(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """Kill it as the loss of power would, and wait until it is gone."""
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            assert select.select([self._pidfd], [], [], SECONDS_MAX)[0]
            os.close(self._pidfd)
            self._pidfd = -1

    def lines(self, words: str) -> list[str]:
        """The lines of its log that contain some words."""
        told = [line for line in list(self._yard.log) if line.get("node") == self.name]
        return [line["text"] for line in told if words in line["text"]]


class Yard:
    """All machines of a pool, and a node by which they are looked at."""

    def __init__(self, directory: Path, mode: str, clock: Path | None = None) -> None:
        self.mode = mode
        self.log: list[dict[str, Any]] = []
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if clock is not None:
            environment["LD_PRELOAD"] = str(clock)
        words = "from tests.live.solidstate_machines import main; main()"
        self._nursery = subprocess.Popen(
            [sys.executable, "-c", words], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        count = mode_of(mode).replicas(1)
        names = [*(f"machine-{number}" for number in range(count)), *READERS]
        made = {}
        for name in names:
            founds = [count, len(names), mode] if name == READERS[0] else None
            order = {
                "name": name, "others": [other for other in names if other != name],
                "disks": str(directory), "calls": name in READERS, "founds": founds, "clock": None,
            }  # fmt: skip
            made[name] = Machine(name, order, self)
            if clock is not None:
                made[name].order["clock"] = str(directory / f"{name}.clock")
                self.set_clock(made[name], 0.0)
        self.machines = [made[name] for name in names[:count]]
        self.readers = [made[name] for name in READERS]
        self.node = vista.Node("looker").start()
        self.told = 0

    def set_clock(self, machine: Machine, hours: float) -> None:
        """Set the clock of a machine, by the right time."""
        ahead = int(hours * 3_600e9).to_bytes(8, sys.byteorder, signed=True)
        path = Path(machine.order["clock"])
        # The same file for ever: a process that runs sees it at once.
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(file, ahead, 0)
        os.close(file)

    def _read(self) -> None:
        assert self._nursery.stderr is not None
        with self._nursery.stderr as stream:
            for line in stream:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.log.append({"text": line.decode(errors="replace").rstrip()})

    def fork(self, order: dict[str, Any]) -> int:
        """Start a machine; return its process."""
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(order).encode() + b"\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def open(self) -> None:
        """Start all machines, and wait until the group answers."""
        for machine in (*self.machines, *self.readers):
            machine.start()
            url = f"ipc:{machine.name}"
            self.node.call(lambda url=url: vista.create("ConnectToPeer", url))
        until(lambda: self.places(f"Booted/{READERS[0]}"), "the group was founded")
        self.settle()

    def close(self) -> None:
        """End all of it."""
        for machine in (*self.machines, *self.readers):
            machine.kill()
        self.node.stop()
        self._nursery.kill()
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.stdout.close()
        self._nursery.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)

    # --- asking the machines ---------------------------------------------------------------

    def places(self, name: str) -> list[vista.Id]:
        """Who provides a service, as far as is known here."""
        return [row.object for row in self.node.call(vista.services) if row.name == name]

    def ask(self, name: str, *words: Any) -> Any:
        """What the provider of a service answers, the first one who does; None where none does."""
        for place in self.places(name):
            with suppress(vista.CallError):
                return self.node.call(self._send, place, *words)
        return None

    def _send(self, place: vista.Id, *words: Any) -> Any:
        with vista.timeout(10.0):
            return vista.send(place, *words)

    def look(self, number: int) -> dict[str, Any]:
        """How a replica is; nothing while it cannot be asked."""
        return self.ask(service_name(POOL, number), "look") or {}

    def settle(self) -> list[dict[str, Any]]:
        """Wait until all replicas vote and executed the same; then they hold the same."""
        return list(until(self._settled, f"they never were the same: {self.looks()}"))

    def looks(self) -> list[dict[str, Any]]:
        """How all replicas are."""
        return [self.look(number) for number in range(len(self.machines))]

    def _settled(self) -> list[dict[str, Any]] | None:
        told = self.looks()
        if not all(one.get("voting") for one in told):
            return None
        if len({one["executed"] for one in told}) > 1:
            return None
        assert len({one["digest"] for one in told}) == 1, f"replicas that differ: {told}"
        return told

    def patience(self) -> float:
        """How long the replicas wait for their primary, in seconds."""
        return max(one.get("patience", 0.0) for one in self.looks())

    # --- load ------------------------------------------------------------------------------

    def callers(self, reader: Machine, *words: Any) -> Any:
        """Tell those who ask on a machine something."""
        return self.ask(f"{CALLERS_SERVICE}/{reader.name}", *words)

    def begin(self, round: int, seed: int) -> None:
        """Have everybody ask."""
        self._counts = [0] * len(self.readers)
        for place, reader in enumerate(self.readers):
            self.callers(reader, "begin", round, seed + place)

    def await_answers(self, more: int = 10) -> None:
        """Wait until everybody was answered some times more."""
        for reader in self.readers:
            count = self.callers(reader, "count")
            until(
                lambda reader=reader, count=count: self.callers(reader, "count") >= count + more,
                f"{reader.name} is not answered: {self.looks()}",
            )

    def end(self) -> list[Row]:
        """Have nobody ask, and return what was answered, once all was."""
        rows: list[Row] = []
        for reader in self.readers:
            self.callers(reader, "end")
        for reader in self.readers:
            words = f"{reader.name} waits for an answer: {self.looks()}"
            until(lambda reader=reader: self.callers(reader, "end") is not None, words)
            rows += self.callers(reader, "end")
        return rows

    def faults(self, rows: list[Row]) -> list[str]:
        """Compare what was answered with what the group holds, and forget both; what is wrong."""
        ask = [self.readers[0], "ask", "ledger"]
        entries: list[list[Any]] = []
        while portion := self.callers(*ask, ["read", len(entries)]):
            entries += portion
            if len(portion) < READ_AT_ONCE:
                break
        found = ledger_faults([row for row in rows if row[2][0] == "add"], entries, self.told)
        found += register_faults([row for row in rows if row[2][0] != "add"])
        if repeated := self.callers(*ask, ["count_repeated"]):
            found.append(f"{repeated} calls were executed twice")
        self.told += len(entries)
        self.callers(*ask, ["forget"])
        self.callers(self.readers[0], "ask", "register", ["forget"])
        self.settle()
        return found


def ledger_faults(rows: list[Row], entries: list[list[Any]], before: int) -> list[str]:
    """What of the acknowledged is not there once, where it was said to be, in the order of time."""
    told = {(caller, number): position for caller, number, _, position, *_ in rows}
    held = {(caller, number): position for position, caller, number in entries}
    # Everybody asked until he was answered: so nothing else is there either.
    found = [f"{entry} was told or is held, not both" for entry in told.items() ^ held.items()]
    if len(held) != len(entries):
        found.append("an entry stands there twice")
    if [entry[0] for entry in entries] != list(range(before + 1, before + 1 + len(entries))):
        found.append(f"from {before} on the entries are not counted one by one")
    numbers: dict[str, int] = {}
    for _, caller, number in entries:
        if number <= numbers.get(caller, 0):
            found.append(f"entry {number} of {caller} changed places")
        numbers[caller] = number
    ended = sorted((end, position) for *_, position, _, end in rows)
    begun = sorted((begin, position) for *_, position, begin, _ in rows)
    place, latest = 0, 0
    for begin, position in begun:
        while place < len(ended) and ended[place][0] < begin:
            latest = max(latest, ended[place][1])
            place += 1
        if position <= latest:
            found.append(f"entry {position} began when {latest} was answered")
    return found


def register_faults(rows: list[Row]) -> list[str]:
    """What was read and written and cannot have happened one thing after the other."""
    by_key: dict[str, list[Operation]] = {}
    for caller, _, call, answer, begin, end in rows:
        by_key.setdefault(call[1], []).append(Operation(caller, tuple(call), answer, begin, end))
    return [
        f"{key} cannot have been so: {history}"
        for key, history in by_key.items()
        if linearization(history) is None
    ]


def longest_silence(rows: list[Row], since: float) -> float:
    """The longest time without an answer to anybody, from a moment on, in seconds."""
    ends = sorted(row[5] for row in rows if row[5] >= since)
    return max(later - earlier for earlier, later in zip([since, *ends], ends, strict=False))


@contextmanager
def yard(directory: Path, mode: str = "byzantine", clock: Path | None = None) -> Iterator[Yard]:
    """A pool whose group answers; gone after the block."""
    with own_directories():
        made = Yard(directory, mode, clock)
        try:
            made.open()
            yield made
        finally:
            made.close()
