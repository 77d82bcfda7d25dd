"""Machines of a pool as processes that are forked: what the tests of killing and stopping stand on.

The process that is started has imported everything, so a machine starts in a few milliseconds. For
each line on its standard input, a JSON object, it forks one and says its number; ``clock`` names a
file by which that machine's clock is set (see ``clock.c``). All of them log in JSON lines.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import time
from hashlib import blake2b
from random import Random
from typing import Any

import vista
from apps.solidstate.objects.creating import CreateReplicasOnServers
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.server import ReplicaServer
from tests.solidstate.registers import CheckedRegister
from vista.shell.log import start_logging

POOL = "kills"
DIES_WITH_ITS_PARENT = 1
"""``PR_SET_PDEATHSIG`` of ``prctl``."""
CALLERS_SERVICE = "Callers"
LEDGER_CALLERS, REGISTER_CALLERS = 3, 1
ASK_SECONDS = 2.0
"""How long somebody waits before he asks again elsewhere, with the same key."""
ASKED_MOST = 300
PAUSE_SECONDS = 0.03
"""Between two calls of one caller: a thousand answers are kept for those who ask again."""
READ_AT_ONCE = 2_000

Row = list[Any]
"""What a caller did: who, a number, the call, its answer, when it began and ended."""


class KillLedger(ReplicatedObject):
    """Entries in their order; it counts what it is given that it had before."""

    def create(self) -> None:
        self.count = 0
        self.entries: list[list[Any]] = []
        self.last: dict[str, int] = {}
        self.repeated = 0

    def add(self, caller: str, number: int) -> int:
        self.repeated += number <= self.last.get(caller, 0)
        self.last[caller] = number
        self.count += 1
        self.entries.append([self.count, caller, number])
        return self.count

    @read_only
    def read(self, first: int) -> list[list[Any]]:
        return self.entries[first : first + READ_AT_ONCE]

    @read_only
    def count_repeated(self) -> int:
        return self.repeated

    def forget(self) -> None:
        self.entries = []


class KillServer(ReplicaServer):
    """A replica that tells what it holds."""

    def look(self) -> dict[str, Any]:
        """Return how it is, the digest of its state, and how long it waits for a primary."""
        told = self.get_status()
        if self._replica is not None and self._service is not None:
            held = [[name, one.variables()] for name, one in self._service.variables.items()]
            told["digest"] = blake2b(vista.encode_value(sorted(held))).hexdigest()
            told["patience"] = self._replica.views.patience
            told["time"] = self._replica.now
        return told


class KillPoolMember(ReplicaPoolMember):
    """A machine of the pool."""

    server_class = KillServer


class KillCallers(vista.Object):
    """Those who ask on one machine, and what they were answered."""

    def create(self, name: str) -> None:
        self.name = name
        self.is_going = False
        self.busy = 0
        self.asked_again = 0
        self._numbers: dict[str, int] = {}
        self._rows: list[Row] = []
        self._dice = Random(0)

    def begin(self, round: int, seed: int) -> None:
        """Have all of them ask, one call after the other."""
        self.is_going, self._rows, self._dice = True, [], Random(seed)
        for place in range(LEDGER_CALLERS + REGISTER_CALLERS):
            self.busy += 1
            caller = f"{self.name}.{place}"
            vista.self_ref(self).work.post(caller, round, place < LEDGER_CALLERS)

    def count(self) -> int:
        """Return how many answers there were."""
        return len(self._rows)

    def end(self) -> list[Row] | None:
        """Have them ask no more; return what was answered once all were, None before."""
        self.is_going = False
        return None if self.busy else self._rows

    @vista.preemptable
    def work(self, caller: str, round: int, writes: bool) -> None:
        """Ask until it is over."""
        try:
            while self.is_going:
                number = self._numbers[caller] = self._numbers.get(caller, 0) + 1
                begin = time.monotonic()
                if writes:
                    call, variable = ("add", caller, number), "ledger"
                else:
                    call, variable = self._draw(f"{caller} {number}", round), "register"
                answer = self.ask(variable, call, f"{caller} {number}")
                self._rows.append([caller, number, call, answer, begin, time.monotonic()])
                vista.sleep(self._dice.random() * 2 * PAUSE_SECONDS)
        finally:
            self.busy -= 1

    def _draw(self, value: str, round: int) -> tuple[Any, ...]:
        kind, key = self._dice.choice(("put", "put", "get", "remove")), self._dice.choice("ab")
        return (kind, f"{round}{key}", value) if kind == "put" else (kind, f"{round}{key}")

    @vista.preemptable
    def ask(self, variable: str, call: tuple[Any, ...], key: str | None = None) -> Any:
        """Ask by a proxy of any machine until one answers."""
        proxies = [vista.service(POOL)]
        for attempt in range(ASKED_MOST):
            try:
                with vista.timeout(ASK_SECONDS):
                    proxy = proxies[attempt % len(proxies)]
                    request = (call[0], list(call[1:]), variable, key)
                    return vista.send(proxy, "issue_request", *request)
            except vista.CallError as error:
                last = error
                self.asked_again += 1
                vista.sleep(0.1)
            rows = [row.object for row in vista.services() if row.name == POOL]
            proxies = [vista.service(POOL), vista.ref_of(self._dice.choice(rows))]
        raise last


def found(servers: int, machines: int, mode: str) -> None:
    """Found the group, once all machines are there."""
    name = pool_service(POOL)
    for _ in range(600):
        if sum(row.name == name for row in vista.services()) == machines:
            break
        vista.sleep(0.05)
    for cls, variable in ((KillLedger, "ledger"), (CheckedRegister, "register")):
        given = (POOL, 1, cls.__name__, variable, [], "ReplicaClientProxy", "", [], mode)
        maker = vista.create(CreateReplicasOnServers, *given)
        assert len(maker.get_replicas()) == servers


def boot(order: dict[str, Any]) -> None:
    """What the rc file of a machine does."""
    vista.create("PeerRegistry")
    vista.create("AnnounceServices")
    vista.create("AcceptPeerConnections", f"ipc:{order['name']}")
    for other in order["others"]:
        vista.create("ConnectToPeer", f"ipc:{other}")
    vista.create(KillPoolMember, POOL, order["disks"])
    if order["calls"]:
        callers = vista.create(KillCallers, order["name"])
        vista.register_service(f"{CALLERS_SERVICE}/{order['name']}", callers)
    if order["founds"]:
        found(*order["founds"])
    vista.register_service(f"Booted/{order['name']}", vista.here())


def live(order: dict[str, Any]) -> None:
    """Be a machine until the end."""
    # Where the tests are killed, the process that forks ends with its standard input.
    ctypes.CDLL(None).prctl(DIES_WITH_ITS_PARENT, int(signal.SIGKILL), 0, 0, 0)
    start_logging("info", as_json=True, node=order["name"])
    if order["clock"]:
        ctypes.CDLL(None).set_clock_by(order["clock"].encode())
    try:
        vista.Node(order["name"]).run_main(lambda: boot(order))
    except vista.VistaError as error:
        logging.getLogger("machine").error("it ends: %s", error)


def main() -> None:
    """Fork a machine for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                live(json.loads(line))
            finally:
                os._exit(1)
        os.write(1, f"{child}\n".encode())
