"""Games of StarShip as real processes: a primary with its site and test hooks, and its servers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.step import advance
from apps.starship.themes import shipped_theme
from tests.live.process import Process, vista

SECONDS_MAX = 60.0
"""How long anything may take: these machines are shared, and every process imports a lot."""
SEED = 42

PRIMARY = """
ShutdownService
PeerRegistry
AnnounceServices StarshipPrimary
PersistenceService
HTTPdaemon - tcp:127.0.0.1:0 localhost
StarshipHTTPsetup localhost
StarshipTestHooks localhost
StarshipPrimary {interval} {seed} test_hooks=1 {more}
AcceptPeerConnections ipc:starship
"""
SECONDARY = """
ShutdownService
PeerRegistry
HTTPdaemon - tcp:127.0.0.1:0 localhost
StarshipHTTPsetup localhost
ConnectToPeer ipc:starship
{load}
{server}
"""


def hashes(steps: int) -> list[str]:
    """The hashes of the game from the seed, computed here."""
    state, found = new_game(SEED, shipped_theme()), []
    for _ in range(steps + 1):
        found.append(digest(state))
        state = advance(state)
    return found


class Server:
    """A process of a game and its site."""

    def __init__(self, process: Process) -> None:
        self.process = process
        process.expect("is served at http://localhost:")
        line = next(line for line in process.errors if "is served at" in line)
        self.port = int(line.rstrip("/").rpartition(":")[2])

    def ask(self, path: str, method: str = "GET") -> Any:
        """Return what a page answers, JSON taken apart; None where nobody listens."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as client:
                client.request(method, path)
                answer = client.getresponse()
                body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        return json.loads(body) if body.startswith((b"{", b"[")) else body.decode()

    def kill(self) -> None:
        """End the process at once, as a fall of its machine would."""
        self.process.process.kill()
        self.process.end()


class Crew:
    """All processes of one game, in directories of their own."""

    def __init__(
        self, directory: Path, stack: ExitStack, interval: float = 5, more: str = ""
    ) -> None:
        self.directory = directory
        self.stack = stack
        text = PRIMARY.format(interval=interval, seed=SEED, more=more)
        (directory / "primary.rc").write_text(text)
        self.restart()

    def start(self, rc: str) -> Server:
        """Start a process."""
        return Server(self.stack.enter_context(vista(rc, directory=self.directory)))

    def join(self, server: str = "StarshipSecondary", load: str = "") -> Server:
        """Start another server, and wait until it gets work."""
        name = f"server{len(list(self.directory.glob('server*.rc')))}.rc"
        (self.directory / name).write_text(SECONDARY.format(server=server, load=load))
        count = len(self.servers())
        started = self.start(name)
        self.until(lambda: self.states() == ["ready"] * (count + 1))
        return started

    def restart(self) -> None:
        """Start the primary, whose process has ended if there was one."""
        self.primary = self.start("primary.rc")
        self.until(lambda: self.hash()["step"] >= 0)

    # --- asking the primary ----------------------------------------------------------------

    def hash(self) -> dict[str, Any]:
        """Step, hash and epoch of the game."""
        found = self.primary.ask("/starship/test/hash")
        return found if found and "step" in found else {"step": -1}

    def step(self, count: int = 1) -> dict[str, Any]:
        """Make steps by hand."""
        made: dict[str, Any] = self.primary.ask(f"/starship/test/step?n={count}", "POST")
        return made

    def step_aside(self) -> threading.Thread:
        """Ask for a step, and do not wait for it."""
        thread = threading.Thread(target=self.step, daemon=True)
        thread.start()
        return thread

    def table(self) -> dict[str, Any]:
        """What the page of the servers shows."""
        found = self.primary.ask("/starship/test/servers")
        return found if found and "servers" in found else {"servers": [], "reports": []}

    def servers(self) -> list[dict[str, Any]]:
        """The servers besides the primary's own, as they are at the moment."""
        return [row for row in self.table()["servers"] if not row["own"]]

    def states(self) -> list[str]:
        """The states of the servers besides the primary's own."""
        return [row["state"] for row in self.servers()]

    def reported(self, kind: str) -> list[dict[str, Any]]:
        """The reports of a kind."""
        return [row for row in self.table()["reports"] if row["kind"] == kind]

    def assigned(self, step: int) -> dict[str, list[list[str]]]:
        """Who was given what of a step."""
        trace = self.primary.ask(f"/starship/test/trace?step={step}") or {}
        found: dict[str, list[list[str]]] = trace.get("assigned", {})
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until(condition, lambda: str(self.table()))


def until(condition: Callable[[], bool], words: Callable[[], str] = str) -> None:
    """Wait until something is so; ``words`` say how it is when it never was."""
    bound = threading.Event()
    timer = threading.Timer(SECONDS_MAX, bound.set)
    timer.start()
    try:
        while not condition():
            assert not bound.wait(0.02), f"it never was so: {words()}"
    finally:
        timer.cancel()
