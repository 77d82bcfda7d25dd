"""rc/starship-solidstate.rc as four processes: any of them is killed while captains give orders."""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import vista
from apps.starship.replicated.copying import SERVERS
from apps.starship.replicated.realm import Collecting, first_realm
from apps.starship.rules.encoding import digest
from apps.starship.themes import shipped_theme
from tests.chromium import browser, needs_chromium
from tests.live.process import ROOT, Process, own_directories
from tests.live.process import vista as run
from tests.live.starship_servers import until
from tests.live.test_starship_web import board, steps_seen

LIAR = 2
"""Which of the servers lies, where one does."""
LIARS = """
from apps.solidstate.objects.member import ReplicaPoolMember
from tests.solidstate.objects.liars import Lies
from tests.starship.replicated.liars import Rowdy


class LyingMember(ReplicaPoolMember):
    server_class = Lies
"""
CAPTAINS = 4
ORDERS = 6
INTERVAL = "0.5"


class Machine:
    """One of the four processes, started again as often as it is killed."""

    def __init__(
        self, number: int, directory: Path, stack: ExitStack, file: str = "starship-solidstate.rc"
    ) -> None:
        self.number, self._directory, self._stack, self._file = number, directory, stack, file
        self.port = 0
        self.start()

    def start(self) -> None:
        words = (self._file, f"{self.number}", INTERVAL, "42")
        self.process: Process = self._stack.enter_context(run(*words, directory=self._directory))

    def find_port(self) -> None:
        """Wait until it listens."""
        until(lambda: any("is served at" in line for line in self.process.errors))
        line = next(line for line in self.process.errors if "is served at" in line)
        self.port = int(line.rstrip("/").rpartition(":")[2])

    def ask(self, path: str, body: dict[str, Any] | None = None, cookie: str = "") -> Any:
        """Return what a page answers, with the cookie it sets; None where nobody answers."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as client:
                fields = {"Content-Type": "application/json", "Cookie": cookie}
                text = None if body is None else json.dumps(body)
                client.request("GET" if body is None else "POST", path, text, fields)
                answer = client.getresponse()
                found = json.loads(answer.read())
                set_cookie = answer.getheader("Set-Cookie") or ""
                return {**found, "cookie": set_cookie.partition(";")[0]}
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def step(self) -> int:
        found = self.ask("/starship/map.json")
        return -1 if found is None else int(found.get("step", -1))


class Captain(threading.Thread):
    """Somebody who gives orders, each to one server after another until he is answered."""

    def __init__(self, number: int, machines: list[Machine]) -> None:
        super().__init__(daemon=True)
        self.name = f"Ship{number}"
        self._number, self._machines = number, machines
        self.given: dict[str, dict[str, Any]] = {}
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def _tell(self, path: str, body: dict[str, Any], cookie: str, good: Any) -> dict[str, Any]:
        for attempt in range(3_000):
            machine = self._machines[(self._number + attempt) % len(self._machines)]
            found = machine.ask(path, body, cookie)
            if found is not None and good(found):
                return dict(found)
            threading.Event().wait(0.05)
        raise AssertionError(f"nobody answers {body}")

    def run(self) -> None:
        new = {"name": self.name, "race": "F", "key": f"new {self.name}"}
        made = self._tell("/starship/create", new, "", lambda found: found["ok"])
        cookie = made["cookie"]
        count = 0
        while count < ORDERS or not self.may_end.is_set():
            course = f"{self._number * 40 + count // 10}.{count % 10}"
            order = {"ship": self.name, "cmd": "course", "args": [course], "key": f"k{count}"}
            told = self._tell("/starship/order", order, cookie, _is_answer)
            if told["ok"]:
                self.given[course] = told
            count += 1
            self.has_begun.set()
            self.may_end.wait(0.1)


def _is_answer(told: dict[str, Any]) -> bool:
    """Whether something is the judge's word: his ship may come with the next step only."""
    return told["code"] not in ("E_LINK", "E_CAPTAIN", "E_SHIP", "E_ARG", "E_BUSY")


def file_of_a_liar(text: str) -> str:
    """What a server that lies has in its rc file: the same with its own classes in two lines."""
    for honest, lying in (("ReplicaPoolMember ", "LyingMember "), ("StarshipServer ", "Rowdy ")):
        assert text.count(f"\n{honest}") == 1
        text = text.replace(f"\n{honest}", f"\n{lying}")
    return f"LoadClassFile liars.py\n{text}"


