"""A stranger plays in Chromium, on a process that an rc file booted: with and without script."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from tests.chromium import faultless_page, needs_chromium
from tests.live.process import ROOT, Process, own_directories
from tests.live.process import vista as command
from tests.live.starship_servers import until

WIDE, NARROW = (1280, 900), (390, 844)
LINES = """\
StarshipHTTPsetup localhost
HTTPdaemon - tcp:127.0.0.1:0 localhost
StarshipPrimary seed=42 step_mode=manual test_hooks=1
StarshipTestHooks localhost
"""
HOME = """\
PeerRegistry
AnnounceServices StarshipPrimary
PersistenceService
HTTPdaemon - tcp:127.0.0.1:0 localhost
StarshipHTTPsetup localhost
StarshipTestHooks localhost
StarshipPrimary 1 42 ai_per_race=2 test_hooks=1 soft_deadline=90 hard_deadline=99
AcceptPeerConnections ipc:starship
"""
OUTPOST = """\
PeerRegistry
HTTPdaemon - tcp:127.0.0.1:0 localhost
StarshipHTTPsetup localhost
ConnectToPeer $1
StarshipSecondary
"""
# A starbase to load at, a planet to bring it to, and an enemy who is nearly gone.
SCENARIO: dict[str, Any] = {
    "seed": 42,
    "ai": False,
    "settings": {"ships": 0},
    "objects": [
        {"name": "Aegis", "race": "F", "kind": "starbase", "x": 1_000_000, "y": 1_000_000},
        {"name": "Vulcan", "race": "F", "kind": "planet", "x": 1_000_000, "y": 1_080_000},
        {"name": "Lantern", "race": "F", "kind": "starbase", "x": 1_300_000, "y": 200_000},
        {
            "name": "Gath", "race": "K", "kind": "starship", "x": 1_070_000, "y": 1_080_000,
            "tac": {"hull": 5, "supplies": 0},
        },
    ],
}  # fmt: skip

pytestmark = needs_chromium


class Running:
    """A game in a process of its own, whose steps are made by hand."""

    def __init__(self, process: Process, root: str) -> None:
        self.process = process
        self.root = root

    def hook(self, name: str, body: Any = None) -> dict[str, Any]:
        """What a test hook answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.root}/starship/test/{name}", data, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found


def root_of(process: Process) -> str:
    """Where the site of a process is."""
    process.expect("the game is played at http://")
    line = next(line for line in process.errors + process.output if "is played at" in line)
    found = re.search(r"http://localhost:\d+", line)
    assert found is not None
    return found[0]


def url_of(process: Process) -> str:
    """The URL that a node tells its peers, before or after that of its site."""
    told = "peers may connect"
    if not any(told in line for line in process.errors + process.output):
        process.expect(told)
    lines = process.errors + process.output
    return next(line.split()[-1] for line in lines if told in line)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process with a game and its site."""
    rc = tmp_path_factory.mktemp("game") / "game.rc"
    rc.write_text(LINES)
    with own_directories(), command(str(rc)) as process:
        yield Running(process, root_of(process).replace("localhost", "127.0.0.1"))
        process.signal(signal.SIGTERM)
        assert process.end() == 0


class Stranger:
    """Somebody who sees the game for the first time."""

    def __init__(self, page: Page, running: Running, script: bool) -> None:
        self.page = page
        self.running = running
        self.script = script
        self.ship = ""

    def find(self, name: str) -> Any:
        """What a test finds by its name."""
        return self.page.locator(f'[data-testid="{name}"]').first

    def step(self, count: int = 1) -> None:
        """Let the game go on, and see it."""
        step = self.running.hook(f"step?n={count}")["step"]
        if not self.script:
            self.page.goto(f"{self.running.root}/starship/bridge?ship={self.ship}")
        expect(self.page.locator("body")).to_have_attribute("data-step", str(step))

    def press(self, name: str) -> None:
        """Press a button that gives an order, and see that it is admitted."""
        before = self.find("dots").get_attribute("aria-label") or ""
        self.find(name).click()
        left = int(before.split()[0]) - 1
        expect(self.find("dots")).to_have_attribute("aria-label", re.compile(f"^{left} of"))

    def give(self, field: str, value: str) -> None:
        """Type an order into its field."""
        self.find(field).fill(value)
        self.press(f"set-{field}")

    def hint(self, words: str) -> None:
        """Be told what to do."""
        expect(self.page.locator("#hints")).to_contain_text(words)

    def until(self, words: str, place: str, steps: int = 60) -> None:
        """Let the game go on until a part of the bridge says something."""
        for _ in range(steps):
            if words in (self.page.locator(place).text_content() or ""):
                return
            self.step(1 if self.script else 3)  # to load a page takes longer than three steps
        said = self.page.locator(place).text_content()
        raise AssertionError(f"{place} never said {words!r} but {said!r}")


@contextmanager
def stranger(
    chromium: Browser, running: Running, size: tuple[int, int], script: bool
) -> Iterator[Stranger]:
    """Somebody with a browser of his own; what went wrong on his pages fails the test."""
    options = {
        "java_script_enabled": script,
        "reduced_motion": "reduce",  # to draw each step on its way takes longer than all the rest
    }
    with faultless_page(chromium, size, **options) as page:
        yield Stranger(page, running, script)


def make_ship(who: Stranger, name: str) -> None:
    """Open the address and make a ship: a name, a click, and the next step."""
    who.page.goto(f"{who.running.root}/starshipLogin.html")
    who.find("create-name").fill(name)
    who.find("race-F").check()
    who.find("create").click()
    expect(who.page.locator("main")).to_contain_text("makes ready")
    who.ship = name
    # The page comes back by itself, too.
    step = who.running.hook("step")["step"]
    who.page.goto(f"{who.running.root}/starship/bridge?ship={name}")
    expect(who.page.locator("body")).to_have_attribute("data-step", str(step))
    expect(who.page.locator("body")).to_have_attribute("data-mode", "captain")


@pytest.mark.parametrize(
    ("name", "size", "script", "to_the_end"),
    [
        pytest.param("Bounty", WIDE, True, True, id="wide"),
        pytest.param("Pandora", NARROW, True, False, id="phone"),
        pytest.param("Beagle", WIDE, False, False, id="no-script"),
    ],
)
def test_a_stranger_plays(
    chromium: Browser, running: Running, name: str, size: tuple[int, int], script: bool,
    to_the_end: bool,
) -> None:  # fmt: skip
    running.hook("scenario", SCENARIO)
    with stranger(chromium, running, size, script) as who:
        make_ship(who, name)
        first_mission(who)
        fight(who)
        if to_the_end:
            dock_and_upgrade(who)
        leave_and_come_back(who)
        assert who.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_an_answer_that_comes_after_its_step_takes_no_order_of_the_next(
    chromium: Browser, running: Running
) -> None:
    running.hook("scenario", SCENARIO)
    held: list[tuple[Route, APIResponse]] = []
    with stranger(chromium, running, WIDE, script=True) as who:
        make_ship(who, "Endurance")
        who.page.route("**/starship/order", lambda route: held.append((route, route.fetch())))
        who.find("shields-up").click()
        # The stream of steps is faster.
        expect(who.find("dots")).to_have_attribute("aria-label", re.compile("^2 of"))
        who.step()
        expect(who.find("dots")).to_have_attribute("aria-label", re.compile("^3 of"))
        [(route, answer)] = held
        route.fulfill(response=answer)
        expect(who.page.locator("#prompt")).to_have_text("shields up")
        assert who.find("dots").get_attribute("aria-label") == "3 of 3 orders left"


def first_mission(who: Stranger) -> None:
    """Bring supplies from the starbase to the planet, as the hints say."""
    who.hint(f"Welcome aboard {who.ship}")
    who.until("Bring the supplies to Federation Planet Vulcan", "#hints", 12)
    who.hint("Make it the destination")
    who.press("mission-dest")
    who.step()
    who.hint("give it a speed")
    who.give("speed", "5.0")
    who.step()
    who.hint("On the way")
    who.until("that was your first mission", "#hints")


def fight(who: Stranger) -> None:
    """Choose the enemy in the scan, raise shields, lock and fire."""
    contact = who.page.locator('#srs a[data-name="Gath"], #srs [data-name="Gath"] a').first
    contact.focus()
    contact.press("Enter")
    expect(who.find("target-name")).to_contain_text("Gath")
    who.press("shields-up")
    who.press("target-lock-all")
    who.press("fire-P1")
    who.step()
    who.until("Gath destroyed", "#messages", 10)


def dock_and_upgrade(who: Stranger) -> None:
    """Go back to the starbase, and buy what the points pay for."""
    who.press("shields-down")
    who.give("dest", "Aegis")
    who.give("speed", "5.0")
    who.step()
    who.until("Docked at", "#status")
    who.press("upgrade-hull")
    who.step()
    expect(who.page.locator("#messages")).to_contain_text("hull")


def leave_and_come_back(who: Stranger) -> None:
    """Leave the bridge to the computer, and take it again."""
    who.find("leave").click()
    expect(who.find("notice")).to_contain_text(f"You have left {who.ship}")
    who.running.hook("step")
    who.page.reload()
    who.find("take-ship").select_option(who.ship)
    who.find("take").click()
    expect(who.page.locator("main")).to_contain_text("makes ready")
    step = who.running.hook("step")["step"]
    who.page.goto(f"{who.running.root}/starship/bridge?ship={who.ship}")
    expect(who.page.locator("body")).to_have_attribute("data-step", str(step))
    expect(who.page.locator("body")).to_have_attribute("data-mode", "captain")


def stay(route: Route) -> None:
    """Have a page that loads itself anew stay while somebody looks at it."""
    answer = route.fetch()
    kept = {name: value for name, value in answer.headers.items() if name != "refresh"}
    route.fulfill(response=answer, headers=kept)


@pytest.mark.parametrize("size", [WIDE, (320, 640)], ids=["wide", "narrow"])
def test_the_small_pages_are_accessible_and_fit_the_window(
    chromium: Browser, running: Running, size: tuple[int, int]
) -> None:
    running.hook("scenario", SCENARIO)
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.route("**/starship/*", stay)
    ship = {"name": "Bounty", "race": "F"}
    assert context.request.post(f"{running.root}/starship/create", data=ship).ok
    found = []
    for query in ("bridge?ship=Bounty", "bridge?ship=Gath", "scan?ship=Nowhere"):
        page.goto(f"{running.root}/starship/{query}")
        rules = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
        told = Axe().run(page, options=rules)
        found += [(query, item["id"], item["help"]) for item in told.response["violations"]]
        if page.evaluate("document.documentElement.scrollWidth") > size[0]:
            found.append((query, "wider than the window", ""))
    context.close()
    assert found == []


def test_the_rc_file_boots_and_tells_the_address(tmp_path: Path) -> None:
    text = (ROOT / "rc" / "starship.rc").read_text()
    assert "tcp:127.0.0.1:4321" in text
    (tmp_path / "starship.rc").write_text(text.replace(":4321", ":0"))
    with own_directories(), command(str(tmp_path / "starship.rc"), "5", "42") as process:
        process.expect("the game is played at http://localhost:")
        process.signal(signal.SIGTERM)
        assert process.end() == 0


def board(page: Page, root: str, name: str) -> None:
    """Make a ship, and be on its live bridge."""
    page.goto(f"{root}/starshipLogin.html")
    page.locator('[data-testid="create-name"]').fill(name)
    page.locator('[data-testid="create"]').click()
    expect(page.locator("body")).to_have_attribute("data-mode", "captain")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def steps_seen(page: Page) -> int:
    """See the game go on; return by how many steps."""
    body = page.locator("body")
    before = body.get_attribute("data-step") or ""
    expect(body).not_to_have_attribute("data-step", before)
    return int(body.get_attribute("data-step") or "") - int(before)


def told(root: str, path: str) -> Any:
    """What a site answers, as JSON."""
    with urllib.request.urlopen(f"{root}/starship/{path}", timeout=30) as answer:
        return json.loads(answer.read())


def stop_amidst_a_step(outpost: Process, root: str) -> None:
    """Stop a server, and wait until a step is under way whose work it has and will not do."""
    [id] = [row["id"] for row in told(root, "test/servers")["servers"] if not row["own"]]
    outpost.signal(signal.SIGSTOP)

    def is_waited_for() -> bool:
        step = told(root, "test/hash")["step"]
        return id in told(root, f"test/trace?step={step + 1}").get("assigned", {})

    until(is_waited_for)


def test_players_go_on_when_their_primary_is_killed_and_when_their_server_is(
    chromium: Browser, tmp_path: Path
) -> None:
    rc = tmp_path / "home.rc"
    rc.write_text(HOME)
    (tmp_path / "outpost.rc").write_text(OUTPOST)
    near, far = (chromium.new_context(reduced_motion="reduce").new_page() for _ in range(2))
    with own_directories(), ExitStack() as stack:
        home = stack.enter_context(command(str(rc)))
        root, url = root_of(home), url_of(home)
        rc.write_text(HOME.replace("127.0.0.1:0", f"127.0.0.1:{root.rpartition(':')[2]}"))
        outpost = stack.enter_context(command(str(tmp_path / "outpost.rc"), url))
        board(near, root, "Bounty")
        board(far, root_of(outpost), "Pandora")
        # Between two steps, and amidst one.
        for amidst in (False, True):
            if amidst:
                stop_amidst_a_step(outpost, root)
            home.signal(signal.SIGKILL)
            home.end()
            outpost.signal(signal.SIGCONT)
            expect(near.locator("#banner")).to_contain_text("Connection lost. Trying again")
            expect(far.locator("body")).to_contain_text("Link to the primary lost")
            home = stack.enter_context(command(str(rc)))
            home.expect("the saved game goes on at step")
            for page in (near, far):
                expect(page.locator("#connection")).to_have_attribute("data-state", "live")
                expect(page.locator("body")).not_to_contain_text("Link to the primary lost")
                expect(page.locator("body")).to_have_attribute("data-mode", "captain")
                assert steps_seen(page) > 0
            until(lambda: states(root) == ["ready", "ready"])
        order_speed(near, "5.0")
        stop_amidst_a_step(outpost, root)
        outpost.signal(signal.SIGKILL)
        far.wait_for_url(f"{root}/starship/bridge*", timeout=60_000)
        expect(far.locator("body")).to_have_attribute("data-mode", "captain")
        expect(far.locator("#connection")).to_have_attribute("data-state", "live")
        expect(near.locator("#nav")).to_contain_text(re.compile(r"want.*5\.0"))
        assert far.url.startswith(f"{root}/starship/bridge")
    for context in chromium.contexts:
        context.close()


def states(root: str) -> list[str]:
    """The states of all servers of a game."""
    return [row["state"] for row in told(root, "test/servers")["servers"]]


def order_speed(page: Page, speed: str) -> None:
    """Order a speed, and see that it is admitted."""
    page.locator('[data-testid="speed"]').fill(speed)
    page.locator('[data-testid="set-speed"]').click()
    expect(page.locator("body")).to_contain_text(f"speed {speed}")