@contextmanager
def running(directory: Path, liar: int = 0) -> Iterator[list[Machine]]:
    """Run four processes of the game, at ports of their own; the one of number ``liar`` lies."""
    text = (ROOT / "rc" / "starship-solidstate.rc").read_text()
    assert "127.0.0.1:432$1" in text
    text = text.replace("127.0.0.1:432$1", "127.0.0.1:0")
    (directory / "starship-solidstate.rc").write_text(text)
    (directory / "liars.py").write_text(LIARS)
    (directory / "liar.rc").write_text(file_of_a_liar(text))
    with own_directories(), ExitStack() as stack:
        made = [
            Machine(number, directory, stack, *(["liar.rc"] if number == liar else []))
            for number in (1, 2, 3, 4)
        ]
        for machine in made:
            machine.find_port()
        yield made


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Four processes of the game."""
    with running(tmp_path_factory.mktemp("galaxy")) as made:
        yield made


@pytest.fixture
def machines(galaxy: list[Machine]) -> list[Machine]:
    """All four of them, those included that a test before killed and left so."""
    for machine in galaxy:
        if machine.process.process.poll() is not None:
            machine.start()
            machine.find_port()
    until(lambda: all(machine.step() >= 1 for machine in galaxy))
    return galaxy


def computed_again(node: vista.Node) -> tuple[dict[int, str], dict[tuple[str, str], list[int]]]:
    """The hashes by step, and the steps of the orders that counted, from what the judge has."""

    def ask(*words: Any) -> Any:
        return node.call(lambda: vista.send("StarshipJudge", *words))

    terms = ask("get_terms")
    collecting = Collecting(first_realm(terms["seed"], terms["settings"], shipped_theme()))
    hashes: dict[int, str] = {}
    orders: dict[tuple[str, str], list[int]] = {}
    count, more = 0, True
    while more:
        news = ask("report", collecting.step, count, {})
        for _step, _first, entries, gone in news["rows"]:
            for entry in entries:
                if not collecting.take(entry).ok:
                    continue
                kind, ship, *rest = json.loads(entry)
                if kind == "order":
                    orders.setdefault((ship, rest[2][0]), []).append(collecting.step)
            count += len(entries)
            if gone is not None:
                computing = collecting.close(gone)
                while computing.work(1_000):
                    continue
                realm = computing.finish()
                hashes[realm.state.step] = digest(realm.state)
                collecting, count = Collecting(realm), 0
        more = news["more"]
    return hashes, orders


def conductor(machines: list[Machine]) -> Machine:
    """The machine whose turn it is."""
    rows = machines[0].ask("/starship/servers.json")["servers"]
    [url] = [row["url"] for row in rows if row["why"] == "conducts"]
    return next(one for one in machines if url == f"http://localhost:{one.port}")


def end_and_find_each_order_once(captains: list[Captain]) -> None:
    """Have captains end, and see what they ordered in its step, once, and one galaxy everywhere.

    Where one lies too: its lies are for the others, and it computes as they do.
    """
    for captain in captains:
        captain.may_end.set()
    for captain in captains:
        captain.join(60)
        assert not captain.is_alive()
        assert len(captain.given) >= ORDERS // 2
    with vista.Node("looker") as node:
        node.call(lambda: vista.create("ConnectToPeer", "ipc:starship-1").wait(30.0))
        until(lambda: len(servers(node)) == 4)
        found = [
            node.call(lambda id=id: (vista.send(id, "get_step"), vista.send(id, "get_hash")))
            for id in servers(node)
        ]
        hashes, orders = computed_again(node)
    for captain in captains:
        for course, told in captain.given.items():
            assert orders.pop((captain.name, course)) == [told["step"]]
    # An order whose answer was lost with its server may stand there too, once.
    assert all(len(steps) == 1 for steps in orders.values())
    # A step may have come between the two questions to a server.
    assert all(hash in (hashes[step], hashes.get(step + 1)) for step, hash in found)


@pytest.mark.timeout(300)  # six starts of processes, on a machine that does much else
def test_servers_are_killed_and_no_order_is_lost_or_given_twice(machines: list[Machine]) -> None:
    captains = [Captain(number, machines) for number in range(CAPTAINS)]
    for captain in captains:
        captain.start()
    for captain in captains:
        assert captain.has_begun.wait(60)
    first = conductor(machines)
    for machine in (first, machines[first.number % 4]):
        machine.process.signal(signal.SIGKILL)
        machine.process.end()
        others = [other for other in machines if other is not machine]
        step = max(other.step() for other in others)
        until(lambda step=step, others=others: all(one.step() > step + 1 for one in others))  # type: ignore[misc]
        machine.start()
        machine.find_port()
        until(lambda machine=machine, step=step: machine.step() > step)  # type: ignore[misc]
    end_and_find_each_order_once(captains)


def test_a_server_that_hangs_stops_no_game_and_goes_on_with_the_others(
    machines: list[Machine],
) -> None:
    hangs = conductor(machines)
    others = [one for one in machines if one is not hangs]
    captain = Captain(CAPTAINS, others)
    hangs.process.signal(signal.SIGSTOP)
    try:
        step = max(one.step() for one in others)
        captain.start()
        assert captain.has_begun.wait(60)
        until(lambda: all(one.step() > step + 3 for one in others))
        until(lambda: state_of(hangs, others[0]) == "following")
    finally:
        hangs.process.signal(signal.SIGCONT)
    until(lambda: state_of(hangs, others[0]) == "ready")
    assert hangs.step() > step
    end_and_find_each_order_once([captain])


@pytest.mark.timeout(300)  # four starts of processes, on a machine that does much else
def test_a_server_that_lies_stops_no_game_loses_no_order_and_is_named(tmp_path: Path) -> None:
    with running(tmp_path, LIAR) as machines:
        honest = [machine for machine in machines if machine.number != LIAR]
        until(lambda: all(machine.step() >= 1 for machine in honest))
        captains = [Captain(number, honest) for number in range(CAPTAINS)]
        for captain in captains:
            captain.start()
        for captain in captains:
            assert captain.has_begun.wait(60)
        step = max(machine.step() for machine in honest)
        until(lambda: all(machine.step() > step + 5 for machine in honest))
        until(lambda: divergences(honest[0]))
        told = divergences(honest[0])
        end_and_find_each_order_once(captains)
    assert all(line.startswith(f"server liar {LIAR} has another state") for line in told)


def divergences(machine: Machine) -> list[str]:
    """Who is reported to have another galaxy than the others."""
    found = machine.ask("/starship/servers.json") or {"reports": []}
    return [row["text"] for row in found["reports"] if row["kind"] == "divergent"]


def state_of(machine: Machine, told_by: Machine) -> str:
    """How a machine is, as the page of the servers of another one says."""
    found = told_by.ask("/starship/servers.json") or {"servers": []}
    url = f"http://localhost:{machine.port}"
    return next((str(row["state"]) for row in found["servers"] if row["url"] == url), "")


def servers(node: vista.Node) -> list[vista.Id]:
    """The servers that a node can reach."""
    rows = node.call(vista.services)
    return sorted({row.object for row in rows if row.name == SERVERS})


def be_on_the_bridge(page: Page, root: str, name: str) -> None:
    """Make a ship without script, and be its captain."""
    page.goto(f"{root}/starshipLogin.html")
    page.locator('[data-testid="create-name"]').fill(name)
    page.locator('[data-testid="create"]').click()
    expect(page.locator("body")).to_have_attribute("data-mode", "captain")


def order(page: Page, name: str) -> int:
    """Press a button that gives an order; return the status of the answer."""
    with page.expect_response(lambda told: told.request.method == "POST") as told:
        page.locator(f'[data-testid="{name}"]').click()
    return told.value.status


def shields(page: Page, state: str, script: bool) -> str:
    """See the shields up or down, as captain; without script the page is loaded anew."""
    shown = page.locator('[data-testid="shields-state"]')
    if not script:
        until(lambda: page.reload() and shown.inner_text() == state)
    expect(shown).to_have_text(state)
    expect(page.locator("body")).to_have_attribute("data-mode", "captain")
    return shown.inner_text()


@needs_chromium
@pytest.mark.timeout(300)  # four processes and a browser, on a machine that does much else
def test_pages_go_on_when_the_conductor_is_killed(machines: list[Machine]) -> None:
    leads = conductor(machines)
    near = machines[leads.number % 4]
    root = f"http://localhost:{near.port}"
    with browser(60.0) as chromium:
        live = chromium.new_context(reduced_motion="reduce").new_page()
        plain = chromium.new_context(java_script_enabled=False).new_page()
        board(live, root, "Bounty")
        be_on_the_bridge(plain, root, "Beagle")
        for page in (live, plain):
            assert order(page, "shields-up") < 400
        leads.process.signal(signal.SIGKILL)
        leads.process.end()
        for page in (live, plain):
            assert shields(page, "Up", page is live) == "Up"
            assert order(page, "shields-down") < 400
            assert shields(page, "Down", page is live) == "Down"
        assert steps_seen(live) > 0
        expect(live.locator("#connection")).to_have_attribute("data-state", "live")
